"""Pairs by judging: what the order of two answers does cancels out, and chosen answers are no longer than rejected."""

import dataclasses
import json
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from candor.data.dialogues import LeftOut
from candor.data.preferences import Preference
from candor.errors import ConfigError, RequestError, Unreachable
from candor.evaluate.subject import Local
from candor.infer import Completion, Engine, SamplingParams
from candor.infer.params import Done, Prompt
from candor.problems import Problem
from candor.problems.problem import Gold, Grade, Lang
from candor.stages.judge import PROMPTS, Judge, ModelJudge, RuleJudge, balanced, prefer
from candor.text import Tokenizer
from tests.model.test_transformer import build


@dataclass(frozen=True)
class Wanted(Gold):
    """Stands for general requests: how many of the wanted words an answer has."""

    words: tuple[str, ...] = ("red", "blue", "green", "black")

    def __str__(self) -> str:
        return " ".join(self.words)

    def answer(self, response: str, *, strict: bool = False) -> str | None:
        return response

    def grade(self, response: str, *, strict: bool = False) -> Grade:
        return Grade.INVALID

    def scores(self, response: str) -> dict[str, float]:
        return {"helpful": sum(word in response for word in self.words) / len(self.words)}


def request(number: int = 0, lang: Lang = "en") -> Problem:
    prompt = {"en": f"Name {number} colours.", "zh": f"说出{number}种颜色。"}[lang]
    return Problem(family="requests", version=1, lang=lang, form="free", prompt=prompt, gold=Wanted())


class Scripted:
    """A judge by a function of the two answers; remembers how it was asked."""

    name = "scripted"

    def __init__(self, say: Callable[[str, str], int | None]):
        self.say, self.asked, self._lock = say, list[tuple[str, str, int]](), threading.Lock()

    def judge(self, problem: Problem, a: str, b: str, seed: int) -> int | None:
        with self._lock:
            self.asked.append((a, b, seed))
        return self.say(a, b)


def better(a: str, b: str) -> int:
    """Much better is who comes first in the alphabet."""
    return 2 if a < b else -2


# What is kept.


@pytest.mark.parametrize("always", [2, -2])
@pytest.mark.parametrize("calls", [2, 4, 6])
def test_a_judge_who_likes_the_first_answer_makes_no_pairs(always: int, calls: int) -> None:
    """Orders drawn freely would be four times the same for one pair in eight, and its noise would be learnt."""
    left_out = LeftOut()
    judge = Scripted(lambda a, b: always)
    answered = [(request(number), ["one", "two"]) for number in range(40)]
    assert prefer(judge, answered, calls=calls, left_out=left_out) == []
    assert left_out.counts() == {"the judge was not sure": 40} and len(judge.asked) == 40 * calls
    assert len({seed for *_, seed in judge.asked}) == 40 * calls, "no call repeats the dice of another"


def test_each_answer_comes_first_as_often_in_random_turn() -> None:
    judge = Scripted(better)
    prefer(judge, [(request(number), ["a", "b"]) for number in range(30)])
    turns = [tuple(a for a, _, _ in sorted(judge.asked, key=lambda one: one[2])[n : n + 4]) for n in range(0, 120, 4)]
    assert all(turn.count("a") == 2 for turn in turns) and len(set(turns)) > 3


@pytest.mark.parametrize(("a_first", "b_first", "kept"), [(2, -2, 1), (2, -1, 1), (2, 0, 0), (1, -1, 0), (0, -2, 0)])
def test_only_what_it_is_sure_of(a_first: int, b_first: int, kept: int) -> None:
    """A mean difference of more than 1, whichever way round it was asked."""
    judge = Scripted(lambda a, b: a_first if a == "yes" else b_first)
    (found,) = prefer(judge, [(request(), ["no!", "yes"])]) or [None]
    assert bool(found) == kept
    if found:
        assert (found.chosen, found.rejected, found.origin) == ("yes", "no!", "team-automatic")
        assert found.messages == ({"role": "user", "content": "Name 0 colours."},)


