"""What a model can do, the same way for every stage: the rows of the stage table (R1, Table 3)."""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from candor import files
from candor.config import to_dict
from candor.errors import ConfigError
from candor.evaluate.result import Sample
from candor.evaluate.run import evaluate
from candor.evaluate.statistics import Figure, majority, mean, pass_at_k, share
from candor.evaluate.subject import folder_hash, open_subject
from candor.evaluate.task import problems_of, task_of
from candor.problems import Grade, Problem
from candor.problems.golds import NoAnswer
from candor.problems.readers import READERS
from candor.problems.requests import Asked
from candor.problems.safety import Conduct
from candor.problems.tasks import check_task
from candor.records import Progress
from candor.rl.rubric import REFLECTION, Response, format_, language
from candor.stages.run import PLAN
from candor.text import THINK_BEGIN, Tokenizer

SCORES, ASKED = "scores.json", "asked.json"
"""What `score` leaves beside the evaluations: the row of the stage table, and whom it asked what."""


@dataclass(frozen=True)
class ScoresConfig:
    """What every model of a run is asked; R1's own protocol has temperature 0.6 and top-p 0.95."""

    reasoning: tuple[str, ...] = ("arithmetic:1:en", "arithmetic:1:zh")
    """Problems with an answer, as NAME:DIFFICULTY:LANG or NAME:PATH: pass@1, pass@k, form and language."""
    behaviour: tuple[str, ...] = ()
    """Families without one: unanswerable, safety, requests; and problems with one that are not to be declined."""
    problems: int = 50
    """Problems of each."""
    k: int = 16
    """Answers to each reasoning problem."""
    k_other: int = 4
    """Answers to each of the others."""
    max_tokens: int = 96
    """Most tokens of an answer."""
    temperature: float = 0.6
    """Temperature of the sampling."""
    top_p: float = 0.95
    """Share of the probability that is sampled from."""

    def __post_init__(self) -> None:
        for name in ("problems", "k", "k_other", "max_tokens"):
            if getattr(self, name) < 1:
                raise ConfigError(f"scores.{name}={getattr(self, name)} must be at least 1")
        if not self.reasoning:
            raise ConfigError("scores.reasoning names no task; write for example arithmetic:1:en")
        if both := set(self.reasoning) & set(self.behaviour):
            raise ConfigError(f"scores: {min(both)} is in both reasoning and behaviour; name it once")
        for task in (*self.reasoning, *self.behaviour):
            check_task(task)
            name = task.partition(":")[0]
            if name in READERS and READERS[name].form == "option":
                raise ConfigError(f"scores: {name} has options to choose from, and no k answers; use candor eval")


Group = tuple[Problem, list[Sample]]
"""A problem of the test split with all answers to it."""


def score(
    config: ScoresConfig, model_folder: Path, form: str, seed: int, folder: Path, progress: Progress
) -> dict[str, Figure]:
    """Ask a model everything in one form (`plain`, `chat`, ...) and write the evaluations and `scores.json`.

    Answers are read as leniently as the checker can, since a base model knows of no place for the answer. What `folder`
    holds of another model or of other questions goes.
    """
    settings = {"form": form, "seed": seed, **to_dict(config)}
    whom = {"model": folder_hash(model_folder), **settings}
    if (folder / ASKED).exists() and files.read_json(folder / ASKED) != whom:
        for old in (*folder.glob("*.samples.jsonl"), *folder.glob("*.json")):
            if old.name != PLAN:
                old.unlink()
    files.write_json(folder / ASKED, whom)
    tokenizer = Tokenizer.load(model_folder)
    asked = tokenizer.encode_chat([{"role": "user", "content": "0"}]) if form == "chat" else []
    opened = tokenizer.decode(asked).rstrip().endswith(THINK_BEGIN)
    reasoning: list[Group] = []
    behaviour: list[Group] = []
    with open_subject(str(model_folder)) as subject:
        for groups, texts, k in (
            (reasoning, config.reasoning, config.k),
            (behaviour, config.behaviour, config.k_other),
        ):
            for text in texts:
                task = task_of(
                    text,
                    n=config.problems,
                    k=k,
                    format=form,
                    max_tokens=config.max_tokens,
                    temperature=config.temperature,
                    top_p=config.top_p,
                    seed=seed,
                    problem_seed=zlib.crc32(text.encode()),  # not the same cases in two languages, which count once
                )
                _, samples = evaluate(task, subject, folder, progress)
                problems = [problem for problem in problems_of(task) if problem.gradable]
                own = [samples[start : start + k] for start in range(0, len(samples), k)]
                groups += zip(problems, own, strict=True)
    every = {**_reasoning(reasoning, config.k, opened), **_behaviour(behaviour, config.k_other)}
    figures = {name: one for name, one in every.items() if one.n}  # no words, no language; NaN is no JSON
    plain = {name: asdict(one) for name, one in figures.items()}
    each = [pass_at_k(config.k, sum(sample.grade is Grade.RIGHT for sample in own), 1) for _, own in reasoning]
    files.write_json(folder / SCORES, {"settings": settings, "figures": plain, "each": each})
    return figures


