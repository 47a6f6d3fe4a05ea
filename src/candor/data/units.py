"""The tasks of a build: a unit judged, a unit written without its copies, a shard put together.

Each fills a folder from what the tasks before it have left, and gives figures as JSON.
"""

import hashlib
import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import compress, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from candor import files
from candor.data.benchmarks import Benchmarks, BenchmarksConfig
from candor.data.bias import Groups
from candor.data.contacts import without_contacts
from candor.data.corpus import (
    REJECTED,
    SCHEMA,
    CorpusConfig,
    documents_in,
    table_of,
    write_table,
)
from candor.data.dedup import (
    BANDS,
    EXACT,
    EXCLUDED,
    PASSAGES,
    of_unit,
    sorted_keys,
    unit_folder,
)
from candor.data.minhash import band_keys
from candor.data.normalise import normalise
from candor.data.sources import (
    Unit,
    is_on_heldout_side,
    is_taken,
    read_unit,
)
from candor.data.steps import Rejected, Steps, without_passages
from candor.data.view import View
from candor.records import Document

SAMPLES = "human_sample.jsonl"
SAMPLE = 4000
"""GB/T 45652: items that people look at."""
SHOWN = 20
"""Texts before and after that are kept of each kind of change."""
_BATCH_CHARACTERS = 65_536
"""Characters that are looked at together: their arrays fit into a processor's cache."""
_TECHNICAL = 0.1
"""GB/T 45652: share of the documents that programs look at again."""
_EXCERPT = 2000
"""Characters of a document that people look at."""
_WHOLE = ("copies", "near_copies", "balance")
"""Steps that take documents out for the sake of others, in their order."""
_LITTLE = 10
"""Words below which what cutting has left is thrown away."""
_OPEN = 20
"""Units whose names of documents are in memory at a time."""


class Read(NamedTuple):
    """A unit to be read and judged."""

    config: CorpusConfig
    unit: Unit
    work: str


class Exclude(NamedTuple):
    """A unit of which is told what goes for the sake of the others."""

    config: CorpusConfig
    unit: Unit
    number: int
    work: str
    shares: tuple[tuple[str, dict[int, float]], ...]
    """For each axis that is evened out the share of each kind of document that stays."""


class Write(NamedTuple):
    """A unit of which is written what is left."""

    config: CorpusConfig
    unit: Unit
    number: int
    work: str
    refused: bool
    buckets: int


class Shard(NamedTuple):
    """A range of hashes of which shards are written."""

    config: CorpusConfig
    bucket: int
    work: str
    units: int
    lowest: str
    highest: str


# Reading.


def _batches(documents: Iterator[Document]) -> Iterator[list[Document]]:
    some: list[Document] = []
    size = 0
    for document in documents:
        some.append(document)
        size += len(document.text)
        if size >= _BATCH_CHARACTERS:
            yield some
            some, size = [], 0
    if some:
        yield some


