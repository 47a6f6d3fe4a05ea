"""Chains worked out again from the prompt by a calculator of this file; other families' tests use it too."""

import re
import time
from collections.abc import Callable, Hashable, Iterator
from fractions import Fraction
from itertools import pairwise, product
from random import Random
from statistics import mean
from typing import Any

import pytest

from candor.problems.arithmetic import Arithmetic
from candor.problems.problem import Family, Grade, Lang, Problem

LEVELS = range(1, 6)
LANGS: tuple[Lang, Lang] = ("en", "zh")


def calculate(text: str) -> tuple[Fraction, int]:
    """Value of an expression by recursive descent, and its work: digits added, products of digits multiplied."""
    tokens = re.findall(r"\d+|[-+*/()]", text)
    assert "".join(tokens) == text.replace(" ", ""), text
    work = 0

    def atom() -> Fraction:
        token = tokens.pop(0)
        if token == "-":
            return -atom()
        if token == "(":
            inner = total()
            assert tokens.pop(0) == ")"
            return inner
        return Fraction(token)

    def chain(operators: str, operand: Callable[[], Fraction]) -> Fraction:
        nonlocal work
        left = operand()
        while tokens and tokens[0] in operators:
            operator, right = tokens.pop(0), operand()
            digits = [len(str(abs(number))) for number in (left, right)]
            work += max(digits) if operator in "+-" else digits[0] * digits[1]
            if operator == "+":
                left += right
            elif operator == "-":
                left -= right
            elif operator == "*":
                left *= right
            else:
                left /= right
        return left

    def factors() -> Fraction:
        return chain("*/", atom)

    def total() -> Fraction:
        return chain("+-", factors)

    value = total()
    assert not tokens, text
    return value, work


def test_the_calculator_by_hand() -> None:
    assert calculate("7") == (7, 0)
    assert calculate("2 + 3 * 4") == (14, 3), "1 for 3 * 4, 2 for 2 + 12"
    assert calculate("(2 + 3) * 4 - 10 / 4")[0] == Fraction(35, 2)
    assert calculate("10 - 3 - 2") == (5, 3)
    assert calculate("8 / 2 / 2 - (-3)")[0] == 5


def check_solution(problem: Problem, end: str) -> list[str]:
    """Lines of a worked solution; its equations, behind a label or not, must be true and the last end as it should."""
    lines = problem.solution.split("\n")
    for line in lines:
        left, right = re.split("[:：]", line)[-1].split(" = ")
        assert calculate(left)[0] == calculate(right)[0], problem
    assert re.search(rf"(?<![\d-]){re.escape(end)}$", lines[-1]), problem
    return lines


def spread(family: Family[Any]) -> Iterator[tuple[Problem, Problem]]:
    """1,000 different problems of all levels, each in English and in Chinese: the same numbers in the same order."""
    asked = set()
    for level in LEVELS:
        english, chinese = (family.generate(7, 200, level, lang) for lang in LANGS)
        for pair in zip(english, chinese, strict=True):
            assert len({problem.prompt for problem in pair}) == 2
            assert re.findall(r"\d+", pair[0].prompt) == re.findall(r"\d+", pair[1].prompt)
            assert [problem.difficulty for problem in pair] == [level, level]
            assert not re.search("[\u4e00-\u9fff]", pair[0].prompt + pair[0].solution)
            assert not re.search("[A-Za-z]", pair[1].prompt + pair[1].solution)
            asked.add(pair[0].prompt)
            yield pair
    assert len(asked) == 1000


def check_seeds(family: Family[Any]) -> None:
    """Same seed, same problems; another seed, others; a thousand test problems of any level within two seconds."""
    for level in LEVELS:
        first, again, other = ([problem.prompt for problem in family.generate(seed, 50, level)] for seed in (0, 0, 1))
        assert first == again and len(set(first)) == 50
        assert len(set(first) & set(other)) < 5
        start = time.process_time()
        family.generate(0, 1000, level, split="test")
        assert time.process_time() - start < 2
    random = Random(0)
    assert len({repr(family.draw(random, 1)) for _ in range(80_000)}) > 20_000, "even the smallest level is large"


