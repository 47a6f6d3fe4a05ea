"""The sandbox by attack: what is stopped, what is left unharmed, and what an ordinary program may still do.

An attack that stays within our own processes and files is first run without walls, where it must succeed.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from textwrap import dedent

import pytest

from candor.errors import ConfigError
from candor.problems.sandbox import Limits, Outcome, isolation, run_python

MIB = 1 << 20
BLUNDERS = ("NameError", "SyntaxError", "AttributeError", "ModuleNotFoundError", "AssertionError")
"""Errors that would say that an attack was written badly, not that it was stopped."""


@pytest.fixture
def walls() -> None:
    if reason := isolation():
        pytest.skip(f"no sandbox here: {reason}")


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """After every test: no launcher of ours runs, and no descriptor stayed open."""
    if sys.platform != "linux":
        yield
        return
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert not processes_with("confine", f" {os.getpid()} ")
    assert len(os.listdir("/proc/self/fd")) == before


def processes_with(*words: str) -> list[int]:
    """Processes with all these words among their arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            line = (folder / "cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
            found += [int(folder.name)] if all(word in line for word in words) else []
    return found


def wait_for(*words: str, there: bool = True) -> int:
    """The process with these words among its arguments, once there is one; or 0 once there is none."""
    deadline = time.monotonic() + 10
    while bool(found := processes_with(*words)) != there:
        assert time.monotonic() < deadline, f"{words}: {found}"
        time.sleep(0.01)
    return found[0] if there else 0


def run(code: str, *, stdin: str = "", **limits: float) -> Outcome:
    return run_python(dedent(code).lstrip("\n"), stdin=stdin, limits=Limits(**limits))  # type: ignore[arg-type]


# --- ordinary programs ----------------------------------------------------------------------------------------------

ORDINARY = {
    "modules": """
        import bisect, collections, datetime, functools, heapq, itertools, json, math, random, re, string, typing
        print(json.dumps({"n": math.comb(5, 2)}), re.findall(r"\\d", "a1"), datetime.date(2024, 2, 29))
    """,
    "extensions": """
        import bz2, ctypes, dataclasses, decimal, fractions, hashlib, lzma, sqlite3, ssl, statistics, uuid, zlib
        print(sqlite3.connect("db").execute("select 1").fetchone(), ctypes.CFUNCTYPE(ctypes.c_int)(int)())
    """,
    "files": """
        import pathlib, tempfile
        pathlib.Path("folder").mkdir()
        pathlib.Path("folder/file").write_text("text")
        with tempfile.TemporaryFile("w+") as file:
            file.write("text")
            file.seek(0)
            print(file.read() == pathlib.Path("folder/file").read_text())
    """,
    "threads": """
        import threading
        threads = [threading.Thread(target=print, args=(number,)) for number in range(12)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
    """,
    "asyncio": """
        import asyncio
        async def main(): await asyncio.sleep(0.01); print(1)
        asyncio.run(main())
    """,
    "fork": """
        import os
        child = os.fork()
        if not child: os._exit(3)
        print(os.waitpid(child, 0))
    """,
    "another Python": "import subprocess, sys; print(subprocess.check_output([sys.executable, '-c', 'print(1)']))",
    "several processes": """
        import concurrent.futures, multiprocessing
        if __name__ == "__main__":
            with multiprocessing.Pool(3) as pool: print(pool.map(abs, range(-9, 9)))
            with concurrent.futures.ProcessPoolExecutor(3) as pool: print(list(pool.map(abs, range(-9, 9))))
    """,
    "recursion": """
        import functools, sys
        sys.setrecursionlimit(10**6)
        @functools.cache
        def f(n): return n and f(n - 1) + 1
        print(f(20_000))
    """,
    "garbage": "print(sum(len(bytearray(10**6)) for _ in range(2000)))",
    "exit": "print(1); exit(0)",
}


@pytest.mark.usefixtures("walls")
class TestOrdinary:
    def test_input_and_output(self) -> None:
        outcome = run("name = input()\nprint(f'你好, {name}!')", stdin="世界\n")
        assert (outcome.status, outcome.stdout, outcome.stderr, outcome.exit_code) == ("ok", "你好, 世界!\n", "", 0)
        assert 0 < outcome.seconds < 5

    @pytest.mark.parametrize("name", ORDINARY)
    def test_what_programs_do(self, name: str) -> None:
        outcome = run(ORDINARY[name], memory=1024 * MIB)
        assert (outcome.status, outcome.stderr) == ("ok", "")
        assert outcome.stdout

    @pytest.mark.parametrize(
        ("code", "exit_code", "said"),
        [
            ("raise ValueError('no')", 1, "ValueError: no"),
            ("def f(: pass", 1, "SyntaxError"),
            ("import sys; sys.exit(3)", 3, ""),
            ("import sys; sys.exit('bye')", 1, "bye"),
            ("import os; os._exit(7)", 7, ""),
            ("import os; os.abort()", -signal.SIGABRT, ""),
            ("import numpy", 1, "ModuleNotFoundError"),
            ("print('\ud800')", 1, "SyntaxError: "),
            ("def f(): f()\nf()", 1, "RecursionError: maximum recursion depth exceeded"),
            ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, ""),
        ],
    )
    def test_programs_that_fail(self, code: str, exit_code: int, said: str) -> None:
        outcome = run(code)
        assert (outcome.status, outcome.exit_code) == ("error", exit_code)
        assert said in outcome.stderr.strip().rpartition("\n")[2]

    def test_a_zero_byte(self) -> None:
        """An error since Python 3.11.4."""
        outcome = run("print(1)\0")
        assert (outcome.status, outcome.stdout) == ("ok", "1\n") or "null bytes" in outcome.stderr

    def test_output_that_is_no_text(self) -> None:
        assert run(r"import os; os.write(1, b'\xff\xfe ok \xe4\xbd')").stdout == "\ufffd\ufffd ok \ufffd"

    @pytest.mark.parametrize(("code", "out"), [("import sys; print(len(sys.stdin.read()))", "30000000\n"), ("", "")])
    def test_much_input_read_or_not(self, code: str, out: str) -> None:
        outcome = run(code, stdin="x" * 30_000_000)
        assert (outcome.status, outcome.stdout) == ("ok", out)

    def test_output_up_to_the_limit_is_whole(self) -> None:
        assert run("print('x' * 99_999)", output=100_000).stdout == "x" * 99_999 + "\n"

    def test_our_mask_for_new_files_does_not_matter(self) -> None:
        before = os.umask(0o077)
        try:
            assert run("print(1)").status == "ok"
        finally:
            os.umask(before)

    def test_many_threads_at_once(self) -> None:
        """Each run gets its own input, output and end."""

        def one(number: int) -> Outcome:
            code = "import sys\nn = int(input())\nprint(n * n)\nsys.exit(n % 3)"
            return run(code, stdin=f"{number}\n", seconds=20)

        with ThreadPoolExecutor(8) as pool:
            outcomes = list(pool.map(one, range(24)))
        assert [outcome.stdout for outcome in outcomes] == [f"{number**2}\n" for number in range(24)]
        assert [outcome.exit_code for outcome in outcomes] == [number % 3 for number in range(24)]


