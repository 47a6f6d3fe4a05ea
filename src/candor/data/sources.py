"""Sources of text: files, folders, JSONL, Parquet, Hugging Face datasets, and the documentation every Python has.

Each source streams `Document`s. What cannot be read stops with one line that names the file, the place in it, and the
mend; no document is ever cut or guessed.
"""

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from candor.data.exercises import exercises
from candor.data.python_docs import python_docs
from candor.errors import ConfigError, DataError
from candor.problems.tasks import parse_task
from candor.records import Document, Kind
from candor.rows import Layout, Row, dataset_rows, decode, file_rows, is_saved_dataset, local, readable, too_long, walk

TEXT_SUFFIXES = (".txt", ".md", ".rst", ".py", ".text", ".markdown")
_OF_ROWS = (".jsonl", ".jsonl.gz", ".parquet")
_KNOWN = (*TEXT_SUFFIXES, *_OF_ROWS)
_USUAL_FIELDS = ("text", "content", "body")


@dataclass(frozen=True)
class CorpusConfig:
    """Where the text comes from and how it is split."""

    source: str = "python-docs"
    """`python-docs`, a file, a folder, or `hf:owner/name[:config][@split]` (also `hf:` with a path) for a dataset."""
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
    share: float = 1.0
    """Share of the source's documents, by a hash of their text, that is trained on; what is held out stays whole."""
    max_document_bytes: int = 64 * 2**20
    """Largest document; a larger one stops the run before it is read into memory."""
    exercises: tuple[str, ...] = ()
    """Families as NAME:DIFFICULTY:LANG whose worked problems, of mixed quality, are mixed in."""
    exercise_bytes: int = 0
    """Bytes of them in all."""

    def __post_init__(self) -> None:
        if not 0 < self.heldout_fraction < 1:
            raise ConfigError(f"corpus.heldout_fraction={self.heldout_fraction} must lie between 0 and 1")
        if not 0 < self.share <= 1:
            raise ConfigError(f"corpus.share={self.share} must be above 0 and at most 1")
        if self.max_document_bytes < 1:
            raise ConfigError(f"corpus.max_document_bytes={self.max_document_bytes} must be positive")
        for task in self.exercises:
            parse_task(task)
        if self.exercise_bytes < 0 or bool(self.exercises) != (self.exercise_bytes > 0):
            raise ConfigError(
                f"corpus.exercise_bytes={self.exercise_bytes} and corpus.exercises={self.exercises} go together; "
                "give both or neither"
            )
        try:
            "".encode(self.encoding)
        except (LookupError, UnicodeError):
            raise ConfigError(f"corpus.encoding={self.encoding!r} is unknown; try utf-8 or gb18030") from None


@dataclass
class Skipped:
    """What a source has and the corpus has not."""

    files: list[str] = field(default_factory=list)
    """Files of a folder that were not read because of their type."""
    documents: int = 0
    """Documents beyond `CorpusConfig.share`."""


def fingerprint(config: CorpusConfig) -> str:
    """Changes when the files behind a local source change (name, size or time); the version of Python for its docs."""
    versions = [f"{family.name}-{family.version}" for family, _, _ in map(parse_task, config.exercises)]
    return "+".join([_source_fingerprint(config), *dict.fromkeys(versions)])


def _source_fingerprint(config: CorpusConfig) -> str:
    if config.source == "python-docs":
        return f"python-{platform.python_version()}"
    path = local(config.source)
    if path is None:
        return config.source
    entries = [path] if path.is_file() else sorted(walk(path))
    # What a broken link is worth is said by the reading, not here.
    stats = [(entry, entry.stat() if entry.exists() else entry.lstat()) for entry in entries]
    listing = json.dumps([(str(entry), stat.st_size, stat.st_mtime_ns) for entry, stat in stats])
    return hashlib.sha256(listing.encode()).hexdigest()


