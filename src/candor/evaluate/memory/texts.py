"""What is asked for: stretches of the training text, at random and the most repeated ones, and of held-out text."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ODD = np.uint64(0x9E3779B97F4A7C15)
_FEW = 200_000
"""Most windows that are looked at for the most repeated ones."""


@dataclass(frozen=True)
class Windows:
    """Stretches of tokens, all of one length.

    >>> Windows(ids=[[5, 9, 3]], owners=[0], repeats=[12])
    """

    ids: list[list[int]]
    """Tokens of each."""
    owners: list[int]
    """The document that each comes from."""
    repeats: list[int]
    """How often each stands in the text; 0 where that was not counted."""


def random_windows(documents: Sequence[Sequence[int]], count: int, length: int, seed: int) -> Windows:
    """At most `count` stretches that do not overlap: one of each document that is long enough, then a second, ..."""
    chance = random.Random(f"windows|{seed}")
    slots = []
    for owner, ids in enumerate(documents):
        fits = len(ids) // length
        slack = len(ids) - fits * length
        order = chance.sample(range(fits), fits)
        slots += [(turn, chance.random(), owner, slot * length, slack) for turn, slot in enumerate(order)]
    windows, owners = [], []
    for _, shift, owner, start, slack in sorted(slots)[:count]:
        start += int(shift * slack) if start + length + slack == len(documents[owner]) else 0
        windows.append(list(documents[owner][start : start + length]))
        owners.append(owner)
    return Windows(windows, owners, [0] * len(windows))


def repeated_windows(documents: Sequence[Sequence[int]], count: int, length: int) -> Windows:
    """The `count` stretches that stand most often in the text, at least twice; of overlapping ones the first."""
    long = [number for number, ids in enumerate(documents) if len(ids) >= length]
    if not long:
        return Windows([], [], [])
    flat = np.concatenate([np.asarray(documents[number], np.uint64) for number in long])
    owners = np.repeat(long, [len(documents[number]) for number in long])
    hashes = _hashes(flat, length)
    whole = np.flatnonzero(owners[: len(hashes)] == owners[length - 1 :])
    _, first, times = np.unique(hashes[whole], return_index=True, return_counts=True)
    order = np.lexsort((whole[first], -times))[:_FEW]
    taken: list[int] = []
    repeats: list[int] = []
    for place, often in zip(whole[first[order]].tolist(), times[order].tolist(), strict=True):
        if often < 2 or len(taken) == count:
            break
        block = place // length
        if any(abs(place - other) < length for other in taken if other // length in (block - 1, block, block + 1)):
            continue
        taken.append(place)
        repeats.append(often)
    return Windows([flat[at : at + length].tolist() for at in taken], owners[taken].tolist(), repeats)


def _hashes(flat: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """A rolling hash of each stretch: sums of scrambled ids times powers of an odd number, modulo 2^64."""
    powers = np.full(len(flat), _ODD, np.uint64)
    powers[0] = 1
    powers = np.multiply.accumulate(powers)
    mixed = (flat + np.uint64(1)) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(29)
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mixed * powers, dtype=np.uint64)])
    count = len(flat) - length + 1
    inverse = np.full(count, np.uint64(pow(int(_ODD), -1, 1 << 64)), np.uint64)
    inverse[0] = 1
    result: NDArray[np.uint64] = (sums[length:] - sums[:-length]) * np.multiply.accumulate(inverse)
    return result
