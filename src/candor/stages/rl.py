"""Reinforcement learning with checkable rewards: R1-Zero from a base model, and the stages after it (R1 2.2, 2.3)."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from candor import files
from candor.config import to_dict
from candor.errors import ConfigError
from candor.evaluate.run import evaluate
from candor.evaluate.subject import Local, folder_hash
from candor.evaluate.task import Task
from candor.infer import Engine
from candor.model import Transformer
from candor.model.hub import load_model
from candor.plan.device import Precision, compute_dtype, keep_freed_memory
from candor.records import Progress
from candor.rl.losses import LossConfig
from candor.rl.policy import PolicyTask, RewardConfig, RolloutConfig, parse_task
from candor.rl.rubric import Rubric
from candor.text import Tokenizer
from candor.train.checkpoint import Checkpointer
from candor.train.loop import LoopConfig, fit
from candor.train.optim import OptimConfig, build_optimizer


@dataclass(frozen=True)
class RLConfig:
    """The recipe of one RL stage; defaults are R1-Zero's shape with a laptop's numbers."""

    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    """What is sampled."""
    rewards: RewardConfig = field(default_factory=RewardConfig)
    """What is rewarded."""
    loss: LossConfig = field(default_factory=lambda: LossConfig(kind="dapo"))
    """What is minimised."""
    steps: int = 100
    """Optimisation steps."""
    inner_steps: int = 1
    """Steps on each rollout, over equal parts of it."""
    refresh_reference: int = 400
    """Steps between two refreshes of the reference model; with loss.beta only."""
    optim: OptimConfig = field(
        default_factory=lambda: OptimConfig(learning_rate=1e-3, muon_learning_rate=1e-3, weight_decay=0.0)
    )
    """Optimizer."""
    warmup_steps: int = 0
    """Steps over which the learning rates rise."""
    micro_tokens: int = 16384
    """Tokens that go through the model at once; changes memory, not the result."""
    precision: Precision = "auto"
    """Type of the activations."""
    watch_every: int = 20
    """Steps between two looks at held-out problems; 0 never looks."""
    watch_problems: int = 64
    """Held-out problems of each task, one answer each."""

    def __post_init__(self) -> None:
        least = {"steps": 1, "inner_steps": 1, "refresh_reference": 1, "warmup_steps": 0, "micro_tokens": 1,
                 "watch_every": 0, "watch_problems": 1}  # fmt: skip
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"rl.{name}={getattr(self, name)} must be at least {lowest}")
        if self.refresh_reference % self.inner_steps:
            raise ConfigError(
                f"rl.refresh_reference={self.refresh_reference} must be a multiple of rl.inner_steps={self.inner_steps}"
            )

    def deciding(self) -> dict[str, Any]:
        """What decides the result."""
        return {name: value for name, value in to_dict(self).items() if name != "micro_tokens"}


def rl(
    config: RLConfig,
    loop: LoopConfig,
    model_folder: Path,
    folder: Path,
    seed: int,
    *,
    say: Callable[[str], None],
    progress: Progress,
    device: torch.device,
) -> Transformer:
    """Train the model of `model_folder` into `folder` (`step-N/`, `metrics.jsonl`, `rollouts/`), or go on with it.

    Returns the model in eval mode. MTP modules stay as they are.
    """
    torch.manual_seed(seed)  # checkpoints hold the process's random state: equal runs make equal checkpoints
    tokenizer = Tokenizer.load(model_folder)
    model = load_model(model_folder, dtype=torch.float32, device=device)
    model.compute_dtype = compute_dtype(config.precision, device)
    keep_freed_memory()
    optimizer = build_optimizer(model, config.optim)
    identity = {"model": folder_hash(model_folder), "rl": config.deciding(), "seed": seed}
    with Engine(model, tokenizer, max_sequences=128) as engine:
        task = PolicyTask(
            engine,
            config.rollout,
            Rubric(config.rewards.weights()),
            config.loss,
            folder / "rollouts",
            steps=config.steps,
            inner_steps=config.inner_steps,
            refresh=config.refresh_reference,
            micro_tokens=config.micro_tokens,
            seed=seed,
            rate=lambda step: min(1.0, (step + 1) / max(1, config.warmup_steps)),
            watch=lambda step: _watch(config, engine, step, folder),
        )
        checkpointer = Checkpointer(folder, identity, loop.keep_checkpoints)
        if loop.resume == "never" and task.folder.exists():
            files.remove_dir(task.folder)
        fit(model, optimizer, task, checkpointer, loop, clip_norm=config.optim.clip_norm, say=say, progress=progress)
        engine.update_weights()
        last = {f"step {config.steps}": _heldout(config, engine, folder)}
    files.write_json(folder / "heldout.json", last)
    return model.eval()


def _watch(config: RLConfig, engine: Engine, step: int, folder: Path) -> dict[str, float]:
    """Accuracy on held-out problems, every so many steps."""
    if not config.watch_every or step % config.watch_every:
        return {}
    return {f"heldout.{label}": figure["value"] for label, figure in _heldout(config, engine, folder).items()}


def _heldout(config: RLConfig, engine: Engine, folder: Path) -> dict[str, Any]:
    """pass@1 on the test split of each task, by label."""
    found = {}
    for text in config.rollout.tasks:
        family, difficulty, lang = parse_task(text)
        task = Task(
            name=family.name,
            difficulty=difficulty,
            lang=lang,
            n=config.watch_problems,
            format=config.rollout.format,
            max_tokens=config.rollout.max_tokens,
            temperature=config.rollout.temperature,
            top_p=1.0,
        )
        result, _ = evaluate(task, Local(lambda: engine, str(folder), ""))
        found[task.label] = asdict(result.headline[1])
    return found
