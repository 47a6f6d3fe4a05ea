"""Drafts and rejection sampling against models that say what a test wants: nothing wrong is ever learnt from."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from candor.data.dialogues import Dialogue
from candor.errors import ConfigError, RequestError, Unreachable
from candor.evaluate.subject import open_subject
from candor.model import Transformer
from candor.model.hub import save_model
from candor.problems import Problem
from candor.problems.prompts import asked
from candor.problems.refusal import refuses
from candor.problems.tasks import draw
from candor.stages.collect import (
    COUNTS,
    SAMPLES,
    CollectConfig,
    collect,
    dialogues_of,
    readable_rule,
    reference_dialogues,
    rejection_sample,
    sample,
)
from candor.stages.readable import Readability
from candor.store import Draft, Reviews, open_store
from candor.text import Tokenizer
from tests.evaluate.conftest import Scripted
from tests.infer.test_remote import Server, answer, server
from tests.model.test_hub import TINY

__all__ = ["server"]

CONFIG = CollectConfig(tasks=("words:2:en", "words:2:zh"), questions=6, samples=6)
CHAT = replace(CONFIG, format="chat", keep=2)
PROBLEMS = {problem.prompt: problem for lang in ("en", "zh") for problem in draw(f"words:2:{lang}", 0, 40)}
THOUGHTS = {
    "en": "First I add what each of them has ({seed}), then I see that the sum is what was asked for.",
    "zh": "先把每个人有的加起来（{seed}），再看一看这个和是不是题目要的。",
}


def asked_of(prompt: str) -> Problem:
    """The problem that a prompt ends with."""
    return next(problem for text, problem in PROBLEMS.items() if text in prompt.rpartition("---")[2])


KINDS = ("good", "good", "wrong", "mixed", "loops", "bare")


class Model(Scripted):
    """Says something good or bad, by the seed of the request, and remembers which."""

    def __init__(self, tags: bool = True, stop_after: int = 10**9):
        super().__init__(self._say)
        self.tags, self.stop_after = tags, stop_after
        self.kinds: dict[str, str] = {}

    def _say(self, prompt: str, seed: int) -> str | Exception:
        if len(self.asked) > self.stop_after:
            return KeyboardInterrupt()  # type: ignore[return-value]
        problem, kind = asked_of(prompt), KINDS[seed % len(KINDS)]
        gold = int(str(problem.gold))
        said = gold + 1 if kind == "wrong" else gold
        other = "zh" if problem.lang == "en" else "en"
        thought = THOUGHTS[other if kind == "mixed" else problem.lang].format(seed=seed)
        if kind == "loops":
            thought += (" I add them again." if problem.lang == "en" else "再加一遍。") * 20
        end = f"<answer>{said}</answer>" if self.tags else f"\\boxed{{{said}}}"
        text = end if kind == "bare" else f"<think>{thought}</think>\n{end}"
        self.kinds[text] = kind
        return text


@pytest.fixture
def reviews(tmp_path: Path) -> Iterator[Reviews]:
    with open_store(tmp_path / "reviews.db") as store:
        yield Reviews(store)


def right(dialogue: Dialogue) -> bool:
    """Whether its answer is the gold of the problem that its question asks, read without our own checker."""
    prompt = dialogue.messages[0]["content"]
    gold = str(next(problem for text, problem in PROBLEMS.items() if text in prompt).gold)
    said = re.findall(r"\\boxed\{(\d+)\}|<answer>(\d+)</answer>", dialogue.messages[-1]["content"])
    return [one or other for one, other in said] == [gold]


def test_good_answers_become_drafts_and_the_rule_edits_them(reviews: Reviews, tmp_path: Path) -> None:
    model = Model()
    done = collect(CONFIG, model, reviews, tmp_path / "out", 0, by_rule=True)
    kinds = Counter(model.kinds[line["response"]] for line in lines(tmp_path / "out"))
    assert set(kinds) == set(KINDS)  # all of them came up
    assert (done.samples, done.good, done.added.new) == (72, kinds["good"], kinds["good"])
    assert done.reasons == {
        name: kinds[kind]
        for name, kind in (
            ("wrong", "wrong"),
            ("language_mix", "mixed"),
            ("repetition", "loops"),
            ("no_thought", "bare"),
        )
    }
    assert json.loads((tmp_path / "out" / COUNTS).read_text()) == {
        "samples": 72,
        "kept": done.good,
        "reasons": done.reasons,
    }
    kept = list(reviews.query())
    assert {model.kinds[one.original] for one in kept} == {"good"}
    assert {(one.method, one.grade, one.family, one.state) for one in kept} == {("r1_zero", "right", "words", "edited")}
    assert {one.decided_by for one in kept} == {"rule:right_and_readable 1:0.9:0.3:2000:200"}
    assert {one.lang for one in kept} == {"en", "zh"}
    found = dialogues_of(reviews.query())
    assert len(found) == len(kept) and all(map(right, found))
    for one in found:
        begins = "The answer is \\boxed{" if one.lang == "en" else "答案是 \\boxed{"
        assert re.fullmatch(
            r"<think>\n[^\n]+\n</think>\n\n" + re.escape(begins) + r"\d+\}[.。]", one.messages[-1]["content"]
        )
        assert one.origin == "team-automatic" and one.messages[0]["content"].endswith(("\\boxed{}.", "\\boxed{} 中。"))


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / SAMPLES).read_text(encoding="utf-8").splitlines()]


def test_without_the_rule_drafts_wait_for_people(reviews: Reviews, tmp_path: Path) -> None:
    done = collect(CONFIG, Model(), reviews, tmp_path / "out", 0, by_rule=False)
    assert not done.decided and {one.state for one in reviews.query()} == {"waiting"}
    assert dialogues_of(reviews.query()) == []


def test_who_made_a_dialogue(reviews: Reviews) -> None:
    """The disclosure counts what people wrote apart from what a program did."""

    def draft(original: str, method: Any) -> Draft:
        asks = ({"role": "user", "content": "3 + 4?"},)
        return Draft(messages=asks, original=original, method=method, lang="en")

    reviews.add([draft("a", "prompted"), draft("b", "prompted"), draft("c", "human"), draft("d", "r1_zero")])
    first, second, third, fourth = reviews.lease("li", 4)
    reviews.decide(first.id, "accepted", annotator="li")
    reviews.decide(second.id, "edited", "B, rewritten", annotator="li")
    reviews.decide(third.id, "accepted", annotator="li")
    reviews.decide(fourth.id, "rejected", annotator="li")
    found = [(one.messages[-1]["content"], one.origin) for one in dialogues_of(reviews.query())]
    assert found == [("a", "team-automatic"), ("B, rewritten", "team-hand"), ("c", "team-hand")]


def test_the_rule_trusts_no_draft(reviews: Reviews) -> None:
    """Drafts can come from files: a wrong one that calls itself right is rejected, and others' are left alone."""
    problem = next(iter(PROBLEMS.values()))
    thought = THOUGHTS["en"].format(seed=1)

    def draft(original: str, grade: Any = "right", of: str | None = problem.id) -> Draft:
        asks = ({"role": "user", "content": asked(problem, "chat")},)
        return Draft(messages=asks, original=original, method="prompted", lang="en", problem=of, grade=grade)

    form = f"<think>\n{thought}\n</think>\n\nThe answer is \\boxed{{{problem.gold}}}."
    drafts = [
        draft(f"<think>{thought}</think><answer>{problem.gold}9</answer>"),
        draft(f"<think>{thought}</think><answer>1</answer><answer>2</answer>"),
        draft(f"<think>{thought}</think><answer>{problem.gold}</answer>", "wrong"),
        draft(f"<think>{thought} </think><answer>{problem.gold}</answer>", None),
        draft(f"<think>{thought}</think> \\boxed{{{problem.gold}}}, or \\boxed{{0}}"),
        draft(form),
        draft(f"<think>{thought}\n</think><answer>{problem.gold}</answer>", of="another"),
        draft(f"<think>{thought}\n\n</think><answer>{problem.gold}</answer>", of=None),
    ]
    reviews.add(drafts)
    reviews.decide_by_rule(readable_rule([problem], Readability()))
    assert [(one.state, one.reasons) for one in reviews.query()] == [
        ("rejected", ("wrong",)),
        ("rejected", ("stray_tags",)),
        ("rejected", ("wrong",)),
        ("rejected", ("not_graded",)),
        ("rejected", ("no_answer",)),
        ("accepted", ()),  # it is in the readable form already
        ("waiting", ()),
        ("waiting", ()),
    ]


