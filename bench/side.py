"""One side of a comparison: a warm worker in a process of its own, asked by lines, answering in JSON."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

BENCH = Path(__file__).parents[1] / ".bench"


class Side:
    """A worker started by `command`; what it prints first is in `ready`."""

    def __init__(self, *command: str | Path, **environment: str):
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            env=os.environ | environment,
        )  # fmt: skip
        self.ready = self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise RuntimeError(self.errors.read()[-1500:])
        answer: dict[str, Any] = json.loads(line)
        return answer

    def turn(self, line: object) -> dict[str, Any]:
        """What it answers to `line`. RuntimeError with the end of its errors where it died."""
        assert self.process.stdin
        print(line, file=self.process.stdin, flush=True)
        return self._answer()

    def close(self) -> None:
        """Let it end: it sees the end of its input."""
        self.process.communicate()


def version_of(python: Path, package: str) -> str:
    """Version of an installed package in another environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
