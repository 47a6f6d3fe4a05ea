"""Marks on the probabilities of a batch, in tensors on any device: `governance.watermark` says what they are."""

from collections.abc import Sequence

import torch
from torch import Tensor

from candor.governance.watermark import Mark
from candor.governance.watermark.scheme import CANDIDATES, added, reweigh, siphash


def mark(shares: Tensor, marks: Sequence[Mark | None]) -> Tensor:
    """Probabilities [B, V] float32, V at least 256, with the rows that have a mark reweighed by it.

    The same bits as the numpy reference and the C++ step give for the same shares, on every device.
    """
    result = shares
    for scheme in {one.key.scheme for one in marks if one}:
        rows = [row for row, one in enumerate(marks) if one and one.key.scheme == scheme]
        result = result.clone() if result is shares else result
        here = [one for one in marks if one and one.key.scheme == scheme]
        prf = _int64([one.key.prf for one in here], shares.device)
        contexts = _int64([one.context for one in here], shares.device)
        chosen = _likely(shares[rows])
        head = shares[rows].gather(1, chosen)
        mass = added(head)
        words = siphash(prf[:, :1], prf[:, 1:], contexts, chosen)
        result[rows] = shares[rows].scatter(1, chosen, reweigh(head / mass, words, scheme, Tensor.float) * mass)
    return result


def _likely(shares: Tensor) -> Tensor:
    """Ids [B, 256] of the most likely tokens, rising; of equals the first ones, which `topk` alone does not promise."""
    ids = torch.arange(shares.shape[1], device=shares.device)
    unique = shares.contiguous().view(torch.int32).long() << 32 | (1 << 31) - 1 - ids
    return unique.topk(CANDIDATES).indices.sort(-1).values


def _int64(rows: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Unsigned numbers of 64 bits as the signed ones of the same bits."""
    signed = [[value - (value >> 63 << 64) for value in row] for row in rows]
    return torch.tensor(signed, dtype=torch.int64, device=device)
