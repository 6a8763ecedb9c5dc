"""Evidence of a page's type in its head, its data and its address."""

from __future__ import annotations

import numpy as np
import pytest

from massivetext.extraction.evidence import EVIDENCE, find_words, page_evidence, search_words


def evidence(page: bytes, url: str | None = None) -> dict[str, float]:
    return dict(zip(EVIDENCE, page_evidence(page, url).tolist()))


def test_types_of_data_are_counted():
    page = b"""<script type="application/ld+json">{"@context": "https://schema.org", "@type": ["Product"],
        "offers": {"@type":"Offer"}}</script><div itemtype="http://schema.org/Product"><p>"@type": no</p>"""
    columns = evidence(page)

    assert (columns["schema_product"], columns["schema_offer"], columns["schema_article"]) == (2, 1, 0)


@pytest.mark.parametrize(
    "tag",
    [b'<meta property="og:type" content="article">', b"<meta content='Article' property=og:type>"],
)
def test_the_open_graph_type(tag):
    assert evidence(b"<head>" + tag + b"</head>")["open_graph"] == 2
    assert evidence(b"<head></head>" + tag)["open_graph"] == 0


def test_the_generator():
    assert evidence(b'<head><meta name="generator" content="Discourse 2.8 - https://a"></head>')["generator"] == 2
    assert evidence(b'<head><meta name="generator" content="of my own"></head>')["generator"] == 0


def test_the_pages_own_address_comes_before_the_one_given():
    page = b'<head><link rel="canonical" href="https://a.org/forum/thread/what-is-open.12345?page=2"></head>'
    columns = evidence(page, "https://a.org/shop/product/1")

    assert (columns["address_thread"], columns["address_product"]) == (1, 0)
    assert (columns["address_depth"], columns["address_hyphens"], columns["address_digits"]) == (3, 2, 5)
    assert columns["address_query"] == 1
    assert evidence(b"", "https://a.org/shop/product/1")["address_product"] == 1
    assert evidence(b"", "https://docs.a.org/x")["address_reference"] == 1


@pytest.mark.parametrize(
    "page", [b"", b"<meta", b'og:type"@type"schema.org/', b"<link rel=canonical href>", b"\xff" * 99]
)
def test_damaged_pages_have_no_evidence(page):
    assert sum(page_evidence(page)) == 0


@pytest.mark.parametrize("page", [b"", b"aba", b"ababa", b"xabaabay", b"ab" * 40, b"\xffaba\x00aba", b"abacab" * 9])
@pytest.mark.parametrize("words", [(b"abc",), (b"aba",), (b"abaaba",), (b"bab", b"aba"), (b"aba", b"cab", b"abaaba")])
def test_every_place_of_a_word_is_found(page, words):
    data = np.frombuffer(page, np.uint8)
    places, counts = find_words(data, search_words(*words), 100, False)

    for word, row, count in zip(words, places, counts, strict=True):
        assert row[:count].tolist() == [i for i in range(len(page)) if page.startswith(word, i)]
    assert find_words(data, search_words(*words), 1, False)[1].tolist() == np.minimum(counts, 1).tolist()


def test_a_search_ends_where_the_first_word_stands():
    page = np.frombuffer(b"word " * 9 + b"end" + b" word" * 9, np.uint8)
    places, counts = find_words(page, search_words(b"end", b"word"), 50, True)

    assert places[0, 0] == 45
    assert (counts[0], counts[1]) == (1, 9)
