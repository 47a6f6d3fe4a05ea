"""One line per step that survives kills, resumes and figures that are no numbers; TensorBoard reads its events."""

import json
import math
import sys
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from candor.errors import ConfigError, DataError, StorageError
from candor.files import read_lines
from candor.train.metrics import MetricsWriter
from tests.conftest import file_size_limit


def write(path: Path, steps: range, last_step: int = 0, loss: float = 1.5, tensorboard: bool = False) -> None:
    with closing(MetricsWriter(path, last_step, tensorboard=tensorboard)) as writer:
        for step in steps:
            writer.write(step, {"tokens": 100 * step, "loss": loss})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def test_a_line_per_step(path: Path) -> None:
    write(path, range(1, 4))
    assert path.read_text() == (
        '{"step": 1, "tokens": 100, "loss": 1.5}\n'
        '{"step": 2, "tokens": 200, "loss": 1.5}\n'
        '{"step": 3, "tokens": 300, "loss": 1.5}\n'
    )
    assert read_lines(path) == [{"step": step, "tokens": 100 * step, "loss": 1.5} for step in (1, 2, 3)]


def test_a_line_is_there_as_soon_as_it_is_written(path: Path) -> None:
    """A kill loses no line that was written."""
    with closing(MetricsWriter(path)) as writer:
        writer.write(1, {"loss": 2.0})
        assert json.loads(path.read_text()) == {"step": 1, "loss": 2.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_becomes_null(path: Path, value: float) -> None:
    """NaN is no JSON."""
    write(path, range(1, 2), loss=value)
    assert path.read_text() == '{"step": 1, "tokens": 100, "loss": null}\n'


def test_a_resumed_run_drops_the_lines_after_its_checkpoint(path: Path) -> None:
    """Killed after step 7, resumed from step 4: steps 5 to 7 are done again and stand there once."""
    write(path, range(1, 8))
    write(path, range(5, 10), last_step=4, loss=0.5)
    assert [(line["step"], line["loss"]) for line in read_lines(path)] == [
        *((step, 1.5) for step in range(1, 5)), *((step, 0.5) for step in range(5, 10)),
    ]  # fmt: skip


def test_a_new_run_drops_all(path: Path) -> None:
    write(path, range(1, 8))
    write(path, range(1, 2), last_step=0, loss=0.5)
    assert [line["loss"] for line in read_lines(path)] == [0.5]


@pytest.mark.parametrize("cut", [1, 2, 20, 38])
def test_a_last_line_cut_off_by_a_kill_is_left_out(path: Path, cut: int) -> None:
    """Cut by one byte only the line break is gone, and the line is whole."""
    write(path, range(1, 4))
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    kept = 3 if cut == 1 else 2
    assert [line["step"] for line in read_lines(path)] == list(range(1, kept + 1))
    write(path, range(4, 5), last_step=3)
    assert [line["step"] for line in read_lines(path)] == [*range(1, kept + 1), 4]


@pytest.mark.parametrize("junk", [b'{"step": 2, "lo', b"\0\0\0\0", b'{"step": "\xff"}', b"", b"7"])
def test_a_broken_line_in_the_middle_names_its_place(path: Path, junk: bytes) -> None:
    write(path, range(1, 4))
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], junk, lines[2], b""]))
    with pytest.raises(DataError) as caught:
        read_lines(path)
    assert str(caught.value) == f"{path}:2 is not a JSON object; delete the line and run again"
    with pytest.raises(DataError, match=r"metrics\.jsonl:2"):
        MetricsWriter(path, 3)
    assert path.read_bytes().splitlines()[1] == junk, "the file stays as it is"


@pytest.mark.parametrize("limit", [200, 220, 240])
def test_a_disk_that_refuses(path: Path, limit: int) -> None:
    """The first line that does not fit whole is refused at once, though a part of it would fit."""
    lines = [f'{{"step": {step}, "tokens": {100 * step}, "loss": 1.5}}\n' for step in range(1, 10)]
    fit = max(count for count in range(9) if len("".join(lines[:count])) <= limit)
    with closing(MetricsWriter(path)) as writer, file_size_limit(limit):
        for step in range(1, fit + 1):
            writer.write(step, {"tokens": 100 * step, "loss": 1.5})
        with pytest.raises(StorageError, match=r"cannot write .*metrics\.jsonl.*raise the limit"):
            writer.write(fit + 1, {"tokens": 100 * (fit + 1), "loss": 1.5})
    assert [line["step"] for line in read_lines(path)] == list(range(1, fit + 1))


def test_tensorboard_reads_the_events(path: Path) -> None:
    """A resumed run hides the steps that it does again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tensorboard's own imports
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        write(path, range(1, 8), tensorboard=True)
        write(path, range(5, 10), last_step=4, loss=0.5, tensorboard=True)
        events = EventAccumulator(str(path.parent / "tensorboard"))
        events.Reload()
    assert sorted(events.Tags()["scalars"]) == ["loss", "tokens"]
    assert [(event.step, event.value) for event in events.Scalars("tokens")] == [(n, 100 * n) for n in range(1, 10)]
    assert [event.value for event in events.Scalars("loss")] == [1.5] * 4 + [0.5] * 5
    assert len(read_lines(path)) == 9


def test_without_tensorboard_the_error_says_how_to_get_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(path, range(1, 4))
    before = path.read_bytes()
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'candor-lm\[tensorboard\]'"):
        MetricsWriter(path, 1, tensorboard=True)
    assert path.read_bytes() == before
    write(path, range(4, 5), last_step=3)  # not asked for, not needed
