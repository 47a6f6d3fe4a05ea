"""One JSON line of figures per step, and TensorBoard events where asked for."""

import json
import math
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import ConfigError, DataError


class MetricsWriter:
    """Appends a line per step to `path`; lines after `last_step` (of a run that was killed and resumed) are dropped."""

    def __init__(self, path: Path, last_step: int = 0, *, tensorboard: bool = False):
        kept = [line for line in read_metrics(path) if line["step"] <= last_step] if path.exists() else []
        self._board = _tensorboard(path.parent / "tensorboard", last_step) if tensorboard else None
        files.atomic_write(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._path = path
        with files.disk_errors(path):
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - lives as long as the writer

    def write(self, step: int, figures: dict[str, float]) -> None:
        """One line; figures that are not finite become null."""
        plain = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        left = (json.dumps({"step": step, **plain}) + "\n").encode()
        with files.disk_errors(self._path):
            while left:  # a full disk takes a part before it refuses
                left = left[self._file.write(left) :]
        if self._board:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._file.close()
        if self._board:
            self._board.close()


def _tensorboard(folder: Path, last_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("tensorboard is not installed; run: pip install 'candor-lm[tensorboard]'") from None
    return SummaryWriter(str(folder), purge_step=last_step + 1)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics file. A last line cut off by a kill is left out; any other broken line is a DataError."""
    lines = path.read_bytes().splitlines()
    figures = []
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if isinstance(line, dict):
            figures.append(line)
        elif number < len(lines):
            raise DataError(f"{path}:{number} is not a JSON object; delete the line and run again")
    return figures
