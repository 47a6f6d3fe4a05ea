"""The watermark: how often it is found by length and entropy, how often where it is not, and what it costs.

    .venv/bin/python bench/watermark.py --model runs/laptop/model --data DATA     # tables; --json prints one object
    .venv/bin/python bench/watermark.py --parts synthetic --plot watermark.png
    .venv/bin/python bench/watermark.py --parts speed --rounds 6

Everything is at 1 % false alarms, by the exact p-value under the right key.

`synthetic`: texts drawn from random distributions over 256 of 131,072 tokens, whose mean entropy is set, each text
under a key of its own. `model`: answers of a trained model at temperature 1, as ids, after a way through text and the
tokenizer, and with 10 % and 20 % of their tokens deleted, inserted or substituted (by tokens of other answers, at
random places); entropy is what -log2 p of the model is on average. `human`: passages of 200 tokens of books and
documentation in both languages, by the model's tokenizer; DATA is a folder with text/{en,zh}_*/*.jsonl, a "text" in
each line. `speed`: tokens per second with and without, random weights, alternating, the fastest turn of each counts.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import numpy as np

from candor.governance.keys import LocalRing
from candor.governance.watermark import LEVEL, Scheme, WatermarkKey, keys_of
from candor.governance.watermark.detect import WEIGHTS, counted, score_of, tail
from candor.governance.watermark.scheme import CHANCE, bits_of, reweigh, words_of

SCHEMES: tuple[Scheme, ...] = ("tournament", "kgw")
RING = LocalRing("watermark", {1: bytes(range(32))})
ENTROPIES, LENGTHS = (0.5, 1.0, 2.0, 3.0, 4.0), (25, 50, 100, 200)
LANGUAGES = {"en": ("text/en_books", "text/en_docs"), "zh": ("text/zh_novels", "text/zh_docs")}


@cache
def needed(n: int, scheme: Scheme) -> int:
    """The least score of n counted tokens whose p-value is at most LEVEL."""
    low, high = 0, n * sum(WEIGHTS[scheme]) + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if tail(middle, n, WEIGHTS[scheme], CHANCE[scheme]) <= LEVEL else (middle + 1, high)
    return low


def is_found(ids: Sequence[int], key: WatermarkKey, pieces: Sequence[bytes] = ()) -> bool:
    """What `detect` says at LEVEL, with one table of p-values for all texts of a length."""
    contexts, tokens = counted(ids, pieces)
    return bool(tokens) and score_of(key, contexts, tokens) >= needed(len(tokens), key.scheme)


def share(found: Sequence[bool]) -> dict[str, float]:
    p = float(np.mean(found))
    return {"rate": p, "stderr": (p * (1 - p) / len(found)) ** 0.5, "n": len(found)}


# Parts


def temperature_for(entropy: float, scores: np.ndarray) -> float:
    """At which softmax of scores [N, 256] has this mean entropy, in bits."""
    low, high = 0.01, 100.0
    for _ in range(40):
        middle = (low * high) ** 0.5
        p = softmax(scores / middle)
        low, high = (middle, high) if -(p * np.log2(p + 1e-30)).sum(1).mean() < entropy else (low, middle)
    return low


def softmax(scores: np.ndarray) -> np.ndarray:
    p = np.exp(scores - scores.max(1, keepdims=True))
    return (p / p.sum(1, keepdims=True)).astype(np.float32)


def synthetic(texts: int) -> dict[str, Any]:
    random, figures = np.random.default_rng(0), {}
    for scheme in SCHEMES:
        for entropy in ENTROPIES:
            heat = temperature_for(entropy, random.standard_normal((500, 256)))
            keys = [keys_of(RING, str(n), scheme)[0] for n in range(texts)]
            ids = [random.integers(0, 1 << 17, texts) for _ in range(4)]
            scores = np.zeros((max(LENGTHS) - 3, texts), dtype=int)
            for place in range(4, max(LENGTHS)):
                p = softmax(random.standard_normal((texts, 256)) / heat)
                tokens = random.integers(0, 1 << 17, (texts, 256))
                words = words_of(keys, np.stack(ids[-4:], 1), tokens)  # type: ignore[arg-type]
                sums = reweigh(p, words, scheme, lambda bits: bits.astype(np.float32)).cumsum(1)
                at = (sums <= random.random((texts, 1)) * sums[:, -1:]).sum(1).clip(max=255)
                chosen = words[np.arange(texts), at]
                ids.append(tokens[np.arange(texts), at])
                bits = zip(WEIGHTS[scheme], bits_of(chosen, scheme), strict=True)
                scores[place - 3] = scores[place - 4] + sum(w * b.astype(int) for w, b in bits)
            for length in LENGTHS:
                found = scores[length - 4] >= needed(length - 4, scheme)
                figures[f"{scheme}.{entropy}.{length}"] = share(found)
    return figures


def changed(ids: Sequence[int], how: str, part: float, pool: np.ndarray, random: np.random.Generator) -> list[int]:
    """The ids with a part of them deleted, substituted, or as many inserted."""
    hit, result = random.random(len(ids)) < part, []
    for token, is_hit in zip(ids, hit, strict=True):
        if not is_hit:
            result.append(token)
        elif how == "inserted":
            result += [int(random.choice(pool)), token]
        elif how == "substituted":
            result.append(int(random.choice(pool)))
    return result


def model_texts(folder: Path, texts: int, length: int) -> dict[str, Any]:
    from candor.infer import Engine, SamplingParams
    from candor.model.hub import load_model
    from candor.text import Tokenizer

    tokenizer, figures, random = Tokenizer.load(folder), {}, np.random.default_rng(0)
    pieces = tokenizer.token_bytes
    with Engine(load_model(folder), tokenizer) as engine:
        prompt = [[tokenizer.bos_id]] * texts
        plain = [SamplingParams(seed=n, max_tokens=length, ignore_eos=True) for n in range(texts)]
        free = engine.generate(prompt, plain)
        pool = np.array([token for one in free for token in one.token_ids])
        for scheme in SCHEMES:
            # A key for each: answers to one prompt under one key begin alike, and would not be 500 but few.
            keys = [keys_of(RING, str(n), scheme)[0] for n in range(texts)]
            answers = engine.generate(
                prompt, [replace(one, watermark=key) for one, key in zip(plain, keys, strict=True)]
            )
            ids = [one.token_ids for one in answers]
            bits = [bits_a_token(one.logprobs) for one in answers]

            def found(every: Sequence[Sequence[int]], keys: Sequence[WatermarkKey] = keys) -> list[bool]:
                return [is_found(one, key, pieces) for one, key in zip(every, keys, strict=True)]

            for cut in LENGTHS:
                figures[f"{scheme}.{cut}"] = share(found([one[:cut] for one in ids]))
            for low, high in ((0, 1), (1, 2), (2, 9)):
                here = [hit for hit, b in zip(found(ids), bits, strict=True) if low <= b < high]
                if here:
                    figures[f"{scheme}.{length}.entropy {low} to {high}"] = share(here)
            figures[f"{scheme}.{length}.unmarked"] = share(found([one.token_ids for one in free]))
            figures[f"{scheme}.{length}.through text"] = share(found([tokenizer.encode(one.text) for one in answers]))
            for how, part in product(("deleted", "inserted", "substituted"), (0.1, 0.2)):
                attacked = [changed(one, how, part, pool, random) for one in ids]
                figures[f"{scheme}.{length}.{part:.0%} {how}"] = share(found(attacked))
            figures[f"{scheme}.mean entropy"] = {"rate": float(np.mean(bits))}
        figures["no mark.mean entropy"] = {"rate": float(np.mean([bits_a_token(one.logprobs) for one in free]))}
    return figures


def bits_a_token(logprobs: Sequence[float]) -> float:
    return float(-np.mean(logprobs) / np.log(2))


def human(folder: Path, data: Path, passages: int) -> dict[str, Any]:
    from candor.text import Tokenizer

    tokenizer, figures = Tokenizer.load(folder), {}
    for language, places in LANGUAGES.items():
        ids: list[list[int]] = []
        files = [path for place in places for path in sorted((data / place).glob("*.jsonl"))]
        for path in files:
            wanted, own = passages // 2 // len(files), []
            for line in path.open(encoding="utf-8"):
                text = json.loads(line)["text"]
                tokens = tokenizer.encode(text[:20_000])
                own += [tokens[at : at + 200] for at in range(0, len(tokens) - 199, 200)]
                if len(own) >= wanted:
                    break
            ids += own[:wanted]
        for scheme in SCHEMES:
            key = keys_of(RING, "human", scheme)[0]
            figures[f"{scheme}.{language}"] = share([is_found(one, key) for one in ids])
    return figures


def speed(rounds: int) -> dict[str, Any]:
    import torch

    from candor.infer import Engine, SamplingParams
    from candor.model import Transformer, config
    from candor.text import Tokenizer

    figures: dict[str, Any] = {}
    for size, sequences, tokens in (("nano", 64, 96), ("micro", 64, 48), ("nano", 1, 200), ("micro", 1, 100)):
        shape = replace(getattr(config, size)(), num_nextn_predict_layers=0)
        model = Transformer(shape)
        model.init_weights(0.02, torch.Generator().manual_seed(0))
        tokenizer = Tokenizer.train(["some words to begin with"], shape.vocab_size)
        best: dict[str, float] = {}
        with Engine(model, tokenizer) as engine:
            for turn in range(rounds + 1):
                for scheme in ("no mark", *SCHEMES):
                    key = keys_of(RING, "speed", scheme)[0] if scheme in SCHEMES else None  # type: ignore[arg-type]
                    params = SamplingParams(max_tokens=tokens, ignore_eos=True, seed=turn, watermark=key)
                    start = time.perf_counter()
                    engine.generate([[0, 5, 6, 7]] * sequences, params)
                    if turn:  # the first one warms up
                        rate = sequences * tokens / (time.perf_counter() - start)
                        best[scheme] = max(best.get(scheme, 0.0), rate)
        for scheme, rate in best.items():
            figures[f"{size}.{sequences}.{scheme}"] = {"rate": rate, "share": rate / best["no mark"]}
    return figures


def draw(figures: dict[str, Any], path: Path) -> None:
    from matplotlib.figure import Figure

    picture = Figure(figsize=(9, 4), layout="constrained")
    left, right = picture.subplots(1, 2, sharey=True)
    for entropy in ENTROPIES if "synthetic" in figures else ():
        rates = [figures["synthetic"][f"tournament.{entropy}.{length}"]["rate"] for length in LENGTHS]
        left.plot(LENGTHS, rates, marker="o", label=f"{entropy:g} bits a token")
    left.set(title="synthetic sampler", xlabel="tokens", ylabel="found at 1 % false alarms", ylim=(0, 1.02))
    for scheme in SCHEMES if "model" in figures else ():
        rates = [figures["model"][f"{scheme}.{length}"]["rate"] for length in LENGTHS]
        right.plot(LENGTHS, rates, marker="o", label=scheme)
    right.set(title="trained model, temperature 1", xlabel="tokens")
    for side in (left, right):
        if side.lines:
            side.legend()
    picture.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--parts", nargs="+", default=["synthetic", "model", "human", "speed"])
    parser.add_argument("--model", type=Path, default=Path("runs/laptop/model"), help="a trained model's folder")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("CANDOR_TEST_DATA", "../shared/data")))
    parser.add_argument("--texts", type=int, default=500, help="texts of each kind")
    parser.add_argument("--length", type=int, default=200, help="tokens of the model's answers")
    parser.add_argument("--passages", type=int, default=5000, help="human passages, half of them in each language")
    parser.add_argument("--rounds", type=int, default=4, help="turns of the speed measurement")
    parser.add_argument("--plot", type=Path, help="PNG file for the curves")
    arguments = parser.parse_args()
    work = {
        "synthetic": lambda: synthetic(arguments.texts),
        "model": lambda: model_texts(arguments.model, arguments.texts, arguments.length),
        "human": lambda: human(arguments.model, arguments.data, arguments.passages),
        "speed": lambda: speed(arguments.rounds),
    }
    figures: dict[str, Any] = {}
    for part in arguments.parts:
        figures[part] = work[part]()
        for name, values in figures[part].items() if not arguments.json else ():
            print(
                f"{part:10} {name:38}", *(f"{key} {value:,.4g}" for key, value in values.items()), sep="  ", flush=True
            )
    if arguments.plot:
        draw(figures, arguments.plot)
    if arguments.json:
        load = os.getloadavg()[0]
        ratios = {
            f"unmarked.decode.{name.removesuffix('.tournament')}": values["share"]
            for name, values in figures.get("speed", {}).items()
            if name.endswith(".tournament")
        }
        machine = {"load": load, "cores": os.cpu_count()}
        versions = {"numpy": np.__version__, "python": sys.version.split()[0]}
        print(json.dumps({"machine": machine, "versions": versions, "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
