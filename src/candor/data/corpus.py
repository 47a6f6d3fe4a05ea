"""A corpus: documents in the order of their hashes, without exact copies, split into train and held-out by hash.

The order is a shuffle that anyone can repeat, and a document's side of the split never depends on the others. The sort
goes through buckets on disk, so memory holds one bucket, not the corpus.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from candor import files
from candor.data.sources import CorpusConfig, Skipped, is_heldout, read_documents
from candor.errors import DataError
from candor.records import Document, Progress, no_progress

Split = Literal["train", "heldout"]
_BUCKETS = 64
_SHARD_BYTES = 64 * 2**20
_SCHEMA = pa.schema([(name, pa.string()) for name in ("id", "text", "source", "origin", "licence", "kind")])


def held_out(ids: Sequence[str], fraction: float) -> list[bool]:
    """`is_heldout` of each; with a fraction above 0 and two different ids, neither side is empty."""
    lowest, highest = min(ids, default=""), max(ids, default="")
    return [fraction > 0 and one != highest and (is_heldout(one, fraction) or one == lowest) for one in ids]


def build_corpus(config: CorpusConfig, folder: Path, progress: Progress = no_progress) -> None:
    """Write `train-*.parquet`, `heldout-*.parquet` and `manifest.json` into an existing folder.

    Where the hashes put no document on one side, the document with the lowest (held-out) or highest (train) hash goes
    there; fewer than two documents are a DataError.
    """
    skipped = Skipped()
    buckets = _scatter(read_documents(config, skipped), folder)
    order = [path for path in buckets if path.stat().st_size]
    counts: dict[str, Counter[str]] = {"train": Counter(), "heldout": Counter()}
    shares: dict[str, Counter[str]] = {name: Counter() for name in ("source", "licence", "kind")}
    copies = 0
    writers = {split: _ShardWriter(folder, split) for split in counts}
    # The first document (lowest hash) is held out and the last trained on, whatever the fraction says.
    last_bucket = order[-1]
    first = True
    for done, path in enumerate(order):
        documents, dropped = _sorted_bucket(path)
        copies += dropped
        for position, (document_id, document) in enumerate(documents):
            last = path is last_bucket and position == len(documents) - 1
            held = first or (is_heldout(document_id, config.heldout_fraction) and not last)
            if first and last:
                taken = f" with corpus.share={config.share}" if config.share < 1 else ""
                raise DataError(
                    f"{config.source} holds one document{taken}; at least two are needed, one to train on and one to "
                    "test on"
                )
            first = False
            split = "heldout" if held else "train"
            size = len(document.text.encode())
            writers[split].add(document_id, document)
            counts[split].update(documents=1, bytes=size)
            for name, share in shares.items():
                share[getattr(document, name)] += size
        path.unlink()
        progress(done + 1, len(order), f"{sum(c['documents'] for c in counts.values())} documents")
    for writer in writers.values():
        writer.close()
    for path in buckets:
        path.unlink(missing_ok=True)
    files.write_json(
        folder / "manifest.json",
        {
            "config": asdict(config),
            "train": dict(counts["train"]),
            "heldout": dict(counts["heldout"]),
            "exact_copies_dropped": copies,
            "split_rule": f"held out where sha256(text) / 2^256 < {config.heldout_fraction}, and the lowest hash",
            "bytes_by": {name: dict(share) for name, share in shares.items()},
            "files_skipped_by_type": skipped.files,
            "documents_beyond_share": skipped.documents,
        },
    )


def _scatter(documents: Iterator[Document], folder: Path) -> list[Path]:
    """Append each document to the bucket of its hash; the buckets are in hash order."""
    paths = [folder / f"bucket-{index:02}.jsonl" for index in range(_BUCKETS)]
    with ExitStack() as opened:
        handles = [opened.enter_context(open(path, "w", encoding="utf-8")) for path in paths]
        for document in documents:
            bucket = int(document.id[:4], 16) * _BUCKETS // 16**4
            handles[bucket].write(json.dumps([document.id, asdict(document)], ensure_ascii=False) + "\n")
    return paths


def _sorted_bucket(path: Path) -> tuple[list[tuple[str, Document]], int]:
    """The documents of a bucket in hash order without copies, and the number of copies."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    unique = {document_id: Document(**fields) for document_id, fields in reversed(rows)}
    return sorted(unique.items()), len(rows) - len(unique)


class _ShardWriter:
    """Parquet shards of one split, each of about 64 MiB of text."""

    def __init__(self, folder: Path, split: str):
        self._folder, self._split = folder, split
        self._rows: list[dict[str, str]] = []
        self._bytes = self._shards = 0

    def add(self, document_id: str, document: Document) -> None:
        self._rows.append({"id": document_id} | asdict(document))
        self._bytes += len(document.text)
        if self._bytes >= _SHARD_BYTES:
            self.close()

    def close(self) -> None:
        """Write what is waiting."""
        if self._rows:
            table = pa.Table.from_pylist(self._rows, schema=_SCHEMA)
            pq.write_table(table, self._folder / f"{self._split}-{self._shards:05}.parquet", compression="zstd")
            self._shards += 1
        self._rows, self._bytes = [], 0


def read_corpus(folder: Path, split: Split) -> Iterator[Document]:
    """The documents of one split in hash order; a missing or damaged shard is a DataError."""
    shards = sorted(folder.glob(f"{split}-*.parquet"))
    if not shards:
        raise DataError(f"{folder} holds no {split} documents; build the corpus again")
    for shard in shards:
        try:
            for batch in pq.ParquetFile(shard).iter_batches(batch_size=64, columns=_SCHEMA.names[1:]):
                yield from (Document(**row) for row in batch.to_pylist())
        except (pa.ArrowException, OSError, TypeError, UnicodeDecodeError) as error:
            raise DataError(f"{shard} is damaged ({str(error).splitlines()[0]}); build the corpus again") from None
