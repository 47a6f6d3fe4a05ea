"""The way from a conversation into the training data: by consent, by every step, with a receipt, and untraceably."""

import dataclasses
import json
import os
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, text

from candor.data.reviewed import NotTaken, answered
from candor.errors import ConfigError, DataError
from candor.stages.collect import dialogues_of
from candor.store import (
    Accounts,
    Decision,
    Reviews,
    Rights,
    Rule,
    Steps,
    Vault,
    add_drafts,
    contribute,
    contributions,
    export_reviews,
    write_contributions,
)
from candor.store.audit import verify_audit
from candor.store.contribution import Contribution, batch_digest
from candor.store.review import to_json
from candor.store.user_tables import CONSENT
from tests.store.conftest import Place, mask, steps, talk
from tests.store.raw import Backup, bare, everything, put, rows

USERS = [f"user-{number}" for number in range(4)]


@pytest.fixture
def talks(where: Place) -> dict[str, tuple[str, str]]:
    """Four users with consent and two pairs each, one without."""
    with where.serve() as vault:
        found = {login: talk(vault, login, consent=True, turns=2) for login in USERS}
        return found | {"silent": talk(vault, "silent", consent=False, turns=2, text="Never use this 13912345678.")}


def run(where: Place, how: Steps) -> object:
    with where.work() as vault:
        return contribute(vault, how)


