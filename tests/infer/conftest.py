"""A small model and its tokenizer, and what it says by brute force."""

import dataclasses
import random
from collections.abc import Iterator

import pytest
import torch

from candor.infer import Engine
from candor.model import Transformer
from candor.text import Tokenizer
from tests.model.test_hub import TINY
from tests.model.test_transformer import build

VOCAB = 300
CONFIG = dataclasses.replace(TINY, vocab_size=VOCAB)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Next to no merges: most bytes are tokens, so a Chinese character is spread over three; `ab` is one token."""
    return Tokenizer.train(["ab ab abab, " * 9], VOCAB)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return build(CONFIG, torch.float32)


@pytest.fixture(scope="module")
def exact() -> Transformer:
    """In float64, where the order of a sum cannot turn a choice."""
    return build(CONFIG, torch.float64)


@pytest.fixture(scope="module")
def engine(model: Transformer, tokenizer: Tokenizer) -> Iterator[Engine]:
    with Engine(model, tokenizer) as engine:
        yield engine


def greedy_by_hand(model: Transformer, prompt: list[int], tokens: int) -> tuple[int, ...]:
    """The most likely token, again and again, by the whole forward pass."""
    ids = list(prompt)
    with torch.inference_mode():
        for _ in range(tokens):
            ids.append(int(model(torch.tensor([ids]))[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


def random_prompts(count: int, seed: int, longest: int = 40) -> list[list[int]]:
    """Prompts of which many begin alike."""
    source = random.Random(seed)
    stems = [[0, *(source.randrange(3, VOCAB) for _ in range(longest // 2))] for _ in range(3)]
    prompts = []
    for _ in range(count):
        stem = source.choice(stems)[: source.randrange(1, longest // 2)]
        prompts.append([*stem, *(source.randrange(3, VOCAB) for _ in range(source.randrange(1, longest // 2)))])
    return prompts
