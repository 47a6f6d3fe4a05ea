"""Untrusted Python, run where it can do no harm: on Linux, in namespaces of its own.

What it protects from. The code runs as a user without rights (where we are root; else as our own user without
capabilities), sees Python, the system's libraries and an empty /tmp of limited size, no /proc, no other process and no
network; it gets neither our environment nor our descriptors. Time, memory, processes, open files, output and disk are
limited, memory also in sum, and whatever it started dies with it, with us, or when its time is over. A filter refuses
the system calls that would get around this (`DENIED` in `confine.py`).

What it does not protect from: holes in the kernel (the filter leaves most system calls open); side channels between
processes of one machine; CPU time within the limit, on as many cores as there are processes; memory above the limit
in the 20 ms between two looks, and what the kernel itself holds for it (up to 200 MiB in pipes and sockets); and code
that lies about itself: what runs beside the tests in one process can fake their success. Where the kernel refuses a new
/proc (it is masked in some containers) the limit of memory holds for each process, and their sum is not watched.
Against people who mean to break out put a virtual machine around it.

`CANDOR_UNSAFE_SANDBOX=limits` runs the code without walls where there can be none (macOS, closed containers): limits
of each process, an empty environment and a temporary folder remain, but it runs as our user, reads and writes whatever
we can, has the network, and may leave processes behind.
"""

import os
import platform
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from candor.errors import ConfigError

_LAUNCHER = str(Path(__file__).with_name("confine.py"))
_SWITCH = "CANDOR_UNSAFE_SANDBOX"
_PATIENCE = 20.0
"""Seconds beyond the limit that the launcher has to start and to clean up."""
_SMALLEST = 32 << 20
"""Bytes of memory below which Python does not start."""
_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a run may use.

    >>> Limits(seconds=10, memory=1 << 30)
    """

    seconds: float = 5.0
    """Wall-clock time, and CPU time of each process."""
    memory: int = 512 << 20
    """Bytes in RAM of all processes together; each may reserve twice as much address space."""
    processes: int = 16
    """Processes and threads at once, the first one included."""
    output: int = 1 << 20
    """Bytes of stdout, and as many of stderr."""
    disk: int = 16 << 20
    """Bytes of all files together."""

    def __post_init__(self) -> None:
        for field in fields(self):
            least = _SMALLEST if field.name == "memory" else 0
            value = getattr(self, field.name)
            if not least < value < float("inf"):
                raise ConfigError(f"limits.{field.name}={value!r} must be a number above {least}")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended.

    >>> Outcome(status="ok", stdout="7\\n", stderr="", exit_code=0, seconds=0.03)
    """

    status: Literal["ok", "error", "timeout", "memory", "output"]
    """`ok` is exit code 0, `error` any other end; the rest name the limit that was hit."""
    stdout: str
    """UTF-8, with replacement characters where it is none, cut at the limit."""
    stderr: str
    """Likewise; a traceback ends here."""
    exit_code: int | None
    """As `subprocess` gives it (-11: killed by signal 11); None where the sandbox ended it."""
    seconds: float
    """Wall-clock time from the first process to the end of the last."""


