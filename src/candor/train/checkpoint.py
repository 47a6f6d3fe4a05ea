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
from candor.errors import CheckpointError, DataError
from candor.model import Transformer


@contextmanager
def _quiet() -> Iterator[None]:
    """DCP warns that there is no process group, which is what one device has."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


class Checkpointer:
    """The checkpoints of one run in `folder`. `identity` says what the run is; a checkpoint of another is refused."""

    def __init__(self, folder: Path, identity: dict[str, Any], keep: int = 2):
        self.folder, self.identity, self.keep = folder, identity, keep

    def steps(self) -> list[Path]:
        """The checkpoints that are there, oldest first."""
        return sorted(self.folder.glob("step-*"), key=lambda path: int(path.name.removeprefix("step-")))

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
        for old in self.steps()[: -self.keep]:
            files.remove_dir(old)

    def load(self, path: Path, model: Transformer, optimizer: Optimizer) -> dict[str, Any]:
        """Fill model, optimizer and random state from one checkpoint and return its state.

        CheckpointError for a damaged one (names the file) and for one of another run (names the setting).
        """
        _verify(path)
        state: dict[str, Any] = files.read_json(path / "state.json")
        for name, value in self.identity.items():
            if state["identity"].get(name) != value:
                raise CheckpointError(
                    f"{path} is of another run: {_difference(name, state['identity'].get(name), value)}; "
                    "go back to that setting, choose another --out, or start over with --set pretrain.resume=never"
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

        A damaged checkpoint is reported through `warn` and the one before it is tried.
        """
        if how == "never":
            for old in self.steps():  # or they would be taken for later steps of the new run
                files.remove_dir(old)
            return None
        if how != "auto":
            return self.load(Path(how), model, optimizer)
        damaged = []
        for path in reversed(self.steps()):
            try:
                _verify(path)
            except CheckpointError as error:
                damaged.append(path)
                warn(f"{error}; trying the one before")
                continue
            return self.load(path, model, optimizer)
        if damaged:
            raise CheckpointError(
                f"no checkpoint in {self.folder} is whole; start over with --set pretrain.resume=never"
            )
        return None


def load_weights(path: Path, model: Transformer) -> None:
    """Fill `model` alone from a checkpoint; CheckpointError for a damaged one."""
    _verify(path)
    weights = model.state_dict()
    with _quiet():
        load({"model": weights}, storage_reader=FileSystemReader(path))
    model.load_state_dict(weights)


def _verify(path: Path) -> None:
    """Compare every file with its checksum."""
    if not path.is_dir():
        raise CheckpointError(f"{path} is not a checkpoint folder; give a folder like checkpoints/step-100")
    try:
        expected: dict[str, str] = files.read_json(path / "checksums.json")
    except DataError as error:
        raise CheckpointError(f"checkpoint {path} is damaged: {error}") from None
    for name, digest in expected.items():
        if not (path / name).is_file():
            raise CheckpointError(f"checkpoint {path} is damaged: {name} is missing")
        if files.sha256(path / name) != digest:
            raise CheckpointError(f"checkpoint {path} is damaged: {name} was truncated or changed (checksum differs)")


def _disk_error(error: BaseException) -> OSError | None:
    """What the disk said, which DCP and torch.save hide behind errors of their own."""
    while not isinstance(error, OSError):
        hidden = [wrapped[0] for wrapped in error.failures.values()] if isinstance(error, CheckpointException) else []
        cause = next(iter(hidden), None) or error.__cause__ or error.__context__
        if cause is None:
            return None
        error = cause
    return error


def _difference(name: str, theirs: Any, ours: Any) -> str:
    """The first differing setting below `name`, with both values."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key in ours.keys() | theirs.keys():
            if theirs.get(key) != ours.get(key):
                return _difference(f"{name}.{key}", theirs.get(key), ours.get(key))
    return f"{name} was {theirs!r} and is now {ours!r}"
