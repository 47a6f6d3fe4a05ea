"""Write a function: filters, maps, orders and a result over a list of integers or strings.

The words of a part, its code and what it computes stand in one row of a table. The calls that decide are chosen so that
near misses fail one: a part left out, two parts swapped, the product for the sum, >= for >.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from math import prod
from random import Random
from typing import Any, ClassVar, Literal, NamedTuple

from candor.problems.code import Calls
from candor.problems.problem import Family, Form, Lang, Question

Items = Literal["ints", "words"]

_RANGE = (-50, 50)
"""Integers of the arguments."""
_LETTERS = "abcdefghiklmnoprstuwy"
_FEWEST_CASES, _MOST_CASES = 6, 10
_ENDS = (0.05, 0.6)
"""How often the last part of two, or of more, is a result; otherwise the function returns the list. One part and a
result are few together."""


@dataclass(frozen=True)
class Part:
    """One thing to do.

    >>> Part("above", 3)
    """

    name: str
    """As in the table of parts."""
    value: int | str = 0
    """The number or letter in it, if there is one."""


@dataclass(frozen=True)
class Task:
    """A case."""

    items: Items
    """What the list holds at first."""
    parts: tuple[Part, ...]


class _Row(NamedTuple):
    """A row of the table; `{}` in a text stands for the number or letter."""

    role: Literal["filter", "map", "list", "result"]
    """Filters and maps look at one item."""
    group: str
    """What comes once in a task, or twice, but not twice in a row."""
    weight: int
    """How often it is drawn: more often where it has more values."""
    values: Sequence[int] | str
    """Numbers or letters to choose from; "between": a number between those at hand."""
    code: str
    """The condition, the new item, the new list or the result."""
    run: Callable[[Any, Any], Any]
    """The same, of the item or the list and the value."""
    en: str
    zh: str
    near: tuple[tuple[str, int], ...]
    """Parts mistaken for it, with what is added to the number."""


# fmt: off
_INTS = {
    "even": _Row("filter", "divide", 2, "", "x % 2 == 0", lambda x, k: x % 2 == 0,
                 "keeps the even numbers", "只保留偶数", (("odd", 0),)),
    "odd": _Row("filter", "divide", 2, "", "x % 2 == 1", lambda x, k: x % 2 == 1,
                "keeps the odd numbers", "只保留奇数", (("even", 0),)),
    "multiple": _Row("filter", "divide", 7, range(3, 16), "x % {} == 0", lambda x, k: x % k == 0,
                     "keeps the numbers divisible by {}", "只保留能被 {} 整除的数", (("multiple", 1), ("rest", 0))),
    "rest": _Row("filter", "divide", 7, range(3, 16), "x % {} != 0", lambda x, k: x % k != 0,
                 "keeps the numbers not divisible by {}", "只保留不能被 {} 整除的数", (("multiple", 0),)),
    "above": _Row("filter", "compare", 16, "between", "x > {}", lambda x, k: x > k,
                  "keeps the numbers greater than {}", "只保留大于 {} 的数", (("above", -1), ("below", 0))),
    "below": _Row("filter", "compare", 16, "between", "x < {}", lambda x, k: x < k,
                  "keeps the numbers less than {}", "只保留小于 {} 的数", (("below", 1), ("above", 0))),
    "add": _Row("map", "shift", 14, range(1, 61), "x + {}", lambda x, k: x + k,
                "adds {} to each number", "把每个数加上 {}", (("subtract", 0), ("add", 1))),
    "subtract": _Row("map", "shift", 14, range(1, 61), "x - {}", lambda x, k: x - k,
                     "subtracts {} from each number", "把每个数减去 {}", (("add", 0), ("subtract", 1))),
    "times": _Row("map", "scale", 7, range(2, 13), "x * {}", lambda x, k: x * k,
                  "multiplies each number by {}", "把每个数乘以 {}", (("times", 1), ("add", 0))),
    "square": _Row("map", "square", 1, "", "x * x", lambda x, k: x * x,
                   "squares each number", "把每个数平方", (("times", 2), ("absolute", 0))),
    "negate": _Row("map", "sign", 1, "", "-x", lambda x, k: -x,
                   "changes the sign of each number", "把每个数变成它的相反数", (("absolute", 0),)),
    "absolute": _Row("map", "sign", 1, "", "abs(x)", lambda x, k: abs(x),
                     "replaces each number by its absolute value", "把每个数换成它的绝对值", (("negate", 0),)),
    "ascending": _Row("list", "order", 1, "", "sorted(xs)", lambda xs, k: sorted(xs),
                      "sorts the numbers in ascending order", "把这些数从小到大排序",
                      (("descending", 0), ("reverse", 0))),
    "descending": _Row("list", "order", 1, "", "sorted(xs, reverse=True)", lambda xs, k: sorted(xs, reverse=True),
                       "sorts the numbers in descending order", "把这些数从大到小排序", (("ascending", 0),)),
    "sum": _Row("result", "result", 1, "", "sum(xs)", lambda xs, k: sum(xs),
                "their sum", "它们的和", (("product", 0), ("count", 0), ("largest", 0))),
    "product": _Row("result", "result", 1, "", "product", lambda xs, k: prod(xs),
                    "their product (1 if there are none)", "它们的乘积（一个也没有时返回 1）", (("sum", 0),)),
    "largest": _Row("result", "result", 1, "", "max(xs, default=0)", lambda xs, k: max(xs, default=0),
                    "the largest of them (0 if there are none)", "其中最大的数（一个也没有时返回 0）",
                    (("smallest", 0),)),
    "smallest": _Row("result", "result", 1, "", "min(xs, default=0)", lambda xs, k: min(xs, default=0),
                     "the smallest of them (0 if there are none)", "其中最小的数（一个也没有时返回 0）",
                     (("largest", 0),)),
}
_WORDS = {
    "longer": _Row("filter", "size", 6, range(1, 6), "len(x) > {}", lambda x, k: len(x) > k,
                   "keeps the strings longer than {} characters", "只保留长度大于 {} 的字符串",
                   (("longer", -1), ("shorter", 0))),
    "shorter": _Row("filter", "size", 6, range(3, 8), "len(x) < {}", lambda x, k: len(x) < k,
                    "keeps the strings shorter than {} characters", "只保留长度小于 {} 的字符串",
                    (("shorter", 1), ("longer", 0))),
    "starts": _Row("filter", "letter", 14, _LETTERS, "x.startswith({})", lambda x, k: x.startswith(k),
                   "keeps the strings that start with {}", "只保留以{}开头的字符串", (("ends", 0), ("holds", 0))),
    "ends": _Row("filter", "letter", 14, _LETTERS, "x.endswith({})", lambda x, k: x.endswith(k),
                 "keeps the strings that end with {}", "只保留以{}结尾的字符串", (("starts", 0), ("holds", 0))),
    "holds": _Row("filter", "letter", 14, _LETTERS, "{} in x", lambda x, k: k in x,
                  "keeps the strings that contain {}", "只保留含有{}的字符串", (("starts", 0), ("lacks", 0))),
    "lacks": _Row("filter", "letter", 14, _LETTERS, "{} not in x", lambda x, k: k not in x,
                  "keeps the strings that do not contain {}", "只保留不含{}的字符串", (("holds", 0),)),
    "upper": _Row("map", "upper", 2, "", "x.upper()", lambda x, k: x.upper(),
                  "turns each string into upper case", "把每个字符串变成大写", ()),
    "mirror": _Row("map", "mirror", 2, "", "x[::-1]", lambda x, k: x[::-1],
                   "reverses each string", "把每个字符串倒过来", (("reverse", 0),)),
    "append": _Row("map", "fix", 9, _LETTERS, "x + {}", lambda x, k: x + k,
                   "puts {} behind each string", "在每个字符串后面加上{}", (("prepend", 0),)),
    "prepend": _Row("map", "fix", 9, _LETTERS, "{} + x", lambda x, k: k + x,
                    "puts {} in front of each string", "在每个字符串前面加上{}", (("append", 0),)),
    "cut": _Row("map", "cut", 4, range(1, 5), "x[:{}]", lambda x, k: x[:k],
                "cuts each string down to its first {} characters", "把每个字符串截成前 {} 个字符", (("cut", 1),)),
    "length": _Row("map", "measure", 4, "", "len(x)", lambda x, k: len(x),
                   "replaces each string by its length", "把每个字符串换成它的长度", ()),
    "alphabetical": _Row("list", "order", 2, "", "sorted(xs)", lambda xs, k: sorted(xs),
                         "sorts the strings alphabetically", "把这些字符串按字典顺序排序", (("reverse", 0),)),
    "joined": _Row("result", "result", 2, "", '"".join(xs)', lambda xs, k: "".join(xs),
                   "all of them joined into one string", "由它们连接成的一个字符串", ()),
}
_BOTH = {
    "reverse": _Row("list", "order", 1, "", "xs[::-1]", lambda xs, k: xs[::-1],
                    "reverses the order of the list", "把列表的顺序倒过来", (("descending", 0),)),
    "first": _Row("list", "take", 3, range(2, 5), "xs[:{}]", lambda xs, k: xs[:k],
                  "keeps only the first {} items", "只保留前 {} 项", (("first", 1), ("second", 0))),
    "second": _Row("list", "take", 1, "", "xs[::2]", lambda xs, k: xs[::2],
                   "keeps every second item, starting with the first", "从第一项开始每隔一项保留一项", (("first", 2),)),
    "once": _Row("list", "once", 1, "", "list(dict.fromkeys(xs))", lambda xs, k: list(dict.fromkeys(xs)),
                 "drops repeated items, keeping the first of each", "去掉重复的项，相同的项只保留第一个", ()),
    "count": _Row("result", "result", 1, "", "len(xs)", lambda xs, k: len(xs),
                  "how many there are", "它们的个数", (("sum", 0),)),
}
# fmt: on
_PARTS: dict[str, _Row] = {**_INTS, **_WORDS, **_BOTH}
_TWICE = ("compare", "shift", "letter")
"""Groups that come twice at most; the others once."""
_IDLE_AFTER: dict[str, set[str]] = {
    "divide": {"scale", "square", "measure"},
    "above": {"above"},
    "below": {"below"},
    "negate": {"compare"},
    "square": {"sign"},
    "starts": {"starts", "ends", "fix"},
    "ends": {"starts", "ends", "fix"},
    "holds": {"holds", "lacks", "fix"},
    "lacks": {"holds", "lacks", "fix"},
    "letter": {"upper"},
    "fix": {"upper"},
    "size": {"cut", "fix"},
    "cut": {"fix"},
    "measure": {"upper", "mirror", "cut", "fix"},
    "largest": {"once", "descending"},
    "smallest": {"once", "ascending"},
}
"""What would be idle, or leave nothing over, behind some part or group."""
_NEVER_AFTER = {name: _IDLE_AFTER.get(name, set()) | _IDLE_AFTER.get(row.group, set()) for name, row in _PARTS.items()}
_LARGEST = {"times": 200, "square": 120, "product": 100}
"""Numbers up to which these are taken."""


class Function(Family[Task]):
    """Python functions of one list, given in words as a chain of two to six parts."""

    name: ClassVar[str] = "function"
    form: ClassVar[Form] = "code"

    def draw(self, random: Random, difficulty: int) -> Task:
        """A chain in which hardly a part is idle."""
        while (task := _Draft(random).task(difficulty + 1)) is None or _varied(task) is None:
            pass
        return task

    def write(self, case: Task, lang: Lang) -> Question:
        """The chain in words, calls that tell it from near misses, and the function line by line."""
        rows = [(_PARTS[part.name], part.value) for part in case.parts]
        chain = [_filled(row.zh, value, "“”") if lang == "zh" else _filled(row.en, value) for row, value in rows]
        if rows[-1][0].role != "result":
            chain.append("得到的列表" if lang == "zh" else "the resulting list")
        *chain, last = chain
        if lang == "zh":
            items = "整数" if case.items == "ints" else "字符串"
            prompt = f"写一个 Python 函数 `f(xs)`：接收一个{items}列表，{'，'.join(chain)}，返回{last}。"
        else:
            items = "integers" if case.items == "ints" else "strings"
            chained = ", ".join([f"takes a list of {items}", *chain])
            prompt = f"Write a Python function `f(xs)` that {chained} and returns {last}."
        return Question(prompt, Calls("f", _cases(case)), "\n".join(_code(case.parts)))


class _Draft:
    """A task in the making."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._items: Items = "ints" if random.random() < 0.7 else "words"
        self._now = self._items
        self._parts: list[Part] = []
        self._groups: list[str] = []
        self._low, self._high = _RANGE

    def task(self, count: int) -> Task | None:
        """A task of so many parts; None where nothing fitted those before it."""
        results = count if self._random.random() < _ENDS[count > 2] else 0
        for place in range(1, count + 1):
            for _ in range(6):
                name = self._random.choices(*_choices(self._now, place == results))[0]
                if self._fits(name, _PARTS[name]):
                    self._add(name, _PARTS[name])
                    break
            else:
                return None
        return Task(self._items, tuple(self._parts))

    def _fits(self, name: str, row: _Row) -> bool:
        """Whether it does something here and undoes no part before it, and the numbers at hand suit it."""
        groups = self._groups
        if groups[-1:] == [row.group] or groups.count(row.group) > (row.group in _TWICE):
            return False
        if not _NEVER_AFTER[name].isdisjoint([*groups, *(part.name for part in self._parts)]):
            return False
        if row.role == "filter" and sum(_PARTS[part.name].role == "filter" for part in self._parts) == 2:
            return False
        ordered = "order" in groups and "take" not in groups[groups.index("order") :]
        if row.role == "result" and name != "joined" and ordered:
            return False
        if name == "count":
            roles = [_PARTS[part.name].role for part in self._parts if _PARTS[part.name].role != "list"]
            return roles[-1] == "filter" if roles else "once" in groups
        if row.values == "between" or row.group == "divide":
            return self._high - self._low >= 12
        return max(-self._low, self._high) <= _LARGEST.get(name, 10**9) and (name != "absolute" or self._low < 0)

    def _add(self, name: str, row: _Row) -> None:
        """Choose the number or letter, and know the range of the numbers after it."""
        value: Any = 0
        if row.values == "between":
            margin = (self._high - self._low) // 6
            value = self._random.randint(self._low + margin, self._high - margin)
            self._low, self._high = (value + 1, self._high) if name == "above" else (self._low, value - 1)
        elif row.values:
            value = self._random.choice(row.values)
        self._parts.append(Part(name, value))
        self._groups.append(row.group)
        if name == "length":
            self._now, self._low, self._high = "ints", 0, 8
        elif row.role == "map" and name in _INTS:
            ends = [row.run(x, value) for x in (self._low, self._high, *([0] if self._low < 0 < self._high else []))]
            self._low, self._high = min(ends), max(ends)


