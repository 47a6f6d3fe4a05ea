"""What does this program print? Small Python programs as records, and an interpreter of these records.

Programs are drawn so that they end soon and print a short text; nothing is ever executed as Python. The interpreter
rewrites, as on paper: names become values, then one operation after another its result. That is the worked solution.
"""

import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Literal, TypeAlias

from candor.problems.golds import Exact
from candor.problems.problem import Family, Lang, Question

Value: TypeAlias = int | str | tuple[int, ...]
"""A tuple stands for a list."""


@dataclass(frozen=True)
class Name:
    """A variable."""

    id: str


@dataclass(frozen=True)
class Op:
    """An operation, a comparison or a call.

    >>> Op("+", (Name("a"), 3))
    """

    sign: str
    args: "tuple[Expr, ...]"


Expr: TypeAlias = Value | Name | Op


@dataclass(frozen=True)
class Do:
    """A statement.

    >>> Do("assign", "b", Op("+", (Name("a"), 3)))
    """

    kind: Literal["assign", "append", "if", "for", "while", "def", "return", "print"]
    name: str = ""
    """Of what is assigned, appended to, looped with or defined."""
    value: Expr = ()
    """What is assigned, appended, looped over, returned or printed; the test; the parameter of a function."""
    body: "Body" = ()
    """The statements inside."""
    orelse: "Body" = ()
    """Those behind `else`."""


Body: TypeAlias = tuple[Do, ...]


@dataclass(frozen=True)
class Program:
    """A case."""

    body: Body


class Output(Family[Program]):
    """Programs of assignments, branches, loops and functions whose output is asked for."""

    name: ClassVar[str] = "output"

    def draw(self, random: Random, difficulty: int) -> Program:
        """Assignments; then a branch; a loop; a loop with a branch; functions or loops in loops."""
        return Program(tuple(random.choice(_LEVELS[difficulty])(_Draft(random))))

    def key(self, case: Program) -> str:
        """The program under whatever names: a renamed one asks the same."""
        numbers: dict[str, str] = {}
        code = "\n".join(_lines(case.body))
        return re.sub(r"\b(?:[a-z]|xs)\b", lambda name: numbers.setdefault(name[0], f"v{len(numbers)}"), code)

    def write(self, case: Program, lang: Lang) -> Question:
        """The code and the trace of its run.

        The gold is a text with its case, also where it is a number: `3`, `3.0`, `[3]` and `True` are not printed alike.
        """
        question = "下面的程序会输出什么？" if lang == "zh" else "What does this program print?"
        code = "\n".join(_lines(case.body))
        run = _Run()
        run.block(case.body, {})
        prompt = f"{question}\n```python\n{code}\n```"
        return Question(prompt, Exact(run.output, case=True), "\n".join([*run.lines, run.output]))


_INFIX: dict[str, tuple[int, Callable[..., Any]]] = {
    "==": (1, operator.eq),
    "<": (1, operator.lt),
    ">": (1, operator.gt),
    "+": (2, operator.add),
    "-": (2, operator.sub),
    "*": (3, operator.mul),
    "//": (3, operator.floordiv),
    "%": (3, operator.mod),
}
"""How tightly each binds, and what it does."""
_AROUND: dict[str, Callable[..., Any]] = {
    **{function.__name__: function for function in (len, sum, max, min)},
    "[]": operator.getitem,
    "[::-1]": lambda text: text[::-1],
    ".upper()": str.upper,
}


def _source(expr: Expr, outer: int = 0) -> str:
    """The expression in Python, in brackets where it binds less than `outer`."""
    if isinstance(expr, Name):
        return expr.id
    if isinstance(expr, tuple):
        return repr(list(expr))
    if not isinstance(expr, Op):
        return f"({expr})" if isinstance(expr, int) and expr < 0 and outer else repr(expr)
    if expr.sign in _INFIX:
        binds = _INFIX[expr.sign][0]
        text = f"{_source(expr.args[0], binds)} {expr.sign} {_source(expr.args[1], binds + 1)}"
        return f"({text})" if binds < outer else text
    if expr.sign == "[]":
        return f"{_source(expr.args[0])}[{_source(expr.args[1])}]"
    if expr.sign[0] in ".[":
        return _source(expr.args[0]) + expr.sign
    return f"{expr.sign}({', '.join(map(_source, expr.args))})"


