"""A tiny model, windows made by hand, and tokens packed from the text of Python modules."""

import dataclasses
import json
import shlex
import struct
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from candor import files
from candor.data import PackConfig, pack
from candor.data.loader import Batch
from candor.model import ModelConfig, Transformer
from candor.records import Provenance
from candor.text import Tokenizer
from tests.data.test_corpus import build as build_corpus
from tests.model.test_hub import TINY

ONE_GROUP = dataclasses.replace(TINY, n_group=1)
"""Any two of the four experts may be chosen, not only the two of a group."""


def tiny(config: ModelConfig = ONE_GROUP, dtype: torch.dtype = torch.float32, std: float = 0.2) -> Transformer:
    """The same random weights each time, large enough that every part of the model matters."""
    model = Transformer(config)
    model.init_weights(std, torch.Generator().manual_seed(7))
    return model.to(dtype)


def windows(sequences: int, length: int = 12, ahead: int = 2, seed: int = 0) -> Batch:
    """Random ids of TINY's vocabulary."""
    generator = torch.Generator().manual_seed(seed)
    return Batch(torch.randint(0, TINY.vocab_size, (sequences, length + ahead), generator=generator), None)


def handmade_tokens(folder: Path, ids: Sequence[int], vocab_size: int = TINY.vocab_size) -> Path:
    """A tokens folder of these ids, as the tokens stage leaves it."""
    folder.mkdir(parents=True)
    (folder / "train-00000.bin").write_bytes(struct.pack(f"<{len(ids)}H", *ids))
    index = {"dtype": "<u2", "vocab_size": vocab_size, "tokenizer": "by hand", "bos_id": 0}
    (folder / "index.json").write_text(json.dumps(index | {"shards": [len(ids)], "bytes": 3 * len(ids)}))
    Provenance("tokens", {}, {}, 0, files.checksums(folder)).write(folder)
    return folder


@pytest.fixture(scope="session")
def python_tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tokens packed from the source text of two modules, with a vocabulary of 300."""
    place = tmp_path_factory.mktemp("python")
    texts = [Path(str(module.__file__)).read_text(encoding="utf-8") for module in (textwrap, shlex)]
    corpus = build_corpus(place, [text[start : start + 1500] for text in texts for start in range(0, len(text), 1500)])
    folder = place / "tokens"
    folder.mkdir()
    pack(corpus, Tokenizer.train(texts, 300), PackConfig(), folder, seed=0)
    Provenance("tokens", {}, {}, 0, files.checksums(folder)).write(folder)
    return folder


def same_bits(a: Any, b: Any) -> bool:
    """Whether two state dicts, or two trees of lists and dicts of tensors, are equal to the last bit."""
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same_bits(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(same_bits(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and bool(a == b)
