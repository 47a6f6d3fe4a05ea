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


class _RMSNorm(torch.autograd.Function):
    """x / rms(x) * weight with its gradient by hand: PyTorch's own takes twice as many passes on a CPU."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        inverse = torch.rsqrt(wide.square().mean(-1, keepdim=True) + eps)
        ctx.save_for_backward(x, weight, inverse)
        return (wide * inverse * weight).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        x, weight, inverse = ctx.saved_tensors
        grad = grads[0].to(inverse.dtype)
        normed = x * inverse
        product = grad * normed
        weighted = grad * weight
        along = (product * weight).mean(-1, keepdim=True)
        grad_x = (weighted - normed * along) * inverse
        return grad_x.to(x.dtype), product.flatten(0, -2).sum(0).to(weight.dtype), None


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
