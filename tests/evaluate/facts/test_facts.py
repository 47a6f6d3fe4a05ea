"""Readers of sets of facts, the three grades, citations, and models that know, guess, and keep silent."""

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

from candor.errors import ConfigError, DataError, RequestError
from candor.evaluate.facts import FactGrade, FactItem, fact_figures, grade_fact, read_facts
from candor.evaluate.facts.citations import check_citations, cited_sentences, content
from candor.evaluate.facts.run import FactsConfig, audit_facts, shown_passages
from tests.evaluate.conftest import Scripted

RIGHT, WRONG, ABSTAINED, INVALID = FactGrade.RIGHT, FactGrade.WRONG, FactGrade.ABSTAINED, FactGrade.INVALID

SAMPLES: dict[str, list[dict[str, Any]]] = {
    "rgb": [
        {"id": 0, "query": "When was it?", "answer": [["Jan 2", "January 2"]], "positive": ["On January 2."],
         "negative": ["It was cold.", "Nobody came."]},
        {"id": 1, "query": "两次会议的时间", "answer": ["1月3日", "1月12日"], "negative": ["别的"],
         "positive": [["1月3日宣誓"], ["1月12日开会"]]},
        {"id": 2, "query": "Who?", "answer": "Klee", "positive": ["Klee"], "negative": [], "fakeanswer": "Kandinsky",
         "positive_wrong": ["Kandinsky"]},
    ],
    "halueval": [
        {"ID": "7", "user_query": "Who wrote it?", "chatgpt_response": "A ghost.", "hallucination": "yes",
         "hallucination_spans": ["A ghost"]},
        {"knowledge": "Paris is large.", "question": "Is it?", "right_answer": "Yes, large.",
         "hallucinated_answer": "It is small."},
        {"document": "A text.", "right_summary": "Text.", "hallucinated_summary": "Song."},
    ],
    "truthfulqa": [
        {"Type": "Adversarial", "Question": "What if?", "Best Answer": "Nothing",
         "Correct Answers": "Nothing; It passes", "Incorrect Answers": "You die; You grow"},
    ],
    "simpleqa": [{"metadata": "{'topic': 'Art'}", "problem": "Which year?", "answer": "1912"}],
    "chinese_simpleqa": [{"id": "a1", "question": "作者是谁？", "answer": "老舍", "urls": "[]"}],
}  # fmt: skip
"""Rows in the published shapes, made here."""


def write(name: str, rows: list[dict[str, Any]], folder: Path) -> Path:
    if name in ("truthfulqa", "simpleqa"):
        path = folder / f"{name}.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, rows[0].keys())
            writer.writeheader()
            writer.writerows(rows)
    else:
        path = folder / f"{name}.json"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("name", SAMPLES)
def test_formats_and_broken_rows(name: str, tmp_path: Path) -> None:
    rows = SAMPLES[name]
    found = read_facts(name, write(name, rows, tmp_path))
    assert (len(found.items), found.rows, found.broken) == (len(rows), len(rows), {})
    first = next(iter(rows[0]))
    bad = [{**rows[0], **dict.fromkeys(rows[0], "")}, rows[0], {first: "x"}]
    found = read_facts(name, write(name, bad, tmp_path))
    assert (len(found.items), found.rows, set(found.broken)) == (1, 3, {1, 3})
    assert found.broken_lines(1)[0].startswith("row 1: has ") and found.broken_lines(1)[1] == "and 1 more"
    with pytest.raises(DataError, match="holds no row"):
        read_facts(name, write(name, [bad[0]], tmp_path))


def test_lines_that_are_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    good = json.dumps(SAMPLES["rgb"][0]).encode()
    path.write_bytes(good + b"\n{torn\n[1]\n" + good.replace(b"cold", b"c\xfflld") + b"\n\n" + good + b"\n")
    found = read_facts("rgb", path)
    assert found.rows == 5 and len(found.items) == 2
    assert {number: why.split(" (")[0] for number, why in found.broken.items()} == {
        2: "is not JSON", 3: "is a list, not an object", 4: "holds bytes that are not UTF-8",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="no format"):
        read_facts("rg", path)
    with pytest.raises(DataError, match="cannot be read"):
        read_facts("rgb", tmp_path / "absent")
    path.write_text("")
    with pytest.raises(DataError, match="it is empty"):
        read_facts("rgb", path)


