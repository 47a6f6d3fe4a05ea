"""Policy optimisation as a task of the training loop: sample, score, and step on what was sampled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from candor import files
from candor.errors import ConfigError, TrainingError
from candor.infer import Engine
from candor.model import Transformer
from candor.problems.prompts import check_format
from candor.problems.tasks import check_task, draw
from candor.rl.batches import PolicyBatch, answer_logprobs, batches_of
from candor.rl.losses import LossConfig, Totals, advantages, logprob_gap, policy_loss
from candor.rl.rollout import Episode, Rollout, roll_out
from candor.rl.rubric import LEARNT, REFLECTION, Rubric, Scored, means
from candor.train.loop import StepPlan
from candor.train.step import Loss


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

    def __post_init__(self) -> None:
        for name, weight in vars(self).items():
            if not abs(weight) <= 1e6:
                raise ConfigError(f"rl.rewards.{name}={weight} must be a finite number")

    def weights(self, *, preferences: bool = True) -> dict[str, float]:
        """Those that count, by name; without `preferences` those of rules alone."""
        return {name: weight for name, weight in vars(self).items() if weight and (preferences or name not in LEARNT)}


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
    longer_from: int = 0
    """Step from which an answer may have `longer_tokens`, as R1-Zero's from step 8,200; 0 for never."""
    longer_tokens: int = 0
    """What it may have from there on."""
    temperature: float = 1.0
    """Temperature of the sampling, and of the policy that is trained."""
    refills: int = 0
    """How many times at most further questions take the place of those whose answers all earn the same and teach
    nothing: DAPO's dynamic sampling, by the whole reward; 0 keeps them."""

    def __post_init__(self) -> None:
        if not self.tasks or len(set(self.tasks)) < len(self.tasks):
            why = "names none" if not self.tasks else "names one twice, which would ask the same questions twice"
            raise ConfigError(f"rollout.tasks={','.join(self.tasks)!r} {why}; write for example arithmetic:1:en")
        least = {"questions": len(self.tasks), "group": 2, "max_tokens": 1, "refills": 0}
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"rollout.{name}={getattr(self, name)} must be at least {lowest}")
        if not 0 < self.temperature < float("inf"):
            raise ConfigError(f"rollout.temperature={self.temperature} must be above 0: answers of a group must differ")
        if self.longer_from < 0 or (self.longer_from > 0) != (self.longer_tokens > 0):
            raise ConfigError(
                f"rollout.longer_from={self.longer_from} and rollout.longer_tokens={self.longer_tokens} belong "
                "together: a step and the tokens of an answer from there on, or both 0"
            )
        if self.longer_from and self.longer_tokens <= self.max_tokens:
            raise ConfigError(
                f"rollout.longer_tokens={self.longer_tokens} must be above rollout.max_tokens={self.max_tokens}"
            )
        check_format(self.format)
        for task in self.tasks:
            check_task(task)

    def tokens_at(self, step: int) -> int:
        """Most tokens of an answer in the rollout before a step."""
        return self.longer_tokens if 0 < self.longer_from <= step else self.max_tokens


_TURN = 10**12
"""Between the seeds of a rollout's questions and of those that take their place."""


def _even(scored: Sequence[Scored]) -> bool:
    """Whether all that could be scored earned the same, or there are not two of them to compare."""
    return len({one.total for one in scored if one.total is not None}) < 2


