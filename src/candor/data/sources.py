"""Sources of text: files, folders, JSONL, Parquet, PDF, Hugging Face datasets, Python's documentation, exercises.

Each source is cut into units that can be read alone, by any process, and each unit streams `Document`s. What cannot be
read stops with one line that names the file, the place in it, and the mend; no document is ever cut or guessed.
"""

import hashlib
import json
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from candor.data.exercises import EXERCISES, exercises
from candor.data.planted import PLANTED, PLANTED_VERSION, planted
from candor.data.python_docs import python_docs
from candor.errors import ConfigError, DataError
from candor.problems.tasks import parse_task
from candor.records import Document, Kind
from candor.rows import (
    WHOLE,
    Layout,
    Part,
    Row,
    dataset_rows,
    decode,
    file_rows,
    is_saved_dataset,
    local,
    parts,
    readable,
    too_long,
    walk,
)

TEXT_SUFFIXES = (".txt", ".md", ".rst", ".py", ".text", ".markdown")
_OF_ROWS = (".jsonl", ".jsonl.gz", ".parquet")
_KNOWN = (*TEXT_SUFFIXES, *_OF_ROWS, ".pdf")
_USUAL_FIELDS = ("text", "content", "body")
PYTHON_DOCS = "python-docs"
Form = Literal["prose", "code", "any", "made"]
"""What kind of text a source holds, which decides the steps: rules of quality are for prose; what a program of ours
made is only freed of exact copies."""


@dataclass(frozen=True)
class SourceConfig:
    """One source of text and what is known of it."""

    path: str = PYTHON_DOCS
    """`python-docs`, `exercises`, `planted`, a file, a folder, or `hf:owner/name[:config][@split]`, with a path too."""
    fields: tuple[str, ...] = ()
    """Fields of JSONL, Parquet or dataset rows, joined by a line break; none takes text, content or body."""
    encoding: str = "utf-8"
    """Encoding of text and JSONL files, for example gb18030."""
    max_document_bytes: int = 64 * 2**20
    """Largest document; a larger one stops the run before it is read into memory."""
    form: Form = "any"
    """prose, code, any, or made: which steps its documents go through."""
    kind: Kind = "public"
    """How the text came to be ours to use, kept with every document."""
    licence: str = "unknown"
    """SPDX identifier of the source's licence, kept with every document."""
    address: str = ""
    """Where it was found: a URL, a data set and its organisation, a service; kept with every document."""
    collected: str = ""
    """When it was collected, ISO 8601; kept with every document."""
    model: str = ""
    """Of synthetic text: what made it, with version and time; kept with every document."""
    share: float = 1.0
    """Share of its documents, by a hash of their text, that is trained on; what is held out stays whole."""
    tasks: tuple[str, ...] = ()
    """Of exercises: families as NAME:DIFFICULTY:LANG whose worked problems, of mixed quality, are made."""
    size: int = 0
    """Of exercises: bytes in all."""
    copies: tuple[int, ...] = ()
    """Of planted: how often each group of made-up secrets and persons stands in the text, for audits of memory."""

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"share={self.share} of {self.path} must be above 0 and at most 1")
        if self.max_document_bytes < 1:
            raise ConfigError(f"max_document_bytes={self.max_document_bytes} of {self.path} must be positive")
        for task in self.tasks:
            parse_task(task)
        if (self.path == EXERCISES) != bool(self.tasks) or bool(self.tasks) != (self.size > 0):
            raise ConfigError(
                f"path={self.path}, tasks={','.join(self.tasks)!r} and size={self.size}: tasks and size are those of "
                f"path={EXERCISES}, which needs both"
            )
        if (self.path == PLANTED) != bool(self.copies) or any(one < 0 for one in self.copies):
            raise ConfigError(
                f"path={self.path} and copies={self.copies}: copies, each 0 or more, are those of path={PLANTED}, "
                "which needs them"
            )
        if self.path == PLANTED and self.kind != "synthetic":
            raise ConfigError(f"{PLANTED} text is made up; set kind=synthetic, so that the manifest says so")
        if self.kind == "synthetic" and not self.model and self.path not in (EXERCISES, PLANTED):
            raise ConfigError(f"{self.path} is synthetic; say what made it and when: model='NAME VERSION, DATE'")
        try:
            "".encode(self.encoding)
        except (LookupError, UnicodeError):
            raise ConfigError(f"encoding={self.encoding!r} is unknown; try utf-8 or gb18030") from None

    @property
    def layout(self) -> Layout:
        """How its rows are laid out."""
        return Layout(encoding=self.encoding, max_bytes=self.max_document_bytes, settings="corpus.sources.N")


@dataclass(frozen=True, slots=True)
class Piece:
    """A file of a source, or a stretch of it."""

    path: str
    """Where it lies; "" for a source that is no file."""
    origin: str
    """Its name within the source."""
    part: Part = WHOLE
    """The stretch."""


@dataclass(frozen=True, slots=True)
class Unit:
    """What one process reads in one go."""

    source: int
    """Which of the sources."""
    pieces: tuple[Piece, ...]
    """What of it, in order."""


@dataclass
class Skipped:
    """What a source has and the corpus has not."""

    files: list[str] = field(default_factory=list)
    """Files of a folder that were not read because of their type."""


def fingerprint(source: SourceConfig) -> str:
    """Changes when the files behind a local source change (name, size or time), and with the version of a made one."""
    if source.path == EXERCISES:
        versions = [f"{family.name}-{family.version}" for family, _, _ in map(parse_task, source.tasks)]
        return "+".join(dict.fromkeys(versions))
    if source.path == PLANTED:
        return f"planted-{PLANTED_VERSION}"
    if source.path == PYTHON_DOCS:
        return f"python-{platform.python_version()}"
    return fingerprint_of(source.path)


