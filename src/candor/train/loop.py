"""The loop around the step: resume, metrics, checkpoints, signals. A stage brings data, loss and stop rule."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from candor.data import Batch
from candor.errors import Interrupted, TrainingError
from candor.model import Transformer
from candor.train.checkpoint import Checkpointer
from candor.train.metrics import MetricsWriter
from candor.train.optim import MuonAdamW
from candor.train.step import Loss, train_step

Progress = Callable[[int, int, str], None]
"""`progress(done, total, note)`."""


@dataclass(frozen=True)
class StepPlan:
    """What one step does; made by the stage from the tokens seen so far."""

    micro_batches: list[Batch]
    """The batch, cut into pieces that fit into memory."""
    tokens: int
    """Predicted tokens in all pieces."""
    objective: Callable[[Transformer, Batch], Loss]
    """The loss of one piece."""
    rate: float
    """Factor on the peak learning rate."""
    bias_speed: float
    """Step of the expert biases."""


class Curriculum(Protocol):
    """A stage as the loop sees it."""

    def next(self, step: int, tokens: int) -> StepPlan | None:
        """The plan of step number `step` (from 0) after `tokens` tokens; None when the run is done."""

    def state_dict(self) -> dict[str, Any]:
        """Position of the data, as JSON."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""


def fit(
    model: Transformer,
    optimizer: MuonAdamW,
    curriculum: Curriculum,
    checkpointer: Checkpointer,
    *,
    total_tokens: int,
    clip_norm: float,
    checkpoint_every: int,
    resume: str = "auto",
    metrics: Path,
    tensorboard: bool = False,
    say: Callable[[str], None],
    progress: Progress,
) -> int:
    """Train until the curriculum ends, and return the last step, whose checkpoint is there.

    Ctrl-C or SIGTERM finishes the step, saves and raises Interrupted; the same call then goes on from there.
    """
    state = checkpointer.resume(resume, model, optimizer, say)
    step, tokens = 0, 0
    if state:
        step, tokens = state["step"], state["tokens"]
        curriculum.load_state_dict(state["data"])
        say(f"resumed after step {step:,} ({tokens:,} tokens)")
    saved = step if state else -1

    def save() -> None:
        nonlocal saved
        if saved != step:
            checkpointer.save(step, model, optimizer, {"tokens": tokens, "data": curriculum.state_dict()})
            saved = step

    model.train()
    with _signals() as asked, closing(MetricsWriter(metrics, step, tensorboard=tensorboard)) as writer:
        while plan := curriculum.next(step, tokens):
            start = time.perf_counter()
            optimizer.set_rate(plan.rate)
            try:
                figures = train_step(
                    model,
                    optimizer,
                    plan.micro_batches,
                    plan.objective,
                    plan.tokens,
                    clip_norm=clip_norm,
                    bias_speed=plan.bias_speed,
                )
            except TrainingError as error:
                raise TrainingError(f"step {step + 1:,}: {error}") from None
            step, tokens = step + 1, tokens + plan.tokens
            speed = plan.tokens / (time.perf_counter() - start)
            writer.write(step, {"tokens": tokens, **figures, "rate": plan.rate, "tokens_per_second": speed})
            progress(tokens, total_tokens, f"loss {figures['loss']:.3f}, {speed:,.0f} tokens/s")
            if step % checkpoint_every == 0:
                save()
            if asked:
                save()
                raise Interrupted(
                    f"stopped by {asked[0]} after step {step:,}, which is saved; run the same command to go on"
                )
        save()
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
