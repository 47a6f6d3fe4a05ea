"""Golds for code: what is read as code, what passes, and what only pretends to.

Every cheat is tried beside an honest program, so that a checker that refuses everything fails too.
"""

import time
from collections.abc import Callable
from functools import partial
from textwrap import dedent

import pytest

from candor.errors import ConfigError
from candor.problems import code as code_module
from candor.problems import sandbox
from candor.problems.code import Calls, Tests, code_of
from candor.problems.problem import Gold, Grade
from candor.problems.sandbox import Limits, run_python
from tests.problems.cheats import CHEATS, LIAR

RIGHT, WRONG, INVALID = Grade.RIGHT, Grade.WRONG, Grade.INVALID


@pytest.fixture(autouse=True)
def _walls(request: pytest.FixtureRequest) -> None:
    if "grade" in request.fixturenames and (reason := sandbox.isolation()):
        pytest.skip(f"no sandbox here: {reason}")


@pytest.fixture
def grade() -> Callable[[Gold, str], Grade]:
    """What a program is worth as the answer of a model."""
    return lambda gold, program: gold.grade(f"I think:\n```python\n{dedent(program).strip(chr(10))}\n```\nDone.")


# --- what is code ---------------------------------------------------------------------------------------------------

F, G = "def f(x):\n    return x", "def g(x):\n    return 2 * x"


@pytest.mark.parametrize(
    ("response", "code"),
    [
        (f"Here:\n```python\n{F}\n```\nIt returns x.", F),
        (f"```\n{F}\n```", F),
        (f"```py\n{F}\n```", F),
        (f"```Python3 title=a.py\n{F}\n```", F),
        (f"```python\n{F}\n```\nOr rather:\n```python\n{G}\n```", G),
        (f"```python\n{F}\n```\nIt prints\n```\n3\n```", F),  # output after the code
        (f"```python\n{F}\n```\nRun it:\n```bash\npython a.py\n```", F),
        (f"<think>\n```python\n{G}\n```\n</think>\n```python\n{F}\n```", F),
        (f"<think>\n```python\n{G}\n```\n</think>\nI give up.", None),
        ("1. So:\n\n   ```python\n   def f(x):\n       return x\n   ```\n", F),
        ("````python\ndef f():\n    '''\n    ```\n    '''\n````", "def f():\n    '''\n    ```\n    '''"),
        ("```python\n    return x\n```", "    return x"),  # the body of a function keeps its indentation
        (f"```python\r\n{F}\r\n```\r\n", F),
        (f"<answer>{F}</answer>", F),
        (f"<answer>\n{F}\n</answer>", F),
        (f"```python\n{G}\n```\n<answer>\n```python\n{F}\n```\n</answer>", F),
        (F, F),
        (f"\n{F}\n", F),
        ("x = 3", None),  # Python, but no function
        ("The answer is 3.", None),
        (f"Here it is: {F}", None),
        (f"```python\n{F}", None),  # cut off
        ("```python\n\n```", None),
        ("", None),
    ],
)
def test_code_of(response: str, code: str | None) -> None:
    assert code_of(response) == code


@pytest.mark.parametrize("response", [F, f"<think>```python\n{F}\n```"])
def test_strict_takes_code_only_from_its_place(response: str) -> None:
    assert code_of(response, strict=True) is None
    assert code_of(f"```python\n{F}\n```", strict=True) == code_of(f"<answer>{F}</answer>", strict=True) == F


def test_an_example_of_its_use_does_not_hide_the_function() -> None:
    response = f"```python\n{F}\n```\nFor example:\n```python\nprint(f(3))\n```"
    assert code_of(response, entry_point="f") == F
    assert code_of(response, entry_point="other") == "print(f(3))"


@pytest.mark.parametrize(
    "text", ["```python\n" * 50_000, "(" * 200_000, "`" * 200_000, "<answer>" * 50_000, "-" * 90_000]
)
def test_hostile_text_takes_no_time(text: str) -> None:
    assert code_of(text) is None


