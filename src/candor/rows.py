"""Rows with the place that each came from, out of JSON, JSONL, CSV, TSV, Parquet, folders of those, and datasets.

Corpora and problem sets read their rows here. What cannot be read stops with one line that names the file, the place
in it, and the mend; no row is ever cut or guessed.
"""

import csv
import gzip
import json
import os
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pyarrow.parquet as pq
from pyarrow import ArrowException

from candor.errors import ConfigError, DataError

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".json.gz", ".csv", ".tsv", ".parquet")
_SPLITS = {"train", "test", "validation", "valid", "val", "dev"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a source."""

    fields: dict[str, Any]
    """Its values by name."""
    where: str
    """Its place for people who must mend it: `/data/test.jsonl:12`, `/data/x.parquet row 3`."""
    origin: str
    """Its place within the source: `test.jsonl:12`, `row 3`."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How a source is laid out, where the source itself does not say."""

    columns: tuple[str, ...] = ()
    """Names of the columns of CSV and TSV files without a header line; none takes the first line as header."""
    splits: tuple[str, ...] = ()
    """Split to read of a dataset, or of a folder whose files name theirs: the first of these that is there.

    None reads every file of a folder, and of a dataset the train split or else the first."""
    encoding: str = "utf-8"
    """Encoding of text, for example gb18030."""
    max_bytes: int = 64 * 2**20
    """Largest line, and largest JSON file; a larger one is refused before it is in memory."""
    settings: str = ""
    """Group of settings in which the user can change the two above, for messages: `corpus`."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a file that can be read alone: bytes of JSONL, row groups of Parquet, or the whole of any other."""

    start: int = 0
    """First byte or row group."""
    end: int = -1
    """The one behind the last; -1 for the whole file."""
    before: int = 0
    """Lines or rows before it, so that each keeps its number."""


WHOLE = Part()


def parts(path: Path, size: int) -> list[Part]:
    """A file cut at lines or row groups into stretches of about `size` bytes, in order; what cannot be cut is one."""
    name = path.name.lower()
    with readable(path):
        if name.endswith(".jsonl") and path.stat().st_size > size:
            return _cut_lines(path, size)
        if name.endswith(".parquet") and path.stat().st_size > size:
            return _cut_groups(path, size)
    return [WHOLE]


def _cut_lines(path: Path, size: int) -> list[Part]:
    found: list[Part] = []
    start = before = at = lines = 0
    with open(path, "rb") as file:
        while block := file.read(min(size, 2**20)):
            last = block.rfind(b"\n") + 1
            inside = block.count(b"\n")
            if last and at + last - start >= size:
                found.append(Part(start, at + last, before))
                start, before = at + last, lines + inside
            at, lines = at + len(block), lines + inside
    return [*found, Part(start, at, before)] if at > start else found


def _cut_groups(path: Path, size: int) -> list[Part]:
    try:
        known = pq.read_metadata(path)
    except ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file ({_reason(error)}); replace it") from None
    found: list[Part] = []
    start = before = rows = held = 0
    for group in range(known.num_row_groups):
        held, rows = held + known.row_group(group).total_byte_size, rows + known.row_group(group).num_rows
        if held >= size:
            found.append(Part(start, group + 1, before))
            start, before, held = group + 1, rows, 0
    return [*found, Part(start, known.num_row_groups, before)] if start < known.num_row_groups else found


def read_rows(source: str | Path, layout: Layout = Layout()) -> Iterator[Row]:
    """Stream the rows of a file, a folder, a saved dataset or `hf:owner/name[:config][@split]`, in a fixed order."""
    name = str(source)
    path = local(name)
    if name.startswith("hf:") or is_saved_dataset(path):
        yield from dataset_rows(name, layout)
    elif path is None:
        raise DataError(f"{name!r} does not exist; check the path, or give hf:owner/name for a dataset of the hub")
    elif path.is_dir():
        for file in _of_split(path, layout.splits):
            yield from file_rows(file, file.relative_to(path).as_posix(), layout)
    elif path.name.lower().endswith(SUFFIXES) or not path.is_file():
        yield from file_rows(path, path.name, layout)
    else:
        raise DataError(f"{path} is of no known kind; give one of {', '.join(SUFFIXES)}, or a folder of those")


def file_rows(
    path: Path,
    origin: str,
    layout: Layout,
    choose: Callable[[list[str]], list[str]] | None = None,
    part: Part = WHOLE,
) -> Iterator[Row]:
    """Rows of one file, by its suffix; `choose` picks columns of Parquet, so that the others stay on the disk."""
    name = path.name.lower().removesuffix(".gz")
    with readable(path):
        if name.endswith(".parquet"):
            yield from _parquet(path, origin, choose, part)
        elif name.endswith(".jsonl"):
            yield from _jsonl(path, origin, layout, part)
        elif name.endswith(".json"):
            yield from _json(path, origin, layout)
        else:
            yield from _table(path, origin, layout)


def local(source: str) -> Path | None:
    """The file or folder that a source names, where there is one on this machine."""
    path = Path(os.path.expanduser(_address(source)[0]))
    try:
        return path if path.exists() else None
    except OSError as error:
        _refuse(error)


def is_saved_dataset(path: Path | None) -> bool:
    """Whether a folder was written by `save_to_disk` of the library datasets."""
    return path is not None and any((path / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def walk(folder: Path) -> Iterator[Path]:
    """Files below `folder`, hidden ones aside; linked folders are not followed, so loops end."""
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in names if not name.startswith("."))


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the disk or gzip says against `path` inside the block into a DataError; a pipe is refused at once."""
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is a pipe or a device, not a file; remove it from the source")
        yield
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({_reason(error)}); check the file and its permissions") from None


def decode(data: bytes, where: str, layout: Layout) -> str:
    """Text without its byte order mark; DataError where the bytes are of another encoding."""
    try:
        return data.decode(layout.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        setting = f", or name its encoding with --set {layout.settings}.encoding=..." if layout.settings else ""
        raise DataError(
            f"{where} is not {layout.encoding}: byte {error.start} is 0x{data[error.start]:02x}; "
            f"save it as UTF-8{setting} (Chinese files are often gb18030)"
        ) from None


def too_long(where: str, size: int, layout: Layout) -> DataError:
    """The error for a document over the limit."""
    limit = f"{layout.settings}.max_document_bytes=" if layout.settings else "the limit of "
    mend = "split it, or raise that limit (a document is held in memory)" if layout.settings else "split it"
    return DataError(f"{where} is a document of at least {size:,} bytes, over {limit}{layout.max_bytes:,}; {mend}")


def dataset_rows(source: str, layout: Layout) -> Iterator[Row]:
    """Rows of one split of a saved dataset or of `hf:owner/name[:config][@split]`, streamed."""
    try:
        import datasets
    except ImportError:
        raise ConfigError("Hugging Face datasets need an extra; run: pip install 'candor-lm[hub]'") from None
    name, config, split = _address(source)
    path = local(source)
    try:
        if is_saved_dataset(path):
            found = datasets.load_from_disk(str(path))
        else:
            found = datasets.load_dataset(str(path or name), config or None, streaming=True)
        rows: Iterable[dict[str, Any]] = found
        if isinstance(found, dict):
            rows = found[_split(list(found), (split,) if split else layout.splits, source)]
        for number, fields in enumerate(rows, start=1):
            yield Row(fields, f"{source} row {number}", f"row {number}")
    except DataError:
        raise
    except Exception as error:  # the library raises many kinds, some of them without a common base
        raise DataError(
            f"the dataset {source!r} cannot be read ({_reason(error)}); check the name, or without a network "
            "give the path of a downloaded copy"
        ) from None


def _address(source: str) -> tuple[str, str, str]:
    """(name or path, config, split) of `hf:name[:config][@split]` or of a plain path."""
    whole = source.removeprefix("hf:")
    if whole == source or os.path.exists(os.path.expanduser(whole)):  # a path may hold : and @
        return whole, "", ""
    match = re.fullmatch(r"(.*?)(?::(.*?))?(?:@([^/@]+))?", whole, re.DOTALL)
    assert match is not None  # all of its parts may be empty
    name, config, split = match.groups("")
    return name, config, split


def _split(known: list[str], wanted: tuple[str, ...], source: str) -> str:
    for name in wanted or ("train", known[0]):
        if name in known:
            return name
    raise DataError(
        f"the dataset {source!r} has no split {' or '.join(wanted)}; it has: {', '.join(known)}; choose one of them"
    )


def _of_split(folder: Path, wanted: tuple[str, ...]) -> list[Path]:
    """The files of the first wanted split that any file of the folder names in its path; all where none names any."""
    files = [file for file in sorted(walk(folder)) if file.name.lower().endswith(SUFFIXES)]
    words = {file: set(re.split(r"[^a-z0-9]+", file.relative_to(folder).as_posix().lower())) for file in files}
    for name in wanted:
        if found := [file for file in files if name in words[file]]:
            return found
    if wanted and any(_SPLITS & words[file] for file in files):
        names = ", ".join(file.relative_to(folder).as_posix() for file in files[:6]) + (", ..." if files[6:] else "")
        raise DataError(
            f"{folder} holds no file of the split {' or '.join(wanted)}; it has: {names}; name another split or a file"
        )
    return files


def _refuse(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename} cannot be read ({error.strerror}); check its permissions") from None


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _open(path: Path) -> Any:
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else open(path, "rb")


def _lines(path: Path, layout: Layout, part: Part = WHOLE) -> Iterator[str]:
    number, at = part.before, part.start
    with _open(path) as file:
        if at:
            file.seek(at)
        while (part.end < 0 or at < part.end) and (line := file.readline(layout.max_bytes + 1)):
            number, at = number + 1, at + len(line)
            if len(line) > layout.max_bytes:
                raise too_long(f"{path}:{number}", len(line), layout)
            yield decode(line, f"{path}:{number}", layout)


def _jsonl(path: Path, origin: str, layout: Layout, part: Part) -> Iterator[Row]:
    for number, line in enumerate(_lines(path, layout, part), start=part.before + 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is not JSON ({error}); mend or remove the line") from None
        yield _row(fields, where, f"{origin}:{number}", "the line")


def _json(path: Path, origin: str, layout: Layout) -> Iterator[Row]:
    """Rows of a list, of the one list of objects within an object, or a single object as the only row."""
    with _open(path) as file:
        data = file.read(layout.max_bytes + 1)
    if len(data) > layout.max_bytes:
        raise too_long(str(path), len(data), layout)
    try:
        value = json.loads(decode(data, str(path), layout))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); mend or replace it") from None
    if isinstance(value, dict):
        lists = {
            name: items
            for name, items in value.items()
            if isinstance(items, list) and items and all(isinstance(item, dict) for item in items)
        }
        if len(lists) > 1:
            raise DataError(f"{path} holds several lists of rows ({', '.join(lists)}); keep one of them")
        value = next(iter(lists.values())) if lists else [value]
    if not isinstance(value, list):
        raise DataError(f"{path} is a {type(value).__name__}, not a list of objects with fields; mend or replace it")
    for number, fields in enumerate(value, start=1):
        yield _row(fields, f"{path} row {number}", f"{origin}:{number}", "the row")


def _row(fields: Any, where: str, origin: str, what: str) -> Row:
    if not isinstance(fields, dict):
        raise DataError(f"{where} is a {type(fields).__name__}, not an object with fields; mend or remove {what}")
    return Row(fields, where, origin)


def _table(path: Path, origin: str, layout: Layout) -> Iterator[Row]:
    """Rows of CSV, quoted as usual, or of TSV, in which a quote is a character like any other."""
    is_csv = path.name.lower().endswith(".csv")
    lines = _lines(path, layout)
    if is_csv:
        table = csv.reader(lines, strict=True)
    else:
        table = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    columns, start = list(layout.columns), 1
    try:
        for cells in table:
            number, start = start, table.line_num + 1  # a quoted cell may run over several lines
            if not cells:
                continue
            if not columns:
                columns = cells
            elif len(cells) != len(columns):
                wanted = f"{len(columns)} ({', '.join(columns)})"
                raise DataError(f"{path}:{number} has {len(cells)} columns, not {wanted}; mend or remove the line")
            else:
                yield Row(dict(zip(columns, cells, strict=True)), f"{path}:{number}", f"{origin}:{number}")
    except csv.Error as error:
        raise DataError(f"{path}:{start} is not {'CSV' if is_csv else 'TSV'} ({error}); mend the line") from None


def _parquet(path: Path, origin: str, choose: Callable[[list[str]], list[str]] | None, part: Part) -> Iterator[Row]:
    try:
        file = pq.ParquetFile(path)
        columns = choose(file.schema_arrow.names) if choose else None
        number = part.before
        groups = None if part.end < 0 else range(part.start, part.end)
        for batch in file.iter_batches(batch_size=8, columns=columns, row_groups=groups):
            for fields in batch.to_pylist():
                number += 1
                yield Row(fields, f"{path} row {number}", f"{origin}:{number}")
    except (ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable Parquet file ({_reason(error)}); replace it") from None
