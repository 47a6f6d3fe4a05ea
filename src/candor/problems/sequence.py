"""What comes next: a row of numbers that one rule explains.

A case is nothing but the numbers: the rule is found from them, as the reader has to, so a row that two rules continue
in two ways is never asked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import ClassVar, Literal

from candor.problems.golds import Maths
from candor.problems.problem import Family, Lang, Question

Terms = tuple[int, ...]
RuleName = Literal["arithmetic", "geometric", "fibonacci", "second", "interleaved", "recurrence"]
Found = tuple[int, tuple[str, ...]]
"""The next term, and the steps to it."""

_LEVELS: dict[int, tuple[RuleName, ...]] = {
    1: ("arithmetic",),
    2: ("fibonacci",) * 4 + ("geometric",),
    3: ("second",),
    4: ("interleaved",),
    5: ("recurrence",),
}
_INTERLEAVED = 8
"""Terms that two interleaved rows show: four of each."""
_HALF = {"en": "Places 1, 3, 5, 7: ", "zh": "第 1、3、5、7 个："}


@dataclass(frozen=True)
class Row:
    """A case.

    >>> Row((3, 7, 11, 15))
    """

    terms: Terms
    """The numbers shown."""


class Sequence(Family[Row]):
    """Number sequences: arithmetic, geometric and Fibonacci-like, second differences, interleaved, x -> a x + b."""

    name: ClassVar[str] = "sequence"

    def draw(self, random: Random, difficulty: int) -> Row:
        """A row that the wanted rule explains, no simpler one does, and no other continues differently."""
        wanted = random.choice(_LEVELS[difficulty])
        while True:
            terms = _terms(random, wanted)
            found = _explain(terms)
            if next(iter(found)) == wanted and len({following for following, _ in found.values()}) == 1:
                return Row(terms)

    def write(self, case: Row, lang: Lang) -> Question:
        """The numbers with a question mark behind them; the simplest rule gives the steps."""
        rule, (following, steps) = next(iter(_explain(case.terms).items()))
        if lang == "zh":
            prompt = f"找规律，填出下一个数：{'，'.join(map(str, case.terms))}，？"
        else:
            prompt = f"What comes next: {', '.join(map(str, case.terms))}, ?"
        if rule == "interleaved":
            steps = (_HALF[lang] + ", ".join(map(str, case.terms[::2])), *steps)
        return Question(prompt, Maths(str(following)), "\n".join(steps))


def _terms(random: Random, rule: RuleName) -> Terms:
    match rule:
        case "arithmetic":
            rising = _iterate(random.randint(1, 400), 1, random.randint(2, 60), 5)
            return random.choice((rising, rising[::-1]))[:4]
        case "geometric":
            return _iterate(random.randint(1, 200), random.choice((2, 3, 4, 5, 6, 7, 8, 9, -2, -3)), 0, 4)
        case "fibonacci":
            terms = [random.randint(1, 250), random.randint(1, 250)]
            while len(terms) < 5:
                terms.append(terms[-2] + terms[-1])
            return tuple(terms)
        case "second":
            step, growth = random.randint(-30, 30), _signed(random, 1, 12)
            terms = [random.randint(-50, 150)]
            while len(terms) < 5:
                terms.append(terms[-1] + step)
                step += growth
            return tuple(terms)
        case "interleaved":
            halves = (_half(random), _half(random))
            return tuple(term for pair in zip(*halves, strict=True) for term in pair)
        case "recurrence":
            return _iterate(random.randint(-99, 99), random.choice((2, 3, 4, -2, -3)), _signed(random, 1, 50), 5)


def _half(random: Random) -> Terms:
    if random.random() < 0.3:
        return _iterate(random.randint(1, 20), random.randint(2, 5), 0, _INTERLEAVED // 2)
    return _iterate(random.randint(1, 99), 1, _signed(random, 1, 25), _INTERLEAVED // 2)


def _iterate(term: int, factor: int, step: int, count: int) -> Terms:
    """`count` terms of x -> factor x + step."""
    terms = [term]
    while len(terms) < count:
        terms.append(factor * terms[-1] + step)
    return tuple(terms)


def _signed(random: Random, low: int, high: int) -> int:
    return random.choice((1, -1)) * random.randint(low, high)


def _explain(terms: Terms) -> dict[RuleName, Found]:
    """All rules that fit, the simplest first."""
    tried = {name: rule(terms) for name, rule in _RULES.items()}
    return {name: found for name, found in tried.items() if found is not None}


def _arithmetic(terms: Terms) -> Found | None:
    steps = _differences(terms)
    if len(set(steps)) > 1:
        return None
    return terms[-1] + steps[0], (*_subtractions(terms), _sum(terms[-1], steps[0]))


def _geometric(terms: Terms) -> Found | None:
    factor = _ratio(terms)
    if factor is None:
        return None
    return terms[-1] * factor, (*_divisions(terms), f"{terms[-1]} * {_bracket(factor)} = {terms[-1] * factor}")


def _fibonacci(terms: Terms) -> Found | None:
    if any(a + b != c for a, b, c in zip(terms, terms[1:], terms[2:], strict=False)):
        return None
    return terms[-2] + terms[-1], tuple(_sum(a, b) for a, b in pairwise(terms))


def _second(terms: Terms) -> Found | None:
    steps = _differences(terms)
    growth = _differences(steps)
    if len(growth) < 2 or len(set(growth)) > 1:
        return None
    step = steps[-1] + growth[0]
    lines = (*_subtractions(terms), *_subtractions(steps), _sum(steps[-1], growth[0]), _sum(terms[-1], step))
    return terms[-1] + step, lines


def _interleaved(terms: Terms) -> Found | None:
    """Two rows, each arithmetic or geometric; the next term belongs to the one at the odd places."""
    if len(terms) < _INTERLEAVED:
        return None
    odd, even = (_arithmetic(half) or _geometric(half) for half in (terms[::2], terms[1::2]))
    return odd if even else None


def _recurrence(terms: Terms) -> Found | None:
    """x -> a x + b multiplies the differences by a."""
    steps = _differences(terms)
    factor = _ratio(steps)
    if factor is None or len(steps) < 3:
        return None
    step = steps[-1] * factor
    product = f"{steps[-1]} * {_bracket(factor)} = {step}"
    return terms[-1] + step, (*_subtractions(terms), *_divisions(steps), product, _sum(terms[-1], step))


_RULES: dict[RuleName, Callable[[Terms], Found | None]] = {
    "arithmetic": _arithmetic,
    "geometric": _geometric,
    "fibonacci": _fibonacci,
    "second": _second,
    "interleaved": _interleaved,
    "recurrence": _recurrence,
}


def _differences(terms: Terms) -> Terms:
    return tuple(b - a for a, b in pairwise(terms))


def _ratio(terms: Terms) -> int | None:
    """The whole number that each term is multiplied by; None where there is none."""
    if 0 in terms or terms[1] % terms[0]:
        return None
    factor = terms[1] // terms[0]
    return factor if all(a * factor == b for a, b in pairwise(terms)) else None


def _subtractions(terms: Terms) -> list[str]:
    return [f"{b} - {_bracket(a)} = {b - a}" for a, b in pairwise(terms)]


def _divisions(terms: Terms) -> list[str]:
    return [f"{b} / {_bracket(a)} = {b // a}" for a, b in pairwise(terms)]


def _sum(a: int, b: int) -> str:
    return f"{a} + {_bracket(b)} = {a + b}"


def _bracket(number: int) -> str:
    """A negative number behind an operator."""
    return f"({number})" if number < 0 else str(number)
