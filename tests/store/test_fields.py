"""No field that says something of one user is stored but those listed, in any table, audit entry, log or metric."""

import ast
from pathlib import Path
from typing import get_args

import pytest
from sqlalchemy import inspect

import candor
from candor.errors import ConfigError
from candor.governance.audit import DETAILS, Action, next_entry
from candor.store import Vault, metadata
from candor.store.database import Store
from candor.store.fields import OF_NOBODY, PER_USER
from candor.store.key_tables import KEYS
from candor.store.schema import utc_now

REVIEWS = {
    "review": "number id messages original method lang problem family grade state edited reasons annotator lease_until "
    "created decided decided_by",
    "review_history": "number review who at before after",
}
"""De-identified text for annotators; `problem` of a user's pair is a name that only the database of keys resolves."""
VERSIONS = {"candor_version": ("version_num",), "candor_keys_version": ("version_num",)}
LISTED = {**PER_USER, **OF_NOBODY, **VERSIONS} | {name: tuple(said.split()) for name, said in REVIEWS.items()}


def columns(store: Store) -> dict[str, tuple[str, ...]]:
    with store.read() as connection:
        found = inspect(connection)
        return {name: tuple(one["name"] for one in found.get_columns(name)) for name in found.get_table_names()}


def test_every_field_of_every_table_is_on_the_list(vault: Vault) -> None:
    there = columns(vault.store) | columns(vault.keys.database)
    assert {name: set(fields) for name, fields in there.items()} == {name: set(one) for name, one in LISTED.items()}
    declared = [*metadata.tables.values(), *KEYS.tables.tables.values()]
    assert {table.name: set(table.columns.keys()) for table in declared}.items() <= {
        name: set(one) for name, one in LISTED.items()
    }.items()


def test_a_contribution_has_no_field_that_leads_to_a_user() -> None:
    personal = {
        "account",
        "user",
        "conversation",
        "message",
        "consent",
        "receipt",
        "at",
        "created",
        "number",
        "position",
    }
    assert not personal & set(OF_NOBODY["contribution"])


def test_an_audit_entry_takes_listed_fields_only() -> None:
    assert set(DETAILS) == {"version", "pairs", "users", "digest", "lost", "head"}
    for detail in ({"topic": "health"}, {"version": "I live in Paris"}, {"version": "x" * 65}, {"pairs": 1.5}):
        with pytest.raises(ConfigError):
            next_entry(None, utc_now(), "a", "consent.give", "b", detail)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        next_entry(None, utc_now(), "a", "profile.update", "b", {})  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a field of an audit entry is no number and no code"):
        next_entry(None, utc_now(), "Ada Lovelace", "consent.give", "b", {})
    assert not any("profile" in action for action in get_args(Action))


def test_store_and_governance_write_no_logs_metrics_or_files_of_their_own() -> None:
    """Neither imports what could: a field that is logged would have to come by a new import, and fail here."""
    for layer in ("store", "governance"):
        for path in (Path(candor.__file__).parent / layer).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [one.name for one in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if path.match("labels/pdf.py"):
                    names.remove("logging") if "logging" in names else None  # it silences what a library logs
                for name in names:
                    assert name.split(".")[0] not in {"logging", "structlog", "syslog", "prometheus_client"}, path
                    assert not name.startswith("candor.train.metrics"), path
