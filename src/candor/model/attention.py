"""Multi-head latent attention: keys and values come from one small latent per token, the only thing that is cached.

Two equal forms (V3 section 2.1.1): `forward` expands the latent to full heads, best for many queries; `extend` absorbs
the up-projections into queries and outputs and attends over the latents themselves, best for few.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from candor.model.branches import Layout
from candor.model.config import ModelConfig
from candor.model.layers import Linear, RMSNorm
from candor.model.rope import rotate, rotations, softmax_scale

_BLOCK = 128
"""Queries whose scores are held at a time on a CPU."""


class Positions(NamedTuple):
    """Where the new tokens [B, S] of cached sequences stand, and what each may look at; the same for every layer."""

    cos: Tensor
    """[B, 1, S, rope / 2] float32."""
    sin: Tensor
    """As `cos`."""
    slots: Tensor
    """[B, S, R] int64: the row of `latents` that each value is written to."""
    bias: Tensor
    """[B, 1, S, T]: 0 for the tokens up to the own one, minus infinity behind."""

    @classmethod
    def behind(cls, config: ModelConfig, lengths: Tensor, S: int, T: int, dtype: torch.dtype) -> "Positions":
        """Of S tokens that follow the first `lengths` [B] int64 of T."""
        places = lengths[:, None] + torch.arange(S, device=lengths.device)
        future = torch.arange(T, device=lengths.device) > places[..., None]
        bias = torch.zeros(future.shape, dtype=dtype, device=lengths.device).masked_fill(future, float("-inf"))
        cos, sin = rotations(config, places[:, None])
        return cls(cos, sin, places[..., None].expand(-1, -1, config.latent_dim), bias[:, None])


class LatentAttention(nn.Module):
    """MLA with decoupled rotary keys. Letters: B batch, S tokens, H heads, T cached tokens, R latent and rotary key."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        D, H = config.hidden_size, config.num_attention_heads
        self.scale = softmax_scale(config)
        if config.q_lora_rank is None:
            self.q_proj = Linear(D, H * config.qk_head_dim)
        else:
            self.q_a_proj = Linear(D, config.q_lora_rank)
            self.q_a_layernorm = RMSNorm(config.q_lora_rank, eps=1e-6)
            self.q_b_proj = Linear(config.q_lora_rank, H * config.qk_head_dim)
        self.kv_a_proj_with_mqa = Linear(D, config.latent_dim)
        self.kv_a_layernorm = RMSNorm(config.kv_lora_rank, eps=1e-6)
        self.kv_b_proj = Linear(config.kv_lora_rank, H * (config.qk_nope_head_dim + config.v_head_dim))
        self.o_proj = Linear(H * config.v_head_dim, D)

    def _queries(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, D] -> the parts without and with position, [B, H, S, nope] and [B, H, S, rope]."""
        c = self.config
        q = self.q_proj(x) if c.q_lora_rank is None else self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x)))
        q = q.unflatten(-1, (c.num_attention_heads, c.qk_head_dim)).transpose(1, 2)
        nope, rope = q.split((c.qk_nope_head_dim, c.qk_rope_head_dim), dim=-1)
        return nope, rotate(rope, cos, sin)

    def _latents(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, D] -> normalised latent [B, S, kv_lora_rank] and rotated shared key [B, 1, S, rope]."""
        c = self.config
        latent, key = self.kv_a_proj_with_mqa(x).split((c.kv_lora_rank, c.qk_rope_head_dim), dim=-1)
        return self.kv_a_layernorm(latent), rotate(key[:, None], cos, sin)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | Layout | None = None, latents: Tensor | None = None
    ) -> Tensor:
        """Attention of [B, S, D] to itself, causal, or by `mask` (bool [B, 1, S, S], true where allowed, or a layout).

        `latents` [B, S, R], where given, receives what later tokens need of these.
        """
        c = self.config
        q_nope, q_rope = self._queries(x, cos, sin)
        latent, k_rope = self._latents(x, cos, sin)
        if latents is not None:
            latents.copy_(torch.cat((latent, k_rope[:, 0]), dim=-1))
        kv = self.kv_b_proj(latent).unflatten(-1, (c.num_attention_heads, -1)).transpose(1, 2)
        k_nope, v = kv.split((c.qk_nope_head_dim, c.v_head_dim), dim=-1)
        if isinstance(mask, Layout):
            return self.o_proj(self._branched(q_nope, q_rope, k_nope, k_rope, v, mask))
        q = torch.cat((q_nope, q_rope), dim=-1)
        k = torch.cat((k_nope, k_rope.expand(-1, c.num_attention_heads, -1, -1)), dim=-1)
        out = attend(q, k, v, mask, self.scale)
        return self.o_proj(out.transpose(1, 2).flatten(2))

    def _branched(
        self, q_nope: Tensor, q_rope: Tensor, k_nope: Tensor, k_rope: Tensor, v: Tensor, layout: Layout
    ) -> Tensor:
        """Queries, keys and values [1, H, N, ...] of a row of trunks and branches -> [1, N, H * v]."""
        shared = k_rope.expand(-1, q_rope.shape[1], -1, -1)
        q, k = (
            torch.cat([one[0].transpose(0, 1) for one in both], dim=-1) for both in ((q_nope, q_rope), (k_nope, shared))
        )
        parts = layout.queries(q), layout.keys(k), layout.keys(v[0].transpose(0, 1)), (None, layout.bias)
        outs = [attend(*part, self.scale) for part in zip(*parts, strict=True)]
        return layout.collect(*outs).flatten(1)[None]

    def extend(self, x: Tensor, places: Positions, latents: Tensor) -> Tensor:
        """Absorbed attention of the tokens [B, S, D] to `latents` [B, T, R], where their own are written first."""
        c = self.config
        B, S, _ = x.shape
        q_nope, q_rope = self._queries(x, places.cos, places.sin)
        latent, key = self._latents(x, places.cos, places.sin)
        latents.scatter_(1, places.slots, torch.cat((latent, key[:, 0]), dim=-1))
        up = self.kv_b_proj.weight.to(x.dtype).view(c.num_attention_heads, -1, c.kv_lora_rank)
        up_k, up_v = up.split((c.qk_nope_head_dim, c.v_head_dim), dim=1)
        q = torch.cat((q_nope @ up_k, q_rope), dim=-1)  # [B, H, S, R]
        scores = q.flatten(1, 2) @ latents.mT  # [B, H * S, T]
        scores = scores.unflatten(1, (-1, S)) * self.scale + places.bias
        weights = scores.softmax(-1)  # sums in float32 whatever the type
        mixed = (weights.flatten(1, 2) @ latents[..., : c.kv_lora_rank]).unflatten(1, (-1, S))
        out = mixed @ up_v.mT  # [B, H, S, v]
        return self.o_proj(out.transpose(1, 2).reshape(B, S, -1))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    """softmax(scale q k^T) v, causal, or by `mask` [B, 1, S, T]: true where allowed, or what is added to the scores.

    `q` [B, H, S, qk width], `k` [B, H, T, qk width], `v` [B, H, T, v width] -> [B, H, S, v width]. T is S, or with a
    mask more: the first T - S keys then stand before the first query, and no query sees keys behind its own.
    """
    if q.device.type == "cpu":
        return _blocked(q, k, v, mask, scale)[0]
    # Fused kernels want one width for all three: zeros behind the values cost little and are cut off again.
    width = v.shape[-1]
    v = F.pad(v, (0, max(0, q.shape[-1] - width)))
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale)[..., :width]


