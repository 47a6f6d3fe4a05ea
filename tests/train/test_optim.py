"""Muon against the published iteration and torch's own, AdamW against torch's own, and who gets which."""

import copy
import dataclasses
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from candor.errors import ConfigError
from candor.train.optim import MuonAdamW, OptimConfig, build_optimizer, orthogonalise
from tests.train.conftest import tiny

SHAPES = [(8, 20), (20, 8), (16, 16), (8, 20)]  # wide, tall, square, and one twice, which share a batch
RATE, MOMENTUM, DECAY, BETAS = 0.02, 0.95, 0.1, (0.9, 0.95)


def group(parameters: list[nn.Parameter], kind: str, parts: int = 1, decay: float = DECAY) -> dict[str, Any]:
    return {
        "params": parameters, "kind": kind, "parts": parts, "peak": RATE,
        "weight_decay": decay, "betas": BETAS, "momentum": MOMENTUM,
    }  # fmt: skip


def parameters_of(shapes: list[tuple[int, ...]], dtype: torch.dtype) -> list[nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    return [nn.Parameter(torch.randn(shape, generator=generator, dtype=dtype)) for shape in shapes]


def gradients_of(shapes: list[tuple[int, ...]], dtype: torch.dtype, steps: int) -> list[list[Tensor]]:
    generator = torch.Generator().manual_seed(2)
    return [[torch.randn(shape, generator=generator, dtype=dtype) for shape in shapes] for _ in range(steps)]


def run(optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], gradients: list[list[Tensor]]) -> None:
    for step in gradients:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient.clone()
        optimizer.step()


def published_newton_schulz(gradient: Tensor) -> Tensor:
    """Keller Jordan's `zeropower_via_newtonschulz5` (kellerjordan.github.io/posts/muon), in the gradient's own type."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = gradient / gradient.norm()
    if gradient.shape[0] > gradient.shape[1]:
        x = x.T
    for _ in range(5):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if gradient.shape[0] > gradient.shape[1] else x


def published_muon(weight: Tensor, gradients: list[Tensor]) -> Tensor:
    """The weight after all steps: Nesterov momentum, Newton-Schulz, RMS 0.2 (arXiv 2502.16982, equation 4)."""
    buffer = torch.zeros_like(weight)
    for gradient in gradients:
        buffer = MOMENTUM * buffer + (1 - MOMENTUM) * gradient
        direction = published_newton_schulz((1 - MOMENTUM) * gradient + MOMENTUM * buffer)
        weight = weight - RATE * (0.2 * math.sqrt(max(weight.shape)) * direction + DECAY * weight)
    return weight


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_muon_is_the_published_iteration(dtype: torch.dtype, tolerance: float) -> None:
    parameters, gradients = parameters_of(SHAPES, dtype), gradients_of(SHAPES, dtype, 10)
    expected = [
        published_muon(parameter.detach(), [step[place] for step in gradients])
        for place, parameter in enumerate(parameters)
    ]
    run(MuonAdamW([group(parameters, "muon")]), parameters, gradients)
    for got, wanted in zip(parameters, expected, strict=True):
        assert (got - wanted).abs().max() < tolerance * wanted.abs().max()


def test_muon_moves_like_torchs_own() -> None:
    """torch runs the iteration in bfloat16, so each matrix's way after ten steps agrees to about a percent."""
    parameters, gradients = parameters_of(SHAPES, torch.float32), gradients_of(SHAPES, torch.float32, 10)
    start, theirs = copy.deepcopy(parameters), copy.deepcopy(parameters)
    reference = torch.optim.Muon(
        theirs, lr=RATE, weight_decay=DECAY, momentum=MOMENTUM, nesterov=True, adjust_lr_fn="match_rms_adamw"
    )
    run(reference, theirs, gradients)
    run(MuonAdamW([group(parameters, "muon")]), parameters, gradients)
    for ours, their, first in zip(parameters, theirs, start, strict=True):
        assert (ours - their).norm() < 0.03 * (their - first).norm()


