"""The other commands: generate, chat, init, doctor, help, and the plan of a dry run."""

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from candor.config import describe
from candor.recipes import RECIPES
from tests.cli.conftest import Result

Command = Callable[..., Result]


def test_generate_streams_text_and_keeps_the_notice_apart(finished: Path, candor_command: Command) -> None:
    arguments = ["generate", finished / "model", "import ", "--max-tokens", "12", "--seed", "5"]
    code, out, err = candor_command(*arguments)
    assert code == 0 and out.endswith("\n") and len(out) > 1
    assert "AI-generated" in err and "内容由 AI 生成" in err and "AI-generated" not in out
    assert candor_command(*arguments)[1] == out
    assert candor_command(*arguments[:-1], "6")[1] != out


def test_generate_continues_what_the_run_sampled(finished: Path, candor_command: Command) -> None:
    """The sample of the run's evaluation, asked for again on the command line."""
    sample = json.loads((finished / "base" / "evals" / "sample.json").read_text())
    options = {"--max-tokens": "max_tokens", "--temperature": "temperature", "--top-p": "top_p", "--seed": "seed"}
    given = [str(word) for option, name in options.items() for word in (option, sample["sampling"][name])]
    code, out, _ = candor_command("generate", finished / "model", sample["prompt"], *given)
    assert (code, out) == (0, sample["text"] + "\n")


def test_stop_text_ends_the_output(finished: Path, candor_command: Command) -> None:
    arguments = ["generate", finished / "model", "import ", "--max-tokens", "12", "--seed", "5"]
    whole = candor_command(*arguments)[1].rstrip("\n")
    stop = whole[len(whole) // 2]
    assert candor_command(*arguments, "--stop", stop)[1] == whole[: whole.index(stop)] + "\n"


def test_the_prompt_may_come_from_standard_input(
    finished: Path, candor_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = candor_command("generate", finished / "model", "import ", "--max-tokens", "5", "--temperature", "0")[1]
    monkeypatch.setattr(sys, "stdin", io.StringIO("import "))
    assert candor_command("generate", finished / "model", "-", "--max-tokens", "5", "--temperature", "0")[1] == direct


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [("--temperature", "-1", "0 or more"), ("--top-p", "0", "above 0"), ("--max-tokens", "0", "1 or more")],
)
def test_sampling_that_cannot_work(finished: Path, option: str, value: str, says: str, candor_command: Command) -> None:
    code, out, err = candor_command("generate", finished / "model", "x", option, value)
    assert (code, out) == (2, "") and says in err and err.count("\n") == 1


def test_chat_answers_each_line_until_an_empty_one(
    finished: Path, candor_command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Hello\n你好\n\nnever read\n"))
    code, out, err = candor_command("chat", finished / "model", "--max-tokens", "4", "--seed", "1")
    assert code == 0 and "AI-generated" in err
    assert out.count("> ") >= 3  # asked three times: two messages and the empty line
    assert "never read" not in out


def test_init_writes_a_recipe_that_runs_and_never_overwrites(tmp_path: Path, candor_command: Command) -> None:
    path = tmp_path / "mine.py"
    assert candor_command("init", "smoke", path)[0] == 0
    code, out, _ = candor_command("run", path, "--dry-run")
    assert code == 0 and "recipe mine: settings" in out
    code, _, err = candor_command("init", "smoke", path)
    assert code == 2 and "exists" in err and err.count("\n") == 1


@pytest.mark.parametrize("recipe", list(RECIPES))
def test_dry_run_prints_every_setting_with_its_meaning(recipe: str, candor_command: Command) -> None:
    code, out, err = candor_command("run", recipe, "--dry-run")
    assert (code, err) == (0, "")
    for name, value, meaning in describe(RECIPES[recipe]()):
        assert any(
            line.split()[:1] == [name] and value in line and meaning and meaning in line for line in out.splitlines()
        ), name


def test_dry_run_of_v3_prints_the_published_counts(tmp_path: Path, candor_command: Command) -> None:
    out = candor_command("run", "v3_671b", "--dry-run", "--out", tmp_path / "run")[1]
    for count in ("671,026,404,352", "37,552,282,624", "11,610,067,968", "684,531,386,000"):
        assert count in out
    assert "state per device" in out and "activations per device" in out and "days" in out
    # The report: 2.664M H800 hours for pre-training. The estimate must be within a tenth of it.
    hours = float(
        next(line for line in out.splitlines() if "device hours" in line).split(";")[1].split()[0].replace(",", "")
    )
    assert abs(hours / 2_664_000 - 1) < 0.1
    assert not (tmp_path / "run").exists()


def test_doctor_names_versions_and_what_is_missing(candor_command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    import torch

    code, out, _ = candor_command("doctor")
    assert code == 0 and torch.__version__ in out and "threads" in out
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "datasets" else find(name))
    assert "pip install 'candor-lm[hub]'" in candor_command("doctor")[1]


@pytest.mark.parametrize("command", ["run", "generate", "chat", "init"])
def test_help_has_examples_that_parse(command: str, candor_command: Command) -> None:
    code, out, _ = candor_command(command, "--help")
    examples = [line.strip() for line in out.splitlines() if line.strip().startswith(f"candor {command}")]
    assert code == 0 and examples and not any(line.endswith("...") for line in out.splitlines())
    for example in examples:
        for option in (word for word in shlex.split(example) if word.startswith("--")):
            assert f"{option} " in out


def test_help_answers_without_loading_torch() -> None:
    code = "import sys\nfrom candor.cli.main import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("False")
