"""Pre-training: the loss from whole logits, the plan by hand, and that it learns and balances."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from candor.config import to_dict
from candor.data.loader import TokenLoader
from candor.errors import ConfigError
from candor.model import ModelConfig, Transformer
from candor.records import no_progress
from candor.stages.pretrain import PretrainConfig, Pretraining, pretrain, pretrain_loss
from candor.train.loop import LoopConfig
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.schedule import ScheduleConfig
from candor.train.step import train_step
from tests.model.test_transformer import brute_force_balance
from tests.train.conftest import ONE_GROUP, handmade_tokens, tiny, windows

# The loss.


@pytest.mark.parametrize("modules", [0, 1, 2])
@pytest.mark.parametrize("masked", [False, True])
def test_loss_by_brute_force(modules: int, masked: bool) -> None:
    """V3: CE of the next token + weight / D * sum over the D modules (eq. 25) + alpha * sum of f_i P_i (eq. 17)."""
    model = tiny(dataclasses.replace(ONE_GROUP, num_nextn_predict_layers=modules), dtype=torch.float64)
    routed: list[tuple[Tensor, Tensor]] = []
    for router in model.routers():
        router.register_forward_hook(lambda _, __, out: routed.append((out[0].detach(), out[1])))
    B, S = 3, 10
    batch = windows(B, S, ahead=1 + modules)
    segments = (batch.tokens % 9 == 0).cumsum(1) if masked else None
    got = pretrain_loss(model, dataclasses.replace(batch, segments=segments), mtp_weight=0.3, balance_weight=0.05)
    balance = sum(
        brute_force_balance(scores[row * S : row * S + S], chosen[row * S : row * S + S], experts=4)
        for scores, chosen in routed
        for row in range(B)
    )
    assert len(routed) == 1 + modules

    with torch.no_grad():
        out = model.train_forward(batch.tokens, segments)
        logits = [hidden @ model.lm_head.weight.T for hidden in (out.hidden, *out.mtp_hidden)]
    if not masked:
        torch.testing.assert_close(logits[0], model(batch.tokens[:, :S]))
    losses, right = [], []
    for ahead, table in enumerate(logits, start=1):
        targets = batch.tokens[:, ahead : ahead + S]
        losses.append(float(F.cross_entropy(table.flatten(0, 1), targets.flatten(), reduction="sum")))
        right.append(int((table.argmax(-1) == targets).sum()))
    expected = losses[0] + sum(0.3 / modules * loss for loss in losses[1:]) + 0.05 * S * balance
    assert float(got.total.detach()) == pytest.approx(expected, rel=1e-12)
    figures = {"loss": losses[0], "balance_loss": S * balance}
    for name, loss, count in zip(("mtp", "mtp2"), losses[1:], right[1:], strict=False):
        figures |= {f"{name}_loss": loss, f"{name}_accuracy": count}
    assert {name: float(value.detach()) for name, value in got.sums.items()} == pytest.approx(figures, rel=1e-12)


def test_mtp_accuracy_by_hand() -> None:
    """A model that always says 7 is right where the token after next is 7: 3 of these 8 places."""
    model = tiny()
    with torch.no_grad():
        model.lm_head.weight.zero_()
        model.mtp[0].norm.weight.zero_()
        batch = windows(1, 8)
        batch.tokens[0] = torch.tensor([7, 7, 7, 1, 7, 2, 3, 7, 4, 5])
        hidden = torch.zeros(32)
        hidden[0] = 1.0
        model.lm_head.weight[7, 0] = 5.0
        model.mtp[0].norm.register_forward_hook(lambda _, __, out: out + hidden)
    loss = pretrain_loss(model, batch, mtp_weight=0.3, balance_weight=0)
    assert int(loss.sums["mtp_accuracy"]) == 3


def test_gradient_reaches_every_parameter() -> None:
    model = tiny(dtype=torch.float64)
    pretrain_loss(model, windows(4), mtp_weight=0.3, balance_weight=0.01).total.backward()
    idle = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


# The plan of each step. Windows of 10 tokens, so that the run of 14,800 tokens has V3's boundaries at hand.

SCHEDULE = ScheduleConfig(warmup_steps=2, batch_start=4, batch=12)
CONFIG = PretrainConfig(
    total_tokens=14_800, sequence_length=10, micro_batch=5, mtp_weight=(0.3, 0.1), bias_speed=0.5, schedule=SCHEDULE
)


@pytest.fixture
def task(tmp_path: Path) -> Pretraining:
    folder = handmade_tokens(tmp_path / "tokens", [number % 64 for number in range(1000)])
    return Pretraining(CONFIG, TokenLoader(folder, 10, lookahead=2))


@pytest.mark.parametrize(
    ("tokens", "pieces"), [(0, [4]), (235, [5, 3]), (468, [5, 5, 1]), (469, [5, 5, 2]), (14_799, [5, 5, 2])]
)
def test_batch_ramp_in_micro_batches(task: Pretraining, tokens: int, pieces: list[int]) -> None:
    """From 4 to 12 sequences over 469 of 14,800, never more than 5 of them at once."""
    plan = task.next(100, tokens)
    assert plan is not None
    assert [tuple(batch.tokens.shape) for batch in plan.micro_batches] == [(rows, 12) for rows in pieces]
    assert plan.tokens == 10 * sum(pieces)


@pytest.mark.parametrize(("tokens", "weight"), [(0, 0.3), (9_999, 0.3), (10_000, 0.1), (14_799, 0.1)])
def test_mtp_weight_switches_at_10t(task: Pretraining, tokens: int, weight: float) -> None:
    plan = task.next(100, tokens)
    assert plan is not None
    loss = plan.objective(tiny(dtype=torch.float64), plan.micro_batches[0])
    sums = {name: float(value.detach()) for name, value in loss.sums.items()}
    expected = sums["loss"] + weight * sums["mtp_loss"] + CONFIG.balance_weight * sums["balance_loss"]
    assert float(loss.total.detach()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("tokens", "speed"), [(0, 0.5), (14_299, 0.5), (14_300, 0), (14_799, 0)])
def test_biases_stand_still_for_the_last_500b(task: Pretraining, tokens: int, speed: float) -> None:
    plan = task.next(100, tokens)
    assert plan is not None and plan.bias_speed == speed


def test_the_whole_run_by_hand(task: Pretraining) -> None:
    """It ends with the first step that reaches the total, and every window comes from the loader in its order."""
    same = TokenLoader(task.loader._shards[0].filename.parent, 10, lookahead=2)  # type: ignore[union-attr]
    step, tokens, rates = 0, 0, []
    while plan := task.next(step, tokens):
        for batch in plan.micro_batches:
            assert torch.equal(batch.tokens, same.next_batch(len(batch.tokens)).tokens)
        rates.append(plan.lr_factor)
        step, tokens = step + 1, tokens + plan.tokens
    assert 14_800 <= tokens < 14_800 + 120
    assert task.state_dict() == {"position": tokens // 10}
    assert rates[:3] == [0.5, 1, 1] and rates[-1] == pytest.approx(7.3 / 220)
    assert task.next(step, 14_800) is None and task.next(step, 14_799) is not None


# Training.

SMALL_START = dataclasses.replace(ONE_GROUP, initializer_range=0.05)


def train(
    config: PretrainConfig, tokens: Path, out: Path, model: ModelConfig = SMALL_START, seed: int = 0
) -> Transformer:
    out.mkdir(exist_ok=True)
    return pretrain(
        config, LoopConfig(checkpoint_every=1000), model, tokens, out, seed,
        say=lambda text: None, progress=no_progress, device=torch.device("cpu"),
    )  # fmt: skip


SHORT = PretrainConfig(
    total_tokens=50 * 8 * 16,
    sequence_length=16,
    micro_batch=8,
    optim=OptimConfig(learning_rate=1e-2, muon_learning_rate=1e-2),
    schedule=ScheduleConfig(warmup_steps=2, batch_start=8, batch=8),
)


@pytest.mark.parametrize("name", ["muon", "adamw"])
def test_it_learns_a_text_by_heart(name: Any, tmp_path: Path) -> None:
    """64 ids in a fixed cycle: from ln 64 = 4.16 nats to nearly none, and the model says the cycle by itself."""
    cycle = torch.randperm(64, generator=torch.Generator().manual_seed(5)).tolist()
    tokens = handmade_tokens(tmp_path / "tokens", cycle * 30)
    config = dataclasses.replace(SHORT, optim=dataclasses.replace(SHORT.optim, name=name))
    model = train(config, tokens, tmp_path / "out")
    lines = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, 51))
    assert [line["tokens"] for line in lines] == [128 * step for step in range(1, 51)]
    assert lines[0]["loss"] == pytest.approx(4.16, abs=0.1)
    assert lines[-1]["loss"] < 0.5 and lines[-1]["mtp_loss"] < 1 and lines[-1]["mtp_accuracy"] > 0.9
    assert not model.training
    with torch.no_grad():
        said = model(torch.tensor([cycle])).argmax(-1)[0].tolist()
    assert sum(a == b for a, b in zip(said, [*cycle[1:], cycle[0]], strict=True)) > 60


def test_biases_even_out_a_skewed_load() -> None:
    """All tokens start at experts 0 and 1 (violation 1 of 1): with the bias updates the load spreads, without not."""
    violations = {}
    for speed in (0.0, 0.02):
        model = tiny(std=0.05)
        for router in model.routers():
            router.e_score_correction_bias.copy_(torch.tensor([0.2, 0.2, 0.0, 0.0]))
        optimizer = build_optimizer(model, OptimConfig(learning_rate=0, muon_learning_rate=0))
        figures = [
            train_step(
                model, optimizer, [windows(16, seed=step)],
                lambda model, batch: pretrain_loss(model, batch, mtp_weight=0.3, balance_weight=0),
                16 * 12, clip_norm=1.0, bias_speed=speed,
            )
            for step in range(25)
        ]  # fmt: skip
        violations[speed] = [figure["max_violation"] for figure in figures]
    assert violations[0.0][0] == violations[0.02][0] > 0.9
    assert min(violations[0.0]) > 0.9
    assert max(violations[0.02][-5:]) < 0.6


def test_the_same_seed_gives_the_same_metrics_and_another_does_not(tmp_path: Path) -> None:
    tokens = handmade_tokens(tmp_path / "tokens", [number**2 % 64 for number in range(2000)])
    config = dataclasses.replace(SHORT, total_tokens=5 * 8 * 16)
    losses = {}
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(config, tokens, tmp_path / name, seed=seed)
        lines = (tmp_path / name / "metrics.jsonl").read_text().splitlines()
        losses[name] = [json.loads(line)["loss"] for line in lines]
    assert losses["a"] == losses["b"] != losses["c"]


def test_tokens_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    tokens = handmade_tokens(tmp_path / "tokens", range(60), vocab_size=70)
    with pytest.raises(ConfigError, match=r"vocabulary of 70, the model one of 64; set model\.vocab_size"):
        train(SHORT, tokens, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("total_tokens", 0), ("sequence_length", 0), ("micro_batch", 0), ("bias_speed", -0.1), ("balance_weight", -1),
        ("mtp_weight", (0.3, -0.1)),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused_by_name(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"pretrain.{name}={value} must ")):
        PretrainConfig(**{name: value})


def test_only_what_decides_the_result_is_part_of_the_identity() -> None:
    assert CONFIG.deciding().keys() == to_dict(CONFIG).keys() - {"micro_batch"}
