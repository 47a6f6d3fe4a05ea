"""A corpus on disk: Parquet shards of documents in the order of their hashes, split into train and held-out by hash.

The order is a shuffle that anyone can repeat, and a document's side of the split never depends on the others.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from candor import files
from candor.data.sources import SourceConfig
from candor.data.split import is_on_heldout_side
from candor.data.steps import Rejected, StepsConfig
from candor.errors import ConfigError, DataError
from candor.records import Document

Split = Literal["train", "heldout"]
COLUMNS = tuple(one.name for one in fields(Document))
SCHEMA = pa.schema([(name, pa.string()) for name in ("id", *COLUMNS)])
REJECTED = pa.schema([(name, pa.string()) for name in ("step", "reason", "detail", *COLUMNS)])
MANIFEST = "manifest.json"
BATCH = 65_536
"""Characters that are looked at together: their arrays fit into a processor's cache."""


@dataclass(frozen=True)
class CorpusConfig:
    """Where the text comes from, what is done to it, and how it is split."""

    sources: tuple[SourceConfig, ...] = (SourceConfig(),)
    """The sources; of copies, that of the earlier source stays."""
    heldout_fraction: float = 0.04
    """Share of documents, by hash, that are never trained on."""
    steps: StepsConfig = field(default_factory=StepsConfig)
    """What documents go through."""

    def __post_init__(self) -> None:
        if not self.sources:
            raise ConfigError("corpus.sources names no source")
        paths = [source.path for source in self.sources]
        if twice := {path for path in paths if paths.count(path) > 1}:
            raise ConfigError(
                f"corpus.sources names {', '.join(sorted(twice))} twice; a source has one form and licence"
            )
        if not 0 < self.heldout_fraction < 1:
            raise ConfigError(f"corpus.heldout_fraction={self.heldout_fraction} must lie between 0 and 1")


def table_of(rows: Sequence[tuple[str, Document]]) -> pa.Table:
    """Documents, each behind its id, as a table."""
    return _table([[own for own, _ in rows]], [one for _, one in rows], SCHEMA)


def rejects_of(rejected: Sequence[Rejected]) -> pa.Table:
    """Documents that are left out as a table."""
    extra = [[one.step for one in rejected], [one.reason for one in rejected], [one.detail for one in rejected]]
    return _table(extra, [one.document for one in rejected], REJECTED)


def _table(extra: Sequence[Sequence[str]], documents: Sequence[Document], schema: pa.Schema) -> pa.Table:
    columns = [*extra, *([getattr(one, name) for one in documents] for name in COLUMNS)]
    return pa.table([pa.array(column, pa.string()) for column in columns], schema=schema)


def documents_in(table: pa.Table) -> list[Document]:
    """The documents of a table."""
    return [Document(**row) for row in table.select(COLUMNS).to_pylist()]


def write_table(table: pa.Table, path: Path) -> None:
    """One Parquet file."""
    pq.write_table(table, path, compression="zstd")


def open_table(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """One Parquet file, to be written in pieces."""
    return pq.ParquetWriter(path, schema, compression="zstd")


def batches(documents: Iterable[Document], characters: int = BATCH) -> Iterator[list[Document]]:
    """Groups of at least so many characters; the last one may have fewer."""
    some: list[Document] = []
    size = 0
    for document in documents:
        some.append(document)
        size += len(document.text)
        if size >= characters:
            yield some
            some, size = [], 0
    if some:
        yield some


def read_corpus(folder: Path, split: Split) -> Iterator[Document]:
    """The documents of one split in hash order; a missing or damaged shard is a DataError."""
    shards = sorted(folder.glob(f"{split}-*.parquet"))
    if not shards:
        raise DataError(f"{folder} holds no {split} documents; build the corpus again")
    for shard in shards:
        for row in read_rows_of(shard, COLUMNS):
            yield Document(**row)


def read_rejects(folder: Path) -> Iterator[dict[str, str]]:
    """The rejected documents of a corpus, with step, reason and detail, as they came."""
    for shard in sorted(folder.glob("rejects-*.parquet")):
        yield from read_rows_of(shard, REJECTED.names)


def read_rows_of(shard: Path, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of a shard, a few at a time."""
    try:
        for batch in pq.ParquetFile(shard).iter_batches(batch_size=64, columns=list(columns)):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, TypeError, ValueError) as error:
        raise DataError(f"{shard} is damaged ({str(error).splitlines()[0]}); build the corpus again") from None


def verify(folder: Path) -> list[str]:
    """What is wrong with a corpus, in words: files against their checksums, rows against the manifest, ids against
    texts, the split against its rule. An empty list where all is well."""
    manifest = files.read_json(folder / MANIFEST)
    try:
        shards, fraction = manifest["shards"], manifest["config"]["heldout_fraction"]
        trouble = (
            [found] if (found := files.damage(folder, {name: one["sha256"] for name, one in shards.items()})) else []
        )
        known = {path.name for path in folder.glob("*.parquet")}
        trouble += [f"{name} is not in the manifest" for name in sorted(known - shards.keys())]
        lowest, highest = manifest["lowest"], manifest["highest"]
        totals: dict[str, dict[str, int]] = {}
        for name, shard in shards.items():
            if not (folder / name).is_file():
                continue
            split = name.rsplit("-", 1)[0]
            counted = totals.setdefault(split, {"documents": 0, "bytes": 0})
            rows, before = 0, ""
            for row in read_rows_of(folder / name, SCHEMA.names if split != "rejects" else REJECTED.names):
                rows += 1
                counted["documents"] += 1
                counted["bytes"] += len(row["text"].encode())
                if split == "rejects":
                    continue
                one, own = Document(**{column: row[column] for column in COLUMNS}), row["id"]
                held = is_on_heldout_side(own, fraction, lowest, highest)
                for bad, what in (
                    (one.id != own, "its id is not the hash of its text"),
                    (own <= before, "is out of order"),
                    (held != (split == "heldout"), "is on the wrong side of the split"),
                ):
                    if bad:
                        trouble.append(f"{name}: document {own[:12]} {what}")
                before = own
            if rows != shard["rows"]:
                trouble.append(f"{name} holds {rows} documents, the manifest says {shard['rows']}")
        read = sum(source["documents"] for source in manifest["sources"])
        if read != sum(manifest[split]["documents"] for split in ("train", "heldout", "rejects")):
            trouble.append(f"{read} documents were read, and other ones are kept and rejected together")
        for split, counted in totals.items():
            if counted != manifest[split]:
                trouble.append(f"{split} holds {counted}, the manifest says {manifest[split]}")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{folder / MANIFEST} has another form ({error!r}); build the corpus again") from None
    return trouble
