"""Items of evaluation sets are found by the words they share with a document, as sets of tuples of words find them."""

import json
import random
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.data.benchmarks import Benchmarks, BenchmarksConfig
from candor.errors import ConfigError, DataError
from candor.view import View
from tests.data.conftest import jsonl

ENGLISH = [f"w{number}ord" for number in range(3000)]
HAN = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]


def build(place: Path, items: list[str], name: str = "quiz", **config: int) -> Benchmarks:
    path = jsonl(place / f"{name}.jsonl", items)
    return Benchmarks.build(BenchmarksConfig((f"{name}={path}",), **config))


def english(first: int, count: int) -> str:
    return " ".join(ENGLISH[first : first + count])


def chinese(first: int, count: int) -> str:
    return "".join(HAN[first : first + count])


def around(text: str) -> str:
    """A document with a text in its midst; its other words are in no item."""
    return f"{english(2000, 50)}. {text} {english(2100, 50)}"


def test_thirteen_words_in_a_row_are_found_and_twelve_are_not(tmp_path: Path) -> None:
    """Wherever in the item and in the document; case, punctuation and line breaks aside."""
    benchmarks = build(tmp_path, [english(0, 40), english(100, 60)])
    for first in (0, 5, 27):
        assert benchmarks.hits(View([around(english(first, 13))])) == ["quiz quiz.jsonl:1"]
    for first in (100, 120, 147):
        assert benchmarks.hits(View([around(english(first, 13))])) == ["quiz quiz.jsonl:2"]
    for first in (0, 5, 28, 100, 148):
        assert benchmarks.hits(View([around(english(first, 12))])) == [""]
    shouted = english(3, 13).upper().replace(" ", ",\n ")
    assert benchmarks.hits(View([shouted])) == ["quiz quiz.jsonl:1"]
    assert benchmarks.hits(View([around(f"{english(0, 12)} other {english(13, 12)}")])) == [""]


def test_twenty_four_characters_of_chinese(tmp_path: Path) -> None:
    benchmarks = build(tmp_path, [chinese(0, 60)])
    document = f"{chinese(1000, 80)}。{{}}，{chinese(2000, 80)}"
    for first in (0, 20, 36):
        assert benchmarks.hits(View([document.format(chinese(first, 24))])) == ["quiz quiz.jsonl:1"]
        assert benchmarks.hits(View([document.format(chinese(first, 23))])) == [""]
    assert benchmarks.hits(View([document.format("，".join(chinese(0, 24)))])) == ["quiz quiz.jsonl:1"]


@pytest.mark.parametrize("count", [8, 9, 12])
def test_a_short_item_counts_as_a_whole(tmp_path: Path, count: int) -> None:
    benchmarks = build(tmp_path, [english(0, count), chinese(0, count + 8)])
    assert benchmarks.hits(View([around(english(0, count))])) == ["quiz quiz.jsonl:1"]
    assert benchmarks.hits(View([around(english(0, count - 1))])) == [""]
    assert benchmarks.hits(View([around(chinese(0, count + 8))])) == ["quiz quiz.jsonl:2"]
    assert benchmarks.hits(View([around(chinese(1, count + 7))])) == [""]


@pytest.mark.parametrize("count", [1, 5, 7])
def test_fewer_words_than_eight_are_nobodys(tmp_path: Path, count: int) -> None:
    benchmarks = build(tmp_path, [english(0, count), chinese(0, count)])
    assert benchmarks.hits(View([around(english(0, 40)), chinese(0, 40), english(0, count)])) == [""] * 3
    assert benchmarks.items == ["quiz quiz.jsonl:1", "quiz quiz.jsonl:2"], "they keep their place"


def test_every_text_of_a_row_counts(tmp_path: Path) -> None:
    rows = [{"question": english(0, 20), "answer": english(50, 20), "number": 5}, {"question": english(200, 20)}]
    path = jsonl(tmp_path / "rows.jsonl", rows)
    benchmarks = Benchmarks.build(BenchmarksConfig((f"rows={path}",)))
    documents = [around(english(0, 13)), around(english(51, 13)), around(english(205, 13)), around(english(300, 13))]
    assert benchmarks.hits(View(documents)) == ["rows rows.jsonl:1", "rows rows.jsonl:1", "rows rows.jsonl:2", ""]


def test_items_of_several_sets_have_their_names(tmp_path: Path) -> None:
    one, two = jsonl(tmp_path / "one.jsonl", [english(0, 30)]), jsonl(tmp_path / "two.jsonl", [english(100, 30)])
    benchmarks = Benchmarks.build(BenchmarksConfig((f"first={one}", f"second={two}")))
    documents = [around(english(103, 13)), around(english(3, 13)), around(english(103, 13) + " " + english(3, 13))]
    hits = benchmarks.hits(View(documents))
    assert hits[:2] == ["second two.jsonl:1", "first one.jsonl:1"]
    assert hits[2] in hits[:2]


