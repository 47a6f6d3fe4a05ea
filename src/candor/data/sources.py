"""Sources of text: files, folders, JSONL, Parquet, Hugging Face datasets, and the documentation every Python has.

Each source streams `Document`s. What cannot be read stops with one line that names the file, the place in it, and the
mend; no document is ever cut, guessed or dropped in silence.
"""

import gzip
import json
import os
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Literal

import pyarrow.parquet as pq
from pyarrow import ArrowException

from candor.data.python_docs import python_docs
from candor.errors import ConfigError, DataError
from candor.records import Document

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
    kind: Literal["public", "licensed", "user-derived", "synthetic"] = "public"
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
        except LookupError:
            raise ConfigError(f"corpus.encoding={self.encoding!r} is unknown; try utf-8 or gb18030") from None


@dataclass
class Skipped:
    """Files of a folder that were not read because of their type."""

    files: list[str] = field(default_factory=list)


def fingerprint(config: CorpusConfig) -> str:
    """Changes when the files behind a local source change (name, size or time); the version of Python for its docs."""
    if config.source == "python-docs":
        return f"python-{platform.python_version()}"
    path = Path(config.source)
    if config.source.startswith("hf:") or not path.exists():
        return config.source
    entries = [path] if path.is_file() else sorted(_walk(path))
    return json.dumps([(str(entry), entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries])


def read_documents(config: CorpusConfig, skipped: Skipped | None = None) -> Iterator[Document]:
    """Stream the documents of a source, in a fixed order. Empty texts are left out; no text at all is a DataError."""
    if config.source == "python-docs":
        yield from python_docs()
        return
    empty = True
    for text, origin in _texts(config, skipped if skipped is not None else Skipped()):
        if text.strip():
            empty = False
            yield Document(text, config.source, origin, config.licence, config.kind)
    if empty:
        raise DataError(f"{config.source} holds no text; give a source with at least two documents")


def _texts(config: CorpusConfig, skipped: Skipped) -> Iterator[tuple[str, str]]:
    """(text, origin) of each document of any source but python-docs."""
    if config.source.startswith("hf:"):
        yield from _dataset(config)
        return
    path = Path(config.source).expanduser()
    if path.is_file():
        yield from _file(path, path.name, config)
    elif path.is_dir():
        if (path / "dataset_info.json").exists() or (path / "dataset_dict.json").exists():
            yield from _dataset(config)
            return
        for file in sorted(_walk(path)):
            origin = file.relative_to(path).as_posix()
            if file.name.lower().endswith(_KNOWN):
                yield from _file(file, origin, config)
            else:
                skipped.files.append(origin)
    else:
        raise DataError(f"source {config.source!r} does not exist; give a file, a folder, python-docs or hf:owner/name")


def _walk(folder: Path) -> Iterator[Path]:
    """Files below `folder`; linked folders are not followed, so loops end."""
    for place, _, names in os.walk(folder, onerror=_refuse):
        yield from (Path(place) / name for name in names if not name.startswith("."))


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename} cannot be read ({error.strerror}); check its permissions")


def _file(path: Path, origin: str, config: CorpusConfig) -> Iterator[tuple[str, str]]:
    name = path.name.lower()
    try:
        if name.endswith(".parquet"):
            yield from _parquet(path, origin, config)
        elif name.endswith((".jsonl", ".jsonl.gz")):
            with gzip.open(path, "rb") if name.endswith(".gz") else open(path, "rb") as file:
                yield from _jsonl(file, path, origin, config)
        else:
            if path.stat().st_size > config.max_document_bytes:
                raise _too_long(str(path), path.stat().st_size, config)
            yield _decode(path.read_bytes(), str(path), config), origin
    except (OSError, EOFError) as error:
        raise DataError(f"{path} cannot be read ({error}); check the file and its permissions") from None


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
        except ValueError as error:
            raise DataError(f"{where} is not JSON ({error}); mend or remove the line") from None
        if not isinstance(row, dict):
            raise DataError(f"{where} is a {type(row).__name__}, not an object with fields; mend or remove the line")
        yield _join(row, where, config), f"{origin}:{number}"


def _parquet(path: Path, origin: str, config: CorpusConfig) -> Iterator[tuple[str, str]]:
    try:
        file = pq.ParquetFile(path)
        columns = _fields(file.schema_arrow.names, str(path), config)
        number = 0
        for batch in file.iter_batches(batch_size=256, columns=columns):
            for row in batch.to_pylist():
                number += 1
                text = _join(row, f"{path} row {number}", config)
                if len(text.encode(errors="surrogatepass")) > config.max_document_bytes:
                    raise _too_long(f"{path} row {number}", len(text), config)
                yield text, f"{origin}:{number}"
    except ArrowException as error:
        raise DataError(f"{path} is not a readable Parquet file ({str(error).splitlines()[0]}); replace it") from None


def _dataset(config: CorpusConfig) -> Iterator[tuple[str, str]]:
    """Rows of the train split (or the first one) of a Hugging Face dataset, streamed."""
    try:
        import datasets
    except ImportError:
        raise ConfigError("Hugging Face datasets need an extra; run: pip install 'candor-lm[hub]'") from None
    name, _, subset = config.source.removeprefix("hf:").partition(":")
    try:
        if (Path(name) / "dataset_info.json").exists() or (Path(name) / "dataset_dict.json").exists():
            found = datasets.load_from_disk(name)
        else:
            found = datasets.load_dataset(name, subset or None, streaming=True)
    except Exception as error:  # the library raises many kinds, some of them without a common base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"the dataset {name!r} cannot be opened ({reason}); check the name, or without a network "
            "give the path of a downloaded copy"
        ) from None
    rows: Iterable[dict[str, Any]] = found
    if isinstance(found, dict):
        rows = found["train"] if "train" in found else next(iter(found.values()))
    for number, row in enumerate(rows, start=1):
        yield _join(row, f"{config.source} row {number}", config), f"row {number}"


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
        text.encode()
    except UnicodeEncodeError:
        raise DataError(f"{where} holds a lone surrogate, which is no character; mend or remove the row") from None
    return text
