"""What goes of a unit for the sake of the others, and what is left of it, written by ranges of hashes."""

import hashlib
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from candor import files
from candor.data.corpus import REJECTED, SCHEMA, CorpusConfig, documents_in, table_of
from candor.data.dedup import EXCLUDED, of_unit, unit_folder
from candor.data.normalise import normalise
from candor.data.sources import Unit
from candor.data.steps import Rejected, without_passages
from candor.data.units import SHOWN, around, rejects
from candor.records import Document
from candor.view import View

_WHOLE = ("copies", "near_copies", "balance")
"""Steps that take documents out for the sake of others, in their order."""
_LITTLE = 10
"""Words below which what cutting has left is thrown away."""
_OPEN = 20
"""Units whose names of documents are in memory at a time."""


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
            gone = [row for row, own in enumerate(ids) if draw(axis, own) >= shares.get(int(cells[row, place]), 1.0)]
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
                        shown.append([document.origin, *around(document.text, text)])
                if isinstance(found, Document):
                    first = seen.setdefault(found.id, document)
                    if first is not document:
                        found = after_cut_a_copy(document, first)
                if isinstance(found, Rejected):
                    rejected.append(found)
                    counts[found.reason] += 1
                else:
                    buckets[int(found.id[:8], 16) * task.buckets >> 32].append(found)
                    changes.update(change.split(" ")[0] for change in found.changes.split(", ") if change)
                row += 1
            if rejected:
                rejects_file.write_table(rejects(rejected))
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


def after_cut_a_copy(document: Document, first: Document) -> Rejected:
    """What cutting has made equal to another document."""
    return Rejected(document, "copies", "copies.after_cut", f"of {first.source} {first.origin}")


def _after_cut(document: Document, text: str, cut: int) -> Document | Rejected:
    text = normalise(text).text
    # A passage that stands here first must not be lost with the rest, since others have lost it already.
    if len(View([text]).words) < _LITTLE:
        return Rejected(document, "passages", "passages.little_else", f"{cut} of {len(document.text)} characters")
    changes = ", ".join(filter(None, (document.changes, f"passages {cut}")))
    return replace(document, text=text, changes=changes)


def draw(label: str, own: str) -> float:
    """A number in [0, 1) for a document: another one for every purpose, the same in every build."""
    return int(hashlib.sha256(f"{label} {own}".encode()).hexdigest()[:13], 16) / 16**13
