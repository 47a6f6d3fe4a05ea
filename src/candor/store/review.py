"""A draft answer on its way past an annotator: the records, and what may become of them, without any I/O."""

import dataclasses
import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeAlias, get_args

from candor.errors import ConfigError, DataError, ReviewConflict
from candor.store.schema import as_json

Message: TypeAlias = Mapping[str, Any]
"""A message in the OpenAI form, as the chat templates take it: `{"role": "user", "content": "Hi"}`."""
State = Literal["waiting", "leased", "accepted", "edited", "rejected"]
"""The last three are decisions; nothing follows them."""
Method = Literal["prompted", "r1_zero", "human", "user"]
"""How a draft was made: by prompting a model, by collecting R1-Zero's answers, by hand, or out of what a user wrote
(`store.contribute` alone adds those, de-identified, and takes them on)."""
Lang = Literal["en", "zh"]
Graded = Literal["right", "wrong", "invalid"]

STATES: tuple[State, ...] = get_args(State)
DECISIONS: tuple[State, ...] = STATES[2:]
ITSELF = "candor"
"""Who acts in a record's history where nobody did: drafts added, leases run out."""

_CHOICES: dict[str, tuple[str | None, ...]] = {
    "state": STATES,
    "method": get_args(Method),
    "lang": get_args(Lang),
    "grade": (*get_args(Graded), None),
}
_CODE = re.compile(r"[A-Za-z0-9][\w.:-]{0,63}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """An answer that a person should see before it is trained on, with what it answers.

    >>> Draft(messages=({"role": "user", "content": "What is 3 + 4?"},), original="<think>3 + 4 = 7</think>7",
    ...       method="r1_zero", lang="en", problem="3f2a91c04d7e11aa", family="arithmetic", grade="right")
    """

    messages: tuple[Message, ...]
    """The conversation that the answer follows; mostly one message of the user."""
    original: str
    """The answer as it was made; never overwritten."""
    method: Method
    """How it was made."""
    lang: Lang
    """Language that the answer should be in."""
    problem: str | None = None
    """`Problem.id`, where it answers a problem."""
    family: str | None = None
    """Family or reader of that problem."""
    grade: Graded | None = None
    """What the problem's checker says of it."""

    def __post_init__(self) -> None:
        for name in _CHOICES:
            if hasattr(self, name):  # a draft has no state
                check_choice(name, getattr(self, name))
        for name in ("original", "problem", "family"):
            check_text(getattr(self, name), name, optional=name != "original")
        object.__setattr__(self, "messages", _plain_messages(self.messages))

    @property
    def digest(self) -> str:
        """SHA-256 over the conversation, the answer, how it was made and the problem: equal ones are the same draft."""
        parts = [self.messages, self.original, self.method, self.problem]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    @property
    def prompt(self) -> str:
        """What the user said last; "" where that is no text."""
        said = [message.get("content") for message in self.messages if message["role"] == "user"]
        return said[-1] if said and isinstance(said[-1], str) else ""


@dataclass(frozen=True, kw_only=True)
class Review(Draft):
    """A draft in the store, and what became of it.

    >>> Review(id="9c1b...", messages=({"role": "user", "content": "1 + 1?"},), original="It is 2.", method="human",
    ...        lang="en", state="edited", edited="1 + 1 = 2.", reasons=("terse",), annotator="li",
    ...        created=datetime.now(UTC), decided=datetime.now(UTC), decided_by="li")
    """

    id: str
    """`digest` of the draft when it was added."""
    state: State
    """Where it is on its way."""
    edited: str | None = None
    """The answer as the annotator wants it, where the state is `edited`."""
    reasons: tuple[str, ...] = ()
    """Codes that say why: `language_mix`, `repetition`, ..."""
    annotator: str | None = None
    """Who holds it, or decided on it; None where a rule decided."""
    lease_until: datetime | None = None
    """When a leased one goes back to waiting, UTC."""
    created: datetime
    """When it was added, UTC."""
    decided: datetime | None = None
    """When it was decided on, UTC."""
    decided_by: str | None = None
    """The annotator, or `rule:NAME VERSION` where a stated rule decided because no annotator takes part."""

    @property
    def text(self) -> str:
        """The answer as it stands: edited where somebody edited it."""
        return self.original if self.edited is None else self.edited


@dataclass(frozen=True)
class Decision:
    """What an annotator or a rule makes of a record.

    >>> Decision("rejected", reasons=("language_mix",))
    """

    state: State
    """`accepted`, `edited` or `rejected`."""
    edited: str | None = None
    """The new text; for `edited` only."""
    reasons: Sequence[str] = ()
    """Codes that say why."""

    def __post_init__(self) -> None:
        if self.state not in DECISIONS:
            raise ConfigError(f"state={self.state!r} is no decision; choose accepted, edited or rejected")
        if self.state == "edited" and not self.edited:
            raise ConfigError("an edited answer needs its text; give it as edited, or accept the original")
        if self.state != "edited" and self.edited is not None:
            raise ConfigError(f"an answer that is {self.state} takes no edited text; choose edited, or leave it out")
        check_text(self.edited, "edited", optional=True)
        if isinstance(self.reasons, str) or not isinstance(self.reasons, Sequence):
            raise ConfigError(f"reasons={self.reasons!r} is no list of codes; give one like ('language_mix',)")
        object.__setattr__(self, "reasons", tuple(self.reasons))
        for reason in self.reasons:
            if not isinstance(reason, str) or not _CODE.fullmatch(reason):
                raise ConfigError(f"reason {reason!r} is no code; use letters, digits and _ . : -, like language_mix")


@dataclass(frozen=True)
class Rule:
    """Decides where no annotator takes part; the record says that it did.

    >>> Rule("right_and_short", "1", lambda review: Decision("accepted") if review.grade == "right" else None)
    """

    name: str
    """What it is called."""
    version: str
    """Goes up with every change of what it decides."""
    decide: Callable[[Review], Decision | None]
    """Pure; None leaves the record waiting."""

    def __post_init__(self) -> None:
        for name in ("name", "version"):
            if not _CODE.fullmatch(getattr(self, name)):
                raise ConfigError(f"{name}={getattr(self, name)!r} of a rule must be of letters, digits and _ . : -")

    def __str__(self) -> str:
        return f"rule:{self.name} {self.version}"


@dataclass(frozen=True)
class Change:
    """One line of a record's history.

    >>> Change(who="li", at=datetime.now(UTC), before="leased", after="accepted")
    """

    who: str
    """The annotator, `rule:NAME VERSION`, or `candor` itself."""
    at: datetime
    """When, UTC."""
    before: State | None
    """The state until then; None where the record was added."""
    after: State
    """The state from then on."""


def decided(review: Review, decision: Decision, by: str, at: datetime) -> Review:
    """The record after a decision by an annotator or, where `by` is `str(rule)`, a rule. ReviewConflict where it was
    decided before; whether the lease allows it is for the caller to say."""
    if review.state in DECISIONS:
        raise ReviewConflict(
            f"{review.id} was already {review.state} by {review.decided_by} at {review.decided}; a decision stands"
        )
    if decision.edited == review.original:
        raise ConfigError(f"the edited text of {review.id} is the original; choose accepted, or change it")
    return dataclasses.replace(
        review,
        state=decision.state,
        edited=decision.edited,
        reasons=tuple(decision.reasons),
        annotator=None if by.startswith("rule:") else by,
        lease_until=None,
        decided=at,
        decided_by=by,
    )


def check_annotator(name: Any) -> str:
    """The name, or ConfigError where nobody can be called so."""
    if not isinstance(name, str) or not name.strip() or len(name) > 200 or not name.isprintable():
        raise ConfigError(f"annotator={name!r} must be a name in one line of at most 200 characters")
    if name == ITSELF or name.startswith("rule:"):
        raise ConfigError(f"annotator={name!r} stands for a machine's decisions; choose another name")
    return name


def check_choice(name: str, value: Any) -> None:
    """DataError unless the value is one that the field may have."""
    allowed = _CHOICES[name]
    if not isinstance(value, str | None) or value not in allowed:
        raise DataError(f"{name}={value!r} is none of {', '.join(str(one) for one in allowed)}; choose one")


def check_text(value: Any, name: str, *, optional: bool) -> None:
    """DataError unless the value is text that every database keeps."""
    if value is None and optional:
        return
    if not isinstance(value, str):
        raise DataError(f"{name}={value!r} is no text; give text")
    if "\0" in value:
        raise DataError(f"{name} holds a NUL character at {value.index(chr(0))}, which no database keeps; remove it")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise DataError(f"{name} holds half a character (a lone surrogate) at {error.start}; remove it") from None


def _plain_messages(messages: Any) -> tuple[Message, ...]:
    """A copy that nobody else holds, in the form in which it comes out of JSON."""
    if not isinstance(messages, list | tuple) or not messages:
        raise DataError(f'messages={messages!r} is no list like [{{"role": "user", "content": "Hi"}}]; give one')
    for number, message in enumerate(messages, start=1):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise DataError(f"message {number} is {message!r}, not an object with a role; mend it")
    try:
        text = as_json([dict(message) for message in messages])
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise DataError(f"the messages are not JSON in valid Unicode ({error}); mend them") from None
    return tuple(json.loads(text))


# The records as JSON objects, one a line of the files that are exchanged.

REVIEW_FIELDS = ("id", *(field.name for field in dataclasses.fields(Review) if field.name != "id"))
DRAFT_FIELDS = tuple(field.name for field in dataclasses.fields(Draft))


def to_json(review: Review) -> dict[str, Any]:
    """All fields as plain values, times in ISO 8601."""
    values: dict[str, Any] = {}
    for name in REVIEW_FIELDS:
        value = getattr(review, name)
        if isinstance(value, datetime):
            value = value.isoformat(timespec="microseconds")
        values[name] = list(value) if isinstance(value, tuple) else value
    return values


def draft_from_json(fields: Mapping[str, Any]) -> Draft:
    """A draft out of its JSON object, in which `prompt` may stand for messages; DataError says what is wrong."""
    check_names(fields, (*DRAFT_FIELDS, "prompt"))
    values = dict(fields)
    if "prompt" in values:
        if "messages" in values:
            raise DataError("it has a prompt and messages; keep one of them")
        check_text(values["prompt"], "prompt", optional=False)
        values["messages"] = ({"role": "user", "content": values.pop("prompt")},)
    if missing := [name for name in ("messages", "original", "method", "lang") if name not in values]:
        raise DataError(f"it has no {' and no '.join(missing)}; add what is missing")
    if values["method"] == "user":
        raise DataError("its method is user, and what users wrote is added by contributions alone; say how it was made")
    return Draft(**values)


def check_names(fields: Mapping[str, Any], known: Iterable[str]) -> None:
    """DataError for a field of no known name."""
    names = list(known)
    for name in fields:
        if name not in names:
            close = difflib.get_close_matches(name, names, n=1)
            guess = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names)}"
            raise DataError(f"it has a field {name!r} that no record has; {guess}")
