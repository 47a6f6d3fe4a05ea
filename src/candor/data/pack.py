"""Documents to tokens: each tokenised once, some turned to fill-in-the-middle, all laid end to end.

A document is `<begin> text <end>`; a FIM document is `<begin> <fim begin> prefix <fim hole> suffix <fim end> middle
<end>` (PSM, at document level before packing: V3 section 4.1). `tokens/` holds flat arrays of token ids and
`index.json`; held-out documents stay whole, so that each can be read alone.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from candor import files
from candor.data.corpus import read_corpus
from candor.errors import ConfigError, DataError
from candor.records import Document
from candor.text import FIM_BEGIN, FIM_END, FIM_HOLE, Tokenizer

_BATCH_CHARACTERS = 1 << 20
_SHARD_TOKENS = 1 << 28
INDEX = "index.json"


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
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Write `train-*.bin`, `heldout.bin`, `heldout.offsets.bin` and `index.json` into an existing folder."""
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
            if progress:
                progress(seen, total, f"{tokens:,} tokens")
    offsets, sizes = [0], []
    with open(folder / "heldout.bin", "wb") as held:
        for batch in _batches(read_corpus(corpus, "heldout")):
            for ids, document in zip(tokenizer.encode_batch([d.text for d in batch]), batch, strict=True):
                held.write(np.asarray(ids, kind).tobytes())
                offsets.append(offsets[-1] + len(ids))
                sizes.append(len(document.text.encode()))
    table = np.asarray([offsets[:-1], offsets[1:], sizes], "<i8")
    (folder / "heldout.offsets.bin").write_bytes(table.tobytes())
    files.write_json(
        folder / INDEX,
        {
            "dtype": kind.str,
            "vocab_size": tokenizer.vocab_size,
            "tokenizer": tokenizer.fingerprint,
            "bos_id": tokenizer.bos_id,
            "train_shards": shards,
            "train_tokens": tokens,
            "train_bytes": seen,
            "heldout_tokens": offsets[-1],
            "heldout_bytes": sum(sizes),
            "heldout_documents": len(sizes),
        },
    )


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """Groups of about a million characters: enough for the tokenizer's threads, little enough for memory."""
    batch: list[Document] = []
    size = 0
    for document in documents:
        batch.append(document)
        size += len(document.text)
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _train_documents(
    corpus: Path, tokenizer: Tokenizer, config: PackConfig, seed: int
) -> Iterator[tuple[list[int], int]]:
    """(ids with begin and end, UTF-8 bytes) of each training document."""
    bos, eos = [tokenizer.bos_id], [tokenizer.eos_id]
    begin, hole, end = ([tokenizer.special_id(name)] for name in (FIM_BEGIN, FIM_HOLE, FIM_END))
    for batch in _batches(read_corpus(corpus, "train")):
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


def read_index(folder: Path) -> dict[str, Any]:
    """`index.json` of a tokens folder."""
    return dict(files.read_json(folder / INDEX))


def open_tokens(path: Path, index: dict[str, Any], length: int) -> np.ndarray[Any, Any]:
    """Memory-map `length` numbers of the dtype in `index`; a file of another size is a DataError."""
    kind = np.dtype(index["dtype"])
    actual = path.stat().st_size if path.exists() else 0
    if actual != length * kind.itemsize:
        raise DataError(
            f"{path} has {actual:,} bytes instead of {length * kind.itemsize:,}; run the tokens stage again"
        )
    return np.memmap(path, kind, "r") if length else np.empty(0, kind)


def read_heldout(folder: Path) -> list[tuple[list[int], int]]:
    """(token ids without begin and end, UTF-8 bytes) of each held-out document, in hash order."""
    index = read_index(folder)
    ids = open_tokens(folder / "heldout.bin", index, index["heldout_tokens"])
    table = (
        open_tokens(folder / "heldout.offsets.bin", {"dtype": "<i8"}, 3 * index["heldout_documents"]).reshape(3, -1).T
    )
    return [(ids[start:end].tolist(), int(size)) for start, end, size in table]
