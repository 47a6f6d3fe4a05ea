"""Building a corpus: units are read and judged alone, copies are found among all, and shards come out in hash order.

Each phase is a row of tasks that leave a folder each below `.work`, so that a build that was killed goes on from the
tasks that were finished, whatever ran them, and gives the same bytes. Nothing holds more than a unit, a range of keys
or a shard.
"""

import heapq
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from candor import files
from candor.config import to_dict
from candor.data.benchmarks import Benchmarks
from candor.data.bias import shares_kept
from candor.data.corpus import MANIFEST, CorpusConfig
from candor.data.dedup import (
    BANDS,
    EXACT,
    PASSAGES,
    components,
    link,
    of_unit,
    passages,
    ranges,
    unit_folder,
)
from candor.data.executor import Engine, Executor
from candor.data.manifest import Done, manifest
from candor.data.shards import SAMPLE, SAMPLES, Shard, write_shard
from candor.data.sources import (
    Skipped,
    Unit,
    fingerprint,
    fingerprint_of,
    nothing_in,
    units_of,
)
from candor.data.steps import STEPS
from candor.data.units import Read, judge_unit
from candor.data.write import Exclude, Write, exclude_unit, write_unit
from candor.errors import DataError
from candor.records import Progress, code_version, no_progress

WORK = ".work"
GATE = "gate.json"
"""What the samples say of a corpus; of one alone."""
_UNIT_BYTES = 8 * 2**20
_SHARD_BYTES = 32 * 2**20
_FEW = 20
_PHASES = {"read": 0.75, "exact": 0.02, "near": 0.02, "exclude": 0.01, "passages": 0.06, "write": 0.1, "shards": 0.04}
"""The phases, and the share of the time that each takes, roughly."""


def inputs_of(config: CorpusConfig) -> list[str]:
    """Changes when the content of a source, or of a file that a step reads, does."""
    return [fingerprint(source) for source in config.sources] + list(map(fingerprint_of, config.steps.inputs()))


