"""The watermark in tensors, in C++ and in the engine: the reference's bits, and answers that the detector knows."""

import dataclasses
from collections import Counter

import numpy as np
import pytest
import torch
from transformers.generation.logits_process import SynthIDTextWatermarkLogitsProcessor

from candor.errors import ConfigError
from candor.governance.keys import LocalRing
from candor.governance.watermark import Mark, Places, Scheme, detect, keys_of
from candor.governance.watermark.scheme import LAYERS, bits_of, siphash
from candor.governance.watermark.scheme import mark as reference
from candor.infer import Engine, SamplingParams, StructuredOutput
from candor.infer.native import NativeStep
from candor.infer.steps import TorchStep
from candor.infer.watermark import mark
from candor.model import Transformer
from candor.model.config import nano
from candor.text import Tokenizer
from tests.infer.conftest import CONFIG, random_prompts
from tests.infer.test_native import make
from tests.model.test_transformer import build

RING = LocalRing("watermark", {1: b"\x01" * 32, 2: b"\x02" * 32})
KEYS = keys_of(RING, "acme")
MARKED = SamplingParams(max_tokens=230, seed=3, ignore_eos=True, watermark=KEYS[-1])


# The three implementations


def hard_shares(V: int) -> np.ndarray:
    """Distributions [8, V]: even, peaked, of few tokens, of equals at the edge of the 256, certain, ordinary."""
    random = np.random.default_rng(V)
    shares = random.gamma(0.3, size=(8, V)).astype(np.float32)
    shares[0] = 1
    shares[1, 5] = 1e6
    shares[2, random.permutation(V)[9:]] = 0
    shares[3] = random.integers(1, 4, V)
    shares[4] = 0
    shares[4, V - 1] = 1
    return shares / shares.sum(1, keepdims=True)


@pytest.mark.parametrize("scheme", ["tournament", "kgw"])
@pytest.mark.parametrize("V", [256, 517, 5000])
def test_torch_and_c_give_the_bits_of_numpy(scheme: Scheme, V: int) -> None:
    shares = hard_shares(V)
    marks = [Mark(keys_of(RING, str(n), scheme)[n % 2], (n, 2**31 - 1, 0, V - 1)) for n in range(8)]
    expected = torch.from_numpy(reference(shares, marks))
    assert torch.equal(mark(torch.from_numpy(shares), marks), expected)
    step = NativeStep(make(nano(V)))
    assert torch.equal(step.mark(torch.from_numpy(shares.copy()), marks), expected)
    some = [one if n % 3 else None for n, one in enumerate(marks)]
    mixed = torch.where(torch.tensor([one is None for one in some])[:, None], torch.from_numpy(shares), expected)
    assert torch.equal(mark(torch.from_numpy(shares), some), mixed)
    assert torch.equal(step.mark(torch.from_numpy(shares.copy()), some), mixed)
    other: Scheme = "kgw" if scheme == "tournament" else "tournament"
    both = [one and one._replace(key=keys_of(RING, "b", other)[0]) if n < 4 else one for n, one in enumerate(some)]
    expected = torch.cat([torch.from_numpy(reference(shares[n : n + 1], both[n : n + 1])) for n in range(8)])
    assert torch.equal(torch.from_numpy(reference(shares, both)), expected)
    assert torch.equal(mark(torch.from_numpy(shares), both), expected)


def test_schemes_may_share_a_batch() -> None:
    shares = hard_shares(517)
    marks = [Mark(keys_of(RING, "acme", ("tournament", "kgw")[n % 2])[0], (1, 2, 3, n)) for n in range(8)]  # type: ignore[arg-type]
    alone = torch.cat([mark(torch.from_numpy(shares[n : n + 1]), marks[n : n + 1]) for n in range(8)])
    assert torch.equal(mark(torch.from_numpy(shares), marks), alone)