def test_orthogonalise_keeps_directions_and_levels_sizes() -> None:
    """Singular vectors stay, singular values between 1 and 0.01 of the largest end between 0.6 and 1.3."""
    generator = torch.Generator().manual_seed(3)
    left = torch.linalg.qr(torch.randn(12, 12, generator=generator, dtype=torch.float64)).Q
    right = torch.linalg.qr(torch.randn(30, 12, generator=generator, dtype=torch.float64)).Q.T
    sizes = torch.logspace(0, -2, 12, dtype=torch.float64)
    flat = left.T @ orthogonalise((left * sizes @ right)[None])[0] @ right.T
    diagonal = flat.diagonal()
    assert (flat - torch.diag(diagonal)).abs().max() < 1e-9
    assert 0.6 < float(diagonal.min()) < float(diagonal.max()) < 1.3
    assert not orthogonalise(torch.zeros(1, 4, 6)).any()


def test_adamw_is_torchs_own() -> None:
    """To the bit against the fused kernel, to rounding against the plain loop."""
    shapes = [(8, 20), (5,), (3, 4, 6)]
    parameters, gradients = parameters_of(shapes, torch.float64), gradients_of(shapes, torch.float64, 20)
    fused, loop = copy.deepcopy(parameters), copy.deepcopy(parameters)
    run(MuonAdamW([group(parameters, "adamw")]), parameters, gradients)
    run(torch.optim.AdamW(fused, lr=RATE, betas=BETAS, weight_decay=DECAY, fused=True), fused, gradients)
    run(torch.optim.AdamW(loop, lr=RATE, betas=BETAS, weight_decay=DECAY, foreach=False), loop, gradients)
    for ours, first, second in zip(parameters, fused, loop, strict=True):
        assert torch.equal(ours, first)
        torch.testing.assert_close(ours, second, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("parts", "rows", "columns"), [(2, 10, 7), (1, 7, 5)])
def test_each_matrix_of_an_expert_stack_is_stepped_alone(parts: int, rows: int, columns: int) -> None:
    """`gate_up` holds two maps of each expert, one above the other; `down` holds one."""
    stack = parameters_of([(3, rows, columns)], torch.float64)
    gradients = gradients_of([(3, rows, columns)], torch.float64, 8)
    high = rows // parts
    expected = [
        published_muon(stack[0].detach()[e, at : at + high], [step[0][e, at : at + high] for step in gradients])
        for e in range(3)
        for at in range(0, rows, high)
    ]
    apart = [nn.Parameter(matrix.clone()) for expert in stack[0].detach() for matrix in expert.split(high)]
    pieces = [[matrix for expert in step[0] for matrix in expert.split(high)] for step in gradients]
    run(MuonAdamW([group(stack, "muon", parts)]), stack, gradients)
    run(MuonAdamW([group(apart, "muon")]), apart, pieces)
    got = [matrix for expert in stack[0] for matrix in expert.split(high)]
    for matrix, alone, wanted in zip(got, apart, expected, strict=True):
        assert torch.equal(matrix, alone)
        torch.testing.assert_close(matrix, wanted, rtol=1e-10, atol=1e-12)


def kinds(config: OptimConfig) -> dict[str, tuple[str, int, float, float]]:
    """Name -> (kind, parts, peak, decay) of every parameter of the tiny model; each must be there once."""
    model = tiny()
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [
        (names[id(parameter)], ("muon" if g["kind"] == "muon" else "adamw", g["parts"], g["peak"], g["weight_decay"]))
        for g in build_optimizer(model, config).param_groups
        for parameter in g["params"]
    ]
    assert sorted(name for name, _ in found) == sorted(names.values())
    return dict(found)


CONFIG = OptimConfig(learning_rate=0.1, muon_learning_rate=0.2, weight_decay=0.3)


def test_who_gets_muon() -> None:
    found = kinds(CONFIG)
    routers = {"layers.1.mlp.gate.weight", "mtp.0.layer.mlp.gate.weight"}
    assert {name for name, place in found.items() if place == ("adamw", 1, 0.1, 0.3)} == {
        "embed_tokens.weight", "lm_head.weight", *routers,
    }  # fmt: skip
    assert {name for name, place in found.items() if place == ("muon", 2, 0.2, 0.3)} == {
        "layers.1.mlp.experts.gate_up", "mtp.0.layer.mlp.experts.gate_up",
    }  # fmt: skip
    assert {name for name, place in found.items() if place == ("adamw", 1, 0.1, 0.0)} == {
        name for name in found if "norm" in name
    }
    rest = {name for name, place in found.items() if place == ("muon", 1, 0.2, 0.3)}
    assert {"layers.0.mlp.gate_proj.weight", "layers.1.mlp.experts.down", "mtp.0.eh_proj.weight"} < rest
    assert len(rest) == len(found) - 2 - 2 - 2 - sum("norm" in name for name in found)


