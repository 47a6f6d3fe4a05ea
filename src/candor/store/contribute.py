"""From consented conversations to training pairs that belong to nobody, with a receipt for each consent used.

    grant -> decrypt -> de-identify -> k-check -> a share to people -> a batch of many pairs of many users

Nothing that is stored on the way links a pair to its user but the name of a review record, which the database of keys
holds and which ends with the batch: the way is walked anew each time, from the texts that may be read then. A batch,
its receipts and the marks on what was used are one transaction, so whoever is killed leaves all of it or nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update

from candor.errors import ConfigError, KeysError, StorageError
from candor.governance.keys import new_id, open_sealed
from candor.governance.pii.anonymity import alike
from candor.store.accounts import message_bound
from candor.store.audit import Audited, must_be_whole
from candor.store.contribution import Contribution, batch_digest
from candor.store.database import parts
from candor.store.keystore import Grant
from candor.store.review import ITSELF, Draft, Lang, Review
from candor.store.tables import HISTORY, REVIEW, insert_new, review_of
from candor.store.user_tables import AUDIT, CONSENT, CONTRIBUTION, GIVEN, IN_FORCE, MESSAGE, RECEIPT
from candor.store.vault import Vault

Quasi: TypeAlias = tuple[str, ...]
"""What in a masked text still narrows down who wrote it: age band, region, employer class, ..."""
_TRIES = 5


@dataclass(frozen=True)
class Steps:
    """How pairs are made safe; callables of `governance`, or of whoever runs this.

    >>> Steps(anonymise, versions={"pii": "2"}, k=20)
    """

    anonymise: Callable[[str], tuple[str, Sequence[str]]]
    """A text -> the masked text, and the quasi-identifiers left in it. The same text always gives the same."""
    versions: Mapping[str, str]
    """Versions of what it does, for the receipt."""
    k: int = 20
    """Fewest users of a batch, and that a pair cannot be told apart from (GB/T 42460-2023, annex D)."""
    min_pairs: int = 100
    """Fewest pairs of a batch; no user has more than `min_pairs // k` of them."""
    sample: float = 0.1
    """Share of the pairs that people look at first."""

    def __post_init__(self) -> None:
        if not (self.k >= 2 and self.min_pairs >= self.k):
            raise ConfigError(f"k={self.k}, min_pairs={self.min_pairs}: k must be at least 2, and min_pairs at least k")
        if not 0 <= self.sample <= 1:
            raise ConfigError(f"sample={self.sample} is a share; give one from 0 to 1")


@dataclass(frozen=True)
class Contributed:
    """What one call did.

    >>> Contributed(read=140, unreadable=0, alike=131, waiting=9, entered=112, batch="4f...")
    """

    read: int
    """Consented pairs that were decrypted and de-identified."""
    unreadable: int
    """Messages whose row or key was changed, left out."""
    alike: int
    """Pairs that passed the k-check."""
    waiting: int
    """Pairs of them that people have yet to decide on."""
    entered: int = 0
    """Pairs that entered the training data."""
    batch: str | None = None
    """Their batch; None where there were too few pairs or users, and nothing entered."""


@dataclass(frozen=True)
class _Pair:
    """A pair on its way: the masked draft, and what it came from."""

    grant: Grant
    message: str
    draft: Draft
    asked: Quasi
    """What is left of the question."""
    quasi: Quasi
    """What is left of both."""
    text: str
    """The answer that is to enter: as masked, or as somebody edited it."""

    @property
    def review(self) -> str:
        """Id of its review record, where people look at it."""
        return self.draft.digest


class _Moved(Exception):
    """Consent or messages changed since they were read."""


def contribute(vault: Vault, steps: Steps) -> Contributed:
    """Take what is consented to as far as it goes: to people, or into the training data. Needs the ring of training
    only. Called again, also after a kill, it goes on; it takes no message twice. DataError where the audit that consent
    stands in was tampered with."""
    for _ in range(_TRIES):
        try:
            return _contribute(vault, steps)
        except _Moved:
            continue
    raise StorageError("others changed what was to be contributed, again and again; run it once they are done")


def _contribute(vault: Vault, steps: Steps) -> Contributed:
    pairs, unreadable = _read(vault, steps)
    passed = _alike(pairs, steps)
    decided = _ask_people(vault, [pair for pair in passed if _sampled(pair, steps)], pairs)
    ready, refused, waiting = [], [], 0
    for pair in passed:
        review = decided.get(pair.review)
        if not _sampled(pair, steps):
            ready.append(pair)
        elif review is None or review.annotator is None or review.state == "leased":
            waiting += 1  # a rule is no human
        elif review.state == "rejected":
            refused.append(pair)
        else:
            text, own = steps.anonymise(review.text)  # people write names too
            ready.append(replace(pair, text=text, quasi=tuple(sorted({*pair.asked, *own}))))
    batch = _alike(_few_of_each(ready, steps), steps)
    done = Contributed(len(pairs), unreadable, len(passed), waiting)
    if len(batch) < steps.min_pairs or len({pair.grant.account for pair in batch}) < steps.k:
        return done
    must_be_whole(vault.store, vault.keys)
    with vault.change() as change:
        name = _enter(vault, change, batch, refused, steps)
    if decided:  # nor in the files does anything lead from a review record to who wrote it
        vault.store.forget(REVIEW, HISTORY)
    return replace(done, entered=len(batch), batch=name)


# Reading.


def _read(vault: Vault, steps: Steps) -> tuple[list[_Pair], int]:
    pairs, unreadable = [], 0
    for grant, asked, answered in _rows(vault):
        try:
            key = vault.keys.open_grant(grant)
            texts = [_open(key, grant, row) for row in (asked, answered)]
        except KeysError:
            unreadable += 1
            continue
        (prompt, left), (answer, right) = map(steps.anonymise, texts)
        question = {"role": "user", "content": prompt}
        lang = _language(prompt + answer)
        draft = Draft(messages=(question,), original=answer, method="user", lang=lang, problem=grant.review)
        pairs.append(_Pair(grant, asked.id, draft, tuple(left), tuple(sorted({*left, *right})), answer))
    return pairs, unreadable


def _rows(vault: Vault) -> Iterator[tuple[Grant, Row[Any], Row[Any]]]:
    """Question and answer, as stored, of each pair that a grant opens and that was not used yet."""
    with vault.store.read() as connection:
        grants = _in_force(vault, connection)
    for grant in grants:
        wanted = select(MESSAGE).where(MESSAGE.c.key == grant.key, MESSAGE.c.conversation == grant.conversation)
        with vault.store.read() as connection:
            rows = connection.execute(wanted.order_by(MESSAGE.c.position)).all()
        for asked, answered in pairwise(rows):
            follows = answered.position == asked.position + 1
            if (asked.role, answered.role) == ("user", "assistant") and follows and asked.receipt is None:
                yield grant, asked, answered


def _in_force(vault: Vault, connection: Connection) -> list[Grant]:
    """The grants whose consent the store knows, of the same account, as audited and as not withdrawn."""
    rows = connection.execute(select(CONSENT.c.account, CONSENT.c.id).join(AUDIT, GIVEN).where(IN_FORCE))
    given = {(row.account, row.id) for row in rows}
    return [grant for grant in vault.keys.grants() if (grant.account, grant.consent) in given]


def _open(key: bytes, grant: Grant, row: Row[Any]) -> str:
    bound = message_bound(grant.account, grant.conversation, row.id, row.position, row.role)
    return open_sealed(key, row.sealed, bound)


def _language(text: str) -> Lang:
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"


# Choosing.


def _alike(pairs: Sequence[_Pair], steps: Steps) -> list[_Pair]:
    """The pairs that cannot be told apart, among themselves: what is left out makes others stand out in turn."""
    left = list(pairs)
    while left:
        users = {account: number for number, account in enumerate(sorted({pair.grant.account for pair in left}))}
        passed = alike([pair.quasi for pair in left], [users[pair.grant.account] for pair in left], steps.k)
        kept = [pair for pair, passes in zip(left, passed, strict=True) if passes]
        if len(kept) == len(left):
            break
        left = kept
    return left


def _few_of_each(pairs: Iterable[_Pair], steps: Steps) -> list[_Pair]:
    """At most `min_pairs // k` pairs of each user, so that no batch is mostly one's."""
    counts: Counter[str] = Counter()
    kept = []
    for pair in sorted(pairs, key=lambda pair: pair.message):
        counts[pair.grant.account] += 1
        if counts[pair.grant.account] <= steps.min_pairs // steps.k:
            kept.append(pair)
    return kept


