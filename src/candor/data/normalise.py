"""Normalisation of text that remembers where each character came from, and what encodings got wrong.

Nothing that carries meaning changes: canonical composition (NFC), one kind of line break, no control or invisible
characters, no spaces at the ends of lines, at most one empty line in a row. Width and compatibility forms stay.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass

_BREAKS = re.compile("\r\n?|\x85|\u2028|\u2029|\x0b|\x0c")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]+"
)
_BLANKS = re.compile("[ \t\u00a0\u3000]+(?=\n)|[ \t\u00a0\u3000]+\\Z")
_EMPTY = re.compile("\n{3,}")
_STEPS = (
    ("breaks", _BREAKS, "\n"),
    ("invisible", _INVISIBLE, ""),
    ("blanks", _BLANKS, ""),
    ("empty_lines", _EMPTY, "\n\n"),
)
_CLEAN = re.compile("[^\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0300-\u036f\u200b-\u200f\u2028-\u206f\ufeff\ufff9-\ufffb]*")

# What a wrong decoder leaves behind. UTF-8 read as Latin-1 or Windows-1252: a lead byte and its continuation.
_MISREAD = re.compile(
    "[\u00c3\u00c2][\u0080-\u00bf\u20ac\u201a-\u203a\u0152-\u0178]|\u00e2(?:\u0080|\u20ac)[\u0080-\u00bf\u2018-\u203a\u0153\u009d\u2122]|[\u00e4-\u00e9][\u0080-\u00bf\u0152-\u2122]{2}"
)
# GBK read as UTF-8 and written out again; memory that was never filled; UTF-8 read as GBK.
_KNOWN = ("锟斤拷", "烫烫烫", "屯屯屯", "ï»¿", "鈥", "鐨勪", "锛屾", "銆�")


@dataclass(frozen=True)
class Normal:
    """Normalised text, and the way back.

    >>> normal = normalise("a\\r\\nb\\u200bc  ")
    >>> normal.text, normal.origin(2), normal.changes
    ('a\\nbc', 3, {'breaks': 1, 'invisible': 1, 'blanks': 1})
    """

    text: str
    """The text."""
    changes: dict[str, int]
    """How often each kind of change was made."""
    starts: tuple[int, ...] = (0,)
    """Places of `text` from which on, up to the next, characters stand one to one ..."""
    origins: tuple[int, ...] = (0,)
    """... and the places in the original text of the first ones."""

    def origin(self, place: int) -> int:
        """The place in the original text of a place in `text`; what was put in has the place of what it replaced."""
        at = bisect_right(self.starts, place) - 1
        moved = self.origins[at] + place - self.starts[at]
        return min(moved, self.origins[at + 1]) if at + 1 < len(self.origins) else moved


def normalise(text: str) -> Normal:
    """The normal form of a text; normalising it again changes nothing."""
    if _is_normal(text):
        return Normal(text, {})
    changes: dict[str, int] = {}
    pieces: list[tuple[int, int]] = [(0, 0)]  # (place in the new text, place in the old one)
    before = None
    while before != text:  # removing a character may bring together what composes
        before = text
        for name, pattern, put in _STEPS:
            text, pieces, count = _substitute(text, pieces, pattern, put)
            if count:
                changes[name] = changes.get(name, 0) + count
        if not unicodedata.is_normalized("NFC", text):
            text, pieces, count = _compose(text, pieces)
            changes["composed"] = changes.get("composed", 0) + count
    return Normal(text, changes, *(tuple(column) for column in zip(*pieces, strict=True)))


def _is_normal(text: str) -> bool:
    found = _CLEAN.match(text)
    assert found is not None  # it matches nothing at least
    if found.end() != len(text) or "\n\n\n" in text or not unicodedata.is_normalized("NFC", text):
        return False
    return not (
        " \n" in text or "\t\n" in text or "\u00a0\n" in text or "\u3000\n" in text or text[-1:] in " \t\u00a0\u3000"
    )


def _substitute(
    text: str, pieces: list[tuple[int, int]], pattern: re.Pattern[str], put: str
) -> tuple[str, list[tuple[int, int]], int]:
    edits = [(found.start(), found.end(), put) for found in pattern.finditer(text)]
    return (*_edit(text, pieces, edits), len(edits))


def _compose(text: str, pieces: list[tuple[int, int]]) -> tuple[str, list[tuple[int, int]], int]:
    """NFC, one cluster of a letter and its marks after the other."""
    edits = []
    for found in re.finditer(r"[^\u0300-\U0010ffff]?[\u0300-\U0010ffff]+", text):
        start = found.start()
        # Clusters begin at characters that never compose with what stands before them.
        cluster = ""
        for place, one in enumerate(found[0]):
            if cluster and not unicodedata.combining(one) and unicodedata.is_normalized("NFC", cluster[-1] + one):
                if (composed := unicodedata.normalize("NFC", cluster)) != cluster:
                    edits.append((start, start + len(cluster), composed))
                cluster, start = "", found.start() + place
            cluster += one
        if (composed := unicodedata.normalize("NFC", cluster)) != cluster:
            edits.append((start, start + len(cluster), composed))
    return (*_edit(text, pieces, edits), len(edits))


def _edit(
    text: str, pieces: list[tuple[int, int]], edits: list[tuple[int, int, str]]
) -> tuple[str, list[tuple[int, int]]]:
    """Replace spans of `text`, and bring `pieces` along."""
    if not edits:
        return text, pieces
    old = Normal("", {}, *(tuple(column) for column in zip(*pieces, strict=True)))
    parts: list[str] = []
    found: list[tuple[int, int]] = []
    at = done = 0

    def copy(start: int, end: int) -> None:
        """Copy text[start:end], which begins at `at` now."""
        if start < end:
            found.append((at, old.origin(start)))
            low, high = bisect_right(old.starts, start), bisect_right(old.starts, end - 1)
            found.extend((at + old.starts[k] - start, old.origins[k]) for k in range(low, high))
            parts.append(text[start:end])

    for start, end, put in edits:
        copy(done, start)
        at += start - done
        if put:
            found.append((at, old.origin(start)))
            parts.append(put)
            at += len(put)
        done = end
    copy(done, len(text))
    at += len(text) - done
    found.append((at, old.origin(len(text))))
    return "".join(parts), found


def broken_encoding(text: str, most: float = 0.001) -> str:
    """What in a text shows that bytes were decoded wrongly; "" where less than `most` of its characters do."""
    marks = text.count("\ufffd")
    if marks > most * len(text):
        return "replacement characters"
    if not text.isascii():
        if any(known in text for known in _KNOWN):
            return "characters of another encoding"
        misread = sum(len(found[0]) for found in _MISREAD.finditer(text))
        if misread > most * len(text):
            return "UTF-8 read as another encoding"
    return ""
