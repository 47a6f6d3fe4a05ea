"""A store is opened, migrated or refused; a change is whole or not there, whatever the disk or another process does."""

import dataclasses
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import func, insert, inspect, literal, select, text, update
from sqlalchemy.exc import DBAPIError, StatementError

from candor.errors import CandorError, ConfigError, DataError, StorageError
from candor.store import Accounts, Draft, Reviews, Store, database, engine, metadata, migrate, open_keys, open_store
from candor.store.key_tables import KEYS
from candor.store.schema import UtcDateTime
from candor.store.tables import HISTORY, REVIEW
from tests.conftest import file_size_limit
from tests.store.conftest import Place, consistent, draft, talk

NEXT = """
import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

def upgrade() -> None:
    op.create_table("later", sa.Column("number", sa.Integer(), primary_key=True))
    op.add_column("review", sa.Column("note", sa.Text(), nullable=True))
    {then}
"""


def one_line(error: pytest.ExceptionInfo[CandorError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


def next_revision(folder: Path, patch: pytest.MonkeyPatch, then: str = "") -> None:
    """From here on the code is one that knows a revision more."""
    shutil.copytree(migrate.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "r0003_next.py").write_text(NEXT.format(then=then))
    patch.setattr(migrate, "MIGRATIONS", folder)
    patch.setattr(database, "STORE", dataclasses.replace(database.STORE, head="0003"))


# Making and migrating.


def test_a_new_store_is_for_its_owner_alone_and_survives_a_crash_of_the_machine(tmp_path: Path) -> None:
    path = tmp_path / "new" / "store.db"
    with open_store(path) as store:
        Reviews(store).add([draft(1)])
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file  # what SQLite keeps beside it too
        with store.read() as connection:
            pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            values = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas]
        assert values == ["wal", 2, 1, 30_000]
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    path.chmod(0o640)  # the owner may open it to others
    open_store(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_tables_are_those_that_the_code_declares(store: Store) -> None:
    with store.read() as connection:
        options = {"compare_type": True, "version_table": "candor_version"}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
        names = {name for table in metadata.tables.values() for name in [one.name for one in table.constraints]}
        found = inspect(connection)
        there = {one["name"] for table in metadata.tables for one in found.get_check_constraints(table)}
    assert there <= names and len(there) == 7


def test_the_tables_of_the_keys_are_those_that_the_code_declares(keys_url: str) -> None:
    with open_keys(keys_url) as keys, keys.database.read() as connection:
        options = {"compare_type": True, "version_table": KEYS.version_table}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), KEYS.tables) == []


def test_what_a_reader_keeps_in_the_log_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    with open_store(tmp_path / "store.db") as store:
        Reviews(store).add([draft(1)])
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM review").fetchone()
        Reviews(store).add([draft(2)])
        with pytest.raises(StorageError, match="what was deleted is still in its log, which another process reads"):
            store.forget(REVIEW)
        other.close()
        store.forget(REVIEW)
        assert (tmp_path / "store.db-wal").stat().st_size == 0


def test_the_newest_revision_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.MIGRATIONS))
    config.set_main_option("path_separator", "newline")
    for schema in (database.STORE, KEYS):
        config.set_main_option("version_locations", str(migrate.MIGRATIONS / schema.revisions))
        assert ScriptDirectory.from_config(config).get_current_head() == schema.head


def test_an_older_store_is_migrated_with_all_that_is_in_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(url) as store:
        Reviews(store).add(draft(number) for number in range(20))
        Reviews(store).lease("li", 5)
        before = list(Reviews(store).query())
    next_revision(tmp_path / "migrations", monkeypatch)
    with open_store(url) as store:
        assert list(Reviews(store).query()) == before
        with store.read() as connection:
            assert "note" in {column["name"] for column in inspect(connection).get_columns("review")}
        consistent(store)


