"""What is done with what was found: taken out, named by its type, replaced by the same surrogate each time, or made
general. What stands in its place is a tag that nothing finds again, so masking a masked text changes nothing."""

import hashlib
import hmac
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from itertools import count
from typing import Literal, get_args

from candor.errors import ConfigError
from candor.governance.pii.lists import read_list
from candor.governance.pii.plain import AS_DIGITS
from candor.governance.pii.spans import TYPES, IdentifierClass, Span

Action = Literal["tag", "redact", "surrogate", "generalise"]
Find = Callable[[str], list[Span]]
REDACTED = "████"
"""What stands for anything that was redacted; its length says nothing."""
_LETTERS = "bcdfghjklmnpqrstvwxz"
_CODE = 8
_TAG = re.compile(
    # Only what masking writes: a value of another form, or of another type, could be what a tag is to hide.
    rf"<(?:(?:{'|'.join(TYPES)})(?::[{_LETTERS}]{{{_CODE}}})?|date:(?:1[5-9]|20)\d0s|age:(?:0-9|(?P<ten>\d|1[0-2])0-(?P=ten)9)"
    rf"|quantity:1e\d{{1,2}}|(?:address|location):(?:{'|'.join(read_list('provinces_zh'))}))>|{REDACTED}"
)
FILL = "▒"
"""What a finder sees in the place of a tag, as often as the tag has characters."""
_ROUNDS = 8
"""Rounds after which what is found is masked with all that touches it, so that there is an end to it."""


@dataclass(frozen=True)
class Masked:
    """A text without what was found, and what was found.

    >>> mask("我叫王小明，电话13800138000").text
    '我叫<person>，电话<phone>'
    """

    text: str
    """The new text."""
    spans: tuple[Span, ...]
    """What was found, in order, at its places in the original text; none overlap."""


def hide_tags(text: str) -> str:
    """`text` with signs that mean nothing in place of tags, as long as before."""
    if "<" not in text and REDACTED[0] not in text:
        return text
    return _TAG.sub(lambda tag: FILL * len(tag[0]), text)


def without_tags(spans: Iterable[Span], hidden: str) -> list[Span]:
    """The parts of spans that lie outside the tags of a text from `hide_tags`."""
    return [
        replace(span, start=span.start + part.start(), end=span.start + part.end())
        for span in spans
        for part in re.finditer(f"[^{FILL}]+", hidden[span.start : span.end])
        if part[0].strip()
    ]


@dataclass(frozen=True)
class Masking:
    """What is masked of what is found, and how.

    >>> Masking("surrogate", types=("person",), key=key, conversation="7")
    """

    action: Action = "tag"
    """What stands in its place. "tag": `<type>`; "redact": the same bar for all; "surrogate": `<type:code>`, equal for
    equal values inside one conversation, another one elsewhere (HMAC-SHA256); "generalise": the decade of a date, ten
    years of age, the province of a place, the size of a number."""
    classes: Collection[IdentifierClass] = ("direct", "quasi")
    """Only what is of these classes ..."""
    types: Collection[str] = ()
    """... and of these types, where some are named."""
    key: bytes = field(default=b"", repr=False)
    """Of at least 16 bytes, for surrogates."""
    conversation: str = ""
    """In which surrogates are equal."""

    def __post_init__(self) -> None:
        if self.action not in get_args(Action):
            raise ConfigError(f"action={self.action!r} is none of {', '.join(get_args(Action))}")
        if wrong := sorted(set(self.classes) - set(get_args(IdentifierClass))):
            raise ConfigError(f"classes: {wrong[0]!r} is neither direct nor quasi")
        if unknown := sorted(set(self.types) - set(TYPES)):
            near = get_close_matches(unknown[0], TYPES, 1)
            raise ConfigError(
                f"there is no type {unknown[0]!r}; "
                + (f"did you mean {near[0]}?" if near else f"there are: {', '.join(TYPES)}")
            )
        if self.action == "surrogate" and len(self.key) < 16:
            raise ConfigError("surrogates need a key of at least 16 bytes; give one that is kept apart from the texts")

    def wants(self, span: Span) -> bool:
        """Whether a span is masked."""
        return span.identifier_class in self.classes and (not self.types or span.type in self.types)

    def instead(self, value: str, kind: str) -> str:
        """What stands for a value."""
        if self.action == "redact":
            return REDACTED
        if self.action == "surrogate":
            return f"<{kind}:{surrogate(value, kind, self.key, self.conversation)}>"
        if self.action == "generalise" and (wider := general(value, kind)):
            return f"<{kind}:{wider}>"
        return f"<{kind}>"


