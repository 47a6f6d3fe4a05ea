"""Every kind of source gives its documents; every kind of bad input is one line with the place and the mend."""

import gzip
import json
import os
import random
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from candor.data import SourceConfig, fingerprint, read_documents
from candor.data.sources import Skipped, read_unit, units_of
from candor.errors import CandorError, ConfigError, DataError
from candor.records import Document
from tests.data.conftest import jsonl

MiB = 2**20
RANDOM = random.Random(0)


def read(path: Path | str, **settings: Any) -> list[Document]:
    return list(read_documents(SourceConfig(str(path), **settings)))


def texts(path: Path | str, **settings: Any) -> list[str]:
    return [document.text for document in read(path, **settings)]


def parquet(path: Path, **columns: Any) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


# What is read.


@pytest.mark.parametrize("name", ["a.txt", "a.md", "A.TXT", "a.of-any-kind"])
def test_a_file_is_one_document(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes("第一行\r\nline two\n".encode())
    (document,) = read(tmp_path / name, licence="MIT", kind="licensed")
    assert document == Document("第一行\r\nline two\n", str(tmp_path / name), name, "MIT", "licensed")


def test_a_folder_is_read_in_order_and_skips_by_type(tmp_path: Path) -> None:
    jsonl(tmp_path / "b.jsonl", ["one", "two"])
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "x.MD").write_text("three")
    (tmp_path / "a" / "x.py").write_text("four")
    (tmp_path / "a" / "photo.png").write_bytes(b"\x89PNG")
    (tmp_path / "LICENSE").write_text("free")
    (tmp_path / ".hidden.txt").write_text("hidden")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.txt").write_text("hidden")
    (tmp_path / "a" / "loop").symlink_to(tmp_path)
    (tmp_path / "c.txt").symlink_to(tmp_path / "a" / "x.py")
    skipped = Skipped()
    documents = list(read_documents(SourceConfig(str(tmp_path)), skipped))
    assert [(document.origin, document.text) for document in documents] == [
        ("a/deep/x.MD", "three"),
        ("a/x.py", "four"),
        ("b.jsonl:1", "one"),
        ("b.jsonl:2", "two"),
        ("c.txt", "four"),
    ]
    assert skipped.files == ["LICENSE", "a/photo.png"]


def test_jsonl_with_and_without_gzip(tmp_path: Path) -> None:
    rows = ["plain", "两行\nof text", "\u2028 separators \x85 in a line", "   ", ""]
    plain = jsonl(tmp_path / "x.jsonl", rows)
    plain.write_bytes(b"\n" + plain.read_bytes().removesuffix(b"\n"))
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(plain.read_bytes()))
    for name in ("x.jsonl", "x.jsonl.gz"):
        documents = read(tmp_path / name)
        assert [document.text for document in documents] == rows[:3]  # empty texts are no documents
        assert [document.origin for document in documents] == [f"{name}:2", f"{name}:3", f"{name}:4"]


def test_parquet(tmp_path: Path) -> None:
    path = parquet(tmp_path / "x.parquet", id=range(600), body=[f"text {number}" for number in range(600)])
    documents = read(path)
    assert [document.text for document in documents] == [f"text {number}" for number in range(600)]
    assert documents[599].origin == "x.parquet:600"


@pytest.mark.parametrize("form", ["folder", "hf:folder", "split"])
def test_a_saved_dataset(tmp_path: Path, form: str) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.Dataset.from_dict({"content": ["one", "二", " "], "n": [1, 2, 3]})
    other = datasets.Dataset.from_dict({"content": ["to be left alone"], "n": [4]})
    saved = datasets.DatasetDict({"test": other, "train": rows}) if form == "split" else rows
    saved.save_to_disk(tmp_path / "saved")
    source = f"hf:{tmp_path / 'saved'}" if form == "hf:folder" else str(tmp_path / "saved")
    documents = read(source)
    assert [(document.text, document.origin) for document in documents] == [("one", "row 1"), ("二", "row 2")]


@pytest.mark.parametrize("usual", ["text", "content", "body"])
def test_the_usual_field_is_found(tmp_path: Path, usual: str) -> None:
    assert texts(jsonl(tmp_path / "x.jsonl", [{"id": "no", usual: "yes"}])) == ["yes"]


def test_fields_are_joined_in_the_order_asked_for(tmp_path: Path) -> None:
    row = {"answer": "2", "question": "1+1?", "text": "no"}
    assert texts(jsonl(tmp_path / "x.jsonl", [row]), fields=("question", "answer")) == ["1+1?\n2"]
    path = parquet(tmp_path / "x.parquet", **{name: [value] for name, value in row.items()})
    assert texts(path, fields=("question", "answer")) == ["1+1?\n2"]