@pytest.mark.parametrize("wrong", [{"seconds": 0}, {"memory": MIB}, {"processes": 0}, {"output": -1}, {"disk": 0}])
def test_limits_that_cannot_be(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=rf"{next(iter(wrong))}={next(iter(wrong.values()))} "):
        Limits(**wrong)  # type: ignore[arg-type]


# --- too much -------------------------------------------------------------------------------------------------------

CLINGING = {
    "sleep": "import time; time.sleep(60)",
    "spin": "while True: pass",
    "deaf": """
        import signal, time
        for number in set(range(1, 64)) - {9, 19, 32, 33}: signal.signal(number, signal.SIG_IGN)
        time.sleep(60)
    """,
    "mute": "import os, time\nfor fd in range(3): os.close(fd)\ntime.sleep(60)",
    "fork bomb": """
        import os
        while True:
            try: os.fork()
            except OSError: pass
    """,
}

FAMILY = """
import os, time
{before}
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        {inside}
        time.sleep(0.3)
        os._exit(0)
    children.append(child)
for child in children: os.waitpid(child, 0)
"""


@pytest.mark.usefixtures("walls")
class TestTooMuch:
    """Ends near its limit, with the status that says so."""

    @pytest.mark.parametrize("name", CLINGING)
    def test_time(self, name: str) -> None:
        """However it clings; other processes of the machine can still be started meanwhile."""
        start = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            outcome = pool.submit(run, CLINGING[name], seconds=0.5)
            while not outcome.done():
                subprocess.run(["true"], check=True)
        assert time.monotonic() - start < 4
        assert (outcome.result().status, outcome.result().exit_code) == ("timeout", None)

    def test_processor_time(self) -> None:
        """Several cores can use up a process' time before the clock does; that is a timeout, too."""
        code = "import os, resource, signal\nprint(resource.getrlimit(resource.RLIMIT_CPU), flush=True)\n"
        outcome = run(code + "os.kill(os.getpid(), signal.SIGXCPU)", seconds=2.5)
        assert (outcome.status, outcome.stdout) == ("timeout", "(3, 4)\n")

    def test_processes(self) -> None:
        """As many as allowed, the first one included."""
        code = """
            import os, time
            number = 1
            try:
                while True:
                    if not os.fork(): time.sleep(9)
                    number += 1
            except OSError: print(number)
        """
        assert [run(code, processes=number).stdout for number in (1, 2, 7)] == ["1\n", "2\n", "7\n"]

    @pytest.mark.parametrize("code", ["x = []\nwhile True: x.append(bytearray(10**6))", "bytearray(10**10)"])
    def test_memory(self, code: str) -> None:
        outcome = run(code, memory=100 * MIB)
        assert outcome.status == "memory"
        assert outcome.seconds < 4

    def test_memory_of_several_processes(self) -> None:
        """Each is below the limit, together they are not; below a higher limit the same program runs through."""
        code = FAMILY.format(before="", inside="x = b'x' * (40 << 20)")
        assert run(code, memory=400 * MIB).status == "ok"
        if any(line.split()[4].startswith("/proc/") for line in Path("/proc/self/mountinfo").read_text().splitlines()):
            pytest.skip("parts of /proc are masked here, so that there is no new one to watch the sum")
        assert run(code, memory=100 * MIB).status == "memory"

    def test_shared_memory_counts_once(self) -> None:
        assert run(FAMILY.format(before="x = b'x' * (60 << 20)", inside="pass"), memory=120 * MIB).status == "ok"

    @pytest.mark.parametrize("where", ["stdout", "stderr"])
    def test_output(self, where: str) -> None:
        start = time.monotonic()
        outcome = run(f"import sys\nwhile True: sys.{where}.write('啊' * 1000)", output=30_000)
        assert (outcome.status, outcome.exit_code) == ("output", None)
        assert getattr(outcome, where) == "啊" * 10_000
        assert time.monotonic() - start < 4

    def test_output_over_the_limit_of_a_program_that_ended(self) -> None:
        outcome = run("print('x' * 40_000)", output=30_000)
        assert (outcome.status, len(outcome.stdout)) == ("output", 30_000)

    @pytest.mark.parametrize("size", [5_000_000, 100_000, 0])
    def test_disk(self, size: int) -> None:
        """One large file, many smaller ones, empty ones without end."""
        code = f"""
            number = 0
            try:
                while True:
                    with open(str(number), "wb") as file: file.write(bytes({size}))
                    number += 1
            except OSError as error: print(number, error)
        """
        number, error = run(code, disk=4 * MIB).stdout.split(" ", 1)
        assert int(number) * size <= 4 * MIB
        assert int(number) < 5000
        assert "No space left" in error or "File too large" in error

    def test_open_files(self) -> None:
        assert "Too many open files" in run("x = [open('/dev/null') for _ in range(1000)]").stderr


