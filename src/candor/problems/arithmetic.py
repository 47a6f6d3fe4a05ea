"""Chained arithmetic: longer chains, larger numbers, multiplication, parentheses; and the trees that hold them."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias
from zlib import crc32

from candor.problems.golds import Maths
from candor.problems.problem import Family, Lang, Question

Tree: TypeAlias = "int | tuple[Tree, str, Tree]"
"""An expression: `((3, "+", 4), "*", 5)` is (3 + 4) * 5."""

_APPLY: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.floordiv,
}
_QUESTIONS: dict[Lang, tuple[str, ...]] = {
    "en": ("What is {}?", "Calculate {}.", "Work out {}."),
    "zh": ("{} 等于多少？", "计算 {}。", "求 {} 的值。"),
}


def show(tree: Tree) -> str:
    """The expression with the parentheses that it needs and no others, so that different trees look different."""
    if isinstance(tree, int):
        return str(tree)
    left, op, right = tree
    left_text, right_text = show(left), show(right)
    if not isinstance(left, int) and op in "*/" and left[1] in "+-":
        left_text = f"({left_text})"
    if not isinstance(right, int) and (op in "*/" or right[1] in "+-"):
        right_text = f"({right_text})"
    return f"{left_text} {op} {right_text}"


def work_out(tree: Tree) -> tuple[int, list[str]]:
    """The value, and the equations that lead there, from left to right; a division must come out even."""
    if isinstance(tree, int):
        return tree, []
    left, first = work_out(tree[0])
    right, second = work_out(tree[2])
    value = _APPLY[tree[1]](left, right)
    assert tree[1] != "/" or value * right == left
    return value, [*first, *second, f"{left} {tree[1]} {f'({right})' if right < 0 else right} = {value}"]


@dataclass(frozen=True)
class Chain:
    """One expression to work out.

    >>> Chain(((3, "+", 4), "-", 2))
    """

    tree: Tree


class Arithmetic(Family[Chain]):
    """What is 12 - 3 * (4 + 5)?

    | level | terms | what is new |
    | --- | --- | --- |
    | 1 | 3 or 4 | + and - of one-digit numbers, never below 0 |
    | 2 | 5 or 6 | longer chains |
    | 3 | 5 or 6 | two-digit numbers, values below 0 |
    | 4 | 6 or 7 | two products of a one-digit and another number |
    | 5 | 7 or 8 | parentheses, one pair of them multiplied |
    """

    name = "arithmetic"

    def draw(self, random: Random, difficulty: int) -> Chain:
        """A chain of the level."""
        if difficulty <= 2:
            return Chain(_digits(random, random.randint(3, 4) + 2 * (difficulty - 1)))
        items: list[Tree]
        if difficulty == 3:
            items = [_number(random) for _ in range(random.randint(5, 6))]
        elif difficulty == 4:
            items = [_product(random), _product(random), *(_number(random) for _ in range(random.randint(2, 3)))]
        else:
            more = random.choice((_number, _product))(random)
            items = [(random.randint(2, 9), "*", _group(random)), _group(random), more, _number(random)]
        random.shuffle(items)
        tree = items[0]
        for item in items[1:]:
            tree = (tree, random.choice("+-"), item)
        return Chain(tree)

    def write(self, case: Chain, lang: Lang) -> Question:
        """The question; the solution is one equation after another."""
        expression = show(case.tree)
        questions = _QUESTIONS[lang]
        value, steps = work_out(case.tree)
        prompt = questions[crc32(expression.encode()) % len(questions)].format(expression)
        return Question(prompt, Maths(str(value)), "\n".join(steps))


def _digits(random: Random, terms: int) -> Tree:
    """One-digit numbers added and subtracted, never below 0 on the way."""
    value = random.randint(0, 9)
    tree: Tree = value
    for _ in range(terms - 1):
        term = random.randint(0, 9)
        op = random.choice("+-") if term <= value else "+"
        value = _APPLY[op](value, term)
        tree = (tree, op, term)
    return tree


def _number(random: Random) -> Tree:
    return random.randint(10, 99)


def _product(random: Random) -> Tree:
    return random.randint(2, 9), "*", random.randint(2, 99)


def _group(random: Random) -> Tree:
    return _number(random), random.choice("+-"), _number(random)
