"""Programs whose output is asked for, against Python itself: one child process runs them all, watched line by line."""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, get_args

import pytest

from candor.problems.output import Do, Name, Op, Output, Program
from candor.problems.problem import Grade, Lang, Problem
from tests.problems.test_sequence import LEVELS, assert_plenty, assert_seeded, assert_splits_apart, rises, spread, twins

CHILD = '''
import ast, contextlib, io, json, sys

class Watch(ast.NodeTransformer):
    """Puts a call of _log behind whatever gives a variable a value, and around every test and returned value."""
    def note(self, name):
        return ast.parse(f"_log({name!r}, {name})").body
    def visit_Assign(self, node):
        return [node, *self.note(node.targets[0].id)]
    def visit_Expr(self, node):
        call = node.value
        return [node, *self.note(call.func.value.id)] if isinstance(call.func, ast.Attribute) else node
    def visit_For(self, node):
        self.generic_visit(node)
        node.body = [*self.note(node.target.id), *node.body]
        return node
    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        node.body = [*self.note(node.args.args[0].arg), *node.body]
        return node
    def wrapped(self, kind, value):
        return ast.Call(ast.Name("_log", ast.Load()), [ast.Constant(kind), value], [])
    def visit_If(self, node):
        self.generic_visit(node)
        node.test = self.wrapped("if", node.test)
        return node
    def visit_While(self, node):
        self.generic_visit(node)
        node.test = self.wrapped("while", node.test)
        return node
    def visit_Return(self, node):
        node.value = self.wrapped("return", node.value)
        return node

def run(code):
    """Printed text, executed lines, and what was logged."""
    lines, log, printed = 0, [], io.StringIO()
    def trace(frame, event, arg):
        nonlocal lines
        if frame.f_code.co_filename != "<program>":
            return None
        lines += event == "line"
        return trace
    with contextlib.redirect_stdout(printed):
        program = compile(code, "<program>", "exec")
        sys.settrace(trace)
        exec(program, {})
        sys.settrace(None)
    def note(name, value):
        log.append([name, repr(value)])
        return value
    with contextlib.redirect_stdout(io.StringIO()):
        watched = ast.fix_missing_locations(Watch().visit(ast.parse(code)))
        exec(compile(watched, "<watched>", "exec"), {"_log": note})
    return [printed.getvalue(), lines, log]

asked = json.load(sys.stdin)
json.dump([[run(code), [repr(eval(form)) for form in forms]] for code, forms in asked], sys.stdout)
'''


@dataclass
class Run:
    printed: str
    lines: int
    log: list[list[str]]
    """[variable or `if`, `while`, `return`; value]"""
    forms: list[str]
    """The value of each expression of the solution."""


def program(prompt: str) -> str:
    """The code; it is all that stands in the prompt behind the question."""
    match = re.fullmatch(
        r"(?:What does this program print\?|下面的程序会输出什么？)\n```python\n(.+)\n```", prompt, re.S
    )
    assert match, prompt
    return match[1]


def steps(problem: Problem) -> list[tuple[str, list[str]]]:
    """What each line of the solution but the last is about, and the forms of its expression."""
    found = []
    for line in problem.solution.splitlines()[:-1]:
        match = re.fullmatch(r"(if|while|return|append|print|[fgh]\(-?\d+\): x =|\w+ =) (.+)", line)
        assert match, line
        what = match[1].split(":")[-1].removesuffix(" =").strip()
        found.append((what, match[2].split(" -> " if what in ("if", "while") else " = ")))
    return found


def run(problems: list[Problem]) -> list[Run]:
    """All programs, and all expressions of the solutions, in one child process."""
    asked = [[program(p.prompt), [form for _, forms in steps(p) for form in forms]] for p in problems]
    command = [sys.executable, "-I", "-c", CHILD]
    child = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=120, check=True)
    answers: list[Any] = json.loads(child.stdout)
    return [Run(*watched, forms) for watched, forms in answers]


@pytest.fixture(scope="module")
def runs() -> list[tuple[Problem, Run]]:
    problems = spread(Output())
    return list(zip(problems, run(problems), strict=True))


