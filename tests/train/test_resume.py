"""The promise of every long run: killed or stopped anywhere, the same command ends in the same bits."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.distributed.checkpoint.format_utils import dcp_to_torch_save

from tests.train.conftest import same_bits
from tests.train.driver import LENGTH, SEQUENCES

Run = Callable[..., tuple[int, str]]


@contextmanager
def driver(tokens: Path) -> Iterator[Run]:
    """The driver in a new interpreter: `run(out, ...)` gives exit code and what the run said."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-m", "tests.train.driver"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2],
    ) as process:  # fmt: skip
        assert process.stdin and process.stdout

        def run(out: Path, *stop: int | str) -> tuple[int, str]:
            out.mkdir(exist_ok=True)
            print(json.dumps([str(tokens), str(out), *stop]), file=process.stdin, flush=True)
            code, said = json.loads(process.stdout.readline())
            return code, said

        yield run
        process.stdin.close()
        assert process.wait() == 0


@pytest.fixture(scope="module")
def run(python_tokens: Path) -> Iterator[Run]:
    with driver(python_tokens) as run:
        yield run


@pytest.fixture(scope="module")
def whole(python_tokens: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 steps without a stop, under another interpreter than the stopped runs."""
    out = tmp_path_factory.mktemp("whole")
    with driver(python_tokens) as run:
        assert run(out) == (0, "")
    return out


def tensors(checkpoint: Path, place: Path) -> Any:
    """All that DCP holds: weights, optimizer, random state; read by PyTorch's own converter."""
    dcp_to_torch_save(checkpoint, place / "all.pt")
    return torch.load(place / "all.pt", weights_only=True)


def metrics(out: Path) -> list[dict[str, Any]]:
    """The lines but for what the clock decides."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert all(line.pop("tokens_per_second") > 0 for line in lines)
    return lines


def assert_same_end(out: Path, whole: Path, place: Path) -> None:
    ours, theirs = (tensors(folder / "step-20", place) for folder in (out, whole))
    assert ours.keys() == {"model", "optimizer", "rng"}
    assert ours["optimizer"]["state"] and all(tensor.isfinite().all() for tensor in ours["model"].values())
    assert same_bits(ours, theirs)
    state = json.loads((out / "step-20" / "state.json").read_text())
    assert state == json.loads((whole / "step-20" / "state.json").read_text())
    assert state["data"] == {"position": 20 * SEQUENCES} and state["tokens"] == 20 * SEQUENCES * LENGTH
    assert [line["step"] for line in metrics(out)] == list(range(1, 21))
    assert metrics(out) == metrics(whole)


def test_the_run_moves_all_the_time(whole: Path, tmp_path: Path) -> None:
    """Else equality would say nothing: the steps after 10 change weights, moments, biases and figures."""
    middle, end = (tensors(whole / f"step-{step}", tmp_path) for step in (10, 20))
    for name, tensor in end["model"].items():
        assert not torch.equal(tensor, middle["model"][name]), name
    assert not same_bits(middle["optimizer"]["state"], end["optimizer"]["state"])
    losses = [line["loss"] for line in metrics(whole)]
    assert len(set(losses)) == 20 and losses[-1] < losses[0]


@pytest.mark.parametrize("step", [10, 11, 17])
def test_killed_and_resumed(step: int, run: Run, whole: Path, tmp_path: Path) -> None:
    """kill -9 between the figures of step 10 and its checkpoint, right after it, and well after it."""
    out = tmp_path / "killed"
    assert run(out, step, "SIGKILL")[0] == -signal.SIGKILL
    assert [line["step"] for line in metrics(out)] == list(range(1, step + 1)), "lines that will be done again"
    saved = [] if step == 10 else ["step-10"]
    assert sorted(path.name for path in out.iterdir()) == ["metrics.jsonl", *saved]
    code, said = run(out)
    assert code == 0 and said == ("resumed after step 10 (960 tokens)\n" if saved else "")
    assert_same_end(out, whole, tmp_path)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_stopped_and_resumed(name: str, run: Run, whole: Path, tmp_path: Path) -> None:
    """The step is finished and saved; the exit code is the one that shells know, and stopping twice is as good."""
    out = tmp_path / "stopped"
    for step, before in ((7, ""), (13, "resumed after step 7 (672 tokens)\n")):
        code, said = run(out, step, name)
        assert code == 130
        assert said == (f"{before}stopped by {name} after step {step}, which is saved; run the same command to go on\n")
        assert (out / f"step-{step}" / "state.json").exists()
    assert run(out) == (0, "resumed after step 13 (1,248 tokens)\n")
    assert_same_end(out, whole, tmp_path)


def test_a_finished_run_is_left_as_it_is(run: Run, whole: Path) -> None:
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    assert run(whole) == (0, "resumed after step 20 (1,920 tokens)\n")
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before
