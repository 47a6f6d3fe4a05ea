"""Consent is off by default; what was written without it cannot be opened for training, whatever is tried."""

from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from candor.errors import ConfigError, KeysError
from candor.governance.consent import Consent, Withdrawal
from candor.governance.keys import Wrapped
from candor.store import Accounts, Rights, Vault, contribute, open_vault
from candor.store.accounts import consents
from candor.store.key_tables import WRAPPED
from candor.store.keystore import Grant
from candor.store.user_tables import CONSENT, IN_FORCE
from tests.store.conftest import Clock, Place, steps, talk
from tests.store.raw import Backup, bare, put, rows

ANY = steps(k=2, min_pairs=2)


def taken(where: Place) -> int:
    """Pairs that training can read now."""
    with where.work() as vault:
        return contribute(vault, ANY).read


def test_consent_is_off_until_it_is_given_and_again_once_it_is_withdrawn(where: Place) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=False)
        rights = Rights(vault)
        assert rights.consent(ada) is None and taken(where) == 0
        given = rights.give(ada, "2026-03")
        assert rights.consent(ada) == given == rights.give(ada, "2026-03")  # twice is once
        assert taken(where) == 0  # not what was written before
        for role, said in (("user", "May you use this?"), ("assistant", "I may.")):
            Accounts(vault).add(ada, hers, role, said)
        assert taken(where) == 1
        assert rights.withdraw(ada).words.startswith("Your consent has ended. 1 of your messages can no longer be")
        assert rights.consent(ada) is None and taken(where) == 0
        for role in ("user", "assistant"):
            Accounts(vault).add(ada, hers, role, "And this?")
        assert taken(where) == 0
        assert len(Accounts(vault).history(ada, hers)) == 6  # the user still reads all of it
        with pytest.raises(ConfigError, match="nothing to withdraw"):
            rights.withdraw(ada)
        assert [one.kind for one in rights.requests(ada)] == ["withdraw"]


def test_a_pair_that_consent_covers_by_half_is_none(where: Place) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=False)
        accounts, rights = Accounts(vault), Rights(vault)
        accounts.add(ada, hers, "user", "Asked without")
        rights.give(ada, "1")
        accounts.add(ada, hers, "assistant", "answered with")
        accounts.add(ada, hers, "user", "Asked with")
        rights.withdraw(ada)
        accounts.add(ada, hers, "assistant", "answered without")
        rights.give(ada, "1")
    assert taken(where) == 0


def test_all_consents_in_force_end_with_a_withdrawal(where: Place, clock: Clock) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=True)
        clock.move(1)
        newer = Rights(vault).give(ada, "2")
        assert Rights(vault).consent(ada) == newer
        for role in ("user", "assistant"):
            Accounts(vault).add(ada, hers, role, "Hi")
        assert taken(where) == 2
        assert Rights(vault).withdraw(ada).removed == 2
        assert taken(where) == 0


def test_the_worker_cannot_open_what_has_no_consent(where: Place) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=False)
    with where.work() as vault:
        for reach in (Accounts(vault).history, lambda *ids: vault.keys.for_writing(*ids, None)):
            with pytest.raises(KeysError, match="ring service is needed here and was not given to this process"):
                reach(ada, hers)
        row = rows(where.keys, "wrapped_key")[0]
        forged = Grant(row["key"], ada, hers, None, "x", Wrapped(row["version"], row["wrapped"]))  # type: ignore[arg-type]
        with pytest.raises(KeysError, match="does not open a key"):
            vault.keys.open_grant(forged)


