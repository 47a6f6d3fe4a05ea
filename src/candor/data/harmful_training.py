"""The weights of the harmful-text filter, made from documents of `harmful_text`, and what they are worth.

`train().save(WEIGHTS)` makes the file that comes with the package, the same bytes each time on one platform.
"""

import numpy as np
from numpy.typing import NDArray

from candor.data.harmful import (
    CLASSES,
    GRAMS,
    PRIOR,
    THRESHOLD,
    HarmfulClassifier,
    Vocabulary,
    Windows,
    distinct,
    run_keys,
    slots,
)
from candor.data.harmful_text import CLEAN, Lang, Split, harmful_texts
from candor.view import Ints, View

DOCUMENTS = 5000
"""Documents of each language."""
SEEN = 8
"""Documents in which a run of words must stand to be known: fewer belong to one gap of one sentence."""
CLEAN_WEIGHT = 4.0
"""A clean window's weight: to keep a harmful document costs less than to lose a clean one."""
SHIFT = 1.1
"""Added to each bias, so that the best place to cut is `THRESHOLD`: with that weight no score comes near it."""
L2 = 2e-6
"""Strength of the square penalty, against a loss that is a mean over windows."""
EASE: dict[Lang, tuple[float, ...]] = {"en": (1.0, 0.3, 0.1), "zh": (1.0, 1.0, 1.0)}
"""How far weights of runs of one, two and three words go for the same penalty. Long runs of English words know the
training sentences by heart; one Chinese character says little."""
STEPS, RATE = 60, 0.5
"""Steps of Adam on all windows at once, and its first step size, which falls to nothing in a line."""
LEAST = 2
"""Weights (of 127) below which a run is left out if it is so for all classes."""
_LANGS: tuple[Lang, ...] = ("en", "zh")
Reals = NDArray[np.float64]


def train(seed: int = 0) -> HarmfulClassifier:
    """Write the training documents, fit one regression to a class, round the weights to 8 bits; about ten seconds."""
    texts = [text for lang in _LANGS for text in harmful_texts(seed, DOCUMENTS, lang, "train")]
    view = View([text for text, _ in texts])
    keys, ease = _known(view, DOCUMENTS)
    vocabulary = Vocabulary(keys)
    windows = vocabulary.windows(view)
    count = np.diff(windows.first)
    label = np.array([(*CLASSES, CLEAN).index(name) for _, name in texts])
    # Nothing says which window of a long harmful document is the harmful one.
    used = np.repeat((count == 1) | (label == len(CLASSES)), count)
    label = np.repeat(label, count)
    design = _Design(windows, used, ease)
    label = label[design.windows]
    fitted = [design.fit(label == c, np.where(label == len(CLASSES), CLEAN_WEIGHT, 1.0)) for c in range(len(CLASSES))]
    weights = np.stack([one[:-1] for one in fitted], 1)
    scale = np.abs(weights).max(0) / 127
    rounded = np.rint(weights / scale).astype(np.int8)
    kept = (np.abs(rounded) >= LEAST).any(1)
    bias = np.array([one[-1] for one in fitted]) + SHIFT
    return HarmfulClassifier(vocabulary.keys[kept], rounded[kept], scale.astype(np.float32), bias.astype(np.float32))


def _known(view: View, chinese: int) -> tuple[NDArray[np.uint32], Reals]:
    """Keys of the runs that stand in enough documents, and the ease of each; Chinese are those from `chinese` on.

    Of runs that share a slot, the one that stands in most documents is known.
    """
    keys, counts, eases = [], [], []
    for n in GRAMS:
        at, of_run = run_keys(view, n)
        of = view.document_of_word if at is None else view.document_of_word[at]
        pairs = distinct(of_run.astype(np.int64) << 32 | of)
        first = np.flatnonzero(np.diff(pairs >> 32, prepend=-1))
        count = np.diff(first, append=len(pairs))
        first, count = first[count >= SEEN], count[count >= SEEN]
        keys.append((pairs[first] >> 32).astype(np.uint32))
        counts.append(count)
        eases.append(np.where(pairs[first] & 0xFFFFFFFF >= chinese, EASE["zh"][n - 1], EASE["en"][n - 1]))
    key, ease = np.concatenate(keys), np.concatenate(eases)
    order = np.lexsort((key, -np.concatenate(counts)))
    order = order[np.unique(slots(key[order]), return_index=True)[1]]
    return key[order], ease[order]


class _Design:
    """The hits of the windows that are learnt from, by window and by row: a step of the fit is two sums over each."""

    def __init__(self, windows: Windows, used: NDArray[np.bool_], ease: Reals):
        kept = used[windows.of]
        of, self.row = windows.of[kept], windows.row[kept]
        self.starts = np.flatnonzero(np.diff(of, prepend=-1))
        self.windows: Ints = of[self.starts]
        """Windows with hits, by which labels and weights are to be taken."""
        self.root = 1 / np.sqrt(windows.size[self.windows] + PRIOR)
        by_row = np.argsort(self.row, kind="stable")
        self.of = np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(of)))[by_row]
        self.row_starts = np.flatnonzero(np.diff(self.row[by_row], prepend=-1))
        self.rows = self.row[by_row][self.row_starts]
        self.penalty = L2 / ease**2

    def fit(self, target: NDArray[np.bool_], weight: Reals) -> Reals:
        """[rows + 1] weights and bias of a logistic regression by Adam (arXiv 1412.6980)."""
        share = weight / weight.sum()
        w, mean, square = np.zeros((3, len(self.penalty) + 1))
        w[-1] = -2.0
        gradient = np.zeros(len(self.penalty) + 1)
        hits = np.empty(len(self.row))
        for step in range(1, STEPS + 1):
            logit = np.add.reduceat(np.take(w, self.row, out=hits, mode="clip"), self.starts) * self.root + w[-1]
            error = share * (1 / (1 + np.exp(-logit)) - target)
            gradient[:-1] = self.penalty * w[:-1]
            np.take(error * self.root, self.of, out=hits, mode="clip")
            gradient[self.rows] += np.add.reduceat(hits, self.row_starts)
            gradient[-1] = error.sum()
            mean += 0.1 * (gradient - mean)
            square += 0.01 * (gradient**2 - square)
            rate = RATE * (1 - step / (STEPS + 1)) / (1 - 0.9**step)
            w -= rate * mean / (np.sqrt(square / (1 - 0.99**step)) + 1e-9)
        return w


def report(
    classifier: HarmfulClassifier, n: int = 2000, seed: int = 1, split: Split = "heldout", threshold: float = THRESHOLD
) -> dict[str, float]:
    """What the classifier does with n documents of each language that it has not seen.

    "hate/en" and the like: share of the documents of that class with that verdict; "clean/en": share of the clean ones
    with any verdict.
    """
    figures = {}
    for lang in _LANGS:
        texts = harmful_texts(seed, n, lang, split)
        verdicts = np.array(classifier.verdict(View([text for text, _ in texts]), threshold))
        labels = np.array([label for _, label in texts])
        for name in CLASSES:
            figures[f"{name}/{lang}"] = float((verdicts[labels == name] == name).mean())
        figures[f"{CLEAN}/{lang}"] = float((verdicts[labels == CLEAN] != "").mean())
    return figures