def _sampled(pair: _Pair, steps: Steps) -> bool:
    """Whether people look at it: a choice that the random id of the message makes, the same each time."""
    return int(pair.message[:8], 16) < steps.sample * 2**32


# People.


def _ask_people(vault: Vault, pairs: Sequence[_Pair], known: Sequence[_Pair]) -> dict[str, Review]:
    """What people decided, by digest of the draft; new drafts are put in line, those of no known pair are removed."""
    digests = {pair.review for pair in known}
    theirs = select(REVIEW).where(REVIEW.c.method == "user")
    with vault.store.read() as connection:
        found = {row.id: review_of(row) for row in connection.execute(theirs)}
    new = sorted((pair for pair in pairs if pair.review not in found), key=lambda pair: pair.review)
    stale = found.keys() - digests
    if new or stale:
        with vault.change() as change:
            _must_stand(vault, change, new)
            for some in parts(sorted(stale)):
                change.connection.execute(delete(REVIEW).where(REVIEW.c.id.in_(some)))
            if new:
                insert_new(change.connection, [pair.draft for pair in new], change.now)
            change.note(ITSELF, "contribution.review", "review", pairs=len(new))
    return found


# Entering.


def _enter(vault: Vault, change: Audited, batch: Sequence[_Pair], refused: Sequence[_Pair], steps: Steps) -> str:
    """Write a batch, its receipts and the marks on what was used."""
    used = [*batch, *refused]
    _must_stand(vault, change, used)
    name, month = new_id(), f"{change.now:%Y-%m}"
    rows = [Contribution(new_id(), pair.draft.prompt, pair.text, pair.draft.lang, month, name) for pair in batch]
    rows.sort(key=lambda row: row.id)  # random, so that their order says nothing
    digest = batch_digest(rows)
    change.connection.execute(insert(CONTRIBUTION), [asdict(row) for row in rows])
    receipts = {consent: new_id() for consent in sorted({pair.grant.consent for pair in used})}
    came = Counter(pair.grant.consent for pair in used)
    went = Counter(pair.grant.consent for pair in batch)
    same = {"at": change.now, "steps": dict(steps.versions), "k": steps.k, "digest": digest}
    values = [
        {"id": id, "consent": consent, "pairs_in": came[consent], "pairs_out": went[consent]} | same
        for consent, id in receipts.items()
    ]
    change.connection.execute(insert(RECEIPT), values)
    marks = [{"one": pair.message, "by": receipts[pair.grant.consent]} for pair in used]
    mark = update(MESSAGE).where(MESSAGE.c.id == bindparam("one")).values(receipt=bindparam("by"))
    change.connection.execute(mark, marks)
    for some in parts([pair.review for pair in used]):
        change.connection.execute(delete(REVIEW).where(REVIEW.c.id.in_(some)))
    users = len({pair.grant.account for pair in batch})
    change.note(ITSELF, "contribution.batch", name, pairs=len(batch), users=users, digest=digest)
    return name


def _must_stand(vault: Vault, change: Audited, pairs: Sequence[_Pair]) -> None:
    """_Moved unless all consent still holds and no message was used or deleted; whoever changes that waits for this
    transaction, or has destroyed the grant already."""
    held = {grant.key for grant in _in_force(vault, change.connection)}
    free = 0
    for some in parts([pair.message for pair in pairs]):
        wanted = select(func.count()).where(MESSAGE.c.id.in_(some), MESSAGE.c.receipt.is_(None))
        free += change.connection.execute(wanted).scalar_one()
    if free != len(pairs) or any(pair.grant.key not in held for pair in pairs):
        raise _Moved
