"""Copies among all documents of a corpus: exact ones, near ones, and passages, by external sorts over files of keys.

Every unit of reading left its keys sorted, so a range of keys lies in one stretch of each file, and a task that owns
the range holds no more than that. Of what is alike, what stands first in the order of the sources stays. A place is
(unit << 32) + row.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from candor import files
from candor.data.minhash import band_keys
from candor.data.sources import Form
from candor.data.steps import Rejected, StepsConfig
from candor.records import Document
from candor.view import Hashes, Ints, View

EXACT, BANDS, PASSAGES = "exact.npy", "bands.npy", "passages.npy"
EXCLUDED = "excluded.npy"
_RANGE_BYTES = 32 * 2**20
_CHUNK = 2**20


class Keys:
    """The keys by which copies of a unit's documents are found, gathered as the documents are read."""

    def __init__(self, config: StepsConfig, form: Form):
        self._config, self._form = config, form
        self.rows = 0
        """Documents so far."""
        self._exact: list[np.ndarray] = []
        self._bands: list[np.ndarray] = []
        self._passages: list[np.ndarray] = []
        self._words = [0]

    def add(self, ids: Sequence[str], view: View) -> None:
        """Those of some documents."""
        rows = np.arange(self.rows, self.rows + len(ids), dtype=np.uint64)
        self._exact.append(np.column_stack((np.array([int(own[:16], 16) for own in ids], np.uint64), rows)))
        if self._config.runs("near_copies", self._form):
            # Without words there is nothing to be alike in; exact copies are found anyway.
            bands, some = band_keys(view, self._config.minhash), view.word_count > 0
            self._bands.append(np.column_stack((bands[some].reshape(-1), np.repeat(rows[some], bands.shape[1]))))
        if self._config.runs("passages", self._form):
            places, runs = view.grams(self._config.passage)
            self._passages.append(np.column_stack((runs, (places + self._words[-1]).astype(np.uint64))))
        self._words += (self._words[-1] + np.cumsum(view.word_count)).tolist()
        self.rows += len(ids)

    def write(self, folder: Path) -> None:
        """Write EXACT, and where they are asked for BANDS and PASSAGES with `words.npy`, the first word of each row."""
        files.write_array(folder / EXACT, _sorted(self._exact))
        if self._config.minhash.bands:
            files.write_array(folder / BANDS, _sorted(self._bands))
        if self._config.passage:
            files.write_array(folder / PASSAGES, _sorted(self._passages))
            files.write_array(folder / "words.npy", np.array(self._words, np.int64))


def _sorted(parts: Sequence[np.ndarray]) -> np.ndarray:
    """[n, 2] uint64: keys with their places, by key, then by place."""
    rows = np.concatenate(parts) if parts else np.zeros((0, 2), np.uint64)
    return rows[np.lexsort((rows[:, 1], rows[:, 0]))]


class KeyRange(NamedTuple):
    """What one task compares: the keys from `low` to below `high` (2^64 for all above) of every unit's file."""

    read: str
    """Folder of the folders of the units."""
    units: int
    """How many they are."""
    file: str
    """EXACT, BANDS or PASSAGES."""
    low: int
    high: int
    refused: tuple[int, ...] = ()
    """Units that do not count."""
    excluded: str = ""
    """For passages: the folder of the folders in which each unit has the rows that do not count."""


def unit_folder(read: str | Path, number: int) -> Path:
    """Where a unit left its keys."""
    return Path(read) / f"{number:06}"


