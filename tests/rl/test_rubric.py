"""Rewards one by one, and a rubric whose rewards may abstain or fail."""

import math

import pytest

from candor.errors import ConfigError
from candor.problems import Problem
from candor.problems.golds import Maths, NoAnswer
from candor.problems.problem import Unreadable
from candor.rl.rubric import REFLECTION, Rubric, accuracy, format_, language, means

SEVEN = Problem(family="t", version=1, lang="en", prompt="3 + 4?", gold=Maths("7"))
CHINESE = Problem(family="t", version=1, lang="zh", prompt="3 + 4？", gold=Maths("7"))


@pytest.mark.parametrize(
    ("response", "reward"),
    [
        ("<think>3 + 4</think><answer>7</answer>", 1.0),
        ("<think>3 + 4</think><answer>8</answer>", 0.0),
        ("\\boxed{7}", 1.0),
        ("the answer is 7", 0.0),  # only in the place made for it: else RL learns to spray numbers
        ("7", 0.0),
        ("<think>\\boxed{7}</think>", 0.0),
        ("", 0.0),
    ],
)
def test_accuracy_counts_only_the_place_made_for_the_answer(response: str, reward: float) -> None:
    assert accuracy(SEVEN, response) == reward


def test_an_answer_that_cannot_be_judged_is_no_reward() -> None:
    odd = Problem(family="t", version=1, lang="en", prompt="?", gold=Unreadable("odd"))
    assert accuracy(odd, "\\boxed{7}") is None


def test_not_knowing_is_right_where_nothing_can_be_known() -> None:
    unknown = Problem(family="t", version=1, lang="en", prompt="?", gold=NoAnswer("en"))
    assert accuracy(unknown, "<think>no</think><answer>It cannot be determined.</answer>") == 1
    assert accuracy(unknown, "<think>no</think><answer>7</answer>") == 0


@pytest.mark.parametrize(
    ("response", "good"),
    [
        ("<think>a</think><answer>b</answer>", True),
        (" <think>\na\nb\n</think>\n<answer>b</answer>\n", True),
        ("<think></think><answer>b</answer>", False),
        ("<think>a</think><answer></answer>", False),
        ("<answer>b</answer>", False),
        ("<think>a</think>b", False),
        ("<think>a</think><answer>b</answer> and more", False),
        ("<think>a</think><answer>b</answer><answer>b</answer>", False),
        ("<think>a<think>b</think></think><answer>b</answer>", False),
        ("<answer>b</answer><think>a</think>", False),
        ("x<think>a</think><answer>b</answer>", False),
        ("<think>a</think><answer>b", False),
    ],
)
def test_format(response: str, good: bool) -> None:
    assert format_(SEVEN, response) == good


def test_a_long_response_without_an_end_is_judged_at_once() -> None:
    assert format_(SEVEN, "<think>" + "<" * 50_000) == 0


@pytest.mark.parametrize(
    ("problem", "response", "share"),
    [
        (SEVEN, "<think>first add</think><answer>7</answer>", 1.0),
        (CHINESE, "<think>first add</think><answer>7</answer>", 0.0),
        (CHINESE, "先加 then 再减", 4 / 5),
        (SEVEN, "先加 then", 1 / 3),
        (SEVEN, "<think>3 + 4 = 7</think><answer>7</answer>", None),  # no words, nothing to say
    ],
)
def test_language(problem: Problem, response: str, share: float | None) -> None:
    assert language(problem, response) == (share if share is None else pytest.approx(share))


def test_a_rubric_is_a_weighted_sum_and_abstaining_adds_nothing() -> None:
    rubric = Rubric({"a": 2.0, "b": 0.5, "c": 1.0}, {"a": lambda *_: 0.5, "b": lambda *_: 1.0, "c": lambda *_: None})
    scored = rubric.score(SEVEN, "x")
    assert scored.total == 1.5 and scored.parts == {"a": 0.5, "b": 1.0, "c": None} and not scored.failed
    assert means([scored, scored]) == {"a": 0.5, "b": 1.0}


def raising(problem: Problem, response: str) -> float:
    raise KeyError("user's fault")


@pytest.mark.parametrize("bad", [raising, lambda *_: math.nan, lambda *_: math.inf, lambda *_: "high"])
def test_a_reward_that_fails_takes_the_response_out_and_says_why(bad: object) -> None:
    scored = Rubric({"a": 1.0, "bad": 1.0}, {"a": lambda *_: 1.0, "bad": bad}).score(SEVEN, "x")  # type: ignore[dict-item]
    assert scored.total is None and scored.parts == {"a": 1.0, "bad": None}
    assert len(scored.failed) == 1 and scored.failed[0].startswith("bad: ")


def test_rewards_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match="name some of accuracy"):
        Rubric({"acuracy": 1.0})
    with pytest.raises(ConfigError):
        Rubric({})


def test_reflection_words_in_both_languages() -> None:
    assert len(REFLECTION.findall("Wait, that is wrong. Let me check: butter is no word.")) == 3
    assert len(REFLECTION.findall("等等，不对，让我检查一下。")) == 3
