"""The same rewards and log-probabilities through TRL's trainer and through our losses: the same loss and gradient.

TRL's own `_generate_and_score_completions` (advantages, importance weights of the sampler) and `_compute_loss` run;
only what they call for data is replaced: sampling, rewards, and the model that gives log-probabilities.
"""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor
from trl.trainer.grpo_trainer import GRPOTrainer

from candor.rl.losses import LossConfig, Totals, advantages, logprob_gap, policy_loss

GROUPS, G, T = 5, 4, 12
BETA, CAP = 0.07, 1.3
MAX_LENGTH = 20

THEIRS: dict[str, dict[str, Any]] = {
    "grpo": {"loss_type": "grpo", "epsilon_low": 0.2, "epsilon_high": 0.2},
    "dr_grpo": {"loss_type": "dr_grpo", "epsilon_low": 0.2, "epsilon_high": 0.2, "scale_rewards": "none"},
    "dapo": {"loss_type": "dapo", "epsilon_low": 0.2, "epsilon_high": 0.28},
    "gspo": {
        "loss_type": "grpo",
        "importance_sampling_level": "sequence",
        "epsilon_low": 3e-4,
        "epsilon_high": 4e-4,
    },
    "cispo": {"loss_type": "cispo", "epsilon_low": 0.2, "epsilon_high": 5.0},
}
"""Our kinds in TRL's terms, with the numbers of the papers."""
WIDER = {"gspo": {"epsilon_low": 0.05, "epsilon_high": 0.08}, "cispo": {"epsilon_high": 1.1}}
"""A second setting of each, chosen to clip other answers than the first."""


class Theirs(GRPOTrainer):
    """TRL's trainer without a model: log-probabilities, samples and rewards are given."""

    def __init__(self, case: "Case", parts: int = 1, **settings: Any) -> None:
        self.case = case
        settings = {"importance_sampling_level": "token", "scale_rewards": "group", "beta": 0.0} | settings
        correction = settings.pop("correction", None)
        self.__dict__ |= settings
        self.use_vllm = self.vllm_importance_sampling_correction = correction is not None
        self.vllm_importance_sampling_mode = f"{correction}_truncate"
        self.vllm_importance_sampling_clip_min, self.vllm_importance_sampling_clip_max = None, CAP
        self.args = SimpleNamespace(
            delta=None,
            use_bias_correction_kl=False,  # DeepSeek-V3.2's; the papers of these losses have none
            steps_per_generation=parts,
            gradient_accumulation_steps=3,  # not a multiple of the steps of a generation: old log-probabilities matter
            per_device_train_batch_size=GROUPS * G,
            gradient_checkpointing_kwargs=None,
        )
        self.current_gradient_accumulation_steps = parts
        self.model = SimpleNamespace(training=True, is_gradient_checkpointing=False)
        self.ref_model = object()
        self.num_iterations = 2
        self.num_generations = G
        self.max_completion_length = MAX_LENGTH
        self.reward_weights = torch.ones(1)
        self.reward_funcs = self.reward_func_names = ["reward"]
        self.multi_objective_aggregation = "sum_then_normalize"
        self.environment_factories = self.environments = self.tools = self.pad_to_multiple_of = None
        self.off_policy_mask_threshold = self.top_p = None
        self.top_entropy_quantile = 1.0
        self.aux_loss_enabled = self.mask_truncated_completions = self._entropy_bonus_enabled = False
        self._tokenizer = SimpleNamespace(pad_token_id=0)
        self._metrics: Any = {"train": defaultdict(list)}
        self._logs: Any = defaultdict(list, rewards=defaultdict(list), extra=defaultdict(list))
        self._pending_extra_logs: Any = {}
        self._pending_metrics: Any = {}
        self.log_multimodal = False
        same = lambda value, **_: value  # noqa: E731
        self.accelerator = SimpleNamespace(
            device=torch.device("cpu"), num_processes=1, process_index=0, gather=same, reduce=same
        )

    def _generate(self, prompts: list[str]) -> Any:
        lengths = self.case.mask.sum(-1).tolist()
        ids = [[7] * length for length in lengths]
        sampler = [row[:length].tolist() for row, length in zip(self.case.sampler, lengths, strict=True)]
        return [[1]] * len(prompts), ids, None, [""] * len(prompts), sampler, {}, None, None

    def _calculate_rewards(self, *_: Any) -> Tensor:
        return self.case.rewards.view(-1, 1)

    def _get_per_token_logps_and_entropies(self, model: Any, *_: Any, **__: Any) -> Any:
        if not torch.is_grad_enabled():
            return (self.case.ref if model is self.ref_model else self.case.old), None, None
        return self.now, torch.zeros_like(self.now), None

    def rollout(self) -> dict[str, Tensor]:
        out: dict[str, Tensor] = self._generate_and_score_completions([{"prompt": ""} for _ in range(GROUPS * G)])
        assert torch.equal(out["completion_mask"].bool(), self.case.mask), "they pad as we do"
        assert out["old_per_token_logps"] is self.case.old, "they do not take the ratio for 1"
        return out

    def loss(self, rollout: dict[str, Tensor], rows: slice = slice(None)) -> tuple[Tensor, Tensor]:
        """The loss of some answers and its gradient with respect to their log-probabilities."""
        self.now = self.case.now[rows].clone().requires_grad_()
        part = {name: value[rows] if value.ndim else value for name, value in rollout.items()}
        loss = self._compute_loss(self.model, part)
        (gradient,) = torch.autograd.grad(loss, self.now)
        return loss.detach(), gradient


