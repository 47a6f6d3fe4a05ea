"""Launcher of the sandbox: builds the walls, then becomes the program inside. Run as `python -I -S confine.py ...`.

Three processes: the launcher, outside, which keeps the clock; `init`, process 1 of the new namespaces, which builds
the file system, counts memory and whose death kills everything inside; and the program, which has neither. Each dies
with the one above it. Only what loads fast is imported: this file runs once for every answer. `sandbox.py` says what
all this protects from.
"""

from __future__ import annotations

import ctypes
import os
import resource
import select
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:  # these imports would take as long as all the rest
    from collections.abc import Callable
    from typing import Any, NoReturn

NOBODY = 65534
POLL = 0.02
"""Seconds between two looks at the memory."""
STACK = 32 << 20
"""Bytes of stack, for deep recursion; each thread reserves as much."""

# From the kernel's headers: sched.h, mman.h, mount.h, prctl.h.
NEW_NS, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000
NEW_ANY = NEW_NS | NEW_UTS | NEW_IPC | NEW_USER | NEW_PID | NEW_NET | 0x2000000
MAP_SHARED, MAP_ANONYMOUS, MAP_HUGE = 1, 0x20, 0x40000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 4096, 16384, 1 << 18, 2
READ_ONLY, NO_SUID, NO_DEV = 1, 2, 4  # the same as mount's flags and as mount_setattr's
PDEATHSIG, DUMPABLE, SECCOMP, CAPBSET_DROP, NO_NEW_PRIVS = 1, 4, 22, 24, 38
SIGKILL = 9

DENIED = {
    # Memory that no limit counts, kernel objects outside the namespaces, other processes, new namespaces, and parts of
    # the kernel that often had holes: number on x86_64, number on aarch64.
    "socket": (41, 198), "setsockopt": (54, 208), "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180), "inotify_init": (253, 26),
    "inotify_init1": (294, 26), "fanotify_init": (300, 262), "landlock_create_ruleset": (444, 444),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "fsopen": (430, 430),
    "open_tree": (428, 428), "open_by_handle_at": (304, 265), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425), "personality": (135, 92), "vmsplice": (278, 75),
}  # fmt: skip
# Which of the numbers above, the machine's audit number, clone, socketpair, mmap, pivot_root.
MACHINES = {"x86_64": (0, 0xC000003E, 56, 53, 9, 155), "aarch64": (1, 0xC00000B7, 220, 199, 222, 41)}
CLONE3, MOUNT_SETATTR = 435, 442

LIBC = ctypes.CDLL(None, use_errno=True)


class suppress:  # noqa: N801
    """As in contextlib, which takes too long to import."""

    def __init__(self, *kinds: type[BaseException]) -> None:
        self.kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> bool:
        return kind is not None and issubclass(kind, self.kinds)


def call(name: str, *arguments: Any) -> None:
    """A function of the C library; OSError that names it where it fails."""
    wide = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    if getattr(LIBC, name)(*wide) < 0:
        number = ctypes.get_errno()
        what = " ".join(value.decode() for value in arguments if isinstance(value, bytes))
        raise OSError(number, " ".join(filter(None, (name, what))) + f": {os.strerror(number)}")


def write(path: str, text: str) -> None:
    """Write to a file of /proc."""
    with open(path, "w") as file:
        file.write(text)


def new_user() -> None:
    """A new user namespace with its process namespace: root keeps two users, anyone else only himself.

    The second user takes a writer with rights outside, so a helper stays there.
    """
    if os.geteuid() != 0:
        uid, gid = os.getuid(), os.getgid()
        call("unshare", NEW_USER | NEW_PID)
        write("/proc/self/setgroups", "deny")
        write("/proc/self/uid_map", f"{uid} {uid} 1")
        write("/proc/self/gid_map", f"{gid} {gid} 1")
        return
    here, (wait, go) = os.getpid(), os.pipe()
    helper = os.fork()
    if not helper:
        os.close(go)
        try:
            if os.read(wait, 1):
                for name in ("uid_map", "gid_map"):
                    write(f"/proc/{here}/{name}", f"0 0 1\n{NOBODY} {NOBODY} 1\n")
            os._exit(0)
        except OSError as error:
            os._exit(error.errno or 1)
    call("unshare", NEW_USER | NEW_PID)
    os.write(go, b"x")
    failed = os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1])
    if failed:
        raise OSError(failed, f"a second user in the namespace: {os.strerror(failed)}")


