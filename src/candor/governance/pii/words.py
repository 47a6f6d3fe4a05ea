"""Words and what is known of them: what the tagger looks at, for many documents at once.

W words (one Han character is a word) in D documents, F features a word. A feature is a hash of what stands in and
around a word; equal features have equal hashes on every machine.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import ahocorasick
import numpy as np
from numpy.typing import NDArray

from candor.governance.pii.lists import HAN_LISTS, WORD_LISTS, read_list
from candor.view import ALONE, DIGIT, Hashes, Ints, View, mix

LOWER, TITLE, LETTER, UPPER, MIXED, NUMBER, CODE, HAN = 1, 2, 3, 4, 5, 6, 12, 13
"""Forms of a word: small, capitalised, one capital, capitals, mixed, digits (6 to 11 by length), with digits, Han."""
_CAPITALS = (TITLE, LETTER, UPPER, MIXED, CODE)
_STOPS = tuple(map(ord, ".!?:;。！？：；"))
_PRIMES = np.array(
    [0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F], np.uint64
)
_NOTHING = np.uint64(0)


@dataclass(frozen=True)
class Gazetteer:
    """What lists say of words: a word has a bit for each list that it stands in."""

    keys: Hashes
    """[K] hashes of words, rising."""
    bits: NDArray[np.uint64]
    """[K] lists of each."""
    single: NDArray[np.uint64]
    """Lists by code point, of entries that are one character."""
    automaton: "ahocorasick.Automaton"
    """Finds the longer entries of the Chinese lists in a text, with their bits."""

    @classmethod
    def known(cls, keys: Hashes, bits: NDArray[np.uint64]) -> "Gazetteer":
        """Words of which it is known in which of `WORD_LISTS` they stand, and the Chinese lists of the package."""
        entries: dict[str, int] = {}
        for place, name in enumerate(HAN_LISTS, start=len(WORD_LISTS)):
            for entry in read_list(name):
                entries[entry] = entries.get(entry, 0) | 1 << place
        single = np.zeros(0x10000, np.uint64)
        automaton = ahocorasick.Automaton()
        for entry, own in entries.items():
            if len(entry) == 1:
                single[ord(entry)] = own
            else:
                automaton.add_word(entry, (own, len(entry)))
        automaton.make_automaton()
        return cls(keys, bits, single, automaton)

    @classmethod
    def made(cls, lists: Mapping[str, Iterable[str]]) -> "Gazetteer":
        """From the words themselves, by list."""
        bits: dict[int, int] = {}
        for place, name in enumerate(WORD_LISTS):
            for word in View([" ".join(lists[name])]).words.tolist():  # entries of several words count by each
                bits[word] = bits.get(word, 0) | 1 << place
        keys = sorted(bits)
        return cls.known(np.array(keys, np.uint64), np.array([bits[key] for key in keys], np.uint64))

    def of(self, view: View, texts: Sequence[str]) -> NDArray[np.uint64]:
        """[W] the lists that each word stands in."""
        at = np.minimum(np.searchsorted(self.keys, view.words), len(self.keys) - 1)
        found = np.where(self.keys[at] == view.words, self.bits[at], _NOTHING)
        if view.han.any():
            of_code = self.single[np.where(view.codes < len(self.single), view.codes, 0)]
            for start, text in zip(view.starts.tolist(), texts, strict=False):
                if not text.isascii():
                    for end, (own, size) in self.automaton.iter_long(text):
                        of_code[start + end + 1 - size : start + end + 1] |= np.uint64(own)
            found = found | of_code[view.word_starts]
        return found


def _next(values: NDArray[np.generic], by: int) -> NDArray[np.generic]:
    """values[t + by], zeros where that is beyond the ends."""
    out = np.zeros_like(values)
    if by > 0:
        out[:-by] = values[by:]
    else:
        out[-by:] = values[:by]
    return out


class Words:
    """The words of some documents with their features."""

    def __init__(self, texts: Sequence[str], gazetteer: Gazetteer):
        self.view = view = View(texts)
        self.starts, self.ends = view.word_starts, view.word_ends
        self.document = view.document_of_word
        self.form = self._forms()
        self.lists = gazetteer.of(view, texts)

    def __len__(self) -> int:
        return len(self.starts)

    def _forms(self) -> Ints:
        view, starts, ends = self.view, self.starts, self.ends
        capital = view.capital
        capitals = view.count_in(capital, starts, ends)
        digits = view.count_in(view.kinds == DIGIT, starts, ends)
        size, first = ends - starts, capital[starts]
        form = np.full(len(starts), MIXED)
        form[capitals == 0] = LOWER
        form[first & (capitals == 1)] = TITLE
        form[first & (size == 1)] = LETTER
        form[(capitals == size) & (size > 1)] = UPPER
        form[digits > 0] = CODE
        form[digits == size] = NUMBER + np.minimum(size[digits == size], 6) - 1
        form[view.kinds[starts] == ALONE] = HAN
        return form

    @cached_property
    def same(self) -> Ints:
        """[W] a number for each different word of each document."""
        return np.unique(self._of_document, return_inverse=True)[1]

    @cached_property
    def _of_document(self) -> Hashes:
        return mix(self.view.words + self.document.astype(np.uint64) * _PRIMES[0])

    @cached_property
    def capitalised(self) -> NDArray[np.bool_]:
        """[W] whether each word has a capital."""
        return np.isin(self.form, _CAPITALS)

    def near(self, values: NDArray[np.generic], by: int) -> NDArray[np.generic]:
        """[W, ...] the values of the word that stands `by` words behind, zeros beyond the document."""
        out = _next(values, by)
        out[_next(self.document + 1, by) != self.document + 1] = 0
        return out

    @cached_property
    def _gaps(self) -> tuple[Hashes, Hashes, NDArray[np.bool_]]:
        """What stands between each word and the one before and behind it, and whether a sentence begins with it."""
        view, ends = self.view, self.ends
        behind = np.append(self.starts[1:], len(view.codes))
        last = np.append(self.document[1:] != self.document[:-1], True)
        gap = view.hash_spans(ends, behind)
        gap[last] = 1
        breaks = view.count_in(view.codes == 10, ends, behind) > 0
        stop = np.isin(view.codes[np.minimum(ends, len(view.codes) - 1)], _STOPS) | breaks | last
        before, begins = np.ones_like(gap), np.ones(len(gap), bool)
        before[1:], begins[1:] = gap[:-1], stop[:-1]
        return before, gap, begins

    @cached_property
    def features(self) -> NDArray[np.uint32]:
        """[F, W] upper halves of the hashes of the features."""
        view, word = self.view, self.view.words
        before, behind, begins = self._gaps
        same, form = self.same, self.form
        seen = np.zeros((3, int(same.max(initial=-1)) + 1), bool)
        seen[0, same[form == LOWER]] = True
        seen[1, same[self.capitalised & ~begins]] = True
        often = np.minimum(np.bincount(same), 4)[same].astype(np.uint64) if len(same) else word
        # What a word is by itself: its form, whether the document has it small and large too, the lists that have it.
        own = form.astype(np.uint64) << np.uint64(2) | seen[0, same].astype(np.uint64) << np.uint64(1)
        own |= seen[1, same].astype(np.uint64)
        kind = mix(own * _PRIMES[0] + self.lists * _PRIMES[1])
        w = {by: self.near(word, by) for by in (-3, -2, -1, 1, 2, 3)} | {0: word}
        k = {by: self.near(kind, by) for by in (-2, -1, 1, 2)} | {0: kind}
        lists = {by: self.near(self.lists, by) for by in (-2, -1, 1, 2)}
        ends = [view.hash_spans(np.maximum(self.starts, self.ends - size), self.ends) for size in (2, 3, 4)]
        starts = view.hash_spans(self.starts, np.minimum(self.ends, self.starts + 3))
        own = own + np.uint64(1)
        columns = [
            (word,), (word, own), (w[-1],), (w[1],), (w[-2],), (w[2],), (w[-3],), (w[3],),
            (w[-1], word), (word, w[1]), (w[-1], kind, w[1]), (w[-2], w[-1], kind), (kind, w[1], w[2]),
            (starts, own), (ends[0], own), (ends[1], own), (ends[2], own),
            (kind,), (k[-1], kind), (kind, k[1]), (k[-1], kind, k[1]), (k[-2], k[-1], kind, k[1], k[2]),
            (kind, before, behind), (k[-1], before, kind, behind, k[1]), (kind, begins.astype(np.uint64), often),
            (w[-2], w[-1], word), (word, w[1], w[2]), (lists[-1], kind), (kind, lists[1]), (lists[-2], kind, lists[2]),
        ]  # fmt: skip
        sums = np.empty((len(columns), len(word)), np.uint64)
        for place, (row, parts) in enumerate(zip(sums, columns, strict=True)):
            row[:] = (place + 1) * 0x632BE59BD9B4E019 % 2**64
            for prime, part in zip(_PRIMES, parts, strict=False):
                row += part * prime
        return (mix(sums) >> np.uint64(32)).astype(np.uint32)
