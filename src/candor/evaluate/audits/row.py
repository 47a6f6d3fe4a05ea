"""One row of the audit report, whichever audit it is from, and how each file of results becomes rows."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from candor import files
from candor.errors import DataError
from candor.evaluate.audits.find import Kind
from candor.evaluate.facts.hallucination import UNANSWERABLE, HallucinationReport
from candor.evaluate.facts.run import FactsReport
from candor.evaluate.memory.record import Audit, MemoryReport
from candor.evaluate.safety.audit import read_audit
from candor.evaluate.statistics import Figure

Section = Literal["safety", "memory", "hallucination"]
SECTIONS: tuple[Section, ...] = get_args(Section)
Outcome = Literal["pass", "fail", "not shown"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True, kw_only=True)
class AuditRow:
    """What one audit says of one model. Neither questions, answers nor text of a corpus stand in it.

    >>> AuditRow(section="memory", name="copying", model="r1", asked="400 samples ...", n=400, judge="index of hashes",
    ...          figure=Figure(...), control=Figure(...), compared="held-out text", judged=Figure(...), threshold=0.05,
    ...          outcome="pass", limits="...", file="audits/memory/r1.json", sha256="9c1b...")
    """

    section: Section
    """Part of the report."""
    name: str
    """The audit: `should-refuse`, `extraction.random`, `unanswerable`, ..."""
    model: str
    """Who was tested."""
    asked: str
    """What was tested, in words."""
    n: int
    """On how many; 0 where it could not be made."""
    judge: str
    """Who or what judged."""
    figure: Figure | None
    """What came out, with its 95% interval; None where the audit could not be made."""
    control: Figure | None = None
    """The same where nothing should be found."""
    compared: str = ""
    """What the control is; "" where there is none."""
    judged: Figure | None = None
    """What the threshold is for: the figure itself, or its difference from the control."""
    threshold: float | None = None
    """Where the model begins to pass; None where none is set."""
    at_least: bool = False
    """Whether the threshold is the least that passes; else the most."""
    outcome: Outcome
    """By the ends of the interval of `judged`."""
    reasons: tuple[str, ...] = ()
    """Why nothing is shown."""
    limits: str
    """What it does not show."""
    parts: dict[str, Figure] = field(default_factory=dict)
    """Further figures by name."""
    file: str
    """Where it was read, relative to the folder of the report."""
    sha256: str
    """Of that file."""

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise DataError(f"its outcome {self.outcome!r} is none of {', '.join(OUTCOMES)}")
        if self.outcome != "not shown" and (self.judged is None or self.threshold is None):
            raise DataError(f"it says {self.outcome!r} without a figure and a threshold")
        for one in (self.figure, self.control, self.judged, *self.parts.values()):
            if one and not all(_number(getattr(one, item.name)) for item in fields(one)):
                raise DataError(f"a figure of it is no number: {one}")

    @property
    def key(self) -> str:
        """Name of the row's place on the page."""
        return re.sub(r"\W+", "-", f"{self.section}-{self.name}")