# On a CPU, PyTorch's fused attention runs its backward pass at a tenth of the matmul peak. Blocks of whole query rows,
# each a few batched products and one softmax, run near it, never hold more than a block of scores, and skip the future.
# Short sequences are a single block, whose weights are kept for the backward pass.


def _weights(q: Tensor, k: Tensor, mask: Tensor | None, scale: float, start: int) -> Tensor:
    """Attention weights of the queries `q` [B * H, rows, width] from `start` on to the keys [B * H, end, width]."""
    scores = torch.baddbmm(q.new_empty(()), q, k.mT, beta=0, alpha=scale)
    # Adding minus infinity takes a quarter of the time of filling it in.
    if mask is None:
        scores[:, :, start:] += q.new_full((q.shape[1], q.shape[1]), float("-inf")).triu(1)
    else:
        bias = mask[:, :, start : start + q.shape[1], : k.shape[1]]
        if bias.dtype == torch.bool:
            bias = q.new_zeros(bias.shape).masked_fill_(~bias, float("-inf"))
        scores.unflatten(0, (len(mask), len(scores) // len(mask))).add_(bias)
    return scores.softmax(-1)


def _single(q: Tensor, k: Tensor) -> bool:
    return q.shape[2] <= _BLOCK and k.shape[2] <= 2 * _BLOCK


@torch.library.custom_op("candor::attend", mutates_args=())
def _blocked(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    out, before = q.new_empty(*q.shape[:-1], v.shape[-1]), k.shape[2] - q.shape[2]
    single = _single(q, k)
    q, k, v, into = (x.flatten(0, 1) for x in (q, k, v, out))
    if single:
        weights = _weights(q, k, mask, scale, 0)
        torch.bmm(weights, v, out=into)
        return out, weights
    for start in range(0, q.shape[1], _BLOCK):
        end = min(start + _BLOCK, q.shape[1])
        seen = slice(before + end)
        into[:, start:end] = _weights(q[:, start:end], k[:, seen], mask, scale, start) @ v[:, seen]
    return out, q.new_empty(0)


@torch.library.custom_op("candor::attend_backward", mutates_args=())
def _blocked_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, kept: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    heads, before, single = q.shape[:2], k.shape[2] - q.shape[2], _single(q, k)
    grad, q, k, v = (x.flatten(0, 1) for x in (grad, q, k, v))

    def scores(grads: Tensor, values: Tensor, weights: Tensor) -> Tensor:
        return torch.ops.aten._softmax_backward_data(grads @ values.mT, weights, -1, weights.dtype)

    def product(a: Tensor, b: Tensor) -> Tensor:
        return torch.baddbmm(q.new_empty(()), a, b, beta=0, alpha=scale)

    # Of their own memory layout, whatever the inputs' is: compiled code relies on it.
    if single:
        grad_v, grad_scores = kept.mT @ grad, scores(grad, v, kept)
        grad_q, grad_k = product(grad_scores, k), product(grad_scores.mT, q)
    else:
        wide = torch.promote_types(q.dtype, torch.float32)
        grad_q = q.new_empty(q.shape)
        grad_k, grad_v = k.new_zeros(k.shape, dtype=wide), v.new_zeros(v.shape, dtype=wide)
        for start in range(0, q.shape[1], _BLOCK):
            end = min(start + _BLOCK, q.shape[1])
            seen = slice(before + end)
            queries, keys, grads = q[:, start:end], k[:, seen], grad[:, start:end]
            weights = _weights(queries, keys, mask, scale, start)
            grad_v[:, seen] += weights.mT @ grads
            grad_scores = scores(grads, v[:, seen], weights)
            grad_q[:, start:end] = product(grad_scores, keys)
            grad_k[:, seen] += product(grad_scores.mT, queries)
    return tuple(x.to(q.dtype).unflatten(0, heads) for x in (grad_q, grad_k, grad_v))


@_blocked.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> tuple[Tensor, Tensor]:
    kept = (q.shape[0] * q.shape[1], q.shape[2], k.shape[2]) if _single(q, k) else (0,)
    return q.new_empty(*q.shape[:-1], v.shape[-1]), q.new_empty(kept)


@_blocked_backward.register_fake
def _(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, kept: Tensor, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    return q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, ctx.scale = inputs
    ctx.save_for_backward(*tensors, output[1])
    ctx.mark_non_differentiable(output[1])


def _backward(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Tensor, Tensor, Tensor, None, None]:
    return *_blocked_backward(grad, *ctx.saved_tensors, ctx.scale), None, None


_blocked.register_autograd(_backward, setup_context=_save)
