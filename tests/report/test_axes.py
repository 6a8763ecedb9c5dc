"""Charts: where values stand, which are labelled, and that no name can harm."""

from __future__ import annotations

import itertools
import math
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.report.axes import LINEAR, LOG, SYMLOG, Axis, Panel, Scale, drawing, legend_room, rows_axis, short
from massivetext.report.charts import Charts


@pytest.mark.parametrize(
    ("scale", "first", "last", "most", "ticks"),
    [
        (LINEAR, 0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (LINEAR, 0, 1, 2, [0, 0.5, 1]),
        (LINEAR, 3, 12.6, 5, [4, 6, 8, 10, 12]),
        (LINEAR, 0, 9, 9, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (LINEAR, 0, 1_847_077, 9, [250_000 * n for n in range(8)]),
        (LINEAR, 0, 0.05, 4, [0, 0.02, 0.04]),
        (LINEAR, 2, 2, 4, [2]),
        (LOG, 1, 1e5, 6, [1, 10, 100, 1000, 1e4, 1e5]),
        (LOG, 1, 1e5, 3, [1, 100, 1e4]),
        (LOG, 1.7, 10, 6, [2, 5, 10]),
        (LOG, 0.7, 10, 9, [1, 2, 5, 10]),
        (LOG, 10, 40_000, 8, [10, 100, 1000, 1e4]),
        (LOG, 2.2, 4.8, 3, [3, 4]),
        (SYMLOG, 0, 1.6, 9, [0, 1]),
        (SYMLOG, 0, 99, 9, [0, 1, 10]),
        (SYMLOG, 0, 100, 9, [0, 1, 10, 100]),
        (SYMLOG, 0, 1e8, 6, [0, 1, 100, 1e4, 1e6, 1e8]),
    ],
)
def test_values_that_are_labelled(scale: Scale, first: float, last: float, most: int, ticks: list[float]) -> None:
    assert pytest.approx(ticks) == scale.ticks(first, last, most)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.integers(1, 9))
def test_labels_lie_on_the_axis_and_are_not_too_many(first: float, span: float, most: int) -> None:
    last = first + span
    ticks = LINEAR.ticks(first, last, most)

    assert len(ticks) <= most + 1
    assert all(first - 1e-6 * span - 1e-3 <= tick <= last + 1e-6 * span + 1e-3 for tick in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("axis", "value", "share"),
    [
        (Axis(0, 10), 2.5, 0.25),
        (Axis(0, 10), -1, 0),
        (Axis(0, 10), 11, 1),
        (Axis(10, 0), 2.5, 0.75),
        (Axis(1, 1000, LOG), 10, 1 / 3),
        (Axis(1, 1000, LOG), 0, 0),
        (Axis(0, 100, SYMLOG), 1, 1 / 3),
        (Axis(0, 100, SYMLOG), 0.5, 1 / 6),
        (Axis(0, 100, SYMLOG), 10, 2 / 3),
        (Axis(3, 3), 3, 0),
        (rows_axis(["a", "b"]), 0, 0.75),
        (rows_axis(["a", "b"]), 1, 0.25),
    ],
)
def test_where_a_value_stands(axis: Axis, value: float, share: float) -> None:
    assert math.isclose(share, axis.share(value), abs_tol=1e-12)


def panel(**options: float) -> Panel:
    return Panel(Axis(0, 10), Axis(0, 4), 200, 100, left=20, **options)


def test_parts_of_a_panel_stand_where_their_values_do() -> None:
    """The frame: x from 20 to 193.2 (half of `10` stands beyond its end), y from 4 to 100 - 15.5."""
    one = panel()
    one.bar(2, 0, 5, "#111", 1)
    one.steps([1, 4], [0, 5, 10], "#222")
    one.limit(5, "#333")
    one.limit(10.5, "#444")
    one.shade(5, 20, "#555")
    text = one.text()

    x1, height = 200 - 4.8, 80.5
    middle = 20 + (x1 - 20) / 2
    assert (
        f'<rect x="20.0" y="{84.5 - height * 2.5 / 4:.1f}" width="{middle - 20:.2f}" height="{height / 4:.1f}"' in text
    )
    assert f'd="M20.0 84.5L20.0 {84.5 - height / 4:.1f}L{middle:.1f} {84.5 - height / 4:.1f}L{middle:.1f} 4.0L' in text
    assert f'd="M{middle:.1f} 4.0V84.5" fill="none" stroke="#333"' in text
    assert "#444" not in text
    assert f'width="{x1 - middle:.2f}" height="80.5" fill="#555" fill-opacity=".07"/>' in text


def test_what_has_no_size_is_not_drawn() -> None:
    one = panel()
    one.bar(1, 3, 3, "#111")
    one.steps([0, 0], [0, 5, 10], "#222")
    one.shade(11, 12, "#333")

    assert not re.search("#111|#222|#333", one.text())


def test_labels_have_room() -> None:
    """Longer words have fewer labels, and the last one does not go over the edge."""
    label = r'<text x="([0-9.]+)" y="9[^>]*"middle"[^>]*>([^<]*)'
    words = {
        name: re.findall(label, Panel(axis, Axis(0, 1), 200, 100, left=20).text())
        for name, axis in (("short", Axis(0, 9)), ("long", Axis(0, 9, words=lambda value: f"{value:.9f}")))
    }

    assert len(words["long"]) < len(words["short"]) == 10
    for name, labels in words.items():
        ends = [(float(x) - 2.4 * len(label), float(x) + 2.4 * len(label)) for x, label in labels]
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(ends)), name
        assert ends[-1][1] <= 200.1


