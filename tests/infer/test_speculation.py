"""Drafts of the MTP module: the same tokens when greedy, the same distribution when sampled, fewer steps."""

import dataclasses
from collections import Counter
from itertools import product

import pytest
import torch

from candor.infer import Engine, SamplingParams
from candor.model import Transformer
from candor.text import Tokenizer
from tests.infer.conftest import CONFIG, VOCAB, greedy_by_hand, random_prompts
from tests.model.test_transformer import build


@pytest.fixture(scope="module")
def prophet() -> Transformer:
    """Layers that add nothing, so that a token alone decides the next one, in the model and in its MTP module alike."""
    model = build(CONFIG, torch.float32)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight", "experts.down")):
                parameter.zero_()
            if parameter.ndim == 1:
                parameter.fill_(1.0)
        module = model.mtp[0]
        D = CONFIG.hidden_size
        module.eh_proj.weight.copy_(torch.cat((torch.eye(D), torch.zeros(D, D)), dim=1))
    return model


@pytest.mark.parametrize("drafts", [1, 2, 4])
def test_right_drafts_save_steps(prophet: Transformer, tokenizer: Tokenizer, drafts: int) -> None:
    """All are kept, and a step gives drafts + 1 tokens."""
    params = SamplingParams(temperature=0, max_tokens=42, ignore_eos=True)
    with Engine(prophet, tokenizer) as engine:
        expected = engine.generate([[0, 9, 30]], params)
    with Engine(prophet, tokenizer, num_speculative_tokens=drafts) as engine:
        got = engine.generate([[0, 9, 30]], params)
        stats = engine.stats
    assert [one.token_ids for one in got] == [one.token_ids for one in expected]
    assert stats.drafted == stats.accepted > 42 * drafts / (drafts + 1) - 2 * drafts
    assert stats.steps <= 2 + -(-40 // (drafts + 1))


def test_seeded_drafts_of_the_same_distribution_are_all_kept(prophet: Transformer, tokenizer: Tokenizer) -> None:
    with Engine(prophet, tokenizer, num_speculative_tokens=2) as engine:
        engine.generate(random_prompts(9, 1), SamplingParams(seed=1, max_tokens=20, ignore_eos=True))
        assert engine.stats.accepted >= 0.99 * engine.stats.drafted > 50


def sequences(
    model: Transformer, prompt: list[int], params: SamplingParams, length: int
) -> dict[tuple[int, ...], float]:
    """The probability of every answer, by whole forward passes."""
    found = {(): 1.0}
    for _ in range(length):
        longer: dict[tuple[int, ...], float] = {}
        for answer, chance in found.items():
            with torch.no_grad():
                logits = model(torch.tensor([[*prompt, *answer]]))[0, -1].double() / params.temperature
            best = logits.topk(params.top_k)
            for token, share in zip(best.indices.tolist(), best.values.softmax(-1).tolist(), strict=True):
                longer[*answer, token] = chance * share
        found = longer
    return found


@pytest.mark.parametrize("drafts", [1, 3])
@pytest.mark.parametrize("temperature", [1.0, 0.6])
def test_sampling_keeps_the_distribution(tokenizer: Tokenizer, drafts: int, temperature: float) -> None:
    """4,000 answers of five tokens, three of them drafted; chi-square against brute force, below its 99.99 % point.

    The MTP module is like the model but not equal to it, so that drafts are kept, replaced, and missing in turn.
    """
    model = build(dataclasses.replace(CONFIG), torch.float32)
    with torch.no_grad():
        D = CONFIG.hidden_size
        model.mtp[0].eh_proj.weight.copy_(torch.cat((0.9 * torch.eye(D), 0.1 * torch.eye(D)), dim=1))
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight", "experts.down")):
                parameter.mul_(0.2)
    prompt, params = [0, 9, 30], SamplingParams(temperature=temperature, top_k=3, max_tokens=5, ignore_eos=True)
    expected = sequences(model, prompt, params, 5)
    with Engine(model, tokenizer, num_speculative_tokens=drafts) as engine:
        done = engine.generate([prompt], dataclasses.replace(params, n=4000, seed=5))
        stats = engine.stats
    assert 0.1 < stats.accepted / stats.drafted < 0.9
    seen = Counter(one.token_ids for one in done)
    assert all(expected[answer] > 0 for answer in seen)
    likely = [answer for answer, chance in expected.items() if 4000 * chance >= 5]
    chi = sum((seen[answer] - 4000 * expected[answer]) ** 2 / (4000 * expected[answer]) for answer in likely)
    freedom = len(likely) - 1
    assert freedom > 20
    # The 99.99 % point by Wilson and Hilferty.
    assert chi < freedom * (1 - 2 / (9 * freedom) + 3.719 * (2 / (9 * freedom)) ** 0.5) ** 3


def test_requests_with_and_without_drafts_share_a_batch(exact: Transformer, tokenizer: Tokenizer) -> None:
    """Penalties must be told of every token, so their requests are not drafted for; the others are."""
    prompts = random_prompts(12, 3)
    plain = SamplingParams(temperature=0, max_tokens=15, ignore_eos=True)
    params = [plain if n % 2 else dataclasses.replace(plain, repetition_penalty=1.3) for n in range(12)]
    with Engine(exact, tokenizer) as engine:
        expected = engine.generate(prompts, params)
    with Engine(exact, tokenizer, num_speculative_tokens=2) as engine:
        got = engine.generate(prompts, params)
        assert engine.stats.drafted > 0
    for prompt, one, other, param in zip(prompts, got, expected, params, strict=True):
        assert one.token_ids == other.token_ids
        if param is plain:
            assert one.token_ids == greedy_by_hand(exact, prompt, 15)
    assert any(len(set(one.token_ids)) > len(set(two.token_ids)) for one, two in product(got[::2], got[1::2]))


def test_drafts_stop_at_the_end(exact: Transformer, tokenizer: Tokenizer) -> None:
    """An end token, a stop text or the limit inside accepted drafts ends the answer there."""
    with Engine(exact, tokenizer, num_speculative_tokens=3) as engine:
        whole = engine.generate([[0, 9]], SamplingParams(temperature=0, max_tokens=20, ignore_eos=True))[0].token_ids
        for length in range(1, 12):
            params = SamplingParams(temperature=0, max_tokens=length, ignore_eos=True)
            assert engine.generate([[0, 9]], params)[0].token_ids == whole[:length]
            ending = SamplingParams(temperature=0, max_tokens=20, ignore_eos=True, stop_token_ids=(whole[length],))
            cut = engine.generate([[0, 9]], ending)[0]
            assert cut.token_ids == whole[: whole.index(whole[length]) + 1] and cut.finish_reason == "stop"
        assert max(whole) < VOCAB
