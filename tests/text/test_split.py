"""The shipped pre-tokenizer splits as DeepSeek-V3 does: checked by hand and by the `regex` package."""

from pathlib import Path

import pytest
import regex
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.text import Tokenizer, split
from tests.text.conftest import MIXED

# Written down here once more, from the published tokenizer: the test must not read what it checks.
V3_SPLITS = [
    r"\p{N}{1,3}",
    r"[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
]


def split_by_regex(text: str) -> list[str]:
    pieces = [text] if text else []
    for pattern in V3_SPLITS:
        pieces = [part for piece in pieces for part in regex.split(f"({pattern})", piece) if part]
    return pieces


def split_by_tokenizer(folder: Path, text: str) -> list[str]:
    backend = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return [text[start:end] for _, (start, end) in backend.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("1234567", ["123", "456", "7"]),
        ("in 2024", ["in", " ", "202", "4"]),
        ("abc中文def", ["abc", "中文", "def"]),
        ("中文，真的", ["中文", "，", "真的"]),
        ("カナかな漢字", ["カナかな漢字"]),
        ("Hello world", ["Hello", " world"]),
        ("x.append(y)", ["x", ".append", "(y", ")"]),
        ("end.\n\nNext", ["end", ".\n\n", "Next"]),
        ("    return", ["   ", " return"]),
        ("a  \n b", ["a", "  \n", " b"]),
    ],
)
def test_known_splits(folder: Path, text: str, pieces: list[str]) -> None:
    assert split_by_tokenizer(folder, text) == pieces
    assert split_by_regex(text) == pieces


@pytest.mark.parametrize("text", MIXED[:-2])
def test_same_splits_as_regex(folder: Path, text: str) -> None:
    assert split_by_tokenizer(folder, text) == split_by_regex(text)


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.sampled_from("aZ é\u0301中カ。，19٣ \t\n\r\u3000.'<_$€😀"), max_size=40))
def test_cutting_a_long_text_never_changes_its_ids(tokenizer: Tokenizer, folder: Path, text: str) -> None:
    """With the length limit at 1, `pieces` cuts wherever it thinks it safe; each must be a cut of the chain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(split, "_LONG", 1)
        pieces = list(split.pieces(text))
        assert [part for piece in pieces for part in split_by_regex(piece)] == split_by_regex(text)
        cut_ids = tokenizer.encode(text)
    assert cut_ids == tokenizer.encode(text)


def test_a_long_text_is_cut_into_even_pieces() -> None:
    text = "some words 与中文，混在一起。" * 10_000
    pieces = list(split.pieces(text))
    assert "".join(pieces) == text
    assert len(pieces) > 10
    assert max(map(len, pieces)) < 20_000


def test_every_byte_has_its_character() -> None:
    assert sorted(split.ALPHABET.values()) == list(range(256))
    assert set(split.ALPHABET) == set(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    assert split.token_bytes("Ġhello") == b" hello"
    assert split.token_bytes("ä½ł") == "你".encode()
    assert split.token_bytes("<｜User｜>") == "<｜User｜>".encode()
