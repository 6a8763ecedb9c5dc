"""How a block's text is written: counts by hand, raw elements skipped, copies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from massivetext.extraction import html
from massivetext.extraction.vocabulary import HINT_NAMES
from massivetext.extraction.wording import WORDING, heading_hints, write_copies, write_wording


def wording(page: bytes) -> dict[str, list[float]]:
    tree = html.parse(page)
    out = np.zeros((len(tree.blocks), len(WORDING)), np.float32)
    hashes = np.zeros(len(tree.blocks), np.uint64)
    write_wording(np.frombuffer(page, np.uint8), tree.blocks, out, hashes)
    write_copies(hashes, out)
    return {name: [round(float(value), 4) for value in out[:, k]] for k, name in enumerate(WORDING)}


def test_shares_of_words():
    columns = wording(b"<p>The man is at Home in 1999 USA!</p>")

    assert columns["short_words"] == [0.5]  # man, is, at, in
    assert columns["capital_words"] == [0.375]  # The, Home, USA!
    assert columns["upper_words"] == [0.125]
    assert columns["number_words"] == [0.125]


@pytest.mark.parametrize(
    ("text", "column", "count"),
    [
        ("$5 £6 €7 ¥8", "currency", 4),
        ("© 2020", "copyright", 1),
        ("&copy; 2020", "copyright", 1),
        ("a@b", "at_sign", 1),
        ("a/b/c", "slashes", 2),
        ("a: b: c", "colons", 2),
        ("(a) [b]", "brackets", 2),
        ('“a” "b', "quotes", 3),
        ("12.3.2021 and 10:30", "dates", 3),
        ("1234", "dates", 0),
    ],
)
def test_signs_are_counted(text, column, count):
    assert wording(f"<p>{text}</p>".encode())[column] == [round(math.log1p(count), 4)]


def test_beginnings_and_ends():
    columns = wording("<p>lower</p><p>Upper...</p><p>3 pieces…</p><p>(a)..</p>".encode())

    assert columns["starts_lower"] == [1, 0, 0, 1]
    assert columns["starts_digit"] == [0, 0, 1, 0]
    assert columns["trails_off"] == [0, 1, 1, 0]


def test_markup_and_raw_elements_are_no_words():
    columns = wording(b"<p>one<script>var two = 'three at'</script> <i title='at'>FOUR</i><!-- in -->")

    assert columns["short_words"] == [0.5]
    assert columns["upper_words"] == [0.5]


def test_copies_are_found_whatever_case_and_punctuation():
    columns = wording(b"<p>Read more<p>other<p>read more!<p>Read, more<p>...")

    assert columns["copies"] == [round(math.log(3), 4), 0, round(math.log(3), 4), round(math.log(3), 4), 0]
    assert columns["copy_before"] == [0, 0, 1, 1, 0]
    assert columns["copy_after"] == [1, 0, 1, 0, 0]


def test_hints_of_short_headings():
    page = b"<h2>Related stories</h2><h3>9 Comments</h3><p>related</p><h2>" + b"related " * 20 + b"</h2>"
    tree = html.parse(page)
    out = np.zeros(len(tree.blocks), np.int32)
    heading_hints(np.frombuffer(page, np.uint8), tree.tag, tree.blocks, out)
    names = [{name for k, name in enumerate(HINT_NAMES) if bits >> k & 1} for bits in out]

    assert "related" in names[0]
    assert "comment" in names[1]
    assert names[2:] == [set(), set()]
