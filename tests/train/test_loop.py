"""Around the steps: the rate that is used, what is refused on resume, a loss that is not finite, who is told what."""

import dataclasses
import json
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from candor.errors import CheckpointError, ConfigError, TrainingError
from candor.model import ModelConfig, Transformer
from candor.records import no_progress
from candor.stages.pretrain import PretrainConfig, pretrain
from candor.train.loop import LoopConfig
from candor.train.optim import OptimConfig
from candor.train.schedule import ScheduleConfig
from tests.train.conftest import ONE_GROUP, handmade_tokens

PLAIN = OptimConfig(name="adamw", learning_rate=0.01, weight_decay=0)
CONFIG = PretrainConfig(
    total_tokens=3 * 4 * 16,
    sequence_length=16,
    micro_batch=4,
    optim=PLAIN,
    schedule=ScheduleConfig(shape="constant", warmup_steps=4, batch_start=4, batch=4),
)
LOOP = LoopConfig(checkpoint_every=2)


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return handmade_tokens(tmp_path / "tokens", [number**2 % 64 for number in range(2000)])


def train(
    tokens: Path,
    out: Path,
    config: PretrainConfig = CONFIG,
    loop: LoopConfig = LOOP,
    model: ModelConfig = ONE_GROUP,
    seed: int = 0,
    **told: Any,
) -> Transformer:
    out.mkdir(exist_ok=True)
    listeners: dict[str, Any] = {"say": lambda text: None, "progress": no_progress} | told
    return pretrain(config, loop, model, tokens, out, seed, **listeners, device=torch.device("cpu"))


def steps(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if path.is_dir())


def test_the_rate_of_the_schedule_is_used(tokens: Path, tmp_path: Path) -> None:
    """Adam's first step moves every weight by the rate: here a quarter of the peak, for the warm-up of four steps."""
    start = Transformer(ONE_GROUP)
    start.init_weights(ONE_GROUP.initializer_range, torch.Generator().manual_seed(0))
    end = train(tokens, tmp_path / "out", dataclasses.replace(CONFIG, total_tokens=64))
    way = (end.lm_head.weight - start.lm_head.weight).detach().abs()
    assert float(way.median()) == pytest.approx(0.01 / 4, rel=1e-3)
    assert float(way.max()) < 0.01 / 4 * 1.001


def test_progress_and_checkpoints(tokens: Path, tmp_path: Path) -> None:
    """After each step done of all; a checkpoint every two steps and at the end."""
    seen: list[tuple[int, int]] = []
    train(tokens, tmp_path / "out", progress=lambda done, total, note: seen.append((done, total)))
    assert seen == [(64, 192), (128, 192), (192, 192)]
    assert steps(tmp_path / "out") == ["step-2", "step-3"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 1}, "seed was 0 and is now 1"),
        ({"model": dataclasses.replace(ONE_GROUP, hidden_size=40)}, "model.hidden_size was 32 and is now 40"),
        (
            {"config": dataclasses.replace(CONFIG, optim=dataclasses.replace(PLAIN, betas=(0.9, 0.99)))},
            "pretrain.optim.betas was [0.9, 0.95] and is now [0.9, 0.99]",
        ),
    ],
)
def test_a_changed_setting_is_refused(change: dict[str, Any], says: str, tokens: Path, tmp_path: Path) -> None:
    train(tokens, tmp_path / "out")
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    with pytest.raises(CheckpointError) as caught:
        train(tokens, tmp_path / "out", **change)
    assert f"step-3 is of another run: {says}; go back to that setting" in str(caught.value)
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("what", ["tokenizer", "data"])
def test_changed_tokens_are_refused(what: str, tokens: Path, tmp_path: Path) -> None:
    train(tokens, tmp_path / "out")
    other = handmade_tokens(tmp_path / "other", [number**3 % 64 for number in range(2000)])
    if what == "tokenizer":
        index = json.loads((other / "index.json").read_text())
        (other / "index.json").write_text(json.dumps(index | {"tokenizer": "another"}))
    with pytest.raises(CheckpointError, match=rf"step-3 is of another run: {what} was '"):
        train(other, tmp_path / "out")


def test_what_changes_no_result_may_change(tokens: Path, tmp_path: Path) -> None:
    """Micro-batch, checkpoints and TensorBoard."""
    said: list[str] = []
    short = LoopConfig(checkpoint_every=1, keep_checkpoints=1)
    train(tokens, tmp_path / "out")
    train(tokens, tmp_path / "out", dataclasses.replace(CONFIG, micro_batch=1), short, say=said.append)
    assert said == ["resumed after step 3 (192 tokens)"]


def test_a_loss_that_is_not_finite_names_the_step(tokens: Path, tmp_path: Path) -> None:
    """The checkpoint before it stays, and no line of the step that was not taken is written."""
    wild = dataclasses.replace(CONFIG, optim=dataclasses.replace(PLAIN, learning_rate=1e38))
    with pytest.raises(TrainingError, match=r"^step 2: .*=(nan|inf).*not finite"):
        train(tokens, tmp_path / "out", wild, LoopConfig(checkpoint_every=1))
    assert steps(tmp_path / "out") == ["step-1"]
    lines = (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1]


def test_it_runs_outside_the_main_thread(tokens: Path, tmp_path: Path) -> None:
    """Where no signal handler can be set."""
    done: list[Transformer] = []
    thread = threading.Thread(target=lambda: done.append(train(tokens, tmp_path / "out")))
    thread.start()
    thread.join()
    assert len(done) == 1 and steps(tmp_path / "out") == ["step-2", "step-3"]


@pytest.mark.parametrize("name", ["checkpoint_every", "keep_checkpoints"])
def test_settings_that_cannot_work_are_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"train\.{name}=0 must be at least 1"):
        LoopConfig(**{name: 0})  # type: ignore[arg-type]
