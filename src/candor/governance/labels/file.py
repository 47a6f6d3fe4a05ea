"""Labels in files: the right carrier, one writer at a time, read back before anything is replaced."""

import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from candor import files
from candor.errors import ConfigError, DataError, StorageError
from candor.governance.labels.carrier import LARGEST, Carrier, Found, Reading, Unreadable
from candor.governance.labels.events import JSON, STREAM
from candor.governance.labels.explicit import Style
from candor.governance.labels.html import HTML
from candor.governance.labels.image import JPEG, PNG
from candor.governance.labels.log import Entry, Log
from candor.governance.labels.markdown import MARKDOWN
from candor.governance.labels.ooxml import DOCX, PPTX, XLSX
from candor.governance.labels.pdf import PDF
from candor.governance.labels.record import Label, read_value
from candor.governance.labels.relabel import DEFAULT, relabel
from candor.governance.labels.signing import SigningKeys
from candor.governance.labels.text import TEXT
from candor.governance.labels.verdict import Standard, Verdict, judge, unreadable

CARRIERS = {
    suffix: carrier
    for carrier in (MARKDOWN, TEXT, HTML, DOCX, XLSX, PPTX, PDF, JSON, STREAM, PNG, JPEG)
    for suffix in carrier.suffixes
}
"""End of a file's name, lower case, to the kind of file."""
SIDECAR = ".aigc.json"
"""What is appended to the name of a plain text for the optional file beside it."""


@dataclass(frozen=True)
class Written:
    """What `write` did.

    >>> write(Path("a.md"), label).label.produce_id
    '5f0c...'
    """

    path: Path
    """The labelled file."""
    label: Label
    """The label that stands there now."""
    replaced: str = ""
    """The label's value that stood there before, where there was one."""
    changed: bool = True
    """Whether anything was written."""

    @property
    def how(self) -> str:
        """What happened to the file, in words."""
        if not self.changed:
            return "labelled already"
        if not self.replaced:
            return "labelled"
        before = read_value(self.replaced)[0]
        if before and before.produce_id == self.label.produce_id:
            return "handed on" if before.propagate_id != self.label.propagate_id else "mended"
        return "its broken label replaced"


def carrier_of(path: Path) -> Carrier:
    """The kind of a file by the end of its name; DataError with the kinds that there are."""
    carrier = CARRIERS.get(path.suffix.lower())
    if carrier is None:
        raise DataError(
            f"{path}: files that end in {path.suffix or 'nothing'} have no label; known: {' '.join(CARRIERS)}"
        )
    return carrier


def read(path: Path) -> Reading:
    """All that a file says about having been made by a machine; DataError where it cannot be read."""
    try:
        return carrier_of(path).read(_bytes(path))
    except Unreadable as error:
        raise DataError(f"{path} {error}") from error


def verify(path: Path, standard: Standard = "cn", keys: SigningKeys | None = None) -> Verdict:
    """The verdict on a file. What cannot be read or judged is inconclusive, with the reason."""
    try:
        carrier = carrier_of(path)
        reading = carrier.read(_bytes(path))
        sidecar = None if carrier.metadata else _sidecar(path)
    except Unreadable as error:
        return unreadable(str(path), f"the file {error}", standard)
    except DataError as error:
        return unreadable(str(path), str(error), standard)
    return judge(str(path), carrier, reading, sidecar=sidecar, standard=standard, keys=keys)


def write(
    target: Path,
    label: Label,
    *,
    style: Style | None = DEFAULT,
    out: Path | None = None,
    keys: SigningKeys | None = None,
    log: Log | None = None,
    sidecar: bool = False,
) -> Written:
    """Label a file: metadata and, where none stands there, the visible notice (without `style`: leave what is visible).

    What becomes of labels that stand there is said at `relabel`. The file is replaced at once, or `out` written;
    nothing is touched where the result does not read back as meant. With `log` the number is logged before. `sidecar`
    writes the fields beside a plain text.

    DataError names a file that cannot be labelled, StorageError one that may not be written, or a number that was given
    already. ConfigError where `out` is of another kind or a plain text would carry nothing, and as in `relabel`;
    KeysError where the keys cannot sign.
    """
    goal = out or target
    carrier = carrier_of(target)
    if out is not None and carrier_of(out) is not carrier:
        raise ConfigError(f"-o {out} is another kind of file than {target}; give it the same ending")
    if style is None and not carrier.metadata and not sidecar:
        raise ConfigError(f"{target}: a {carrier.name} has no metadata, and without its notice and a sidecar no label")
    _must_be_writable(target, goal)
    with _alone(goal.parent):
        before = _status(target)
        data = _bytes(target)
        try:
            beside = None if carrier.metadata else _sidecar(target)
            done = relabel(carrier, data, label, style, beside=beside, keys=keys)
        except Unreadable as error:
            raise DataError(f"{target} {error}") from error
        written = Written(goal, done.label, done.replaced)
        if done.data == data and _same(goal, target) and not sidecar:
            return replace(written, changed=False)
        if log:
            log.add(_entry(written, done.data))
        _replace(goal, done.data, before, changed=_same(goal, target))
        if sidecar and not carrier.metadata:
            files.write_json(Path(f"{goal}{SIDECAR}"), {"AIGC": done.label.values()})
    return written


