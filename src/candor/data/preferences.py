"""What reward models learn from: pairs of answers of which one is better, and answers that are safe or are not."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from candor.data.dialogues import LeftOut, Origin, check_said, hash_of, origin_in, question, read_each
from candor.errors import DataError
from candor.text import Message


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What was asked, with where it comes from; DataError, naming the place, for what cannot be used."""

    messages: tuple[Message, ...]
    """In the form of the OpenAI API, up to what is to be answered."""
    origin: Origin
    """Who made it."""
    place: str = "a row"
    """Where it came from, for messages."""
    case: str = ""
    """`Problem.case` where it is known: its wordings, twins and languages belong on one side of a split."""

    def __post_init__(self) -> None:
        check_said(self.messages, self.responses, self.origin, self.place)
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
    def id(self) -> str:
        """SHA-256 over all that was said, hex."""
        return hash_of([self.messages, self.responses])

    @property
    def asked_id(self) -> str:
        """SHA-256 over the messages, hex: what is said of one question belongs on one side of a split."""
        return hash_of(self.case or self.messages)


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

    def make(fields: dict[str, Any], where: str) -> Preference:
        asked = _asked(fields, origin, where)
        chosen, rejected = (_text(fields, name, where) for name in ("chosen", "rejected"))
        return Preference(**asked, chosen=chosen, rejected=rejected)

    return read_each(source, make, skip_broken, "pair of answers")


def read_verdicts(
    source: str | Path, *, origin: Origin | None = None, skip_broken: LeftOut | None = None
) -> list[Verdict]:
    """As `read_preferences`, of rows with `response` as a text and `safe`, true or false."""

    def make(fields: dict[str, Any], where: str) -> Verdict:
        asked = _asked(fields, origin, where)
        response, safe = _text(fields, "response", where), fields.get("safe")
        if not isinstance(safe, bool):
            raise DataError(f"{where}: safe is {safe!r}; write true or false")
        return Verdict(**asked, response=response, safe=safe)

    return read_each(source, make, skip_broken, "verdict")


def _asked(fields: Mapping[str, Any], origin: Origin | None, where: str) -> dict[str, Any]:
    """What all kinds of rows have, by the names of `Asked`."""
    named, messages = origin_in(fields, origin, where), fields.get("messages")
    if messages is None and "prompt" in fields:
        messages = question(fields)
    if not isinstance(messages, list):
        raise DataError(
            f"{where} has neither a list of messages nor a prompt, but {', '.join(fields) or 'nothing'}; rename "
            "its fields"
        )
    bare = [
        {name: value for name, value in one.items() if value is not None} if isinstance(one, dict) else one
        for one in messages
    ]
    return {"messages": tuple(bare), "origin": named, "place": where, "case": str(fields.get("case", ""))}


def _text(fields: Mapping[str, Any], name: str, place: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        kind = "is missing" if value is None else f"is a {type(value).__name__}"
        raise DataError(f"{place}: {name} {kind}; give the answer as a text")
    return value
