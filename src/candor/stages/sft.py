"""Supervised fine-tuning on dialogues: only answers are learnt, measured before and after on dialogues held out."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from candor import files
from candor.config import check, to_dict
from candor.data import held_out
from candor.data.dialogues import Dialogue, LeftOut, cap_user_derived
from candor.data.examples import ChatForm, Example, ExampleLoader
from candor.data.loader import Batch
from candor.errors import ConfigError, DataError
from candor.evaluate.statistics import Figure, ratio
from candor.evaluate.subject import folder_hash
from candor.model import Transformer
from candor.model.heads import IGNORE, cross_entropy, token_logprobs
from candor.model.hub import load_model
from candor.parallel import compile_layers, recompute
from candor.plan.device import Precision, best_device, compute_dtype, keep_freed_memory
from candor.records import Progress
from candor.stages.chain import train_alone, training
from candor.stages.export import export_like
from candor.stages.run import Ui
from candor.text import Tokenizer
from candor.train.checkpoint import Checkpointer
from candor.train.loop import LoopConfig, StepPlan, fit
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.schedule import ScheduleConfig, rate_factor
from candor.train.step import Loss

HELDOUT, DATA, LEFT_OUT = "heldout.json", "data.json", "left_out.jsonl"
"""What `sft` leaves beside the checkpoints: loss before and after, counts of the data, what was not taken."""


@dataclass(frozen=True)
class SftConfig:
    """The recipe of fine-tuning. V3 and R1: 2 to 3 epochs, AdamW, cosine to about a tenth (5e-5 to 5e-6 in R1)."""

    epochs: int = 2
    """Times that every dialogue is learnt."""
    sequence_length: int = 512
    """Tokens in a window; a longer dialogue is left out."""
    batch: int = 16
    """Windows per step."""
    micro_batch: int = 8
    """Windows that go through the model at once; changes memory, not the result."""
    precision: Precision = "auto"
    """Type of the activations; weights and sums stay float32. auto: bfloat16 where the processor multiplies it fast."""
    optim: OptimConfig = field(default_factory=lambda: OptimConfig(learning_rate=1e-3, muon_learning_rate=1e-3))
    """Optimizer; its rates suit models of a few million parameters and fall with size."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """cosine: to a tenth over the run; constant."""
    warmup: float = 0.03
    """Share of the steps over which the rate rises."""
    mtp_weight: float = 0.1
    """Weight of the MTP loss."""
    balance_weight: float = 1e-4
    """Weight of the sequence-wise balance loss."""
    bias_speed: float = 0.0
    """Step of the expert biases, which V3 no longer moves at the end of pre-training."""
    user_derived_share: float = 0.05
    """Largest share of user-derived dialogues among those that are trained on."""
    heldout_share: float = 0.05
    """Share of dialogues, by the hash of what was asked, that are only measured; 0 measures nothing."""
    template: Literal["v3", "r1"] | None = None
    """Chat template to learn and to export; none: that of the model folder."""
    skip_broken: bool = False
    """Leave out and count rows that are broken and dialogues that the template cannot hold, instead of stopping."""

    def __post_init__(self) -> None:
        for name in ("epochs", "sequence_length", "batch", "micro_batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"sft.{name}={getattr(self, name)} must be at least 1")
        for name in ("mtp_weight", "balance_weight", "bias_speed"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"sft.{name}={getattr(self, name)} must not be negative")
        for name in ("warmup", "user_derived_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"sft.{name}={getattr(self, name)} must lie between 0 and 1")
        if not 0 <= self.heldout_share < 1:
            raise ConfigError(f"sft.heldout_share={self.heldout_share} must be 0 or more and below 1")

    def deciding(self) -> dict[str, Any]:
        """What decides the result: not how a batch is cut to fit into memory; `precision` as what it means here."""
        fields = {name: value for name, value in to_dict(self).items() if name != "micro_batch"}
        return fields | {"precision": str(compute_dtype(self.precision, best_device())).removeprefix("torch.")}


@dataclass(frozen=True)
class SftRun:
    """Everything that decides a run of `candor train sft` besides model and dialogues."""

    seed: int = 0
    """Seed of the order of data and of the choice among user-derived dialogues."""
    sft: SftConfig = field(default_factory=SftConfig)
    """Training."""
    train: LoopConfig = field(default_factory=LoopConfig)
    """What every training stage does around its steps."""

    def __post_init__(self) -> None:
        check(self)


# Data


@dataclass(frozen=True)
class Lessons:
    """Dialogues as examples, on both sides of the split."""

    train: list[tuple[Dialogue, list[Example]]]
    """To learn."""
    heldout: list[tuple[Dialogue, list[Example]]]
    """To measure."""
    left_out: LeftOut
    """What is on neither side."""

    def examples(self) -> list[Example]:
        """Those to learn."""
        return [example for _, examples in self.train for example in examples]

    def summary(self, loader: ExampleLoader) -> dict[str, Any]:
        """Counts for people and reports."""
        examples, dialogues = self.examples(), [dialogue for dialogue, _ in self.train]
        tokens = sum(len(example.ids) for example in examples)
        return {
            "dialogues": {"train": len(self.train), "heldout": len(self.heldout), "left_out": self.left_out.counts()},
            "origin": dict(Counter(dialogue.origin for dialogue in dialogues)),
            "lang": dict(Counter(dialogue.lang or "not said" for dialogue in dialogues)),
            "examples": len(examples),
            "tokens": tokens,
            "learnt_tokens": learnt_tokens(examples),
            "windows": loader.windows,
            "filled": tokens / (loader.windows * loader.sequence_length),
        }


def prepare(
    config: SftConfig, tokenizer: Tokenizer, dialogues: Sequence[Dialogue], seed: int, left_out: LeftOut | None = None
) -> Lessons:
    """Encode, leave out what is too long, hold out by hash, cap what is user-derived among the rest.

    ConfigError for a template that cannot be learnt, DataError where nothing is left to train on.
    """
    left_out = LeftOut() if left_out is None else left_out
    form = ChatForm(tokenizer, config.template)
    fitting: list[tuple[Dialogue, list[Example]]] = []
    for dialogue in dialogues:
        try:
            examples = form.encode(dialogue)
        except DataError as error:
            if not config.skip_broken:
                raise
            left_out.add("not what the chat template can hold", str(error))
            continue
        longest = max(len(example.ids) for example in examples)
        if longest <= config.sequence_length:
            fitting.append((dialogue, examples))
        else:
            left_out.add(
                f"longer than sft.sequence_length={config.sequence_length}", f"{dialogue.place} ({longest:,} tokens)"
            )
    held = held_out([dialogue.opening_id for dialogue, _ in fitting], config.heldout_share)
    train = [one for one, out in zip(fitting, held, strict=True) if not out]
    stay = set(cap_user_derived([dialogue for dialogue, _ in train], config.user_derived_share, seed))
    for place, (dialogue, _) in enumerate(train):
        if place not in stay:
            left_out.add(f"user-derived beyond sft.user_derived_share={config.user_derived_share:g}", dialogue.place)
    lessons = Lessons(
        [one for place, one in enumerate(train) if place in stay],
        [one for one, out in zip(fitting, held, strict=True) if out],
        left_out,
    )
    if not lessons.train:
        raise DataError(f"none of {len(dialogues):,} dialogues is left to train on: {'; '.join(left_out.lines())}")
    return lessons


def learnt_tokens(examples: Sequence[Example]) -> int:
    """Tokens that are predicted and learnt."""
    return sum(int(example.learnt.sum()) for example in examples)


def loader_of(
    config: SftConfig, examples: Sequence[Example], tokenizer: Tokenizer, seed: int, modules: int = 0
) -> ExampleLoader:
    """Windows of the examples for a model with so many MTP modules."""
    return ExampleLoader(examples, config.sequence_length, lookahead=1 + modules, pad_id=tokenizer.pad_id, seed=seed)


# Training


class Finetuning:
    """The task of the loop: every example `epochs` times, then the end."""

    def __init__(self, config: SftConfig, loader: ExampleLoader, learnt: int):
        self.config, self.loader = config, loader
        self.total_tokens = config.epochs * learnt
        self.windows = config.epochs * loader.windows
        steps = math.ceil(self.windows / config.batch)
        self._schedule = ScheduleConfig(config.schedule, warmup_steps=round(config.warmup * steps))
        self.state_dict, self.load_state_dict = loader.state_dict, loader.load_state_dict

    def next(self, step: int, tokens: int) -> StepPlan[Batch] | None:
        """The next step, the last one with what is left, or None."""
        c, done = self.config, self.loader.position
        sequences = min(c.batch, self.windows - done)
        if not sequences:
            return None
        pieces = [min(c.micro_batch, sequences - start) for start in range(0, sequences, c.micro_batch)]
        batches = [self.loader.next_batch(piece) for piece in pieces]
        learnt = sum(int(batch.valid.sum()) for batch in batches if batch.valid is not None)

        def objective(model: Transformer, batch: Batch) -> Loss:
            return sft_loss(
                model, batch, mtp_weight=c.mtp_weight, balance_weight=c.balance_weight, per_window=learnt / sequences
            )

        return StepPlan(
            micro_batches=batches,
            tokens=learnt,
            objective=objective,
            lr_factor=rate_factor(self._schedule, step, done / self.windows),
            bias_speed=c.bias_speed,
        )


def sft_loss(model: Transformer, batch: Batch, *, mtp_weight: float, balance_weight: float, per_window: float) -> Loss:
    """CE of the learnt tokens + mtp_weight / modules * that of each MTP module + balance_weight * balance loss.

    A module learns the same tokens, each from further back within its own example: never what the assistant did not
    say, and nothing across a seam. All are sums; the balance loss of a window counts as often as the step has learnt
    tokens `per_window`.
    """
    batch = batch.to(model.lm_head.weight.device)
    segments, valid = batch.segments, batch.valid
    assert segments is not None and valid is not None
    out = model.train_forward(batch.tokens, segments)
    S = valid.shape[1]
    learnt = F.pad(valid, (1, batch.tokens.shape[1] - S - 1))  # by token, not by the position before it
    terms: list[tuple[Tensor, Tensor]] = []
    for ahead, hidden in enumerate((out.hidden, *out.mtp_hidden), start=1):
        there = slice(ahead, S + ahead)
        counts = learnt[:, there] & (segments[:, there] == segments[:, :S])
        targets = batch.tokens[:, there].masked_fill(~counts, IGNORE)
        terms.append(cross_entropy(hidden, model.lm_head.weight, targets))
    (total, right), *further = terms
    sums = {"loss": total, "accuracy": right}
    for depth, (loss, right) in enumerate(further, start=1):
        total = total + mtp_weight / len(further) * loss
        name = "mtp" if depth == 1 else f"mtp{depth}"
        sums |= {f"{name}_loss": loss, f"{name}_accuracy": right}
    if out.routing is not None:
        total = total + balance_weight * per_window * out.routing.balance
        sums["balance_loss"] = per_window * out.routing.balance.detach()
    return Loss(total, sums, out.routing)


def sft(
    config: SftConfig,
    loop: LoopConfig,
    model_folder: Path,
    dialogues: Sequence[Dialogue],
    folder: Path,
    seed: int,
    *,
    say: Callable[[str], None],
    progress: Progress,
    device: torch.device,
    left_out: LeftOut | None = None,
) -> Transformer:
    """Train a model folder's model into `folder`, resuming what is there, and return it in eval mode.

    `folder` gets `step-N/`, `metrics.jsonl`, `heldout.json` (loss per learnt token before and after), `data.json` and
    `left_out.jsonl`, which begins with what reading has noted in `left_out`.
    """
    tokenizer = Tokenizer.load(model_folder)
    lessons = prepare(config, tokenizer, dialogues, seed, left_out)
    torch.manual_seed(seed)  # checkpoints hold the process's random state: equal runs make equal checkpoints
    model = load_model(model_folder, dtype=torch.float32, device=device)
    if tokenizer.vocab_size > model.config.vocab_size:
        raise ConfigError(
            f"{model_folder}: the tokenizer has {tokenizer.vocab_size} tokens, the model {model.config.vocab_size}; "
            "they do not belong together"
        )
    if config.sequence_length > model.config.max_position_embeddings:
        raise ConfigError(
            f"sft.sequence_length={config.sequence_length} exceeds the model's context of "
            f"{model.config.max_position_embeddings}; lower it"
        )
    model.compute_dtype = compute_dtype(config.precision, device)
    keep_freed_memory()
    examples = lessons.examples()
    loader = loader_of(config, examples, tokenizer, seed, len(model.mtp))
    summary = lessons.summary(loader)
    for line in (*lessons.left_out.lines(), describe_data(summary)):
        say(line)
    before = heldout_loss(config, model, lessons, tokenizer)
    if loop.compile:
        say("compiling the layers at the first step: under a minute the first time, seconds once it is cached ...")
        compile_layers(model, sequences=min(config.micro_batch, config.batch))
    recompute(model, loop.recompute)
    identity = {
        "model": folder_hash(model_folder),
        "data": _hash_of(examples),
        "sft": config.deciding(),
        "seed": seed,
    }
    fit(
        model,
        build_optimizer(model, config.optim),
        Finetuning(config, loader, learnt_tokens(examples)),
        Checkpointer(folder, identity, loop.keep_checkpoints),
        loop,
        clip_norm=config.optim.clip_norm,
        say=say,
        progress=progress,
    )
    files.write_json(folder / DATA, summary)
    lines = [json.dumps({"why": why, "what": what}, ensure_ascii=False) + "\n" for why, what in lessons.left_out.rows]
    files.atomic_write(folder / LEFT_OUT, "".join(lines))
    files.write_json(folder / HELDOUT, _compared(before, heldout_loss(config, model, lessons, tokenizer)))
    return model


def describe_data(summary: dict[str, Any]) -> str:
    """One line about `Lessons.summary`."""
    dialogues = summary["dialogues"]
    who = ", ".join(f"{number:,} {origin}" for origin, number in summary["origin"].items())
    return (
        f"{dialogues['train']:,} dialogues to learn ({who}), {dialogues['heldout']:,} held out; "
        f"{summary['learnt_tokens']:,} of {summary['tokens']:,} tokens are answers; {summary['windows']:,} windows, "
        f"{summary['filled']:.0%} full"
    )


def _hash_of(examples: Sequence[Example]) -> str:
    digest = hashlib.sha256()
    for example in examples:
        digest.update(len(example.ids).to_bytes(8, "little") + example.ids.tobytes() + example.learnt.tobytes())
    return digest.hexdigest()


# Before and after


@torch.inference_mode()
def heldout_loss(
    config: SftConfig, model: Transformer, lessons: Lessons, tokenizer: Tokenizer
) -> list[tuple[float, int]]:
    """(loss in nats, learnt tokens) of each held-out dialogue, as training would count them."""
    owners = [place for place, (_, examples) in enumerate(lessons.heldout) for _ in examples]
    examples = [example for _, examples in lessons.heldout for example in examples]
    losses = [0.0] * len(lessons.heldout)
    loader = loader_of(config, examples, tokenizer, 0, len(model.mtp)) if examples else None
    for first in range(0, loader.windows if loader else 0, config.micro_batch):
        assert loader is not None
        numbers = range(first, min(first + config.micro_batch, loader.windows))
        batch = loader.batch(numbers).to(model.lm_head.weight.device)
        assert batch.segments is not None and batch.valid is not None
        S = batch.valid.shape[1]
        targets = batch.tokens[:, 1 : S + 1].masked_fill(~batch.valid, IGNORE)
        hidden = model.train_forward(batch.tokens, batch.segments).hidden
        logprobs = token_logprobs(hidden, model.lm_head.weight, targets)[0].double().cpu()
        segments = batch.segments[:, :S].cpu()
        for row, number in enumerate(numbers):
            for segment, place in enumerate(loader.members(number), start=1):
                losses[owners[place]] -= float(logprobs[row][segments[row] == segment].sum())
    return [(loss, learnt_tokens(own)) for loss, (_, own) in zip(losses, lessons.heldout, strict=True)]


def _compared(before: list[tuple[float, int]], after: list[tuple[float, int]]) -> dict[str, Any]:
    """What `heldout.json` holds: nats per learnt token with the standard error over dialogues, and their change."""
    if not before:
        return {"dialogues": 0}
    tokens = [count for _, count in before]
    change = [new - old for (new, _), (old, _) in zip(after, before, strict=True)]
    figures = {"before": [loss for loss, _ in before], "after": [loss for loss, _ in after], "change": change}
    return {"dialogues": len(before), "tokens": sum(tokens)} | {
        name: asdict(ratio(values, tokens)) for name, values in figures.items()
    }


def read_heldout(folder: Path) -> dict[str, Figure]:
    """`before`, `after` and `change` of a folder that `sft` filled; empty where nothing was held out."""
    values = files.read_json(folder / HELDOUT)
    return {name: Figure(**values[name]) for name in ("before", "after", "change") if name in values}


# The whole


def finetune(
    run: SftRun,
    model_folder: Path,
    dialogues: Sequence[Dialogue],
    out: Path,
    ui: Ui,
    left_out: LeftOut | None = None,
) -> None:
    """Train into `out/checkpoints` and export to `out/model`; what is there already and fits is kept."""
    shown = [(dialogue.id, dialogue.origin) for dialogue in dialogues]
    settings = {
        "model": folder_hash(model_folder),
        "dialogues": hashlib.sha256(json.dumps(shown).encode()).hexdigest(),
        "sft": run.sft.deciding(),
    }

    def export(folder: Path, ui: Ui) -> None:
        export_like(model_folder, out / "checkpoints", folder, run.sft.template)
        ui.say("  read back: logits and tokenizer are the trained model's")

    work = partial(sft, run.sft, model_folder=model_folder, dialogues=dialogues, seed=run.seed, left_out=left_out)
    train_alone(training("sft", work), settings, export, out, run.seed, run.train, ui)
