"""What fine-tuning and reward models share: what they begin from, and what they leave beside the checkpoints."""

from pathlib import Path
from typing import Any

from candor import files
from candor.data.dialogues import LeftOut
from candor.errors import ConfigError
from candor.evaluate.statistics import Figure
from candor.model import ModelConfig
from candor.text import Tokenizer

HELDOUT, DATA, LEFT_OUT = "heldout.json", "data.json", "left_out.jsonl"
"""What was measured before and after, counts of the data, what was not taken."""


def check_base(folder: Path, model: ModelConfig, tokenizer: Tokenizer, setting: str, length: int) -> None:
    """ConfigError where model and tokenizer are not a pair, or the model's context is shorter than `setting`."""
    if tokenizer.vocab_size > model.vocab_size:
        raise ConfigError(
            f"{folder}: the tokenizer has {tokenizer.vocab_size} tokens, the model {model.vocab_size}; they do not "
            "belong together"
        )
    if length > model.max_position_embeddings:
        raise ConfigError(
            f"{setting}={length} exceeds the model's context of {model.max_position_embeddings}; lower it"
        )


def leave(folder: Path, summary: dict[str, Any], left_out: LeftOut, heldout: dict[str, Any]) -> None:
    """Write the three files."""
    files.write_json(folder / DATA, summary)
    lines = [files.json_line({"why": why, "what": what}) for why, what in left_out.rows]
    files.atomic_write(folder / LEFT_OUT, "".join(lines))
    files.write_json(folder / HELDOUT, heldout)


def read_heldout(folder: Path) -> dict[str, Figure]:
    """`before`, `after` and `change` of a folder that training filled; empty where nothing was held out."""
    values = files.read_json(folder / HELDOUT)
    return {name: Figure(**values[name]) for name in ("before", "after", "change") if name in values}
