"""The database that everything which must last goes into: opened, migrated and written to without halves.

A SQLite file by default, PostgreSQL by URL; the tables stand with what uses them and share `metadata`. A change is one
transaction: whoever is killed in the middle leaves what was there before.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Table, inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError

from candor.errors import ConfigError, DataError, StorageError
from candor.store.engine import BUSY_SECONDS, address_of, make_engine, make_file, write_ahead
from candor.store.migrate import migrate, revision
from candor.store.schema import STORE, Schema

BATCH = 500
"""Records that are in memory, in one transaction or in one statement, at a time."""
_OLDEST_SQLITE = (3, 35, 0)
_LOCK = 0x63616E646F73
"""Names the lock of PostgreSQL that one process at a time holds."""
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


class Store:
    """An open database; safe to share between threads, not across a fork. Made by `open_store`."""

    def __init__(self, url: URL):
        self.is_file = url.get_backend_name() == "sqlite"
        """Whether it is SQLite, and not a server."""
        self.name = str(url.database) if self.is_file else url.render_as_string(hide_password=True)
        """The file, or the address without its password, for messages."""
        self.engine = make_engine(url)

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
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
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
    address = address_of(str(url))
    if address.get_backend_name() == "sqlite":
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigError(
                f"SQLite {sqlite3.sqlite_version} of this Python is too old, {'.'.join(map(str, _OLDEST_SQLITE))} is "
                "needed; use another Python, or PostgreSQL"
            )
        make_file(Path(str(address.database)), create)
    store = Store(address)
    try:
        with store.read() as connection:
            found = revision(connection, schema)
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
            with store._errors("write"):
                write_ahead(store.engine)
        if found != schema.head:
            with store.alone() as connection:
                migrate(connection, schema, store.name)
    except BaseException:
        store.close()
        raise
    return store


def parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Ids in lists short enough for one statement."""
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