def test_every_two_answers_are_compared_once() -> None:
    judge = Scripted(better)
    found = prefer(judge, [(request(), ["b", "c", "a", "b"])], calls=2)
    assert {(one.chosen, one.rejected) for one in found} == {("a", "b"), ("b", "c"), ("a", "c")}


def test_final_answers_are_judged_and_whole_ones_kept() -> None:
    judge, left_out = Scripted(better), LeftOut()
    answered = [(request(), ["<think>z</think>a", "<think>b</think>b", "<think>a"]), (request(1), ["x", "x"])]
    (found,) = prefer(judge, answered, left_out=left_out)
    assert (found.chosen, found.rejected) == ("<think>z</think>a", "<think>b</think>b")
    assert {a for a, _, _ in judge.asked} == {"a", "b"}
    assert left_out.counts() == {"no final answer": 1, "no two answers that differ": 1}


def test_a_call_without_a_judgement_drops_the_pair() -> None:
    """With one call less the orders would no longer be even."""
    left_out = LeftOut()
    assert prefer(Scripted(lambda a, b: 2 if a < b else None), [(request(), ["a", "b"])], left_out=left_out) == []
    assert left_out.counts() == {"the judge gave no judgement": 1}


@pytest.mark.parametrize("calls", [0, 3, -2])
def test_odd_calls_are_refused(calls: int) -> None:
    with pytest.raises(ConfigError, match=f"calls={calls} must be even"):
        prefer(Scripted(better), [], calls=calls)


# Lengths.


def pair(chosen: int, rejected: int, place: str = "a row") -> Preference:
    return Preference(
        messages=({"role": "user", "content": "?"},), chosen="a" * chosen, rejected="b" * rejected,
        origin="team-automatic", place=place,
    )  # fmt: skip


@pytest.mark.parametrize("longer", [1, -1])
def test_chosen_answers_are_no_longer_than_rejected_ones(longer: int) -> None:
    chance, left_out = random.Random(3), LeftOut()
    sizes = [(chance.randint(20, 60), chance.randint(5, 40)) for _ in range(200)]
    found = balanced([pair(*size[::longer]) for size in sizes], left_out)
    sums = [sum(len(text) for text in side) for side in zip(*(one.responses for one in found), strict=True)]
    assert abs(sums[0] - sums[1]) <= 0.1 * min(sums)
    assert 50 < len(found) == 200 - left_out.counts()["dropped to balance the lengths"]


def test_one_long_answer_costs_one_pair() -> None:
    left_out = LeftOut()
    found = balanced([*(pair(10, 10, f"{n}") for n in range(9)), pair(500, 10, "long")], left_out)
    assert len(found) == 9 and left_out.rows == [("dropped to balance the lengths", "long")]
    assert balanced([], left_out) == [] and balanced([pair(10, 11)], left_out) == [pair(10, 11)]


# Judges.


def test_a_rule_in_place_of_a_judge() -> None:
    answers = ["red.................", "red and blue........", "red, blue and green.",
               "<think>red blue green black</think>no.................."]  # fmt: skip
    found = prefer(RuleJudge(), [(request(), answers)], calls=1)
    ends = {tuple(text.rpartition(">")[2].rstrip(".") for text in one.responses) for one in found}
    assert ends == {("red, blue and green", "no"), ("red, blue and green", "red"), ("red and blue", "no")}
    other = dataclasses.replace(request(), gold=Unmeasured())
    assert RuleJudge().judge(other, "red", "", 0) is None


class Unmeasured(Wanted):
    def scores(self, response: str) -> dict[str, float]:
        return {}


