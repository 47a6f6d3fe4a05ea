"""One trajectory of 20 seeded steps, in as many processes as asked for; run by test_trajectories.py.

Reads a JSON object: how to run (`ranks`, `rank`, `store`, `pieces`, `dtype`, `compile`, `recompute`, `optimizer`,
`replicated`, `compute`) and a file to write figures and final weights to.
"""

import json
import os
import sys
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor

from candor.data.loader import Batch
from candor.model import ModelConfig, Transformer, attention, heads
from candor.parallel import compile_layers, recompute, shard
from candor.stages.pretrain import pretrain_loss
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


def batch_of(step: int) -> Batch:
    """Ids [8, 18] that can be learnt, and which of the 16 targets count: another share in every sequence.

    In every other step, documents that do not see each other.
    """
    generator = torch.Generator().manual_seed(1000 + step)
    start = torch.randint(0, VOCABULARY, (SEQUENCES, 1), generator=generator)
    ids = (start + 7 * torch.arange(LENGTH + 2)) % VOCABULARY
    ids[:, ::5] = torch.randint(0, VOCABULARY, ids[:, ::5].shape, generator=generator)
    valid = torch.rand(SEQUENCES, LENGTH, generator=generator) < torch.linspace(0.2, 1.0, SEQUENCES)[:, None]
    segments = torch.randint(0, 3, ids.shape, generator=generator).sort(-1).values if step % 2 else None
    return Batch(ids, segments, valid)


def pieces_of(batch: Batch, sizes: list[int], rank: int, ranks: int) -> list[Batch]:
    """A rank's share, cut."""
    share = slice(rank * SEQUENCES // ranks, (rank + 1) * SEQUENCES // ranks)
    parts = [None if x is None else x[share].split(sizes) for x in (batch.tokens, batch.segments, batch.valid)]
    return [Batch(*(None if part is None else part[at] for part in parts)) for at in range(len(sizes))]


def objective(model: Transformer, batch: Batch) -> Loss:
    """The product's own."""
    return pretrain_loss(model, batch, mtp_weight=MTP_WEIGHT, balance_weight=BALANCE_WEIGHT)


def build(dtype: torch.dtype) -> Transformer:
    model = Transformer(CONFIG)
    model.init_weights(0.1, torch.Generator().manual_seed(11))
    return model.to(dtype)


def trajectory(
    dtype: torch.dtype,
    optimizer: str,
    pieces: list[int],
    rank: int,
    ranks: int,
    compiled: bool,
    dropped: list[str],
    replicated: bool = False,
    compute: str | None = None,
) -> dict[str, Any]:
    # Small enough that attention and loss have several blocks.
    attention._BLOCK, heads._CHUNK_LOGITS = 5, 30 * VOCABULARY
    model = build(dtype)
    if compute:
        model.compute_dtype = getattr(torch, compute)
    if compiled:
        compile_layers(model)
    recompute(model, dropped)
    if ranks > 1 and not replicated:
        shard(model, init_device_mesh("cpu", (ranks,)))
    optim = build_optimizer(model, RATES[optimizer])
    figures = []
    for step in range(STEPS):
        batch = batch_of(step)
        assert batch.valid is not None
        figures.append(
            train_step(
                model, optim, pieces_of(batch, pieces, rank, ranks), objective, int(batch.valid.sum()), clip_norm=CLIP,
                bias_speed=BIAS_SPEED, ranks=dist.group.WORLD if ranks > 1 else None,
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
        asked["compile"], asked["recompute"], asked["replicated"], asked["compute"],
    )  # fmt: skip
    torch.save(result, asked["out"])
    if asked["ranks"] > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