def test_truthfulqa_as_published(public_data: Path) -> None:
    folder = public_data / "truth" / "truthfulqa"
    if not folder.is_dir():
        pytest.skip("the public data have no TruthfulQA")
    for name in ("TruthfulQA.csv", "mc_task.json"):
        found = read_facts("truthfulqa", folder / name)
        assert (found.rows, len(found.items), found.broken) == (790, 790, {})
    first = read_facts("truthfulqa", folder / "TruthfulQA.csv").items[0]
    assert first.question.endswith("watermelon seeds?") and "You get sick" in first.wrong
    assert "The watermelon seeds pass through your digestive system" in first.answers[0]


@pytest.mark.parametrize(
    ("pattern", "name", "rows"),
    [
        ("**/RGB/**/zh_refine.json", "rgb", 300),
        ("**/RGB/**/zh_int.json", "rgb", 100),
        ("**/RGB/**/zh_fact.json", "rgb", 100),
        ("**/general_data.json", "halueval", 4507),
        ("**/chinese_simpleqa.*", "chinese_simpleqa", 3000),
        ("**/simple_qa_test_set.csv", "simpleqa", 4326),
    ],
)
def test_sets_that_the_data_folder_may_have(public_data: Path, pattern: str, name: str, rows: int) -> None:
    path = next(public_data.glob(pattern), None)
    if path is None:
        pytest.skip(f"the public data have no {pattern}")
    found = read_facts(name, path)
    assert found.rows == rows and len(found.items) + len(found.broken) >= rows


ITEM = FactItem("1", "en", "Who and when?", (("Paul Klee", "Klee"), ("1,912",)), wrong=("Kandinsky",))
HAN = FactItem("2", "zh", "谁写的？", (("老舍",),))


@pytest.mark.parametrize(
    ("item", "response", "grade"),
    [
        (ITEM, "Klee, in 1912.", RIGHT),
        (ITEM, "It was painted by ＰＡＵＬ　ＫＬＥＥ in 1,912", RIGHT),
        (ITEM, "Kleemann in 1912", WRONG),
        (ITEM, "Klee in 19125", WRONG),
        (ITEM, "Klee", WRONG),
        (ITEM, "Klee or Kandinsky, 1912", WRONG),
        (ITEM, "I do not know.", ABSTAINED),
        (ITEM, "Insufficient information.", ABSTAINED),
        (ITEM, "<think>Klee 1912</think>Bob in 1912", WRONG),
        (ITEM, "<think>Klee 1912", INVALID),
        (ITEM, "  ", INVALID),
        (ITEM, None, INVALID),
        (HAN, "作者是老舍先生。", RIGHT),
        (HAN, "作者是 老 舍", RIGHT),
        (HAN, "鲁迅写的", WRONG),
        (HAN, "我不知道。", ABSTAINED),
        (HAN, "文档信息不足，因此我无法回答", ABSTAINED),
    ],
)
def test_grades(item: FactItem, response: str | None, grade: FactGrade) -> None:
    assert grade_fact(item, response) is grade


def test_figures_by_hand() -> None:
    """SimpleQA: 30 right, 20 wrong, 50 not attempted: correct 0.3, given attempted 0.6, F = 2 * 0.3 * 0.6 / 0.9."""
    figures = fact_figures([RIGHT] * 30 + [WRONG] * 20 + [ABSTAINED] * 40 + [INVALID] * 10)
    assert {name: figures[name].value for name in ("correct", "wrong", "abstained", "invalid")} == {
        "correct": 0.3, "wrong": 0.2, "abstained": 0.4, "invalid": 0.1,
    }  # fmt: skip
    assert figures["correct_given_attempted"].value == 0.6 and figures["correct_given_attempted"].n == 50
    f = figures["f_score"]
    assert f.value == pytest.approx(0.4) and f.low is not None and f.high is not None and f.low < 0.4 < f.high
    silent = fact_figures([ABSTAINED] * 9)
    assert silent["f_score"].value == 0 and silent["correct_given_attempted"].n == 0
    assert fact_figures([])["correct"].n == 0


