"""Control runs: which runs they are, that each is carried out once, and the table's arithmetic."""

import dataclasses
import json
from pathlib import Path

import pytest

from candor.errors import ConfigError
from candor.recipes import CONTROLS
from candor.recipes.laptop import laptop
from candor.stages.controls import Controls, run_controls, table
from candor.stages.pipeline import RunConfig
from candor.stages.run import Ui
from tests.stages.ui import Quiet

CONTROLS_OF_TWO = Controls("two", laptop(), {"without MTP": ("model.num_nextn_predict_layers=0",)}, seeds=(3, 4, 8))


def test_the_shipped_recipe_switches_one_part_at_a_time() -> None:
    runs = CONTROLS["laptop_controls"]().runs()
    assert [len(of) for of in runs.values()] == [3] * 6
    assert len({folder for of in runs.values() for folder, _ in of}) == 18
    base = dict(runs["as the recipe"])
    assert [config.seed for config in base.values()] == [0, 1, 2]
    for name, of in runs.items():
        for (_, config), plain in zip(of, base.values(), strict=True):
            assert (config == plain) == (name == "as the recipe")


def test_the_table_by_hand(tmp_path: Path) -> None:
    """Means 2 and 2.4; standard errors 1/sqrt(3) and so on; differences 0.1, 0.4, 0.7 seed by seed."""
    figures = {"as-the-recipe": [1.0, 2.0, 3.0], "without-MTP": [1.1, 2.4, 3.7]}
    ran: list[str] = []

    def run(config: RunConfig, out: Path, ui: Ui) -> None:
        ran.append(str(out.relative_to(tmp_path)))
        value = figures[out.parent.name][(3, 4, 8).index(config.seed)]
        (out / "report").mkdir(parents=True)
        summary = {"pretrain.bits_per_byte": value, "pretrain.mtp_accuracy": None, "pretrain.loss": 2 * value}
        (out / "report" / "summary.json").write_text(json.dumps(summary))

    text = run_controls(CONTROLS_OF_TWO, tmp_path, Quiet(), run).read_text()  # type: ignore[arg-type]
    assert ran == [f"{variant}/seed-{seed}" for variant in figures for seed in (3, 4, 8)]
    rows = {line.split(" | ")[0]: line for line in text.splitlines() if line.startswith("| ")}
    assert rows["| as the recipe"] == "| as the recipe | 2.0000 ± 0.5774 | 4.0000 ± 1.1547 | none | none | none |  |"
    assert rows["| without MTP"].startswith("| without MTP | 2.4000 ± 0.7506 | 4.8000 ± 1.5011 |")
    assert rows["| without MTP"].endswith("| +0.4000 ± 0.1732 |")
    assert "`model.num_nextn_predict_layers=0`" in text


def test_other_columns_are_judged_by_the_first(tmp_path: Path) -> None:
    controls = dataclasses.replace(CONTROLS_OF_TWO, columns={"memory.base.copying": ("copies", 2)})
    rows = {"as the recipe": [{"memory.base.copying": 0.5}] * 3, "x": [{"memory.base.copying": 0.75}] * 3}
    last = table(controls, rows).splitlines()[5]  # type: ignore[arg-type]
    assert last == "| x | 0.75 ± 0.00 | +0.25 ± 0.00 |"


def test_one_seed_has_no_standard_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least two seeds"):
        run_controls(dataclasses.replace(CONTROLS_OF_TWO, seeds=(0,)), tmp_path, Quiet(), None)  # type: ignore[arg-type]
