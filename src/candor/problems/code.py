"""Right answers that are programs: functions compared by what they return (`Calls`) or by tests beside them (`Tests`).

The candidate runs in the sandbox, never here. Of the two prefer `Calls`: there the expected values stay outside, so a
candidate can only win by returning them. Tests must run in the candidate's own process. A program that ends early,
swallows exceptions, prints, writes to descriptors, patches builtins, modules or `__main__`, redefines helpers, or
returns objects that equal everything does not pass; one that was written against `inside.py` still can, in ways that
are told there.
"""

import ast
import builtins
import cmath
import json
import re
import textwrap
import threading
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from candor.errors import ConfigError
from candor.problems.inside import decode, encode
from candor.problems.problem import Gold, Grade
from candor.problems.sandbox import isolation, run_python

_LONGEST = 100_000
"""Characters beyond which a text is not looked at as code."""
_TOLERANCE = 1e-9
"""Of floats: relative above 1, absolute below."""
_FENCE = re.compile(r"([ \t]*)(`{3,})[ \t]*([\w+.-]*)")
_PYTHON = ("python", "python3", "py")
_PROGRAM = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
_parsing = threading.Lock()


@dataclass(frozen=True)
class Calls(Gold):
    """A function that returns the right values.

    >>> Calls("repeat", (("([1, 2], 2)", "[1, 2, 1, 2]"), ("('a', 0)", "''")))
    """

    entry_point: str
    """Name of the function."""
    cases: tuple[tuple[str, str], ...]
    """Tuple of arguments and expected value, both as Python literals. An integer equals the same float, floats may
    differ by 1e-9, True is not 1, and a list is no tuple."""

    def __str__(self) -> str:
        return "\n".join(f"{self.entry_point}{arguments} == {expected}" for arguments, expected in self.cases)

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The code in a form that comments, blanks and quotes do not change."""
        return _normal(code_of(response, strict=strict, entry_point=self.entry_point))

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """Right where all calls return the expected values within the sandbox's limits."""
        try:
            arguments = [_literal(text) for text, _ in self.cases]
            expected = [_literal(text) for _, text in self.cases]
            encoded = [encode(each) for each in arguments]
            most = 100 + 25 * len(json.dumps(encode(expected)))  # 0.9999999999999999 for 1 is the longest that is right
        except ValueError:
            return Grade.INVALID
        if not self.cases or not all(isinstance(each, tuple) for each in arguments):
            return Grade.INVALID
        code = code_of(response, strict=strict, entry_point=self.entry_point)
        if code is None:
            return Grade.WRONG
        return _inside(
            {"parts": [code], "entry_point": self.entry_point, "arguments": encoded},
            lambda output: len(output) <= most and _same(decode(json.loads(output)), expected),
        )


