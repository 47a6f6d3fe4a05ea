"""Bits per byte: how well a model compresses text that it has not seen, beside gzip and xz on the same bytes.

Each document is read alone, from its begin token on; a compressor sees all documents one behind the other, which helps
it, so a model that is below gzip here has learned something that is in no single document.
"""

import itertools
import lzma
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from candor.evaluate.likelihood import Row, score
from candor.evaluate.statistics import Figure, ratio
from candor.model import Transformer
from candor.records import Progress, no_progress


@dataclass(frozen=True)
class Compression:
    """Bits per byte on held-out documents.

    >>> Compression(bits_per_byte=1.71, stderr=0.03, gzip=1.93, xz=1.74, documents=58, bytes=412_118, tokens=121_400,
    ...             context=512)
    """

    bits_per_byte: float
    """Of the model: -log2 p(document) / UTF-8 bytes, each document read alone."""
    stderr: float | None
    """Its standard error over documents."""
    gzip: float
    """Of `gzip -9` on the documents concatenated in the given order."""
    xz: float
    """Of `xz -9e` on the same bytes."""
    documents: int
    """Documents measured."""
    bytes: int
    """Their UTF-8 bytes."""
    tokens: int
    """Tokens predicted."""
    context: int
    """Most tokens that the model saw before a predicted one."""


def bits_per_byte(
    model: Transformer,
    documents: Sequence[tuple[list[int], int]],
    *,
    bos_id: int,
    context: int,
    batch_tokens: int = 8192,
    progress: Progress = no_progress,
) -> tuple[Figure, int]:
    """Bits per byte over (token ids, UTF-8 bytes) documents, and the number of tokens predicted.

    A document longer than `context` is read in windows that overlap by half, so that every token but a document's first
    ones has at least context / 2 tokens before it; each token counts once.
    """
    windows = [(number, row) for number, (ids, _) in enumerate(documents) for row in _windows([bos_id, *ids], context)]
    read = itertools.count(1)
    values = score(
        model,
        [row for _, row in windows],
        batch_tokens=batch_tokens,
        done=lambda *_: progress(next(read), len(windows), "bits per byte"),
    )
    bits = [0.0] * len(documents)
    for (number, _), (logprob, _) in zip(windows, values, strict=True):
        bits[number] -= logprob / math.log(2)
    return ratio(bits, [size for _, size in documents]), sum(len(ids) - first for _, (ids, first) in windows)


def _windows(whole: list[int], context: int) -> Iterator[Row]:
    """Windows of at most context + 1 ids, each predicting what none before it did."""
    start, done = 0, 1
    while done < len(whole):
        window = whole[start : start + context + 1]
        yield window, done - start
        done = start + len(window)
        start += max(1, context // 2)


def compressed_bits_per_byte(texts: Iterable[str]) -> tuple[float, float]:
    """Bits per byte of `gzip -9` and of `xz -9e` on the concatenated UTF-8 texts, a piece at a time."""
    gzip = zlib.compressobj(9, wbits=31)
    xz = lzma.LZMACompressor(preset=9 | lzma.PRESET_EXTREME)
    size = gzip_size = xz_size = 0
    for text in texts:
        data = text.encode()
        size += len(data)
        gzip_size += len(gzip.compress(data))
        xz_size += len(xz.compress(data))
    gzip_size += len(gzip.flush())
    xz_size += len(xz.flush())
    return 8 * gzip_size / size, 8 * xz_size / size