def test_the_tournament_is_that_of_transformers() -> None:
    """Their update of scores by our bits gives our probabilities."""
    shares = hard_shares(256)
    theirs = SynthIDTextWatermarkLogitsProcessor(5, list(range(LAYERS)), 64, 0, 1024, torch.device("cpu"))
    marks = [Mark(KEYS[0], (1, 2, 3, n)) for n in range(8)]
    words = siphash(
        *(torch.tensor([[half - (half >> 63 << 64)]]) for half in KEYS[0].prf),
        torch.tensor([one.context for one in marks]), torch.arange(256)[None],
    )  # fmt: skip
    bits = torch.stack(bits_of(words, "tournament"), -1)
    expected = theirs.update_scores(torch.from_numpy(shares).double().log(), bits).exp()
    assert (expected - mark(torch.from_numpy(shares), marks)).abs().max() < 1e-5


def test_draws_follow_the_marked_distribution() -> None:
    """The C++ step draws from the logits what the reference's shares say; a chance near a token's edge may go over."""
    table = torch.randn(64, 517, generator=torch.Generator().manual_seed(1)).log_softmax(-1) * 2
    rows = [SamplingParams(top_k=(0, 40)[n % 2], temperature=(1, 0.7)[n % 2]) for n in range(64)]
    marks = [Mark(KEYS[0], (1, 2, 3, n)) if n % 5 else None for n in range(64)]
    model = make(nano(517))
    chances = np.random.default_rng(0).random(64).tolist()
    ours, theirs = (step.draw(table, rows, chances, marks) for step in (NativeStep(model), TorchStep(model)))
    unmarked = NativeStep(model).draw(table, rows, chances)
    assert (ours == theirs).sum() >= 63
    assert torch.equal(ours[::5], unmarked[::5]) and (ours == unmarked).sum() < 40


# In the engine


@pytest.fixture(scope="module")
def lively() -> Transformer:
    """With room for long answers."""
    return make(dataclasses.replace(CONFIG, max_position_embeddings=512))


def test_marked_answers_are_found_whatever_else_runs(lively: Transformer, tokenizer: Tokenizer) -> None:
    """By ids, under any of the tenant's keys; to the last bit the same alone and beside others, with any threads."""
    prompts = random_prompts(6, seed=6)
    params = [MARKED if n % 2 else dataclasses.replace(MARKED, watermark=None) for n in range(6)]
    with Engine(lively, tokenizer) as engine:
        together = engine.generate(prompts, params)
        alone = [engine.generate([prompt], one)[0] for prompt, one in zip(prompts, params, strict=True)]
        engine._batch.model = NativeStep(lively, 3)
        threads = engine.generate(prompts, params)
    assert [one.token_ids for one in together] == [one.token_ids for one in alone] == [one.token_ids for one in threads]
    assert [one.logprobs for one in together] == [one.logprobs for one in alone]
    for one, param in zip(together, params, strict=True):
        assert detect(one.token_ids, KEYS).status == ("found" if param.watermark else "not found")
        assert detect(one.token_ids, keys_of(RING, "other")).status == "not found"


def test_pytorchs_step_marks_too(lively: Transformer, tokenizer: Tokenizer) -> None:
    with Engine(lively, tokenizer, compile=False) as engine:
        (one,) = engine.generate([[0, 9]], MARKED)
    assert detect(one.token_ids, KEYS).status == "found"


def test_log_probabilities_are_the_models_own(lively: Transformer, tokenizer: Tokenizer) -> None:
    with Engine(lively, tokenizer) as engine:
        (one,) = engine.generate([[0, 9]], dataclasses.replace(MARKED, max_tokens=30))
    ids = torch.tensor([[0, 9, *one.token_ids]])
    with torch.no_grad():
        table = lively(ids)[0].log_softmax(-1)
    expected = table[1:-1].gather(1, ids[0, 2:, None])[:, 0]
    assert (torch.tensor(one.logprobs) - expected).abs().max() < 1e-3