@cache
def _choices(items: Items, results: bool) -> tuple[list[str], list[int]]:
    """Names and weights of the parts that can stand anywhere, or of the results."""
    rows = {**(_INTS if items == "ints" else _WORDS), **_BOTH}
    names = [name for name, row in rows.items() if (row.role == "result") == results]
    return names, [rows[name].weight for name in names]


def _filled(text: str, value: int | str, quotes: str = '""') -> str:
    """The text with the number, or with the letter in quotes."""
    return text.format(f"{quotes[0]}{value}{quotes[1]}" if isinstance(value, str) else value)


def _code(parts: tuple[Part, ...]) -> Iterator[str]:
    """A function that does one part after the other."""
    yield "def f(xs):"
    for part in parts:
        row = _PARTS[part.name]
        code = _filled(row.code, part.value)
        if part.name == "product":
            yield from ("    product = 1", "    for x in xs:", "        product = product * x")
        code = {"filter": f"[x for x in xs if {code}]", "map": f"[{code} for x in xs]"}.get(row.role, code)
        yield f"    return {code}" if row.role == "result" else f"    xs = {code}"
    if row.role != "result":
        yield "    return xs"


def _value(parts: Sequence[Part], xs: Any) -> Any:
    for part in parts:
        row, value = _PARTS[part.name], part.value
        if row.role == "filter":
            xs = [x for x in xs if row.run(x, value)]
        elif row.role == "map":
            xs = [row.run(x, value) for x in xs]
        else:
            xs = row.run(xs, value)
    return xs


