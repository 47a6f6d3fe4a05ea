"""A corpus is its documents in hash order, once each, split by hash: recomputed here from the texts alone."""

import hashlib
import json
import random
import tracemalloc
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from candor import files
from candor.data import CorpusConfig, SourceConfig, build_corpus, read_corpus
from candor.data import build as building
from candor.data.corpus import verify
from candor.errors import DataError, StorageError
from candor.records import Document
from tests.conftest import file_size_limit
from tests.data.conftest import jsonl

TEXTS = [f"document {number} 北京 " * (number % 7 + 1) for number in range(300)]


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def plain(path: Path | str, heldout_fraction: float = 0.04, **source: Any) -> CorpusConfig:
    """The texts of one source as they are, but for exact copies."""
    return CorpusConfig((SourceConfig(str(path), form="made", **source),), heldout_fraction)


def build(place: Path, rows: Sequence[Any], heldout_fraction: float = 0.04, **source: Any) -> Path:
    """A corpus in `place/corpus` of JSONL rows."""
    folder = place / "corpus"
    folder.mkdir(parents=True)
    build_corpus(plain(jsonl(place / "source.jsonl", rows), heldout_fraction, **source), folder)
    return folder


def sides(folder: Path) -> tuple[list[str], list[str]]:
    """Texts of train and of held-out."""
    return [d.text for d in read_corpus(folder, "train")], [d.text for d in read_corpus(folder, "heldout")]


@pytest.mark.parametrize("fraction", [0.04, 0.5, 1e-9, 1 - 1e-9])
def test_hash_order_and_split_by_hand(tmp_path: Path, fraction: float) -> None:
    order = sorted(TEXTS, key=sha256)
    below = {text for text in TEXTS if Fraction(int(sha256(text), 16), 2**256) < fraction}
    held = [text for text in order if (text in below or text == order[0]) and text != order[-1]]
    folder = build(tmp_path, TEXTS, heldout_fraction=fraction)
    assert sides(folder) == ([text for text in order if text not in held], held)
    assert {1e-9: len(held) == 1, 1 - 1e-9: len(held) == 299}.get(fraction, 1 < len(held) < 299)


def test_order_of_the_source_does_not_matter(tmp_path: Path) -> None:
    shuffled = random.Random(0).sample(TEXTS, len(TEXTS))
    assert sides(build(tmp_path / "a", TEXTS)) == sides(build(tmp_path / "b", shuffled))


def test_exact_copies_are_dropped_and_counted(tmp_path: Path) -> None:
    folder = build(tmp_path, [*TEXTS, *TEXTS[:40], TEXTS[0], TEXTS[0] + " "])
    train, held = sides(folder)
    assert sorted(train + held) == sorted([*TEXTS, TEXTS[0] + " "])
    assert files.read_json(folder / "manifest.json")["rejected"] == {"copies": 41}
    origins = {document.text: document.origin for document in read_corpus(folder, "train")}
    assert origins[train[0]] == f"source.jsonl:{TEXTS.index(train[0]) + 1}", "the first of the copies is kept"


def test_documents_keep_what_is_known_of_them(tmp_path: Path) -> None:
    known = {"licence": "CC-BY-4.0", "kind": "synthetic", "address": "https://a.b/c", "collected": "2026-11-30"}
    folder = build(tmp_path, TEXTS, **known, model="GPT 0, 2026-11-01")
    for side in ("train", "heldout"):
        for document in read_corpus(folder, side):
            origin = f"source.jsonl:{TEXTS.index(document.text) + 1}"
            source = str(tmp_path / "source.jsonl")
            assert document == Document(
                document.text, source, origin, **known, model="GPT 0, 2026-11-01", steps="copies/1"
            )


