"""Accounts, and the conversations that only their own account can read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select
from sqlalchemy.exc import IntegrityError

from candor.errors import ConfigError, DataError, KeysError
from candor.governance.consent import Consent
from candor.governance.keys import bind, new_id, open_sealed, seal
from candor.store.review import check_text
from candor.store.user_tables import ACCOUNT, CONSENT, CONVERSATION, IN_FORCE, MESSAGE
from candor.store.vault import Vault

Role = Literal["user", "annotator", "admin"]
_SCHEMA = 1
"""Goes up when what a sealed text is bound to changes."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Somebody who may log in.

    >>> Account(id="07c1...", login="li", role="user", quota=20_000, created=datetime.now(UTC))
    """

    id: str
    """Random."""
    login: str
    """Name to log in with."""
    role: Role
    """What it may do."""
    quota: int | None
    """Tokens a day; None where only the service's own limits hold."""
    created: datetime
    """When, UTC."""


@dataclass(frozen=True)
class Conversation:
    """A conversation in the list of its account.

    >>> Conversation("c155...", "Fractions", datetime.now(UTC))
    """

    id: str
    """Random."""
    title: str
    """As the user sees it."""
    created: datetime
    """When, UTC."""


@dataclass(frozen=True)
class Said:
    """A message, in the clear.

    >>> Said("3b9a...", "user", "What is 3/4 + 1/4?", datetime.now(UTC))
    """

    id: str
    """Random."""
    role: str
    """`user`, `assistant` or `system`."""
    text: str
    """What was said."""
    created: datetime
    """When, UTC."""


class Accounts:
    """The accounts of a vault that has the ring of the service.

    >>> accounts = Accounts(vault)
    >>> li = accounts.create("li", password_hash="...")
    >>> about = accounts.begin(li.id, "Fractions")
    >>> accounts.add(li.id, about, "user", "What is 3/4 + 1/4?")
    """

    def __init__(self, vault: Vault):
        self.vault = vault

    def create(
        self,
        login: str,
        *,
        password_hash: str | None = None,
        oidc_subject: str | None = None,
        role: Role = "user",
        quota: int | None = None,
    ) -> Account:
        """A new account; ConfigError where the login, or the subject at the identity provider, has one. The hash of the
        password is the caller's work."""
        if not login.strip() or len(login) > 200 or not login.isprintable():
            raise ConfigError(f"login {login!r} must be one line of at most 200 characters")
        if quota is not None and quota < 0:
            raise ConfigError(f"quota={quota} tokens a day must not be negative; leave it out for no limit")
        values: dict[str, Any] = {"id": new_id(), "login": login, "role": role, "quota": quota}
        try:
            with self.vault.change() as change:
                values["created"] = change.now
                secrets = {"password_hash": password_hash, "oidc_subject": oidc_subject}
                change.connection.execute(insert(ACCOUNT).values(values | secrets))
                change.note(values["id"], "account.create", values["id"])
        except IntegrityError:
            raise ConfigError(f"login {login!r}, its subject or its role cannot be taken; choose another") from None
        return Account(**values)

    def find(self, login: str) -> Account | None:
        """The account of a login."""
        return self._one(ACCOUNT.c.login == login)

    def find_subject(self, subject: str) -> Account | None:
        """The account of an OpenID subject; whoever takes logins from several issuers puts the issuer into it."""
        return self._one(ACCOUNT.c.oidc_subject == subject)

    def _one(self, which: ColumnElement[bool]) -> Account | None:
        wanted = select(ACCOUNT).where(which)
        with self.vault.store.read() as connection:
            row = connection.execute(wanted).first()
        return None if row is None else account_of(row)

    def begin(self, account: str, title: str) -> str:
        """A new conversation; its id. The title is encrypted as messages are."""
        check_text(title, "title", optional=False)
        with self.vault.store.read() as connection:
            the_account(connection, account)
        id = new_id()
        name, key = self.vault.keys.for_writing(account, id, None)
        values = {"id": id, "account": account, "created": self.vault.clock(), "key": name}
        with self.vault.store.write() as connection:
            the_account(connection, account, lock=True)
            connection.execute(insert(CONVERSATION).values(values | {"title": seal(key, title, _title(account, id))}))
        return id

    def add(self, account: str, conversation: str, role: str, text: str) -> str:
        """Append a message to a conversation of this account; its id. It is encrypted under the consent that is in
        force now, or where there is none under a key that training never gets."""
        if role not in ("user", "assistant", "system"):
            raise ConfigError(f"role={role!r} is none of user, assistant, system; choose one")
        check_text(text, "text", optional=False)
        with self.vault.store.read() as connection:
            the_conversation(connection, account, conversation)
            held = consents(connection, account, IN_FORCE)
        name, key = self.vault.keys.for_writing(account, conversation, held[-1].id if held else None)
        id = new_id()
        with self.vault.store.write() as connection:
            the_conversation(connection, account, conversation, lock=True)
            last = select(func.max(MESSAGE.c.position)).where(MESSAGE.c.conversation == conversation)
            position = (connection.execute(last).scalar() or 0) + 1
            values: dict[str, Any] = {"id": id, "conversation": conversation, "position": position, "role": role}
            sealed = seal(key, text, message_bound(account, conversation, id, position, role))
            values |= {"created": self.vault.clock(), "key": name, "sealed": sealed}
            connection.execute(insert(MESSAGE).values(values))
        return id

    def conversations(self, account: str) -> list[Conversation]:
        """The conversations of an account, oldest first."""
        wanted = select(CONVERSATION).where(CONVERSATION.c.account == account)
        with self.vault.store.read() as connection:
            the_account(connection, account)
            rows = connection.execute(wanted.order_by(CONVERSATION.c.created, CONVERSATION.c.id)).all()
        keys = self.vault.keys.readable(account) if rows else {}
        return [
            Conversation(row.id, open_sealed(_key(keys, row), row.title, _title(account, row.id)), row.created)
            for row in rows
        ]

    def history(self, account: str, conversation: str) -> list[Said]:
        """The messages of a conversation of this account, oldest first. DataError where the account has no such
        conversation, KeysError where a row is not what was written there, or a key is missing."""
        wanted = select(MESSAGE).where(MESSAGE.c.conversation == conversation).order_by(MESSAGE.c.position)
        with self.vault.store.read() as connection:
            the_conversation(connection, account, conversation)
            rows = connection.execute(wanted).all()
        keys = self.vault.keys.readable(account, conversation)
        said = []
        for row in rows:
            bound = message_bound(account, conversation, row.id, row.position, row.role)
            said.append(Said(row.id, row.role, open_sealed(_key(keys, row), row.sealed, bound), row.created))
        return said