def _cases(task: Task) -> tuple[tuple[str, str], ...]:
    """Six to ten calls, the empty list among them, such that each near miss returns something else in one."""
    lists = _Lists(Random(repr(task)), task)
    chosen = [[], lists.mixed(1, 0.5)[:1], lists.mixed(6, 0.4), lists.mixed(7, 0.8)]
    pairs = [(xs, _value(task.parts, xs)) for xs in chosen]
    for miss in _near_misses(task.parts):
        if len(pairs) < _MOST_CASES and not _differs(miss, pairs):
            tried = ((xs, _value(task.parts, xs)) for xs in lists.against(miss))
            pairs += next(([pair] for pair in tried if _differs(miss, [pair])), [])
    while len(pairs) < _FEWEST_CASES:
        xs = lists.mixed(7, 0.8)
        pairs.append((xs, _value(task.parts, xs)))
    if all(value == pairs[0][1] for _, value in pairs):  # a constant would pass
        varied = _varied(task)
        assert varied is not None, "draw takes no other"
        pairs[-1] = (varied, _value(task.parts, varied))
    return tuple((f"({xs!r},)", repr(value)) for xs, value in pairs)


def _varied(task: Task) -> list[Any] | None:
    """A list for which the function returns something else than for the empty one; None where none was found."""
    lists, nothing = _Lists(Random(repr(task)), task), _value(task.parts, [])
    tried = (lists.mixed(7, 0.8) for _ in range(20))
    return next((xs for xs in tried if _value(task.parts, xs) != nothing), None)


