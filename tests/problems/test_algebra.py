"""The helper process: it may hang, die or be asked by many threads at once, and no answer is right because of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from candor.problems import algebra
from candor.problems.golds import Maths
from candor.problems.problem import Grade

SLOW = "(((9999)^{9999})^{9999})^{9999}"
"""A number that nobody can write down, with which math-verify is busy for longer than anyone waits."""


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Iterator[algebra.Helper]:
    """A helper of its own and no memory of earlier results."""
    fresh = algebra.Helper()
    monkeypatch.setattr(algebra, "_helper", fresh)
    algebra.same.cache_clear()
    yield fresh
    fresh.stop()
    algebra.same.cache_clear()


def process(helper: algebra.Helper) -> "subprocess.Popen[bytes]":
    assert helper.process is not None
    return helper.process


def grade(answer: str, gold: str = "x^2-1") -> Grade:
    return Maths(gold).grade(f"<answer>{answer}</answer>", strict=True)


def test_numbers_need_no_helper(helper: algebra.Helper) -> None:
    """Reward of plain numbers costs no process, nor does an answer that is no expression."""
    assert Maths("5").grade("<answer>5</answer>") is Grade.RIGHT
    assert Maths("5").grade(f"<answer>{SLOW}</answer>") is Grade.WRONG
    assert helper.process is None


def test_the_import_is_light() -> None:
    """Neither here nor in the helper is torch loaded, and here not even sympy."""
    heavy = "[m for m in ('torch', 'sympy', 'math_verify', 'numpy') if m in sys.modules]"
    for code in (f"candor.problems.golds; print({heavy})", f"math_verify, candor.problems.algebra; print({heavy}[0])"):
        done = subprocess.run([sys.executable, "-c", f"import sys, {code}"], capture_output=True, text=True, check=True)
        assert done.stdout in ("[]\n", "sympy\n")


def test_a_gold_that_does_not_parse(helper: algebra.Helper) -> None:
    assert helper.ask(r"\frac{1}{", "1") is None
    assert helper.ask("x+1", r"\frac{1}{") is False
    assert helper.ask("x+1", "1+x") is True


def test_time_that_runs_out_makes_an_answer_wrong(helper: algebra.Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    assert grade("(x-1)(x+1)") is Grade.RIGHT
    first = process(helper)
    monkeypatch.setattr(algebra, "LIMIT", 1.0)
    start = time.monotonic()
    assert grade(SLOW) is Grade.WRONG
    assert 0.9 < time.monotonic() - start < 10
    assert first.poll() is not None, "nothing goes on counting"
    monkeypatch.undo()
    monkeypatch.setattr(algebra, "_helper", helper)
    assert grade("(x+1)(x-1)") is Grade.RIGHT
    assert process(helper) is not first


def test_time_that_runs_out_over_the_gold_makes_it_invalid(
    helper: algebra.Helper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot be told then; right it is not."""
    assert grade("x^2-1") is Grade.RIGHT
    monkeypatch.setattr(algebra, "LIMIT", 0.5)
    os.kill(process(helper).pid, signal.SIGSTOP)
    assert grade("(x-1)(x+1)") is Grade.INVALID


def test_a_helper_that_was_killed_is_replaced(helper: algebra.Helper) -> None:
    """Between two questions, and with a question on its hands."""
    assert grade("(x-1)(x+1)") is Grade.RIGHT
    process(helper).kill()
    assert grade("-1+x^2") is Grade.RIGHT
    stopped = process(helper)
    os.kill(stopped.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(grade, "x*x-1")
        time.sleep(0.3)
        stopped.kill()
        assert asked.result(timeout=60) is Grade.RIGHT
    assert process(helper) is not stopped


def test_an_answer_that_kills_each_helper_is_wrong(helper: algebra.Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    """As one would that is too large for the memory limit; the gold answer was read before."""
    asked = []

    def dies(question: bytes) -> tuple[list[bytes], bool]:
        asked.append(question)
        return [b"yes\n"], False

    monkeypatch.setattr(helper, "_exchange", dies)
    assert grade("x-1") is Grade.WRONG
    assert len(asked) == 2, "once more, then no more"
    monkeypatch.undo()
    monkeypatch.setattr(algebra, "_helper", helper)
    assert grade("(x-1)(x+1)") is Grade.RIGHT


def test_no_helper_can_be_started(helper: algebra.Helper, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checker that fails is neither a reward nor a mistake of the model; later it may work again."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert grade("(x-1)(x+1)") is Grade.INVALID
    monkeypatch.undo()
    monkeypatch.setattr(algebra, "_helper", helper)
    assert grade("(x-1)(x+1)") is Grade.RIGHT


def test_eight_threads(helper: algebra.Helper) -> None:
    """Answers do not get mixed up: each thread has gold answers of its own, in an order of its own."""
    start = threading.Barrier(8)

    def work(number: int) -> list[bool]:
        start.wait()
        found = []
        for index in range(5):
            power = (index * 5 + number) % 12 + 2
            found.append(grade(f"(x^{power})(x+{number})", f"x^{{{power + 1}}}+{number}x^{{{power}}}") is Grade.RIGHT)
            found.append(grade(f"x^{power + 1}+{number}", f"x^{{{power + 1}}}+{number}x^{{{power}}}") is Grade.WRONG)
        return found

    with ThreadPoolExecutor(8) as pool:
        assert all(all(found) for found in pool.map(work, range(1, 9)))


def test_the_helper_ends_with_its_parent() -> None:
    """Even when it is killed; otherwise each crash of a run would leave a process behind."""
    code = (
        "import sys, time; from candor.problems import algebra; assert algebra.same('x', 'x'); "
        "print(algebra._helper.process.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    end = time.monotonic() + 30
    while os.path.exists(f"/proc/{child}") and time.monotonic() < end:
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{child}")


def test_a_forked_child_has_a_helper_of_its_own() -> None:
    """Two processes that read one pipe would get each other's verdicts."""
    code = """
import os
from candor.problems import algebra

assert algebra.same("x", "x") is True
before = algebra._helper.process.pid
child = os.fork()
for power in range(2, 30):
    assert algebra.same(f"x^{{{power}}}", f"x^{{{power + (child == 0)}}}") is (child != 0)
after = algebra._helper.process.pid
assert (after == before) is (child != 0)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_helper_has_a_memory_limit(helper: algebra.Helper) -> None:
    assert grade("(x-1)(x+1)") is Grade.RIGHT
    limits = Path(f"/proc/{process(helper).pid}/limits")
    if not limits.exists():
        pytest.skip("needs /proc")
    line = next(line for line in limits.read_text().splitlines() if line.startswith("Max address space"))
    assert line.split()[3] == str(2**30)
