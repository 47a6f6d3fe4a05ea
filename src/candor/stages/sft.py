"""Supervised fine-tuning on dialogues: only answers are learnt, measured before and after on dialogues held out."""

import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from candor.config import check, to_dict
from candor.data.dialogues import Dialogue, LeftOut
from candor.data.examples import ExampleLoader
from candor.data.loader import Batch
from candor.errors import ConfigError
from candor.evaluate.subject import folder_hash
from candor.model import Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.model.hub import load_model
from candor.parallel import compile_layers, recompute
from candor.plan.device import Precision, best_device, compute_dtype, keep_freed_memory
from candor.records import Progress
from candor.stages.chain import train_alone, training
from candor.stages.export import export_like
from candor.stages.lessons import compared, describe_data, hash_of, heldout_loss, learnt_tokens, loader_of, prepare
from candor.stages.run import Ui
from candor.stages.supervised import check_base, leave
from candor.text import Tokenizer
from candor.train.checkpoint import Checkpointer
from candor.train.loop import LoopConfig, StepPlan, fit
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.schedule import ScheduleConfig, rate_factor
from candor.train.step import Loss


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
    check_base(model_folder, model.config, tokenizer, "sft.sequence_length", config.sequence_length)
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
        "data": hash_of(examples),
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
    leave(folder, summary, lessons.left_out, compared(before, heldout_loss(config, model, lessons, tokenizer)))
    return model


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
