"""What an evaluation leaves behind: its figures, and every answer with its grade."""

import dataclasses
import hashlib
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from candor import files
from candor.errors import DataError
from candor.evaluate.statistics import Comparison, Figure, compare
from candor.evaluate.task import Task
from candor.problems import Grade
from candor.records import code_version

Kind = Literal["generate", "choose", "compress", "lm_eval"]
"""Answers generated; options compared by their likelihood; a text's likelihood; a task of lm-eval."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One answer to one problem.

    >>> Sample(problem="3f2a91c04d7e11aa", index=0, prompt="What is 3 + 4?", gold="7", response="3 + 4 = 7", answer="7",
    ...        grade=Grade.RIGHT, finish_reason="stop", tokens=5)
    """

    problem: str
    """`Problem.id`."""
    index: int
    """Which of the problem's samples."""
    prompt: str
    """What the model was asked with."""
    gold: str
    """The right answer, for people to read."""
    response: str
    """All that it said; in tasks of log-likelihood the option that it holds most likely."""
    answer: str | None
    """The answer found in that, as votes count it; None where there is none."""
    grade: Grade
    """What it is worth."""
    finish_reason: str
    """`stop`, `length`, or `error` where the request was refused."""
    tokens: int = 0
    """Tokens generated, where the server tells."""
    abstained: bool = False
    """It says that it does not know."""
    error: str = ""
    """Why the request was refused."""
    scores: dict[str, float] = dataclasses.field(default_factory=dict)
    """Further scores of this answer by name: `f1`, `acc_norm`, ..."""
    logprobs: tuple[float, ...] = ()
    """In tasks of log-likelihood, of each option in nats."""


@dataclass(frozen=True, kw_only=True)
class EvalResult:
    """The figures of one task, with all that they depend on: the file `LABEL.json` of an evaluation folder.

    >>> EvalResult(task=Task(name="arithmetic"), kind="generate", version="1", model="runs/laptop/model", problems=200,
    ...            evaluation="3f2a91c04d7e11aa", prompt_hash="9c1b...", figures={"pass@1": Figure(...)})
    """

    task: Task
    """What was asked."""
    kind: Kind
    """How it was asked."""
    version: str
    """Version of the problems."""
    model: str
    """The model as the user named it."""
    evaluation: str
    """Hash over model, task and prompts: equal ones ask for the same answers."""
    prompt_hash: str
    """SHA-256 over all prompts."""
    figures: dict[str, Figure]
    """By name, the headline first: `pass@1`, `pass@4`, `majority@4`, `acc`, `acc_norm`, `bits_per_byte`, ..."""
    problems: int
    """Problems asked."""
    golds: str = ""
    """SHA-256 over all right answers: where they change, the same answers are graded anew."""
    samples: int = 0
    """Answers graded."""
    samples_sha256: str = ""
    """Of `LABEL.samples.jsonl`."""
    reused: int = 0
    """Answers that an earlier run had left."""
    invalid: int = 0
    """Answers that could not be graded or were refused; the score counts them as wrong."""
    unreadable: int = 0
    """Problems without a readable gold answer; not asked, not in the score."""
    seconds: float = 0.0
    """Time of asking, of the last run that asked."""
    code: str = dataclasses.field(default_factory=code_version)
    """`code_version()` of what graded."""
    time: str = ""
    """When, UTC, ISO 8601."""

    @property
    def headline(self) -> tuple[str, Figure]:
        """The first figure and its name."""
        return next(iter(self.figures.items()))


def path_of(task: Task, folder: Path | None, suffix: str) -> Path | None:
    """`LABEL` and a suffix in the folder, where there is one."""
    return None if folder is None else folder / f"{task.label}{suffix}"


def evaluation_of(task: Task, fingerprint: str, prompts: str) -> str:
    """Hash over model, task and prompts: equal ones ask for the same answers."""
    parts = [dataclasses.asdict(task), task.version, fingerprint, prompts]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def record(task: Task, folder: Path | None, start: float, samples: list[Sample], **fields: Any) -> EvalResult:
    """The result of what began when `time.monotonic()` was `start`, written as `LABEL.json` where there is a folder."""
    kept = path_of(task, folder, ".samples.jsonl") if samples else None
    result = EvalResult(
        task=task,
        samples=len(samples),
        samples_sha256=files.sha256(kept) if kept else "",
        invalid=sum(sample.grade is Grade.INVALID for sample in samples),
        seconds=time.monotonic() - start,
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        **fields,
    )
    if path := path_of(task, folder, ".json"):
        files.write_json(path, dataclasses.asdict(result))
    return result


