"""What a report says of the paper's claims, against figures worked out by hand."""

import json
from pathlib import Path

import pytest

from candor.stages.report import _claims, notes

CLAIM = "claims.r1_over_r1_zero"


def scored(run: Path, **each: list[float]) -> None:
    for model, values in each.items():
        (run / model / "scores").mkdir(parents=True)
        (run / model / "scores" / "scores.json").write_text(json.dumps({"settings": {}, "figures": {}, "each": values}))


def test_a_claim_by_hand(tmp_path: Path) -> None:
    """R1 is right where R1-Zero was wrong in 6 of 8 problems: differences of 1 (6 times) and 0; by chance 2 / 2^6."""
    scored(tmp_path, r1=[1.0] * 8, r1_zero=[0.0] * 6 + [1.0] * 2)
    found = _claims(tmp_path, ["r1", "r1_zero"])
    assert found[CLAIM] == pytest.approx(6 / 8) and found[f"{CLAIM}_n"] == 8
    assert found[f"{CLAIM}_p_value"] == pytest.approx(2 / 2**6)
    assert found[f"{CLAIM}_stderr"] == pytest.approx((6 * 0.25**2 + 2 * 0.75**2) ** 0.5 / 7**0.5 / 8**0.5)
    ((english, chinese),) = notes(found)
    assert english == "pass@1 of R1 over R1-Zero: better, +75.0 ± 16.4 points over 8 problems (p = 0.031)."
    assert "更好" in chinese and "+75.0 ± 16.4" in chinese


@pytest.mark.parametrize(
    ("r1", "verdict"),
    [([0.0] * 6 + [1.0] * 2, "worse, -75.0"), ([1.0] * 7 + [0.0], "no difference can be told, -12.5"),
     ([1.0] * 8, "no difference can be told, +0.0")],
)  # fmt: skip
def test_the_verdict_goes_either_way(tmp_path: Path, r1: list[float], verdict: str) -> None:
    scored(tmp_path, r1=r1, r1_zero=[1.0] * 8)
    ((english, _),) = notes(_claims(tmp_path, ["r1", "r1_zero"]))
    assert f": {verdict}" in english


def test_what_another_run_left_is_no_claim(tmp_path: Path) -> None:
    """The folder of a longer run may hold more models than this run has."""
    scored(tmp_path, r1=[1.0], r1_zero=[1.0, 0.0], base=[0.0, 0.0])
    assert {key.partition("_over")[0] for key in _claims(tmp_path, ["base", "r1_zero"])} == {"claims.r1_zero"}
