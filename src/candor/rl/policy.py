"""Policy optimisation as a task of the training loop: sample, score, and step on what was sampled."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from candor import files
from candor.errors import ConfigError, TrainingError
from candor.infer import Engine
from candor.model import Transformer
from candor.model.branches import Branches
from candor.model.heads import logprobs_and_entropy
from candor.problems import Problem
from candor.problems.prompts import check_format
from candor.problems.tasks import check_task, draw
from candor.rl.losses import LossConfig, Totals, advantages, logprob_gap, policy_loss
from candor.rl.rollout import Episode, Rollout, roll_out
from candor.rl.rubric import REFLECTION, Rubric, means
from candor.train.loop import StepPlan
from candor.train.step import Loss


@dataclass(frozen=True)
class PolicyBatch:
    """Answers with what the loss needs of them. Letters: N tokens, B answers of up to A, filled up on the right."""

    tokens: Tensor
    """[N] int64: the prompts, each of them once, then the answers without their last tokens."""
    layout: Branches
    """Where prompts and answers stand in `tokens`."""
    answers: Tensor
    """[B, A] int64: the answers."""
    mask: Tensor
    """[B, A] bool: where an answer has a token; the other tensors have no meaning elsewhere."""
    advantages: Tensor
    """[B] float32."""
    sampler: Tensor
    """[B, A]: the sampler's log-probabilities."""
    old: Tensor | None = None
    """[B, A]: the trainer's, before the first step on these answers; None where the first step is the only one."""
    reference: Tensor | None = None
    """[B, A]: the reference model's."""

    def to(self, device: torch.device) -> "PolicyBatch":
        """The same on another device."""
        return replace(self, **{name: one.to(device) for name, one in vars(self).items() if one is not None})


def answer_logprobs(model: Transformer, batch: PolicyBatch) -> tuple[Tensor, Tensor]:
    """Log-probabilities of the answers' tokens, with gradient, and 0 where there is none; [B, A].

    Also the mean entropy of the model there, in nats, without gradient.
    """
    states = model.branched(batch.tokens, batch.layout)
    before = states.index_select(0, batch.layout.sources()[batch.mask])
    found, entropy = logprobs_and_entropy(before, model.lm_head.weight, batch.answers[batch.mask])
    return found.new_zeros(batch.mask.shape).masked_scatter(batch.mask, found), entropy


