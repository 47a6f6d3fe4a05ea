"""One trajectory of 20 seeded steps, in as many processes as asked for; run by test_trajectories.py.

Reads a JSON object: how to run (`ranks`, `rank`, `store`, `pieces`, `dtype`, `compile`, `recompute`, `optimizer`) and a
file to write figures and final weights to.
"""

import json
import os
import sys
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from candor.model import ModelConfig, Transformer
from candor.model.heads import IGNORE, cross_entropy
from candor.parallel import compile_layers, recompute, shard
from candor.train.optim import OptimConfig, build_optimizer
from candor.train.step import Loss, train_step

STEPS, SEQUENCES, LENGTH, VOCABULARY = 20, 8, 16, 64
CONFIG = ModelConfig(
    vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, first_k_dense_replace=1, num_nextn_predict_layers=1,
    num_attention_heads=2, q_lora_rank=16, kv_lora_rank=16, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=8,
    intermediate_size=48, moe_intermediate_size=16, n_routed_experts=4, n_shared_experts=1, num_experts_per_tok=2,
    n_group=1, topk_group=1, max_position_embeddings=64,
)  # fmt: skip
MTP_WEIGHT, BALANCE_WEIGHT, BIAS_SPEED, CLIP = 0.3, 0.01, 0.01, 0.5
RATES = {"adamw": OptimConfig(name="adamw", learning_rate=5e-3), "muon": OptimConfig(learning_rate=5e-3)}


def batch_of(step: int) -> tuple[Tensor, Tensor]:
    """Ids [8, 18] that can be learnt, and which of the 16 targets count: another share in every sequence."""
    generator = torch.Generator().manual_seed(1000 + step)
    start = torch.randint(0, VOCABULARY, (SEQUENCES, 1), generator=generator)
    ids = (start + 7 * torch.arange(LENGTH + 2)) % VOCABULARY
    ids[:, ::5] = torch.randint(0, VOCABULARY, ids[:, ::5].shape, generator=generator)
    valid = torch.rand(SEQUENCES, LENGTH, generator=generator) < torch.linspace(0.2, 1.0, SEQUENCES)[:, None]
    return ids, valid


def objective(model: Transformer, batch: tuple[Tensor, Tensor]) -> Loss:
    """Masked next-token and MTP loss, with the balance loss."""
    ids, valid = batch
    out = model.train_forward(ids)
    assert out.routing is not None
    targets = [ids[:, 1 + k : 1 + k + LENGTH].masked_fill(~valid, IGNORE) for k in (0, 1)]
    loss, _ = cross_entropy(out.hidden, model.lm_head.weight, targets[0])
    mtp, _ = cross_entropy(out.mtp_hidden[0], model.lm_head.weight, targets[1])
    total = loss + MTP_WEIGHT * mtp + BALANCE_WEIGHT * LENGTH * out.routing.balance
    return Loss(total, {"loss": loss, "mtp_loss": mtp}, out.routing)


def build(dtype: torch.dtype) -> Transformer:
    model = Transformer(CONFIG)
    model.init_weights(0.1, torch.Generator().manual_seed(11))
    return model.to(dtype)


def trajectory(
    dtype: torch.dtype, optimizer: str, pieces: list[int], rank: int, ranks: int, compiled: bool, dropped: list[str]
) -> dict[str, Any]:
    model = build(dtype)
    if compiled:
        compile_layers(model)
    recompute(model, dropped)
    if ranks > 1:
        shard(model, init_device_mesh("cpu", (ranks,)))
    optim = build_optimizer(model, RATES[optimizer])
    figures = []
    for step in range(STEPS):
        ids, valid = batch_of(step)
        share = slice(rank * SEQUENCES // ranks, (rank + 1) * SEQUENCES // ranks)
        micro = list(zip(ids[share].split(pieces), valid[share].split(pieces), strict=True))
        figures.append(
            train_step(
                model, optim, micro, objective, int(valid.sum()), clip_norm=CLIP, bias_speed=BIAS_SPEED,
                ranks=dist.group.WORLD if ranks > 1 else None,
            )
        )  # fmt: skip
    state = {
        name: (value.full_tensor() if isinstance(value, DTensor) else value).detach().clone()
        for name, value in model.state_dict().items()
    }
    return {"figures": figures, "state": state}


def main() -> None:
    asked = json.loads(sys.stdin.read())
    torch.set_num_threads(1)
    if asked["ranks"] > 1:
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"
        store = dist.FileStore(asked["store"], asked["ranks"])
        dist.init_process_group("gloo", store=store, rank=asked["rank"], world_size=asked["ranks"])
    result = trajectory(
        getattr(torch, asked["dtype"]), asked["optimizer"], asked["pieces"], asked["rank"], asked["ranks"],
        asked["compile"], asked["recompute"],
    )  # fmt: skip
    torch.save(result, asked["out"])
    if asked["ranks"] > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
