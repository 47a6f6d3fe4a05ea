"""The store and the keys together, as whoever serves users or prepares their texts has them open.

What a user asks to have deleted or withdrawn is done in this order, which a kill anywhere leaves to be gone on with:
the request is written down, the keys are destroyed and leave a tombstone, the rows go. Opening a vault does what is
left of it, on a store that was restored from a backup too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Column, Connection, Row, delete, insert, select, update

from candor.governance.audit import Action
from candor.governance.keys import KeyRing, new_id
from candor.store.audit import Audited, audited
from candor.store.database import Store, open_store, parts
from candor.store.keystore import Graves, KeyStore, Kind, open_keys
from candor.store.schema import utc_now
from candor.store.tables import HISTORY, REVIEW
from candor.store.user_tables import ACCOUNT, AUDIT, CONSENT, CONVERSATION, IN_FORCE, MESSAGE, REQUEST

_DOES: dict[str, tuple[Literal["account", "conversation", "consent"], Action]] = {
    "delete conversation": ("conversation", "conversation.delete"),
    "delete all": ("account", "account.delete"),
    "withdraw": ("consent", "consent.withdraw"),
}


class Vault:
    """An open store with its keys.

    A worker that prepares training data opens it with the ring of training alone.
    """

    def __init__(self, store: Store, keys: KeyStore, clock: Callable[[], datetime] = utc_now):
        self.store = store
        self.keys = keys
        self.clock = clock
        with store.read() as connection:
            left = _unwanted(connection, keys.tombstones())
            asked = connection.execute(select(REQUEST).where(REQUEST.c.done.is_(None), REQUEST.c.kind.in_(_DOES))).all()
        if left:
            with store.alone() as connection:
                _bury(connection, left)
            store.forget(ACCOUNT, CONVERSATION, MESSAGE)
        if asked:
            self.carry_out(asked)

    def change(self) -> AbstractContextManager[Audited]:
        """A transaction that is audited; see `audited`."""
        return audited(self.store, self.keys, self.clock())

    def carry_out(self, requests: Sequence[Row[Any]]) -> None:
        """Delete or withdraw what these rows of `REQUEST` ask for, so that nothing gives it back."""
        graves: dict[str, tuple[Kind, datetime]] = {}
        for row in requests:
            graves |= self.keys.destroy(_DOES[row.kind][0], row.object, row.at)
        self.keys.forget()
        with self.change() as change:
            _bury(change.connection, _unwanted(change.connection, graves))
            for row in requests:
                action = _DOES[row.kind][1]
                known = select(AUDIT.c.sequence).where(AUDIT.c.action == action, AUDIT.c.object == row.object)
                if change.connection.execute(known).first() is None:
                    change.note(row.account, action, row.object)
        self.store.forget(ACCOUNT, CONVERSATION, MESSAGE, REVIEW, HISTORY)
        with self.store.write() as connection:  # last: until then it is gone on with
            ids = [row.id for row in requests]
            connection.execute(update(REQUEST).where(REQUEST.c.id.in_(ids)).values(done=self.clock()))


@contextmanager
def open_vault(
    store: str | Path,
    keys: str | Path,
    *,
    service: KeyRing | None = None,
    training: KeyRing | None = None,
    create: bool = True,
    clock: Callable[[], datetime] = utc_now,
) -> Iterator[Vault]:
    """The vault of a store and of a database of keys, each at a path or URL, with the rings given. Databases that are
    not there are made unless `create` is false."""
    with (
        open_store(store, create=create) as opened,
        open_keys(keys, service=service, training=training, create=create) as keyed,
    ):
        yield Vault(opened, keyed, clock)


def _unwanted(connection: Connection, graves: Graves) -> Graves:
    """What of the deleted and the withdrawn is still in the store."""
    places: dict[Kind, Column[Any]] = {
        "account": ACCOUNT.c.id,
        "conversation": CONVERSATION.c.id,
        "consent": CONSENT.c.id,
        "review": REVIEW.c.problem,
    }
    found: set[str] = set()
    for kind, column in places.items():
        for some in parts([id for id, (what, _) in graves.items() if what == kind]):
            wanted = select(column).where(column.in_(some))
            if kind == "consent":
                wanted = wanted.where(IN_FORCE)
            elif kind == "review":
                wanted = wanted.where(REVIEW.c.method == "user")
            found.update(connection.execute(wanted).scalars())
    return {id: graves[id] for id in found}


def _bury(connection: Connection, graves: Graves) -> None:
    """Have the store be as if it had seen these tombstones."""
    for id, (kind, at) in sorted(graves.items()):
        if kind == "account":
            connection.execute(delete(ACCOUNT).where(ACCOUNT.c.id == id))
        elif kind == "conversation":
            connection.execute(delete(CONVERSATION).where(CONVERSATION.c.id == id))
        elif kind == "review":
            connection.execute(delete(REVIEW).where(REVIEW.c.method == "user", REVIEW.c.problem == id))
        else:
            given = connection.execute(select(CONSENT).where(CONSENT.c.id == id)).one()
            values = {"id": new_id(), "account": given.account, "at": at, "version": given.version, "ends": id}
            connection.execute(insert(CONSENT).values(values))
