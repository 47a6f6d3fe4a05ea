"""The loop around the step: resume, metrics, checkpoints, signals. A stage brings data, loss and stop rule."""

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from candor.errors import ConfigError, Interrupted, TrainingError
from candor.model import Transformer
from candor.records import Progress
from candor.train.checkpoint import Checkpointer
from candor.train.metrics import MetricsWriter
from candor.train.optim import MuonAdamW
from candor.train.step import Loss, train_step

B = TypeVar("B")
METRICS = "metrics.jsonl"


@dataclass(frozen=True)
class LoopConfig:
    """What every training stage does around its steps; none of it changes the result but by rounding."""

    checkpoint_every: int = 100
    """Steps between checkpoints."""
    keep_checkpoints: int = 2
    """Checkpoints kept."""
    resume: str = "auto"
    """auto: the newest good checkpoint; never: start over; or the path of a checkpoint."""
    tensorboard: bool = False
    """Also write TensorBoard events."""
    compile: bool = False
    """Compile the layers: 7 to 14% faster, after 40 s at the first start (see docs/training.md)."""
    recompute: tuple[str, ...] = ()
    """Parts whose activations are made again instead of kept, to save memory: layer, mlp, self_attn, ..."""

    def __post_init__(self) -> None:
        for name in ("checkpoint_every", "keep_checkpoints"):
            if getattr(self, name) < 1:
                raise ConfigError(f"train.{name}={getattr(self, name)} must be at least 1")


@dataclass(frozen=True)
class StepPlan(Generic[B]):
    """What one step does; made by the stage from the tokens seen so far."""

    micro_batches: Sequence[B]
    """The batch, cut into pieces that fit into memory."""
    tokens: int
    """Predicted tokens in all pieces."""
    objective: Callable[[Transformer, B], Loss]
    """The loss of one piece."""
    lr_factor: float
    """Factor on the peak learning rate."""
    bias_speed: float
    """Step of the expert biases."""
    denominator: int | None = None
    """What the summed losses are divided by; none: `tokens`. 1 for losses that come divided, as policy losses do."""
    figures: dict[str, float] = field(default_factory=dict)
    """Figures for the log besides those of the step."""
    note: str = ""
    """For people who watch; none: the loss."""


class Task(Protocol):
    """A training stage as the loop sees it."""

    total_tokens: int
    """Tokens of the whole run, for the progress."""

    def next(self, step: int, tokens: int) -> StepPlan[Any] | None:
        """The plan of step number `step` (from 0) after `tokens` tokens; None when the run is done."""

    def state_dict(self) -> dict[str, Any]:
        """Position of the data, as JSON."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""


def fit(
    model: Transformer,
    optimizer: MuonAdamW,
    task: Task,
    checkpointer: Checkpointer,
    config: LoopConfig,
    *,
    clip_norm: float,
    say: Callable[[str], None],
    progress: Progress,
) -> int:
    """Train until the task ends, and return the last step, whose checkpoint is there.

    Ctrl-C or SIGTERM finishes the step, saves and raises Interrupted; the same call then goes on from there.
    """
    state = checkpointer.resume(config.resume, model, optimizer, say)
    step, tokens = 0, 0
    if state:
        step, tokens = state["step"], state["tokens"]
        task.load_state_dict(state["data"])
        say(f"resumed after step {step:,} ({tokens:,} tokens)")
    saved = step if state else -1

    def save() -> None:
        nonlocal saved
        if saved != step:
            checkpointer.save(step, model, optimizer, {"tokens": tokens, "data": task.state_dict()})
            saved = step

    model.train()
    metrics = MetricsWriter(checkpointer.folder / METRICS, step, tensorboard=config.tensorboard)
    with _signals() as asked, closing(metrics):
        while plan := task.next(step, tokens):
            start = time.perf_counter()
            optimizer.set_rate(plan.lr_factor)
            try:
                figures = train_step(
                    model,
                    optimizer,
                    plan.micro_batches,
                    plan.objective,
                    plan.denominator or plan.tokens,
                    clip_norm=clip_norm,
                    bias_speed=plan.bias_speed,
                )
            except TrainingError as error:
                raise TrainingError(f"step {step + 1:,}: {error}") from None
            step, tokens = step + 1, tokens + plan.tokens
            speed = plan.tokens / (time.perf_counter() - start)
            figures |= plan.figures
            metrics.write(step, {"tokens": tokens, **figures, "lr_factor": plan.lr_factor, "tokens_per_second": speed})
            note = plan.note or (f"loss {figures['loss']:.3f}" if "loss" in figures else "nothing to learn from")
            progress(tokens, task.total_tokens, f"{note}, {speed:,.0f} tokens/s")
            if step % config.checkpoint_every == 0:
                save()
            if asked:
                break
        save()
        if asked:
            how = "run the same command" + (" without train.resume" if config.resume != "auto" else "")
            raise Interrupted(f"stopped by {asked[0]} after step {step:,}, which is saved; {how} to go on")
    model.eval()
    return step


@contextmanager
def _signals() -> Iterator[list[str]]:
    """Collect SIGTERM and SIGINT instead of dying of them; a second one ends the process at once."""
    asked: list[str] = []
    if threading.current_thread() is not threading.main_thread():
        yield asked  # only the main thread may set handlers
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, _: Any) -> None:
        asked.append(signal.Signals(number).name)
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
