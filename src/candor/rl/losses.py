"""Losses of reinforcement learning on answers: GRPO and its published repairs, as pure functions on tensors.

B answers of at most T tokens. Every [B, T] tensor has one place per token of the answer, `mask` is true where there is
one; what stands elsewhere is not looked at. A ratio is pi(token) / pi_old(token), the trained policy over the policy
that the batch was sampled with.
"""

import difflib
import math
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from candor.errors import ConfigError, TrainingError

Kind = Literal["grpo", "r1", "dr_grpo", "dapo", "gspo", "cispo"]
"""See `policy_loss` for what each one is."""

_PUBLISHED: dict[str, dict[str, Any]] = {
    "grpo": {"eps_low": 0.2, "eps_high": 0.2, "beta": 0.04, "scale_by_std": True},
    "r1": {"eps_low": 10.0, "eps_high": 10.0, "beta": 0.001, "scale_by_std": True},
    "dr_grpo": {"eps_low": 0.2, "eps_high": 0.2, "beta": 0.0, "scale_by_std": False, "max_length": None},
    "dapo": {"eps_low": 0.2, "eps_high": 0.28, "beta": 0.0, "scale_by_std": True},
    "gspo": {"eps_low": 3e-4, "eps_high": 4e-4, "beta": 0.0, "scale_by_std": True},
    "cispo": {"weight_cap": 5.0, "beta": 0.0, "scale_by_std": True},
}
"""The options that each kind has, and their published values; None where there is none and the user must say.

DeepSeekMath names no clip range: 0.2 is PPO's. MiniMax-M1 names no cap: 5 is from arXiv 2510.13786, which compares.
"""
_PUBLISHED_SAMPLER_CAP = 2.0

_MAX_LOG_RATIO = 40.0
"""exp(40) is a float32, and so is its square: beyond, inf * 0 or the norm of the gradient would not be finite."""


@dataclass(frozen=True)
class LossConfig:
    """Which loss, and its options; one that is left out has the published value of its kind (see `resolved`).

    >>> LossConfig(kind="dapo", eps_high=0.3)

    Raises ConfigError for an unknown kind, an option that the kind does not have, or a value that cannot work.
    """

    kind: Kind = "grpo"
    """The objective: grpo, r1, dr_grpo, dapo, gspo or cispo."""
    eps_low: float | None = None
    """Below 1 - eps_low the ratio of a bad answer earns no more; all but cispo."""
    eps_high: float | None = None
    """Above 1 + eps_high the ratio of a good answer earns no more; all but cispo."""
    weight_cap: float | None = None
    """Largest importance weight of a token, 1 + eps_high of MiniMax-M1; cispo only."""
    beta: float | None = None
    """Weight of the KL divergence from the reference model; 0 needs no reference model."""
    scale_by_std: bool | None = None
    """Whether `advantages` divides by the standard deviation of the group."""
    max_length: int | None = None
    """Tokens that an answer may have, the constant by which its sum is divided; dr_grpo only, which needs it."""
    sampler_correction: Literal["token", "sequence"] | None = None
    """Weigh by trainer over sampler probability, of each token or of the whole answer; none: take them as equal."""
    sampler_cap: float | None = None
    """Largest such weight; with sampler_correction only, published value 2."""

    def __post_init__(self) -> None:
        if self.kind not in _PUBLISHED:
            near = difflib.get_close_matches(str(self.kind), _PUBLISHED, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(_PUBLISHED)}"
            raise ConfigError(f"loss.kind={self.kind!r} is not known; {hint}")
        options = self._published()
        for field in fields(self):
            if field.name in ("kind", "sampler_correction"):
                continue
            value = getattr(self, field.name)
            if value is not None and field.name not in options:
                where = "without sampler_correction" if field.name == "sampler_cap" else f"in {self.kind}"
                raise ConfigError(
                    f"loss.{field.name}={value} has no meaning {where}; leave it out ({self.kind} has "
                    f"{', '.join(options)})"
                )
        if "max_length" in options and self.max_length is None:
            raise ConfigError(
                f"loss.max_length is missing: {self.kind} divides by it; set the number of tokens an answer may have"
            )
        checks = {
            "eps_low": (lambda value: value >= 0, "0 or more"),
            "eps_high": (lambda value: value >= 0, "0 or more"),
            "weight_cap": (lambda value: value > 0, "above 0"),
            "beta": (lambda value: 0 <= value < float("inf"), "0 or more"),
            "max_length": (lambda value: value >= 1, "1 or more"),
            "sampler_correction": (lambda value: value in ("token", "sequence"), "token, sequence or none"),
            "sampler_cap": (lambda value: value > 0, "above 0"),
        }
        for name, (good, wanted) in checks.items():
            value = getattr(self, name)
            if value is not None and not good(value):
                raise ConfigError(f"loss.{name}={value} must be {wanted}")

    def _published(self) -> dict[str, Any]:
        return _PUBLISHED[self.kind] | ({"sampler_cap": _PUBLISHED_SAMPLER_CAP} if self.sampler_correction else {})

    def resolved(self) -> "LossConfig":
        """The same with the published value in place of each option left out; None is what the kind does not have."""
        return replace(self, **{n: value for n, value in self._published().items() if getattr(self, n) is None})


