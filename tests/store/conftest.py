"""A store on each database, drafts, a clock that tests move, and what must hold of any store at any time."""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from candor.governance.keys import LocalRing, new_key
from candor.store import Accounts, Draft, Reviews, Rights, Steps, Store, Vault, open_store, open_vault
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
def kind(request: pytest.FixtureRequest) -> str:
    """Which database it is."""
    return str(request.param)


@pytest.fixture
def url(kind: str, tmp_path: Path) -> Iterator[str]:
    """The address of a store that is not there yet."""
    with place(kind, tmp_path / "store.db") as address:
        yield address


@pytest.fixture
def keys_url(kind: str, tmp_path: Path) -> Iterator[str]:
    """The address of a database of keys that is not there yet."""
    with place(kind, tmp_path / "keys.db") as address:
        yield address


@contextmanager
def place(kind: str, path: Path) -> Iterator[str]:
    """An address where nothing is yet: the file, or a schema of its own."""
    if kind == "sqlite":
        yield str(path)
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


@dataclass
class Place:
    """Where a vault is, and what opens it."""

    store: str
    keys: str
    service: LocalRing
    training: LocalRing
    clock: Clock

    @contextmanager
    def serve(self) -> Iterator[Vault]:
        """As the server has it."""
        with open_vault(self.store, self.keys, service=self.service, training=self.training, clock=self.clock) as vault:
            yield vault

    @contextmanager
    def work(self) -> Iterator[Vault]:
        """As the worker has it that prepares training data."""
        with open_vault(self.store, self.keys, training=self.training, clock=self.clock) as vault:
            yield vault


@pytest.fixture
def where(url: str, keys_url: str, clock: Clock) -> Place:
    return Place(url, keys_url, LocalRing("service", {1: new_key()}), LocalRing("training", {1: new_key()}), clock)


@pytest.fixture
def vault(where: Place) -> Iterator[Vault]:
    with where.serve() as opened:
        yield opened


SECRET = "My name is Ada Lovelace, call 13812345678."


def talk(vault: Vault, login: str, *, consent: bool, turns: int = 1, text: str = SECRET) -> tuple[str, str]:
    """An account that asked so many questions in one conversation: (account, conversation)."""
    accounts = Accounts(vault)
    account = accounts.create(login).id
    if consent:
        Rights(vault).give(account, "1")
    conversation = accounts.begin(account, f"About {text}")
    for turn in range(turns):
        accounts.add(account, conversation, "user", f"{text} Turn {turn} of {login}.")
        accounts.add(account, conversation, "assistant", f"Hello Ada Lovelace, this is turn {turn}.")
    return account, conversation


def mask(found: str) -> tuple[str, list[str]]:
    """A small de-identifier: names and digits go, the employer stays as what narrows down."""
    masked = re.sub(r"\d{5,}", "[NUMBER]", found.replace("Ada Lovelace", "[NAME]"))
    masked = re.sub(r" of user-?\d+", "", masked)
    return masked, re.findall(r"works at (\w+)", masked)


def steps(*, k: int = 3, min_pairs: int = 6, sample: float = 0.0) -> Steps:
    return Steps(mask, {"pii": "test"}, k=k, min_pairs=min_pairs, sample=sample)


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
