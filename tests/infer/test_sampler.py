"""The distribution that tokens are drawn from, by hand and by transformers, and draws that follow it."""

import math
import random
from collections import Counter
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from candor.errors import ConfigError
from candor.infer import SamplingParams
from candor.infer.sampler import distribution, draw, shape

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
    chances = random.Random(11)
    shares = distribution(torch.tensor([LOGITS]), [params])
    expected = probabilities(LOGITS, params)
    assert shares[0].tolist() == pytest.approx(expected, abs=1e-6)
    draws = Counter(draw(shares.expand(4000, -1), [chances.random() for _ in range(4000)]).tolist())
    assert all(expected[token] > 0 for token in draws)
    likely = [token for token in range(8) if 4000 * expected[token] >= 5]
    chi = sum((draws[token] - 4000 * expected[token]) ** 2 / (4000 * expected[token]) for token in likely)
    limits = [0, 15.1, 18.4, 21.1, 23.5, 25.7, 27.9, 29.9]  # of 0 to 7 degrees of freedom
    assert chi <= limits[len(likely) - 1]


def test_the_cut_by_hand() -> None:
    """Probabilities 0.5, 0.3, 0.15, 0.05: the smallest set of at least 0.8 has two tokens, of more than that three."""
    logits = torch.tensor([[0.15, 0.5, 0.05, 0.3]]).log()
    for top_p, kept in ((0.001, {1}), (0.5, {1}), (0.51, {1, 3}), (0.79, {1, 3}), (0.81, {0, 1, 3}), (1, {0, 1, 2, 3})):
        shares = distribution(logits, [SamplingParams(top_p=top_p)])[0]
        assert {token for token in range(4) if shares[token] > 0} == kept


@pytest.mark.parametrize("temperature", [0, 1e-30, 1e-310])
def test_towards_zero_the_temperature_takes_the_best(temperature: float) -> None:
    shares = distribution(torch.tensor([LOGITS]), [SamplingParams(temperature=temperature)])
    assert shares[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("width", [50, 1000])
@pytest.mark.parametrize("flat", [False, True])
def test_cuts_are_transformers(width: int, flat: bool) -> None:
    """Rows of other parameters side by side; flat distributions need more than the first tokens for top_p."""
    generator = torch.Generator().manual_seed(width)
    logits = torch.randn(6, width, generator=generator) * (0.1 if flat else 4)
    rows = [
        SamplingParams(),
        SamplingParams(temperature=0.7, top_k=7),
        SamplingParams(top_p=0.9),
        SamplingParams(temperature=1.5, min_p=0.05),
        SamplingParams(temperature=0.6, top_p=0.95, top_k=40),
        SamplingParams(top_p=0.3),
    ]
    got = distribution(logits, rows)
    for line, row, ours in zip(logits, rows, got, strict=True):
        scores = line[None].double()
        if row.temperature != 1:
            scores = TemperatureLogitsWarper(row.temperature)(torch.empty(1, 0), scores)
        if row.top_k:
            scores = TopKLogitsWarper(row.top_k)(torch.empty(1, 0), scores)
        if row.min_p:
            scores = MinPLogitsWarper(row.min_p)(torch.empty(1, 0), scores)
        if row.top_p < 1:
            scores = TopPLogitsWarper(row.top_p)(torch.empty(1, 0), scores)
        torch.testing.assert_close(ours.double(), scores.softmax(-1)[0], atol=1e-6, rtol=1e-4)
        alone = distribution(line[None], [row])[0]
        assert torch.equal(ours, alone), "no row depends on the others"


def test_penalties_by_hand() -> None:
    logits = torch.tensor([2.0, -2.0, 1.0, 0.5, 3.0])
    params = SamplingParams(repetition_penalty=2.0, presence_penalty=0.5, frequency_penalty=0.25,
                            logit_bias=((3, 10.0), (0, -1.0)))  # fmt: skip
    shaped = shape(logits, params, [0, 1], [2, 2, 4])
    # In the prompt or answer: 0, 1, 2, 4. In the answer: 2 twice, 4 once.
    assert shaped.tolist() == [1.0 - 1.0, -4.0, 0.5 - 0.5 - 0.5, 10.5, 1.5 - 0.5 - 0.25]
    assert logits.tolist() == [2.0, -2.0, 1.0, 0.5, 3.0]
    reference = RepetitionPenaltyLogitsProcessor(2.0)(torch.tensor([[0, 1, 2, 2, 4]]), logits[None].clone())
    assert torch.equal(shape(logits, SamplingParams(repetition_penalty=2.0), [0, 1], [2, 2, 4]), reference[0])


def test_processors_run_in_order_and_see_prompt_and_answer() -> None:
    def first(prompt: Sequence[int], answer: Sequence[int], logits: torch.Tensor) -> torch.Tensor:
        assert (list(prompt), list(answer)) == ([1], [2, 0])
        return logits + 1

    shaped = shape(
        torch.zeros(3), SamplingParams(logits_processors=(first, lambda _p, _a, logits: logits * 3)), [1], [2, 0]
    )
    assert shaped.tolist() == [3, 3, 3]


@settings(max_examples=200, deadline=None)
@given(
    shares=st.lists(st.sampled_from([0.0, 1e-9, 0.1, 1.0]), min_size=1, max_size=9).filter(any),
    chance=st.one_of(st.floats(0, 1, exclude_max=True), st.just(1 - 2**-53)),
)
def test_no_token_of_probability_zero_is_drawn(shares: list[float], chance: float) -> None:
    """Whatever the number, the largest below one included."""
    (token,) = draw(torch.tensor([shares]), [chance]).tolist()
    assert shares[token] > 0


@pytest.mark.parametrize(
    ("params", "says"),
    [
        ({"temperature": -0.1}, "temperature=-0.1 must be 0 or more"),
        ({"temperature": math.nan}, "temperature=nan"),
        ({"top_p": 0}, "top_p=0 must be above 0"),
        ({"top_p": 1.1}, "top_p=1.1"),
        ({"top_k": -1}, "top_k=-1"),
        ({"min_p": 1.5}, "min_p=1.5 must be from 0 to 1"),
        ({"max_tokens": 0}, "max_tokens=0 must be 1 or more"),
        ({"n": 0}, "n=0 must be 1 or more"),
        ({"stop": ("a", "")}, "stop="),
        ({"seed": 2**64}, "seed=18446744073709551616"),
        ({"repetition_penalty": 0}, "repetition_penalty=0 must be above 0"),
        ({"presence_penalty": math.inf}, "presence_penalty=inf"),
        ({"logit_bias": ((3, math.nan),)}, "logit_bias="),
        ({"logprobs": -1}, "logprobs=-1"),
    ],
)
def test_parameters_that_cannot_work_are_refused_by_name(params: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        SamplingParams(**params)  # type: ignore[arg-type]