@dataclass(frozen=True)
class Advantages:
    """How much better than its group each answer is."""

    values: Tensor
    """[groups, G], float32 or wider."""
    zero_variance: Tensor
    """[groups] bool: all rewards of the group are equal, so that it teaches nothing."""


@dataclass(frozen=True)
class Totals:
    """What the losses divide by, of the whole batch: all micro-batches of all ranks.

    >>> Totals.of(mask_of_the_batch)
    """

    tokens: int
    """Tokens of all answers."""
    answers: int
    """Answers, those without tokens too."""

    @classmethod
    def of(cls, mask: Tensor) -> "Totals":
        """The counts of `mask` [B, T] bool."""
        return cls(tokens=int(mask.sum()), answers=len(mask))


@dataclass(frozen=True)
class PolicyLoss:
    """A loss and its figures: scalars, float32 or wider, each a sum over the given answers divided by `Totals`.

    So those of the micro-batches of a batch add up to the batch's own. A figure is a mean over tokens; in r1 and gspo
    every token of an answer has the answer's ratio.
    """

    loss: Tensor
    """To minimise; carries gradient."""
    kl: Tensor | None
    """k3 estimate of KL(pi || pi_ref) per token, nats; None without `ref_logprobs`. No gradient, here and below."""
    clip_low: Tensor
    """Share of tokens that gain nothing further: the ratio is low, the advantage negative; 0 in cispo."""
    clip_high: Tensor
    """The same where the ratio is high and the advantage positive; in cispo the share with a capped weight."""
    ratio: Tensor
    """Mean ratio."""


@dataclass(frozen=True)
class LogprobGap:
    """How far the trainer's log-probabilities lie from the sampler's, for the same weights and tokens, in nats."""

    mean: float
    """Mean absolute difference per token."""
    max: float
    """Largest absolute difference."""
    kl: float
    """k3 estimate of KL(sampler || trainer) per token."""


def advantages(rewards: Tensor, *, scale_by_std: bool = True) -> Advantages:
    """Rewards [groups, G] minus the mean of their group and, with `scale_by_std`, over its standard deviation.

    A = (r - mean) / std (DeepSeekMath, arXiv 2402.03300, section 4.1.2), A = r - mean (Dr. GRPO, arXiv 2503.20783,
    section 3.2). The papers do not say which deviation; here, as in TRL, that of a sample (G - 1) plus 1e-4. A group of
    equal rewards gets exactly 0. DAPO's dynamic sampling (arXiv 2503.14476, eq. 11) keeps the groups whose answers
    differ, `~advantages(scores).zero_variance`; its `scores` are whether the answers are right, not the whole reward,
    which a length penalty makes differ. Raises ConfigError for a wrong shape or a group of fewer than two,
    TrainingError for a reward that is not finite.
    """
    if rewards.ndim != 2 or len(rewards) == 0 or rewards.shape[1] < 2:
        raise ConfigError(
            f"rewards of shape {tuple(rewards.shape)} must be [groups, answers of a group], with two or more answers "
            "in a group to compare; give rewards.view(-1, G) where groups of G follow each other"
        )
    if rewards.dtype not in (torch.float32, torch.float64):
        rewards = rewards.float()
    if not rewards.isfinite().all():
        group, answer = (~rewards.isfinite()).nonzero()[0].tolist()
        raise TrainingError(
            f"the reward of answer {answer} in group {group} is {float(rewards[group, answer])}; a reward must be a "
            "finite number, so mend the reward function or leave the group out"
        )
    zero_variance = (rewards == rewards[:, :1]).all(-1)
    values = rewards - rewards.mean(-1, keepdim=True)
    if scale_by_std:
        values = values / (rewards.std(-1, keepdim=True) + 1e-4)
    # The mean of equal floats need not be that float.
    return Advantages(values.masked_fill(zero_variance[:, None], 0.0), zero_variance)