class Case:
    """Random answers: lengths from 1 to T, ratios far on both sides of every clip range, one group of equal rewards."""

    def __init__(self, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> Tensor:
            return torch.randn(*shape, generator=generator)

        B = GROUPS * G
        lengths = torch.randint(1, T + 1, (B,), generator=generator)
        lengths[0] = T
        self.mask = torch.arange(T) < lengths[:, None]
        self.old = -normal(B, T).abs() * 2
        self.now = self.old + 0.8 * normal(B, T)
        self.ref = self.old + 0.3 * normal(B, T)
        self.sampler = self.old + 0.3 * normal(B, T)
        self.rewards = torch.randint(0, 2, (GROUPS, G), generator=generator) + 0.1 * normal(GROUPS, G)
        self.rewards[1] = 0.7


def ours(case: Case, config: LossConfig, rows: slice = slice(None)) -> tuple[Any, Tensor]:
    now = case.now[rows].clone().requires_grad_()
    scale = config.resolved().scale_by_std
    result = policy_loss(
        config,
        now,
        case.old[rows],
        advantages(case.rewards, scale_by_std=bool(scale)).values.flatten()[rows],
        case.mask[rows],
        ref_logprobs=case.ref[rows] if config.beta else None,
        sampler_logprobs=case.sampler[rows] if config.sampler_correction else None,
        totals=Totals.of(case.mask),
    )
    (gradient,) = torch.autograd.grad(result.loss, now)
    return result, gradient


def settings(kind: str, wider: bool, beta: float, correction: Any) -> tuple[dict[str, Any], LossConfig]:
    """The same setting in TRL's terms and in ours, with every option of the kind said."""
    theirs = THEIRS[kind] | (WIDER.get(kind, {"epsilon_low": 0.4, "epsilon_high": 0.5}) if wider else {})
    clip = {"eps_low": theirs["epsilon_low"], "eps_high": theirs["epsilon_high"]}
    if kind == "cispo":
        clip = {"weight_cap": theirs["epsilon_high"]}
    config = LossConfig(
        kind=kind,  # type: ignore[arg-type]
        **clip,
        beta=beta,
        max_length=MAX_LENGTH if kind == "dr_grpo" else None,
        sampler_correction=correction,
        sampler_cap=CAP if correction else None,
    )
    return theirs | {"beta": beta, "correction": correction}, config


@pytest.mark.parametrize("correction", [None, "token", "sequence"])
@pytest.mark.parametrize("beta", [0.0, BETA])
@pytest.mark.parametrize("wider", [False, True])
@pytest.mark.parametrize("kind", THEIRS)
def test_loss_and_gradient_are_those_of_trl(kind: str, wider: bool, beta: float, correction: Any) -> None:
    their_settings, config = settings(kind, wider, beta, correction)
    for seed in range(3):
        case = Case(seed)
        trainer = Theirs(case, **their_settings)
        loss, gradient = trainer.loss(trainer.rollout())
        result, own_gradient = ours(case, config)
        assert abs(result.loss.item() - loss.item()) <= 1e-6
        assert float((own_gradient - gradient).abs().max()) <= 1e-6
        assert float(gradient.abs().max()) > 1e-3, "nothing was compared"
        assert 0 < result.clip_high < 1 and (0 < result.clip_low < 1 or kind == "cispo"), "clipped on both sides"


@pytest.mark.parametrize("kind", THEIRS)
def test_published_defaults_are_the_numbers_above(kind: str) -> None:
    _, said = settings(kind, wider=False, beta=0.0, correction=None)
    default = LossConfig(kind=kind, beta=0.0, max_length=said.max_length)  # type: ignore[arg-type]
    assert default.resolved() == said.resolved()


@pytest.mark.parametrize("kind", THEIRS)
def test_a_micro_batch_is_the_part_that_trl_makes_of_it(kind: str) -> None:
    """Two halves of the batch with gradient accumulation of two: each half alike, not just their sum."""
    their_settings, config = settings(kind, wider=False, beta=BETA, correction=None)
    case = Case(3)
    trainer = Theirs(case, parts=2, **their_settings)
    rollout = trainer.rollout()
    for rows in (slice(0, GROUPS * G // 2), slice(GROUPS * G // 2, None)):
        loss, gradient = trainer.loss(rollout, rows)
        result, own_gradient = ours(case, config, rows)
        assert abs(result.loss.item() - loss.item()) <= 1e-6
        assert float((own_gradient - gradient).abs().max()) <= 1e-6


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo"])
def test_advantages_are_those_of_trl(kind: str) -> None:
    case = Case(4)
    expected = Theirs(case, **THEIRS[kind]).rollout()["advantages"]
    got = advantages(case.rewards, scale_by_std=kind == "grpo").values.flatten()
    assert float((got - expected).abs().max()) <= 1e-6
    assert got[G : 2 * G].eq(0).all()


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "dapo"])
def test_figures_are_those_of_trl(kind: str) -> None:
    their_settings, config = settings(kind, wider=False, beta=BETA, correction="token")
    case = Case(5)
    trainer = Theirs(case, **their_settings)
    trainer.loss(trainer.rollout())
    result, _ = ours(case, config)
    metrics = trainer._metrics["train"]
    assert metrics["kl"] == [pytest.approx(float(result.kl), abs=1e-5)]
    assert metrics["clip_ratio/low_mean"] == [pytest.approx(float(result.clip_low), abs=1e-6)]
    assert metrics["clip_ratio/high_mean"] == [pytest.approx(float(result.clip_high), abs=1e-6)]
    assert 0.05 < result.clip_low < 0.5 and 0.05 < result.clip_high < 0.5, "both sides clip"
    gap = logprob_gap(case.old, case.sampler, case.mask)
    assert metrics["sampling/sampling_logp_difference/mean"] == [pytest.approx(gap.mean, abs=1e-6)]
    assert metrics["sampling/sampling_logp_difference/max"] == [pytest.approx(gap.max, abs=1e-6)]
