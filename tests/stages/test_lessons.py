"""Lessons: which dialogues are learnt, which are measured, and what the measure is."""

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from candor.data.dialogues import Origin
from candor.data.examples import ChatForm
from candor.errors import DataError
from candor.model.hub import load_model
from candor.stages.lessons import heldout_loss, prepare
from candor.text import Tokenizer
from tests.stages.test_sft import CONFIG, DIALOGUES, base, loss_alone, say, tokenizer

__all__ = ["base", "tokenizer"]


def test_too_long_is_left_out_whole_and_said(tokenizer: Tokenizer) -> None:
    """Never cut: in a dialogue whose last answer alone is too long, nothing is learnt."""
    long = say("hen?", "no.", "then?", "<think>a</think>" + "!" * 60, place="chat.jsonl:7")
    lessons = prepare(CONFIG, tokenizer, [*DIALOGUES, long, long], 0)
    (line,) = lessons.left_out.lines()
    assert re.fullmatch(
        r"left out 2: longer than sft\.sequence_length=48; the first: chat\.jsonl:7 \(\d+ tokens\)", line
    )
    assert all(len(one.ids) <= 48 for one in lessons.examples())
    exact = max(len(one.ids) for dialogue in DIALOGUES for one in ChatForm(tokenizer).encode(dialogue))
    for length, left in ((exact, 0), (exact - 1, 1)):
        some = prepare(dataclasses.replace(CONFIG, sequence_length=length), tokenizer, DIALOGUES, 0)
        assert bool(some.left_out.rows) == bool(left)


def test_what_the_template_cannot_hold_stops_or_is_counted(tokenizer: Tokenizer) -> None:
    half = say("hen?", "hm</think>no.", place="chat.jsonl:3")
    with pytest.raises(DataError, match=r"^chat\.jsonl:3: message 2: the answer closes a thought"):
        prepare(CONFIG, tokenizer, [*DIALOGUES, half], 0)
    lessons = prepare(dataclasses.replace(CONFIG, skip_broken=True), tokenizer, [*DIALOGUES, half], 0)
    assert lessons.left_out.counts() == {"not what the chat template can hold": 1}
    assert lessons.left_out.rows[0][1].startswith("chat.jsonl:3: message 2")


def test_the_sides_are_told_by_what_was_asked(tokenizer: Tokenizer) -> None:
    """Answers to one question stand on one side, whatever else there is; the share is about the one asked for."""
    many = [say(f"{number}?", f"{answer}!") for number in range(200) for answer in range(2)]
    lessons = prepare(CONFIG, tokenizer, many, 0)
    sides = [{dialogue.messages[0]["content"] for dialogue, _ in side} for side in (lessons.train, lessons.heldout)]
    assert not sides[0] & sides[1] and len(sides[0] | sides[1]) == 200
    assert len(lessons.train) + len(lessons.heldout) == 400 and 25 <= len(sides[1]) <= 60
    fewer = prepare(CONFIG, tokenizer, many[:100], seed=9)
    assert {d.messages[0]["content"] for d, _ in fewer.heldout} == sides[1] & {f"{n}?" for n in range(50)}


@pytest.mark.parametrize(("questions", "share", "held"), [(2, 0.01, 1), (2, 0.99, 1), (1, 0.5, 0), (9, 0.0, 0)])
def test_both_sides_have_something(questions: int, share: float, held: int, tokenizer: Tokenizer) -> None:
    config = dataclasses.replace(CONFIG, heldout_share=share)
    few = [say(f"{number}?", "no.") for number in range(questions)]
    lessons = prepare(config, tokenizer, few, 0)
    assert (len(lessons.train), len(lessons.heldout)) == (questions - held, held)


def test_user_derived_dialogues_are_capped_where_they_are_learnt(tokenizer: Tokenizer) -> None:
    origins: list[Origin] = ["team-hand", "user-derived", "team-automatic"]
    many = [say(f"{n}?", "no.", origin=origins[n % 3], place=f"chat.jsonl:{n + 1}") for n in range(300)]
    lessons = prepare(CONFIG, tokenizer, many, 0)
    derived = sum(dialogue.origin == "user-derived" for dialogue, _ in lessons.train)
    assert derived == int(0.05 * len(lessons.train)) > 0
    reason = "user-derived beyond sft.user_derived_share=0.05"
    assert lessons.left_out.counts() == {reason: 300 - len(lessons.train) - len(lessons.heldout)}
    only = [dialogue for dialogue in many if dialogue.origin == "user-derived"]
    with pytest.raises(DataError, match=rf"^none of 100 dialogues is left to train on: left out \d+: {reason}; the fi"):
        prepare(CONFIG, tokenizer, only, 0)


@torch.no_grad()
def test_heldout_loss_is_that_of_each_dialogue_alone(base: Path, tokenizer: Tokenizer) -> None:
    model = load_model(base, dtype=torch.float64)
    thinking = [say(f"{n}?", "<think>hm</think>no.", "then?", f"{n}!") for n in range(20)]  # two examples each
    lessons = prepare(CONFIG, tokenizer, thinking, 0)
    assert len(lessons.heldout) > 1
    got = heldout_loss(CONFIG, model, lessons, tokenizer)
    for (loss, tokens), (_, examples) in zip(got, lessons.heldout, strict=True):
        assert len(examples) == 2 and tokens == sum(int(one.learnt.sum()) for one in examples)
        assert loss == pytest.approx(sum(loss_alone(model, one, 1) for one in examples), rel=1e-7)