def test_whoever_writes_to_both_databases_still_does_not_open_it_for_training(where: Place, clock: Clock) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=False)
        _bob, his = talk(vault, "bob", consent=True)
    plain = next(row for row in rows(where.keys, "wrapped_key") if row["account"] == ada)
    grant = next(row for row in rows(where.keys, "wrapped_key") if row["ring"] == "training")
    consent = "c" * 32
    with bare(where.store) as connection:  # a consent that ada never gave
        connection.execute(CONSENT.insert().values(id=consent, account=ada, at=clock(), version="1"))
    assert taken(where) == 1  # bob's
    forged = plain | {"ring": "training", "consent": consent, "review": "e" * 32}
    forgeries = [
        forged,  # the service's wrap as a grant
        forged | {"wrapped": grant["wrapped"], "version": grant["version"]},  # bob's grant for ada's key
        grant | {"key": plain["key"], "account": ada, "conversation": hers, "consent": consent},
        grant | {"key": plain["key"], "conversation": hers},
    ]
    for row in forgeries:
        with bare(where.keys) as connection:
            connection.execute(WRAPPED.insert().values(row))
        assert taken(where) == 1, row
        with bare(where.keys) as connection:
            connection.execute(WRAPPED.delete().where(WRAPPED.c.key == row["key"], WRAPPED.c.ring == "training"))
    with bare(where.store) as connection:  # ada's messages as if under bob's key, and as if bob's
        connection.execute(text(f"UPDATE message SET key = '{grant['key']}' WHERE conversation = '{hers}'"))
    assert taken(where) == 1
    with bare(where.store) as connection:
        connection.execute(text(f"UPDATE message SET conversation = '{his}', position = position + 10"
                                f" WHERE conversation = '{hers}'"))  # fmt: skip
    with where.work() as vault:
        done = contribute(vault, ANY)
    assert (done.read, done.unreadable) == (1, 1)


def test_a_restored_backup_does_not_bring_withdrawn_consent_back(where: Place, tmp_path: Path) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=True)
        backup = Backup(where.store, tmp_path / "backup")
        Rights(vault).withdraw(ada)
    backup.restore()
    assert taken(where) == 0
    with where.serve() as vault:
        assert Rights(vault).consent(ada) is None
        for role in ("user", "assistant"):
            Accounts(vault).add(ada, hers, role, "After the backup")
    assert taken(where) == 0


def test_consent_withdrawn_while_a_message_comes_in_grants_nothing(vault: Vault, clock: Clock) -> None:
    ada, _hers = talk(vault, "ada", consent=True)
    given = Rights(vault).consent(ada)
    assert given
    other = Accounts(vault).begin(ada, "Another")
    Rights(vault).withdraw(ada)
    vault.keys.for_writing(ada, other, given.id)  # read before, used after
    assert vault.keys.grants() == []


@pytest.mark.parametrize("table", ["consent", "receipt", "audit"])
def test_the_database_itself_refuses_to_change_the_past(where: Place, table: str) -> None:
    with where.serve() as vault:
        talk(vault, "ada", consent=True)
        if table == "receipt":
            with bare(where.store) as connection:
                put(connection, "receipt", {"id": "a", "consent": "b", "at": "2026-03-01", "pairs_in": 1,
                                            "pairs_out": 1, "steps": {}, "k": 2, "digest": "x"})  # fmt: skip
        column = "actor" if table == "audit" else "id"
        for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(DBAPIError, match="only ever appended to"), vault.store.write() as connection:
                connection.execute(text(statement))


def test_a_store_without_its_keys_grants_nothing(where: Place, tmp_path: Path) -> None:
    with where.serve() as vault:
        talk(vault, "ada", consent=True)
    if "://" in where.keys:
        pytest.skip("a file is enough")
    with open_vault(where.store, tmp_path / "others.db", training=where.training) as vault:
        assert contribute(vault, ANY).read == 0


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=12))
def test_consent_is_in_force_where_no_record_ends_it(steps: list[tuple[bool, int]]) -> None:
    """By a model: a list of those given, each of which a withdrawal may take."""
    records: list[Consent] = []
    standing: list[str] = []
    for number, (give, which) in enumerate(steps):
        at = Clock().now.replace(minute=number)
        if give:
            records.append(Consent(str(number), "a", at, "1"))
            standing.append(str(number))
        elif standing:
            ended = standing.pop(which % len(standing))
            records.append(Consent(str(number), "a", at, "1", ended))
    with create_engine("sqlite://").begin() as connection:
        CONSENT.create(connection)
        if records:
            connection.execute(CONSENT.insert(), [asdict(one) for one in reversed(records)])
        assert [one.id for one in consents(connection, "a", IN_FORCE)] == standing


def test_a_withdrawal_says_in_words_what_it_cannot_undo() -> None:
    after = Withdrawal("c", removed=2, entered=3)
    assert "3 question-answer pairs had passed de-identification and entered the training data" in after.words
    assert "cannot be found again" in after.words and "3 组问答" in after.words_zh
    assert "None had entered" in Withdrawal("c", 2, 0).words