def test_the_manifest_by_hand(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    for name, text in (
        ("a.txt", "甲" * 10),
        ("b.txt", "b" * 7),
        ("c.txt", "c" * 7),
        ("d.csv", "d"),
        ("e.txt", "b" * 7),
    ):
        (tmp_path / "source" / name).write_text(text, encoding="utf-8")
    folder = tmp_path / "corpus"
    folder.mkdir()
    build_corpus(plain(tmp_path / "source", 1e-9, licence="MIT"), folder)
    lowest = min("甲" * 10, "b" * 7, "c" * 7, key=sha256)
    held = len(lowest.encode())
    manifest = files.read_json(folder / "manifest.json")
    assert manifest["config"]["heldout_fraction"] == 1e-9
    assert manifest["train"] == {"documents": 2, "bytes": 44 - held}
    assert manifest["heldout"] == {"documents": 1, "bytes": held}
    assert manifest["rejects"] == {"documents": 1, "bytes": 7} and manifest["rejected"] == {"copies": 1}
    assert manifest["split_rule"] == "held out where sha256(text) / 2^256 < 1e-09, and the lowest hash"
    by = {"source": {str(tmp_path / "source"): 44}, "licence": {"MIT": 44}, "kind": {"public": 44}, "lang": {"": 44}}
    assert manifest["bytes_by"] == by
    assert manifest["files_skipped_by_type"] == ["d.csv"] and manifest["documents_beyond_share"] == 0
    (source,) = manifest["sources"]
    assert (source["documents"], source["kept"], source["rejected"], source["refused"]) == (4, 3, {"copies": 1}, False)
    assert sorted(path.name for path in folder.iterdir()) == [
        "heldout-00000.parquet", "human_sample.jsonl", "manifest.json", "rejects-00000.parquet", "train-00000.parquet",
    ]  # fmt: skip
    assert verify(folder) == []


@settings(max_examples=30, deadline=None)
@given(data=st.data(), texts=st.lists(st.text("ab北", min_size=1, max_size=8), min_size=4, max_size=20, unique=True))
def test_the_side_of_a_document_does_not_depend_on_the_others(data: st.DataObject, texts: list[str]) -> None:
    """But for the lowest and the highest hash of a corpus, which are given to a side so that none is empty."""
    fewer = [text for text in texts if data.draw(st.booleans())]
    assume(len(fewer) >= 3)
    with TemporaryDirectory() as place:
        train, held = sides(build(Path(place) / "all", texts, heldout_fraction=0.5))
        train_of_fewer, held_of_fewer = sides(build(Path(place) / "fewer", fewer, heldout_fraction=0.5))
    assert sorted(train + held) == sorted(texts)
    ends = {min(texts, key=sha256), max(texts, key=sha256), min(fewer, key=sha256), max(fewer, key=sha256)}
    for text in set(fewer) - ends:
        assert (text in train, text in held) == (text in train_of_fewer, text in held_of_fewer)


@pytest.mark.parametrize("texts", [["alone"], ["alone", "alone", "alone"]])
def test_one_document_is_refused(tmp_path: Path, texts: list[str]) -> None:
    with pytest.raises(DataError, match="1 document is left; at least two are needed, one to train on and one to test"):
        build(tmp_path, texts)


@pytest.mark.parametrize("fraction", [1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("texts", [["a", "b"], ["a", "c"], ["b", "c"], ["a", "d"]])
def test_of_two_documents_one_is_on_each_side(tmp_path: Path, texts: list[str], fraction: float) -> None:
    low, high = sorted(texts, key=sha256)
    assert sides(build(tmp_path, texts, heldout_fraction=fraction)) == ([high], [low])


def test_a_rebuild_is_the_same_to_the_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_SHARD_BYTES", 2000)
    config = plain(jsonl(tmp_path / "source.jsonl", [*TEXTS, *TEXTS[:9]]))
    contents = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        build_corpus(config, tmp_path / name)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
    assert len(contents[0]) > 5


def test_many_shards_hold_what_one_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sides(build(tmp_path / "one", TEXTS))
    monkeypatch.setattr(building, "_SHARD_BYTES", 1000)
    folder = build(tmp_path / "many", TEXTS)
    assert len(list(folder.glob("train-*.parquet"))) > 10
    assert sides(folder) == whole


def test_memory_holds_a_part_of_the_corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """24 MiB in units and shards of 256 KiB. Were it held whole, 24 MiB would show."""
    monkeypatch.setattr(building, "_SHARD_BYTES", 2**18)
    monkeypatch.setattr(building, "_UNIT_BYTES", 2**18)
    chance, rows = random.Random(0), 768
    with open(tmp_path / "source.jsonl", "w") as file:
        for _ in range(rows):
            file.write(json.dumps({"text": chance.randbytes(2**14).hex()}) + "\n")
    build(tmp_path / "tables", TEXTS)  # tables of all characters, made once
    (tmp_path / "corpus").mkdir()
    tracemalloc.start()
    try:
        build_corpus(plain(tmp_path / "source.jsonl"), tmp_path / "corpus")
        count = sum(1 for _ in read_corpus(tmp_path / "corpus", "train"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert rows * 0.9 < count < rows
    assert peak < 12 * 2**20


@pytest.mark.parametrize("damage", ["truncated", "empty", "zeros", "text"])
def test_a_damaged_shard_is_named(tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_SHARD_BYTES", 2000)
    folder = build(tmp_path, TEXTS)
    shard = folder / "train-00001.parquet"
    data = shard.read_bytes()
    broken = {
        "truncated": data[:-100],
        "empty": b"",
        "zeros": data[:4] + bytes(2000) + data[2004:],
        "text": b"not Parquet" * 100,
    }
    shard.write_bytes(broken[damage])
    with pytest.raises(DataError) as caught:
        list(read_corpus(folder, "train"))
    assert f"{shard} is damaged (" in str(caught.value)
    assert str(caught.value).endswith("); build the corpus again")
    assert "\n" not in str(caught.value)


def test_any_flipped_byte_is_read_or_named(tmp_path: Path) -> None:
    """No byte of a shard, turned around, brings another error than a DataError."""
    folder = build(tmp_path, TEXTS[:40])
    shard = folder / "train-00000.parquet"
    data, refused = shard.read_bytes(), 0
    for place in range(0, len(data), 7):
        shard.write_bytes(data[:place] + bytes([data[place] ^ 255]) + data[place + 1 :])
        try:
            list(read_corpus(folder, "train"))
        except DataError:
            refused += 1
    assert refused > 20


def test_no_shard_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no heldout documents; build the corpus again"):
        list(read_corpus(tmp_path, "heldout"))


@pytest.mark.parametrize("limit", [2**10, 2**14])
def test_a_disk_that_refuses_is_one_line_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    """In the buckets (1 KiB) and in the shards (16 KiB)."""
    chance = random.Random(0)
    source = jsonl(tmp_path / "source.jsonl", [chance.randbytes(300).hex() for _ in range(400)])
    with (
        pytest.raises(StorageError, match="the file would exceed the allowed size"),
        file_size_limit(limit),
        files.atomic_dir(tmp_path / "corpus") as folder,
    ):
        build_corpus(plain(source), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["source.jsonl"]


def test_a_corpus_of_novels(public_data: Path, tmp_path: Path) -> None:
    build_corpus(plain(public_data / "text" / "zh_novels"), tmp_path)
    rows = (public_data / "text" / "zh_novels" / "novels.jsonl").read_bytes().splitlines()
    order = sorted({json.loads(row)["text"] for row in rows}, key=sha256)
    train, held = sides(tmp_path)
    assert sorted(train + held, key=sha256) == order
    assert held == sorted(held, key=sha256)
    assert 2 < len(held) < 40  # 4 % of 415 are 17
    manifest = files.read_json(tmp_path / "manifest.json")
    assert sum(manifest[split]["documents"] for split in ("train", "heldout", "rejects")) == 415
    assert manifest["train"]["bytes"] + manifest["heldout"]["bytes"] == sum(len(text.encode()) for text in order)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda folder: (folder / "train-00000.parquet").unlink(), "train-00000.parquet is missing"),
        (lambda folder: (folder / "train-00000.parquet").write_bytes(b"x" * 100), "checksum differs"),
        (lambda folder: (folder / "train-00009.parquet").write_bytes(b""), "train-00009.parquet is not in the"),
    ],
)  # fmt: skip
def test_verify_sees_files(tmp_path: Path, harm: Any, said: str) -> None:
    folder = build(tmp_path, TEXTS)
    assert verify(folder) == []
    harm(folder)
    try:
        found = "; ".join(verify(folder))
    except DataError as error:
        found = str(error)
    assert said in found or "is damaged" in found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[:-1], "documents, the manifest says"),
        (lambda rows: [rows[0] | {"text": "another"}, *rows[1:]], "its id is not the hash of its text"),
        (lambda rows: [rows[1], rows[0], *rows[2:]], "is out of order"),
        (lambda rows: [rows[0] | {"id": "0" * 64}, *rows[1:]], "is on the wrong side of the split"),
    ],
)  # fmt: skip
def test_verify_sees_what_checksums_do_not(tmp_path: Path, change: Any, said: str) -> None:
    """Somebody changed a shard and put its new checksum into the manifest."""
    folder = build(tmp_path, TEXTS)
    shard = folder / "train-00000.parquet"
    table = pq.read_table(shard)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), shard)
    manifest = files.read_json(folder / "manifest.json")
    manifest["shards"][shard.name]["sha256"] = files.sha256(shard)
    files.write_json(folder / "manifest.json", manifest)
    assert said in "; ".join(verify(folder))
