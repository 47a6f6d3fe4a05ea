"""The database that everything which must last goes into: opened, migrated and written to without halves.

A SQLite file by default, PostgreSQL by URL; the tables stand with what uses them and share `metadata`. A change is one
transaction: whoever is killed in the middle leaves what was there before.
"""

import importlib.util
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    TypeDecorator,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from candor import files
from candor.errors import ConfigError, DataError, StorageError

HEAD = "0002"
"""Revision of the tables that this code reads and writes: the newest of `migrations/versions`."""
MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
"""How long a change waits for another process's."""
BATCH = 500
"""Records that are in memory, in one transaction or in one statement, at a time."""
_OLDEST_SQLITE = (3, 35, 0)
_LOCK = 0x63616E646F72
"""Names the lock of PostgreSQL that one migration at a time holds."""

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of the store, with constraints named alike on every database."""


@dataclass(frozen=True)
class Schema:
    """What a database is to hold, and how it comes to hold it.

    >>> Schema(metadata, "versions", HEAD, "candor_version", apart_from="candor_keys_version")
    """

    tables: MetaData
    """The tables, as the code declares them."""
    revisions: str
    """Folder of the revisions in `MIGRATIONS`."""
    head: str
    """The newest of them."""
    version_table: str
    """Where the database says which one it is at."""
    apart_from: str
    """The version table of what must not be in the same database."""


STORE = Schema(metadata, "versions", HEAD, "candor_version", "candor_keys_version")

Number = BigInteger().with_variant(Integer, "sqlite")
"""Type of the keys that the database itself gives out, rising."""

_SQLITE = {
    "SQLITE_FULL": "the disk is full; free some space",
    "SQLITE_IOERR": "the disk refused ({}); check its space, its quota and the limit on file sizes (ulimit -f)",
    "SQLITE_BUSY": f"another process held it for more than {BUSY_SECONDS} s; wait for that one and try again",
    "SQLITE_LOCKED": "another process holds it; wait for that one and try again",
    "SQLITE_READONLY": "it is read-only; check the permissions of the file and of its folder",
    "SQLITE_PERM": "permission denied; check the permissions of the file and of its folder",
    "SQLITE_CANTOPEN": "it cannot be opened; check that it is a file, and the permissions of its folder",
    "SQLITE_NOTADB": "it is no SQLite database; name another file",
    "SQLITE_CORRUPT": "it is damaged; restore it from a backup",
}


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, with its zone: SQLite keeps none, PostgreSQL gives back that of the session."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database."""
        if value is not None and value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; give a time in UTC")
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Store:
    """An open database; safe to share between threads, not across a fork. Made by `open_store`."""

    def __init__(self, url: URL):
        self.is_file = url.get_backend_name() == "sqlite"
        """Whether it is SQLite, and not a server."""
        self.name = str(url.database) if self.is_file else url.render_as_string(hide_password=True)
        """The file, or the address without its password, for messages."""
        self.engine = _engine(url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with self._errors("read"), self.engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is kept whole when the block ends well, and leaves nothing when it does not."""
        with (
            self._errors("write"),
            self.engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def alone(self) -> Iterator[Connection]:
        """`write`, with no other process in such a block until it ends: SQLite has one writer anyway, PostgreSQL gets a
        lock for it."""
        with self.write() as connection:
            if not self.is_file:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK + 1})
            yield connection

    def forget(self, *tables: Table) -> None:
        """Have nothing of rows deleted from these tables left in the files of SQLite: its log is written back (over
        zeroed space, by `secure_delete`) and cut. StorageError where a reader holds it for too long. What the disk
        itself keeps of overwritten blocks is beyond this.

        PostgreSQL keeps dead rows until a vacuum, which is asked for here, and traces of them in free space and in its
        archived log for as long as whoever runs the server does.
        """
        if not self.is_file:
            names = ", ".join(table.name for table in tables)
            with (
                self._errors("write"),
                self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection,
            ):
                connection.execute(text(f"VACUUM {names}"))
            return
        with self._errors("write"), self.engine.connect() as connection:
            cursor = connection.connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            row = cursor.fetchone()
            cursor.close()
        if row and row[0]:
            raise StorageError(
                f"{self.name}: what was deleted is still in its log, which another process reads; it goes when that "
                "one ends and the store is opened again"
            )

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn what the database or the disk says into a StorageError of one line with the mend."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            name = getattr(cause, "sqlite_errorname", "")
            if mend := _SQLITE.get("_".join(name.split("_")[:2])):
                raise StorageError(f"cannot {what} {self.name}: {mend.format(name)}") from error
            if isinstance(error, OperationalError):
                reason = str(cause).strip().splitlines()[0]
                raise StorageError(
                    f"cannot {what} {self.name}: {reason}; check the server, and try again once it answers"
                ) from error
            raise


def open_store(url: str | Path, *, create: bool = True, schema: Schema | None = None) -> Store:
    """Open the database at a path, `sqlite:///PATH` or `postgresql://USER@HOST/NAME`, with its tables up to date: those
    of the store, or of another schema.

    One that is not there is made (a file only its owner may read) unless `create` is false; one of older code is
    migrated; one of newer code is refused with a StorageError, and nothing in it is touched.
    """
    schema = schema or STORE
    address = _address(str(url))
    if address.get_backend_name() == "sqlite":
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigError(
                f"SQLite {sqlite3.sqlite_version} of this Python is too old, {'.'.join(map(str, _OLDEST_SQLITE))} is "
                "needed; use another Python, or PostgreSQL"
            )
        _make_file(Path(str(address.database)), create)
    store = Store(address)
    try:
        with store.read() as connection:
            found = _revision(connection, schema)
            mixed = inspect(connection).has_table(schema.apart_from)
            foreign = found is None and store.is_file and inspect(connection).get_table_names()
        if mixed:
            raise StorageError(
                f"{store.name} would hold the store and the keys that open it, and a backup both; name another database"
            )
        if foreign:
            raise StorageError(f"{store.name} is the database of another program; name another file")
        if found is None and not create:
            raise DataError(f"{store.name} holds no store yet; add something first, or name another one")
        if found is None and store.is_file:
            _write_ahead(store)
        if found != schema.head:
            _migrate(store, schema)
    except BaseException:
        store.close()
        raise
    return store


def _write_ahead(store: Store) -> None:
    """Have SQLite write changes ahead, so that readers and a writer do not wait for each other; the file remembers."""
    give_up = time.monotonic() + BUSY_SECONDS
    with store._errors("write"), store.engine.connect() as connection:
        cursor = connection.connection.cursor()
        while True:
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:  # of this one SQLite does not wait for others that do it too
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)


def _address(url: str) -> URL:
    known = "give a path, sqlite:///PATH or postgresql://USER@HOST/NAME"
    if "://" not in url:
        return URL.create("sqlite", database=os.path.expanduser(url))
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(f"the address of the store cannot be read; {known}") from None  # it may hold a password
    if address.drivername.startswith("sqlite"):
        if address.database in (None, "", ":memory:"):
            raise ConfigError(f"{url!r} names no file, and what is kept in memory is lost; {known}")
        return address.set(drivername="sqlite", query={})
    if address.drivername.split("+")[0] in ("postgresql", "postgres"):
        if importlib.util.find_spec("psycopg") is None:
            raise ConfigError("PostgreSQL needs an extra; run: pip install 'candor-lm[postgres]'")
        return address.set(drivername="postgresql+psycopg")
    raise ConfigError(f"{address.drivername!r} is no database that Candor can use; {known}")


def _make_file(path: Path, create: bool) -> None:
    """Make the empty file, so that it has its permissions before anything is in it. SQLite gives its side files the
    same. An existing one is never opened here: closing it would drop the locks that this process holds through SQLite.
    """
    if path.exists():
        return
    if not create:
        raise DataError(f"{path} does not exist; check the path")
    with files.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process may be faster
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 10}, json_serializer=as_json)
        setup = f"SET lock_timeout = '{BUSY_SECONDS}s'"
        event.listen(engine, "connect", _run_on_connect(setup))
        return engine
    # The driver begins no transactions of its own: it would do so too late for reads, and never for tables.
    arguments = {"timeout": BUSY_SECONDS, "isolation_level": None}
    engine = create_engine(url, connect_args=arguments, json_serializer=as_json)
    pragmas = ("foreign_keys = ON", "synchronous = FULL", "secure_delete = ON", "recursive_triggers = ON")
    event.listen(engine, "connect", _run_on_connect(*[f"PRAGMA {pragma}" for pragma in pragmas]))
    event.listen(engine, "begin", _begin)
    return engine


def _run_on_connect(*statements: str) -> Callable[[Any, Any], None]:
    def run(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        cursor.close()
        connection.commit()

    return run


def _begin(connection: Connection) -> None:
    """Who writes takes SQLite's one write lock at once: a reader that turns writer could only be refused."""
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


def as_json(value: Any) -> str:
    """JSON as it is stored and exported: readable in any language; ValueError for NaN, which is no JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Ids in lists short enough for one statement."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _revision(connection: Connection, schema: Schema) -> str | None:
    """The revision of the tables; None where there are none yet."""
    if not inspect(connection).has_table(schema.version_table):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {schema.version_table}")).scalar()
    return found


def _migrate(store: Store, schema: Schema) -> None:
    """Bring the tables to the newest revision, in one transaction, one process at a time."""
    from alembic import command  # not needed, and not imported, once a store is up to date
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("version_locations", str(MIGRATIONS / schema.revisions).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    with store.write() as connection:
        if not store.is_file:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        found = _revision(connection, schema)
        if found is not None and found not in known:
            raise StorageError(
                f"{store.name} was written by a newer Candor (revision {found}, this one knows {schema.head}); "
                "upgrade candor-lm, or name another store"
            )
        config.attributes["connection"] = connection
        config.attributes["schema"] = schema
        command.upgrade(config, "head")
