"""How the tagger is made: from annotated documents and from sentences that `made` writes, by gradient descent."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from candor.governance.pii.masking import FILL
from candor.governance.pii.tab import TabDocument
from candor.governance.pii.tagger import BITS, CLASSES, Layer, Reals, Tagger, first_inputs, second_inputs, softmax
from candor.governance.pii.words import Gazetteer, Words
from candor.records import Progress, no_progress
from candor.view import Ints

OF_TAB = {
    "PERSON": "person", "LOC": "location", "ORG": "organisation", "DEM": "attribute", "CODE": "code",
    "DATETIME": "date", "QUANTITY": "quantity", "MISC": "other",
}  # fmt: skip
"""Our type for each of theirs."""
EPOCHS, RATE, DROPPED, BATCH, FOLDS = 5, 0.15, 0.1, 64, 4
COMMON = 3
"""Times that a word must stand in small letters somewhere to count as a common one."""


@dataclass(frozen=True)
class Annotated:
    """A text, and what in it describes a person.

    >>> Annotated("Mr Braun lives in Linz.", ((0, 8, "person"), (18, 22, "location")))
    """

    text: str
    spans: tuple[tuple[int, int, str], ...]
    """First character, character behind the last, and type, of each; in any order."""


def annotated(documents: Iterable[TabDocument]) -> list[Annotated]:
    """Documents of the Text Anonymization Benchmark as ours."""
    return [
        Annotated(
            one.text,
            tuple((own.start, own.end, OF_TAB[own.type]) for own in one.mentions if own.identifier_type != "NO_MASK"),
        )
        for one in documents
    ]


def masked_copy(document: Annotated) -> Annotated:
    """The document as it looks when it is masked already: nothing is left to be found in it."""
    text, done = "", 0
    for start, end, _ in sorted(document.spans):
        if start >= done:
            text += document.text[done:start] + FILL * (end - start)
            done = end
    return Annotated(text + document.text[done:], ())


def common_words(texts: Iterable[str]) -> set[str]:
    """The words that often stand in small letters."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(re.findall(r"\b[a-z]{2,}\b", text))
    return {word for word, count in counts.items() if count >= COMMON}


def train(
    documents: Sequence[Annotated], gazetteer: Gazetteer, seed: int = 0, progress: Progress = no_progress
) -> Tagger:
    """A tagger; the second layer learns from what first layers said of documents that they had not seen.

    Every third document is learnt from once more as masked, so that a tag beside it makes no word a name.
    """
    documents = [*documents, *map(masked_copy, documents[::3])]
    words = Words([one.text for one in documents], gazetteer)
    target, inputs = _targets(words, documents), first_inputs(words)
    rows = (words.features >> np.uint32(32 - BITS)).T.astype(np.int64)
    fold = words.document % FOLDS
    said = np.zeros((len(words), len(CLASSES)), np.float32)
    for number in range(FOLDS):
        progress(number, FOLDS + 2, f"part {number + 1} of {FOLDS}")
        seen, other = fold != number, fold == number
        layer = _fit(rows[seen], inputs[seen], target[seen], seed)
        said[other] = layer(words.features[:, other], inputs[other])
    progress(FOLDS, FOLDS + 2, "first layer")
    first = _fit(rows, inputs, target, seed)
    progress(FOLDS + 1, FOLDS + 2, "second layer")
    return Tagger(first, _fit(rows, second_inputs(words, said), target, seed), gazetteer)


def _targets(words: Words, documents: Sequence[Annotated]) -> Ints:
    """[W] the type of each word."""
    found = np.zeros(len(words), np.int64)
    for first, document in zip(words.view.starts.tolist(), documents, strict=False):
        for start, end, kind in document.spans:
            low = np.searchsorted(words.ends, first + start, "right")
            high = np.searchsorted(words.starts, first + end, "left")
            found[low:high] = CLASSES.index(kind)
    return found


def _fit(rows: Ints, inputs: Reals, target: Ints, seed: int) -> Layer:
    """A layer by AdaGrad (Duchi et al., 2011) on softmax regression; some features are left out at random each time."""
    chance = np.random.default_rng(seed)
    table = np.zeros((1 << BITS, len(CLASSES)), np.float32)
    dense = np.zeros((inputs.shape[1], len(CLASSES)), np.float32)
    table_sum, dense_sum = np.full_like(table, 0.01), np.full_like(dense, 0.01)
    for epoch in range(EPOCHS):
        rate = RATE * 0.8**epoch
        order = chance.permutation(len(target))
        for at in range(0, len(order), BATCH):
            some = order[at : at + BATCH]
            own = rows[some]
            kept = chance.random(own.shape, np.float32) >= DROPPED
            error = softmax((table[own] * kept[..., None]).sum(1) + inputs[some] @ dense)
            error[np.arange(len(some)), target[some]] -= 1
            touched, gradient = _gathered(own[kept], np.repeat(error, kept.sum(1), 0))
            table_sum[touched] += gradient**2
            table[touched] -= rate * gradient / np.sqrt(table_sum[touched])
            slope = inputs[some].T @ error
            dense_sum += slope**2
            dense -= rate * slope / np.sqrt(dense_sum)
    scale = np.abs(table).max(0) / 127 + 1e-9
    return Layer(np.rint(table / scale).astype(np.int8), scale, dense)


def _gathered(rows: Ints, values: Reals) -> tuple[Ints, Reals]:
    """The distinct rows, and the sum of the values of each."""
    order = np.argsort(rows, kind="stable")
    firsts = np.flatnonzero(np.diff(rows[order], prepend=-1))
    return rows[order][firsts], np.add.reduceat(values[order], firsts)