def run_python(code: str, *, stdin: str = "", limits: Limits = Limits()) -> Outcome:
    """Run a program in the sandbox; safe to call from many threads. ConfigError where there is no sandbox."""
    if os.environ.get(_SWITCH) == "limits":
        folder = tempfile.mkdtemp(prefix="candor-")
        try:
            return _run(code, stdin, limits, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    if reason := isolation():
        raise ConfigError(
            f"cannot run untrusted code here: {reason}; mend that, or, on a machine where nothing is worth "
            f"protecting, set {_SWITCH}=limits to run it without walls"
        )
    return _run(code, stdin, limits)


_probed: list[str | None] = []
_probing = threading.Lock()


def isolation() -> str | None:
    """Why code cannot be confined here and what would mend it; None where a real run showed that it can."""
    with _probing:
        if not _probed:
            _probed.append(_probe())
        return _probed[0]


def _probe() -> str | None:
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return f"it takes Linux on x86_64 or aarch64, this is {sys.platform} on {platform.machine()}"
    try:
        outcome = _run("print(6 * 7)", "", Limits(seconds=30))
    except ConfigError as error:
        return f"{error}. {_mend()}"
    return None if outcome.stdout == "42\n" else f"Python did not run inside ({outcome.stderr.strip()[-200:]})"


def _mend() -> str:
    """What forbids namespaces, as far as it can be seen."""
    for name, bad in (
        ("kernel/unprivileged_userns_clone", "0"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("user/max_user_namespaces", "0"),
    ):
        with suppress(OSError):
            if Path("/proc/sys", name).read_text().strip() == bad:
                good = "sysctl -w " + name.replace("/", ".") + ("=0" if bad == "1" else "=10000")
                return f"The system forbids user namespaces: run `{good}` as root"
    return (
        "It takes Linux 5.14 with user namespaces and, as root, the capabilities SETUID and SETGID; in a container "
        "start it with --privileged, or with --security-opt seccomp=unconfined --security-opt apparmor=unconfined"
    )


def _python() -> list[str]:
    """The interpreter without its virtual environment, its standard library, and folders of shared libraries."""
    prefixes = dict.fromkeys(
        os.path.realpath(prefix) for prefix in ("/", "/usr", sys.base_prefix, sys.base_exec_prefix)
    )
    return [
        os.path.realpath(getattr(sys, "_base_executable", sys.executable)),
        os.path.dirname(os.path.realpath(os.__file__)),
        *(os.path.join(prefix, name) for prefix in prefixes for name in ("lib", "lib64")),
    ]


def _run(code: str, stdin: str, limits: Limits, folder: str = "") -> Outcome:
    """Launch, feed, read, end. In the namespaces, or with `folder` only in that folder."""
    program = code.encode(errors="surrogatepass")
    ours, theirs = socket.socketpair()
    python = _python()
    told = (
        theirs.fileno(), os.getpid(), len(program), "" if folder else "confined", limits.seconds, limits.memory,
        limits.processes, limits.disk, folder or "/tmp", *python,
    )  # fmt: skip
    with ours:
        try:
            process = subprocess.Popen(
                [python[0], "-I", "-S", _LAUNCHER, *map(str, told)], bufsize=0, env={}, cwd="/",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()], start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ConfigError(f"cannot start a process for the sandbox ({error})") from error
        finally:
            theirs.close()
        with process:
            try:
                with suppress(BrokenPipeError, ConnectionResetError):
                    ours.sendall(program)
                return _exchange(process, ours, stdin.encode(errors="surrogatepass"), limits)
            finally:
                process.kill()


def _exchange(process: subprocess.Popen[bytes], control: socket.socket, data: bytes, limits: Limits) -> Outcome:
    """Feed stdin and read the rest until the launcher says how it ended."""
    assert process.stdin and process.stdout and process.stderr
    texts = {process.stdout: bytearray(), process.stderr: bytearray()}
    left, verdict, over, full = memoryview(data), b"", False, False
    deadline = time.monotonic() + limits.seconds + _PATIENCE
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        os.set_blocking(process.stdin.fileno(), False)
        for stream in texts:
            selector.register(stream, selectors.EVENT_READ)
        # After the verdict nobody writes any more; another fork of ours may hold the pipes open, so no end is awaited.
        while ready := {key.fileobj for key, _ in selector.select(0 if over else max(0, deadline - time.monotonic()))}:
            if process.stdin in ready:
                try:
                    left = left[os.write(process.stdin.fileno(), left[:_CHUNK]) :]
                except BrokenPipeError:
                    left = left[:0]
                if not left:
                    selector.unregister(process.stdin)
                    process.stdin.close()
            for stream, text in texts.items():
                if stream in ready:
                    chunk = os.read(stream.fileno(), _CHUNK)
                    text += chunk
                    if len(text) > limits.output:
                        full = True
                        with suppress(OSError):
                            control.shutdown(socket.SHUT_WR)  # tells the launcher to kill
                    if full or not chunk:
                        selector.unregister(stream)
            if control in ready:
                verdict, over = control.recv(_CHUNK), True
                selector.unregister(control)
    stdout, stderr = (bytes(text[: limits.output]).decode(errors="replace") for text in texts.values())
    return _outcome(verdict.decode(errors="replace"), stdout, stderr, full)


def _outcome(verdict: str, stdout: str, stderr: str, full: bool) -> Outcome:
    """Read the launcher's verdict: seconds, a word, and a number or a reason."""
    seconds, word, detail = (*verdict.split(" ", 2), "", "", "")[:3]
    if word not in ("exit", "timeout", "memory", "stopped"):
        raise ConfigError(
            f"the sandbox did not start: {detail or stderr.strip()[-300:] or 'no answer from its launcher'}"
        )
    exit_code = int(detail) if word == "exit" else None
    status: Literal["ok", "error", "timeout", "memory", "output"] = "error"
    if full:
        status = "output"
    elif word == "timeout" or exit_code == -signal.SIGXCPU:
        status = "timeout"
    elif word == "memory" or (exit_code and stderr.rstrip().rpartition("\n")[2].startswith("MemoryError")):
        status = "memory"
    elif exit_code == 0:
        status = "ok"
    return Outcome(status=status, stdout=stdout, stderr=stderr, exit_code=exit_code, seconds=float(seconds))
