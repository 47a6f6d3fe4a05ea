"""Reading and judging a unit: the first task of a build, of which all others begin.

Like each task it fills a folder, from what the tasks before it have left, and gives figures as JSON.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from candor import files
from candor.data.benchmarks import Benchmarks
from candor.data.bias import Groups
from candor.data.corpus import REJECTED, SCHEMA, CorpusConfig, batches, open_table, rejects_of, table_of
from candor.data.dedup import Keys
from candor.data.shown import Shown, show
from candor.data.sources import SourceConfig, Unit, read_unit
from candor.data.split import is_taken
from candor.data.steps import Rejected, Steps
from candor.records import Document
from candor.view import View


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
    groups = Groups.read(config.steps.balance.groups)
    spoken = np.zeros((len(groups.names), 3), np.int64)
    counts, keys, cells = _Counts(), Keys(config.steps, source.form), list[np.ndarray]()
    empty: list[Rejected] = []
    with (
        open_table(folder / "kept.parquet", SCHEMA) as kept_file,
        open_table(folder / "rejects.parquet", REJECTED) as rejects_file,
    ):
        for batch in batches(_with_text(source, task.unit, empty)):
            kept, rejected, view = steps.run(batch)
            # A rejected document is kept to be looked at, but not who is named in it.
            rejected = empty + [
                replace(one, document=replace(one.document, text=steps.masked(one.document.text))) for one in rejected
            ]
            empty.clear()
            counts.add(batch, kept, rejected, steps.masked)
            if source.form != "made":
                spoken += groups.count(View([one.text for one in batch])).sum(0)
            if rejected:
                rejects_file.write_table(rejects_of(rejected))
            rows, view = _taken(kept, view, source.share, config.heldout_fraction)
            counts.take(kept, rows)
            if rows:
                kept_file.write_table(table_of(rows))
                keys.add([own for own, _ in rows], view)
                if config.steps.runs("balance", source.form):
                    cells.append(groups.cells(groups.count(view), config.steps.balance.axes))
        if empty:
            rejects_file.write_table(rejects_of(empty))
            counts.add([], [], empty, steps.masked)
    keys.write(folder)
    if axes := len(config.steps.balance.axes):
        # A form that is not evened out has rows too, of no kind.
        every = np.concatenate(cells) if cells else np.zeros((keys.rows, axes), np.int64)
        files.write_array(folder / "cells.npy", every)
    return counts.figures() | {"spoken": spoken.tolist()}


def _with_text(source: SourceConfig, unit: Unit, empty: list[Rejected]) -> Iterator[Document]:
    """The documents of a unit; those without a text go into `empty`."""
    for document in read_unit(source, unit):
        if document.text.strip():
            yield document
        else:
            empty.append(Rejected(document, "source", "source.empty"))


def _taken(
    kept: Sequence[Document], view: View, share: float, heldout_fraction: float
) -> tuple[list[tuple[str, Document]], View]:
    """Those in the share of the source that is taken, each behind its id, and a view of them.

    By the text as it is now: the split goes by it too, and what is held out stays whole.
    """
    rows = [(one.id, one) for one in kept]
    taken = [is_taken(own, share, heldout_fraction) for own, _ in rows]
    if all(taken):
        return rows, view
    rows = list(compress(rows, taken))
    return rows, View([one.text for _, one in rows])


@dataclass
class _Counts:
    """What is told of a unit."""

    documents: int = 0
    beyond_share: int = 0
    kept: int = 0
    kept_bytes: int = 0
    judged: int = 0
    harmful: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lengths: Counter[int] = field(default_factory=Counter)
    """Of what came, by the bits of the number of characters."""
    shown: Shown = field(default_factory=dict)

    def add(
        self,
        batch: Sequence[Document],
        kept: Sequence[Document],
        rejected: Sequence[Rejected],
        masked: Callable[[str], str],
    ) -> None:
        """What came, what the steps have kept of it, and what they have not."""
        self.documents += len(kept) + len(rejected)
        self.reasons.update(one.reason for one in rejected)
        harmful = sum(one.step in ("keywords", "harmful") for one in rejected)
        self.harmful += harmful
        self.judged += len(kept) + harmful + sum(one.step == "benchmarks" for one in rejected)
        self.lengths.update(len(one.text).bit_length() for one in batch)
        came = {one.origin: one for one in batch}
        for one in kept:
            for change in one.changes.split(", ") if one.changes else ():
                if not change.startswith("private"):  # it was masked so that nobody sees it
                    show(self.shown, change.split(" ")[0], came[one.origin], one.text, masked)

    def take(self, kept: Sequence[Document], rows: Sequence[tuple[str, Document]]) -> None:
        """What is taken of what was kept."""
        self.beyond_share += len(kept) - len(rows)
        self.documents -= len(kept) - len(rows)
        self.kept += len(rows)
        self.kept_bytes += sum(len(one.text.encode()) for _, one in rows)

    def figures(self) -> dict[str, Any]:
        """As JSON."""
        lengths = {str(size): count for size, count in sorted(self.lengths.items())}
        return vars(self) | {"reasons": dict(self.reasons), "lengths": lengths}
