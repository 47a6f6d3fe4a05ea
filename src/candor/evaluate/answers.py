"""Answers kept as they come, so that a run that was killed asks only for what is missing."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from candor import files
from candor.errors import ConfigError, DataError, EngineClosed, Overloaded, RequestError, Unreachable
from candor.evaluate.subject import Subject
from candor.infer import Completion, SamplingParams
from candor.infer.params import Prompt
from candor.records import Progress

_TEMPORARY = (Unreachable, Overloaded, EngineClosed)
"""Errors that speak of the server, not of the request: the next run asks again."""
_PATIENCE = 20
"""Failures of that kind after which the rest is not tried."""


class Answers:
    """Answers by place: lines of `path` as soon as they are there; in memory where there is no path.

    Lines of the same `evaluation` that an earlier run left are taken over; lines of another are a ConfigError.
    """

    def __init__(self, path: Path | None, evaluation: str, total: int):
        self.path, self.total, self.reused = path, total, 0
        self._evaluation, self._lock = evaluation, threading.Lock()
        self._kept: dict[int, dict[str, Any]] = {}
        self._failures: dict[int, RequestError] = {}
        if path is None:
            return
        for number, line in enumerate(files.read_lines(path) if path.exists() else (), start=1):
            if line.get("evaluation") != evaluation:
                raise ConfigError(
                    f"{path} holds answers of another model, task or setting; choose another --out, or delete that file"
                )
            place = line.get("place")
            if type(place) is not int or place < 0 or (total and place >= total) or not _whole(line):
                raise DataError(f"{path}:{number} is no answer of this evaluation; delete the line and run again")
            self._kept[place] = line
        self.reused = len(self._kept)
        self._lines = files.Lines(path, self._kept.values())

    @property
    def missing(self) -> list[int]:
        """Places without an answer."""
        return [place for place in range(self.total) if place not in self._kept]

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, place: int, answer: dict[str, Any]) -> None:
        """Keep one answer."""
        line = {"evaluation": self._evaluation, "place": place, **answer}
        with self._lock:
            self._kept[place] = line
            if self.path:
                self._lines.add(line)

    def refuse(self, place: int, error: RequestError) -> None:
        """Keep that a request was refused; where the fault lies with the server it is left to the next run."""
        if isinstance(error, _TEMPORARY):
            self._failures[place] = error
            if len(self._failures) >= _PATIENCE:
                raise self._trouble()
        else:
            self.add(place, {"error": str(error)})

    def complete(self) -> list[dict[str, Any]]:
        """All answers in order. Raises Unreachable where some are missing, RequestError where each was refused."""
        if self._failures:
            raise self._trouble()
        every = [self._kept[place] for place in range(self.total)]
        refused = [line["error"] for line in every if line.get("error")]
        if every and len(refused) == len(every):
            if self.path:  # the user will mend the cause: these lines would stand in the way
                self._lines.close()
                self.path.unlink()
            raise RequestError(f"every request was refused; the first: {refused[0]}")
        return every

    def _trouble(self) -> Unreachable:
        first = next(iter(self._failures.values()))
        kept = "; the others are kept: run the same command again to ask for the rest" if self.path else ""
        return Unreachable(f"{len(self._failures)} requests failed, the first: {first}{kept}")

    def close(self, rows: Sequence[dict[str, Any]] = ()) -> None:
        """Close the file; with `rows`, one for each place, write it anew with what they add."""
        if self.path:
            self._lines.close()
            if rows:
                files.Lines(self.path, ({**self._kept[place], **row} for place, row in enumerate(rows))).close()


def ask(
    subject: Subject,
    answers: Answers,
    request: Callable[[int], tuple[Prompt, SamplingParams]],
    kept: Callable[[Completion], dict[str, Any]],
    progress: Progress,
    label: str,
) -> list[dict[str, Any]]:
    """Ask `request` for each place without an answer, in one go; all answers as `kept` says, as `Answers.complete`."""
    missing = answers.missing
    requests = [request(place) for place in missing]

    def done(number: int, completion: Completion) -> None:
        place, error = missing[number], completion.error
        if error:
            answers.refuse(place, error if isinstance(error, RequestError) else RequestError(str(error)))
        else:
            answers.add(place, kept(completion))
        progress(len(answers), answers.total, label)

    if missing:
        subject.generate([prompt for prompt, _ in requests], [params for _, params in requests], done)
    return answers.complete()


def _whole(line: dict[str, Any]) -> bool:
    """Whether a line says how its request ended: refused, a text, log-probabilities, or what lm-eval was told."""
    kinds = {"error": str, "response": str, "finish_reason": str, "tokens": int, "logprobs": list}
    right = all(isinstance(line[name], kind) for name, kind in kinds.items() if name in line)
    return right and any(name in line for name in ("error", "response", "logprobs", "value"))
