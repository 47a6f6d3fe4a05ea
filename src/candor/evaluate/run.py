"""Carrying out a task: ask, grade, sum up.

Grading costs little, so it is done anew where the answers are kept but the code has changed.
"""

import dataclasses
import itertools
import math
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from candor.data.sources import SourceConfig, read_documents
from candor.errors import CandorError, ConfigError, RequestError
from candor.evaluate.answers import Answers, ask
from candor.evaluate.compression import bits_per_byte, compressed_bits_per_byte
from candor.evaluate.likelihood import Likelihood
from candor.evaluate.result import EvalResult, Sample, evaluation_of, kept_result, path_of, problem_scores, record
from candor.evaluate.statistics import Figure, majority, mean, pass_at_k, share
from candor.evaluate.subject import Local, Subject
from candor.evaluate.task import COMPRESS, LM_EVAL, Task, problems_of, prompt_hash, texts_of
from candor.infer import Completion, SamplingParams
from candor.infer.params import Prompt
from candor.problems import Grade, Problem
from candor.problems.extract import abstains
from candor.problems.golds import Choice
from candor.problems.prompts import seed_of, stop_of
from candor.records import Progress, no_progress

_GRADERS = 4
"""Threads that grade: those of code wait for the sandbox."""


def evaluate(
    task: Task, subject: Subject, folder: Path | None = None, progress: Progress = no_progress
) -> tuple[EvalResult, list[Sample]]:
    """The result of one task and its samples, which are also written into `folder` where there is one.

    What is there already is not asked again. Raises ConfigError or DataError for a task or data that cannot be used,
    Unreachable where a server failed: the answers so far are kept, and the same call goes on from them.
    """
    if task.name.startswith(LM_EVAL):
        from candor.evaluate.harness import run_task

        return run_task(task, subject, folder, progress)
    if task.name == COMPRESS:
        return _compress(task, subject, folder, progress), []
    found = problems_of(task)
    problems = [problem for problem in found if problem.gradable]
    if not problems:
        raise ConfigError(f"{task.name}: none of its {len(found)} problems has a readable gold answer; check the data")
    choose = task.format != "chat" and all(problem.options for problem in problems)
    texts = texts_of(task, problems)
    hashed = prompt_hash([*texts, *(option for problem in problems for option in problem.options if choose)])
    evaluation = evaluation_of(task, subject.fingerprint, hashed)
    golds = prompt_hash([repr(problem.gold) for problem in problems])
    if kept := kept_result(task, folder, evaluation, golds):
        return kept
    start = time.monotonic()
    answers = Answers(path_of(task, folder, ".samples.jsonl"), evaluation, len(problems) * (1 if choose else task.k))
    samples: list[Sample] = []
    try:
        samples = (_choose if choose else _generate)(task, problems, texts, subject, answers, progress)
    finally:
        answers.close([vars(sample) for sample in samples])
    result = record(
        task,
        folder,
        start,
        samples,
        kind="choose" if choose else "generate",
        version=task.version,
        model=subject.name,
        evaluation=evaluation,
        prompt_hash=hashed,
        golds=golds,
        reused=answers.reused,
        figures=(_choice_figures if choose else _figures)(task, samples),
        problems=len(problems),
        unreadable=len(found) - len(problems),
    )
    return result, samples


