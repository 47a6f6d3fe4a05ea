"""The losses against numbers worked out by hand; `tests/parity/test_trl_losses.py` has those that TRL computes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from candor.config import field_docs, override
from candor.errors import ConfigError, TrainingError
from candor.rl.losses import (
    LossConfig,
    Totals,
    advantages,
    logprob_gap,
    overlong_penalty,
    policy_loss,
)

KINDS = ["grpo", "r1", "dr_grpo", "dapo", "gspo", "cispo"]


def config(kind: str, **options: Any) -> LossConfig:
    return LossConfig(kind=kind, **({"max_length": 10} if kind == "dr_grpo" else {}) | options)  # type: ignore[arg-type]


def logs(*rows: list[float]) -> Tensor:
    """Log-probabilities [B, T] of the given probabilities; rows are filled up with 0.9."""
    longest = max(map(len, rows))
    return torch.tensor([row + [0.9] * (longest - len(row)) for row in rows], dtype=torch.float64).log()


def lengths(*counts: int) -> Tensor:
    """The mask of answers with so many tokens."""
    return torch.arange(max(counts)) < torch.tensor(counts)[:, None]


def numbers(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_batch(seed: int, B: int = 7, T: int = 9) -> dict[str, Tensor]:
    """Answers of 0 to T tokens in float64, with ratios on both sides of 1."""
    torch.manual_seed(seed)
    old = -torch.rand(B, T, dtype=torch.float64) * 3
    counts = torch.randint(1, T + 1, (B,))
    counts[2] = 0
    return {
        "logprobs": (old + 0.3 * torch.randn_like(old)).requires_grad_(),
        "old_logprobs": old,
        "advantages": torch.randn(B, dtype=torch.float64),
        "mask": torch.arange(T) < counts[:, None],
        "ref_logprobs": old + 0.2 * torch.randn_like(old),
        "sampler_logprobs": old + 0.1 * torch.randn_like(old),
    }


# Normalisation and sign: two answers of one and three tokens with advantages 1 and -2, at ratio 1.

AT_RATIO_ONE = {
    # kind: loss, gradient of the token of the first answer, of each token of the second
    "grpo": (0.5, -1 / 2, 2 / (2 * 3)),
    "r1": (0.5, -1 / 2, 2 / 2),
    "dr_grpo": (-(1 - 6) / (2 * 10), -1 / (2 * 10), 2 / (2 * 10)),
    "dapo": (-(1 - 6) / 4, -1 / 4, 2 / 4),
    "gspo": (0.5, -1 / 2, 2 / (2 * 3)),
    "cispo": (-(math.log(0.5) - 2 * math.log(0.2 * 0.3 * 0.4)) / 4, -1 / 4, 2 / 4),
}


@pytest.mark.parametrize("kind", KINDS)
def test_at_ratio_one_the_gradient_is_that_of_reinforce(kind: str) -> None:
    """-A grad log pi, each kind with its own weights of answers and tokens."""
    now = logs([0.5], [0.2, 0.3, 0.4]).requires_grad_()
    mask = lengths(1, 3)
    result = policy_loss(config(kind, beta=0), now, now, numbers(1, -2), mask)
    result.loss.backward()
    loss, first, second = AT_RATIO_ONE[kind]
    assert result.loss.item() == pytest.approx(loss)
    torch.testing.assert_close(now.grad, torch.tensor([[first, 0, 0], [second] * 3], dtype=torch.float64))
    assert (float(result.ratio), float(result.clip_low), float(result.clip_high)) == (pytest.approx(1), 0, 0)


# Clipping: one token; range 0.8 to 1.3.

CLIP = [
    # ratio, advantage, loss, gradient, which side is clipped
    (1.2, 1.0, -1.2, -1.2, None),
    (1.5, 1.0, -1.3, 0.0, "high"),  # good and already likelier: no more
    (0.5, 1.0, -0.5, -0.5, None),  # good and less likely: repaired, however low
    (0.9, -1.0, 0.9, 0.9, None),
    (0.5, -1.0, 0.8, 0.0, "low"),  # bad and already less likely: no more
    (1.5, -1.0, 1.5, 1.5, None),  # bad and likelier: repaired, however high
    (1.5, 0.0, 0.0, 0.0, None),
    (0.5, 0.0, 0.0, 0.0, None),
]


@pytest.mark.parametrize("kind", ["grpo", "r1", "dr_grpo", "dapo", "gspo"])
@pytest.mark.parametrize(("ratio", "advantage", "loss", "gradient", "side"), CLIP)
def test_clipping(kind: str, ratio: float, advantage: float, loss: float, gradient: float, side: str | None) -> None:
    now = logs([0.4 * ratio]).requires_grad_()
    options = config(kind, beta=0, eps_low=0.2, eps_high=0.3, **({"max_length": 1} if kind == "dr_grpo" else {}))
    result = policy_loss(options, now, logs([0.4]), numbers(advantage), lengths(1))
    result.loss.backward()
    assert result.loss.item() == pytest.approx(loss)
    assert now.grad is not None and float(now.grad) == pytest.approx(gradient)
    assert (float(result.clip_low), float(result.clip_high)) == (side == "low", side == "high")
    assert float(result.ratio) == pytest.approx(ratio)


@pytest.mark.parametrize("advantage", [1.0, -1.0])
@pytest.mark.parametrize(("ratio", "weight"), [(0.1, 0.1), (1.2, 1.2), (2.0, 1.5)])
def test_cispo_caps_the_weight_and_drops_no_token(ratio: float, weight: float, advantage: float) -> None:
    now = logs([0.4 * ratio]).requires_grad_()
    result = policy_loss(config("cispo", weight_cap=1.5), now, logs([0.4]), numbers(advantage), lengths(1))
    result.loss.backward()
    assert result.loss.item() == pytest.approx(-weight * advantage * math.log(0.4 * ratio))
    assert now.grad is not None and float(now.grad) == pytest.approx(-weight * advantage)
    assert (float(result.clip_low), float(result.clip_high)) == (0, ratio > 1.5)


# The ratio of a whole answer: 0.6/0.5 * 0.5/0.4 = 1.5 for the first, 1.1 for the second, which has one token.

SEQUENCE = {
    ("r1", None): -(1.5 * 2 - 1.1) / 2,
    ("r1", 0.2): -(1.2 * 2 - 1.1) / 2,
    ("gspo", 10.0): -(math.sqrt(1.5) * 2 - 1.1) / 2,  # the geometric mean of its tokens' ratios
    ("gspo", 0.2): -(1.2 * 2 - 1.1) / 2,
    ("gspo", 0.23): -(math.sqrt(1.5) * 2 - 1.1) / 2,  # sqrt(1.5) is below 1.23, 1.5 is not
}


@pytest.mark.parametrize(("kind", "eps"), SEQUENCE)
def test_sequence_ratio(kind: str, eps: float | None) -> None:
    now = logs([0.6, 0.5], [0.44]).requires_grad_()
    options = config(kind, eps_low=eps, eps_high=eps, beta=0)
    result = policy_loss(options, now, logs([0.5, 0.4], [0.4]), numbers(2, -1), lengths(2, 1))
    result.loss.backward()
    assert result.loss.item() == pytest.approx(SEQUENCE[kind, eps])
    whole = 1.5 if kind == "r1" else math.sqrt(1.5)
    each = 0.0 if eps == 0.2 else -whole * 2 / 2 / (1 if kind == "r1" else 2)
    torch.testing.assert_close(now.grad, torch.tensor([[each, each], [1.1 / 2, 0]], dtype=torch.float64))
    assert float(result.ratio) == pytest.approx((2 * whole + 1.1) / 3)  # over tokens
    assert float(result.clip_high) == pytest.approx(2 / 3 if eps == 0.2 else 0)


def test_kl_of_r1_is_of_the_whole_answer_and_elsewhere_of_each_token() -> None:
    """pi_ref/pi is 0.3/0.6 * 0.5/0.25 = 1 for the answer and 0.5 and 2 for its tokens."""
    now, ref = logs([0.6, 0.25]), logs([0.3, 0.5])
    tokens = (0.5 - math.log(0.5) - 1 + 2 - math.log(2) - 1) / 2
    for kind, expected in (("r1", 0.0), ("grpo", tokens), ("dapo", tokens), ("gspo", tokens), ("cispo", tokens)):
        result = policy_loss(config(kind, beta=0.1), now, now, numbers(0), lengths(2), ref_logprobs=ref)
        assert result.loss.item() == pytest.approx(0.1 * expected), kind
        assert result.kl is not None and float(result.kl) == pytest.approx(tokens), kind
    ref = logs([0.3, 0.125])  # pi_ref/pi is 1/4
    result = policy_loss(config("r1", beta=0.1), now, now, numbers(0), lengths(2), ref_logprobs=ref)
    assert result.loss.item() == pytest.approx(0.1 * (0.25 + math.log(4) - 1))
    assert result.kl is not None and float(result.kl) == pytest.approx(0.5 - math.log(0.5) - 1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_k3_is_never_negative_and_zero_where_the_models_agree(dtype: torch.dtype) -> None:
    batch = {name: value.detach() for name, value in random_batch(0).items() if name != "sampler_logprobs"}
    batch = {name: value.to(dtype) if value.is_floating_point() else value for name, value in batch.items()}
    for spread in (1e-6, 1e-3, 1.0):
        batch["ref_logprobs"] = batch["logprobs"] + spread * torch.randn_like(batch["logprobs"])
        for row in range(7):
            one = {name: value[row : row + 1] for name, value in batch.items()}
            kl = policy_loss(config("grpo"), **one).kl
            assert kl is not None and float(kl) >= 0
    batch["ref_logprobs"] = batch["logprobs"]
    result = policy_loss(config("grpo", beta=5.0), **batch)
    assert result.kl is not None and float(result.kl) == 0
    assert result.loss.item() == policy_loss(config("grpo", beta=0), **batch).loss.item()


def test_without_a_reference_there_is_no_kl_and_with_beta_zero_it_is_only_measured() -> None:
    batch = random_batch(1)
    ref, _ = batch.pop("ref_logprobs"), batch.pop("sampler_logprobs")
    plain = policy_loss(config("dapo"), **batch)
    watched = policy_loss(config("dapo"), **batch, ref_logprobs=ref)
    assert plain.kl is None and watched.kl is not None and watched.kl > 0
    assert torch.equal(plain.loss, watched.loss) and not watched.kl.requires_grad


# The sampler's own log-probabilities: pi_old / pi_sampler is 2 and 1.25 in the first answer, 0.5 in the second.


@pytest.mark.parametrize(
    ("correction", "cap", "weights"),
    [
        ("token", None, (2, 1.25, 0.5)),  # the published cap is 2
        ("token", 1.5, (1.5, 1.25, 0.5)),
        ("sequence", None, (2, 2, 0.5)),  # 2.5, capped
        ("sequence", 3.0, (2.5, 2.5, 0.5)),
    ],
)
def test_sampler_correction_weighs_the_gain_and_not_the_kl(
    correction: Any, cap: float | None, weights: tuple[float, float, float]
) -> None:
    now = logs([0.5, 0.5], [0.2]).requires_grad_()
    options = config("dapo", beta=0.1, sampler_correction=correction, sampler_cap=cap)
    sampler, ref = logs([0.25, 0.4], [0.4]), logs([0.25, 0.5], [0.2])
    mask = lengths(2, 1)
    result = policy_loss(options, now, now, numbers(1, -3), mask, ref_logprobs=ref, sampler_logprobs=sampler)
    result.loss.backward()
    kl = 0.5 - math.log(0.5) - 1
    a, b, c = weights
    assert result.loss.item() == pytest.approx((-a - b + 3 * c + 0.1 * kl) / 3)
    expected = torch.tensor([[-a + 0.1 * (1 - 0.5), -b], [3 * c, 0]], dtype=torch.float64) / 3
    torch.testing.assert_close(now.grad, expected)


@pytest.mark.parametrize("correction", [None, "token", "sequence"])
@pytest.mark.parametrize("kind", KINDS)
def test_micro_batches_add_up_to_the_batch(kind: str, correction: Any) -> None:
    """Loss, gradient and every figure, however the batch is cut; an answer without tokens is among them."""
    batch = random_batch(2)
    if correction is None:
        del batch["sampler_logprobs"]
    options = config(kind, beta=0.05, sampler_correction=correction)
    whole = policy_loss(options, **batch)
    (gradient,) = torch.autograd.grad(whole.loss, batch["logprobs"])
    assert gradient.abs().max() > 1e-3
    for cuts in ([3, 4], [1, 1, 1, 4], [7]):
        totals = Totals.of(batch["mask"])
        parts = zip(*(value.split(cuts) for value in batch.values()), strict=True)
        results = [policy_loss(options, **dict(zip(batch, part, strict=True)), totals=totals) for part in parts]
        for name in ("loss", "kl", "clip_low", "clip_high", "ratio"):
            summed = sum(getattr(result, name).item() for result in results)
            assert summed == pytest.approx(getattr(whole, name).item(), abs=1e-12), name
        (got,) = torch.autograd.grad(sum((result.loss for result in results), torch.zeros(())), batch["logprobs"])
        torch.testing.assert_close(got, gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_outside_the_mask_does_not_matter(kind: str) -> None:
    batch = random_batch(3)
    options = config(kind, beta=0.05, sampler_correction="token")
    clean = policy_loss(options, **batch)
    (gradient,) = torch.autograd.grad(clean.loss, batch["logprobs"])
    for rubbish in (float("nan"), float("inf"), -float("inf"), 1e4):
        dirty = {
            name: value.detach().masked_fill(~batch["mask"], rubbish) if "logprobs" in name else value
            for name, value in batch.items()
        }
        dirty["logprobs"].requires_grad_()
        result = policy_loss(options, **dirty)
        (got,) = torch.autograd.grad(result.loss, dirty["logprobs"])
        assert result.loss.item() == clean.loss.item() and torch.equal(got, gradient)
        assert float(result.ratio) == float(clean.ratio)


@pytest.mark.parametrize("kind", KINDS)
def test_no_tokens_at_all_give_zero_and_no_nan(kind: str) -> None:
    batch = random_batch(4)
    batch["mask"] = torch.zeros_like(batch["mask"])
    result = policy_loss(config(kind, beta=0.05, sampler_correction="sequence"), **batch)
    result.loss.backward()
    grad = batch["logprobs"].grad
    assert grad is not None and grad.abs().max() == 0
    assert [figure.item() for figure in vars(result).values()] == [0.0] * 5


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_without_tokens_still_counts_as_an_answer(kind: str) -> None:
    """Or the others of its group would weigh more than their advantages say."""
    now, old = logs([0.5, 0.5]), logs([0.45, 0.5])
    alone = policy_loss(config(kind, beta=0), now, old, numbers(1), lengths(2))
    both = policy_loss(
        config(kind, beta=0),
        now.repeat(2, 1),
        old.repeat(2, 1),
        numbers(1, -1),
        torch.tensor([[True] * 2, [False] * 2]),
    )
    assert both.loss.item() == pytest.approx(alone.loss.item() / (1 if kind in ("dapo", "cispo") else 2))


@pytest.mark.parametrize("kind", KINDS)
def test_equal_rewards_give_exactly_no_advantage_and_no_gradient(kind: str) -> None:
    batch = random_batch(5, B=6)
    del batch["ref_logprobs"], batch["sampler_logprobs"]
    for reward in (0.0, 1.0, 0.3, 0.9):  # the float32 mean of six 0.9 is not 0.9
        group = advantages(torch.full((1, 6), reward), scale_by_std=kind != "dr_grpo")
        assert group.values.eq(0).all() and group.zero_variance.tolist() == [True]
        batch["advantages"] = group.values.flatten()
        result = policy_loss(config(kind, beta=0), **batch)
        (gradient,) = torch.autograd.grad(result.loss, batch["logprobs"])
        assert result.loss.item() == 0 and gradient.eq(0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_narrow_types_are_widened(kind: str) -> None:
    """The trainer's bfloat16: ratios in bfloat16 would be 1 or clipped, with nothing between."""
    batch = {name: value.detach() for name, value in random_batch(6).items()}
    narrow = {n: value.bfloat16() if value.is_floating_point() else value for n, value in batch.items()}
    wide = {n: value.float() if value.is_floating_point() else value for n, value in narrow.items()}
    options = config(kind, beta=0.05, sampler_correction="token")
    results = []
    for given in (narrow, wide):
        given["logprobs"].requires_grad_()
        results.append(policy_loss(options, **given))
        results[-1].loss.backward()
    assert results[0].loss.dtype == results[0].ratio.dtype == torch.float32
    assert torch.equal(results[0].loss, results[1].loss)
    assert narrow["logprobs"].grad is not None and narrow["logprobs"].grad.dtype == torch.bfloat16
    torch.testing.assert_close(narrow["logprobs"].grad, wide["logprobs"].grad, check_dtype=False, rtol=8e-3, atol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_policy_learns(kind: str) -> None:
    batch = random_batch(7)
    for name in set(batch) - {"mask"}:
        batch[name].requires_grad_()
    result = policy_loss(config(kind, beta=0.05, sampler_correction="token"), **batch)
    result.loss.backward()
    assert {name for name in batch if batch[name].grad is not None} == {"logprobs"}
    figures = [value for name, value in vars(result).items() if name != "loss"]
    assert not any(figure.requires_grad for figure in figures)


@pytest.mark.parametrize("kind", KINDS)
def test_a_ratio_beyond_the_range_of_floats_gives_no_nan(kind: str) -> None:
    """200 tokens, each e times likelier than it was: e^200 overflows float32 in r1, where the clip must stop it."""
    now = torch.full((1, 200), -0.5, requires_grad=True)
    result = policy_loss(
        config(kind, beta=0), now, now.detach() - 1, torch.ones(1), torch.ones(1, 200, dtype=torch.bool)
    )
    result.loss.backward()
    assert result.loss.isfinite() and now.grad is not None and now.grad.isfinite().all()
    assert now.grad.eq(0).all() or kind == "cispo"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("off", [0.1, 3.0, -3.0])
def test_a_reference_far_off_gives_no_infinity(kind: str, off: float) -> None:
    """r1's KL is of the whole answer: 0.1 nat off per token is a ratio of e^100 after 1,000 tokens, no float32.

    The gradient still pulls towards the reference, and its norm can be taken.
    """
    now = torch.full((1, 1000), -4.0, requires_grad=True)
    mask = torch.ones(1, 1000, dtype=torch.bool)
    options = config(kind, beta=0.001)
    result = policy_loss(options, now, now.detach(), torch.zeros(1), mask, ref_logprobs=now.detach() + off)
    result.loss.backward()
    assert result.loss.isfinite() and result.kl is not None and result.kl.isfinite()
    assert now.grad is not None and now.grad.norm().isfinite()
    assert torch.equal(now.grad.sign(), torch.full_like(mask, -math.copysign(1, off), dtype=torch.float32))


@pytest.mark.parametrize("off", [20.0, 39.9])
def test_k3_is_as_published_up_to_a_ratio_that_no_answer_comes_from(off: float) -> None:
    now = numbers(-50.0)[None].requires_grad_()
    result = policy_loss(
        config("r1", beta=1.0), now, now.detach(), numbers(0), lengths(1), ref_logprobs=now.detach() + off
    )
    result.loss.backward()
    assert result.loss.item() == pytest.approx(math.exp(off) - off - 1, rel=1e-12)
    assert now.grad is not None and float(now.grad) == pytest.approx(1 - math.exp(off), rel=1e-12)


# Advantages


@pytest.mark.parametrize(
    ("rewards", "by_std", "plain"),
    [
        ([1, 0, 0, 1], [0.865876, -0.865876, -0.865876, 0.865876], [0.5, -0.5, -0.5, 0.5]),  # std 0.577350
        ([1, 0, 0, 0], [1.4997, -0.4999, -0.4999, -0.4999], [0.75, -0.25, -0.25, -0.25]),  # std 0.5
        ([2, 2, 2, 2], [0, 0, 0, 0], [0, 0, 0, 0]),
    ],
)
def test_advantages(rewards: list[float], by_std: list[float], plain: list[float]) -> None:
    given = torch.tensor([rewards, [5, 6, 7, 8]])  # whole numbers, and another group, which changes nothing
    assert advantages(given).values[0].tolist() == pytest.approx(by_std, abs=1e-6)
    assert advantages(given, scale_by_std=False).values[0].tolist() == pytest.approx(plain)
    assert advantages(given).zero_variance.tolist() == [len(set(rewards)) == 1, False]


def test_rewards_that_cannot_be_compared_are_refused() -> None:
    for bad in (float("nan"), float("inf"), -float("inf")):
        rewards = torch.zeros(3, 4)
        rewards[2, 1] = bad
        with pytest.raises(TrainingError, match=f"answer 1 in group 2 is {bad}"):
            advantages(rewards)
    for shape in ((3, 0), (0, 4), (3, 1), (8,), (2, 2, 2)):
        with pytest.raises(ConfigError, match=r"\[groups, answers of a group\], with two or more"):
            advantages(torch.zeros(shape))


@pytest.mark.parametrize(
    ("length", "penalty"),
    [(0, 0), (16384, 0), (16385, -1 / 4096), (18432, -0.5), (20480, -1), (20481, -1), (99999, -1)],
)
def test_overlong_penalty_with_the_numbers_of_dapo(length: int, penalty: float) -> None:
    assert overlong_penalty(length, max_length=20480, buffer=4096) == penalty


def test_overlong_penalty_wants_a_buffer_within_the_length() -> None:
    for buffer in (0, -1, 11):
        with pytest.raises(ConfigError, match="buffer"):
            overlong_penalty(5, max_length=10, buffer=buffer)


def test_logprob_gap() -> None:
    """Trainer minus sampler is 0.1 and -0.3; outside the mask anything may stand."""
    sampler = torch.tensor([[-1.0, -2.0, 9.0]])
    trainer = torch.tensor([[-0.9, -2.3, float("nan")]])
    gap = logprob_gap(trainer, sampler, lengths(2, 3)[:1])
    assert (gap.mean, gap.max) == (pytest.approx(0.2), pytest.approx(0.3))
    assert gap.kl == pytest.approx(((math.exp(0.1) - 1.1) + (math.exp(-0.3) - 0.7)) / 2)
    nothing = logprob_gap(trainer, sampler, torch.zeros(1, 3, dtype=torch.bool))
    assert (nothing.mean, nothing.max, nothing.kl) == (0, 0, 0)


# Configuration


@pytest.mark.parametrize(
    ("kind", "published"),
    [
        ("grpo", {"eps_low": 0.2, "eps_high": 0.2, "beta": 0.04, "scale_by_std": True}),
        ("r1", {"eps_low": 10.0, "eps_high": 10.0, "beta": 0.001, "scale_by_std": True}),
        ("dr_grpo", {"eps_low": 0.2, "eps_high": 0.2, "beta": 0.0, "scale_by_std": False, "max_length": 10}),
        ("dapo", {"eps_low": 0.2, "eps_high": 0.28, "beta": 0.0, "scale_by_std": True}),
        ("gspo", {"eps_low": 3e-4, "eps_high": 4e-4, "beta": 0.0, "scale_by_std": True}),
        ("cispo", {"weight_cap": 5.0, "beta": 0.0, "scale_by_std": True}),
    ],
)
def test_what_is_left_out_has_the_published_value(kind: str, published: dict[str, Any]) -> None:
    resolved = config(kind).resolved()
    assert {name: value for name, value in vars(resolved).items() if value is not None} == {"kind": kind} | published
    assert resolved.resolved() == resolved
    assert config(kind, beta=0.5).resolved().beta == 0.5
    assert config(kind, sampler_correction="token").resolved().sampler_cap == 2.0


def test_another_kind_brings_its_own_numbers() -> None:
    """`--set kind=dapo` on a grpo recipe: not grpo's clip range."""
    assert override(LossConfig(), "kind=dapo").resolved().eps_high == 0.28
    assert set(field_docs(LossConfig)) == set(vars(LossConfig()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "drgrpo"}, "did you mean 'dr_grpo'"),
        ({"kind": "ppo_clip_x"}, "there are: grpo, r1"),
        ({"kind": "dr_grpo"}, "max_length is missing"),
        ({"kind": "grpo", "max_length": 10}, "max_length=10 has no meaning in grpo"),
        ({"kind": "cispo", "eps_high": 0.2}, "eps_high=0.2 has no meaning in cispo; .* weight_cap"),
        ({"kind": "dapo", "weight_cap": 5.0}, "weight_cap=5.0 has no meaning in dapo"),
        ({"kind": "dapo", "sampler_cap": 2.0}, "sampler_cap=2.0 has no meaning without sampler_correction"),
        ({"kind": "grpo", "eps_low": -0.1}, "eps_low=-0.1 must be 0 or more"),
        ({"kind": "grpo", "eps_high": float("nan")}, "eps_high=nan must be"),
        ({"kind": "grpo", "beta": float("inf")}, "beta=inf must be"),
        ({"kind": "cispo", "weight_cap": 0.0}, "weight_cap=0.0 must be above 0"),
        ({"kind": "dr_grpo", "max_length": 0}, "max_length=0 must be 1 or more"),
        ({"kind": "dapo", "sampler_correction": "batch"}, "sampler_correction=batch must be token, sequence"),
        ({"kind": "dapo", "sampler_correction": "token", "sampler_cap": -1.0}, "sampler_cap=-1.0 must be above 0"),
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LossConfig(**options)


def test_log_probabilities_that_are_missing_or_for_nothing_are_refused() -> None:
    batch = random_batch(8)
    ref, sampler = batch.pop("ref_logprobs"), batch.pop("sampler_logprobs")
    with pytest.raises(ConfigError, match=r"beta=0\.04 needs ref_logprobs"):
        policy_loss(config("grpo"), **batch)
    with pytest.raises(ConfigError, match="sampler_logprobs missing"):
        policy_loss(config("dapo", sampler_correction="token"), **batch)
    with pytest.raises(ConfigError, match="sampler_logprobs given"):
        policy_loss(config("dapo"), **batch, ref_logprobs=ref, sampler_logprobs=sampler)


def test_shapes_that_would_broadcast_are_refused() -> None:
    batch = random_batch(9, B=5, T=5) | {"config": config("grpo", sampler_correction="token")}
    for name, value in (
        ("advantages", batch["advantages"][:, None]),  # [B, 1]
        ("advantages", torch.ones(5, 5)),
        ("old_logprobs", batch["old_logprobs"][:1]),
        ("ref_logprobs", batch["ref_logprobs"][:, :1]),
        ("sampler_logprobs", batch["sampler_logprobs"][:1]),
        ("mask", batch["mask"][:1]),
        ("mask", batch["mask"].float()),
        ("logprobs", batch["logprobs"].flatten()),
    ):
        with pytest.raises(ConfigError, match=f"^{name} of"):
            policy_loss(**batch | {name: value})
    with pytest.raises(ConfigError, match="sampler_logprobs of"):
        logprob_gap(torch.zeros(2, 3), torch.zeros(1, 3), lengths(3, 3))
