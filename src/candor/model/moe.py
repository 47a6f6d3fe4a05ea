"""DeepSeekMoE: a sigmoid gate with a selection bias, groups, shared experts, no dropped tokens (V3 section 2.1.2)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from candor.model.config import ModelConfig


@dataclass(frozen=True)
class Routing:
    """What the routers of one forward pass did, layer by layer (MTP layers last).

    >>> Routing(load=tensor([[12, 4]]), balance=tensor(1.1))
    """

    load: Tensor
    """Tokens sent to each expert, [layers, experts] int64, summed over the batch."""
    balance: Tensor
    """Sequence-wise balance loss without its weight alpha, summed over sequences and layers; carries gradient."""

    @classmethod
    def stack(cls, parts: "list[Routing]") -> "Routing":
        """One record of several layers."""
        return cls(torch.cat([part.load for part in parts]), torch.stack([part.balance for part in parts]).sum())


class FeedForward(nn.Module):
    """SwiGLU: down(silu(gate x) * up x)."""

    def __init__(self, hidden_size: int, intermediate_size: int):
        super().__init__()
        self.gate_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.up_proj = nn.Linear(hidden_size, intermediate_size, bias=False)
        self.down_proj = nn.Linear(intermediate_size, hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[..., D] -> [..., D]."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


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
        sent = F.one_hot(chosen.view(sequences, -1), E).sum(1)  # tokens of each sequence to each expert [sequences, E]
        tokens = chosen.shape[0] // sequences
        fraction = sent.to(scores.dtype) * (E / (K * tokens))
        probability = (scores / scores.sum(-1, keepdim=True)).view(sequences, tokens, E).mean(1)
        return Routing(sent.sum(0)[None], (fraction * probability).sum())


class Experts(nn.Module):
    """All routed experts of a layer as two stacks, so that one tensor can be sharded, stepped and multiplied whole."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        E, D, intermediate = config.n_routed_experts, config.hidden_size, config.moe_intermediate_size
        self.gate_up = nn.Parameter(torch.empty(E, 2 * intermediate, D))
        self.down = nn.Parameter(torch.empty(E, D, intermediate))

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """Rows [N, D] sorted by expert, `counts` [E] of them for each, through their experts -> [N, D]."""
        hidden = grouped_linear(x, self.gate_up, counts)
        gate, up = hidden.chunk(2, dim=-1)
        return grouped_linear(F.silu(gate) * up, self.down, counts)


def grouped_linear(x: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    """Rows of `x` [N, in], grouped, each group through its own matrix of `weight` [E, out, in] -> [N, out]."""
    if x.is_cuda and x.dtype == torch.bfloat16:
        ends = counts.cumsum(0).to(torch.int32)
        return F.grouped_mm(x, weight.transpose(-2, -1), offs=ends)
    # unbind, not indexing: its backward stacks the gradients once instead of filling the whole stack per expert.
    groups = zip(x.split(counts.tolist()), weight.unbind(), strict=True)
    return torch.cat([F.linear(rows, matrix) for rows, matrix in groups])


class MoE(nn.Module):
    """Shared experts plus the weighted sum of the routed ones."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate = Router(config)
        self.experts = Experts(config)
        shared = config.moe_intermediate_size * config.n_shared_experts
        self.shared_experts = FeedForward(config.hidden_size, shared) if shared else None

    def forward(self, x: Tensor, routing: list[Routing] | None = None) -> Tensor:
        """[B, S, D] -> [B, S, D]; appends what the router did to `routing` where one is given."""
        flat = x.flatten(0, -2)
        scores, chosen, weights = self.gate(flat)
        K = chosen.shape[-1]
        if routing is not None:
            routing.append(self.gate.statistics(scores, chosen, sequences=x.shape[0]))
        counts = torch.bincount(chosen.flatten(), minlength=scores.shape[-1])
        order = chosen.flatten().argsort(stable=True)
        rows = self.experts(flat[order // K], counts) * weights.flatten()[order, None].to(x.dtype)
        out = torch.zeros_like(flat).index_add_(0, order // K, rows).view_as(x)
        return out if self.shared_experts is None else out + self.shared_experts(x)
