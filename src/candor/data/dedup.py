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
from candor.view import Hashes, Ints

EXACT, BANDS, PASSAGES = "exact.npy", "bands.npy", "passages.npy"
EXCLUDED = "excluded.npy"
_RANGE_BYTES = 32 * 2**20
_CHUNK = 2**20


def sorted_keys(keys: Hashes, places: Ints) -> np.ndarray:
    """[n, 2] uint64: keys with their places, by key, then by place."""
    order = np.lexsort((places, keys))
    return np.column_stack((keys[order], places[order].astype(np.uint64)))


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
