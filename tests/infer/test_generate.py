"""Generation: transformers' tokens, probabilities by hand, and text that never shows what it must not."""

import dataclasses
import itertools
import math
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import DeepseekV3ForCausalLM

from candor.errors import ConfigError
from candor.infer import Completion, SamplingParams, generate
from candor.infer.generate import sample
from candor.model import LatentCache, Transformer
from candor.model.hub import save_model
from candor.text import Tokenizer
from tests.model.test_hub import TINY
from tests.model.test_transformer import build

VOCAB = 300
CONFIG = dataclasses.replace(TINY, vocab_size=VOCAB)
GREEDY = SamplingParams(temperature=0, max_tokens=40)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """Next to no merges: most bytes are tokens, so a Chinese character is spread over three; `ab` is one token."""
    return Tokenizer.train(["ab ab abab, " * 9], VOCAB)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return build(CONFIG, torch.float32)


def whole(
    model: Transformer, tokenizer: Tokenizer, prompt: list[int], params: SamplingParams
) -> tuple[list[str], Completion]:
    """The pieces and the completion, which comes last and once."""
    *pieces, completion = generate(model, tokenizer, prompt, params)
    assert isinstance(completion, Completion)
    assert all(isinstance(piece, str) and piece for piece in pieces)
    assert "".join(cast(list[str], pieces)) == completion.text
    assert len(completion.logprobs) == len(completion.token_ids)
    return cast(list[str], pieces), completion


# Against transformers.


