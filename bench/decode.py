"""Speed of generation against transformers and llama.cpp: the same weights, the same prompts, alternating, in one run.

    make bench-install                        # the peers' environments, once
    .venv/bin/python bench/decode.py          # a table; --json prints one object
    .venv/bin/python bench/decode.py --sizes nano --rounds 3
    .venv/bin/python bench/decode.py --speculate runs/laptop/model     # drafting with a trained model's MTP module

Work `1`: one prompt of 32 tokens, 128 new ones. Work `64`: 64 prompts of 8 to 64 tokens at once, 16 to 128 new tokens
each, as 64 users want them; tokens per second counts the wanted ones. Everyone samples at temperature 1 and never stops
early. transformers is called as its users call it (`generate`, one padded batch, float32) and at its best of static
cache, compiled, and its expert implementations; its continuous batching (`generate_batch`) fails with this model in
5.23. llama.cpp, through llama-cpp-python, reads our GGUF file in float32 with a float32 cache and takes one sequence,
with one thread or two; its batching is not compared. Every side is a process that keeps its warm model; each gets turns
one after the other, and the fastest turn counts.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from side import BENCH, Side, version_of

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

PYTHON = {"candor": Path(sys.executable), "transformers": BENCH / "transformers/bin/python",
          "llamacpp": BENCH / "llamacpp/bin/python"}  # fmt: skip
SIDES = {
    "candor": ["float32", "uncompiled", "bfloat16"],
    "transformers": ["users", "static", "static-grouped", "compiled", "compiled-grouped"],
    "llamacpp": ["1", "2"],
}
VOCABULARY = {"nano": 4096, "micro": 8192}


def work_of(sequences: int, vocabulary: int) -> tuple[list[list[int]], list[int]]:
    """Prompts and how many tokens each wants."""
    source = random.Random(sequences)
    if sequences == 1:
        lengths, wanted = [32], [128]
    else:
        lengths = [source.randrange(8, 65) for _ in range(sequences)]
        wanted = [source.randrange(16, 129) for _ in range(sequences)]
    return [[0, *(source.randrange(3, vocabulary) for _ in range(n - 1))] for n in lengths], wanted


Run = Callable[[list[list[int]], list[int]], dict[str, float]]


def candor(folder: Path, how: str) -> Run:
    import torch

    from candor.infer import Engine, SamplingParams
    from candor.model.hub import load_model
    from candor.text import Tokenizer

    kind = torch.bfloat16 if how == "bfloat16" else torch.float32
    speculate = int(how.removeprefix("speculate-")) if how.startswith("speculate") else 0
    engine = Engine(load_model(folder, dtype=kind), Tokenizer.load(folder), num_speculative_tokens=speculate,
                    compile=how != "uncompiled")  # fmt: skip

    def run(prompts: list[list[int]], wanted: list[int]) -> dict[str, float]:
        params = [SamplingParams(max_tokens=tokens, ignore_eos=True) for tokens in wanted]
        engine.reset_prefix_cache()  # nothing is left of the turn before
        before = engine.stats
        start = time.perf_counter()
        done = engine.generate(prompts, params)
        seconds = time.perf_counter() - start
        assert [len(one.token_ids) for one in done] == wanted
        start = time.perf_counter()
        engine.reset_prefix_cache()
        engine.generate(prompts[:1], SamplingParams(max_tokens=1, ignore_eos=True))
        after = engine.stats
        figures = {"seconds": seconds, "first_token": time.perf_counter() - start,
                   "bytes_per_token": float(after.bytes_per_token)}  # fmt: skip
        if speculate:
            figures["acceptance"] = (after.accepted - before.accepted) / max(1, after.drafted - before.drafted)
        return figures

    return run


def transformers(folder: Path, how: str) -> Run:
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.set_experts_implementation("grouped_mm" if how.endswith("grouped") else "eager")
    options: dict[str, Any] = {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0, "pad_token_id": 2}
    if how != "users":
        options["cache_implementation"] = "static"
    if how.startswith("compiled"):
        model.forward = torch.compile(model.forward, dynamic=False)

    def run(prompts: list[list[int]], wanted: list[int]) -> dict[str, float]:
        width = max(map(len, prompts))
        ids = torch.tensor([[2] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        longest = max(wanted)
        start = time.perf_counter()
        out = model.generate(ids, attention_mask=mask, max_new_tokens=longest, min_new_tokens=longest, **options)
        seconds = time.perf_counter() - start
        assert out.shape[1] == width + longest
        start = time.perf_counter()
        model.generate(ids[:1, -len(prompts[0]) :], max_new_tokens=1, **options)
        return {"seconds": seconds, "first_token": time.perf_counter() - start}

    return run


def llamacpp(folder: Path, how: str) -> Run:
    from llama_cpp import Llama

    model = Llama(str(folder / "model.gguf"), n_ctx=512, n_threads=int(how), n_threads_batch=int(how), type_k=0,
                  type_v=0, verbose=False)  # fmt: skip

    def run(prompts: list[list[int]], wanted: list[int]) -> dict[str, float]:
        (prompt,), (tokens,) = prompts, wanted
        model.reset()
        start = time.perf_counter()
        first = 0.0
        tokens_of = model.generate(prompt, temp=1.0, top_k=0, top_p=1.0, min_p=0.0, reset=False)
        for count, _ in enumerate(tokens_of, start=1):
            first = first or time.perf_counter() - start
            if count == tokens:
                break
        return {"seconds": time.perf_counter() - start, "first_token": first}

    return run


def serve(side: str, folder: Path, how: str, vocabulary: int) -> None:
    """Answer each line on stdin, a number of sequences, with the figures of one turn."""
    start = time.perf_counter()
    run = {"candor": candor, "transformers": transformers, "llamacpp": llamacpp}[side](folder, how)
    print(json.dumps({"load": time.perf_counter() - start}), flush=True)
    for line in sys.stdin:
        prompts, wanted = work_of(int(line), vocabulary)
        figures = run(prompts, wanted)
        print(json.dumps({**figures, "tokens_per_second": sum(wanted) / figures["seconds"]}), flush=True)


def measure(
    sides: list[tuple[str, str]], folder: Path, vocabulary: int, sequences: int, rounds: int, say: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """Each side's fastest turn, the sides one after the other in every round."""
    open_sides: dict[str, Side] = {}
    results: dict[str, dict[str, float]] = {}
    for side, how in sides:
        try:
            # Compiled code is made for a shape: a compiling peer gets one process, one work.
            one = Side(PYTHON[side], __file__, "--serve", side, folder, how, str(vocabulary))
            start = time.perf_counter()
            one.turn(sequences)
            results[f"{side} {how}"] = {"warm_up": one.ready["load"] + time.perf_counter() - start}
            open_sides[f"{side} {how}"] = one
        except RuntimeError as error:
            say(f"  {side} {how} does not run: {(str(error).strip().splitlines() or ['killed'])[-1][:200]}")
    for _ in range(rounds):
        for name, one in open_sides.items():
            figures = one.turn(sequences)
            if figures["tokens_per_second"] > results[name].get("tokens_per_second", 0):
                results[name] |= figures
    for one in open_sides.values():
        one.close()
    return results


