"""Dialogues to learn from, read with their origin, and what all rows to learn from have in common."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, get_args

from candor.data.reviewed import NotTaken, answered
from candor.errors import DataError
from candor.rows import read_rows
from candor.text import THINK_BEGIN, THINK_END, Message, chat

T = TypeVar("T")
Origin = Literal["team-hand", "team-automatic", "user-derived"]
"""Who made a dialogue: people of the team by hand, a program of the team, or people who used the service."""
ORIGINS: tuple[Origin, ...] = get_args(Origin)

_ROLES = {"system": "system", "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant",
          "assistant": "assistant"}  # fmt: skip
"""Speakers of the ShareGPT form."""
_KEYS = ("role", "content", "tool_calls", "tool_call_id", "name", "weight")
"""What is kept of a message."""


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """One conversation that ends with the assistant; DataError, naming the place, for one that nothing can learn from.

    >>> Dialogue(messages=({"role": "user", "content": "1+1?"}, {"role": "assistant", "content": "2"}),
    ...          origin="team-hand", place="chat.jsonl:1")
    """

    messages: tuple[Message, ...]
    """In the form of the OpenAI API; an answer with `weight` 0 is read and not learnt."""
    origin: Origin
    """Who made it."""
    lang: str = ""
    """Language, where the source says it."""
    place: str = "a dialogue"
    """Where it came from, for messages."""

    def __post_init__(self) -> None:
        check_said(self.messages, (), self.origin, self.place)
        roles = [message["role"] for message in self.messages]
        if roles[-1] != "assistant":
            raise DataError(f"{self.place} ends with the {roles[-1]}; add the assistant's answer, or cut the rest off")
        if roles[0] == "assistant":
            raise DataError(f"{self.place} begins with the assistant; put before it what was asked")
        for number, message in enumerate(self.messages, start=1):
            if message["role"] == "assistant" and not message.get("content") and not message.get("tool_calls"):
                raise DataError(f"{self.place}: message {number}, an answer, is empty; write it or remove the row")
            if message.get("weight", 1) not in (0, 1):
                raise DataError(f"{self.place}: message {number} has the weight {message['weight']!r}; write 0 or 1")
        if all(message.get("weight") == 0 for message in self.messages if message["role"] == "assistant"):
            raise DataError(f"{self.place} has no answer to learn: each has the weight 0; remove the row")

    @property
    def id(self) -> str:
        """SHA-256 over the messages, hex."""
        return hash_of(self.messages)

    @property
    def opening_id(self) -> str:
        """SHA-256 over what stands before the first answer: answers to one question belong on one side of a split."""
        return hash_of(list(takewhile(lambda message: message["role"] != "assistant", self.messages)))


def check_said(messages: Sequence[Message], texts: Sequence[str], origin: str, place: str) -> None:
    """DataError, naming the place, for messages of another form, what is no Unicode text, or an unknown origin."""
    try:
        chat.check(messages)
        json.dumps([list(messages), texts], ensure_ascii=False).encode()
    except DataError as error:
        raise DataError(f"{place}: {error}") from None
    except UnicodeEncodeError:
        raise DataError(f"{place} holds what is no Unicode text (half a character); mend it") from None
    if origin not in ORIGINS:
        raise DataError(f"{place} has the origin {origin!r}; write one of {', '.join(ORIGINS)}")


def hash_of(value: Any) -> str:
    """SHA-256 over a JSON value, hex."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode()).hexdigest()