def build_root(code: bytes, disk: int, executable: str, library: str, libraries: list[str]) -> int:
    """A file system with nothing but Python, two devices, the program and an empty /tmp. Descriptor of a /proc.

    That /proc, of this process namespace alone, is mounted nowhere; -1 where the kernel refuses one.
    """
    call("mount", None, b"/", None, MS_REC | MS_PRIVATE, None)
    call("mount", b"tmpfs", b"/tmp", b"tmpfs", NO_SUID | NO_DEV, b"mode=755")
    for folder in ("old", "tmp", "dev", "etc"):
        os.mkdir(f"/tmp/{folder}", 0o755)
    call("syscall", MACHINES[os.uname().machine][-1], b"/tmp", b"/tmp/old")
    os.chdir("/")
    for path in ("/etc/ld.so.cache", *libraries, executable):
        expose(path, READ_ONLY | NO_SUID | NO_DEV)
    for path in ("/dev/null", "/dev/urandom"):  # not zero: mapped, it is memory that no process seems to hold
        expose(path, READ_ONLY | NO_SUID)
    os.symlink("/tmp", "/dev/shm")
    proc = -1
    with suppress(OSError):  # only while the old one is there: nothing may be shown that it hides
        call("mount", b"proc", b"/tmp", b"proc", NO_SUID | NO_DEV, None)
        proc = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY)
        call("umount2", b"/tmp", MNT_DETACH)
    call("umount2", b"/old", MNT_DETACH)
    os.rmdir("/old")
    packages = f"{library}/site-packages"
    if os.path.isdir(packages):
        call("mount", b"tmpfs", packages.encode(), b"tmpfs", READ_ONLY, None)
    with open("/main.py", "wb") as file:
        file.write(code)
    root = os.geteuid() == 0
    owner = f",uid={NOBODY},gid={NOBODY}" if root else ""
    call("mount", b"tmpfs", b"/tmp", b"tmpfs", NO_SUID | NO_DEV, f"size={disk},nr_inodes=4096,mode=700{owner}".encode())
    restrict("/", READ_ONLY | NO_SUID | NO_DEV, 0)
    return proc


def expose(path: str, flags: int) -> None:
    """Make a file or folder of the old root readable in the new one, at the same place."""
    source = f"/old{path}"
    if os.path.islink(source) and not os.path.lexists(path):  # /lib -> usr/lib
        os.symlink(os.readlink(source), path)
        return
    if not os.path.exists(source) or os.path.exists(path):
        return
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    if os.path.isdir(source):
        os.mkdir(path, 0o755)
    else:
        os.close(os.open(path, os.O_CREAT, 0o644))
    call("mount", source.encode(), path.encode(), None, MS_BIND | MS_REC, None)
    restrict(path, flags, 0x8000)


def restrict(path: str, flags: int, recursive: int) -> None:
    """Set flags of a mount, with all that is mounted below it."""
    attributes = struct.pack("QQQQ", flags, 0, 0, 0)
    call("syscall", MOUNT_SETATTR, -100, path.encode(), recursive, attributes, len(attributes))


