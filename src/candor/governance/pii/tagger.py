"""A tagger for what rules cannot tell: names of people, places and organisations, and what else describes a person.

Two linear layers over hashed features of words, the second of which also sees what the first said of the words around
and of the same word elsewhere in the document: a name that is plain in one place is found in the others. It is small,
runs in numpy, and knows what its training knew; `training` makes its weights, and its figures are in the docs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from candor.files import read_arrays, write_arrays
from candor.governance.pii.spans import Span, class_of
from candor.governance.pii.words import HAN, Gazetteer, Words

Reals = NDArray[np.float32]

CLASSES = ("", "person", "location", "organisation", "attribute", "code", "date", "quantity", "other")
"""What a word may be part of; nothing is the first."""
THRESHOLD = 0.85
"""A word is masked where the chance that it is part of nothing is lower: rather too many than one too few."""
HAN_SHARE = 0.6
"""Of the threshold for Han characters, whose training is made only; and one alone is no name."""
WEIGHTS = Path(__file__).with_name("tagger.npz")
"""The weights that come with the package."""
BITS = 15
"""Rows of a layer's table, as a power of two."""
_AROUND = (-3, -2, -1, 0, 1, 2, 3)
_ROWS = 8192
"""Words whose rows are in memory at a time."""


@dataclass(frozen=True)
class Layer:
    """A linear layer: rows of a table that the features choose, and weights of what is dense. C classes, E inputs."""

    table: NDArray[np.int8]
    """[2^BITS, C] of hashed features."""
    scale: Reals
    """[C] what one step of the table is worth."""
    dense: Reals
    """[E, C] of dense inputs."""

    @cached_property
    def _weights(self) -> Reals:
        return self.table.astype(np.float32) * self.scale

    def __call__(self, features: NDArray[np.uint32], inputs: Reals) -> Reals:
        """[W, C] chances of the classes."""
        table = self._weights
        logits = inputs @ self.dense
        rows = (features >> np.uint32(32 - BITS)).astype(np.intp)
        for at in range(0, len(logits), _ROWS):
            some = logits[at : at + _ROWS]
            for own in rows[:, at : at + _ROWS]:  # one feature after the other: five times as fast as all at once
                some += np.take(table, own, axis=0, mode="clip")
        return softmax(logits)


def softmax(logits: Reals) -> Reals:
    """[W, C] chances."""
    found = np.exp(logits - logits.max(1, keepdims=True))
    return found / found.sum(1, keepdims=True)


def first_inputs(words: Words) -> Reals:
    """[W, 1] what the first layer sees besides features: a constant."""
    return np.ones((len(words), 1), np.float32)


def second_inputs(words: Words, said: Reals) -> Reals:
    """[W, E] what the first layer said of the words around, and of the same word in the document: the mean, and for
    words with a capital the most."""
    around = [words.near(said, by) if by else said for by in _AROUND]
    count = int(words.same.max(initial=-1)) + 1
    most, total = np.zeros((2, count, said.shape[1]), np.float32)
    order = np.argsort(words.same, kind="stable")
    if count:
        firsts = np.flatnonzero(np.diff(words.same[order], prepend=-1))
        most = np.maximum.reduceat(said[order], firsts)
        total = np.add.reduceat(said[order], firsts)
    mean = total[words.same] / np.bincount(words.same, minlength=count)[words.same][:, None]
    large = words.capitalised[:, None]
    parts = [*around, most[words.same] * large, mean, mean * large, np.ones((len(said), 1))]
    return np.concatenate(parts, 1).astype(np.float32)


class Tagger:
    """Finds what describes a person.

    >>> Tagger.load().find(["Mr Braun lives in Linz."])[0]
    [Span(start=0, end=8, type='person', ...), Span(start=18, end=22, type='location', ...)]
    """

    def __init__(self, first: Layer, second: Layer, gazetteer: Gazetteer):
        self.first, self.second, self.gazetteer = first, second, gazetteer

    def chances(self, words: Words) -> Reals:
        """[W, C] chances of the types."""
        said = self.first(words.features, first_inputs(words))
        return self.second(words.features, second_inputs(words, said))

    def find(self, texts: Sequence[str], threshold: float = THRESHOLD) -> list[list[Span]]:
        """The spans of each text, in order; words of one type with only spaces between them are one."""
        words = Words(texts, self.gazetteer)
        if not len(words):
            return [[] for _ in texts]
        chances = self.chances(words)
        found: list[list[Span]] = [[] for _ in texts]
        han = words.form == HAN
        hits = np.flatnonzero(chances[:, 0] < np.where(han, HAN_SHARE * threshold, threshold))
        kinds = chances[hits, 1:].argmax(1) + 1
        firsts = words.view.starts[words.document[hits]]
        rows = zip(
            words.document[hits].tolist(), (words.starts[hits] - firsts).tolist(), (words.ends[hits] - firsts).tolist(),
            kinds.tolist(), strict=True,
        )  # fmt: skip
        for document, start, end, kind in rows:
            spans, text = found[document], texts[document]
            if spans and spans[-1].type == CLASSES[kind] and not text[spans[-1].end : start].strip(" .'’-"):
                start = spans.pop().start
            spans.append(Span(start, end, CLASSES[kind], class_of(CLASSES[kind]), "tagger"))
        return [
            [one for one in spans if one.end - one.start > 1 or text[one.start] < "\u3000"]
            for spans, text in zip(found, texts, strict=True)
        ]

    def save(self, path: Path = WEIGHTS) -> None:
        """Write the weights."""
        arrays = {f"{layer}_{part}": getattr(getattr(self, layer), part) for layer, part in _PARTS}
        write_arrays(path, arrays | {"keys": self.gazetteer.keys, "bits": self.gazetteer.bits})

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> "Tagger":
        """Read the weights, once for each path."""
        return _load(path)


_PARTS = tuple((layer, part) for layer in ("first", "second") for part in ("table", "scale", "dense"))


@cache
def _load(path: Path) -> Tagger:
    *parts, keys, bits = read_arrays(path, [*(f"{layer}_{part}" for layer, part in _PARTS), "keys", "bits"])
    return Tagger(Layer(*parts[:3]), Layer(*parts[3:]), Gazetteer.known(keys, bits))
