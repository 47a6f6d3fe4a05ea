"""Speed of the training step against transformers: same shapes, same data, alternating, in one run.

    make bench-install                        # the peer's environment, once
    .venv/bin/python bench/train_step.py      # a table; --json prints one object
    .venv/bin/python bench/train_step.py --sizes nano --rounds 3
    .venv/bin/python bench/train_step.py --ours-only --sizes small --mtp     # on a GPU: tokens/s and MFU

The peer is `DeepseekV3ForCausalLM` with fused AdamW, run eagerly in float32 as its users run it, and at its best of
eager and compiled, its expert implementations, float32 and bfloat16 autocast. Every side is a process of its own that
keeps its warm model; the parent asks one after the other for a few steps, and the fastest of each counts. MTP is off,
as the peer does not train it. The compiled peer gets by the environment what Candor sets by itself: a C library that
keeps freed blocks. Every side trains on the same learnable data, so that losses after 50 steps compare.
"""

import argparse
import dataclasses
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

from side import BENCH, Side

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

SHAPES: dict[str, dict[str, int]] = {
    "nano": {"sequences": 16, "length": 256},
    "micro": {"sequences": 8, "length": 512},
    "small": {"sequences": 8, "length": 2048},
}
PEER = BENCH / "transformers" / "bin" / "python"
OURS = {"candor": "bfloat16", "candor compiled": "bfloat16-compiled", "candor float32": "float32"}
EAGER = "eager-grouped_mm-float32"
PEERS = [
    EAGER, "eager-eager-float32", "eager-grouped_mm-bfloat16", "eager-eager-bfloat16", "compiled-grouped_mm-bfloat16"
]  # fmt: skip
RATE = 1e-3