def test_consented_pairs_enter_masked_with_a_receipt_for_each_consent(
    where: Place, talks: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    with where.work() as vault:
        done = contribute(vault, steps())
        assert (done.read, done.alike, done.waiting, done.entered) == (8, 8, 0, 8)
        assert contribute(vault, steps()).read == 0  # nothing twice
        assert write_contributions(vault, tmp_path / "users.jsonl") == 8
    lines = [json.loads(line) for line in (tmp_path / "users.jsonl").read_text().splitlines()]
    said = json.dumps(lines)
    assert "Lovelace" not in said and "138123" not in said and "Never use this" not in said
    assert {line["origin"] for line in lines} == {"user-derived"}
    assert lines[0]["messages"][0]["content"].startswith("My name is [NAME], call [NUMBER]. Turn")
    with where.serve() as vault:
        rights = Rights(vault)
        for login in USERS:
            (receipt,) = rights.receipts(talks[login][0])
            assert (receipt.pairs_in, receipt.pairs_out, receipt.k) == (2, 2, 3)
            assert receipt.steps == {"pii": "test"}
            consent = rights.consent(talks[login][0])
            assert consent and receipt.consent == consent.id
        assert rights.receipts(talks["silent"][0]) == []
        assert rights.withdraw(talks[USERS[0]][0]).entered == 2
        entry = rows(where.store, "audit")[-2]
        assert entry["action"] == "contribution.batch" and receipt.digest in str(entry["detail"])


def test_what_is_withdrawn_or_deleted_before_does_not_enter(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    with where.serve() as vault:
        said = Rights(vault).withdraw(talks[USERS[0]][0])
        assert (said.removed, said.entered) == (2, 0)
        Rights(vault).delete_all(talks[USERS[1]][0])
        Rights(vault).delete_conversation(*talks[USERS[2]])
    with where.work() as vault:
        done = contribute(vault, steps(k=2, min_pairs=2))
        assert (done.read, done.entered) == (2, 0)  # and of one user alone none enter


def test_a_batch_is_of_many_pairs_of_many_users_and_mostly_of_none(where: Place) -> None:
    with where.serve() as vault:
        talk(vault, "much", consent=True, turns=9)
        for login in ("one", "two"):
            talk(vault, login, consent=True)
    with where.work() as vault:
        assert contribute(vault, steps(k=3, min_pairs=6)).entered == 0  # 2 + 1 + 1
        assert contribute(vault, steps(k=4, min_pairs=4)).entered == 0
        done = contribute(vault, steps(k=3, min_pairs=3))
        assert done.entered == 3  # one of each
    taken = sorted(row["pairs_out"] for row in rows(where.store, "receipt"))
    assert taken == [1, 1, 1]


def test_who_can_be_told_apart_does_not_enter_and_may_later(where: Place) -> None:
    with where.serve() as vault:
        for number, firm in enumerate(["Acme", "Acme", "Solo", "Acme"]):
            talk(vault, f"user-{number}", consent=True, text=f"Ada Lovelace works at {firm} now.")
        how = steps(k=3, min_pairs=3)
        done = run(where, how)
        assert (done.read, done.alike, done.entered) == (4, 3, 3)
        assert "Solo" not in json.dumps(rows(where.store, "contribution"))
        for number in (8, 9):
            talk(vault, f"user-{number}", consent=True, text="Ada Lovelace works at Solo now.")
        assert run(where, how).entered == 3
        assert len(list(contributions(vault.store))) == 6


def test_a_batch_links_nothing_to_nobody(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    run(where, steps())
    kept = rows(where.store, "contribution")
    assert [row["id"] for row in kept] == sorted(row["id"] for row in kept)
    assert {row["month"] for row in kept} == {"2026-03"} and len({row["batch"] for row in kept}) == 1
    elsewhere = {
        str(value)
        for table in ("account", "conversation", "message", "consent", "receipt")
        for row in rows(where.store, table)
        for value in row.values()
    } | {str(value) for row in rows(where.keys, "wrapped_key") for value in row.values()}
    assert not elsewhere & {row[name] for row in kept for name in ("id", "batch", "prompt", "answer")}
    assert rows(where.store, "review") == []


# People.


def decide(vault: Vault, number: int, state: str, edited: str | None = None) -> None:
    reviews = Reviews(vault.store, vault.clock)
    for review in reviews.lease("li", number):
        reviews.decide(review.id, state, edited, annotator="li")  # type: ignore[arg-type]


def test_a_share_waits_for_people_and_what_they_reject_does_not_enter(
    where: Place, talks: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    how = steps(sample=1.0, k=2, min_pairs=4)
    with where.work() as vault:
        assert (contribute(vault, how).waiting, contribute(vault, how).waiting) == (8, 8)
        waiting = list(Reviews(vault.store).query("waiting"))
        assert len(waiting) == 8 and all(one.method == "user" for one in waiting)
        assert "Lovelace" not in json.dumps([to_json(one) for one in waiting])
        decide(vault, 1, "rejected")
        decide(vault, 1, "edited", "Hello there.")
        decide(vault, 2, "accepted")
        done = contribute(vault, how)
        assert (done.waiting, done.entered) in ((4, 0), (4, 3))
        decide(vault, 4, "accepted")
        entered = contribute(vault, how).entered
        assert entered == 7
        assert [row["answer"] for row in rows(where.store, "contribution")].count("Hello there.") == 1
        receipts = rows(where.store, "receipt")
        assert sum(row["pairs_in"] for row in receipts) == 8 and sum(row["pairs_out"] for row in receipts) == 7
        assert Reviews(vault.store).counts()["accepted"] == 0  # they would say which text is whose
        assert contribute(vault, how).read == 0


def test_withdrawal_takes_what_waits_for_people_along(
    where: Place, talks: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    how = steps(sample=1.0)
    run(where, how)
    backup = Backup(where.store, tmp_path / "backup")
    with where.serve() as vault:
        Rights(vault).withdraw(talks[USERS[0]][0])
        assert Reviews(vault.store).counts()["waiting"] == 6
        Rights(vault).delete_all(talks[USERS[1]][0])
        assert Reviews(vault.store).counts()["waiting"] == 4
    backup.restore()
    with where.serve() as vault:
        assert Reviews(vault.store).counts()["waiting"] == 4


def test_review_records_of_users_are_no_way_into_training(
    where: Place, talks: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    with where.work() as vault:
        contribute(vault, steps(sample=1.0))
        reviews = Reviews(vault.store)
        anything = Rule("all", "1", lambda review: Decision("accepted"))
        assert reviews.decide_by_rule(anything)["accepted"] == 0  # only people pass them
        decide(vault, 8, "accepted")
        assert dialogues_of(reviews.query()) == []
        path = tmp_path / "reviews.jsonl"
        assert export_reviews(reviews, path) == 8
        for line in path.read_text().splitlines():
            with pytest.raises(NotTaken, match="only as a contribution with its receipt"):
                answered(json.loads(line), "here")
        fields = ("messages", "original", "method", "lang")
        drafts = [{name: json.loads(line)[name] for name in fields} for line in path.read_text().splitlines()]
        path.write_text("".join(json.dumps(one) + "\n" for one in drafts))
        with pytest.raises(DataError, match="its method is user"):
            add_drafts(reviews, path)


def test_what_somebody_wrote_into_an_edit_is_masked_too(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    how = steps(sample=1.0, k=2, min_pairs=4)
    with where.work() as vault:
        contribute(vault, how)
        decide(vault, 8, "edited", "Ada Lovelace says hello.")
        assert contribute(vault, how).entered
        assert "Lovelace" not in json.dumps(rows(where.store, "contribution"))


# No other way in.


def test_rows_without_receipts_never_reach_a_training_file(
    where: Place, talks: dict[str, tuple[str, str]], tmp_path: Path
) -> None:
    run(where, steps())
    row = rows(where.store, "contribution")[0]
    own = row | {"id": "0" * 32, "batch": "1" * 32}
    receipt = rows(where.store, "receipt")[0]

    def forge(connection: Connection, consent: str) -> None:
        """A row of its own with a receipt that vouches for it."""
        put(connection, "contribution", own)
        forged = {"id": "2" * 32, "consent": consent, "digest": batch_digest([Contribution(**own)]), "pairs_out": 1}
        put(connection, "receipt", receipt | forged)

    attacks = [
        lambda connection: forge(connection, "nobody"),
        lambda connection: forge(connection, receipt["consent"]),
        lambda connection: put(connection, "contribution", own),
        lambda connection: put(connection, "contribution", row | {"id": "0" * 32}),
        lambda connection: connection.execute(text("UPDATE contribution SET answer = 'Ada'")),
        lambda connection: connection.execute(text("DELETE FROM receipt WHERE id = (SELECT MIN(id) FROM receipt)")),
        lambda connection: connection.execute(text("DELETE FROM contribution WHERE id = :id"), {"id": row["id"]}),
    ]
    for number, attack in enumerate(attacks):
        backup = Backup(where.store, tmp_path / str(number))
        with bare(where.store) as connection:
            attack(connection)
        with where.serve() as vault, pytest.raises(DataError, match="has no receipts"):
            write_contributions(vault, tmp_path / "users.jsonl")
        assert not (tmp_path / "users.jsonl").exists()
        backup.restore()


def test_raw_reads_of_all_that_is_kept_give_no_text(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    with where.work() as vault:
        contribute(vault, steps(sample=0.5))
        found = everything(where.store, where.keys)  # the write-ahead log included
    for piece in ("Lovelace", "13812345678", "13912345678", "Never use this"):
        assert piece.encode() not in found


def test_a_consent_that_nobody_gave_before_the_message_came_contributes_nothing(where: Place) -> None:
    """Whoever writes to the store alone makes the server grant, and still the training path does not take it."""
    with where.serve() as vault:
        for number in range(3):
            account, conversation = talk(vault, f"user-{number}", consent=False)
            forged = {"id": f"{number}" * 32, "account": account, "at": where.clock(), "version": "1"}
            with bare(where.store) as connection:
                connection.execute(CONSENT.insert().values(forged))
            for role in ("user", "assistant"):
                Accounts(vault).add(account, conversation, role, "Hi")
        assert len(vault.keys.grants()) == 3
    assert run(where, steps(k=2, min_pairs=2)).read == 0


def test_nothing_enters_on_an_audit_that_was_tampered_with(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    with bare(where.store) as connection:
        connection.execute(text("UPDATE audit SET actor = 'x' WHERE sequence = 1"))
    with pytest.raises(DataError, match="was tampered with, so its consents prove nothing: entry 1 was changed"):
        run(where, steps())
    assert rows(where.store, "contribution") == rows(where.store, "receipt") == []


def test_a_damaged_message_keeps_no_other_from_entering(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    with bare(where.store) as connection:
        connection.execute(text("UPDATE message SET position = position + 50 WHERE conversation = :id"),
                           {"id": talks[USERS[0]][1]})  # fmt: skip
    done = run(where, steps())
    assert (done.read, done.unreadable, done.entered) == (6, 2, 6)


def test_consent_withdrawn_in_the_middle_counts(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    """The text is decrypted already when the user withdraws; it still does not enter."""
    done = []

    def withdraw_first(found: str) -> tuple[str, list[str]]:
        if not done:
            done.append(1)
            with where.serve() as vault:
                Rights(vault).withdraw(talks[USERS[0]][0])
        return mask(found)

    how = dataclasses.replace(steps(), anonymise=withdraw_first)
    for sample in (1.0, 0.0):
        done.clear()
        if sample == 0.0:
            with where.serve() as vault:
                Rights(vault).give(talks[USERS[0]][0], "2")
                for role in ("user", "assistant"):
                    Accounts(vault).add(*talks[USERS[0]], role, "Hi")
        found = run(where, dataclasses.replace(how, sample=sample))
        assert found.read == 6
    assert found.entered == 6
    receipts = [row["consent"] for row in rows(where.store, "receipt")]
    ended = {row["ends"] for row in rows(where.store, "consent")}
    assert len(receipts) == 3 and not ended & set(receipts)


def killed(where: Place, how: Steps, statement: int) -> bool:
    """Contribute in another process, which dies before its statement of this number; whether it did."""
    child = os.fork()
    if child == 0:
        left = statement

        def count(*_: object) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os._exit(9)

        with where.work() as vault:
            for engine in (vault.store.engine, vault.keys.database.engine):
                event.listen(engine, "before_cursor_execute", count)
            contribute(vault, how)
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("sample", [0.0, 1.0])
def test_a_kill_anywhere_leaves_nothing_twice_and_nothing_without_receipt(
    where: Place, talks: dict[str, tuple[str, str]], sample: float
) -> None:
    how = steps(sample=sample, k=2, min_pairs=4)
    for statement in range(0, 120, 3):
        if sample:
            with where.work() as vault:
                if Reviews(vault.store).counts()["waiting"] == 8:
                    decide(vault, 8, "accepted")
        went_on = killed(where, how, statement)
        kept, receipts = rows(where.store, "contribution"), rows(where.store, "receipt")
        marked = [row for row in rows(where.store, "message") if row["receipt"]]
        assert sum(row["pairs_out"] for row in receipts) == len(kept) == len(marked)
        assert len(kept) in (0, 8) and {row["receipt"] for row in marked} == {row["id"] for row in receipts}
        if kept and not went_on:
            break
    assert len(kept) == 8
    with where.serve() as vault:
        assert len(list(contributions(vault.store))) == 8
        assert verify_audit(vault.store, vault.keys).problems == ()


def test_workers_at_once_take_nothing_twice(where: Place, talks: dict[str, tuple[str, str]]) -> None:
    start, go = os.pipe()
    for _ in range(3):
        if os.fork() == 0:
            os.close(go)
            os.read(start, 1)
            try:
                run(where, steps())
                os._exit(0)
            except BaseException:
                os._exit(1)
    os.close(go)
    os.close(start)
    assert [os.wait()[1] for _ in range(3)] == [0, 0, 0]
    assert len(rows(where.store, "contribution")) == 8
    assert sum(row["pairs_out"] for row in rows(where.store, "receipt")) == 8


@pytest.mark.parametrize("wrong", [{"k": 1}, {"k": 9, "min_pairs": 5}, {"sample": 1.5}, {"sample": float("nan")}])
def test_steps_that_protect_nobody_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Steps(mask, {}, **wrong)  # type: ignore[arg-type]