def test_greedy_is_transformers(model: Transformer, tokenizer: Tokenizer, tmp_path: Path) -> None:
    """Tokens and their log-probabilities, up to the end token or the limit."""
    save_model(model, tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not know the MTP layer of a model of two layers
        reference = DeepseekV3ForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    seen = set()
    for prompt in ([0], [0, 52, 9, 1, 77], list(range(3, 25))):
        expected = reference.generate(
            torch.tensor([prompt]), max_new_tokens=40, do_sample=False, eos_token_id=tokenizer.eos_id, pad_token_id=2,
            output_logits=True, return_dict_in_generate=True,
        )  # fmt: skip
        _, completion = whole(model, tokenizer, prompt, GREEDY)
        assert list(completion.token_ids) == expected.sequences[0, len(prompt) :].tolist()
        logprobs = [
            float(logits[0].log_softmax(-1)[token])
            for token, logits in zip(completion.token_ids, expected.logits, strict=True)
        ]
        assert completion.logprobs == pytest.approx(logprobs, abs=1e-4)
        assert completion.text == tokenizer.decode(completion.token_ids, skip_special_tokens=True)
        seen.add(completion.token_ids)
    assert len(seen) == 3


# A model that says what it is told, to see what becomes of it.


class Scripted(nn.Module):
    """Says the given ids one after the other, whatever it reads, and checks that it is fed what it said."""

    def __init__(self, script: Sequence[int]):
        super().__init__()
        self.config, self.script = CONFIG, list(script)
        self.lm_head = nn.Linear(VOCAB, VOCAB, bias=False)
        nn.init.eye_(self.lm_head.weight)
        self.said = 0

    def hidden(self, ids: Tensor, cache: LatentCache) -> Tensor:
        if self.said:
            assert ids.tolist() == [[self.script[self.said - 1]]]
        cache.length += ids.shape[1]
        assert cache.length <= cache.latents.shape[2]
        wanted = self.script[self.said]
        self.said += 1
        return 20.0 * nn.functional.one_hot(torch.tensor(wanted), VOCAB).float().expand(1, ids.shape[1], VOCAB)


def told(tokenizer: Tokenizer, ids: Sequence[int], **params: Any) -> tuple[list[str], Completion]:
    model = cast(Transformer, Scripted(ids))
    return whole(model, tokenizer, [0], SamplingParams(**{"temperature": 0, "max_tokens": len(ids), **params}))


def test_characters_come_out_whole(tokenizer: Tokenizer) -> None:
    """Three bytes for 你, four for 😀: one token each, but a piece only when the character is there."""
    ids = tokenizer.encode("你a😀")
    assert len(ids) == 8
    pieces, completion = told(tokenizer, ids)
    assert pieces == ["你", "a", "😀"]
    assert completion.token_ids == tuple(ids) and completion.finish_reason == "length"


def test_a_character_cut_by_the_limit_ends_as_replacement(tokenizer: Tokenizer) -> None:
    pieces, completion = told(tokenizer, tokenizer.encode("a你"), max_tokens=3)
    assert pieces == ["a", "\ufffd"] and completion.finish_reason == "length"
    pieces, completion = told(tokenizer, [*tokenizer.encode("a你")[:-1], tokenizer.eos_id])
    assert pieces == ["a", "\ufffd"] and completion.finish_reason == "stop"


def test_the_end_token_ends_and_is_not_shown(tokenizer: Tokenizer) -> None:
    ids = [*tokenizer.encode("the"), tokenizer.eos_id, *tokenizer.encode("never said")]
    _, completion = told(tokenizer, ids)
    assert (completion.text, completion.finish_reason) == ("the", "stop")
    assert completion.token_ids == tuple(ids[: ids.index(tokenizer.eos_id) + 1])
    assert told(tokenizer, [tokenizer.eos_id])[0] == []


def test_other_special_tokens_are_not_shown_and_do_not_end(tokenizer: Tokenizer) -> None:
    ids = [*tokenizer.encode("a"), tokenizer.bos_id, tokenizer.pad_id, VOCAB - 1, *tokenizer.encode("b")]
    _, completion = told(tokenizer, ids)
    assert completion.text == tokenizer.decode(ids, skip_special_tokens=True)
    assert completion.text.startswith("a") and completion.text.endswith("b")
    assert completion.token_ids == tuple(ids)


@pytest.mark.parametrize("max_tokens", [1, 2, 5])
def test_max_tokens(tokenizer: Tokenizer, max_tokens: int) -> None:
    _, completion = told(tokenizer, tokenizer.encode("12345678"), max_tokens=max_tokens)
    assert completion.text == "12345678"[:max_tokens] and completion.finish_reason == "length"
    assert len(completion.token_ids) == max_tokens


def test_the_end_token_at_the_limit_is_a_stop(tokenizer: Tokenizer) -> None:
    _, completion = told(tokenizer, [*tokenizer.encode("12"), tokenizer.eos_id], max_tokens=3)
    assert completion.finish_reason == "stop"


@pytest.mark.parametrize(
    ("text", "stops", "kept"),
    [
        ("one STOP two", ["STOP"], "one "),
        ("one STO", ["STOP"], "one STO"),
        ("one STSTOP", ["STOP"], "one ST"),
        ("STOP", ["STOP"], ""),
        ("ababac!", ["abac"], "ab"),
        ("ends。再见", ["。"], "ends"),
        ("一二三四", ["三四"], "一二"),
        ("x\n\nUser: y", ["\nUser:", "\n\n"], "x"),
        ("a b c", ["c", "b"], "a "),
        ("no stop here", ["nothing"], "no stop here"),
    ],
)
def test_stop_texts(tokenizer: Tokenizer, text: str, stops: list[str], kept: str) -> None:
    ids = tokenizer.encode(text)
    _, completion = told(tokenizer, ids, stop=tuple(stops))
    assert completion.text == kept
    assert completion.finish_reason == ("length" if kept == text else "stop")
    assert completion.token_ids == tuple(ids[: len(completion.token_ids)])


def test_of_two_stops_in_one_token_the_first_counts(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("x ab")
    assert tokenizer.decode(ids[-1:]).endswith("ab")
    _, completion = told(tokenizer, ids, stop=("b", "a"))
    assert completion.text == "x "


def expected_text(tokenizer: Tokenizer, ids: list[int], stops: list[str]) -> tuple[str, bool]:
    """After each token, does what was said so far hold a stop text? Then all before its first place is the answer."""
    for count in range(len(ids) + 1):
        text = b"".join(tokenizer.token_bytes[token] for token in ids[:count]).decode("utf-8", errors="ignore")
        if places := [text.find(stop) for stop in stops if stop in text]:
            return text[: min(places)], True
    return text, False


@settings(max_examples=300, deadline=None)
@given(
    text=st.text("ab你😀\n ", max_size=15),  # at most 60 bytes, which the context holds
    stops=st.lists(st.text("ab你😀\n", min_size=1, max_size=4), max_size=3),
)
def test_no_part_of_a_stop_text_is_ever_shown(tokenizer: Tokenizer, text: str, stops: list[str]) -> None:
    """For any text and any stops, and no piece holds half a character."""
    ids = tokenizer.encode(text)
    kept, stopped = expected_text(tokenizer, ids, stops)
    if not ids:
        return
    pieces, completion = told(tokenizer, ids, stop=tuple(stops))
    assert (completion.text, completion.finish_reason) == (kept, "stop" if stopped else "length")
    assert not any("\ufffd" in piece for piece in pieces)
    assert kept == "".join(pieces)


def test_text_is_shown_as_soon_as_it_cannot_be_a_stop(tokenizer: Tokenizer) -> None:
    """With a stop of four characters three are held back, and without any none."""
    ids = tokenizer.encode("12345678")
    steps = {}
    for stop in ((), ("STOP",)):
        model = Scripted(ids)
        params = SamplingParams(temperature=0, max_tokens=8, stop=stop)
        shown = [
            (model.said, piece) for piece in generate(cast(Transformer, model), tokenizer, [0], params)
            if isinstance(piece, str)
        ]  # fmt: skip
        steps[stop] = shown
    assert steps[()] == [(place, str(place)) for place in range(1, 9)]
    assert steps[("STOP",)] == [*((place + 3, str(place)) for place in range(1, 6)), (8, "678")]


# Chance.


def test_the_same_seed_gives_the_same_text(model: Transformer, tokenizer: Tokenizer) -> None:
    """Whatever the global random state; other seeds, and no seed, give others."""
    params = SamplingParams(max_tokens=12, seed=5)
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        found.append(whole(model, tokenizer, [0, 9], params))
        assert torch.equal(before, torch.get_rng_state()), "the caller's random numbers are not touched"
    assert found[0] == found[1]
    others = [dataclasses.replace(params, seed=seed) for seed in (6, 7, None, None)]
    texts = {whole(model, tokenizer, [0, 9], other)[1].token_ids for other in (params, *others)}
    assert len(texts) == 5


def test_logprobs_are_the_models_own(model: Transformer, tokenizer: Tokenizer) -> None:
    """Not those of the sharpened and cut distribution that was drawn from."""
    prompt = [0, 9, 30]
    params = SamplingParams(temperature=0.5, top_p=0.7, top_k=9, max_tokens=10, seed=1)
    _, completion = whole(model, tokenizer, prompt, params)
    ids = [*prompt, *completion.token_ids]
    with torch.no_grad():
        table = model(torch.tensor([ids]))[0].log_softmax(-1)
    expected = [float(table[place - 1, ids[place]]) for place in range(3, len(ids))]
    assert completion.logprobs == pytest.approx(expected, abs=1e-4)


LOGITS = [1.0, 3.0, 2.5, -1.0, 2.5, 0.0, 1.5, -30.0]


def probabilities(logits: Sequence[float], params: SamplingParams) -> list[float]:
    """By hand: sharpen, keep the k best and their equals, then the smallest set that reaches top_p, then normalise."""
    weights = [math.exp(value / params.temperature) for value in logits]
    if params.top_k:
        least = sorted(weights)[-min(params.top_k, len(weights))]
        weights = [weight if weight >= least else 0.0 for weight in weights]
    share = [weight / sum(weights) for weight in weights]
    kept, total = set(), 0.0
    for token in sorted(range(len(share)), key=lambda token: (-share[token], token)):
        if total < params.top_p and share[token]:
            kept.add(token)
            total += share[token]
    rest = sum(share[token] for token in kept)
    return [share[token] / rest if token in kept else 0.0 for token in range(len(share))]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
@pytest.mark.parametrize(("top_p", "top_k"), [(1, 0), (1, 1), (1, 2), (1, 4), (1, 99), (0.6, 0), (0.9, 0), (0.8, 3)])
def test_samples_follow_the_distribution(temperature: float, top_p: float, top_k: int) -> None:
    """4,000 draws: nothing that is cut ever comes, and chi-square stays below its 99.99 % point."""
    params = SamplingParams(temperature=temperature, top_p=top_p, top_k=top_k)
    generator = torch.Generator().manual_seed(11)
    logits = torch.tensor(LOGITS)
    draws = Counter(sample(logits, params, generator) for _ in range(4000))
    expected = probabilities(LOGITS, params)
    assert all(expected[token] > 0 for token in draws)
    likely = [token for token in range(8) if 4000 * expected[token] >= 5]
    chi = sum((draws[token] - 4000 * expected[token]) ** 2 / (4000 * expected[token]) for token in likely)
    limits = [0, 15.1, 18.4, 21.1, 23.5, 25.7, 27.9, 29.9]  # of 0 to 7 degrees of freedom
    assert chi <= limits[len(likely) - 1]


def test_the_cut_by_hand() -> None:
    """Probabilities 0.5, 0.3, 0.15, 0.05: the smallest set of at least 0.8 has two tokens, of more than that three."""
    logits = torch.tensor([0.15, 0.5, 0.05, 0.3]).log()
    generator = torch.Generator().manual_seed(0)
    for top_p, kept in ((0.001, {1}), (0.5, {1}), (0.51, {1, 3}), (0.79, {1, 3}), (0.81, {0, 1, 3}), (1, {0, 1, 2, 3})):
        params = SamplingParams(top_p=top_p)
        assert {sample(logits, params, generator) for _ in range(300)} == kept


@pytest.mark.parametrize("temperature", [0, 1e-30, 1e-310])
def test_towards_zero_the_temperature_takes_the_best(temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    params = SamplingParams(temperature=temperature)
    assert {sample(torch.tensor(LOGITS), params, generator) for _ in range(20)} == {1}


# What cannot work.


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"temperature": -0.1}, "temperature=-0.1 must be 0 or more"),
        ({"temperature": math.nan}, "temperature=nan"),
        ({"top_p": 0}, "top_p=0 must be above 0"),
        ({"top_p": 1.1}, "top_p=1.1"),
        ({"top_k": -1}, "top_k=-1"),
        ({"max_tokens": 0}, "max_tokens=0 must be 1 or more"),
        ({"stop": ("a", "")}, "stop="),
        ({"seed": 2**64}, "seed=18446744073709551616"),
    ],
)
def test_parameters_that_cannot_work_are_refused_by_name(params: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SamplingParams(**params)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ([], "the prompt has no tokens"),
        ([0, VOCAB], f"token id {VOCAB} is outside the model's vocabulary of {VOCAB}"),
        ([-1], "token id -1 is outside"),
        ([3] * 64, "the prompt has 64 tokens, the model's context is 64; shorten it"),
        ([3] * 1000, "the prompt has 1000 tokens, the model's context is 64; shorten it"),
    ],
)
def test_prompts_that_cannot_work(model: Transformer, tokenizer: Tokenizer, prompt: list[int], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        next(generate(model, tokenizer, prompt, GREEDY))


@pytest.mark.parametrize("length", [1, 50, 62, 63])
def test_generation_ends_with_the_context(tokenizer: Tokenizer, length: int) -> None:
    model = cast(Transformer, Scripted(list(itertools.repeat(70, 100))))
    _, completion = whole(model, tokenizer, [3] * length, SamplingParams(temperature=0, max_tokens=100))
    assert len(completion.token_ids) == 64 - length and completion.finish_reason == "length"
