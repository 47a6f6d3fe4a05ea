"""Whatever is done to the audit afterwards is found: changed, removed, inserted, moved, cut off, rewritten."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from candor.errors import StorageError
from candor.governance.audit import START, Entry, Head, Verdict, next_entry, resumed, verify
from candor.governance.keys import ring_text
from candor.store import Accounts, Rights
from candor.store.audit import resume_audit, verify_audit
from tests.store.conftest import Clock, Place, talk
from tests.store.raw import Backup, bare, put, rows


def verdict(where: Place, *heads: Head) -> Verdict:
    with where.serve() as vault:
        return verify_audit(vault.store, vault.keys, *heads)


@pytest.fixture
def entries(where: Place) -> list[dict[str, Any]]:
    """An audit of a few entries, of several kinds."""
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=True)
        where.clock.move(1)
        Rights(vault).export(ada)
        Rights(vault).withdraw(ada)
        Rights(vault).delete_conversation(ada, hers)
    assert verdict(where).problems == ()
    return rows(where.store, "audit")


def rewrite(where: Place, entries: list[dict[str, Any]]) -> None:
    with bare(where.store) as connection:
        connection.execute(text("DELETE FROM audit"))
        for entry in entries:
            put(connection, "audit", entry)


def test_every_action_is_written_down_and_no_text_is(where: Place, entries: list[dict[str, Any]]) -> None:
    actions = ["account.create", "consent.give", "data.export", "consent.withdraw", "conversation.delete"]
    assert [entry["action"] for entry in entries] == actions
    assert [entry["sequence"] for entry in entries] == [1, 2, 3, 4, 5]
    assert "lovelace" not in json.dumps(entries, default=str).lower()
    found = verdict(where)
    assert (found.entries, found.gaps) == (5, ()) and found.head == Head(5, entries[-1]["hash"])


def other(value: Any) -> list[Any]:
    """Values that a field might be changed to."""
    if isinstance(value, int):
        return [value + 100]
    if isinstance(value, dict):
        return [{"version": "2"}, value | {"lost": 1}, {"version": 1}]
    said = str(value)
    if said[:4] == "2026":
        return [said.replace("12:0", "13:0"), said.replace("2026", "2025")]
    if said.startswith(("{", "[")):
        return ['{"version": "2"}', '{"lost": 1}', "[]", "null", "not json"]
    return ["x" + said[1:], said[:-1]]


def test_a_change_to_any_field_of_any_entry_is_found(where: Place, entries: list[dict[str, Any]]) -> None:
    tried = 0
    with where.serve() as vault:
        for entry in entries:
            for name, value in entry.items():
                for changed in other(value):
                    kept = value if not isinstance(value, dict) else json.dumps(value)
                    new = changed if not isinstance(changed, dict) else json.dumps(changed)
                    key = changed if name == "sequence" else entry["sequence"]
                    if name == "sequence" and any(one["sequence"] == changed for one in entries):
                        continue
                    with bare(where.store) as connection:
                        change = text(f'UPDATE audit SET "{name}" = :new WHERE sequence = :key')
                        connection.execute(change, {"new": new, "key": entry["sequence"]})
                    assert verify_audit(vault.store, vault.keys).problems, (name, value, changed)
                    with bare(where.store) as connection:
                        back = text(f'UPDATE audit SET "{name}" = :old WHERE sequence = :key')
                        connection.execute(back, {"old": kept, "key": key})
                    tried += 1
    assert tried > 60
    assert verdict(where).problems == ()


def test_entries_removed_inserted_moved_or_cut_off_are_found(where: Place, entries: list[dict[str, Any]]) -> None:
    attacks: list[list[dict[str, Any]]] = [[]]
    attacks += [entries[:place] + entries[place + 1 :] for place in range(len(entries))]
    attacks += [entries[:place] for place in range(len(entries))]
    for gone in range(len(entries)):  # removed, and the later ones counted anew
        left = entries[:gone] + entries[gone + 1 :]
        attacks.append([entry | {"sequence": number} for number, entry in enumerate(left, start=1)])
    for first in range(len(entries)):
        for second in range(first):
            moved = list(entries)
            moved[first], moved[second] = moved[second], moved[first]
            attacks.append([entry | {"sequence": number} for number, entry in enumerate(moved, start=1)])
    for place in range(len(entries) + 1):
        more = [*entries[:place], entries[0], *entries[place:]]
        attacks.append([entry | {"sequence": number} for number, entry in enumerate(more, start=1)])
    with where.serve() as vault:
        for attack in attacks[:-1]:  # the last one is an entry behind the anchor: what the chain itself finds
            rewrite(where, attack)
            assert verify_audit(vault.store, vault.keys).problems, [entry["sequence"] for entry in attack]
        rewrite(where, attacks[-1])
        assert verify_audit(vault.store, vault.keys).problems


def test_a_chain_that_is_wholly_recomputed_is_found_by_its_anchor(where: Place, entries: list[dict[str, Any]]) -> None:
    forged, last = [], None
    for entry in entries[:-2]:  # without the withdrawal
        details = entry["detail"] if isinstance(entry["detail"], dict) else json.loads(entry["detail"])
        made = next_entry(last, where.clock(), entry["actor"], entry["action"], entry["object"], details)
        last = Head(made.sequence, made.hash)
        forged.append(vars(made) | {"detail": dict(made.detail)})
    rewrite(where, forged)
    assert verify(Entry(**one) for one in forged).problems == ()  # the chain alone is whole
    found = verdict(where)
    assert any("is not the one that was anchored" in problem for problem in found.problems)
    with where.serve() as vault, pytest.raises(StorageError, match="lacks entries of its audit up to 5"):
        Accounts(vault).create("eve")


def test_whoever_rewrites_both_databases_is_found_by_a_head_noted_elsewhere(
    where: Place, entries: list[dict[str, Any]]
) -> None:
    noted = Head(4, entries[3]["hash"])
    rewrite(where, entries[:3])
    with bare(where.keys) as connection:
        connection.execute(text("DELETE FROM audit_head"))
    assert verdict(where).problems == ()
    assert verdict(where, noted).problems
    rewrite(where, entries)
    assert verdict(where, noted).problems == ()


def test_a_restored_backup_is_noticed_and_stays_on_record(where: Place, tmp_path: Path) -> None:
    with where.serve() as vault:
        talk(vault, "ada", consent=True)
        backup = Backup(where.store, tmp_path / "backup")
        talk(vault, "bob", consent=True)
    backup.restore()
    assert verdict(where).problems
    with where.serve() as vault:
        with pytest.raises(StorageError, match="lacks entries of its audit up to 4"):
            Accounts(vault).create("eve")
        resume_audit(vault.store, vault.keys, vault.clock())
        Accounts(vault).create("eve")
        with pytest.raises(StorageError, match="nothing to resume"):
            resume_audit(vault.store, vault.keys, vault.clock())
    found = verdict(where)
    assert (found.problems, found.gaps) == ((), ("entries 3 to 4 were lost with a restored backup",))
    with bare(where.store) as connection:  # the record of the gap is an entry like any other
        connection.execute(text("DELETE FROM audit WHERE action = 'audit.resume'"))
    assert verdict(where).problems


def test_an_anchor_that_a_kill_left_behind_is_no_problem(
    where: Place, monkeypatch: pytest.MonkeyPatch, entries: list[dict[str, Any]]
) -> None:
    with where.serve() as vault:
        with monkeypatch.context() as patch:
            patch.setattr(vault.keys, "anchor", lambda head: None)
            Accounts(vault).create("bob")
        assert vault.keys.head() == Head(5, entries[-1]["hash"])
        assert verify_audit(vault.store, vault.keys).problems == ()
        Accounts(vault).create("eve")
        assert verify_audit(vault.store, vault.keys).head == vault.keys.head()


def test_what_fails_is_not_written_down(where: Place, entries: list[dict[str, Any]]) -> None:
    with where.serve() as vault:
        with pytest.raises(ZeroDivisionError), vault.change() as change:
            change.note("a", "data.export", "b")
            raise ZeroDivisionError
        assert verify_audit(vault.store, vault.keys).entries == 5


def test_writers_at_once_make_one_chain(where: Place) -> None:
    script = """
