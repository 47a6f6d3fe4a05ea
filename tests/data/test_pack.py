"""Tokens on disk: read back with `struct`, laid out by hand, put together again to the text."""

import random
import struct
import sys
from collections import Counter
from pathlib import Path

import pytest

from candor import files
from candor.data import PackConfig, TokenIndex, pack, read_corpus
from candor.data.pack import fim_split
from candor.errors import ConfigError, DataError, StorageError
from candor.records import Document
from candor.text import BOS, EOS, FIM_BEGIN, FIM_END, FIM_HOLE, Tokenizer
from tests.conftest import file_size_limit
from tests.data.test_corpus import build

TEXTS = [
    "话说天下大势，分久必合。",
    "def f(x):\r\n    return x\n",
    "a",
    "ab",
    f"{BOS}{EOS}{FIM_HOLE} is but text",
    "😀",
]
TEXTS += [f"The {number}th document, about {number * number}. " * (number % 5 + 1) for number in range(60)]


def numbers(path: Path, width: int = 2) -> list[int]:
    """The unsigned little-endian integers of a file."""
    data = path.read_bytes()
    return list(struct.unpack(f"<{len(data) // width}{'H' if width == 2 else 'I'}", data))


def packed(place: Path, texts: list[str], tokenizer: Tokenizer, rate: float = 0.1, seed: int = 0) -> Path:
    """`place/tokens` of a corpus of these texts."""
    folder = place / "tokens"
    source = build(place, texts)
    folder.mkdir()
    pack(source, tokenizer, PackConfig(rate), folder, seed)
    return folder


def documents_of(folder: Path, tokenizer: Tokenizer) -> list[list[int]]:
    """The training tokens, cut where documents begin."""
    found: list[list[int]] = []
    for path in sorted(folder.glob("train-*.bin")):
        for token in numbers(path):
            if token == tokenizer.bos_id:
                found.append([])
            found[-1].append(token)
    return found


def read_fim(ids: list[int], tokenizer: Tokenizer) -> tuple[list[int], list[int], list[int]]:
    """(prefix, middle, suffix) of `bos begin prefix hole suffix end middle eos`."""
    begin, hole, end = (tokenizer.special_id(name) for name in (FIM_BEGIN, FIM_HOLE, FIM_END))
    assert ids[:2] == [tokenizer.bos_id, begin]
    assert ids[-1] == tokenizer.eos_id
    assert (ids.count(begin), ids.count(hole), ids.count(end)) == (1, 1, 1)
    first, second = ids.index(hole), ids.index(end)
    assert first < second
    return ids[2:first], ids[second + 1 : -1], ids[first + 1 : second]


