"""The tables of the review records, and the few ways in which they are read and changed.

Every change goes through `write_changes`, which also writes the history, so neither can be without the other.
"""

import dataclasses
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    Select,
    String,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from candor.errors import DataError
from candor.store.review import DRAFT_FIELDS, ITSELF, Draft, Review, State
from candor.store.schema import Number, UtcDateTime, metadata

REVIEW = Table(
    "review",
    metadata,
    Column("number", Number, primary_key=True),
    Column("id", String(64), nullable=False),
    Column("messages", JSON, nullable=False),
    Column("original", Text, nullable=False),
    Column("method", String(16), nullable=False),
    Column("lang", String(16), nullable=False),
    Column("problem", Text),
    Column("family", Text),
    Column("grade", String(16)),
    Column("state", String(16), nullable=False),
    Column("edited", Text),
    Column("reasons", JSON, nullable=False),
    Column("annotator", Text),
    Column("lease_until", UtcDateTime),
    Column("created", UtcDateTime, nullable=False),
    Column("decided", UtcDateTime),
    Column("decided_by", Text),
    CheckConstraint("state IN ('waiting', 'leased', 'accepted', 'edited', 'rejected')", "state"),
    CheckConstraint("(state = 'edited') = (edited IS NOT NULL)", "edited"),
    CheckConstraint("(state = 'leased') = (lease_until IS NOT NULL)", "leased"),
    CheckConstraint(
        "(state IN ('accepted', 'edited', 'rejected')) = (decided IS NOT NULL AND decided_by IS NOT NULL)", "decided"
    ),
    UniqueConstraint("id"),
    Index(None, "state", "number"),
    Index(None, "problem"),
)
HISTORY = Table(
    "review_history",
    metadata,
    Column("number", Number, primary_key=True),
    Column("review", Number, ForeignKey("review.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("before", String(16)),
    Column("after", String(16), nullable=False),
)

_CHANGING = ("state", "edited", "reasons", "annotator", "lease_until", "decided", "decided_by")
ChangeOf = tuple[int, Review, Review, str]
"""Key of the record, the record before and after, who changes it."""


def insert_new(connection: Connection, drafts: Sequence[Draft], now: datetime) -> int:
    """Insert the drafts that are not there yet, each with its line of history; how many."""
    kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = kind(REVIEW).on_conflict_do_nothing(index_elements=["id"]).returning(REVIEW.c.number)
    keys = sorted(connection.execute(statement, [_new_row(draft, now) for draft in drafts]).scalars())
    _write_history(connection, [(key, ITSELF, None, "waiting") for key in keys], now)
    return len(keys)


def write_changes(connection: Connection, changes: Sequence[ChangeOf], at: datetime) -> None:
    """Write records anew, each with its line of history. The caller holds them locked, as `before` says."""
    if not changes:
        return
    statement = update(REVIEW).where(REVIEW.c.number == bindparam("key"))
    values = [{name: getattr(after, name) for name in _CHANGING} | {"key": key} for key, _, after, _ in changes]
    connection.execute(statement, values)
    _write_history(connection, [(key, who, before.state, after.state) for key, before, after, who in changes], at)


def fetch(connection: Connection, ids: Sequence[str], *, lock: bool = True) -> dict[str, tuple[int, Review]]:
    """The records of these ids with their keys, held for this transaction where `lock`; unknown ones are left out."""
    statement = select(REVIEW).where(REVIEW.c.id.in_(ids)).order_by(REVIEW.c.number)
    if lock:  # of single rows on PostgreSQL; who writes to SQLite is alone anyway
        statement = statement.with_for_update()
    return {row.id: (row.number, review_of(row)) for row in connection.execute(statement)}


def the_one(found: dict[str, tuple[int, Review]], id: str) -> tuple[int, Review]:
    """The record of an id; DataError where it is unknown."""
    if id not in found:
        raise DataError(f"there is no review record {id!r}; `candor review export` writes all ids")
    return found[id]


def run_out(now: datetime) -> Select[Any]:
    """The records whose lease is over."""
    return select(REVIEW).where(REVIEW.c.state == "leased", REVIEW.c.lease_until <= now).order_by(REVIEW.c.number)


def free(connection: Connection, now: datetime) -> None:
    """Put back what is leased no longer."""
    rows = connection.execute(run_out(now).with_for_update(skip_locked=True)).all()
    changes = []
    for row in rows:
        review = review_of(row)
        waiting = dataclasses.replace(review, state="waiting", annotator=None, lease_until=None)
        changes.append((row.number, review, waiting, ITSELF))
    write_changes(connection, changes, now)


def _write_history(
    connection: Connection, changes: Sequence[tuple[int, str, State | None, State]], at: datetime
) -> None:
    if changes:
        rows = [
            {"review": key, "who": who, "at": at, "before": before, "after": after}
            for key, who, before, after in changes
        ]
        connection.execute(insert(HISTORY), rows)


def _new_row(draft: Draft, now: datetime) -> dict[str, Any]:
    values = {name: getattr(draft, name) for name in DRAFT_FIELDS}
    grade = None if draft.grade is None else str(draft.grade)  # an enum's member may stand for its text
    return values | {"id": draft.digest, "grade": grade, "state": "waiting", "reasons": (), "created": now}


def review_of(row: Row[Any]) -> Review:
    """The record in a row."""
    values = dict(row._mapping)
    del values["number"]
    return Review(**values | {"reasons": tuple(values["reasons"])})
