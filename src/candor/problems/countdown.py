"""Countdown: make a target from given numbers, each used once; the answer is an expression, checked exactly."""

import ast
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from random import Random
from zlib import crc32

from candor.problems.arithmetic import Tree, show, work_out
from candor.problems.extract import answer_text, last_fence
from candor.problems.problem import Family, Gold, Grade, Lang, Question

_MAX_CHARACTERS = 300
"""Six numbers in LaTeX need half of this; it also bounds how deep a parsed expression nests."""
_MAX_VALUE = 999
_LEVELS = (((3,), 40, "+-"), ((4,), 40, "+-"), ((4,), 20, "+-*"), ((5,), 25, "+-*"), ((5, 6), 25, "+-*///////"))
"""How many numbers there may be, the largest one, and the operators that are drawn from; from level 3 on the example
must have the last of them."""

_SIGNS = str.maketrans("０１２３４５６７８９（）［］[]＋－−–—＊×∗⋅·✕✖／÷∕＝", "0123456789()()()+----*******///=")
_LATEX = (
    (r"\\(?:times|cdot|ast)(?![a-zA-Z])", "*"),
    (r"\\div(?![a-zA-Z])", "/"),
    (r"\\(?:left|right)(?![a-zA-Z])|\\[,;:! ()\[\]]|\$", " "),
    (r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}", r"((\1)/(\2))"),
)
_PRODUCT = re.compile(r"([0-9)]) ?(?=\([^()]*[-+*/])")
"""A factor before parentheses with a sum or product in them, where the sign of multiplication may be left out."""
_UNCLEAR = re.compile(r"/ ?(?:[0-9]+|\([^()]*\)) ?\(")
"""Whether the product is divided by, or its first factor alone, is read in two ways."""
_IS = re.compile(
    r"\A(?:so |thus )?(?:(?:the|one|an?) )?(?:expression|solution) is\s*[:：]?\s*"
    r"|\A(?:所以)?(?:表达式|算式)[是为]?\s*[:：]?\s*",
    re.I,
)
_OPERATORS: dict[type[ast.operator], tuple[str, Callable[[Fraction, Fraction], Fraction]]] = {
    ast.Add: ("+", operator.add),
    ast.Sub: ("-", operator.sub),
    ast.Mult: ("*", operator.mul),
    ast.Div: ("/", operator.truediv),
}

_QUESTIONS: dict[Lang, tuple[str, ...]] = {
    "en": (
        "Use each of the numbers {numbers} exactly once, with +, -, *, / and parentheses, to make {target}.",
        "Write an expression that equals {target}, with +, -, *, / and parentheses. "
        "It must use each of the numbers {numbers} exactly once.",
    ),
    "zh": (
        "用 {numbers} 这些数，每个数恰好用一次，通过 +、-、*、/ 和括号，算出 {target}。",
        "写一个等于 {target} 的算式，可以用 +、-、*、/ 和括号，并且 {numbers} 这些数每个恰好用一次。",
    ),
}


