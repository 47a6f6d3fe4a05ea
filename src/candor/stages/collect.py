"""Answers collected from a model: drafts for R1's cold start, and what rejection sampling keeps (R1 2.3.1 and 2.3.3).

What is sampled is kept as it comes, so a second call with the same folder goes on from it; what is right and readable
is judged anew each time.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from candor import files
from candor.data.dialogues import Dialogue
from candor.data.reviewed import origin_of
from candor.errors import CandorError, ConfigError
from candor.evaluate.answers import Answers, ask
from candor.evaluate.subject import Subject
from candor.infer import Completion, SamplingParams
from candor.infer.params import Prompt
from candor.problems import Grade, Lang, Problem
from candor.problems.prompts import asked, check_format, reflective, seed_of, steps_of, stop_of
from candor.problems.safety import Conduct
from candor.problems.tasks import check_task, draw
from candor.records import Progress, no_progress
from candor.stages.readable import Readability, readable, readable_form, summary, with_thought
from candor.store import Added, Decision, Draft, Message, Review, Reviews, Rule
from candor.store.review import State
from candor.text import THINK_BEGIN
from candor.text.language import words

SAMPLES, COUNTS = "samples.jsonl", "counts.json"
"""What a folder gets: every answer, and how many were kept or left for which reason."""
RULE, VERSION = "right_and_readable", "1"
"""The rule that stands in for annotators; its limits are a part of its stated version."""


@dataclass(frozen=True)
class CollectConfig:
    """What is asked, and what is kept of it."""

    tasks: tuple[str, ...] = ("arithmetic:1:en", "arithmetic:1:zh")
    """Families as NAME:DIFFICULTY:LANG, or real sets as NAME:PATH; problems come from their train split."""
    questions: int = 32
    """Problems of each task."""
    samples: int = 4
    """Answers to each."""
    method: Literal["prompted", "r1_zero"] = "r1_zero"
    """prompted: worked answers that reflect and check themselves stand before the question; r1_zero: the bare question,
    for a model that reasons of its own."""
    shots: int = 2
    """Worked answers before each question, with prompted."""
    format: str = "r1_zero"
    """Words around the question: plain, r1_zero, chat, or a text with {prompt}."""
    max_tokens: int = 256
    """Most tokens of an answer."""
    temperature: float = 1.0
    """Temperature of the sampling."""
    strict: bool = True
    """Count an answer only in the place made for it."""
    keep: int = 1
    """Most answers to one problem that rejection sampling keeps."""
    readable: Readability = field(default_factory=Readability)
    """What is readable."""

    def __post_init__(self) -> None:
        for name in ("questions", "samples", "shots", "max_tokens", "keep"):
            if getattr(self, name) < 1:
                raise ConfigError(f"collect.{name}={getattr(self, name)} must be at least 1")
        if not self.tasks:
            raise ConfigError("collect.tasks names no task; write for example arithmetic:1:en")
        check_format(self.format)
        for task in self.tasks:
            check_task(task)


@dataclass(frozen=True)
class Sampled:
    """One answer, judged.

    >>> Sampled(problem, 0, "<think>3 + 4 = 7</think> <answer>8</answer>", Grade.WRONG, ("wrong",))
    """

    problem: Problem
    """What was asked."""
    index: int
    """Which of the answers to it this is, from 0."""
    response: str
    """What the model said; a thought that the prompt had opened is opened here too."""
    grade: Grade
    """What the checker says."""
    reasons: tuple[str, ...]
    """Codes of why it is not kept; empty where it is right and readable."""


# Sampling


def sample(
    config: CollectConfig, subject: Subject, folder: Path, seed: int, progress: Progress = no_progress
) -> list[Sampled]:
    """All answers, problem by problem. What `folder` holds already is not asked again.

    Raises Unreachable where a server failed: the answers so far are kept, and the same call goes on from them.
    ConfigError where the folder's answers are those of another model or setting.
    """
    questions = _questions(config, seed)
    c = config
    setting = [subject.fingerprint, [text for _, text in questions], c.samples, c.format, c.max_tokens, c.temperature]
    evaluation = hashlib.sha256(json.dumps([*setting, seed]).encode()).hexdigest()
    between = (f"\n{_BETWEEN}",) if c.method == "prompted" else ()

    def request(place: int) -> tuple[Prompt, SamplingParams]:
        problem, text = questions[place // c.samples]
        return subject.chat(text) if c.format == "chat" else text, SamplingParams(
            temperature=c.temperature,
            max_tokens=c.max_tokens,
            seed=seed_of(seed, problem, place % c.samples),
            stop=(*stop_of(problem, c.format), *between),
        )

    def kept(one: Completion) -> dict[str, Any]:
        return {"response": one.text, "finish_reason": one.finish_reason}

    answers = Answers(folder / SAMPLES, evaluation, len(questions) * c.samples)
    try:
        rows = ask(subject, answers, request, kept, progress, "sampling")
    finally:
        answers.close()
    places = [(questions[place // c.samples][0], place % c.samples, row) for place, row in enumerate(rows)]
    opening = subject.opening if config.format == "chat" else ""
    with ThreadPoolExecutor(4) as pool:  # those of code wait for the sandbox
        return list(pool.map(lambda one: _judged(config, opening, *one), places))


def _questions(config: CollectConfig, seed: int) -> list[tuple[Problem, str]]:
    """Problems with what the model is asked."""
    found: dict[str, tuple[Problem, str]] = {}
    shots = config.shots if config.method == "prompted" else 0
    for task in config.tasks:
        drawn = list({problem.id: problem for problem in draw(task, seed, config.questions + shots)}.values())
        if len(drawn) <= shots:
            raise ConfigError(f"tasks: {task!r} has only {len(drawn)} problems, and {shots} are examples; lower shots")
        if any(len(option) > 1 for problem in drawn for option in problem.options):
            raise ConfigError(f"tasks: the options of {task!r} are not in its questions; choose another set")
        for problem in drawn[shots:]:
            found.setdefault(problem.id, (problem, _prompt(config, problem, drawn[:shots])))
    return list(found.values())


_LEAD: dict[Lang, str] = {
    "en": "Answer the last question in the way the others are answered: think at length and check your result between "
    "<think> and </think>, then give the answer alone between <answer> and </answer>.",
    "zh": "请像前面的例子那样回答最后一个问题：先在 <think> 和 </think> 之间详细思考并检查结果，"
    "再在 <answer> 和 </answer> 之间只写出答案。",
}
_BETWEEN = "---"
"""Line between examples, at which an answer is over."""


def _prompt(config: CollectConfig, problem: Problem, examples: Sequence[Problem]) -> str:
    if not examples:
        return asked(problem, config.format)
    form = "plain" if config.format == "chat" else config.format
    lead = [_LEAD[problem.lang]] if config.format == "chat" else []
    shown = [f"{asked(one, form)} {reflective(one)}" for one in examples]
    return f"\n\n{_BETWEEN}\n\n".join([*lead, *shown, asked(problem, form)])


def _judged(config: CollectConfig, opening: str, problem: Problem, index: int, row: dict[str, Any]) -> Sampled:
    if "error" in row:
        return Sampled(problem, index, "", Grade.INVALID, ("refused",))
    response = row["response"]
    if config.format == "chat" and not response.lstrip().startswith(THINK_BEGIN):
        response = opening + response
    reasons = ["cut_off"] if row["finish_reason"] == "length" else []
    try:
        grade = problem.gold.grade(response, strict=config.strict)
    except CandorError:
        raise  # such as a machine without a sandbox: the user's to mend
    except Exception:  # the checker's fault is counted, and does not end the run
        grade = Grade.INVALID
    if grade is not Grade.RIGHT:
        reasons.append(str(grade))
    reasons += readable(response, problem.lang, config.readable, question=problem.prompt)
    return Sampled(problem, index, response, grade, tuple(reasons))


# Drafts for the cold start


@dataclass(frozen=True)
class Collected:
    """What became of the answers that were collected."""

    samples: int
    """Answers in all."""
    good: int
    """Those right and readable."""
    reasons: dict[str, int]
    """Why the others are not, an answer once for each reason."""
    added: Added
    """Drafts that are new in the store, and those that were there."""
    decided: Mapping[State, int]
    """What the rule made of drafts, by state; empty where annotators decide."""


def collect(
    config: CollectConfig,
    subject: Subject,
    reviews: Reviews,
    folder: Path,
    seed: int,
    *,
    by_rule: bool,
    progress: Progress = no_progress,
) -> Collected:
    """Answers that are right and readable, into the store as drafts; `by_rule` where no annotator takes part."""
    found = sample(config, subject, folder, seed, progress)
    good = [one for one in found if not one.reasons]
    added = reviews.add(_draft(config, one) for one in good)
    rule = readable_rule((one.problem for one in found), config.readable)
    decided = reviews.decide_by_rule(rule) if by_rule else {}
    reasons = Counter(reason for one in found for reason in one.reasons)
    _write_counts(folder, len(found), len(good), reasons)
    return Collected(len(found), len(good), dict(reasons.most_common()), added, decided)


def _draft(config: CollectConfig, one: Sampled) -> Draft:
    problem = one.problem
    return Draft(
        messages=_messages(problem),
        original=one.response,
        method=config.method,
        lang=problem.lang,
        problem=problem.id,
        family=problem.family,
        grade="right",
    )


def _messages(problem: Problem) -> tuple[Message, ...]:
    return ({"role": "user", "content": asked(problem, "chat")},)


def readable_rule(problems: Iterable[Problem], limits: Readability) -> Rule:
    """Edits what is right and readable into the readable form, rejects the rest with the reasons; drafts of other
    problems go on waiting."""
    known = {problem.id: problem for problem in problems}

    def decide(review: Review) -> Decision | None:
        problem = known.get(review.problem or "")
        if problem is None:
            return None
        reasons: list[str] = [] if review.grade == "right" else [review.grade or "not_graded"]
        reasons += readable(review.original, problem.lang, limits, question=problem.prompt)
        form = None if reasons else readable_form(problem, review.original)
        if form is None or problem.gold.grade(form, strict=True) is not Grade.RIGHT:
            return Decision("rejected", reasons=reasons or ["no_answer" if form is None else "wrong"])
        return Decision("accepted") if form == review.original else Decision("edited", form)

    return Rule(RULE, ":".join([VERSION, *map(str, vars(limits).values())]), decide)


def dialogues_of(reviews: Iterable[Review]) -> list[Dialogue]:
    """Those accepted or edited, to learn from; what users wrote comes by contributions alone, with its receipt."""
    found = []
    for review in reviews:
        if review.state not in ("accepted", "edited") or review.method == "user":
            continue
        origin = origin_of(review.method, review.state, review.annotator)
        messages = (*review.messages, {"role": "assistant", "content": review.text})
        found.append(Dialogue(messages=messages, origin=origin, lang=review.lang, place=f"review {review.id}"))
    return found


# Data for the second fine-tuning


def rejection_sample(
    config: CollectConfig, subject: Subject, folder: Path, seed: int, progress: Progress = no_progress
) -> list[Dialogue]:
    """Of several chat answers to each problem those right and readable, as they were given, at most `keep`.

    Of answers with the same words the shortest stays; of those that differ the first ones do, so that terse thoughts
    are not preferred. `counts.json` says what was left and why.
    """
    if config.format != "chat":
        raise ConfigError(
            f"rejection sampling keeps answers of a chat, not of format={config.format!r}; set it to chat"
        )
    found = sample(config, subject, folder, seed, progress)
    reasons = Counter(reason for one in found for reason in one.reasons)
    groups: dict[str, dict[tuple[str, ...], Sampled]] = {}
    for one in found:
        if not one.reasons:
            same = groups.setdefault(one.problem.id, {})
            before = same.setdefault(tuple(words(one.response)), one)
            reasons["duplicate"] += before is not one
            if len(one.response) < len(before.response):
                same[tuple(words(one.response))] = one
    kept = []
    for same in groups.values():
        reasons["more_than_keep"] += max(0, len(same) - config.keep)
        kept += list(same.values())[: config.keep]
    _write_counts(folder, len(found), len(kept), reasons)
    return [
        _dialogue(one.problem, one.response.strip(), f"{one.problem.family} {one.problem.id}, answer {one.index + 1}")
        for one in kept
    ]


def reference_dialogues(tasks: Sequence[str], n: int, seed: int, harmless: float = 0.0) -> list[Dialogue]:
    """`n` problems of each task with their own solutions as chat answers.

    The thought holds the worked steps; it is empty where there are none, as for general and safety requests. With
    `harmless` above 0 requests to refuse are left out until there are at least so many harmless ones for each.
    """
    found = []
    for task in tasks:
        problems = draw(task, seed, n)
        if harmless:
            refused = [one for one in problems if isinstance(one.gold, Conduct) and one.gold.refuse]
            dropped = {one.id for one in refused[int((len(problems) - len(refused)) / harmless) :]}
            problems = [one for one in problems if one.id not in dropped]
        for problem in problems:
            free = problem.form in ("code", "free")
            if free and not problem.solution:
                raise ConfigError(f"tasks: {task!r} has no solutions to learn from; choose another")
            said = summary(problem, problem.solution if free else str(problem.gold))
            found.append(_dialogue(problem, with_thought(steps_of(problem), said), f"{task}, {problem.origin}"))
    return found


def _dialogue(problem: Problem, content: str, place: str) -> Dialogue:
    messages = (*_messages(problem), {"role": "assistant", "content": content})
    return Dialogue(messages=messages, origin="team-automatic", lang=problem.lang, place=place)


def _write_counts(folder: Path, samples: int, kept: int, reasons: Counter[str]) -> None:
    left = {reason: count for reason, count in reasons.most_common() if count}
    files.write_json(folder / COUNTS, {"samples": samples, "kept": kept, "reasons": left})
