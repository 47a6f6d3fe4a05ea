"""The audit in the store: appended by one writer at a time, in the transaction of what it tells of, and anchored."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from candor.errors import DataError, StorageError
from candor.governance.audit import Action, Entry, Head, Value, Verdict, next_entry, resumed, verify
from candor.store.database import BATCH, Store
from candor.store.keystore import KeyStore
from candor.store.user_tables import AUDIT


@dataclass
class Audited:
    """An open transaction that is audited: what is done on `connection` and what is noted come together or not.

    >>> with vault.change() as change:
    ...     change.note("07c1...", "consent.give", "9e22...", version="2026-03")
    """

    connection: Connection
    """The transaction."""
    now: datetime
    """When it began, UTC."""
    last: Head | None
    """The last audit entry, those of this transaction included."""

    def note(self, actor: str, action: Action, object: str, **detail: Value) -> None:
        """Append to the audit."""
        self.add(next_entry(self.last, self.now, actor, action, object, detail))

    def add(self, entry: Entry) -> None:
        """Append this entry, which follows the last one."""
        self.connection.execute(insert(AUDIT).values(vars(entry)))
        self.last = Head(entry.sequence, entry.hash)


@contextmanager
def audited(store: Store, keys: KeyStore, now: datetime) -> Iterator[Audited]:
    """A transaction whose entries are anchored with the keys once it is committed, and before this returns.

    StorageError, and nothing done, where the anchor knows entries that the store does not have.
    """
    with store.alone() as connection:
        change = Audited(connection, now, _last(connection))
        _must_hold(connection, change.last, keys.head(), store.name)
        begun = change.last
        yield change
    if change.last is not None and change.last != begun:
        keys.anchor(change.last)


def verify_audit(store: Store, keys: KeyStore, *heads: Head) -> Verdict:
    """Verify the whole chain against the anchor, and against heads that were noted elsewhere."""
    anchor = keys.head()  # before the entries, which may grow meanwhile
    try:
        with store.read() as connection:
            return verify(_entries(connection), anchor, *heads)
    except (ValueError, TypeError, AttributeError) as error:  # a time or a detail that is none
        return Verdict(0, None, (f"an entry cannot be read, so it was changed ({error})",), ())


def must_be_whole(store: Store, keys: KeyStore) -> None:
    """DataError where the audit was tampered with."""
    if problems := verify_audit(store, keys).problems:
        raise DataError(
            f"the audit of {store.name} was tampered with, so its consents prove nothing: {problems[0]}; see "
            "candor audit verify"
        )


def resume_audit(store: Store, keys: KeyStore, now: datetime) -> Head:
    """Go on after a restored backup of the store lost entries: an entry says how many, and stays in every verdict."""
    with store.alone() as connection:
        change = Audited(connection, now, _last(connection))
        anchor = keys.head()
        if anchor is None or (change.last and change.last.sequence >= anchor.sequence):
            head = anchor and _resumed(connection, anchor)  # by a call that was killed before it anchored
            if head is None:
                raise StorageError(f"{store.name} has all entries of its audit; there is nothing to resume")
        else:
            entry = resumed(change.last, anchor, now, "candor")
            change.add(entry)
            head = Head(entry.sequence, entry.hash)
    keys.anchor(head)
    return head


def _resumed(connection: Connection, anchor: Head) -> Head | None:
    """The entry that says that everything up to the anchor was lost."""
    row = connection.execute(select(AUDIT).where(AUDIT.c.sequence == anchor.sequence + 1)).first()
    gone = connection.execute(select(AUDIT.c.hash).where(AUDIT.c.sequence == anchor.sequence)).first() is None
    if row is None or not gone or row.action != "audit.resume" or row.detail.get("head") != anchor.hash:
        return None
    return Head(row.sequence, row.hash)


def _last(connection: Connection) -> Head | None:
    wanted = select(AUDIT.c.sequence, AUDIT.c.hash).order_by(AUDIT.c.sequence.desc()).limit(1)
    row = connection.execute(wanted).first()
    return None if row is None else Head(row.sequence, row.hash)


def _must_hold(connection: Connection, last: Head | None, anchor: Head | None, name: str) -> None:
    if anchor is None or last == anchor:
        return
    found = connection.execute(select(AUDIT.c.hash).where(AUDIT.c.sequence == anchor.sequence)).scalar()
    if found is None:
        raise StorageError(
            f"{name} lacks entries of its audit up to {anchor.sequence}: it was restored from a backup, or somebody "
            "removed them; run candor audit verify, then candor audit resume to go on"
        )
    if found != anchor.hash:
        raise StorageError(
            f"entry {anchor.sequence} of the audit of {name} is not the one that was anchored: somebody changed it, or "
            "the keys belong to another store; run candor audit verify"
        )


def _entries(connection: Connection) -> Iterator[Entry]:
    statement = select(AUDIT).order_by(AUDIT.c.sequence)
    for row in connection.execution_options(yield_per=BATCH).execute(statement):
        yield Entry(**row._mapping)