def _curve(values: Sequence[float], width: int = 24) -> str:
    """The last `width` values as bars of eight heights, from the least of them to the largest."""
    shown = values[-width:]
    low, span = min(shown), max(shown) - min(shown)
    return "".join("▁▂▃▄▅▆▇█"[round(7 * (value - low) / span) if span else 0] for value in shown)


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
        self._rewards: list[float] = []
        self._failure = ""

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
        if first:
            self._rewards.append(figures["reward"])
            note = f"{_curve(self._rewards)} {note}"
            if self._failure:
                note += f", {figures['reward_failures']:.0f} not scored ({self._failure})"

        def objective(model: Transformer, batch: PolicyBatch) -> Loss:
            return self._objective(model, batch, totals, moving)

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

    def _roll_out(self, rollout: int, step: int) -> Rollout:
        """Groups of answers, an equal share of each task in the order of the tasks, then what takes the place of those
        that teach nothing."""
        c = self.rollout
        seed = self.seed * 1_000_003 + rollout
        share, more = divmod(c.questions, len(c.tasks))
        wanted = [share + (number < more) for number in range(len(c.tasks))]
        found = Rollout([], [], [])
        for turn in range(c.refills + 1):
            seeds, name = seed + turn * _TURN, f"{rollout}-{turn}" if turn else f"{rollout}"
            problems = [draw(task, seeds, count) for task, count in zip(c.tasks, wanted, strict=True) if count]
            if any(len(option) > 1 for own in problems for problem in own for option in problem.options):
                raise ConfigError("rollout.tasks: the options of a set are not in its questions; choose another set")
            new = roll_out(
                self.engine,
                [problem for own in problems for problem in own],
                self.rubric(step),
                group=c.group,
                form=c.format,
                max_tokens=c.tokens_at(step - step % self.inner_steps),
                temperature=c.temperature,
                seed=seeds,
                path=self.folder / f"{name}.jsonl",
            )
            found = Rollout(*(old + more for old, more in zip(vars(found).values(), vars(new).values(), strict=True)))
            even = iter([_even(group) for group in new.scored])
            wanted = [sum(next(even) for _ in range(count)) for count in wanted]
            if not any(wanted):
                break
        return found

    def _sample(self, rollout: int, step: int) -> None:
        model = self.engine.model.eval()
        self.engine.update_weights()
        watched = self.watch(step)
        self.folder.mkdir(parents=True, exist_ok=True)
        found = self._roll_out(rollout, step)
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
            even += _even(scored)
            if len(kept) < 2 or (self.rollout.refills and _even(scored)):
                continue
            rewards = torch.tensor([[total for _, total in kept]])
            episodes += [one for one, _ in kept]
            values += advantages(rewards, scale_by_std=bool(self.loss.scale_by_std)).values[0].tolist()
        every = [one for group in found.episodes for one in group]
        scored_all = [score for group in found.scored for score in group]
        totals = [score.total for score in scored_all if score.total is not None]
        failures = [score.failed[0] for score in scored_all if score.failed]
        if not totals:
            raise TrainingError(f"no answer of the rollout could be scored; the first failure: {failures[0]}")
        self._failure = failures[0] if failures else ""
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
            if since != rollout:
                raise TrainingError(
                    f"{path} is gone: the reference model that this run stays near; bring it back, or start over with "
                    "train.resume=never"
                )
            with files.atomic_file(path) as tmp:
                save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, tmp)
        reference = Transformer(model.config).to(model.lm_head.weight.device)
        reference.load_state_dict(load_file(path))
        reference.compute_dtype = model.compute_dtype
        self._fill("reference", reference, None)

    def _fill(self, name: str, model: Transformer, path: Path | None) -> None:
        """Put `name` into every batch; where there is a path, keep it there, since the weights will change.

        What is kept is in the order of the answers' tokens, which is that of any `micro_tokens`.
        """
        batches = [batch for part in self._parts for batch in part]
        if path is not None and path.exists():
            flat = load_file(path)[name].split([int(batch.mask.sum()) for batch in batches])
            values = [
                torch.zeros(batch.mask.shape).masked_scatter(batch.mask, own)
                for batch, own in zip(batches, flat, strict=True)
            ]
        else:
            device = model.lm_head.weight.device
            with torch.no_grad():
                heat = self.rollout.temperature
                values = [answer_logprobs(model, batch.to(device), heat)[0].cpu() for batch in batches]
            if path is not None:
                flat = [value[batch.mask] for batch, value in zip(batches, values, strict=True)]
                with files.atomic_file(path) as tmp:
                    save_file({name: torch.cat([*flat, torch.zeros(0)])}, tmp)
        found: list[dict[str, Any]] = [{name: value} for value in values]
        filled = iter(replace(batch, **one) for batch, one in zip(batches, found, strict=True))
        self._parts = [[next(filled) for _ in part] for part in self._parts]

    def _objective(self, model: Transformer, batch: PolicyBatch, totals: Totals, moving: int) -> Loss:
        """The policy loss of one micro-batch.

        `moving`: answer tokens of all micro-batches, without those of answers that have no gradient.
        """
        batch = batch.to(model.lm_head.weight.device)
        logprobs, entropy = answer_logprobs(model, batch, self.rollout.temperature)
        old = logprobs.detach() if batch.old is None else batch.old
        found = policy_loss(
            self.loss,
            logprobs,
            old,
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
        gap = logprob_gap(old, batch.sampler, batch.mask)  # both with the weights that the answers were sampled with
        sums |= {"gap": torch.tensor(gap.mean * part), "gap_kl": torch.tensor(gap.kl * part)}
        return Loss(found.loss, sums, None)