def fingerprint_of(name: str) -> str:
    """Changes when the files behind a local name change (name, size or time); the name itself where it is elsewhere."""
    path = local(name)
    if path is None:
        return name
    entries = [path] if path.is_file() else sorted(walk(path))
    # What a broken link is worth is said by the reading, not here.
    stats = [(entry, entry.stat() if entry.exists() else entry.lstat()) for entry in entries]
    listing = json.dumps([(str(entry), stat.st_size, stat.st_mtime_ns) for entry, stat in stats])
    return hashlib.sha256(listing.encode()).hexdigest()


def units_of(sources: Iterable[SourceConfig], size: int, skipped: Skipped | None = None) -> list[Unit]:
    """Units of about `size` bytes, in the order of the sources and of the text in them."""
    skipped = skipped if skipped is not None else Skipped()
    return [
        Unit(number, pieces)
        for number, source in enumerate(sources)
        for pieces in _packed(_pieces(source, size, skipped), size)
    ]


def _packed(pieces: Iterable[tuple[Piece, int]], size: int) -> Iterator[tuple[Piece, ...]]:
    """Small pieces together."""
    some: list[Piece] = []
    held = 0
    for piece, own in pieces:
        if some and held + own > size:
            yield tuple(some)
            some, held = [], 0
        some.append(piece)
        held += own
    if some:
        yield tuple(some)


def _pieces(source: SourceConfig, size: int, skipped: Skipped) -> Iterator[tuple[Piece, int]]:
    """Each piece of a source, and its bytes."""
    path = local(source.path)
    if source.path in (PYTHON_DOCS, EXERCISES, PLANTED) or source.path.startswith("hf:") or is_saved_dataset(path):
        yield Piece("", source.path), size
    elif path is None:
        raise DataError(f"source {source.path!r} does not exist; give a file, a folder, {PYTHON_DOCS} or hf:owner/name")
    else:
        for file in sorted(walk(path)) if path.is_dir() else [path]:
            origin = file.relative_to(path).as_posix() if path.is_dir() else path.name
            if path.is_dir() and not file.name.lower().endswith(_KNOWN):
                skipped.files.append(origin)
                continue
            with readable(file):
                whole = file.stat().st_size
                cut = parts(file, size)
            for part in cut:
                yield Piece(str(file), origin, part), whole // max(1, len(cut))


def read_unit(source: SourceConfig, unit: Unit) -> Iterator[Document]:
    """Stream the documents of a unit of a source, in a fixed order, empty ones too."""
    for piece in unit.pieces:
        if source.path == PYTHON_DOCS:
            yield from python_docs()
        elif source.path == EXERCISES:
            yield from exercises(source.tasks, source.size, seed=0)
        elif source.path == PLANTED:
            yield from planted(source.copies)
        else:
            for text, origin in _texts(source, piece):
                # File names need not be Unicode: Chinese archives often hold GBK ones.
                name = origin.encode(errors="surrogateescape").decode(errors="replace")
                yield Document(
                    text,
                    source.path,
                    name,
                    source.licence,
                    source.kind,
                    source.address,
                    source.collected,
                    source.model,
                )


def read_documents(source: SourceConfig, skipped: Skipped | None = None) -> Iterator[Document]:
    """Stream all documents of a source as they are, but for empty ones; no text at all is a DataError."""
    empty = True
    for unit in units_of([source], 2**62, skipped):
        for document in filter(lambda one: one.text.strip(), read_unit(source, unit)):
            empty = False
            yield document
    if empty:
        raise nothing_in(source)


def nothing_in(source: SourceConfig) -> DataError:
    """The error for a source without text."""
    return DataError(f"{source.path} holds no text; give a source with at least two documents")


def _texts(source: SourceConfig, piece: Piece) -> Iterator[tuple[str, str]]:
    """(text, origin) of each document of a piece."""
    layout = source.layout
    if not piece.path:
        for row in dataset_rows(source.path, layout):
            yield _join(row, source), row.origin
        return
    path = Path(piece.path)
    name = path.name.lower()
    if name.endswith(_OF_ROWS):
        for row in file_rows(path, piece.origin, layout, _chooser(source, piece.path), piece.part):
            yield _join(row, source), row.origin
        return
    with readable(path):
        if path.stat().st_size > layout.max_bytes and not name.endswith(".pdf"):
            raise too_long(str(path), path.stat().st_size, layout)
        yield _pdf(path) if name.endswith(".pdf") else decode(path.read_bytes(), str(path), layout), piece.origin


def _pdf(path: Path) -> str:
    import pypdf

    try:
        text = "\n\n".join(page.extract_text() for page in pypdf.PdfReader(path).pages)
        return text.encode(errors="replace").decode()  # a font may map to halves of characters
    except Exception as error:  # the library raises many kinds, some of them without a common base
        raise DataError(f"{path} is not a readable PDF ({error}); replace or remove it") from None


def _chooser(source: SourceConfig, where: str) -> Callable[[list[str]], list[str]]:
    return lambda known: _fields(known, where, source)


def _fields(known: Iterable[str], where: str, source: SourceConfig) -> list[str]:
    known = list(known)
    wanted = list(source.fields) or [name for name in _USUAL_FIELDS if name in known][:1]
    missing = [name for name in wanted if name not in known]
    if missing or not wanted:
        what = f"has no field {missing[0]!r}" if missing else "has none of the usual fields text, content, body"
        raise DataError(f"{where} {what}; it has: {', '.join(known)}; choose with --fields name,name")
    return wanted


def _join(row: Row, source: SourceConfig) -> str:
    names = _fields(row.fields, row.where, source)
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
    if size > source.max_document_bytes:
        raise too_long(row.where, size, source.layout)
    return text
