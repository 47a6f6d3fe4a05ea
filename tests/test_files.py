"""Files are whole or not there, whatever kills the writer; locks die with their holder; a full disk is one line."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from candor import files
from candor.errors import CandorError, DataError, StorageError
from tests.conftest import file_size_limit

# Writes `target`, but kills itself right after its n-th step on the disk (argv: target, n).
DYING_WRITER = """
import os, signal, sys
from pathlib import Path
from candor import files

target, left = Path(sys.argv[1]), int(sys.argv[2])

def count(frame, event, function):
    global left
    if event == "c_return" and function.__name__ in ("open", "mkdir", "write", "fsync", "replace", "unlink", "rmdir"):
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1

sys.setprofile(count)
if target.name == "file":
    files.atomic_write(target, "new" * 100_000)
else:
    with files.atomic_dir(target) as folder:
        (folder / "a").write_text("new")
        (folder / "b").write_text("new")
"""

HOLDER = """
import sys
from pathlib import Path
from candor import files

with files.lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def one_line(error: pytest.ExceptionInfo[CandorError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.fixture
def living() -> Iterator[subprocess.Popen[str]]:
    """A process that lives until it is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


# Writing.


def test_content_is_written_as_given(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "new" / "text", "北京\r\n")
    files.atomic_write(tmp_path / "new" / "bytes", b"\x00\xff")
    assert (tmp_path / "new" / "text").read_bytes() == b"\xe5\x8c\x97\xe4\xba\xac\r\n"
    assert (tmp_path / "new" / "bytes").read_bytes() == b"\x00\xff"
    assert names(tmp_path / "new") == ["bytes", "text"]


@pytest.mark.parametrize("existing", [True, False])
def test_a_killed_writer_leaves_the_old_file_or_the_new_one(tmp_path: Path, existing: bool) -> None:
    killed, found = 0, set()
    while True:
        target = tmp_path / f"kill-{killed}" / "file"
        target.parent.mkdir()
        if existing:
            target.write_text("old")
        code = run(DYING_WRITER, target, killed).returncode
        content = target.read_text() if target.exists() else None
        assert content in ("old" if existing else None, "new" * 100_000)
        found.add(content)
        files.tidy(target.parent)
        assert names(target.parent) == (["file"] if content else [])
        if code == 0:
            break
        assert code == -9
        killed += 1
    assert killed >= 4  # opened, written, flushed, renamed
    assert len(found) == 2


@pytest.mark.parametrize("existing", [True, False])
def test_a_killed_writer_leaves_the_old_folder_or_the_new_one(tmp_path: Path, existing: bool) -> None:
    killed, found = 0, set()
    while True:
        target = tmp_path / f"kill-{killed}" / "folder"
        target.parent.mkdir()
        if existing:
            target.mkdir()
            (target / "a").write_text("old")
            (target / "b").write_text("old")
        code = run(DYING_WRITER, target, killed).returncode
        files.tidy(target.parent)
        content = [(target / name).read_text() for name in ("a", "b")] if target.exists() else None
        assert content in (["old", "old"] if existing else None, ["new", "new"])
        found.add(str(content))
        assert names(target.parent) == (["folder"] if content else [])
        if code == 0:
            break
        assert code == -9
        killed += 1
    assert killed >= 6
    assert len(found) == 2


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_in_the_block_leaves_nothing_new(tmp_path: Path, error: type[BaseException]) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "a").write_text("old")
    for target in (kept, tmp_path / "never"):
        with pytest.raises(error), files.atomic_dir(target) as folder:
            (folder / "a").write_text("new")
            raise error
    assert names(tmp_path) == ["kept"]
    assert (kept / "a").read_text() == "old"


def test_the_earlier_folder_stays_readable_until_the_new_one_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "target"
    for content in ("first", "second"):
        with files.atomic_dir(target) as folder:
            (folder / "deep").mkdir()
            (folder / "deep" / "a").write_text(content)
            if content == "second":
                assert (target / "deep" / "a").read_text() == "first"
    assert (target / "deep" / "a").read_text() == "second"
    assert names(tmp_path) == ["target"]


def test_remove_dir_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "gone" / "deep").mkdir(parents=True)
    (tmp_path / "gone" / "deep" / "a").write_text("x")
    files.remove_dir(tmp_path / "gone")
    assert names(tmp_path) == []


def test_a_killed_removal_leaves_no_half_folder(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    for name in "abc":
        (tmp_path / "gone" / name).write_text("x")
    script = """
import os, shutil, sys
from pathlib import Path
from candor import files

def half(path):
    os.unlink(path / "b")
    os._exit(9)

shutil.rmtree = half
files.remove_dir(Path(sys.argv[1]))
"""
    assert run(script, tmp_path / "gone").returncode == 9
    assert not (tmp_path / "gone").exists()
    files.tidy(tmp_path)
    assert names(tmp_path) == []


# What killed processes left.


def test_tidy_gives_back_a_folder_that_was_moved_aside(tmp_path: Path) -> None:
    for name in (".tmp-old-lost", ".tmp-old-replaced", "replaced"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    files.tidy(tmp_path)
    assert names(tmp_path) == ["lost", "replaced"]
    assert (tmp_path / "lost" / "a").read_text() == ".tmp-old-lost"
    assert (tmp_path / "replaced" / "a").read_text() == "replaced"


def test_tidy_spares_what_a_living_process_writes(tmp_path: Path, living: subprocess.Popen[str]) -> None:
    (tmp_path / f".tmp-{living.pid}-file").write_text("x")
    (tmp_path / f".tmp-{living.pid}-folder").mkdir()
    files.tidy(tmp_path)
    assert len(names(tmp_path)) == 2
    living.kill()
    living.wait()
    files.tidy(tmp_path)
    assert names(tmp_path) == []


def test_tidy_of_one_name_leaves_the_others(tmp_path: Path, living: subprocess.Popen[str]) -> None:
    living.kill()
    living.wait()
    for target in ("a", "a-b", "c-a-b"):
        (tmp_path / f".tmp-{living.pid}-{target}").write_text("x")
    files.tidy(tmp_path, "a-b")
    assert names(tmp_path) == [f".tmp-{living.pid}-a", f".tmp-{living.pid}-c-a-b"]


def test_tidy_touches_no_file_of_the_user(tmp_path: Path) -> None:
    theirs = [".tmp-notes", ".tmp-my-notes", "a.tmp-1-b"]
    for name in theirs:
        (tmp_path / name).write_text("x")
    files.tidy(tmp_path)
    assert names(tmp_path) == sorted(theirs)


# Reading.


def test_checksums_are_those_of_hashlib(tmp_path: Path) -> None:
    contents = {"a": b"", "deep/b c": b"abc", "deep/北京": bytes(range(256)) * 10_000}
    for name, content in contents.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert files.checksums(tmp_path) == {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    assert files.sha256(tmp_path / "deep" / "b c").startswith("ba7816bf8f01cfea414140de5dae2223")  # NIST's "abc"


def test_json_comes_back_and_is_readable(tmp_path: Path) -> None:
    files.write_json(tmp_path / "x.json", {"city": "北京", "n": [1, 2.5, None]})
    assert '"city": "北京"' in (tmp_path / "x.json").read_text(encoding="utf-8")
    assert files.read_json(tmp_path / "x.json") == {"city": "北京", "n": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist; check the path"),
        (b"", "cannot be read as JSON"),
        (b'{"a": 1', "cannot be read as JSON"),
        (b'{"a": "\xff"}', "cannot be read as JSON"),
        ("folder", "cannot be read as JSON"),
    ],
)
def test_broken_json_is_one_line_with_the_path(tmp_path: Path, content: bytes | str | None, says: str) -> None:
    path = tmp_path / "x.json"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(DataError) as caught:
        files.read_json(path)
    assert f"{path} {says}" in one_line(caught)


# Locks.


def test_a_held_folder_is_refused_and_freed_by_any_death(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").write_text("99999999")  # of a process long gone
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.readline() == "held\n"
        start = time.monotonic()
        with pytest.raises(StorageError) as caught, files.lock(tmp_path / "run"):
            pass
        assert time.monotonic() - start < 1
        assert f"{tmp_path / 'run'} is in use by another candor process (pid {holder.pid})" in one_line(caught)
        holder.kill()
        holder.wait()
        with files.lock(tmp_path / "run"):
            assert (tmp_path / "run" / ".lock").read_text() == str(os.getpid())
            refused = run(HOLDER, tmp_path / "run")
            assert f"in use by another candor process (pid {os.getpid()})" in refused.stderr
    with files.lock(tmp_path / "run"):
        pass


def test_an_exception_frees_the_lock(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), files.lock(tmp_path):
        raise ValueError("inside")
    with files.lock(tmp_path):
        pass


# The disk refuses.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of one MiB; only root may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small file system needs root; file_size_limit stands in for it elsewhere")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_one_line_and_costs_no_old_file(small_disk: Path) -> None:
    files.atomic_write(small_disk / "file", "old")
    with pytest.raises(StorageError) as caught:
        files.atomic_write(small_disk / "file", b"x" * 2**21)
    assert one_line(caught) == (
        f"cannot write {small_disk / 'file'}: the disk is full; free some space or choose another place with --out"
    )
    with pytest.raises(StorageError, match="the disk is full"), files.atomic_dir(small_disk / "folder") as folder:
        (folder / "a").write_bytes(b"x" * 2**21)
    assert names(small_disk) == ["file"]
    assert (small_disk / "file").read_text() == "old"


def test_a_lock_on_a_full_disk_is_one_line(small_disk: Path) -> None:
    with open(small_disk / "filler", "wb", buffering=0) as filler:
        while filler.write(b"x" * 4096) == 4096:
            if filler.tell() == 2**20:
                break
    with pytest.raises(StorageError, match="the disk is full"), files.lock(small_disk):
        pass


def test_a_file_over_the_limit_is_one_line_and_costs_no_old_file(tmp_path: Path) -> None:
    files.atomic_write(tmp_path / "file", "old")
    with pytest.raises(StorageError, match="would exceed the allowed size; raise the limit"), file_size_limit(2**16):
        files.atomic_write(tmp_path / "file", b"x" * 2**20)
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_a_file_in_the_place_of_a_folder_is_one_line_and_stays(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("theirs")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"):
        files.atomic_write(tmp_path / "file" / "x", "")
    with pytest.raises(StorageError, match="a file stands where a folder is needed"), files.lock(tmp_path / "file"):
        pass
    with (
        pytest.raises(StorageError, match="a file stands where a folder is needed"),
        files.atomic_dir(tmp_path / "file"),
    ):
        pass
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError, match="a folder stands where a file is needed"):
        files.atomic_write(tmp_path / "folder", "")
    assert names(tmp_path) == ["file", "folder"]
    assert (tmp_path / "file").read_text() == "theirs"


def test_other_errors_keep_their_traceback(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), files.disk_errors(tmp_path):
        (tmp_path / "missing").read_text()
