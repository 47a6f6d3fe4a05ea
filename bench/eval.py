"""Speed of an evaluation against lm-eval with transformers: the same problems, prompts and limits, alternating.

    make bench-install                       # the peer's environment, once
    .venv/bin/python bench/eval.py           # a table; --json prints one object
    .venv/bin/python bench/eval.py --rounds 3 --sizes nano micro

500 problems in the form of GSM8K, asked as "Question: ...\\nAnswer:", the most likely tokens up to 128, float32. Both
sides load the same folder; the model has random weights, so next to nobody stops early, and answers are wrong. What is
timed is all from the prompts to the graded result, without loading. lm-eval (`--model hf`) runs as its users run it,
with one prompt at a time (its default, on 40 of the problems) and in batches of 64, and at its best of larger batches,
the static cache and transformers' expert implementations. Every side is a process that keeps its warm model; the
fastest turn counts.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from operator import eq
from pathlib import Path
from typing import Any

from side import BENCH, Side, version_of

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

PEER = BENCH / "lm_eval/bin/python"
PROBLEMS, LIMIT, FEW = 500, 128, 40
PEERS = {
    "batch-1": (FEW, "1", {}),
    "batch-64": (PROBLEMS, "64", {}),
    "batch-250": (PROBLEMS, "250", {}),
    "batch-64-grouped": (PROBLEMS, "64", {}),
    "batch-64-static": (250, "64", {"cache_implementation": "static"}),
}
"""Problems, batch size, what goes to `generate`."""
USERS = ("batch-1", "batch-64")


def candor(folder: Path, _: str) -> Callable[[], list[str]]:
    import torch

    from candor.evaluate.run import evaluate
    from candor.evaluate.subject import Local
    from candor.evaluate.task import Task
    from candor.infer import Engine
    from candor.model.hub import load_model
    from candor.text import Tokenizer

    engine = Engine(load_model(folder, dtype=torch.float32), Tokenizer.load(folder))
    task = Task(name="gsm8k", data=str(folder / "problems.jsonl"), n=0, temperature=0, max_tokens=LIMIT)

    def run() -> list[str]:
        engine.reset_prefix_cache()  # nothing is left of the turn before
        with tempfile.TemporaryDirectory() as out:
            result, samples = evaluate(task, Local(lambda: engine, "bench", "bench"), Path(out))
        assert result.problems == len(samples) == PROBLEMS and not result.invalid
        return [sample.response for sample in samples]

    return run


def lm_eval(folder: Path, how: str) -> Callable[[], list[str]]:
    os.environ["TQDM_DISABLE"] = "1"
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    limit, batch, options = PEERS[how]
    model = HFLM(pretrained=str(folder), dtype="float32", device="cpu", batch_size=batch, add_bos_token=True)
    if "grouped" in how:
        model.model.set_experts_implementation("grouped_mm")
    manager = TaskManager(include_path=str(folder), include_defaults=False)

    def run() -> list[str]:
        report = simple_evaluate(model=model, tasks=["gsm8k_format"], task_manager=manager, limit=limit,
                                 bootstrap_iters=0, gen_kwargs=options or None)  # fmt: skip
        rows = sorted(report["samples"]["gsm8k_format"], key=lambda row: row["doc_id"])
        return [row["resps"][0][0] for row in rows]

    return run


def hash_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def serve(side: str, folder: Path, how: str) -> None:
    """Answer each line on stdin with the figures of one turn."""
    answers = sys.stdout
    sys.stdout = sys.stderr
    run = {"candor": candor, "lm_eval": lm_eval}[side](folder, how)
    print(json.dumps({}), file=answers, flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        texts = run()
        seconds = time.perf_counter() - start
        turn = {
            "seconds": seconds,
            "samples_per_second": len(texts) / seconds,
            "answers": [hash_of(one) for one in texts],
        }
        print(json.dumps(turn), file=answers, flush=True)


def prepare(size: str, folder: Path) -> None:
    """Random weights with a tokenizer, 500 problems in the form of GSM8K, and lm-eval's task for them."""
    import dataclasses

    import torch

    from candor.model import Transformer, config
    from candor.model.hub import save_model
    from candor.problems.families import FAMILIES
    from candor.text import Tokenizer

    problems = FAMILIES["words"].generate(0, PROBLEMS, difficulty=3)
    rows = [{"question": one.prompt, "answer": f"{one.solution}\n#### {one.gold}"} for one in problems]
    shape = dataclasses.replace(getattr(config, size)(), num_nextn_predict_layers=0)
    model = Transformer(shape)
    model.init_weights(0.02, torch.Generator().manual_seed(0))
    texts = [f"Question: {row['question']}\nAnswer: {row['answer']}" for row in rows]
    save_model(model, folder, tokenizer=Tokenizer.train(texts, shape.vocab_size))
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "gsm8k_format.yaml").write_text(
        f"""task: gsm8k_format
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder}/problems.jsonl}}}}
test_split: test
output_type: generate_until
doc_to_text: "Question: {{{{question}}}}\\nAnswer:"
doc_to_target: "{{{{answer.split('#### ')[-1]}}}}"
generation_kwargs: {{until: ["\\nQuestion:"], max_gen_toks: {LIMIT}, do_sample: false}}
filter_list:
  - name: lenient
    filter: [{{function: regex, regex_pattern: '(-?[0-9][0-9,.]*)', group_select: -1}}, {{function: take_first}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--sizes", nargs="+", default=["nano"], choices=["nano", "micro"])
    parser.add_argument("--rounds", type=int, default=2, help="turns that each side gets")
    parser.add_argument("--serve", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        side, folder, how = arguments.serve
        serve(side, Path(folder), how)
        return
    if not PEER.exists():
        parser.error("lm-eval is not installed; run: make bench-install")

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    figures: dict[str, dict[str, Any]] = {}
    ratios: dict[str, float] = {}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory() as place:
            prepare(size, Path(place))
            best: dict[str, dict[str, float]] = {}
            sides: dict[str, Side] = {}
            ours: list[str] = []
            for side, how in [("candor", ""), *(("lm_eval", how) for how in PEERS)]:
                python = sys.executable if side == "candor" else PEER
                try:
                    sides[f"{side} {how}".strip()] = Side(python, __file__, "--serve", side, place, how)
                except RuntimeError as error:
                    say(f"  {side} {how} does not run: {(str(error).strip().splitlines() or ['killed'])[-1][:200]}")
            for number in range(arguments.rounds):
                for name, one in list(sides.items()):
                    try:
                        turn = one.turn("")
                    except RuntimeError as error:
                        say(f"  {name} does not run: {(str(error).strip().splitlines() or ['killed'])[-1][:200]}")
                        del sides[name]
                        continue
                    own = turn.pop("answers")
                    if name == "candor":
                        ours = own
                    turn["same_answers"] = sum(map(eq, own, ours)) / len(own)
                    say(
                        f"  {size}, turn {number + 1}: {name} {turn['samples_per_second']:.2f} samples/s, "
                        f"{turn['same_answers']:.0%} of the answers as ours"
                    )
                    if (
                        turn["samples_per_second"]
                        > best.get(name, turn | {"samples_per_second": 0})["samples_per_second"]
                    ):
                        best[name] = turn
            for one in sides.values():
                one.close()
        figures[size] = best
        speeds = {name: turn["samples_per_second"] for name, turn in best.items()}
        users = max(speeds[f"lm_eval {how}"] for how in USERS if f"lm_eval {how}" in speeds)
        ratios[f"lm_eval.generate.{size}"] = speeds["candor"] / users
        ratios[f"lm_eval_best.generate.{size}"] = speeds["candor"] / max(
            speed for name, speed in speeds.items() if name.startswith("lm_eval")
        )
    say("")
    for name, ratio in ratios.items():
        say(f"{name:32} {ratio:.2f}x")
    if arguments.json:
        import torch

        machine = {"threads": torch.get_num_threads(), "processor": torch.backends.cpu.get_cpu_capability()}
        versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
        versions |= {package: version_of(PEER, package) for package in ("lm-eval", "transformers")}
        print(json.dumps({"machine": machine, "versions": versions, "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