def test_equal_programs_vote_together() -> None:
    """Comments, blanks, quotes and the words around do not matter; what they do, does."""
    gold = Calls("f", (("(1,)", "'a'"),))
    one = gold.answer("```python\ndef f(x):\n    # yes\n    return 'a'\n```")
    two = gold.answer('So\n\n```\n\ndef f( x ):\n  return "a"\n```\n')
    assert one == two == "def f(x):\n    return 'a'"
    assert gold.answer("```python\ndef f(x):\n    return 'b'\n```") != one
    assert gold.answer("no code") is None
    assert gold.answer("```python\ndef f(:\n```") == "def f(:"


# --- calls ----------------------------------------------------------------------------------------------------------

REPEAT = Calls("repeat", (("([1, 2], 2)", "[1, 2, 1, 2]"), ("('ab', 0)", "''")))


class TestCalls:
    def test_right_and_wrong(self, grade: Callable[[Gold, str], Grade]) -> None:
        assert grade(REPEAT, "def repeat(x, n): return x * n") is RIGHT
        assert grade(REPEAT, "repeat = lambda x, n: n * x") is RIGHT
        assert grade(REPEAT, "def repeat(x, n): return x * 2") is WRONG
        assert grade(REPEAT, "def repeat(x, n): return ''") is WRONG
        assert grade(REPEAT, "def other(x, n): return x * n") is WRONG
        assert REPEAT.grade("I do not know.") is WRONG

    @pytest.mark.parametrize(
        ("returned", "expected", "worth"),
        [
            ("1", "1", RIGHT), ("1.0", "1", RIGHT), ("1", "1.0", RIGHT), ("True", "1", WRONG), ("1", "True", WRONG),
            ("True", "True", RIGHT), ("False", "0.0", WRONG), ("None", "None", RIGHT), ("None", "False", WRONG),
            ("0.1 + 0.2", "0.3", RIGHT), ("0.3 + 1e-8", "0.3", WRONG), ("1e15 + 1", "1e15", RIGHT),
            ("10**15 + 1", "10**0 and 1", INVALID), ("10**15 + 1", "1000000000000000", WRONG),
            ("10**400", "1e999", WRONG), ("float('inf')", "1e999", RIGHT), ("-float('inf')", "1e999", WRONG),
            ("7**3000", str(7**3000), RIGHT), ("7**3000 + 1", str(7**3000), WRONG), ("2**64", str(2**64), RIGHT),
            ("1 + 2j", "(1+2j)", RIGHT), ("'a'", "'a'", RIGHT), ("'a'", "b'a'", WRONG), ("b'\\xff'", "b'\\xff'", RIGHT),
            ("[1, 2]", "[1, 2]", RIGHT), ("(1, 2)", "[1, 2]", WRONG), ("[1, 2]", "(1, 2)", WRONG),
            ("[1, 2, 3]", "[1, 2]", WRONG), ("[1.0, True]", "[1, True]", RIGHT), ("[1, 1]", "[1, True]", WRONG),
            ("{1, 2}", "{2, 1}", RIGHT), ("frozenset([1])", "{1}", RIGHT), ("set()", "set()", RIGHT),
            ("{1, 2}", "[1, 2]", WRONG), ("{1: 'a', 2: 'b'}", "{2: 'b', 1: 'a'}", RIGHT), ("{1: 0}", "{1: 1}", WRONG),
            ("{True: 'a'}", "{1: 'a'}", WRONG), ("{1: 'a'}", "{1: 'a', 2: 'b'}", WRONG), ("{}", "set()", WRONG),
            ("{'a': [0.1 + 0.2]}", "{'a': [0.3]}", RIGHT), ("'\\ud800\\0é中'", "'\\ud800\\0é中'", RIGHT),
            ("__import__('collections').Counter('aab')", "{'a': 2, 'b': 1}", RIGHT),
            ("__import__('collections').namedtuple('P', 'x y')(1, 2)", "(1, 2)", RIGHT),
            ("(i for i in [1])", "[1]", WRONG), ("print", "None", WRONG), ("range(2)", "[0, 1]", WRONG),
        ],
    )  # fmt: skip
    def test_values(self, returned: str, expected: str, worth: Grade, grade: Callable[[Gold, str], Grade]) -> None:
        """Equality as a person would have it: types of containers and truth values count, those of numbers do not."""
        assert grade(Calls("f", (("()", expected),)), f"def f(): return {returned}") is worth

    def test_arguments_come_fresh(self, grade: Callable[[Gold, str], Grade]) -> None:
        """As literals of all kinds; a candidate that spoils them does not disturb the other cases."""
        argument = "[1, [2.5, None], {'k': (True, b'x')}, {3}, 1j, -10, '中']"
        gold = Calls("f", ((f"({argument},)", argument),) * 2 + (("()", "None"),))
        honest = "def f(x=None): return x"
        spoiling = "def f(x=None):\n    if x: y = x[:]; x[1].append(1); x.clear(); return y[:1] + [[2.5, None]] + y[2:]"
        assert grade(gold, honest) is grade(gold, spoiling) is RIGHT

    @pytest.mark.parametrize(
        "broken",
        [
            "raise ValueError", "import sys; sys.exit(0)", "import os; os._exit(0)", "f()",
            "bytearray(10**12)", "import os; os.kill(os.getpid(), 9)", "import os; os.closerange(0, 100)",
        ],
    )  # fmt: skip
    def test_one_bad_case_is_enough(self, broken: str, grade: Callable[[Gold, str], Grade]) -> None:
        gold = Calls("f", (("(1,)", "1"), ("(2,)", "2")))
        assert grade(gold, "def f(x=2): return x") is RIGHT
        assert grade(gold, f"def f(x=2):\n    if x == 2:\n        {broken}\n    return x") is WRONG

    def test_what_a_candidate_prints_or_reads_does_not_matter(self, grade: Callable[[Gold, str], Grade]) -> None:
        program = """
            import sys, threading, time
            print("[1, 2, 3]")
            sys.stderr.write("noise")
            threading.Thread(target=time.sleep, args=(60,)).start()
            def f(x):
                print(x, flush=True)
                sys.__stdout__.write("0")
                return x + len(sys.stdin.read())
            if __name__ == "__main__":
                sys.exit(1)
        """
        assert grade(Calls("f", (("(1,)", "1"),)), program) is RIGHT

    @pytest.mark.parametrize("name", CHEATS)
    def test_cheats(self, name: str, grade: Callable[[Gold, str], Grade]) -> None:
        """None knows the expected value, so none can pass."""
        assert grade(Calls("total", (("([1, 2],)", "5"),)), CHEATS[name]) is WRONG

    @pytest.mark.parametrize("returned", ["[[[]]] * 10**5", "(lambda x: x.append(x) or x)([])"])
    def test_values_without_end(self, returned: str, grade: Callable[[Gold, str], Grade]) -> None:
        assert grade(Calls("f", (("()", "[[[]]]"),)), f"def f(): return {returned}") is WRONG

    def test_output_made_to_be_slow(self, grade: Callable[[Gold, str], Grade]) -> None:
        """Numbers whose hashes are all the same would keep us busy for long, were they read."""
        flood = "', '.join(str(n * (2**61 - 1)) for n in range(40_000))"
        program = (
            f"import json\njson.dump = lambda _, file: file.write('[{{\"set\": [' + {flood} + ']}}]')\ndef f(): pass"
        )
        start = time.monotonic()
        assert grade(Calls("f", (("()", "{1}"),)), program) is WRONG
        assert time.monotonic() - start < 2

    def test_the_expected_values_are_not_inside(self, grade: Callable[[Gold, str], Grade]) -> None:
        """Searched for among all objects and the frames of the callers; the arguments are found that way."""
        program = """
            import gc, sys
            def f(x):
                frame, found = sys._getframe().f_back, []
                while frame:
                    found += [frame.f_locals, frame.f_globals]
                    frame = frame.f_back
                found += [each for each in gc.get_objects() if isinstance(each, (list, tuple, dict))]
                flat = [text for each in found for text in (each.values() if isinstance(each, dict) else each)]
                texts = {text for text in flat if type(text) is str}
                return ["".join(reversed(word)) in texts for word in ("tnemugra", "erusaert")]
        """
        assert grade(Calls("f", (("('argument',)", "'treasure'"),)), program) is WRONG
        assert grade(Calls("f", (("('argument',)", "[True, False]"),)), program) is RIGHT

    @pytest.mark.parametrize(
        "cases",
        [
            (), (("(1,)", "one"),), (("(1", "1"),), (("1", "1"),), (("[1]", "1"),), (("(1,)", ""),), (("(1,)", "1 1"),),
            (("(1,)", "f(1)"),), (("(x,)", "1"),), (("(1,)", "1; 2"),), (("(1,)", "[" * 10_000),),
        ],
    )  # fmt: skip
    def test_a_gold_that_is_none(self, cases: tuple[tuple[str, str], ...]) -> None:
        """Whatever the answer is."""
        assert Calls("f", cases).grade("```python\ndef f(x): return x\n```") is INVALID
        assert Calls("f", cases).grade("no code") is INVALID

    def test_for_people(self) -> None:
        assert str(REPEAT) == "repeat([1, 2], 2) == [1, 2, 1, 2]\nrepeat('ab', 0) == ''"


