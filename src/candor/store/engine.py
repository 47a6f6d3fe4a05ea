"""The way to a database, SQLite or PostgreSQL: its address, its file, and connections to it."""

import importlib.util
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from candor import files
from candor.errors import ConfigError, DataError
from candor.store.schema import as_json

BUSY_SECONDS = 30
"""How long a change waits for another process's."""


def address_of(url: str) -> URL:
    """The address that a path or a URL names; ConfigError where it names no database that can be used."""
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


def make_file(path: Path, create: bool) -> None:
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


def make_engine(url: URL) -> Engine:
    """Connections to a database, each set up so that nothing is lost, half done, or left in the file."""
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


def write_ahead(engine: Engine) -> None:
    """Have SQLite write changes ahead, so that readers and a writer do not wait for each other; the file remembers."""
    give_up = time.monotonic() + BUSY_SECONDS
    with engine.connect() as connection:
        cursor = connection.connection.cursor()
        while True:
            try:
                cursor.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:  # of this one SQLite does not wait for others that do it too
                if error.sqlite_errorname != "SQLITE_BUSY" or time.monotonic() > give_up:
                    raise
                time.sleep(0.01)


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
