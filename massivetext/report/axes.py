"""Axes with bars, steps and lines as SVG, for the charts of a report.

A panel is what lies between two axes. It is told its size and the span of its axes, finds room for the labels, and
turns values into points of the page:

    top      legend
             |################            y: labels right-aligned, left of the frame
             |########
             |___________________
    bottom    0    10    20    30         x: labels below, then the axis's name

No part has an id, so any number of charts stand on one page, and the text of one is a function of its data alone.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from markupsafe import escape

from massivetext.terminal_text import visible

__all__ = [
    "LINEAR",
    "LOG",
    "SYMLOG",
    "Axis",
    "Panel",
    "Scale",
    "drawing",
    "legend_room",
    "rows_axis",
    "short",
    "width_of",
]

FONT = 8.0
"""Points of a letter's height. A chart is measured in points, 72 an inch."""

_TICK = 3.0
_GAP = 2.5
_COLUMNS, _LEGEND_LINE = 3, 1.4 * FONT
"""Of a legend."""

_LINE = "#6b7480"
_WORDS = "#3c434b"


class Scale(NamedTuple):
    """Where a value stands, in units of the scale's own, and which values are labelled.

    ticks: takes the ends of an axis and how many labels have room at most.
    """

    place: Callable[[float], float]
    ticks: Callable[[float, float, int], list[float]]


def _linear_ticks(first: float, last: float, most: int) -> list[float]:
    """Multiples of 1, 2, 2.5 or 5 times a power of ten."""
    if not last > first:
        return [first]
    raw = (last - first) / max(1, most)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(n * size for n in (1, 2, 2.5, 5, 10) if n * size >= raw * (1 - 1e-9))
    start, end = math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9)
    digits = 2 - math.floor(math.log10(step))  # without what is left of binary fractions
    return [round(n * step, digits) for n in range(start, end + 1)]


def _log_ticks(first: float, last: float, most: int) -> list[float]:
    """Powers of ten; 2 and 5 times them too where there are few; each second or third where there are many."""
    powers = range(math.floor(math.log10(first)), math.ceil(math.log10(last)) + 1)

    def within(values: Sequence[float]) -> list[float]:
        return [value for value in values if first * (1 - 1e-9) <= value <= last * (1 + 1e-9)]

    fine = within([n * 10.0**power for power in powers for n in (1, 2, 5)])
    if 1 < len(fine) <= min(most, 6):
        return fine
    coarse = within([10.0**power for power in powers])
    return _thinned(coarse, most) if len(coarse) > 1 else _linear_ticks(first, last, most)


def _symlog_ticks(first: float, last: float, most: int) -> list[float]:
    """Zero and powers of ten."""
    powers = [10.0**power for power in range(math.floor(math.log10(max(1.0, last))) + 1)]
    return [0.0, *_thinned(powers, most - 1)]


def _thinned(values: Sequence[float], most: int) -> list[float]:
    return list(values[:: max(1, math.ceil(len(values) / max(1, most)))])


LINEAR = Scale(lambda value: value, _linear_ticks)
LOG = Scale(lambda value: math.log10(max(value, 1e-300)), _log_ticks)
SYMLOG = Scale(lambda value: value if value <= 1 else 1 + math.log10(value), _symlog_ticks)
"""From 0: linear up to 1, logarithmic from there."""


