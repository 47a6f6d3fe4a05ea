"""A filter for hate, pornography, violence and spam in English and Chinese, by words and by lists of terms.

The classifier is linear over words and runs of two and three words, as the filters of C4 (arXiv 1910.10683, 2.2: a list
of words) and Dolma (arXiv 2402.00159, 3.1: a linear classifier over n-grams) are; `harmful_training` makes its weights.
It reads windows of 200 words, so that a long document does not hide a harmful part. It knows what words do together,
not what they mean: its figures, and what it misses, are those of `harmful_training.report`.
"""

from collections import Counter
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import Any, NamedTuple

import ahocorasick
import numpy as np
from numpy.typing import NDArray

from candor.errors import DataError
from candor.files import read_arrays, write_arrays
from candor.view import DIGIT, LETTER, Ints, View

CLASSES = ("hate", "pornography", "violence", "spam")
"""What the filter takes out, in the order of its scores."""
GRAMS = (1, 2, 3)
"""Lengths in words of the runs that are looked at."""
BLOCK = 100
"""Words of half a window; a window begins at each block."""
TOP, MORE = 2, 100
"""Windows that make the score: two, and one more for each hundred, or a novel would fall with its one battle. Measured
on pieces of books, two take out a third as many clean ones as the highest alone, and find as many harmful ones."""
PRIOR = 20
"""Words that each window is taken to have besides its own: what a single sentence says counts for less."""
THRESHOLD = 0.5
"""Score from which a document is harmful."""
WEIGHTS = Path(__file__).with_name("harmful.npz")
"""The weights that come with the package."""
_BITS = 18
Scores = NDArray[np.float32]


class Windows(NamedTuple):
    """Which known runs stand in which windows. V windows, H hits."""

    first: Ints
    """[D + 1] first window of each document; the last one is V."""
    size: Ints
    """[V] words of each window."""
    of: Ints
    """[H] window of each hit, rising; no row twice in a window."""
    row: Ints
    """[H] row of the run in `Vocabulary.keys`."""


