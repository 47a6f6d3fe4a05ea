"""Rows in the forms in which sets are published say what they say; broken rows are refused, or counted, never right."""

import json
from pathlib import Path
from typing import Any

import pytest

from candor.errors import ConfigError, DataError
from candor.problems import code
from candor.problems.golds import Choice, Maths, NoAnswer, Spans
from candor.problems.ifeval import Instructions
from candor.problems.problem import Grade, Unreadable
from candor.problems.readers import read
from tests.problems.test_readers import one, write


@pytest.mark.parametrize(
    ("row", "gold", "difficulty"),
    [
        ({"problem": "Simplify.", "level": "Level 5", "type": "Algebra",
          "solution": "First \\boxed{1}, then $\\boxed{\\frac{\\sqrt{2}}{2}}$."}, "\\frac{\\sqrt{2}}{2}", 5),
        ({"problem": "Which set?", "level": "Level ?", "solution": "It is $\\boxed{\\left\\{1, 2\\right\\}}$."},
         "\\left\\{1, 2\\right\\}", 0),
        ({"problem": "How many?", "level": "Level 1", "solution": "So $x=\\boxed 7$."}, "7", 1),
        ({"problem": "How many?", "level": "Level 2", "solution": "So \\fbox{12}."}, "12", 2),
        ({"problem": "Convert.", "solution": "It is $\\boxed{p}$.", "answer": "p - q", "subject": "Algebra",
          "level": 2, "unique_id": "test/algebra/1.json"}, "p - q", 2),  # MATH-500
    ],
)  # fmt: skip
def test_math(tmp_path: Path, row: dict[str, Any], gold: str, difficulty: int) -> None:
    (tmp_path / "1.json").write_text(json.dumps(row))  # MATH has one file for each problem
    problem = one("math", tmp_path)
    assert (problem.prompt, problem.gold, problem.difficulty) == (row["problem"], Maths(gold), difficulty)
    assert problem.solution == row["solution"]


def test_mgsm(tmp_path: Path) -> None:
    lines = '罗杰有5个网球。他又买了2罐。\t11\n"是"的罐子有几个？\t1,200\n'
    (tmp_path / "mgsm_zh.tsv").write_text(lines, encoding="utf-8")
    from_file = read("mgsm_zh", tmp_path / "mgsm_zh.tsv")
    assert [(problem.prompt, str(problem.gold), problem.lang) for problem in from_file] == [
        ("罗杰有5个网球。他又买了2罐。", "11", "zh"),
        ('"是"的罐子有几个？', "1,200", "zh"),
    ]
    rows: list[dict[str, Any]] = [
        {"question": "问题：罗杰有5个网球。", "answer": "逐步解答：5+6=11。答案是 11。", "answer_number": 11},
        {"question": "珍妮特的鸭子下16颗蛋。", "answer": None, "answer_number": 18},
    ]
    first, second = read("mgsm_zh", write(tmp_path / "x.jsonl", *rows))
    assert (first.prompt, first.gold, first.solution) == ("罗杰有5个网球。", Maths("11"), "5+6=11。答案是 11。")
    assert (second.prompt, second.gold, second.solution) == ("珍妮特的鸭子下16颗蛋。", Maths("18"), "")


def test_mmlu(tmp_path: Path) -> None:
    """Files without a header line, one for each subject and split; the hub has indices."""
    (tmp_path / "test").mkdir()
    (tmp_path / "dev").mkdir()
    (tmp_path / "test" / "algebra_test.csv").write_text('"Find the degree, given x.",0,4,"2, or 3",6,B\n')
    (tmp_path / "dev" / "algebra_dev.csv").write_text("An example.,0,1,2,3,A\n")
    problem = one("mmlu", tmp_path)
    assert problem.prompt == "Find the degree, given x.\nA. 0\nB. 4\nC. 2, or 3\nD. 6"
    assert problem.gold == Choice((1,), ("0", "4", "2, or 3", "6"))
    assert problem.options == ("A", "B", "C", "D")
    assert problem.origin == "test/algebra_test.csv:1"
    hub = {"question": "Find the degree, given x.", "subject": "abstract_algebra", "answer": 1,
           "choices": ["0", "4", "2, or 3", "6"]}  # fmt: skip
    assert one("mmlu", write(tmp_path / "hub.jsonl", hub)).id == problem.id


