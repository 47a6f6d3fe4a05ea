"""The curves of a training run as one picture."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from candor import files
from candor.rl.rubric import LEARNT, REWARDS

Panels = tuple[tuple[str, dict[str, str]], ...]

_PRETRAINING: Panels = (
    ("loss, nats per token", {"loss": "next token", "mtp_loss": "token after next (MTP)"}),
    ("learning rate, times peak", {"lr_factor": "rate"}),
    ("tokens per second", {"tokens_per_second": "speed"}),
    ("expert load, violation of the mean", {"max_violation": "worst layer and expert"}),
    ("router entropy, nats", {"router_entropy": "mean of layers"}),
    ("gradient norm before clipping", {"grad_norm": "norm"}),
)
_RL: Panels = (
    ("reward, weighted sum", {"reward": "mean of answers"}),
    ("parts of the reward", {name: name for name in (*REWARDS, *LEARNT)}),
    ("accuracy on held-out problems", {"heldout": "mean of tasks"}),
    ("length of answers, tokens", {"response_length": "mean"}),
    ("words of reflection per answer", {"reflection": "mean"}),
    ("entropy, nats per token", {"entropy": "policy"}),
    ("share of groups without variance, of cut answers", {"zero_variance": "all equal", "truncated": "cut off"}),
    ("share of clipped tokens", {"clip_low": "below", "clip_high": "above"}),
    ("sampler against trainer, nats", {"gap": "mean |difference|", "gap_kl": "KL"}),
    ("KL to the reference, nats", {"kl": "k3"}),
)  # fmt: skip
_COLOURS = ("#1f5fa8", "#d1711f", "#1c6b3c", "#8a4fbf", "#a33a1e", "#5a6672", "#b8860b")


def plot_pretraining(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the curves of the lines of `metrics.jsonl` as a PNG: six panels over the tokens seen."""
    points = [{**line, "tokens": line["tokens"] / 1e6} for line in lines]
    _plot(points, _PRETRAINING, "tokens", "million tokens", path)


def plot_rl(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """The same of reinforcement learning over its steps; panels without figures are left out."""
    points = []
    for line in lines:
        watched = [value for name, value in line.items() if name.startswith("heldout.")]
        points.append(line | ({"heldout": sum(watched) / len(watched)} if watched else {}))
    panels = tuple(panel for panel in _RL if any(name in point for point in points for name in panel[1]))
    _plot(points, panels, "step", "step", path)


def _plot(lines: Sequence[dict[str, Any]], panels: Panels, x: str, label: str, path: Path) -> None:
    rows = -(-len(panels) // 3)
    figure = Figure(figsize=(13, 3.25 * rows), layout="constrained")
    axes: list[Axes] = list(figure.subplots(rows, 3, squeeze=False).flat)
    for axis in axes[len(panels) :]:
        axis.set_visible(False)
    for axis, (title, series) in zip(axes, panels, strict=False):
        for (name, said), colour in zip(series.items(), _COLOURS, strict=False):
            points = [(line[x], line[name]) for line in lines if line.get(name) is not None]
            if points:
                few = "o" if len(points) < 12 else None
                axis.plot(*zip(*points, strict=True), label=said, color=colour, linewidth=1.2, marker=few, markersize=3)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlabel(label, fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if len(axis.lines) > 1:
            axis.legend(fontsize=8, frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    files.atomic_write(path, picture.getvalue())