def test_a_store_of_the_first_revision_keeps_its_records_and_takes_accounts(
    where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        shutil.copytree(migrate.MIGRATIONS, tmp_path / "old", ignore=shutil.ignore_patterns("__pycache__", "r0002*"))
        patch.setattr(migrate, "MIGRATIONS", tmp_path / "old")
        patch.setattr(database, "STORE", dataclasses.replace(database.STORE, head="0001"))
        with open_store(where.store) as store:
            Reviews(store).add(draft(number) for number in range(20))
            Reviews(store).lease("li", 5)
            before = list(Reviews(store).query())
    with where.serve() as vault:
        assert list(Reviews(vault.store).query()) == before
        account, conversation = talk(vault, "ada", consent=True)
        assert len(Accounts(vault).history(account, conversation)) == 2
        consistent(vault.store)


def test_a_migration_that_fails_changes_nothing(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(url) as store:
        Reviews(store).add([draft(1)])
    with monkeypatch.context() as patch:
        next_revision(tmp_path / "migrations", patch, "raise RuntimeError('in the middle')")
        with pytest.raises(RuntimeError, match="in the middle"):
            open_store(url)
    with open_store(url) as store, store.read() as connection:
        assert not inspect(connection).has_table("later")
        assert "note" not in {column["name"] for column in inspect(connection).get_columns("review")}


def test_a_newer_store_is_refused_and_not_touched(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        next_revision(tmp_path / "migrations", patch)
        open_store(url).close()
    path = Path(url)
    before = path.read_bytes() if path.exists() else b""
    with pytest.raises(StorageError) as caught:
        open_store(url)
    assert "was written by a newer Candor (revision 0003, this one knows 0002); upgrade" in one_line(caught)
    assert (path.read_bytes() if path.exists() else b"") == before


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()  # what a kill leaves that came right after the file was made
    with pytest.raises(DataError, match="holds no store yet"):
        open_store(tmp_path / "store.db", create=False)
    with open_store(tmp_path / "store.db") as store:
        assert Reviews(store).counts()["waiting"] == 0


def test_processes_that_open_a_new_store_at_once_make_one(url: str) -> None:
    script = """
import os, sys
from candor.store import Reviews, open_store

start, go = os.pipe()
for _ in range(8):
    if os.fork() == 0:
        os.close(go)
        os.read(start, 1)
        with open_store(sys.argv[1]) as store:
            os.write(1, b"%d\\n" % Reviews(store).counts()["waiting"])
        os._exit(0)
os.close(go)
print([os.wait()[1] for _ in range(8)])
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, url], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("0\n" * 8 + "[0, 0, 0, 0, 0, 0, 0, 0]\n", "")
    with open_store(url) as store:
        consistent(store)


def test_who_opens_a_store_that_is_being_made_waits(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN EXCLUSIVE")
    maker = threading.Timer(0.3, other.close)
    maker.start()
    with open_store(tmp_path / "store.db") as store:
        assert not maker.is_alive() or maker.join(1) is None
        consistent(store)


# What is no store.


def test_the_database_of_another_program_is_refused_and_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "bookmarks.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmark (address TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(StorageError) as caught:
        open_store(path)
    assert one_line(caught) == f"{path} is the database of another program; name another file"
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda path: path.write_bytes(b"no database" * 100), "it is no SQLite database; name another file"),
        (lambda path: path.mkdir(), "it cannot be opened; check that it is a file"),
        (lambda path: None, "does not exist; check the path"),
    ],
)
def test_what_is_no_store_is_one_line_with_the_mend(tmp_path: Path, make: object, says: str) -> None:
    path = tmp_path / "store.db"
    make(path)  # type: ignore[operator]
    with pytest.raises((StorageError, DataError)) as caught:
        open_store(path, create=False)
    assert str(path) in one_line(caught) and says in one_line(caught)


def test_a_damaged_store_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with open_store(path) as store:
        Reviews(store).add(draft(number) for number in range(500))
    data = bytearray(path.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    path.write_bytes(data)
    with pytest.raises(StorageError, match="damaged; restore it from a backup"), open_store(path) as store:
        list(Reviews(store).query())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("mysql://me:geheim@host/db", "'mysql' is no database that Candor can use; give a path, sqlite:///PATH or"),
        ("://", "cannot be read; give a path"),
        ("postgresql://me:geheim@host:x/db", "cannot be read; give a path"),
    ],
)
def test_an_address_that_cannot_work_is_one_line_without_its_password(url: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    assert says in one_line(caught) and "geheim" not in one_line(caught)


def test_an_old_sqlite_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
    with pytest.raises(ConfigError, match=r"too old, 3\.35\.0 is needed; use another Python"):
        open_store(tmp_path / "store.db")
    assert not list(tmp_path.iterdir())


def test_postgresql_without_its_driver_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'candor-lm\[postgres\]'"):
        open_store("postgresql://host/db")


def test_a_server_that_is_not_there_is_one_line_without_its_password() -> None:
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    with pytest.raises(StorageError) as caught:
        open_store("postgresql://me:geheim@127.0.0.1:9/db")
    assert "127.0.0.1:9/db" in one_line(caught) and "geheim" not in one_line(caught)


# Transactions.


def test_times_come_back_in_utc_whatever_zone_they_went_in_with(store: Store) -> None:
    noon = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    with store.read() as connection:
        for time in (noon, noon.astimezone(timezone(timedelta(hours=8)))):
            back = connection.execute(select(literal(time, UtcDateTime))).scalar_one()
            assert (back, back.tzinfo) == (noon, UTC)
        with pytest.raises(StatementError, match="has no time zone"):
            connection.execute(select(literal(noon.replace(tzinfo=None), UtcDateTime)))


def test_a_change_is_whole_or_not_there(store: Store) -> None:
    reviews = Reviews(store)
    reviews.add([draft(1)])
    with pytest.raises(KeyError), store.write() as connection:
        connection.execute(update(REVIEW).values(annotator="li"))
        raise KeyError
    assert next(reviews.query()).annotator is None


@pytest.mark.parametrize(
    "statement",
    [
        update(REVIEW).values(original="better"),
        update(REVIEW).values(messages=[]),
        update(REVIEW).values(state="edited"),
        update(REVIEW).values(state="gone"),
        update(HISTORY).values(who="nobody"),
        HISTORY.delete(),
        insert(HISTORY).values(review=99, who="x", at=datetime.now(UTC), after="waiting"),
    ],
)
def test_the_database_itself_refuses_what_must_never_be(store: Store, statement: object) -> None:
    Reviews(store).add([draft(1)])
    with pytest.raises(DBAPIError), store.write() as connection:
        connection.execute(statement)  # type: ignore[call-overload]
    consistent(store)


def test_a_record_that_is_deleted_takes_its_history_along(store: Store) -> None:
    Reviews(store).add([draft(1), draft(2)])
    with store.write() as connection:
        connection.execute(REVIEW.delete().where(REVIEW.c.messages.cast(REVIEW.c.original.type).contains("3 + 1")))
        assert connection.execute(select(func.count()).select_from(HISTORY)).scalar() == 1
    consistent(store)


def test_who_waits_too_long_for_another_process_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0.1)
    with open_store(tmp_path / "store.db") as store:
        reviews = Reviews(store)
        reviews.add([draft(1)])
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageError, match="another process held it for more than"):
            reviews.lease("li")
        assert reviews.counts()["waiting"] == 1  # who only reads never waits
        other.close()
        assert len(reviews.lease("li")) == 1


def test_a_server_may_hold_tables_of_others(url: str) -> None:
    if "://" not in url:
        pytest.skip("a file belongs to one program")
    with closing(Store(engine.address_of(url))) as bare, bare.write() as connection:
        connection.execute(text("CREATE TABLE theirs (number INTEGER)"))
    with open_store(url) as store:
        consistent(store)


# The disk refuses.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of two MiB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system needs root; file_size_limit stands in for it elsewhere")
    yield place
    subprocess.run(["umount", place], check=True)


def large(number: int) -> Draft:
    return draft(number, "x" * 2000)


def test_a_full_disk_is_one_line_and_costs_nothing_that_was_kept(small_disk: Path) -> None:
    path = small_disk / "store.db"
    with open_store(path) as store:
        reviews = Reviews(store)
        reviews.add([draft(1)])
        (small_disk / "filler").write_bytes(b"x" * (2**20))
        with pytest.raises(StorageError) as caught:
            reviews.add(large(number) for number in range(2000))
        assert one_line(caught) == f"cannot write {path}: the disk is full; free some space"
        consistent(store)
        (small_disk / "filler").unlink()
        assert len(reviews.lease("li", 1)) == 1
    with open_store(path) as store:
        consistent(store)
        assert Reviews(store).counts()["waiting"] % 500 == 0  # whole batches


def test_no_space_for_a_new_store_is_one_line(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * (2 * 2**20 - 8192))
    with pytest.raises(StorageError, match=r"the disk is full|the disk refused .*check its space"):
        open_store(small_disk / "store.db")
    (small_disk / "filler").unlink()
    open_store(small_disk / "store.db").close()


def test_a_file_over_the_limit_is_one_line_and_costs_nothing_that_was_kept(tmp_path: Path) -> None:
    with open_store(tmp_path / "store.db") as store:
        reviews = Reviews(store)
        reviews.add([draft(1)])
        with pytest.raises(StorageError, match="the disk refused"), file_size_limit(2**20):
            reviews.add(large(number) for number in range(2000))
        consistent(store)
        assert reviews.add([draft(2)]).new == 1


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        open_store(tmp_path / "file" / "store.db")
