"""DeepSeekMoE: a sigmoid gate with a selection bias, groups, shared experts, no dropped tokens (V3 section 2.1.2)."""

from itertools import pairwise
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from candor.model.config import ModelConfig
from candor.model.layers import FeedForward


class Routing(NamedTuple):
    """What the routers did: one layer, or several stacked (MTP layers last).

    >>> Routing(load=tensor([[12, 4]]), balance=tensor(1.1))
    """

    load: Tensor
    """Tokens sent to each expert, [experts] or [layers, experts] int64, summed over the batch."""
    balance: Tensor
    """Sequence-wise balance loss without its weight alpha, summed over sequences and layers; carries gradient."""

    @classmethod
    def stack(cls, parts: "list[Routing]") -> "Routing":
        """One record of several layers."""
        return cls(torch.stack([part.load for part in parts]), torch.stack([part.balance for part in parts]).sum())


class Router(nn.Module):
    """Scores experts in float32 and picks the best `num_experts_per_tok` of the best groups.

    The bias takes part in the choice only; the weights come from the unbiased scores.
    """

    e_score_correction_bias: Tensor

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.empty(config.n_routed_experts, config.hidden_size))
        # A buffer, not a parameter: the bias update moves it, never the optimizer. Always float32.
        self.register_buffer("e_score_correction_bias", torch.zeros(config.n_routed_experts, dtype=torch.float32))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N, D] -> scores [N, E], chosen experts [N, K] int64, their weights [N, K]; scores and weights float32."""
        c = self.config
        wide = torch.promote_types(x.dtype, torch.float32)
        scores = F.linear(x.to(wide), self.weight.to(wide)).sigmoid()
        with torch.no_grad():
            choice = scores + self.e_score_correction_bias
            if c.n_group > 1:
                groups = choice.unflatten(-1, (c.n_group, -1))
                best = groups.topk(2, dim=-1).values.sum(-1).topk(c.topk_group, dim=-1).indices
                allowed = torch.zeros_like(groups[..., 0], dtype=torch.bool).scatter_(-1, best, True)
                choice = groups.masked_fill(~allowed[..., None], float("-inf")).flatten(-2)
            chosen = choice.topk(c.num_experts_per_tok, dim=-1).indices
        weights = scores.gather(-1, chosen)
        if c.norm_topk_prob:
            weights = weights / (weights.sum(-1, keepdim=True) + 1e-20)
        return scores, chosen, weights * c.routed_scaling_factor

    def statistics(self, scores: Tensor, chosen: Tensor, sequences: int) -> Routing:
        """Load and balance loss (V3 eq. 17 to 20) of one layer; the N tokens are `sequences` equal runs."""
        E, K = self.config.n_routed_experts, self.config.num_experts_per_tok
        sent = chosen.new_zeros(sequences, E)  # tokens of each sequence to each expert
        places = chosen.view(sequences, -1)
        sent.scatter_add_(1, places, torch.ones_like(places))
        tokens = chosen.shape[0] // sequences
        fraction = sent.to(scores.dtype) * (E / (K * tokens))
        probability = (scores / scores.sum(-1, keepdim=True)).view(sequences, tokens, E).mean(1)
        return Routing(sent.sum(0), (fraction * probability).sum())


class Experts(nn.Module):
    """All routed experts of a layer as two stacks, so that one tensor can be sharded, stepped and multiplied whole."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        E, D, intermediate = config.n_routed_experts, config.hidden_size, config.moe_intermediate_size
        self.gate_up = nn.Parameter(torch.empty(E, 2 * intermediate, D))
        self.down = nn.Parameter(torch.empty(E, D, intermediate))

    def forward(self, x: Tensor, weights: Tensor, ends: Tensor) -> Tensor:
        """Rows [M, D] grouped by expert, times their `weights` [M, 1] -> [M, D]; `ends` [E] as in `grouped_linear`."""
        hidden = grouped_linear(x, self.gate_up.to(x.dtype), ends)
        gate, up = hidden.chunk(2, dim=-1)
        # The weight may stand before the last map as well as behind it, and here the rows are narrower.
        return grouped_linear(F.silu(gate) * up * weights.to(x.dtype), self.down.to(x.dtype), ends)


