"""The curves of a training run as one picture."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from candor import files

_PANELS: tuple[tuple[str, dict[str, str]], ...] = (
    ("loss, nats per token", {"loss": "next token", "mtp_loss": "token after next (MTP)"}),
    ("learning rate, times peak", {"lr_factor": "rate"}),
    ("tokens per second", {"tokens_per_second": "speed"}),
    ("expert load, violation of the mean", {"max_violation": "worst layer and expert"}),
    ("router entropy, nats", {"router_entropy": "mean of layers"}),
    ("gradient norm before clipping", {"grad_norm": "norm"}),
)


def plot_curves(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the curves of the lines of `metrics.jsonl` as a PNG: six panels over the tokens seen."""
    figure = Figure(figsize=(13, 6.5), layout="constrained")
    axes: list[Axes] = list(figure.subplots(2, 3).flat)
    for axis, (title, series) in zip(axes, _PANELS, strict=True):
        for (name, label), colour in zip(series.items(), ("#1f5fa8", "#d1711f"), strict=False):
            points = [(line["tokens"] / 1e6, line[name]) for line in lines if line.get(name) is not None]
            if points:
                axis.plot(*zip(*points, strict=True), label=label, color=colour, linewidth=1.2)
        axis.set_title(title, fontsize=10, loc="left")
        axis.set_xlabel("million tokens", fontsize=8)
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
        if len(axis.lines) > 1:
            axis.legend(fontsize=8, frameon=False)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    files.atomic_write(path, picture.getvalue())