def test_prompted_answers_follow_examples_that_reflect(tmp_path: Path, reviews: Reviews) -> None:
    config = replace(CONFIG, method="prompted", shots=2)
    model = Model()
    collect(config, model, reviews, tmp_path / "out", 0, by_rule=False)
    assert {one.method for one in reviews.query()} == {"prompted"}
    own = {asked_of(prompt).id for prompt in model.asked}
    for prompt in model.asked:
        *examples, last = prompt.split("\n\n---\n\n")
        assert len(examples) == 2 and "<answer>" not in last.partition("User: ")[2]
        lang = asked_of(prompt).lang
        for example in examples:
            shown = asked_of(example)
            assert shown.id not in own and shown.lang == lang
            assert ("Let me check: " if lang == "en" else "检查一下：") in example
            assert f"<answer>{shown.gold}</answer>" in example


def test_examples_in_a_chat_are_one_message(tmp_path: Path) -> None:
    model = Model()
    sample(replace(CHAT, method="prompted", shots=1), model, tmp_path, 0)
    english = [prompt for prompt in model.asked if asked_of(prompt).lang == "en"]
    chinese = [prompt for prompt in model.asked if asked_of(prompt).lang == "zh"]
    assert all(prompt.startswith("<chat>Answer the last question") for prompt in english)
    assert all(prompt.startswith("<chat>请像前面的例子那样") for prompt in chinese)
    assert all(prompt.endswith("\nAnswer:") for prompt in english)


