"""What users may do about their data: consent and withdraw, see, take along, delete."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select

from candor.errors import ConfigError
from candor.governance.consent import Consent, Withdrawal
from candor.governance.keys import new_id
from candor.store.accounts import Accounts, consents, the_account, the_conversation
from candor.store.database import parts
from candor.store.user_tables import ACCOUNT, CONSENT, IN_FORCE, MESSAGE, RECEIPT, REQUEST
from candor.store.vault import Vault

Wish = Literal["export", "delete conversation", "delete all", "withdraw"]


@dataclass(frozen=True)
class Request:
    """What a user asked for.

    >>> Request("export", "07c1...", datetime.now(UTC), done=datetime.now(UTC))
    """

    kind: Wish
    """What it is."""
    object: str
    """Id of the account, conversation or consent."""
    at: datetime
    """When it was asked for, UTC."""
    done: datetime | None
    """When it was done, UTC; None while it is not."""


@dataclass(frozen=True)
class Receipt:
    """What one batch took from one consent.

    >>> Receipt("e0...", "9e22...", datetime.now(UTC), pairs_in=5, pairs_out=3, steps={"pii": "2"}, k=20, digest="ab..")
    """

    id: str
    """Random."""
    consent: str
    """The consent it rests on."""
    at: datetime
    """When, UTC."""
    pairs_in: int
    """Pairs that went through the steps to their end."""
    pairs_out: int
    """Pairs of them that entered the training data."""
    steps: dict[str, str]
    """Versions of the steps."""
    k: int
    """Fewest users that an entered pair cannot be told apart from, and in the batch."""
    digest: str
    """SHA-256 of the whole batch."""


class Rights:
    """The rights of the accounts of a vault that has both rings.

    >>> rights = Rights(vault)
    >>> rights.give(li.id, "2026-03")
    >>> rights.withdraw(li.id).words
    'Your consent has ended. 2 of your messages can no longer be read for training. ...'
    """

    def __init__(self, vault: Vault):
        self.vault = vault

    def consent(self, account: str) -> Consent | None:
        """The consent that is in force; None by default."""
        with self.vault.store.read() as connection:
            held = consents(connection, account, IN_FORCE)
        return held[-1] if held else None

    def give(self, account: str, version: str) -> Consent:
        """Consent to training, by the text of this version that was shown. What was written before stays unreadable to
        training for ever."""
        with self.vault.change() as change:
            the_account(change.connection, account, lock=True)
            held = consents(change.connection, account, IN_FORCE)
            if held and held[-1].version == version:
                return held[-1]
            given = Consent(new_id(), account, change.now, version)
            change.note(account, "consent.give", given.id, version=version)
            change.connection.execute(insert(CONSENT).values(asdict(given)))
        return given

    def withdraw(self, account: str) -> Withdrawal:
        """End all consent. Nothing written under it can be read for training from here on; what entered the training
        data before stays there, which `words` explains. ConfigError where there is none."""
        with self.vault.store.read() as connection:
            given = [record.id for record in consents(connection, account, IN_FORCE)]
        if not given:
            raise ConfigError(f"account {account!r} has no consent in force; there is nothing to withdraw")
        keys = [key for consent in given for key in self.vault.keys.under(consent)]
        self._ask(account, "withdraw", given)
        with self.vault.store.read() as connection:
            entered = select(func.sum(RECEIPT.c.pairs_out)).where(RECEIPT.c.consent.in_(given))
            theirs = select(func.count()).where(MESSAGE.c.role == "user", MESSAGE.c.receipt.is_(None))
            counts = [theirs.where(MESSAGE.c.key.in_(some)) for some in parts(keys)]
            removed = sum(connection.execute(one).scalar_one() for one in counts)
            return Withdrawal(given[-1], removed, connection.execute(entered).scalar() or 0)

    def delete_conversation(self, account: str, conversation: str) -> None:
        """Destroy the keys of a conversation, and its rows: no backup of the store gives it back."""
        with self.vault.store.read() as connection:
            the_conversation(connection, account, conversation)
        self._ask(account, "delete conversation", [conversation])

    def delete_all(self, account: str) -> None:
        """Destroy all keys of an account, the account and what it wrote. Consent, requests and receipts stay, under
        random ids that lead to nobody."""
        with self.vault.store.read() as connection:
            the_account(connection, account)
        self._ask(account, "delete all", [account])

    def requests(self, account: str) -> list[Request]:
        """What the account asked for, oldest first."""
        wanted = select(REQUEST).where(REQUEST.c.account == account).order_by(REQUEST.c.at, REQUEST.c.id)
        with self.vault.store.read() as connection:
            return [Request(row.kind, row.object, row.at, row.done) for row in connection.execute(wanted)]

    def receipts(self, account: str) -> list[Receipt]:
        """What was taken from the account, oldest first."""
        with self.vault.store.read() as connection:
            return _receipts(connection, account)

    def export(self, account: str) -> dict[str, Any]:
        """All that is kept of an account, as JSON values, times in ISO 8601; the hash of the password is left out."""
        with self.vault.change() as change:
            who = the_account(change.connection, account)
            wanted = select(ACCOUNT.c.oidc_subject).where(ACCOUNT.c.id == account)
            subject = change.connection.execute(wanted).scalar()
            given = consents(change.connection, account)
            taken = _receipts(change.connection, account)
            values = {"id": new_id(), "account": account, "kind": "export", "object": account}
            change.connection.execute(insert(REQUEST).values(values | {"at": change.now, "done": change.now}))
            change.note(account, "data.export", account)
        accounts = Accounts(self.vault)
        talks = [
            _plain(one) | {"messages": [_plain(said) for said in accounts.history(account, one.id)]}
            for one in accounts.conversations(account)
        ]
        return {
            "account": _plain(who) | {"oidc_subject": subject},
            "consent": [_plain(one) for one in given],
            "receipts": [_plain(one) for one in taken],
            "requests": [_plain(one) for one in self.requests(account)],
            "conversations": talks,
        }

    def _ask(self, account: str, kind: Wish, objects: Sequence[str]) -> None:
        ids = [new_id() for _ in objects]
        values = [
            {"id": id, "account": account, "kind": kind, "object": one, "at": self.vault.clock()}
            for id, one in zip(ids, objects, strict=True)
        ]
        with self.vault.store.write() as connection:
            connection.execute(insert(REQUEST), values)
            rows = connection.execute(select(REQUEST).where(REQUEST.c.id.in_(ids))).all()
        self.vault.carry_out(rows)


def _receipts(connection: Connection, account: str) -> list[Receipt]:
    mine = select(CONSENT.c.id).where(CONSENT.c.account == account)
    wanted = select(RECEIPT).where(RECEIPT.c.consent.in_(mine)).order_by(RECEIPT.c.at, RECEIPT.c.id)
    return [Receipt(**row._mapping) for row in connection.execute(wanted)]


def _plain(record: Any) -> dict[str, Any]:
    return {
        name: value.isoformat(timespec="microseconds") if isinstance(value, datetime) else value
        for name, value in asdict(record).items()
    }