@dataclass(frozen=True)
class Tests(Gold):
    """A function that passes tests, as in HumanEval (a function `check`) and MBPP (lines of `assert`).

    What it returns is compared as a copy in builtin types; an object of a class written in Python, be it of the
    standard library (Fraction, an Enum), could lie and passes no test.

    >>> Tests("add", "def check(candidate):\\n    assert candidate(2, 3) == 5", prefix="def add(a, b):\\n")
    >>> Tests("", "assert add(2, 3) == 5")
    """

    entry_point: str
    """The function that `check` gets; may be empty where the tests call by name."""
    tests: str
    """Python with at least one `assert`."""
    prefix: str = ""
    """What goes before the candidate: imports and helpers, or a prompt that ends within the function. The candidate
    may define the whole function, or go on where the prompt ends."""
    __test__: ClassVar[bool] = False  # pytest takes a class of this name for tests of its own

    def __str__(self) -> str:
        return self.tests

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        """The code in a form that comments, blanks and quotes do not change."""
        return _normal(self._code(response, strict))

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        """Right where every test was run to its end within the sandbox's limits."""
        tree = _tree(self.tests)
        if tree is None or not any(isinstance(node, ast.Assert) for node in ast.walk(tree)):
            return Grade.INVALID
        checks = _defines(self.tests, "check")
        if checks and not self.entry_point:
            return Grade.INVALID
        code = self._code(response, strict)
        if code is None:
            return Grade.WRONG
        asserts = [node.test for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        tested = {self.entry_point}.union(*map(_called, asserts))
        told = {
            "parts": self._parts(code),
            "prompt": self._prompt(),
            "tests": self.tests,
            "tested": sorted(tested),
            "own": [self.entry_point] if self.entry_point else sorted(tested),
            "check": self.entry_point if checks else "",
            "modules": _imported(self.tests) + _imported(self._prompt()),
        }
        return _inside(told, lambda output: output == "passed")

    def _code(self, response: str, strict: bool) -> str | None:
        code = code_of(response, strict=strict, entry_point=self.entry_point)
        if code is None and self.prefix and not strict:  # a bare continuation, as base models give it
            text = response.rpartition("</think>")[2]
            code = text if text.strip() and _tree(self.prefix.rstrip("\n") + "\n" + text) else None
        return code

    def _parts(self, code: str) -> list[str]:
        """Texts to run one after the other: prefix and candidate, or both in one where the prefix waits for a body."""
        if not self.prefix:
            return [code]
        if not self.entry_point or _defines(code, self.entry_point):
            return [self._prompt(), code]
        code = code.lstrip("\n")
        bodies = [code] if code[:1].isspace() else [textwrap.indent(code, "    "), f"    {code}"]
        whole = [self.prefix.rstrip("\n") + "\n" + body for body in bodies]
        return [next((text for text in whole if _tree(text)), whole[0])]

    def _prompt(self) -> str:
        """As much of the prefix as is a program of its own."""
        return self.prefix if _tree(self.prefix) else self.prefix.rpartition(f"def {self.entry_point}")[0]


def code_of(response: str, *, strict: bool = False, entry_point: str = "") -> str | None:
    """The code that a response ends with: its last block marked as Python, else its last one without a mark.

    Of several the last one that defines `entry_point`, where one does: an example of its use may follow. Within
    `<answer>` no fence is needed, nor, unless `strict`, where all of the text is Python with a function.
    """
    text = response.rpartition("</think>")[2].replace("\r\n", "\n")
    if strict and "<think>" in text:
        return None
    answer, closed, _ = text.rpartition("<answer>")[2].partition("</answer>")
    marked = "<answer>" in text and bool(closed)
    blocks = _blocks(answer if marked else text)
    found = [code for mark, code in blocks if mark in _PYTHON] or [code for mark, code in blocks if not mark]
    if not found and (marked or (not strict and _defines(text))):
        found = [answer if marked else text]
    found = [code.strip("\n") for code in found if code.strip()]
    best = [code for code in found if entry_point and _defines(code, entry_point)] or found
    return best[-1] if best else None


def _blocks(text: str) -> list[tuple[str, str]]:
    """Marks and contents of the fenced blocks, one that does not end left out."""
    blocks: list[tuple[str, str]] = []
    opened: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.split("\n"):
        fence = _FENCE.match(line)
        if opened is None:
            opened, lines = fence, []
        elif fence and fence[2].startswith(opened[2]) and fence.end() == len(line.rstrip()) and not fence[3]:
            blocks.append((opened[3].lower(), "\n".join(lines)))
            opened = None
        else:
            indent = len(opened[1])
            lines.append(line if line[:indent].strip() else line[indent:])
    return blocks


def _tree(text: str) -> ast.Module | None:
    """The syntax tree of a program; None where the text is none. Nothing of it is run."""
    if len(text) <= _LONGEST:
        with _parsing, warnings.catch_warnings(), suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            warnings.simplefilter("ignore")  # about escapes in strings
            return ast.parse(text)
    return None


def _defines(text: str, name: str = "") -> bool:
    """Whether it is a program that defines a function, or gives `name` to something."""
    tree = _tree(text)
    for node in tree.body if tree else ():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and name in ("", node.name):
            return True
        if isinstance(node, ast.Assign) and name in [getattr(target, "id", None) for target in node.targets]:
            return True
    return False


def _called(node: ast.AST) -> set[str]:
    """The functions, besides builtin ones, whose values an expression looks at; none of those in their arguments."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not hasattr(builtins, node.func.id):
        return {node.func.id}
    if isinstance(node, ast.Attribute):  # of an object, which is no value to compare
        return set()
    return set[str]().union(*map(_called, ast.iter_child_nodes(node)))


def _imported(text: str) -> list[str]:
    """The modules that a program names in its imports, and the packages around them."""
    found: list[str] = []
    for node in ast.walk(_tree(text) or ast.Module([], [])):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.append(node.module)
    return [package for name in found for package in (name.partition(".")[0], name)]


def _normal(code: str | None) -> str | None:
    tree = _tree(code) if code else None
    with suppress(RecursionError):
        return ast.unparse(tree) if tree else code and code.strip()
    return code


def _literal(text: str) -> Any:
    """The value of a gold's literal; ValueError where it is none."""
    tree = _tree(text.strip())
    if not tree or len(tree.body) != 1 or not isinstance(tree.body[0], ast.Expr):
        raise ValueError(f"{text!r} is no Python literal")
    try:
        return ast.literal_eval(tree.body[0].value)
    except (TypeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{text!r} is no Python literal") from error


def _same(got: Any, expected: Any) -> bool:
    """Whether two literals are equal, as `Calls.cases` says."""
    kinds = {type(got), type(expected)}
    if kinds <= {int, float, complex}:
        if got == expected or kinds == {int}:
            return bool(got == expected)
        with suppress(OverflowError):
            close = cmath.isclose(got, expected, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
            return close or bool(got != got and expected != expected)
        return False
    if len(kinds) > 1:
        return False
    if isinstance(got, list | tuple):
        return len(got) == len(expected) and all(map(_same, got, expected))
    if isinstance(got, set):
        got, expected = dict.fromkeys(got), dict.fromkeys(expected)
    if isinstance(got, dict):
        ours, theirs = ({(type(key) is bool, key): each for key, each in every.items()} for every in (got, expected))
        return ours.keys() == theirs.keys() and all(_same(ours[key], theirs[key]) for key in ours)
    return bool(got == expected)


def _inside(told: dict[str, Any], right: Callable[[str], bool]) -> Grade:
    """Have the calls or the tests done in the sandbox, and see whether what that writes is right."""
    try:
        outcome = run_python(_PROGRAM, stdin=json.dumps(told))
    except ConfigError:
        if isolation():  # nothing can ever be graded here, which is the user's to mend
            raise
        return Grade.INVALID
    # The candidate can write anything.
    with suppress(ValueError, TypeError, KeyError, AttributeError, ArithmeticError, RecursionError):
        if outcome.status == "ok" and right(outcome.stdout):
            return Grade.RIGHT
    return Grade.WRONG
