"""The plain form of a text for matching, with the way back to the original places.

An identifier is often written so that a pattern does not see it: in full-width or other digits, in Chinese numerals,
with invisible characters inside. The plain form undoes the first and the last one for one; Chinese numerals are read as
digits only in a second view of the places where a row of them stands, for they are words as well.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

GAP = r"[ \t\r\n.\-_·]{0,5}"
"""What may stand between two groups of an identifier, a line break too."""
NUMERALS = "〇零○一二三四五六七八九壹贰貳叁參肆伍陆陸柒捌玖幺两兩"
AS_DIGITS = str.maketrans(NUMERALS, "000123456789122334566789122")
_MULTIPLES = "十百千万萬亿億拾佰仟"
_ROW = re.compile(
    # Looking behind comes second: a pattern that begins with a set of characters is searched for fast.
    f"[{NUMERALS}](?<![{_MULTIPLES}].)(?:{GAP}(?:[0-9A-Za-z@]{{1,12}}{GAP}){{0,3}}[{NUMERALS}]){{2,}}(?![{_MULTIPLES}])"
)
"""Three numerals or more, with little but digits, letters and gaps between them."""
_AROUND = 64
"""How much of the text before and behind a row of numerals its view shows: room for a cue and the other digits."""

_BREAK = re.compile(r"[\r\n](?<=[0-9A-Za-z@._:/+\-].)\n?(?=[0-9A-Za-z@._:/\-])", re.DOTALL)
_INDENT = re.compile(r"\n(?<=[0-9A-Za-z@._:/+\-]\n)[ \t]{1,8}(?=[0-9A-Za-z@._:/\-])")
_MARKS_WITHIN = re.compile(r"(?<=[0-9])(?:\*\*|</?(?:b|i|u|em|strong|mark|font|span)(?: [^<>\n]{0,80})?>)(?=[0-9])")
_HEAD, _TAIL, _TELLING = re.compile(r"[!-~]+\Z"), re.compile("[!-~]+"), re.compile("[0-9@]")
_SHORTEST = 8

_KEEP, _DROP, _RINGED = 0, 1, 2
_SUPERSCRIPTS = {0xB2, 0xB3, 0xB9, *range(0x2070, 0x208A)}
"""Footnote marks more often than digits."""
_FILLERS = {0xAD, 0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
_ALIKE = {"•": "·", "‧": "·", "・": "·", "･": "·", "∙": "·", "⋅": "·", "−": "-", "\x85": "\n", "\u2028": "\n"}
_MARKS = "，；！"
"""Full-width punctuation that parts sentences: it is in no identifier, and an address ends at it."""
_LAST = 0x20000
"""Digits, letters and punctuation with an ASCII likeness all stand before it."""


@dataclass(frozen=True, slots=True)
class Plain:
    """A text in plain form."""

    text: str
    """The plain form."""
    origins: NDArray[np.int64] | None = None
    """The place in the original of each character; None where they stand one to one from `shift` on."""
    shift: int = 0
    """The place in the original of the first character, of a view of a part."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The original place of text[start:end], which is not empty."""
        if self.origins is None:
            return start + self.shift, end + self.shift
        return int(self.origins[start]), int(self.origins[end - 1]) + 1


