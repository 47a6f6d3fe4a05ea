"""Speed of a GRPO step against TRL's GRPOTrainer: the same model, prompts and optimizer, alternating, in one run.

    make bench-install                       # the peer's environment, once
    .venv/bin/python bench/grpo.py           # a table; --json prints one object
    .venv/bin/python bench/grpo.py --rounds 3

A step samples 32 questions x 16 answers of up to 48 tokens at temperature 1, rewards them, and takes one AdamW step
on all of them (loss dapo, no KL). Weights are random, so answers run to the limit unless they meet the end token; the
reward is the share of digits, which differs from answer to answer, so no answer is left out of the step. Both sides
load the same folder. TRL runs as its users run it on a CPU (float32) and at its best of bfloat16, batch sizes and
expert implementations. Every side is a process that keeps its warm model; each turn is two steps, and the fastest
step counts.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from side import BENCH, Side, version_of

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

PEER = BENCH / "trl/bin/python"
QUESTIONS, GROUP, LIMIT = 32, 16, 48
ANSWERS = QUESTIONS * GROUP
OURS = {"": "auto", "float32": "float32"}
PEERS = {
    "users": {"batch": 512, "experts": None, "bf16": False},
    "batch-128": {"batch": 128, "experts": None, "bf16": False},
    "grouped": {"batch": 512, "experts": "grouped_mm", "bf16": False},
    "eager": {"batch": 512, "experts": "eager", "bf16": False},
    "bfloat16": {"batch": 512, "experts": None, "bf16": True},
}


def digits(text: str) -> float:
    return sum(letter.isdigit() for letter in text) / max(1, len(text))


Step = Callable[[], dict[str, float]]


def candor(folder: Path, how: str) -> Step:
    import torch

    from candor.infer import Engine
    from candor.model.hub import load_model
    from candor.plan.device import compute_dtype, keep_freed_memory
    from candor.rl.losses import LossConfig
    from candor.rl.policy import PolicyTask, RolloutConfig
    from candor.rl.rubric import Rubric
    from candor.text import Tokenizer
    from candor.train.optim import OptimConfig, build_optimizer
    from candor.train.step import train_step

    model = load_model(folder, dtype=torch.float32)
    model.compute_dtype = compute_dtype(OURS[how], torch.device("cpu"))
    keep_freed_memory()
    optimizer = build_optimizer(model, OptimConfig(name="adamw", learning_rate=1e-5))
    rubric = Rubric({"digits": 1.0}, {"digits": lambda problem, response: digits(response.text)})
    rollout = RolloutConfig(tasks=("arithmetic:1:en",), questions=QUESTIONS, group=GROUP, max_tokens=LIMIT)
    place = tempfile.mkdtemp(dir=folder)
    engine = Engine(model, Tokenizer.load(folder), max_sequences=512)
    task = PolicyTask(engine, rollout, lambda step: rubric, LossConfig(kind="dapo"), Path(place), steps=1 << 30)
    number = 0

    def step() -> dict[str, float]:
        nonlocal number
        start = time.perf_counter()
        plan = task.next(number, 0)
        sampled = time.perf_counter()
        assert plan is not None
        train_step(model, optimizer, plan.micro_batches, plan.objective, 1, clip_norm=1.0)
        number += 1
        end = time.perf_counter()
        return {"seconds": end - start, "sampling": sampled - start, "update": end - sampled,
                "length": plan.figures["response_length"]}  # fmt: skip

    return step


def trl(folder: Path, how: str) -> Step:
    import warnings

    warnings.filterwarnings("ignore")
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    options = PEERS[how]
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    if options["experts"]:
        model.set_experts_implementation(options["experts"])
    prompts = json.loads((folder / "prompts.json").read_text())
    config = GRPOConfig(
        output_dir=tempfile.mkdtemp(dir=folder), use_cpu=True, bf16=options["bf16"], num_generations=GROUP,
        per_device_train_batch_size=options["batch"], gradient_accumulation_steps=ANSWERS // options["batch"],
        max_completion_length=LIMIT, temperature=1.0, top_p=1.0, top_k=0, beta=0.0, loss_type="dapo",
        learning_rate=1e-5,
        lr_scheduler_type="constant", max_grad_norm=1.0, report_to=[], save_strategy="no", logging_steps=1000,
        max_steps=1 << 20, disable_tqdm=True,
    )  # fmt: skip
    figures: dict[str, float] = {}
    lengths: list[float] = []

    def reward(completions: list[str], completion_ids: list[list[int]], **_: Any) -> list[float]:
        lengths.append(sum(map(len, completion_ids)) / len(completion_ids))
        return [digits(text) for text in completions]

    class Pause(TrainerCallback):
        """Hands a step's time out and waits for the next turn."""

        def __init__(self) -> None:
            self.left, self.start = 0, 0.0

        def on_step_begin(self, *_: Any, **__: Any) -> None:
            if not self.left:
                wait(figures)
                self.left = 2
            self.start = time.perf_counter()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds = time.perf_counter() - self.start
            figures["seconds"] = min(seconds, figures.get("seconds", seconds))
            figures["length"] = lengths[-1]
            self.left -= 1

    trainer = GRPOTrainer(
        model=model, reward_funcs=reward, args=config, train_dataset=Dataset.from_dict({"prompt": prompts}),
        processing_class=tokenizer, callbacks=[Pause()],
    )  # fmt: skip
    trainer.train()
    raise AssertionError("the trainer does not end")