def read_documents(config: CorpusConfig, skipped: Skipped | None = None) -> Iterator[Document]:
    """Stream the documents of a source, in a fixed order. Empty texts are left out; no text at all is a DataError."""
    if config.exercises:
        yield from exercises(config.exercises, config.exercise_bytes, seed=0)
    skipped = skipped if skipped is not None else Skipped()
    empty = True
    for document in _documents(config, skipped):
        if _taken(document, config):
            empty = False
            yield document
        else:
            skipped.documents += 1
    if empty:
        why = f"; corpus.share={config.share} leaves none of {skipped.documents}" if skipped.documents else ""
        raise DataError(f"{config.source} holds no text{why}; give a source with at least two documents")


def _documents(config: CorpusConfig, skipped: Skipped) -> Iterator[Document]:
    if config.source == "python-docs":
        yield from python_docs()
        return
    for text, origin in _texts(config, skipped):
        if text.strip():
            # File names need not be Unicode: Chinese archives often hold GBK ones.
            name = origin.encode(errors="surrogateescape").decode(errors="replace")
            yield Document(text, config.source, name, config.licence, config.kind)


def is_heldout(document_id: str, fraction: float) -> bool:
    """The rule of the split: the hash, read as a number in [0, 1), lies below `fraction`."""
    return int(document_id, 16) < fraction * 16**64


def _taken(document: Document, config: CorpusConfig) -> bool:
    """By another hash than that of the split: both would cut at the same end."""
    if config.share == 1 or is_heldout(document.id, config.heldout_fraction):
        return True
    return int(hashlib.sha256(f"share {document.id}".encode()).hexdigest(), 16) < config.share * 16**64


def _texts(config: CorpusConfig, skipped: Skipped) -> Iterator[tuple[str, str]]:
    """(text, origin) of each document of any source but python-docs."""
    layout = Layout(encoding=config.encoding, max_bytes=config.max_document_bytes, settings="corpus")
    path = local(config.source)
    if config.source.startswith("hf:") or is_saved_dataset(path):
        for row in dataset_rows(config.source, layout):
            yield _join(row, config, layout), row.origin
    elif path is None:
        raise DataError(f"source {config.source!r} does not exist; give a file, a folder, python-docs or hf:owner/name")
    elif not path.is_dir():
        yield from _file(path, path.name, config, layout)
    else:
        for file in sorted(walk(path)):
            origin = file.relative_to(path).as_posix()
            if file.name.lower().endswith(_KNOWN):
                yield from _file(file, origin, config, layout)
            else:
                skipped.files.append(origin)


def _file(path: Path, origin: str, config: CorpusConfig, layout: Layout) -> Iterator[tuple[str, str]]:
    if path.name.lower().endswith(_OF_ROWS):
        for row in file_rows(path, origin, layout, choose=lambda known: _fields(known, str(path), config)):
            yield _join(row, config, layout), row.origin
        return
    with readable(path):
        if path.stat().st_size > layout.max_bytes:
            raise too_long(str(path), path.stat().st_size, layout)
        yield decode(path.read_bytes(), str(path), layout), origin


def _fields(known: Iterable[str], where: str, config: CorpusConfig) -> list[str]:
    known = list(known)
    wanted = list(config.fields) or [name for name in _USUAL_FIELDS if name in known][:1]
    missing = [name for name in wanted if name not in known]
    if missing or not wanted:
        what = f"has no field {missing[0]!r}" if missing else "has none of the usual fields text, content, body"
        raise DataError(f"{where} {what}; it has: {', '.join(known)}; choose with --fields name,name")
    return wanted


def _join(row: Row, config: CorpusConfig, layout: Layout) -> str:
    names = _fields(row.fields, row.where, config)
    for name in names:
        if not isinstance(row.fields[name], str):
            raise DataError(
                f"{row.where}: field {name!r} is a {type(row.fields[name]).__name__}, not text; "
                "choose other fields with --fields"
            )
    text = "\n".join(row.fields[name] for name in names)
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise DataError(f"{row.where} holds a lone surrogate, which is no character; mend or remove the row") from None
    if size > config.max_document_bytes:
        raise too_long(row.where, size, layout)
    return text