def test_other_encodings_and_byte_order_marks(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xb1\xb1\xbe\xa9")  # 北京 in GB 18030
    (tmp_path / "b.jsonl").write_bytes(b'{"text": "\xb1\xb1\xbe\xa9"}\n')
    assert texts(tmp_path, encoding="gb18030") == ["北京", "北京"]
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfhello")
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"text": "world"}\n')
    assert texts(tmp_path) == ["hello", "world"]


@pytest.mark.parametrize("size", [1, 100, 1000, 4096, 10**9])
@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "parquet", "folder"])
def test_units_together_are_the_source(tmp_path: Path, kind: str, size: int) -> None:
    """However it is cut: the same documents with the same places, in the same order."""
    lines = [f"line {number} 北京 " * RANDOM.randrange(1, 9) for number in range(300)]
    (tmp_path / "source").mkdir()
    if kind == "parquet":
        pq.write_table(pa.table({"text": lines}), tmp_path / "source" / "x.parquet", row_group_size=7)
    elif kind == "folder":
        for number, line in enumerate(lines[:40]):
            (tmp_path / "source" / f"{number:03}.txt").write_text(line)
        jsonl(tmp_path / "source" / "100.jsonl", lines)
    else:
        plain = jsonl(tmp_path / "x.jsonl", [*lines, "", "the last"])
        data = b"\n\n" + plain.read_bytes().removesuffix(b"\n")
        (tmp_path / "source" / f"x.{kind}").write_bytes(gzip.compress(data) if kind == "jsonl.gz" else data)
    source = SourceConfig(str(tmp_path / "source"))
    whole = list(read_documents(source))
    units = units_of([source], size)
    read = [document for unit in units for document in read_unit(source, unit)]
    assert [document for document in read if document.text.strip()] == whole
    assert len(whole) >= 300 and (len(units) > 5 or size > 100 or kind == "jsonl.gz")


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.txt").write_text("at home")
    assert texts("~/x.txt") == ["at home"]


# What is refused.


def write(content: bytes, name: str = "x.jsonl") -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return make


def bad_gzip(cut: int | None = None, flip: int | None = None) -> Callable[[Path], Path]:
    """A gzip of text that hardly shrinks, cut off, or with a byte turned around."""
    lines = b"".join(b'{"text": "%s"}\n' % RANDOM.randbytes(500).hex().encode() for _ in range(20))
    data = bytearray(gzip.compress(lines))
    if flip is not None:
        data[flip] ^= 255
    return write(bytes(data[:cut]), "x.jsonl.gz")


def linked(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "source").mkdir()
        (folder / "source" / name).symlink_to(folder / "nowhere")
        return folder / "source"

    return make


def piped(folder: Path) -> Path:
    (folder / "source").mkdir()
    os.mkfifo(folder / "source" / "x.txt")
    return folder / "source"


def empty_folder(folder: Path) -> Path:
    (folder / "x.jsonl").mkdir()
    return folder / "x.jsonl"


def no_utf8_parquet(folder: Path) -> Path:
    offsets, content = pa.py_buffer(b"\0\0\0\0\2\0\0\0\4\0\0\0"), pa.py_buffer(b"ab\xff\xfe")
    return parquet(folder / "x.parquet", text=pa.StringArray.from_buffers(2, offsets, content))


def torn_parquet(folder: Path) -> Path:
    """The body of the column is zeros; head and footer are whole."""
    path = parquet(folder / "x.parquet", text=[RANDOM.randbytes(500).hex() for _ in range(20)])
    data = bytearray(path.read_bytes())
    data[4:9000] = bytes(8996)
    path.write_bytes(data)
    return path


