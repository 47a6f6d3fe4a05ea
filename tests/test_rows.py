"""The same rows come out of every kind of file, with their places; what cannot be read is one line with the mend."""

import csv
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from candor.errors import CandorError, ConfigError, DataError
from candor.rows import Layout, Row, read_rows

ROWS = [
    {"question": "1 + 1?", "answer": "2"},
    {"question": 'two\nlines, a "quote"', "answer": "第二行"},
    {"question": "北京\u2028在哪里？", "answer": " x "},
]


def read(path: Path | str, **layout: Any) -> list[Row]:
    return list(read_rows(path, Layout(**layout)))


def fields(path: Path | str, **layout: Any) -> list[dict[str, Any]]:
    return [row.fields for row in read(path, **layout)]


def packed(data: bytes) -> bytes:
    """gzip without the time, so that tests have the same names at every collection."""
    return gzip.compress(data, mtime=0)


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def as_jsonl(path: Path) -> None:
    write(path, "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS))


def as_jsonl_gz(path: Path) -> None:
    write(path, packed(b"".join(json.dumps(row).encode() + b"\n" for row in ROWS)))


def as_list(path: Path) -> None:
    write(path, json.dumps(ROWS))


def as_named_list(path: Path) -> None:
    write(path, json.dumps({"version": "1.1", "tags": ["a"], "data": ROWS}))


def as_json_gz(path: Path) -> None:
    write(path, packed(json.dumps(ROWS).encode()))


def as_csv(path: Path) -> None:
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["question", "answer"])
        table.writeheader()
        table.writerows(ROWS)


def as_csv_of_windows(path: Path) -> None:
    as_csv(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")


def as_parquet(path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), path)


@pytest.mark.parametrize(
    ("name", "make", "places"),
    [
        ("x.jsonl", as_jsonl, [":1", ":2", ":3"]),
        ("x.jsonl.gz", as_jsonl_gz, [":1", ":2", ":3"]),
        ("x.json", as_list, [" row 1", " row 2", " row 3"]),
        ("x.json", as_named_list, [" row 1", " row 2", " row 3"]),
        ("x.json.gz", as_json_gz, [" row 1", " row 2", " row 3"]),
        ("x.csv", as_csv, [":2", ":3", ":5"]),  # the second row runs over two lines
        ("X.CSV", as_csv_of_windows, [":2", ":3", ":5"]),
        ("x.parquet", as_parquet, [" row 1", " row 2", " row 3"]),
    ],
)
def test_every_kind_gives_the_same_rows(
    tmp_path: Path, name: str, make: Callable[[Path], None], places: list[str]
) -> None:
    make(tmp_path / name)
    rows = read(tmp_path / name)
    assert [row.fields for row in rows] == ROWS
    assert [row.where for row in rows] == [f"{tmp_path / name}{place}" for place in places]
    assert [row.origin for row in rows] == [name + place.replace(" row ", ":") for place in places]