class Vocabulary:
    """Known runs of words by the upper 32 bits of their hashes; 2^18 slots say at once that a run is not known."""

    def __init__(self, keys: NDArray[np.uint32]):
        self.keys = keys
        """[R] one key to a slot: the others are lost, see `slots`."""
        self._row = np.full(1 << _BITS, -1, np.int32)
        self._row[slots(keys)] = np.arange(len(keys))

    def windows(self, view: View) -> Windows:
        """Windows of a view; a document of no more than two blocks is one window, each further block begins another."""
        blocks = -(-view.word_count // BLOCK)
        first = np.concatenate(([0], np.cumsum(np.maximum(blocks - 1, 1))))
        of = view.document_of_word
        block = (np.arange(len(of)) - view.first_words[of]) // BLOCK
        here = first[of] + block
        places, rows = [], []
        for n in GRAMS:
            at, keys = run_keys(view, n)
            row = self._row[slots(keys)]
            known = np.flatnonzero(row >= 0)
            known = known[self.keys[row[known]] == keys[known]]
            places.append(known if at is None else at[known])
            rows.append(row[known])
        place, row = np.concatenate(places), np.concatenate(rows)
        # A block is the second half of the window before it and the first half of its own.
        second, opens = block[place] > 0, here[place] < first[of[place] + 1]
        of = np.concatenate((here[place][second] - 1, here[place][opens]))
        row = np.concatenate((row[second], row[opens]))
        once = distinct(of * len(self.keys) + row)
        size = np.bincount(here[block > 0] - 1, minlength=first[-1])
        size += np.bincount(here[here < first[view.document_of_word + 1]], minlength=first[-1])
        return Windows(first, size, once // len(self.keys), once % len(self.keys))


def distinct(values: Ints) -> Ints:
    """The different values, rising (`np.unique` of some NumPy versions is many times slower)."""
    values = np.sort(values)
    return values[np.diff(values, prepend=-1) != 0]


def run_keys(view: View, n: int) -> tuple[Ints | None, NDArray[np.uint32]]:
    """First words (None: every word) and keys of the runs of n words."""
    at, hashes = (None, view.words) if n == 1 else view.grams(n)
    return at, (hashes >> np.uint64(32)).astype(np.uint32)


def slots(keys: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """Slot of each key."""
    return keys >> np.uint32(32 - _BITS)


class HarmfulClassifier:
    """One logistic regression to a class.

    A window's score is the logistic of the sum of the weights of the known runs in it, each counted once, divided by
    the root of the number of its words, known or not: unknown words speak for a clean text. A document's score is the
    mean of its highest windows, before the logistic: two, as a stretch stands in two, and more of a long document.

    >>> HarmfulClassifier.load().verdict(View(["The cat sat on the mat.", "猫坐在垫子上。"]))
    ['', '']
    """

    def __init__(self, keys: NDArray[np.uint32], weights: NDArray[np.int8], scale: Scores, bias: Scores):
        self.keys, self.weights, self.scale, self.bias = keys, weights, scale, bias
        """[R] keys, [R, 4] weights in units of `scale` [4], `bias` [4]; classes as in `CLASSES`."""
        self.vocabulary = Vocabulary(keys)

    @classmethod
    def load(cls, path: str | Path | None = None) -> "HarmfulClassifier":
        """Weights from an .npz file of `save`; those of the package without a path."""
        keys, weights, scale, bias = read_arrays(Path(path or WEIGHTS), ("keys", "weights", "scale", "bias"))
        return cls(keys, weights, scale, bias)

    def save(self, path: Path) -> None:
        """Write the file that `load` reads."""
        parts = (("keys", self.keys), ("weights", self.weights), ("scale", self.scale), ("bias", self.bias))
        write_arrays(path, dict[str, NDArray[Any]](parts))

    @cached_property
    def _table(self) -> Scores:
        """[4, R]."""
        return np.ascontiguousarray((self.weights * self.scale).T)

    def logits(self, windows: Windows) -> Scores:
        """[V, 4] of windows of this vocabulary."""
        sums = [np.bincount(windows.of, weights[windows.row], len(windows.size)) for weights in self._table]
        return np.asarray(np.stack(sums, 1) / np.sqrt(windows.size + PRIOR)[:, None] + self.bias, np.float32)

    def scores(self, view: View) -> Scores:
        """[D, 4] float32 between 0 and 1, by `CLASSES`; the bias alone speaks of an empty document."""
        windows = self.vocabulary.windows(view)
        if not len(view):
            return np.zeros((0, len(CLASSES)), np.float32)
        logits, count = self.logits(windows), np.diff(windows.first)
        of = np.repeat(np.arange(len(view)), count)
        top = np.minimum(count, TOP + count // MORE)
        taken = np.arange(len(of)) >= (windows.first[1:] - top)[of]
        means = [np.bincount(of[taken], own[np.lexsort((own, of))][taken], len(view)) / top for own in logits.T]
        return np.asarray(1 / (1 + np.exp(-np.stack(means, 1))), np.float32)

    def verdict(self, view: View, threshold: float = THRESHOLD) -> list[str]:
        """[D] the class of the highest score if it is at least `threshold`, else ""."""
        scores = self.scores(view)
        best = scores.argmax(1)
        return [CLASSES[c] if row[c] >= threshold else "" for c, row in zip(best.tolist(), scores, strict=True)]


KEYWORD = "keyword"
"""Class of a term that names none."""


class Match(NamedTuple):
    """A term of a bank in a text."""

    start: int
    """First character."""
    end: int
    """Character behind the last."""
    term: str
    """The term as the bank has it."""
    kind: str
    """Its class."""


class KeywordBank:
    """Terms found in a text all at once, however many they are (Aho and Corasick, CACM 18(6), 1975), case aside.

    Where a term begins or ends with a letter or a digit of a script with spaces, a word of the text must begin or end
    there too; Han terms are found anywhere.

    >>> KeywordBank([("Casino", "spam"), ("赌场", "spam")]).find("A CASINO, casinos, 澳门赌场")
    [Match(start=2, end=8, term='Casino', kind='spam'), Match(start=21, end=23, term='赌场', kind='spam')]
    """

    def __init__(self, terms: Iterable[tuple[str, str]]):
        """Terms, none empty, with their classes; of terms that differ in case only the last one counts."""
        self._automaton = ahocorasick.Automaton()
        terms = list(terms)
        view = View([term for term, _ in terms])
        spelt = (view.kinds == LETTER) | (view.kinds == DIGIT)
        first, last = spelt[view.starts[:-1]].tolist(), spelt[view.starts[1:] - 2].tolist()
        for (term, kind), *whole in zip(terms, first, last, strict=True):
            self._automaton.add_word(_lower(term), (len(term), term, kind, *whole))
        self._automaton.make_automaton()

    def __len__(self) -> int:
        return len(self._automaton)

    @property
    def sizes(self) -> dict[str, int]:
        """Class -> number of its terms."""
        return dict(Counter(kind for _, _, kind, *_ in self._automaton.values()))

    @classmethod
    def read(cls, path: str | Path) -> "KeywordBank":
        """A bank from a UTF-8 file: one term a line, or a term, a tab and its class; lines that begin with # are notes.

        Raises DataError, with the line, for anything else.
        """
        try:
            lines = Path(path).read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n")
        except OSError as error:
            raise DataError(f"{path}: no keyword bank can be read here ({error.strerror}); name a text file") from error
        terms: dict[str, tuple[str, str, int]] = {}
        for number, line in enumerate(lines, 1):
            if not (found := _parse(line, f"{path}, line {number}")):
                continue
            term, kind = found
            known = terms.setdefault(_lower(term), (term, kind, number))
            if known[1] != kind:
                raise DataError(
                    f"{path}, line {number}: {term!r} is {kind!r} here and {known[1]!r} in line {known[2]}; keep one"
                )
        if not terms:
            raise DataError(f"{path}: no terms; write one a line")
        return cls((term, kind) for term, kind, _ in terms.values())

    def find(self, text: str) -> list[Match]:
        """All places of all terms, those within others too, by start and end."""
        if not len(self):
            return []
        found = list(self._automaton.iter(_lower(text)))
        if not found:
            return []
        kinds = View([text]).kinds
        spelt = (kinds == LETTER) | (kinds == DIGIT)
        matches = []
        for last, (size, term, kind, word_first, word_last) in found:
            start = last + 1 - size
            if not ((word_first and start and spelt[start - 1]) or (word_last and spelt[last + 1])):
                matches.append(Match(start, last + 1, term, kind))
        return sorted(matches)


def _parse(line: bytes, where: str) -> tuple[str, str] | None:
    """Term and class of a line; None for an empty one or a note."""
    try:
        text = line.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from error
    if not text.strip() or text.startswith("#"):
        return None
    term, *kinds = (part.strip() for part in text.split("\t"))
    if len(kinds) > 1:
        raise DataError(f"{where}: {len(kinds)} tabs; write a term, or a term, one tab and its class")
    if not term or kinds == [""]:
        raise DataError(
            f"{where}: nothing {'behind' if term else 'before'} the tab; write a term, one tab and its class"
        )
    if not term.isprintable():
        raise DataError(f"{where}: {term!r} has a character that cannot be printed; take it out")
    return term, kinds[0] if kinds else KEYWORD


@cache
def _small() -> dict[int, str]:
    """Lower case of every character that has one of a single character."""
    return {code: low for code in range(0x1F000) if len(low := chr(code).lower()) == 1 and ord(low) != code}


def _lower(text: str) -> str:
    """`text` in lower case, character by character: as long as before."""
    return text.lower() if text.isascii() else text.translate(_small())