PASSAGES = (
    "The Eiffel Tower in Paris was completed in 1889 and is 330 metres tall.",
    "Gustave Eiffel's company designed and built the tower.",
    "东京塔高333米，建成于1958年。",
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("The tower was completed in 1889 [1].", (1, 1, 1, 1)),
        ("The tower was completed in 1889. [1]", (1, 1, 1, 1)),
        ("The tower was completed in 1890 [1].", (1, 0, 1, 0)),
        ("The tower was completed in 1889 [2].", (1, 0, 1, 0)),
        ("The tower was completed in 1889 [1][2].", (1, 1, 2, 1)),
        ("Eiffel's company designed and completed the Paris tower in 1889 [1, 2].", (1, 1, 2, 2)),
        ("It was completed in 1889.", (1, 0, 0, 0)),
        ("The tower is tall [9].", (1, 0, 1, 0)),
        ("东京塔建成于1958年【3】。高333米[3]。", (2, 2, 2, 2)),
        ("东京塔建成于1959年[3]。", (1, 0, 1, 0)),
        ("", (0, 0, 0, 0)),
    ],
)
def test_citations(answer: str, expected: tuple[int, int, int, int]) -> None:
    found = check_citations(answer, PASSAGES)
    assert (found.sentences, found.supported, found.citations, found.needed) == expected
    assert found.recall == (expected[1] / expected[0] if expected[0] else None)
    assert found.precision == (expected[3] / expected[2] if expected[2] else None)


def test_sentences_and_content() -> None:
    assert cited_sentences("One [1]. Two [2,3]! Three.") == [("One.", (1,)), ("Two!", (2, 3)), ("Three.", ())]
    assert content("The towers were completed in 1,889.") == {"tower", "complet", "1889"}
    assert content("东京塔的高") == {"东京", "京塔"}


def test_passages_as_rgb_picks_them() -> None:
    item = FactItem("1", "en", "?", (("x",),), holding=tuple("abcdef"), noise=tuple("123"))
    for noise, good, bad in ((0.0, 5, 0), (0.4, 3, 2), (0.8, 2, 3), (1.0, 0, 3)):
        shown = shown_passages(item, FactsConfig(passages=5, noise=noise))
        assert (len(set(shown) & set("abcdef")), len(set(shown) & set("123"))) == (good, bad), noise


@pytest.mark.parametrize("seed", range(5))
def test_models_are_told_apart(seed: int) -> None:
    """One that knows, one that guesses, one that says when it does not know, and one that reads."""
    chance = random.Random(seed)
    known = read_facts_of(120, chance)

    def ask(say: Any, **settings: Any) -> dict[str, Any]:
        report, rows = audit_facts(Scripted(say), known, FactsConfig(n=100, seed=seed, **settings))
        assert report.questions == len(rows) == 100 and report.rows == 121 and report.broken == {121: "x"}
        return {name: figure.value for name, figure in report.figures.items()} | {"low": report.figures["wrong"].low}

    def knows(prompt: str, _: int) -> str:
        number = int(prompt.split("town ")[1].split("?")[0])
        return f" {number * 7}" if number % 2 else ""

    guesses = ask(lambda prompt, _: knows(prompt, 0) or " 5")
    honest = ask(lambda prompt, _: knows(prompt, 0) or " I do not know.")
    broken = ask(lambda prompt, _: knows(prompt, 0) or RequestError("the server said no"))
    assert guesses["correct"] == honest["correct"] == broken["correct"]
    assert guesses["low"] > 0.3 and honest["wrong"] == broken["wrong"] == 0
    assert honest["correct_given_attempted"] == 1 > guesses["correct_given_attempted"]
    assert honest["f_score"] > guesses["f_score"] and broken["abstained"] == 0 < broken["invalid"]

    def reads(prompt: str, _: int) -> str:
        town = prompt.rsplit("town ", 1)[1].split("?")[0]
        line = next((one for one in prompt.splitlines() if f"Town {town} has" in one), "")
        return f" Town {town} has {line.split()[-3]} houses [{line[1]}]." if line else " Insufficient information."

    read = ask(reads, passages=3, noise=0.6)
    assert read["correct"] == read["citation_precision"] == read["citation_recall"] == 1
    assert ask(reads, passages=3, noise=1.0)["rejection"] == 1
    makes_up = ask(lambda prompt, _: " It has 5 houses [1].", passages=3, noise=1.0)
    assert makes_up["rejection"] == 0 and makes_up["wrong"] > 0.9
    assert ask(lambda prompt, _: " It has 5 houses [1].", passages=3, noise=0.6)["citation_precision"] == 0


def read_facts_of(count: int, chance: random.Random) -> Any:
    from candor.evaluate.facts import FactSet

    items = []
    for number in range(101, 101 + count):
        noise = tuple(f"Town {one} has {one * 7} houses ." for one in chance.sample(range(300, 900), 3))
        items.append(
            FactItem(
                str(number), "en", f"How many houses has the town {number}?", ((str(number * 7),),),
                holding=(f"Town {number} has {number * 7} houses .",), noise=noise,
            )
        )  # fmt: skip
    return FactSet("rgb", tuple(items), count + 1, {count + 1: "x"})
