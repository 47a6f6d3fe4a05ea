"""What goes of a unit for the sake of the others, and what is left of it, written by ranges of hashes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from candor import files
from candor.data.corpus import REJECTED, SCHEMA, CorpusConfig, documents_in, open_table, rejects_of, table_of
from candor.data.dedup import EXCLUDED, after_cut_a_copy, of_unit, unit_folder, without_passages
from candor.data.normalise import normalise
from candor.data.shown import Shown, show
from candor.data.sources import Unit
from candor.data.split import draw
from candor.data.steps import Rejected
from candor.records import Document
from candor.view import View

_WHOLE = ("copies", "near_copies", "balance")
"""Steps that take documents out for the sake of others, in their order."""
_LITTLE = 10
"""Words below which what cutting has left is thrown away."""
_OPEN = 20
"""Units whose names of documents are in memory at a time."""
_ROWS = 256
"""Rows that are read together."""


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
    read, outcomes = unit_folder(Path(task.work) / "read", task.number), _Outcomes(task)
    reasons: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    buckets: list[list[Document]] = [[] for _ in range(task.buckets)]
    rejected_rows = rejected_bytes = 0
    with open_table(folder / "rejects.parquet", REJECTED) as rejects_file:
        for rows in pq.ParquetFile(read / "rejects.parquet").iter_batches(batch_size=_ROWS):
            rejects_file.write_batch(rows)
            rejected_rows += len(rows)
            rejected_bytes += sum(len(text.encode()) for text in rows.column("text").to_pylist())
        for rows in pq.ParquetFile(read / "kept.parquet").iter_batches(batch_size=_ROWS):
            found = [outcomes.next(document) for document in documents_in(pa.Table.from_batches([rows]))]
            for one in found:
                if isinstance(one, Document):
                    buckets[int(one.id[:8], 16) * task.buckets >> 32].append(one)
                    changes.update(change.split(" ")[0] for change in one.changes.split(", ") if change)
            if rejected := [one for one in found if isinstance(one, Rejected)]:
                rejects_file.write_table(rejects_of(rejected))
                reasons.update(one.reason for one in rejected)
                rejected_rows += len(rejected)
                rejected_bytes += sum(len(one.document.text.encode()) for one in rejected)
    return {
        "rejected": rejected_rows,
        "rejected_bytes": rejected_bytes,
        "reasons": dict(reasons),
        "changes": dict(changes),
        "shown": outcomes.shown,
        **_write_documents(folder, buckets),
    }


def _write_documents(folder: Path, buckets: Sequence[Sequence[Document]]) -> dict[str, Any]:
    """Write `documents.parquet`, a group of rows for each range that has any, and `buckets.npy`, which ranges have."""
    lowest, highest, groups = "", "", []
    lengths: Counter[int] = Counter()
    with open_table(folder / "documents.parquet", SCHEMA) as written:
        for bucket, documents in enumerate(buckets):
            ordered = sorted((one.id, one) for one in documents)
            if ordered:
                lowest, highest = lowest or ordered[0][0], ordered[-1][0]
                groups.append(bucket)
                lengths.update(len(one.text).bit_length() for _, one in ordered)
                written.write_table(table_of(ordered), row_group_size=2**31)
    files.write_array(folder / "buckets.npy", np.array(groups, np.int64))
    counted = {str(size): count for size, count in sorted(lengths.items())}
    return {"lengths": counted, "lowest": lowest, "highest": highest}


class _Outcomes:
    """What becomes of the documents of a unit, one after the other."""

    def __init__(self, task: Write):
        work = Path(task.work)
        read, exclude = (unit_folder(work / phase, task.number) for phase in ("read", "exclude"))
        self._config, self._refused, self._row = task.config, task.refused, -1
        self._excluded = {row: (step, more) for row, step, more in np.load(exclude / EXCLUDED).tolist()}
        self._stays = _Names(work / "read")
        self._seen: dict[str, Document] = {}
        self.shown: Shown = {}
        self._starts = self._firsts = np.zeros(0, np.int64)
        if task.config.steps.passage:
            starts = [of_unit(path, task.number) for path in (work / "passages").glob("*/starts.npy")]
            self._starts, self._firsts = np.sort(np.concatenate(starts)), np.load(read / "words.npy")
        # Starts rise, and so do the rows they are in: those of a row lie between two bounds.
        self._bounds = np.searchsorted(self._starts, self._firsts)

    def next(self, document: Document) -> Document | Rejected:
        """The next document as it stays, or why it goes."""
        self._row += 1
        found = self._for_others(document)
        if isinstance(found, Document):
            found = self._without_passages(document)
        if isinstance(found, Document) and (first := self._seen.setdefault(found.id, document)) is not document:
            return after_cut_a_copy(document, first)
        return found

    def _for_others(self, document: Document) -> Document | Rejected:
        steps, excluded = self._config.steps, self._excluded.get(self._row)
        if self._refused:
            why = f"more than {steps.max_harmful_share:.0%} of {document.source} is harmful"
            return Rejected(document, "source", "source.refused", why)
        if excluded is None:
            return document
        step, more = _WHOLE[excluded[0]], excluded[1]
        if step == "balance":
            return Rejected(document, step, f"{step}.{steps.balance.axes[more]}")
        return Rejected(document, step, step, f"of {self._stays.of(more)}")

    def _without_passages(self, document: Document) -> Document | Rejected:
        if not len(self._starts):
            return document
        own = self._starts[self._bounds[self._row] : self._bounds[self._row + 1]] - self._firsts[self._row]
        if not len(own):
            return document
        raw, cut = without_passages(document.text, own, self._config.steps.passage)
        text = normalise(raw).text
        # A passage that stands here first must not be lost with the rest, since others have lost it already.
        if len(View([text]).words) < _LITTLE:
            return Rejected(document, "passages", "passages.little_else", f"{cut} of {len(document.text)} characters")
        show(self.shown, "passages", document, raw)
        return replace(document, text=text, changes=", ".join(filter(None, (document.changes, f"passages {cut}"))))


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
