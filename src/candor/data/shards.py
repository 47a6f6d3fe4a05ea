"""Shards: what is left of all units in the order of their hashes, on the side that each belongs to."""

import heapq
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq

from candor import files
from candor.data.benchmarks import BenchmarksConfig
from candor.data.bias import Groups
from candor.data.corpus import CorpusConfig, batches, documents_in, rejects_of, table_of, write_table
from candor.data.dedup import after_cut_a_copy, unit_folder
from candor.data.split import draw, is_on_heldout_side
from candor.data.steps import Rejected, Steps
from candor.records import Document
from candor.view import View

SAMPLES = "human_sample.jsonl"
SAMPLE = 4000
"""GB/T 45652: items that people look at."""
_TECHNICAL = 0.1
"""GB/T 45652: share of the documents that programs look at again."""
_EXCERPT = 2000
"""Characters of a document that people look at."""


class Shard(NamedTuple):
    """A range of hashes of which shards are written."""

    config: CorpusConfig
    bucket: int
    work: str
    units: int
    lowest: str
    highest: str


def write_shard(folder: Path, task: Shard) -> dict[str, Any]:
    """Train and held-out documents of a range of hashes, in their order, without what has become a copy by a cut."""
    ordered, twice = _in_order(task)
    if twice:
        write_table(rejects_of(twice), folder / "rejects.parquet")
    _write_sample(folder / SAMPLES, ordered)
    return _write_sides(folder, task, ordered) | {
        "technical": _technical(task.config, ordered),
        "rejected": len(twice),
        "rejected_bytes": sum(len(one.document.text.encode()) for one in twice),
        "reasons_by_source": dict(Counter(one.document.source for one in twice)),
        "spoken": _spoken(task.config, ordered),
    }


def _in_order(task: Shard) -> tuple[list[tuple[str, Document]], list[Rejected]]:
    """Documents of all units behind their ids, and those that are there twice."""
    first: dict[str, Document] = {}
    twice: list[Rejected] = []
    for number in range(task.units):
        unit = unit_folder(Path(task.work) / "write", number)
        held = np.load(unit / "buckets.npy").tolist()
        if task.bucket not in held:
            continue
        table = pq.ParquetFile(unit / "documents.parquet").read_row_group(held.index(task.bucket))
        for own, document in zip(table["id"].to_pylist(), documents_in(table), strict=True):
            if (stays := first.setdefault(own, document)) is not document:
                twice.append(after_cut_a_copy(document, stays))
    return sorted(first.items()), twice


def _write_sides(folder: Path, task: Shard, ordered: Sequence[tuple[str, Document]]) -> dict[str, Any]:
    """Write `train.parquet` and `heldout.parquet`, each where it has documents."""
    sides: dict[str, list[tuple[str, Document]]] = {"train": [], "heldout": []}
    for own, document in ordered:
        held = is_on_heldout_side(own, task.config.heldout_fraction, task.lowest, task.highest)
        sides["heldout" if held else "train"].append((own, document))
    figures: dict[str, Any] = {"rows": {}, "counts": {}}
    by: dict[str, Counter[str]] = {name: Counter() for name in ("source", "licence", "kind", "lang")}
    for split, documents in sides.items():
        if not documents:
            continue
        write_table(table_of(documents), folder / f"{split}.parquet")
        sizes = [len(document.text.encode()) for _, document in documents]
        figures["rows"][split] = len(documents)
        figures["counts"][split] = {"documents": len(documents), "bytes": sum(sizes)}
        for (_, document), size in zip(documents, sizes, strict=True):
            for name, share in by.items():
                share[getattr(document, name)] += size
    return figures | {"bytes_by": {name: dict(share) for name, share in by.items()}}


def _write_sample(path: Path, ordered: Sequence[tuple[str, Document]]) -> None:
    """What people may have to look at, with its place in the order of all."""
    places = ((f"{draw('sample', own):.15f}", own, document) for own, document in ordered)
    with open(path, "w", encoding="utf-8") as file:
        for order, own, document in heapq.nsmallest(SAMPLE, places, key=lambda one: one[:2]):
            shown = asdict(document) | {"text": document.text[:_EXCERPT], "characters": len(document.text)}
            file.write(files.json_line({"order": order, "id": own, **shown}))


def _spoken(config: CorpusConfig, ordered: Sequence[tuple[str, Document]]) -> list[list[int]]:
    """How groups are spoken of, but for what a program of ours made."""
    groups = Groups.read(config.steps.balance.groups)
    spoken = np.zeros((len(groups.names), 3), np.int64)
    made = {source.path for source in config.sources if source.form == "made"}
    for batch in batches(document for _, document in ordered if document.source not in made):
        spoken += groups.count(View([one.text for one in batch])).sum(0)
    found: list[list[int]] = spoken.tolist()
    return found


def _technical(config: CorpusConfig, ordered: Sequence[tuple[str, Document]]) -> dict[str, int]:
    """How many documents of the technical sample pass the filters as they stand now."""
    drawn = (document for own, document in ordered if draw("sample", own) < _TECHNICAL)
    # Whatever the form: hate is hate in code too.
    settings = replace(config.steps, benchmarks=BenchmarksConfig(), languages=(), licences=())
    kinds = {kind: Steps(settings.of(kind), "any") for kind in {source.kind for source in config.sources}}
    checked = passed = 0
    while batch := list(islice(drawn, 64)):
        for kind, steps in kinds.items():
            kept, _, _ = steps.run([replace(one, changes="") for one in batch if one.kind == kind])
            # What masking would still change has something left in it.
            passed += sum("private" not in one.changes for one in kept)
        checked += len(batch)
    return {"checked": checked, "passed": passed}
