"""Key rings out of an environment variable, a file, or a program that holds the keys itself."""

import base64
import json
import os
import stat
import subprocess
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import ConfigError, KeysError
from candor.governance.keys import KeyRing, LocalRing, Wrapped, missing_version, new_key, read_ring, ring_text

_HOOK_SECONDS = 30


def load_ring(source: str, name: str) -> KeyRing:
    """The ring of this name from `env:NAME`, `hook:PROGRAM` or a file's path; ConfigError where that is none."""
    kind, _, rest = source.partition(":")
    ring: KeyRing
    if kind == "hook":
        ring = HookRing(rest, name)
    elif kind == "env":
        if rest not in os.environ:
            raise ConfigError(f"environment variable {rest} of ring {name} is not set; set it, or name a file")
        ring = read_ring(os.environ[rest], f"environment variable {rest}")
    else:
        ring = _read_file(Path(source))
    if ring.name != name:
        raise ConfigError(f"{source} holds ring {ring.name}, and ring {name} is needed here; name the other one")
    return ring


def new_version(path: Path, name: str) -> LocalRing:
    """Make a ring file with one KEK, or add a new current version to the one that is there; no version is ever lost.
    Its owner alone may read it (mode 0600)."""
    with files.disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with files.lock(path.parent):
        held = _read_file(path) if path.exists() else None
        if held is not None and held.name != name:
            raise ConfigError(f"{path} holds ring {held.name}, not {name}; name another file, or --ring {held.name}")
        keks = dict(held.keks) if held else {}
        ring = LocalRing(name, keks | {max(keks, default=0) + 1: new_key()})
        with files.atomic_file(path) as tmp:
            handle = os.open(tmp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(handle, "w", encoding="utf-8") as file:
                file.write(ring_text(ring) + "\n")
    return ring


def _read_file(path: Path) -> LocalRing:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077:
            raise ConfigError(f"{path} may be read by others (mode {mode:04o}); run: chmod 600 {path}")
        return read_ring(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; make a ring with: candor keys new {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({error}); check its permissions") from None


class HookRing:
    """A ring whose KEKs stay with a program of the user, say in front of a key service; they never enter this process.

    The program is run once a request, with one JSON object on its standard input, and answers with one on its standard
    output; bytes are base64:

        {"do": "versions", "ring": "service"}                              -> {"versions": [1, 2]}
        {"do": "wrap", "ring": "service", "key": B, "bound": B}            -> {"version": 2, "wrapped": B}
        {"do": "unwrap", "ring": "service", "version": 2, "wrapped": B, "bound": B}   -> {"key": B}

    It must refuse to unwrap where `bound` is not what it was at wrapping. To refuse, it exits with another code than 0.
    """

    def __init__(self, program: str, name: str):
        self.program = program
        self.name = name
        answer = self._ask(do="versions").get("versions")
        if not isinstance(answer, list) or not answer or not all(type(one) is int and one > 0 for one in answer):
            raise self._wrong("versions")
        self.versions = tuple(sorted(answer))

    def wrap(self, key: bytes, bound: bytes) -> Wrapped:
        """Have the program wrap a data key."""
        answer = self._ask(do="wrap", key=_text(key), bound=_text(bound))
        version = answer.get("version")
        if type(version) is not int or version < self.versions[-1]:
            raise self._wrong("wrap")
        return Wrapped(version, self._bytes(answer, "wrapped"))

    def unwrap(self, wrapped: Wrapped, bound: bytes) -> bytes:
        """Have the program unwrap a data key."""
        if wrapped.version not in self.versions:
            raise missing_version(self, wrapped.version)
        asked = {"version": wrapped.version, "wrapped": _text(wrapped.blob), "bound": _text(bound)}
        return self._bytes(self._ask(do="unwrap", **asked), "key")

    def _ask(self, **asked: Any) -> dict[str, Any]:
        question = json.dumps(asked | {"ring": self.name})
        try:
            done = subprocess.run(
                [self.program], input=question, capture_output=True, text=True, timeout=_HOOK_SECONDS, check=False
            )
            answer = json.loads(done.stdout) if done.returncode == 0 else None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise KeysError(f"hook {self.program} of ring {self.name} did not run ({error}); check it") from None
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            said = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise KeysError(f"hook {self.program} of ring {self.name} refused to {asked['do']} ({said}); check it")
        return answer

    def _bytes(self, answer: dict[str, Any], name: str) -> bytes:
        try:
            return base64.b64decode(answer[name], validate=True)
        except (KeyError, TypeError, ValueError):
            raise self._wrong(name) from None

    def _wrong(self, what: str) -> KeysError:
        return KeysError(
            f"hook {self.program} of ring {self.name} gave no usable {what}; see HookRing for what it must"
        )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