import os, sys
from candor.governance.keys import read_ring
from candor.store import Accounts, open_vault

service = read_ring(sys.argv[3], "argument")
start, go = os.pipe()
for worker in range(3):
    if os.fork() == 0:
        os.close(go)
        os.read(start, 1)
        with open_vault(sys.argv[1], sys.argv[2], service=service) as vault:
            for number in range(5):
                Accounts(vault).create(f"user-{worker}-{number}")
        os._exit(0)
os.close(go)
sys.exit(any(os.wait()[1] for _ in range(3)))
"""
    arguments = [where.store, where.keys, ring_text(where.service)]
    done = subprocess.run([sys.executable, "-W", "error", "-c", script, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    found = verdict(where)
    assert (found.entries, found.problems) == (15, ())
    with where.serve() as vault:
        assert vault.keys.head() == found.head


# The chain itself, without a database.

Chain = list[Entry]


def chain(length: int) -> Chain:
    made: Chain = []
    last = None
    for number in range(length):
        made.append(next_entry(last, Clock().now, f"a{number % 3}", "data.export", f"o{number}", {"pairs": number}))
        last = Head(made[-1].sequence, made[-1].hash)
    return made


@given(st.integers(1, 12), st.randoms(use_true_random=False))
def test_any_other_order_or_choice_of_entries_is_found(length: int, random: Any) -> None:
    made = chain(length)
    anchor = Head(made[-1].sequence, made[-1].hash)
    assert verify(made, anchor) == Verdict(length, anchor, (), ())
    other = [one for one in made if random.random() < 0.8] + [one for one in made if random.random() < 0.1]
    random.shuffle(other)
    assert (other == made) == (not verify(other, anchor).problems)


@pytest.mark.parametrize("hide", [lambda made: made[3:], lambda made: [*made[:2], *made[4:]]])
def test_a_gap_is_accepted_only_where_it_is_recorded(hide: Callable[[Chain], Chain]) -> None:
    made = chain(6)
    assert verify(hide(made)).problems
    assert verify([]).problems == () and verify([], Head(1, START)).problems


def test_a_kill_while_resuming_can_be_resumed(where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with where.serve() as vault:
        talk(vault, "ada", consent=True)
        backup = Backup(where.store, tmp_path / "backup")
        talk(vault, "bob", consent=True)
    backup.restore()
    with where.serve() as vault:
        with monkeypatch.context() as patch:
            patch.setattr(vault.keys, "anchor", lambda head: None)  # killed behind the commit
            resume_audit(vault.store, vault.keys, vault.clock())
        with pytest.raises(StorageError, match="candor audit resume"):
            Accounts(vault).create("eve")
        resume_audit(vault.store, vault.keys, vault.clock())
        Accounts(vault).create("eve")
    assert verdict(where).problems == ()


def test_a_cut_tail_is_found_though_a_gap_is_claimed(where: Place, entries: list[dict[str, Any]]) -> None:
    """Who writes the store, but not the keys, claims a restored backup to hide what was cut off."""
    last = Head(len(entries), entries[-1]["hash"])
    claim = vars(resumed(Head(2, entries[1]["hash"]), last, where.clock(), "candor"))
    rewrite(where, [*entries[:2], claim | {"detail": dict(claim["detail"])}])
    assert verdict(where).problems