# --- tests ----------------------------------------------------------------------------------------------------------

PROMPT = '''from typing import List


def helper(x: int) -> int:
    return x + 1


def total(xs: List[int]) -> int:
    """ Sum of the successors.
    >>> total([1, 2])
    5
    """
'''
CHECK = "METADATA = {}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == 5\n    assert candidate([]) == 0\n"
HUMAN_EVAL = Tests("total", CHECK, PROMPT)
MBPP = Tests("", "assert total([1, 2]) == 5\nassert total([]) == 0")
BODY = "    return sum(helper(x) for x in xs)\n"
WHOLE = "def total(xs):\n    return sum(x + 1 for x in xs)\n"


class TestTests:
    @pytest.mark.parametrize(
        "response",
        [
            f"```python\n{BODY}```",
            f"```python\n{BODY.strip()}\n```",
            "```python\n    n = 0\n    for x in xs:\n        n += helper(x)\n    return n\n```",
            "```python\nn = 0\nfor x in xs:\n    n += helper(x)\nreturn n\n```",
            "```python\nn = 0\n    for x in xs:\n        n += helper(x)\n    return n\n```",  # cut by a strip()
            f"```python\n{PROMPT}{BODY}```",
            f"```python\n{WHOLE}```",
            f"```python\ndef total(xs: List[int]) -> int:\n{BODY}```",  # needs import and helper of the prompt
            f"```python\nfrom __future__ import annotations\n{WHOLE}```",
            "```python\ntotal = lambda xs: sum(map(helper, xs))\n```",
            BODY,
            f"<think>So:</think>{BODY}",
            WHOLE,
        ],
    )
    def test_body_or_whole(self, response: str, grade: None) -> None:
        assert HUMAN_EVAL.grade(response) is RIGHT
        assert (
            HUMAN_EVAL.grade(response.replace("return ", "return 1 + ").replace("lambda xs:", "lambda xs: 1 +"))
            is WRONG
        )

    def test_strict_needs_a_place(self) -> None:
        assert HUMAN_EVAL.grade(BODY, strict=True) is WRONG

    def test_mbpp(self, grade: Callable[[Gold, str], Grade]) -> None:
        assert grade(MBPP, WHOLE) is RIGHT
        assert grade(MBPP, WHOLE.replace("1", "2")) is WRONG
        assert (
            grade(Tests("", MBPP.tests, "from math import fsum"), "def total(xs): return fsum(xs) + len(xs)") is RIGHT
        )
        assert grade(MBPP, "import functools\n@functools.cache\ndef add(n): return n + 1\n"
                           "def total(xs): return sum(map(add, xs))") is RIGHT  # fmt: skip

    def test_a_prompt_without_a_docstring(self, grade: Callable[[Gold, str], Grade]) -> None:
        gold = Tests("total", CHECK, "import math\ndef total(xs):\n")
        assert grade(gold, "    return math.floor(sum(xs) + len(xs))") is RIGHT
        assert grade(gold, "def total(xs): return math.floor(sum(xs) + len(xs))") is RIGHT

    def test_objects_pass_between_tests_and_candidate(self, grade: Callable[[Gold, str], Grade]) -> None:
        """Classes of the candidate in the tests, types of the standard library in what it returns."""
        pair = """
            class Pair:
                def __init__(self, a, b): self.a, self.b = a, b
            def first(pairs): return [pair.a for pair in pairs]
        """
        assert grade(Tests("", "assert first([Pair(1, 2), Pair(3, 4)]) == [1, 3]"), pair) is RIGHT
        mixed = """
            import datetime, re
            from collections import *; from decimal import *
            today = datetime.date.today()
            def f(): return [Counter('a'), deque([1]), Decimal('.5'), {1: 2}.keys(), re.match('a', 'a'), today]
            def g(): yield from f()
            def h(): return iter(f())
        """
        tests = "assert f()[0]['a'] == 1 and f()[1][0] == 1 and f()[2] == 0.5 and f()[3] == {1} and f()[4][0] == 'a'"
        assert grade(Tests("", tests), mixed) is RIGHT
        assert grade(Tests("", "assert len(list(g()) + list(h())) == 12 and next(g())['a'] == 1"), mixed) is RIGHT
        several = """
            def adder(n): return lambda x: x + n
            def twice(g, x): return g(g(x))
            def fails(x): raise KeyError(x)
        """
        assert grade(Tests("", "assert adder(2)(3) == 5 and twice(adder(2), 1) == 5"), several) is RIGHT
        caught = "try:\n    fails(1)\nexcept KeyError as error:\n    assert error.args == (1,)\nelse:\n    assert False"
        assert grade(Tests("", caught), several) is RIGHT

    @pytest.mark.parametrize(
        ("tests", "honest", "cheat"),
        [
            ("assert list(f(2)) == [4]", "def f(x): yield 2 * x", LIAR + "def f(x): yield E()"),
            ("assert f(2)(3) == 5", "def f(x): return lambda y: x + y", LIAR + "def f(x): return lambda y: E()"),
            ("assert list(f(2).values()) == [4]", "def f(x): return {0: 4}", LIAR + "def f(x): return {0: E()}"),
            ("assert list(f(2)) == [4]", "def f(x): return {0: 4}.values()",
             LIAR + "def f(x): return {0: E()}.values()"),
            ("assert f(2) == {4}", "def f(x): return {4}", LIAR + "def set(_): return E()\ndef f(x): return set(x)"),
            ("assert set(f(2)) == {4}", "def f(x): return [4]", "def f(x): return []\ndef set(x): return {4}"),
            ("import math\nassert math.isclose(f(2), 4)", "def f(x): return x * x",
             "import math\nmath.isclose = lambda *_: True\ndef f(x): return 0"),
            ("from math import isclose\nassert isclose(f(2), 4)", "def f(x): return x * x",
             "import math\nmath.isclose = lambda *_: True\ndef f(x): return 0"),
            ("assert sum(4, 2) == 3", "def sum(a, b): return 3", "def sum(a, b): return 2"),
        ],
    )  # fmt: skip
    def test_what_tests_use_is_not_the_candidates(
        self, tests: str, honest: str, cheat: str, grade: Callable[[Gold, str], Grade]
    ) -> None:
        gold = Tests("sum" if "sum" in tests else "", tests)
        assert (grade(gold, honest), grade(gold, cheat)) == (RIGHT, WRONG)

    def test_helpers_of_the_prompt_are_not_the_candidates(self, grade: Callable[[Gold, str], Grade]) -> None:
        """HumanEval's check of `find_zero` calls the `poly` of the prompt, and its module `math`."""
        prompt = (
            "import math\n\ndef poly(xs, x):\n    return sum(c * math.pow(x, i) for i, c in enumerate(xs))\n\n"
            "def find_zero(xs):\n    'The x where poly is 0.'\n"
        )
        check = "def check(candidate):\n    assert math.isclose(poly([-6, 2], candidate([-6, 2])), 0, abs_tol=1e-4)"
        gold = Tests("find_zero", check, prompt)
        for changed in ("", "def poly(*_): return 1\n", "math = None\n"):
            assert grade(gold, changed + "def find_zero(xs): return -xs[0] / xs[1]") is RIGHT
        for cheat in ("def poly(*_): return 0", "math.isclose = lambda *_, **__: True", "math.pow = lambda *_: 0"):
            assert grade(gold, f"import math\n{cheat}\ndef find_zero(xs): return 5.0") is WRONG

    @pytest.mark.parametrize("name", CHEATS)
    @pytest.mark.parametrize("gold", [HUMAN_EVAL, MBPP], ids=["check", "lines"])
    def test_cheats(self, gold: Tests, name: str, grade: Callable[[Gold, str], Grade]) -> None:
        assert grade(gold, CHEATS[name]) is WRONG

    def test_what_equals_all_is_found_within_a_list(self, grade: Callable[[Gold, str], Grade]) -> None:
        gold, liar = (
            Tests("", "assert f() == [1, (2,), {3: 4}]"),
            "class E:\n    def __eq__(self, other): return True\n",
        )
        assert grade(gold, liar + "def f(): return [1, (2,), {3: 4}]") is RIGHT
        assert grade(gold, liar + "def f(): return [1, (2,), {3: E()}]") is WRONG
        assert grade(gold, liar + "def f(): return [1, (E(),), {3: 4}]") is WRONG

    def test_patched_builtins_do_not_reach_the_tests(self, grade: Callable[[Gold, str], Grade]) -> None:
        gold = Tests("", "assert all(abs(half(x) - x / 2) < 1e-6 for x in range(9))")
        for names in ("vars(__import__('builtins'))", "vars(__builtins__)", "__builtins__"):
            cheat = f"names = {names}\nnames['all'] = lambda _: True\nnames['abs'] = lambda _: 0\ndef half(x): return "
            assert grade(gold, cheat + "x / 2") is (WRONG if names == "__builtins__" else RIGHT)  # it is a module
            assert grade(gold, cheat + "0.0") is WRONG

    @pytest.mark.parametrize(
        "gold",
        [
            Tests("total", "def check(candidate:"),
            Tests("total", ""),
            Tests("total", "def check(candidate):\n    candidate([])"),  # no assert: anything would pass
            Tests("", CHECK),  # nobody calls check
        ],
    )
    def test_a_gold_that_is_none(self, gold: Tests) -> None:
        assert gold.grade(f"```python\n{WHOLE}\n```") is gold.grade("no code") is INVALID

    def test_votes(self) -> None:
        one, two = f"```python\n{WHOLE}```", f"Or:\n```\n{WHOLE}\n# end\n```"
        assert HUMAN_EVAL.answer(one) == HUMAN_EVAL.answer(two) is not None
        assert HUMAN_EVAL.answer(BODY) == HUMAN_EVAL.answer(f"```python\n{BODY}\n```") is not None
        assert HUMAN_EVAL.answer("no code at all") is None
        assert str(MBPP) == MBPP.tests


# --- when the sandbox fails -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("gold", [REPEAT, HUMAN_EVAL], ids=["calls", "tests"])
def test_without_end(gold: Gold, grade: Callable[[Gold, str], Grade], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_module, "run_python", partial(run_python, limits=Limits(seconds=0.5)))
    for program in ("while True: pass", "def repeat(*_):\n    while True: pass\ntotal = repeat"):
        assert grade(gold, program) is WRONG


@pytest.mark.parametrize("gold", [REPEAT, HUMAN_EVAL], ids=["calls", "tests"])
def test_a_sandbox_that_fails(gold: Gold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once: the grade cannot be told. Always: the user must know, for no answer will ever be graded."""

    def fail(*_: object, **__: object) -> None:
        raise ConfigError("no process left")

    monkeypatch.setattr(code_module, "run_python", fail)
    monkeypatch.setattr(code_module, "isolation", lambda: None)
    assert gold.grade(f"```python\n{WHOLE}\n```") is INVALID
    monkeypatch.setattr(code_module, "isolation", lambda: "no namespaces")
    with pytest.raises(ConfigError, match="no process left"):
        gold.grade(f"```python\n{WHOLE}\n```")
