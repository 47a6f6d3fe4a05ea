"""A few texts before and after each kind of change, kept for people to look at."""

from collections.abc import Callable, Iterable

from candor.records import Document

Shown = dict[str, list[list[str]]]
"""For each kind of change some texts: where one came from, a stretch of it before, and the same one after."""
_MOST = 20
"""Texts that are kept of each kind."""
_WIDTH = 160
"""Characters of a stretch."""


def show(shown: Shown, change: str, came: Document, text: str, masked: Callable[[str], str] = str) -> None:
    """Keep what a change made of a document, while there is room; `masked` hides what must not be seen before."""
    some = shown.setdefault(change, [])
    if len(some) < _MOST:
        some.append([came.origin, *_around(masked(came.text), text)])


def together(every: Iterable[Shown]) -> Shown:
    """The first ones of all."""
    shown: Shown = {}
    for one in every:
        for change, some in one.items():
            kept = shown.setdefault(change, [])
            kept += some[: max(0, _MOST - len(kept))]
    return shown


def _around(before: str, after: str) -> tuple[str, str]:
    """The stretch in which two texts first differ, of both."""
    at = next((k for k, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), min(len(before), len(after)))
    start = max(0, at - _WIDTH // 2)
    return before[start : start + _WIDTH], after[start : start + _WIDTH]