def kept_result(task: Task, folder: Path | None, evaluation: str, golds: str) -> tuple[EvalResult, list[Sample]] | None:
    """What an earlier run left, where it would come out the same and nobody changed it since."""
    path = path_of(task, folder, ".json")
    if path is None or folder is None or not path.is_file():
        return None
    result = read_result(path)
    if (result.evaluation, result.golds, result.code) != (evaluation, golds, code_version()):
        return None
    try:
        samples = samples_of(result, folder)
    except DataError:
        return None
    return dataclasses.replace(result, reused=len(samples)), samples


def read_result(path: Path) -> EvalResult:
    """Read `LABEL.json`; DataError where it has another form."""
    value = files.read_json(path)
    try:
        task = Task(**{**value["task"], "stop": tuple(value["task"]["stop"])})
        figures = {name: Figure(**figure) for name, figure in value["figures"].items()}
        return EvalResult(**{**value, "task": task, "figures": figures})
    except (TypeError, KeyError, AttributeError):
        raise DataError(f"{path} is no evaluation result of this version; delete it and evaluate again") from None


def samples_of(result: EvalResult, folder: Path) -> list[Sample]:
    """The answers of a result; DataError where they were changed since they were graded."""
    if not result.samples:
        return []
    path = folder / f"{result.task.label}.samples.jsonl"
    if not path.is_file() or files.sha256(path) != result.samples_sha256:
        raise DataError(f"{path} is missing or was changed since it was graded; run the evaluation again")
    names = {field.name for field in dataclasses.fields(Sample)}
    samples = []
    for line in files.read_lines(path):
        given: dict[str, Any] = {name: value for name, value in line.items() if name in names}
        samples.append(Sample(**{**given, "grade": Grade(given["grade"]), "logprobs": tuple(given["logprobs"])}))
    return samples


def problem_scores(samples: list[Sample], name: str = "") -> dict[str, float]:
    """Problem -> mean over its samples of being right, or of the score `name` where it has that one."""
    every: dict[str, list[float]] = {}
    for sample in samples:
        value = sample.scores.get(name) if name else float(sample.grade is Grade.RIGHT)
        if value is not None:
            every.setdefault(sample.problem, []).append(value)
    return {problem: sum(values) / len(values) for problem, values in every.items()}


def compare_folders(ours: Path, baseline: Path) -> dict[str, Comparison | str]:
    """Task label -> comparison of the problems that both evaluations asked; or why there is none, in words."""
    found: dict[str, Comparison | str] = {}
    for path in results_in(ours):
        label, other = path.stem, baseline / path.name
        if not other.is_file():
            found[label] = f"{baseline} has no such task"
            continue
        mine, theirs = read_result(path), read_result(other)
        if mine.prompt_hash != theirs.prompt_hash or mine.version != theirs.version:
            found[label] = "the two were not asked the same prompts"
            continue
        name = "" if mine.kind in ("generate", "choose") else mine.headline[0]
        if mine.kind == "compress":
            found[label] = "compare the intervals: a figure of a whole text has no answers to pair"
            continue
        a, b = (problem_scores(samples_of(one, folder), name) for one, folder in ((mine, ours), (theirs, baseline)))
        if not a:
            found[label] = f"{name} is no mean over answers"
            continue
        if a.keys() != b.keys():
            found[label] = "the two did not answer the same problems"
            continue
        found[label] = compare([a[problem] for problem in a], [b[problem] for problem in a])
    return found


def results_in(folder: Path) -> list[Path]:
    """The result files of an evaluation folder, by name; JSON files of other kinds are passed over."""
    paths = sorted(folder.glob("*.json"))
    every = [path for path in paths if isinstance(value := files.read_json(path), dict) and "evaluation" in value]
    if not every:
        raise DataError(f"{folder} holds no evaluation results; give a folder that `candor eval` wrote")
    return every