def _lines(body: Body) -> Iterator[str]:
    """The statements in Python."""
    for do in body:
        value = _source(do.value)
        match do.kind:
            case "assign":
                yield f"{do.name} = {value}"
            case "append":
                yield f"{do.name}.append({value})"
            case "print":
                yield f"print({value})"
            case "for":
                yield f"for {do.name} in {value}:"
            case "def":
                yield f"def {do.name}({value}):"
            case "return" | "if" | "while":
                yield f"{do.kind} {value}" + (":" if do.body else "")
        yield from (f"    {line}" for line in _lines(do.body))
        if do.orelse:
            yield "else:"
            yield from (f"    {line}" for line in _lines(do.orelse))


def _reduced(expr: Op) -> Any:
    """One operation done, the innermost on the left; all names are values by now."""
    for index, arg in enumerate(expr.args):
        if isinstance(arg, Op):
            return Op(expr.sign, (*expr.args[:index], _reduced(arg), *expr.args[index + 1 :]))
    does = _INFIX[expr.sign][1] if expr.sign in _INFIX else _AROUND[expr.sign]
    return does(*expr.args)


class _Run:
    """One run of a program: its output, and a line for each step."""

    def __init__(self) -> None:
        self.output = ""
        self.lines: list[str] = []
        self._functions: dict[str, Do] = {}

    def block(self, body: Body, names: dict[str, Any]) -> Value | None:
        """What the block returns, if it does."""
        for do in body:
            match do.kind:
                case "assign":
                    names[do.name] = self._value(f"{do.name} = ", do.value, names)
                case "append":
                    names[do.name] = (*names[do.name], self._value("append ", do.value, names))
                    self.lines.append(f"{do.name} = {_source(names[do.name])}")
                case "if":
                    taken = self._value("if ", do.value, names, " -> ")
                    if (result := self.block(do.body if taken else do.orelse, names)) is not None:
                        return result
                case "for":
                    over = self._filled(do.value, names)
                    for item in over if isinstance(over, (str, tuple)) else range(*over.args):
                        names[do.name] = item
                        self.lines.append(f"{do.name} = {_source(item)}")
                        self.block(do.body, names)
                case "while":
                    while self._value("while ", do.value, names, " -> "):
                        self.block(do.body, names)
                case "def":
                    self._functions[do.name] = do
                case "return":
                    return self._value("return ", do.value, names)
                case "print":
                    value = self._value("print ", do.value, names)
                    if not isinstance(do.value, Op):
                        self.lines.pop()  # There was nothing to work out.
                    self.output = value if isinstance(value, str) else _source(value)
        return None

    def _value(self, what: str, expr: Expr, names: dict[str, Any], equals: str = " = ") -> Value:
        """The value of an expression; the line shows the expression on each step of the way."""
        now = self._filled(expr, names)
        forms = [_source(now)]
        while isinstance(now, Op):
            now = _reduced(now)
            forms.append(_source(now))
        self.lines.append(what + equals.join(forms))
        return now

    def _filled(self, expr: Expr, names: dict[str, Any]) -> Any:
        """Values for names and for calls."""
        if isinstance(expr, Name):
            return names[expr.id]
        if not isinstance(expr, Op):
            return expr
        args = tuple(self._filled(arg, names) for arg in expr.args)
        if (function := self._functions.get(expr.sign)) is None:
            return Op(expr.sign, args)
        param = _source(function.value)
        self.lines.append(f"{_source(Op(expr.sign, args))}: {param} = {_source(args[0])}")
        return self.block(function.body, {param: args[0]})


# The programs. The ranges of their numbers keep every run short and every output within 20 characters.