def mask(text: str, find: Find, how: Masking) -> Masked:
    """`text` without what `find` finds in it and `how` wants. What is left is looked through again until nothing is
    found, because taking a name out may show the next one."""
    spans: list[Span] = []
    current, pieces = text, [(0, 0, len(text))]  # (place in the current text, place in the original, length)
    for number in count():
        found = [span for span in find(current) if how.wants(span)]
        if number >= _ROUNDS:
            found = _with_touching(found, hide_tags(current))
        new = [part for span in found for part in _to_original(span, pieces)]
        if not new:
            break
        spans = sorted([*spans, *new], key=lambda span: span.start)
        current, pieces = _render(text, spans, how)
    return Masked(current, tuple(spans))


def _with_touching(spans: Iterable[Span], hidden: str) -> list[Span]:
    """The spans with all that stands between them and the next space or tag."""
    found: list[Span] = []
    for span in spans:
        start, end = span.start, span.end
        while start > (found[-1].end if found else 0) and not (
            hidden[start - 1].isspace() or hidden[start - 1] == FILL
        ):
            start -= 1
        while end < len(hidden) and not (hidden[end].isspace() or hidden[end] == FILL):
            end += 1
        if not found or span.start >= found[-1].end:
            found.append(replace(span, start=start, end=end))
    return found


def _to_original(span: Span, pieces: Sequence[tuple[int, int, int]]) -> list[Span]:
    """The parts of a span that are original text, at their places there."""
    found = []
    for place, origin, size in pieces:
        start, end = max(span.start, place), min(span.end, place + size)
        if start < end:
            found.append(
                Span(origin + start - place, origin + end - place, span.type, span.identifier_class, span.rule)
            )
    return found


def _render(text: str, spans: Sequence[Span], how: Masking) -> tuple[str, list[tuple[int, int, int]]]:
    """The text with something else for each span, and where what is left of the original lies in it."""
    parts: list[str] = []
    pieces: list[tuple[int, int, int]] = []
    size = done = 0
    for span in spans:
        pieces.append((size, done, span.start - done))
        parts += [text[done : span.start], how.instead(text[span.start : span.end], span.type)]
        size += span.start - done + len(parts[-1])
        done = span.end
    pieces.append((size, done, len(text) - done))
    return "".join([*parts, text[done:]]), pieces


def surrogate(value: str, kind: str, key: bytes, conversation: str) -> str:
    """Eight letters for a value: the same for one conversation whatever its spelling, not to be turned back without the
    key. Ten thousand values in one conversation are all told apart but with a chance of 0.2%."""
    value = unicodedata.normalize("NFKC", value).casefold()
    if kind == "person":
        value = re.sub(r"^(?:mrs|mr|ms|miss|dr|professor|prof)\.?\s+", "", value)
    plain = "".join(one for one in value.translate(AS_DIGITS) if one.isalnum())
    if kind == "phone":
        plain = re.sub("^(?:00)?86(?=1)", "", plain)
    number = int.from_bytes(
        hmac.digest(key, "\0".join((conversation, kind, plain)).encode("utf-8", "replace"), hashlib.sha256)[:8]
    )
    return "".join(_LETTERS[number // len(_LETTERS) ** place % len(_LETTERS)] for place in range(_CODE))


def general(value: str, kind: str) -> str:
    """A value made general, "" where nothing general is known: `1990s`, `30-39`, `浙江`, `1e4` (ten thousand to just
    below a hundred thousand)."""
    plain = unicodedata.normalize("NFKC", value)
    if kind == "date" and (year := re.search(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)", plain)):
        return f"{year[0][:3]}0s"
    if kind == "age" and (years := re.search(r"\d{1,3}", plain)):
        low = int(years[0]) // 10 * 10
        return f"{low}-{low + 9}"
    if kind == "quantity" and (number := re.search(r"\d[\d,. ]*", plain)):
        digits = re.sub(r"[.,]\d{1,2}$|\D", "", number[0].strip(" .,"))
        return f"1e{min(99, max(0, len(digits.lstrip('0')) - 1))}"
    if kind in ("address", "location"):
        return next((name for name in read_list("provinces_zh") if len(name) <= 3 and plain.startswith(name)), "")
    return ""
