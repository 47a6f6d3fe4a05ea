"""Control runs: the same recipe with one part switched at a time, over several seeds, and what that changes."""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from candor import files
from candor.config import override
from candor.errors import ConfigError
from candor.records import code_version
from candor.stages.pipeline import RunConfig
from candor.stages.run import Ui

PRETRAINING = {
    "pretrain.bits_per_byte": ("held-out bits per byte", 4),
    "pretrain.loss": ("training loss", 4),
    "pretrain.max_violation": ("max violation", 3),
    "pretrain.mtp_accuracy": ("MTP accuracy", 4),
    "pretrain.tokens_per_second": ("tokens/s", 0),
}
"""Columns of a table about pre-training."""


@dataclass(frozen=True)
class Controls:
    """A base run and its variants.

    >>> Controls("laptop_controls", laptop(), {"without MTP": ("model.num_nextn_predict_layers=0",)})
    """

    name: str
    """Name of the recipe."""
    base: RunConfig
    """What is varied."""
    variants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Settings that each variant changes, by its name in the table."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Every variant runs once with each."""
    columns: dict[str, tuple[str, int]] = field(default_factory=lambda: PRETRAINING)
    """Of the table: key of the summary -> heading and digits. Of the first the difference from the base is shown."""

    def runs(self) -> dict[str, list[tuple[str, RunConfig]]]:
        """By variant, the folder and configuration of each run; the base comes first."""
        variants = {"as the recipe": ()} | self.variants
        return {
            name: [
                (f"{name.replace(' ', '-')}/seed-{seed}", override(self.base, *settings, f"seed={seed}"))
                for seed in self.seeds
            ]
            for name, settings in variants.items()
        }


def run_controls(controls: Controls, out: Path, ui: Ui, run: Callable[[RunConfig, Path, Ui], None]) -> Path:
    """Carry out every run that is not there yet and write `results.md` and `results.json` into `out`."""
    if len(controls.seeds) < 2:
        raise ConfigError(f"{controls.name}: a standard error needs at least two seeds")
    summaries: dict[str, list[dict[str, float | None]]] = {}
    every = controls.runs()
    total, done = sum(len(runs) for runs in every.values()), 0
    for variant, runs in every.items():
        for folder, config in runs:
            done += 1
            ui.say(f"== run {done} of {total}: {variant}, seed {config.seed} ({out / folder})")
            run(config, out / folder, ui)
            summaries.setdefault(variant, []).append(files.read_json(out / folder / "report" / "summary.json"))
    files.write_json(out / "results.json", summaries)
    files.atomic_write(out / "results.md", table(controls, summaries))
    return out / "results.md"


def table(controls: Controls, summaries: dict[str, list[dict[str, float | None]]]) -> str:
    """Markdown: mean and standard error of each figure, and the paired difference of the first one from the base.

    The difference is taken seed by seed: runs of one seed share weights and, unless the variant changes it, data.
    """
    (first, (head, digits)), *_ = controls.columns.items()
    base = next(iter(summaries.values()))
    heads = ["run", *(head for head, _ in controls.columns.values()), f"{head} against the recipe"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for variant, rows in summaries.items():
        cells = []
        for key, (_, places) in controls.columns.items():
            values = [value for row in rows if (value := row.get(key)) is not None]
            cells.append(_with_error(values, places) if values else "none")
        differences = [_number(row, first) - _number(plain, first) for row, plain in zip(rows, base, strict=True)]
        cells.append("" if rows is base else _with_error(differences, digits, "+"))
        lines.append(f"| {variant} | {' | '.join(cells)} |")
    settings = [f"- {name}: `{' '.join(changed)}`" for name, changed in controls.variants.items()]
    said = (
        f"{date.today()}, {code_version()}, {len(controls.seeds)} seeds, mean ± standard error; "
        f"{controls.base.pretrain.total_tokens:,} tokens each. Loss, violation and MTP accuracy are means of the last "
        "20 steps."
    )
    return "\n".join([said, "", *lines, "", *settings, ""])


def _number(row: dict[str, float | None], key: str) -> float:
    value = row.get(key)
    return math.nan if value is None else value


def _with_error(values: list[float], digits: int, sign: str = "") -> str:
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{statistics.mean(values):{sign},.{digits}f} ± {error:,.{digits}f}"
