"""Equality up to algebra by math-verify, in a helper process that may hang, grow or crash without harm to this one.

The helper is started when first needed, holds no more than `_MEMORY` bytes, gets `LIMIT` seconds for a pair, and is
replaced when it needs longer. It ends with us: it reads from a pipe, and an alarm of its own ends a computation that
nobody waits for any more.
"""

import atexit
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

LIMIT = 5.0
"""Seconds for one pair."""
_START_LIMIT = 120.0
"""Seconds for the helper to import sympy on a busy machine."""
_MEMORY = 2**30
"""Address space of the helper in bytes."""
_READY, _YES, _NO = b"ready\n", b"yes\n", b"no\n"


class Unverified(Exception):
    """No result for this pair; `gold` says whether the gold answer at least could be parsed."""

    def __init__(self, gold: bool) -> None:
        super().__init__(gold)
        self.gold = gold


@lru_cache(maxsize=2**14)
def same(gold: str, answer: str) -> bool | None:
    """Whether two LaTeX expressions are equal; None where the gold one cannot be parsed.

    Unverified where the helper ran out of time or memory twice or could not be started; such a result is not kept.
    """
    return _helper.ask(gold, answer)


class Helper:
    """Our end: one process, one question at a time, whatever thread asks."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self.lock = threading.Lock()

    def ask(self, gold: str, answer: str) -> bool | None:
        """As `same`. A helper that died of something else than the time limit is replaced and asked once more."""
        question = json.dumps([gold, answer]).encode() + b"\n"
        with self.lock:
            for attempt in (1, 2):
                replies, late = self._exchange(question)
                if replies[:1] == [_NO]:
                    return None
                if len(replies) == 2:
                    return replies[1] == _YES
                self.stop()
                if late or attempt == 2:
                    break
        raise Unverified(gold=bool(replies))

    def _exchange(self, question: bytes) -> tuple[list[bytes], bool]:
        """The replies that came, to the gold answer and to the pair, and whether the time was up before."""
        process = self._running()
        if process is None or process.stdin is None or process.stdout is None:
            return [], False
        late = False

        def stop() -> None:
            nonlocal late
            late = True
            process.kill()

        timer = threading.Timer(LIMIT, stop)
        timer.start()
        replies: list[bytes] = []
        try:
            process.stdin.write(question)
            process.stdin.flush()
            while len(replies) < 2 and (reply := process.stdout.readline()):
                replies.append(reply)
                if reply == _NO:
                    break
        except OSError:
            pass
        finally:
            timer.cancel()
        return replies, late

    def _running(self) -> "subprocess.Popen[bytes] | None":
        if self.process is not None and self.process.poll() is None:
            return self.process
        self.stop()
        source = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        )
        timer = threading.Timer(_START_LIMIT, self.process.kill)
        timer.start()
        assert self.process.stdout is not None
        ready = self.process.stdout.readline() == _READY
        timer.cancel()
        return self.process if ready else None

    def stop(self) -> None:
        """End the process; the next question starts another."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self.process = None

    def forget(self) -> None:
        """In a forked child: the process belongs to the parent."""
        if self.process is not None:
            self.process.returncode = 0  # so that nobody waits for it
        self.__init__()  # type: ignore[misc]


_helper = Helper()
atexit.register(_helper.stop)
os.register_at_fork(after_in_child=_helper.forget)


# --- the helper's end ----------------------------------------------------------------------------------------------


def serve() -> None:
    """Answer pairs, one JSON line each: whether the gold answer parses, and if so, whether they are equal."""
    import logging
    import resource
    import signal
    import warnings

    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a library prints goes elsewhere
    for limit, size in ((resource.RLIMIT_AS, _MEMORY), (resource.RLIMIT_CORE, 0)):
        with suppress(OSError, ValueError):  # some systems know no such limit
            resource.setrlimit(limit, (size, size))
    logging.disable()
    warnings.simplefilter("ignore")
    import math_verify

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, whose end closes the pipe
    replies.write(_READY)
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_REAL, 2 * LIMIT)
        gold, answer = json.loads(line)
        parsed = _parse(math_verify, gold)
        replies.write(_YES if parsed else _NO)
        if parsed:
            replies.write(_YES if _equal(math_verify, parsed, _parse(math_verify, answer)) else _NO)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _parse(library: Any, latex: str) -> list[Any]:
    """As LaTeX only: the library's other parsers take a number out of any prose, and sympy's evaluates code."""
    config = [library.LatexExtractionConfig(boxed_match_priority=0)]
    try:
        boxed = f"\\boxed{{{latex}}}"
        return library.parse(boxed, extraction_config=config, fallback_mode="no_fallback", parsing_timeout=None)
    except Exception:  # the library raises of all kinds on odd LaTeX: it could not be read, which the caller grades
        return []


def _equal(library: Any, gold: list[Any], answer: list[Any]) -> bool:
    try:
        return bool(answer) and bool(library.verify(gold, answer, allow_set_relation_comp=True, timeout_seconds=None))
    except Exception:  # likewise: what cannot be shown to be equal is wrong
        return False


if __name__ == "__main__":
    serve()