def _generate(
    task: Task, problems: list[Problem], texts: list[str], subject: Subject, answers: Answers, progress: Progress
) -> list[Sample]:
    """`k` samples of each problem, asked for in one go."""
    asked = texts if answers.missing else []
    prompts = [subject.chat(text) if task.format == "chat" else text for text in asked]

    def request(place: int) -> tuple[Prompt, SamplingParams]:
        problem = problems[place // task.k]
        return prompts[place // task.k], SamplingParams(
            temperature=task.temperature,
            top_p=task.top_p,
            max_tokens=task.max_tokens,
            stop=(*stop_of(problem, task.format), *task.stop),
            seed=seed_of(task.seed, problem, place % task.k),
        )

    def kept(one: Completion) -> dict[str, Any]:
        return {"response": one.text, "finish_reason": one.finish_reason, "tokens": one.completion_tokens}

    rows = ask(subject, answers, request, kept, progress, task.label)
    opening = subject.opening if task.format == "chat" else ""

    def grade(place: int) -> Sample:
        problem, text = problems[place // task.k], texts[place // task.k]
        return _graded(problem, place % task.k, text, rows[place], task.strict, opening)

    samples = []
    with ThreadPoolExecutor(_GRADERS) as pool:
        for sample in pool.map(grade, range(len(rows))):
            samples.append(sample)
            progress(len(samples), len(rows), f"{task.label}, grading")
    return samples


def _graded(problem: Problem, index: int, text: str, row: dict[str, Any], strict: bool, opening: str) -> Sample:
    """With the thought that the prompt had opened: who never closes it has given no answer."""
    response, gold = row.get("response", ""), problem.gold
    sample = Sample(
        problem=problem.id,
        index=index,
        prompt=text,
        gold=str(gold),
        response=response,
        answer=None,
        grade=Grade.INVALID,
        finish_reason=row.get("finish_reason", "error"),
        tokens=row.get("tokens", 0),
        error=row.get("error", ""),
    )
    if sample.finish_reason == "error":
        return sample
    try:
        return dataclasses.replace(
            sample,
            answer=gold.answer(opening + response, strict=strict),
            grade=gold.grade(opening + response, strict=strict),
            abstained=abstains(opening + response),
            scores=gold.scores(opening + response),
            error="",
        )
    except CandorError:
        raise  # such as a machine without a sandbox: the user's to mend
    except Exception as error:  # the checker's fault is counted, and does not end the run
        return dataclasses.replace(sample, error=f"the checker failed: {error!r:.200}")


def _figures(task: Task, samples: list[Sample]) -> dict[str, Figure]:
    """Of answers that were generated: pass@k for k = 1, 2, 4, ..., majority, and what else was measured."""
    k = task.k
    groups = [samples[start : start + k] for start in range(0, len(samples), k)]
    right = [[sample.grade is Grade.RIGHT for sample in group] for group in groups]
    sizes = sorted({k, *itertools.takewhile(lambda size: size < k, (2**power for power in itertools.count()))})
    figures = {f"pass@{size}": share([pass_at_k(k, sum(good), size) for good in right], k) for size in sizes}
    if k > 1:
        votes = [[sample.answer for sample in group] for group in groups]
        figures[f"majority@{k}"] = share([majority(*pair) for pair in zip(votes, right, strict=True)])
    for name in dict.fromkeys(name for sample in samples for name in sample.scores):
        figures[name] = share(list(problem_scores(samples, name).values()), k)
    for name, value in (
        ("answered", lambda sample: sample.answer is not None),
        ("abstained", lambda sample: sample.abstained),
        ("truncated", lambda sample: sample.finish_reason == "length"),
    ):
        figures[name] = share([sum(map(value, group)) / k for group in groups], k)
    if any(sample.tokens for sample in samples):  # a server need not tell
        figures["tokens"] = mean([sum(sample.tokens for sample in group) / k for group in groups])
    return figures


def _choose(
    task: Task, problems: list[Problem], texts: list[str], subject: Subject, answers: Answers, progress: Progress
) -> list[Sample]:
    """The option that the model holds most likely behind the question."""
    owners, pairs = [], []
    for place in answers.missing:
        between = "" if texts[place].endswith(("：", " ", "\n")) else " "
        for option in problems[place].options:
            owners.append(place)
            pairs.append((texts[place], between + option))
    found: dict[int, dict[int, float]] = {}
    firsts = {place: number for number, place in reversed(list(enumerate(owners)))}

    def done(number: int, value: Likelihood) -> None:
        place = owners[number]
        if not isinstance(value, RequestError) and not math.isfinite(value[0]):
            value = RequestError(f"the log-probability of an option is {value[0]}")
        if isinstance(value, RequestError):
            answers.refuse(place, value)
            return
        known = found.setdefault(place, {})
        known[number - firsts[place]] = value[0]
        if len(known) == len(problems[place].options):
            answers.add(place, {"logprobs": [known[option] for option in range(len(known))]})
            progress(len(answers), answers.total, task.label)

    subject.likelihood(pairs, done)
    rows = answers.complete()
    return [_chosen(problem, text, row) for problem, text, row in zip(problems, texts, rows, strict=True)]


def _chosen(problem: Problem, text: str, row: dict[str, Any]) -> Sample:
    gold, options = problem.gold, problem.options
    assert isinstance(gold, Choice)
    logprobs: list[float] = row.get("logprobs", [])
    sample = Sample(
        problem=problem.id,
        index=0,
        prompt=text,
        gold=str(gold),
        response="",
        answer=None,
        grade=Grade.INVALID,
        finish_reason="error",
        error=row.get("error", ""),
        scores={"acc_norm": 0.0, "mass": 0.0},
        logprobs=tuple(logprobs),
    )
    if not logprobs:
        return sample
    best = max(range(len(options)), key=logprobs.__getitem__)
    normed = max(range(len(options)), key=lambda option: logprobs[option] / len(options[option]))
    shares = [math.exp(value - max(logprobs)) for value in logprobs]
    mass = sum(shares[option] for option in gold.right) / sum(shares)
    return dataclasses.replace(
        sample,
        response=options[best],
        answer=str(best),
        grade=Grade.RIGHT if best in gold.right else Grade.WRONG,
        finish_reason="stop",
        scores={"acc_norm": float(normed in gold.right), "mass": mass},
    )


def _choice_figures(task: Task, samples: list[Sample]) -> dict[str, Figure]:
    """Accuracy of the likeliest option, of the likeliest for its length, and the probability of the right ones."""
    figures = {"acc": share([float(sample.grade is Grade.RIGHT) for sample in samples])}
    for name in ("acc_norm", "mass"):
        figures[name] = share([sample.scores[name] for sample in samples])
    return figures


def _compress(task: Task, subject: Subject, folder: Path | None, progress: Progress) -> EvalResult:
    """Bits per byte of the documents at `data`."""
    if not isinstance(subject, Local):
        raise ConfigError(f"{COMPRESS} needs a model folder: servers do not tell the probability of a text")
    if not task.data:
        raise ConfigError(f"{COMPRESS} needs a text: --data {COMPRESS}=PATH")
    start = time.monotonic()
    documents = read_documents(SourceConfig(task.data))
    texts = [document.text for document in (itertools.islice(documents, task.n) if task.n else documents)]
    hashed = prompt_hash(texts)
    evaluation = evaluation_of(task, subject.fingerprint, hashed)
    if kept := kept_result(task, folder, evaluation, ""):
        return kept[0]
    model, tokenizer = subject.engine.model, subject.engine.tokenizer
    sized = [(ids, len(text.encode())) for ids, text in zip(tokenizer.encode_batch(texts), texts, strict=True)]
    context = min(task.context, model.config.max_position_embeddings)
    bits, _ = bits_per_byte(model, sized, bos_id=tokenizer.bos_id, context=context, progress=progress)
    gzip, xz = (Figure(value, None, None, None, len(texts)) for value in compressed_bits_per_byte(texts))
    return record(
        task,
        folder,
        start,
        [],
        kind="compress",
        version=task.version,
        model=subject.name,
        evaluation=evaluation,
        prompt_hash=hashed,
        figures={COMPRESS: bits, "gzip": gzip, "xz": xz},
        problems=len(texts),
    )
