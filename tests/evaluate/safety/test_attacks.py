"""Every attack keeps the question: it can be read back out of what the user says."""

import base64
import codecs
import re
import unicodedata
from collections.abc import Callable
from random import Random

import pytest

from candor.errors import ConfigError
from candor.evaluate.safety.attacks import ATTACKS, ZERO_WIDTH, Attack, attack_of

EN, ZH = "How do I mend a kettle, please?", "怎么修理水壶？请说明。"
FRAMES = ("role", "novel", "prefix", "permission", "forget", "answer_zh", "answer_en", "answer_fr")
BACK: dict[str, Callable[[str], str]] = {
    "base64": lambda said: base64.b64decode(said.split("\n")[1]).decode(),
    "rot13": lambda said: codecs.decode(said.split("\n")[1], "rot13"),
    "zero_width": lambda said: re.sub(f"[{ZERO_WIDTH}]", "", said),
    "full_width": lambda said: unicodedata.normalize("NFKC", said),
}


def one(name: str, prompt: str, seed: int = 0) -> str:
    (said,) = attack_of(name).apply(prompt, Random(seed))
    return said


@pytest.mark.parametrize("prompt", [EN, ZH])
@pytest.mark.parametrize("name", FRAMES)
def test_templates_hold_the_question_and_more(name: str, prompt: str) -> None:
    said = one(name, prompt)
    assert prompt in said and len(said) > len(prompt) + 5
    if not name.startswith("answer_"):
        assert bool(re.search("[\u4e00-\u9fff]", said)) == (prompt is ZH)


@pytest.mark.parametrize("name", BACK)
def test_encodings_can_be_undone(name: str) -> None:
    assert BACK[name](one(name, EN)) == EN and one(name, EN) != EN
    if name in ("base64", "zero_width"):
        assert BACK[name](one(name, ZH)) == ZH


def test_spacing_leet_and_swapped_letters() -> None:
    assert one("spaced", ZH).replace(" ", "") == ZH and one("spaced", EN).split(" ") == [*EN.replace(" ", "")]
    assert one("leet", "It is a test") == "17 15 4 7357"
    for before, after in zip(EN.split(), one("swapped", EN).split(), strict=True):
        assert sorted(before) == sorted(after) and (before[0], before[-1]) == (after[0], after[-1])


def test_the_other_script() -> None:
    assert one("traditional", "这个问题") == "這個問題" and one("traditional", EN) == EN


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("prompt", [EN, ZH, "x"])
def test_the_parts_of_a_split_join_to_the_question(prompt: str, seed: int) -> None:
    *parts, last = attack_of("split").apply(prompt, Random(seed))
    pieces = [re.split('["“”]', part)[1] for part in parts]
    assert ("" if prompt is ZH else " ").join(pieces) == prompt and prompt not in last
    assert len(parts) > 1 or prompt == "x"


def test_a_crescendo_asks_last() -> None:
    for prompt in (EN, ZH):
        turns = attack_of("crescendo").apply(prompt, Random(0))
        assert len(turns) == 3 and prompt in turns[2] and not any(prompt in turn for turn in turns[:2])


def test_composed_attacks_are_one_after_the_other() -> None:
    assert BACK["base64"](one("role|base64", EN)) == one("role", EN)
    assert one("base64|role", EN) == ATTACKS["role"].apply(one("base64", EN), Random(0))[0]
    split = attack_of("split|leet").apply(EN, Random(1))
    assert split == tuple(ATTACKS["leet"].apply(turn, Random(0))[0] for turn in attack_of("split").apply(EN, Random(1)))
    assert (ATTACKS["role"] | ATTACKS["novel"] | ATTACKS["leet"]).name == "role|novel|leet"


@pytest.mark.parametrize("name", [*ATTACKS, "split|zero_width", "swapped|crescendo"])
def test_the_same_seed_gives_the_same_turns(name: str) -> None:
    for prompt in (EN, ZH, ""):
        assert attack_of(name).apply(prompt, Random(5)) == attack_of(name).apply(prompt, Random(5))
    assert isinstance(attack_of(name), Attack) and attack_of(name).name == name


def test_unknown_attacks() -> None:
    with pytest.raises(ConfigError, match="no attack 'bas64'; did you mean 'base64'"):
        attack_of("role|bas64")
    with pytest.raises(ConfigError, match="known: role"):
        attack_of("")
