"""A store on each database, drafts, a clock that tests move, and what must hold of any store at any time."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from candor.store import Draft, Reviews, Store, open_store
from candor.store.review import DECISIONS

POSTGRES = "CANDOR_TEST_POSTGRES"
"""Environment variable with the address of a PostgreSQL database in which tests may make schemas."""


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, minutes: float) -> None:
        self.now += timedelta(minutes=minutes)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a store that is not there yet."""
    if request.param == "sqlite":
        yield str(tmp_path / "store.db")
        return
    address = os.environ.get(POSTGRES)
    if not address:
        pytest.skip(f"no PostgreSQL here; name a database with {POSTGRES}")
    if not find_spec("psycopg"):
        pytest.skip("psycopg is not installed")
    schema = f"candor_{uuid.uuid4().hex[:12]}"
    engine = create_engine(address.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    yield f"{address}{'&' if '?' in address else '?'}options=-csearch_path%3D{schema}"
    with engine.begin() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with open_store(url) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reviews(store: Store, clock: Clock) -> Reviews:
    return Reviews(store, clock)


def draft(number: int, original: str = "It is 7.") -> Draft:
    question = {"role": "user", "content": f"What is 3 + {number}?"}
    return Draft(messages=(question,), original=original, method="prompted", lang="en")


def consistent(store: Store) -> None:
    """Raise unless every record's history leads, without a gap, from nothing to the state that it is in."""
    with store.read() as connection:
        if store.is_file:
            assert connection.execute(text("PRAGMA integrity_check")).scalars().all() == ["ok"]
            assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        steps: dict[int, list[tuple[str | None, str]]] = {}
        for number, before, after in connection.execute(
            text("SELECT review, before, after FROM review_history ORDER BY number")
        ):
            steps.setdefault(number, []).append((before, after))
        states = {row.number: row.state for row in connection.execute(text("SELECT number, state FROM review"))}
    assert steps.keys() == states.keys()
    for number, changes in steps.items():
        assert changes[0] == (None, "waiting")
        assert all(end == begin for (_, end), (begin, _) in pairwise(changes))
        assert changes[-1][1] == states[number]
        assert not any(before in DECISIONS for before, _ in changes)