# --- out of the box -------------------------------------------------------------------------------------------------


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, object]]:
    """What an attack may reach for: a secret file, a folder, our process, a variable, and servers that listen."""
    (tmp_path / "secret").write_text("treasure")
    tmp_path.chmod(0o777)
    monkeypatch.setenv("TREASURE", "treasure")
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as tcp,
        closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as udp,
        closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as unix,
    ):
        udp.bind(("127.0.0.1", 0))
        unix.bind(f"\0candor-{os.getpid()}")
        yield {
            "folder": str(tmp_path), "pid": os.getpid(), "tcp": tcp.getsockname()[1], "udp": udp.getsockname()[1],
            "unix": unix.getsockname(), "here": __file__,
        }  # fmt: skip


ATTACKS = {
    "secret": "print(open(folder + '/secret').read())",
    "passwd": "print(open('/etc/passwd').read())",
    "repository": "print(open(here).read())",
    "symbolic link": "os.path.lexists('s') or os.symlink(folder + '/secret', 's'); print(open('s').read())",
    "up": "print(open('../' * 20 + folder + '/secret').read())",
    "write": "open(folder + '/new', 'w').write('x'); print(1)",
    "hard link": "os.chdir(folder); os.link('secret', 'hard'); print(1)",
    "environment of the parent": "print(open(f'/proc/{pid}/environ').read())",
    "arguments of others": "print([open(f'/proc/{p}/cmdline').read() for p in os.listdir('/proc') if p.isdigit()])",
    "signal": "os.kill(pid, 0); print(1)",
    "priority": "print(os.getpriority(os.PRIO_PROCESS, pid))",
    "process handle": "print(os.pidfd_open(pid))",
    "tcp": "print(socket.create_connection(('127.0.0.1', tcp), 2))",
    "udp": "print(socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', udp)))",
    "unix": "print(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', unix))",
    "unix from a pair": "print(socket.socketpair(type=socket.SOCK_DGRAM)[0].sendto(b'x', unix))",
    "netlink": "print(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))",
    "memory without a file": "print(os.memfd_create('x'))",
    "shared memory": "n = LIBC.shmget(0, 4096, 0o1600); LIBC.shmctl(n, 0, 0); check(n)",
    "memory out of sight": "import mmap; print(len(mmap.mmap(-1, 4096)))",
    "ptrace": "check(LIBC.ptrace(0, 0, 0, 0))",
    "keys": "check(LIBC.syscall(250 if os.uname().machine == 'x86_64' else 219, 0, -3, 0))",
    "namespace": "check(LIBC.unshare(0x10000000))",
    "namespace by clone": """
        child = LIBC.syscall(56 if os.uname().machine == 'x86_64' else 220, 0x10000011, 0, 0, 0, 0)
        if child == 0: os._exit(0)
        check(child)
    """,
}
ELSEWHERE = {"ptrace": "Yama at its strictest", "keys": "no keyrings", "shared memory": "no System V memory"}
"""What some kernels stop for everybody. All else works on any Linux, for root and for others."""

