"""The charts of a report, as SVG to stand in the page itself: no script, sharp in print.

A chart's words are ours or names that a recipe's grammar allows; they are escaped all the same. The SVG's bytes are a
function of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from massivetext.report.axes import LINEAR, LOG, SYMLOG, Axis, Panel, Scale, drawing, legend_room, rows_axis
from massivetext.report.tables import Histogram

__all__ = ["OUTCOME_COLOURS", "Charts"]

OUTCOME_COLOURS = {
    "kept": "#1b7a4b",
    "contaminated": "#8a4fbf",
    "outranked": "#2f7fb5",
    "duplicate": "#d98a00",
    "rejected": "#c0392b",
    "failed": "#6a6f76",
    "skipped": "#b8bec7",
}
"""In the order of drawing. Told apart without colour by their order and by the table beside each chart."""

_BEFORE, _AFTER, _LIMIT, _PAIRS = "#b8c4d4", "#1b6ca8", "#c0392b", "#d98a00"
_INCH = 72.0
_WIDE, _SLIM = 8.8 * _INCH, 4.0 * _INCH
"""Widths of a chart that stands alone, on a wide page and on a phone. It grows to the width of the page."""
_MIDDLE = 4.4 * _INCH
_SMALL = (3.4 * _INCH, 1.75 * _INCH)

_GROWTH = 1.45
"""How many times its own size a chart may become on a wide page."""

_SUBSETS = ("#1b6ca8", "#d98a00", "#1b7a4b", "#8a4fbf", "#c0392b", "#222222")
"""Lines of subsets; further ones are dashed."""


class Charts:
    """Makes SVG texts."""

    def outcomes(self, shares: Mapping[str, Mapping[str, float]], unit: str) -> str:
        """One bar a subset, from 0 to 1, of what became of it. shares: by subset, then outcome."""
        size = (_MIDDLE, (0.6 + 0.32 * len(shares)) * _INCH)
        panel = Panel(Axis(0, 1, label=f"share of {unit}", words=_percent), rows_axis(list(shares)), *size)
        for row, own in enumerate(shares.values()):
            start = 0.0
            for outcome, colour in OUTCOME_COLOURS.items():
                end = start + own.get(outcome, 0.0)
                panel.bar(row, start, end, colour, 0.7)
                start = end
        return _chart(size, f"What became of each subset, in shares of {unit}", panel)

    def histogram(self, found: Histogram) -> str:
        """Documents by a signal's value before and after, on a logarithmic scale of documents, with the limits."""
        limited, edges = found.limited, found.edges
        panel = _documents(edges, found.before, log=found.log)
        panel.steps(found.before, edges, _BEFORE)
        panel.steps(found.after, edges, _AFTER)
        for limit, beyond in ((limited.min, edges[0]), (limited.max, edges[-1]), (limited.below, edges[-1])):
            if limit is not None:
                # A count's bin begins at its value: what is kept at the limit stands on its own side of the line.
                if limited.signal.endswith("_count") and not found.log and limit == limited.max:
                    limit += 1
                panel.limit(limit, _LIMIT)
                panel.shade(limit, beyond, _LIMIT)
        return _chart(_SMALL, f"{limited.signal}: documents by value, before and after; {limited.words}", panel)

    def overlay(
        self, rule: str, histograms: Sequence[Histogram], limits: Sequence[Sequence[float]], names: Sequence[str]
    ) -> str:
        """Kept documents of two runs by a signal's value, over the same bins, with the limits of each.

        Args:
            rule: The rule's name, for the chart's title.
            histograms: The signal in the first run and in the second.
            limits: The limits that hold in each run.
            names: What the runs are called.
        """
        first, second = histograms
        panel = _documents(first.edges, [*first.after, *second.after], log=first.log)
        panel.steps(first.after, first.edges, _BEFORE)
        panel.steps(second.after, first.edges, _AFTER, line=1.3)
        for ends, dashes in zip(limits, ("1.5 2", "")):
            for end in ends:
                panel.limit(end, _LIMIT, dashes)
        return _chart(_SMALL, f"{rule}: kept documents by value in {names[0]} and in {names[1]}", panel)

    def pairs(self, rows: Sequence[Mapping[str, Any]], names: Sequence[str], unit: str, title: str) -> str:
        """Two bars a row, one for each of two runs. rows: `stage`, `first` and `second`."""
        most = max((row[side] for row in rows for side in ("first", "second")), default=0)

        def draw(size: tuple[float, float]) -> Panel:
            stages = rows_axis([row["stage"] for row in rows])
            panel = Panel(Axis(0, max(1, most) * 1.05, label=unit), stages, *size)
            for at, row in enumerate(rows):
                panel.bar(at - 0.19, 0, row["first"], _BEFORE, 0.36)
                panel.bar(at + 0.19, 0, row["second"], _AFTER, 0.36)
            return panel

        return _twice(0.7 + 0.4 * len(rows), title, draw)

    def lengths(self, subsets: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> str:
        """One line a subset: its share of documents in each bin of lengths. subsets: counts and edges."""
        title = "Kept documents by their number of tokens, one line a subset"
        return _twice(2.6, title, lambda size: _length_lines(subsets, size))

    def run_lengths(self, subset: str, runs: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> str:
        """One line a run: its share of a subset's documents in each bin of lengths. runs: counts and edges."""
        size = (_MIDDLE, 2.2 * _INCH)
        title = f"{subset}: kept documents by their number of tokens, one line a run"
        return _chart(size, title, _length_lines(runs, size))

    def subset_lengths(self, name: str, before: Sequence[int], after: Sequence[int], edges: Sequence[float]) -> str:
        """Documents of one subset by their number of tokens, before and after."""
        panel = _documents(edges, before, log=True, scale=LINEAR)
        panel.steps(before, edges, _BEFORE)
        panel.steps(after, edges, _AFTER)
        return _chart(_SMALL, f"{name}: documents by their number of tokens, before and after", panel)

    def waterfall(self, steps: Sequence[Mapping[str, Any]]) -> str:
        """Tokens of all, those lost at each stage below one another, and those kept. steps: `stage` and `tokens`."""

        def draw(size: tuple[float, float]) -> Panel:
            remaining = steps[0]["tokens"]
            tokens = Axis(0, max(1, remaining), label="tokens")
            panel = Panel(tokens, rows_axis([step["stage"] for step in steps]), *size)
            for at, step in enumerate(steps):
                is_end = at in (0, len(steps) - 1)
                start = 0 if is_end else remaining - step["tokens"]
                colour = OUTCOME_COLOURS["kept"] if at == len(steps) - 1 else _BEFORE if at == 0 else _LIMIT
                panel.bar(at, start, start + step["tokens"], colour, 0.7)
                remaining = remaining if is_end else start
            return panel

        return _twice(0.7 + 0.28 * len(steps), "Tokens that each stage removes", draw)

    def curve(self, curves: Mapping[str, Sequence[Sequence[float]]], threshold: float, pairs: Sequence[int]) -> str:
        """The chance that a pair is found by its similarity, above the pairs that were removed, in equal steps of J."""
        width, height = size = (_MIDDLE, 3.1 * _INCH)
        share = 0.6
        chances = Axis(0, 1.04, label="chance to be found")
        counts = Axis(0, max(1, *pairs) * 1.6, SYMLOG, label="pairs")
        similarities = Axis(0, 1, label="Jaccard similarity")
        panels = [
            (Axis(0, 1), chances, width, share * height, 0.0),
            (similarities, counts, width, (1 - share) * height, share * height),
        ]
        left = max(Panel(*own).room_left() for own in panels)
        top, bottom = (Panel(*own, left=left) for own in panels)
        for points in curves.values():
            top.line([(at, chance) for at, chance in points], _AFTER)
        n = len(pairs)
        bottom.steps(pairs, [i / n for i in range(n + 1)], _PAIRS)
        for panel in (top, bottom):
            panel.limit(threshold, _LIMIT)
        return _chart(
            size, "Chance that a pair is found by its similarity, and the pairs that were removed", top, bottom
        )

    def sizes(self, sizes: Sequence[tuple[int, int]]) -> str:
        """Groups of duplicates by how many documents they hold, both on logarithmic scales."""
        documents = Axis(1.7, max(10, sizes[-1][0] * 1.5), LOG, label="documents in a group")
        groups = Axis(0.7, max(10, *(2 * n for _, n in sizes)), LOG, label="groups")
        panel = Panel(documents, groups, *_SMALL)
        panel.dots(sizes, _PAIRS)
        return _chart(_SMALL, "Groups of duplicates by size", panel)

    def mixture(self, available: Mapping[str, float], written: Mapping[str, float]) -> str:
        """Two bars a subset: its share of the kept tokens, and of the mixture's. The same subsets in both."""
        most = max(*available.values(), *written.values())

        def draw(size: tuple[float, float]) -> Panel:
            shares = Axis(0, max(0.01, most) * 1.05, label="share of tokens", words=_percent)
            panel = Panel(shares, rows_axis(list(available)), *size, above=legend_room(2))
            for at, name in enumerate(available):
                panel.bar(at - 0.19, 0, available[name], _BEFORE, 0.36)
                panel.bar(at + 0.19, 0, written[name], _AFTER, 0.36)
            panel.legend([("kept tokens", _BEFORE, False), ("mixture", _AFTER, False)])
            return panel

        title = "Share of each subset in the kept tokens and in the mixture"
        return _twice(0.7 + 0.4 * len(available), title, draw)

    def seconds(self, stages: Sequence[Mapping[str, Any]]) -> str:
        """One bar a stage of a run."""
        most = max((stage["seconds"] for stage in stages), default=0)

        def draw(size: tuple[float, float]) -> Panel:
            names = rows_axis([stage["stage"] for stage in stages])
            panel = Panel(Axis(0, max(0.01, most) * 1.05, label="seconds"), names, *size)
            for at, stage in enumerate(stages):
                panel.bar(at, 0, stage["seconds"], _AFTER)
            return panel

        return _twice(0.7 + 0.3 * len(stages), "Seconds of each stage", draw)


def _documents(edges: Sequence[float], counts: Sequence[int], *, log: bool, scale: Scale = SYMLOG) -> Panel:
    """Return the panel of a small chart of documents by a value.

    Args:
        edges: The ends of the bins.
        counts: Those of all histograms in the chart.
        log: Whether the scale of values is logarithmic.
        scale: That of documents.
    """
    most = max(1, *counts) * (1.6 if scale is SYMLOG else 1.05)
    return Panel(Axis(edges[0], edges[-1], LOG if log else LINEAR), Axis(0, most, scale), *_SMALL)


def _length_lines(lines: Mapping[str, tuple[Sequence[int], Sequence[float]]], size: tuple[float, float]) -> Panel:
    """Return shares of documents by their number of tokens. lines: counts and edges by name."""
    ends = [end for _, edges in lines.values() for end in (edges[0], edges[-1])]
    shares = {name: [n / (sum(counts) or 1) for n in counts] for name, (counts, _) in lines.items()}
    highest = max(max(own) for own in shares.values())
    panel = Panel(
        Axis(min(ends), max(ends), LOG, label="tokens of a document"),
        Axis(0, highest * 1.05 or 1, label="share of documents", words=_percent),
        *size,
        above=legend_room(len(lines)),
    )
    styles = [(name, _SUBSETS[number % len(_SUBSETS)], number >= len(_SUBSETS)) for number, name in enumerate(lines)]
    for name, colour, is_dashed in styles:
        panel.steps(shares[name], lines[name][1], colour, line=1.6, is_dashed=is_dashed)
    panel.legend(styles)
    return panel


def _twice(inches: float, title: str, draw: Callable[[tuple[float, float]], Panel]) -> str:
    """Draw a chart that stands alone for a wide page and for a phone; the style sheet shows one of the two.

    Args:
        inches: Its height.
        title: What it shows.
        draw: Makes its panel, of a width and a height.
    """
    sizes = {name: (width, inches * _INCH) for name, width in (("broad", _WIDE), ("slim", _SLIM))}
    return "".join(f'<div class="{name}">{_chart(size, title, draw(size))}</div>' for name, size in sizes.items())


def _chart(size: tuple[float, float], title: str, *panels: Panel) -> str:
    return drawing(*size, title, panels, most=_GROWTH)


def _percent(value: float) -> str:
    return f"{100 * value:.4g}%"
