"""Published sets are read whole, with the answers that they state; what two sets have in common is found."""

import csv
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from candor.errors import ConfigError, DataError
from candor.problems.golds import Choice, Maths, Spans
from candor.problems.problem import Grade, Problem, Unreadable
from candor.problems.readers import READERS, normal_text, overlap, read

PUBLISHED = [
    ("gsm8k", "math/gsm8k/test.jsonl", 1319),
    ("gsm8k", "math/gsm8k/train.jsonl", 7473),
    ("svamp", "math/svamp/SVAMP.json", 1000),
    ("cmath", "math/cmath/cmath_dev.jsonl", 600),
    ("cmath", "math/cmath/distractor.jsonl", 360),
    ("xquad_en", "reading/xquad/xquad.en.json", 1190),
    ("xquad_zh", "reading/xquad/xquad.zh.json", 1190),
    ("cmrc2018", "reading/cmrc2018_trial/cmrc2018_trial.squad.json", 1002),
    ("truthfulqa_mc1", "truth/truthfulqa/TruthfulQA.csv", 790),
    ("truthfulqa_mc2", "truth/truthfulqa/TruthfulQA.csv", 790),
    ("truthfulqa_mc1", "truth/truthfulqa/mc_task.json", 790),
    ("truthfulqa_mc2", "truth/truthfulqa/mc_task.json", 790),
    ("safetybench_zh", "safety/safetybench_zh/test_zh_subset.json", 2100),
]


def jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def write(path: Path, *rows: dict[str, Any], ascii: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows), encoding="utf-8")
    return path


def one(name: str, path: Path, **settings: Any) -> Problem:
    (problem,) = read(name, path, **settings)
    return problem


# Public data.


@pytest.mark.parametrize(("name", "file", "size"), PUBLISHED)
def test_every_published_row_is_a_problem_of_its_own(public_data: Path, name: str, file: str, size: int) -> None:
    """An evaluation keys its samples by id: two with one id would be counted once."""
    problems = read(name, public_data / file)
    assert len(problems) == size
    assert len({problem.id for problem in problems}) == size
    assert not [problem for problem in problems if isinstance(problem.gold, Unreadable)]
    assert {(problem.family, problem.lang) for problem in problems} == {(name, READERS[name].lang)}
    assert len({problem.origin for problem in problems}) == size
    assert problems[0].origin.startswith(Path(file).name + ":")


def test_a_question_that_comes_again_keeps_its_row(public_data: Path) -> None:
    path = public_data / "reading" / "xquad" / "xquad.zh.json"
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    asked = Counter(
        (paragraph["context"].strip(), qa["question"].strip())
        for article in articles
        for paragraph in article["paragraphs"]
        for qa in paragraph["qas"]
    )
    problems = read("xquad_zh", path)
    repeats = [problem for problem in problems if problem.time > 1]
    assert len(repeats) == sum(asked.values()) - len(asked) > 0
    for repeat in repeats:
        first = next(problem for problem in problems if problem.prompt == repeat.prompt)
        assert repeat.id == f"{first.id}-2"
    charged = [problem for problem in problems if problem.prompt.endswith("\n\n特斯拉电力照明与制造公司做了什么？")]
    assert [str(problem.gold) for problem in charged] == [
        "安装了 由特斯拉设计的",
        "安装了 由特斯拉设计的 电弧灯照明系统",
    ]


def test_gsm8k(public_data: Path) -> None:
    """The worked text is the steps alone, so that an example can give the answer in any form behind them."""
    path = public_data / "math" / "gsm8k" / "test.jsonl"
    for problem, row in zip(read("gsm8k", path), jsonl(path), strict=True):
        steps, _, last = row["answer"].partition("#### ")
        assert (problem.prompt, problem.gold) == (row["question"].strip(), Maths(last))
        assert "<<" not in problem.solution and "####" not in problem.solution
        assert len(problem.solution) == len(steps.strip()) - sum(map(len, re.findall("<<[^>]*>>", steps)))
        assert problem.gold.grade(f"{problem.solution}\n#### {problem.gold}", strict=True) == Grade.RIGHT
        assert problem.gold.grade(f"#### {last.replace(',', '')}1", strict=True) == Grade.WRONG


