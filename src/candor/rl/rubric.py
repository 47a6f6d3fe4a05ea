"""Rewards: a weighted rubric of small functions, each of which gives a number or abstains."""

import re
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Condition, Thread, current_thread
from typing import Any, TypeAlias

from candor.errors import ConfigError, TrainingError
from candor.problems import Grade, Problem
from candor.problems.extract import abstains
from candor.problems.golds import NoAnswer
from candor.rl.losses import overlong_penalty
from candor.text import THINK_BEGIN
from candor.text.language import language_share


@dataclass(frozen=True)
class Response:
    """One answer of a model.

    >>> Response("<think>3 + 4</think><answer>7</answer>", tokens=12, max_tokens=64)
    """

    text: str
    """What it wrote."""
    tokens: int = 0
    """How many tokens that was."""
    max_tokens: int = 0
    """How many it might have been; 0 where nothing limits them."""
    opened: bool = False
    """Whether the prompt had opened the thought already, as R1's chat template does."""

    @property
    def whole(self) -> str:
        """The text with the thought opened: who never closes it has given no answer."""
        return f"{THINK_BEGIN}\n{self.text}" if self.opened else self.text


Pair: TypeAlias = tuple[Problem, Response]
"""A problem and one answer to it."""

Reward: TypeAlias = Callable[[Problem, Response], float | None]
"""`reward(problem, response)`: a number, or None where it has nothing to say. It may raise: that is counted."""

BatchReward: TypeAlias = Callable[[Sequence[Pair]], Sequence[float | None]]
"""The same for many at once, as a model gives it."""

_TAG = r"</?(?:think|answer)>"
_NO_WORD = re.compile(rf"{_TAG}|\\[A-Za-z]+")
"""Tags and commands of LaTeX, such as the box of an answer."""
_FORMAT = re.compile(
    rf"\s*<think>((?:(?!{_TAG}).)*)</think>\s*<answer>((?:(?!{_TAG}).)+)</answer>\s*",
    re.S,
)
_OPENED_FORMAT = re.compile(rf"((?:(?!{_TAG}).)*)</think>((?:(?!{_TAG}).)+)", re.S)
REFLECTION = re.compile(
    r"\b(?:wait|mistake|however|but|retry|error|verify|wrong|evaluate|check)\b|等等|不对|检查|验证|重新|但是|错误", re.I
)
"""Words that R1's paper counts as signs of reflection, and what stands for them in Chinese."""

LEARNT = {"helpfulness": "requests", "safety": "safety"}
"""Rewards that a model gives, and the family that each is for: of their answers no checker can say what they are worth
(R1 2.3.4, B.3.1). They can be gamed when they are followed for long."""

_LARGEST = 1e30
"""Rewards are compared in float32, where more would be infinite."""
_THREADS = 4
_MOST_HANGING = 8
"""Threads that may hang before the run stops."""


def accuracy(problem: Problem, response: Response) -> float | None:
    """1 where the checker says right; None where there is no value to check, or the gold answer cannot be judged."""
    if isinstance(problem.gold, NoAnswer) or problem.family in LEARNT.values():
        return None
    grade = problem.gold.grade(response.whole, strict=True)
    return None if grade is Grade.INVALID else float(grade is Grade.RIGHT)


def abstention(problem: Problem, response: Response) -> float | None:
    """1 for saying that it cannot be known where that is right, 0 for not saying it there; -1 for saying it elsewhere.

    None for an answer, right or wrong, to a problem that has one. Declining everything would earn as much otherwise.
    """
    if isinstance(problem.gold, NoAnswer):
        return float(problem.gold.grade(response.whole, strict=True) is Grade.RIGHT)
    return -1.0 if problem.family not in LEARNT.values() and abstains(response.whole) else None


def format_(problem: Problem, response: Response) -> float:
    """1 where the response is one `<think>...</think>` and one `<answer>...</answer>`, both with something in them.

    Where the prompt opened the thought: the rest of it, one `</think>`, and an answer without tags. The thought may be
    empty where there is nothing to work out, as in a greeting.
    """
    found = (_OPENED_FORMAT if response.opened else _FORMAT).fullmatch(response.text)
    if found is None:
        return 0.0
    thought, answer = (part.strip() for part in found.groups())
    return float(bool(answer) and (bool(thought) or problem.form == "free"))


def language(problem: Problem, response: Response) -> float | None:
    """Share of the words that are in the problem's language; None where there are no words (R1 2.3.2).

    A Chinese character counts as a word, and so does a run of Latin letters.
    """
    return language_share(_NO_WORD.sub(" ", response.text), problem.lang)


