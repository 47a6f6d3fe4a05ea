"""What stages make up, against counts by hand, from answers as an evaluation leaves them."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from candor import files
from candor.errors import ConfigError, DataError
from candor.evaluate.facts.hallucination import FILE, HallucinationReport, hallucination
from candor.evaluate.run import evaluate
from candor.evaluate.task import problems_of, task_of
from candor.problems import Problem
from tests.evaluate.conftest import Scripted

UNKNOWN = "It cannot be determined."
THOUGHT = "<think>I do not know how to begin"
"""A thought that does not end: there is no answer."""


def scored(folder: Path, said: Sequence[str], said_open: Sequence[str], n: int = 4) -> Path:
    """Scores of a stage: two answers to each of `n` problems; of the i-th answer to a problem it says `said[i]`."""
    for name, answers in (("words:1:en", said), ("unanswerable:1:en", said_open), ("safety:1:en", ["No."] * 2)):
        task = task_of(name, n=n, k=2, problem_seed=5)
        known: dict[str, Problem] = {problem.prompt: problem for problem in problems_of(task)}
        times: dict[str, int] = {}

        def say(prompt: str, seed: int, known: dict[str, Problem] = known, answers: Sequence[str] = answers,
                times: dict[str, int] = times) -> str:  # fmt: skip
            problem = max((one for one in known if one in prompt), key=len)
            times[problem] = times.get(problem, -1) + 1
            return answers[times[problem]].format(gold=known[problem].gold, false=987654)

        evaluate(task, Scripted(say), folder)
    files.write_json(folder / "asked.json", {"model": "x"})  # what scores leave beside them is no evaluation
    return folder


def test_counts_by_hand(tmp_path: Path) -> None:
    """Four problems of each kind, two answers each: half of what is said is one thing, half the other."""
    base = scored(tmp_path / "base", [" {gold}", " {false}"], [" 12", " 13"])
    last = scored(tmp_path / "r1", [UNKNOWN, THOUGHT], [UNKNOWN, " 12"])
    found = hallucination({"base": base, "r1": last}, base="base", last="r1")
    ours, theirs = found.stages
    assert {name: one.value for name, one in ours.answerable.items()} == {
        "correct": 0.5, "wrong": 0.5, "abstained": 0, "invalid": 0,
    }  # fmt: skip
    assert {name: one.value for name, one in ours.unanswerable.items()} == {
        "correct": 0, "wrong": 1, "abstained": 0, "invalid": 0,
    }  # fmt: skip
    assert {name: one.value for name, one in theirs.answerable.items()} == {
        "correct": 0, "wrong": 0, "abstained": 0.5, "invalid": 0.5,
    }  # fmt: skip
    assert {name: one.value for name, one in theirs.unanswerable.items()} == {
        "correct": 0.5, "wrong": 0.5, "abstained": 0, "invalid": 0,
    }, "abstaining is right where there is no answer"  # fmt: skip
    assert {name: one.value for name, one in theirs.every.items()} == {
        "correct": 0.25, "wrong": 0.25, "abstained": 0.25, "invalid": 0.25,
    }  # fmt: skip
    assert ours.answers == 16 and ours.tasks == ("unanswerable-1-en", "words-1-en"), "refusals are no matter of facts"
    assert ours.answerable["wrong"].n == 4 and ours.every["wrong"].n == 8, "problems count, not answers"


def test_the_outcome_by_the_whole_interval(tmp_path: Path) -> None:
    lying = scored(tmp_path / "lying", [" {gold}"] * 2, [" 12"] * 2, n=20)
    honest = scored(tmp_path / "honest", [" {gold}"] * 2, [UNKNOWN] * 2, n=20)
    folders = {"base": lying, "r1": honest}
    better = hallucination(folders, base="base", last="r1")
    assert better.outcome == "pass" and better.difference and better.difference.value == -1
    # Wilson's interval of 20 of 20 is 0.839 to 1; of Newcombe's difference of 0/20 and 20/20 the upper end is
    # -1 + sqrt(2) * (1 - 0.839).
    assert better.difference.high == pytest.approx(-1 + 2**0.5 * (1 - 0.8389), abs=1e-3)
    worse = hallucination({"base": honest, "r1": lying}, base="base", last="r1")
    assert worse.outcome == "fail" and not worse.reasons
    same = hallucination({"base": lying, "r1": lying}, base="base", last="r1")
    assert same.outcome == "not shown" and "holds 0" in same.reasons[0]
    few = {"base": scored(tmp_path / "a", ["1"] * 2, ["12"] * 2, n=1), "r1": scored(tmp_path / "b", ["1"] * 2, [UNKNOWN] * 2, n=1)}  # fmt: skip # noqa: E501
    assert hallucination(few, base="base", last="r1").outcome == "not shown", "one problem shows nothing"


def test_what_cannot_be_compared_is_not_shown(tmp_path: Path) -> None:
    one = scored(tmp_path / "one", ["1"] * 2, [" 12"] * 2, n=20)
    other = scored(tmp_path / "other", ["1"] * 2, [UNKNOWN] * 2, n=10)
    found = hallucination({"base": one, "r1": other}, base="base", last="r1")
    assert found.outcome == "not shown" and found.reasons == ("r1 and base were not asked the same problems",)
    (other / "unanswerable-1-en.json").unlink()
    found = hallucination({"base": one, "r1": other}, base="base", last="r1")
    assert found.outcome == "not shown" and "no problems without an answer" in found.reasons[0]
    assert found.stages[1].unanswerable == {} and found.stages[1].answerable
    assert hallucination({"base": one}, base="base", last="base").reasons == ("there is only one stage",)
    with pytest.raises(ConfigError, match="no scores of r1"):
        hallucination({"base": one}, base="base", last="r1")


def test_answers_that_were_changed_count_for_nothing(tmp_path: Path) -> None:
    folder = scored(tmp_path / "base", ["1"] * 2, [" 12"] * 2)
    path = folder / "unanswerable-1-en.samples.jsonl"
    path.write_text(path.read_text().replace('"wrong"', '"right"'))
    with pytest.raises(DataError, match="was changed since it was graded"):
        hallucination({"base": folder}, base="base", last="base")


def test_what_is_written_is_read_and_no_text_is_in_it(tmp_path: Path) -> None:
    base = scored(tmp_path / "base", [" {gold}"] * 2, [" 12"] * 2)
    found = hallucination({"base": base, "r1": base}, base="base", last="r1")
    found.write(tmp_path / FILE)
    assert HallucinationReport.read(tmp_path / FILE) == found
    text = (tmp_path / FILE).read_text()
    samples = [json.loads(line) for line in (base / "words-1-en.samples.jsonl").read_text().splitlines()]
    assert samples and not any(sample["prompt"][10:40] in text for sample in samples)
    value = json.loads(text)
    for wrong in ({**value, "outcome": "pass"}, {**value, "stages": 3}, {"outcome": "pass"}, []):
        files.write_json(tmp_path / FILE, wrong)
        with pytest.raises(DataError, match=FILE):
            HallucinationReport.read(tmp_path / FILE)