def test_greedy_and_structured_answers_are_as_without(lively: Transformer, tokenizer: Tokenizer) -> None:
    """Nothing can be chosen where one token has all, and structure belongs to its reader."""
    regex = StructuredOutput(regex="[a-z]{40}")
    for params in (SamplingParams(temperature=0, max_tokens=40), SamplingParams(seed=1, structured_outputs=regex)):
        with Engine(lively, tokenizer) as engine:
            marked, plain = engine.generate([[0, 9]] * 2, [dataclasses.replace(params, watermark=KEYS[0]), params])
        assert marked.token_ids == plain.token_ids and len(plain.token_ids) > 10


def test_training_cannot_be_marked() -> None:
    """RL asks for the log-probabilities that its tokens were drawn with; those of a mark are none of the model's."""
    with pytest.raises(ConfigError, match="tempered_logprobs"):
        SamplingParams(watermark=KEYS[0], tempered_logprobs=True)


@pytest.mark.parametrize("drafts", [1, 3])
def test_drafts_keep_the_marked_distribution(tokenizer: Tokenizer, drafts: int) -> None:
    """4,000 answers of seven tokens, the last three marked; chi-square against brute force, below its 99.99 % point."""
    model = build(CONFIG, torch.float32)
    with torch.no_grad():
        D = CONFIG.hidden_size
        model.mtp[0].eh_proj.weight.copy_(torch.cat((0.9 * torch.eye(D), 0.1 * torch.eye(D)), dim=1))
        for name, parameter in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight", "experts.down")):
                parameter.mul_(0.2)
    prompt, params = [0, 9, 30], SamplingParams(top_k=2, max_tokens=7, ignore_eos=True, watermark=KEYS[0])
    expected: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(7):
        longer = {}
        for answer, chance in expected.items():
            places = Places(tokenizer.token_bytes)
            for token in answer:
                places.push(token)
            with torch.no_grad():
                best = model(torch.tensor([[*prompt, *answer]]))[0, -1].topk(2)
            shares = np.zeros((1, CONFIG.vocab_size), dtype=np.float32)
            shares[0, best.indices] = best.values.softmax(-1)
            context = places.context()
            shares = reference(shares, [Mark(KEYS[0], context)]) if context else shares
            for token in best.indices.tolist():
                longer[*answer, token] = chance * float(shares[0, token])
        expected = longer
    with Engine(model, tokenizer, num_speculative_tokens=drafts) as engine:
        done = engine.generate([prompt], dataclasses.replace(params, n=4000, seed=5))
        stats = engine.stats
    assert 0.1 < stats.accepted / stats.drafted < 0.95
    seen = Counter(one.token_ids for one in done)
    assert all(expected[answer] > 0 for answer in seen)
    likely = [answer for answer, chance in expected.items() if 4000 * chance >= 5]
    chi = sum((seen[answer] - 4000 * expected[answer]) ** 2 / (4000 * expected[answer]) for answer in likely)
    freedom = len(likely) - 1
    assert freedom > 5
    # The 99.99 % point by Wilson and Hilferty.
    assert chi < freedom * (1 - 2 / (9 * freedom) + 3.719 * (2 / (9 * freedom)) ** 0.5) ** 3


def test_greedy_drafts_say_the_same(lively: Transformer, tokenizer: Tokenizer) -> None:
    params = dataclasses.replace(MARKED, temperature=0, max_tokens=30)
    with Engine(lively, tokenizer) as engine:
        expected = engine.generate(random_prompts(4, 1), params)
    with Engine(lively, tokenizer, num_speculative_tokens=2) as engine:
        assert [one.token_ids for one in engine.generate(random_prompts(4, 1), params)] == [
            one.token_ids for one in expected
        ]


def test_sampled_answers_with_drafts_are_found(lively: Transformer, tokenizer: Tokenizer) -> None:
    with Engine(lively, tokenizer, num_speculative_tokens=2) as engine:
        for one in engine.generate(random_prompts(4, 1), MARKED):
            assert detect(one.token_ids, KEYS).status == "found"