def overlong_penalty(length: int, max_length: int, buffer: int) -> float:
    """DAPO's soft punishment of long answers, added to the reward (arXiv 2503.14476, eq. 13).

    0 up to `max_length - buffer` tokens, from there a straight line to -1 at `max_length`, and -1 beyond.
    """
    if not 0 < buffer <= max_length:
        raise ConfigError(f"buffer={buffer} must be from 1 to max_length={max_length}")
    return min(max((max_length - buffer - length) / buffer, -1.0), 0.0)


def policy_loss(
    config: LossConfig,
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    ref_logprobs: Tensor | None = None,
    sampler_logprobs: Tensor | None = None,
    totals: Totals | None = None,
) -> PolicyLoss:
    """The loss of answers under the policy, the negative of what its paper maximises.

    `logprobs` [B, T] in nats, of any float type, with gradient; `old_logprobs`, `ref_logprobs` and `sampler_logprobs`
    [B, T]: the same tokens under the policy when the batch was sampled, under the reference model, and as the sampler
    itself gave them; `advantages` [B], `mask` [B, T] bool. Only `logprobs` receives gradient. `totals` are those of
    the whole batch where this is a part of it. With r the ratio of a token, A the advantage, |o| the length:

        grpo     mean over answers of 1/|o| sum_t min(r A, clip(r) A)           DeepSeekMath, arXiv 2402.03300, eq. 3
        r1       mean over answers of min(r_o A, clip(r_o) A), r_o = prod_t r   DeepSeek-R1, arXiv 2501.12948, eq. 1
        dr_grpo  mean over answers of 1/max_length sum_t min(r A, clip(r) A)    Dr. GRPO, arXiv 2503.20783, section 3.2
        dapo     mean over all tokens of min(r A, clip(r) A)                    DAPO, arXiv 2503.14476, eq. 8
        gspo     as r1 with r_o = (prod_t r)^(1/|o|)                            GSPO, arXiv 2507.18071, eq. 5 and 7
        cispo    mean over all tokens of sg(min(r, weight_cap)) A log pi        MiniMax-M1, arXiv 2506.13585, eq. 4

    minus `beta` times k3 = pi_ref/pi - log(pi_ref/pi) - 1 of each token (DeepSeekMath, eq. 4), averaged as the rest;
    in r1 of the whole answer (its eq. 2). With `sampler_correction` the first term is multiplied by
    min(pi_old / pi_sampler, sampler_cap) of the token or of the answer: truncated importance sampling (Yao et al.,
    "Your efficient RL framework secretly brings you off-policy RL training", 2025).

    An answer without tokens adds nothing, and is counted. Raises ConfigError for shapes that do not fit, and where
    `config` needs log-probabilities that are missing or has no use for those given.
    """
    _check_shapes(
        logprobs,
        mask,
        old_logprobs=old_logprobs,
        advantages=advantages,
        ref_logprobs=ref_logprobs,
        sampler_logprobs=sampler_logprobs,
    )
    config = config.resolved()
    if config.beta and ref_logprobs is None:
        raise ConfigError(f"loss.beta={config.beta} needs ref_logprobs; give them or set beta=0")
    if (config.sampler_correction is None) != (sampler_logprobs is None):
        raise ConfigError(
            f"loss.sampler_correction={config.sampler_correction} and sampler_logprobs "
            f"{'missing' if sampler_logprobs is None else 'given'}: set both or neither"
        )
    totals = totals or Totals.of(mask)
    logprobs = logprobs.to(torch.promote_types(logprobs.dtype, torch.float32))
    advantage = advantages.detach().to(logprobs.dtype)[:, None]  # [B, 1]
    lengths = mask.sum(-1, keepdim=True).clamp(min=1)  # [B, 1]

    log_ratio = _difference(logprobs, old_logprobs.detach(), mask)
    if config.kind in ("r1", "gspo"):
        log_ratio = log_ratio.sum(-1, keepdim=True)  # [B, 1]
    if config.kind == "gspo":
        log_ratio = log_ratio / lengths
    ratio = log_ratio.clamp(max=_MAX_LOG_RATIO).exp()
    if config.kind == "cispo":
        assert config.weight_cap is not None
        gain = ratio.detach().clamp(max=config.weight_cap) * advantage * logprobs
        too_low, too_high = torch.zeros_like(mask), ratio > config.weight_cap
    else:
        assert config.eps_low is not None and config.eps_high is not None
        low, high = 1 - config.eps_low, 1 + config.eps_high
        gain = torch.minimum(ratio * advantage, ratio.clamp(low, high) * advantage)
        too_low, too_high = (ratio < low) & (advantage < 0), (ratio > high) & (advantage > 0)
    if sampler_logprobs is not None:
        gap = _difference(old_logprobs.detach().to(logprobs.dtype), sampler_logprobs.detach(), mask)
        if config.sampler_correction == "sequence":
            gap = gap.sum(-1, keepdim=True)
        gain = gain * gap.exp().clamp(max=config.sampler_cap)

    cost, kl = -gain, None
    if ref_logprobs is not None:
        from_ref = _difference(ref_logprobs.detach(), logprobs, mask)
        kl = _over_tokens(_k3(from_ref.detach()), mask) / max(totals.tokens, 1)
        if config.beta:
            cost = cost + config.beta * _k3(from_ref.sum(-1, keepdim=True) if config.kind == "r1" else from_ref)

    if config.kind in ("dapo", "cispo"):
        loss = _over_tokens(cost, mask) / max(totals.tokens, 1)
    else:
        loss = _over_tokens(cost / (config.max_length or lengths), mask) / max(totals.answers, 1)
    shares = (
        _over_tokens(figure.to(loss.dtype), mask) / max(totals.tokens, 1)
        for figure in (too_low, too_high, ratio.detach())
    )
    return PolicyLoss(loss, kl, *shares)


