"""What the tests of stages share."""

from collections.abc import Iterator
from contextlib import contextmanager

from candor.records import Progress, no_progress


class Quiet:
    """A `Ui` that keeps what it was told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    @contextmanager
    def progress(self, label: str) -> Iterator[Progress]:
        yield no_progress
