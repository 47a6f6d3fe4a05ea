"""Speed of de-identification beside Presidio's pattern recognisers, and what each finds in annotated sentences.

    make bench-install                       # the peer's environment, once
    .venv/bin/python bench/pii.py            # a table; --json prints one object
    .venv/bin/python bench/pii.py --doubling # 100,000 characters of hints: twice the text, how many times as long
    .venv/bin/python bench/pii.py --text prose.jsonl --synth synth_dataset_v2.json

"rules" are the identifiers by form and checksum, "everything" is what `candor.governance.pii.find` does: names,
dates and the tagger too. Presidio runs as bare recognisers for what rules can tell (e-mail, card, telephone,
network address, URL, IBAN, US numbers; no language engine, no context words, scores of 0.3 and more), telephones
once with its own regions and once with China's; it has no Chinese recogniser. Rates are of the text's UTF-8 bytes
on one core; the sides take turns and the fastest counts. `--synth` takes a file of presidio-research's sentences:
the recall of whole spans by type.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from side import BENCH, Side, version_of

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

PEER = BENCH / "presidio/bin/python"
SIDES = ("candor rules", "candor everything", "presidio")
LENGTH, DOCUMENTS = 3000, 300
SHARED = (
    "CREDIT_CARD", "EMAIL_ADDRESS", "IP_ADDRESS", "IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE", "PHONE_NUMBER",
    "DOMAIN_NAME",
)  # fmt: skip
"""Types of the sentences that rules of both sides are for."""
HINTS = (
    "1 ", "1", "0", "a.", "a@", "@", "1.", "1\n", "1-", ":", "a:", "www.", "sk-", "eyJ-", "一", "一a", "京A1", "京A",
    "qq:1", "1/1 ", "138 ", "X", "İ", "ACGGT", "and 1 ", "Mr ", "路", "<", "Mr Xu left. ",
)  # fmt: skip
Find = Callable[[str], list[tuple[int, int]]]


def candor(how: str) -> Find:
    from candor.governance.pii import Finder

    finder = Finder(names=how == "everything")
    return lambda text: [(span.start, span.end) for span in finder.find(text)]


def presidio() -> Find:
    from presidio_analyzer import predefined_recognizers as known

    recognisers = [
        known.EmailRecognizer(), known.CreditCardRecognizer(), known.IpRecognizer(), known.UrlRecognizer(),
        known.IbanRecognizer(), known.UsSsnRecognizer(), known.UsLicenseRecognizer(), known.PhoneRecognizer(),
        known.PhoneRecognizer(supported_regions=("CN",)),
    ]  # fmt: skip

    def find(text: str) -> list[tuple[int, int]]:
        found = []
        for one in recognisers:
            hits = one.analyze(text, one.supported_entities, None) or []
            found += [(hit.start, hit.end) for hit in hits if hit.score >= 0.3]
        return found

    return find


def recall(find: Find, rows: Sequence[dict[str, Any]]) -> dict[str, list[int]]:
    """Whole spans found, and spans in all, by type."""
    hits: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for row in rows:
        wanted = [one for one in row["spans"] if one["entity_type"] in SHARED]
        covered = {place for start, end in find(row["full_text"]) for place in range(start, end)} if wanted else set()
        for one in wanted:
            totals[one["entity_type"]] += 1
            hits[one["entity_type"]] += covered.issuperset(range(one["start_position"], one["end_position"]))
    return {kind: [hits[kind], totals[kind]] for kind in SHARED if totals[kind]}


def serve(side: str, path: str) -> None:
    """Answer each line, a kind of work, with the rate of one turn or the recall."""
    works = json.loads(Path(path).read_text())
    find = presidio() if side == "presidio" else candor(side.split()[1])
    find("warm +1 202 555 0143, 我叫王小明")
    print(json.dumps({}), flush=True)
    for line in sys.stdin:
        name, share = line.split()
        if name == "synth":
            print(json.dumps({"recall": recall(find, works["synth"])}), flush=True)
            continue
        texts = works[name][:: int(share)]
        start = time.perf_counter()
        count = sum(len(find(text)) for text in texts)
        seconds = time.perf_counter() - start
        size = sum(len(text.encode()) for text in texts)
        print(json.dumps({"rate": size / seconds / 1e6, "result": count}), flush=True)


def pieces(path: Path) -> list[str]:
    """Some pieces of the texts of a JSONL file."""
    with open(path, encoding="utf-8") as file:
        texts = [json.loads(line)["text"] for line in file]
    found = [text[at : at + LENGTH] for text in texts for at in range(0, len(text), LENGTH)]
    return found[:: max(1, len(found) // DOCUMENTS)][:DOCUMENTS]


def texts_of(arguments: argparse.Namespace) -> dict[str, list[Any]]:
    """What is timed, and the sentences of `--synth`."""
    from candor.governance.pii.made import made

    data = Path(os.environ.get("CANDOR_TEST_DATA") or "/nothing")
    letters = [one.text for one in made(0, 2000)]
    works: dict[str, list[Any]] = {
        # Names, numbers and dates in every line: the dense case.
        "letters": ["\n".join(letters[at : at + 10]) for at in range(0, 2000, 10)],
    }
    for name, default in (
        ("english", data / "text/en_books/books.jsonl"),
        ("chinese", data / "text/zh_novels/novels.jsonl"),
    ):
        path = Path(arguments.text) if arguments.text and name == "english" else default
        if path.exists():
            works[name] = pieces(path)
    synth = Path(arguments.synth) if arguments.synth else data / "privacy/presidio_synth/synth_dataset_v2.json"
    if synth.exists():
        works["synth"] = json.loads(synth.read_text(encoding="utf-8"))
    return works


def doubling() -> Iterator[tuple[str, float, float]]:
    """Seconds for 100,000 characters of nothing but hints, and how many times those of half of them."""
    from candor.governance.pii import Finder

    finder = Finder()
    for unit in HINTS:
        seconds = []
        for size in (50_000, 100_000):
            start = time.process_time()
            finder.find(unit * (size // len(unit)))
            seconds.append(time.process_time() - start)
        yield repr(unit), seconds[1], seconds[1] / seconds[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    parser.add_argument("--rounds", type=int, default=3, help="turns that each side gets")
    parser.add_argument("--text", default="", help="JSONL with English prose in the field text")
    parser.add_argument("--synth", default="", help="sentences of presidio-research, for recall")
    parser.add_argument("--doubling", action="store_true", help="only whether time grows with the text and no faster")
    parser.add_argument("--ours-only", action="store_true", help="without the peer")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    if arguments.doubling:
        for unit, seconds, ratio in doubling():
            print(f"{unit:20} {seconds:6.2f} s {ratio:.2f}x", flush=True)
        return
    if not (PEER.exists() or arguments.ours_only):
        parser.error("presidio is not installed; run: make bench-install")

    def say(text: str) -> None:
        print(text, file=sys.stderr if arguments.json else sys.stdout, flush=True)

    works = texts_of(arguments)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "texts.json"
        path.write_text(json.dumps(works))
        sides = {
            name: Side(PEER if name == "presidio" else sys.executable, __file__, "--serve", name, path)
            for name in SIDES[: 2 if arguments.ours_only else None]
        }
        for number in range(arguments.rounds):
            for work in works.keys() - {"synth"}:
                for name, side in sides.items():
                    # The peer is slow: a twentieth is enough to time it.
                    turn = side.turn(f"{work} {20 if name == 'presidio' else 1}")
                    key = f"{name}.{work}"
                    figures[key] = max(turn["rate"], figures.get(key, 0.0))
                    say(f"  turn {number + 1}: {name} {work} {turn['rate']:.2f} MB/s")
        if "synth" in works:
            for name, side in sides.items():
                figures[f"{name}.recall"] = side.turn("synth 1")["recall"]
        for side in sides.values():
            side.close()
    ratios: dict[str, float] = {}
    for work in sorted(works.keys() - {"synth"}):
        say(f"{work:9} " + ", ".join(f"{name} {figures[f'{name}.{work}']:.2f} MB/s" for name in sides))
        if not arguments.ours_only:
            ratios[f"presidio.rules.{work}"] = figures[f"candor rules.{work}"] / figures[f"presidio.{work}"]
    if "synth" in works:
        for kind, (_, count) in figures["candor rules.recall"].items():
            shares = ", ".join(f"{name} {figures[f'{name}.recall'][kind][0] / count:.3f}" for name in sides)
            say(f"{kind:18} n {count:4}  {shares}")
    for name, ratio in ratios.items():
        say(f"{name:24} {ratio:.2f}x")
    if arguments.json:
        import numpy

        versions = {"numpy": numpy.__version__, "python": sys.version.split()[0]}
        if not arguments.ours_only:
            versions["presidio-analyzer"] = version_of(PEER, "presidio-analyzer")
        machine = {"processors": os.cpu_count()}
        print(json.dumps({"machine": machine, "versions": versions, "figures": figures, "ratios": ratios}))


if __name__ == "__main__":
    main()
