"""What reward models learn from: pairs of answers of which one is better, and answers that are safe or are not."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from candor.data.dialogues import ORIGINS, LeftOut, Origin
from candor.errors import DataError
from candor.rows import Row, read_rows
from candor.text import Message, chat

T = TypeVar("T", bound="Asked")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked, with where it comes from; DataError, naming the place, for what cannot be used."""

    messages: tuple[Message, ...]
    """In the form of the OpenAI API, up to what is to be answered."""
    origin: Origin
    """Who made it."""
    place: str = "a row"
    """Where it came from, for messages."""

    def __post_init__(self) -> None:
        try:
            chat.check(self.messages)
            json.dumps([list(self.messages), self.responses], ensure_ascii=False).encode()
        except DataError as error:
            raise DataError(f"{self.place}: {error}") from None
        except UnicodeEncodeError:
            raise DataError(f"{self.place} holds what is no Unicode text (half a character); mend it") from None
        if self.origin not in ORIGINS:
            raise DataError(f"{self.place} has the origin {self.origin!r}; write one of {', '.join(ORIGINS)}")
        if (last := self.messages[-1]["role"]) not in ("user", "tool"):
            raise DataError(f"{self.place}: the messages end with the {last}; end them with what is to be answered")
        for response in self.responses:
            if not response.strip():
                raise DataError(f"{self.place} has an empty answer; write it or remove the row")

    @property
    def responses(self) -> tuple[str, ...]:
        """The answers that are judged."""
        return ()

    @property
    def asked_id(self) -> str:
        """SHA-256 over the messages, hex: what is said of one question belongs on one side of a split."""
        return hashlib.sha256(json.dumps(self.messages, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Preference(Asked):
    """Two answers of which one is better.

    >>> Preference(messages=({"role": "user", "content": "Hi"},), chosen="Hello!", rejected="No.", origin="team-hand")
    """

    chosen: str
    """The better answer; it may begin with its thought."""
    rejected: str
    """The other."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.chosen == self.rejected:
            raise DataError(f"{self.place}: chosen and rejected are the same text; remove the row")

    @property
    def responses(self) -> tuple[str, ...]:
        """The better one first."""
        return self.chosen, self.rejected


@dataclass(frozen=True, kw_only=True)
class Verdict(Asked):
    """One answer, and whether it is safe.

    >>> Verdict(messages=({"role": "user", "content": "Hi"},), response="Hello!", safe=True, origin="team-hand")
    """

    response: str
    """The whole answer, its thought included."""
    safe: bool
    """Whether it may be given."""

    @property
    def responses(self) -> tuple[str, ...]:
        """The one."""
        return (self.response,)


def read_preferences(
    source: str | Path, *, origin: Origin | None = None, skip_broken: LeftOut | None = None
) -> list[Preference]:
    """The pairs of a file, a folder or a dataset, in the order of their rows.

    A row holds `messages` in the OpenAI form or `prompt` (and `system`), and `chosen` and `rejected` as texts. `origin`
    is that of rows that name none. A row that cannot be used is a DataError, or with `skip_broken` noted there.
    """

    def make(fields: dict[str, Any], asked: dict[str, Any]) -> Preference:
        chosen, rejected = (_text(fields, name, asked["place"]) for name in ("chosen", "rejected"))
        return Preference(**asked, chosen=chosen, rejected=rejected)

    return _read(source, make, origin, skip_broken, "pair of answers")


def read_verdicts(
    source: str | Path, *, origin: Origin | None = None, skip_broken: LeftOut | None = None
) -> list[Verdict]:
    """As `read_preferences`, of rows with `response` as a text and `safe`, true or false."""

    def make(fields: dict[str, Any], asked: dict[str, Any]) -> Verdict:
        response, safe = _text(fields, "response", asked["place"]), fields.get("safe")
        if not isinstance(safe, bool):
            raise DataError(f"{asked['place']}: safe is {safe!r}; write true or false")
        return Verdict(**asked, response=response, safe=safe)

    return _read(source, make, origin, skip_broken, "verdict")


def _read(
    source: str | Path,
    make: Callable[[dict[str, Any], dict[str, Any]], T],
    origin: Origin | None,
    skip_broken: LeftOut | None,
    what: str,
) -> list[T]:
    found: list[T] = []
    for row in read_rows(source):
        fields = {name: value for name, value in row.fields.items() if value is not None}
        try:
            found.append(make(fields, _asked(fields, row, origin)))
        except DataError as error:
            if skip_broken is None:
                raise
            skip_broken.add("broken rows", str(error))
    if not found:
        first = f"; {skip_broken.rows[0][1]}" if skip_broken and skip_broken.rows else ""
        raise DataError(f"{source} holds no {what} that can be used{first}")
    return found


def _asked(fields: dict[str, Any], row: Row, origin: Origin | None) -> dict[str, Any]:
    """What all kinds of rows have, by the names of `Asked`."""
    named = fields.get("origin", origin)
    if named is None:
        raise DataError(
            f"{row.where} does not say who made it; add the field origin with one of {', '.join(ORIGINS)}, or give one "
            "for all such rows (--origin)"
        )
    messages = fields.get("messages")
    if messages is None and "prompt" in fields:
        system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
        messages = [*system, {"role": "user", "content": fields["prompt"]}]
    if not isinstance(messages, list):
        raise DataError(
            f"{row.where} has neither a list of messages nor a prompt, but {', '.join(fields) or 'nothing'}; rename "
            "its fields"
        )
    bare = [
        {name: value for name, value in one.items() if value is not None} if isinstance(one, dict) else one
        for one in messages
    ]
    return {"messages": tuple(bare), "origin": named, "place": row.where}


def _text(fields: dict[str, Any], name: str, place: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        kind = "is missing" if value is None else f"is a {type(value).__name__}"
        raise DataError(f"{place}: {name} {kind}; give the answer as a text")
    return value
