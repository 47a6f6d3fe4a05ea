"""`candor train sft`: what it prints, leaves and refuses."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from candor.cli.training import run_sft
from candor.errors import ConfigError, DataError, ModelError
from candor.model.hub import load_model
from candor.text import Tokenizer
from tests.stages.test_sft import DIALOGUES, VOCAB, make_base

QUICK = [
    "sft.epochs=2",
    "sft.sequence_length=48",
    "sft.batch=4",
    "sft.heldout_share=0.2",
    "sft.optim.learning_rate=0.01",
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer.train([json.dumps(dialogue.messages) for dialogue in DIALOGUES], VOCAB)
    return make_base(tmp_path_factory.mktemp("base") / "model", tokenizer)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(json.dumps({"messages": one.messages}) + "\n" for one in DIALOGUES))
    return path


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a run prints."""

    def run(model: Path, data: Path | str, **options: Any) -> str:
        capsys.readouterr()
        run_sft(model, str(data), **options)
        captured = capsys.readouterr()
        assert captured.err == ""
        return captured.out

    return run


def test_train_and_see_what_came_of_it(base: Path, data: Path, said: Callable[..., str], tmp_path: Path) -> None:
    options: dict[str, Any] = {"out": tmp_path / "out", "sets": QUICK, "origin": "team-hand"}
    out = said(base, data, **options)
    assert f"sft of {base} on {data}: into {tmp_path / 'out'}" in out and "dialogues to learn (1" in out
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.startswith("  ")}
    before, after, change = (float(lines[name][0]) for name in ("before", "after", "change"))
    assert after < before and change == pytest.approx(after - before, abs=0.002)
    assert all(lines[name][1] == "±" and float(lines[name][2]) > 0 for name in ("before", "after", "change"))
    assert f"try: candor chat {tmp_path / 'out' / 'model'}" in out
    assert load_model(tmp_path / "out" / "model").config == load_model(base).config
    again = said(base, data, **options)
    assert "checkpoints: done before" in again and "model: done before" in again
    assert again.splitlines()[-7:] == out.splitlines()[-7:]


def test_the_plan_changes_nothing(base: Path, data: Path, said: Callable[..., str], tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    out = said(base, data, out=tmp_path / "out", sets=QUICK, origin="team-hand", dry_run=True)
    assert sorted(tmp_path.rglob("*")) == before
    for line in ("sft.epochs", "train.checkpoint_every", "seed", "# Times that every dialogue is learnt."):
        assert line in out
    assert (
        "dialogues to learn" in out
        and "windows of 48" in out
        and "GiB for weights" in out
        and re.search(r"time +\d+ s", out)
    )


def test_tasks_are_asked_before_and_after(base: Path, data: Path, said: Callable[..., str], tmp_path: Path) -> None:
    sets = [*QUICK, "sft.epochs=1"]
    out = said(base, data, out=tmp_path / "out", sets=sets, origin="team-hand", tasks="arithmetic", problems=4)
    assert out.count("arithmetic-1-en: pass@1 ") == 2
    assert "problem by problem" in out and "of 4" in out
    for side in ("before", "after"):
        assert len((tmp_path / "out" / "evals" / side / "arithmetic-1-en.samples.jsonl").read_text().splitlines()) == 4


def test_nothing_held_out_is_said(base: Path, data: Path, said: Callable[..., str], tmp_path: Path) -> None:
    sets = [*QUICK, "sft.epochs=1", "sft.heldout_share=0"]
    out = said(base, data, out=tmp_path / "out", sets=sets, origin="team-hand")
    assert "no dialogue was held out, so what was learnt is not measured; see sft.heldout_share" in out


def test_broken_lines_stop_or_are_counted(base: Path, data: Path, said: Callable[..., str], tmp_path: Path) -> None:
    data.write_text(data.read_text() + '{"messages": [{"role": "user", "content": "?"}]}\n')
    options: dict[str, Any] = {"out": tmp_path / "out", "sets": [*QUICK, "sft.epochs=1"], "origin": "team-hand"}
    with pytest.raises(DataError, match=r"chat\.jsonl:21 ends with the user; add the assistant's answer"):
        run_sft(base, str(data), **options)
    assert not (tmp_path / "out").exists()
    options["sets"].append("sft.skip_broken=true")
    assert "  left out 1: broken rows; the first: " in said(base, data, **options)
    (line,) = (tmp_path / "out" / "checkpoints" / "left_out.jsonl").read_text().splitlines()
    assert json.loads(line)["what"].startswith(f"{data}:21 ends with the user")


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({}, DataError, r"chat\.jsonl:1 does not say who made it; .*--origin"),
        ({"origin": "me"}, ConfigError, "--origin 'me' must be one of team-hand, team-automatic, user-derived"),
        ({"sets": ["sft.epoch=3"]}, ConfigError, "there is no field 'epoch' in SftConfig; did you mean 'epochs'"),
        ({"sets": ["sft.epochs=0"]}, ConfigError, r"sft\.epochs=0 must be at least 1"),
        ({"sets": ["sft.template=v9"]}, ConfigError, "'v9' is not one of v3, r1 or none"),
        ({"tasks": "letter"}, ConfigError, "there is no task 'letter'"),
        (
            {"sets": ["sft.sequence_length=4"], "origin": "team-hand"},
            DataError,
            "none of 20 dialogues is left to train",
        ),
    ],
)
def test_what_cannot_work_is_one_line(
    options: dict[str, Any], error: type[Exception], says: str, base: Path, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=says) as caught:
        run_sft(base, str(data), **{"out": tmp_path / "out", **options})
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_no_model(data: Path, tmp_path: Path) -> None:
    for dry_run in (False, True):
        with pytest.raises((ModelError, DataError), match=r"no model folder|config\.json does not exist"):
            run_sft(tmp_path, str(data), origin="team-hand", out=tmp_path / "out", dry_run=dry_run)