def test_a_folder_gives_its_split(public_data: Path) -> None:
    folder = public_data / "math" / "gsm8k"
    assert read("gsm8k", folder) == read("gsm8k", folder / "test.jsonl")
    assert read("gsm8k", folder, split="train", limit=3) == read("gsm8k", folder / "train.jsonl", limit=3)
    with pytest.raises(DataError, match=r"no file of the split validation; it has: test.jsonl, train.jsonl"):
        read("gsm8k", folder, split="validation")


def test_svamp(public_data: Path) -> None:
    path = public_data / "math" / "svamp" / "SVAMP.json"
    problems = read("svamp", path)
    for problem, row in zip(problems, json.loads(path.read_text(encoding="utf-8")), strict=True):
        assert problem.gold.grade(f"#### {row['Answer']:.0f}", strict=True) == Grade.RIGHT
        assert problem.gold.grade(f"#### {row['Answer'] + 1:.0f}", strict=True) == Grade.WRONG
    assert problems[2].prompt == (
        "Paco had 26 salty cookies and 17 sweet cookies. He ate 14 sweet cookies and 9 salty cookies. "
        "How many salty cookies did Paco have left?"
    )
    assert str(problems[2].gold) == "17"


def test_cmath(public_data: Path) -> None:
    path = public_data / "math" / "cmath" / "cmath_dev.jsonl"
    problems = read("cmath", path)
    for problem, row in zip(problems, jsonl(path), strict=True):
        assert (problem.prompt, problem.difficulty) == (row["input"].strip(), row["grade"])
        assert problem.gold.grade(f"答案是{row['golden']}。") == Grade.RIGHT
    assert {problem.difficulty for problem in problems} == {1, 2, 3, 4, 5, 6}


@pytest.mark.parametrize(
    ("name", "file", "empty"),
    [
        ("xquad_en", "xquad/xquad.en.json", 0),
        ("cmrc2018", "cmrc2018_trial/cmrc2018_trial.squad.json", 2),  # two questions are empty as published
    ],
)
def test_reading(public_data: Path, name: str, file: str, empty: int) -> None:
    """The passage, the question after it, and a gold span that stands in the passage."""
    unasked = 0
    for problem in read(name, public_data / "reading" / file):
        passage, _, question = problem.prompt.rpartition("\n\n")
        assert isinstance(problem.gold, Spans)
        assert all(text in passage for text in problem.gold.texts)
        unasked += not question
    assert unasked == empty


@pytest.mark.parametrize("mc", [1, 2])
def test_truthfulqa_from_both_files(public_data: Path, mc: int) -> None:
    """The CSV and the file of the multiple-choice task say the same."""
    folder = public_data / "truth" / "truthfulqa"
    both = [read(f"truthfulqa_mc{mc}", folder / name) for name in ("TruthfulQA.csv", "mc_task.json")]
    from_csv, from_task = (
        {problem.prompt: (problem.gold, problem.options) for problem in problems} for problems in both
    )
    assert from_csv == from_task


def test_truthfulqa_options(public_data: Path) -> None:
    path = public_data / "truth" / "truthfulqa" / "TruthfulQA.csv"
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    for mc in (1, 2):
        for problem, row in zip(read(f"truthfulqa_mc{mc}", path), rows, strict=True):
            assert problem.prompt == row["Question"].strip()
            assert isinstance(problem.gold, Choice) and problem.gold.options == problem.options
            assert "" not in problem.options, "an empty text would win every comparison"
            right = {problem.options[index] for index in problem.gold.right}
            true = [row["Best Answer"]] if mc == 1 else row["Correct Answers"].split(";")
            false = {text.strip() for text in row["Incorrect Answers"].split(";")}
            assert right == {text.strip() for text in true if text.strip()} - false
            assert set(problem.options) - right == false - {""}


