"""Bits per byte term by term from one forward pass per token, and compressors against their commands."""

import gzip
import itertools
import lzma
import math
import random
import shutil
import subprocess
from collections.abc import Sequence
from pydoc_data.topics import topics

import pytest
import torch

from candor.evaluate.compression import bits_per_byte, compressed_bits_per_byte
from candor.model import Transformer
from tests.model.test_hub import TINY
from tests.model.test_transformer import build

BOS = 0
Documents = Sequence[tuple[list[int], int]]


@pytest.fixture(scope="module")
def model() -> Transformer:
    return build(dtype=torch.float64)


def documents_of(*lengths: int) -> list[tuple[list[int], int]]:
    """Random ids, with a number of bytes that has nothing to do with them."""
    chance = random.Random(1)
    return [([chance.randrange(1, 64) for _ in range(length)], 3 * length + 1) for length in lengths]


def contexts(length: int, context: int) -> list[int]:
    """For each token of a document, how many tokens before it are seen (begin included).

    Worked out from the rule: windows of `context` predictions start every context / 2 tokens, and a token counts in the
    first window that reaches it.
    """
    return [
        next(token + 1 - start for start in itertools.count(0, context // 2) if token < start + context)
        for token in range(length)
    ]


def test_the_rule_by_hand() -> None:
    """Ten tokens, four at a time: after the first four, two or three tokens of the past and the begin of the window."""
    assert contexts(10, 4) == [1, 2, 3, 4, 3, 4, 3, 4, 3, 4]
    assert contexts(9, 5) == [1, 2, 3, 4, 5, 4, 5, 4, 5]


def brute_force(model: Transformer, documents: Documents, context: int) -> float:
    """-log2 p of each token from a forward pass of its own over exactly what it may see."""
    bits = 0.0
    for ids, _ in documents:
        whole = [BOS, *ids]
        for token, seen in enumerate(contexts(len(ids), context)):
            with torch.no_grad():
                logits = model(torch.tensor([whole[token + 1 - seen : token + 1]]))[0, -1]
            bits -= float(logits.log_softmax(-1)[whole[token + 1]]) / math.log(2)
    return bits / sum(size for _, size in documents)


@pytest.mark.parametrize("context", [2, 3, 4, 5, 8, 60])
@pytest.mark.parametrize("batch_tokens", [1, 20, 8192])
def test_bits_per_byte_by_brute_force(model: Transformer, context: int, batch_tokens: int) -> None:
    """However the windows are batched and padded."""
    documents = documents_of(1, 7, 2, 8, 9, 0, 3, 23, 4, 5)
    got, tokens = bits_per_byte(model, documents, bos_id=BOS, context=context, batch_tokens=batch_tokens)
    assert tokens == 62
    assert got.value == pytest.approx(brute_force(model, documents, context), rel=1e-9)
    other = brute_force(model, documents, context + 2)
    assert context > 8 or abs(got.value - other) > 1e-5, "another context must give another figure"


@pytest.mark.parametrize("context", [1, 2, 3, 4, 7, 8])
def test_every_token_counts_once(context: int) -> None:
    """A model that knows nothing needs log2(vocabulary) bits for each token, at all lengths around the borders."""
    model = Transformer(TINY).double()
    for parameter in model.parameters():
        torch.nn.init.ones_(parameter)
    torch.nn.init.zeros_(model.lm_head.weight)
    for length in range(1, 26):
        bits, tokens = bits_per_byte(model, documents_of(length, 3), bos_id=BOS, context=context)
        assert tokens == length + 3
        assert bits.value == pytest.approx(6 * (length + 3) / (3 * length + 1 + 10), rel=1e-12)


def test_no_window_is_longer_than_the_context(model: Transformer) -> None:
    widths: list[int] = []
    hook = model.embed_tokens.register_forward_pre_hook(lambda _, inputs: widths.append(inputs[0].shape[1]))
    bits_per_byte(model, documents_of(30, 6, 50), bos_id=BOS, context=6)
    hook.remove()
    assert max(widths) == 6


def test_progress_counts_the_windows(model: Transformer) -> None:
    """10 tokens, 4 at a time with steps of 2: windows from 0, 2, 4 and 6; one for the short document."""
    seen: list[tuple[int, int]] = []
    bits_per_byte(
        model, documents_of(10, 3), bos_id=BOS, context=4, batch_tokens=10,
        progress=lambda done, total, note: seen.append((done, total)),
    )  # fmt: skip
    assert seen == [(done, 5) for done in range(1, 6)]


def test_a_document_never_sees_another(model: Transformer) -> None:
    """The figure of many is the sum of each alone."""
    documents = documents_of(5, 12, 30)
    alone = [bits_per_byte(model, [document], bos_id=BOS, context=8)[0].value * document[1] for document in documents]
    together, _ = bits_per_byte(model, documents, bos_id=BOS, context=8)
    assert together.value * sum(size for _, size in documents) == pytest.approx(sum(alone), rel=1e-12)


TEXTS = [
    "def f(x):\n    return x\n" * 40,
    "话说天下大势，分久必合，合久必分。" * 30,
    "a",
    "",
    "😀 random 8471 bytes? " * 9,
]


def test_compressors_by_their_modules() -> None:
    texts = [*TEXTS, *topics.values()]
    data = "".join(texts).encode()
    assert len(gzip.compress(data, 9)) < len(gzip.compress(data, 8)), "the level must show"
    small, smaller = compressed_bits_per_byte(texts)
    assert small == pytest.approx(8 * len(gzip.compress(data, 9)) / len(data), rel=1e-12)
    assert smaller == pytest.approx(8 * len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)) / len(data), rel=1e-12)


def test_compressors_by_their_commands() -> None:
    """`xz` is the same library, to the byte; `gzip` has a coder of its own, which differs by a little."""
    if not (shutil.which("gzip") and shutil.which("xz")):
        pytest.skip("needs the commands gzip and xz")
    texts = [str(getattr(module, "__doc__", "")) for module in (torch, math, random, itertools, gzip, lzma)]
    texts += ["".join(random.Random(seed).choices("etaoin shrdlu\n", k=3000)) for seed in range(10)]
    data = "".join(texts).encode()
    commands = (["gzip", "-9", "--no-name"], ["xz", "-9e", "--threads=1"])
    sizes = [len(subprocess.run([*command, "-c"], input=data, capture_output=True).stdout) for command in commands]
    small, smaller = compressed_bits_per_byte(texts)
    assert small * len(data) / 8 == pytest.approx(sizes[0], rel=0.01)
    assert round(smaller * len(data) / 8) == sizes[1]