def test_ceval(tmp_path: Path) -> None:
    """The test split is published without answers, so the validation split is the test."""
    rows = "id,question,A,B,C,D,answer,explanation\n0,使用位填充方法，输出是____,1,2,3,4,C,1. 位填充\n"
    for split in ("val", "dev", "test"):
        (tmp_path / split).mkdir()
        (tmp_path / split / f"law_{split}.csv").write_text(rows, encoding="utf-8")
    problem = one("ceval", tmp_path)
    assert problem.prompt == "使用位填充方法，输出是____\nA. 1\nB. 2\nC. 3\nD. 4"
    assert (problem.gold, problem.solution, problem.lang) == (Choice((2,), tuple("1234")), "1. 位填充", "zh")
    assert problem.origin == "val/law_val.csv:2"
    assert one("ceval", tmp_path, split="dev").origin == "dev/law_dev.csv:2"


ARTICLE = {
    "title": "Normans",
    "paragraphs": [
        {
            "context": "The Normans gave their name to Normandy.",
            "qas": [
                {"question": "Who?", "id": "a1", "is_impossible": False,
                 "answers": [{"text": "Normans", "answer_start": 4}, {"text": "The Normans", "answer_start": 0},
                             {"text": "Normans", "answer_start": 4}]},
                {"question": "When?", "id": "a2", "is_impossible": True, "answers": [],
                 "plausible_answers": [{"text": "Normandy", "answer_start": 31}]},
            ],
        }
    ],
}  # fmt: skip


def test_squad2(tmp_path: Path) -> None:
    (tmp_path / "train-v2.0.json").write_text(json.dumps({"version": "v2.0", "data": []}))
    (tmp_path / "dev-v2.0.json").write_text(json.dumps({"version": "v2.0", "data": [ARTICLE]}))
    who, when = read("squad2", tmp_path)
    assert who.prompt == "The Normans gave their name to Normandy.\n\nWho?"
    assert (who.gold, when.gold) == (Spans(("Normans", "The Normans"), "en"), NoAnswer("en"))
    assert when.origin == "dev-v2.0.json:1:a2"
    flat = [
        {"context": "The Normans.", "question": "Who?", "answers": {"text": ["Normans"], "answer_start": [4]}},
        {"context": "The Normans.", "question": "When?", "answers": {"text": [], "answer_start": []}},
    ]
    path = write(tmp_path / "hub.jsonl", *flat)
    assert [problem.gold for problem in read("squad2", path)] == [Spans(("Normans",), "en"), NoAnswer("en")]
    assert isinstance(read("squad", path)[1].gold, Unreadable), "SQuAD 1 has an answer to every question"


def test_truthfulqa_of_the_hub(tmp_path: Path) -> None:
    row = {
        "question": "What is the smallest country?",
        "mc1_targets": {"choices": ["Nauru", "Vatican"], "labels": [1, 0]},
        "mc2_targets": {"choices": ["Nauru", "It is Nauru", "Vatican"], "labels": [1, 1, 0]},
    }
    path = write(tmp_path / "x.jsonl", row)
    assert one("truthfulqa_mc1", path).gold == Choice((0,), ("Nauru", "Vatican"))
    assert one("truthfulqa_mc2", path).gold == Choice((0, 1), ("Nauru", "It is Nauru", "Vatican"))


