"""Reading and judging a unit: the first task of a build, of which all others begin.

Like each task it fills a folder, from what the tasks before it have left, and gives figures as JSON.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from candor import files
from candor.data.benchmarks import Benchmarks
from candor.data.bias import Groups
from candor.data.corpus import REJECTED, SCHEMA, CorpusConfig, batches, table_of
from candor.data.dedup import BANDS, EXACT, PASSAGES, sorted_keys
from candor.data.minhash import band_keys
from candor.data.sources import Unit, is_taken, read_unit
from candor.data.steps import Rejected, Steps
from candor.records import Document
from candor.view import View

SHOWN = 20
"""Texts before and after that are kept of each kind of change."""
BATCH = 65_536
"""Characters that are looked at together: their arrays fit into a processor's cache."""


class Read(NamedTuple):
    """A unit to be read and judged."""

    config: CorpusConfig
    unit: Unit
    work: str


def judge_unit(folder: Path, task: Read) -> dict[str, Any]:
    """Documents of a unit that pass the steps, those that do not, and the keys by which copies are found."""
    config, source = task.config, task.config.sources[task.unit.source]
    benchmarks = Benchmarks.load(Path(task.work)) if config.steps.benchmarks.sets else None
    steps = Steps(config.steps.of(source.kind), source.form, benchmarks)
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
        for batch in batches(written(), BATCH):
            kept, rejected, view = steps.run(batch)
            # A rejected document is kept to be looked at, but not who is named in it.
            rejected = empty + [
                replace(one, document=replace(one.document, text=steps.masked(one.document.text))) for one in rejected
            ]
            empty.clear()
            documents += len(kept) + len(rejected)
            counts.update(one.reason for one in rejected)
            if source.form != "made":
                spoken += groups.count(View([one.text for one in batch])).sum(0)
            found_harmful = sum(one.step in ("keywords", "harmful") for one in rejected)
            harmful += found_harmful
            judged += len(kept) + found_harmful + sum(one.step == "benchmarks" for one in rejected)
            words_before.update(int(len(one.text).bit_length()) for one in batch)
            _show(shown, batch, kept, steps.masked)
            if rejected:
                rejects_file.write_table(rejects(rejected))
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
            rejects_file.write_table(rejects(empty))
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


def rejects(rejected: Sequence[Rejected]) -> pa.Table:
    """Rows of a shard of rejected documents."""
    extra = [[one.step for one in rejected], [one.reason for one in rejected], [one.detail for one in rejected]]
    return table_of((one.document for one in rejected), REJECTED, extra)


def _show(
    shown: dict[str, list[list[str]]], batch: Sequence[Document], kept: Sequence[Document], masked: Callable[[str], str]
) -> None:
    """Keep a few texts before and after, of each kind of change."""
    came = {(one.origin): one for one in batch}
    for one in kept:
        for change in one.changes.split(", ") if one.changes else ():
            if change.startswith("private"):
                continue
            some = shown.setdefault(change.split(" ")[0], [])
            if len(some) < SHOWN:
                # Not what was masked: that is why it was.
                some.append([one.origin, *around(masked(came[one.origin].text), one.text)])


def around(before: str, after: str, width: int = 160) -> tuple[str, str]:
    """The stretch in which two texts first differ, of both."""
    at = next((k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    start = max(0, at - width // 2)
    return before[start : start + width], after[start : start + width]