def test_tables_without_a_header_take_the_names_given(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", 'Which?,"a, b",c\n')
    assert fields(path, columns=("question", "A", "B")) == [{"question": "Which?", "A": "a, b", "B": "c"}]


def test_a_quote_in_tsv_is_a_character(tmp_path: Path) -> None:
    """MGSM's files quote nothing: a question may begin with a quotation mark."""
    path = write(tmp_path / "x.tsv", '"Six," he said, "and?"\t18\r\n\n他有3个"苹果\t5\n')
    rows = read(path, columns=("question", "answer"))
    assert [row.fields for row in rows] == [
        {"question": '"Six," he said, "and?"', "answer": "18"},
        {"question": '他有3个"苹果', "answer": "5"},
    ]
    assert [row.origin for row in rows] == ["x.tsv:1", "x.tsv:3"]


def test_a_single_object_is_one_row(tmp_path: Path) -> None:
    """MATH as published: one file for each problem."""
    row = {"problem": "1 + 1?", "level": "Level 1", "solution": "$\\boxed{2}$", "tags": [], "tests": ["a"]}
    assert fields(write(tmp_path / "1.json", json.dumps(row))) == [row]


def test_a_folder_is_read_in_order(tmp_path: Path) -> None:
    for name, number in {"b.jsonl": 2, "a/deep/x.json": 1, "c.csv": 3}.items():
        write(tmp_path / name, f"n\n{number}\n" if name.endswith("csv") else f'{{"n": "{number}"}}')
    write(tmp_path / "LICENSE", "free")
    write(tmp_path / ".git" / "x.jsonl", '{"n": "hidden"}')
    rows = read(tmp_path)
    assert [row.fields["n"] for row in rows] == ["1", "2", "3"]
    assert [row.origin for row in rows] == ["a/deep/x.json:1", "b.jsonl:1", "c.csv:2"]


@pytest.mark.parametrize(
    ("files", "splits", "read_"),
    [
        (["test.jsonl", "train.jsonl"], ("test",), ["test.jsonl"]),
        (["test.jsonl", "train.jsonl"], ("train",), ["train.jsonl"]),
        (["test.jsonl", "train.jsonl"], (), ["test.jsonl", "train.jsonl"]),
        (["val/law_val.jsonl", "test/law_test.jsonl", "dev/law_dev.jsonl"], ("val", "dev"), ["val/law_val.jsonl"]),
        (["dev/law_dev.jsonl"], ("val", "dev"), ["dev/law_dev.jsonl"]),
        (["data/test-00000-of-00001.jsonl", "data/train-00000-of-00001.jsonl"], ("test",),
         ["data/test-00000-of-00001.jsonl"]),
        (["algebra/1.jsonl", "latest.jsonl"], ("test",), ["algebra/1.jsonl", "latest.jsonl"]),  # none names a split
    ],
)  # fmt: skip
def test_a_folder_gives_the_files_of_one_split(
    tmp_path: Path, files: list[str], splits: tuple[str, ...], read_: list[str]
) -> None:
    """Else training would read the test questions that lie beside its own."""
    for name in files:
        write(tmp_path / name, '{"n": 1}')
    assert [row.origin.removesuffix(":1") for row in read(tmp_path, splits=splits)] == read_


def test_a_split_that_no_file_names_is_not_guessed(tmp_path: Path) -> None:
    for name in ("train.jsonl", "more.jsonl"):
        write(tmp_path / name, '{"n": 1}')
    with pytest.raises(DataError, match=r"no file of the split test or val; it has: more.jsonl, train.jsonl; name ano"):
        read(tmp_path, splits=("test", "val"))


@pytest.mark.parametrize("suffix", ["", "@test"])
def test_a_saved_dataset_by_split(tmp_path: Path, suffix: str) -> None:
    datasets = pytest.importorskip("datasets")
    parts = {name: datasets.Dataset.from_dict({"n": [name, "北"]}) for name in ("other", "train", "test")}
    datasets.DatasetDict(parts).save_to_disk(tmp_path / "a@b")
    source = f"hf:{tmp_path / 'a@b'}{suffix}"
    expected = "test" if suffix else "train"
    assert read(source) == [
        Row({"n": expected}, f"{source} row 1", "row 1"),
        Row({"n": "北"}, f"{source} row 2", "row 2"),
    ]
    assert fields(tmp_path / "a@b", splits=("missing", "other"))[0] == {"n": "other"}
    with pytest.raises(DataError, match=r"has no split dev; it has: other, train, test; choose one of them"):
        read(f"hf:{tmp_path / 'a@b'}@dev")


def test_the_address_of_a_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    asked: list[Any] = []

    def load(*args: Any, **settings: Any) -> Any:
        asked.append((args, settings))
        return {"train": [{"n": 1}], "test": [{"n": 2}, {"n": 3}]}

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert fields("hf:google/xquad:xquad.en@test") == [{"n": 2}, {"n": 3}]
    assert fields("hf:owner/name") == [{"n": 1}]
    assert asked == [
        (("google/xquad", "xquad.en"), {"streaming": True}),
        (("owner/name", None), {"streaming": True}),
    ]


def test_no_network_says_to_give_a_copy(tmp_path: Path) -> None:
    """In a process of its own: the library looks at this variable once."""
    pytest.importorskip("datasets")
    code = (
        "from candor.errors import DataError\nfrom candor.rows import read_rows\n"
        "try: list(read_rows('hf:nobody/of-this-name@test'))\nexcept DataError as error: raise SystemExit(str(error))"
    )
    environ = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    message = done.stderr.strip().splitlines()[-1]
    assert message.startswith("the dataset 'hf:nobody/of-this-name@test' cannot be read (")
    assert message.endswith("without a network give the path of a downloaded copy")


def test_a_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ConfigError, match=r"pip install 'candor-lm\[hub\]'"):
        read("hf:owner/name")