def short(value: float) -> str:
    """Return 10,000 as 10k."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def width_of(text: str) -> float:
    """Return about how many points a text takes: a little more than in most fonts, so that nothing is cut off."""
    return FONT * sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.6 for letter in text)


@dataclass(frozen=True)
class Axis:
    """An axis of a panel.

    Attributes:
        first, last: Its ends.
        scale: How values are placed between them.
        label: What it counts; empty for no name.
        words: How a value reads beside the axis.
        rows: Names of rows instead of values: the first one is at 0, with room of .5 on each side.
    """

    first: float
    last: float
    scale: Scale = LINEAR
    label: str = ""
    words: Callable[[float], str] = short
    rows: tuple[str, ...] = ()

    def share(self, value: float) -> float:
        """Return where a value stands, from 0 at the first end to 1 at the last; values beyond an end stand at it."""
        low, high = self.scale.place(self.first), self.scale.place(self.last)
        at = self.scale.place(min(max(value, min(self.first, self.last)), max(self.first, self.last)))
        return (at - low) / (high - low) if high != low else 0.0

    def labels(self, room: float, size: Callable[[str], float]) -> list[tuple[float, str]]:
        """Return the values that are labelled, and their words.

        Args:
            room: The points of the axis.
            size: How many of them a label takes.
        """
        if self.rows:
            return [(float(at), name) for at, name in enumerate(self.rows)]
        for most in range(max(2, min(9, int(room / (1.5 * FONT)))), 0, -1):
            labels = [(value, self.words(value)) for value in self.scale.ticks(self.first, self.last, most)]
            if sum(size(words) for _, words in labels) <= room:
                break
        return labels


def rows_axis(names: Sequence[str]) -> Axis:
    """Return the axis of a chart of bars, the first row at the top."""
    rows = tuple(str(name).replace("_", " ") for name in names)
    return Axis(len(rows) - 0.5, -0.5, rows=rows)


def legend_room(n: int) -> float:
    """Return the points above a panel that a legend of so many lines takes."""
    return 4 + math.ceil(n / _COLUMNS) * _LEGEND_LINE


@dataclass
class Panel:
    """What lies between two axes, in a chart.

    Attributes:
        x, y: The axes.
        width, height: Of the panel with its labels, in points.
        top: Where it begins below the upper edge of the chart.
        left: Points left of the frame; as many as the labels of `y` need if None.
        above: Points between the top and the frame, for a legend.
    """

    x: Axis
    y: Axis
    width: float
    height: float
    top: float = 0.0
    left: float | None = None
    above: float = 4.0
    _parts: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        below = _TICK + _GAP + FONT + (FONT + 3 if self.x.label else 0) + 2
        self._y0, self._y1 = self.top + self.above, self.top + self.height - below
        self._y_labels = self.y.labels(self._y1 - self._y0, lambda words: 1.4 * FONT)
        if self.left is None:
            self.left = self.room_left()
        self._x0, self._x1 = self.left, self.width - 2
        beyond = (self._x(value) + width_of(words) / 2 - self.width for value, words in self._x_labels())
        self._x1 -= max(0.0, *beyond)

    def room_left(self) -> float:
        """Return the points that the labels of `y` and its name need."""
        widest = max((width_of(words) for _, words in self._y_labels), default=0.0)
        return 2 + widest + _GAP + (0 if self.y.rows else _TICK) + (FONT + 4 if self.y.label else 0)

    def _x_labels(self) -> list[tuple[float, str]]:
        return self.x.labels(self._x1 - self._x0, lambda words: width_of(words) + 6)

    def _x(self, value: float) -> float:
        return self._x0 + self.x.share(value) * (self._x1 - self._x0)

    def _y(self, value: float) -> float:
        return self._y1 - self.y.share(value) * (self._y1 - self._y0)

    def bar(self, row: float, start: float, end: float, colour: str, thickness: float = 0.8) -> None:
        """Draw a horizontal bar from one value of `x` to another, around a row."""
        first, last = sorted((self._x(start), self._x(end)))
        upper, lower = sorted((self._y(row - thickness / 2), self._y(row + thickness / 2)))
        if last > first:
            self._parts.append(_rectangle(first, upper, last - first, lower - upper, colour))

    def steps(
        self,
        counts: Sequence[float],
        edges: Sequence[float],
        colour: str,
        *,
        line: float = 0.0,
        is_dashed: bool = False,
    ) -> None:
        """Draw a histogram.

        Args:
            counts: The height of each bin.
            edges: The ends of the bins, one more than there are bins.
            colour: Of the area, or of the line.
            line: The width of a line above the bins; 0 for an area.
            is_dashed: Whether the line is.
        """
        base = self.y.first
        points = [(edges[0], base)]
        for count, first, last in zip(counts, edges, edges[1:]):
            points += [(first, count), (last, count)]
        points.append((edges[-1], base))
        path = self._path(points)
        if line:
            self._parts.append(_stroke(path, colour, line, "4 2" if is_dashed else ""))
        elif any(counts):
            self._parts.append(f'<path d="{path}z" fill="{colour}"/>')

    def line(self, points: Sequence[tuple[float, float]], colour: str, width: float = 1.5) -> None:
        self._parts.append(_stroke(self._path(points), colour, width))

    def dots(self, points: Sequence[tuple[float, float]], colour: str) -> None:
        self._parts += [
            f'<circle cx="{self._x(x):.1f}" cy="{self._y(y):.1f}" r="2.2" fill="{colour}"/>' for x, y in points
        ]

    def limit(self, value: float, colour: str, dashes: str = "") -> None:
        """Draw a line across the panel at a value of `x`; none for a value beyond the ends."""
        if not self.x.first <= value <= self.x.last:
            return
        x = self._x(value)
        self._parts.append(_stroke(f"M{x:.1f} {self._y0:.1f}V{self._y1:.1f}", colour, 1.2, dashes))

    def shade(self, start: float, end: float, colour: str) -> None:
        """Shade the panel between two values of `x`."""
        first, last = sorted((self._x(start), self._x(end)))
        if last > first:
            shade = _rectangle(first, self._y0, last - first, self._y1 - self._y0, colour)
            self._parts.append(shade.replace("/>", ' fill-opacity=".07"/>'))

    def legend(self, entries: Sequence[tuple[str, str, bool]]) -> None:
        """Name lines above the frame, side by side. entries: name, colour, whether the line is dashed."""
        widest = max((width_of(name) for name, _, _ in entries), default=0.0)
        column = min((self._x1 - self._x0) / _COLUMNS, widest + 30)
        for number, (name, colour, is_dashed) in enumerate(entries):
            x = self._x0 + number % _COLUMNS * column
            y = self.top + FONT + number // _COLUMNS * _LEGEND_LINE
            path = f"M{x:.1f} {y - 2.5:.1f}h14"
            self._parts.append(_stroke(path, colour, 1.6, "4 2" if is_dashed else ""))
            self._parts.append(_text(x + 17, y, name, "start"))

    def text(self) -> str:
        """Return the panel as SVG: what was drawn, below the axes."""
        x0, x1, y0, y1 = self._x0, self._x1, self._y0, self._y1
        parts = [*self._parts, _stroke(f"M{x0:.1f} {y0:.1f}V{y1:.1f}H{x1:.1f}", _LINE, 0.8)]
        ticks = []
        for value, words in self._x_labels():
            x = self._x(value)
            ticks.append(f"M{x:.1f} {y1:.1f}v{_TICK:g}")
            parts.append(_text(x, y1 + _TICK + _GAP + 0.75 * FONT, words, "middle"))
        for value, words in self._y_labels:
            y = self._y(value)
            if not self.y.rows:
                ticks.append(f"M{x0:.1f} {y:.1f}h-{_TICK:g}")
            parts.append(_text(x0 - _GAP - (0 if self.y.rows else _TICK), y + 0.35 * FONT, words, "end"))
        if ticks:
            parts.append(_stroke("".join(ticks), _LINE, 0.8))
        if self.x.label:
            parts.append(_text((x0 + x1) / 2, self.top + self.height - 3, self.x.label, "middle"))
        if self.y.label:
            x, y = FONT, (y0 + y1) / 2
            turned = _text(x, y, self.y.label, "middle")
            parts.append(turned.replace("<text", f'<text transform="rotate(-90 {x:.1f} {y:.1f})"', 1))
        return "\n".join(parts)

    def _path(self, points: Sequence[tuple[float, float]]) -> str:
        return "M" + "L".join(f"{self._x(x):.1f} {self._y(y):.1f}" for x, y in points)


def drawing(width: float, height: float, title: str, panels: Sequence[Panel], *, most: float) -> str:
    """Return a chart as an element of a page.

    Args:
        width, height: In points.
        title: What it shows, for those who cannot see it.
        panels: What it is made of.
        most: How many times its own size it may become on a wide page.
    """
    body = "\n".join(panel.text() for panel in panels)
    return (
        f'<svg viewBox="0 0 {width:.1f} {height:.1f}" role="img" aria-label="{_safe(title)}" '
        f'style="max-width:{width * 4 / 3 * most:.0f}px" font-family="sans-serif" font-size="{FONT:g}" '
        f'xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>'
    )


def _safe(text: str) -> str:
    return str(escape(visible(text).replace("\n", "\\n")))


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{_WORDS}">{_safe(words)}</text>'


def _rectangle(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.2f}" height="{height:.1f}" fill="{colour}"/>'


def _stroke(path: str, colour: str, width: float, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'
