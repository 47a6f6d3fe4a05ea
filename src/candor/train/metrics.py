"""One JSON line of figures per step, and TensorBoard events where asked for."""

import math
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import ConfigError


class MetricsWriter:
    """Appends a line per step to `path`; lines after `last_step` (of a run that was killed and resumed) are dropped."""

    def __init__(self, path: Path, last_step: int = 0, *, tensorboard: bool = False):
        kept = [line for line in files.read_lines(path) if line["step"] <= last_step] if path.exists() else []
        self._board = _tensorboard(path.parent / "tensorboard", last_step) if tensorboard else None
        self._lines = files.Lines(path, kept)

    def write(self, step: int, figures: dict[str, float]) -> None:
        """One line; figures that are not finite become null."""
        plain = {name: value if math.isfinite(value) else None for name, value in figures.items()}
        self._lines.add({"step": step, **plain})
        if self._board:
            for name, value in figures.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the files."""
        self._lines.close()
        if self._board:
            self._board.close()


def _tensorboard(folder: Path, last_step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise ConfigError("tensorboard is not installed; run: pip install 'candor-lm[tensorboard]'") from None
    return SummaryWriter(str(folder), purge_step=last_step + 1)
