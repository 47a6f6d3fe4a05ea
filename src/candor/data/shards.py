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
from candor.data.corpus import SCHEMA, CorpusConfig, batches, documents_in, table_of, write_table
from candor.data.dedup import unit_folder
from candor.data.sources import is_on_heldout_side
from candor.data.steps import Rejected, Steps
from candor.data.units import BATCH, rejects
from candor.data.write import after_cut_a_copy, draw
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
    tables = []
    for number in range(task.units):
        folder_of = unit_folder(Path(task.work) / "write", number)
        held = np.load(folder_of / "buckets.npy").tolist()
        if task.bucket in held:
            tables.append(pq.ParquetFile(folder_of / "documents.parquet").read_row_group(held.index(task.bucket)))
    rows = [row for table in tables for row in zip(table["id"].to_pylist(), documents_in(table), strict=True)]
    first: dict[str, Document] = {}
    twice: list[Rejected] = []
    for own, document in rows:
        if (stays := first.setdefault(own, document)) is not document:
            twice.append(after_cut_a_copy(document, stays))
    if twice:
        write_table(rejects(twice), folder / "rejects.parquet")
    ordered = sorted(first.items())
    sides: dict[str, list[tuple[str, Document]]] = {"train": [], "heldout": []}
    for own, document in ordered:
        held = is_on_heldout_side(own, task.config.heldout_fraction, task.lowest, task.highest)
        sides["heldout" if held else "train"].append((own, document))
    figures: dict[str, Any] = {"rows": {}, "counts": {}}
    groups = Groups.read(task.config.steps.balance.groups)
    spoken = np.zeros((len(groups.names), 3), np.int64)
    made = {source.path for source in task.config.sources if source.form == "made"}
    for batch in batches((document for _, document in ordered if document.source not in made), BATCH):
        spoken += groups.count(View([one.text for one in batch])).sum(0)
    by: dict[str, Counter[str]] = {name: Counter() for name in ("source", "licence", "kind", "lang")}
    for split, documents in sides.items():
        if not documents:
            continue
        sizes = [len(document.text.encode()) for _, document in documents]
        write_table(
            table_of((one for _, one in documents), SCHEMA, [[own for own, _ in documents]]),
            folder / f"{split}.parquet",
        )
        figures["rows"][split] = len(documents)
        figures["counts"][split] = {"documents": len(documents), "bytes": sum(sizes)}
        for (_, document), size in zip(documents, sizes, strict=True):
            for name, share in by.items():
                share[getattr(document, name)] += size
    drawn = heapq.nsmallest(
        SAMPLE, ((f"{draw('sample', own):.15f}", own, document) for own, document in ordered), key=lambda one: one[:2]
    )
    with open(folder / SAMPLES, "w", encoding="utf-8") as file:
        for order, own, document in drawn:
            shown = asdict(document) | {"text": document.text[:_EXCERPT], "characters": len(document.text)}
            file.write(files.json_line({"order": order, "id": own, **shown}))
    return figures | {
        "bytes_by": {name: dict(share) for name, share in by.items()},
        "technical": _technical(task.config, ordered),
        "rejected": len(twice),
        "rejected_bytes": sum(len(one.document.text.encode()) for one in twice),
        "reasons_by_source": dict(Counter(one.document.source for one in twice)),
        "spoken": spoken.tolist(),
    }


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
