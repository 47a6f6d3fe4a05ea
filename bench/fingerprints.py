"""Speed of the hash-only index of training text: MB a second to build, milliseconds for an answer, false alarms.

    .venv/bin/python bench/fingerprints.py            # a table; --json prints one object
    .venv/bin/python bench/fingerprints.py --corpus runs/laptop/corpus

Made text without `--corpus`: documents of 60 to 60,000 characters, as many English words as Han characters. Answers
have 3,000 characters: strange ones, and ones that are copied whole, which take longest. Rates are of UTF-8 bytes and of
processor time on one core; the fastest round counts. `false` is the share of strange answers with any hit.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

WANTED = {"build": 10.0, "strange": 1.0, "copied": 1.0}
"""At least so many MB a second, at most so many milliseconds."""
ANSWER, ANSWERS = 3000, 200


def made(seed: int, size: int) -> list[str]:
    chance = random.Random(seed)
    words = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randrange(2, 10))) for _ in range(5000)]
    texts: list[str] = []
    while size > 0:
        length = int(60 * 1000 ** chance.random())
        if chance.random() < 0.5:
            text = " ".join(chance.choices(words, k=length // 6))
        else:
            text = "".join(map(chr, chance.choices(range(0x4E00, 0x9000), k=length)))
        texts.append(text)
        size -= len(text.encode())
    return texts


def fastest(rounds: int, work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def answers(texts: Sequence[str]) -> list[str]:
    whole = "".join(texts)
    step = max(ANSWER, len(whole) // ANSWERS)
    return [whole[at : at + ANSWER] for at in range(0, len(whole) - ANSWER, step)][:ANSWERS]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--corpus", type=Path, help="a corpus folder in place of made text")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of which the fastest counts")
    parser.add_argument("--size", type=float, default=10.0, help="MB of made text")
    arguments = parser.parse_args()

    import numpy

    from candor.data import read_corpus
    from candor.governance.fingerprints import Fingerprints, build

    if arguments.corpus:
        texts = [document.text for document in read_corpus(arguments.corpus, "train")]
    else:
        texts = made(0, int(arguments.size * 1e6))
    strange = answers(made(1, 2_000_000))
    size = sum(len(text.encode()) for text in texts) / 1e6
    figures: dict[str, Any] = {"mb": size, "documents": len(texts)}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "index"
        figures["build"] = size / fastest(arguments.rounds, lambda: build(texts, folder))
        index = Fingerprints(folder)
        figures["hashes"] = len(index)
        figures["bytes_per_byte"] = 8 * len(index) / size / 1e6
        for name, some in (("strange", strange), ("copied", answers(texts))):
            seconds = fastest(arguments.rounds, lambda some=some: [index.copied(text) for text in some])
            figures[name] = 1000 * seconds / len(some)
        figures["false"] = sum(bool(index.copied(text)) for text in strange) / len(strange)
        runs = sum(map(len, strange))
        figures["false_stated"] = runs * len(index) / 2.0**index.config.bits
    if arguments.json:
        versions = {"numpy": numpy.__version__, "python": sys.version.split()[0]}
        machine = {"processors": os.cpu_count()}
        print(json.dumps({"machine": machine, "versions": versions, "figures": figures, "ratios": {}}))
        return
    print(f"{size:.1f} MB in {len(texts):,} documents: {figures['hashes']:,} hashes of 64 bits")
    print(f"build    {figures['build']:8.1f} MB/s (wanted: at least {WANTED['build']:g})")
    for name in ("strange", "copied"):
        print(f"{name:8} {figures[name]:8.3f} ms an answer of {ANSWER:,} characters (wanted: below {WANTED[name]:g})")
    print(f"false    {figures['false']:8.3f} of {len(strange)} strange answers (stated: {figures['false_stated']:.1e})")


if __name__ == "__main__":
    main()
