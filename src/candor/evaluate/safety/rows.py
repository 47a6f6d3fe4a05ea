"""Rows of a file that people wrote by hand: a broken one is named by its number, and the rest is still read.

`candor.rows`, which corpora use, stops at the first broken row instead.
"""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from candor.errors import ConfigError, DataError
from candor.evaluate.safety.bank import Broken

SUFFIXES = (".csv", ".tsv", ".jsonl", ".json")
_ENCODINGS = ("utf-8-sig", "gb18030")
"""Tried in this order; gb18030 holds GBK and GB 2312."""
_TORN = "half a character, or bytes of another encoding"


def rows_of(path: Path, encoding: str = "") -> Iterator[tuple[int, dict[str, Any]] | Broken]:
    """Number and fields of each row, or why it has none: the line in CSV, TSV and JSONL, the place in a list of JSON.

    `encoding` "" takes UTF-8 where the whole file is that, else GB 18030 where it is that, else UTF-8 with the rows
    that are not counted as broken. Empty lines are no rows.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path} is of no known kind; give one of {', '.join(SUFFIXES)}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path and its permissions") from None
    text = _decoded(data, encoding)
    if path.suffix.lower() == ".json":
        return _listed(path, text)
    lines = text.split("\n")  # splitlines would cut at U+2028 inside of a text
    return _jsonl(lines) if path.suffix.lower() == ".jsonl" else _table(path, lines)


def _decoded(data: bytes, encoding: str) -> str:
    """Text in which bytes of another encoding stand as lone surrogates."""
    for name in (encoding,) if encoding else _ENCODINGS:
        try:
            return data.decode(name)
        except UnicodeDecodeError:
            continue
        except LookupError:
            raise ConfigError(
                f"there is no encoding {encoding!r}; gb18030 reads Chinese files, utf-8 most others"
            ) from None
    return data.decode(encoding or "utf-8", errors="surrogateescape").removeprefix("\ufeff")


def _torn(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _jsonl(lines: list[str]) -> Iterator[tuple[int, dict[str, Any]] | Broken]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            yield Broken(number, _TORN if _torn(line) else "not JSON")
            continue
        yield _checked(number, fields)


def _listed(path: Path, text: str) -> Iterator[tuple[int, dict[str, Any]] | Broken]:
    """A list of objects, or the lists within such objects, as CHiSafetyBench has them."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
        raise DataError(f"{path} is not JSON ({where}); mend or replace it") from None
    if (
        isinstance(value, list)
        and value
        and all(isinstance(one, dict) and isinstance(one.get("infos"), list) for one in value)
    ):
        value = [info for one in value for info in one["infos"]]
    if not isinstance(value, list):
        raise DataError(f"{path} is a {type(value).__name__}, not a list of objects with fields; mend or replace it")
    for number, fields in enumerate(value, start=1):
        yield _checked(number, fields)


def _checked(number: int, fields: Any) -> tuple[int, dict[str, Any]] | Broken:
    if not isinstance(fields, dict):
        return Broken(number, f"a {type(fields).__name__}, not an object with fields")
    if any(_torn(value) for value in fields.values() if isinstance(value, str)):
        return Broken(number, _TORN)
    return number, fields


def _table(path: Path, lines: list[str]) -> Iterator[tuple[int, dict[str, Any]] | Broken]:
    """CSV quoted as usual, or TSV, whose quotes are characters; the first line names the columns.

    Behind a row whose quotes do not close, reading begins again at the next line.
    """
    tabs = path.suffix.lower() == ".tsv"
    how: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if tabs else {}
    columns: list[str] = []
    at = 0
    while at < len(lines):
        start = at
        table = csv.reader((f"{line}\n" for line in lines[start:]), strict=True, **how)
        try:
            for cells in table:
                number, at = at + 1, start + table.line_num
                if not any(cells):
                    continue
                if not columns:
                    columns = [cell.strip() for cell in cells]
                elif len(cells) != len(columns):
                    yield Broken(number, f"{len(cells)} columns, not {len(columns)}")
                else:
                    yield _checked(number, dict(zip(columns, cells, strict=True)))
        except csv.Error:
            at += 1
            if not columns:
                raise DataError(f"{path}:{at}: the line of column names is broken; mend its quotes") from None
            yield Broken(at, "quotes that do not close, or text behind a closing quote")
    if not columns:
        raise DataError(f"{path} is empty; give a file with a line of column names and rows below it")
