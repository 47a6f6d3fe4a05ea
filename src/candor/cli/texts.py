"""Texts as commands get them: a file or standard input, whole or a field of each line."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from candor.errors import DataError


def read_ids(path: Path) -> set[str]:
    """The ids in a file, one a line."""
    try:
        return set(read_bytes(str(path)).decode().split())
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 (byte {error.start + 1}); write one id a line") from None


def read_bytes(path: str) -> bytes:
    """What is in a file, or comes by standard input for "-"; DataError where it cannot be read."""
    try:
        return sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path") from None


def read_texts(file: str, field: str | None) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """The rows of a JSONL file with the text of each; a text alone has no row."""
    try:
        whole = read_bytes(file).decode()
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not UTF-8 (byte {error.start + 1}); save the file as UTF-8") from None
    if field is None:
        yield None, whole
        return
    for number, line in enumerate(whole.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            text = row[field]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise DataError(f"{file}, line {number}: no JSON object with a field {field!r}; check the file") from None
        if not isinstance(text, str):
            raise DataError(f"{file}, line {number}: {field!r} is no text; name another field")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"{file}, line {number}: {field!r} holds half a character (\\ud800); mend it") from None
        yield row, text
