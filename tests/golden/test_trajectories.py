"""20 seeded steps come out the same however they are run; and a plain second implementation takes the same 20.

In float64 all agree to 1e-9; in float32 the difference is printed (pytest -s). Kill and resume is in
tests/train/test_resume.py, bitwise.
"""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from candor.data.loader import Batch
from candor.model import Transformer, attention, moe
from candor.model.layers import RMSNorm
from candor.stages import pretrain
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
        asked |= {"replicated": False, "compute": None}
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
    assert all(math.isfinite(value) for value in (*figures, *weights))
    return max(*figures, *weights)


def plain(dtype: torch.dtype = torch.float64) -> Trajectory:
    """The same steps by torch.optim.AdamW, whole logits, one batch, and the formulas of the paper written out.

    Attention, experts and norms are PyTorch's own or loops, differentiated by autograd. What is left of the shared
    forward pass is compared with transformers in tests/parity.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attention, "attend", plain_attention)
        patch.setattr(moe, "grouped_linear", plain_experts)
        patch.setattr(moe, "_Dispatch", SimpleNamespace(apply=lambda x, of_token, tokens: x[tokens]))
        patch.setattr(moe, "_Combine", SimpleNamespace(apply=lambda rows, of_token, tokens: rows[of_token].sum(1)))
        patch.setattr(RMSNorm, "forward", lambda norm, x: F.rms_norm(x, norm.normalized_shape, norm.weight, norm.eps))
        return plain_steps(dtype)


def plain_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, scale=scale)


def plain_experts(x: Tensor, weight: Tensor, ends: Tensor) -> Tensor:
    bounds = [0, *ends.tolist()]
    parts = [x[start:end] @ matrix.T for (start, end), matrix in zip(pairwise(bounds), weight, strict=True)]
    return torch.cat([*parts, x.new_zeros(len(x) - bounds[-1], weight.shape[1])])


def plain_steps(dtype: torch.dtype) -> Trajectory:
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
        batch = batch_of(step)
        ids, valid = batch.tokens, batch.valid
        assert valid is not None
        out = model.train_forward(ids, batch.segments)
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


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_two_ranks_with_replicated_data(optimizer: str, tmp_path: Path) -> None:
    """Each rank holds the whole model and a share of the batch."""
    whole = here([8], optimizer=optimizer)
    for rank in elsewhere(tmp_path, 2, [1, 3], "float64", optimizer, replicated=True):
        assert apart(rank, whole) < 1e-9


def test_two_ranks_in_bfloat16(tmp_path: Path) -> None:
    """Sharded weights are rounded where they are used and nowhere else: the router chooses what it does in one process.

    Later steps drift apart by rounding, as any two sums in bfloat16 do.
    """
    whole = here([4, 4], torch.float32, compute="bfloat16")
    for rank in elsewhere(tmp_path, 2, [4], "float32", "adamw", compute="bfloat16"):
        assert rank["figures"][0] == pytest.approx(whole["figures"][0], rel=1e-5)
        for ours, theirs in zip(rank["figures"], whole["figures"], strict=True):
            assert ours["loss"] == pytest.approx(theirs["loss"], rel=0.01)


@pytest.mark.slow
def test_compiled(tmp_path: Path) -> None:
    """With inductor's code for the layers, in a process of its own; and compiled, recomputed and sharded at once."""
    whole = here([4, 4])
    for pieces in ([4, 4], [1, 7]):
        assert apart(elsewhere(tmp_path, 1, pieces, "float64", "adamw", compile=True)[0], whole) < 1e-9
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


def test_bfloat16_activations_keep_the_way() -> None:
    """Within 1% of float32's loss at every step, and not by having been ignored; weights stay float32."""
    single = here([4, 4], torch.float32)
    half = here([4, 4], torch.float32, compute="bfloat16")
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
    right = pretrain.cross_entropy
    calls = {"n": 0}

    def wrong(hidden: Tensor, weight: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        calls["n"] += 1
        return right(hidden, weight, targets.roll(1, 1) if calls["n"] % 2 == 0 else targets)

    patch.setattr(pretrain, "cross_entropy", wrong)


def mean_of_means(patch: pytest.MonkeyPatch) -> None:
    """Each micro-batch is divided by its own tokens: the mistake of gradient accumulation in many trainers."""
    objective, step = worker.objective, worker.train_step

    def wrong(model: Transformer, optimizer: Any, pieces: Any, _: Any, tokens: int, **how: Any) -> dict[str, float]:
        def own_mean(model: Transformer, piece: Batch) -> Loss:
            loss = objective(model, piece)
            assert piece.valid is not None
            return Loss(loss.total * tokens / (len(pieces) * piece.valid.sum()), loss.sums, loss.routing)

        return step(model, optimizer, pieces, own_mean, tokens, **how)

    patch.setattr(worker, "train_step", wrong)


def mask_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(pretrain, "IGNORE", 0)


def documents_see_each_other(patch: pytest.MonkeyPatch) -> None:
    right = attention._weights
    patch.setattr(attention, "_weights", lambda q, k, mask, scale, start: right(q, k, None, scale, start))


def one_key_of_the_future(patch: pytest.MonkeyPatch) -> None:
    right = Tensor.triu
    patch.setattr(Tensor, "triu", lambda x, diagonal=0: right(x, diagonal + 1))


def a_gradient_of_experts_lost(patch: pytest.MonkeyPatch) -> None:
    """The combination hands the gradient of its first row to all of a token's rows."""

    def wrong(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (tokens,) = ctx.saved_tensors
        return grad.roll(1, 0).index_select(0, tokens), None, None

    patch.setattr(moe._Combine, "backward", staticmethod(wrong))


@pytest.mark.parametrize(
    "mistake",
    [
        biases_backwards,
        mtp_of_the_next_token,
        mean_of_means,
        mask_forgotten,
        documents_see_each_other,
        one_key_of_the_future,
        a_gradient_of_experts_lost,
    ],
)
def test_a_planted_mistake_shows(
    mistake: Callable[[pytest.MonkeyPatch], None], reference: Trajectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    mistake(monkeypatch)
    assert apart(here([3, 5]), reference) > 1e-4