def test_gold_is_what_python_prints(runs: list[tuple[Problem, Run]]) -> None:
    for problem, run in runs:
        assert run.printed == f"{problem.gold}\n", problem.prompt
        assert 1 <= len(str(problem.gold)) <= 20
        assert str(problem.gold) == str(problem.gold).strip()


def test_the_trace_is_what_happens(runs: list[tuple[Problem, Run]]) -> None:
    """Every value that a variable gets, every outcome of a test and every value returned, in Python's order; and all
    forms of an expression have the value of the last one."""
    for problem, run in runs:
        values = iter(run.forms)
        told = []
        for what, forms in steps(problem):
            assert {next(values) for _ in forms} == {forms[-1]}, problem.solution
            told.append([what, forms[-1]])
        happened = [[what, value] for what, value in told if what not in ("append", "print")]
        assert happened == run.log, f"{problem.prompt}\n{problem.solution}"
        assert problem.solution.splitlines()[-1] == str(problem.gold)


def test_no_step_takes_two_operations_at_once(runs: list[tuple[Problem, Run]]) -> None:
    """From one form of an expression to the next a single operation is done."""

    def operations(form: str) -> int:
        return len(re.findall(r" (?:[-+*%<>]|//|==) |\w\(|\]?\[[:\d-]+\]$|(?<=\])\[\d\]|\.upper", form))

    for problem, _ in runs:
        for what, forms in steps(problem):
            for form, following in pairwise(forms):
                assert operations(form) == operations(following) + 1, f"{what} {forms}"


def test_both_languages_ask_the_same() -> None:
    for english, chinese in twins(Output()):
        assert program(english.prompt) == program(chinese.prompt)
        assert english.gold == chinese.gold
        assert english.solution == chinese.solution


def test_difficulty_is_executed_lines(runs: list[tuple[Problem, Run]]) -> None:
    measures: dict[int, list[float]] = {}
    for problem, run in runs:
        measures.setdefault(problem.difficulty, []).append(run.lines)
    assert rises(measures)
    assert max(max(lines) for lines in measures.values()) <= 60


def test_what_the_levels_bring(runs: list[tuple[Problem, Run]]) -> None:
    """Branches, texts and lists from the second on, then loops, then loops with branches, then functions."""
    code = {level: [program(problem.prompt) for problem, _ in runs if problem.difficulty == level] for level in LEVELS}
    assert not any(re.search(r"if|for|while|def|'|\[", text) for text in code[1])
    assert all("if " in text and "for " not in text for text in code[2])
    assert all("for " in text and "def " not in text for text in code[3])
    assert all(re.search(r"for .*:\n    if |while ", text) for text in code[4])
    for new in ("def ", "while ", "    for "):
        assert any(new in text for text in code[5])


def test_seeds() -> None:
    assert_seeded(Output())


def test_splits() -> None:
    assert_splits_apart(Output())


def test_plenty() -> None:
    assert_plenty(Output())


@pytest.mark.parametrize("lang", get_args(Lang))
def test_grades(lang: Lang) -> None:
    family = Output()
    for difficulty in LEVELS:
        for problem in family.generate(1, 20, difficulty, lang):
            text = str(problem.gold)
            assert family.check(problem, text) is Grade.RIGHT
            assert family.check(problem, f"```\n{text}\n```") is Grade.RIGHT
            assert family.check(problem, f"{problem.solution}\n\\boxed{{{text}}}", strict=True) is Grade.RIGHT
            assert family.check(problem, text + "1") is Grade.WRONG
            assert family.check(problem, "") is Grade.WRONG
            if text.swapcase() != text:
                assert family.check(problem, text.swapcase()) is Grade.WRONG, "printed letters have a case"


def test_a_renamed_program_is_the_same_problem() -> None:
    """It cannot be in training under other names than in the test."""

    def program(name: str, other: str) -> Program:
        first, second = Do("assign", name, 3), Do("assign", other, Op("+", (Name(name), 4)))
        return Program((first, second, Do("print", value=Name(other))))

    family = Output()
    assert family.key(program("a", "b")) == family.key(program("q", "m"))
    assert family.key(program("a", "b")) != family.key(program("a", "a"))
