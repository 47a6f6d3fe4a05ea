"""Sources of text: files, folders, JSONL, Parquet, Hugging Face datasets, and the documentation every Python has.

Each source streams `Document`s. What cannot be read stops with one line that names the file, the place in it, and the
mend; no document is ever cut or guessed.
"""

import gzip
import hashlib
import json
import os
import platform
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

import pyarrow.parquet as pq
from pyarrow import ArrowException

from candor.data.python_docs import python_docs
from candor.errors import ConfigError, DataError
from candor.records import Document, Kind

TEXT_SUFFIXES = (".txt", ".md", ".rst", ".py", ".text", ".markdown")
_KNOWN = (*TEXT_SUFFIXES, ".jsonl", ".jsonl.gz", ".parquet")
_USUAL_FIELDS = ("text", "content", "body")


@dataclass(frozen=True)
class CorpusConfig:
    """Where the text comes from and how it is split."""

    source: str = "python-docs"
    """`python-docs`, a file, a folder, or `hf:owner/name` (`hf:owner/name:config`, or a local path) for a dataset."""
    fields: tuple[str, ...] = ()
    """Fields of JSONL, Parquet or dataset rows, joined by a line break; none takes text, content or body."""
    encoding: str = "utf-8"
    """Encoding of text and JSONL files, for example gb18030."""
    licence: str = "unknown"
    """SPDX identifier of the source's licence, kept with every document."""
    kind: Kind = "public"
    """How the text came to be ours to use, kept with every document."""
    heldout_fraction: float = 0.04
    """Share of documents, by hash, that are never trained on."""
    max_document_bytes: int = 64 * 2**20
    """Largest document; a larger one stops the run before it is read into memory."""

    def __post_init__(self) -> None:
        if not 0 < self.heldout_fraction < 1:
            raise ConfigError(f"corpus.heldout_fraction={self.heldout_fraction} must lie between 0 and 1")
        if self.max_document_bytes < 1:
            raise ConfigError(f"corpus.max_document_bytes={self.max_document_bytes} must be positive")
        try:
            "".encode(self.encoding)
        except (LookupError, UnicodeError):
            raise ConfigError(f"corpus.encoding={self.encoding!r} is unknown; try utf-8 or gb18030") from None


@dataclass
class Skipped:
    """Files of a folder that were not read because of their type."""

    files: list[str] = field(default_factory=list)


def fingerprint(config: CorpusConfig) -> str:
    """Changes when the files behind a local source change (name, size or time); the version of Python for its docs."""
    if config.source == "python-docs":
        return f"python-{platform.python_version()}"
    path = _local(config)
    if path is None:
        return config.source
    entries = [path] if path.is_file() else sorted(_walk(path))
    # What a broken link is worth is said by the reading, not here.
    stats = [(entry, entry.stat() if entry.exists() else entry.lstat()) for entry in entries]
    listing = json.dumps([(str(entry), stat.st_size, stat.st_mtime_ns) for entry, stat in stats])
    return hashlib.sha256(listing.encode()).hexdigest()


def read_documents(config: CorpusConfig, skipped: Skipped | None = None) -> Iterator[Document]:
    """Stream the documents of a source, in a fixed order. Empty texts are left out; no text at all is a DataError."""
    if config.source == "python-docs":
        yield from python_docs()
        return
    empty = True
    for text, origin in _texts(config, skipped if skipped is not None else Skipped()):
        if text.strip():
            empty = False
            # File names need not be Unicode: Chinese archives often hold GBK ones.
            name = origin.encode(errors="surrogateescape").decode(errors="replace")
            yield Document(text, config.source, name, config.licence, config.kind)
    if empty:
        raise DataError(f"{config.source} holds no text; give a source with at least two documents")


def _texts(config: CorpusConfig, skipped: Skipped) -> Iterator[tuple[str, str]]:
    """(text, origin) of each document of any source but python-docs."""
    path = _local(config)
    if config.source.startswith("hf:") or _is_saved_dataset(path):
        yield from _dataset(config)
    elif path is None:
        raise DataError(f"source {config.source!r} does not exist; give a file, a folder, python-docs or hf:owner/name")
    elif not path.is_dir():
        yield from _file(path, path.name, config)
    else:
        for file in sorted(_walk(path)):
            origin = file.relative_to(path).as_posix()
            if file.name.lower().endswith(_KNOWN):
                yield from _file(file, origin, config)
            else:
                skipped.files.append(origin)


def _local(config: CorpusConfig) -> Path | None:
    """The file or folder that the source names, where there is one on this machine."""
    is_hub = config.source.startswith("hf:")
    name = config.source.removeprefix("hf:").partition(":")[0] if is_hub else config.source
    path = Path(os.path.expanduser(name))
    try:
        return path if path.exists() else None
    except OSError as error:
        _refuse(error)


def _is_saved_dataset(path: Path | None) -> bool:
    return path is not None and any((path / name).is_file() for name in ("dataset_info.json", "dataset_dict.json"))


