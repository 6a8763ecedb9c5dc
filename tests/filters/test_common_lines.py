"""Lines of hosts that are taken out of the text: by hand, and against a plain reading of the definition."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from filters.common_lines import PageLines, common_lines, page_lines, remove_lines
from filters.hosts import host_of

Page = tuple[str | None, str | None]


def removed(pages: list[Page], max_pages: int) -> list[tuple[str | None, int, int]]:
    """Text, removed lines and their characters of each page, as the passes of a run do it over one part."""
    texts = pa.array([text for text, _ in pages], pa.large_string())
    urls = pa.array([url for _, url in pages], pa.string())
    result = remove_lines(texts, urls, common_lines(page_lines(texts, urls), max_pages))
    return list(zip(result.texts.to_pylist(), result.lines.tolist(), result.characters.tolist()))


def plainly(pages: list[Page], max_pages: int) -> list[tuple[str | None, int, int]]:
    """The definition, a page and a line at a time."""
    texts: dict[tuple[str, str], set[str]] = {}
    addresses: dict[tuple[str, str], set[str]] = {}
    for text, url in pages:
        for line in (text or "").split("\n"):
            key = (host_of(url or ""), line.strip())
            texts.setdefault(key, set()).add(text or "")
            addresses.setdefault(key, set()).add((url or "").partition("#")[0])
    results: list[tuple[str | None, int, int]] = []
    for text, url in pages:
        host, kept, n, characters, was_removed = host_of(url or ""), [], 0, 0, False
        for line in (text or "").split("\n"):
            key = (host, line.strip())
            is_common = min(len(texts[key]), len(addresses[key])) > max_pages
            if host and line.strip() and is_common:
                n, characters, was_removed = n + 1, characters + len(line.strip()), True
            elif line.strip() or not was_removed:
                kept.append(line)
                was_removed = was_removed and not line.strip()
        while n and kept and not kept[-1].strip():
            kept.pop()
        results.append(("\n".join(kept) if n else text, n, characters))
    return results


@pytest.mark.parametrize(("n", "is_removed"), [(2, False), (3, False), (4, True)])
def test_just_under_at_and_over_the_pages(n: int, is_removed: bool) -> None:
    pages: list[Page] = [(f"Menu\n\n  own {i}", f"http://www.a.example/{i}") for i in range(n)]

    expected = [(f"  own {i}", 1, 4) if is_removed else (f"Menu\n\n  own {i}", 0, 0) for i in range(n)]
    assert expected == removed(pages, 3)


def test_copies_and_later_crawls_of_a_page_count_once() -> None:
    copies: list[Page] = [("Whole text\nof a page", f"http://a.example/{i}") for i in range(9)]
    assert [(text, 0, 0) for text, _ in copies] == removed(copies, 1)
    crawls: list[Page] = [
        (f"Whole text\nof day {i}", f"{scheme}://a.example/x#{i}")
        for i, scheme in enumerate(("http", "https", "http", "https"))
    ]
    assert [(text, 0, 0) for text, _ in crawls] == removed(crawls, 1)
    short: list[Page] = [(f"menu\nown {i}", f"http://x/{i}") for i in range(2)]
    assert [(f"own {i}", 1, 4) for i in range(2)] == removed(short, 1)
    # A query names another page.
    queries: list[Page] = [(f"Whole text\nof day {i}", f"http://a.example/x?{i}") for i in range(2)]
    assert [(f"of day {i}", 1, 10) for i in range(2)] == removed(queries, 1)


def test_other_hosts_texts_without_a_host_and_nulls_are_left_alone() -> None:
    pages: list[Page] = [
        ("menu\na", "http://a.example/1"),
        ("menu\nb", "http://b.example/1"),
        ("menu\nc", None),
        ("menu\nd", "mailto:someone"),
        (None, "http://a.example/2"),
        ("", "http://a.example/3"),
    ]
    assert [(text, 0, 0) for text, _ in pages] == removed(pages, 1)


def test_what_stays_keeps_its_shape() -> None:
    pages: list[Page] = [(f"  first {i}\n\nmenu\n \n\n  last {i}\n\n", f"http://a.example/{i}") for i in range(2)] + [
        ("menu", "http://a.example/3"),
        ("\n\tmenu\nmenu\n", "http://a.example/4"),
    ]
    assert [
        ("  first 0\n\n  last 0", 1, 4),
        ("  first 1\n\n  last 1", 1, 4),
        ("", 1, 4),
        ("", 2, 8),
    ] == removed(pages, 2)


def test_a_plain_reading_agrees_on_random_pages() -> None:
    draw = random.Random(3)
    for _ in range(60):
        lines = ["", " ", "a", " b", "é–", "c\td", "a "]
        pages: list[Page] = []
        for _ in range(draw.randrange(1, 25)):
            text = "\n".join(draw.choice(lines) for _ in range(draw.randrange(7)))
            pages.append((text, f"http://{draw.choice('xy')}.example/{draw.randrange(6)}"))
        limit = draw.randrange(1, 4)
        expected = plainly(pages, limit)

        assert expected == [row if row[1] else (text, 0, 0) for row, (text, _) in zip(removed(pages, limit), pages)]


def test_rows_may_come_in_any_order_and_none_may_come() -> None:
    rows = np.array([[1, 5, 7], [1, 6, 8], [2, 5, 7], [1, 5, 8], [2, 5, 9]], np.uint64)
    for order in ([0, 1, 2, 3, 4], [4, 2, 0, 3, 1]):
        assert [1] == common_lines(PageLines(*rows[order].T), 1).tolist()
    assert [] == common_lines(PageLines(*np.zeros((3, 0), np.uint64)), 1).tolist()
    empty = pa.array([], pa.large_string())
    assert [] == remove_lines(empty, pa.array([], pa.string()), np.array([3], np.uint64)).texts.to_pylist()