def test_without_fim_documents_lie_end_to_end_in_hash_order(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder = packed(tmp_path, TEXTS, tokenizer, rate=0)
    train = [document.text for document in read_corpus(tmp_path / "corpus", "train")]
    expected = [token for text in train for token in (0, *tokenizer.encode(text), 1)]
    assert numbers(folder / "train-00000.bin") == expected
    assert tokenizer.decode(expected) == "".join(f"{BOS}{text}{EOS}" for text in train)
    size = sum(len(text.encode()) for text in train)
    assert TokenIndex.read(folder) == TokenIndex("<u2", 600, tokenizer.fingerprint, 0, (len(expected),), size)


def test_fim_documents_give_the_text_when_put_together(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder = packed(tmp_path, TEXTS, tokenizer, rate=1)
    train = [document.text for document in read_corpus(tmp_path / "corpus", "train")]
    found = documents_of(folder, tokenizer)
    assert len(found) == len(train)
    turned = 0
    for ids, text in zip(found, train, strict=True):
        if len(text) < 3:  # nothing to cut three parts from
            assert ids == [0, *tokenizer.encode(text), 1]
            continue
        parts = read_fim(ids, tokenizer)
        prefix, middle, suffix = (tokenizer.decode(part) for part in parts)
        assert prefix + middle + suffix == text
        assert prefix and middle and suffix
        assert parts == (tokenizer.encode(prefix), tokenizer.encode(middle), tokenizer.encode(suffix))
        turned += 1
    assert turned > 50


def test_the_cuts_fall_everywhere() -> None:
    """First and second cut of 4,000 texts of ten characters: each of the 36 pairs about 111 times."""
    pairs: Counter[tuple[int, int]] = Counter()
    for number in range(4000):
        prefix, middle, suffix = fim_split(Document(f"{number:010}", "x", "y"), 1, seed=0)
        pairs[len(prefix), len(suffix)] += 1
        assert prefix + middle + suffix == f"{number:010}"
    assert len(pairs) == 36
    assert 60 < min(pairs.values()) <= max(pairs.values()) < 170  # 111 and five standard deviations


def test_one_document_in_ten_is_turned(tmp_path: Path, tokenizer: Tokenizer) -> None:
    folder = packed(tmp_path, [f"text {number}" for number in range(4000)], tokenizer)
    found = documents_of(folder, tokenizer)
    turned = sum(tokenizer.special_id(FIM_BEGIN) in ids for ids in found)
    assert len(found) > 3700
    assert abs(turned - 0.1 * len(found)) < 5 * (0.09 * len(found)) ** 0.5


def test_a_document_is_turned_alike_in_every_corpus(tmp_path: Path, tokenizer: Tokenizer) -> None:
    def turned(name: str, texts: list[str], seed: int = 0) -> dict[str, list[int]]:
        folder = packed(tmp_path / name, texts, tokenizer, rate=0.5, seed=seed)
        train = [document.text for document in read_corpus(tmp_path / name / "corpus", "train")]
        return dict(zip(train, documents_of(folder, tokenizer), strict=True))

    first, fewer, other = turned("a", TEXTS), turned("b", TEXTS[::-2]), turned("c", TEXTS, seed=1)
    common = first.keys() & fewer.keys()
    assert len(common) > 20
    assert all(first[text] == fewer[text] for text in common)
    assert any(first[text] != other[text] for text in first.keys() & other.keys()), "the seed changes nothing"


def test_many_shards_hold_what_one_holds(tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = numbers(packed(tmp_path / "one", TEXTS, tokenizer) / "train-00000.bin")
    module = sys.modules[pack.__module__]
    monkeypatch.setattr(module, "_SHARD_TOKENS", 100)
    monkeypatch.setattr(module, "_BATCH_CHARACTERS", 150)
    folder = packed(tmp_path / "many", TEXTS, tokenizer)
    shards = [numbers(path) for path in sorted(folder.glob("train-*.bin"))]
    assert len(shards) > 5
    assert [token for shard in shards for token in shard] == whole
    assert all(shard[0] == 0 and shard[-1] == 1 for shard in shards), "a document was cut"
    assert all(len(shard) >= 100 for shard in shards[:-1])
    assert TokenIndex.read(folder).shards == tuple(len(shard) for shard in shards)


def test_a_large_vocabulary_takes_four_bytes(tmp_path: Path) -> None:
    class Large:
        """The ids of a tokenizer whose vocabulary does not fit two bytes: 70,000 + code point."""

        vocab_size, fingerprint, bos_id, eos_id = 200_000, "large", 0, 1

        def special_id(self, name: str) -> int:
            return 2

        def encode_batch(self, texts: list[str]) -> list[list[int]]:
            return [[70_000 + ord(character) for character in text] for text in texts]

    folder = packed(tmp_path, ["ab", "ac", "ad"], Large(), rate=0)  # type: ignore[arg-type]
    train = [document.text for document in read_corpus(tmp_path / "corpus", "train")]
    expected = [token for text in train for token in (0, 70_097, 70_000 + ord(text[1]), 1)]
    assert numbers(folder / "train-00000.bin", width=4) == expected
    assert TokenIndex.read(folder).dtype == "<u4"


@pytest.mark.parametrize("change", ["shorter", "longer", "missing"])
def test_damaged_tokens_are_named(tmp_path: Path, tokenizer: Tokenizer, change: str) -> None:
    folder = packed(tmp_path, TEXTS, tokenizer)
    data = (folder / "train-00000.bin").read_bytes()
    (folder / "train-00000.bin").write_bytes(data[:-1] if change == "shorter" else data + b"\0")
    if change == "missing":
        (folder / "train-00000.bin").unlink()
    with pytest.raises(DataError, match=rf"00000.bin has [\d,]+ bytes instead of {len(data):,}; run the tokens stage"):
        TokenIndex.read(folder).open(folder)


@pytest.mark.parametrize("content", ["[]", "{}", '{"shards": 3}', '{"shards": []}'])
def test_an_index_of_another_form_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "index.json").write_text(content)
    with pytest.raises(DataError, match=r"index.json has another form; run the tokens stage again"):
        TokenIndex.read(tmp_path)


def test_a_disk_that_refuses_is_one_line_and_leaves_nothing(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """In the middle of a long document."""
    chance = random.Random(0)
    build(tmp_path, [chance.randbytes(size).hex() for size in [200] * 20 + [20_000] * 3])
    with (
        pytest.raises(StorageError, match="the file would exceed the allowed size"),
        file_size_limit(2**12),
        files.atomic_dir(tmp_path / "tokens") as folder,
    ):
        pack(tmp_path / "corpus", tokenizer, PackConfig(), folder, seed=0)
    assert not (tmp_path / "tokens").exists()


def test_progress_counts_the_bytes_of_the_text(tmp_path: Path, tokenizer: Tokenizer) -> None:
    source = build(tmp_path, TEXTS)
    seen: list[tuple[int, int]] = []
    (tmp_path / "tokens").mkdir()
    pack(source, tokenizer, PackConfig(), tmp_path / "tokens", 0, lambda done, total, _: seen.append((done, total)))
    total = sum(len(document.text.encode()) for document in read_corpus(source, "train"))
    assert seen[-1] == (total, total)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_is_a_share(rate: float) -> None:
    with pytest.raises(ConfigError, match="must lie between 0 and 1"):
        PackConfig(rate)