def logprob_gap(logprobs: Tensor, sampler_logprobs: Tensor, mask: Tensor) -> LogprobGap:
    """Compare the trainer's log-probabilities with the sampler's, [B, T] in nats, where `mask` [B, T] bool is true.

    Both under the same weights: what is left is the difference of kernels, types and routing. Zeros where the mask is
    empty. Raises ConfigError for shapes that do not fit.
    """
    _check_shapes(logprobs, mask, sampler_logprobs=sampler_logprobs)
    if not mask.any():
        return LogprobGap(0.0, 0.0, 0.0)
    gap = logprobs.detach()[mask].float() - sampler_logprobs.detach()[mask].float()  # [tokens]
    return LogprobGap(float(gap.abs().mean()), float(gap.abs().max()), float(_k3(gap).mean()))


def _difference(left: Tensor, right: Tensor, mask: Tensor) -> Tensor:
    """`left - right` where there is a token, 0 elsewhere, with no gradient there."""
    return (left - right).masked_fill(~mask, 0.0)


def _k3(log_ratio: Tensor) -> Tensor:
    """J. Schulman's third estimator of KL(p || q) from samples of p, given log(q / p): not negative, 0 where equal.

    Beyond _MAX_LOG_RATIO its tangent, so that it stays finite and still pulls back.
    """
    beyond = (log_ratio - _MAX_LOG_RATIO).clamp(min=0)
    return torch.expm1(log_ratio.clamp(max=_MAX_LOG_RATIO)) + math.exp(_MAX_LOG_RATIO) * beyond - log_ratio


def _over_tokens(values: Tensor, mask: Tensor) -> Tensor:
    """Sum of `values` [B, T] or [B, 1] over the tokens."""
    return values.expand(mask.shape).masked_fill(~mask, 0.0).sum()


def _check_shapes(logprobs: Tensor, mask: Tensor, **others: Tensor | None) -> None:
    """A [B, 1] that broadcasts over [B, B] would train on nonsense, silently."""
    if logprobs.ndim != 2:
        raise ConfigError(f"logprobs of shape {tuple(logprobs.shape)} must be [answers, tokens]")
    if mask.dtype != torch.bool:
        raise ConfigError(f"mask of type {mask.dtype} must be bool; give mask.bool()")
    for name, tensor in {"mask": mask, **others}.items():
        shape = logprobs.shape[:1] if name == "advantages" else logprobs.shape
        if tensor is not None and tensor.shape != shape:
            raise ConfigError(f"{name} of shape {tuple(tensor.shape)} must be {tuple(shape)}, as logprobs are")
