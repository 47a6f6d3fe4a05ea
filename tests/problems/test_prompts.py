"""Worked answers that reflect: right, in the tags, and with a check that is true."""

import operator
import re

import pytest

from candor.problems import Grade, Problem
from candor.problems.families import FAMILIES
from candor.problems.golds import Choice, Maths
from candor.problems.problem import Lang
from candor.problems.prompts import reflective, steps_of

SUM = re.compile(r"(?:check: |检查一下：)(\(?-?\d+\)?) ([-+*/]) (\(?-?\d+\)?) = (-?\d+)[.。]")
SIGNS = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
VALUES = [name for name, family in FAMILIES.items() if family.form == "value"]


def number(text: str) -> int:
    return int(text.strip("()"))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", VALUES)
def test_a_reflective_answer_is_right_and_its_check_holds(name: str, lang: Lang) -> None:
    """It teaches checking: a check that is false, or only says the step again, would teach the opposite."""
    for difficulty in (1, 3, 5):
        for problem in FAMILIES[name].generate(0, 10, difficulty, lang):
            text = reflective(problem)
            thought, _, answer = text.partition("\n</think>\n")
            assert thought.startswith("<think>\n") and re.fullmatch(r"<answer>.+</answer>", answer, re.S)
            assert problem.gold.grade(text, strict=True) is Grade.RIGHT
            assert ("Let me check: " if lang == "en" else "检查一下：") in thought
            if name in ("arithmetic", "countdown", "sequence"):
                assert SUM.search(thought), thought
            if found := SUM.search(thought):
                a, sign, b, c = found.groups()
                assert SIGNS[sign](number(a), number(b)) == number(c)
                assert f"{a} {sign} {b} = {c}" not in thought[: found.start()]


def test_a_sum_is_undone_with_its_signs() -> None:
    def checked(solution: str, gold: str) -> str:
        problem = Problem(family="t", version=1, lang="en", prompt="?", gold=Maths(gold), solution=solution)
        found = re.search("check: (.*?)\\.", reflective(problem))
        assert found
        return found[1]

    assert checked("7 - 16 = -9", "-9") == "(-9) + 16 = 7"
    assert checked("121 + (-32) = 89", "89") == "89 - (-32) = 121"
    assert checked("Each: 57 / 3 = 19", "19") == "19 * 3 = 57"
    assert checked("6 * 7 = 42", "42") == "42 / 7 = 6"
    for not_to_be_undone in ("6 * 0 = 0", "7 / 2 = 3", "2 + 2 = 5", "8 * 4 + 5 = 37", "x3 + 4 = 7"):
        assert checked(not_to_be_undone, "0") == "going through it once more, I get 0 again"


def test_steps_are_the_solution_without_the_answer_it_ends_in() -> None:
    def steps(solution: str, gold: str, **more: object) -> str:
        own = {"family": "t", "version": 1, "lang": "en", "prompt": "?", "gold": Maths(gold), "solution": solution}
        return steps_of(Problem(**{**own, **more}))  # type: ignore[arg-type]

    assert steps("10 - 1 = 9", "9") == "10 - 1 = 9"
    assert steps("Letters: a b\n2", "2") == "Letters: a b"
    assert steps("2", "2") == ""
    assert steps("def f(): ...", "2", form="code") == steps("Dear Ann, ...", "2", form="free") == ""


def test_options_are_named() -> None:
    gold = Choice(right=(1,), options=("Rome", "Paris"))
    problem = Problem(family="t", version=1, lang="en", prompt="A. Rome B. Paris", gold=gold, form="option")
    assert reflective(problem).endswith("<answer>B. Paris</answer>")