@dataclass
class LeftOut:
    """What was not taken, and why."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    """(reason, the place and what is wrong there)."""

    def add(self, reason: str, detail: str) -> None:
        """Note one."""
        self.rows.append((reason, detail))

    def counts(self) -> dict[str, int]:
        """How many for each reason."""
        return dict(Counter(reason for reason, _ in self.rows))

    def lines(self) -> list[str]:
        """One line for each reason, with the first case."""
        first = dict(reversed(self.rows))
        return [f"left out {count:,}: {reason}; the first: {first[reason]}" for reason, count in self.counts().items()]


def read_dialogues(
    source: str | Path, *, origin: Origin | None = None, skip_broken: LeftOut | None = None
) -> list[Dialogue]:
    """The dialogues of a file, a folder or a dataset, in the order of their rows.

    A row holds `messages` in the OpenAI form, `conversations` in the ShareGPT form, or `prompt` and `response` (and
    `system`), or is a record of `candor review export`; an answer's `reasoning_content` becomes its thought. `origin`
    is that of rows that name none. A row that cannot be used, or a record that nobody accepted, is a DataError, or
    with `skip_broken` noted there; a file that is damaged is always an error.
    """

    def make(fields: dict[str, Any], where: str) -> Dialogue:
        fields = answered(fields, where)
        named, lang = origin_in(fields, origin, where), str(fields.get("lang", ""))
        return Dialogue(messages=tuple(_messages(fields, where)), origin=named, lang=lang, place=where)

    return read_each(source, make, skip_broken, "dialogue")


def read_each(
    source: str | Path, make: Callable[[dict[str, Any], str], T], skip_broken: LeftOut | None, what: str
) -> list[T]:
    """What `make` makes of the fields of each row, those without a value aside, and its place."""
    found: list[T] = []
    for row in read_rows(source):
        try:
            found.append(make({name: value for name, value in row.fields.items() if value is not None}, row.where))
        except DataError as error:
            if skip_broken is None:
                raise
            skip_broken.add("not accepted" if isinstance(error, NotTaken) else "broken rows", str(error))
    if not found:
        first = f"; {skip_broken.rows[0][1]}" if skip_broken and skip_broken.rows else ""
        raise DataError(f"{source} holds no {what} that can be used{first}")
    return found


def origin_in(fields: Mapping[str, Any], origin: Origin | None, where: str) -> Any:
    """Who made a row: as it says, else `origin`."""
    named = fields.get("origin", origin)
    if named is None:
        raise DataError(
            f"{where} does not say who made it; add the field origin with one of {', '.join(ORIGINS)}, or give one "
            "for all such rows (--origin)"
        )
    return named


def question(fields: Mapping[str, Any]) -> list[Any]:
    """The messages of a row with `prompt`, and `system` if wanted."""
    system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
    return [*system, {"role": "user", "content": fields["prompt"]}]


def _messages(fields: dict[str, Any], where: str) -> list[Any]:
    if "messages" in fields or "conversations" in fields:
        name = "messages" if "messages" in fields else "conversations"
        if not isinstance(fields[name], list | tuple):
            raise DataError(f"{where}: {name} is a {type(fields[name]).__name__}, not a list of messages; mend the row")
        return [_message(one, where) if name == "messages" else _turn(one, where) for one in fields[name]]
    if "prompt" in fields and "response" in fields:
        return [*question(fields), {"role": "assistant", "content": fields["response"]}]
    raise DataError(
        f"{where} has neither messages nor conversations nor prompt and response, but {', '.join(fields) or 'nothing'};"
        " rename its fields"
    )


def _message(message: Any, where: str) -> Any:
    if not isinstance(message, Mapping):
        return message  # which the check of the form names
    kept = {name: message[name] for name in _KEYS if message.get(name) is not None}
    if thought := message.get("reasoning_content"):
        said = kept.get("content", "")
        if kept.get("role") != "assistant" or not isinstance(thought, str) or not isinstance(said, str):
            raise DataError(f"{where}: reasoning_content is a text of the assistant; mend or remove it")
        if THINK_END in said:
            raise DataError(f"{where}: an answer has reasoning_content and a thought of its own; keep one of them")
        kept["content"] = f"{THINK_BEGIN}\n{thought}\n{THINK_END}\n\n{said}"
    return kept


def _turn(turn: Any, where: str) -> Message:
    speaker = turn.get("from") if isinstance(turn, Mapping) else None
    if speaker not in _ROLES:
        raise DataError(f"{where}: a turn is from {speaker!r}; its field 'from' must be one of {', '.join(_ROLES)}")
    return {"role": _ROLES[speaker], "content": turn.get("value")}


class FromSomebody(Protocol):
    """What is learnt from, and who made it."""

    @property
    def origin(self) -> Origin:
        """Who."""

    @property
    def id(self) -> str:
        """A hash of what it says."""


def cap_user_derived(rows: Sequence[FromSomebody], share: float, seed: int = 0) -> list[int]:
    """Places of the rows that stay where at most `share` of what stays may be user-derived.

    All others stay; of the user-derived ones those with the lowest hashes of seed and text.
    """
    exact = Fraction(str(share))
    derived = [place for place, row in enumerate(rows) if row.origin == "user-derived"]
    others = len(rows) - len(derived)
    most = len(derived) if exact == 1 else int(exact * others / (1 - exact))
    ordered = sorted(derived, key=lambda place: hash_of([seed, rows[place].id, place]))
    gone = set(ordered[most:])
    return [place for place in range(len(rows)) if place not in gone]
