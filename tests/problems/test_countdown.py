"""Targets reached again by search from the prompt, and answers that look right and are not."""

import re
from collections.abc import Iterator
from functools import cache
from itertools import combinations
from math import comb, factorial, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.problems.countdown import Countdown, Expression
from candor.problems.problem import Grade, Problem
from tests.problems.test_arithmetic import (
    LEVELS,
    calculate,
    check_rising,
    check_seeds,
    check_solution,
    check_splits,
    spread,
)


def read(problem: Problem) -> tuple[tuple[int, ...], int]:
    """Numbers and target from the prompt."""
    (target,) = re.findall(r"(?:to make|equals|算出|等于) (\d+)", problem.prompt)
    numbers = [int(number) for number in re.findall(r"\d+", problem.prompt)]
    numbers.remove(int(target))
    return tuple(sorted(numbers)), int(target)


@cache
def values(numbers: tuple[int, ...], operators: str) -> frozenset[int]:
    """All values of expressions that use each number once and stay positive and whole on the way."""
    if len(numbers) == 1:
        return frozenset(numbers)
    found: set[int] = set()
    for some, others in halves(numbers):
        for a in values(some, operators):
            for b in values(others, operators):
                found.add(a + b)
                found.add(abs(a - b))
                if "*" in operators:
                    found.add(a * b)
                if "/" in operators and max(a, b) % min(a, b) == 0:
                    found.add(max(a, b) // min(a, b))
    return frozenset(found - {0})


def halves(numbers: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """The ways to put the numbers into two heaps, the smaller one first."""
    for size in range(1, len(numbers) // 2 + 1):
        for chosen in combinations(range(len(numbers)), size):
            yield (
                tuple(numbers[index] for index in chosen),
                tuple(numbers[index] for index in range(len(numbers)) if index not in chosen),
            )


def reaches(numbers: tuple[int, ...], operators: str, target: int) -> bool:
    """Whether the target can be made; five and six numbers from the target backwards, which is faster."""
    if len(numbers) <= 4:
        return target in values(numbers, operators)
    for some, others in halves(numbers):
        for a in values(some, operators):
            wanted = {target - a, target + a, a - target}
            if "*" in operators and target % a == 0:
                wanted.add(target // a)
            if "/" in operators:
                wanted.add(target * a)
                if a % target == 0:
                    wanted.add(a // target)
            if any(b > 0 and reaches(others, operators, b) for b in wanted):
                return True
    return False


def test_the_search_by_hand() -> None:
    assert values((2, 3), "+-*/") == {5, 1, 6}
    assert values((2, 6), "+-*/") == {8, 4, 12, 3}
    assert values((1, 2, 4), "+-") == {7, 5, 3, 1}
    assert reaches((1, 3, 4, 6, 7, 10), "+-*/", 831)
    assert not reaches((1, 1, 1, 1, 1), "+-*/", 7)
    assert reaches((1, 1, 1, 1, 1), "+-*/", 6) and not reaches((1, 1, 1, 1, 1), "+-", 6)


def test_a_thousand_targets() -> None:
    """Each can be reached, and the example reaches it with the numbers of the prompt."""
    family = Countdown()
    count = 0
    for pair in spread(family):
        assert pair[0].gold == pair[1].gold and pair[0].solution == pair[1].solution
        numbers, target = read(pair[0])
        assert read(pair[1]) == (numbers, target)
        assert reaches(numbers, "+-*/", target)
        for problem in pair:
            gold = problem.gold
            assert isinstance(gold, Expression)
            assert (gold.numbers, gold.target) == (numbers, target)
            assert calculate(gold.example)[0] == target
            assert sorted(map(int, re.findall(r"\d+", gold.example))) == list(numbers)
            lines = check_solution(problem, str(target))
            assert len(lines) == len(numbers), "one for each operation, and the whole"
            assert lines[-1] == f"{gold} = {target}"
            assert family.check(problem, gold.example) is Grade.RIGHT
            assert family.check(problem, problem.solution) is Grade.RIGHT
            assert family.check(problem, f"<answer>{gold}</answer>", strict=True) is Grade.RIGHT
            assert family.check(problem, f"{gold} + 0") is Grade.WRONG
            assert family.check(problem, str(target)) is Grade.WRONG
            assert family.check(problem, " + ".join(map(str, numbers)) + " + 1") is Grade.WRONG
            count += 1
    assert count == 2 * 1000


def searched(problem: Problem) -> float:
    """Size of the smallest space that holds an answer, as a logarithm: orders, shapes and operators."""
    numbers, target = read(problem)
    operators = next(operators for operators in ("+-", "+-*", "+-*/") if reaches(numbers, operators, target))
    n = len(numbers)
    return log(factorial(n) * comb(2 * n - 2, n - 1) / n * len(operators) ** (n - 1))


def test_levels_rise() -> None:
    check_rising([[searched(problem) for problem in Countdown().generate(0, 100, level)] for level in LEVELS])


def test_operators_of_each_level() -> None:
    """Multiplication from level 3 on, division at the last."""
    for level, count, operators in (
        (1, {3}, "+-"),
        (2, {4}, "+-"),
        (3, {4}, "+-*"),
        (4, {5}, "+-*"),
        (5, {5, 6}, "+-*/"),
    ):
        problems = Countdown().generate(0, 300, level)
        assert {len(read(problem)[0]) for problem in problems} == count
        used = [set(re.findall(r"[-+*/]", str(problem.gold))) for problem in problems]
        assert set().union(*used) == set(operators)
        assert level < 3 or all(operators[-1] in some for some in used)


def test_seeds() -> None:
    check_seeds(Countdown())


def test_splits_share_nothing() -> None:
    """Not even the same numbers in another order with the same target."""
    check_splits(Countdown(), read)


def test_a_slash_divides() -> None:
    """It could be taken for "or" between two answers."""
    for text in ("24 / 2 / 3", "<answer>24/2/3</answer>", "The answer is 24 / 2 / 3.", "#### 24 / 2 / 3", "24/2/3 = 4"):
        assert Expression((2, 3, 24), 4, "24 / 2 / 3").grade(text) is Grade.RIGHT, text
    for text in ("8 / 4", "8/4", r"\boxed{8/4}", "The answer is 8/4", r"\frac{8}{4}"):
        assert Expression((4, 8), 2, "8 / 4").grade(text) is Grade.RIGHT, text
    assert Expression((2, 3, 5, 24), 6, "24 / (2 * (5 - 3))").grade("24 / 2(5 - 3)") is Grade.WRONG, "two readings"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_graded(text: str) -> None:
    for one in (text, f"<answer>{text}</answer>", f"(8 - 3) * 4{text}"):
        assert GOLD.grade(one) in (Grade.RIGHT, Grade.WRONG)


GOLD = Expression((3, 4, 8), 20, "(8 - 3) * 4")


@pytest.mark.parametrize(
    "answer",
    [
        "(8 - 3) * 4",
        "4*(8-3)",
        "8 + 3 * 4",
        "8 * 3 - 4",
        "3*8-4 = 20",
        "((8)-(3))*((4))",
        "-(3 - 8) * 4",
        "(8 - 3) × 4",
        "（８－３）×４＝２０",
        "[8 − 3] · 4",
        "$(8-3) \\times 4$",
        r"\boxed{(8 - 3) \times 4}",
        r"\boxed{\left(8-3\right)\cdot 4 = 20}",
        r"\(4\times\left(8-3\right)\)",
        "<answer>(8 - 3) * 4</answer>",
        "#### (8 - 3) * 4",
        "8 - 3 = 5\n5 * 4 = 20\n(8 - 3) * 4 = 20",
        "The answer is (8 - 3) * 4.",
        "20 = (8 - 3) * 4",
        "<answer>20 = (8 - 3) * 4</answer>",
        "The expression is (8 - 3) * 4 = 20.",
        "表达式是 (8 - 3) * 4 = 20。",
        "4(8-3)",
        "```\n(8 - 3) * 4\n```",
        "Here:\n```\n(8 - 3) * 4 = 20\n```\nDone.",
        "答案是 (8 - 3) × 4。",
        "<think>8 + 3 + 4 = 15, too small.</think>\n8 + 3 * 4",
    ],
)
def test_right_answers(answer: str) -> None:
    assert Countdown().check(Countdown().generate(0, 1)[0], answer) is Grade.WRONG, "of another problem"
    assert GOLD.grade(answer) is Grade.RIGHT


@pytest.mark.parametrize(
    "answer",
    [
        *("", "20", "I do not know.", "(8 - 3) * 4 * 1", "(8 - 3) * 4 + 4 - 4", "8 - 3 * 4", "8 + 8 + 4"),  # numbers
        *("4 * 5", "8 + 12", "3 * 8", "2 * 10", "(8 - 3) * 4 + 0", "10 + 10", "(8 - 3) * 4.0", "80 / 4"),
        *("48 - 3", "83 - 4", "8 3 4", "34 - 8", "8 * 3 - 04", "8 * 3 - 4e0", "8 * 3 - 4_0", "0x8 * 3 - 4"),
        *("-3 + 8 * 4 - 9", "8 * 3 + -4", "8 * 3 - +4", "-4 + 8 * 3", "-(4) + 8 * 3", "--(8 * 3 - 4)", "~-8 * 3 - 4"),
        *("8 ** 3 - 4", "8 ^ 3 - 4", "8 // 3 + 4", "8 % 3 * 4", "8 * 3 - 4!", "8 << 3 - 4", "8 * 3 - √4", "8 @ 3 - 4"),
        *("8² * 3 - 4", "8 * 3 - ④", "٨ * 3 - 4", "eight * 3 - 4", "八 * 3 - 4", "8 x 3 y 4"),
        *(
            "(8 - 3) * 4 = 21",
            "(8 - 3) * 4 = 20 = 21",
            "20 = 4 * 5",
            "21 = (8 - 3) * 4",
            "20 = 20",
            "8 * 3 - 4 = 24 - 4 = 20",
            "8 * 3 - 4 == 20",
        ),
        *("(8 - 3) * 4 =", "(8 - 3) * 4 = 20 + 0", "(8 - 3) * 4 ≠ 20", "(8 - 3) * 4 > 19", "8 * 3 - 4 ≈ 20"),
        *(
            "8 * 3 - (4",
            "8 * 3 - 4)",
            "8(3) - 4",
            "(8)(3) - 4",
            "8 * 3 - 4;",
            "8 * 3 - 4,",
            "(8, 3) * 4",
            "8 * 3 -",
            "()",
        ),
        *("8 * 3 - 4 if 1 else 0", "8 * 3 - 4 or 20", "lambda: 8 * 3 - 4", "__import__('os').system('echo 8 3 4')"),
        *("(" * 90 + "8 * 3 - 4" + ")" * 90 + "+ 0", "(" * 5000 + "8 * 3 - 4" + ")" * 5000, "-" * 5000 + "8 * 3 - 4"),
        *(
            "(" * 220 + "8 * 3 - 4",
            "-(" * 90 + "8 * 3 - 4" + ")" * 90,
            "9" * 5000,
            "9 * " * 60 + "9",
            "1+" * 3000 + "1",
        ),
        r"\frac{" * 40 + "8" + "}{1}" * 40,
        "8 * 3 - 4\nNo, that is wrong.",
    ],
)
def test_wrong_answers(answer: str) -> None:
    assert GOLD.grade(answer) is Grade.WRONG
    assert GOLD.grade(f"<answer>{answer}</answer>", strict=True) is Grade.WRONG


@pytest.mark.parametrize("answer", ["<answer>8 * 3 - 4</answer> or <answer>8 + 3 + 4</answer>", "<answer>8 * 3 - 4"])
def test_two_answers_or_half_a_one(answer: str) -> None:
    assert GOLD.grade(answer) is Grade.WRONG


def test_division() -> None:
    """Exact, by fractions too, and by zero never right."""
    gold = Expression((3, 3, 8, 8), 24, "8 / (3 - 8 / 3)")
    assert gold.grade("8 / (3 - 8 / 3)") is Grade.RIGHT
    assert gold.grade(r"\boxed{\frac{8}{3 - \frac{8}{3}}}") is Grade.RIGHT
    assert gold.grade("8 / (3 - (8 ÷ 3)) = 24") is Grade.RIGHT
    assert gold.grade("8 / (3 - 3) * 8") is Grade.WRONG
    assert gold.grade("8 / (8 - 8 * 3 / 3)") is Grade.WRONG
    slashes = Expression((2, 3, 24), 4, "24 / 2 / 3")
    for answer in (
        "24 / 2 / 3",
        "<answer>24 / 2 / 3</answer>",
        "The answer is 24/2/3.",
        "24 / 2 / 3 = 4",
        "24/(2 * 3)",
    ):
        assert slashes.grade(answer) is Grade.RIGHT, "no choice between three numbers"
    tiny = Expression((1, 3, 3, 6), 6, "6 * (1 / 3) * 3")
    assert tiny.grade("6 * (1 / 3) * 3") is Grade.RIGHT, "0.333... * 3 is 1"


def test_strictly_only_in_its_place() -> None:
    assert GOLD.grade("8 + 3 * 4", strict=True) is Grade.WRONG
    assert GOLD.grade("So it is \\boxed{8 + 3 * 4}", strict=True) is Grade.RIGHT


def test_a_number_given_twice_is_used_twice() -> None:
    gold = Expression((5, 5, 2), 20, "(5 + 5) * 2")
    assert gold.grade("2 * 5 + 2 * 5") is Grade.WRONG
    assert gold.grade("2 * (5 + 5)") is Grade.RIGHT
    assert gold.grade("5 * 2 * 2") is Grade.WRONG


@pytest.mark.parametrize("example", ["", "8 + 3 + 4", "20", "8 * 3 - 4 = 21", "8 / 0"])
def test_an_example_that_is_wrong_makes_no_gold(example: str) -> None:
    assert Expression((3, 4, 8), 20, example).grade("(8 - 3) * 4") is Grade.INVALID


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("(8 - 3) * 4", "4 * (8 - 3) = 20", True),
        ("(8 - 3) * 4", "4 × (8 − 3)", True),
        ("(8 - 3) * 4", "-(3 - 8) * 4", True),
        ("8 + 3 + 4", "4 + (3 + 8)", True),
        ("8 - 3 - 4", "8 - (3 + 4)", True),
        ("8 - 3 + 4", "8 - (3 - 4)", True),
        ("8 / 3 / 4", "8 / (3 * 4)", True),
        ("8 / 3 * 4", "8 / (3 / 4)", True),
        ("8 + 3 * 4", "3 * 4 + 8", True),
        ("8 - 3", "3 - 8", False),
        ("8 / 4", "4 / 8", False),
        ("(8 + 3) * 4", "8 + 3 * 4", False),
        ("8 * 3 - 4", "(8 - 3) * 4", False),
        ("8 - (3 + 4)", "8 - 3 + 4", False),
    ],
)
def test_votes_count_equal_expressions_as_one(one: str, other: str, same: bool) -> None:
    """Order and grouping of terms and factors do not matter, everything else does."""
    answers = [Expression((3, 4, 8), 20, "").answer(f"<answer>{text}</answer>") for text in (one, other)]
    assert None not in answers
    assert (answers[0] == answers[1]) == same


def test_the_canonical_form_has_the_same_value_and_numbers() -> None:
    for problem in Countdown().generate(0, 300, 5):
        gold = problem.gold
        answer = gold.answer(str(gold))
        assert answer is not None
        assert calculate(answer)[0] == calculate(str(gold))[0]
        assert sorted(re.findall(r"\d+", answer)) == sorted(re.findall(r"\d+", str(gold)))
        assert gold.answer(answer) == answer and gold.grade(answer) is Grade.RIGHT


@pytest.mark.parametrize("response", ["", "I do not know.", "no idea: none", "(8 - 3) * 4 = 21", "8 ** 3"])
def test_what_is_no_expression_gets_no_vote(response: str) -> None:
    assert GOLD.answer(response) is None