def test_rejection_sampling_keeps_what_is_right_and_readable(tmp_path: Path) -> None:
    model = Model(tags=False)
    found = rejection_sample(CHAT, model, tmp_path, 0)
    good: dict[str, list[str]] = {}
    for prompt, line in zip(model.asked, lines(tmp_path), strict=True):
        if model.kinds[line["response"]] == "good":
            good.setdefault(prompt.removeprefix("<chat>"), []).append(line["response"])
    want = [(prompt, text) for prompt, texts in good.items() for text in texts[:2]]
    assert [(one.messages[0]["content"], one.messages[1]["content"]) for one in found] == want
    assert all(map(right, found)) and any(len(texts) > 2 for texts in good.values())
    counts = json.loads((tmp_path / COUNTS).read_text())
    assert (counts["samples"], counts["kept"]) == (72, len(want))
    assert counts["reasons"]["more_than_keep"] == sum(max(0, len(texts) - 2) for texts in good.values())
    assert counts["reasons"]["wrong"] == list(model.kinds.values()).count("wrong")


def test_of_answers_with_the_same_words_the_shortest_stays(tmp_path: Path) -> None:
    spaces = iter(["  ", " ", "\n\n\n", " "] * 12)
    model = Scripted(lambda prompt, seed: f"<think>The sum.{next(spaces)}</think> \\boxed{{{asked_of(prompt).gold}}}")
    config = replace(CHAT, tasks=("words:2:en",), questions=1, samples=4)
    (found,) = rejection_sample(config, model, tmp_path, 0)
    assert found.messages[-1]["content"].startswith("<think>The sum. </think>")
    assert json.loads((tmp_path / COUNTS).read_text())["reasons"] == {"duplicate": 3}


