"""What a database of ours holds: its tables, the types of their columns, and the revision that they are at."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect, Integer, MetaData, TypeDecorator

HEAD = "0002"
"""Revision of the tables that this code reads and writes: the newest of `migrations/versions`."""

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
    """Folder of the revisions in `migrations`."""
    head: str
    """The newest of them."""
    version_table: str
    """Where the database says which one it is at."""
    apart_from: str
    """The version table of what must not be in the same database."""


STORE = Schema(metadata, "versions", HEAD, "candor_version", "candor_keys_version")

Number = BigInteger().with_variant(Integer, "sqlite")
"""Type of the keys that the database itself gives out, rising."""


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


def as_json(value: Any) -> str:
    """JSON as it is stored and exported: readable in any language; ValueError for NaN, which is no JSON."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
