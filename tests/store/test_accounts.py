"""What users write is theirs alone: nobody reads it out of the databases, and what they delete stays deleted."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from candor.errors import CandorError, ConfigError, DataError, KeysError, StorageError
from candor.governance.keys import LocalRing, new_key
from candor.store import Accounts, Rights, Vault, open_keys, open_store, open_vault
from candor.store.keystore import KeyStore
from tests.store.conftest import SECRET, Place, talk
from tests.store.raw import Backup, bare, everything, put, rows


def test_a_user_reads_what_was_said_and_nobody_else_does(vault: Vault) -> None:
    accounts = Accounts(vault)
    ada, hers = talk(vault, "ada", consent=True)
    bob, _ = talk(vault, "bob", consent=False)
    said = accounts.history(ada, hers)
    assert [(one.role, one.text) for one in said] == [
        ("user", f"{SECRET} Turn 0 of ada."),
        ("assistant", "Hello Ada Lovelace, this is turn 0."),
    ]
    assert [one.title for one in accounts.conversations(ada)] == [f"About {SECRET}"]
    for reach in (accounts.history, Rights(vault).delete_conversation):
        with pytest.raises(DataError, match="has no conversation"):
            reach(bob, hers)
    with pytest.raises(DataError, match="has no conversation"):
        accounts.add(bob, hers, "user", "Hi")


def test_the_databases_hold_no_text(where: Place) -> None:
    with where.serve() as vault:
        talk(vault, "ada", consent=True)
        talk(vault, "bob", consent=False)
        found = everything(where.store, where.keys)  # the log is still there
    found += everything(where.store, where.keys)
    for piece in ("Lovelace", "13812345678", "Hello", "About", "Turn"):
        for coding in ("utf-8", "utf-16-le"):
            assert piece.encode(coding) not in found, piece
    for kek in (*where.service.keks.values(), *where.training.keks.values()):
        assert kek not in found


def test_no_row_opens_in_the_place_of_another(where: Place, tmp_path: Path) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=False, turns=2)
        bob, his = talk(vault, "bob", consent=False, turns=2)
        first, second = [one.id for one in Accounts(vault).history(ada, hers)][::2]
        other = Accounts(vault).history(bob, his)[0].id
    key_of = {row["conversation"]: row["key"] for row in rows(where.keys, "wrapped_key")}
    it = f"WHERE id = '{first}'"
    attacks = [
        ("store", f"UPDATE message SET sealed = (SELECT sealed FROM message WHERE id = '{other}') {it}"),
        ("store", f"UPDATE message SET sealed = (SELECT sealed FROM message WHERE id = '{second}') {it}"),
        ("store", f"UPDATE message SET conversation = '{his}', position = 9 {it}"),
        ("store", f"UPDATE message SET conversation = '{his}', position = 9, key = '{key_of[his]}' {it}"),
        ("store", f"UPDATE message SET role = 'assistant' {it}"),
        ("store", f"UPDATE message SET position = 99 {it}"),
        ("store", f"UPDATE message SET key = '{key_of[his]}' {it}"),
        ("store", f"UPDATE conversation SET account = '{bob}' WHERE id = '{hers}'"),
        ("keys", f"UPDATE wrapped_key SET wrapped = (SELECT wrapped FROM wrapped_key WHERE conversation = '{hers}') "
                 f"WHERE conversation = '{his}'"),
        ("keys", f"UPDATE wrapped_key SET conversation = '{his}' WHERE conversation = '{hers}'"),
        ("keys", f"UPDATE wrapped_key SET account = '{bob}', conversation = '{his}' WHERE conversation = '{hers}'"),
    ]  # fmt: skip
    for number, (place, attack) in enumerate(attacks):
        url = where.store if place == "store" else where.keys
        kept = Backup(url, tmp_path / str(number))
        with bare(url) as connection:
            connection.execute(text(attack))
        stolen, refused = [], 0
        with where.serve() as vault:
            accounts = Accounts(vault)
            for account, conversation in ((bob, his), (bob, hers), (ada, hers)):
                try:
                    said = accounts.history(account, conversation)
                    accounts.conversations(account)
                except (KeysError, DataError):
                    refused += 1
                    continue
                stolen += [one.text for one in said if account == bob and "of ada" in one.text]
        assert stolen == [] and refused >= 2, attack
        kept.restore()


def test_messages_that_come_in_at_once_all_have_their_place(vault: Vault) -> None:
    accounts = Accounts(vault)
    ada, hers = talk(vault, "ada", consent=True, turns=0)

    def say(number: int) -> str:
        return accounts.add(ada, hers, "user", f"message {number}")

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(say, range(12)))
    said = accounts.history(ada, hers)
    assert {one.id for one in said} == set(ids) and {one.text for one in said} == {f"message {n}" for n in range(12)}
    assert len(vault.keys.grants()) == 1


# Deletion.


def test_after_delete_all_nothing_gives_the_text_back(where: Place, tmp_path: Path) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada-lovelace", consent=True)
        bob, his = talk(vault, "bob", consent=True)
        wrapped = [row["wrapped"] for row in rows(where.keys, "wrapped_key") if row["account"] == ada]
        sealed = [row["sealed"] for row in rows(where.store, "message") if row["conversation"] == hers]
        backup = Backup(where.store, tmp_path / "backup")
        Rights(vault).delete_all(ada)
        found = everything(where.store, where.keys)
        assert len(wrapped) == 3 and not any(one in found for one in (*wrapped, *sealed, b"ada-lovelace"))
        assert len(Accounts(vault).history(bob, his)) == 2
        assert [(one.kind, one.done is not None) for one in Rights(vault).requests(ada)] == [("delete all", True)]
    backup.restore()
    with open_keys(where.keys, service=where.service, training=where.training) as keys:
        assert keys.readable(ada, hers) == keys.readable(ada) == {}  # the text is there, and nothing opens it
        assert [grant for grant in keys.grants() if grant.account == ada] == []
    with where.serve() as vault:  # and once it is opened, it is gone
        assert Accounts(vault).find("ada-lovelace") is None
        assert not any(row["conversation"] == hers for row in rows(where.store, "message"))
        assert len(Accounts(vault).history(bob, his)) == 2
        with pytest.raises(StorageError, match=r"lacks entries of its audit up to .* candor audit resume"):
            Accounts(vault).create("eve")


def test_a_deleted_conversation_is_gone_and_the_others_are_not(where: Place, tmp_path: Path) -> None:
    with where.serve() as vault:
        ada, first = talk(vault, "ada", consent=True)
        second = Accounts(vault).begin(ada, "Another")
        Accounts(vault).add(ada, second, "user", "Hello")
        backup = Backup(where.store, tmp_path / "backup")
        Rights(vault).delete_conversation(ada, first)
        assert [one.id for one in Accounts(vault).conversations(ada)] == [second]
        with pytest.raises(DataError):
            Accounts(vault).add(ada, first, "user", "Hi")
        with pytest.raises(KeysError, match="was deleted"):
            vault.keys.for_writing(ada, first, None)
    backup.restore()
    with where.serve() as vault:
        assert [one.id for one in Accounts(vault).conversations(ada)] == [second]


@pytest.mark.parametrize("at", ["destroy", "forget", "change"])
def test_a_deletion_that_is_killed_is_carried_out_at_the_next_start(
    where: Place, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    with where.serve() as vault:
        ada, _ = talk(vault, "ada", consent=True)
        with monkeypatch.context() as patch:

            def die(*_: object) -> None:
                raise KeyboardInterrupt

            patch.setattr(Vault if at == "change" else KeyStore, at, die)
            with pytest.raises(KeyboardInterrupt):
                Rights(vault).delete_all(ada)
    with where.serve() as vault:
        assert rows(where.store, "account") == rows(where.store, "message") == rows(where.keys, "wrapped_key") == []
        assert [one.done is not None for one in Rights(vault).requests(ada)] == [True]
        actions = [row["action"] for row in rows(where.store, "audit")]
        assert actions == ["account.create", "consent.give", "account.delete"]


def test_a_user_takes_all_along(vault: Vault) -> None:
    ada, _ = talk(vault, "ada", consent=True)
    talk(vault, "bob", consent=True)
    taken = json.loads(json.dumps(Rights(vault).export(ada)))
    assert taken["account"]["login"] == "ada"
    assert [one["version"] for one in taken["consent"]] == ["1"]
    assert [one["kind"] for one in taken["requests"]] == ["export"]
    (conversation,) = taken["conversations"]
    assert conversation["title"] == f"About {SECRET}"
    assert [one["role"] for one in conversation["messages"]] == ["user", "assistant"]
    assert "bob" not in json.dumps(taken)


# What cannot work says so, and loses nothing.


def test_accounts_that_cannot_be(vault: Vault) -> None:
    accounts = Accounts(vault)
    ada = accounts.create("ada", password_hash="x", oidc_subject="s-1", quota=100)
    assert accounts.find("ada") == accounts.find_subject("s-1") == ada and accounts.find("x") is None
    assert accounts.find("s-1") is None and accounts.find_subject("ada") is None  # nobody logs in as another
    tries = [{"login": "ada"}, {"login": "eve", "oidc_subject": "s-1"}, {"login": " "}, {"login": "e\nve"},
             {"login": "eve", "quota": -1}, {"login": "eve", "role": "king"}]  # fmt: skip
    for values in tries:
        with pytest.raises(ConfigError):
            accounts.create(**values)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="there is no account 'nobody'"):
        accounts.begin("nobody", "Hi")
    talk_id = accounts.begin(ada.id, "Hi")
    for role, said in (("king", "Hi"), ("user", "a\0"), ("user", "\ud83d")):
        with pytest.raises(CandorError):
            accounts.add(ada.id, talk_id, role, said)


def test_a_wrong_or_missing_key_is_one_line_and_loses_nothing(where: Place) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=True)
    before = rows(where.keys, "wrapped_key")
    good, other = where.service, LocalRing("service", {1: new_key()})
    tries = [
        (other, "version 1 of ring service does not open a key that it should have wrapped"),
        (LocalRing("service", {2: new_key()}), None),  # known only once a key is needed
    ]
    for ring, says in tries:
        where.service = ring
        with pytest.raises(KeysError) as caught, where.serve() as vault:
            Accounts(vault).history(ada, hers)
        assert "\n" not in str(caught.value) and (says or "wrapped by version 1 of ring service") in str(caught.value)
    where.service = good
    with pytest.raises(KeysError, match="wrapped by version 2 of ring service"), where.serve():
        pass  # somebody rotates to a version that this process does not have
    where.service = LocalRing("service", {**good.keks, **tries[1][0].keks})
    with where.serve() as vault:
        assert len(Accounts(vault).history(ada, hers)) == 2
    assert rows(where.keys, "wrapped_key") == before
    with pytest.raises(ConfigError, match="ring training was given as ring service"):
        where.service = where.training
        where.serve().__enter__()


def test_keys_lost_with_an_older_backup_are_named(where: Place, tmp_path: Path) -> None:
    with where.serve() as vault:
        ada, _ = talk(vault, "ada", consent=False)
        backup = Backup(where.keys, tmp_path / "backup")
        later = Accounts(vault).begin(ada, "Later")
        Accounts(vault).add(ada, later, "user", "Hi")
    backup.restore()
    with where.serve() as vault, pytest.raises(KeysError, match="is not in the database of keys: it was destroyed"):
        Accounts(vault).history(ada, later)


def test_store_and_keys_are_never_in_one_database(url: str) -> None:
    open_store(url).close()
    with pytest.raises(StorageError, match="would hold the store and the keys"), open_keys(url):
        pass


def test_keys_where_the_store_should_be(keys_url: str, url: str) -> None:
    with open_keys(keys_url):
        pass
    with pytest.raises(StorageError, match="would hold the store and the keys"), open_vault(keys_url, url):
        pass


def test_rows_put_in_by_hand_do_not_open(where: Place) -> None:
    with where.serve() as vault:
        ada, hers = talk(vault, "ada", consent=False)
    row = rows(where.store, "message")[0] | {"id": "f" * 32, "position": 7}
    with bare(where.store) as connection:
        put(connection, "message", row)
    with where.serve() as vault, pytest.raises(KeysError, match="does not open"):
        Accounts(vault).history(ada, hers)