def build_corpus(
    config: CorpusConfig,
    folder: Path,
    progress: Progress = no_progress,
    *,
    workers: int = 1,
    engine: Engine = "local",
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Write `train-*.parquet`, `heldout-*.parquet`, `rejects-*.parquet`, `manifest.json` and `human_sample.jsonl` into
    an existing folder, going on from what is in its `.work`. The bytes do not depend on workers, engine or
    interruptions.

    Where the hashes put no document on one side, the document with the lowest (held-out) or highest (train) hash goes
    there; fewer than two documents are a DataError, and so is a step that would reject nearly everything.
    """
    with files.lock(folder / WORK), Executor(workers, engine) as executor:
        _Build(config, folder, progress, executor, say).run()


@dataclass
class _Build:
    config: CorpusConfig
    folder: Path
    progress: Progress
    executor: Executor
    say: Callable[[str], None]
    inputs: list[str] = field(default_factory=list)
    """`inputs_of` when the build began."""

    def run(self) -> None:
        work, skipped = self.folder / WORK, Skipped()
        units = units_of(self.config.sources, _UNIT_BYTES, skipped)
        self._begin(work)
        figures = self._phase("read", judge_unit, [Read(self.config, unit, str(work)) for unit in units])
        for number, source in enumerate(self.config.sources):
            if not any(one["documents"] for unit, one in zip(units, figures, strict=True) if unit.source == number):
                raise nothing_in(source)
        refused = self._refused(units, figures)
        gone = tuple(number for number, unit in enumerate(units) if unit.source in refused)
        self._copies("copies", "exact", EXACT, figures, gone)
        if self.config.steps.minhash.bands:
            self._copies("near_copies", "near", BANDS, figures, gone)
        shares, place = self._shares(len(units)), str(work)
        numbered = list(enumerate(units))
        self._phase(
            "exclude", exclude_unit, [Exclude(self.config, unit, number, place, shares) for number, unit in numbered]
        )
        if self.config.steps.passage:
            tasks = ranges(work / "read", len(units), PASSAGES, refused=gone, excluded=str(work / "exclude"))
            self._phase("passages", passages, tasks)
        buckets = max(1, -(-sum(one["kept_bytes"] for one in figures) // _SHARD_BYTES))
        rest = [Write(self.config, unit, number, place, number in gone, buckets) for number, unit in numbered]
        written = self._phase("write", write_unit, rest)
        ends = [one[side] for one in written for side in ("lowest", "highest") if one[side]]
        lowest, highest = min(ends, default=""), max(ends, default="")
        self._check_steps(units, figures, written)
        if lowest == highest:
            raise DataError(
                f"of {', '.join(source.path for source in self.config.sources)} {bool(lowest):d} document is left; at "
                "least two are needed, one to train on and one to test on"
            )
        parts = [Shard(self.config, bucket, place, len(units), lowest, highest) for bucket in range(buckets)]
        shards = self._phase("shards", write_shard, parts)
        self._end(work, Done(units, figures, written, shards, skipped.files, frozenset(refused), lowest, highest))

    def _begin(self, work: Path) -> None:
        """Go on from what another call of the same plan has left, or begin anew."""
        inputs = inputs_of(self.config)
        plan = {
            "config": to_dict(self.config),
            "steps": [f"{step.name}/{step.version}" for step in STEPS],
            "sources": inputs,
            "sizes": [_UNIT_BYTES, _SHARD_BYTES],
            "code": code_version(),
        }
        self.inputs = inputs
        files.tidy(self.folder)
        if not (work / "plan.json").exists() or files.read_json(work / "plan.json") != plan:
            (work / "plan.json").unlink(missing_ok=True)
            for old in work.iterdir():
                if old.is_dir():
                    files.remove_dir(old)
                elif old.name != ".lock":
                    old.unlink()
        if not (work / "plan.json").exists():
            if self.config.steps.benchmarks.sets:
                Benchmarks.build(self.config.steps.benchmarks).save(work)
            files.write_json(work / "plan.json", plan)

    def _phase(
        self, name: str, task: Callable[[Path, Any], dict[str, Any]], tasks: Sequence[Any]
    ) -> list[dict[str, Any]]:
        names = list(_PHASES)
        before = sum(_PHASES[earlier] for earlier in names[: names.index(name)])

        def progress(done: int, total: int, note: str) -> None:
            self.progress(round(1000 * (before + _PHASES[name] * done / max(1, total))), 1000, f"{name} {done}/{total}")

        return self.executor.run(self.folder / WORK / name, task, tasks, progress)

    def _copies(
        self, step: str, phase: str, file: str, figures: Sequence[dict[str, Any]], refused: tuple[int, ...]
    ) -> None:
        """Write to `STEP.npy` the places of documents that are copies of earlier ones, and of those."""
        work = self.folder / WORK
        tasks = ranges(work / "read", len(figures), file, refused=refused)
        self._phase(phase, link, tasks)
        pairs = [unit_folder(work / phase, number) / "pairs.npy" for number in range(len(tasks))]
        found = components(pairs, [one["kept"] for one in figures], work / f".{step}")
        with files.atomic_file(work / f"{step}.npy") as tmp:
            files.write_array(tmp, found)

    def _refused(self, units: Sequence[Unit], figures: Sequence[dict[str, Any]]) -> set[int]:
        """The sources that are refused because too many of their documents are harmful."""
        refused = set()
        for number, source in enumerate(self.config.sources):
            own = [one for unit, one in zip(units, figures, strict=True) if unit.source == number]
            judged = sum(one["judged"] for one in own)
            harmful = sum(one["harmful"] for one in own)
            if judged >= _FEW and harmful > self.config.steps.max_harmful_share * judged:
                refused.add(number)
                self.say(
                    f"{source.path} is refused: {harmful:,} of {judged:,} documents are harmful, more than "
                    f"{self.config.steps.max_harmful_share:.0%} (steps.max_harmful_share)"
                )
        return refused

    def _shares(self, units: int) -> tuple[tuple[str, dict[int, float]], ...]:
        """The share of each kind of document that stays, for each axis that is evened out; copies do not count."""
        work, steps = self.folder / WORK, self.config.steps
        counts: list[Counter[int]] = [Counter() for _ in steps.balance.axes]
        for number in range(units) if counts else ():
            cells = np.load(unit_folder(work / "read", number) / "cells.npy")
            stays = np.ones(len(cells), bool)
            for name in ("copies", "near_copies"):
                if (work / f"{name}.npy").exists() and len(cells):
                    stays[of_unit(work / f"{name}.npy", number)[:, 0]] = False
            for place, count in enumerate(counts):
                count.update(cells[stays, place].tolist())
        return tuple(
            (axis, shares_kept(count, steps.balance.least_kept))
            for axis, count in zip(steps.balance.axes, counts, strict=True)
        )

    def _check_steps(
        self, units: Sequence[Unit], figures: Sequence[dict[str, Any]], written: Sequence[dict[str, Any]]
    ) -> None:
        """A step that drops nearly all that reaches it is set wrongly, and says so before anything is built on it."""
        for number, source in enumerate(self.config.sources):
            own = [place for place, unit in enumerate(units) if unit.source == number]
            reasons: Counter[str] = Counter()
            for place in own:
                reasons.update(figures[place]["reasons"])
                reasons.update(written[place]["reasons"])
            reached = sum(figures[place]["documents"] for place in own)
            for step in [one.name for one in self.config.steps.steps(source.form)]:
                some = {reason: count for reason, count in reasons.items() if reason.split(".")[0] == step}
                dropped = sum(some.values())
                if reached >= _FEW and dropped > self.config.steps.max_dropped * reached:
                    most = max(some, key=lambda reason: some[reason])
                    raise DataError(
                        f"{step} rejects {dropped:,} of {reached:,} documents of {source.path}, mostly as {most} "
                        f"({some[most]:,}); look at {self.folder / WORK}/*/*/rejects.parquet, then change the step or "
                        f"the form of the source, or raise steps.max_dropped={self.config.steps.max_dropped}"
                    )
                reached -= dropped
            everything = sum(figures[place]["documents"] for place in own)
            if sum(reasons.values()) == everything and "source.refused" not in reasons:
                self.say(f"nothing is left of {source.path}: {', '.join(reasons)}")

    def _end(self, work: Path, done: Done) -> None:
        """Move the shards into their places and write the manifest, last of all."""
        if inputs_of(self.config) != self.inputs:
            raise DataError(
                f"a source, or a file that a step reads, changed while {self.folder} was built; leave them alone "
                "and run the same command again"
            )
        (self.folder / GATE).unlink(missing_ok=True)
        moved: dict[str, dict[str, Any]] = {}
        for old in self.folder.glob("[!.]*.parquet"):
            old.unlink()
        for number, shard in enumerate(done.shards):
            for split, rows in shard["rows"].items():
                source = unit_folder(work / "shards", number) / f"{split}.parquet"
                moved[f"{split}-{number:05}.parquet"] = {"rows": rows, "path": source}
        place = 0
        for phase, some in (("write", done.written), ("shards", done.shards)):
            for number, one in enumerate(some):
                if one["rejected"]:
                    source = unit_folder(work / phase, number) / "rejects.parquet"
                    moved[f"rejects-{place:05}.parquet"] = {"rows": one["rejected"], "path": source}
                    place += 1
        listed = {}
        for name, one in sorted(moved.items()):
            with files.atomic_file(self.folder / name) as tmp:
                shutil.copyfile(one["path"], tmp)
            listed[name] = {"rows": one["rows"], "sha256": files.sha256(self.folder / name)}
        places = [unit_folder(work / "shards", number) / SAMPLES for number in range(len(done.shards))]
        lines = (line for path in places for line in path.read_text(encoding="utf-8").splitlines(keepends=True))
        drawn = heapq.nsmallest(SAMPLE, lines)  # a line begins with its place in the order
        files.atomic_write(self.folder / SAMPLES, "".join(drawn))
        files.write_json(self.folder / MANIFEST, manifest(self.config, done, listed, self.inputs))
        files.remove_dir(work)