def _number(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def rows_of(kind: Kind, path: Path, folder: Path) -> list[AuditRow]:
    """The rows of one file; DataError where it has another form or says what cannot be."""
    place: dict[str, Any] = {"file": path.relative_to(folder).as_posix(), "sha256": files.sha256(path)}
    try:
        return _READ[kind](path, place)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise DataError(f"it has another form than results of {kind} ({error!r:.200})") from None


_SAFETY = {
    "generation": (
        "whether texts that it writes near each class of risk are safe or refused",
        "Harm of kinds that the judge does not know is not seen, nor texts on other subjects.",
    ),
    "should-refuse": (
        "whether it refuses what it must refuse",
        "Other questions, the same ones in other words and longer conversations are not tested.",
    ),
    "should-not-refuse": (
        "whether it refuses what it must not refuse",
        "Whether the answers are right or of use is not judged.",
    ),
}


def _safety(path: Path, place: dict[str, Any]) -> list[AuditRow]:
    rows = []
    for one in read_audit(path).results:
        asked, limits = _SAFETY[one.kind]
        broken = f"; {len(one.broken)} broken rows left out" if one.broken else ""
        changed = f"; the attack left {one.unchanged} as they were" if one.unchanged else ""
        rows.append(
            AuditRow(
                section="safety",
                name=one.kind + (f"+{one.attack}" if one.attack else ""),
                model=one.model,
                asked=f"{asked}{f', under the attack {one.attack}' if one.attack else ''}: {one.n} questions of the "
                f"bank {one.bank}, which holds {one.items}{broken}{changed}",
                n=one.n,
                judge=one.judge,
                figure=one.figure,
                judged=one.figure,
                threshold=one.limit,
                at_least=one.at_least,
                outcome=one.outcome,
                reasons=one.reasons,
                limits=limits,
                **place,
            )
        )
    if not rows:
        raise DataError("it holds no result")
    return rows


def _memory(path: Path, place: dict[str, Any]) -> list[AuditRow]:
    report = MemoryReport.read(path)
    rows = []
    for one in report.audits:
        head = one.name.partition(".")[0]
        rows.append(
            AuditRow(
                section="memory",
                name=one.name,
                model=report.model,
                asked=one.asked,
                n=one.measured.n,
                judge=_HOW.get(head, "the audit's own rule"),
                figure=one.measured,
                control=one.control,
                compared=one.compared,
                judged=one.judged,
                threshold=one.threshold,
                outcome=one.outcome,
                reasons=(_unshown(one),) if one.outcome == "not shown" else (),
                limits=one.limits,
                parts=one.parts,
                **place,
            )
        )
    for name, why in report.left_out.items():
        head = name.partition(".")[0]
        rows.append(
            AuditRow(
                section="memory",
                name=name,
                model=report.model,
                asked="it was left out",
                n=0,
                judge=_HOW.get(head, "the audit's own rule"),
                figure=None,
                outcome="not shown",
                reasons=(f"left out: {why}",),
                limits="It was not made, so it shows nothing.",
                **place,
            )
        )
    if not rows:
        raise DataError("it holds no audit")
    return rows


def _unshown(one: Audit) -> str:
    """Why an audit of memory shows nothing, which its file says by figures alone."""
    low, high = one.judged.low, one.judged.high
    if low is None or high is None:
        return "too few for an interval"
    if low <= one.threshold < high:
        return "the interval of what is held against the threshold goes beyond it"
    return "what was asked for does not stand in the training text"


_HOW = {
    "extraction": "comparison with the text, token by token",
    "copying": "index of hashes of the text",
    "attack": "index of hashes of the text",
    "membership": "probabilities that the model gives (Min-K%++)",
    "canaries": "probabilities that the model gives",
    "persons": "comparison with what was planted",
    "answers": "probabilities that the model gives",
}
"""What judges each audit of memory."""


def _hallucination(path: Path, place: dict[str, Any]) -> list[AuditRow]:
    report = HallucinationReport.read(path)
    last, base = (found.unanswerable.get("wrong") if (found := report.stage(name)) else None
                  for name in (report.last, report.base))  # fmt: skip
    parts = {
        f"{one.stage}.{group}.{name}": figure
        for one in report.stages
        for group in ("answerable", "unanswerable")
        for name, figure in getattr(one, group).items()
    }
    answers = sum(one.answers for one in report.stages)
    return [
        AuditRow(
            section="hallucination",
            name=UNANSWERABLE,
            model=report.last,
            asked=f"whether {report.last} makes up fewer answers to problems that have none than {report.base}; "
            f"counted from {answers:,} kept answers of {len(report.stages)} stages",
            n=last.n if last else 0,
            judge="the checkers of the problems, and a rule for saying that it cannot be known",
            figure=last,
            control=base,
            compared=f"the model {report.base}",
            judged=report.difference,
            threshold=0.0,
            outcome=report.outcome,
            reasons=report.reasons,
            limits=report.limits,
            parts=parts,
            **place,
        )
    ]


def _facts(path: Path, place: dict[str, Any]) -> list[AuditRow]:
    report = FactsReport.read(path)
    passages = report.settings.get("passages", 0)
    read = f", {passages} passages shown with each" if passages else ""
    broken = f"; {len(report.broken)} broken rows left out" if report.broken else ""
    return [
        AuditRow(
            section="hallucination",
            name=f"facts.{report.set}",
            model=report.model,
            asked=f"{report.questions} questions of fact of the set {report.set}{read}{broken}; the share of wrong "
            "answers",
            n=report.questions,
            judge="a rule: every part of the answer as whole words",
            figure=report.figures.get("wrong"),
            judged=report.figures.get("wrong"),
            outcome="not shown",
            reasons=("no threshold is set for it",),
            limits="Right answers in other words count as wrong. Other subjects and long answers are not tested.",
            parts={name: one for name, one in report.figures.items() if not math.isnan(one.value)},
            **place,
        )
    ]


_READ: dict[Kind, Callable[[Path, dict[str, Any]], list[AuditRow]]] = {
    "safety": _safety,
    "memory": _memory,
    "hallucination": _hallucination,
    "facts": _facts,
}
