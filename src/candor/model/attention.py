"""Multi-head latent attention: keys and values come from one small latent per token, the only thing that is cached.

Two equal forms (V3 section 2.1.1): `forward` expands the latent to full heads, best for many queries; `decode` absorbs
the up-projections into queries and outputs and attends over the latents themselves, best for few.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from candor.model.config import ModelConfig
from candor.model.rope import rotate, softmax_scale


class LatentCache:
    """Latents of the tokens seen so far, for sequences of equal length.

    `latents` is [layers, batch, max_tokens, kv_lora_rank + qk_rope_head_dim]; the first `length` tokens are valid.
    """

    def __init__(self, config: ModelConfig, batch: int, max_tokens: int, dtype: torch.dtype, device: torch.device):
        shape = (config.num_hidden_layers, batch, max_tokens, config.latent_dim)
        self.latents = torch.zeros(shape, dtype=dtype, device=device)
        self.length = 0


class LatentAttention(nn.Module):
    """MLA with decoupled rotary keys. Letters in comments: B batch, S tokens, H heads, T cached tokens, R latent."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        D, H = config.hidden_size, config.num_attention_heads
        self.scale = softmax_scale(config)
        if config.q_lora_rank is None:
            self.q_proj = nn.Linear(D, H * config.qk_head_dim, bias=False)
        else:
            self.q_a_proj = nn.Linear(D, config.q_lora_rank, bias=False)
            self.q_a_layernorm = nn.RMSNorm(config.q_lora_rank, eps=1e-6)
            self.q_b_proj = nn.Linear(config.q_lora_rank, H * config.qk_head_dim, bias=False)
        self.kv_a_proj_with_mqa = nn.Linear(D, config.latent_dim, bias=False)
        self.kv_a_layernorm = nn.RMSNorm(config.kv_lora_rank, eps=1e-6)
        self.kv_b_proj = nn.Linear(config.kv_lora_rank, H * (config.qk_nope_head_dim + config.v_head_dim), bias=False)
        self.o_proj = nn.Linear(H * config.v_head_dim, D, bias=False)

    def _queries(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, D] -> the parts without and with position, [B, H, S, nope] and [B, H, S, rope]."""
        c = self.config
        q = self.q_proj(x) if c.q_lora_rank is None else self.q_b_proj(self.q_a_layernorm(self.q_a_proj(x)))
        q = q.unflatten(-1, (c.num_attention_heads, c.qk_head_dim)).transpose(1, 2)
        nope, rope = q.split((c.qk_nope_head_dim, c.qk_rope_head_dim), dim=-1)
        return nope, rotate(rope, cos, sin)

    def _latents(self, x: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor]:
        """[B, S, D] -> normalised latent [B, S, kv_lora_rank] and rotated shared key [B, S, rope]."""
        c = self.config
        latent, key = self.kv_a_proj_with_mqa(x).split((c.kv_lora_rank, c.qk_rope_head_dim), dim=-1)
        return self.kv_a_layernorm(latent), rotate(key, cos, sin)

    def forward(
        self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None = None, cached: Tensor | None = None
    ) -> Tensor:
        """Attention of [B, S, D] to itself, causal, or by `mask` (bool [B, 1, S, S], true where allowed).

        `cached` [B, S, R], where given, receives the latents.
        """
        c = self.config
        q_nope, q_rope = self._queries(x, cos, sin)
        latent, k_rope = self._latents(x, cos, sin)
        if cached is not None:
            cached.copy_(torch.cat((latent, k_rope), dim=-1))
        kv = self.kv_b_proj(latent).unflatten(-1, (c.num_attention_heads, -1)).transpose(1, 2)
        k_nope, v = kv.split((c.qk_nope_head_dim, c.v_head_dim), dim=-1)
        q = torch.cat((q_nope, q_rope), dim=-1)
        k = torch.cat((k_nope, k_rope[:, None].expand(-1, c.num_attention_heads, -1, -1)), dim=-1)
        # Fused kernels want one width for all three: zeros behind the values cost little and are cut off again.
        v = F.pad(v, (0, max(0, c.qk_head_dim - c.v_head_dim)))
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, scale=self.scale)
        return self.o_proj(out[..., : c.v_head_dim].transpose(1, 2).flatten(2))

    def decode(self, x: Tensor, cos: Tensor, sin: Tensor, cached: Tensor, start: int) -> Tensor:
        """Absorbed attention of the tokens [B, S, D] at positions start, start + 1, ... to the latents `cached`.

        `cached` [B, T, R] with T = start + S; the rows from `start` on are written here.
        """
        c = self.config
        B, S, _ = x.shape
        q_nope, q_rope = self._queries(x, cos, sin)
        cached[:, start:] = torch.cat(self._latents(x, cos, sin), dim=-1)
        up = self.kv_b_proj.weight.view(c.num_attention_heads, c.qk_nope_head_dim + c.v_head_dim, c.kv_lora_rank)
        up_k, up_v = up.split((c.qk_nope_head_dim, c.v_head_dim), dim=1)
        q = torch.cat((q_nope @ up_k, q_rope), dim=-1)  # [B, H, S, R]
        scores = q.flatten(1, 2) @ cached.transpose(1, 2) * self.scale  # [B, H * S, T]
        future = torch.ones(S, cached.shape[1], dtype=torch.bool, device=x.device).triu(start + 1)
        scores = scores.unflatten(1, (-1, S)).masked_fill(future, float("-inf"))
        weights = scores.softmax(dim=-1, dtype=torch.promote_types(x.dtype, torch.float32)).to(x.dtype)
        mixed = (weights.flatten(1, 2) @ cached[..., : c.kv_lora_rank]).unflatten(1, (-1, S))  # [B, H, S, kv_lora_rank]
        out = mixed @ up_v.transpose(1, 2)  # [B, H, S, v]
        return self.o_proj(out.transpose(1, 2).reshape(B, S, -1))