def judge_unit(folder: Path, task: Read) -> dict[str, Any]:
    """Documents of a unit that pass the steps, those that do not, and the keys by which copies are found."""
    config, source = task.config, task.config.sources[task.unit.source]
    steps = Steps(config.steps, source.form, Benchmarks.load(Path(task.work)) if config.steps.benchmarks.sets else None)
    asked = {step.name for step in steps.steps}
    empty: list[Rejected] = []

    def written() -> Iterator[Document]:
        for document in read_unit(source, task.unit):
            if document.text.strip():
                yield document
            else:
                empty.append(Rejected(document, "source", "source.empty"))

    counts: Counter[str] = Counter()
    words_before: Counter[int] = Counter()
    exact: list[tuple[int, int]] = []
    bands: list[np.ndarray] = []
    keys: list[np.ndarray] = []
    words = [0]
    groups = Groups.read(config.steps.balance.groups)
    spoken = np.zeros((len(groups.names), 3), np.int64)
    cells: list[np.ndarray] = []
    documents = judged = harmful = kept_bytes = rows = beyond = 0
    shown: dict[str, list[list[str]]] = {}
    with (
        pq.ParquetWriter(folder / "kept.parquet", SCHEMA, compression="zstd") as kept_file,
        pq.ParquetWriter(folder / "rejects.parquet", REJECTED, compression="zstd") as rejects_file,
    ):
        for batch in _batches(written()):
            kept, rejected, view = steps.run(batch)
            rejected = empty + rejected
            empty.clear()
            documents += len(kept) + len(rejected)
            counts.update(one.reason for one in rejected)
            if source.form != "made":
                spoken += groups.count(View([one.text for one in batch])).sum(0)
            found_harmful = sum(one.step in ("keywords", "harmful") for one in rejected)
            harmful += found_harmful
            judged += len(kept) + found_harmful + sum(one.step == "benchmarks" for one in rejected)
            words_before.update(int(len(one.text).bit_length()) for one in batch)
            _show(shown, batch, kept, "contacts" in asked)
            if rejected:
                rejects_file.write_table(_rejects(rejected))
            ids = [one.id for one in kept]
            # By the text as it is now: the split goes by it too, and what is held out stays whole.
            taken = [is_taken(own, source.share, config.heldout_fraction) for own in ids]
            if not all(taken):
                beyond += taken.count(False)
                documents -= taken.count(False)
                kept, ids = list(compress(kept, taken)), list(compress(ids, taken))
                view = View([one.text for one in kept])
            if not kept:
                continue
            kept_bytes += sum(len(one.text.encode()) for one in kept)
            kept_file.write_table(table_of(kept, SCHEMA, [ids]))
            exact += [(int(own[:16], 16), rows + at) for at, own in enumerate(ids)]
            if "near_copies" in asked:
                # Without words there is nothing to be alike in; exact copies are found anyway.
                bands.append(_rows(band_keys(view, config.steps.minhash), rows, view.word_count > 0))
            if "passages" in asked:
                places, runs = view.grams(config.steps.passage)
                keys.append(np.column_stack((runs, (places + words[-1]).astype(np.uint64))))
            if "balance" in asked:
                cells.append(groups.cells(groups.count(view), config.steps.balance.axes))
            words += (words[-1] + np.cumsum(view.word_count)).tolist()
            rows += len(kept)
        if empty:
            rejects_file.write_table(_rejects(empty))
            documents += len(empty)
            counts["source.empty"] += len(empty)
    files.write_array(folder / EXACT, sorted_keys(*_columns([np.array(exact, np.uint64).reshape(-1, 2)])))
    if config.steps.minhash.bands:
        files.write_array(folder / BANDS, sorted_keys(*_columns(bands)))
    if config.steps.balance.axes:
        none = np.zeros((0, len(config.steps.balance.axes)), np.int64)
        # A form that is not evened out has rows too, of no kind.
        filled = np.concatenate([none, *cells, np.zeros((rows - sum(map(len, cells)), none.shape[1]), np.int64)])
        files.write_array(folder / "cells.npy", filled)
    if config.steps.passage:
        files.write_array(folder / PASSAGES, sorted_keys(*_columns(keys)))
        files.write_array(folder / "words.npy", np.array(words, np.int64))
    return {
        "documents": documents,
        "beyond_share": beyond,
        "kept": rows,
        "kept_bytes": kept_bytes,
        "judged": judged,
        "harmful": harmful,
        "reasons": dict(counts),
        "lengths": {str(size): count for size, count in sorted(words_before.items())},
        "shown": shown,
        "spoken": spoken.tolist(),
    }


def _rows(keys: np.ndarray, first: int, some: np.ndarray) -> np.ndarray:
    """[D, bands] keys -> [n * bands, 2] with the row of each, of some of the documents."""
    places = np.repeat(np.arange(first, first + len(keys), dtype=np.uint64)[some], keys.shape[1])
    return np.column_stack((keys[some].reshape(-1), places))


def _columns(parts: Sequence[np.ndarray]) -> tuple[Any, Any]:
    whole = np.concatenate(parts) if parts else np.zeros((0, 2), np.uint64)
    return whole[:, 0], whole[:, 1].astype(np.int64)


def _rejects(rejected: Sequence[Rejected]) -> pa.Table:
    extra = [[one.step for one in rejected], [one.reason for one in rejected], [one.detail for one in rejected]]
    return table_of((one.document for one in rejected), REJECTED, extra)


def _show(shown: dict[str, list[list[str]]], batch: Sequence[Document], kept: Sequence[Document], masks: bool) -> None:
    """Keep a few texts before and after, of each kind of change."""
    came = {(one.origin): one for one in batch}
    for one in kept:
        for change in one.changes.split(", ") if one.changes else ():
            if change.startswith("contacts"):
                continue
            some = shown.setdefault(change.split(" ")[0], [])
            if len(some) < SHOWN:
                # Not what was masked: that is why it was.
                before = without_contacts(came[one.origin].text)[0] if masks else came[one.origin].text
                some.append([one.origin, *_around(before, one.text)])