@dataclass(frozen=True)
class Expression(Gold):
    """Any expression that uses each number exactly once and has the value of the target.

    >>> Expression((3, 4, 8), 20, "(8 - 3) * 4")
    """

    numbers: tuple[int, ...]
    """What there is to use, each once."""
    target: int
    """The value to reach."""
    example: str
    """One right answer; where it is none, nothing can be graded."""

    def __str__(self) -> str:
        return self.example

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The expression without needless parentheses, terms and factors sorted; None where it is not one."""
        node = self._parsed(_final(response, strict))
        return None if node is None else _canonical(node)

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """RIGHT for all the given numbers and no others, in + - * / and parentheses, with the value of the target."""
        if not self._reached_by(self.example):
            return Grade.INVALID
        return Grade.RIGHT if self._reached_by(_final(response, strict)) else Grade.WRONG

    def _reached_by(self, text: str | None) -> bool:
        node = self._parsed(text)
        if node is None:
            return False
        used = [_value(part) for part in ast.walk(node) if isinstance(part, ast.Constant)]
        try:
            return sorted(used) == sorted(self.numbers) and _value(node) == self.target
        except ZeroDivisionError:
            return False

    def _parsed(self, text: str | None) -> ast.expr | None:
        """The expression in `text`; "= target" may stand behind it or "target =" before it, and nothing else."""
        if text is None or len(text) > _MAX_CHARACTERS:
            return None
        text = text.translate(_SIGNS)
        for pattern, replacement in _LATEX:
            while (changed := re.sub(pattern, replacement, text)) != text:
                text = changed
        sides = [side.strip() for side in text.strip(" \n`*.。").split("=")]
        if len(sides) == 2 and str(self.target) in sides:
            sides.remove(str(self.target))
        if len(sides) != 1:
            return None
        expression = sides[0] if _UNCLEAR.search(sides[0]) else _PRODUCT.sub(r"\1*", sides[0])
        if not re.fullmatch(r"[0-9+\-*/()\s]+", expression):
            return None
        try:
            node = ast.parse(expression, mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            return None
        return node if _allowed(node) else None


def _final(response: str, strict: bool) -> str | None:
    return answer_text(response, strict=strict, last=_last)


def _last(text: str) -> str | None:
    """What a code fence holds, or the last line without "the expression is" in front."""
    line = last_fence(text)
    return _IS.sub("", line) if line else None


def _allowed(node: ast.expr) -> bool:
    """Whole numbers, the four operators, and a minus before parentheses: never one before a given number."""
    match node:
        case ast.Constant(value=int()):
            return True
        case ast.BinOp(left=left, op=op, right=right):
            return type(op) in _OPERATORS and _allowed(left) and _allowed(right)
        case ast.UnaryOp(op=ast.USub(), operand=ast.BinOp() as operand):
            return _allowed(operand)
    return False


def _value(node: ast.expr) -> Fraction:
    """Exact value of an allowed expression."""
    match node:
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)][1](_value(left), _value(right))
        case ast.UnaryOp(operand=operand):
            return -_value(operand)
        case ast.Constant(value=int(number)):
            return Fraction(number)
    raise AssertionError(ast.dump(node))


def _canonical(node: ast.expr) -> str:
    """The same text for expressions that differ only in order and grouping of terms and factors."""
    match node:
        case ast.Constant(value=value):
            return str(value)
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            signs = "*/"
        case _:
            signs = "+-"
    parts = sorted(_parts(node, signs, False))
    text = " ".join(f"{signs[inverse]} {f'({part})' if ' ' in part else part}" for inverse, part in parts)
    return text.removeprefix("+ ").removeprefix("* ")


def _parts(node: ast.expr, signs: str, inverse: bool) -> Iterator[tuple[bool, str]]:
    """Terms or factors, and whether each is taken off or divided by."""
    match node:
        case ast.BinOp(left=left, op=op, right=right) if (sign := _OPERATORS[type(op)][0]) in signs:
            yield from _parts(left, signs, inverse)
            yield from _parts(right, signs, inverse != (sign in "-/"))
        case ast.UnaryOp(operand=operand) if signs == "+-":
            yield from _parts(operand, signs, not inverse)
        case _:
            yield inverse, _canonical(node)


@dataclass(frozen=True)
class Draw:
    """Numbers and a target, and how it was reached when they were drawn.

    >>> Draw((3, 4, 8), 20, ((8, "-", 3), "*", 4))
    """

    numbers: tuple[int, ...]
    """In ascending order: another order is no other problem."""
    target: int
    example: Tree = field(repr=False)
    """Not part of the question, so not of what tells cases apart."""


class Countdown(Family[Draw]):
    """Use each of 3, 4 and 8 exactly once to make 20.

    | level | numbers | the example has |
    | --- | --- | --- |
    | 1 | 3 | + - |
    | 2 | 4 | + - |
    | 3 | 4 | + - and at least one * |
    | 4 | 5 | + - and at least one * |
    | 5 | 5 or 6 | + - * and at least one division, which comes out even |
    """

    name = "countdown"

    def draw(self, random: Random, difficulty: int) -> Draw:
        """Two of the numbers are joined until one is left: that is the target."""
        counts, largest, operators = _LEVELS[difficulty - 1]
        while True:
            numbers = [random.randint(1, largest) for _ in range(random.choice(counts))]
            pool: list[tuple[int, Tree]] = [(number, number) for number in numbers]
            used = set()
            while len(pool) > 1:
                random.shuffle(pool)
                (a, left), (b, right) = pool.pop(), pool.pop()
                op = random.choice([op for op in operators if _sensible(a, op, b)])
                used.add(op)
                tree: Tree = (right, op, left) if op in "+*" and isinstance(left, int) else (left, op, right)
                pool.append((work_out((a, op, b))[0], tree))
            target = pool[0][0]
            if target <= _MAX_VALUE and (difficulty <= 2 or operators[-1] in used):
                return Draw(tuple(sorted(numbers)), target, tree)

    def write(self, case: Draw, lang: Lang) -> Question:
        """The question; the solution is the example, one equation after another, and then as a whole."""
        *others, last = map(str, case.numbers)
        numbers = f"{', '.join(others)} and {last}" if lang == "en" else "、".join((*others, last))
        questions = _QUESTIONS[lang]
        question = questions[crc32(repr(case).encode()) % len(questions)]
        expression = show(case.example)
        lines = [*work_out(case.example)[1], f"{expression} = {case.target}"]
        gold = Expression(case.numbers, case.target, expression)
        return Question(question.format(numbers=numbers, target=case.target), gold, "\n".join(lines))


def _sensible(a: int, op: str, b: int) -> bool:
    """Values stay whole, above 0 and not too large, and 1 is no factor."""
    match op:
        case "-":
            return a > b
        case "*":
            return min(a, b) > 1 and a * b <= _MAX_VALUE
        case "/":
            return b > 1 and a % b == 0
    return True
