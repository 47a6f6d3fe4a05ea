"""Checkpoints: what is saved comes back to the bit, what is damaged is named, and no death leaves half of one."""

import copy
import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from candor.config import to_dict
from candor.errors import CheckpointError, StorageError
from candor.model import Transformer
from candor.train.checkpoint import Checkpointer, checkpoint_steps, load_weights
from candor.train.optim import MuonAdamW, OptimConfig, build_optimizer
from tests.conftest import file_size_limit
from tests.train.conftest import ONE_GROUP, same_bits, tiny

IDENTITY: dict[str, Any] = {"tokenizer": "a1", "model": to_dict(ONE_GROUP), "seed": 5}


def trained(steps: int = 2, seed: int = 0) -> tuple[Transformer, MuonAdamW]:
    """A model and an optimizer whose moments, step counts and biases are not what they start from."""
    torch.manual_seed(seed)
    model = tiny()
    optimizer = build_optimizer(model, OptimConfig())
    for _ in range(steps):
        for parameter in model.parameters():
            parameter.grad = torch.randn_like(parameter)
        optimizer.step()
    for router in model.routers():
        router.e_score_correction_bias.normal_()
    optimizer.zero_grad()
    return model, optimizer


def everything(model: Transformer, optimizer: MuonAdamW) -> Any:
    return copy.deepcopy((model.state_dict(), optimizer.state_dict(), torch.get_rng_state()))