def account_of(row: Row[Any]) -> Account:
    """The record in a row."""
    return Account(id=row.id, login=row.login, role=row.role, quota=row.quota, created=row.created)


def the_account(connection: Connection, account: str, *, lock: bool = False) -> Account:
    """The account of an id, held for this transaction where `lock`; DataError where there is none."""
    wanted = select(ACCOUNT).where(ACCOUNT.c.id == account)
    row = connection.execute(wanted.with_for_update() if lock else wanted).first()
    if row is None:
        raise DataError(f"there is no account {account!r}; it may have been deleted")
    return account_of(row)


def the_conversation(connection: Connection, account: str, conversation: str, *, lock: bool = False) -> None:
    """DataError unless the conversation is one of this account; holds it for this transaction where `lock`."""
    wanted = select(CONVERSATION.c.id).where(CONVERSATION.c.id == conversation, CONVERSATION.c.account == account)
    if connection.execute(wanted.with_for_update() if lock else wanted).first() is None:
        raise DataError(f"account {account!r} has no conversation {conversation!r}; it may have been deleted")


def consents(connection: Connection, account: str, *which: ColumnElement[bool]) -> list[Consent]:
    """All records of consent of an account, or those of which this holds, oldest first."""
    wanted = select(CONSENT).where(CONSENT.c.account == account, *which).order_by(CONSENT.c.at, CONSENT.c.id)
    return [Consent(**row._mapping) for row in connection.execute(wanted)]


def message_bound(account: str, conversation: str, id: str, position: int, role: str) -> bytes:
    """What an encrypted message is bound to."""
    return bind("message", _SCHEMA, account, conversation, id, position, role)


def _title(account: str, conversation: str) -> bytes:
    return bind("title", _SCHEMA, account, conversation)


def _key(keys: dict[str, bytes], row: Row[Any]) -> bytes:
    if row.key not in keys:
        raise KeysError(
            f"the key {row.key} of a text is not in the database of keys: it was destroyed, the row was moved, or that "
            "database is older than the store; restore the newer one"
        )
    return keys[row.key]
