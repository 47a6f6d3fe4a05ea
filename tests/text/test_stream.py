"""Streams never show half a character and join to the whole text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candor.text import EOS, StreamDecoder, Tokenizer
from tests.text.conftest import MIXED


@pytest.fixture(scope="module")
def bytes_only() -> Tokenizer:
    """A tokenizer without merges: each byte is a token, so every Chinese character is spread over three."""
    return Tokenizer.train(["x"], vocab_size=276)


def test_chinese_and_emoji_come_out_whole(bytes_only: Tokenizer) -> None:
    ids = bytes_only.encode("你a😀")
    stream = StreamDecoder(bytes_only)
    assert [stream.push(token_id) for token_id in ids] == ["", "", "你", "a", "", "", "", "😀"]
    assert stream.finish() == ""


@pytest.mark.parametrize("text", MIXED)
def test_pieces_join_to_the_text(tokenizer: Tokenizer, text: str) -> None:
    stream = StreamDecoder(tokenizer)
    pieces = [stream.push(token_id) for token_id in tokenizer.encode(text)]
    assert "".join(pieces) == text
    assert stream.finish() == ""
    assert not any("\ufffd" in piece for piece in pieces)


@settings(max_examples=300, deadline=None)
@given(ids=st.lists(st.integers(0, 1499) | st.integers(3, 258), max_size=30), skip=st.booleans())
def test_any_ids_stream_to_what_decode_gives(tokenizer: Tokenizer, ids: list[int], skip: bool) -> None:
    """An untrained model emits bytes that are no UTF-8; they must neither stall the stream nor differ from decode."""
    stream = StreamDecoder(tokenizer, skip_special_tokens=skip)
    text = "".join(stream.push(token_id) for token_id in ids) + stream.finish()
    assert text == tokenizer.decode(ids, skip_special_tokens=skip)


def test_a_cut_off_character_ends_as_replacement(bytes_only: Tokenizer) -> None:
    stream = StreamDecoder(bytes_only)
    assert [stream.push(token_id) for token_id in bytes_only.encode("你")[:2]] == ["", ""]
    assert stream.finish() == "\ufffd"


def test_special_and_unknown_ids(tokenizer: Tokenizer) -> None:
    shown, hidden = StreamDecoder(tokenizer), StreamDecoder(tokenizer, skip_special_tokens=True)
    assert shown.push(tokenizer.eos_id) == EOS
    assert hidden.push(tokenizer.eos_id) == ""
    assert shown.push(10**6) == shown.push(-1) == ""
