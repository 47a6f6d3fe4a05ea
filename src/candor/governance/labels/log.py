"""The log of labels: which number was given to which content, kept by the provider for six months and more."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from candor import files
from candor.errors import StorageError


@dataclass(frozen=True)
class Entry:
    """One label that was written.

    >>> Entry("2026-11-30T08:00:00+00:00", "5f0c...", "00119111...", "1", "/home/ann/report.docx", "9a3b...")
    """

    at: str
    """When, UTC."""
    produce_id: str
    """The number that this call gave: ProduceID, or PropagateID where content was handed on."""
    producer: str
    """Whose label: the code."""
    label: str
    """1, 2 or 3."""
    file: str
    """The file, by its whole path."""
    sha256: str
    """Of the labelled bytes."""
    replaced: str = ""
    """The label that stood there before, where it was changed."""


@contextmanager
def open_log(path: Path) -> "Iterator[Log]":
    """The log, held by this process; others wait. A last line that a power cut tore is set apart, not lost.

    StorageError where the disk refuses.
    """
    with files.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield Log(path, descriptor)
    finally:
        os.close(descriptor)


class Log:
    """An append-only file of one JSON object a line."""

    def __init__(self, path: Path, descriptor: int):
        self.path, self._descriptor = path, descriptor
        self._files: dict[str, set[str]] = {}
        """Of each number, the files that it was given to."""
        for one in self._entries():
            self._files.setdefault(str(one.get("produce_id")), set()).add(str(one.get("file")))

    def add(self, entry: Entry) -> None:
        """Append and reach the disk; StorageError where the disk refuses or the number was given to another file.

        A file may get its number again: where its content changed, or where the last try did not come to its end.
        """
        if entry.file not in self._files.get(entry.produce_id, {entry.file}):
            raise StorageError(
                f"{self.path} has number {entry.produce_id} for another file; numbers are given once: choose another"
            )
        line = files.json_line(asdict(entry))
        size = os.fstat(self._descriptor).st_size
        if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
            line = "\n" + line
        with files.disk_errors(self.path):
            data = line.encode()
            if os.write(self._descriptor, data) != len(data):
                os.ftruncate(self._descriptor, size)
                raise StorageError(f"cannot write {self.path}: the disk is full; free some space")
            os.fsync(self._descriptor)
        self._files.setdefault(entry.produce_id, set()).add(entry.file)

    def _entries(self) -> Iterator[dict[str, str]]:
        with open(self.path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict):
                    yield entry
