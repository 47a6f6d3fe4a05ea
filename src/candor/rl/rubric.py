"""Rewards: a weighted rubric of small functions, each of which gives a value from 0 to 1 or abstains."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from candor.errors import ConfigError
from candor.problems import Grade, Problem

Reward = Callable[[Problem, str], float | None]
"""`reward(problem, response)`: a value, or None where it has nothing to say. It may raise: that is counted."""

_FORMAT = re.compile(
    r"\s*<think>((?:(?!</?(?:think|answer)>).)+)</think>\s*<answer>(?:(?!</?(?:think|answer)>).)+</answer>\s*", re.S
)
_HAN, _LATIN = re.compile(r"[㐀-䶿一-鿿]"), re.compile(r"[A-Za-z]+")
REFLECTION = re.compile(
    r"\b(?:wait|mistake|however|but|retry|error|verify|wrong|evaluate|check)\b|等等|不对|检查|验证|重新|但是|错误", re.I
)
"""Words that R1's paper counts as signs of reflection, and what stands for them in Chinese."""


def accuracy(problem: Problem, response: str) -> float | None:
    """1 where the checker says right; None where the gold answer cannot be judged, never a reward."""
    grade = problem.gold.grade(response, strict=True)
    return None if grade is Grade.INVALID else float(grade is Grade.RIGHT)


def format_(problem: Problem, response: str) -> float:
    """1 where the response is one `<think>...</think>` and one `<answer>...</answer>`, both with something in them."""
    return float(_FORMAT.fullmatch(response) is not None)


def language(problem: Problem, response: str) -> float | None:
    """Share of the words that are in the problem's language; None where there are no words (R1 2.3.2).

    A Chinese character counts as a word, and so does a run of Latin letters.
    """
    text = re.sub(r"</?(?:think|answer)>", "", response)
    words = {"zh": len(_HAN.findall(text)), "en": len(_LATIN.findall(text))}
    total = sum(words.values())
    return words[problem.lang] / total if total else None


REWARDS: dict[str, Reward] = {"accuracy": accuracy, "format": format_, "language": language}
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
    """Rewards that raised or gave a number that is not finite, with what they said."""


class Rubric:
    """Rewards with their weights.

    >>> Rubric({"accuracy": 1.0, "format": 0.5})
    """

    def __init__(self, weights: Mapping[str, float], rewards: Mapping[str, Reward] = REWARDS):
        unknown = [name for name in weights if name not in rewards]
        if unknown or not weights:
            raise ConfigError(f"rewards={list(weights)}: name some of {', '.join(rewards)}")
        self.weights = dict(weights)
        self._rewards = {name: rewards[name] for name in weights}

    def score(self, problem: Problem, response: str) -> Scored:
        """All rewards of one response. One that abstains adds nothing; one that fails takes the response out."""
        parts: dict[str, float | None] = {}
        failed = []
        for name, reward in self._rewards.items():
            try:
                value = reward(problem, response)
                if value is not None and not math.isfinite(value):
                    raise ValueError(f"it gave {value}")
            except Exception as error:  # whatever a user's function raises must not end the run
                value = None
                failed.append(f"{name}: {error!r:.200}")
            parts[name] = value
        total = sum(self.weights[name] * value for name, value in parts.items() if value is not None)
        return Scored(None if failed else total, parts, tuple(failed))


def means(scored: Sequence[Scored]) -> dict[str, float]:
    """Mean of each part over those that have it, for the log."""
    figures = {}
    for name in scored[0].parts if scored else ():
        values = [value for one in scored if (value := one.parts[name]) is not None]
        if values:
            figures[name] = sum(values) / len(values)
    return figures
