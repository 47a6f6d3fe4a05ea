"""20 seeded steps come out the same however they are run; and a plain second implementation takes the same 20.

In float64 all agree to 1e-9; in float32 the difference is printed (pytest -s). Kill and resume is in
tests/train/test_resume.py, bitwise.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from candor.model import Transformer
from candor.train.step import Loss
from tests.golden import worker
from tests.golden.worker import BALANCE_WEIGHT, BIAS_SPEED, CLIP, LENGTH, MTP_WEIGHT, RATES, STEPS, batch_of, build

Trajectory = dict[str, Any]


def here(pieces: list[int], dtype: torch.dtype = torch.float64, optimizer: str = "adamw", **how: Any) -> Trajectory:
    """In this process."""
    asked = {"rank": 0, "ranks": 1, "compiled": False, "dropped": []} | how
    return worker.trajectory(dtype, optimizer, pieces, **asked)


def elsewhere(place: Path, ranks: int, pieces: list[int], dtype: str, optimizer: str, **how: Any) -> list[Trajectory]:
    """In processes of their own, as many as ranks; what each of them found."""
    started = []
    for rank in range(ranks):
        asked = {"ranks": ranks, "rank": rank, "pieces": pieces, "dtype": dtype, "optimizer": optimizer}
        asked |= {"store": str(place / "store"), "out": str(place / f"{rank}.pt"), "compile": False, "recompute": []}
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.golden.worker"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            cwd=Path(__file__).parents[2],
        )  # fmt: skip
        assert process.stdin
        process.stdin.write(json.dumps(asked | how))
        process.stdin.close()
        process.stdin = None
        started.append(process)
    errors = [process.communicate()[1] for process in started]
    assert [process.returncode for process in started] == [0] * ranks, "\n".join(errors)
    return [torch.load(place / f"{rank}.pt", weights_only=True) for rank in range(ranks)]


def apart(a: Trajectory, b: Trajectory) -> float:
    """The largest difference of any figure of any step, or of any final weight or bias."""
    figures = [abs(x[name] - y[name]) for x, y in zip(a["figures"], b["figures"], strict=True) for name in y]
    weights = [float((a["state"][name] - b["state"][name]).abs().max()) for name in b["state"]]
    return max(*figures, *weights)


def plain(dtype: torch.dtype = torch.float64) -> Trajectory:
    """The same steps by torch.optim.AdamW, whole logits, one batch, and the formulas of the paper written out.

    Only the forward pass is shared; that is compared with transformers in tests/parity.
    """
    model = build(dtype)
    config = RATES["adamw"]
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
            {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
        ],
        lr=config.learning_rate, betas=config.betas, eps=1e-8, foreach=False,
    )  # fmt: skip
    figures = []
    for step in range(STEPS):
        ids, valid = batch_of(step)
        out = model.train_forward(ids)
        assert out.routing is not None
        losses = []
        for ahead, hidden in enumerate((out.hidden, *out.mtp_hidden), start=1):
            logits = hidden @ model.lm_head.weight.T
            each = F.cross_entropy(logits.flatten(0, 1), ids[:, ahead : ahead + LENGTH].flatten(), reduction="none")
            losses.append(each[valid.flatten()].sum() / valid.sum())
        total = losses[0] + MTP_WEIGHT * losses[1] + BALANCE_WEIGHT * LENGTH * out.routing.balance / valid.sum()
        optimizer.zero_grad()
        total.backward()
        norm = torch.sqrt(sum(((p.grad**2).sum() for p in parameters if p.grad is not None), torch.zeros(())))
        for p in parameters:
            if p.grad is not None and norm > CLIP:
                p.grad *= CLIP / (norm + 1e-6)
        optimizer.step()
        for router, load in zip(model.routers(), out.routing.load.tolist(), strict=True):
            mean = sum(load) / len(load)
            for expert, count in enumerate(load):
                router.e_score_correction_bias[expert] += BIAS_SPEED * ((count < mean) - (count > mean))
        figures.append({"loss": losses[0].item(), "mtp_loss": losses[1].item(), "grad_norm": norm.item()})
    return {"figures": figures, "state": {name: value.clone() for name, value in model.state_dict().items()}}


@pytest.fixture(scope="module")
def reference() -> Trajectory:
    return plain()


@pytest.mark.parametrize("pieces", [[8], [3, 5], [1] * 8])
def test_the_step_takes_the_plain_ones_way(pieces: list[int], reference: Trajectory) -> None:
    """However the batch is cut. The trajectory learns, balances, and clips in some steps and not in others."""
    ours = here(pieces)
    assert apart(ours, reference) < 1e-9
    losses = [figures["loss"] for figures in ours["figures"]]
    assert losses[-1] < losses[0] - 1
    assert any(value.any() for name, value in ours["state"].items() if name.endswith("e_score_correction_bias"))
    assert ours["figures"][0]["grad_norm"] > CLIP


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("names", [["layer"], ["mlp", "self_attn.kv_b_proj", "input_layernorm"]])
def test_recomputation_changes_no_bit(names: list[str], optimizer: str) -> None:
    kept, dropped = here([4, 4], optimizer=optimizer), here([4, 4], optimizer=optimizer, dropped=names)
    assert apart(kept, dropped) == 0


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_ranks_with_fsdp2(optimizer: str, tmp_path: Path) -> None:
    """Weights, gradients and optimizer sharded over two gloo ranks that hold unequal numbers of valid tokens."""
    whole = here([8], optimizer=optimizer)
    for rank in elsewhere(tmp_path, 2, [1, 3], "float64", optimizer):
        assert apart(rank, whole) < 1e-9


@pytest.mark.slow
def test_compiled(tmp_path: Path) -> None:
    """With inductor's code for the layers, in a process of its own; and compiled, recomputed and sharded at once."""
    whole = here([4, 4])
    assert apart(elsewhere(tmp_path, 1, [4, 4], "float64", "adamw", compile=True)[0], whole) < 1e-9
    for ranks, names in ((1, ["mlp"]), (2, ["layer"])):
        for rank in elsewhere(tmp_path, ranks, [8 // ranks], "float64", "adamw", compile=True, recompute=names):
            assert apart(rank, whole) < 1e-9


def test_the_difference_in_float32(reference: Trajectory, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    single = here([8], torch.float32)
    found = {
        "float64": apart(single, reference),
        "accumulation": apart(here([3, 5], torch.float32), single),
        "two ranks": max(apart(rank, single) for rank in elsewhere(tmp_path, 2, [4], "float32", "adamw")),
    }
    with capsys.disabled():
        sys.stdout.write(
            "\nfloat32, largest difference after 20 steps: "
            + ", ".join(f"{k} {v:.1e}" for k, v in found.items())
            + "\n"
        )
    assert 0 < found["float64"] < 0.1 and max(found["accumulation"], found["two ranks"]) < 0.1


def test_bfloat16_activations_keep_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 1% of float32's loss at every step, and not by having been ignored; weights stay float32."""
    single = here([4, 4], torch.float32)

    def rounded(dtype: torch.dtype) -> Transformer:
        model = build(dtype)
        model.compute_dtype = torch.bfloat16
        return model

    monkeypatch.setattr(worker, "build", rounded)
    half = here([4, 4], torch.float32)
    assert {value.dtype for value in half["state"].values()} == {torch.float32}
    assert apart(half, single) > 1e-4
    for ours, theirs in zip(half["figures"], single["figures"], strict=True):
        assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.01)


# A golden test that cannot fail says nothing: each of these mistakes must show.


def biases_backwards(patch: pytest.MonkeyPatch) -> None:
    right = Transformer.update_biases
    patch.setattr(Transformer, "update_biases", lambda model, load, speed: right(model, load, -speed))


def mtp_of_the_next_token(patch: pytest.MonkeyPatch) -> None:
    """The MTP module is asked for the token that it has just been shown."""
    right = worker.cross_entropy
    calls = {"n": 0}

    def wrong(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        calls["n"] += 1
        return right(hidden, weight, targets.roll(1, 1) if calls["n"] % 2 == 0 else targets)

    patch.setattr(worker, "cross_entropy", wrong)


def mean_of_means(patch: pytest.MonkeyPatch) -> None:
    """Each micro-batch is divided by its own tokens: the mistake of gradient accumulation in many trainers."""
    objective, step = worker.objective, worker.train_step

    def wrong(model: Transformer, optimizer: Any, pieces: Any, _: Any, tokens: int, **how: Any) -> dict[str, float]:
        def own_mean(model: Transformer, piece: tuple[Tensor, Tensor]) -> Loss:
            loss = objective(model, piece)
            return Loss(loss.total * tokens / (len(pieces) * piece[1].sum()), loss.sums, loss.routing)

        return step(model, optimizer, pieces, own_mean, tokens, **how)

    patch.setattr(worker, "train_step", wrong)


def mask_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(worker, "IGNORE", 0)


@pytest.mark.parametrize("mistake", [biases_backwards, mtp_of_the_next_token, mean_of_means, mask_forgotten])
def test_a_planted_mistake_shows(
    mistake: Callable[[pytest.MonkeyPatch], None], reference: Trajectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    assert apart(here([3, 5]), reference) > 1e-4