GOOD = b'{"text": "good"}\n'


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "missing", "missing' does not exist; give a file, a folder, python-docs or hf:"),
        (lambda folder: "~nobody-of-this-name/x", "does not exist; give a file"),
        (lambda folder: folder / ("x" * 300), "cannot be read (File name too long)"),
        (linked("x.txt"), "x.txt cannot be read ([Errno 2] No such file or directory"),
        (linked("x.jsonl"), "x.jsonl cannot be read ([Errno 2] No such file or directory"),
        (linked("x.parquet"), "x.parquet cannot be read ([Errno 2]"),
        (piped, "x.txt is a pipe or a device, not a file; remove it"),
        (write(b"", "x.txt"), "holds no text; give a source with at least two documents"),
        (write(b" \n\t\xe3\x80\x80\n", "x.txt"), "holds no text"),
        (write(b""), "holds no text"),
        (write(b'{"text": " "}\n\n'), "holds no text"),
        (empty_folder, "holds no text"),
        (linked("x.unknown"), "holds no text"),
        (write(b"ab\xffcd", "x.txt"), "x.txt is not utf-8: byte 2 is 0xff; save it as UTF-8, or name its encoding"),
        (write(GOOD + b'{"text": "\xb1\xb1"}\n'), "x.jsonl:2 is not utf-8: byte 10 is 0xb1; save it as UTF-8"),
        (write(GOOD + GOOD[:-3]), "x.jsonl:2 is not JSON"),
        (write(GOOD + b'{"text": "a"} {"text": "b"}'), "x.jsonl:2 is not JSON"),
        (write(GOOD + b'{"text": ' + b"[" * 200_000), "x.jsonl:2 is not JSON"),
        (write(GOOD + b'{"text": ' + b"1" * 5000 + b"}"), "x.jsonl:2 is not JSON"),
        (write(GOOD + b'["a"]\n'), "x.jsonl:2 is a list, not an object with fields; mend or remove the line"),
        (write(GOOD + b'{"text": 5}\n'), "x.jsonl:2: field 'text' is a int, not text; choose other fields"),
        (write(b'{"text": null}\n'), "x.jsonl:1: field 'text' is a NoneType, not text"),
        (write(b'{"title": "a", "story": "b"}\n'), "x.jsonl:1 has none of the usual fields text, content, body; "
         "it has: title, story; choose with --fields name,name"),
        (write(GOOD + b'{"text": "a\\ud800"}\n'), "x.jsonl:2 holds a lone surrogate, which is no character; mend"),
        (bad_gzip(cut=5000), "x.jsonl.gz cannot be read (Compressed file ended before"),
        (bad_gzip(flip=10), "x.jsonl.gz cannot be read (Error -3"),  # no such kind of block
        (bad_gzip(flip=3000), "x.jsonl.gz cannot be read ("),
        (bad_gzip(flip=-5), "x.jsonl.gz cannot be read (CRC check failed"),
        (bad_gzip(flip=0), "x.jsonl.gz cannot be read (Not a gzipped file"),
        (write(GOOD, "x.jsonl.gz"), "x.jsonl.gz cannot be read (Not a gzipped file"),
        (write(b"PAR1 and no more", "x.parquet"), "x.parquet is not a readable Parquet file"),
        (write(b"", "x.parquet"), "x.parquet is not a readable Parquet file"),
        (torn_parquet, "x.parquet"),
        (no_utf8_parquet, "x.parquet is not a readable Parquet file ('utf-8' codec can't decode byte 0xff"),
        (lambda folder: parquet(folder / "x.parquet", text=["a", None]), "x.parquet row 2: field 'text' is a NoneType"),
        (lambda folder: parquet(folder / "x.parquet", n=[1], m=[2]), "x.parquet has none of the usual fields text, "
         "content, body; it has: n, m; choose with --fields"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_with_place_and_mend(tmp_path: Path, make: Callable[[Path], Path], says: str) -> None:
    config = SourceConfig(str(make(tmp_path)))
    with pytest.raises(CandorError) as caught:
        fingerprint(config)
        list(read_documents(config))
    message = str(caught.value)
    assert says in message
    assert "\n" not in message
    assert "; " in message, "no mend"


def test_a_field_that_is_asked_for_must_be_in_every_row(tmp_path: Path) -> None:
    path = jsonl(tmp_path / "x.jsonl", [{"question": "a", "answer": "b"}, {"question": "c", "reply": "d"}])
    with pytest.raises(DataError, match=r"x.jsonl:2 has no field 'answer'; it has: question, reply; choose with"):
        read(path, fields=("question", "answer"))
    with pytest.raises(DataError, match=r"x.parquet has no field 'answer'; it has: question; choose with"):
        read(parquet(tmp_path / "x.parquet", question=["a"]), fields=("question", "answer"))


def test_a_folder_that_is_no_dataset_is_one_line(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "dataset_info.json").write_text("{")
    for source in (tmp_path / "saved", f"hf:{tmp_path / 'saved'}"):
        with pytest.raises(DataError, match=r"the dataset .* cannot be read \(.*\); check the name") as caught:
            read(source)
        assert "\n" not in str(caught.value)


def sparse(path: Path, size: int) -> Path:
    with open(path, "wb") as file:
        file.truncate(size)
    return path


def zeros(path: Path) -> Path:
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(64):
            file.write(bytes(MiB))
    return path


@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda folder: sparse(folder / "x.txt", 8 * 2**30), r"x\.txt"),
        (lambda folder: sparse(folder / "x.jsonl", 8 * 2**30), r"x\.jsonl:1"),
        (lambda folder: zeros(folder / "x.jsonl.gz"), r"x\.jsonl\.gz:1"),
    ],
)
def test_a_document_over_the_limit_is_refused_before_it_is_in_memory(
    tmp_path: Path, make: Callable[[Path], Path], place: str
) -> None:
    path = make(tmp_path)
    tracemalloc.start()
    try:
        with pytest.raises(
            DataError, match=rf"{place} is a document of .* over corpus.sources.N.max_document_bytes=1,048,576"
        ):
            read(path, max_document_bytes=MiB)
        assert tracemalloc.get_traced_memory()[1] < 8 * MiB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", ["txt", "jsonl", "parquet", "dataset"])
