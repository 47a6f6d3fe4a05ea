"""Rollouts: groups of answers to problems, scored, kept on disk as soon as they are sampled."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from candor import files
from candor.errors import RequestError, TrainingError
from candor.infer import Engine, SamplingParams
from candor.problems import Problem
from candor.problems.prompts import asked, seed_of, stop_of
from candor.rl.rubric import Response, Rubric, Scored
from candor.text import THINK_BEGIN, Tokenizer


@dataclass(frozen=True, kw_only=True)
class Episode:
    """One answer to one problem, with what the sampler thought of it.

    >>> Episode(problem="3f2a91c04d7e11aa", prompt_ids=(0, 52), token_ids=(9, 1), logprobs=(-0.2, -0.1), text="7", ...)
    """

    problem: str
    """`Problem.id`."""
    prompt_ids: tuple[int, ...]
    """What the model was asked with."""
    token_ids: tuple[int, ...]
    """What it answered, the end token included."""
    logprobs: tuple[float, ...]
    """The sampler's log-probability of each of these, in nats."""
    text: str
    """The answer as text."""
    finish_reason: str
    """`stop` or `length`."""


@dataclass(frozen=True)
class Rollout:
    """Groups of answers, one group for each problem."""

    problems: list[Problem]
    """The problems asked."""
    episodes: list[list[Episode]]
    """For each, its answers."""
    scored: list[list[Scored]]
    """For each answer, what the rubric says."""


def roll_out(
    engine: Engine,
    problems: Sequence[Problem],
    rubric: Rubric,
    *,
    group: int,
    form: str,
    max_tokens: int,
    temperature: float,
    seed: int,
    path: Path,
) -> Rollout:
    """`group` answers to each problem. What `path` holds of an earlier call is taken instead of sampling again, and so
    are the scores beside it: a reward that hung once need not hang again.

    Seeds are those of the problem and the answer's number, so the same weights give the same answers.
    """
    scores = path.with_suffix(".scores")
    episodes = _kept(path) if path.exists() else []
    asked_before = [episode.problem for episode in episodes]
    if asked_before != [problem.id for problem in problems for _ in range(group)]:
        scores.unlink(missing_ok=True)
        episodes = _sample(engine, problems, group, form, max_tokens, temperature, seed)
        files.Lines(path, map(vars, episodes)).close()
    groups = [episodes[start : start + group] for start in range(0, len(episodes), group)]
    if scores.exists():
        scored = [Scored(line["total"], line["parts"], tuple(line["failed"])) for line in files.read_lines(scores)]
    else:
        scored = rubric.score_all(
            [
                (problem, _response(one, engine.tokenizer, max_tokens))
                for problem, own in zip(problems, groups, strict=True)
                for one in own
            ]
        )
        if any(one.total is not None for one in scored):  # else the run stops, for the reward to be mended
            files.Lines(scores, map(vars, scored)).close()
    return Rollout(list(problems), groups, [scored[start : start + group] for start in range(0, len(scored), group)])


def _response(episode: Episode, tokenizer: Tokenizer, max_tokens: int) -> Response:
    opened = tokenizer.decode(episode.prompt_ids[-4:]).rstrip().endswith(THINK_BEGIN)
    return Response(episode.text, len(episode.token_ids), max_tokens, opened)


def _kept(path: Path) -> list[Episode]:
    names = ("prompt_ids", "token_ids", "logprobs")
    return [Episode(**{**line, **{name: tuple(line[name]) for name in names}}) for line in files.read_lines(path)]


def _sample(
    engine: Engine, problems: Sequence[Problem], group: int, form: str, max_tokens: int, temperature: float, seed: int
) -> list[Episode]:
    tokenizer = engine.tokenizer
    prompts, params = [], []
    times: Counter[str] = Counter()  # a small set asks a question again, which is not to get the same answers
    for problem in problems:
        text = asked(problem, form)
        if form == "chat":
            prompts.append(tokenizer.encode_chat([{"role": "user", "content": text}]))
        else:
            prompts.append([tokenizer.bos_id, *tokenizer.encode(text)])
        times[problem.id] += 1
        params.append(
            SamplingParams(
                n=group,
                max_tokens=max_tokens,
                temperature=temperature,
                seed=seed_of(seed, problem, times[problem.id]),
                stop=stop_of(problem, form),
                tempered_logprobs=True,
            )
        )
    completions = engine.generate(prompts, params)
    refused = [one.error for one in completions if one.error]
    if refused:
        error = refused[0]
        raise error if isinstance(error, RequestError) else TrainingError(f"the sampler failed: {error}")
    return [
        Episode(
            problem=problems[place // group].id,
            prompt_ids=tuple(prompts[place // group]),
            token_ids=one.token_ids,
            logprobs=one.logprobs,
            text=one.text,
            finish_reason=one.finish_reason,
        )
        for place, one in enumerate(completions)
    ]
