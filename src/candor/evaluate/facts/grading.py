"""Right, wrong, abstained: SimpleQA's three grades by a stated rule, and the figures of a set (2411.04368)."""

import math
import re
import unicodedata
from collections.abc import Sequence
from enum import Enum

import numpy as np

from candor.evaluate.facts.items import FactItem
from candor.evaluate.statistics import Figure, share
from candor.problems.extract import abstains, final_answer

_NO_INFORMATION = re.compile(r"insufficient information|信息不足", re.I)
"""What RGB's prompt asks for where the passages do not hold the answer."""
_ROUNDS = 500


class FactGrade(Enum):
    """What an answer to a question of fact is worth."""

    RIGHT = "right"
    WRONG = "wrong"
    ABSTAINED = "abstained"
    INVALID = "invalid"
    """There is no answer: the request failed, or nothing but a thought came. Counts as neither."""


def grade_fact(item: FactItem, response: str | None) -> FactGrade:
    """The rule: abstained where it says that it does not know and no more; right where every part of the answer stands
    in the text as whole words, in any case, width and spacing, and no false answer that holds none of them does; else
    wrong. None is a request that failed. A model as judge is kinder to other wordings; this one can be repeated.
    """
    said = final_answer(response) if response is not None else ""
    if not said:
        return FactGrade.INVALID
    parts_said = [any(_stands(way, said) for way in part) for part in item.answers]
    if (_NO_INFORMATION.search(said) or abstains(said)) and not (item.answers and all(parts_said)):
        return FactGrade.ABSTAINED
    ways = [way for part in item.answers for way in part]
    false = any(_stands(one, said) and not any(_stands(way, one) for way in ways) for one in item.wrong)
    return FactGrade.RIGHT if item.answers and all(parts_said) and not false else FactGrade.WRONG


def _stands(answer: str, text: str) -> bool:
    """Whether an answer stands in a text: as whole words where it begins or ends in a letter or digit that is not
    Chinese."""
    inner, outer = _plain(answer), _plain(text)
    if not inner:
        return False
    left = r"(?<![a-z0-9])" if re.match(r"[a-z0-9]", inner) else ""
    right = r"(?![a-z0-9])" if re.search(r"[a-z0-9]$", inner) else ""
    return re.search(left + re.escape(inner) + right, outer) is not None


def _plain(text: str) -> str:
    """One case, width and space; marks dropped but those within numbers; no space between Chinese characters."""
    text = unicodedata.normalize("NFKC", text).casefold()
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"(?<!\d)[.:,](?!\d)|(?<=\d)[.:,](?!\d)|(?<!\d)[.:,](?=\d)|[^\w\s.:,%-]|_", " ", text)
    text = " ".join(text.split())
    return re.sub(r"(?<=[\u3400-\u9fff]) (?=\S)|(?<=\S) (?=[\u3400-\u9fff])", "", text)


def fact_figures(grades: Sequence[FactGrade], seed: int = 0) -> dict[str, Figure]:
    """`correct`, `wrong`, `abstained`, `invalid` over all questions, `correct_given_attempted`, and `f_score`.

    The F-score is the harmonic mean of the first and of correct given attempted; its interval is a bootstrap over
    questions. An invalid answer is no attempt and is never correct.
    """
    right = np.array([grade is FactGrade.RIGHT for grade in grades], float)
    attempted = np.array([grade in (FactGrade.RIGHT, FactGrade.WRONG) for grade in grades], float)
    names = {"correct": FactGrade.RIGHT, "wrong": FactGrade.WRONG, "abstained": FactGrade.ABSTAINED,
             "invalid": FactGrade.INVALID}  # fmt: skip
    figures = {name: share([float(grade is wanted) for grade in grades]) for name, wanted in names.items()}
    figures["correct_given_attempted"] = share(right[attempted > 0].tolist())
    if not len(grades):
        return figures | {"f_score": Figure(math.nan, None, None, None, 0)}

    def f_score(some: np.ndarray) -> float:
        total, tried = right[some].sum(), attempted[some].sum()
        return float(2 * total / (len(some) + tried))  # 2 / (n/right + attempted/right)

    chance = np.random.default_rng(seed)
    drawn = np.array([f_score(chance.integers(0, len(grades), len(grades))) for _ in range(_ROUNDS)])
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    whole = f_score(np.arange(len(grades)))
    figures["f_score"] = Figure(whole, float(drawn.std(ddof=1)), low, high, len(grades))
    return figures