def _around(before: str, after: str, width: int = 160) -> tuple[str, str]:
    """The stretch in which two texts first differ, of both."""
    at = next((k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    start = max(0, at - width // 2)
    return before[start : start + width], after[start : start + width]


# Writing.


def exclude_unit(folder: Path, task: Exclude) -> dict[str, Any]:
    """Write `excluded.npy` [n, 3] int64, by row: rows of a unit that go, the step in `_WHOLE`, and what it adds.

    Of copies that is the place of the one that stays, of documents that go for balance the axis.
    """
    work, form = Path(task.work), task.config.sources[task.unit.source].form
    found: list[np.ndarray] = []
    for step, name in enumerate(_WHOLE[:2]):
        if (work / f"{name}.npy").exists():
            pairs = of_unit(work / f"{name}.npy", task.number)
            found.append(np.column_stack((pairs[:, 0], np.full(len(pairs), step), pairs[:, 1])))
    read = unit_folder(work / "read", task.number)
    if task.config.steps.runs("balance", form):
        ids = pq.read_table(read / "kept.parquet", columns=["id"])["id"].to_pylist()
        cells = np.load(read / "cells.npy")
        for place, (axis, shares) in enumerate(task.shares):
            gone = [row for row, own in enumerate(ids) if _draw(axis, own) >= shares.get(int(cells[row, place]), 1.0)]
            found.append(np.column_stack((gone, np.full(len(gone), 2), np.full(len(gone), place))).astype(np.int64))
    rows = np.concatenate(found) if found else np.zeros((0, 3), np.int64)
    rows = rows[np.lexsort((rows[:, 1], rows[:, 0]))]
    rows = rows[np.unique(rows[:, 0], return_index=True)[1]]  # the first step counts
    files.write_array(folder / EXCLUDED, rows)
    return {"excluded": len(rows)}


def write_unit(folder: Path, task: Write) -> dict[str, Any]:
    """What is left of a unit, by ranges of hashes, and all that was rejected of it."""
    work = Path(task.work)
    read = unit_folder(work / "read", task.number)
    excluded = {row: (step, more) for row, step, more in np.load(
        unit_folder(work / "exclude", task.number) / EXCLUDED).tolist()}  # fmt: skip
    firsts = starts = np.zeros(0, np.int64)
    if task.config.steps.passage:
        firsts = np.load(read / "words.npy")
        starts = np.sort(
            np.concatenate([of_unit(path, task.number) for path in (work / "passages").glob("*/starts.npy")])
        )
    # `starts` rise, and so do the rows they are in: those of a row lie between two bounds.
    bounds = np.searchsorted(starts, firsts)
    counts: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    shown: list[list[str]] = []
    buckets: list[list[Document]] = [[] for _ in range(task.buckets)]
    seen: dict[str, Document] = {}
    rejected_rows = rejected_bytes = 0
    stays = _Names(work / "read")
    with pq.ParquetWriter(folder / "rejects.parquet", REJECTED, compression="zstd") as rejects_file:
        for rows in pq.ParquetFile(read / "rejects.parquet").iter_batches(batch_size=256):
            rejects_file.write_batch(rows)
            rejected_rows += len(rows)
            rejected_bytes += sum(len(text.encode()) for text in rows.column("text").to_pylist())
        row = 0
        for rows in pq.ParquetFile(read / "kept.parquet").iter_batches(batch_size=256):
            rejected: list[Rejected] = []
            for document in documents_in(pa.Table.from_batches([rows])):
                found = _outcome(document, excluded.get(row), task.refused, stays, task.config)
                own = starts[bounds[row] : bounds[row + 1]] if len(bounds) else starts
                if isinstance(found, Document) and len(own):
                    text, cut = without_passages(document.text, own - firsts[row], task.config.steps.passage)
                    found = _after_cut(document, text, cut)
                    if isinstance(found, Document) and len(shown) < SHOWN:
                        shown.append([document.origin, *_around(document.text, text)])
                if isinstance(found, Document):
                    first = seen.setdefault(found.id, document)
                    if first is not document:
                        found = _after_cut_a_copy(document, first)
                if isinstance(found, Rejected):
                    rejected.append(found)
                    counts[found.reason] += 1
                else:
                    buckets[int(found.id[:8], 16) * task.buckets >> 32].append(found)
                    changes.update(change.split(" ")[0] for change in found.changes.split(", ") if change)
                row += 1
            if rejected:
                rejects_file.write_table(_rejects(rejected))
                rejected_rows += len(rejected)
                rejected_bytes += sum(len(one.document.text.encode()) for one in rejected)
    lowest, highest, groups = "", "", []
    lengths: Counter[int] = Counter()
    with pq.ParquetWriter(folder / "documents.parquet", SCHEMA, compression="zstd") as written:
        for bucket, documents in enumerate(buckets):
            ordered = sorted((one.id, one) for one in documents)
            if not ordered:
                continue
            lowest, highest = lowest or ordered[0][0], ordered[-1][0]
            groups.append(bucket)
            lengths.update(int(len(one.text).bit_length()) for _, one in ordered)
            written.write_table(
                table_of((one for _, one in ordered), SCHEMA, [[own for own, _ in ordered]]), row_group_size=2**31
            )
    files.write_array(folder / "buckets.npy", np.array(groups, np.int64))
    return {
        "rejected": rejected_rows,
        "rejected_bytes": rejected_bytes,
        "reasons": dict(counts),
        "changes": dict(changes),
        "lengths": {str(size): count for size, count in sorted(lengths.items())},
        "shown": {"passages": shown} if shown else {},
        "lowest": lowest,
        "highest": highest,
    }


class _Names:
    """Where the copies stand that stay, read as they are asked for."""

    def __init__(self, read: Path):
        self._read = read
        self._origins: dict[int, list[str]] = {}

    def of(self, place: int) -> str:
        """Source and origin of the document at a place."""
        unit, row = place >> 32, place & 0xFFFFFFFF
        if unit not in self._origins:
            if len(self._origins) >= _OPEN:
                self._origins.clear()
            table = pq.read_table(unit_folder(self._read, unit) / "kept.parquet", columns=["source", "origin"])
            self._origins[unit] = [
                f"{source} {origin}"
                for source, origin in zip(*map(pa.ChunkedArray.to_pylist, table.columns), strict=True)
            ]
        return self._origins[unit][row]


def _outcome(
    document: Document, excluded: tuple[int, int] | None, refused: bool, stays: _Names, config: CorpusConfig
) -> Document | Rejected:
    if refused:
        most = f"{config.steps.max_harmful_share:.0%}"
        return Rejected(document, "source", "source.refused", f"more than {most} of {document.source} is harmful")
    if excluded is None:
        return document
    step, more = _WHOLE[excluded[0]], excluded[1]
    if step == "balance":
        return Rejected(document, step, f"{step}.{config.steps.balance.axes[more]}")
    return Rejected(document, step, step, f"of {stays.of(more)}")


def _after_cut_a_copy(document: Document, first: Document) -> Rejected:
    """What cutting has made equal to another document."""
    return Rejected(document, "copies", "copies.after_cut", f"of {first.source} {first.origin}")


def _after_cut(document: Document, text: str, cut: int) -> Document | Rejected:
    text = normalise(text).text
    # A passage that stands here first must not be lost with the rest, since others have lost it already.
    if len(View([text]).words) < _LITTLE:
        return Rejected(document, "passages", "passages.little_else", f"{cut} of {len(document.text)} characters")
    changes = ", ".join(filter(None, (document.changes, f"passages {cut}")))
    return replace(document, text=text, changes=changes)


# Shards.


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
            twice.append(_after_cut_a_copy(document, stays))
    if twice:
        write_table(_rejects(twice), folder / "rejects.parquet")
    ordered = sorted(first.items())
    sides: dict[str, list[tuple[str, Document]]] = {"train": [], "heldout": []}
    for own, document in ordered:
        held = is_on_heldout_side(own, task.config.heldout_fraction, task.lowest, task.highest)
        sides["heldout" if held else "train"].append((own, document))
    figures: dict[str, Any] = {"rows": {}, "counts": {}}
    groups = Groups.read(task.config.steps.balance.groups)
    spoken = np.zeros((len(groups.names), 3), np.int64)
    made = {source.path for source in task.config.sources if source.form == "made"}
    for batch in _batches(document for _, document in ordered if document.source not in made):
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
        SAMPLE, ((f"{_draw('sample', own):.15f}", own, document) for own, document in ordered), key=lambda one: one[:2]
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


def _draw(label: str, own: str) -> float:
    """A number in [0, 1) for a document: another one for every purpose, the same in every build."""
    return int(hashlib.sha256(f"{label} {own}".encode()).hexdigest()[:13], 16) / 16**13


def _technical(config: CorpusConfig, ordered: Sequence[tuple[str, Document]]) -> dict[str, int]:
    """How many documents of the technical sample pass the filters as they stand now."""
    drawn = (document for own, document in ordered if _draw("sample", own) < _TECHNICAL)
    # Whatever the form: hate is hate in code too.
    steps = Steps(replace(config.steps, benchmarks=BenchmarksConfig(), languages=(), licences=()), "any")
    checked = passed = 0
    while batch := list(islice(drawn, 64)):
        kept, _, _ = steps.run(batch)
        checked, passed = checked + len(batch), passed + len(kept)
    return {"checked": checked, "passed": passed}
