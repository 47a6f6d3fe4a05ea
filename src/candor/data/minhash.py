"""MinHash signatures and their bands: texts that share most of their runs of words share a band (Broder 1997).

14 bands of 8 rows over runs of 5 words, as FineWeb: two documents whose sets of runs have the similarity s meet with
the probability 1 - (1 - s^8)^14: 0.56 at 0.7, 0.92 at 0.8, 0.9996 at 0.9.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from candor.errors import ConfigError
from candor.view import Hashes, View, mix

_CHUNK = 8192  # words at a time: a row of hashes then stays in the processor's cache


@dataclass(frozen=True)
class MinHashConfig:
    """How alike two documents must be to count as one."""

    bands: int = 14
    """Bands; two documents meet that agree in one of them. 0 leaves near-duplicates in."""
    rows: int = 8
    """Hashes in a band."""
    words: int = 5
    """Words in a run; a Han character is a word."""

    def __post_init__(self) -> None:
        for name, least in {"bands": 0, "rows": 1, "words": 1}.items():
            if getattr(self, name) < least:
                raise ConfigError(f"minhash.{name}={getattr(self, name)} must be at least {least}")

    def probability(self, similarity: float) -> float:
        """That two documents of a similarity meet."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)


@cache
def _multipliers(count: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Odd multipliers and addends of 32 bits."""
    seeds = mix(np.arange(1, 2 * count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return (seeds[:count] >> np.uint64(32)).astype(np.uint32) | np.uint32(1), (seeds[count:] >> np.uint64(32)).astype(
        np.uint32
    )


def band_keys(view: View, config: MinHashConfig) -> Hashes:
    """[D, bands] a key of each band; documents that meet have equal keys. A document shorter than a run has one."""
    D, n = len(view), config.words
    wanted = config.bands * config.rows
    starts = view.first_words
    # A document shorter than a run is a run.
    of = view.document_of_word
    ends = np.minimum(np.arange(len(of)) + n, starts[1:][of])
    last = np.maximum(starts[1:] - n, starts[:-1])
    places = np.flatnonzero(np.arange(len(of)) <= last[of])
    runs = (view.hash_grams(places, ends[places] - places) >> np.uint64(32)).astype(np.uint32)
    first = np.searchsorted(places, starts[:-1])
    signature = np.full((wanted, D), 0xFFFFFFFF, np.uint32)
    filled = np.flatnonzero(view.word_count > 0)
    multipliers, addends = _multipliers(wanted)
    bounds = first[filled]
    scratch = np.empty(len(runs), np.uint32)
    if len(bounds):
        for row in range(wanted):
            np.multiply(runs, multipliers[row], out=scratch)
            np.add(scratch, addends[row], out=scratch)
            scratch ^= scratch >> np.uint32(15)
            signature[row, filled] = np.minimum.reduceat(scratch, bounds)
    keys = np.empty((D, config.bands), np.uint64)
    for band in range(config.bands):
        key = np.full(D, band + 1, np.uint64)
        for row in signature[band * config.rows : (band + 1) * config.rows]:
            key = mix(key * np.uint64(0xD1B54A32D192ED03) + row.astype(np.uint64))
        keys[:, band] = key
    return keys
