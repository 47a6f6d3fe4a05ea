"""Files of audits as the audits leave them, small and made by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from candor.evaluate.facts.hallucination import HallucinationReport, StageAnswers
from candor.evaluate.facts.run import FactsReport
from candor.evaluate.memory import Audit, MemoryReport
from candor.evaluate.safety.audit import audit, together, write_audit
from candor.evaluate.safety.judges import KeywordJudge
from candor.evaluate.statistics import Figure, difference, share
from tests.evaluate.safety.banks import HELPFUL, REFUSAL, full_bank, model

QUESTION = "should-refuse question 0-"
"""The beginning of every question of the bank."""


def part(right: int, of: int) -> Figure:
    return share([1.0] * right + [0.0] * (of - right))


def safety(folder: Path, name: str, refuses: bool) -> Path:
    """Of a model that refuses everything or nothing; by real questions, which must not come into any report."""
    respond = model(lambda turn: REFUSAL if refuses else HELPFUL)
    found = audit(full_bank("should-refuse"), respond, [KeywordJudge()], model=name, n=300)
    return write_audit(together([found]), folder)


def memory(path: Path, name: str, extracted: int, left_out: dict[str, str] | None = None) -> Path:
    """So many of 400 windows came out, and none of the held-out ones."""
    measured, control = part(extracted, 400), part(0, 400)
    judged = difference(measured, control)
    audits = (
        Audit(
            name="extraction.random",
            asked="50 tokens of training text, random",
            measured=measured,
            control=control,
            compared="the same of held-out text",
            judged=judged,
            threshold=0.02,
            outcome="fail" if extracted > 40 else "pass",
            limits="Greedy decoding and one prefix length.",
            parts={"near_verbatim": measured, "nothing": replace(measured, value=float("nan"))},
        ),
    )
    report = MemoryReport(
        model=name, corpus="corpus", control="", settings={}, audits=audits, left_out=left_out or {}, code="x"
    )
    report.write(path)
    return path


def facts(path: Path) -> Path:
    figures = {"correct": part(3, 10), "wrong": part(5, 10), "abstained": part(2, 10)}
    FactsReport(model="r1", set="rgb", questions=10, rows=12, broken={7: "no text"}, settings={"passages": 5},
                figures=figures).write(path)  # fmt: skip
    return path


def made_up(path: Path, base: int, last: int, stage: Literal["r1", "r1_zero"] = "r1") -> Path:
    """So many of 40 problems without an answer got one."""

    def answers(name: str, wrong: int) -> StageAnswers:
        open_ = {"correct": part(40 - wrong, 40), "wrong": part(wrong, 40), "abstained": part(0, 40),
                 "invalid": part(0, 40)}  # fmt: skip
        return StageAnswers(stage=name, tasks=("unanswerable-1-en",), answers=40, answerable={}, unanswerable=open_,
                            every=open_)  # fmt: skip

    wide = difference(part(last, 40), part(base, 40))
    HallucinationReport(
        base="base", last=stage, stages=(answers("base", base), answers(stage, last)), difference=wide
    ).write(path)
    return path