def test_the_longest_run_names_the_item(tmp_path: Path) -> None:
    """A document that holds a short item and a run of a long one is said to hold the long one."""
    benchmarks = build(tmp_path, [english(0, 8), english(100, 40), english(200, 9)])
    document = around(f"{english(0, 8)} {english(105, 13)} {english(200, 9)}")
    assert benchmarks.hits(View([document])) == ["quiz quiz.jsonl:2"]
    assert benchmarks.hits(View([f"{english(0, 8)} {english(200, 9)}"])) == ["quiz quiz.jsonl:3"]


TEXTS = st.lists(st.sampled_from("a B c 天 地 玄 黄".split()), max_size=30).map(" ".join)


@settings(max_examples=60, deadline=None)
@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_sets_of_tuples_find_the_same(items: list[str], documents: list[str]) -> None:
    """Brute force, with few different words so that much is shared by accident."""
    benchmarks = _of(items)
    for text, hit in zip(documents, benchmarks.hits(View(documents)), strict=True):
        holding = [name for name, item in zip(benchmarks.items, filled(items), strict=True) if shares(item, text)]
        assert (hit in holding) if holding else hit == ""


def filled(items: list[str]) -> list[str]:
    return [item for item in items if item.strip()]


def shares(item: str, text: str) -> bool:
    words, others = item.lower().split(), text.lower().split()
    long = 24 if len(re.findall("[天地玄黄]", item)) * 3 >= len(words) else 13
    n = min(long, len(words))
    runs = {tuple(words[at : at + n]) for at in range(len(words) - n + 1)}
    return n >= 8 and any(tuple(others[at : at + n]) in runs for at in range(len(others) - n + 1))


def _of(items: list[str]) -> Benchmarks:
    """Built from a file, as users do, in a folder of its own."""
    if not filled(items):
        return Benchmarks([], {})
    with TemporaryDirectory() as place:
        return build(Path(place), filled(items))


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    chance = random.Random(0)
    items = [english(chance.randrange(900), chance.randrange(4, 60)) for _ in range(50)] + [chinese(0, 40), "短句"]
    benchmarks = build(tmp_path, items)
    documents = [around(english(first, 30)) for first in range(0, 1000, 7)] + [chinese(10, 30), ""]
    benchmarks.save(tmp_path)
    loaded = Benchmarks.load(tmp_path)
    hits = benchmarks.hits(View(documents))
    assert loaded.hits(View(documents)) == hits
    assert loaded.items == benchmarks.items
    assert "" in hits and len(set(hits)) > 10
    Benchmarks([], {}).save(tmp_path)
    assert Benchmarks.load(tmp_path).hits(View(documents)) == [""] * len(documents)


def test_questions_of_a_public_set_are_found_in_their_own_text(public_data: Path) -> None:
    """GSM8K: each test question of 8 words or more is found, and the training questions nearly never are."""
    folder = public_data / "math" / "gsm8k"
    benchmarks = Benchmarks.build(BenchmarksConfig((f"gsm8k={folder / 'test.jsonl'}",)))
    test, train = (
        [json.loads(row)["question"] for row in (folder / f"{name}.jsonl").read_bytes().splitlines()[:1319]]
        for name in ("test", "train")
    )
    hits = benchmarks.hits(View([around(question) for question in test]))
    long = [len(re.findall(r"[^\W_]+", question)) >= 13 for question in test]
    assert all(hit for hit, enough in zip(hits, long, strict=True) if enough)
    assert sum(map(bool, benchmarks.hits(View(train)))) < 0.05 * len(train)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"sets": ("gsm8k",)}, "benchmarks.sets: 'gsm8k' is not NAME=PATH; write for example gsm8k=gsm8k/test.jsonl"),
    ({"sets": ("=x",)}, "'=x' is not NAME=PATH"),
    ({"words": 7}, "benchmarks.words=7 must be at least 8"),
    ({"characters": 0}, "benchmarks.characters=0 must be at least 8"),
])  # fmt: skip
def test_settings_that_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        BenchmarksConfig(**arguments)  # type: ignore[arg-type]


def test_a_set_without_text_is_refused(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "empty.jsonl", [{"number": 1}, " "])
    with pytest.raises(DataError, match=r"empty\.jsonl holds no text; check benchmarks\.sets"):
        Benchmarks.build(BenchmarksConfig((f"empty={path}",)))


def test_a_short_question_counts_without_its_answer_and_in_lists(tmp_path: Path) -> None:
    """Twelve words and "7" are not thirteen: the question alone is looked for, wherever it stands in the row."""
    words = [f"word{number}" for number in range(40)]
    rows = [
        {"id": "q1", "question": " ".join(words[:12]), "answer": "7"},
        {"messages": [{"role": "user", "content": " ".join(words[12:24])}], "choices": ["a", " ".join(words[24:36])]},
    ]
    path = tmp_path / "set.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = Benchmarks.build(BenchmarksConfig((f"x={path}",)))
    texts = [f"before {' '.join(words[at : at + 12])} behind" for at in (0, 12, 24)] + [" ".join(words[6:18])]
    assert found.hits(View(texts)) == ["x set.jsonl:1", "x set.jsonl:2", "x set.jsonl:2", ""]
