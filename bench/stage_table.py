"""The stage table of one or more runs as Markdown, for docs/results.md and the README.

    .venv/bin/python bench/stage_table.py runs/laptop
    .venv/bin/python bench/stage_table.py runs/seed-0 runs/seed-1 runs/seed-2

One run: mean and standard error over problems. Several, which should differ in their seed alone: the mean over runs and
the standard error of that mean, and under it the runs one by one. Everything is read from `report/summary.json`.
"""

import json
import math
import sys
from pathlib import Path
from typing import Any

from candor.stages.report import NAMES

COLUMNS = {
    "pass_at_1": "pass@1", "pass_at_16": "pass@16", "format_rate": "format", "language_rate": "language",
    "no_answer": "no answer known", "over_abstention": "declines solvable", "refusal": "refuses harmful",
    "over_refusal": "refuses harmless", "helpful": "helpful", "tokens": "tokens",
}  # fmt: skip


def cell(runs: list[dict[str, Any]], key: str) -> str:
    factor, values = 1 if key.endswith(".tokens") else 100, [run[key] for run in runs if key in run]
    if not values:
        return ""
    mean = sum(values) / len(values)
    error = runs[0].get(f"{key}_stderr")
    if len(values) > 1:
        error = math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
    return f"{factor * mean:.1f}" + ("" if error is None else f" ± {factor * error:.1f}")


def table(runs: list[dict[str, Any]]) -> list[str]:
    models = [model for model in NAMES if f"{model}.pass_at_1" in runs[0]]
    columns = [name for name in COLUMNS if any(f"{model}.{name}" in runs[0] for model in models)]
    head = [f"| percent | {' | '.join(COLUMNS[name] for name in columns)} |", "|---" * (len(columns) + 1) + "|"]
    return [*head, *(f"| {model} | {' | '.join(cell(runs, f'{model}.{name}') for name in columns)} |"
                     for model in models)]  # fmt: skip


def main(folders: list[str]) -> None:
    runs = [json.loads((Path(folder) / "report" / "summary.json").read_text()) for folder in folders]
    for group in [runs, *([run] for run in runs if len(runs) > 1)]:
        seeds = ", ".join(str(run["scores.seed"]) for run in group)
        print(f"seed {seeds}; k = {runs[0]['scores.k']} and {runs[0]['scores.k_other']}, problems "
              f"{runs[0]['base.pass_at_1_n']}", end="\n\n")  # fmt: skip
        print(*table(group), "", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:] or sys.exit(__doc__))
