"""The command as tests call it, a small text, and one finished run for all tests of this folder."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from candor.cli.main import main

TINY = """model.vocab_size=320 model.num_hidden_layers=2 pretrain.total_tokens=4096 pretrain.sequence_length=64
pretrain.schedule.batch_start=8 pretrain.schedule.batch=8 pretrain.schedule.warmup_steps=2 train.checkpoint_every=4
evaluate.context=64 evaluate.max_bytes=2000 evaluate.sample_tokens=8 until=base corpus.sources.1=none audits.models=
""".split()

Result = tuple[int, str, str]


@pytest.fixture
def candor_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Run the command in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str | Path) -> Result:
        monkeypatch.setattr(sys, "argv", ["candor", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def tiny(out: Path, data: Path, *more: str) -> list[str]:
    sets = [item for assignment in (*TINY, *more) for item in ("--set", assignment)]
    return ["run", "laptop", "--data", str(data), "--out", str(out), *sets]


@pytest.fixture(scope="session")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text")
    for name in sorted(topics)[:60]:
        (folder / f"{name}.txt").write_text(topics[name], encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def finished(text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that ended, made by the real command in a process of its own."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    done = subprocess.run([sys.executable, "-m", "candor", *tiny(out, text)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no warnings of libraries either
    assert "bits per byte" in done.stdout and "gzip -9" in done.stdout and "Continuation" in done.stdout
    return out