def _entry(written: Written, data: bytes) -> Entry:
    return Entry(
        datetime.now(UTC).isoformat(timespec="seconds"),
        written.label.propagate_id,
        written.label.propagator,
        written.label.label,
        str(written.path.resolve()),  # two files of one name in two folders are two
        hashlib.sha256(data).hexdigest(),
        written.replaced,
    )


# The disk


def _status(path: Path) -> os.stat_result:
    try:
        return os.stat(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def _bytes(path: Path) -> bytes:
    status = _status(path)
    try:
        if not stat.S_ISREG(status.st_mode):
            raise DataError(f"{path} is no file; name a file")
        if status.st_size > LARGEST:
            raise DataError(f"{path} has {status.st_size / 2**20:,.0f} MiB; labels are read and written up to 256 MiB")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error


def _sidecar(path: Path) -> Found | None:
    beside = Path(f"{path}{SIDECAR}")
    if not beside.exists():
        return None
    try:
        members = JSON.read(_bytes(beside)).labels
    except Unreadable as error:
        raise DataError(f"{beside} {error}") from error
    if len(members) != 1:
        raise DataError(f"{beside} holds {len(members)} labels; it must hold one")
    return Found(members[0].name, members[0].value, beside.name)


def _must_be_writable(target: Path, goal: Path) -> None:
    if target.is_symlink() or goal.is_symlink():
        raise StorageError(f"{goal} is a symbolic link; name the file that it points to")
    if goal.exists() and not os.stat(goal).st_mode & 0o222:
        raise StorageError(f"{goal} is read-only; make it writable or write elsewhere with -o")
    if not goal.parent.is_dir():
        raise StorageError(f"{goal.parent} is no folder; make it first")
    if goal.exists() and os.stat(goal).st_nlink > 1:
        raise StorageError(f"{goal} has other names (hard links), which would keep the unlabelled text; copy it first")
    if not os.access(goal.parent, os.W_OK):
        raise StorageError(f"the folder {goal.parent} cannot be written to; write elsewhere with -o")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One labeller at a time in a folder; the lock is the folder itself and leaves nothing behind."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.samefile(other)


def _replace(path: Path, data: bytes, before: os.stat_result, *, changed: bool) -> None:
    """Write with the mode and owner of what was there; with `changed`, only where `before` still holds."""
    kept = os.stat(path) if path.exists() else before
    with files.atomic_file(path) as tmp:
        descriptor = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(data)
            if os.geteuid() == 0:
                os.fchown(descriptor, kept.st_uid, kept.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(kept.st_mode))
            file.flush()
            os.fsync(descriptor)
        now = os.stat(path) if changed else before
        if (now.st_ino, now.st_size, now.st_mtime_ns) != (before.st_ino, before.st_size, before.st_mtime_ns):
            raise StorageError(f"{path} was changed while it was being labelled; nothing was written, try again")


def find_files(paths: Sequence[Path]) -> list[Path]:
    """The files of `paths`, and of folders among them all that can carry a label, sidecars and hidden ones left out.

    ConfigError for a path that does not exist, and where there is no file at all.
    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise ConfigError(f"{path} does not exist; name files or folders")
        found += _in_folder(path) if path.is_dir() else [path]
    if not found:
        raise ConfigError(
            f"no file that can carry a label in {', '.join(map(str, paths))}; known: {' '.join(CARRIERS)}"
        )
    return found


def _in_folder(folder: Path) -> list[Path]:
    return sorted(
        one
        for one in folder.rglob("*")
        if one.suffix.lower() in CARRIERS
        and one.is_file()
        and not one.is_symlink()
        and not one.name.endswith(SIDECAR)
        and not any(part.startswith(".") for part in one.relative_to(folder).parts)
    )
