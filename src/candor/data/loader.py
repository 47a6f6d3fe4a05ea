"""Batches for training: windows over the packed tokens, in an order that is a function of seed and position alone.

The position is one number, the sequences served so far. It does not depend on how many ranks share a batch or how it is
cut into micro-batches, so a run resumes on any number of machines, and the batch size may change from step to step.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from candor.data.pack import TokenIndex
from candor.errors import ConfigError


@dataclass(frozen=True)
class Batch:
    """Token windows.

    >>> Batch(tokens=tensor([[0, 52, 9, 1, 0]]), segments=tensor([[1, 1, 1, 1, 2]]))
    """

    tokens: Tensor
    """[sequences, sequence_length + lookahead] int64: the inputs, then the tokens ahead that the last ones predict."""
    segments: Tensor | None
    """Number of the document that each token belongs to, of the same shape; None where documents may see each other."""
    valid: Tensor | None = None
    """[sequences, sequence_length] bool: the positions whose predictions count; None where all do."""

    def to(self, device: torch.device) -> "Batch":
        """The batch on another device."""
        return Batch(*(None if x is None else x.to(device) for x in (self.tokens, self.segments, self.valid)))  # type: ignore[arg-type]


class TokenLoader:
    """Serves every window of the training tokens once per epoch, in another order each epoch."""

    def __init__(
        self, folder: Path, sequence_length: int, *, lookahead: int = 1, seed: int = 0, mask_documents: bool = False
    ):
        index = TokenIndex.read(folder)
        self._shards = index.open(folder)
        self._bos = index.bos_id if mask_documents else None
        self._length, self._lookahead, self._seed = sequence_length, lookahead, seed
        # Windows do not cross shards: at most one window per 2^28 tokens is lost.
        self._ends = np.cumsum([max(0, len(shard) - lookahead) // sequence_length for shard in self._shards])
        self.windows = int(self._ends[-1]) if len(self._ends) else 0
        self.position = 0
        if not self.windows:
            raise ConfigError(
                f"{folder} holds {index.tokens:,} training tokens, fewer than one window of "
                f"{sequence_length} + {lookahead}; give more text or lower pretrain.sequence_length"
            )

    def state_dict(self) -> dict[str, int]:
        """The position, for a checkpoint."""
        return {"position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a position."""
        self.position = state["position"]

    def next_batch(self, sequences: int, rank: int = 0, world_size: int = 1) -> Batch:
        """This rank's share of the next `sequences` windows, which must divide by `world_size`."""
        if sequences % world_size:
            raise ConfigError(f"a batch of {sequences} sequences cannot be split over {world_size} ranks")
        share = sequences // world_size
        first = self.position + rank * share
        rows = np.stack([self._window(number) for number in range(first, first + share)])
        self.position += sequences
        tokens = torch.from_numpy(rows.astype(np.int64))
        return Batch(tokens, None if self._bos is None else (tokens == self._bos).cumsum(1))

    def _window(self, number: int) -> np.ndarray:
        epoch, place = divmod(number, self.windows)
        window = permute(place, self.windows, (self._seed << 32) + epoch)
        shard = int(np.searchsorted(self._ends, window, side="right"))
        start = (window - (int(self._ends[shard - 1]) if shard else 0)) * self._length
        return self._shards[shard][start : start + self._length + self._lookahead]


def permute(index: int, size: int, key: int) -> int:
    """Where `index` goes in a pseudo-random permutation of range(size), without ever holding the permutation.

    Four Feistel rounds over the smallest even number of bits that covers `size`; results outside are sent through again
    ("cycle walking"), which keeps it a permutation (Black and Rogaway, 2002).
    """
    half = max(1, ((size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for turn in range(4):
            left, right = right, left ^ (_mix(right, key, turn) & mask)
        index = (left << half) | right
        if index < size:
            return index


def _mix(value: int, key: int, turn: int) -> int:
    """A 64-bit hash of three numbers (the finaliser of splitmix64)."""
    x = (value + 0x9E3779B97F4A7C15 * (key * 4 + turn + 1)) & 0xFFFFFFFFFFFFFFFF
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
    return x ^ (x >> 31)
