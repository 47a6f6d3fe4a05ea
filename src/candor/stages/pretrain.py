"""Pre-training: next tokens and the tokens after next over packed windows (V3 sections 2.1, 2.2 and 4.2)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from candor.config import to_dict
from candor.data import TokenIndex
from candor.data.loader import Batch, TokenLoader
from candor.errors import ConfigError
from candor.model import ModelConfig, Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.parallel import compile_layers, recompute
from candor.plan.device import Precision, best_device, compute_dtype, keep_freed_memory
from candor.records import Progress, Provenance
from candor.train.checkpoint import Checkpointer
from candor.train.loop import LoopConfig, StepPlan, fit
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.schedule import V3_CONSTANT, V3_COSINE_END, ScheduleConfig, batch_size, rate_factor
from candor.train.step import Loss


@dataclass(frozen=True)
class PretrainConfig:
    """The recipe of pre-training; what V3 gives in tokens stands here as a fraction of the run."""

    total_tokens: int = 1_000_000
    """Tokens to train on; the last step may exceed it."""
    sequence_length: int = 256
    """Tokens in a window."""
    micro_batch: int = 16
    """Sequences that go through the model at once; changes memory, not the result."""
    precision: Precision = "auto"
    """Type of the activations; weights and sums stay float32. auto: bfloat16 where the processor multiplies it fast."""
    optim: OptimConfig = field(default_factory=OptimConfig)
    """Optimizer."""
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    """Learning rate and batch over the run."""
    mtp_weight: tuple[float, float] = (0.3, 0.1)
    """Weight of the MTP loss before and after 10/14.8 of the run."""
    bias_speed: float = 0.001
    """Step of the expert biases, until the last 0.5/14.8 of the run."""
    balance_weight: float = 1e-4
    """Weight of the sequence-wise balance loss."""
    mask_documents: bool = False
    """Whether attention stops at document boundaries (V3: no)."""

    def __post_init__(self) -> None:
        for name in ("total_tokens", "sequence_length", "micro_batch"):
            if getattr(self, name) < 1:
                raise ConfigError(f"pretrain.{name}={getattr(self, name)} must be at least 1")
        for name in ("bias_speed", "balance_weight"):
            if getattr(self, name) < 0:
                raise ConfigError(f"pretrain.{name}={getattr(self, name)} must not be negative")
        if min(self.mtp_weight) < 0:
            raise ConfigError(f"pretrain.mtp_weight={self.mtp_weight} must not be negative")

    def deciding(self) -> dict[str, Any]:
        """What decides the result: not how a batch is cut to fit into memory; `precision` as what it means here."""
        fields = {name: value for name, value in to_dict(self).items() if name != "micro_batch"}
        return fields | {"precision": str(compute_dtype(self.precision, best_device())).removeprefix("torch.")}


class Pretraining:
    """The task of the loop: windows of the loader, the V3 schedules, next-token and MTP losses."""

    def __init__(self, config: PretrainConfig, loader: TokenLoader):
        self.config, self.loader = config, loader
        self.total_tokens = config.total_tokens
        self.state_dict, self.load_state_dict = loader.state_dict, loader.load_state_dict

    def next(self, step: int, tokens: int) -> StepPlan[Batch] | None:
        """The next step, or None after `total_tokens`."""
        c = self.config
        if tokens >= c.total_tokens:
            return None
        progress = tokens / c.total_tokens
        sequences = batch_size(c.schedule, progress)
        pieces = [min(c.micro_batch, sequences - start) for start in range(0, sequences, c.micro_batch)]
        mtp_weight = c.mtp_weight[progress >= V3_CONSTANT]

        def objective(model: Transformer, batch: Batch) -> Loss:
            return pretrain_loss(model, batch, mtp_weight=mtp_weight, balance_weight=c.balance_weight)

        return StepPlan(
            micro_batches=[self.loader.next_batch(piece) for piece in pieces],
            tokens=sequences * c.sequence_length,
            objective=objective,
            lr_factor=rate_factor(c.schedule, step, progress),
            bias_speed=c.bias_speed if progress < V3_COSINE_END else 0.0,
        )


def pretrain_loss(model: Transformer, batch: Batch, *, mtp_weight: float, balance_weight: float) -> Loss:
    """CE of the next token + mtp_weight / modules * sum of the modules' CE + balance_weight * balance loss.

    Sums over the batch's valid positions; the balance loss, one per sequence, counts as often as it has tokens.
    """
    batch = batch.to(model.lm_head.weight.device)
    out = model.train_forward(batch.tokens, batch.segments)
    S = out.hidden.shape[1]

    def targets(ahead: int) -> Tensor:
        wanted = batch.tokens[:, ahead : S + ahead]
        return wanted if batch.valid is None else wanted.masked_fill(~batch.valid, IGNORE)

    loss, _ = cross_entropy(out.hidden, model.lm_head.weight, targets(1))
    total, sums = loss, {"loss": loss}
    for depth, hidden in enumerate(out.mtp_hidden, start=2):
        mtp_loss, right = cross_entropy(hidden, model.lm_head.weight, targets(depth))
        total = total + mtp_weight / len(out.mtp_hidden) * mtp_loss
        name = "mtp" if depth == 2 else f"mtp{depth - 1}"
        sums |= {f"{name}_loss": mtp_loss, f"{name}_accuracy": right}
    if out.routing is not None:
        total = total + balance_weight * S * out.routing.balance
        sums["balance_loss"] = out.routing.balance.detach() * S
    return Loss(total, sums, out.routing)


def pretrain(
    config: PretrainConfig,
    loop: LoopConfig,
    model_config: ModelConfig,
    tokens: Path,
    folder: Path,
    seed: int,
    *,
    say: Callable[[str], None],
    progress: Progress,
    device: torch.device,
) -> Transformer:
    """Train into `folder` (`step-N/`, `metrics.jsonl`), resuming what is there, and return the model in eval mode."""
    index = TokenIndex.read(tokens)
    if index.vocab_size != model_config.vocab_size:
        raise ConfigError(
            f"the tokens in {tokens} have a vocabulary of {index.vocab_size}, the model one of "
            f"{model_config.vocab_size}; set model.vocab_size to that of the tokens, or make them again"
        )
    loader = TokenLoader(
        tokens,
        config.sequence_length,
        lookahead=1 + model_config.num_nextn_predict_layers,
        seed=seed,
        mask_documents=config.mask_documents,
    )
    torch.manual_seed(seed)  # checkpoints hold the process's random state: equal runs make equal checkpoints
    model = Transformer(model_config)
    model.init_weights(model_config.initializer_range, torch.Generator().manual_seed(seed))
    model.to(device)
    model.compute_dtype = compute_dtype(config.precision, device)
    keep_freed_memory()
    if loop.compile:
        say("compiling the layers at the first step: under a minute the first time, seconds once it is cached ...")
        compile_layers(model, sequences=min(config.micro_batch, config.schedule.batch))
    recompute(model, loop.recompute)
    optimizer = build_optimizer(model, config.optim)
    identity = {
        "tokenizer": index.tokenizer,
        "data": Provenance.read(tokens).digest,
        "model": to_dict(model_config),
        "pretrain": config.deciding(),
        "seed": seed,
    }
    checkpointer = Checkpointer(folder, identity, loop.keep_checkpoints)
    fit(
        model,
        optimizer,
        Pretraining(config, loader),
        checkpointer,
        loop,
        clip_norm=config.optim.clip_norm,
        say=say,
        progress=progress,
    )
    return model