def grouped_linear(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    """Rows of `x` [M, in], grouped, each group through its own matrix of `weight` [E, out, in] -> [M, out].

    `ends` [E] int32: the row behind each group's last. Rows behind the last group have no meaning in the result.
    """
    if x.is_cuda and x.dtype == torch.bfloat16:
        return F.grouped_mm(x, weight.transpose(-2, -1), offs=ends)
    return _grouped(x, weight, ends)


# One product after the other into its place in the result: neither the pieces nor their gradients are ever put together
# from parts, and a compiler sees one call, whatever the groups are.


def _groups(ends: Tensor) -> list[slice]:
    bounds = [0, *ends.tolist()]
    return [slice(start, end) for start, end in pairwise(bounds)]


@torch.library.custom_op("candor::grouped_linear", mutates_args=())
def _grouped(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    out = x.new_empty(len(x), weight.shape[1])
    for rows, matrix in zip(groups := _groups(ends), weight, strict=True):
        torch.mm(x[rows], matrix.T, out=out[rows])
    out[groups[-1].stop :] = 0
    return out


@torch.library.custom_op("candor::grouped_linear_backward", mutates_args=())
def _grouped_backward(grad: Tensor, x: Tensor, weight: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    grad = grad.contiguous()
    grad_x, grad_weight = x.new_empty(x.shape), weight.new_empty(weight.shape)
    for rows, matrix, into in zip(groups := _groups(ends), weight, grad_weight, strict=True):
        torch.mm(grad[rows], matrix, out=grad_x[rows])
        torch.mm(grad[rows].T, x[rows], out=into)
    grad_x[groups[-1].stop :] = 0
    return grad_x, grad_weight


@_grouped.register_fake
def _(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    return x.new_empty(len(x), weight.shape[1])


@_grouped_backward.register_fake
def _(grad: Tensor, x: Tensor, weight: Tensor, ends: Tensor) -> tuple[Tensor, Tensor]:
    return x.new_empty(x.shape), weight.new_empty(weight.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
    return *_grouped_backward(grad, *ctx.saved_tensors), None


_grouped.register_autograd(_backward, setup_context=_save)


class Places(NamedTuple):
    """Where the rows of N tokens stand, K experts each, when they are grouped by expert; see `group`."""

    of_token: Tensor
    """[N, K] int64: the rows of each token, in the order of its experts."""
    tokens: Tensor
    """[M] int64: the token of each row; 0 for the rows that only fill a group up."""
    ends: Tensor
    """[E] int32: the row behind each expert's last."""


def group(chosen: Tensor, load: Tensor) -> Places:
    """Places for the experts `chosen` [N, K], of which expert e gets `load[e]`.

    Large groups are filled up to multiples of up to 64 rows: matrix libraries prepare a product anew for each size they
    have not seen, which takes longer than the product, and every step has other loads.
    """
    pairs, E = chosen.numel(), len(load)
    align = min(64, 1 << max(0, (pairs // (16 * E)).bit_length() - 1))
    filled = (load + (align - 1)) // align * align
    ends, expert = filled.cumsum(0), chosen.flatten()
    order = expert.argsort(stable=True)
    shift = (ends - filled) - (load.cumsum(0) - load)  # by how far filling up has moved each group
    rows = torch.empty_like(order).scatter_(0, order, torch.arange(pairs, device=order.device)) + shift[expert]
    tokens = order.new_zeros(pairs + E * (align - 1)).scatter_(
        0, rows, torch.arange(pairs, device=order.device) // chosen.shape[1]
    )
    return Places(rows.view_as(chosen), tokens, ends.to(torch.int32))


def _sum_at(rows: Tensor, of_token: Tensor) -> Tensor:
    """Sums [N, D] over the rows [M, D] at `of_token` [N, K], rounded once."""
    if rows.is_cuda:
        return rows.index_select(0, of_token.flatten()).view(*of_token.shape, -1).sum(1)
    first, *others = of_token.unbind(1)  # one by one: a sum over so short an axis is slow on a CPU
    wide = torch.promote_types(rows.dtype, torch.float32) if len(others) > 1 else rows.dtype
    total = rows.index_select(0, first).to(wide)
    for places in others:
        total += rows.index_select(0, places)
    return total.to(rows.dtype)


class _Dispatch(torch.autograd.Function):
    """Copy each token's row to the places of its K experts; the gradient gathers, so that no two threads add to one."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, of_token: Tensor, tokens: Tensor) -> Tensor:
        ctx.save_for_backward(of_token, tokens)
        return x.index_select(0, tokens)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        of_token, _ = ctx.saved_tensors
        return _sum_at(grads[0], of_token), None, None


class _Combine(torch.autograd.Function):
    """The adjoint: each token's sum over the rows at the places of its experts."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, of_token: Tensor, tokens: Tensor) -> Tensor:
        ctx.save_for_backward(tokens)
        return _sum_at(rows, of_token)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (tokens,) = ctx.saved_tensors
        return grads[0].index_select(0, tokens), None, None


class MoE(nn.Module):
    """Shared experts plus the weighted sum of the routed ones."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate = Router(config)
        self.experts = Experts(config)
        shared = config.moe_intermediate_size * config.n_shared_experts
        self.shared_experts = FeedForward(config.hidden_size, shared) if shared else None

    def forward(self, x: Tensor) -> tuple[Tensor, Routing]:
        """[B, S, D] -> [B, S, D], and what the router did."""
        scores, chosen, weights = self.gate(x.flatten(0, -2))
        routing = self.gate.statistics(scores, chosen, sequences=x.shape[0])
        return self._mix(x, chosen, weights, routing.load), routing

    def infer(self, x: Tensor) -> Tensor:
        """`forward` without statistics."""
        _, chosen, weights = self.gate(x.flatten(0, -2))
        pairs, load = chosen.flatten(), chosen.new_zeros(len(self.experts.down))
        return self._mix(x, chosen, weights, load.scatter_add_(0, pairs, torch.ones_like(pairs)))

    def _mix(self, x: Tensor, chosen: Tensor, weights: Tensor, load: Tensor) -> Tensor:
        of_token, tokens, ends = group(chosen, load)
        # Rows that fill up have weight zero, and so has all that comes of them, gradients included.
        row_weights = weights.new_zeros(len(tokens), 1).scatter(0, of_token.view(-1, 1), weights.view(-1, 1))
        rows = self.experts(_Dispatch.apply(x.flatten(0, -2), of_token, tokens), row_weights, ends)
        out = _Combine.apply(rows, of_token, tokens).view_as(x)
        return out if self.shared_experts is None else out + self.shared_experts(x)