def ranges(read: Path, units: int, file: str, **fields: Any) -> list[KeyRange]:
    """Ranges of equal width, of so many keys that a task holds some 30 MB of them. Keys are spread evenly."""
    size = sum((unit_folder(read, number) / file).stat().st_size for number in range(units))
    count = max(1, -(-size // _RANGE_BYTES))
    bounds = [2**64 * number // count for number in range(count + 1)]
    return [KeyRange(str(read), units, file, low, high, **fields) for low, high in pairwise(bounds)]


def _stretch(path: Path, low: int, high: int) -> np.ndarray:
    """Rows of a sorted file whose key lies in the range."""
    keys = np.load(path, mmap_mode="r")
    column = keys[:, 0]
    start = int(np.searchsorted(column, np.uint64(low)))
    end = len(keys) if high == 2**64 else int(np.searchsorted(column, np.uint64(high)))
    return np.array(keys[start:end])


def _gather(task: KeyRange) -> tuple[Hashes, Ints]:
    """Keys and places of the range in all units, by key, then by place."""
    parts = []
    for number in range(task.units):
        if number not in task.refused:
            rows = _stretch(unit_folder(task.read, number) / task.file, task.low, task.high)
            rows[:, 1] += np.uint64(number << 32)
            parts.append(rows)
    rows = np.concatenate(parts) if parts else np.zeros((0, 2), np.uint64)
    keys, places = rows[:, 0], rows[:, 1].astype(np.int64)
    order = np.lexsort((places, keys))
    return keys[order], places[order]


def _groups(keys: Hashes) -> Ints:
    """[n] of each sorted key the position of the first that is equal."""
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    first = np.flatnonzero(new)
    return np.repeat(first, np.diff(np.append(first, len(keys))))


def link(folder: Path, task: KeyRange) -> dict[str, Any]:
    """Write `pairs.npy` [n, 2] int64: the place of each document whose key stood before, and the place of the first."""
    keys, places = _gather(task)
    first = _groups(keys)
    again = first != np.arange(len(first))
    pairs = np.unique(np.column_stack((places[again], places[first[again]])), axis=0)
    files.write_array(folder / "pairs.npy", pairs)
    return {"pairs": len(pairs)}


def components(pairs: Sequence[Path], rows: Sequence[int], scratch: Path) -> Ints:
    """[n, 2] places of documents that hang together with an earlier one, directly or through others, and the earliest.

    Labels are kept in the file `scratch`, 8 bytes a document, so memory does not grow with the corpus. `rows` are
    documents of each unit.
    """
    before = np.concatenate(([0], np.cumsum(rows)))
    labels = np.memmap(scratch, np.int64, "w+", shape=(max(1, int(before[-1])),))
    for start in range(0, len(labels), _CHUNK):
        labels[start : start + _CHUNK] = np.arange(start, min(start + _CHUNK, len(labels)))

    def flat(places: Ints) -> Ints:
        return np.asarray(before[places >> 32] + (places & 0xFFFFFFFF))

    changed = True
    while changed:
        changed = False
        for path in pairs:
            found = np.load(path)
            a, b = flat(found[:, 0]), flat(found[:, 1])
            low = np.minimum(labels[a], labels[b])
            if (labels[a] != low).any() or (labels[b] != low).any():
                changed = True
                for side in (a, b, labels[a], labels[b]):  # what a label points at comes along: few rounds are enough
                    np.minimum.at(labels, side, low)
    moved = np.concatenate(
        [
            start + np.flatnonzero(some != np.arange(start, start + len(some)))
            for start in range(0, len(labels), _CHUNK)
            if len(some := labels[start : start + _CHUNK])
        ]
    )
    roots = labels[moved]
    del labels
    scratch.unlink()

    def place(numbers: Ints) -> Ints:
        unit = np.searchsorted(before, numbers, side="right") - 1
        return np.asarray((unit.astype(np.int64) << 32) + numbers - before[unit])

    return np.column_stack((place(moved), place(roots)))


def passages(folder: Path, task: KeyRange) -> dict[str, Any]:
    """Write `starts.npy`, sorted places of words, (unit << 32) + word, where a passage begins that stood before."""
    keys, places = _gather(task)
    alive = np.ones(len(places), bool)
    by_unit = np.argsort(places >> 32, kind="stable")
    bounds = np.searchsorted(places[by_unit] >> 32, np.arange(task.units + 1))
    for number, (low, high) in enumerate(pairwise(bounds.tolist())):
        gone = np.load(unit_folder(task.excluded, number) / EXCLUDED)[:, 0]
        if low < high and len(gone):
            own = by_unit[low:high]
            firsts = np.load(unit_folder(task.read, number) / "words.npy")
            of = np.searchsorted(firsts, places[own] & 0xFFFFFFFF, side="right") - 1
            alive[own] = ~np.isin(of, gone)
    keys, places = keys[alive], places[alive]
    again = _groups(keys) != np.arange(len(keys))
    files.write_array(folder / "starts.npy", np.sort(places[again]))
    return {"starts": int(again.sum())}


def of_unit(path: Path, unit: int) -> np.ndarray:
    """The rows of a sorted file that belong to a unit, the unit taken off."""
    rows = np.load(path, mmap_mode="r")
    column = rows if rows.ndim == 1 else rows[:, 0]
    low, high = np.searchsorted(column, [unit << 32, (unit + 1) << 32])
    found = np.array(rows[low:high])
    (found if found.ndim == 1 else found[:, 0])[:] &= 0xFFFFFFFF
    return found


def after_cut_a_copy(document: Document, first: Document) -> Rejected:
    """What cutting has made equal to another document."""
    return Rejected(document, "copies", "copies.after_cut", f"of {first.source} {first.origin}")


def without_passages(text: str, starts: Ints, words: int) -> tuple[str, int]:
    """A text without the passages of `words` words that begin at the words `starts`, and how many characters went."""
    view = View([text])
    ends = starts + words
    new = np.ones(len(starts), bool)
    new[1:] = starts[1:] > ends[:-1]
    firsts = starts[new]
    lasts = ends[np.append(np.flatnonzero(new)[1:] - 1, len(ends) - 1)]
    parts, done, cut = [], 0, 0
    for first, last in zip(view.word_starts[firsts].tolist(), view.word_ends[lasts - 1].tolist(), strict=True):
        parts.append(text[done:first])
        done, cut = last, cut + last - first
    return "".join([*parts, text[done:]]), cut
