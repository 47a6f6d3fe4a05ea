"""Sources written by the tests, and one small tokenizer."""

import json
from collections.abc import Iterable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest

from candor.text import Tokenizer


def jsonl(path: Path, rows: Iterable[Any]) -> Path:
    """Write one JSON value per line; a text stands for {"text": ...}."""
    lines = (json.dumps({"text": row} if isinstance(row, str) else row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer.train([*list(topics.values())[:20], "话说天下大势，分久必合，合久必分。" * 20], vocab_size=600)