SETTING = """
import ctypes, os, socket
LIBC = ctypes.CDLL(None, use_errno=True)
def check(result):
    if result < 0: raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    print(result)
"""


@pytest.mark.usefixtures("walls")
class TestOut:
    @pytest.mark.parametrize("name", ATTACKS)
    def test_shut(self, name: str, target: dict[str, object], tmp_path: Path) -> None:
        code = SETTING + "".join(f"{key} = {value!r}\n" for key, value in target.items()) + dedent(ATTACKS[name])
        naked = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, cwd=tmp_path)
        assert not any(blunder in naked.stderr for blunder in BLUNDERS)
        works = not naked.returncode and bool(naked.stdout)
        assert works or name in ELSEWHERE, f"shown to work nowhere: {naked.stderr}"
        outcome = run(code)
        assert (outcome.status, outcome.stdout) == ("error", "")
        assert not any(blunder in outcome.stderr for blunder in BLUNDERS)

    def test_most_attacks_are_shown_to_work(self) -> None:
        """None may come to be excused unseen."""
        assert len(ATTACKS) == 24
        assert len(ATTACKS.keys() - ELSEWHERE.keys()) == 21

    def test_what_there_is(self) -> None:
        """Folders of libraries, the interpreter, the program, two devices; an empty folder and environment."""
        prefixes = ("/", "/usr/", os.path.realpath(sys.base_prefix) + "/", os.path.realpath(sys.base_exec_prefix) + "/")
        code = """
            import json, os, sys
            found = []
            for folder, folders, names in os.walk("/"):
                folders[:] = [name for name in folders if os.path.join(folder, name) not in {LIBRARIES}]
                found += [os.path.join(folder, name) for name in names]
            open_ = [path for path in ["/", *{LIBRARIES}] if os.path.exists(path)
                     and not os.statvfs(path).f_flag & os.ST_RDONLY]
            print(json.dumps([found, open_, dict(os.environ), os.getcwd(), os.listdir()]))
        """.replace("{LIBRARIES}", repr([prefix + name for prefix in prefixes for name in ("lib", "lib64")]))
        found, writable, environment, folder, listing = json.loads(run(code).stdout)
        interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
        assert {*found} - {"/etc/ld.so.cache"} == {"/main.py", "/dev/null", "/dev/urandom", interpreter}
        assert not writable
        assert environment.keys() <= {"LC_CTYPE"}
        assert (folder, listing) == ("/tmp", [])

    def test_nothing_there_can_be_changed(self) -> None:
        code = """
            import os
            for folder, folders, names in os.walk("/"):
                if folder.startswith("/tmp"): folders.clear()
                if folder.count("/") > 3: folders.clear()
                for path in [folder + "/new", *(folder + "/" + name for name in names[:2])]:
                    for act in (lambda: os.remove(path), lambda: os.chmod(path, 0o777), lambda: open(path, "r+b")):
                        try: act()
                        except OSError: continue
                        print(path)
            print("end")
        """
        outcome = run(code, seconds=60)
        devices = ["/dev/null", "/dev/urandom"]  # which may be written, and forget what was
        assert sorted({line for line in outcome.stdout.split() if line not in devices}) == ["end"]

    def test_a_pair_of_sockets_is_no_way_to_other_families(self) -> None:
        """Making one can load parts of the kernel; outside the refusal comes later and is another one (errno 95)."""
        code = """
            import errno, socket
            for family in (socket.AF_INET, socket.AF_PACKET, 40):
                try: socket.socketpair(family)
                except OSError as error: print(errno.errorcode[error.errno])
        """
        assert run(code).stdout.split() == ["EPERM"] * 3

    def test_no_descriptor_of_ours(self, tmp_path: Path) -> None:
        """Not even one that children inherit."""
        with open(tmp_path / "secret", "w") as file:
            os.set_inheritable(file.fileno(), True)
            code = dedent("""
                import os
                for fd in range(3, 1000):
                    try: print(fd, os.fstat(fd))
                    except OSError: pass
            """)
            naked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, close_fds=False)
            assert f"{file.fileno()} os.stat_result" in naked.stdout
            assert run(code).stdout == ""

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSTOP])
    @pytest.mark.parametrize(("victim", "hits"), [("-1", False), ("0", True), ("1", False), ("os.getppid()", False)])
    def test_signals_to_all(self, victim: str, hits: bool, number: int) -> None:
        """Neither we nor the launcher, which tells how it ended, are among whom it reaches; at most itself."""
        code = f"import os, time\ntry: os.kill({victim}, {int(number)})\nexcept OSError: pass\ntime.sleep(0.02)"
        exit_code = run(code, seconds=0.4 if hits and number == signal.SIGSTOP else 5).exit_code
        assert exit_code == ((None if number == signal.SIGSTOP else -number) if hits else 0)

    @pytest.mark.parametrize(
        "act",
        [
            "os.setuid(0)", "os.setgid(0)", "os.setgroups([0])", "os.chroot('.')", "os.mknod('x', 0o20666, 0x103)",
            "os.nice(-5)", "socket.sethostname('x')", "resource.setrlimit(resource.RLIMIT_NPROC, (99, 99))",
            "resource.setrlimit(resource.RLIMIT_AS, (-1, -1))", "check(LIBC.umount2(b'/', 2))",
            "check(LIBC.mount(b'none', b'/tmp', b'tmpfs', 0, None))", "check(LIBC.mount(None, b'/', None, 4128, None))",
            "check(LIBC.setns(0, 0))", "check(LIBC.swapon(b'x', 0))", "check(LIBC.prctl(24, 21, 0, 0, 0))",
            "check(LIBC.settimeofday(bytes(16), None))", "os.chown('/main.py', os.getuid(), os.getgid())",
        ],
    )  # fmt: skip
    def test_rights(self, act: str) -> None:
        outcome = run(f"{SETTING}import resource\n{act}")
        assert outcome.status == "error"
        assert "Error: " in outcome.stderr
        assert not any(blunder in outcome.stderr for blunder in BLUNDERS)

    def test_no_capability_and_no_root(self) -> None:
        """By the kernel's own account of the process, read from outside while it runs."""
        mark = f"rights-{os.getpid()}"
        code = f"import os, sys\nos.execv(sys.executable, ['{mark}', '-c', 'import time; time.sleep(0.5)'])"
        with ThreadPoolExecutor(1) as pool:
            outcome = pool.submit(run, code)
            process = Path("/proc", str(wait_for(mark)))
            status = dict(line.split(":\t", 1) for line in (process / "status").read_text().splitlines())
            adjustment = int((process / "oom_score_adj").read_text())
            assert outcome.result().status == "ok"
        assert [int(status[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")] == [0] * 5
        assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert "0" not in status["Uid"].split() + status["Gid"].split()
        assert os.getuid() or not status["Groups"].split()
        assert adjustment == 1000


# --- what is left ---------------------------------------------------------------------------------------------------

LINGER = """
import os, sys, time
if not os.fork():
    os.setsid()
    if not os.fork():
        os.execv(sys.executable, ["{mark}", "-c", "import time; time.sleep(60)"])
time.sleep({seconds})
"""


@pytest.mark.usefixtures("walls")
class TestLeft:
    def test_no_orphan_outlives_the_run(self) -> None:
        mark = f"orphan-{os.getpid()}"
        with ThreadPoolExecutor(1) as pool:
            outcome = pool.submit(run, LINGER.format(mark=mark, seconds=0.5))
            wait_for(mark)
            assert outcome.result().status == "ok"
        assert not processes_with(mark)

    def test_nothing_outlives_a_killed_parent(self, tmp_path: Path) -> None:
        """SIGKILL to us: every process inside dies at once, and no folder stays on the disk."""
        mark = f"survivor-{os.getpid()}"
        code = f"run_python({LINGER.format(mark=mark, seconds=60)!r}, limits=Limits(seconds=60))"
        parent = subprocess.Popen(
            [sys.executable, "-c", f"from candor.problems.sandbox import *\n{code}"],
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )
        wait_for(mark)
        parent.kill()
        parent.wait()
        wait_for(mark, there=False)
        wait_for("confine", f" {parent.pid} ", there=False)
        assert not list(tmp_path.iterdir())

    def test_an_interrupted_caller_leaves_nothing(self) -> None:
        """Ctrl-C in the main thread."""
        mark = f"interrupted-{os.getpid()}"

        def interrupt() -> None:
            wait_for(mark)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            run(LINGER.format(mark=mark, seconds=30), seconds=30)
        thread.join()
        wait_for(mark, there=False)


# --- where there is no sandbox --------------------------------------------------------------------------------------


def without_namespaces(code: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run code of ours where no user namespace may be made, as in a closed container."""
    forbid = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"'
    python = [sys.executable, "-c", f"from candor.problems.sandbox import *\n{code}"]
    if subprocess.run(["unshare", "-Ur", "sh", "-c", forbid, "true"], capture_output=True).returncode:
        pytest.skip("such a place cannot be made here")
    return subprocess.run(
        ["unshare", "-Ur", "sh", "-c", forbid, *python],
        capture_output=True, text=True, env=os.environ | {"TMPDIR": str(folder)} | environment,
    )  # fmt: skip


def test_no_sandbox_says_why_and_runs_nothing(tmp_path: Path) -> None:
    code = f"open({str(tmp_path / 'new')!r}, 'w')"
    assert not without_namespaces(code, tmp_path).stderr
    (tmp_path / "new").unlink()
    said = without_namespaces(f"run_python({code!r})", tmp_path).stderr
    assert "ConfigError: cannot run untrusted code here: " in said
    assert "sysctl -w user.max_user_namespaces=10000" in said
    assert "CANDOR_UNSAFE_SANDBOX=limits" in said
    assert not list(tmp_path.iterdir())


def test_unsafe_keeps_limits_folder_and_empty_environment(tmp_path: Path) -> None:
    """Only where asked for."""
    code = dedent("""
        print(run_python("import os; print(os.getcwd(), os.listdir(), sorted(os.environ)); open('new', 'w')"))
        print(run_python("while True: pass", limits=Limits(seconds=0.3)))
        print(run_python("bytearray(10**10)", limits=Limits(memory=100 << 20)))
    """)
    done = without_namespaces(code, tmp_path, CANDOR_UNSAFE_SANDBOX="limits", TREASURE="treasure")
    first, second, third = done.stdout.splitlines()
    assert "status='ok'" in first
    assert f"{tmp_path}/candor-" in first
    assert "['main.py'] [" in first
    assert "TREASURE" not in first
    assert "status='timeout'" in second
    assert "status='memory'" in third
    assert not list(tmp_path.iterdir()), "the temporary folder goes"