def test_the_limit_is_in_bytes_and_holds_for_every_kind(tmp_path: Path, form: str) -> None:
    text = "北" * 100  # 300 bytes
    path = tmp_path / f"x.{form}"
    if form == "txt":
        path.write_text(text, encoding="utf-8")
    elif form == "jsonl":
        jsonl(path, ["short", text])
    elif form == "parquet":
        parquet(path, text=["short", text])
    else:
        pytest.importorskip("datasets").Dataset.from_dict({"text": ["short", text]}).save_to_disk(path)
    assert texts(path, max_document_bytes=320)[-1] == text
    with pytest.raises(
        DataError, match=r"a document of at least 3\d\d bytes, over corpus.sources.N.max_document_bytes=299"
    ):
        read(path, max_document_bytes=299)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"share": 0.0}, "share=0.0 of python-docs must be above 0 and at most 1"),
        ({"share": 1.1}, "share=1.1 of python-docs must be above 0 and at most 1"),
        ({"max_document_bytes": 0}, "max_document_bytes=0 of python-docs must be positive"),
        ({"encoding": "utf-9"}, "encoding='utf-9' is unknown; try utf-8 or gb18030"),
        ({"tasks": ("arithmetic:1:en",)}, "tasks and size are those of path=exercises, which needs both"),
        ({"path": "exercises", "size": 9}, "tasks and size are those of path=exercises, which needs both"),
        ({"path": "exercises", "tasks": ("word:1:en",), "size": 9}, "'word:1:en' must be NAME:DIFFICULTY:LANG"),
        ({"path": "exercises", "tasks": ("gsm8k:x.jsonl",), "size": 9}, "must be NAME:DIFFICULTY:LANG"),
        ({"kind": "synthetic"}, "python-docs is synthetic; say what made it and when: model='NAME VERSION, DATE'"),
        ({"encoding": "base64"}, "encoding='base64' is unknown"),
    ],
)
def test_settings_that_cannot_work(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        SourceConfig(**settings)
    assert says in str(caught.value)


# When a corpus is made again.


@pytest.mark.parametrize("prefix", ["", "hf:"])
def test_the_fingerprint_changes_with_the_files(tmp_path: Path, prefix: str) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "x.txt").write_text("one")
    config = SourceConfig(prefix + str(tmp_path))
    seen = {fingerprint(config)}
    assert fingerprint(config) in seen
    (tmp_path / "deep" / "x.txt").write_text("longer")
    seen.add(fingerprint(config))
    os.utime(tmp_path / "deep" / "x.txt", ns=(0, 0))
    seen.add(fingerprint(config))
    (tmp_path / "deep" / "x.txt").rename(tmp_path / "deep" / "y.txt")
    seen.add(fingerprint(config))
    assert len(seen) == 4


def test_the_fingerprint_of_a_file_at_home_changes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "x.txt").write_text("one")
    before = fingerprint(SourceConfig("~/x.txt"))
    (tmp_path / "x.txt").write_text("longer")
    assert fingerprint(SourceConfig("~/x.txt")) != before


# Public data.


def test_chinese_novels(public_data: Path) -> None:
    folder = public_data / "text" / "zh_novels"
    skipped = Skipped()
    documents = list(read_documents(SourceConfig(str(folder), licence="MIT"), skipped))
    rows = [json.loads(line)["text"] for line in (folder / "novels.jsonl").read_bytes().splitlines()]
    assert [document.text for document in documents] == rows
    assert len(documents) == 415  # the number of chapters that the collection states
    assert documents[0].text.startswith("甄士隐梦幻识通灵")
    assert documents[414].origin == "novels.jsonl:415"
    assert skipped.files == ["LICENSE"]


def test_gsm8k_as_question_and_answer(public_data: Path) -> None:
    path = public_data / "math" / "gsm8k" / "test.jsonl"
    found = texts(path, fields=("question", "answer"))
    assert len(found) == 1319  # as published
    assert found[0].startswith("Janet’s ducks lay 16 eggs per day.")
    assert found[0].endswith("#### 18")
    with pytest.raises(DataError, match=r"has none of the usual fields .* it has: question, answer"):
        read(path)
