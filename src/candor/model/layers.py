"""Linear maps, norms and the dense feed-forward, which compute in the type of their input, whatever their weights are.

Training keeps float32 weights and, where the processor is good at it, computes in bfloat16: activations are bfloat16, a
weight is rounded as it is used, sums inside norms, softmax and loss stay float32 (V3 section 3.3.1 keeps the same
operators wide).
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Linear):
    """y = x W^T, in the type of x."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., inputs] -> [..., outputs]."""
        return F.linear(x, self.weight.to(x.dtype))


_ROWS = 2048
"""Rows that operators made of several passes take at a time on a CPU, so that they stay in its caches."""


def _blocks(rows: Tensor) -> list[slice]:
    """The first axis in pieces for a CPU; whole for a compiler, which makes one pass of many, and for a GPU."""
    size = len(rows) if rows.is_cuda or torch.compiler.is_compiling() else _ROWS
    return [slice(start, start + size) for start in range(0, len(rows), max(1, size))]


class _RMSNorm(torch.autograd.Function):
    """x / rms(x) * weight with its gradient by hand: PyTorch's own takes twice as many passes on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        rows, kind = x.flatten(0, -2), torch.promote_types(x.dtype, torch.float32)
        out, inverse = torch.empty_like(rows), rows.new_empty(len(rows), 1, dtype=kind)
        for some in _blocks(rows):
            wide = rows[some].to(kind)
            mean = torch.linalg.vecdot(wide, wide)[:, None] / x.shape[-1]
            inverse[some] = torch.rsqrt(mean + eps)
            out[some] = (wide * inverse[some]).mul_(weight)
        ctx.save_for_backward(rows, weight, inverse)
        return out.view(x.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        rows, weight, inverse = ctx.saved_tensors
        grad, out = grads[0].flatten(0, -2), torch.empty_like(rows)
        grad_weight = weight.new_zeros(weight.shape, dtype=inverse.dtype)
        for some in _blocks(rows):
            wide, normed = grad[some].to(inverse.dtype), rows[some] * inverse[some]
            grad_weight += (wide * normed).sum(0)
            weighted = wide * weight
            along = torch.linalg.vecdot(weighted, normed)[:, None] / rows.shape[-1]
            out[some] = weighted.sub_(normed.mul_(along)).mul_(inverse[some])
        return out.view(grads[0].shape), grad_weight.to(weight.dtype), None


class RMSNorm(nn.RMSNorm):
    """Root-mean-square norm, summed in float32 or wider, in the type of x."""

    def __init__(self, width: int, eps: float):
        super().__init__(width, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return _RMSNorm.apply(x, self.weight, self.eps)


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate x) * up x)."""

    def __init__(self, hidden_size: int, intermediate_size: int):
        super().__init__()
        self.gate_proj = Linear(hidden_size, intermediate_size)
        self.up_proj = Linear(hidden_size, intermediate_size)
        self.down_proj = Linear(intermediate_size, hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))
