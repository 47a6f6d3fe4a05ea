"""Schedules of a run as pure functions of the tokens seen: learning rate and batch size.

V3 (section 4.2), as fractions of its 14.8T tokens: warm-up, constant to 10T, cosine to a tenth over 4.3T, constant for
333B, then 7.3e-6 of the peak's 2.2e-4 for the last 167B; the batch grows from 3072 to 15360 sequences over 469B.
"""

import math
from dataclasses import dataclass
from typing import Literal

from candor.errors import ConfigError

V3_TOTAL = 14_800e9
V3_CONSTANT = 10_000e9 / V3_TOTAL
V3_COSINE_END = 14_300e9 / V3_TOTAL
V3_LAST = (14_300e9 + 333e9) / V3_TOTAL
V3_LAST_FACTOR = 7.3e-6 / 2.2e-4


@dataclass(frozen=True)
class ScheduleConfig:
    """How learning rate and batch move over a run."""

    shape: Literal["v3", "cosine", "constant"] = "v3"
    """v3: constant, cosine to a tenth, two constant tails; cosine: to a tenth over the whole run; constant."""
    warmup_steps: int = 20
    """Steps over which the rate rises from 0 (V3: 2000)."""
    batch_start: int = 16
    """Sequences per step at the beginning."""
    batch: int = 16
    """Sequences per step after the ramp."""
    batch_ramp: float = 469e9 / V3_TOTAL
    """Fraction of the run's tokens over which the batch grows."""

    def __post_init__(self) -> None:
        for name, least in {"warmup_steps": 0, "batch_start": 1, "batch": 1, "batch_ramp": 0}.items():
            if not getattr(self, name) >= least:
                raise ConfigError(f"pretrain.schedule.{name}={getattr(self, name)} must be at least {least}")


def rate_factor(config: ScheduleConfig, step: int, progress: float) -> float:
    """Factor on the peak learning rate of step number `step` (from 0), `progress` in [0, 1) of the run's tokens."""
    warm = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.shape == "constant":
        return warm
    if config.shape == "cosine":
        return warm * _cosine(progress)
    if progress < V3_CONSTANT:
        return warm
    if progress < V3_COSINE_END:
        return warm * _cosine((progress - V3_CONSTANT) / (V3_COSINE_END - V3_CONSTANT))
    return warm * (0.1 if progress < V3_LAST else V3_LAST_FACTOR)


def _cosine(x: float) -> float:
    """1 at x = 0, 0.1 at x = 1."""
    return 0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * x))


def batch_size(config: ScheduleConfig, progress: float) -> int:
    """Sequences of the next step: linear from `batch_start` to `batch` over the ramp."""
    if progress >= config.batch_ramp or config.batch_start == config.batch:
        return config.batch
    grown = config.batch_start + (config.batch - config.batch_start) * progress / config.batch_ramp
    return int(grown)
