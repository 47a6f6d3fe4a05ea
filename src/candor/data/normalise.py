"""Normalisation of text that remembers where each character came from, and what encodings got wrong.

Nothing that carries meaning changes: canonical composition (NFC), one kind of line break, no control or invisible
characters, no spaces at the ends of lines, at most one empty line in a row. Width and compatibility forms stay.
"""

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import cache

_BREAKS = re.compile("\r\n?|\x85|\u2028|\u2029|\x0b|\x0c")
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]+"
)
# Tags make flags of parts of countries out of a black one, six or seven of them; elsewhere they are text unseen.
_TAG = "[\U000e0001\U000e0020-\U000e007f]"
_HIDDEN = re.compile(f"{_TAG}(?:(?<!\U0001f3f4.)(?<!{_TAG}.){_TAG}*|(?<=\U0001f3f4.){_TAG}{{7,}})")
_BLANK = " \t\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_MARKS = 30
_EMPTY = re.compile("\n{3,}")
_UNCLEAN = (("breaks", _BREAKS, "\n"), ("invisible", _HIDDEN, ""), ("invisible", _INVISIBLE, ""))
_CLEAN = re.compile(
    "[^\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0300-\u036f\u061c\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]*"
)

# What a wrong decoder leaves behind.
_TRAIL = "\x80-\xbf€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
"""What the bytes that go on in UTF-8, 80 to BF, are in Latin-1 and in Windows-1252."""
_USUAL = "\xa0«»·¹²³…–—‘’“”‹›•"
"""Those of them that stand behind a letter in good text."""
_LEADS = "ÂÃÄÅÎÏÐÑØÙ"
_AS_GBK = "锛鐨殑紝鍙屽鏈鍒紟杩屾勬鍏鍚鏁銆鐢鏄槸鍦鎴鏂傛嶆鍑勭闂鍔"
"""What 的 ， 。 是 在 and their like become where UTF-8 is read as GBK."""
_ACCENTS = "".join(bytes((0xC3, low)).decode("gbk") for low in range(0x80, 0xC0))
"""And letters with accents."""
_MISREAD = re.compile(
    f"[\x80-\x84\x86-\x9f\xa1-\xff鈥{_AS_GBK}{_ACCENTS}](?:"
    # UTF-8 read as Latin-1 or Windows-1252: two bytes, but no capital at the end of a quotation, and three.
    f"(?<=[{_LEADS}])(?![{_USUAL}])[{_TRAIL}]|(?<=[a-z][{_LEADS}])[{_USUAL}]"
    f"|(?<=[à-ï])(?![{_USUAL}]{{2}})[{_TRAIL}]{{2}}"
    # Windows-1252 read as Latin-1: controls where quotes were; GBK read as either: no space for eight letters.
    "|(?<=[\x80-\x9f])|(?<=[\xa1-\xff])(?!(.)\\1{2})[\xa1-\xff]{7,}"
    # UTF-8 read as GBK; quotation marks become 鈥 and a character that swallowed the next letter.
    f"|(?<=[{_AS_GBK}])|(?<=[ -~\n]鈥).?|(?<=[A-Za-z][{_ACCENTS}])(?=[a-z]))"
)
# Replacement characters read as GBK, and memory that was never filled; who writes about them puts them in quotes.
_FILLED = re.compile("[锟烫屯](?<![\"'`“‘「『《（(].)(?:(?<=锟)斤拷|(?<=烫)烫{3,}|(?<=屯)屯{3,})")


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
    """The normal form of a text; normalising it again changes nothing.

    A letter keeps its first 30 marks, as in Unicode's stream-safe text: to sort more takes quadratic time.
    """
    if _is_normal(text):
        return Normal(text, {})
    changes: dict[str, int] = {}
    pieces: list[tuple[int, int]] = [(0, 0)]  # (place in the new text, place in the old one)
    before = None

    def change(name: str, edits: list[tuple[int, int, str]]) -> None:
        nonlocal text, pieces
        if edits:
            text, pieces = _edit(text, pieces, edits)
            changes[name] = changes.get(name, 0) + len(edits)

    while before != text:  # removing a character may bring together what composes
        before = text
        if not text.isascii() and _heaps().search(text):
            change("marks", [(found.start() + _MARKS, found.end(), "") for found in _heaps().finditer(text)])
        if not _is_clean(text):
            for name, pattern, put in _UNCLEAN:
                change(name, [(found.start(), found.end(), put) for found in pattern.finditer(text)])
        change("blanks", _blanks(text))
        if "\n\n\n" in text:
            change("empty_lines", [(found.start(), found.end(), "\n\n") for found in _EMPTY.finditer(text)])
        if not unicodedata.is_normalized("NFC", text):
            change("composed", _compose(text))
    return Normal(text, changes, *(tuple(column) for column in zip(*pieces, strict=True)))


