"""Rewards one by one, and a rubric whose rewards may abstain or fail."""

import dataclasses
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from candor.errors import ConfigError, TrainingError
from candor.problems import Problem
from candor.problems.families import FAMILIES
from candor.problems.golds import Maths, NoAnswer
from candor.problems.problem import Unreadable
from candor.rl.rubric import (
    REFLECTION,
    Pair,
    Response,
    Rubric,
    Scored,
    abstention,
    accuracy,
    format_,
    language,
    length,
    means,
)

SEVEN = Problem(family="t", version=1, lang="en", prompt="3 + 4?", gold=Maths("7"))
CHINESE = Problem(family="t", version=1, lang="zh", prompt="3 + 4？", gold=Maths("7"))
UNKNOWN = Problem(family="t", version=1, lang="en", prompt="?", gold=NoAnswer("en"))
X = Response("x")


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
    assert accuracy(SEVEN, Response(response)) == reward


def test_an_answer_that_cannot_be_judged_is_no_reward() -> None:
    odd = Problem(family="t", version=1, lang="en", prompt="?", gold=Unreadable("odd"))
    assert accuracy(odd, Response("\\boxed{7}")) is None


def test_not_knowing_has_a_reward_of_its_own() -> None:
    """And it is none of accuracy's: else a mean accuracy would mix two questions."""
    says_so, guesses = (
        Response(f"<think>no</think><answer>{text}</answer>") for text in ("It cannot be determined.", "7")
    )
    assert abstention(UNKNOWN, says_so) == 1 and abstention(UNKNOWN, guesses) == 0
    assert accuracy(UNKNOWN, says_so) is None and accuracy(UNKNOWN, guesses) is None
    assert abstention(SEVEN, says_so) == -1 and abstention(SEVEN, guesses) is None


@pytest.mark.parametrize("family", ["safety", "requests"])
def test_behaviour_without_a_value_has_no_accuracy(family: str) -> None:
    assert accuracy(dataclasses.replace(SEVEN, family=family), Response("\\boxed{7}")) is None


def test_an_answer_within_a_thought_that_never_ends_is_none() -> None:
    """The opening tag stands in the prompt: without it the thought would read as an answer."""
    assert accuracy(SEVEN, Response("so it is \\boxed{7}", opened=True)) == 0
    assert accuracy(SEVEN, Response("3 + 4</think>\\boxed{7}", opened=True)) == 1


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
    assert format_(SEVEN, Response(response)) == good


@pytest.mark.parametrize(
    ("response", "good"),
    [
        ("a</think>b", True),
        ("\na\nb\n</think>\n\nb", True),
        ("\n</think>\n\nb", False),
        ("a</think>\n", False),
        ("a", False),
        ("a</think>b</think>c", False),
        ("<think>a</think>b", False),
        ("a</think><answer>b</answer>", False),
    ],
)
def test_format_where_the_prompt_opened_the_thought(response: str, good: bool) -> None:
    assert format_(SEVEN, Response(response, opened=True)) == good


def test_a_greeting_needs_no_thought_but_an_answer() -> None:
    """There is nothing to work out; a sum without a thought has no format."""
    (greeting,) = FAMILIES["requests"].generate(0, 1)
    assert format_(greeting, Response("\n</think>\n\nHello!", opened=True)) == 1
    assert format_(greeting, Response("<think></think><answer>Hello!</answer>")) == 1
    assert format_(greeting, Response("\n</think>\n\n", opened=True)) == 0 == format_(greeting, Response("Hello!"))


def test_a_long_response_without_an_end_is_judged_at_once() -> None:
    for text in ("<think>" + "<" * 50_000, "<" * 50_000):
        assert format_(SEVEN, Response(text)) == format_(SEVEN, Response(text, opened=True)) == 0


@pytest.mark.parametrize(
    ("tokens", "most", "reward"),
    [(10, 80, 0), (60, 80, 0), (70, 80, -0.5), (80, 80, -1), (99, 80, -1), (1, 1, -1), (10, 0, None), (0, 3, 0)],
)
def test_the_last_quarter_costs(tokens: int, most: int, reward: float | None) -> None:
    assert length(SEVEN, Response("x", tokens, most)) == reward


@pytest.mark.parametrize(
    ("problem", "response", "share"),
    [
        (SEVEN, "<think>first add</think><answer>7</answer>", 1.0),
        (CHINESE, "<think>first add</think><answer>7</answer>", 0.0),
        (CHINESE, "先加 then 再减", 4 / 5),
        (SEVEN, "先加 then", 1 / 3),
        (CHINESE, "先加。\n</think>\n\n答案是 \\boxed{7}。", 1.0),  # the box is no English
        (SEVEN, "<think>3 + 4 = 7</think><answer>7</answer>", None),  # no words, nothing to say
    ],
)
def test_language(problem: Problem, response: str, share: float | None) -> None:
    assert language(problem, Response(response)) == (share if share is None else pytest.approx(share))


# The rubric.


def score(rubric: Rubric, problem: Problem = SEVEN) -> Scored:
    (scored,) = rubric.score_all([(problem, X)])
    return scored


def test_a_rubric_is_a_weighted_sum_and_abstaining_adds_nothing() -> None:
    rubric = Rubric({"a": 2.0, "b": 0.5, "c": 1.0}, {"a": lambda *_: 0.5, "b": lambda *_: 1.0, "c": lambda *_: None})
    scored = score(rubric)
    assert scored == Scored(total=1.5, parts={"a": 0.5, "b": 1.0, "c": None})
    assert means([scored, scored]) == {"a": 0.5, "b": 1.0, "c_abstained": 1.0}


