"""Generation: transformers' tokens, the same tokens whatever else runs, text that never shows what it must not."""

import asyncio
import dataclasses
import itertools
import math
import os
import random
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from transformers import DeepseekV3ForCausalLM

from candor.errors import ConfigError, EngineClosed, ModelError, Overloaded, RequestError
from candor.infer import Completion, Engine, Piece, SamplingParams
from candor.infer.params import Prompt
from candor.model import Transformer
from candor.model.hub import save_model
from candor.text import Tokenizer
from tests.infer.conftest import CONFIG, VOCAB, greedy_by_hand, random_prompts
from tests.model.test_transformer import build

GREEDY = SamplingParams(temperature=0, max_tokens=40)


async def collect(engine: Engine, prompt: Prompt, params: SamplingParams) -> list[Piece | Completion]:
    return [event async for event in engine.stream(prompt, params)]


def whole(engine: Engine, prompt: Prompt, params: SamplingParams) -> tuple[list[str], Completion]:
    """The texts of the pieces and the completion, which comes last and once; `generate` gives the same."""
    *pieces, completion = asyncio.run(collect(engine, prompt, params))
    assert isinstance(completion, Completion)
    told = [piece for piece in pieces if isinstance(piece, Piece)]
    assert len(told) == len(pieces)
    assert "".join(piece.text for piece in told) == completion.text
    assert sum((piece.token_ids for piece in told), ()) == completion.token_ids
    assert sum((piece.logprobs for piece in told), ()) == completion.logprobs
    assert len(completion.logprobs) == len(completion.token_ids)
    return [piece.text for piece in told if piece.text], completion


# Against transformers.


def test_greedy_is_transformers(engine: Engine, model: Transformer, tokenizer: Tokenizer, tmp_path: Path) -> None:
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
        _, completion = whole(engine, prompt, GREEDY)
        assert list(completion.token_ids) == expected.sequences[0, len(prompt) :].tolist()
        logprobs = [
            float(logits[0].log_softmax(-1)[token])
            for token, logits in zip(completion.token_ids, expected.logits, strict=True)
        ]
        assert completion.logprobs == pytest.approx(logprobs, abs=1e-4)
        assert completion.text == tokenizer.decode(completion.token_ids, skip_special_tokens=True)
        seen.add(completion.token_ids)
    assert len(seen) == 3


