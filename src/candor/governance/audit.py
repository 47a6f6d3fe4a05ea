"""The audit as a chain of hashes: what an entry may say, and how a change to the past is found. No I/O.

Each entry's SHA-256 covers its fields and the hash of the entry before, so nothing in the past can be changed, removed,
inserted or moved without every later hash changing. The chain needs no key: what makes it hold is that its head is also
kept elsewhere (the anchor), where whoever rewrites the whole chain, or cuts off its tail, does not reach.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias, get_args

from candor.errors import ConfigError
from candor.governance.keys import bind

Action = Literal[
    "account.create",
    "account.delete",
    "conversation.delete",
    "consent.give",
    "consent.withdraw",
    "data.export",
    "contribution.review",
    "contribution.batch",
    "audit.resume",
]
"""All that is audited."""
Value: TypeAlias = int | str
DETAILS = ("version", "pairs", "users", "digest", "lost", "head")
"""All names that the detail of an entry may have; values are whole numbers, or codes too short for a message."""

START = "0" * 64
"""What stands before the first entry."""
_CODE = re.compile(r"[\w.:@+-]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Head:
    """The last entry of a chain.

    >>> Head(sequence=41, hash="9f...")
    """

    sequence: int
    """Its number."""
    hash: str
    """Its hash."""


@dataclass(frozen=True)
class Entry:
    """Who did what to what, and when.

    >>> Entry(1, datetime.now(UTC), "07c1...", "consent.give", "9e22...", {"version": "2026-03"}, START, "5b...")
    """

    sequence: int
    """From 1, without gaps."""
    at: datetime
    """When, UTC."""
    actor: str
    """Id of the account, or `candor`."""
    action: str
    """One of `Action`."""
    object: str
    """Id of what it was done to."""
    detail: Mapping[str, Value]
    """Names out of `DETAILS`."""
    previous: str
    """Hash of the entry before."""
    hash: str
    """Hash of this one."""


@dataclass(frozen=True)
class Verdict:
    """What verification found.

    >>> Verdict(entries=41, head=Head(41, "9f..."), problems=(), gaps=())
    """

    entries: int
    """Entries seen."""
    head: Head | None
    """The last of them; None where there is none."""
    problems: tuple[str, ...]
    """What was changed, removed, inserted or moved, in words; empty where the chain is whole."""
    gaps: tuple[str, ...]
    """Entries that a restored backup lost, as `candor audit resume` recorded it."""


def next_entry(
    last: Head | None, at: datetime, actor: str, action: Action, object: str, detail: Mapping[str, Value]
) -> Entry:
    """The entry that follows; ConfigError where a field could hold what users wrote."""
    if action not in get_args(Action):
        raise ConfigError(f"action {action!r} is not audited; add it to Action")
    for name in detail:
        if name not in DETAILS:
            raise ConfigError(f"detail {name!r} of {action} is not in DETAILS; leave it out")
    for value in (actor, object, *detail.values()):
        if type(value) is not int and not (isinstance(value, str) and _CODE.fullmatch(value)):
            raise ConfigError(f"{action}: a field of an audit entry is no number and no code of 1 to 64 characters")
    sequence, previous = (last.sequence + 1, last.hash) if last else (1, START)
    digest = _hash(sequence, at, actor, action, object, detail, previous)
    return Entry(sequence, at, actor, action, object, detail, previous, digest)


def resumed(last: Head | None, anchor: Head, at: datetime, actor: str) -> Entry:
    """The entry that follows where everything behind `last` up to the anchor was lost with a restored backup."""
    gap = Head(anchor.sequence, last.hash if last else START)
    lost = anchor.sequence - (last.sequence if last else 0)
    return next_entry(gap, at, actor, "audit.resume", "audit", {"lost": lost, "head": anchor.hash})


def verify(entries: Iterable[Entry], anchor: Head | None = None, *heads: Head) -> Verdict:
    """Walk a chain from its beginning. The anchor must be in it: who resumes after a loss anchors the entry that says
    so. Heads that were noted elsewhere may also lie in a gap that is recorded."""
    anchors = [*([anchor] if anchor else []), *heads]
    problems: list[str] = []
    gaps: list[str] = []
    covered: set[Head] = set()
    last, count = Head(0, START), 0
    for entry in entries:
        count += 1
        if entry.action == "audit.resume" and entry.sequence > last.sequence + 1 and entry.previous == last.hash:
            lost = Head(entry.sequence - 1, str(entry.detail.get("head")))
            gaps.append(f"entries {last.sequence + 1} to {lost.sequence} were lost with a restored backup")
            covered.update(one for one in heads if last.sequence < one.sequence < lost.sequence or one == lost)
        elif entry.sequence != last.sequence + 1:
            problems.append(f"entry {entry.sequence} stands behind {last.sequence}: one was removed, inserted or moved")
        elif entry.previous != last.hash:
            problems.append(f"entry {entry.sequence} does not follow the one before it: that one was changed")
        if entry.hash != _hash(
            entry.sequence, entry.at, entry.actor, entry.action, entry.object, entry.detail, entry.previous
        ):
            problems.append(f"entry {entry.sequence} was changed")
        last = Head(entry.sequence, entry.hash)
        if last in anchors:
            covered.add(last)
    for one in anchors:
        if one not in covered:
            problems.append(
                f"entry {one.sequence} is not the one that was anchored: the chain was rewritten, or its tail cut "
                "off (after restoring a backup: candor audit resume)"
            )
    return Verdict(count, last if count else None, tuple(problems), tuple(gaps))


def _hash(
    sequence: int,
    at: datetime,
    actor: str,
    action: str,
    object: str,
    detail: Mapping[str, Value],
    previous: str,
) -> str:
    time = at.astimezone(UTC).isoformat(timespec="microseconds")
    said = json.dumps(detail, sort_keys=True)
    return hashlib.sha256(bind(previous, sequence, time, actor, action, object, said)).hexdigest()