def make_models(sizes: list[str], folder: Path) -> None:
    """Random weights with a tokenizer, as Hugging Face folders and GGUF files."""
    import dataclasses

    import torch

    from candor.model import Transformer, config
    from candor.model.gguf import write_gguf
    from candor.model.hub import save_model
    from candor.text import Tokenizer

    for size in sizes:
        shape = dataclasses.replace(getattr(config, size)(), num_nextn_predict_layers=0)
        model = Transformer(shape)
        model.init_weights(0.02, torch.Generator().manual_seed(0))
        save_model(model, folder / size, tokenizer=Tokenizer.train(["some words to begin with"], shape.vocab_size))
        write_gguf(folder / size, folder / size / "model.gguf", "f32")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--sizes", nargs="+", default=["nano", "micro"], choices=VOCABULARY)
    parser.add_argument("--rounds", type=int, default=4, help="turns that each side gets")
    parser.add_argument("--speculate", type=Path, metavar="MODEL", help="only: with and without drafts, on this model")
    parser.add_argument("--serve", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        side, folder, how, vocabulary = arguments.serve
        serve(side, Path(folder), how, int(vocabulary))
        return
    for name in ("transformers", "llamacpp"):
        if not arguments.speculate and not PYTHON[name].exists():
            parser.error(f"{name} is not installed; run: make bench-install")

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}

    def show(title: str, results: dict[str, dict[str, float]]) -> None:
        say(f"\n{title}\n{'':30} tokens/s  first token ms  warm-up s")
        for name, f in results.items():
            more = f"  {f['bytes_per_token']:,.0f} bytes a cached token" if "bytes_per_token" in f else ""
            more += f", {f['acceptance']:.0%} of drafts kept" if "acceptance" in f else ""
            say(f"{name:30} {f['tokens_per_second']:8,.0f} {1000 * f['first_token']:15.1f} {f['warm_up']:10.1f}{more}")

    def speed(results: dict[str, dict[str, float]], *names: str) -> float:
        return max((f["tokens_per_second"] for name, f in results.items() if name.startswith(names)), default=0.0)

    if arguments.speculate:
        vocabulary = json.loads((arguments.speculate / "config.json").read_text())["vocab_size"]
        sides = [("candor", how) for how in ("float32", "speculate-1", "speculate-2", "speculate-3")]
        for sequences in (1, 64):
            results = measure(sides, arguments.speculate, vocabulary, sequences, arguments.rounds, say)
            figures[str(sequences)] = results
            show(f"{arguments.speculate}, {sequences} sequences", results)
            ratios[f"plain.speculate.{sequences}"] = speed(results, "candor speculate") / speed(
                results, "candor float32"
            )
    else:
        with tempfile.TemporaryDirectory() as folder:
            make_models(arguments.sizes, Path(folder))
            for size in arguments.sizes:
                for sequences in (1, 64):
                    sides = [(side, how) for side, every in SIDES.items() for how in every]
                    sides = [one for one in sides if one[0] != "llamacpp" or sequences == 1]
                    results = measure(sides, Path(folder) / size, VOCABULARY[size], sequences, arguments.rounds, say)
                    figures[f"{size}.{sequences}"] = results
                    show(f"{size}, {sequences} sequences", results)
                    own = speed(results, "candor float32")
                    ratios[f"transformers.decode.{size}.{sequences}"] = own / speed(results, "transformers users")
                    ratios[f"transformers_best.decode.{size}.{sequences}"] = own / speed(results, "transformers")
                    if sequences == 1:
                        ratios[f"llamacpp.decode.{size}.1"] = own / speed(results, "llamacpp")
    say("")
    for name, ratio in ratios.items():
        say(f"{name:40} {ratio:.2f}x")
    if arguments.json:
        import torch

        machine = {"threads": torch.get_num_threads(), "processor": torch.backends.cpu.get_cpu_capability()}
        versions = {"torch": torch.__version__, "python": sys.version.split()[0]}
        for name, package in () if arguments.speculate else (("transformers",) * 2, ("llamacpp", "llama-cpp-python")):
            versions[package] = version_of(PYTHON[name], package)
        print(json.dumps({"machine": machine, "versions": versions, "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
