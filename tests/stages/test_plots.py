"""The picture of a run, whatever its lines hold."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread

from candor.stages.plots import plot_pretraining


def line(step: int, **figures: float | None) -> dict[str, Any]:
    return {"step": step, "tokens": 1000 * step, **figures}


def full(step: int) -> dict[str, Any]:
    names = ("loss", "mtp_loss", "lr_factor", "tokens_per_second", "max_violation", "router_entropy", "grad_norm")
    return line(step, **{name: 5.0 / step + place for place, name in enumerate(names)})


CASES = {
    "whole": [full(step) for step in range(1, 40)],
    "one line": [full(1)],
    "no experts, no MTP": [line(step, loss=9 / step, lr_factor=step, grad_norm=4 / step) for step in range(1, 9)],
    "figures that were not finite": [full(1), full(2) | {"loss": None, "grad_norm": None}, full(3)],
    "loss never finite": [line(1, loss=None, grad_norm=0.5)],
    "tokens alone": [line(1), line(2)],
    "no line": [],
}


@pytest.mark.parametrize("case", CASES)
def test_a_picture_of_sane_size(case: str, tmp_path: Path) -> None:
    plot_pretraining(CASES[case], tmp_path / "curves.png")
    data = (tmp_path / "curves.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n") and b"IEND" in data[-12:]
    height, width, _ = imread(tmp_path / "curves.png").shape
    assert 600 < height < 1000 and 1200 < width < 2000
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_the_curves_are_drawn(tmp_path: Path) -> None:
    """The first colour marks as many panels as there are figures, the second the MTP loss."""
    found = {}
    for case in ("whole", "no experts, no MTP", "no line"):
        plot_pretraining(CASES[case], tmp_path / "curves.png")
        pixels = np.rint(imread(tmp_path / "curves.png")[..., :3] * 255)
        panels = [part for row in np.array_split(pixels, 2) for part in np.array_split(row, 3, axis=1)]
        colours = ((0x1F, 0x5F, 0xA8), (0xD1, 0x71, 0x1F))
        found[case] = [sum(bool((panel == colour).all(-1).any()) for panel in panels) for colour in colours]
    assert found == {"whole": [6, 1], "no experts, no MTP": [3, 0], "no line": [0, 0]}