def drop_rights() -> None:
    """No capability, no way to get one, another user where there is one, and a filter on system calls."""
    with suppress(OSError):
        for capability in range(64):
            call("prctl", CAPBSET_DROP, capability, 0, 0, 0)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    call("capset", struct.pack("Ii", 0x20080522, 0), bytes(24))
    call("prctl", NO_NEW_PRIVS, 1, 0, 0, 0)
    index, audit, clone, socketpair, mmap, _ = MACHINES[os.uname().machine]
    load, equal, above, any_of, give = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, refuse, absent, kill = 0x7FFF0000, 0x50001, 0x50026, 0x80000000  # EPERM, ENOSYS
    program = [
        (load, 0, 0, 4), (equal, 1, 0, audit), (give, 0, 0, kill),  # the interface of another machine
        (load, 0, 0, 0), (above, 0, 1, 0x40000000), (give, 0, 0, refuse),  # and of x32
        *(step for numbers in DENIED.values() for step in ((equal, 0, 1, numbers[index]), (give, 0, 0, refuse))),
        (equal, 0, 1, CLONE3), (give, 0, 0, absent),  # its flags cannot be seen; the C library then takes clone
        (equal, 0, 4, socketpair), (load, 0, 0, 16), (equal, 0, 1, 1), (give, 0, 0, allow), (give, 0, 0, refuse),
        (equal, 0, 6, mmap), (load, 0, 0, 40), (any_of, 2, 0, MAP_HUGE), (any_of, 0, 2, MAP_SHARED),
        (any_of, 0, 1, MAP_ANONYMOUS), (give, 0, 0, refuse), (give, 0, 0, allow),  # pages that no process seems to hold
        (equal, 0, 3, clone), (load, 0, 0, 16), (any_of, 0, 1, NEW_ANY), (give, 0, 0, refuse),
        (give, 0, 0, allow),
    ]  # fmt: skip
    filters = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in program))
    call("prctl", SECCOMP, 2, struct.pack("HxxxxxxP", len(program), ctypes.addressof(filters)), 0, 0)


def set_limits(seconds: float, address_space: int, processes: int, disk: int, confined: bool) -> None:
    """Limits of one process; what all use together is for `init` to watch."""
    limits = {
        "CPU": int(seconds) + 1, "AS": address_space, "FSIZE": disk, "NOFILE": 64, "STACK": STACK, "MEMLOCK": 0,
        "MSGQUEUE": 0, "SIGPENDING": 256, "CORE": 1,  # with 0 a program that collects cores would still be started
    }  # fmt: skip
    if confined:  # outside a namespace the kernel counts all processes of the user
        limits["NPROC"] = processes + (0 if os.geteuid() == 0 else 2)  # launcher and init are of the same user
    for name, value in limits.items():
        number = getattr(resource, f"RLIMIT_{name}", None)
        if number is not None:
            given = resource.getrlimit(number)[1]
            most = value + (name == "CPU")  # SIGXCPU, which tells the reason, comes a second before SIGKILL
            if given != resource.RLIM_INFINITY:
                value, most = min(value, given), min(most, given)
            with suppress(*(() if confined else (OSError, ValueError))):
                resource.setrlimit(number, (value, most))


def memory_used(proc: int, enough: int) -> int:
    """Bytes that the processes of a /proc hold, process 1 left out; shared pages count once where it matters."""
    used: dict[str, int] = {}
    for name in os.listdir(proc):
        if name.isdigit() and name != "1":
            used[name] = _field(proc, f"{name}/statm", b" ") * resource.getpagesize()
    if sum(used.values()) > enough and len(used) > 1:
        used = {name: _field(proc, f"{name}/smaps_rollup", b"\nPss:") << 10 for name in used}
    return sum(used.values())


def _field(proc: int, name: str, before: bytes) -> int:
    try:
        with open(os.open(name, os.O_RDONLY, dir_fd=proc), "rb") as file:
            return int(file.read().split(before)[1].split()[0])
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return 0


