"""Documents to tokens: each tokenised once, some turned to fill-in-the-middle, all laid end to end.

A document is `<begin> text <end>`; a FIM document is `<begin> <fim begin> prefix <fim hole> suffix <fim end> middle
<end>` (PSM, at document level before packing: V3 section 4.1). `tokens/` holds flat arrays of token ids and
`index.json`. Held-out documents are not packed: each is read alone, from the corpus.
"""

import random
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from candor import files
from candor.data.corpus import batches, read_corpus
from candor.errors import ConfigError, DataError
from candor.records import Document, Progress, no_progress
from candor.text import FIM_BEGIN, FIM_END, FIM_HOLE, Tokenizer

_BATCH_CHARACTERS = 1 << 20
"""Enough for the tokenizer's threads, little enough for memory."""
_SHARD_TOKENS = 1 << 28


@dataclass(frozen=True)
class TokenIndex:
    """What a tokens folder holds: its `index.json`.

    >>> TokenIndex(dtype="<u2", vocab_size=2048, tokenizer="9f3c...", bos_id=0, shards=(3_197_264,), bytes=10_127_238)
    """

    dtype: str
    """Type of an id in the files, as numpy writes it."""
    vocab_size: int
    """Size of the vocabulary."""
    tokenizer: str
    """Fingerprint of the tokenizer."""
    bos_id: int
    """The id that begins every document."""
    shards: tuple[int, ...]
    """Tokens in each `train-*.bin`."""
    bytes: int
    """UTF-8 bytes of the training documents."""

    FILE: ClassVar[str] = "index.json"

    @property
    def tokens(self) -> int:
        """Training tokens in all."""
        return sum(self.shards)

    @classmethod
    def read(cls, folder: Path) -> "TokenIndex":
        """Read the index of a tokens folder; DataError where it is missing or of another form."""
        try:
            values = files.read_json(folder / cls.FILE)
            return cls(**values | {"shards": tuple(values["shards"])})
        except (TypeError, KeyError):
            raise DataError(f"{folder / cls.FILE} has another form; run the tokens stage again") from None

    def open(self, folder: Path) -> list[np.ndarray[Any, Any]]:
        """Memory-map the shards; one of another size is a DataError."""
        return [self._open(folder / f"train-{number:05}.bin", length) for number, length in enumerate(self.shards)]

    def _open(self, path: Path, length: int) -> np.ndarray[Any, Any]:
        kind = np.dtype(self.dtype)
        actual = path.stat().st_size if path.exists() else 0
        if actual != length * kind.itemsize:
            raise DataError(
                f"{path} has {actual:,} bytes instead of {length * kind.itemsize:,}; run the tokens stage again"
            )
        return np.memmap(path, kind, "r")


@dataclass(frozen=True)
class PackConfig:
    """How documents become tokens."""

    fim_rate: float = 0.1
    """Share of the training documents that are turned to fill-in-the-middle."""

    def __post_init__(self) -> None:
        if not 0 <= self.fim_rate <= 1:
            raise ConfigError(f"tokens.fim_rate={self.fim_rate} must lie between 0 and 1")


def pack(
    corpus: Path,
    tokenizer: Tokenizer,
    config: PackConfig,
    folder: Path,
    seed: int,
    progress: Progress = no_progress,
) -> None:
    """Write the training documents as `train-*.bin` and `index.json` into an existing folder."""
    total = int(files.read_json(corpus / "manifest.json")["train"]["bytes"])
    kind = np.dtype("<u2" if tokenizer.vocab_size <= 1 << 16 else "<u4")
    shards: list[int] = []
    seen, tokens = 0, 0
    with ExitStack() as opened:
        for ids, size in _train_documents(corpus, tokenizer, config, seed):
            if not shards or shards[-1] >= _SHARD_TOKENS:
                opened.close()
                out = opened.enter_context(open(folder / f"train-{len(shards):05}.bin", "wb"))
                shards.append(0)
            out.write(np.asarray(ids, kind).tobytes())  # `tofile` hides why a disk refuses
            shards[-1] += len(ids)
            tokens, seen = tokens + len(ids), seen + size
            progress(seen, total, f"{tokens:,} tokens")
    index = TokenIndex(kind.str, tokenizer.vocab_size, tokenizer.fingerprint, tokenizer.bos_id, tuple(shards), seen)
    files.write_json(folder / TokenIndex.FILE, asdict(index))


def _train_documents(
    corpus: Path, tokenizer: Tokenizer, config: PackConfig, seed: int
) -> Iterator[tuple[list[int], int]]:
    """(ids with begin and end, UTF-8 bytes) of each training document."""
    bos, eos = [tokenizer.bos_id], [tokenizer.eos_id]
    begin, hole, end = ([tokenizer.special_id(name)] for name in (FIM_BEGIN, FIM_HOLE, FIM_END))
    for batch in batches(read_corpus(corpus, "train"), _BATCH_CHARACTERS):
        parts = [fim_split(document, config.fim_rate, seed) for document in batch]
        encoded = iter(tokenizer.encode_batch([text for part in parts for text in part]))
        for document, part in zip(batch, parts, strict=True):
            if len(part) == 1:
                ids = bos + next(encoded) + eos
            else:
                prefix, middle, suffix = next(encoded), next(encoded), next(encoded)
                ids = bos + begin + prefix + hole + suffix + end + middle + eos
            yield ids, len(document.text.encode())


def fim_split(document: Document, rate: float, seed: int) -> tuple[str, ...]:
    """(text,), or at `rate` (prefix, middle, suffix) cut at two characters; decided by the text's hash and the seed."""
    chance = random.Random(f"{seed}/{document.id}")
    if len(document.text) < 3 or chance.random() >= rate:
        return (document.text,)
    first, second = sorted(chance.sample(range(1, len(document.text)), 2))
    return document.text[:first], document.text[first:second], document.text[second:]