def _differs(parts: Sequence[Part], pairs: list[tuple[list[Any], Any]]) -> bool:
    """Whether it returns something else, or fails, for one of the arguments."""
    try:
        return any(_value(parts, xs) != value for xs, value in pairs)
    except (TypeError, AttributeError):
        return True


def _near_misses(parts: tuple[Part, ...]) -> Iterator[tuple[Part, ...]]:
    """A part left out, mistaken for another one, or swapped with the next."""
    for place, part in enumerate(parts):
        before, after = parts[:place], parts[place + 1 :]
        yield (*before, *after)
        for name, more in _PARTS[part.name].near:
            value = part.value + more if isinstance(part.value, int) else part.value
            yield (*before, Part(name, value), *after)
        if after and not _commute(part, after[0]):
            yield (*before, after[0], part, *after[1:])


def _commute(one: Part, other: Part) -> bool:
    """Whether their order never matters, or is no question because one gives the result."""
    roles = {_PARTS[part.name].role: part.name for part in (one, other)}
    if "list" not in roles or len(roles) == 1:
        return "map" not in roles
    if "filter" in roles:
        return _PARTS[roles["list"]].group != "take"
    return roles["list"] in ("reverse", "first", "second") or roles.get("map", "add") in ("add", "subtract", "times")