def test_repetition_penalty_is_transformers(
    engine: Engine, model: Transformer, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    """It divides positive logits and multiplies negative ones: logits, not log-probabilities."""
    save_model(model, tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = DeepseekV3ForCausalLM.from_pretrained(tmp_path / "model", dtype=torch.float32).eval()
    prompt = [0, 52, 9, 1, 77]
    expected = reference.generate(
        torch.tensor([prompt]), max_new_tokens=40, do_sample=False, eos_token_id=None, pad_token_id=2,
        repetition_penalty=1.5,
    )[0, 5:]  # fmt: skip
    params = SamplingParams(temperature=0, max_tokens=40, repetition_penalty=1.5, ignore_eos=True)
    (got,) = engine.generate([prompt], params)
    assert list(got.token_ids) == expected.tolist()
    assert got.token_ids != engine.generate([prompt], dataclasses.replace(params, repetition_penalty=1.0))[0].token_ids


# A model that says what it is told, to see what becomes of it.


class Scripted(nn.Module):
    """Says the given ids one after the other, whatever it reads, and checks that it is fed what it said."""

    mtp = ()
    activation_dtype = torch.float32

    def __init__(self, script: Sequence[int]):
        super().__init__()
        self.config, self.script = CONFIG, list(script)
        self.lm_head = nn.Linear(VOCAB, VOCAB, bias=False)
        nn.init.eye_(self.lm_head.weight)
        self.said = 0

    def prefill(self, ids: Tensor, latents: Tensor) -> Tensor:
        return self._say(ids)

    def extend(self, ids: Tensor, lengths: Tensor, latents: Tensor) -> Tensor:
        assert not self.said or ids.tolist() == [[self.script[self.said - 1]]]
        assert int(lengths[0]) < latents.shape[2]
        return self._say(ids)

    def _say(self, ids: Tensor) -> Tensor:
        wanted = self.script[self.said]
        self.said += 1
        return 20.0 * nn.functional.one_hot(torch.tensor(wanted), VOCAB).float().expand(1, ids.shape[1], VOCAB)


def told(tokenizer: Tokenizer, ids: Sequence[int], **params: Any) -> tuple[list[str], Completion]:
    with Engine(cast(Transformer, Scripted(ids)), tokenizer, compile=False) as engine:
        return whole(engine, [0], SamplingParams(**{"temperature": 0, "max_tokens": len(ids), **params}))


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
    for stop, shown in (((), list("12345678")), (("STOP",), ["", "", "", *"12345", "678"])):
        with Engine(cast(Transformer, Scripted(tokenizer.encode("12345678"))), tokenizer, compile=False) as engine:
            params = SamplingParams(temperature=0, max_tokens=8, stop=stop)
            events = asyncio.run(collect(engine, [0], params))
        texts = [event.text for event in events if isinstance(event, Piece)]
        assert texts == (shown if not stop else [*shown[:-2], "5678"])


# Chance.


def test_the_same_seed_gives_the_same_text(engine: Engine) -> None:
    """Whatever the global random state; other seeds, and no seed, give others."""
    params = SamplingParams(max_tokens=12, seed=5)
    found = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        found.append(whole(engine, [0, 9], params))
        assert torch.equal(before, torch.get_rng_state()), "the caller's random numbers are not touched"
    assert found[0] == found[1]
    others = [dataclasses.replace(params, seed=seed) for seed in (6, 7, None, None)]
    texts = {whole(engine, [0, 9], other)[1].token_ids for other in (params, *others)}
    assert len(texts) == 5


def test_logprobs_are_the_models_own(engine: Engine, model: Transformer) -> None:
    """Not those of the sharpened and cut distribution that was drawn from."""
    prompt = [0, 9, 30]
    params = SamplingParams(temperature=0.5, top_p=0.7, top_k=9, max_tokens=10, seed=1)
    _, completion = whole(engine, prompt, params)
    ids = [*prompt, *completion.token_ids]
    with torch.no_grad():
        table = model(torch.tensor([ids]))[0].log_softmax(-1)
    expected = [float(table[place - 1, ids[place]]) for place in range(3, len(ids))]
    assert completion.logprobs == pytest.approx(expected, abs=1e-4)


def test_logprobs_at_the_temperature_of_the_sampling(engine: Engine, model: Transformer) -> None:
    """For reinforcement learning, which trains the policy that sampled; neighbours keep the model's own."""
    prompt = [0, 9, 30]
    hot = SamplingParams(temperature=0.5, max_tokens=10, seed=1, logprobs=2, tempered_logprobs=True)
    plain = dataclasses.replace(hot, tempered_logprobs=False)
    tempered, own = engine.generate([prompt, prompt], [hot, plain])
    assert tempered.token_ids == own.token_ids
    ids = [*prompt, *own.token_ids]
    with torch.no_grad():
        logits = model(torch.tensor([ids]))[0]
    for completion, table in ((tempered, (logits / 0.5).log_softmax(-1)), (own, logits.log_softmax(-1))):
        expected = [float(table[place - 1, ids[place]]) for place in range(3, len(ids))]
        assert completion.logprobs == pytest.approx(expected, abs=1e-4)
        best = [float(table[place - 1].max()) for place in range(3, len(ids))]
        assert [tops[0][1] for tops in completion.top_logprobs] == pytest.approx(best, abs=1e-4)


# What cannot work.


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
def test_prompts_that_cannot_work(engine: Engine, prompt: list[int], says: str) -> None:
    """Alone by stream, and beside others by generate, which go on."""
    with pytest.raises(RequestError, match=says):
        asyncio.run(collect(engine, prompt, GREEDY))
    good, bad, other = engine.generate([[0, 9], prompt, [0, 8]], GREEDY)
    assert (bad.finish_reason, bad.token_ids, type(bad.error)) == ("error", (), RequestError)
    assert (
        good.error is None and other.error is None and good.token_ids == engine.generate([[0, 9]], GREEDY)[0].token_ids
    )


@pytest.mark.parametrize("length", [1, 50, 62, 63])
def test_generation_ends_with_the_context(tokenizer: Tokenizer, length: int) -> None:
    with Engine(cast(Transformer, Scripted(list(itertools.repeat(70, 100)))), tokenizer, compile=False) as engine:
        _, completion = whole(engine, [3] * length, SamplingParams(temperature=0, max_tokens=100))
    assert len(completion.token_ids) == 64 - length and completion.finish_reason == "length"


# The same tokens, whatever else runs and however it is cut.


def seeds(count: int, **more: Any) -> list[SamplingParams]:
    """Greedy and seeded requests of other temperatures and lengths in turn."""
    source = random.Random(count)
    return [
        SamplingParams(
            temperature=(0, 1, 0.7)[number % 3],
            top_p=(1, 0.9)[number % 2],
            seed=number,
            max_tokens=source.randrange(1, 24),
            ignore_eos=True,
            **more,
        )
        for number in range(count)
    ]


def test_a_batch_of_64_says_what_each_alone_says(exact: Transformer, tokenizer: Tokenizer) -> None:
    prompts, params = random_prompts(64, seed=1), seeds(64)
    with Engine(exact, tokenizer) as engine:
        together = engine.generate(prompts, params)
    with Engine(exact, tokenizer, max_sequences=1) as engine:
        alone = [engine.generate([prompt], one)[0] for prompt, one in zip(prompts, params, strict=True)]
    for one, other, prompt, param in zip(together, alone, prompts, params, strict=True):
        assert (one.token_ids, one.text, one.finish_reason) == (other.token_ids, other.text, other.finish_reason)
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-9)
        if param.temperature == 0:
            assert one.token_ids == greedy_by_hand(exact, prompt, len(one.token_ids))


def test_in_float32_a_batch_differs_at_most_where_two_tokens_are_as_good(
    model: Transformer, tokenizer: Tokenizer
) -> None:
    """Sums of other shapes round differently: a token may change where the choice hung on the seventh digit."""
    prompts = random_prompts(64, seed=2)
    params = SamplingParams(temperature=0, max_tokens=24, ignore_eos=True)
    with Engine(model, tokenizer) as engine:
        together = engine.generate(prompts, params)
        alone = [engine.generate([prompt], params)[0] for prompt in prompts]
    for prompt, one, other in zip(prompts, together, alone, strict=True):
        apart = next((i for i, (a, b) in enumerate(zip(one.token_ids, other.token_ids, strict=True)) if a != b), None)
        if apart is not None:
            logits = model(torch.tensor([[*prompt, *one.token_ids[:apart]]]))[0, -1]
            assert abs(logits[one.token_ids[apart]] - logits[other.token_ids[apart]]) < 1e-4


@pytest.mark.parametrize(
    "options",
    [
        {"max_sequences": 3},
        {"max_sequences": 5, "prefill_tokens": 7},
        {"cache_tokens": 200},
        {"max_waiting": 2, "max_sequences": 2},
        {"num_speculative_tokens": 1},
        {"num_speculative_tokens": 3, "prefill_tokens": 11, "max_sequences": 6},
    ],
    ids=str,
)
def test_no_option_changes_the_tokens(exact: Transformer, tokenizer: Tokenizer, options: dict[str, int]) -> None:
    """Few rows, prompts in small pieces, a tight cache, a short queue, drafts. Drafts draw other random numbers."""
    prompts, params = random_prompts(40, seed=3), seeds(40)
    with Engine(exact, tokenizer) as engine:
        expected = engine.generate(prompts, params)
    with Engine(exact, tokenizer, **options) as engine:
        got = engine.generate(prompts, params)
        stats = engine.stats
    assert (stats.running, stats.waiting, stats.used_tokens) == (0, 0, 0)
    for one, other, param in zip(got, expected, params, strict=True):
        if "num_speculative_tokens" not in options or param.temperature == 0:
            assert (one.token_ids, one.finish_reason) == (other.token_ids, other.finish_reason)
            assert one.logprobs == pytest.approx(other.logprobs, abs=1e-9)


def test_shared_beginnings_are_read_once(exact: Transformer, tokenizer: Tokenizer) -> None:
    """A group of 16 answers reads its prompt once; a longer dialogue goes on where the shorter one ended."""
    (prompt,) = random_prompts(1, seed=4)
    prompt = [*prompt, *range(10, 30)]
    with Engine(exact, tokenizer) as engine:
        group = engine.generate([prompt], SamplingParams(n=16, seed=0, max_tokens=8, ignore_eos=True))
        assert sorted(one.cached_tokens for one in group) == [0] + [len(prompt) - 1] * 15
        assert [one.index for one in group] == list(range(16))
        assert len({one.token_ids for one in group}) > 8
        longer = [*prompt, *group[3].token_ids, 7, 8, 9]
        (further,) = engine.generate([longer], SamplingParams(temperature=0, max_tokens=5, ignore_eos=True))
        assert further.cached_tokens == len(prompt) + 7  # the last token of an answer was never read
        assert further.token_ids == greedy_by_hand(exact, longer, 5)
        assert engine.stats.kept_tokens > 0
        engine.reset_prefix_cache()
        assert engine.stats.kept_tokens == 0


@pytest.fixture(scope="module")
def roomy() -> Transformer:
    """A context of many cache widths: rows grow, shrink, and what is kept in them is cut."""
    return build(dataclasses.replace(CONFIG, max_position_embeddings=512), torch.float32)


def test_a_narrower_cache_cuts_what_is_kept(roomy: Transformer, tokenizer: Tokenizer) -> None:
    """A short request after a long one makes rows narrow; the long beginning is then only as good as what is left."""
    (long,) = [[0, *range(3, 103)]]
    params = SamplingParams(temperature=0, max_tokens=8, ignore_eos=True)
    with Engine(roomy, tokenizer, cache_tokens=200) as engine:
        for prompt in (long, [0, 250], [*long, 7]):
            (one,) = engine.generate([prompt], params)
            assert one.token_ids == greedy_by_hand(roomy, prompt, 8)
        assert 0 < one.cached_tokens <= 64


@pytest.mark.parametrize("drafts", [0, 2])
@pytest.mark.parametrize("seed", range(3))
def test_history_does_not_change_answers(roomy: Transformer, tokenizer: Tokenizer, seed: int, drafts: int) -> None:
    """Dialogues of all lengths go on in one engine with a tight cache; each answer is that of a fresh engine."""
    source = random.Random(seed)
    dialogues = [[0, *(source.randrange(3, VOCAB) for _ in range(20))] for _ in range(5)]
    with Engine(
        roomy, tokenizer, cache_tokens=source.choice([300, 700, 2000]), max_sequences=source.choice([2, 5]),
        prefill_tokens=source.choice([16, 100]), num_speculative_tokens=drafts,
    ) as engine:  # fmt: skip
        for turn in range(30):
            number = source.randrange(5)
            if len(dialogues[number]) > 200:
                dialogues[number] = dialogues[number][: source.randrange(10, 60)]
            prompt = [*dialogues[number], *(source.randrange(3, VOCAB) for _ in range(source.randrange(1, 30)))]
            size = source.randrange(1, 40)
            params = SamplingParams(temperature=turn % 3 / 2, seed=turn, max_tokens=size, ignore_eos=True)
            (got,) = engine.generate([prompt], params)
            with Engine(roomy, tokenizer, num_speculative_tokens=drafts) as fresh:
                (expected,) = fresh.generate([prompt], params)
            assert (got.token_ids, got.logprobs) == (expected.token_ids, expected.logprobs)
            dialogues[number] = [*prompt, *got.token_ids]


def test_the_budget_of_reading_holds(exact: Transformer, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step reads more than `prefill_tokens`, padding included, first pieces and later ones together."""
    read: list[int] = []
    with Engine(exact, tokenizer, prefill_tokens=10, max_sequences=8) as engine:
        batch = engine._batch
        piece, step = batch._read_piece, batch.step

        def counted(rows: Any, size: int) -> None:
            read[-1] += len(rows) * size
            piece(rows, size)

        def stepped() -> None:
            read.append(0)
            step()

        monkeypatch.setattr(batch, "_read_piece", counted)
        monkeypatch.setattr(batch, "step", stepped)
        engine.generate(random_prompts(20, 1), SamplingParams(max_tokens=4))
    assert max(read) <= 10 and sum(read) > 100


def test_a_large_request_that_waits_does_not_empty_the_cache(exact: Transformer, tokenizer: Tokenizer) -> None:
    """And when it is served, what was used last goes last."""
    hold, (first, second) = threading.Event(), random_prompts(2, 9)

    def slow(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        hold.wait(10)
        return logits

    with Engine(exact, tokenizer, cache_tokens=3 * 64) as engine:
        engine.generate([[*first, 1], [*second, 2]], SamplingParams(max_tokens=2, ignore_eos=True))
        kept = engine.stats.kept_tokens
        params = SamplingParams(max_tokens=30, logits_processors=slow, ignore_eos=True)
        running = threading.Thread(target=lambda: engine.generate([[0, 77]] * 3, params))
        running.start()
        while not engine.stats.running:
            time.sleep(0.005)
        time.sleep(0.05)
        assert kept > 0 and engine.stats.running <= 3
        hold.set()
        running.join(20)
        assert not running.is_alive()


class Arrivals:
    """Requests that come and go at random, by a seed; the engine must not care."""

    def __init__(self, engine: Engine, seed: int, count: int):
        self.engine, self.source, self.count = engine, random.Random(seed), count
        self.prompts, self.params = random_prompts(count, seed), seeds(count)
        self.done: dict[int, Completion] = {}

    async def one(self, number: int) -> None:
        await asyncio.sleep(self.source.random() * 0.05)
        patience = self.source.choice([0, 1, 3, 100])
        events = self.engine.stream(self.prompts[number], self.params[number])
        async for event in events:
            patience -= 1
            if isinstance(event, Completion):
                self.done[number] = event
            elif patience < 0:
                break  # the client has gone
        await events.aclose()  # type: ignore[attr-defined]

    async def all(self) -> None:
        await asyncio.gather(*(self.one(number) for number in range(self.count)))


@pytest.mark.parametrize("speculate", [0, 2])
@pytest.mark.parametrize("seed", range(4))
def test_random_arrivals_and_disappearances(
    exact: Transformer, tokenizer: Tokenizer, seed: int, speculate: int
) -> None:
    """Whoever stays to the end gets what he would get alone."""
    options = random.Random(seed)
    with Engine(
        exact, tokenizer, max_sequences=options.randrange(1, 9), prefill_tokens=options.randrange(3, 60),
        cache_tokens=options.choice([130, 500, None]), num_speculative_tokens=speculate,
    ) as engine:  # fmt: skip
        arrivals = Arrivals(engine, seed, 40)
        asyncio.run(arrivals.all())
        assert len(arrivals.done) > 5
        engine.reset_prefix_cache()  # waits until nothing runs
        assert (engine.stats.running, engine.stats.waiting, engine.stats.used_tokens) == (0, 0, 0)
    with Engine(exact, tokenizer, max_sequences=1, num_speculative_tokens=speculate) as alone:
        for number, completion in arrivals.done.items():
            (expected,) = alone.generate([arrivals.prompts[number]], arrivals.params[number])
            assert (completion.token_ids, completion.text) == (expected.token_ids, expected.text)


# What goes wrong for one request goes wrong for that one alone.


def test_errors_stay_with_their_request(exact: Transformer, tokenizer: Tokenizer) -> None:
    def broken(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        if len(answer) == 3:
            raise ValueError("out of ideas")
        return logits

    def nothing(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        return torch.full_like(logits, -math.inf)

    prompts, params = random_prompts(12, seed=5), seeds(12)
    params[2] = SamplingParams(max_tokens=9, logits_processors=(broken,))
    params[5] = SamplingParams(max_tokens=9, logits_processors=(nothing,))
    params[7] = SamplingParams(max_tokens=10**6)
    params[8] = SamplingParams(logit_bias=((VOCAB, 1.0),))
    prompts[9] = [0] * 500
    with Engine(exact, tokenizer, cache_tokens=63) as engine:
        got = engine.generate(prompts, params)
        expected = engine.generate(prompts[:2], params[:2])
    said = {number: str(one.error) for number, one in enumerate(got) if one.error}
    assert sorted(said) == [2, 5, 7, 8, 9]
    assert "a logits processor failed: ValueError: out of ideas" in said[2]
    assert "no token that could come next" in said[5]
    assert "take 64 cached tokens, the engine has 63" in said[7]
    assert f"token id {VOCAB} is outside" in said[8] and "the prompt has 500 tokens" in said[9]
    assert all(isinstance(got[number].error, RequestError) for number in said)
    assert [one.token_ids for one in got[:2]] == [one.token_ids for one in expected]
    assert all(one.finish_reason == "length" for number, one in enumerate(got) if number not in said)


def test_want_of_memory_ends_one_request(
    exact: Transformer, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The allocator refuses the large one; it ends alone, and the others are served."""
    from candor.infer.cache import LatentCache

    reserve = LatentCache.reserve

    def refusing(self: LatentCache, rows: int, tokens: int, keep: int) -> None:
        if tokens > 50:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")
        reserve(self, rows, tokens, keep)

    monkeypatch.setattr(LatentCache, "reserve", refusing)
    with Engine(exact, tokenizer) as engine:
        good, large, other = engine.generate(
            [[0, 5], [0, 6], [0, 7]], [SamplingParams(temperature=0, max_tokens=size) for size in (9, 60, 9)]
        )
    assert "there is no memory for a cache" in str(large.error)
    assert good.token_ids == greedy_by_hand(exact, [0, 5], 9) and other.token_ids == greedy_by_hand(exact, [0, 7], 9)


def test_a_step_that_fails_ends_its_requests_and_the_engine_goes_on(
    exact: Transformer, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(exact, tokenizer) as engine:
        monkeypatch.setattr(exact, "prefill", lambda *_: (_ for _ in ()).throw(RuntimeError("out of memory\nmore")))
        (failed,) = engine.generate([[0, 5]], GREEDY)
        assert "a step of the engine failed (RuntimeError: out of memory)" in str(failed.error)
        monkeypatch.undo()
        (good,) = engine.generate([[0, 5]], SamplingParams(temperature=0, max_tokens=9))
        assert good.token_ids == greedy_by_hand(exact, [0, 5], 9)


def test_damaged_weights_are_an_error_not_a_text(tokenizer: Tokenizer) -> None:
    model = build(CONFIG)
    with torch.no_grad():
        model.norm.weight[3] = math.nan
    with Engine(model, tokenizer) as engine:
        for params in (GREEDY, SamplingParams(seed=1), SamplingParams(temperature=0.5, top_p=0.9, top_k=5)):
            (one,) = engine.generate([[0, 5]], params)
            assert "not finite" in str(one.error) and one.finish_reason == "error"


def test_a_full_queue_refuses_streams_and_makes_generate_wait(exact: Transformer, tokenizer: Tokenizer) -> None:
    async def crowd(engine: Engine) -> list[Any]:
        params = SamplingParams(max_tokens=20, seed=1, ignore_eos=True)
        return await asyncio.gather(*(collect(engine, [0, 5], params) for _ in range(12)), return_exceptions=True)

    with Engine(exact, tokenizer, max_sequences=1, max_waiting=3) as engine:
        results = asyncio.run(crowd(engine))
        refused = [one for one in results if isinstance(one, Overloaded)]
        assert 6 <= len(refused) <= 9 and "3 requests are waiting already" in str(refused[0])
        assert len({one[-1].token_ids for one in results if isinstance(one, list)}) == 1
        assert len(engine.generate([[0, 5]] * 12, SamplingParams(max_tokens=2))) == 12


def test_requests_that_come_back_to_a_full_queue_wait_there(exact: Transformer, tokenizer: Tokenizer) -> None:
    """Who finds no row goes back into the queue, which whoever woke late may have filled meanwhile."""
    engine = Engine(exact, tokenizer, max_sequences=1, max_waiting=2)
    add = engine._batch.add

    def slow(request: Any) -> Any:
        end = time.monotonic() + 0.2
        with engine._wake:
            engine._wake.notify_all()
        while len(engine._waiting) < 2 and time.monotonic() < end:
            time.sleep(0.001)
        return add(request)

    engine._batch.add = slow  # type: ignore[method-assign]
    said: list[Completion] = []
    asking = threading.Thread(
        target=lambda: said.extend(engine.generate([[0, 5]] * 9, SamplingParams(max_tokens=2))), daemon=True
    )
    asking.start()
    asking.join(60)
    assert len(said) == 9
    engine.close()


def test_clients_that_left_the_queue_make_room(exact: Transformer, tokenizer: Tokenizer) -> None:
    """Also behind one that cannot be served yet."""
    hold = threading.Event()

    def slow(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        hold.wait(10)
        return logits

    async def crowd(engine: Engine) -> None:
        first = asyncio.create_task(collect(engine, [0, 5], SamplingParams(max_tokens=2, logits_processors=slow)))
        while not engine.stats.running:
            await asyncio.sleep(0.005)
        waiting = [asyncio.create_task(collect(engine, [0, 5], SamplingParams(max_tokens=2))) for _ in range(3)]
        while engine.stats.waiting < 3:
            await asyncio.sleep(0.005)
        for task in waiting[1:]:
            task.cancel()
        hold.set()
        await asyncio.gather(first, *waiting, return_exceptions=True)
        assert waiting[0].done() and not waiting[0].cancelled()

    with Engine(exact, tokenizer, max_sequences=1, max_waiting=3) as engine:
        asyncio.run(crowd(engine))
        engine.reset_prefix_cache()
        assert engine.stats.waiting == 0


def test_a_trainers_activations_in_bfloat16(tokenizer: Tokenizer) -> None:
    """A model whose activations are bfloat16 over float32 weights, as in training, generates on either step."""
    model = build(CONFIG, torch.float32)
    model.compute_dtype = torch.bfloat16
    for compiled in (False, None):
        with Engine(model, tokenizer, compile=compiled) as engine:
            (one,) = engine.generate([[0, 5, 9]], SamplingParams(temperature=0, max_tokens=5, ignore_eos=True))
            assert one.error is None and len(one.token_ids) == 5


def test_one_text_a_list_or_a_dict_will_do() -> None:
    loose = SamplingParams(stop="ab", stop_token_ids=[3], logit_bias={5: 1})  # type: ignore[arg-type]
    assert (loose.stop, loose.stop_token_ids, loose.logit_bias) == (("ab",), (3,), ((5, 1.0),))


def test_a_prompt_is_not_a_list_of_prompts(engine: Engine) -> None:
    for prompts in ("text", [0, 5, 9]):
        with pytest.raises(ConfigError, match="give a list of them"):
            engine.generate(prompts)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="1 prompts and 2 sampling parameters"):
        engine.generate(["a"], [GREEDY, GREEDY])


def test_negative_seeds_are_seeds_of_their_own(engine: Engine) -> None:
    texts = {
        engine.generate([[0, 9]], SamplingParams(seed=seed, max_tokens=12))[0].token_ids for seed in (-2, -1, 1, 2)
    }
    assert len(texts) == 4


@pytest.mark.parametrize("problem", [SystemExit(), KeyboardInterrupt(), asyncio.CancelledError(), MemoryError()])
def test_whatever_a_processor_raises_the_engine_lives(engine: Engine, problem: BaseException) -> None:
    def broken(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        raise problem

    bad, good = engine.generate([[0, 5]] * 2, [SamplingParams(logits_processors=broken), SamplingParams(max_tokens=2)])
    assert type(problem).__name__ in str(bad.error) and good.error is None


@pytest.mark.parametrize("place", ["step", "copy"])
def test_errors_without_words_and_half_way(
    exact: Transformer, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Want of memory in the middle of a step or of giving out a row: those there end, the next ones are served."""
    from candor.infer.batch import Batch
    from candor.infer.cache import LatentCache

    def refuse(*_: Any) -> None:
        raise MemoryError

    prompt = list(range(3, 30))
    with Engine(exact, tokenizer) as engine:
        expected = engine.generate([prompt], SamplingParams(temperature=0, max_tokens=4))
        monkeypatch.setattr(*((Batch, "step") if place == "step" else (LatentCache, "copy")), refuse)
        (one,) = engine.generate([[*prompt[:20], 99]], SamplingParams(max_tokens=4))
        assert "MemoryError" in str(one.error)
        monkeypatch.undo()
        (good,) = engine.generate([prompt], SamplingParams(temperature=0, max_tokens=4))
        assert good.token_ids == expected[0].token_ids
        assert engine.stats.running == 0


def test_prompts_and_parameters_of_wrong_types(engine: Engine) -> None:
    """Each fails alone, or when it is made; whole numbers of other libraries will do."""
    good = SamplingParams(max_tokens=2, seed=np.int64(4), top_k=torch.tensor(3))  # type: ignore[arg-type]
    prompts: list[Any] = [
        "a\ud800",
        None,
        7.5,
        [0, 1.5],
        ["a"],
        np.array([0, 5]),
        torch.tensor([0, 5]),
        [np.int64(0), 5],
    ]
    done = engine.generate(prompts, good)
    assert [one.finish_reason == "error" for one in done] == [True] * 5 + [False] * 3
    assert len({one.token_ids for one in done[5:]}) == 1
    for bad in ({"top_k": 1.5}, {"logprobs": 1.5}, {"max_tokens": "9"}, {"n": None}, {"temperature": math.inf},
                  {"logit_bias": {3: math.inf}}):  # fmt: skip
        with pytest.raises((ConfigError, TypeError)):
            SamplingParams(**bad)  # type: ignore[arg-type]


def test_a_processor_must_return_logits(engine: Engine) -> None:
    def scalar(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        return logits.sum()

    def infinite(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        return torch.full_like(logits, math.inf)

    for processor in (scalar, infinite):
        (one,) = engine.generate([[0, 5]], SamplingParams(max_tokens=3, logits_processors=processor))
        assert one.finish_reason == "error"


def test_a_processor_cannot_stop_its_own_engine(engine: Engine) -> None:
    for action in (engine.close, engine.update_weights, lambda: engine.generate([[0]])):

        def inside(prompt: Any, answer: Any, logits: Tensor, action: Any = action) -> Tensor:
            action()
            return logits

        (one,) = engine.generate([[0, 5]], SamplingParams(max_tokens=3, logits_processors=inside))
        assert "cannot call the engine that runs it" in str(one.error)
    assert engine.generate([[0, 5]], SamplingParams(max_tokens=2))[0].error is None


def test_a_forked_process_is_told_so(engine: Engine) -> None:
    """The thread stays with the parent: the child must not wait for it."""
    engine.generate([[0, 5]], SamplingParams(max_tokens=2))
    child = os.fork()
    if not child:
        code = 1
        try:
            engine.generate([[0, 5]])
        except EngineClosed:
            engine.close()
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_loop_that_closes_leaves_nothing_running(exact: Transformer, tokenizer: Tokenizer) -> None:
    with Engine(exact, tokenizer) as engine:
        loop = asyncio.new_event_loop()
        events = engine.stream([0, 5], SamplingParams(max_tokens=62, ignore_eos=True, logits_processors=lag))
        loop.run_until_complete(anext(events))
        loop.close()
        engine.reset_prefix_cache()  # waits until nothing runs
        assert engine.stats.steps < 40


def lag(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
    time.sleep(0.01)
    return logits


def test_an_error_of_our_own_ends_the_requests_not_the_engine(
    exact: Transformer, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from candor.infer.batch import Batch

    with Engine(exact, tokenizer) as engine:
        monkeypatch.setattr(Batch, "add", lambda *_: 1 / 0)
        (one,) = engine.generate([[0, 5]], GREEDY)
        assert "ZeroDivisionError" in str(one.error)
        monkeypatch.undo()
        assert engine.generate([[0, 5]], SamplingParams(max_tokens=2))[0].error is None


def test_cancel_frees_the_cache_at_once(exact: Transformer, tokenizer: Tokenizer) -> None:
    """The step that is under way is the last one of a request whose reader has gone."""
    reached, gone = threading.Event(), threading.Event()

    def slow(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        if len(answer) == 3:
            reached.set()
            gone.wait(10)
        return logits

    async def leave(engine: Engine) -> int:
        params = SamplingParams(max_tokens=60, ignore_eos=True, logits_processors=(slow,))
        events = engine.stream([0, 5], params)
        await anext(events)
        await asyncio.to_thread(reached.wait, 10)
        before = engine.stats.used_tokens
        await events.aclose()  # type: ignore[attr-defined]
        gone.set()
        return before

    with Engine(exact, tokenizer) as engine:
        assert asyncio.run(leave(engine)) >= 4
        engine.reset_prefix_cache()  # waits until nothing runs
        assert engine.stats.used_tokens == 0 and engine.stats.steps <= 5


def test_closing_ends_what_runs(exact: Transformer, tokenizer: Tokenizer) -> None:
    async def closed(engine: Engine) -> list[Piece | Completion]:
        task = asyncio.create_task(collect(engine, [0, 5], SamplingParams(max_tokens=60, ignore_eos=True)))
        await asyncio.sleep(0.02)
        engine.close()
        return await task

    engine = Engine(exact, tokenizer)
    completion = asyncio.run(closed(engine))[-1]
    assert isinstance(completion, Completion) and completion.finish_reason in ("cancelled", "length")
    with pytest.raises(RequestError, match="closed"):
        engine.generate([[0, 5]])
    with pytest.raises(EngineClosed):
        engine.update_weights()
    engine.close()


def test_closing_while_weights_wait_says_so(exact: Transformer, tokenizer: Tokenizer) -> None:
    """What was not done must not look done."""
    hold = threading.Event()

    def slow(prompt: Sequence[int], answer: Sequence[int], logits: Tensor) -> Tensor:
        hold.wait(10)
        return logits

    engine = Engine(exact, tokenizer)
    found: list[BaseException] = []

    def update() -> None:
        try:
            engine.update_weights({"no such tensor": torch.zeros(1)})
        except BaseException as error:
            found.append(error)

    params = SamplingParams(max_tokens=3, logits_processors=(slow,))
    running = threading.Thread(target=lambda: engine.generate([[0, 5]], params))
    running.start()
    while not engine.stats.running:
        time.sleep(0.005)
    updating = threading.Thread(target=update)
    updating.start()
    time.sleep(0.05)
    closing = threading.Thread(target=engine.close)
    closing.start()
    hold.set()
    for thread in (running, updating, closing):
        thread.join(10)
        assert not thread.is_alive()
    assert isinstance(found[0], EngineClosed | ModelError)


# Weights.


def test_new_weights_count_from_the_next_request(tokenizer: Tokenizer) -> None:
    """And nothing that the old ones put into the cache is used again."""
    model, other = build(CONFIG), build(CONFIG)
    other.init_weights(0.3, torch.Generator().manual_seed(9))
    prompt = list(range(5, 30))
    params = SamplingParams(temperature=0, max_tokens=9, ignore_eos=True)
    with Engine(model, tokenizer) as engine:
        (before,) = engine.generate([prompt], params)
        engine.update_weights(other.state_dict())
        (after,) = engine.generate([prompt], params)
        assert after.cached_tokens == 0
        assert after.token_ids == greedy_by_hand(other, prompt, 9) != before.token_ids
        with pytest.raises(ModelError, match=r"no tensor lm_head\.weight of shape"):
            engine.update_weights({"norm.weight": other.norm.weight, "lm_head.weight": torch.zeros(2)})
        with torch.no_grad():
            model.load_state_dict(build(CONFIG).state_dict())
        engine.update_weights()
        assert engine.generate([prompt], params)[0].token_ids == before.token_ids


# The engine itself.


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_sequences": 0}, "max_sequences=0 must be at least 1"),
        ({"cache_tokens": 0}, "cache_tokens=0"),
        ({"num_speculative_tokens": -1}, "num_speculative_tokens=-1 must be 0 or more"),
    ],
)
def test_options_that_cannot_work(model: Transformer, tokenizer: Tokenizer, options: dict[str, int], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Engine(model, tokenizer, **options)


def test_a_model_without_mtp_cannot_draft(tokenizer: Tokenizer) -> None:
    with pytest.raises(ConfigError, match="has no MTP module"):
        Engine(build(dataclasses.replace(CONFIG, num_nextn_predict_layers=0)), tokenizer, num_speculative_tokens=1)


def test_bytes_per_cached_token(exact: Transformer, tokenizer: Tokenizer) -> None:
    """Two layers of kv_lora_rank + qk_rope_head_dim values, not full heads."""
    c = CONFIG
    with Engine(exact, tokenizer) as engine:
        assert engine.stats.bytes_per_token == 2 * (c.kv_lora_rank + c.qk_rope_head_dim) * 8


def test_top_logprobs_and_stop_ids(engine: Engine, model: Transformer) -> None:
    (one,) = engine.generate([[0, 9]], SamplingParams(temperature=0, max_tokens=6, logprobs=3, ignore_eos=True))
    assert len(one.top_logprobs) == 6
    for token, logprob, top in zip(one.token_ids, one.logprobs, one.top_logprobs, strict=True):
        assert top[0] == (token, pytest.approx(logprob)) and len(top) == 3
        assert top[0][1] >= top[1][1] >= top[2][1]
    table = model(torch.tensor([[0, 9]]))[0, -1].log_softmax(-1).topk(3)
    assert [token for token, _ in one.top_logprobs[0]] == table.indices.tolist()
    stopping = SamplingParams(temperature=0, max_tokens=6, stop_token_ids=(one.token_ids[2],), ignore_eos=True)
    (cut,) = engine.generate([[0, 9]], stopping)
    first = one.token_ids.index(one.token_ids[2])
    assert cut.token_ids == one.token_ids[: first + 1] and cut.finish_reason == "stop"


def test_each_completion_is_told_as_it_comes(engine: Engine) -> None:
    told: dict[int, Completion] = {}
    prompts: list[Prompt] = [[0, 7], [], [0, 9]]  # the second cannot be served
    found = engine.generate(prompts, SamplingParams(max_tokens=5, n=2, seed=1), done=told.__setitem__)
    assert [told[place] for place in range(6)] == found
    assert [one.finish_reason == "error" for one in found] == [False, False, True, True, False, False]


def test_an_error_in_the_telling_ends_the_call_and_not_the_engine(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        engine.generate([[0, 7]] * 3, SamplingParams(max_tokens=5), done=lambda place, completion: 1 // 0)
    assert engine.generate([[0, 7]], SamplingParams(max_tokens=5, ignore_eos=True))[0].finish_reason == "length"