def test_adamw_for_all() -> None:
    found = kinds(dataclasses.replace(CONFIG, name="adamw"))
    assert {place for name, place in found.items() if "norm" in name} == {("adamw", 1, 0.1, 0.0)}
    assert {place for name, place in found.items() if "norm" not in name} == {("adamw", 1, 0.1, 0.3)}


def test_decay_alone_shrinks_matrices_and_leaves_norms() -> None:
    model = tiny(dtype=torch.float64)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    optimizer = build_optimizer(model, CONFIG)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.set_rate(0.5)
    optimizer.step()
    muon = {id(p) for g in optimizer.param_groups if g["kind"] == "muon" for p in g["params"]}
    for name, parameter in model.named_parameters():
        shrunk = 1.0 if "norm" in name else 1 - 0.5 * (0.2 if id(parameter) in muon else 0.1) * 0.3
        torch.testing.assert_close(parameter.detach(), shrunk * before[name], rtol=1e-14, atol=0)


def test_set_rate_is_a_factor_on_the_peak() -> None:
    """Twice the same factor is not its square, and a rate of zero changes nothing."""
    model = tiny()
    optimizer = build_optimizer(model, CONFIG)
    for factor in (0.5, 0.5, 0.25):
        optimizer.set_rate(factor)
        assert [g["lr"] for g in optimizer.param_groups] == [factor * g["peak"] for g in optimizer.param_groups]
    assert {g["peak"] for g in optimizer.param_groups} == {0.1, 0.2}
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.set_rate(0)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_parameter_without_gradient_stays() -> None:
    parameters = parameters_of([(4, 4), (4, 4)], torch.float32)
    kept = parameters[1].detach().clone()
    parameters[0].grad = torch.ones(4, 4)
    for kind in ("muon", "adamw"):
        optimizer = MuonAdamW([group(parameters, kind)])
        optimizer.step()
        assert torch.equal(parameters[1], kept) and parameters[1] not in optimizer.state


def test_state_round_trip() -> None:
    """Stopped after five steps and loaded into a new optimizer, the next five give the same bits."""
    shapes: list[tuple[int, ...]] = [(8, 20), (3, 10, 7), (5,)]
    gradients = gradients_of(shapes, torch.float32, 10)

    def make(parameters: list[nn.Parameter]) -> MuonAdamW:
        return MuonAdamW(
            [group(parameters[:1], "muon"), group(parameters[1:2], "muon", 2), group(parameters[2:], "adamw")]
        )

    whole = parameters_of(shapes, torch.float32)
    run(make(whole), whole, gradients)
    stopped = parameters_of(shapes, torch.float32)
    first = make(stopped)
    run(first, stopped, gradients[:5])
    resumed = [nn.Parameter(parameter.detach().clone()) for parameter in stopped]
    second = make(resumed)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(second, resumed, gradients[5:])
    assert all(torch.equal(a, b) for a, b in zip(whole, resumed, strict=True))
    fresh = [nn.Parameter(parameter.detach().clone()) for parameter in stopped]
    run(make(fresh), fresh, gradients[5:])
    assert not any(torch.equal(a, b) for a, b in zip(whole, fresh, strict=True)), "the state must matter"


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate": -1e-3}, {"muon_learning_rate": math.nan}, {"betas": (0.9, 1.0)}, {"betas": (-0.1, 0.95)},
        {"momentum": 1.0}, {"weight_decay": -0.1}, {"clip_norm": 0.0},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_name(change: dict[str, Any]) -> None:
    (name,) = change
    with pytest.raises(ConfigError, match=rf"pretrain\.optim\.{name}="):
        OptimConfig(**change)