def _each(parts: Sequence[Part], items: Sequence[Any]) -> dict[Any, Any]:
    """What the filters and maps make of each item that they keep."""
    now = {x: x for x in items}
    for part in parts:
        row = _PARTS[part.name]
        if row.role == "filter":
            now = {x: y for x, y in now.items() if row.run(y, part.value)}
        elif row.role == "map":
            now = {x: row.run(y, part.value) for x, y in now.items()}
    return now


class _Lists:
    """Lists to call the function with."""

    def __init__(self, random: Random, task: Task) -> None:
        self._random = random
        self._items: Sequence[Any] = range(_RANGE[0], _RANGE[1] + 1)
        if task.items == "words":
            own = "".join(part.value for part in task.parts if isinstance(part.value, str))
            letters = own * 3 + "".join(random.sample(_LETTERS, 4))
            self._items = ["".join(random.choices(letters, k=random.randint(1, 8))) for _ in range(120)]
        self._becomes = _each(task.parts, self._items)
        self._kept: Sequence[Any] = list(self._becomes) or self._items

    def mixed(self, size: int, share: float) -> list[Any]:
        """So many items and one of them twice; the filters keep this share of them, and some of the others."""
        choice = self._random.choice
        items = [choice(self._kept if self._random.random() < share else self._items) for _ in range(size)]
        return [*items, choice(items)]

    def against(self, miss: Sequence[Part]) -> Iterator[list[Any]]:
        """Lists that may tell the function from this one."""
        becomes: dict[Any, Any] = {}
        with suppress(TypeError, AttributeError):  # It does with numbers what only strings can.
            becomes = _each(miss, self._items)
        telling = [x for x in self._items if becomes.get(x) != self._becomes.get(x)]
        for x in self._random.sample(telling, min(6, len(telling))):
            yield from ([x], [x, *self.mixed(3, 0.8)])
        for size in (3, 5, 8, 12) * 2:
            yield from (self.mixed(size, 0.9), self.mixed(size, 0.6))