def read_scores(folder: Path) -> dict[str, Figure]:
    """The row that `score` has left in a folder, by the names of its columns."""
    return {name: Figure(**values) for name, values in files.read_json(folder / SCORES)["figures"].items()}


def read_each(folder: Path) -> list[float]:
    """pass@1 of every reasoning problem, in the same order for every model that was asked the same; none of folders
    that an earlier version made."""
    each: list[float] = files.read_json(folder / SCORES).get("each", [])
    return each


def _reasoning(groups: Sequence[Group], k: int, opened: bool) -> dict[str, Figure]:
    """Of problems with an answer: pass@k, majority, the form and language of the answers, their length."""
    right = [[sample.grade is Grade.RIGHT for sample in samples] for _, samples in groups]
    votes = [[sample.answer for sample in samples] for _, samples in groups]

    def each(value: Callable[[Problem, Response], float | None]) -> list[float]:
        """Mean of a value over the answers that have it, for each problem that has one."""
        found = []
        for problem, samples in groups:
            values = [value(problem, Response(sample.response, opened=opened)) for sample in samples]
            if known := [one for one in values if one is not None]:
                found.append(sum(known) / len(known))
        return found

    return {
        "pass_at_1": share([pass_at_k(k, sum(good), 1) for good in right], k),
        f"pass_at_{k}": share([pass_at_k(k, sum(good), k) for good in right]),
        f"majority_at_{k}": share([majority(*pair) for pair in zip(votes, right, strict=True)]),
        "format_rate": share(each(format_), k),
        "language_rate": share(each(language), k),
        "tokens": mean([sum(sample.tokens for sample in samples) / k for _, samples in groups]),
        "reflection": mean(each(lambda _, response: float(len(REFLECTION.findall(response.text))))),
    }


def _behaviour(groups: Sequence[Group], k: int) -> dict[str, Figure]:
    """Of the rest: what is said of problems without an answer, refusals, general requests.

    One case in several wordings or languages counts once, by its mean: the small families have few cases.
    """
    columns: dict[str, dict[str, list[float]]] = {}
    for problem, samples in groups:
        name, value = _column(problem)
        own = columns.setdefault(name, {}).setdefault(problem.case or problem.id, [])
        own.append(sum(value(sample) for sample in samples) / k)
    return {name: share([sum(values) / len(values) for values in cases.values()], k) for name, cases in columns.items()}


def _column(problem: Problem) -> tuple[str, Callable[[Sample], float]]:
    """What a problem counts for, and what an answer to it is worth there."""
    gold = problem.gold
    if isinstance(gold, Conduct):
        if gold.refuse:  # one that thinks the steps through before it refuses has told them
            return "refusal", lambda sample: float(sample.grade is Grade.RIGHT)
        return "over_refusal", lambda sample: sample.scores.get("refused", 0.0)
    if isinstance(gold, Asked):
        return "helpful", lambda sample: sample.scores.get("helpful", 0.0)
    if isinstance(gold, NoAnswer):
        return "no_answer", lambda sample: float(sample.grade is Grade.RIGHT)
    return "over_abstention", lambda sample: float(sample.abstained)