@cache
def _heaps() -> re.Pattern[str]:
    """More marks in a row than a letter has."""
    marks = "".join(one for one in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(one))
    return re.compile(f"[{marks}]{{{_MARKS + 1},}}")


def _is_clean(text: str) -> bool:
    found = _CLEAN.match(text)
    assert found is not None  # it matches nothing at least
    return found.end() == len(text)


def _is_normal(text: str) -> bool:
    return (
        _is_clean(text)
        and "\n\n\n" not in text
        and text[-1:] not in {*_BLANK}
        and not any(blank + "\n" in text for blank in " \t\u00a0\u3000")
        and not (not text.isascii() and _heaps().search(text))
        and unicodedata.is_normalized("NFC", text)
    )


def _blanks(text: str) -> list[tuple[int, int, str]]:
    """The blanks at the ends of lines."""
    found, at = [], 0
    for line in text.split("\n"):
        end = at + len(line)
        if line and line[-1] in _BLANK:
            found.append((at + len(line.rstrip(_BLANK)), end, ""))
        at = end + 1
    return found


def _compose(text: str) -> list[tuple[int, int, str]]:
    """NFC, one cluster of a letter and its marks after the other."""
    edits = []
    for found in re.finditer(r"[^\u0300-\U0010ffff]?[\u0300-\U0010ffff]+", text):
        start = found.start()
        # Clusters begin at characters that never compose with what stands before them.
        cluster = ""
        for place, one in enumerate(found[0]):
            if cluster and not unicodedata.combining(one) and not _composes(cluster[-1], one):
                if (composed := unicodedata.normalize("NFC", cluster)) != cluster:
                    edits.append((start, start + len(cluster), composed))
                cluster, start = "", found.start() + place
            cluster += one
        if (composed := unicodedata.normalize("NFC", cluster)) != cluster:
            edits.append((start, start + len(cluster), composed))
    return edits


def _composes(before: str, one: str) -> bool:
    """Whether NFC makes something else of two characters than of each."""
    if unicodedata.is_normalized("NFC", before + one):
        return False
    apart = unicodedata.normalize("NFC", before) + unicodedata.normalize("NFC", one)
    return unicodedata.normalize("NFC", before + one) != apart


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
            found.extend((at + k, old.origin(min(start + k, end - 1))) for k in range(len(put)))
            parts.append(put)
            at += len(put)
        done = end
    copy(done, len(text))
    at += len(text) - done
    found.append((at, old.origin(len(text))))
    return "".join(parts), found


def broken_encoding(text: str, most: float = 0.001) -> str:
    """What in a text shows that bytes were decoded wrongly; "" where less than `most` of its characters do.

    To be asked of a text as it came: normalise() takes out controls, and with them most of what shows it.
    """
    if text.isascii():
        return ""
    if text.count("\ufffd") > most * len(text):
        return "replacement characters"
    for what, pattern in (("characters of another encoding", _FILLED), ("bytes read as another encoding", _MISREAD)):
        found = (one[0] for one in pattern.finditer(text))
        # Letters in their order are a list of letters: a program says what it takes for one.
        if sum(len(one) for one in found if len(one) < 8 or [*one] != sorted({*one})) > most * len(text):
            return what
    return ""
