"""Counting words: which language they are in, and how much of a text is said twice."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candor.text.language import GRAM, language_share, repetition, words


@pytest.mark.parametrize(
    ("text", "en", "zh"),
    [
        ("first add", 1, 0),
        ("先加再减", 0, 1),
        ("先加 then 再减", 1 / 5, 4 / 5),
        ("so答案是7", 1 / 4, 3 / 4),  # nothing stands between them
        ("naïve café", 1, 0),
        ("先 сложим then", 1 / 3, 1 / 3),  # a third writing is neither
        ("𠀀 and", 1 / 2, 1 / 2),  # a rare character beyond 16 bits
        ("ひらがな", 0, 0),
        ("3 + 4 = 7", None, None),  # no words, nothing to say
        ("", None, None),
        ("，。！", None, None),
    ],
)
def test_the_share_of_words_in_a_language(text: str, en: float | None, zh: float | None) -> None:
    assert language_share(text, "en") == (None if en is None else pytest.approx(en))
    assert language_share(text, "zh") == (None if zh is None else pytest.approx(zh))


def test_words_are_characters_in_chinese_and_runs_elsewhere() -> None:
    assert words("小明有3个apples, OK_1!") == ["小", "明", "有", "3", "个", "apples", "ok_1"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "One.",
        "一共：16 + 41 = 57\n检查一下：57 - 41 = 16。",
        "Tom has 3 apples. Anna has 4 apples. Ben has 5 apples.",  # sentences of one make are no repetition
        "小明有三个苹果。小红有四个苹果。小华有五个苹果。",
    ],
)
def test_ordinary_text_does_not_repeat_itself(text: str) -> None:
    assert repetition(text) == 0


@pytest.mark.parametrize(
    "text",
    [
        "wait " * 50,
        "等等，" * 50,
        "7 " * 50,
        "Let me check the sum again. " * 20,
        "让我再算一遍这个数。" * 20,
        "a = 1\n" * 20,
        "but then it is four or five of them\nso I have to go on\n" * 10,
    ],
)
def test_what_a_model_falls_into_is_found(text: str) -> None:
    """A loop of any length, in either language, on one line or many."""
    assert repetition(text) > 0.8


def test_a_paragraph_said_twice_is_half_of_the_text() -> None:
    chance = random.Random(0)
    said = " ".join("".join(chance.choices("abcdefgh", k=6)) for _ in range(200))
    assert repetition(said + ". " + said) == pytest.approx(0.5, abs=0.01)
    assert repetition(said + "\n" + said) == pytest.approx(0.5, abs=0.01)
    other = " ".join("".join(chance.choices("stuvwxyz", k=6)) for _ in range(600))
    assert repetition(f"{said} {other} {said}") == pytest.approx(0.2, abs=0.01)


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_words_in_repeated_runs_are_those_that_a_look_at_every_pair_of_runs_finds(found: list[str]) -> None:
    text = " ".join(found)
    starts = range(len(found) - GRAM + 1)
    again = [
        here for here in starts if any(found[one : one + GRAM] == found[here : here + GRAM] for one in range(here))
    ]
    covered = {place for here in again for place in range(here, here + GRAM)}
    assert repetition(text) == pytest.approx(len(covered) / len(found) if found else 0)
