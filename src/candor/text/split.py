"""How text is cut and written as bytes before BPE merges anything: DeepSeek-V3's split chain, GPT-2's byte alphabet."""

import re
from collections.abc import Iterator

_CJK = "一-龥぀-ゟ゠-ヿ"

SPLITS = (
    r"\p{N}{1,3}",
    f"[{_CJK}]+",
    r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
    r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""",
)
"""The split chain of DeepSeek-V3: digits by up to three, runs of Han and kana, then words, punctuation and space."""

# Places where SPLITS cut whatever stands around: before " word" after a letter, and where a run of Han and kana begins.
_SAFE = re.compile(f"(?<=[A-Za-z])(?= [A-Za-z])|(?<=[^{_CJK}])(?=[{_CJK}])")
_LONG = 1 << 14


def pieces(text: str) -> Iterator[str]:
    """Cut a text into pieces of about 16K characters at places where SPLITS cut anyway.

    The pieces give the ids of the whole text, but the library spends some 150 bytes a character on each text that it
    works on, and one core: pieces bound the first and share out the second.
    """
    start = 0
    while len(text) - start > _LONG and (place := _SAFE.search(text, start + _LONG)):
        yield text[start : place.start()]
        start = place.start()
    yield text[start:]


def _byte_alphabet() -> dict[str, int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + n): byte for n, byte in enumerate(others)}


ALPHABET = _byte_alphabet()
"""Character -> byte of byte-level BPE (GPT-2): printable Latin-1 stands for itself, the rest for U+0100 upwards."""


def token_bytes(token: str) -> bytes:
    """The bytes that a token of the vocabulary stands for; one with other characters (`<｜User｜>`) is its UTF-8."""
    return bytes(ALPHABET[char] for char in token) if ALPHABET.keys() >= set(token) else token.encode()
