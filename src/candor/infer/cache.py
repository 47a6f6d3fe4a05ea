"""Latents of many sequences in one tensor: one row each, rows that grow, move and lend each other their beginnings."""

import torch

from candor.model import ModelConfig

_ROUND = 64
"""Rows are this many tokens long, or a multiple: growing copies everything, and must not happen at every token."""


class LatentCache:
    """`latents` [layers, rows, tokens, kv_lora_rank + qk_rope_head_dim], within `max_tokens` = rows * tokens.

    What is valid in a row is known to its owner. `layers` counts the MTP module where it is used to draft.
    """

    def __init__(self, config: ModelConfig, layers: int, max_tokens: int, dtype: torch.dtype, device: torch.device):
        self._empty = torch.zeros(layers, 0, 0, config.latent_dim, dtype=dtype, device=device)
        self.latents = self._empty
        self.max_tokens = max_tokens
        self.bytes_per_token = layers * config.latent_dim * dtype.itemsize

    @property
    def rows(self) -> int:
        """Rows there are."""
        return self.latents.shape[1]

    @property
    def tokens(self) -> int:
        """Tokens that a row holds."""
        return self.latents.shape[2]

    def fits(self, rows: int, tokens: int) -> bool:
        """Whether so many rows of so many tokens are allowed."""
        return rows * _rounded(tokens, self.max_tokens) <= self.max_tokens

    def reserve(self, rows: int, tokens: int, keep: int) -> None:
        """Make room for `rows` of `tokens`, keeping the first `keep` rows; whatever memory error there is comes out."""
        tokens = _rounded(tokens, self.max_tokens)
        if rows <= self.rows and tokens <= self.tokens and self.fits(self.rows, self.tokens):
            return
        if tokens <= self.tokens and self.fits(rows, self.tokens):
            tokens = self.tokens
        doubled = 2 * self.rows
        rows = doubled if rows > self.rows and doubled > rows and self.fits(doubled, tokens) else max(rows, keep)
        layers, width = self.latents.shape[0], self.latents.shape[3]
        new = self.latents.new_zeros(layers, rows, tokens, width)
        both = min(tokens, self.tokens)
        new[:, :keep, :both] = self.latents[:, :keep, :both]
        self.latents = new

    def copy(self, source: int, target: int, tokens: int) -> None:
        """The first `tokens` of one row into another."""
        self.latents[:, target, :tokens] = self.latents[:, source, :tokens]

    def swap(self, a: int, b: int, tokens_a: int, tokens_b: int) -> None:
        """Exchange two rows of which so many tokens are valid."""
        saved = self.latents[:, a, :tokens_a].clone()
        self.copy(b, a, tokens_b)
        self.latents[:, b, :tokens_a] = saved

    def clear(self) -> None:
        """Give all memory back."""
        self.latents = self._empty


def _rounded(tokens: int, most: int) -> int:
    return min(-(-tokens // _ROUND) * _ROUND, max(tokens, most))


def shared(a: list[int], b: list[int]) -> int:
    """Length of the common beginning of two lists."""
    low, high = 0, min(len(a), len(b))
    if a[:high] == b[:high]:
        return high
    while high - low > 1:  # a[:low] is shared, a[:high] is not
        middle = (low + high) // 2
        low, high = (middle, high) if a[low:middle] == b[low:middle] else (low, middle)
    return low