def plain(text: str) -> Plain:
    """The plain form of a text.

    >>> form = plain("电话１３\\u200b８")
    >>> form.text, form.span(2, 5)
    ('电话138', (2, 6))
    """
    if text.isascii():
        return _without_indents(Plain(text))
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    likeness, kinds = _tables()
    known = np.minimum(codes, _LAST)
    kind = kinds[known]
    new = np.where(codes < _LAST, likeness[known], codes)
    ringed = kind == _RINGED
    if ringed.any():  # one alone is the number of a list's item
        alone = ringed.copy()
        alone[1:] &= ~ringed[:-1]
        alone[:-1] &= ~ringed[1:]
        new[alone] = codes[alone]
    drop = (kind == _DROP) | ((codes >= 0xE0000) & (codes < 0xE0200))
    origins = None
    if drop.any():
        origins = np.flatnonzero(~drop)
        new = new[origins]
    elif np.array_equal(new, codes):
        return _without_indents(Plain(text))
    return _without_indents(Plain(new.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass"), origins))


def _without_indents(form: Plain) -> Plain:
    """The form without the blanks at the beginning of a line that may go on with an identifier of the line before."""
    if "\n " not in form.text and "\n\t" not in form.text:
        return form
    return _without(form, _INDENT)


def _without(form: Plain, pattern: re.Pattern[str]) -> Plain:
    """The form without what a pattern matches, of which a line break at the beginning stays."""
    parts: list[str] = []
    kept: list[NDArray[np.int64]] = []
    done = 0
    for found in pattern.finditer(form.text):
        end = found.start() + (found[0][0] == "\n")
        parts.append(form.text[done:end])
        kept.append(np.arange(done, end))
        done = found.end()
    if not done:
        return form
    places = np.concatenate([*kept, np.arange(done, len(form.text))])
    return Plain("".join([*parts, form.text[done:]]), places if form.origins is None else form.origins[places])


def unmarked_views(form: Plain) -> Iterator[Plain]:
    """The form without the marks of emphasis that tear digits apart, where there are any."""
    if ("**" in form.text or "</" in form.text) and (view := _without(form, _MARKS_WITHIN)) is not form:
        yield view


def numeral_views(form: Plain) -> Iterator[Plain]:
    """The parts of a text where Chinese numerals stand in a row, with those numerals as digits.

    Numbers in words (二十万, 三百五十) are no rows; 一九九八 is one, and as a digit string as harmless as 1998.
    """
    if form.text.isascii():
        return
    rows = [row.span() for row in _ROW.finditer(form.text)]
    at = 0
    while at < len(rows):
        last = at
        while last + 1 < len(rows) and rows[last + 1][0] - rows[last][1] < _AROUND:
            last += 1
        start, end = max(0, rows[at][0] - _AROUND), min(len(form.text), rows[last][1] + _AROUND)
        shown, done = "", start
        for low, high in rows[at : last + 1]:
            shown += form.text[done:low] + form.text[low:high].translate(AS_DIGITS)
            done = high
        shown += form.text[done:end]
        yield Plain(shown, None, start) if form.origins is None else Plain(shown, form.origins[start:end])
        at = last + 1


def broken_views(form: Plain) -> Iterator[tuple[Plain, int]]:
    """The parts of a text around a line break inside what may be an identifier, without it, and where it was.

    It may be one where the words on both sides, with a digit or an @ in them, touch the break and are not short.
    """
    for found in _BREAK.finditer(form.text):
        low, high = found.span()
        left, right = form.text[max(0, low - _AROUND) : low], form.text[high : high + _AROUND]
        head, tail = _HEAD.search(left), _TAIL.match(right)
        word = (head[0] if head else "") + (tail[0] if tail else "")
        if len(word) >= _SHORTEST and _TELLING.search(word):
            places = np.r_[low - len(left) : low, high : high + len(right)]
            origins = places + form.shift if form.origins is None else form.origins[places]
            yield Plain(left + right, origins), len(left)


@cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """For each code point up to _LAST its ASCII likeness, and whether it is dropped, or has it only in rows."""
    likeness = np.arange(_LAST + 1, dtype=np.uint32)
    kinds = np.full(_LAST + 1, _KEEP, dtype=np.uint8)
    for code in range(0x80, _LAST):
        one = chr(code)
        if code in _FILLERS or unicodedata.category(one) == "Cf":
            kinds[code] = _DROP
        elif (like := _likeness(one)) is not None:
            likeness[code] = ord(like)
            if unicodedata.decimal(one, None) is None and (like.isdigit() or _tag(one) == "<circle>"):
                kinds[code] = _RINGED
    return likeness, kinds


def _likeness(one: str) -> str | None:
    """The ASCII character that another stands for."""
    if ord(one) in _SUPERSCRIPTS or one in _MARKS:
        return None
    if (digit := unicodedata.digit(one, None)) is not None:
        return str(digit)
    if one in _ALIKE:
        return _ALIKE[one]
    category = unicodedata.category(one)
    if category in ("Zs", "Pd"):
        return " " if category == "Zs" else "-"
    if _tag(one) in ("<wide>", "<font>", "<circle>", "<small>"):
        found = unicodedata.normalize("NFKC", one)
        if len(found) == 1 and found.isascii():
            return found
    return None


def _tag(one: str) -> str:
    return unicodedata.decomposition(one).partition(" ")[0]
