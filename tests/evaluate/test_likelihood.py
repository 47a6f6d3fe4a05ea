"""Log-likelihoods of continuations, token by token from forward passes of their own."""

import dataclasses
from pathlib import Path

import pytest
import torch

from candor.errors import RequestError
from candor.evaluate.likelihood import Likelihood, likelihoods, score
from candor.model import Transformer
from candor.model.heads import IGNORE, token_logprobs
from candor.text import Tokenizer
from tests.model.test_hub import TINY
from tests.model.test_transformer import build

PAIRS = [("The cat", " sat"), ("The cat ", "sat on"), ("", "The cat sat"), ("猫", "坐在垫子上"), ("a " * 20, "b")]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(["The cat sat on the mat. " * 9, "a b " * 20], 300)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return build(dataclasses.replace(TINY, vocab_size=300), torch.float64)


def by_hand(model: Transformer, ids: list[int], read: int) -> tuple[float, bool]:
    total, greedy = 0.0, True
    for place in range(read, len(ids)):
        with torch.no_grad():
            logits = model(torch.tensor([ids[:place]]))[0, -1]
        total += float(logits.log_softmax(-1)[ids[place]])
        greedy &= int(logits.argmax()) == ids[place]
    return total, greedy


@pytest.mark.parametrize("batch_tokens", [1, 30, 8192])
def test_scores_by_brute_force(model: Transformer, batch_tokens: int) -> None:
    """However the rows are batched and padded; also one of which nothing is predicted."""
    with torch.no_grad():
        likely = int(model(torch.tensor([[0, 5, 6]]))[0, -1].argmax())
    rows = [([0, 5, 6, 7], 1), ([0, 5, 6, likely], 3), ([0, 9], 1), ([0, 9, 8], 3), (list(range(30)), 11)]
    told: dict[int, Likelihood] = {}
    found = score(model, rows, batch_tokens=batch_tokens, done=told.__setitem__)
    for (ids, read), (value, greedy) in zip(rows, found, strict=True):
        expected = by_hand(model, list(ids), read)
        assert value == pytest.approx(expected[0], abs=1e-9) and greedy == expected[1]
    assert found[1][1] and not found[0][1]
    assert [told[place] for place in range(len(rows))] == found


def test_the_seam_between_context_and_continuation(model: Transformer, tokenizer: Tokenizer) -> None:
    """Tokens of the whole text behind as many as the context has; blanks at the context's end go with the answer."""
    found = likelihoods(model, tokenizer, PAIRS)
    for (context, continuation), got in zip(PAIRS, found, strict=True):
        ids = tokenizer.encode(context + continuation)
        read = 1 + len(tokenizer.encode(context.rstrip()))
        assert not isinstance(got, RequestError)
        assert got[0] == pytest.approx(by_hand(model, [tokenizer.bos_id, *ids], read)[0], abs=1e-9)


def test_a_text_over_the_context_is_refused_and_the_others_are_not(model: Transformer, tokenizer: Tokenizer) -> None:
    told: dict[int, Likelihood] = {}
    found = likelihoods(model, tokenizer, [("x", "y"), ("猫" * 100, "y"), ("x", "z")], done=told.__setitem__)
    assert isinstance(found[1], RequestError) and "the model's context is 64" in str(found[1])
    assert [told[place] for place in range(3)] == found
    assert found[0] == likelihoods(model, tokenizer, [("x", "y")])[0]


def test_token_logprobs_are_those_of_the_logits() -> None:
    torch.manual_seed(0)
    hidden, weight = torch.randn(3, 5, 8, dtype=torch.float64), torch.randn(30, 8, dtype=torch.float64)
    targets = torch.randint(0, 30, (3, 5))
    targets[1, 2:] = IGNORE
    logprobs, greedy = token_logprobs(hidden, weight, targets)
    every = (hidden @ weight.T).log_softmax(-1)
    for row in range(3):
        for place in range(5):
            wanted = int(targets[row, place])
            if wanted == IGNORE:
                assert logprobs[row, place] == 0 and greedy[row, place]
            else:
                assert logprobs[row, place] == pytest.approx(float(every[row, place, wanted]), abs=1e-12)
                assert bool(greedy[row, place]) == (int(every[row, place].argmax()) == wanted)


def test_the_text_of_a_chat_has_the_ids_of_the_chat(tokenizer: Tokenizer, tmp_path: Path) -> None:
    """What the harness renders as text comes to the same ids as `encode_chat`."""
    messages = [{"role": "user", "content": "The cat?"}, {"role": "assistant", "content": "sat."}]
    text = tokenizer.render_chat(messages)  # type: ignore[arg-type]
    assert tokenizer.encode_rendered(text) == tokenizer.encode_chat(messages)  # type: ignore[arg-type]