def _walk(folder: Path) -> Iterator[Path]:
    """Files below `folder`, hidden ones aside; linked folders are not followed, so loops end."""
    for place, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in names if not name.startswith("."))


def _refuse(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename} cannot be read ({error.strerror}); check its permissions") from None


def _reason(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _file(path: Path, origin: str, config: CorpusConfig) -> Iterator[tuple[str, str]]:
    name = path.name.lower()
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path} is a pipe or a device, not a file; remove it from the source")
        if name.endswith(".parquet"):
            yield from _parquet(path, origin, config)
        elif name.endswith((".jsonl", ".jsonl.gz")):
            with gzip.open(path, "rb") if name.endswith(".gz") else open(path, "rb") as file:
                yield from _jsonl(file, path, origin, config)
        else:
            if path.stat().st_size > config.max_document_bytes:
                raise _too_long(str(path), path.stat().st_size, config)
            yield _decode(path.read_bytes(), str(path), config), origin
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({_reason(error)}); check the file and its permissions") from None


def _too_long(where: str, size: int, config: CorpusConfig) -> DataError:
    return DataError(
        f"{where} is a document of at least {size:,} bytes, over corpus.max_document_bytes="
        f"{config.max_document_bytes:,}; split it, or raise that limit (a document is held in memory)"
    )


def _decode(data: bytes, where: str, config: CorpusConfig) -> str:
    try:
        return data.decode(config.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where} is not {config.encoding}: byte {error.start} is 0x{data[error.start]:02x}; save it as UTF-8, or "
            "name its encoding with --set corpus.encoding=... (Chinese files are often gb18030)"
        ) from None


def _jsonl(file: IO[bytes] | gzip.GzipFile, path: Path, origin: str, config: CorpusConfig) -> Iterator[tuple[str, str]]:
    number = 0
    while line := file.readline(config.max_document_bytes + 1):
        number += 1
        where = f"{path}:{number}"
        if len(line) > config.max_document_bytes:
            raise _too_long(where, len(line), config)
        if not line.strip():
            continue
        try:
            row = json.loads(_decode(line, where, config))
        except (ValueError, RecursionError) as error:
            raise DataError(f"{where} is not JSON ({error}); mend or remove the line") from None
        if not isinstance(row, dict):
            raise DataError(f"{where} is a {type(row).__name__}, not an object with fields; mend or remove the line")
        yield _join(row, where, config), f"{origin}:{number}"


def _parquet(path: Path, origin: str, config: CorpusConfig) -> Iterator[tuple[str, str]]:
    try:
        file = pq.ParquetFile(path)
        columns = _fields(file.schema_arrow.names, str(path), config)
        number = 0
        for batch in file.iter_batches(batch_size=8, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield _join(row, f"{path} row {number}", config), f"{origin}:{number}"
    except (ArrowException, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a readable Parquet file ({_reason(error)}); replace it") from None


def _dataset(config: CorpusConfig) -> Iterator[tuple[str, str]]:
    """Rows of the train split (or the first one) of a Hugging Face dataset, streamed."""
    try:
        import datasets
    except ImportError:
        raise ConfigError("Hugging Face datasets need an extra; run: pip install 'candor-lm[hub]'") from None
    name, _, subset = config.source.removeprefix("hf:").partition(":")
    path = _local(config)
    try:
        if _is_saved_dataset(path):
            found = datasets.load_from_disk(str(path))
        else:
            found = datasets.load_dataset(str(path or name), subset or None, streaming=True)
        rows: Iterable[dict[str, Any]] = found
        if isinstance(found, dict):
            rows = found["train"] if "train" in found else next(iter(found.values()))
        for number, row in enumerate(rows, start=1):
            yield _join(row, f"{config.source} row {number}", config), f"row {number}"
    except DataError:
        raise
    except Exception as error:  # the library raises many kinds, some of them without a common base
        raise DataError(
            f"the dataset {config.source!r} cannot be read ({_reason(error)}); check the name, or without a network "
            "give the path of a downloaded copy"
        ) from None


def _fields(known: Iterable[str], where: str, config: CorpusConfig) -> list[str]:
    known = list(known)
    wanted = list(config.fields) or [name for name in _USUAL_FIELDS if name in known][:1]
    missing = [name for name in wanted if name not in known]
    if missing or not wanted:
        what = f"has no field {missing[0]!r}" if missing else "has none of the usual fields text, content, body"
        raise DataError(f"{where} {what}; it has: {', '.join(known)}; choose with --fields name,name")
    return wanted


def _join(row: dict[str, Any], where: str, config: CorpusConfig) -> str:
    names = _fields(row, where, config)
    for name in names:
        if not isinstance(row[name], str):
            raise DataError(
                f"{where}: field {name!r} is a {type(row[name]).__name__}, not text; choose other fields with --fields"
            )
    text = "\n".join(row[name] for name in names)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise DataError(f"{where} holds a lone surrogate, which is no character; mend or remove the row") from None
    if size > config.max_document_bytes:
        raise _too_long(where, size, config)
    return text