answers = sys.stdout


def wait(figures: dict[str, float]) -> None:
    """Give the figures of the turn that ended, and wait for the next one."""
    print(json.dumps(figures), file=answers, flush=True)
    figures.clear()
    if not sys.stdin.readline():
        os._exit(0)


def serve(side: str, folder: Path, how: str) -> None:
    """Answer each line on stdin with the fastest of two steps."""
    sys.stdout = sys.stderr
    if side == "trl":
        trl(folder, how)
    step = candor(folder, how)
    figures: dict[str, float] = {}
    while True:
        wait(figures)
        figures = min((step() for _ in range(2)), key=lambda one: one["seconds"])


def prepare(folder: Path) -> None:
    """Random weights of the shape that TRL was first measured with (1.8M parameters), a tokenizer, prompts."""
    import torch

    from candor.model import ModelConfig, Transformer
    from candor.model.hub import save_model
    from candor.problems.families import FAMILIES
    from candor.problems.prompts import asked
    from candor.text import Tokenizer

    problems = FAMILIES["arithmetic"].generate(0, 512, difficulty=1)
    prompts = [asked(problem, "plain") for problem in problems]
    shape = ModelConfig(
        vocab_size=2048, hidden_size=128, num_hidden_layers=3, first_k_dense_replace=1, num_nextn_predict_layers=0,
        num_attention_heads=4, q_lora_rank=64, kv_lora_rank=64, qk_nope_head_dim=32, qk_rope_head_dim=16, v_head_dim=32,
        intermediate_size=384, moe_intermediate_size=128, n_routed_experts=8, num_experts_per_tok=2, n_group=2,
        topk_group=1, max_position_embeddings=512,
    )  # fmt: skip
    model = Transformer(shape)
    model.init_weights(0.02, torch.Generator().manual_seed(0))
    save_model(model, folder, tokenizer=Tokenizer.train(prompts, shape.vocab_size))
    (folder / "prompts.json").write_text(json.dumps(prompts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each side gets")
    parser.add_argument("--ours-only", action="store_true", help="without the peer")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        side, folder, how = arguments.serve
        serve(side, Path(folder), how)
    if not PEER.exists() and not arguments.ours_only:
        parser.error("TRL is not installed; run: make bench-install")

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as place:
        prepare(Path(place))
        wanted = [("candor", how) for how in OURS]
        wanted += [] if arguments.ours_only else [("trl", how) for how in PEERS]
        sides: dict[str, Side] = {}
        for side, how in wanted:
            try:
                python = sys.executable if side == "candor" else PEER
                sides[f"{side} {how}".strip()] = Side(python, __file__, "--serve", side, place, how)
            except RuntimeError as error:
                say(f"  {side} {how} does not run: {(str(error).strip().splitlines() or ['killed'])[-1][:200]}")
        for number in range(arguments.rounds):
            for name, one in sides.items():
                turn = one.turn("")
                turn["completions_per_second"] = ANSWERS / turn["seconds"]
                say(f"  turn {number + 1}: {name} {turn['seconds']:.2f} s, {turn['length']:.1f} tokens an answer")
                if turn["seconds"] < best.get(name, {"seconds": float("inf")})["seconds"]:
                    best[name] = turn
        for one in sides.values():
            one.close()
    for name, turn in best.items():
        parts = f", sampling {turn['sampling']:.2f} s, update {turn['update']:.2f} s" if "sampling" in turn else ""
        say(f"{name:16} {turn['completions_per_second']:8.0f} completions/s{parts}")
    ratios: dict[str, float] = {}
    speeds = {name: turn["completions_per_second"] for name, turn in best.items()}
    if not arguments.ours_only:
        own = speeds["candor"]
        ratios["trl.grpo"] = own / speeds["trl users"]
        ratios["trl_best.grpo"] = own / max(speed for name, speed in speeds.items() if name.startswith("trl"))
    for name, ratio in ratios.items():
        say(f"{name:16} {ratio:.2f}x")
    if arguments.json:
        import torch

        machine = {"threads": torch.get_num_threads(), "processor": torch.backends.cpu.get_cpu_capability()}
        versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
        if not arguments.ours_only:
            versions |= {package: version_of(PEER, package) for package in ("trl", "transformers")}
        print(json.dumps({"machine": machine, "versions": versions, "figures": best, "ratios": ratios}))


if __name__ == "__main__":
    main()
