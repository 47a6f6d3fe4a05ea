"""Documents as arrays: every step reads the same characters, words and lines, found once for many documents together.

A word is a run of letters and digits, or one character of a script without spaces (Han, kana, Thai and the like):
English and Chinese then have the same unit of meaning, roughly. Hashes are 64 bits and ignore case; they are the same
on every machine and in every process.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]

SPACE, LETTER, DIGIT, ALONE, OTHER = range(5)
"""Classes of characters; ALONE are those that are a word each."""
_ALONE = (
    (0x0E00, 0x0E80), (0x0E80, 0x0F00), (0x1000, 0x10A0), (0x1780, 0x1800), (0x3005, 0x3008), (0x3021, 0x302A),
    (0x3040, 0x3100), (0x31F0, 0x3200), (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32000),
)  # fmt: skip
_HAN = ((0x3005, 0x3008), (0x3400, 0x4DC0), (0x4E00, 0xA000), (0xF900, 0xFB00), (0x20000, 0x32000))
_SELECTORS = range(0xFE00, 0xFE10)
"""They choose the look of a sign and go with no letter."""
_BASE = 0x9E3779B97F4A7C15  # odd, so that its powers have inverses modulo 2^64
_WORDS = 0xD1B54A32D192ED03
_BREAK = 10


def mix(values: Hashes) -> Hashes:
    """Spread 64 bits over 64 bits, one to one (the finaliser of splitmix64)."""
    values = values ^ (values >> np.uint64(30))
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values


def _everything() -> str:
    """Every code point at its place; zeros for the surrogates."""
    codes = np.arange(0x110000, dtype="<u4")
    codes[0xD800:0xE000] = 0
    return codes.tobytes().decode("utf-32-le")


@cache
def _classes() -> NDArray[np.uint8]:
    """Class of every code point."""
    text = _everything()
    table = np.full(0x110000, OTHER, np.uint8)
    for kind, pattern in ((LETTER, r"[^\W\d_]+"), (DIGIT, r"\d+"), (SPACE, r"\s+")):
        for run in re.finditer(pattern, text):
            table[run.start() : run.end()] = kind
    # Marks go with the letter before them: an accent written apart, a vowel sign.
    for code in range(0x300, 0xFE30):
        if table[code] == OTHER and code not in _SELECTORS and unicodedata.category(chr(code)) in ("Mn", "Mc"):
            table[code] = LETTER
    for low, high in _ALONE:
        table[low:high][table[low:high] != SPACE] = ALONE
    return table


@cache
def _folded() -> NDArray[np.uint32]:
    """Lower case of every code point that has one of a single character."""
    # The one whose lower case is two characters stays; a sigma is never the last of a word here.
    low = _everything().replace("\u0130", "\0").lower()
    table = np.frombuffer(low.encode("utf-32-le"), np.uint32).copy()
    table[0x130] = 0x130
    table[0xD800:0xE000] = np.arange(0xD800, 0xE000)
    return table


def _powers(base: int, size: int) -> tuple[Hashes, Hashes]:
    """base^i and base^-i modulo 2^64 for i < size."""
    up, down = _rounded_powers(base, 1 << max(12, (size - 1).bit_length()))
    return up[:size], down[:size]


@cache
def _rounded_powers(base: int, size: int) -> tuple[Hashes, Hashes]:
    """`_powers` of few sizes, which are kept."""
    found = []
    for one in (base, pow(base, -1, 2**64)):
        powers = np.ones(size, np.uint64)
        powers[1:] = one
        found.append(np.multiply.accumulate(powers))
    return found[0], found[1]


@cache
def _han() -> NDArray[np.bool_]:
    table = np.zeros(0x110000, bool)
    for low, high in _HAN:
        table[low:high] = True
    return table


class View:
    """Documents side by side. Letters: D documents, C characters (a line break behind each document), W words, L lines.

    >>> view = View(["The cat sat.\\nThe cat sat.", "天地玄黄"])
    >>> view.word_count.tolist(), view.document_of_word.tolist()
    ([6, 4], [0, 0, 0, 0, 0, 0, 1, 1, 1, 1])
    """

    def __init__(self, texts: Sequence[str]):
        whole = "\n".join(texts) + "\n"
        self.codes: NDArray[np.uint32] = np.frombuffer(whole.encode("utf-32-le", "surrogatepass"), np.uint32)
        """[C] code points."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        self.starts: Ints = np.concatenate(([0], np.cumsum(lengths + 1)))
        """[D + 1] first character of each document; the last one is C."""
        self.lengths = lengths
        """[D] characters of each document."""
        self.kinds = _classes()[self.codes]
        """[C] class of each character."""

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def _word_bounds(self) -> tuple[Ints, Ints]:
        inside = (self.kinds == LETTER) | (self.kinds == DIGIT)
        alone = self.kinds == ALONE
        first, last = inside.copy(), inside.copy()
        first[1:] &= ~inside[:-1]
        last[:-1] &= ~inside[1:]
        return np.flatnonzero(first | alone), np.flatnonzero(last | alone) + 1

    @property
    def word_starts(self) -> Ints:
        """[W] first character of each word."""
        return self._word_bounds[0]

    @property
    def word_ends(self) -> Ints:
        """[W] character behind each word."""
        return self._word_bounds[1]

    @cached_property
    def first_words(self) -> Ints:
        """[D + 1] first word of each document; the last one is W."""
        return np.searchsorted(self.word_starts, self.starts)

    @cached_property
    def word_count(self) -> Ints:
        """[D] words of each document."""
        return np.diff(self.first_words)

    @cached_property
    def document_of_word(self) -> Ints:
        """[W] document of each word."""
        return np.repeat(np.arange(len(self)), self.word_count)

    @cached_property
    def _prefix(self) -> tuple[Hashes, Hashes]:
        """Sums of the hashes of the characters before each, [C + 1], and what takes the place out again."""
        size = len(self.codes)
        up, down = _powers(_BASE, size)
        sums = np.zeros(size + 1, np.uint64)
        np.cumsum(mix(_folded()[self.codes].astype(np.uint64) + np.uint64(1)) * up, out=sums[1:])
        return sums, down

    def hash_spans(self, starts: Ints, ends: Ints) -> Hashes:
        """Hash of the characters of each span, case aside; equal text has equal hashes wherever it stands."""
        sums, down = self._prefix
        return mix((sums[ends] - sums[starts]) * down[starts])

    @cached_property
    def words(self) -> Hashes:
        """[W] hash of each word."""
        return self.hash_spans(self.word_starts, self.word_ends)

    @cached_property
    def _word_sums(self) -> tuple[Hashes, Hashes]:
        up, down = _powers(_WORDS, len(self.words))
        sums = np.zeros(len(self.words) + 1, np.uint64)
        np.cumsum(self.words * up, out=sums[1:])
        return sums, down

    def grams(self, n: int) -> tuple[Ints, Hashes]:
        """First word of each run of n words within one document, and the hash of the run."""
        of = self.document_of_word
        count = max(0, len(of) - n + 1)
        places = np.flatnonzero(of[:count] == of[n - 1 :]) if count else np.zeros(0, np.int64)
        return places, self.hash_grams(places, n)

    def hash_grams(self, places: Ints, n: int | Ints) -> Hashes:
        """Hash of the n words from each place on; n may be another one for each."""
        sums, down = self._word_sums
        return mix((sums[places + n] - sums[places]) * down[places])

    # Lines.

    @cached_property
    def lines(self) -> tuple[Ints, Ints, Ints]:
        """First character, character behind the last, and document, of each line that is not empty, spaces cut off."""
        ends = np.flatnonzero(self.codes == _BREAK)
        starts = np.concatenate(([0], ends[:-1] + 1))
        seen = np.flatnonzero(self.kinds != SPACE)
        first, behind = np.searchsorted(seen, starts), np.searchsorted(seen, ends)
        full = first < behind
        starts, ends = seen[first[full]], seen[behind[full] - 1] + 1
        return starts, ends, np.searchsorted(self.starts, starts, side="right") - 1

    @property
    def line_starts(self) -> Ints:
        """[L] first character of each line; empty lines do not count."""
        return self.lines[0]

    @property
    def line_ends(self) -> Ints:
        """[L] character behind the last of each line."""
        return self.lines[1]

    @property
    def document_of_line(self) -> Ints:
        """[L] document of each line."""
        return self.lines[2]

    @cached_property
    def line_count(self) -> Ints:
        """[D] lines of each document."""
        return np.bincount(self.document_of_line, minlength=len(self))

    @cached_property
    def paragraphs(self) -> tuple[Ints, Ints, Ints]:
        """As `lines`, of runs of lines between empty ones."""
        starts, ends, of = self.lines
        if not len(starts):
            return starts, ends, of
        breaks = np.concatenate(([0], np.cumsum(self.codes == _BREAK)))
        new = np.ones(len(starts), bool)
        new[1:] = (breaks[starts[1:]] - breaks[ends[:-1]] > 1) | (of[1:] != of[:-1])
        last = np.ones(len(starts), bool)
        last[:-1] = new[1:]
        return starts[new], ends[last], of[new]

    # Sums over documents.

    def per_document(self, where: NDArray[np.bool_]) -> Ints:
        """[D] number of characters of each document of which `where` [C] is true."""
        sums = np.concatenate(([0], np.cumsum(where, dtype=np.int64)))
        return sums[self.starts[1:] - 1] - sums[self.starts[:-1]]

    def count_in(self, where: NDArray[np.bool_], starts: Ints, ends: Ints) -> Ints:
        """Number of characters of each span of which `where` [C] is true."""
        sums = np.concatenate(([0], np.cumsum(where, dtype=np.int64)))
        return sums[ends] - sums[starts]

    @cached_property
    def capital(self) -> NDArray[np.bool_]:
        """[C] whether each character is a capital letter: whether it has another one as its lower case."""
        return _folded()[self.codes] != self.codes

    @cached_property
    def han(self) -> NDArray[np.bool_]:
        """[C] whether each character is a Han character."""
        return _han()[self.codes]

    def one_of(self, characters: str) -> NDArray[np.bool_]:
        """[C] whether each character is one of these."""
        found = np.zeros(len(self.codes), bool)
        for one in characters:
            found |= self.codes == ord(one)
        return found
