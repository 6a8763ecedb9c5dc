"""Lines that stand on many pages of one host: by hand, just under, at and over the number of pages."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from filters.host_lines import host_lines, line_fractions


def fractions(pages: list[tuple[str, str | None]], max_pages: int) -> list[float]:
    """As the tasks of a run do it, over one part."""
    lines = host_lines(
        pa.array([text for text, _ in pages], pa.large_string()), pa.array([url for _, url in pages], pa.string())
    )
    hashes, counts = np.unique(lines.of_pages(), return_counts=True)
    return line_fractions(lines, np.isin(lines.hashes, hashes[counts > max_pages])).round(6).tolist()


@pytest.mark.parametrize(("n", "expected"), [(2, 0.0), (3, 0.0), (4, 0.4)])
def test_just_under_at_and_over_the_pages(n: int, expected: float) -> None:
    pages = [(f"menu\n\n own{i:03d}", f"http://www.a.example/{i}") for i in range(n)]

    assert [expected] * n == fractions(pages, 3)


def test_a_line_counts_once_a_page_and_on_its_host_alone() -> None:
    pages: list[tuple[str, str | None]] = [
        ("menu\nmenu\nmenu", "http://a.example/1"),
        ("menu\nother", "https://A.example:8080/2"),
        ("menu", "http://b.example/1"),
        ("menu", None),
        ("", "http://a.example/3"),
    ]

    assert [0.0] * 5 == fractions(pages, 2)
    assert [1.0, round(4 / 9, 6), 0.0, 0.0, 0.0] == fractions(pages, 1)


def test_characters_are_code_points_of_stripped_lines() -> None:
    pages = [("  ÄÖÜ \nabc", f"http://a.example/{i}") for i in range(2)]
    pages[1] = ("ÄÖÜ\nabcdef", pages[1][1])

    assert [0.5, round(3 / 9, 6)] == fractions(pages, 1)


def test_pages_without_a_host_are_not_of_one_host() -> None:
    assert [0.0] * 4 == fractions([("menu", None), ("menu", None), ("menu", ""), ("menu", "http://")], 1)