def check_splits(family: Family[Any], meaning: Callable[[Problem], Hashable]) -> None:
    """No question of the test split is one of the train split, whatever the seed, the level or the language."""
    meanings: dict[str, set[Hashable]] = {"train": set(), "test": set()}
    for seed, level, lang in product(range(3), LEVELS, LANGS):
        for split in ("train", "test"):
            problems = family.generate(seed, 500 if split == "train" else 100, level, lang, split=split)
            meanings[split] |= {meaning(problem) for problem in problems}
    assert len(meanings["train"]) > 5000 and len(meanings["test"]) > 1000
    assert not meanings["train"] & meanings["test"]


def check_rising(levels: list[list[float]]) -> None:
    """Each level is harder than the one before, on average, by more than chance."""
    means = [mean(level) for level in levels]
    assert all(after > 1.05 * before for before, after in pairwise(means)), means


# --- chained arithmetic --------------------------------------------------------------------------------------------


def expression_in(problem: Problem) -> str:
    (found,) = re.findall(r"[\d(][\d+\-*() ]*[\d)]", problem.prompt)
    return str(found)


def test_a_thousand_chains() -> None:
    """Gold and steps against the calculator; a step for each operation, and what it starts from was there before."""
    family = Arithmetic()
    count = 0
    for pair in spread(family):
        assert pair[0].gold == pair[1].gold and pair[0].solution == pair[1].solution
        for problem in pair:
            expression = expression_in(problem)
            value = calculate(expression)[0]
            assert str(problem.gold) == str(value)
            lines = check_solution(problem, str(value))
            known = re.findall(r"\d+", expression)
            assert len(lines) == len(known) - 1
            for line in lines:
                left, right = line.split(" = ")
                for number in re.findall(r"\d+", left):
                    known.remove(number)
                known.append(right.removeprefix("-"))
            assert family.check(problem, str(value)) is Grade.RIGHT
            assert family.check(problem, problem.solution) is Grade.RIGHT
            assert family.check(problem, f"<answer>{value}</answer>", strict=True) is Grade.RIGHT
            assert family.check(problem, str(value + 1)) is Grade.WRONG
            assert family.check(problem, str(-value - 1)) is Grade.WRONG
            count += 1
    assert count == 2 * 1000


@pytest.mark.parametrize(
    "level, terms, digits",
    [(1, {3, 4}, {1}), (2, {5, 6}, {1}), (3, {5, 6}, {2}), (4, {6, 7}, {1, 2}), (5, {7, 8}, {1, 2})],
)
def test_what_each_level_has(level: int, terms: set[int], digits: set[int]) -> None:
    """The table in the class, from the prompts."""
    problems = Arithmetic().generate(0, 300, level)
    expressions = [expression_in(problem) for problem in problems]
    numbers = [re.findall(r"\d+", expression) for expression in expressions]
    assert {len(found) for found in numbers} == terms
    assert {len(number) for found in numbers for number in found} == digits
    assert all((level == 5) == ("(" in expression) for expression in expressions)
    assert all((level >= 4) == ("*" in expression) for expression in expressions)
    assert any("= -" in problem.solution for problem in problems) == (level >= 3)


def test_levels_rise() -> None:
    family = Arithmetic()
    check_rising([[calculate(expression_in(p))[1] for p in family.generate(0, 300, level)] for level in LEVELS])


def test_seeds() -> None:
    check_seeds(Arithmetic())


def test_splits_share_nothing() -> None:
    check_splits(Arithmetic(), expression_in)


@pytest.mark.parametrize("answer", ["", "3 + 4", "I do not know.", "7 or 8", "8", "-7", "70", "0.7"])
def test_wrong_answers(answer: str) -> None:
    problem = next(p for p in Arithmetic().generate(0, 200, 1) if str(p.gold) == "7")
    assert Arithmetic().check(problem, "7") is Grade.RIGHT
    assert Arithmetic().check(problem, answer) is Grade.WRONG