def length(problem: Problem, response: Response) -> float | None:
    """0, falling to -1 over the last quarter of the allowed tokens (DAPO, eq. 13); None where nothing limits them."""
    most = response.max_tokens
    return overlong_penalty(response.tokens, most, max(1, most // 4)) if most else None


REWARDS: dict[str, Reward] = {
    "accuracy": accuracy,
    "format": format_,
    "language": language,
    "length": length,
    "abstention": abstention,
}
"""By name, for settings."""


@dataclass(frozen=True)
class Scored:
    """What a rubric says of one response.

    >>> Scored(total=1.5, parts={"accuracy": 1.0, "format": 1.0, "language": None})
    """

    total: float | None
    """Weighted sum of the parts; None where a reward failed, so that nothing is learnt from this response."""
    parts: Mapping[str, float | None]
    """By reward; None where it abstained or failed."""
    failed: tuple[str, ...] = ()
    """Rewards that raised, hung or gave what is no number, with what was wrong."""


class Rubric:
    """Rewards with their weights.

    >>> Rubric({"accuracy": 1.0, "format": 0.5})
    >>> Rubric({"accuracy": 1.0, "safety": 1.0}, batch={"safety": as_batch_reward(RewardModel.load(folder, device))})

    A reward may take `timeout` seconds; one that does not return is left to its thread. (One that holds the
    interpreter itself, such as a regular expression without end, cannot be left.)
    """

    def __init__(
        self,
        weights: Mapping[str, float],
        rewards: Mapping[str, Reward] = REWARDS,
        batch: Mapping[str, BatchReward] = {},
        timeout: float = 30.0,
    ):
        known = {**rewards, **batch}
        if not weights or any(name not in known for name in weights):
            raise ConfigError(
                f"rewards={list(weights)}: name some of {', '.join(known)}; helpfulness and safety need a reward model"
            )
        self.weights, self._timeout = dict(weights), timeout
        self._single = {name: rewards[name] for name in weights if name not in batch}
        self._batch = {name: batch[name] for name in weights if name in batch}
        self._hanging: list[tuple[str, Thread]] = []

    def score_all(self, pairs: Sequence[Pair]) -> list[Scored]:
        """All rewards of all responses. One that abstains adds nothing; one that fails takes the response out.

        TrainingError where rewards hang in eight threads.
        """
        columns = {**self._singles(pairs), **{name: _whole(reward, pairs) for name, reward in self._batch.items()}}
        scored = []
        for place in range(len(pairs)):
            parts: dict[str, float | None] = {}
            failed = []
            for name in self.weights:
                try:
                    parts[name] = _number(columns[name][place])
                except Exception as error:  # whatever a user's function raised must not end the run
                    parts[name] = None
                    failed.append(f"{name}: {error!r:.200}")
            total = sum(self.weights[name] * value for name, value in parts.items() if value is not None)
            scored.append(Scored(None if failed else total, parts, tuple(failed)))
        return scored

    def _singles(self, pairs: Sequence[Pair]) -> dict[str, list[Any]]:
        """What each of the single rewards gives or raises, in a few threads.

        Not those of a pool, which are joined when the process ends, and one that hangs would hold it up for ever.
        """
        columns: dict[str, list[Any]] = {name: [None] * len(pairs) for name in self._single}
        todo = deque((name, place) for place in range(len(pairs)) for name in self._single)
        running: dict[Thread, tuple[tuple[str, int], float]] = {}  # what each thread is at, and when that must be done
        change = Condition()

        def begin(thread: Thread) -> bool:
            if todo:
                running[thread] = todo.popleft(), time.monotonic() + self._timeout
            else:
                del running[thread]
                change.notify()
            return thread in running

        def work() -> None:
            me, at_work = current_thread(), True
            while at_work:
                with change:
                    if me not in running:
                        return  # given up, or the run was
                    (name, place), _ = running[me]
                try:
                    value: Any = self._single[name](*pairs[place])
                except BaseException as error:  # a thread that ended without a word would look like one that hangs
                    value = error if isinstance(error, Exception) else RuntimeError(repr(error))
                with change:
                    if at_work := me in running:
                        columns[name][place] = value
                        at_work = begin(me)

        with change:
            try:
                while todo or running:
                    while todo and len(running) < _THREADS:
                        thread = Thread(target=work, daemon=True)
                        begin(thread)
                        thread.start()
                    change.wait(max(0.0, min(deadline for _, deadline in running.values()) - time.monotonic()))
                    for thread, ((name, place), deadline) in [*running.items()]:
                        if deadline <= time.monotonic():
                            del running[thread]
                            columns[name][place] = TimeoutError(f"no value after {self._timeout:g} s")
                            self._leave(name, thread)
            finally:
                todo.clear()
                running.clear()
        return columns

    def _leave(self, name: str, thread: Thread) -> None:
        self._hanging = [(other, one) for other, one in self._hanging if one.is_alive()] + [(name, thread)]
        if len(self._hanging) >= _MOST_HANGING:
            names = ", ".join(dict.fromkeys(other for other, _ in self._hanging))
            raise TrainingError(
                f"the reward {names} hangs: {len(self._hanging)} calls have not returned after {self._timeout:g} s; "
                "mend it or leave it out. What was sampled is kept"
            )


def _whole(reward: BatchReward, pairs: Sequence[Pair]) -> Sequence[Any]:
    """What a batch reward gives; where it raises or gives too few or too many, that error for every pair."""
    try:
        values = list(reward(pairs))
        if len(values) != len(pairs):
            raise ValueError(f"it gave {len(values)} values for {len(pairs)} responses")
        return values
    except Exception as error:
        return [error] * len(pairs)


def _number(value: Any) -> float | None:
    if isinstance(value, Exception):
        raise value
    if value is not None and not abs(value) <= _LARGEST:
        raise ValueError(f"it gave {value}")
    return None if value is None else float(value)


def means(scored: Sequence[Scored]) -> dict[str, float]:
    """For the log: mean of each part over those that have it, and the share for which it abstained, if any."""
    figures = {}
    for name in scored[0].parts if scored else ():
        values = [value for one in scored if (value := one.parts[name]) is not None]
        failed = sum(text.startswith(f"{name}: ") for one in scored for text in one.failed)
        if values:
            figures[name] = sum(values) / len(values)
        if abstained := len(scored) - len(values) - failed:
            figures[f"{name}_abstained"] = abstained / len(scored)
    return figures
