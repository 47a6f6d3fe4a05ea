"""The wrapped data keys: given out, granted to training, withdrawn, rotated and destroyed.

They are in a database of their own, so that a backup of the store never holds what opens it. A backup of *this* one
opens whatever its keys opened when it was made: keep none longer than you promise that deletion takes. The same holds
for the archived log of PostgreSQL. What such copies hold is worth nothing once `candor keys rotate` has run and the old
version of the ring is destroyed.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from candor.errors import ConfigError, KeysError
from candor.governance.audit import Head
from candor.governance.keys import SERVICE, TRAINING, KeyRing, Wrapped, bind, missing_version, new_id, new_key
from candor.store.database import Store, open_store, parts
from candor.store.key_tables import HEADS, KEYS, RING, TOMBSTONE, WRAPPED

Kind = Literal["account", "conversation", "consent", "review"]
"""What a tombstone stands for."""
Graves: TypeAlias = Mapping[str, tuple[Kind, datetime]]
"""Tombstones by the id of what was deleted or withdrawn, with when that was."""

_PROOF = bytes(32)
"""What every version wraps once, to be recognised by."""
_ROTATED = 100
"""Keys that are wrapped anew in one transaction."""


@dataclass(frozen=True)
class Grant:
    """A data key that training may open, with what it belongs to.

    >>> Grant("5d...", account="07...", conversation="c1...", consent="9e...", review="42...", wrapped=Wrapped(1, b""))
    """

    key: str
    """Id of the data key."""
    account: str
    """Whose it is."""
    conversation: str
    """Whose messages it opens."""
    consent: str
    """The consent under which they were written."""
    review: str
    """Names the review records that come of them."""
    wrapped: Wrapped = field(repr=False)
    """The data key itself."""


class KeyStore:
    """The open database of wrapped keys, with the rings that this process has.

    A ring that is not given cannot be used: the training worker gives `training` alone, and then nothing that was
    written without consent can be opened, whatever the code asks for.
    """

    def __init__(self, database: Store, *, service: KeyRing | None = None, training: KeyRing | None = None):
        self.database = database
        self._rings = {ring.name: ring for ring in (service, training) if ring}
        for name, ring in ((SERVICE, service), (TRAINING, training)):
            if ring and ring.name != name:
                raise ConfigError(f"ring {ring.name} was given as ring {name}; give the other one")
        for ring in self._rings.values():
            self._admit(ring)

    # Data keys.

    def for_writing(self, account: str, conversation: str, consent: str | None) -> tuple[str, bytes]:
        """The data key, with its id, of a conversation's messages under this consent (None: without), made where there
        is none yet. KeysError where the conversation or the account was deleted."""
        mine = WRAPPED.c.consent == consent if consent else WRAPPED.c.consent.is_(None)
        wanted = select(WRAPPED).where(WRAPPED.c.ring == SERVICE, WRAPPED.c.conversation == conversation, mine)
        with self.database.read() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            with self.database.alone() as connection:
                row = connection.execute(wanted).first()
                if row is None:
                    return self._make(connection, account, conversation, consent)
        return row.key, self._open(row, account, conversation)

    def readable(self, account: str, conversation: str | None = None) -> dict[str, bytes]:
        """The data keys of an account, or of one conversation of it, by id."""
        wanted = select(WRAPPED).where(WRAPPED.c.ring == SERVICE, WRAPPED.c.account == account)
        if conversation:
            wanted = wanted.where(WRAPPED.c.conversation == conversation)
        with self.database.read() as connection:
            rows = connection.execute(wanted).all()
        return {row.key: self._open(row, account, row.conversation) for row in rows}

    def grants(self) -> list[Grant]:
        """What training may open now."""
        with self.database.read() as connection:
            rows = connection.execute(select(WRAPPED).where(WRAPPED.c.ring == TRAINING).order_by(WRAPPED.c.key)).all()
        return [
            Grant(row.key, row.account, row.conversation, row.consent, row.review, Wrapped(row.version, row.wrapped))
            for row in rows
        ]

    def open_grant(self, grant: Grant) -> bytes:
        """The data key of a grant, by the ring of training. Who uses what it opened asks again, in the transaction that
        does so, whether the grant still holds."""
        bound = _bound(grant.key, TRAINING, grant.account, grant.conversation, grant.consent)
        return self._ring(TRAINING).unwrap(grant.wrapped, bound)

    def under(self, consent: str) -> list[str]:
        """Ids of the data keys of a consent's period."""
        wanted = select(WRAPPED.c.key).where(WRAPPED.c.ring == SERVICE, WRAPPED.c.consent == consent)
        with self.database.read() as connection:
            return list(connection.execute(wanted).scalars())

    # Withdrawal and deletion.

    def destroy(self, kind: Literal["account", "conversation", "consent"], id: str, at: datetime) -> Graves:
        """Destroy all keys of a conversation or an account, so that no backup of the store gives its texts back; or the
        grants of a consent, so that only the user still reads what was written under it. Leaves tombstones, also of the
        review records that came of it, which are given back. Twice does no harm."""
        which = WRAPPED.c[kind] == id
        with self.database.alone() as connection:
            names = connection.execute(select(WRAPPED.c.review).where(which, WRAPPED.c.review.is_not(None)))
            gone: dict[str, Kind] = dict.fromkeys(names.scalars(), "review")
            gone[id] = kind
            there: set[str] = set()
            for some in parts(sorted(gone)):
                there.update(
                    connection.execute(select(TOMBSTONE.c.object).where(TOMBSTONE.c.object.in_(some))).scalars()
                )
            new = [{"object": one, "kind": gone[one], "at": at} for one in sorted(gone) if one not in there]
            if new:
                connection.execute(insert(TOMBSTONE), new)
            if kind == "consent":
                which = which & (WRAPPED.c.ring == TRAINING)
            connection.execute(delete(WRAPPED).where(which))
        return {one: (what, at) for one, what in gone.items()}

    def forget(self) -> None:
        """Have nothing of destroyed keys left in the files (see `Store.forget`)."""
        self.database.forget(WRAPPED)

    def tombstones(self) -> Graves:
        """What was deleted or withdrawn, by id."""
        with self.database.read() as connection:
            return {row.object: (row.kind, row.at) for row in connection.execute(select(TOMBSTONE))}

    # Rotation.

    def rotate(self, name: str) -> int:
        """Wrap all keys of a ring under its current version, in small transactions: the same call goes on after a kill,
        and several at once do no harm. How many this call wrapped."""
        ring, done = self._ring(name), 0
        while count := self._rotate_some(ring):
            done += count
        return done

    def status(self) -> dict[tuple[str, int], int]:
        """Number of keys by ring and version."""
        wanted = select(WRAPPED.c.ring, WRAPPED.c.version, func.count()).group_by(WRAPPED.c.ring, WRAPPED.c.version)
        with self.database.read() as connection:
            return {(ring, version): count for ring, version, count in sorted(map(tuple, connection.execute(wanted)))}

    # The anchor of the audit.

    def head(self) -> Head | None:
        """The last audit entry that was anchored."""
        with self.database.read() as connection:
            row = connection.execute(select(HEADS)).first()
        return None if row is None else Head(row.sequence, row.hash)

    def anchor(self, head: Head) -> None:
        """Remember the last audit entry, unless a later one is remembered."""
        with self.database.alone() as connection:
            latest = connection.execute(select(HEADS.c.sequence)).scalar()
            if latest is None or latest < head.sequence:
                connection.execute(delete(HEADS))
                connection.execute(insert(HEADS).values(sequence=head.sequence, hash=head.hash))

    # Inside.

    def _ring(self, name: str) -> KeyRing:
        if name not in self._rings:
            raise KeysError(f"ring {name} is needed here and was not given to this process; name it, or do without")
        return self._rings[name]

    def _admit(self, ring: KeyRing) -> None:
        """KeysError where a ring is older than the keys, or holds another KEK under a version that is known."""
        with self.database.alone() as connection:
            rows = connection.execute(select(RING).where(RING.c.ring == ring.name)).all()
            known = {row.version: row.proof for row in rows}
            current = ring.versions[-1]
            if known and current < max(known):
                raise missing_version(ring, max(known))
            for version in set(known) & set(ring.versions):
                ring.unwrap(Wrapped(version, known[version]), bind("proof"))
            if current not in known:
                proof = ring.wrap(_PROOF, bind("proof"))
                connection.execute(insert(RING).values(ring=ring.name, version=proof.version, proof=proof.blob))

    def _make(self, connection: Connection, account: str, conversation: str, consent: str | None) -> tuple[str, bytes]:
        """A new key for a conversation; granted to training where there is a consent that was not withdrawn since."""
        wanted = select(TOMBSTONE.c.object).where(TOMBSTONE.c.object.in_([account, conversation, consent or ""]))
        dead = set(connection.execute(wanted).scalars())
        if dead & {account, conversation}:
            raise KeysError(f"conversation {conversation} was deleted; begin another one")
        if consent in dead:  # withdrawn while the message came in
            consent = None
        for name in self._rings:
            newest = connection.execute(select(func.max(RING.c.version)).where(RING.c.ring == name)).scalar()
            if newest and newest > self._rings[name].versions[-1]:  # rotated since: the old version may go any day
                raise missing_version(self._rings[name], newest)
        id, key = new_id(), new_key()
        review = new_id() if consent else None
        for name in (SERVICE, TRAINING) if consent else (SERVICE,):
            wrapped = self._ring(name).wrap(key, _bound(id, name, account, conversation, consent))
            values = {"key": id, "ring": name, "version": wrapped.version, "wrapped": wrapped.blob, "account": account}
            values |= {"conversation": conversation, "consent": consent, "review": review}
            connection.execute(insert(WRAPPED).values(values))
        return id, key

    def _open(self, row: Row[Any], account: str, conversation: str) -> bytes:
        bound = _bound(row.key, row.ring, account, conversation, row.consent)
        return self._ring(row.ring).unwrap(Wrapped(row.version, row.wrapped), bound)

    def _rotate_some(self, ring: KeyRing) -> int:
        old = (WRAPPED.c.ring == ring.name, WRAPPED.c.version < ring.versions[-1])
        with self.database.alone() as connection:
            rows = connection.execute(select(WRAPPED).where(*old).limit(_ROTATED)).all()
            for row in rows:
                bound = _bound(row.key, row.ring, row.account, row.conversation, row.consent)
                new = ring.wrap(ring.unwrap(Wrapped(row.version, row.wrapped), bound), bound)
                which = (WRAPPED.c.key == row.key, WRAPPED.c.ring == ring.name)
                connection.execute(update(WRAPPED).where(*which).values(version=new.version, wrapped=new.blob))
        return len(rows)


@contextmanager
def open_keys(
    url: str | Path, *, service: KeyRing | None = None, training: KeyRing | None = None, create: bool = True
) -> Iterator[KeyStore]:
    """The database of wrapped keys at a path or URL as for `open_store`, with the rings given."""
    with open_store(url, create=create, schema=KEYS) as database:
        yield KeyStore(database, service=service, training=training)


def _bound(key: str, ring: str, account: str, conversation: str, consent: str | None) -> bytes:
    return bind("data key", key, ring, account, conversation, consent)