class _Draft:
    """The choices of one program."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.number = random.randint

    def pick(self, options: Sequence[Any]) -> Any:
        return self.random.choice(options)

    def names(self, count: int, letters: str = "abcdkmnpqxyz") -> list[Name]:
        return [Name(letter) for letter in self.random.sample(letters, count)]

    def text(self, low: int, high: int) -> str:
        return "".join(self.random.choices("abcdefghijklmnopqrstuvwxyz", k=self.number(low, high)))

    def op(self, left: Expr, signs: Sequence[str], right: Expr) -> Op:
        """With one of these signs."""
        return Op(self.pick(signs), (left, right))

    def test(self, number: Expr, around: int | None = None) -> Op:
        """A question about a number: its remainder, or whether it lies above or below this."""
        if around is not None and self.random.random() < 0.5:
            return self.op(number, "<>", around)
        divisor = self.number(2, 3)
        return Op("==", (Op("%", (number, divisor)), self.random.randrange(divisor)))

    def range(self, count: int) -> Op:
        low = self.number(1, 9)
        return Op("range", (low, low + count))

    def function(self, around: int) -> Do:
        """Of x, with a branch; it gives at least 1 for an x of at least 1."""
        x = Name("x")
        values: tuple[Expr, ...] = (Op("+", (x, self.number(1, 9))), Op("*", (x, self.number(2, 5))), x)
        yes, no = self.random.sample(values, 2)
        branch = Do("if", value=self.test(x, around), body=(Do("return", value=yes),))
        return Do("def", self.pick("fgh"), x, (branch, Do("return", value=no)))


def _set(name: Name, value: Expr) -> Do:
    return Do("assign", name.id, value)


def _plain(draft: _Draft) -> Iterator[Do]:
    a, b, c, d = draft.names(4)
    yield _set(a, draft.number(2, 20))
    yield _set(b, draft.number(2, 20))
    yield _set(c, draft.op(a, "+-*", b))
    yield _set(d, draft.op(c, "+-*", draft.pick((a, b, draft.number(2, 9)))))
    yield Do("print", value=d)


def _branch(draft: _Draft) -> Iterator[Do]:
    a, b, c, d = draft.names(4)
    yield _set(a, draft.number(10, 30))
    yield _set(b, draft.number(2, 9))
    yes, no = draft.random.sample("+-*", 2)
    test = draft.test(draft.pick((a, Op("+", (a, b)))), draft.number(15, 25))
    yield Do("if", "", test, (_set(c, Op(yes, (a, b))),), (_set(c, Op(no, (a, b))),))
    yield _set(d, draft.op(c, ("+", "-", "*", "//", "%"), draft.number(2, 9)))
    yield Do("print", value=d)


def _texts(draft: _Draft) -> Iterator[Do]:
    s, t, u = draft.names(3, "stuvw")
    yield _set(s, draft.text(2, 4))
    yield _set(t, draft.text(2, 4))
    test = draft.op(Op("len", (s,)), "<>", Op("len", (t,)))
    yield Do("if", "", test, (_set(u, Op("+", (s, t))),), (_set(u, Op("*", (t, 2))),))
    yield _set(u, Op("+", (u, draft.pick((s, t)))))
    letter = Op("[]", (u, draft.number(0, 3)))
    yield Do("print", value=draft.pick((Op("[::-1]", (u,)), Op(".upper()", (u,)), letter, Op("+", (u, letter)))))


def _lists(draft: _Draft) -> Iterator[Do]:
    a, b, xs = *draft.names(2), Name("xs")
    yield _set(xs, tuple(draft.number(1, 20) for _ in range(3)))
    i, j = draft.random.sample(range(3), 2)
    yield _set(a, draft.op(Op("[]", (xs, i)), "+-", Op("[]", (xs, j))))
    yield Do("append", "xs", a)
    yes, no = draft.random.sample(("sum", "max", "min", "len"), 2)
    yield Do("if", "", draft.test(a, draft.number(1, 20)), (_set(b, Op(yes, (xs,))),), (_set(b, Op(no, (xs,))),))
    yield Do("print", value=draft.pick((b, Op("+", (a, b)))))


def _count(draft: _Draft) -> Iterator[Do]:
    a, b, x = draft.names(3)
    yield _set(a, draft.number(0, 20))
    count, k = draft.number(3, 4), draft.number(2, 6)
    over = draft.pick((draft.range(count), tuple(draft.number(1, 20) for _ in range(count))))
    step = (
        Op("+", (a, Op("*", (x, k)))),
        Op("-", (a, Op("+", (x, k)))),
        Op("-", (x, a)),
        Op("+", (Op("*", (a, 2)), x)),
    )
    yield Do("for", x.id, over, (_set(a, draft.pick(step)),))
    yield _set(b, draft.op(a, "+-*", draft.number(2, 9)))
    yield Do("print", value=b)


def _spell(draft: _Draft) -> Iterator[Do]:
    s, t, c = *draft.names(2, "stuvw"), Name("c")
    yield _set(s, draft.text(1, 2))
    yield _set(t, draft.text(3, 4))
    yield Do("for", "c", t, (_set(s, draft.pick((Op("+", (c, s)), Op("+", (Op("+", (s, c)), c))))),))
    yield Do("print", value=draft.pick((s, Op("+", (s, t)))))


def _sift(draft: _Draft) -> Iterator[Do]:
    (a,), i = draft.names(1), Name("i")
    yield _set(a, draft.number(0, 50))
    orelse = draft.pick(((), (_set(a, draft.op(a, "+-", draft.number(1, 5))),)))
    branch = Do("if", "", draft.test(i, draft.number(5, 10)), (_set(a, draft.op(a, "+-", i)),), orelse)
    yield Do("for", "i", draft.range(draft.number(5, 6)), (branch,))
    yield Do("print", value=a)


def _collect(draft: _Draft) -> Iterator[Do]:
    i, xs = Name("i"), Name("xs")
    yield _set(xs, (draft.number(1, 30),))
    append = Do("append", "xs", draft.op(i, "+*", draft.number(2, 6)))
    yield Do("for", "i", draft.range(6), (Do("if", "", draft.test(i), (append,)),))
    yield Do("print", value=draft.pick((xs, Op("sum", (xs,)), Op("[::-1]", (xs,)))))


def _countdown(draft: _Draft) -> Iterator[Do]:
    a, b = draft.names(2)
    step, low = draft.number(3, 9), draft.number(1, 9)
    yield _set(a, low + step * draft.number(4, 5) - draft.random.randrange(step))
    yield _set(b, draft.number(0, 9))
    more = _set(b, Op("+", (b, draft.pick((1, 2, 3, a)))))
    yield Do("while", "", Op(">", (a, low)), (_set(a, Op("-", (a, step))), more))
    yield Do("print", value=draft.pick((b, draft.op(a, "+-", b))))


def _calls(draft: _Draft) -> Iterator[Do]:
    (a,) = draft.names(1)
    yield (function := draft.function(draft.number(4, 10)))
    yield _set(a, draft.number(0, 50))
    step = _set(a, draft.op(a, "+-", Op(function.name, (Name("i"),))))
    yield Do("for", "i", draft.range(draft.number(5, 6)), (step,))
    yield Do("print", value=a)


def _nested(draft: _Draft) -> Iterator[Do]:
    a, b = draft.names(2)
    yield _set(a, draft.number(0, 50))
    step = _set(a, draft.op(a, "+-", draft.op(Name("i"), "*+", Name("j"))))
    yield Do("for", "i", draft.range(3), (Do("for", "j", draft.range(3), (step,)),))
    yield _set(b, draft.op(a, "+-*", draft.number(2, 9)))
    yield Do("print", value=b)


def _spend(draft: _Draft) -> Iterator[Do]:
    a, b = draft.names(2)
    yield (function := draft.function(draft.number(2, 4)))
    yield _set(a, draft.number(20, 50))
    yield _set(b, draft.number(0, 2))
    body = (_set(b, Op("+", (b, 1))), _set(a, Op("-", (a, Op(function.name, (b,))))))
    yield Do("while", "", Op(">", (a, draft.number(1, 9))), body)
    yield Do("print", value=a)


_LEVELS: dict[int, tuple[Callable[[_Draft], Iterator[Do]], ...]] = {
    1: (_plain,),
    2: (_branch, _texts, _lists),
    3: (_count, _count, _spell),
    4: (_sift, _collect, _countdown),
    5: (_calls, _nested, _spend),
}
