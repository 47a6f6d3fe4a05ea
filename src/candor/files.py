"""Files that are either whole or not there: atomic writes, checksums, locks, and clear errors from the disk.

Every file and folder that Candor leaves behind goes through `atomic_write` or `atomic_dir`: a temporary name beside the
target, fsync, rename. A reader therefore never sees half a file, whatever kills the writer.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from zipfile import BadZipFile

from candor.errors import DataError, StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TMP = ".tmp-"
_LONG_NAME = 200
"""Bytes of a name; file systems take 255."""
_DISK_TROUBLE = {
    errno.ENOSPC: "the disk is full; free some space or choose another place with --out",
    errno.EDQUOT: "the disk quota is used up; free some space or choose another place with --out",
    errno.EFBIG: "the file would exceed the allowed size; raise the limit (ulimit -f)",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.EROFS: "the file system is read-only; choose another place with --out",
    errno.EACCES: "permission denied; choose a folder that you may write to with --out",
    errno.EPERM: "permission denied; choose a folder that you may write to with --out",
    errno.ENOTDIR: "a file stands where a folder is needed; remove it or choose another place with --out",
    errno.EEXIST: "a file stands where a folder is needed; remove it or choose another place with --out",
    errno.EISDIR: "a folder stands where a file is needed; remove it or choose another place with --out",
}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a disk's refusal inside the block into a StorageError that names `path` and the mend."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_TROUBLE:
            raise StorageError(f"cannot write {path}: {_DISK_TROUBLE[error.errno]}") from error
        raise


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def atomic_write(path: Path, content: str | bytes) -> None:
    """Write `content` (str as UTF-8) to `path` so that readers see the old file or the whole new one."""
    with atomic_file(path) as tmp:
        tmp.write_bytes(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary name; what the block writes there becomes `path` when it ends well, else vanishes."""
    name = path.name
    if len(os.fsencode(name)) > _LONG_NAME:  # with what is put before it, too long for a file system
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    tmp = path.with_name(f"{_TMP}{os.getpid()}-{name}")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield tmp
            _fsync(tmp)
            os.replace(tmp, path)
            _fsync(path.parent)
        finally:
            tmp.unlink(missing_ok=True)


@contextmanager
def atomic_dir(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `path` when the block ends well, and vanishes when it does not.

    An earlier folder at `path` stays readable until the new one is complete, then goes.
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tidy(path.parent, path.name)
        tmp = path.with_name(f"{_TMP}{os.getpid()}-{path.name}")
        old = path.with_name(f"{_TMP}old-{path.name}")
        tmp.mkdir()
        try:
            yield tmp
            for file in sorted(tmp.rglob("*")):
                _fsync(file)
            _fsync(tmp)
            if path.is_dir():
                os.replace(path, old)
            os.replace(tmp, path)
            _fsync(path.parent)
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(tmp, ignore_errors=True)


def remove_dir(path: Path) -> None:
    """Remove a folder so that a kill in the middle leaves no half folder under its name."""
    doomed = path.with_name(f"{_TMP}{os.getpid()}-{path.name}")
    with disk_errors(path):
        os.replace(path, doomed)
        shutil.rmtree(doomed)


def tidy(folder: Path, name: str = "") -> None:
    """Clear away in `folder` what killed processes left of `name` (empty: of everything).

    What was moved aside but not yet succeeded by a new one gets its name back.
    """
    for left in folder.glob(f"{_TMP}*-*"):
        writer, target = left.name.removeprefix(_TMP).split("-", 1)
        if (name and target != name) or not (writer == "old" or writer.isdecimal()):
            continue
        if writer != "old" and int(writer) != os.getpid() and _alive(int(writer)):
            continue
        if writer == "old" and not (folder / target).exists():
            os.replace(left, folder / target)
        elif left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checksums(folder: Path) -> dict[str, str]:
    """Relative POSIX path -> sha256 of every file under `folder`."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != ".lock")
    return {file.relative_to(folder).as_posix(): sha256(file) for file in files}


def damage(folder: Path, expected: dict[str, str]) -> str:
    """The first file of `checksums` that is missing or other than it was, in words; "" where all are whole."""
    for name, digest in expected.items():
        if not (folder / name).is_file():
            return f"{name} is missing"
        if sha256(folder / name) != digest:
            return f"{name} was truncated or changed (checksum differs)"
    return ""


class _Plain:
    """A file that numpy does not know to be one: it then says what the disk says, not only that it refused."""

    def __init__(self, file: BinaryIO):
        self.write = file.write


def write_array(path: Path, array: "NDArray[Any]") -> None:
    """Write a numpy array as `.npy`, to be read by `numpy.load`; not atomic by itself."""
    from numpy.lib import format

    with open(path, "wb") as file:
        format.write_array(_Plain(file), array, allow_pickle=False)


def write_arrays(path: Path, arrays: "Mapping[str, NDArray[Any]]") -> None:
    """Write numpy arrays as one compressed `.npz`, atomically; the same arrays give the same bytes."""
    import numpy as np

    buffer = BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    atomic_write(path, buffer.getvalue())


def read_arrays(path: Path, names: Iterable[str]) -> "list[NDArray[Any]]":
    """Those arrays of a `.npz`; a missing or broken file is a DataError that names it."""
    import numpy as np

    try:
        with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as file:
            return [file[name] for name in names]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error) as error:
        raise DataError(f"{path}: no weights can be read here ({error}); restore the file or make it anew") from error


def write_json(path: Path, value: Any) -> None:
    """Write `value` as readable JSON, atomically."""
    atomic_write(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def json_line(value: Any) -> str:
    """One line of JSONL."""
    return json.dumps(value, ensure_ascii=False) + "\n"


def read_json(path: Path) -> Any:
    """Read JSON; a missing or broken file is a DataError that names it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path") from None
    except (ValueError, OSError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}); restore it or delete it and run again") from error


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSONL file that is appended to. A last line cut off by a kill is left out; any other broken line
    is a DataError."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise DataError(f"{path} does not exist; check the path") from None
    found = []
    for number, text in enumerate(lines, start=1):
        try:
            line = json.loads(text)
        except ValueError:
            line = None
        if isinstance(line, dict):
            found.append(line)
        elif number < len(lines):
            raise DataError(f"{path}:{number} is not a JSON object; delete the line and run again")
    return found


class Lines:
    """Appends JSON lines to `path`, which begins anew with `kept`; a line is with the kernel when `add` returns."""

    def __init__(self, path: Path, kept: Iterable[dict[str, Any]] = ()):
        atomic_write(path, "".join(map(json_line, kept)))
        self._path = path
        with disk_errors(path):
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115 - lives as long as the writer

    def add(self, line: dict[str, Any]) -> None:
        """Write one line."""
        left = json_line(line).encode()
        with disk_errors(self._path):
            while left:  # a full disk takes a part before it refuses
                left = left[self._file.write(left) :]

    def close(self) -> None:
        """Close the file."""
        self._file.close()


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; a second one gets a StorageError at once. The kernel frees it on any death."""
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        held = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(held, 32).decode() or "unknown"
            raise StorageError(
                f"{folder} is in use by another candor process (pid {holder}); wait for it or choose another --out"
            ) from None
        with disk_errors(folder):
            os.truncate(held, 0)
            os.write(held, str(os.getpid()).encode())
        yield
    finally:
        os.close(held)
