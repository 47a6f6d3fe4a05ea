"""What somebody reads who has the databases and no key: all files, all rows, and copies of them made earlier."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from candor.store import Store
from candor.store.engine import address_of


@contextmanager
def bare(url: str) -> Iterator[Connection]:
    """A connection that may do anything, append-only tables included."""
    with closing(Store(address_of(url))) as store, store.write() as connection:
        if not store.is_file:
            connection.execute(text("SET session_replication_role = replica"))
            yield connection
            connection.execute(text("SET session_replication_role = DEFAULT"))
            return
        triggers = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")).all()
        for name, _ in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("PRAGMA defer_foreign_keys = ON"))
        yield connection
        for _, made in triggers:
            connection.execute(text(made))


def tables(url: str) -> list[str]:
    with bare(url) as connection:
        return sorted(inspect(connection).get_table_names())


def rows(url: str, table: str) -> list[dict[str, Any]]:
    with bare(url) as connection:
        return [dict(row._mapping) for row in connection.execute(text(f"SELECT * FROM {table}"))]


def everything(*urls: str) -> bytes:
    """Every value of every table, and every byte of every file, side files included."""
    found = []
    for url in urls:
        for file in sorted(Path(url).parent.glob(f"{Path(url).name}*")) if "://" not in url else []:
            found.append(file.read_bytes())
    for url in urls:
        for table in tables(url):
            for row in rows(url, table):
                found += [value if isinstance(value, bytes) else str(value).encode() for value in row.values()]
    return b"\n".join(found)


class Backup:
    """A copy of a database as it is now."""

    def __init__(self, url: str, folder: Path):
        self.url, self.folder = url, folder
        folder.mkdir()
        if "://" not in url:
            for file in Path(url).parent.glob(f"{Path(url).name}*"):
                shutil.copy(file, folder)
        else:
            self.rows = {table: rows(url, table) for table in tables(url)}

    def restore(self) -> None:
        """Put it back, over whatever is there."""
        if "://" not in self.url:
            for file in Path(self.url).parent.glob(f"{Path(self.url).name}*"):
                file.unlink()
            for file in self.folder.iterdir():
                shutil.copy(file, Path(self.url).parent)
            return
        with bare(self.url) as connection:
            for table, kept in self.rows.items():
                connection.execute(text(f"DELETE FROM {table}"))
                for row in kept:
                    put(connection, table, row)


def put(connection: Connection, table: str, row: dict[str, Any]) -> None:
    values = {name: json.dumps(value) if isinstance(value, list | dict) else value for name, value in row.items()}
    names = ", ".join(f'"{name}"' for name in values)
    places = ", ".join(f":{name}" for name in values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({places})"), values)
