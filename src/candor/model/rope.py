"""Rotary positions with interleaved pairs, and their YaRN extension (V3 sections 2.1.1 and 4.3)."""

import math
from functools import lru_cache

import torch
from torch import Tensor

from candor.model.config import ModelConfig


def _temperature(factor: float, weight: float) -> float:
    """YaRN's sqrt(t) = 0.1 * weight * ln(factor) + 1."""
    return 0.1 * weight * math.log(factor) + 1.0 if factor > 1 else 1.0


def softmax_scale(config: ModelConfig) -> float:
    """Factor on the attention scores: 1/sqrt(head width), times YaRN's temperature squared."""
    scale = config.qk_head_dim**-0.5
    yarn = config.rope_scaling
    return scale * _temperature(yarn.factor, yarn.mscale_all_dim) ** 2 if yarn and yarn.mscale_all_dim else scale


@lru_cache(maxsize=16)
def _frequencies(config: ModelConfig, device: torch.device) -> Tensor:
    """Angle per position of each rotary pair, [qk_rope_head_dim / 2] float32."""
    dim, theta, yarn = config.qk_rope_head_dim, config.rope_theta, config.rope_scaling
    frequencies = 1.0 / theta ** (torch.arange(0, dim, 2, dtype=torch.float32, device=device) / dim)
    if yarn is None:
        return frequencies

    def pair_with(rotations: float) -> float:
        """The pair that turns this many times over the original context."""
        original = yarn.original_max_position_embeddings
        return dim * math.log(original / (rotations * 2 * math.pi)) / (2 * math.log(theta))

    low = max(math.floor(pair_with(yarn.beta_fast)), 0)
    high = min(math.ceil(pair_with(yarn.beta_slow)), dim - 1)
    pairs = torch.arange(dim // 2, dtype=torch.float32, device=device)
    slow = ((pairs - low) / max(high - low, 0.001)).clamp(0, 1)
    return frequencies / yarn.factor * slow + frequencies * (1 - slow)


def rotations(config: ModelConfig, positions: Tensor) -> tuple[Tensor, Tensor]:
    """cos and sin for `positions` [..., S] int64: two float32 tensors [..., S, qk_rope_head_dim / 2]."""
    angles = positions[..., None].float() * _frequencies(config, positions.device)
    yarn, factor = config.rope_scaling, 1.0
    if yarn:
        whole = _temperature(yarn.factor, yarn.mscale) if yarn.mscale and yarn.mscale_all_dim else None
        factor = whole / _temperature(yarn.factor, yarn.mscale_all_dim) if whole else _temperature(yarn.factor, 1.0)
    return angles.cos() * factor, angles.sin() * factor


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the pairs (x0, x1), (x2, x3), ... of the last axis by the given angles.

    The result holds all first members, then all second ones: queries and keys share that order, so their products
    are those of the interleaved form, and no copy is needed to interleave again.
    """
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    first, second = x[..., 0::2], x[..., 1::2]
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
