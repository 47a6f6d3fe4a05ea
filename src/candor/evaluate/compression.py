"""Bits per byte: how well a model compresses text that it has not seen, beside gzip and xz on the same bytes.

Each document is read alone, from its begin token on; a compressor sees all documents one behind the other, which helps
it, so a model that is below gzip here has learned something that is in no single document.
"""

import lzma
import math
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch

from candor.model import Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.records import Progress, no_progress


@dataclass(frozen=True)
class Compression:
    """Bits per byte on held-out documents.

    >>> Compression(bits_per_byte=1.71, gzip=1.93, xz=1.74, documents=58, bytes=412_118, tokens=121_400, context=512)
    """

    bits_per_byte: float
    """Of the model: -log2 p(document) / UTF-8 bytes, each document read alone."""
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
) -> tuple[float, int]:
    """Bits per byte over (token ids, UTF-8 bytes) documents, and the number of tokens predicted.

    A document longer than `context` is read in windows that overlap by half, so that every token but a document's first
    ones has at least context / 2 tokens before it; each token counts once.
    """
    windows = sorted(_windows(documents, bos_id, context), key=lambda window: len(window[0]))
    nats, tokens, done = 0.0, 0, 0
    device = model.lm_head.weight.device
    while windows:
        longest = len(windows[-1][0])
        batch = [windows.pop() for _ in range(min(len(windows), max(1, batch_tokens // longest)))]
        ids = torch.full((len(batch), longest), bos_id)
        targets = torch.full((len(batch), longest - 1), IGNORE)
        for row, (window, first) in enumerate(batch):
            ids[row, : len(window)] = torch.tensor(window)
            targets[row, first : len(window) - 1] = ids[row, first + 1 : len(window)]
        with torch.inference_mode():
            hidden = model.hidden(ids[:, :-1].to(device))
            nats += float(cross_entropy(hidden, model.lm_head.weight, targets.to(device))[0])
        tokens += int((targets != IGNORE).sum())
        done += len(batch)
        progress(done, done + len(windows), "bits per byte")
    return nats / math.log(2) / sum(length for _, length in documents), tokens


def _windows(documents: Sequence[tuple[list[int], int]], bos_id: int, context: int) -> Iterator[tuple[list[int], int]]:
    """Ids of at most context + 1, and the index of the first prediction that counts."""
    for ids, _ in documents:
        whole, start, done = [bos_id, *ids], 0, 0
        while done < len(whole) - 1:
            window = whole[start : start + context + 1]
            yield window, done - start
            done = start + len(window) - 1
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