def data(vocabulary: int, sequences: int, length: int, seed: int) -> Any:
    """Ids that can be learnt: each follows from the one before by a fixed map, one time in eight by chance."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(0, vocabulary, (sequences, length), generator=generator)
    chance = torch.rand(sequences, length, generator=generator) < 0.125
    for place in range(1, length):
        ids[:, place] = torch.where(chance[:, place], ids[:, place], (ids[:, place - 1] * 5 + 7) % min(vocabulary, 512))
    return ids


# Workers: `step(batch)` takes one step and returns the loss.


def ours(size: str, how: str, mtp: bool) -> Callable[[Any], float]:
    import torch

    from candor.data.loader import Batch
    from candor.model import Transformer, config
    from candor.parallel import compile_layers
    from candor.plan.device import best_device, keep_freed_memory
    from candor.stages.pretrain import pretrain_loss
    from candor.train.optim import OptimConfig, build_optimizer
    from candor.train.step import train_step

    keep_freed_memory()
    device = best_device()
    shape = dataclasses.replace(getattr(config, size)(), num_nextn_predict_layers=int(mtp))
    model = Transformer(shape)
    model.init_weights(0.02, torch.Generator().manual_seed(0))
    model.to(device)
    if how.startswith("bfloat16"):
        model.compute_dtype = torch.bfloat16
    if how.endswith("compiled"):
        compile_layers(model)
    optimizer = build_optimizer(model, OptimConfig(name="adamw", learning_rate=RATE, betas=(0.9, 0.95)))

    def objective(model: Transformer, batch: Batch) -> Any:
        return pretrain_loss(model, batch, mtp_weight=0.3, balance_weight=0.0)

    def step(ids: Any) -> float:
        tokens = ids.shape[0] * (ids.shape[1] - 1 - mtp)
        return train_step(model, optimizer, [Batch(ids, None)], objective, tokens, clip_norm=1.0)["loss"]

    return step


def peer(size: str, how: str) -> Callable[[Any], float]:
    import torch
    from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

    mode, experts, precision = how.split("-")
    shape = json.loads(os.environ["CANDOR_BENCH_SHAPE"])
    torch.manual_seed(0)
    model = DeepseekV3ForCausalLM(DeepseekV3Config(**shape, initializer_range=0.02))
    model.set_experts_implementation(experts)
    model.train()
    run = torch.compile(model) if mode == "compiled" else model
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, betas=(0.9, 0.95), weight_decay=0.1, fused=True)

    def step(ids: Any) -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            loss = run(
                input_ids=ids[:, :-1], labels=ids[:, :-1], shift_labels=ids[:, 1:].contiguous(), use_cache=False
            ).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    return step


def work(side: str, size: str, how: str, mtp: bool) -> None:
    """Answer each line on stdin: a number of steps, timed one by one; `losses N`: the losses of N steps."""
    import torch

    sequences, length = SHAPES[size].values()
    vocabulary = json.loads(os.environ["CANDOR_BENCH_SHAPE"])["vocab_size"]
    start = time.perf_counter()
    step = ours(size, how, mtp) if side == "ours" else peer(size, how)
    ahead = 1 + mtp
    device = "cuda" if side == "ours" and torch.cuda.is_available() else "cpu"
    batches = [data(vocabulary, sequences, length + ahead, seed).to(device) for seed in range(50)]
    losses = [step(batches[0]), step(batches[1])]
    print(json.dumps({"warm_up": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        seconds = []
        for _ in range(int(line)):
            begin = time.perf_counter()
            losses.append(step(batches[len(losses) % 50]))
            seconds.append(time.perf_counter() - begin)
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if device == "cuda":
            memory = torch.cuda.max_memory_allocated() / 2**20
        print(json.dumps({"seconds": seconds, "losses": losses, "memory": memory}), flush=True)


def worker_of(side: str, size: str, how: str, mtp: bool) -> Side:
    """A warm model in a process of its own."""
    keeps = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str((1 << 31) - 1)}
    python = sys.executable if side == "ours" else PEER
    flags = ["--mtp"] if mtp else []
    return Side(python, __file__, "--work", side, size, how, *flags, **(keeps if how.startswith("compiled") else {}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--sizes", nargs="+", default=["nano", "micro"], choices=SHAPES)
    parser.add_argument("--rounds", type=int, default=4, help="turns that each side gets")
    parser.add_argument("--ours-only", action="store_true", help="without the peer")
    parser.add_argument("--mtp", action="store_true", help="our side with its MTP module (with --ours-only)")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work:
        work(*arguments.work, arguments.mtp)
        return
    if not arguments.ours_only and not PEER.exists():
        parser.error("the peer is not installed; run: make bench-install")

    import torch

    from candor.model import config
    from candor.plan.counts import training_flops_per_token
    from candor.plan.device import best_device, measure_peak

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    peaks = {str(dtype)[6:]: measure_peak(1024, 1.0, dtype) for dtype in (torch.float32, torch.bfloat16)}
    say("matmul peak: " + ", ".join(f"{value / 1e9:,.0f} GFLOP/s {name}" for name, value in peaks.items()))
    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for size in arguments.sizes:
        shape = dataclasses.replace(getattr(config, size)(), num_nextn_predict_layers=int(arguments.mtp))
        fields = {name: value for name, value in dataclasses.asdict(shape).items() if name != "initializer_range"}
        os.environ["CANDOR_BENCH_SHAPE"] = json.dumps(fields)
        sequences, length = SHAPES[size].values()
        flops = training_flops_per_token(shape, length, mtp=arguments.mtp)
        wanted = [("ours", name, how) for name, how in OURS.items()]
        wanted += [] if arguments.ours_only else [("peer", f"transformers {how}", how) for how in PEERS]
        workers: dict[str, Side] = {}
        seconds: dict[str, list[float]] = {}
        for side, name, how in wanted:
            try:
                workers[name], seconds[name] = worker_of(side, size, how, arguments.mtp), []
                say(f"{size}: {name} is warm after {workers[name].ready['warm_up']:.0f} s")
            except RuntimeError as error:
                say(f"{size}: {name} does not run: {str(error).strip().splitlines()[-1]}")
        turns = arguments.rounds
        for _ in range(turns):
            for name, worker in workers.items():
                answer = worker.turn(max(2, 48 // turns))
                seconds[name] += answer.pop("seconds")
                worker.ready |= answer
        say(
            f"\n{size}: {sequences} x {length} tokens a step\n{'':44} tokens/s  of peak  MiB peak  warm-up s  last loss"
        )
        for name, worker in workers.items():
            worker.close()
            speed = sequences * length / min(seconds[name])
            peak = peaks["bfloat16" if "bfloat16" in OURS.get(name, name) else "float32"]
            worker.ready |= {"tokens_per_second": speed, "of_peak": speed * flops / peak}
            f = worker.ready
            last = sum(f["losses"][-5:]) / 5
            say(f"{name:44} {speed:8,.0f} {f['of_peak']:8.0%} {f['memory']:9,.0f} {f['warm_up']:10.1f} {last:10.4f}")
        figures[size] = {name: worker.ready for name, worker in workers.items()}
        if not arguments.ours_only:
            speeds = {name: worker.ready["tokens_per_second"] for name, worker in workers.items()}
            own = max(value for name, value in speeds.items() if name.startswith("candor"))
            eager = max(
                speeds[f"transformers {how}"] for how in PEERS if how.startswith("eager-") and how.endswith("float32")
                and f"transformers {how}" in speeds
            )  # fmt: skip
            ratios[f"transformers.train.{size}"] = own / eager
            ratios[f"transformers_float32.train.{size}"] = speeds["candor float32"] / eager
            ratios[f"transformers_best.train.{size}"] = own / max(
                value for name, value in speeds.items() if name.startswith("transformers")
            )
    for name, ratio in ratios.items():
        say(f"{name:36} {ratio:.2f}x")
    if arguments.json:
        versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
        machine = {"device": str(best_device()), "threads": torch.get_num_threads(), "peak_flops": peaks}
        print(json.dumps({"machine": machine, "versions": versions, "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
