"""`candor train rm`: what it prints, leaves and refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from candor.cli.training import run_rm
from candor.errors import ConfigError, DataError
from candor.rl.reward_model import RewardModel
from candor.text import Tokenizer
from tests.stages.test_reward_model import kind_pairs, verdicts
from tests.stages.test_sft import VOCAB, make_base

QUICK = ["rm.epochs=3", "rm.sequence_length=64", "rm.batch=20", "rm.heldout_share=0.2", "rm.optim.learning_rate=0.003"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer.train([" ".join(one.responses) + "?" for one in kind_pairs()], VOCAB)
    return make_base(tmp_path_factory.mktemp("base") / "model", tokenizer)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [{"messages": one.messages, "chosen": one.chosen, "rejected": one.rejected} for one in kind_pairs()]
    path = tmp_path / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a run prints."""

    def run(model: Path, data: Path, **options: Any) -> str:
        capsys.readouterr()
        run_rm(model, str(data), **{"kind": "helpfulness", "origin": "team-hand", "sets": QUICK, **options})
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return run


def test_train_and_see_what_came_of_it(base: Path, data: Path, said: Callable[..., str], tmp_path: Path) -> None:
    out = said(base, data, out=tmp_path / "out")
    assert f"reward model of helpfulness from {base} on {data}: into {tmp_path / 'out'}" in out
    assert "pairs on " in out and "held-out questions (more is better)" in out
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("  ")}
    before, after, change = (float(lines[name][0]) for name in ("before", "after", "change"))
    assert after > 0.8 and change == pytest.approx(after - before, abs=0.002)
    assert RewardModel.load(tmp_path / "out" / "model").kind == "helpfulness"
    again = said(base, data, out=tmp_path / "out")
    assert "checkpoints: done before" in again and again.splitlines()[-6:] == out.splitlines()[-6:]


def test_safety_learns_from_verdicts(base: Path, said: Callable[..., str], tmp_path: Path) -> None:
    rows = [{"messages": one.messages, "response": one.response, "safe": one.safe} for one in verdicts()]
    path = tmp_path / "verdicts.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"prompt": "?", "origin": "team-hand"}\n')
    sets = [*QUICK, "rm.epochs=1", "rm.heldout_share=0"]
    out = said(base, path, kind="safety", out=tmp_path / "out", sets=sets, skip_broken=True)
    assert "left out 1: broken rows" in out and "120 verdicts (" in out
    assert "no question was held out, so what was learnt is not measured; see rm.heldout_share" in out
    assert RewardModel.load(tmp_path / "out" / "model").kind == "safety"


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"kind": "charm"}, ConfigError, "--kind 'charm' must be one of helpfulness, safety"),
        ({"origin": "me"}, ConfigError, "--origin 'me' must be one of team-hand"),
        ({"sets": ["rm.epoch=3"]}, ConfigError, "there is no field 'epoch' in RewardModelConfig; did you mean"),
        ({"origin": None}, DataError, r"pairs\.jsonl:1 does not say who made it"),
        ({"kind": "safety"}, DataError, r"pairs\.jsonl:1: response is missing"),
    ],
)
def test_what_cannot_work_is_one_line(
    options: dict[str, Any], error: type[Exception], says: str, base: Path, data: Path, tmp_path: Path
) -> None:
    given = {"kind": "helpfulness", "origin": "team-hand", "out": tmp_path / "out", **options}
    with pytest.raises(error, match=says) as caught:
        run_rm(base, str(data), **given)
    assert "\n" not in str(caught.value)