def test_each_response_gets_its_own_scores() -> None:
    """Threads finish in any order."""

    def slow(problem: Problem, response: Response) -> float:
        time.sleep(0.002 * (response.tokens % 3))
        return response.tokens

    def doubled(pairs: Sequence[Pair]) -> list[float]:
        return [2 * response.tokens for _, response in pairs]

    pairs = [(SEVEN, Response("x", tokens)) for tokens in range(40)]
    scored = Rubric({"slow": 1.0, "doubled": 10.0}, {"slow": slow}, {"doubled": doubled}).score_all(pairs)
    assert [one.total for one in scored] == [21 * tokens for tokens in range(40)]


def test_nothing_to_score() -> None:
    assert Rubric({"accuracy": 1.0}).score_all([]) == [] and means([]) == {}


def raising(problem: Problem, response: Response) -> float:
    raise KeyError("user's fault")


@pytest.mark.parametrize("bad", [raising, lambda *_: math.nan, lambda *_: math.inf, lambda *_: "high"])
def test_a_reward_that_fails_takes_the_response_out_and_says_why(bad: Any) -> None:
    scored = score(Rubric({"a": 1.0, "bad": 1.0}, {"a": lambda *_: 1.0, "bad": bad}))
    assert scored.total is None and scored.parts == {"a": 1.0, "bad": None}
    assert len(scored.failed) == 1 and scored.failed[0].startswith("bad: ")
    assert means([scored]) == {"a": 1.0}, "failing is not abstaining"


@pytest.fixture
def never() -> Any:
    """An event that is set when the test ends, so that hanging threads end too."""
    event = threading.Event()
    yield event
    event.set()


def test_a_reward_that_hangs_costs_its_own_response_only(never: threading.Event) -> None:
    def hangs(problem: Problem, response: Response) -> float:
        if response.tokens in (3, 5):
            never.wait()
        return 1.0

    rubric = Rubric({"a": 1.0, "hangs": 1.0}, {"a": lambda *_: 1.0, "hangs": hangs}, timeout=0.1)
    start = time.monotonic()
    scored = rubric.score_all([(SEVEN, Response("x", tokens)) for tokens in range(20)])
    assert time.monotonic() - start < 5
    assert [place for place, one in enumerate(scored) if one.total is None] == [3, 5]
    assert scored[3].parts == {"a": 1.0, "hangs": None}
    assert scored[3].failed == ("hangs: TimeoutError('no value after 0.1 s')",)


def test_a_reward_that_always_hangs_stops_the_run(never: threading.Event) -> None:
    """And no more than eight of its threads are left behind."""
    calls = []

    def hangs(problem: Problem, response: Response) -> None:
        calls.append(response)
        never.wait()

    rubric = Rubric({"a": 1.0, "hangs": 1.0}, {"a": lambda *_: 1.0, "hangs": hangs}, timeout=0.05)
    scored = rubric.score_all([(SEVEN, X)] * 5)
    assert [one.total for one in scored] == [None] * 5
    with pytest.raises(TrainingError, match=r"the reward hangs hangs: 8 calls have not returned after 0\.05 s"):
        rubric.score_all([(SEVEN, X)] * 100)
    assert len(calls) <= 8 + 3, "the three others were running when the eighth was given up"


def test_a_thread_that_returned_late_no_longer_counts() -> None:
    def late(problem: Problem, response: Response) -> float:
        time.sleep(0.03)
        return 1.0

    rubric = Rubric({"late": 1.0}, {"late": late}, timeout=0.01)
    for _ in range(6):
        assert [one.total for one in rubric.score_all([(SEVEN, X)] * 2)] == [None, None]
        time.sleep(0.05)


def broken(pairs: Sequence[Pair]) -> list[float]:
    raise KeyError("no model")


@pytest.mark.parametrize(
    ("bad", "totals", "says"),
    [
        (broken, [None, None], "KeyError('no model')"),
        (lambda pairs: [1.0], [None, None], "it gave 1 values for 2 responses"),
        (lambda pairs: [1.0, math.nan], [2.0, None], "it gave nan"),
        (lambda pairs: None, [None, None], "not iterable"),
    ],
)
def test_a_batch_reward_that_fails(bad: Callable[..., Any], totals: list[float | None], says: str) -> None:
    rubric = Rubric({"a": 1.0, "bad": 1.0}, {"a": lambda *_: 1.0}, {"bad": bad})
    scored = rubric.score_all([(SEVEN, X), (CHINESE, X)])
    assert [one.total for one in scored] == totals and says in scored[1].failed[0]


def test_a_batch_reward_is_asked_once_and_may_abstain() -> None:
    asked = []

    def english(pairs: Sequence[Pair]) -> list[float | None]:
        asked.append(len(pairs))
        return [0.25 if problem.lang == "en" else None for problem, _ in pairs]

    scored = Rubric({"english": 2.0}, batch={"english": english}).score_all([(SEVEN, X), (CHINESE, X)] * 4)
    assert [one.total for one in scored] == [0.5, 0] * 4 and asked == [8]
    assert means(scored) == {"english": 0.25, "english_abstained": 0.5}


def test_rewards_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match="name some of accuracy"):
        Rubric({"acuracy": 1.0})
    with pytest.raises(ConfigError):
        Rubric({})
    with pytest.raises(ConfigError, match="helpfulness and safety need a reward model"):
        Rubric({"safety": 1.0})


def test_reflection_words_in_both_languages() -> None:
    assert len(REFLECTION.findall("Wait, that is wrong. Let me check: butter is no word.")) == 3
    assert len(REFLECTION.findall("等等，不对，让我检查一下。")) == 3