# What sets have in common.


def test_gsm8k_trains_on_no_test_question(public_data: Path) -> None:
    train, test = (read("gsm8k", public_data / "math" / "gsm8k" / f"{split}.jsonl") for split in ("train", "test"))
    assert overlap(train, test) == []
    planted = [
        Problem(family="x", version=1, lang="en", prompt=changed, gold=Maths("1"))
        for changed in (
            test[0].prompt.upper(),
            "  " + test[1].prompt.replace(" ", "\n") + "!!",
            test[2].prompt.translate({code: code + 0xFEE0 for code in range(0x21, 0x7F)}),  # full width
            test[3].prompt.replace(",", "").rstrip("."),
        )
    ]
    assert overlap(planted + train[:5], test) == planted


def test_cmath_distractors_stand_beside_their_originals(public_data: Path) -> None:
    """The questions of the robustness set without a distractor are those of the development set."""
    folder = public_data / "math" / "cmath"
    found = overlap(read("cmath", folder / "distractor.jsonl"), read("cmath", folder / "cmath_dev.jsonl"))
    known = {re.sub(r"\W", "", row["input"]) for row in jsonl(folder / "cmath_dev.jsonl")}
    rows = [row for row in jsonl(folder / "distractor.jsonl") if re.sub(r"\W", "", row["input"]) in known]
    assert [problem.prompt for problem in found] == [row["input"].strip() for row in rows] != []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 + 4?", "what is 3+4"),
        ("小明有３个苹果，还剩几个？", "小明有 3 个苹果, 还剩几个"),
        ("An ice-cream costs $1,000.", "an ice cream costs 1000"),
        ("“Who” is it?", '"who" is it'),
        ("Ａ：①", "a:1"),
    ],
)
def test_the_same_question(one: str, other: str) -> None:
    assert normal_text(one) == normal_text(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 3 - 4?", "What is 3 + 4?"),
        ("What is 3 * 4?", "What is 3 / 4?"),
        ("What is 3.5 + 1?", "What is 35 + 1?"),
        ("Sort 1, 23.", "Sort 12, 3."),
        ("Sort 1 2 3", "Sort 123"),
        ("小明有3个苹果", "小明有4个苹果"),
        ("x < 3", "x > 3"),
    ],
)
def test_questions_that_differ_in_a_sign_are_others(one: str, other: str) -> None:
    assert normal_text(one) != normal_text(other)


# What is asked for.


def test_what_is_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no problem set 'gsm8'; did you mean 'gsm8k'"):
        read("gsm8", tmp_path)
    with pytest.raises(ConfigError, match="there is no problem set '?'; known: gsm8k, math, ".replace("?", r"\?")):
        read("?", tmp_path)
    with pytest.raises(ConfigError, match="limit=0 must be 1 or more"):
        read("gsm8k", tmp_path, limit=0)
    with pytest.raises(DataError, match="holds no question of gsm8k for 'test'; check the file and the split"):
        read("gsm8k", write(tmp_path / "x.jsonl"))


def test_a_limit_reads_no_further(tmp_path: Path) -> None:
    path = write(tmp_path / "x.jsonl", {"question": "a", "answer": "#### 1"}, {"broken": 1})
    assert len(read("gsm8k", path, limit=1)) == 1


def test_safetybench_answers_are_those_of_the_file_beside(public_data: Path) -> None:
    folder = public_data / "safety" / "safetybench_zh"
    golds = json.loads((folder / "test_answers_zh_subset.json").read_bytes())
    asked = json.loads((folder / "test_zh_subset.json").read_bytes())
    problems = read("safetybench_zh", folder / "test_zh_subset.json")
    assert Counter(len(one.options) for one in problems) == Counter(len(row["options"]) for row in asked)
    for problem, row in zip(problems, asked, strict=True):
        right = golds[str(row["id"])]["answer"]
        assert problem.gold.grade(f"\\boxed{{{'ABCDE'[right]}}}") is Grade.RIGHT, row["id"]
