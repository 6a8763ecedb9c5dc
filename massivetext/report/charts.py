"""The charts of a report, drawn by matplotlib as SVG to stand in the page itself: no script, sharp in print.

A chart's words are ours or names that a recipe's grammar allows; matplotlib escapes them, and reads none as a formula.
The SVG's bytes are a function of the data: no date, and names of its parts from a counter.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator

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

_STYLE: Any = {  # matplotlib's stubs name every key
    "svg.fonttype": "none",
    "svg.hashsalt": "massivetext",
    "text.parse_math": False,
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7480",
    "xtick.color": "#3c434b",
    "ytick.color": "#3c434b",
    "path.simplify": True,
}
_BEFORE, _AFTER, _LIMIT = "#b8c4d4", "#1b6ca8", "#c0392b"
_WIDE, _SLIM = 8.8, 4.0
"""Inches of a chart that stands alone, on a wide page and on a phone. It grows to the width of the page."""

_GROWTH = 1.45
"""How many times its own size a chart may become on a wide page."""

_SUBSETS = ("#1b6ca8", "#d98a00", "#1b7a4b", "#8a4fbf", "#c0392b", "#222222")
"""Lines of subsets; further ones are dashed."""


class Charts:
    """Makes SVG texts. One object a page: the names inside its charts differ."""

    def __init__(self) -> None:
        self._n = 0

    def outcomes(self, shares: Mapping[str, Mapping[str, float]], unit: str) -> str:
        """One bar a subset, from 0 to 1, of what became of it. shares: by subset, then outcome."""
        with mpl.rc_context(_STYLE):
            figure, axes = _figure(4.4, 0.6 + 0.32 * len(shares))
            left = dict.fromkeys(shares, 0.0)
            for outcome, colour in OUTCOME_COLOURS.items():
                widths = [shares[name].get(outcome, 0.0) for name in shares]
                axes.barh(list(shares), widths, left=list(left.values()), color=colour, label=outcome, height=0.7)
                left = {name: left[name] + width for name, width in zip(shares, widths)}
            axes.invert_yaxis()
            axes.set_xlim(0, 1)
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
            axes.set_xlabel(f"share of {unit}")
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
            return self._svg(figure, f"What became of each subset, in shares of {unit}")

    def histogram(self, found: Histogram) -> str:
        """Documents by a signal's value before and after, on a logarithmic scale of documents, with the limits."""
        limited = found.limited
        with mpl.rc_context(_STYLE):
            figure, axes = _figure(3.4, 1.75)
            axes.stairs(found.before, found.edges, fill=True, color=_BEFORE)
            axes.stairs(found.after, found.edges, fill=True, color=_AFTER)
            axes.set_yscale("symlog", linthresh=1)
            axes.set_ylim(0, max(1, *found.before) * 1.6)
            axes.yaxis.set_major_formatter(FuncFormatter(_short))
            if found.log:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(FuncFormatter(_short))
                axes.minorticks_off()
            first, last = found.edges[0], found.edges[-1]
            axes.set_xlim(first, last)
            for limit, beyond in ((limited.min, first), (limited.max, last), (limited.below, last)):
                if limit is not None:
                    # A count's bin begins at its value: what is kept at the limit stands on its own side of the line.
                    if limited.signal.endswith("_count") and not found.log and limit == limited.max:
                        limit += 1
                    axes.axvline(limit, color=_LIMIT, linewidth=1.2)
                    axes.axvspan(*sorted((limit, beyond)), color=_LIMIT, alpha=0.07, linewidth=0)
            return self._svg(figure, f"{limited.signal}: documents by value, before and after; {limited.words}")

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
        with mpl.rc_context(_STYLE):
            figure, axes = _figure(3.4, 1.75)
            edges = histograms[0].edges
            axes.stairs(histograms[0].after, edges, fill=True, color=_BEFORE)
            axes.stairs(histograms[1].after, edges, color=_AFTER, linewidth=1.3)
            axes.set_yscale("symlog", linthresh=1)
            axes.set_ylim(0, max(1, *histograms[0].after, *histograms[1].after) * 1.6)
            axes.yaxis.set_major_formatter(FuncFormatter(_short))
            if histograms[0].log:
                axes.set_xscale("log")
                axes.xaxis.set_major_formatter(FuncFormatter(_short))
                axes.minorticks_off()
            axes.set_xlim(edges[0], edges[-1])
            for ends, style in zip(limits, (":", "-")):
                for end in ends:
                    axes.axvline(end, color=_LIMIT, linewidth=1.2, linestyle=style)
            return self._svg(figure, f"{rule}: kept documents by value in {names[0]} and in {names[1]}")

    def pairs(self, rows: Sequence[Mapping[str, Any]], names: Sequence[str], unit: str, title: str) -> str:
        """Two bars a row, one for each of two runs. rows: `stage`, `first` and `second`."""

        def draw(axes: Axes) -> None:
            for shift, side, colour, name in ((-0.19, "first", _BEFORE, names[0]), (0.19, "second", _AFTER, names[1])):
                at = [y + shift for y in range(len(rows))]
                axes.barh(at, [row[side] for row in rows], height=0.36, color=colour, label=name)
            _label_rows(axes, [row["stage"] for row in rows])
            axes.xaxis.set_major_formatter(FuncFormatter(_short))
            axes.set_xlabel(unit)

        return self._twice(0.7 + 0.4 * len(rows), title, draw)

    def lengths(self, subsets: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> str:
        """One line a subset: its share of documents in each bin of lengths. subsets: counts and edges."""
        return self._twice(2.6, "Kept documents by their number of tokens, one line a subset", _length_lines(subsets))

    def run_lengths(self, subset: str, runs: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> str:
        """One line a run: its share of a subset's documents in each bin of lengths. runs: counts and edges."""
        with mpl.rc_context(_STYLE):
            figure, axes = _figure(4.4, 2.2)
            _length_lines(runs)(axes)
            return self._svg(figure, f"{subset}: kept documents by their number of tokens, one line a run")

    def subset_lengths(self, name: str, before: Sequence[int], after: Sequence[int], edges: Sequence[float]) -> str:
        """Documents of one subset by their number of tokens, before and after."""
        with mpl.rc_context(_STYLE):
            figure, axes = _figure(3.4, 1.75)
            axes.stairs(before, edges, fill=True, color=_BEFORE)
            axes.stairs(after, edges, fill=True, color=_AFTER)
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(_short))
            axes.minorticks_off()
            axes.set_ylim(0, max(1, *before) * 1.05)
            axes.yaxis.set_major_formatter(FuncFormatter(_short))
            return self._svg(figure, f"{name}: documents by their number of tokens, before and after")

    def waterfall(self, steps: Sequence[Mapping[str, Any]]) -> str:
        """Tokens of all, those lost at each stage below one another, and those kept. steps: `stage` and `tokens`."""

        def draw(axes: Axes) -> None:
            remaining = steps[0]["tokens"]
            for at, step in enumerate(steps):
                tokens = step["tokens"]
                is_end = at in (0, len(steps) - 1)
                start = 0 if is_end else remaining - tokens
                colour = OUTCOME_COLOURS["kept"] if at == len(steps) - 1 else _BEFORE if at == 0 else _LIMIT
                axes.barh(at, tokens, left=start, color=colour, height=0.7)
                remaining = remaining if is_end else remaining - tokens
            _label_rows(axes, [step["stage"] for step in steps])
            axes.set_xlim(0, max(1, steps[0]["tokens"]))
            axes.xaxis.set_major_formatter(FuncFormatter(_short))
            axes.set_xlabel("tokens")

        return self._twice(0.7 + 0.28 * len(steps), "Tokens that each stage removes", draw)

    def curve(self, curves: Mapping[str, Sequence[Sequence[float]]], threshold: float, pairs: Sequence[int]) -> str:
        """The chance that a pair is found by its similarity, above the pairs that were removed, in equal steps of J."""
        with mpl.rc_context(_STYLE):
            figure = Figure(figsize=(4.4, 3.1), layout="constrained")
            top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
            for name, points in curves.items():
                top.plot([at for at, _ in points], [chance for _, chance in points], label=name, color=_AFTER)
            top.set_ylabel("chance to be found")
            top.set_ylim(0, 1.04)
            n = len(pairs)
            bottom.stairs(pairs, [i / n for i in range(n + 1)], fill=True, color="#d98a00")
            bottom.set_yscale("symlog", linthresh=1)
            bottom.set_ylim(0, max(1, *pairs) * 1.6)
            bottom.yaxis.set_major_formatter(FuncFormatter(_short))
            bottom.set_ylabel("pairs")
            bottom.set_xlabel("Jaccard similarity")
            bottom.set_xlim(0, 1)
            for axes in (top, bottom):
                axes.axvline(threshold, color=_LIMIT, linewidth=1.2)
            return self._svg(figure, "Chance that a pair is found by its similarity, and the pairs that were removed")

    def sizes(self, sizes: Sequence[tuple[int, int]]) -> str:
        """Groups of duplicates by how many documents they hold, both on logarithmic scales."""
        with mpl.rc_context(_STYLE):
            figure, axes = _figure(3.4, 1.75)
            axes.plot([size for size, _ in sizes], [n for _, n in sizes], ".", color="#d98a00", markersize=6)
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_xlim(1.7, max(10, sizes[-1][0] * 1.5))
            axes.set_ylim(0.7, max(10, *(2 * n for _, n in sizes)))
            for axis, most in ((axes.xaxis, sizes[-1][0]), (axes.yaxis, max(n for _, n in sizes))):
                axis.set_major_locator(LogLocator(subs=(1, 2, 5) if most < 500 else (1,)))
                axis.set_major_formatter(FuncFormatter(_short))
            axes.minorticks_off()
            axes.set_xlabel("documents in a group")
            axes.set_ylabel("groups")
            return self._svg(figure, "Groups of duplicates by size")

    def mixture(self, available: Mapping[str, float], written: Mapping[str, float]) -> str:
        """Two bars a subset: its share of the kept tokens, and of the mixture's. The same subsets in both."""

        def draw(axes: Axes) -> None:
            at = range(len(available))
            axes.barh([y - 0.19 for y in at], list(available.values()), height=0.36, color=_BEFORE, label="kept tokens")
            axes.barh([y + 0.19 for y in at], list(written.values()), height=0.36, color=_AFTER, label="mixture")
            _label_rows(axes, list(available))
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
            axes.set_xlabel("share of tokens")

        title = "Share of each subset in the kept tokens and in the mixture"
        return self._twice(0.7 + 0.4 * len(available), title, draw)

    def seconds(self, stages: Sequence[Mapping[str, Any]]) -> str:
        """One bar a stage of a run."""

        def draw(axes: Axes) -> None:
            axes.barh(range(len(stages)), [stage["seconds"] for stage in stages], color=_AFTER)
            _label_rows(axes, [stage["stage"] for stage in stages])
            axes.xaxis.set_major_locator(MaxNLocator(6))
            axes.set_xlabel("seconds")

        return self._twice(0.7 + 0.3 * len(stages), "Seconds of each stage", draw)

    def _twice(self, height: float, title: str, draw: Callable[[Axes], None]) -> str:
        """Draw a chart that stands alone for a wide page and for a phone; the style sheet shows one of the two."""
        svgs = []
        for name, width in (("broad", _WIDE), ("slim", _SLIM)):
            with mpl.rc_context(_STYLE):
                figure, axes = _figure(width, height)
                draw(axes)
                if name == "slim":
                    axes.xaxis.set_tick_params(labelrotation=30)
                svgs.append(f'<div class="{name}">{self._svg(figure, title)}</div>')
        return "".join(svgs)

    def _svg(self, figure: Figure, title: str) -> str:
        self._n += 1
        stream = io.StringIO()
        # Not through pyplot: no window system, no list of figures that are kept.
        FigureCanvasSVG(figure).print_svg(stream, metadata={"Date": None, "Creator": None, "Title": title})
        return _inlined(stream.getvalue(), f"c{self._n}-", title)


def _figure(width: float, height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def _label_rows(axes: Axes, names: Sequence[str]) -> None:
    """Name the rows of a chart of bars, the first at the top."""
    axes.set_yticks(range(len(names)), [str(name).replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)


def _length_lines(lines: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Callable[[Axes], None]:
    """Return what draws shares of documents by their number of tokens. lines: counts and edges by name."""

    def draw(axes: Axes) -> None:
        for number, (name, (counts, edges)) in enumerate(lines.items()):
            total = sum(counts) or 1
            colour = _SUBSETS[number % len(_SUBSETS)]
            style = "-" if number < len(_SUBSETS) else "--"
            axes.stairs([n / total for n in counts], edges, label=name, color=colour, linestyle=style, linewidth=1.6)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(_short))
        axes.minorticks_off()
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
        axes.set_xlabel("tokens of a document")
        axes.set_ylabel("share of documents")
        axes.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0)

    return draw


def _short(value: float, _: object = None) -> str:
    """10,000 as 10k."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _inlined(svg: str, prefix: str, title: str) -> str:
    """An SVG file's text as an element of a page: no prologue, no metadata, ids that no other chart has, and a role."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style[^>]*>.*?</style>\s*", "", svg, flags=re.DOTALL)  # would hold for the whole page
    svg = re.sub(r' id="([^"]*)"', rf' id="{prefix}\1"', svg)
    svg = re.sub(r'href="#', f'href="#{prefix}', svg)
    svg = re.sub(r"url\(#", f"url(#{prefix}", svg)
    width = re.search(r' width="([0-9.]+)pt"', svg)
    assert width is not None
    head, _, rest = svg.partition(">")
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    escaped = title.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    pixels = float(width[1]) * 4 / 3
    style = f"max-width:{pixels * _GROWTH:.0f}px"
    return f'{head} role="img" aria-label="{escaped}" style="{style}">{rest}'.strip()
