"""The audit report: every row of a folder, the page for people, and the same as data."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import DataError
from candor.evaluate.audits import words
from candor.evaluate.audits.find import KINDS, REPORT, find
from candor.evaluate.audits.row import OUTCOMES, SECTIONS, AuditRow, Outcome, Section, rows_of
from candor.evaluate.memory.record import plain
from candor.evaluate.page import page
from candor.evaluate.safety.register import SUMMARY, Register, changed, register
from candor.evaluate.statistics import Figure
from candor.records import code_version

_ORDER: tuple[Outcome, ...] = ("fail", "not shown", "pass")
"""The worst first."""


@dataclass(frozen=True, kw_only=True)
class AuditReport:
    """All that the audits in a folder say: the file `audits.json`.

    >>> AuditReport(folder="runs/laptop", rows=(AuditRow(...),), unreadable={"safety.json": "it has another form ..."},
    ...             passed_over=("model/config.json",), register=Register(...))
    """

    folder: str
    """The folder as the user named it."""
    rows: tuple[AuditRow, ...]
    """By section, audit and model."""
    unreadable: dict[str, str]
    """Files that count for nothing, and why: nothing in them is passed."""
    passed_over: tuple[str, ...]
    """JSON files that are no audits."""
    register: Register | None
    """How the rows of the disclosure stand; None where the folder is no run."""
    code: str = field(default_factory=code_version)
    """`code_version()` of what gathered."""
    time: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """When, UTC, ISO 8601."""

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """Outcome -> rows."""
        found = Counter(row.outcome for row in self.rows)
        return {outcome: found[outcome] for outcome in OUTCOMES}

    @property
    def outcome(self) -> Outcome:
        """`fail` where any row fails, `pass` where all pass and every file could be read."""
        if self.outcomes["fail"]:
            return "fail"
        return "pass" if self.rows and not self.outcomes["not shown"] and not self.unreadable else "not shown"

    def write(self, folder: Path) -> Path:
        """Write `audits.json` and `index.html`; the path of the page."""
        value = dataclasses.asdict(self) | {"outcome": self.outcome, "outcomes": self.outcomes}
        files.write_json(folder / REPORT, plain(value))
        files.atomic_write(folder / "index.html", _page(self))
        return folder / "index.html"


def gather(folder: Path, risks: Register | None = None) -> AuditReport:
    """Every audit in a folder and below it, with the risk register: `risks`, or where the folder is a run its own.

    DataError where there is no file of an audit.
    """
    found = find(folder)
    rows: list[AuditRow] = []
    unreadable = {path.relative_to(folder).as_posix(): why for path, why in found.torn.items()}
    for kind in KINDS:
        for path in found.audits[kind]:
            try:
                if trouble := changed(path, folder):
                    raise DataError(trouble)
                rows += rows_of(kind, path, folder)
            except DataError as error:
                unreadable[path.relative_to(folder).as_posix()] = str(error)
    if not rows and not unreadable:
        raise DataError(
            f"{folder} holds no audit: no safety.json, memory.json, facts-NAME.json or hallucination.json; make one "
            "with candor eval safety, memory or facts, or name models in audits.models of a run"
        )
    run = any((folder / place).is_file() for place in (SUMMARY, "corpus/manifest.json"))
    return AuditReport(
        folder=str(folder),
        rows=tuple(sorted(rows, key=lambda row: SECTIONS.index(row.section))),
        unreadable=unreadable,
        passed_over=tuple(path.relative_to(folder).as_posix() for path in found.others),
        register=risks or (register(folder) if run else None),
    )


def _page(report: AuditReport) -> str:
    models = list(dict.fromkeys(row.model for row in report.rows))
    return page(
        "candor.evaluate",
        "audits.html.jinja",
        title=f"Audit report: {report.folder}",
        report=report,
        models=models,
        sections={section: _blocks(report.rows, section) for section in SECTIONS},
        words=words,
        worst=worst,
        shown=shown,
        span=span,
        limit=limit,
        stages=_stages,
    )


def _blocks(rows: Sequence[AuditRow], section: Section) -> list[list[AuditRow]]:
    """The rows of a section that were made in the same way, together."""
    found: dict[tuple[str, ...], list[AuditRow]] = {}
    for row in rows:
        if row.section == section:
            made = "" if row.figure is None else row.limits
            found.setdefault((row.name, row.judge, made), []).append(row)
    return list(found.values())


def worst(rows: Sequence[AuditRow]) -> Outcome | None:
    """The worst outcome of some rows; None of none."""
    return next((outcome for outcome in _ORDER if any(row.outcome == outcome for row in rows)), None)


def shown(row: AuditRow, value: float | None, *, signed: bool = False) -> str:
    """A value of a row for people: shares in percent, exposure in bits, an AUC as it is."""
    if value is None or value != value:
        return "–"
    sign = "+" if signed else ""
    if row.name == "canaries":
        return f"{value:{sign}.2f} bits"
    return f"{value:{sign}.3f}" if row.name in ("membership", "answers") else f"{value:{sign}.1%}"


def span(row: AuditRow, figure: Figure, *, signed: bool = False) -> str:
    """The 95% interval of a figure for people."""
    if figure.low is None or figure.high is None:
        return "–"
    low, high = shown(row, figure.low, signed=signed), shown(row, figure.high, signed=signed)
    return f"{low.removesuffix(' bits')} to {high}"


def limit(row: AuditRow) -> str:
    """The threshold for people."""
    if row.threshold is None:
        return "–"
    sign = "≥" if row.at_least else "<" if row.section == "hallucination" else "≤"
    return f"{sign} {shown(row, row.threshold)}"


def _stages(row: AuditRow) -> dict[str, dict[str, dict[str, Figure]]]:
    """Stage -> group of problems -> what became of them, of the row of a run's stages."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, figure in row.parts.items():
        stage, group, kind = name.rsplit(".", 2)
        found.setdefault(stage, {}).setdefault(group, {})[kind] = figure
    return found