def test_only_chat_answers_are_kept_as_dialogues(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not of format='r1_zero'; set it to chat"):
        rejection_sample(CONFIG, Model(), tmp_path, 0)


def test_what_was_sampled_before_a_kill_is_not_asked_again(tmp_path: Path) -> None:
    whole = rejection_sample(CHAT, Model(tags=False), tmp_path / "whole", 0)
    for killed in (0, 1, 40, 71):
        folder = tmp_path / str(killed)
        first, second = Model(tags=False, stop_after=killed), Model(tags=False)
        with pytest.raises(KeyboardInterrupt):
            rejection_sample(CHAT, first, folder, 0)
        with open(folder / SAMPLES, "a") as file:
            file.write('{"evaluation": "torn')
        assert rejection_sample(CHAT, second, folder, 0) == whole
        assert len(second.asked) == 72 - killed
        third = Model()
        assert rejection_sample(CHAT, third, folder, 0) == whole and not third.asked


def test_a_kill_between_store_and_rule_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {}
    for name in ("whole", "killed"):
        with open_store(tmp_path / f"{name}.db") as store:
            reviews = Reviews(store)
            if name == "killed":
                with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
                    patch.setattr(Reviews, "decide_by_rule", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
                    collect(CONFIG, Model(), reviews, tmp_path / name, 0, by_rule=True)
            done = collect(CONFIG, Model(), reviews, tmp_path / name, 0, by_rule=True)
            assert done.added.known == (done.good if name == "killed" else 0)
            states[name] = [(one.id, one.state, one.edited) for one in reviews.query()]
    assert states["whole"] == states["killed"]


def test_limits_are_moved_without_sampling_again(tmp_path: Path) -> None:
    first, second = Model(tags=False), Model(tags=False)
    strict = rejection_sample(CHAT, first, tmp_path, 0)
    loose = replace(CHAT, readable=Readability(max_repetition=1), keep=9)
    assert len(rejection_sample(loose, second, tmp_path, 0)) > len(strict) and not second.asked
    with pytest.raises(ConfigError, match="another model, task or setting"):
        rejection_sample(replace(CHAT, temperature=0.5), second, tmp_path, 0)
    with pytest.raises(ConfigError, match="another model, task or setting"):
        rejection_sample(CHAT, second, tmp_path, 1)


@pytest.mark.parametrize(
    ("response", "reasons"),
    [
        ("The sum of it.</think>\n\n\\boxed{GOLD}", ()),  # the template had opened the thought
        ("The sum of it is GOLD", ("wrong", "no_thought")),  # who never closes it has given no answer
        ("<think>The sum of it is \\boxed{GOLD}", ("wrong", "no_thought")),
    ],
)
def test_thoughts_that_are_open(tmp_path: Path, response: str, reasons: tuple[str, ...]) -> None:
    config = replace(CHAT, tasks=("words:2:en",), questions=1, samples=1, strict=False)
    model = Scripted(lambda prompt, seed: response.replace("GOLD", str(asked_of(prompt).gold)))
    model.opening = "<think>\n"
    (one,) = sample(config, model, tmp_path, 0)
    assert one.reasons == reasons
    assert one.response.startswith("<think>\n") or reasons


def test_requests_that_are_refused_are_counted_and_a_lost_server_is_not_an_answer(tmp_path: Path) -> None:
    config = replace(CONFIG, tasks=("words:2:en",), questions=2, samples=1)

    def say(error: Exception) -> Callable[[str, int], str | Exception]:
        said = iter([error, "7"])
        return lambda prompt, seed: next(said)

    found = sample(config, Scripted(say(RequestError("too long"))), tmp_path / "a", 0)
    assert [one.reasons[0] for one in found] == ["refused", "wrong"]
    with pytest.raises(Unreachable, match="run the same command again"):
        sample(config, Scripted(say(Unreachable("down"))), tmp_path / "b", 0)
    again = Scripted(lambda prompt, seed: "8")
    sample(config, again, tmp_path / "b", 0)
    assert len(again.asked) == 1


def test_a_server_is_asked_as_well_as_a_folder(server: Server, tmp_path: Path, reviews: Reviews) -> None:
    (problem,) = draw("words:2:zh", 0, 1)
    said = {"role": "assistant", "reasoning_content": "加起来就是了。", "content": f"答案是 \\boxed{{{problem.gold}}}"}
    choice = {"index": 0, "finish_reason": "stop", "message": said, "logprobs": None}
    server.script = [(200, {**answer(), "object": "chat.completion", "choices": [choice]})]
    config = CollectConfig(tasks=("words:2:zh",), questions=1, samples=3, format="chat")
    with open_subject(f"http://127.0.0.1:{server.server_port}/v1", name="m", chat=True) as subject:
        done = collect(config, subject, reviews, tmp_path / "out", 0, by_rule=True)
    assert {request["messages"][0]["content"] for request in server.asked} == {asked(problem, "chat")}
    assert len({request["seed"] for request in server.asked}) == 3
    assert (done.good, done.added.new) == (3, 1)  # three times the same text is one draft
    (found,) = dialogues_of(reviews.query())
    assert found.messages[-1]["content"] == f"<think>\n加起来就是了。\n</think>\n\n答案是 \\boxed{{{problem.gold}}}。"


def test_an_answer_ends_before_another_example_and_one_cut_off_is_not_kept(server: Server, tmp_path: Path) -> None:
    """A base model goes on with a question of its own; and what ran out of tokens is right by chance at best."""
    config = replace(CONFIG, tasks=("words:2:en",), questions=1, samples=1, method="prompted")
    server.script = [(200, answer({"text": "", "finish_reason": "stop"}))]
    with open_subject(f"http://127.0.0.1:{server.server_port}/v1", name="m") as subject:
        sample(config, subject, tmp_path / "a", 0)
        (request,) = server.asked
        assert request["stop"] == ["User:", "\n---"] and request["temperature"] == 1
        text = f"<think>The sum of it.</think> <answer>{asked_of(request['prompt']).gold}</answer>"
        server.script = [(200, answer({"text": text, "finish_reason": "length"}))]
        assert [one.reasons for one in sample(config, subject, tmp_path / "b", 0)] == [("cut_off",)]


def test_a_model_folder_says_the_same_each_time_and_nonsense_is_not_kept(tmp_path: Path) -> None:
    tokenizer = Tokenizer.train(list(PROBLEMS), 320)
    torch.manual_seed(0)
    model = Transformer(replace(TINY, vocab_size=320, max_position_embeddings=256))
    model.init_weights(0.1)
    (tmp_path / "model").mkdir()
    save_model(model.eval(), tmp_path / "model", tokenizer=tokenizer)
    config = replace(CHAT, questions=2, samples=2, max_tokens=8)
    said = []
    for name in ("a", "b"):
        with open_subject(str(tmp_path / "model")) as subject:
            assert rejection_sample(config, subject, tmp_path / name, 0) == []
        said.append({line["place"]: line["response"] for line in lines(tmp_path / name)})
    assert said[0] == said[1] and len(set(said[0].values())) > 1
    assert json.loads((tmp_path / "a" / COUNTS).read_text())["reasons"]["no_thought"] == 8


def test_more_harmless_requests_than_harmful_ones() -> None:
    """Counted by the checker of the family: the harmless ones all stay."""
    every, tilted = (reference_dialogues(("safety:1:en", "safety:1:zh"), 200, 0, tilt) for tilt in (0.0, 4.0))
    said = [[str(one.messages[-1]["content"]).partition("</think>")[2] for one in some] for some in (every, tilted)]
    refusing = [list(map(refuses, some)) for some in said]
    assert len(every) == 400 and sum(refusing[0]) > 150
    harmless = len(every) - sum(refusing[0])
    assert len(tilted) - sum(refusing[1]) == harmless and harmless / 4 - 2 <= sum(refusing[1]) <= harmless / 4
    assert set(map(str, tilted)) < set(map(str, every))


def test_references_are_the_families_own_answers() -> None:
    found = reference_dialogues(("unanswerable:1:en", "unanswerable:1:zh", "arithmetic:1:en", "function:1:en"), 3, 0)
    assert len(found) == 12 and found == reference_dialogues(
        ("unanswerable:1:en", "unanswerable:1:zh", "arithmetic:1:en", "function:1:en"), 3, 0
    )
    texts = [one.messages[-1]["content"] for one in found]
    for text, said in ((texts[0], "The text does not say"), (texts[3], "题目没有说")):
        assert re.match(rf"<think>\n{said}[^\n]+\n</think>\n\n", text)
    assert texts[0].endswith("My answer: \\boxed{It cannot be determined.}")
    assert texts[3].endswith("我的回答：\\boxed{无法确定。}")
    assert re.fullmatch(r"<think>\n(\d.*\n)+</think>\n\nThe answer is \\boxed\{-?\d+\}\.", texts[6])
    assert re.fullmatch(r"<think>\n\n</think>\n\nThis code does it:\n\n```python\ndef f.*\n```", texts[9], re.S)
    assert {one.origin for one in found} == {"team-automatic"}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"tasks": ()}, "collect.tasks names no task"),
        ({"tasks": ("arithmetic",)}, "'arithmetic' must be NAME:DIFFICULTY:LANG"),
        ({"format": "r2"}, "format='r2'"),
        ({"samples": 0}, "collect.samples=0 must be at least 1"),
        ({"keep": 0}, "collect.keep=0 must be at least 1"),
    ],
)
def test_settings_that_cannot_work(values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(says)):
        CollectConfig(**values)