GOOD = b'{"n": 1}\n'


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", GOOD + GOOD[:-3], "x.jsonl:2 is not JSON ("),
        ("x.jsonl", GOOD + b"[1]\n", "x.jsonl:2 is a list, not an object with fields; mend or remove the line"),
        ("x.jsonl", GOOD + b'{"n": "\xb1\xb1"}', "x.jsonl:2 is not utf-8: byte 7 is 0xb1; save it as UTF-8 (Chinese"),
        ("x.jsonl", b'{"n": "' + b"x" * 200, "x.jsonl:1 is a document of at least 101 bytes, over the limit of 100; "),
        ("x.jsonl.gz", packed(bytes(range(33, 99)))[:-20], "x.jsonl.gz cannot be read (Compressed file ended"),
        ("x.jsonl.gz", GOOD, "x.jsonl.gz cannot be read (Not a gzipped file"),
        ("x.json.gz", packed(b"[" + b" " * 200 + b"]"), "x.json.gz is a document of at least 101 bytes, over "),
        ("x.json", b"", "x.json is not JSON (Expecting value"),
        ("x.json", GOOD + GOOD, "x.json is not JSON (Extra data: line 2"),
        ("x.json", b"[" * 100, "x.json is not JSON ("),
        ("x.json", b"5", "x.json is a int, not a list of objects with fields; mend or replace it"),
        ("x.json", b'[{"n": 1}, [2]]', "x.json row 2 is a list, not an object with fields; mend or remove the row"),
        ("x.json", b'{"a": [{"n": 1}], "b": [{}]}', "x.json holds several lists of rows (a, b); keep one of them"),
        ("x.json", b'["\xff"]', "x.json is not utf-8: byte 2 is 0xff; save it as UTF-8"),
        ("x.csv", b"a,b\n1,2\n1,2,3\n", "x.csv:3 has 3 columns, not 2 (a, b); mend or remove the line"),
        ("x.csv", b'a,b\n1,2\n"1,2\n3,4\n', "x.csv:3 is not CSV (unexpected end of data); mend the line"),
        ("x.csv", b'a,b\n"1"2,3\n', "x.csv:2 is not CSV (',' expected after '\"'); mend the line"),
        ("x.csv", b"a,b\n1,\xff\n", "x.csv:2 is not utf-8: byte 2 is 0xff"),
        ("x.tsv", b"a\tb\nonly one\n", "x.tsv:2 has 1 columns, not 2 (a, b); mend"),
        ("x.parquet", b"PAR1 and no more", "x.parquet is not a readable Parquet file ("),
        ("x.txt", b"text", "x.txt is of no known kind; give one of .jsonl, .jsonl.gz, .json"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_place_and_mend(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(CandorError) as caught:
        read(path, max_bytes=100)
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert "; " in message, "no mend"


def test_torn_parquet(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"n": [str(number) * 50 for number in range(200)]}), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"x.parquet is not a readable Parquet file \(.*; replace it"):
        read(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"missing.jsonl' does not exist; check the path, or give hf:owner/name"):
        read(tmp_path / "missing.jsonl")
    os.mkfifo(tmp_path / "x.csv")
    with pytest.raises(DataError, match=r"x.csv is a pipe or a device, not a file; remove it"):
        read(tmp_path / "x.csv")


def test_other_encodings(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "问题,答案\n北京,首都\n".encode("gb18030"))
    assert fields(path, encoding="gb18030") == [{"问题": "北京", "答案": "首都"}]
    with pytest.raises(
        DataError, match=r"x.csv:1 is not utf-8.*--set corpus.encoding=\.\.\. \(Chinese files are often"
    ):
        read(path, settings="corpus")


def test_rows_are_streamed(tmp_path: Path) -> None:
    """A broken line far down does not keep the first rows back, and nothing after a row asked for is read."""
    rows = read_rows(write(tmp_path / "x.jsonl", GOOD * 3 + b"broken"))
    assert [next(rows).fields for _ in range(3)] == [{"n": 1}] * 3
    with pytest.raises(DataError, match=r"x.jsonl:4 is not JSON"):
        next(rows)