def names(folder: Path) -> list[str]:
    """All that lies in a folder, temporary things included."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Checkpointer, dict[int, Any]]:
    """Checkpoints of steps 10 and 20, and what each holds."""
    checkpointer, held = Checkpointer(tmp_path, IDENTITY, keep=2), {}
    for step in (10, 20):
        model, optimizer = trained(seed=step)
        held[step] = everything(model, optimizer)
        checkpointer.save(step, model, optimizer, {"tokens": 100 * step, "data": {"position": step}})
    return checkpointer, held


def fresh() -> tuple[Transformer, MuonAdamW]:
    model = tiny()
    return model, build_optimizer(model, OptimConfig())


@pytest.mark.parametrize("start", [fresh, lambda: trained(seed=99)])
def test_round_trip_to_the_bit(
    saved: tuple[Checkpointer, dict[int, Any]], start: Callable[[], tuple[Transformer, MuonAdamW]]
) -> None:
    """Weights, biases, moments, step counts and random state, into a new model and over a used one."""
    checkpointer, held = saved
    model, optimizer = start()
    torch.manual_seed(1234)
    assert not same_bits(everything(model, optimizer), held[10])
    state = checkpointer.load(checkpointer.folder / "step-10", model, optimizer)
    assert same_bits(everything(model, optimizer), held[10])
    assert state == {"step": 10, "identity": IDENTITY, "tokens": 1000, "data": {"position": 10}}
    assert all(parameter.grad is None for parameter in model.parameters())


def test_weights_alone(saved: tuple[Checkpointer, dict[int, Any]]) -> None:
    checkpointer, held = saved
    model = tiny()
    load_weights(checkpointer.folder / "step-20", model)
    assert same_bits(dict(model.state_dict()), dict(held[20][0]))


@pytest.mark.parametrize("keep", [1, 2, 3])
def test_the_newest_few_are_kept(tmp_path: Path, keep: int) -> None:
    """In the order of numbers, not of names; what a user put beside them stays."""
    (tmp_path / "step-8 (copy)").mkdir()
    checkpointer = Checkpointer(tmp_path, IDENTITY, keep)
    for step in (8, 9, 10, 11):
        checkpointer.save(step, *trained(), {})
    kept = [f"step-{step}" for step in (8, 9, 10, 11)[-keep:]]
    assert names(tmp_path) == sorted([*kept, "step-8 (copy)"])
    assert [path.name for path in checkpoint_steps(tmp_path)] == kept


def weights_file(checkpoint: Path) -> Path:
    return max(checkpoint.glob("*.distcp"), key=lambda file: file.stat().st_size)


def truncate(checkpoint: Path) -> str:
    file = weights_file(checkpoint)
    os.truncate(file, file.stat().st_size - 1)
    return f"{file.name} was truncated or changed"


def empty(checkpoint: Path) -> str:
    file = weights_file(checkpoint)
    os.truncate(file, 0)
    return f"{file.name} was truncated or changed"


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def flip_a_bit(checkpoint: Path) -> str:
    flip(weights_file(checkpoint))
    return f"{weights_file(checkpoint).name} was truncated or changed"


def flip_the_pickle(checkpoint: Path) -> str:
    flip(checkpoint / ".metadata")
    return ".metadata was truncated or changed"


def lose_the_weights(checkpoint: Path) -> str:
    file = weights_file(checkpoint)
    file.unlink()
    return f"{file.name} is missing"


def lose_the_state(checkpoint: Path) -> str:
    (checkpoint / "state.json").unlink()
    return "state.json is missing"


def scramble_the_state(checkpoint: Path) -> str:
    (checkpoint / "state.json").write_bytes(b'{"step": 20, \xff')
    return "state.json was truncated or changed"


def lose_the_checksums(checkpoint: Path) -> str:
    (checkpoint / "checksums.json").unlink()
    return "checksums.json does not exist"


def cut_the_checksums(checkpoint: Path) -> str:
    file = checkpoint / "checksums.json"
    os.truncate(file, file.stat().st_size // 2)
    return "checksums.json cannot be read as JSON"


def lose_all_files(checkpoint: Path) -> str:
    shutil.rmtree(checkpoint)
    checkpoint.mkdir()
    return "checksums.json does not exist"


DAMAGE = [
    truncate, empty, flip_a_bit, flip_the_pickle, lose_the_weights, lose_the_state, scramble_the_state,
    lose_the_checksums, cut_the_checksums, lose_all_files,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_named_and_the_one_before_is_taken(
    damage: Callable[[Path], str], saved: tuple[Checkpointer, dict[int, Any]]
) -> None:
    checkpointer, held = saved
    newest = checkpointer.folder / "step-20"
    says = damage(newest)
    model, optimizer = fresh()
    before = everything(model, optimizer)
    with pytest.raises(CheckpointError) as caught:
        checkpointer.resume(str(newest), model, optimizer, pytest.fail)
    assert f"checkpoint {newest} is damaged: " in str(caught.value) and says in str(caught.value)
    assert same_bits(everything(model, optimizer), before), "nothing may be loaded from a damaged checkpoint"
    with pytest.raises(CheckpointError, match="is damaged"):
        load_weights(newest, model)

    warnings: list[str] = []
    state = checkpointer.resume("auto", model, optimizer, warnings.append)
    assert state is not None and state["step"] == 10
    assert same_bits(everything(model, optimizer), held[10])
    assert str(newest) in warnings[0] and says in warnings[0] and warnings[0].endswith("; trying the one before")


def test_all_damaged(saved: tuple[Checkpointer, dict[int, Any]]) -> None:
    checkpointer, _ = saved
    for path in checkpoint_steps(checkpointer.folder):
        flip_a_bit(path)
    warnings: list[str] = []
    with pytest.raises(
        CheckpointError, match=r"no checkpoint in .* is whole; start over with --set train.resume=never"
    ):
        checkpointer.resume("auto", *fresh(), warnings.append)
    assert ["step-20" in warnings[0], "step-10" in warnings[1], len(warnings)] == [True, True, 2]
    assert names(checkpointer.folder) == ["step-10", "step-20"], "nothing is thrown away"


@pytest.mark.parametrize("keep", [1, 2])
def test_a_damaged_one_never_counts_as_one_of_those_kept(tmp_path: Path, keep: int) -> None:
    """Resumed before a damaged step 20, step 15 is saved: it is the newest good one and must stay."""
    for step in (10, 20):
        Checkpointer(tmp_path, IDENTITY, keep=2).save(step, *trained(seed=step), {})
    flip_a_bit(tmp_path / "step-20")
    checkpointer = Checkpointer(tmp_path, IDENTITY, keep)
    checkpointer.resume("auto", *fresh(), lambda text: None)
    checkpointer.save(15, *trained(seed=15), {})
    state = checkpointer.resume("auto", *fresh(), pytest.fail)
    assert state is not None and state["step"] == 15


def test_nothing_there_starts_anew(tmp_path: Path) -> None:
    model, optimizer = fresh()
    before = everything(model, optimizer)
    assert Checkpointer(tmp_path, IDENTITY).resume("auto", model, optimizer, pytest.fail) is None
    assert same_bits(everything(model, optimizer), before)


def test_a_path_goes_back_in_time(saved: tuple[Checkpointer, dict[int, Any]]) -> None:
    """Step 20 belongs to a future that no longer happens: a later `auto` must not take it for the run's own."""
    checkpointer, held = saved
    model, optimizer = fresh()
    said: list[str] = []
    state = checkpointer.resume(str(checkpointer.folder / "step-10"), model, optimizer, said.append)
    assert state is not None and state["step"] == 10 and same_bits(everything(model, optimizer), held[10])
    assert names(checkpointer.folder) == ["step-10"]
    assert len(said) == 1 and "step-20" in said[0]