def test_a_legend_stands_above_the_frame() -> None:
    entries = [(f"line {n}", "#111", n > 2) for n in range(4)]
    one = Panel(Axis(0, 1), Axis(0, 1), 300, 100, above=legend_room(4))
    one.legend(entries)
    text = one.text()

    lines = [float(y) for y in re.findall(r'y="([0-9.]+)"[^>]*>line', text)]
    assert [8.0, 8.0, 8.0, 19.2] == lines
    assert max(lines) < legend_room(4) == pytest.approx(26.4)
    assert 1 == text.count("stroke-dasharray")


HARM = "<script>alert(1)</script>&\"'\x1b\u202e\n]]>"


def test_names_are_escaped_and_the_chart_is_xml() -> None:
    charts = Charts()
    steps = [{"stage": HARM, "tokens": 4}, {"stage": "b", "tokens": 1}, {"stage": "c", "tokens": 3}]
    for text in (
        charts.outcomes({HARM: {"kept": 1.0}}, HARM),
        charts.waterfall(steps),
        charts.lengths({HARM: ([1, 2], [1.0, 10.0, 100.0])}),
        charts.mixture({HARM: 0.0}, {HARM: 0.0}),
        charts.curve({"curve": [(0, 0), (1, 1)]}, 0.8, [0, 0]),
        charts.sizes([(2, 1)]),
        charts.seconds([]),
        charts.pairs([{"stage": HARM, "first": 0, "second": 0}], [HARM, HARM], HARM, HARM),
    ):
        for svg in re.findall("<svg.*?</svg>", text, re.DOTALL):
            ElementTree.fromstring(svg)
        assert "<script" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert " id=" not in text


def test_a_chart_says_what_it_shows() -> None:
    text = drawing(72, 36, 'a "b"', [], most=1.5)

    assert 'viewBox="0 0 72.0 36.0" role="img" aria-label="a &#34;b&#34;" style="max-width:144px"' in text


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (999, "999"), (1000, "1k"), (1_250_000, "1.25M"), (2e9, "2G"), (3e12, "3T")]
)
def test_short(value: float, words: str) -> None:
    assert words == short(value)
