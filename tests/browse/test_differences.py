"""Two texts cut into what both have and what one has."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from massivetext.browse.differences import MOST_WORDS, Pair, compare

TEXTS = st.text(alphabet="ab \n", max_size=40)


def test_a_word_replaced_and_one_added() -> None:
    assert [
        Pair("a ", "a ", True),
        Pair("b", "x", False),
        Pair(" c d", " c d", True),
        Pair("", " e", False),
    ] == compare("a b c d", "a x c d e")


def test_equal_and_empty_texts() -> None:
    assert [Pair("a b", "a b", True)] == compare("a b", "a b")
    assert [] == compare("", "")
    assert [Pair("", "a", False)] == compare("", "a")


@given(TEXTS, TEXTS)
def test_the_parts_join_to_the_texts(first: str, second: str) -> None:
    pairs = compare(first, second)

    assert first == "".join(pair.first for pair in pairs)
    assert second == "".join(pair.second for pair in pairs)
    assert all((pair.first == pair.second) == pair.is_equal or not pair.is_equal for pair in pairs)
    assert all(a.is_equal != b.is_equal for a, b in pairwise(pairs))


def test_long_texts_are_compared_by_lines() -> None:
    lines = [f"{i} one two three" for i in range(MOST_WORDS)]
    other = ["begin", *lines[1 : MOST_WORDS // 2], "changed", *lines[MOST_WORDS // 2 + 1 : -1], "end"]
    pairs = compare("\n".join(lines), "\n".join(other))

    assert ["begin\n", "changed\n", "end"] == [pair.second for pair in pairs if not pair.is_equal]