def test_a_path_that_is_no_checkpoint(saved: tuple[Checkpointer, dict[int, Any]], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"step-30 is not a checkpoint folder; give a folder like"):
        saved[0].resume(str(tmp_path / "step-30"), *fresh(), pytest.fail)


def test_never_starts_over(saved: tuple[Checkpointer, dict[int, Any]]) -> None:
    """The old steps go, or a later `auto` would take them for steps of the new run."""
    checkpointer, _ = saved
    model, optimizer = fresh()
    before = everything(model, optimizer)
    assert checkpointer.resume("never", model, optimizer, pytest.fail) is None
    assert same_bits(everything(model, optimizer), before)
    assert names(checkpointer.folder) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"tokenizer": "b2"}, "tokenizer was 'a1' and is now 'b2'"),
        ({"seed": 6}, "seed was 5 and is now 6"),
        (
            {"model": to_dict(dataclasses.replace(ONE_GROUP, hidden_size=40))},
            "model.hidden_size was 32 and is now 40",
        ),
        ({"data": "c3"}, "data was None and is now 'c3'"),
    ],
)
@pytest.mark.parametrize("how", ["auto", "path"])
def test_a_checkpoint_of_another_run_is_refused(
    change: dict[str, Any], says: str, how: str, saved: tuple[Checkpointer, dict[int, Any]]
) -> None:
    """The setting with both values; nothing is loaded, nothing removed."""
    folder = saved[0].folder
    model, optimizer = fresh()
    before = everything(model, optimizer)
    where = how if how == "auto" else str(folder / "step-10")
    with pytest.raises(CheckpointError) as caught:
        Checkpointer(folder, IDENTITY | change).resume(where, model, optimizer, pytest.fail)
    step = "step-20" if how == "auto" else "step-10"
    assert str(caught.value).startswith(f"{folder / step} is of another run: {says}; go back to that setting, ")
    assert same_bits(everything(model, optimizer), before)
    assert names(folder) == ["step-10", "step-20"]


# A disk that refuses, and death.


def assert_only_whole(folder: Path, held: dict[int, Any]) -> None:
    """Nothing but the given checkpoints lies there, and each is what it was."""
    assert names(folder) == sorted(f"step-{step}" for step in held)
    for step, what in held.items():
        model, optimizer = fresh()
        Checkpointer(folder, IDENTITY).load(folder / f"step-{step}", model, optimizer)
        assert same_bits(everything(model, optimizer), what)


