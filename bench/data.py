"""Speed of the corpus steps against datatrove: the same documents, one core, alternating, in one run.

    make bench-install                       # the peer's environment, once
    .venv/bin/python bench/data.py           # a table; --json prints one object
    .venv/bin/python bench/data.py --text prose.jsonl --rounds 3
    .venv/bin/python bench/data.py --scale   # whole builds: one process and two, 100 MB and 1 GB, memory

1,000 documents of 3,000 characters of English prose. "quality" is datatrove's five steps of FineWeb one behind the
other: Gopher's repetition and quality rules, C4's, FineWeb's, e-mail and network addresses masked; ours are the same
rules and masks. "minhash" is signatures of 14 bands of 8 hashes over runs of 5 words. The peer runs as its users run
it, with its tokenizer of English (spaCy), and at its best, with a tokenizer that splits at spaces and xxhash. Rates
are of the text's UTF-8 bytes; the fastest turn counts. Neither side reads or writes files in these two; `--scale`
does all of a build.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from side import BENCH, Side, version_of

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

PEER = BENCH / "datatrove/bin/python"
DOCUMENTS, LENGTH = 1000, 3000
BATCH = 20
"""Of our documents looked at together: 60,000 characters, as in a build."""
SIDES = ("candor", "datatrove users", "datatrove best")
WORKS = ("quality", "minhash")


def prose(path: str) -> list[str]:
    """Pieces of the texts of a JSONL file, or without one of Python's language reference and library sources."""
    if path:
        with open(path, encoding="utf-8") as file:
            texts = [json.loads(line)["text"] for line in file]
    else:
        from candor.data.python_docs import python_docs

        texts = [document.text for document in python_docs()]
    pieces = [text[start : start + LENGTH] for text in texts for start in range(0, len(text) - LENGTH, LENGTH)]
    step = max(1, len(pieces) // DOCUMENTS)
    return pieces[::step][:DOCUMENTS]


def ours() -> dict[str, Callable[[Sequence[str]], int]]:
    from candor.data.minhash import MinHashConfig, band_keys
    from candor.data.private import PrivateConfig
    from candor.data.quality import QualityConfig, judge
    from candor.view import View

    config, hashing, private = QualityConfig(), MinHashConfig(), PrivateConfig()

    def batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
        return (texts[start : start + BATCH] for start in range(0, len(texts), BATCH))

    def quality(texts: Sequence[str]) -> int:
        kept = 0
        for batch in batches(texts):
            kept += judge(batch, View(batch), config).reasons.count("")
            for text in batch:
                private.mask(text)
        return kept

    def minhash(texts: Sequence[str]) -> int:
        return sum(band_keys(View(batch), hashing).size for batch in batches(texts))

    return {"quality": quality, "minhash": minhash}


def datatrove(how: str) -> dict[str, Callable[[Sequence[str]], int]]:
    from datatrove.data import Document
    from datatrove.pipeline.dedup.minhash import HashConfig, MinhashConfig, MinhashDedupSignature
    from datatrove.pipeline.filters import (
        C4QualityFilter,
        FineWebQualityFilter,
        GopherQualityFilter,
        GopherRepetitionFilter,
    )
    from datatrove.pipeline.formatters import PIIFormatter
    from datatrove.utils.word_tokenizers import WhitespaceTokenizer

    best = how == "best"
    named = {"language": WhitespaceTokenizer()} if best else {}
    filters = [
        GopherRepetitionFilter(**named),
        GopherQualityFilter(**named),
        C4QualityFilter(filter_no_terminal_punct=False, **named),
        FineWebQualityFilter(**named),
    ]
    masks = PIIFormatter()
    config = MinhashConfig(
        n_grams=5,
        num_buckets=14,
        hashes_per_bucket=8,
        hash_config=HashConfig(hash_fc="xxhash" if best else "sha1", precision=64),
    )
    signatures = MinhashDedupSignature(tempfile.mkdtemp(), config=config, **named)

    def quality(texts: Sequence[str]) -> int:
        kept = 0
        for text in texts:
            document = Document(text=text, id="x")
            # A filter says no by a pair of no and the reason; every step sees every document, as ours do.
            verdicts = [step.filter(document) is True for step in filters]
            kept += all(verdicts)
            masks.format(text)
        return kept

    def minhash(texts: Sequence[str]) -> int:
        return sum(len(signatures.get_signature(signatures.get_shingles(text))) for text in texts)

    return {"quality": quality, "minhash": minhash}


def serve(side: str, path: str) -> None:
    """Answer each line, a kind of work, with the rate of one turn."""
    texts = json.loads(Path(path).read_text())
    size = sum(len(text.encode()) for text in texts)
    works = ours() if side == "candor" else datatrove(side.split()[1])
    for work in works.values():
        work(texts[:BATCH])  # tables and tokenizers
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        name, count = line.split()
        some = texts[: int(count)]
        start = time.perf_counter()
        result = works[name](some)
        seconds = time.perf_counter() - start
        print(json.dumps({"rate": size * len(some) / len(texts) / seconds / 1e6, "result": result}), flush=True)


# Whole builds.


def scaled(folder: Path, size: int, lines: Sequence[str]) -> Path:
    """A JSONL file of about `size` bytes: documents of lines drawn at random, so that few are alike."""
    import random

    chance = random.Random(size)
    path = folder / f"{size // 10**6}.jsonl"
    written = 0
    with open(path, "w", encoding="utf-8") as file:
        while written < size:
            text = "\n".join(chance.choices(lines, k=45))
            written += file.write(json.dumps({"text": text}, ensure_ascii=False) + "\n")
    return path


def build(text: Path, workers: int) -> dict[str, float]:
    """Seconds of a build, and the largest memory of its processes together in MiB."""
    with tempfile.TemporaryDirectory(dir=text.parent) as out:
        code = [
            sys.executable,
            "-m",
            "candor",
            "data",
            "build",
            str(text),
            "--licence",
            "MIT",
            "--workers",
            str(workers),
        ]
        start = time.perf_counter()
        process = subprocess.Popen([*code, "--out", out], stdout=subprocess.DEVNULL)
        peak = [0.0]
        watcher = threading.Thread(target=_watch, args=(process, peak))
        watcher.start()
        if process.wait():
            raise RuntimeError(f"the build of {text} failed")
        watcher.join()
        return {"seconds": time.perf_counter() - start, "mib": peak[0]}


def _watch(process: subprocess.Popen[bytes], peak: list[float]) -> None:
    while process.poll() is None:
        tree, total = [process.pid], 0
        while tree:
            pid = tree.pop()
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
                tree += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            except (OSError, StopIteration):
                continue
        peak[0] = max(peak[0], total / 1024)
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each side gets")
    parser.add_argument("--text", default="", help="JSONL with English prose in the field text")
    parser.add_argument("--scale", action="store_true", help="whole builds instead, without the peer")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000], help="megabytes of --scale")
    parser.add_argument("--ours-only", action="store_true", help="without the peer")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    if not (PEER.exists() or arguments.ours_only or arguments.scale):
        parser.error("datatrove is not installed; run: make bench-install")
    data = os.environ.get("CANDOR_TEST_DATA")
    default = Path(data or "") / "text/en_books/books.jsonl"
    texts = prose(arguments.text or (str(default) if data and default.exists() else ""))

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    figures: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    if arguments.scale:
        with tempfile.TemporaryDirectory() as place:
            lines = [line for text in texts for line in text.split("\n") if len(line) > 40]
            for size in arguments.sizes:
                path = scaled(Path(place), size * 10**6, lines)
                for workers in (1, 2) if size == min(arguments.sizes) else (1,):
                    one = build(path, workers)
                    one["mb_per_second"] = path.stat().st_size / 1e6 / one["seconds"]
                    figures[f"build.{size}mb.{workers}"] = one
                    say(
                        f"{size:,} MB, {workers} process{'es' if workers > 1 else ''}: {one['seconds']:.0f} s, "
                        f"{one['mb_per_second']:.2f} MB/s, {one['mib']:.0f} MiB at most"
                    )
                path.unlink()
        small, large = min(arguments.sizes), max(arguments.sizes)
        ratios["build.two_processes"] = (
            figures[f"build.{small}mb.1"]["seconds"] / figures[f"build.{small}mb.2"]["seconds"]
        )
        ratios["build.memory"] = figures[f"build.{small}mb.1"]["mib"] / figures[f"build.{large}mb.1"]["mib"]
    else:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place) / "texts.json"
            path.write_text(json.dumps(texts))
            sides = {}
            for side in SIDES[: 1 if arguments.ours_only else None]:
                python = sys.executable if side == "candor" else PEER
                sides[side] = Side(python, __file__, "--serve", side, path)
            for number in range(arguments.rounds):
                for work in WORKS:
                    for name, side in sides.items():
                        # The peer takes half a minute for all of them: a fifth is enough to time it.
                        turn = side.turn(f"{work} {DOCUMENTS if name == 'candor' else DOCUMENTS // 5}")
                        key = f"{name}.{work}"
                        say(f"  turn {number + 1}: {name} {work} {turn['rate']:.2f} MB/s")
                        figures[key] = max(turn["rate"], figures.get(key, 0.0))
            for side in sides.values():
                side.close()
        for work in WORKS:
            say(f"{work:9} " + ", ".join(f"{name} {figures[f'{name}.{work}']:.2f} MB/s" for name in sides))
            if not arguments.ours_only:
                ratios[f"datatrove.{work}"] = figures[f"candor.{work}"] / figures[f"datatrove users.{work}"]
                ratios[f"datatrove_best.{work}"] = figures[f"candor.{work}"] / figures[f"datatrove best.{work}"]
    for name, ratio in ratios.items():
        say(f"{name:24} {ratio:.2f}x")
    if arguments.json:
        import numpy

        machine = {
            "processors": os.cpu_count(),
            "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }
        versions = {"numpy": numpy.__version__, "python": sys.version.split()[0]}
        if not (arguments.ours_only or arguments.scale):
            versions["datatrove"] = version_of(PEER, "datatrove")
        print(json.dumps({"machine": machine, "versions": versions, "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