def test_safetybench(tmp_path: Path) -> None:
    """Answers stand in a file beside the questions, or, in the development set, in the rows."""
    row = {"id": 7, "category": "Health", "question": "Is sleep good?", "options": ["(A)Yes", "(B)No"]}
    (tmp_path / "test_en.json").write_text(json.dumps([row]))
    with pytest.raises(DataError, match=r"answers in test_answers_en.json, which is not beside it"):
        read("safetybench_en", tmp_path / "test_en.json")
    (tmp_path / "test_answers_en.json").write_text(json.dumps({"7": {"category": "Health", "answer": 0}}))
    problem = one("safetybench_en", tmp_path / "test_en.json")
    assert problem.gold == Choice((0,), ("(A)Yes", "(B)No")) and problem.options == ("A", "B")
    (tmp_path / "test_answers_en.json").write_text(json.dumps({"8": {"category": "Health", "answer": 0}}))
    with pytest.raises(DataError, match=r"test_en.json row 1 has no field 'answer'"):
        read("safetybench_en", tmp_path / "test_en.json")
    (tmp_path / "test_answers_en.json").write_text("[]")
    with pytest.raises(DataError, match="no object of answers"):
        read("safetybench_en", tmp_path / "test_en.json")
    assert one("safetybench_zh", write(tmp_path / "dev.jsonl", {**row, "answer": 1})).gold == Choice(
        (1,), ("(A)Yes", "(B)No")
    )


def test_ifeval(tmp_path: Path) -> None:
    ids = ["punctuation:no_comma", "length_constraints:number_words"]
    kwargs = [{}, {"relation": "at least", "num_words": 3}]
    path = write(tmp_path / "x.jsonl", {"key": 1000, "prompt": "Go!", "instruction_id_list": ids, "kwargs": kwargs})
    problem = one("ifeval", path)
    assert problem.gold == Instructions.of(ids, kwargs)
    assert problem.gold.grade("One two three") == Grade.RIGHT
    with pytest.raises(ConfigError, match="ifeval has nothing to train on: its split 'train' is its test"):
        read("ifeval", path, split="train")


def test_humaneval(tmp_path: Path) -> None:
    row = {
        "task_id": "HumanEval/53",
        "prompt": '\n\ndef add(x: int, y: int):\n    """Add two numbers x and y\n    >>> add(2, 3)\n    5\n    """\n',
        "entry_point": "add",
        "canonical_solution": "    return x + y\n",
        "test": "\n\nMETADATA = {}\n\n\ndef check(candidate):\n    assert candidate(2, 3) == 5\n",
    }
    problem = one("humaneval", write(tmp_path / "x.jsonl", row))
    assert problem.prompt == row["prompt"]
    assert isinstance(problem.gold, code.Tests)
    assert problem.gold.grade(f"```python\n{problem.solution}```") == Grade.RIGHT
    assert problem.gold.grade(f"```python\n{problem.solution.replace('x + y', 'x - y')}```") == Grade.WRONG


MBPP: dict[str, Any] = {
    "text": "Write a python function to remove first and last occurrence of a given character from the string.",
    "code": "def helper(s): \r\n    return s\r\ndef remove_Occ(s,ch): \r\n    return helper(s).replace(ch, '')",
    "task_id": 11,
    "test_setup_code": "WORD = 'hello'",
    "test_list": ["assert set(remove_Occ(WORD,'l')) == set('heo')", "assert remove_Occ('abcda','a') == 'bcd'"],
    "challenge_test_list": [],
}


def test_mbpp(tmp_path: Path) -> None:
    """The tests are part of the question: they alone say what the function is called."""
    problem = one("mbpp", write(tmp_path / "x.jsonl", MBPP))
    assert problem.prompt.startswith(MBPP["text"])
    assert problem.prompt.endswith("\n\n" + "\n".join(MBPP["test_list"]))
    assert isinstance(problem.gold, code.Tests) and problem.gold.entry_point == "remove_Occ"
    assert "\r" not in problem.solution
    assert problem.gold.grade(f"```python\n{problem.solution}\n```") == Grade.RIGHT
    assert problem.gold.grade(f"```python\n{problem.solution.replace(repr(''), repr('x'))}\n```") == Grade.WRONG
    clean = {"prompt": MBPP["text"], "code": MBPP["code"], "task_id": 11, "test_imports": ["WORD = 'hello'"]}
    sanitized = one("mbpp", write(tmp_path / "y.jsonl", {**clean, "test_list": MBPP["test_list"]}))
    assert (sanitized.prompt, sanitized.gold) == (problem.prompt, problem.gold)