def batches_of(episodes: Sequence[Episode], values: Sequence[float], *, micro_tokens: int) -> list[PolicyBatch]:
    """Micro-batches of up to `micro_tokens` tokens, a prompt with all its answers where that fits.

    Answers of like length come together: attention pads them.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for place, one in enumerate(episodes):
        groups.setdefault(one.prompt_ids, []).append(place)
    some: list[int] = []
    batches, tokens = [], 0
    order = sorted(groups.items(), key=lambda item: max(len(episodes[place].token_ids) for place in item[1]))
    for prompt, places in order:
        started = False
        for place in places:
            own = max(0, len(episodes[place].token_ids) - 1)
            more = own + (0 if started else len(prompt))
            if some and tokens + more > micro_tokens:
                batches.append(_batch([episodes[at] for at in some], [values[at] for at in some]))
                some, tokens, more = [], 0, own + len(prompt)
            some.append(place)
            started, tokens = True, tokens + more
    if some:
        batches.append(_batch([episodes[at] for at in some], [values[at] for at in some]))
    return batches


def _batch(episodes: list[Episode], values: list[float]) -> PolicyBatch:
    prompts = list(dict.fromkeys(one.prompt_ids for one in episodes))
    number = {prompt: at for at, prompt in enumerate(prompts)}
    lengths = torch.tensor([len(one.token_ids) for one in episodes])
    mask = torch.arange(max(1, int(lengths.max()))) < lengths[:, None]

    def filled(lines: Iterable[Sequence[float]], like: Tensor) -> Tensor:
        flat = torch.tensor([value for line in lines for value in line], dtype=like.dtype)
        return like.masked_scatter(mask, flat)

    read = [*prompts, *(one.token_ids[:-1] for one in episodes)]
    return PolicyBatch(
        tokens=torch.tensor([token for line in read for token in line]),
        layout=Branches(
            torch.tensor([len(prompt) for prompt in prompts]),
            (lengths - 1).clamp(min=0),
            torch.tensor([number[one.prompt_ids] for one in episodes]),
        ),
        answers=filled((one.token_ids for one in episodes), torch.zeros(mask.shape, dtype=torch.int64)),
        mask=mask,
        advantages=torch.tensor(values),
        sampler=filled((one.logprobs for one in episodes), torch.zeros(mask.shape)),
    )


@dataclass(frozen=True)
class RewardConfig:
    """Weights of the rewards; 0 leaves one out."""

    accuracy: float = 1.0
    """The checker says right, in the place made for the answer."""
    format: float = 1.0
    """One <think> and one <answer>."""
    language: float = 0.0
    """Share of words in the language of the question."""
    length: float = 0.0
    """0, falling to -1 over the last quarter of the allowed tokens."""
    abstention: float = 0.0
    """The answer says that it cannot be known, of problems where that is right."""
    helpfulness: float = 0.0
    """What the helpfulness model says of the final answer to a general request."""
    safety: float = 0.0
    """What the safety model says of the whole response to a request of the safety family."""

    def weights(self, *, preferences: bool = True) -> dict[str, float]:
        """Those that count, by name; without `preferences` those of rules alone."""
        return {name: weight for name, weight in vars(self).items() if weight and (preferences or name not in LEARNT)}


LEARNT = ("helpfulness", "safety")
"""Rewards that a model gives, which can be gamed when they are followed for long (R1 2.3.4)."""


@dataclass(frozen=True)
class RolloutConfig:
    """What is sampled for each rollout."""

    tasks: tuple[str, ...] = ("arithmetic:1:en",)
    """Families as NAME:DIFFICULTY:LANG, or real sets as NAME:PATH; each gives an equal share, from its train split."""
    questions: int = 32
    """Questions a rollout."""
    group: int = 16
    """Answers to each."""
    format: str = "plain"
    """Words around the question: plain, r1_zero, chat, or a text with {prompt}."""
    max_tokens: int = 64
    """Most tokens of an answer."""
    temperature: float = 1.0
    """Temperature of the sampling; log-probabilities are always those of temperature 1."""

    def __post_init__(self) -> None:
        least = {"questions": len(self.tasks), "group": 2, "max_tokens": 1}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"rollout.{name}={getattr(self, name)} must be at least {lowest}")
        check_format(self.format)
        for task in self.tasks:
            check_task(task)


class PolicyTask:
    """Reinforcement learning as the training loop sees it: each rollout gives `inner_steps` steps.

    All that a step does follows from its number, the weights, and what `folder` keeps of rollouts, so a run that was
    killed goes on in the same bits, and what was sampled already is not sampled again.
    """

    def __init__(
        self,
        engine: Engine,
        rollout: RolloutConfig,
        rubric: Callable[[int], Rubric],
        loss: LossConfig,
        folder: Path,
        *,
        steps: int,
        inner_steps: int = 1,
        refresh: int = 400,
        micro_tokens: int = 16384,
        seed: int = 0,
        rate: Callable[[int], float] = lambda step: 1.0,
        watch: Callable[[int], dict[str, float]] = lambda step: {},
    ):
        """`rubric(step)` is what counts in the rollout before a step. The reference model becomes the policy every
        `refresh` steps. `rate(step)` is the factor on the learning rate; `watch(step)` gives further figures before a
        step, when the engine has the current weights."""
        self.engine, self.rollout, self.rubric, self.loss, self.folder = (
            engine,
            rollout,
            rubric,
            loss.resolved(),
            folder,
        )
        self.steps, self.inner_steps, self.refresh = steps, inner_steps, refresh
        self.micro_tokens, self.seed, self.rate, self.watch = micro_tokens, seed, rate, watch
        self.total_tokens = 0
        self._at = -1
        self._parts: list[list[PolicyBatch]] = []
        self._totals: list[Totals] = []
        self._figures: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the number of the step says it all."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to do."""

    def next(self, step: int, tokens: int) -> StepPlan[PolicyBatch] | None:
        """Sample where a rollout begins, then one part of it."""
        if step >= self.steps:
            return None
        rollout, part = divmod(step, self.inner_steps)
        if self._at != rollout:
            self._sample(rollout, step)
        totals = self._totals[part]
        self.total_tokens = round((tokens + totals.tokens) / (step + 1) * self.steps)
        first = part == 0
        moving = sum(int(batch.mask.sum()) for batch in self._parts[part])
        figures = self._figures if first else {}
        note = ", ".join(
            f"{name.removeprefix('response_')} {figures[name]:.2f}"
            for name in ("reward", "accuracy", "response_length")
            if name in figures
        )

        def objective(model: Transformer, batch: PolicyBatch) -> Loss:
            return self._objective(model, batch, totals, moving, compare=first)

        return StepPlan(
            micro_batches=self._parts[part],
            tokens=totals.tokens,
            objective=objective,
            lr_factor=self.rate(step),
            bias_speed=0.0,
            denominator=1,
            figures=figures,
            note=note,
        )

    def _questions(self, rollout: int) -> list[Problem]:
        """Questions of a rollout, an equal share of each task, in the order of the tasks."""
        tasks = self.rollout.tasks
        problems: list[Problem] = []
        for number, task in enumerate(tasks):
            count = self.rollout.questions // len(tasks) + (number < self.rollout.questions % len(tasks))
            problems += draw(task, self.seed * 1_000_003 + rollout, count)
        return problems

    def _sample(self, rollout: int, step: int) -> None:
        model = self.engine.model.eval()
        self.engine.update_weights()
        watched = self.watch(step)
        c = self.rollout
        self.folder.mkdir(parents=True, exist_ok=True)
        found = roll_out(
            self.engine,
            self._questions(rollout),
            self.rubric(step),
            group=c.group,
            form=c.format,
            max_tokens=c.max_tokens,
            temperature=c.temperature,
            seed=self.seed * 1_000_003 + rollout,
            path=self.folder / f"{rollout}.jsonl",
        )
        model.train()
        episodes, values, figures = self._values(found)
        self._figures = figures | watched
        order = torch.randperm(len(episodes), generator=torch.Generator().manual_seed(self.seed + rollout)).tolist()
        self._parts, self._totals = [], []
        for part in range(self.inner_steps):
            some = order[part :: self.inner_steps]
            self._totals.append(Totals(sum(len(episodes[place].token_ids) for place in some), len(some)))
            # Without a reference to stay near, an answer as good as its group has no gradient.
            moving = [place for place in some if values[place] or self.loss.beta]
            chosen = [episodes[place] for place in moving], [values[place] for place in moving]
            self._parts.append(batches_of(*chosen, micro_tokens=self.micro_tokens))
        self._add_logprobs(model, rollout)
        self._at = rollout

    def _values(self, found: Rollout) -> tuple[list[Episode], list[float], dict[str, float]]:
        """The answers that could be scored, their advantages, and what the rollout looked like."""
        episodes: list[Episode] = []
        values: list[float] = []
        even = 0
        for group, scored in zip(found.episodes, found.scored, strict=True):
            kept = [(one, score.total) for one, score in zip(group, scored, strict=True) if score.total is not None]
            if len(kept) < 2:
                even += 1
                continue
            rewards = torch.tensor([[total for _, total in kept]])
            result = advantages(rewards, scale_by_std=bool(self.loss.scale_by_std))
            even += int(result.zero_variance[0])
            episodes += [one for one, _ in kept]
            values += result.values[0].tolist()
        every = [one for group in found.episodes for one in group]
        scored_all = [score for group in found.scored for score in group]
        totals = [score.total for score in scored_all if score.total is not None]
        failures = [score.failed[0] for score in scored_all if score.failed]
        if not totals:
            raise TrainingError(f"no answer of the rollout could be scored; the first failure: {failures[0]}")
        words = sum(len(REFLECTION.findall(one.text)) for one in every)
        figures = {
            "reward": sum(totals) / len(totals),
            **means(scored_all),
            "response_length": sum(len(one.token_ids) for one in every) / len(every),
            "truncated": sum(one.finish_reason == "length" for one in every) / len(every),
            "reflection": words / len(every),
            "zero_variance": even / len(found.episodes),
            "reward_failures": float(len(failures)),
        }
        return episodes, values, figures

    def _add_logprobs(self, model: Transformer, rollout: int) -> None:
        """Log-probabilities under the policy before the first of several steps, and under the reference model."""
        if self.inner_steps > 1:
            self._fill("old", model, self.folder / f"{rollout}.old.safetensors")
        if not self.loss.beta:
            return
        since = rollout * self.inner_steps // self.refresh * self.refresh // self.inner_steps
        path = self.folder / f"reference-{since}.safetensors"
        if not path.exists():
            with files.atomic_file(path) as tmp:
                save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, tmp)
        reference = Transformer(model.config).to(model.lm_head.weight.device)
        reference.load_state_dict(load_file(path))
        reference.compute_dtype = model.compute_dtype
        self._fill("reference", reference, None)

    def _fill(self, name: str, model: Transformer, path: Path | None) -> None:
        """Put `name` into every batch; where there is a path, keep it there, since the weights will change."""
        batches = [batch for part in self._parts for batch in part]
        if path is not None and path.exists():
            values = [load_file(path)[str(number)] for number in range(len(batches))]
        else:
            device = model.lm_head.weight.device
            with torch.no_grad():
                values = [answer_logprobs(model, batch.to(device))[0].cpu() for batch in batches]
            if path is not None:
                with files.atomic_file(path) as tmp:
                    save_file({str(number): value for number, value in enumerate(values)}, tmp)
        found: list[dict[str, Any]] = [{name: value} for value in values]
        filled = iter(replace(batch, **one) for batch, one in zip(batches, found, strict=True))
        self._parts = [[next(filled) for _ in part] for part in self._parts]

    def _objective(self, model: Transformer, batch: PolicyBatch, totals: Totals, moving: int, *, compare: bool) -> Loss:
        """The policy loss of one micro-batch; `compare` with the sampler, where the weights are still its own.

        `moving`: answer tokens of all micro-batches, without those of answers that have no gradient.
        """
        batch = batch.to(model.lm_head.weight.device)
        logprobs, entropy = answer_logprobs(model, batch)
        found = policy_loss(
            self.loss,
            logprobs,
            logprobs.detach() if batch.old is None else batch.old,
            batch.advantages,
            batch.mask,
            ref_logprobs=batch.reference,
            sampler_logprobs=batch.sampler if self.loss.sampler_correction else None,
            totals=totals,
        )
        part = int(batch.mask.sum()) / max(1, moving)
        back = totals.tokens / max(1, moving)  # figures are means over the answers that went through the model
        sums = {"loss": found.loss, "ratio": found.ratio * back, "clip_low": found.clip_low * back,
                "clip_high": found.clip_high * back, "entropy": entropy * part}  # fmt: skip
        if found.kl is not None:
            sums["kl"] = found.kl * back
        if compare:
            gap = logprob_gap(logprobs, batch.sampler, batch.mask)
            sums |= {"gap": torch.tensor(gap.mean * part), "gap_kl": torch.tensor(gap.kl * part)}
        return Loss(found.loss, sums, None)