@pytest.mark.parametrize("limit", [0, 100, 5_000, 60_000])
def test_a_file_that_may_not_grow(limit: int, saved: tuple[Checkpointer, dict[int, Any]]) -> None:
    """Wherever it strikes: one clear error, the earlier checkpoints as they were, no half one."""
    checkpointer, held = saved
    sizes = [file.stat().st_size for file in (checkpointer.folder / "step-20").iterdir()]
    assert max(sizes) > 60_000
    model, optimizer = trained()
    with pytest.raises(StorageError, match=r"cannot write .*step-30.*raise the limit"), file_size_limit(limit):
        checkpointer.save(30, model, optimizer, {})
    assert_only_whole(checkpointer.folder, held)
    checkpointer.save(30, model, optimizer, {})
    assert names(checkpointer.folder) == ["step-20", "step-30"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.parametrize("left", [300_000, 50_000, 4096, 0])
def test_a_full_disk(left: int, small_disk: Path) -> None:
    """A checkpoint is on it, then another program leaves little room."""
    model, optimizer = trained()
    checkpointer, held = Checkpointer(small_disk, IDENTITY), {10: everything(model, optimizer)}
    checkpointer.save(10, model, optimizer, {})
    assert shutil.disk_usage(small_disk).used > 300_000
    hog = small_disk / "hog"
    hog.write_bytes(bytes(shutil.disk_usage(small_disk).free - left))
    with pytest.raises(StorageError, match=r"cannot write .*step-20.*the disk is full; free some space"):
        checkpointer.save(20, model, optimizer, {})
    hog.unlink()
    assert_only_whole(small_disk, held)
    checkpointer.save(20, model, optimizer, {})
    assert names(small_disk) == ["step-10", "step-20"]


# A process of its own that forks: each child saves checkpoints without end, all weights of step N being N, until it is
# killed at a random moment. Forking spares the import of torch for each of them; one thread, so that it is safe.
SAVER = """
import os, random, signal, sys, time
import torch
torch.set_num_threads(1)
from pathlib import Path
from candor import files
from candor.train.checkpoint import Checkpointer, checkpoint_steps
from tests.train.test_checkpoint import IDENTITY, trained

folder = Path(sys.argv[1])
model, optimizer = trained()
checkpointer = Checkpointer(folder, IDENTITY, keep=2)
delays = random.Random(4)
for _ in range(25):
    child = os.fork()
    if not child:
        step = max([int(path.name[5:]) for path in checkpoint_steps(folder)], default=0)
        while True:
            step += 1
            for parameter in model.parameters():
                parameter.data.fill_(step)
            checkpointer.save(step, model, optimizer, {"tokens": step})
    time.sleep(delays.uniform(0.005, 0.15))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    for path in checkpoint_steps(folder):
        assert not files.damage(path, files.read_json(path / "checksums.json")), path
    print(*sorted(path.name for path in folder.iterdir()), sep="|", flush=True)
"""


def test_kill_9_in_the_middle_of_saving(tmp_path: Path) -> None:
    """After each of 25 deaths every `step-N` is whole, and what the last one left half is cleared by the next save."""
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", SAVER, folder], capture_output=True, text=True, cwd=Path(__file__).parents[2]
    )
    assert done.returncode == 0, done.stderr
    seen = [line.split("|") for line in done.stdout.splitlines()]
    assert len(seen) == 25
    assert any(name.startswith(".tmp-") for left in seen for name in left), "no kill hit a save: nothing was tested"
    checkpointer = Checkpointer(folder, IDENTITY)
    steps = checkpoint_steps(folder)
    assert len(steps) in (2, 3)  # a third where the kill came before the oldest went
    for path in steps:
        model, optimizer = fresh()
        state = checkpointer.load(path, model, optimizer)
        assert path.name == f"step-{state['step']}" and state["step"] == state["tokens"]
        assert all((parameter == state["step"]).all() for parameter in model.parameters())
