"""What the commands print: lines, progress with time left, tables that are never cut."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

if TYPE_CHECKING:  # console is imported before torch's settings are made, and --help answers at once
    from candor.evaluate.statistics import Figure

_PLAIN_EVERY = 10.0
"""Seconds between progress lines where the output is a file or a pipe."""


class _TimeLeft(ProgressColumn):
    """Time left by the mean speed so far."""

    def render(self, task: Task) -> Text:
        if not task.completed or not task.total or not task.elapsed:
            return Text("")
        left = task.elapsed * (task.total / task.completed - 1)
        return Text(f"{_clock(left)} left", style="cyan")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


class Terminal:
    """Prints for people on a terminal, and in plain whole lines elsewhere."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, soft_wrap=True)

    def say(self, text: str, style: str = "") -> None:
        """One line."""
        self.console.print(Text(text, style=style))

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """Left-aligned columns of equal width; nothing is cut, so a cell over 60 characters pushes its row aside."""
        lengths = [[len(row[i]) for row in rows if len(row[i]) <= 60] for i in range(len(rows[0]) - 1)] if rows else []
        widths = [max(column, default=0) for column in lengths]
        for row in rows:
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            self.say("  ".join([*cells, row[-1]]).rstrip())

    def change(self, figures: "Mapping[str, Figure]") -> None:
        """`before`, `after` and `change` of what training was measured on."""
        rows = []
        for name, figure in figures.items():
            error = "" if figure.stderr is None else f"± {figure.stderr:.3f}"
            rows.append([f"  {name}", f"{figure.value:{'+' if name == 'change' else ''}.3f}", error])
        self.table(rows)

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[int, int, str], None]]:
        """Yield `update(done, total, note)`; shows a bar with time left, or a line every ten seconds."""
        start = time.monotonic()
        if self.console.is_terminal:
            columns = (
                TextColumn("  {task.description:<12}"),
                BarColumn(bar_width=30),
                TextColumn("{task.percentage:>3.0f}%"),
                TimeElapsedColumn(),
                _TimeLeft(),
                TextColumn("{task.fields[note]}", style="dim"),
            )
            with Progress(*columns, console=self.console, transient=True) as bar:
                task = bar.add_task(label, total=None, note="")

                def move(done: int, total: int, note: str = "") -> None:
                    bar.update(task, completed=done, total=total, note=note)

                yield move
            return
        shown = start

        def update(done: int, total: int, note: str = "") -> None:
            nonlocal shown
            now = time.monotonic()
            if now - shown >= _PLAIN_EVERY and 0 < done < total:
                shown = now
                left = (now - start) * (total / done - 1)
                self.say(f"  {label}: {100 * done / total:.0f}%, {_clock(left)} left{', ' + note if note else ''}")

        yield update


def error(text: str) -> None:
    """One line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text("error: ", style="bold red") + Text(text))


def stream(text: str) -> None:
    """A piece of generated text, at once and unchanged."""
    sys.stdout.write(text)
    sys.stdout.flush()


def notice(text: str) -> None:
    """One line on standard error, apart from the output proper."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(Text(text, style="dim"))
