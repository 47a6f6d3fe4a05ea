"""Problems by one line of text: that nothing of a test split is drawn, and that a real set lasts as long as it must."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from candor.errors import ConfigError, DataError
from candor.problems.families import FAMILIES
from candor.problems.tasks import check_task, draw, parse_task


def gsm8k(path: Path, sums: int, broken: int = 0) -> str:
    rows = [{"question": f"What is {n} + 1?", "answer": f"It is so.\n#### {n + 1}"} for n in range(sums)]
    rows += [{"question": f"What is the meaning of {n}?", "answer": "Nobody knows."} for n in range(broken)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return f"gsm8k:{path}"


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_line_names_a_level_of_a_family(name: str, lang: str) -> None:
    family, difficulty, found = parse_task(f"{name}:3:{lang}")
    assert (family.name, difficulty, found) == (name, 3, lang)
    problems = draw(f"{name}:3:{lang}", 7, 5)
    assert [(one.family, one.difficulty, one.lang) for one in problems] == [(name, 3, lang)] * 5
    assert problems == draw(f"{name}:3:{lang}", 7, 5) != draw(f"{name}:3:{lang}", 8, 5)


@pytest.mark.parametrize("name", FAMILIES)
def test_training_never_draws_what_is_tested(name: str) -> None:
    """Seeds of draws are those of rollouts: whichever comes up, no problem of a test is among them."""
    held = {one.id for seed in range(5) for one in FAMILIES[name].generate(seed, 60, 1, "en", split="test")}
    drawn = {one.id for seed in range(20) for one in draw(f"{name}:1:en", seed, 60)}
    assert len(held) > 60 and not held & drawn


def test_a_real_set_is_drawn_as_often_as_it_takes(tmp_path: Path) -> None:
    """No problem comes a third time before every other came twice; what cannot be judged never comes."""
    task = gsm8k(tmp_path / "train.jsonl", sums=7, broken=3)
    some = draw(task, 0, 5)
    assert len({one.id for one in some}) == 5 and all(one.gradable for one in some)
    many = draw(task, 0, 17)
    counts = Counter(one.prompt for one in many)
    assert len(many) == 17 and set(counts) == {f"What is {n} + 1?" for n in range(7)}
    assert Counter(counts.values()) == {2: 4, 3: 3}
    assert many == draw(task, 0, 17) and many != draw(task, 1, 17)
    assert draw(task, 0, 0) == []


def test_a_folder_gives_its_train_split(tmp_path: Path) -> None:
    gsm8k(tmp_path / "train.jsonl", sums=2)
    (tmp_path / "test.jsonl").write_text('{"question": "Held out?", "answer": "#### 5"}\n')
    assert {one.prompt for one in draw(f"gsm8k:{tmp_path}", 0, 6)} == {"What is 0 + 1?", "What is 1 + 1?"}


def test_a_set_that_cannot_be_used(tmp_path: Path) -> None:
    broken = gsm8k(tmp_path / "train.jsonl", sums=0, broken=2)
    with pytest.raises(ConfigError, match="has no problem whose gold answer can be read; check the data"):
        draw(broken, 0, 1)
    with pytest.raises(DataError, match="nowhere"):
        draw(f"gsm8k:{tmp_path / 'nowhere'}", 0, 1)
    with pytest.raises(ConfigError, match="ifeval has nothing to train on"):
        draw("ifeval:x.jsonl", 0, 1)


@pytest.mark.parametrize(
    "text",
    ["", ":1:en", "arithmetic", "arithmetic:0:en", "arithmetic:6:en", "arithmetic:1:EN", "Arithmetic:1:en",
     "arithmetic:1:en ", "arithmetic:１:en", "arithmetic:1"],
)  # fmt: skip
def test_lines_that_name_nothing(text: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(f"tasks: {text!r} must be NAME:DIFFICULTY:LANG with a NAME of")):
        check_task(text)
    with pytest.raises(ConfigError, match="must be NAME:DIFFICULTY:LANG"):
        draw(text, 0, 1)


@pytest.mark.parametrize("text", ["gsm8k", "gsm8k:"])
def test_a_real_set_needs_its_place(text: str) -> None:
    with pytest.raises(ConfigError, match="does not say where to read it; write gsm8k:PATH, or gsm8k:hf:owner/name"):
        check_task(text)
    check_task("gsm8k:hf:openai/gsm8k")  # a place may hold colons