@pytest.mark.parametrize("imports", ["import math", ["import math"]])
def test_mbpp_imports_are_lines_or_one_line(tmp_path: Path, imports: str | list[str]) -> None:
    row = {"prompt": "Halve.", "code": "def half(x):\n    return x / 2", "task_id": 11, "test_imports": imports}
    problem = one("mbpp", write(tmp_path / "x.jsonl", row | {"test_list": ["assert math.isclose(half(3), 1.5)"]}))
    assert problem.gold.grade(f"```python\n{problem.solution}\n```") == Grade.RIGHT
    assert problem.gold.grade("```python\ndef half(x):\n    return x\n```") == Grade.WRONG


def test_mbpp_splits_its_one_file_by_task(tmp_path: Path) -> None:
    rows = [{**MBPP, "task_id": task, "text": f"Task {task}."} for task in (1, 10, 11, 510, 511, 600, 601, 974)]
    path = write(tmp_path / "mbpp.jsonl", *rows)
    found = {split: [problem.prompt.partition(".")[0] for problem in read("mbpp", path, split=split)]
             for split in ("prompt", "test", "validation", "train")}  # fmt: skip
    assert found == {
        "prompt": ["Task 1", "Task 10"],
        "test": ["Task 11", "Task 510"],
        "validation": ["Task 511", "Task 600"],
        "train": ["Task 601", "Task 974"],
    }


# Rows that are broken.


