"""Checkpoints in PyTorch's distributed format (DCP): atomic, checksummed, the newest few kept.

A checkpoint is a folder `step-N/` with the DCP files (weights, optimizer, random state), `state.json` (step, tokens,
loader position, and what the run is) and `checksums.json`. DCP's `.metadata` is a pickle: it is read only after its
checksum matched, and a checkpoint is trusted like the program itself. What is passed on to others is the model folder.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.optim import Optimizer

from candor import files
from candor.config import difference
from candor.errors import CheckpointError, DataError
from candor.model import Transformer


@contextmanager
def _quiet() -> Iterator[None]:
    """DCP warns that there is no process group, which is what one device has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


class DamagedError(CheckpointError):
    """A checkpoint of which a file is missing or changed."""


class Checkpointer:
    """The checkpoints of one run in `folder`. `identity` says what the run is; a checkpoint of another is refused."""

    def __init__(self, folder: Path, identity: dict[str, Any], keep: int = 2):
        self.folder, self.identity, self.keep = folder, identity, keep

    def save(self, step: int, model: Transformer, optimizer: Optimizer, state: dict[str, Any]) -> None:
        """Write `step-N`; `state` is anything JSON can hold. Older ones beyond `keep` go once the new one is whole."""
        weights, moments = get_state_dict(model, optimizer)
        with files.atomic_dir(self.folder / f"step-{step}") as folder:
            tensors = {"model": weights, "optimizer": moments, "rng": torch.get_rng_state()}
            try:
                with _quiet():
                    save(tensors, storage_writer=FileSystemWriter(folder, thread_count=1))
            except (CheckpointException, RuntimeError) as error:
                raise _disk_error(error) or error from None
            files.write_json(folder / "state.json", {"step": step, "identity": self.identity, **state})
            files.write_json(folder / "checksums.json", files.checksums(folder))
        for old in checkpoint_steps(self.folder)[: -self.keep]:
            files.remove_dir(old)

    def load(self, path: Path, model: Transformer, optimizer: Optimizer) -> dict[str, Any]:
        """Fill model, optimizer and random state from one checkpoint and return its state.

        CheckpointError for a damaged one (names the file) and for one of another run (names the setting).
        """
        _verify(path)
        state: dict[str, Any] = files.read_json(path / "state.json")
        if changed := difference(state["identity"], self.identity):
            raise CheckpointError(
                f"{path} is of another run: {changed}; go back to that setting, choose another --out, or start over "
                "with --set train.resume=never"
            )
        weights, moments = get_state_dict(model, optimizer)
        tensors: dict[str, Any] = {"model": weights, "optimizer": moments, "rng": torch.get_rng_state()}
        with _quiet():
            load(tensors, storage_reader=FileSystemReader(path))
        set_state_dict(model, optimizer, model_state_dict=weights, optim_state_dict=moments)
        torch.set_rng_state(tensors["rng"])
        return state

    def resume(
        self, how: str, model: Transformer, optimizer: Optimizer, warn: Callable[[str], None]
    ) -> dict[str, Any] | None:
        """`auto`: the newest good checkpoint, None where there is none; `never`: None; else a path, which must be good.

        A damaged checkpoint is reported through `warn` and the one before it is tried. Checkpoints later than the one
        that was taken are removed: they are damaged, or of a future that will not happen.
        """
        if how == "never":
            for old in checkpoint_steps(self.folder):  # or they would be taken for later steps of the new run
                files.remove_dir(old)
            return None
        found = checkpoint_steps(self.folder)
        for path in reversed(found) if how == "auto" else [Path(how)]:
            try:
                state = self.load(path, model, optimizer)
            except DamagedError as error:
                if how != "auto":
                    raise
                warn(f"{error}; trying the one before")
                continue
            for later in found:
                if _step_of(later) > state["step"]:
                    warn(f"removed {later}, which came after it")
                    files.remove_dir(later)
            return state
        if found:
            raise CheckpointError(f"no checkpoint in {self.folder} is whole; start over with --set train.resume=never")
        return None


def load_weights(path: Path, model: Transformer) -> None:
    """Fill `model` alone from a checkpoint; CheckpointError for a damaged one."""
    _verify(path)
    weights = model.state_dict()
    with _quiet():
        load({"model": weights}, storage_reader=FileSystemReader(path))
    model.load_state_dict(weights)


def checkpoint_steps(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first."""
    found = [path for path in folder.glob("step-*") if path.name.removeprefix("step-").isdecimal()]
    return sorted(found, key=_step_of)


def _step_of(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _verify(path: Path) -> None:
    """Compare every file with its checksum."""
    if not path.is_dir():
        raise CheckpointError(f"{path} is not a checkpoint folder; give a folder like checkpoints/step-100")
    try:
        trouble = files.damage(path, files.read_json(path / "checksums.json"))
    except DataError as error:
        trouble = str(error)
    if trouble:
        raise DamagedError(f"checkpoint {path} is damaged: {trouble}")


def _disk_error(error: BaseException) -> OSError | None:
    """What the disk said, which DCP and torch.save hide behind errors of their own."""
    while not isinstance(error, OSError):
        hidden = [wrapped[0] for wrapped in error.failures.values()] if isinstance(error, CheckpointException) else []
        cause = next(iter(hidden), None) or error.__cause__ or error.__context__
        if cause is None:
            return None
        error = cause
    return error