def watch(program: int, proc: int, memory: int) -> str:
    """Reap everything until the program ends or all together hold too much memory; how it ended."""
    ended = os.pidfd_open(program) if proc >= 0 else -1
    while True:
        if proc >= 0:
            select.select([ended], [], [], POLL)
        while True:
            child, status = os.waitpid(-1, os.WNOHANG if proc >= 0 else 0)
            if child == program:
                return f"exit {os.waitstatus_to_exitcode(status)}"
            if not child:
                break
        if memory_used(proc, memory) > memory:
            return "memory"


def die_with(alive: Callable[[], bool]) -> None:
    """SIGKILL when the process above dies; if it is dead already, now."""
    if sys.platform == "linux":
        call("prctl", PDEATHSIG, SIGKILL, 0, 0, 0)
    if not alive():
        os._exit(1)


def enter(arguments: list[str], code: bytes, report: int, lifeline: int) -> NoReturn:
    """Become `init`: build the walls, start the program, tell `report` how it ended."""
    message = "broken"
    try:
        confined, seconds, memory, processes, disk, folder, executable, library, *libraries = arguments
        die_with(lambda: not select.select([lifeline], [], [], 0)[0])  # nothing is ever written there
        os.setsid()  # signals to the group of processes must not reach the launcher
        with suppress(OSError):
            write("/proc/self/oom_score_adj", "1000")  # where memory runs out, the kernel kills here first
        proc = -1
        if confined:
            call("unshare", NEW_NS | NEW_NET | NEW_IPC | NEW_UTS)
            call("sethostname", b"sandbox", 7)
            proc = build_root(code, int(disk), executable, library, libraries)
        else:
            with open(f"{folder}/main.py", "wb") as file:
                file.write(code)
        program = os.fork()
        if not program:
            os.chdir(folder)
            reserve = int(memory) * (
                2 if proc >= 0 else 1
            )  # where nobody watches what is used, what is reserved counts
            set_limits(float(seconds), reserve, int(processes), int(disk), bool(confined))
            if confined:
                drop_rights()
            path = "/main.py" if confined else f"{folder}/main.py"
            os.execve(executable, [executable, "-I", "-B", "-X", "utf8", path], {})
        if confined:
            call("prctl", DUMPABLE, 0, 0, 0, 0)  # the program may be of the same user
        try:
            message = watch(program, proc, int(memory))
        except Exception:  # the program disturbed it: nobody knows what it uses
            message = "memory"
    except BaseException as error:
        message = f"broken {error}"
    finally:
        os.write(report, message.encode(errors="replace"))
        os._exit(0)


def run(control: int, parent: int, code: bytes, arguments: list[str]) -> str:
    """Run the program to its end, or to an end; what that was, and after how many seconds, once nothing is left."""
    confined, seconds = bool(arguments[0]), float(arguments[1])
    if confined:
        new_user()
    die_with(lambda: os.getppid() == parent)
    (lifeline, held), (reading, report) = os.pipe(), os.pipe()
    start = time.monotonic()
    init = os.fork()
    if not init:
        os.close(held)
        enter(arguments, code, report, lifeline)
    os.close(report)
    ready = select.select([control, reading], [], [], seconds)[0]
    message = "stopped" if ready else "timeout"
    if reading in ready:
        message = os.read(reading, 1000).decode() or "memory"  # no word: killed by the kernel, to free memory
    if not confined:
        with suppress(ProcessLookupError):
            os.killpg(init, SIGKILL)
    os.kill(init, SIGKILL)
    os.waitpid(init, 0)
    return f"{time.monotonic() - start} {message}"


def main() -> None:
    """Arguments: the caller's socket and process, bytes of code to read from that socket, and what `enter` takes."""
    control, parent, size = (int(argument) for argument in sys.argv[1:4])
    os.set_inheritable(control, False)
    os.umask(0o022)
    with open(control, "rb", closefd=False) as file:
        code = file.read(size)
    if len(code) < size:
        return
    try:
        verdict = run(control, parent, code, sys.argv[4:])
    except OSError as error:
        verdict = f"0 broken {error}"
    os.write(control, verdict.encode(errors="replace"))


if __name__ == "__main__":
    main()
