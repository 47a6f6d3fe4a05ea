"""Reinforcement learning with checkable rewards: R1-Zero from a base model, and the stages after it (R1 2.2, 2.3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from candor import files
from candor.config import check, to_dict
from candor.errors import ConfigError
from candor.evaluate.result import Sample
from candor.evaluate.run import evaluate
from candor.evaluate.subject import Local, folder_hash
from candor.evaluate.task import Task, task_of
from candor.infer import Engine
from candor.model import Transformer
from candor.model.hub import load_model
from candor.parallel import recompute
from candor.plan.device import Precision, best_device, compute_dtype, keep_freed_memory
from candor.records import Progress
from candor.rl.losses import LossConfig
from candor.rl.policy import PolicyTask, RewardConfig, RolloutConfig
from candor.rl.reward_model import RewardModel, as_batch_reward
from candor.rl.rubric import LEARNT, BatchReward, Rubric
from candor.stages.chain import train_alone, training
from candor.stages.export import export_like
from candor.stages.run import Ui
from candor.text import Tokenizer
from candor.train.checkpoint import Checkpointer, checkpoint_steps
from candor.train.loop import LoopConfig, fit
from candor.train.optim import OptimConfig, build_optimizer

TRANSCRIPTS = "transcripts.jsonl"
"""What `rl` leaves beside the metrics: answers to the same few problems all through the training."""
_TOLD = 2
"""Problems of each task whose answers are kept as transcripts."""


@dataclass(frozen=True)
class RLConfig:
    """The recipe of one RL stage; defaults are R1-Zero's shape with a laptop's numbers."""

    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    """What is sampled."""
    rewards: RewardConfig = field(default_factory=RewardConfig)
    """What is rewarded."""
    preference_steps: int = 0
    """Last steps, in which the rewards of models count as well; R1: 400 of 1,700."""
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
    """Steps between two looks at held-out problems, at multiples of inner_steps; 0 never looks."""
    watch_problems: int = 64
    """Held-out problems of each task, one answer each."""

    def __post_init__(self) -> None:
        least = {"preference_steps": 0, "steps": 1, "inner_steps": 1, "refresh_reference": 1, "warmup_steps": 0,
                 "micro_tokens": 1, "watch_every": 0, "watch_problems": 1}  # fmt: skip
        for name, lowest in least.items():
            if getattr(self, name) < lowest:
                raise ConfigError(f"rl.{name}={getattr(self, name)} must be at least {lowest}")
        if self.refresh_reference % self.inner_steps:
            raise ConfigError(
                f"rl.refresh_reference={self.refresh_reference} must be a multiple of rl.inner_steps={self.inner_steps}"
            )
        if self.rollout.longer_from >= self.steps:
            raise ConfigError(
                f"rollout.longer_from={self.rollout.longer_from} never comes in rl.steps={self.steps}; lower it"
            )
        if not self.rewards.weights(preferences=self.preference_steps >= self.steps):
            raise ConfigError(
                "rl.rewards: every weight is 0, or only models give rewards and rl.preference_steps is below rl.steps; "
                "weigh a reward of rules"
            )
        idle = [name for name in LEARNT if getattr(self.rewards, name) and not self.preference_steps]
        if idle:
            raise ConfigError(
                f"rl.rewards.{idle[0]} counts in the last rl.preference_steps only, and that is 0; raise it, to "
                f"rl.steps={self.steps} where it is to count from the start"
            )

    def deciding(self) -> dict[str, Any]:
        """What decides the result."""
        fields = {name: value for name, value in to_dict(self).items() if name != "micro_tokens"}
        return fields | {"precision": str(compute_dtype(self.precision, best_device())).removeprefix("torch.")}


def rl(
    config: RLConfig,
    loop: LoopConfig,
    model_folder: Path,
    folder: Path,
    seed: int,
    *,
    reward_models: Sequence[Path] = (),
    say: Callable[[str], None],
    progress: Progress,
    device: torch.device,
) -> Transformer:
    """Train the model of `model_folder` into `folder` (`step-N/`, `metrics.jsonl`, `rollouts/`), or go on with it.

    `reward_models` are folders that `train_reward_model` made. `folder` also gets `transcripts.jsonl`. Returns the
    model in eval mode; MTP modules stay as they are.
    """
    torch.manual_seed(seed)  # checkpoints hold the process's random state: equal runs make equal checkpoints
    tokenizer = Tokenizer.load(model_folder)
    rubrics = _rubrics(config, reward_models, device)
    model = load_model(model_folder, dtype=torch.float32, device=device)
    model.compute_dtype = compute_dtype(config.precision, device)
    model.mtp.requires_grad_(False)  # no gradient reaches them, and a checkpoint must hold all that the optimizer has
    keep_freed_memory()
    if loop.compile:
        say("not compiled: answers differ in length")
    recompute(model, loop.recompute)
    optimizer = build_optimizer(model, config.optim)
    identity = {
        "model": folder_hash(model_folder),
        "reward_models": [folder_hash(path) for path in reward_models],
        "rl": config.deciding(),
        "seed": seed,
    }
    with Engine(model, tokenizer, max_sequences=128) as engine:
        task = PolicyTask(
            engine,
            config.rollout,
            rubrics,
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
        _forget_others(folder, identity, again=loop.resume == "never")
        fit(model, optimizer, task, checkpointer, loop, clip_norm=config.optim.clip_norm, say=say, progress=progress)
        engine.update_weights()
        if config.watch_every and (figures := _heldout(config, engine, config.steps, folder)):
            told = ", ".join(f"{name.partition('.')[2]} {share:.0%}" for name, share in figures.items())
            say(f"right of held-out problems, after the last step: {told}")
    return model.eval()


def _forget_others(folder: Path, identity: dict[str, Any], *, again: bool) -> None:
    """Remove what another run sampled and told: one that was stopped before its first checkpoint, or all `again`."""
    rollouts, transcripts = folder / "rollouts", folder / TRANSCRIPTS
    known = rollouts / "identity.json"
    other = not (known.exists() and files.read_json(known) == identity) and not checkpoint_steps(folder)
    if again or other:
        if rollouts.is_dir():
            files.remove_dir(rollouts)
        transcripts.unlink(missing_ok=True)
        files.write_json(known, identity)


def _rubrics(config: RLConfig, reward_models: Sequence[Path], device: torch.device) -> Callable[[int], Rubric]:
    """The rubric that counts at a step: those of models only towards the end, from the first whole rollout on."""
    batch: dict[str, BatchReward] = {}
    weights = config.rewards.weights()
    for path in reward_models:
        judge = RewardModel.load(path, device)
        if judge.kind in batch or judge.kind not in weights:
            why = "is a second one of this kind" if judge.kind in batch else f"needs rl.rewards.{judge.kind} above 0"
            raise ConfigError(f"the reward model {path} of {judge.kind} {why}; leave it out or mend that")
        batch[judge.kind] = as_batch_reward(judge)
    every = Rubric(weights, batch=batch)
    rules = config.rewards.weights(preferences=False)
    first = Rubric(rules) if rules else every

    def at(step: int) -> Rubric:
        step -= step % config.inner_steps  # a run that goes on within a rollout scores it as it was scored
        return every if step >= config.steps - config.preference_steps else first

    return at


def _watch(config: RLConfig, engine: Engine, step: int, folder: Path) -> dict[str, float]:
    """Accuracy on held-out problems, every so many steps, where a rollout begins."""
    if not config.watch_every or step % config.watch_every or step % config.inner_steps:
        return {}
    return _heldout(config, engine, step, folder)


def _heldout(config: RLConfig, engine: Engine, step: int, folder: Path) -> dict[str, float]:
    """pass@1 on the test split of each task, by label; the answers to the first problems become transcripts.

    A real set in a single file has transcripts, and no figure.
    """
    found, told = {}, []
    for text in config.rollout.tasks:
        task = task_of(
            text,
            n=config.watch_problems,
            format=config.rollout.format,
            max_tokens=config.rollout.tokens_at(step),
            temperature=config.rollout.temperature,
            top_p=1.0,
        )
        result, samples = evaluate(task, Local(lambda: engine, str(folder), ""))
        if not (task.data and Path(task.data).is_file()):  # which has no test split: these are the ones trained on
            found[f"heldout.{task.label}"] = result.headline[1].value
        told += [_transcript(step, task, sample) for sample in samples[:_TOLD]]
    path = folder / TRANSCRIPTS
    kept = [line for line in files.read_lines(path) if line["step"] < step] if path.exists() else []
    files.atomic_write(path, "".join(map(files.json_line, (*kept, *told))))
    return found


def _transcript(step: int, task: Task, sample: Sample) -> dict[str, Any]:
    return {"step": step, "task": task.label, "prompt": sample.prompt, "response": sample.response,
            "gold": sample.gold, "grade": sample.grade.value}  # fmt: skip


# The whole


@dataclass(frozen=True)
class RLRun:
    """Everything that decides a run of `candor train rl` besides the models."""

    seed: int = 0
    """Seed of problems and samples."""
    rl: RLConfig = field(default_factory=RLConfig)
    """Training."""
    train: LoopConfig = field(default_factory=LoopConfig)
    """What every training stage does around its steps."""

    def __post_init__(self) -> None:
        check(self)


def reinforce(run: RLRun, model_folder: Path, reward_models: Sequence[Path], out: Path, ui: Ui) -> None:
    """Train into `out/checkpoints` and export to `out/model`; what is there already and fits is kept."""
    settings = {
        "model": folder_hash(model_folder),
        "reward_models": [folder_hash(path) for path in reward_models],
        "rl": run.rl.deciding(),
    }

    def export(folder: Path, ui: Ui) -> None:
        export_like(model_folder, out / "checkpoints", folder)

    work = partial(rl, run.rl, model_folder=model_folder, seed=run.seed, reward_models=reward_models)
    train_alone(training("rl", work), settings, export, out, run.seed, run.train, ui)
