"""Training of reward models: pairs by Bradley-Terry, verdicts by cross-entropy, measured on questions held out."""

import hashlib
import json
import math
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch

from candor.config import check, to_dict
from candor.data import held_out
from candor.data.dialogues import LeftOut, cap_user_derived
from candor.data.preferences import Preference, Verdict
from candor.errors import ConfigError, DataError, ModelError
from candor.evaluate.statistics import mean, share
from candor.evaluate.subject import folder_hash
from candor.model.hub import load_model
from candor.parallel import recompute
from candor.plan.device import Precision, best_device, compute_dtype, keep_freed_memory
from candor.records import Progress
from candor.rl.reward_model import Item, Kind, RewardBatch, RewardModel, batch_of, judged_text, reward_loss, right
from candor.stages.chain import train_alone, training
from candor.stages.run import Ui
from candor.stages.supervised import check_base, leave
from candor.text import Tokenizer
from candor.train.checkpoint import Checkpointer, checkpoint_steps, load_weights
from candor.train.loop import LoopConfig, StepPlan, fit
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.schedule import ScheduleConfig, rate_factor

Judged: TypeAlias = Sequence[Preference] | Sequence[Verdict]
"""What is learnt from: pairs for helpfulness, verdicts for safety."""


@dataclass(frozen=True)
class RewardModelConfig:
    """The recipe. R1: one epoch, batches of 256, rate 6e-6, at most 8,192 tokens, for either kind."""

    kind: Kind = "helpfulness"
    """What is judged: helpfulness, learnt from pairs; safety, from answers that are safe or not."""
    epochs: int = 1
    """Times that everything is learnt."""
    sequence_length: int = 512
    """Tokens of a question with its answer; what is longer is left out."""
    batch: int = 32
    """Pairs or verdicts per step."""
    micro_batch: int = 16
    """Of these, so many go through the model at once; changes memory, not the result."""
    precision: Precision = "auto"
    """Type of the activations; weights and head stay float32."""
    optim: OptimConfig = field(default_factory=lambda: OptimConfig("adamw", learning_rate=3e-4, weight_decay=0.0))
    """Optimizer; its rates suit models of a few million parameters and fall with size."""
    warmup: float = 0.03
    """Share of the steps over which the rate rises, before it falls along a cosine to a tenth."""
    heldout_share: float = 0.1
    """Share of the questions, by hash, that are only measured; 0 measures nothing."""
    user_derived_share: float = 0.05
    """Largest share of user-derived rows among those that are trained on."""

    def __post_init__(self) -> None:
        for name in ("epochs", "sequence_length", "batch", "micro_batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"rm.{name}={getattr(self, name)} must be at least 1")
        for name in ("warmup", "user_derived_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"rm.{name}={getattr(self, name)} must lie between 0 and 1")
        if not 0 <= self.heldout_share < 1:
            raise ConfigError(f"rm.heldout_share={self.heldout_share} must be 0 or more and below 1")

    def deciding(self) -> dict[str, Any]:
        """What decides the result: not how a batch is cut to fit into memory; `precision` as what it means here."""
        fields = {name: value for name, value in to_dict(self).items() if name != "micro_batch"}
        return fields | {"precision": str(compute_dtype(self.precision, best_device())).removeprefix("torch.")}


@dataclass(frozen=True)
class RewardModelRun:
    """Everything that decides a run of `candor train rm` besides model and data."""

    seed: int = 0
    """Seed of the order of the data and of the head."""
    rm: RewardModelConfig = field(default_factory=RewardModelConfig)
    """Training."""
    train: LoopConfig = field(default_factory=LoopConfig)
    """What every training stage does around its steps."""

    def __post_init__(self) -> None:
        check(self)


# Data


@dataclass(frozen=True)
class Lessons:
    """Items on both sides of the split."""

    train: list[Item]
    """To learn."""
    heldout: list[Item]
    """To measure."""
    origin: dict[str, int]
    """How many to learn of each origin."""


def prepare(config: RewardModelConfig, model: RewardModel, data: Judged, left_out: LeftOut) -> Lessons:
    """Encode, note in `left_out` what cannot be used, hold out whole questions by hash.

    ConfigError for data of the other kind, DataError where nothing is left to train on.
    """
    wanted = Preference if config.kind == "helpfulness" else Verdict
    items: list[tuple[Preference | Verdict, Item]] = []
    for one in data:
        if not isinstance(one, wanted):
            raise ConfigError(f"rm.kind={config.kind} learns from {wanted.__name__} rows, not {type(one).__name__}")
        texts = [judged_text(text, config.kind) for text in one.responses]
        if "" in texts or len(set(texts)) < len(texts):
            left_out.add("no two final answers that differ", one.place)
            continue
        chats = tuple(tuple(model.encode([*one.messages, {"role": "assistant", "content": text}])) for text in texts)
        if (longest := max(map(len, chats))) > config.sequence_length:
            reason = f"longer than rm.sequence_length={config.sequence_length}"
            left_out.add(reason, f"{one.place} ({longest:,} tokens)")
            continue
        items.append((one, Item(one.asked_id, chats, one.safe if isinstance(one, Verdict) else True)))
    held = held_out([item.asked for _, item in items], config.heldout_share)
    train = [both for both, out in zip(items, held, strict=True) if not out]
    stay = cap_user_derived([one for one, _ in train], config.user_derived_share)
    for place in set(range(len(train))) - set(stay):
        why = f"user-derived beyond rm.user_derived_share={config.user_derived_share:g}"
        left_out.add(why, train[place][0].place)
    lessons = Lessons(
        [train[place][1] for place in stay],
        [item for (_, item), out in zip(items, held, strict=True) if out],
        dict(Counter(train[place][0].origin for place in stay)),
    )
    if not lessons.train:
        raise DataError(f"none of {len(data):,} rows is left to train on: {'; '.join(left_out.lines())}")
    return lessons


# Training


class RewardTask:
    """The task of the loop: every item `epochs` times, in another order each epoch, then the end."""

    def __init__(self, config: RewardModelConfig, items: Sequence[Item], pad_id: int, seed: int):
        self.config, self._items, self._pad, self._seed = config, items, pad_id, seed
        self._total, self._done = config.epochs * len(items), 0
        self._order: dict[int, list[int]] = {}
        self.total_tokens = config.epochs * sum(len(chat) for item in items for chat in item.chats)
        warm = round(config.warmup * math.ceil(self._total / config.batch))
        self._schedule = ScheduleConfig("cosine", warmup_steps=warm)

    def next(self, step: int, tokens: int) -> StepPlan[RewardBatch] | None:
        """The next step, the last one with what is left, or None."""
        done, c = self._done, self.config
        self._done = min(done + c.batch, self._total)
        if self._done == done:
            return None
        some = sorted(
            (self._item(number) for number in range(done, self._done)), key=lambda item: -max(map(len, item.chats))
        )
        pieces = [some[start : start + c.micro_batch] for start in range(0, len(some), c.micro_batch)]
        return StepPlan(
            micro_batches=[batch_of(piece, self._pad) for piece in pieces],
            tokens=sum(len(chat) for item in some for chat in item.chats),
            objective=reward_loss,
            lr_factor=rate_factor(self._schedule, step, done / self._total),
            bias_speed=0.0,
            denominator=len(some),
        )

    def _item(self, number: int) -> Item:
        epoch, place = divmod(number, len(self._items))
        if epoch not in self._order:
            every = range(len(self._items))
            self._order = {epoch: random.Random(f"{self._seed}/{epoch}").sample(every, len(every))}
        return self._items[self._order[epoch][place]]

    def state_dict(self) -> dict[str, int]:
        """The position, for a checkpoint."""
        return {"position": self._done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a position."""
        self._done = state["position"]


def train_reward_model(
    config: RewardModelConfig,
    loop: LoopConfig,
    model_folder: Path,
    data: Judged,
    folder: Path,
    seed: int,
    *,
    say: Callable[[str], None],
    progress: Progress,
    device: torch.device,
    left_out: LeftOut | None = None,
) -> RewardModel:
    """Train a model folder's model with a new head into `folder`, resuming what is there; returned in eval mode.

    `folder` gets `step-N/`, `metrics.jsonl`, `heldout.json` (accuracy before and after), `data.json` and
    `left_out.jsonl`, which begins with what reading has noted in `left_out`.
    """
    if loop.compile:
        say("not compiled: batches of reward models differ in length")
    left_out = LeftOut() if left_out is None else left_out
    torch.manual_seed(seed)  # checkpoints hold the process's random state: equal runs make equal checkpoints
    base, tokenizer = load_model(model_folder, dtype=torch.float32, device=device), Tokenizer.load(model_folder)
    check_base(model_folder, base.config, tokenizer, "rm.sequence_length", config.sequence_length)
    model = RewardModel(base, tokenizer, config.kind)
    torch.nn.init.normal_(model.reward_head.weight, std=(model.config.hidden_size + 1) ** -0.5)
    model.compute_dtype = compute_dtype(config.precision, device)
    keep_freed_memory()
    lessons = prepare(config, model, data, left_out)
    summary = summary_of(lessons, left_out)
    for line in (*left_out.lines(), describe(summary)):
        say(line)
    before = heldout_margins(model.eval(), lessons.heldout)
    recompute(model, loop.recompute)
    identity = {
        "model": folder_hash(model_folder),
        "data": hashlib.sha256(json.dumps([asdict(item) for item in lessons.train]).encode()).hexdigest(),
        "rm": config.deciding(),
        "seed": seed,
    }
    fit(
        model,
        build_optimizer(model, config.optim),
        RewardTask(config, lessons.train, tokenizer.pad_id, seed),
        Checkpointer(folder, identity, loop.keep_checkpoints),
        loop,
        clip_norm=config.optim.clip_norm,
        say=say,
        progress=progress,
    )
    leave(folder, summary, left_out, _compared(lessons.heldout, before, heldout_margins(model, lessons.heldout)))
    return model


def summary_of(lessons: Lessons, left_out: LeftOut) -> dict[str, Any]:
    """Counts for people and reports."""
    sides = {"train": lessons.train, "heldout": lessons.heldout}
    counts: dict[str, Any] = {name: len(items) for name, items in sides.items()}
    if len(lessons.train[0].chats) == 1:
        counts["safe"] = {name: sum(item.safe for item in items) for name, items in sides.items()}
    questions = len({item.asked for item in lessons.train})
    return counts | {"questions": questions, "origin": lessons.origin, "left_out": left_out.counts()}


def describe(summary: dict[str, Any]) -> str:
    """One line about `summary_of`."""
    what = "pairs" if "safe" not in summary else f"verdicts ({summary['safe']['train']:,} safe)"
    return (
        f"{summary['train']:,} {what} on {summary['questions']:,} questions to learn, {summary['heldout']:,} held out"
    )


# Before and after


def heldout_margins(model: RewardModel, items: Sequence[Item]) -> list[float]:
    """Of pairs the logit of the chosen answer less that of the rejected one; of verdicts the logit, or minus it."""
    logits = model.logits([chat for item in items for chat in item.chats])
    if items and len(items[0].chats) == 2:
        return [chosen - rejected for chosen, rejected in zip(logits[::2], logits[1::2], strict=True)]
    return [logit if item.safe else -logit for item, logit in zip(items, logits, strict=True)]


def _compared(items: Sequence[Item], before: Sequence[float], after: Sequence[float]) -> dict[str, Any]:
    """What `heldout.json` holds: accuracy, its standard error over questions, and what guessing would have."""
    if not items:
        return {"items": 0}
    figures = [_by_question(items, right(torch.tensor(margins)).tolist()) for margins in (before, after)]
    change = [new - old for old, new in zip(*figures, strict=True)]
    safe = Counter(item.safe for item in items)
    return {
        "items": len(items),
        "guessing": 0.5 if len(items[0].chats) == 2 else max(safe.values()) / len(items),
        "before": asdict(share(figures[0])),
        "after": asdict(share(figures[1])),
        "change": asdict(mean(change)),
    }


def _by_question(items: Sequence[Item], values: Sequence[float]) -> list[float]:
    """The mean of each question: what is said of one is not independent."""
    own: dict[str, list[float]] = defaultdict(list)
    for item, value in zip(items, values, strict=True):
        own[item.asked].append(value)
    return [sum(some) / len(some) for some in own.values()]


# The whole


def make_reward_model(
    run: RewardModelRun, model_folder: Path, data: Judged, out: Path, ui: Ui, left_out: LeftOut | None = None
) -> None:
    """Train into `out/checkpoints` and write `out/model`; what is there already and fits is kept."""
    shown = [asdict(one) | {"place": ""} for one in data]
    settings = {
        "model": folder_hash(model_folder),
        "data": hashlib.sha256(json.dumps(shown, sort_keys=True).encode()).hexdigest(),
        "rm": run.rm.deciding(),
    }

    def export(folder: Path, ui: Ui) -> None:
        export_reward_model(run.rm, model_folder, out / "checkpoints", folder)

    work = partial(train_reward_model, run.rm, model_folder=model_folder, data=data, seed=run.seed, left_out=left_out)
    train_alone(training("rm", work), settings, export, out, run.seed, run.train, ui)


def export_reward_model(config: RewardModelConfig, model_folder: Path, checkpoints: Path, folder: Path) -> None:
    """Write what `train_reward_model` left in `checkpoints` as a folder, in the type of the model it began from."""
    steps = checkpoint_steps(checkpoints)
    if not steps:
        raise ModelError(f"{checkpoints} holds no checkpoint; run the training stage")
    base = load_model(model_folder)
    dtype = base.lm_head.weight.dtype
    model = RewardModel(base.float(), Tokenizer.load(model_folder), config.kind)
    load_weights(steps[-1], model)
    model.save(folder, dtype)
