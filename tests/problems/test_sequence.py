"""Number sequences against a search of rules that knows the prompt alone; what all families of this kind promise."""

import re
import time
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from random import Random
from statistics import mean
from typing import Any, get_args

import pytest

from candor.problems.problem import Family, Grade, Lang, Problem
from candor.problems.sequence import Sequence

LEVELS = range(1, 6)
LANGS: tuple[Lang, ...] = get_args(Lang)


# What every family of generated problems promises; the tests of the other families use these too.


def spread(family: Family[Any], n: int = 1000, seed: int = 7) -> list[Problem]:
    """`n` different problems over all difficulties, each in English and, behind it, in Chinese."""
    problems = []
    for difficulty in LEVELS:
        english, chinese = (family.generate(seed, n // 5, difficulty, lang) for lang in LANGS)
        problems += [problem for twins in zip(english, chinese, strict=True) for problem in twins]
    assert len({problem.id for problem in problems}) == 2 * n
    return problems


def twins(family: Family[Any], n: int = 1000, seed: int = 7) -> list[tuple[Problem, Problem]]:
    """English and Chinese of the same case."""
    problems = spread(family, n, seed)
    return list(zip(problems[::2], problems[1::2], strict=True))


def rises(measures: dict[int, list[float]]) -> bool:
    """Whether the mean of a measure of difficulty goes up with every level."""
    assert sorted(measures) == list(LEVELS)
    return all(mean(measures[low]) < mean(measures[high]) for low, high in pairwise(LEVELS))


def assert_seeded(family: Family[Any], n: int = 30) -> None:
    """The same seed gives the same problems, another seed other ones, and no problem comes twice."""
    for difficulty in LEVELS:
        for lang in LANGS:
            problems = family.generate(3, n, difficulty, lang)
            assert problems == type(family)().generate(3, n, difficulty, lang)
            assert len({problem.id for problem in problems}) == n
            others = {problem.id for problem in family.generate(4, n, difficulty, lang)}
            assert len(others & {problem.id for problem in problems}) < n // 3


def assert_splits_apart(family: Family[Any], n: int = 60) -> None:
    """No test problem is ever a train problem: not under other seeds, and not as another case with the same words."""
    for lang in LANGS:
        prompts: dict[str, set[str]] = {"train": set(), "test": set()}
        for difficulty in LEVELS:
            for seed in range(3):
                prompts["train"] |= {p.prompt for p in family.generate(seed, n, difficulty, lang)}
                prompts["test"] |= {p.prompt for p in family.generate(seed, n, difficulty, lang, split="test")}
        assert not prompts["train"] & prompts["test"]
        random = Random(0)
        cases = {repr(case): case for level in LEVELS for case in (family.draw(random, level) for _ in range(5 * n))}
        assert len({family.write(case, lang).prompt for case in cases.values()}) == len(cases)


def assert_plenty(family: Family[Any], seconds: float = 2.0) -> None:
    """Well over 20,000 cases at each difficulty, by how seldom 1,000 draws meet: n² / 2N pairs of N equally likely
    ones; and 1,000 test problems take about this long (ten times would say that drawing goes in circles), though seven
    draws of eight belong to the train split."""
    for difficulty in LEVELS:
        random = Random(difficulty)
        met = 1000 - len({repr(family.draw(random, difficulty)) for _ in range(1000)})
        assert met < 1000**2 / 2 / 20_000, f"{met} of 1,000 draws at difficulty {difficulty} met another"
        start = time.process_time()
        assert len(family.generate(0, 1000, difficulty, split="test")) == 1000
        assert time.process_time() - start < 10 * seconds


# Sequences


class Counted:
    """A number that counts the operations done with it: the work of a search."""

    operations = 0

    def __init__(self, value: int | Fraction) -> None:
        self.value = Fraction(value)

    def _operate(self, result: Fraction) -> "Counted":
        Counted.operations += 1
        return Counted(result)

    def __add__(self, other: "Counted") -> "Counted":
        return self._operate(self.value + other.value)

    def __sub__(self, other: "Counted") -> "Counted":
        return self._operate(self.value - other.value)

    def __mul__(self, other: "Counted") -> "Counted":
        return self._operate(self.value * other.value)

    def __truediv__(self, other: "Counted") -> "Counted":
        return self._operate(self.value / other.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Counted) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]


Row = list[Counted]
Next = Counted | None


def arithmetic(x: Row) -> Next:
    step = x[1] - x[0]
    return x[-1] + step if all(a + step == b for a, b in pairwise(x)) else None


def geometric(x: Row) -> Next:
    if not x[0].value:
        return None
    factor = x[1] / x[0]
    return x[-1] * factor if all(a * factor == b for a, b in pairwise(x)) else None


def fibonacci(x: Row) -> Next:
    return x[-2] + x[-1] if all(a + b == c for a, b, c in zip(x, x[1:], x[2:], strict=False)) else None


def quadratic(x: Row) -> Next:
    """The parabola through the first three points, by Newton's formula."""
    if len(x) < 5:
        return None
    bend = (x[2] - x[1] - (x[1] - x[0])) / Counted(2)

    def at(i: int) -> Counted:
        return x[0] + (x[1] - x[0]) * Counted(i) + bend * Counted(i * (i - 1))

    return at(len(x)) if all(at(i) == x[i] for i in range(len(x))) else None


def interleaved(x: Row) -> Next:
    if len(x) < 6:
        return None
    rows = [arithmetic(half) or geometric(half) for half in (x[::2], x[1::2])]
    return rows[len(x) % 2] if rows[0] and rows[1] else None


def recurrence(x: Row) -> Next:
    """a and b of x -> a x + b from the first three terms."""
    if len(x) < 5 or x[0] == x[1]:
        return None
    a = (x[2] - x[1]) / (x[1] - x[0])
    b = x[1] - a * x[0]
    return a * x[-1] + b if all(a * p + b == q for p, q in pairwise(x)) else None


RULES: tuple[Callable[[Row], Next], ...] = (arithmetic, geometric, fibonacci, quadratic, interleaved, recurrence)


def numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


def test_the_prompt_has_one_answer_and_gold_is_it() -> None:
    """All six rules are tried on the numbers of the prompt: those that fit agree on what comes next."""
    for problem in spread(Sequence()):
        row = [Counted(number) for number in numbers(problem.prompt)]
        following = {int(found.value) for rule in RULES if (found := rule(row)) is not None}
        assert following == {int(str(problem.gold))}, problem.prompt


def test_both_languages_ask_the_same() -> None:
    for english, chinese in twins(Sequence()):
        assert english.gold == chinese.gold
        assert numbers(english.prompt) == numbers(chinese.prompt)
        assert re.fullmatch(r"What comes next: (-?\d+, )+\?", english.prompt)
        assert re.fullmatch(r"找规律，填出下一个数：(-?\d+，)+？", chinese.prompt)


def test_every_step_is_true_and_uses_what_is_known() -> None:
    """Each line is one operation on numbers of the prompt or of lines before; the last one gives the answer."""
    operations = {"+": Fraction.__add__, "-": Fraction.__sub__, "*": Fraction.__mul__, "/": Fraction.__truediv__}
    for problem in spread(Sequence()):
        known = numbers(problem.prompt)
        lines = problem.solution.splitlines()
        if heading := re.fullmatch(r"(?:Places 1, 3, 5, 7: |第 1、3、5、7 个：)(.+)", lines[0]):
            assert numbers(heading[1]) == known[::2]
            lines = lines[1:]
        for line in lines:
            step = re.fullmatch(r"(-?\d+) ([-+*/]) (\d+|\(-\d+\)) = (-?\d+)", line)
            assert step, line
            a, b, result = int(step[1]), int(step[3].strip("()")), int(step[4])
            assert operations[step[2]](Fraction(a), Fraction(b)) == result, line
            assert {a, b} <= set(known), f"{line} of {problem.prompt}"
            known.append(result)
        assert known[-1] == int(str(problem.gold))


def test_difficulty_is_the_work_of_the_search() -> None:
    """Operations until a rule fits, trying the rules in turn."""
    measures: dict[int, list[float]] = {}
    for problem in spread(Sequence()):
        row = [Counted(number) for number in numbers(problem.prompt)]
        Counted.operations = 0
        assert any(rule(row) is not None for rule in RULES)
        measures.setdefault(problem.difficulty, []).append(Counted.operations)
    assert rises(measures)


def test_all_six_rules_are_asked() -> None:
    """By the first rule that fits."""
    firsts = set()
    for problem in spread(Sequence()):
        row = [Counted(number) for number in numbers(problem.prompt)]
        firsts.add(next(rule.__name__ for rule in RULES if rule(row) is not None))
    assert firsts == {rule.__name__ for rule in RULES}


def test_seeds() -> None:
    assert_seeded(Sequence())


def test_splits() -> None:
    assert_splits_apart(Sequence())


def test_plenty() -> None:
    assert_plenty(Sequence())


@pytest.mark.parametrize("lang", LANGS)
def test_grades(lang: Lang) -> None:
    family = Sequence()
    for difficulty in LEVELS:
        for problem in family.generate(1, 10, difficulty, lang):
            value = int(str(problem.gold))
            assert family.check(problem, str(value)) is Grade.RIGHT
            assert family.check(problem, f"{problem.solution}\n\\boxed{{{value}}}", strict=True) is Grade.RIGHT
            assert family.check(problem, str(value + 1)) is Grade.WRONG
            if (last := numbers(problem.prompt)[-1]) != value:  # it may come again
                assert family.check(problem, str(last)) is Grade.WRONG
            assert family.check(problem, "") is Grade.WRONG
