"""Small pictures as SVG: intervals, curves, histograms. Words stand beside them: one picture for both languages."""

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from candor.evaluate.statistics import Figure

_BLUE, _GREY, _LINE = "#1f5fa8", "#8a97a5", "#e3e8ee"


def interval(figure: Figure, baseline: Figure | None = None, width: int = 260) -> Markup:
    """A score between 0 and 1 as a dot on its 95% interval, the baseline's below it in grey."""
    rows = [(figure, _BLUE)] + ([(baseline, _GREY)] if baseline else [])
    parts = [f'<line x1="{x}" x2="{x}" y1="0" y2="{14 * len(rows)}" stroke="{_LINE}"/>' for x in _ticks(width)]
    for number, (one, colour) in enumerate(rows):
        y = 7 + 14 * number
        if one.low is not None and one.high is not None:
            a, b = _place(one.low, width), _place(one.high, width)
            parts.append(f'<line x1="{a:.1f}" x2="{b:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="3"/>')
        parts.append(f'<circle cx="{_place(one.value, width):.1f}" cy="{y}" r="4.5" fill="{colour}"/>')
    return _svg(parts, width, 14 * len(rows), f"{figure.value:.1%}, 0% to 100%")


def curve(points: Sequence[tuple[int, Figure]], width: int = 300, height: int = 150) -> Markup:
    """Scores over k, which doubles from point to point, with their intervals."""
    step = (width - 70) / max(1, len(points) - 1)
    parts, line = _frame(width, height), []
    for number, (k, figure) in enumerate(points):
        x, y = 45 + number * step, _height(figure.value, height)
        line.append(f"{x:.1f},{y:.1f}")
        if figure.low is not None and figure.high is not None:
            a, b = _height(figure.low, height), _height(figure.high, height)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{a:.1f}" y2="{b:.1f}" stroke="{_BLUE}" opacity=".4"/>')
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{_BLUE}"/>')
        parts.append(_text(x, height - 4, str(k), "middle"))
    parts.append(f'<polyline points="{" ".join(line)}" fill="none" stroke="{_BLUE}"/>')
    said = ", ".join(f"{k}: {figure.value:.1%}" for k, figure in points)
    return _svg(parts, width, height, f"pass@k {said}")


def histogram(values: Sequence[float], width: int = 300, height: int = 150, bins: int = 20) -> Markup:
    """How often values of each size occur."""
    low, high = min(values), max(values)
    if low == high:
        low, high = low - 1, high + 1
    span = high - low
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, int((value - low) / span * bins))] += 1
    most, wide = max(counts), (width - 60) / bins
    parts = [f'<line x1="40" x2="{width - 15}" y1="{height - 18}" y2="{height - 18}" stroke="{_GREY}"/>']
    for number, count in enumerate(counts):
        tall = (height - 38) * count / most
        parts.append(
            f'<rect x="{40 + number * wide:.1f}" y="{height - 18 - tall:.1f}" width="{wide - 1:.1f}" '
            f'height="{tall:.1f}" fill="{_BLUE}"/>'
        )
    parts += [
        _text(40, height - 4, f"{low:g}", "start"),
        _text(width - 15, height - 4, f"{high:g}", "end"),
        _text(36, 20, str(most), "end"),
    ]
    return _svg(parts, width, height, f"histogram from {low:g} to {high:g}, the tallest bar {most}")


def _frame(width: int, height: int) -> list[str]:
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = _height(share, height)
        parts.append(f'<line x1="40" x2="{width - 15}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_LINE}"/>')
        parts.append(_text(36, y + 4, f"{share:.0%}", "end"))
    return parts


def _ticks(width: int) -> list[float]:
    return [_place(share, width) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]


def _place(share: float, width: int) -> float:
    return 6 + share * (width - 12)


def _height(share: float, height: int) -> float:
    return 8 + (1 - share) * (height - 32)


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" fill="#5a6672" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Sequence[str], width: int, height: int, said: str) -> Markup:
    head = (
        f'<svg role="img" aria-label="{escape(said)}" width="{width}" height="{height}" viewBox="0 0 {width} {height}">'
    )
    return Markup(head + "".join(parts) + "</svg>")