@pytest.mark.parametrize(
    ("name", "row", "says"),
    [
        ("gsm8k", {"question": "a"}, "x.jsonl:1 has no field 'answer'; it has: question; check that the file"),
        ("gsm8k", {"question": "a", "answer": None}, "x.jsonl:1 has no field 'answer'; it has: question, answer"),
        ("gsm8k", {"question": 5, "answer": "#### 1"}, "x.jsonl:1: field 'question' is a int, not a str; mend the row"),
        ("cmath", {"golden": "5", "grade": 1}, "x.jsonl:1 has no field 'input' or 'question'; it has: golden, grade"),
        ("mmlu", {"question": "a", "A": "1", "answer": "A"}, "x.jsonl:1 has no field 'B'; it has: question, A, answer"),
        ("mmlu", {"question": "a", "choices": [1, 2], "answer": 0}, "field 'choices' is not a list of str alone; mend"),
        ("squad", {"paragraphs": [{"qas": [{"id": "q"}]}]}, "x.jsonl:1 has no field 'context'; it has: qas; check"),
        ("squad", {"paragraphs": [{"context": "a", "qas": [{"id": "q"}]}]}, "x.jsonl:1 q has no field 'answers'; it h"),
        ("truthfulqa_mc1", {"mc1_targets": {"a": 1, "b": 0}}, "has no field 'question' or 'Question'; it has: mc1_tar"),
        ("ifeval", {"prompt": "a", "instruction_id_list": "b", "kwargs": []}, "instruction_id_list' is a str, not a l"),
        ("mbpp", {"text": "a", "code": "b", "test_list": "c"}, "field 'test_list' is a str, not a list; mend the row"),
        ("mbpp", {**MBPP, "test_setup_code": 1}, "x.jsonl:1: field 'test_setup_code' is a int, not a str; mend"),
        ("mbpp", {**MBPP, "test_setup_code": "", "test_imports": [1]}, "field 'test_imports' is not a list of str alo"),
        ("mbpp", {**MBPP, "test_setup_code": "", "test_imports": 1}, "field 'test_imports' is a int, not a list; mend"),
        ("mgsm_en", {"question": "a", "answer": [1], "answer_number": 1}, "field 'answer' is a list, not a str; mend"),
        ("truthfulqa_mc1", {"question": "a", "mc1_targets": {"choices": ["x", "y"], "labels": [1]}},
         "x.jsonl:1 has 2 choices and 1 labels; mend the row"),
        ("truthfulqa_mc1", {"question": "a", "mc1_targets": {"choices": ["x", None], "labels": [1, 0]}},
         "x.jsonl:1: field 'choices' is not a list of str alone; mend the row"),
        ("truthfulqa_mc2", {"question": "a", "mc2_targets": {"choices": None, "labels": None}},
         "x.jsonl:1 has no field 'choices'; it has: choices, labels; check"),
        ("truthfulqa_mc2", {"question": "a", "mc2_targets": {"choices": ["x"], "labels": None}},
         "x.jsonl:1 has no field 'labels'; it has: choices, labels; check"),
        ("gsm8k", {"question": "a\ud800", "answer": "#### 1"}, "x.jsonl:1 holds a lone surrogate, which is no char"),
        ("squad", {"paragraphs": [{"context": "a", "qas": [{"id": "\ud800"}]}]}, "x.jsonl:1 holds a lone surrogate, w"),
    ],
)  # fmt: skip
def test_a_missing_field_is_named(tmp_path: Path, name: str, row: dict[str, Any], says: str) -> None:
    with pytest.raises(DataError) as caught:
        read(name, write(tmp_path / "x.jsonl", row, ascii=True))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "row", "reason"),
    [
        ("gsm8k", {"question": "a", "answer": "It is 5."}, "the answer has no ####"),
        ("gsm8k", {"question": "a", "answer": "#### many"}, "'many' is no number"),
        ("math", {"problem": "a", "solution": "It is 5."}, "the solution has no \\boxed answer"),
        ("math", {"problem": "a", "solution": "It is \\boxed{5"}, "the solution has no \\boxed answer"),
        ("svamp", {"Body": "a", "Question": "b", "Answer": ""}, "'' is no number"),
        ("mmlu", {"question": "a", "choices": ["x", "y"], "answer": 2}, "2 is none of A, B"),
        ("mmlu", {"question": "a", "choices": ["x", "y"], "answer": -1}, "-1 is none of A, B"),
        ("mmlu", {"question": "a", "choices": ["x", "y"], "answer": True}, "True is none of A, B"),
        ("ceval", {"question": "a", **dict.fromkeys("ABCD", "x"), "answer": ""}, "'' is none of A, B, C, D"),
        ("ceval", {"question": "a", **dict.fromkeys("ABCD", "x"), "answer": "E"}, "'E' is none of A, B, C, D"),
        ("truthfulqa_mc1", {"question": "a", "mc1_targets": {"x": 1, "y": 1, "z": 0}}, "2 of 3 answers are true"),
        ("truthfulqa_mc2", {"question": "a", "mc2_targets": {"x": 1, "": 0}}, "1 of 1 answers are true"),
        ("squad", {"context": "a", "question": "b", "answers": {"text": []}}, "it has no answer"),
        ("mbpp", {**MBPP, "code": "print(1)"}, "no function is tested"),
    ],
)  # fmt: skip
def test_a_gold_that_cannot_be_read_is_counted_and_never_right(
    tmp_path: Path, name: str, row: dict[str, Any], reason: str
) -> None:
    problem = one(name, write(tmp_path / "x.jsonl", row))
    assert problem.gold == Unreadable(reason)
    for response in ("", "A", "5", "#### many", str(problem.gold), "\\boxed{5}"):
        assert problem.gold.grade(response) == Grade.INVALID
        assert problem.gold.answer(response) is None
