"""One step: however it is cut into micro-batches, what it logs, and what it refuses."""

import copy
import dataclasses
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from candor.data.loader import Batch
from candor.errors import TrainingError
from candor.model import Routing, Transformer
from candor.stages.pretrain import pretrain_loss
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.step import Loss, train_step
from tests.train.conftest import same_bits, tiny, windows

LENGTH = 12


def objective(model: Transformer, batch: Batch) -> Loss:
    return pretrain_loss(model, batch, mtp_weight=0.3, balance_weight=0.01)


def pieces(batch: Batch, sizes: list[int]) -> list[Batch]:
    return [Batch(tokens, None) for tokens in batch.tokens.split(sizes)]


@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("sizes", [[2, 2, 2, 2], [1] * 8, [5, 3]])
def test_micro_batches_change_nothing(name: Any, sizes: list[int]) -> None:
    """Weights, router biases and logged figures after three steps."""
    results = []
    for cut in ([8], sizes):
        model = tiny(dtype=torch.float64)
        optimizer = build_optimizer(model, OptimConfig(name=name, clip_norm=0.5))
        figures = [
            train_step(
                model, optimizer, pieces(windows(8, seed=step), cut), objective, 8 * LENGTH,
                clip_norm=0.5, bias_speed=0.01,
            )
            for step in range(3)
        ]  # fmt: skip
        results.append((model.state_dict(), figures))
    (whole, expected), (cut_up, got) = results
    for key, value in whole.items():
        assert (cut_up[key] - value).norm() <= 1e-12 * value.norm(), key
    assert any(bias.any() for key, bias in whole.items() if key.endswith("e_score_correction_bias"))
    for ours, theirs in zip(got, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)
        assert ours.keys() >= {"loss", "mtp_loss", "mtp_accuracy", "balance_loss", "grad_norm", "max_violation"}


def next_token_loss(model: Transformer, batch: Batch) -> Loss:
    """Summed cross-entropy of the next token by torch, from whole logits."""
    logits = model(batch.tokens[:, :LENGTH])
    loss = F.cross_entropy(logits.flatten(0, 1), batch.tokens[:, 1 : LENGTH + 1].flatten(), reduction="sum")
    return Loss(loss, {"loss": loss}, None)


def mean_gradient(model: Transformer, batch: Batch) -> dict[str, Tensor]:
    """Gradient of the mean loss over all tokens by plain autograd."""
    loss = next_token_loss(model, batch).total / (len(batch.tokens) * LENGTH)
    named = {name: parameter for name, parameter in model.named_parameters() if not name.startswith("mtp")}
    return dict(zip(named, torch.autograd.grad(loss, list(named.values())), strict=True))


def norm_of(gradient: dict[str, Tensor]) -> float:
    return math.sqrt(sum(float((part.detach() ** 2).sum()) for part in gradient.values()))


def moved(model: Transformer, batch: Batch, clip_norm: float) -> tuple[dict[str, Tensor], dict[str, float]]:
    """What plain descent at a rate of 1 subtracted from the weights, that is the gradient it saw; and the figures."""
    before = copy.deepcopy(dict(model.named_parameters()))
    descent = torch.optim.SGD(model.parameters(), lr=1.0)
    figures = train_step(model, descent, pieces(batch, [3, 1]), next_token_loss, 4 * LENGTH, clip_norm=clip_norm)
    return {name: before[name] - parameter for name, parameter in model.named_parameters()}, figures


def test_the_step_follows_the_gradient_of_the_mean_loss() -> None:
    model, batch = tiny(dtype=torch.float64), windows(4)
    expected = mean_gradient(model, batch)
    loss = float(next_token_loss(model, batch).total.detach()) / (4 * LENGTH)
    seen, figures = moved(model, batch, clip_norm=1e9)
    assert figures == pytest.approx({"loss": loss, "grad_norm": norm_of(expected)}, rel=1e-12)
    for name, gradient in expected.items():
        assert (seen[name] - gradient).abs().max() < 1e-14 + 1e-12 * gradient.abs().max(), name
    assert not any(seen[name].any() for name in seen.keys() - expected.keys())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_clipping_is_torchs() -> None:
    model, batch = tiny(dtype=torch.float64), windows(4)
    gradient = mean_gradient(model, batch)
    norm = norm_of(gradient)
    assert norm > 0.2
    clipped = tiny(dtype=torch.float64)
    for name, parameter in clipped.named_parameters():
        parameter.grad = gradient.get(name)
    torch.nn.utils.clip_grad_norm_(clipped.parameters(), 0.1)
    seen, figures = moved(model, batch, clip_norm=0.1)
    assert figures["grad_norm"] == pytest.approx(norm, rel=1e-12), "logged before clipping"
    assert norm_of(seen) == pytest.approx(0.1, rel=1e-4)
    for name, parameter in clipped.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(seen[name], parameter.grad, rtol=1e-9, atol=1e-14)


def spoilt_loss(model: Transformer, batch: Batch) -> Loss:
    loss = objective(model, batch)
    return dataclasses.replace(loss, total=loss.total * math.inf, sums={"loss": loss.sums["loss"] * math.inf})