class Subject:
    """A model by a function of what it is asked."""

    name, fingerprint, opening = "subject", "f", ""

    def __init__(self, say: Callable[[str], str | RequestError]):
        self.say, self.asked, self.params = say, list[str](), list[SamplingParams]()

    def chat(self, message: str) -> Prompt:
        return message

    def generate(self, prompts: Sequence[Prompt], params: Sequence[SamplingParams], done: Done) -> list[Completion]:
        found = []
        for prompt, one in zip(prompts, params, strict=True):
            assert isinstance(prompt, str)
            self.asked.append(prompt)
            self.params.append(one)
            said = self.say(prompt)
            text, error = ("", said) if isinstance(said, RequestError) else (said, None)
            reason: Any = "error" if error else "stop"
            found.append(Completion(token_ids=(), text=text, logprobs=(), finish_reason=reason, error=error))
        return found

    def likelihood(self, *_: Any) -> Any:
        raise AssertionError("not asked for")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A is fuller. [[A>>B]]", 2),
        ("[[A>B]]", 1),
        ("[[A=B]]\n", 0),
        ("回答 B 更好。[[B>A]]", -1),
        ("[[B>>A]] as I said: [[B>>A]]", -2),
        ("<think>[[A>>B]]? no.</think>[[B>A]]", -1),
        ("<think>[[A>>B]]", None),
        ("[[A>B]] or [[A>>B]]", None),
        ("A>>B", None),
        ("", None),
    ],
)
def test_the_label_is_what_counts(text: str, value: int | None) -> None:
    assert ModelJudge(Subject(lambda _: text)).judge(request(), "x", "y", 0) == value


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_a_model_is_asked(lang: Lang) -> None:
    """In the language of the request; what an answer says of {a} stays as it is."""
    subject = Subject(lambda _: "[[A=B]]")
    ModelJudge(subject, temperature=0.5, max_tokens=9).judge(request(4, lang), "first {b}", "second {request}", 11)
    (told,) = subject.asked
    before = PROMPTS[lang].partition("{request}")[0]
    parts = [before, request(4, lang).prompt, "first {b}", "second {request}"]
    assert [told.count(part) for part in parts] == [1] * 4 and parts == sorted(parts, key=told.index)
    assert all(f"[[{label}]]" in before for label in ("A>>B", "A>B", "A=B", "B>A", "B>>A"))
    (params,) = subject.params
    assert (params.temperature, params.max_tokens, params.seed) == (0.5, 9, 11)


def test_an_engine_of_this_process_judges() -> None:
    """One that knows nothing: it ends without a label, and the pair is dropped."""
    tokenizer = Tokenizer.train([PROMPTS["en"]], 330)
    config = dataclasses.replace(build().config, vocab_size=330, max_position_embeddings=1024)
    with Engine(build(config), tokenizer, compile=False) as engine:
        judge: Judge = ModelJudge(Local(lambda: engine, "m", "f"), max_tokens=4)
        left_out = LeftOut()
        assert prefer(judge, [(request(), ["a", "b"])], calls=2, left_out=left_out) == []
    assert left_out.counts() == {"the judge gave no judgement": 1}


# Going on.


def test_judgements_are_kept(tmp_path: Path) -> None:
    """A server that dies in the middle costs nothing that was judged; another judge does not inherit it."""
    path, left = tmp_path / "judged.jsonl", [5]

    def dying(prompt: str) -> str | RequestError:
        left[0] -= 1
        return "[[A>>B]]" if left[0] >= 0 else Unreachable("it is gone")

    answered = [(request(number), ["a", "b"]) for number in range(3)]
    with pytest.raises(Unreachable, match="it is gone; the others are kept"):
        prefer(ModelJudge(Subject(dying)), answered, path=path)
    assert len(path.read_text().splitlines()) == 5
    subject = Subject(lambda _: "[[A>>B]]")
    assert prefer(ModelJudge(subject), answered, path=path) == [] and len(subject.asked) == 7
    assert prefer(ModelJudge(subject), answered, path=path) == [] and len(subject.asked) == 7
    with pytest.raises(ConfigError, match="holds answers of another model, task or setting"):
        prefer(RuleJudge(), answered, path=path)


def test_a_request_that_is_refused_is_no_judgement(tmp_path: Path) -> None:
    subject = Subject(lambda prompt: RequestError("too long") if "Name 1" in prompt else "[[A=B]]")
    left_out = LeftOut()
    path = tmp_path / "judged.jsonl"
    answered = [(request(number), ["a", "b"]) for number in range(2)]
    assert prefer(ModelJudge(subject), answered, path=path, left_out=left_out) == []
    assert left_out.counts() == {"the judge was not sure": 1, "the judge gave no judgement": 1}
    assert [json.loads(line).get("error") for line in path.read_text().splitlines()].count("too long") == 4
