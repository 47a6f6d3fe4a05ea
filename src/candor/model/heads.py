"""Output head and cross-entropy in one, a chunk of tokens at a time: the logits of a whole batch are never held."""

from typing import Any

import torch
from torch import Tensor

_CHUNK_LOGITS = 1 << 22
"""Logits held at a time (16 MiB in float32: they stay in the last-level cache of a CPU)."""

IGNORE = -100
"""Target of a position that takes no part in the loss."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of -log softmax(hidden W^T)[target]; gradients are made in forward, while a chunk's logits are there."""

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        loss, right = hidden.new_zeros((), dtype=wide), targets.new_zeros(())
        needs_hidden, needs_weight, _ = ctx.needs_input_grad
        grad_hidden = torch.empty_like(hidden) if needs_hidden else None
        grad_weight = torch.zeros_like(weight, dtype=wide) if needs_weight else None
        matrix = weight.to(hidden.dtype)
        step = max(1, _CHUNK_LOGITS // len(weight))
        for start in range(0, len(targets), step):
            rows, wanted = hidden[start : start + step], targets[start : start + step]
            valid = wanted != IGNORE
            index = wanted.clamp(min=0)[:, None]
            logits = (rows @ matrix.T).to(wide)
            top, of_target = logits.amax(-1, keepdim=True), logits.gather(-1, index)
            right += ((of_target >= top).squeeze(-1) & valid).sum()
            shares = torch.softmax(logits, -1)
            del logits
            # The largest share is one over the sum of exponentials: no further pass to find that sum.
            loss += ((top - of_target - shares.amax(-1, keepdim=True).log()).squeeze(-1) * valid).sum()
            if grad_hidden is not None or grad_weight is not None:
                grad = shares.scatter_add_(-1, index, torch.full_like(of_target, -1.0))
                if not valid.all():
                    grad *= valid[:, None]
                grad = grad.to(rows.dtype)
                if grad_hidden is not None:
                    torch.mm(grad, matrix, out=grad_hidden[start : start + step])
                if grad_weight is not None:
                    grad_weight += grad.T @ rows
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.dtype = weight.dtype
        ctx.mark_non_differentiable(right)
        return loss, right

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        scale = grads[0]
        return (
            None if grad_hidden is None else grad_hidden * scale,  # a scalar: not rounded, and no change of type
            None if grad_weight is None else (grad_weight * scale).to(ctx.dtype),
            None,
        )


def cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the next token, summed over the valid positions.

    `hidden` [..., D], `weight` [vocab, D], `targets` [...] int64 with IGNORE where nothing is to be predicted.
    Returns the sum in nats (scalar, float32 or wider, differentiable) and the number of positions where the target has
    the highest logit (scalar int64).
    """
    if not torch.is_grad_enabled():  # an autograd function does not see that, and would make gradients for nobody
        hidden, weight = hidden.detach(), weight.detach()
    loss, right = _LinearCrossEntropy.apply(hidden.flatten(0, -2), weight, targets.flatten())
    return loss, right


@torch.no_grad()
def token_logprobs(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability of each target in nats and whether no token is more likely; 0 and True at IGNORE.

    `hidden` [..., D], `weight` [vocab, D], `targets` [...] int64; both results have the shape of `targets`, the first
    is float32 or wider. No gradients.
    """
    rows, wanted = hidden.flatten(0, -2), targets.flatten()
    places = (wanted != IGNORE).nonzero().squeeze(-1)
    wide = torch.promote_types(hidden.dtype, torch.float32)
    logprobs = torch.zeros(wanted.shape, dtype=wide, device=hidden.device)
    greedy = torch.ones(wanted.shape, dtype=torch.bool, device=hidden.device)
    matrix = weight.to(hidden.dtype)
    for some in places.split(max(1, _CHUNK_LOGITS // len(weight))):
        logits = (rows[some] @ matrix.T).to(wide)
        of_target = logits.gather(-1, wanted[some, None]).squeeze(-1)
        logprobs[some] = of_target - logits.logsumexp(-1)
        greedy[some] = of_target >= logits.amax(-1)
    return logprobs.view(targets.shape), greedy.view(targets.shape)


_CHUNK_ROWS = 256
"""Rows whose logits are held at a time where their gradient is made later: few enough to stay near the processor."""
_KEPT = 1 << 26
"""Gradients of logits that are kept for the backward pass (128 MiB in bfloat16); more of them are made again there."""


class _Logprobs(torch.autograd.Function):
    """log softmax(hidden W^T)[target] and the summed entropy.

    With d = p - onehot(target), the gradient by W is -d^T hidden and that by hidden -d W. The latter also gives the
    entropy, -log p[target] - (d W) hidden, without another pass over the logits.
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(hidden.dtype, torch.float32)
        logprobs, pull = hidden.new_empty(len(targets), dtype=wide), torch.empty_like(hidden)
        matrix = weight.to(hidden.dtype)
        keep = any(ctx.needs_input_grad) and len(targets) * len(weight) <= _KEPT
        kept = hidden.new_empty(len(targets), len(weight)) if keep else None
        for start in range(0, len(targets), _CHUNK_ROWS):
            some = slice(start, start + _CHUNK_ROWS)
            logprobs[some], away = _away(hidden[some], matrix, targets[some], wide)
            if kept is not None:
                away = kept[some].copy_(away)
            torch.mm(away.to(hidden.dtype), matrix, out=pull[some])
        entropy = -logprobs.sum() - (pull * hidden).sum(dtype=wide)
        ctx.save_for_backward(hidden, weight, targets, pull, kept)
        ctx.mark_non_differentiable(entropy)
        return logprobs, entropy

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, None]:
        hidden, weight, targets, pull, kept = ctx.saved_tensors
        scale = -grads[0][:, None]
        scaled = (hidden * scale).to(hidden.dtype)
        if kept is not None:
            grad_weight = kept.T @ scaled
        else:
            grad_weight, matrix = torch.zeros_like(weight, dtype=scale.dtype), weight.to(hidden.dtype)
            for start in range(0, len(targets), _CHUNK_ROWS):
                some = slice(start, start + _CHUNK_ROWS)
                _, away = _away(hidden[some], matrix, targets[some], scale.dtype)
                grad_weight += away.to(hidden.dtype).T @ scaled[some]
        return (pull * scale).to(hidden.dtype), grad_weight.to(weight.dtype), None


def _away(rows: Tensor, matrix: Tensor, targets: Tensor, wide: torch.dtype) -> tuple[Tensor, Tensor]:
    """log p[target] [N], and p - onehot(target) [N, vocab]: subtracted before it is rounded, as p may be near 1."""
    logits, at = rows @ matrix.T, targets[:, None]
    shares = torch.softmax(logits, -1, dtype=wide)
    norms = logits.amax(-1).to(wide) - shares.amax(-1).log()  # see `_LinearCrossEntropy`
    logprobs = logits.gather(-1, at).squeeze(-1).to(wide) - norms
    return logprobs, shares.scatter_add_(-1, at, shares.new_full((1, 1), -1.0).expand(at.shape))


def logprobs_and_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Log-probability of each target with gradient, and the mean entropy of what they were drawn from without; in nats.

    `hidden` [N, D], `weight` [vocab, D], `targets` [N] int64 -> [N] and a scalar, float32 or wider.
    """
    if not torch.is_grad_enabled():  # as above
        hidden, weight = hidden.detach(), weight.detach()
    logprobs, entropy = _Logprobs.apply(hidden, weight, targets)
    return logprobs, entropy / max(1, len(targets))