def spoilt_gradient(model: Transformer, batch: Batch) -> Loss:
    """A finite loss: the square root adds 0, but its slope there is infinite."""
    loss = objective(model, batch)
    return dataclasses.replace(loss, total=loss.total + (model.norm.weight.sum() - model.norm.weight.sum()).sqrt())


@pytest.mark.parametrize(("spoilt", "named"), [(spoilt_loss, r"loss=inf"), (spoilt_gradient, r"^grad_norm=nan")])
def test_what_is_not_finite_never_reaches_the_optimizer(spoilt: Any, named: str) -> None:
    """Weights, biases, moments and step counts keep their bits, and the next good step is as if nothing had been."""
    results = []
    for meets in (True, False):
        model = tiny()
        optimizer = build_optimizer(model, OptimConfig())
        settings: dict[str, Any] = {"clip_norm": 1.0, "bias_speed": 0.01}
        train_step(model, optimizer, [windows(4)], objective, 4 * LENGTH, **settings)
        if meets:
            weights, moments = copy.deepcopy((model.state_dict(), optimizer.state_dict()))
            batches = pieces(windows(4, seed=1), [2, 2])
            with pytest.raises(TrainingError, match=named + r".*not finite.*lower the learning rate"):
                train_step(model, optimizer, batches, spoilt, 4 * LENGTH, **settings)
            assert same_bits(model.state_dict(), weights)
            assert same_bits(optimizer.state_dict(), moments)
        train_step(model, optimizer, [windows(4, seed=2)], objective, 4 * LENGTH, **settings)
        results.append((model.state_dict(), optimizer.state_dict()))
    assert same_bits(*results)


def test_one_bad_micro_batch_of_many_is_enough() -> None:
    model = tiny()
    before = copy.deepcopy(model.state_dict())
    optimizer = build_optimizer(model, OptimConfig())
    bad = windows(1, seed=3)

    def mixed(model: Transformer, batch: Batch) -> Loss:
        return spoilt_loss(model, batch) if batch is bad else objective(model, batch)

    with pytest.raises(TrainingError, match="loss="):
        train_step(model, optimizer, [windows(3), bad, windows(2)], mixed, 6 * LENGTH, clip_norm=1.0)
    assert same_bits(model.state_dict(), before) and not optimizer.state


# The experts' load.


def test_biases_follow_the_load_of_the_whole_step() -> None:
    """Added up, [8, 4, 2, 2] and [4, 8, 6, 6]: means 4 and 6. One micro-batch alone would move other experts."""
    first, second = [[6, 1, 2, 0], [3, 3, 3, 3]], [[2, 3, 0, 2], [1, 5, 3, 3]]
    loads = iter([first, second])
    model = tiny()
    for router in model.routers():
        router.e_score_correction_bias.copy_(torch.tensor([0.5, -0.25, 0.125, 0.0]))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)

    def objective(model: Transformer, batch: None) -> Loss:
        total = model.lm_head.weight.sum()
        return Loss(total, {"loss": total}, Routing(torch.tensor(next(loads)), torch.tensor(0.0)))

    figures = train_step(model, optimizer, [None, None], objective, 10, clip_norm=1.0, bias_speed=0.25)
    signs = [[-1, 0, 1, 1], [1, -1, 0, 0]]  # of (mean load - load)
    for router, sign in zip(model.routers(), signs, strict=True):
        start = [0.5, -0.25, 0.125, 0.0]
        assert router.e_score_correction_bias.tolist() == [s + 0.25 * way for s, way in zip(start, sign, strict=True)]
    assert figures["max_violation"] == pytest.approx(1.0)  # (8 - 4) / 4
    entropies = [1.75 * math.log(2), -sum(p * math.log(p) for p in (1 / 6, 1 / 3, 1 / 4, 1 / 4))]
    assert figures["router_entropy"] == pytest.approx(sum(entropies) / 2, rel=1e-6)


@pytest.mark.parametrize("speed", [0.0, 0.001])
def test_each_bias_moves_by_the_speed_against_its_own_load(speed: float) -> None:
    """With the loads that the routers really had, counted by a hook."""
    model = tiny()
    counts: list[Tensor] = []
    for router in model.routers():
        router.register_forward_hook(lambda _, __, out: counts.append(torch.bincount(out[1].flatten(), minlength=4)))
    optimizer = build_optimizer(model, OptimConfig())
    train_step(model, optimizer, [windows(8)], objective, 8 * LENGTH, clip_norm=1.0, bias_speed=speed)
    mean = 8 * LENGTH * 2 / 4
    assert len(counts) == 2 and any(int(load[0]) != mean for load in counts)
    for router, load in zip(model.routers(), counts, strict=True):
        wanted = [speed * ((mean > count) - (mean < count)) for count in load.tolist()]
        assert router.e_score_correction_bias.tolist() == pytest.approx(wanted, rel=1e-6, abs=0)


def test_a_model_without_experts_logs_no_routing() -> None:
    config = dataclasses.replace(tiny().config, first_k_dense_replace=2, num_nextn_predict_layers=0)
    model = tiny(config)
    optimizer = build_optimizer(model, OptimConfig())
    figures = train_step(model, optimizer, [windows(2, ahead=1)], objective, 2 * LENGTH, clip_norm=1.0)
    assert figures.keys() == {"loss", "grad_norm"}
