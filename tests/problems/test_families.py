"""What holds for all families: the contract of `Family`, and that nobody moves problems between splits unawares."""

import re

import pytest

from candor.errors import ConfigError
from candor.problems.families import FAMILIES
from candor.problems.problem import LEVELS, Family, Grade
from candor.problems.prompts import worked

EVERY = pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES.keys())

PINNED = {
    "arithmetic": (1, ["669efc429a1085e3", "1a65371ba2956da4", "ee324a8a7ccffcb2"]),
    "countdown": (1, ["6259e0f2de2c7ee3", "d0bce1d31a5b164b", "9a759d572ceffd1e"]),
    "words": (1, ["608cef66c38b89c2", "668e9d7fc4171e6f", "57032a45befdb8c1"]),
    "sequence": (1, ["46c824e6ddb3b144", "cf031b4f30dfb817", "3761442d0fcd4100"]),
    "letters": (1, ["201a3e7a4b0a9e4f", "ce164bfe46ad1d39", "6d61542e5d80f1bd"]),
    "logic": (1, ["12b65b6eee142226", "bb6233c423416de6", "a130ef3510d5d1c7"]),
    "output": (1, ["512e15ec64ecedca", "f0905c0bcfc2b484", "115a2a2c24707b08"]),
    "function": (1, ["470f61385b125e48", "10e42679aef35692", "8a0250d2fcda8d80"]),
    "unanswerable": (1, ["de2b981e70be755b", "561e3547d089127f", "1182f58453a35ea8"]),
    "safety": (2, ["2f7198af2432c1cd", "a3300c1e2dde65ab", "b5eb6331ffce7940"]),
    "requests": (1, ["c89936bdefd47261", "1825b331d8831412", "124c433edc79960d"]),
}
"""Ids of the first test problems by seed 0 at difficulty 2, in English."""


@EVERY
def test_the_first_test_problems_are_those_that_were_published(family: Family[object]) -> None:
    """Where this fails, problems have moved: raise `version` of the family and pin the new ids."""
    ids = [problem.id for problem in family.generate(0, 3, 2, split="test")]
    assert (family.version, ids) == PINNED[family.name]


@EVERY
def test_difficulties_and_numbers_that_there_are_not(family: Family[object]) -> None:
    for difficulty in (0, LEVELS + 1):
        with pytest.raises(ConfigError, match="must lie between 1 and 5"):
            family.generate(0, 1, difficulty)


@EVERY
def test_splits_do_not_meet_in_any_seed_language_or_difficulty(family: Family[object]) -> None:
    """By the numbers, letters and code of the question, which both languages share."""
    seen: dict[str, set[str]] = {"train": set(), "test": set()}
    for split in ("train", "test"):
        for seed in range(2):
            for difficulty in (1, 3, 5):
                for lang in ("en", "zh"):
                    problems = family.generate(seed, 20, difficulty, lang, split=split)  # type: ignore[arg-type]
                    seen[split] |= {problem.prompt for problem in problems}
    assert len(seen["train"]) > 200 and not seen["train"] & seen["test"]


@EVERY
def test_what_is_worked_is_right_and_what_is_empty_is_not(family: Family[object]) -> None:
    for lang in ("en", "zh"):
        for problem in family.generate(3, 4, 2, lang):  # type: ignore[arg-type]
            right = problem.solution if problem.form == "free" else worked(problem)
            assert family.check(problem, right) is Grade.RIGHT
            assert family.check(problem, "") is Grade.WRONG
            assert family.check(problem, f"<think>{right}</think>") is Grade.WRONG
            assert problem.form == family.form and (problem.form == "code") == ("def f(" in problem.solution)
            assert bool(re.search(r"[一-鿿]", problem.prompt)) == (lang == "zh")


def test_a_family_that_runs_out_of_problems_says_so() -> None:
    from tests.problems.small import Coin

    with pytest.raises(ConfigError, match=r"coin at difficulty 1 has only about \d+ different train problems"):
        Coin().generate(0, 50)
