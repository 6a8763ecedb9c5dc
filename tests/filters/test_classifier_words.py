"""What the classifier sees: the kernel against the function in Python, on any text and on real pages."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters import classifier, classifier_words, safe_search
from massivetext.text import buffers

DATA = Path(os.environ.get("MASSIVETEXT_DATA", Path(__file__).resolve().parents[2] / ".." / "shared" / "data"))

# Words of the lists, what the patterns look for, what lower-cases oddly, scripts, and what is no word.
PARTS = [
    *("blow", "job", "blow job", "fuck", "lesbian", "Muslims", "gay", "suicide", "kill yourself", "rt", "RT", "r", "t"),
    *("http://", "https://", "http:/", "https:", "www.", "ww", "@", "@a", "&", "&amp;", "&a b;", ";", "a_b", "_", "'"),
    *("it\u2019s", "d*mn", "a$$", "a@b", "*", "$", "İ", "ΟΔΟΣ", "σς", "Straße", "Ⱥ", "é", "日本語", "한국", "\u0661"),
    *(
        "\U0001f600",
        "\U00010400",
        "\U00020000",
        "\u200d",
        "\u00ad",
        "\u2028",
        "\x1c",
        "\x85",
        "\xa0",
        " ",
        "\n",
        "x" * 41,
    ),
]


def pieces(text: str) -> list[str]:
    """All of a text of up to PIECE * PIECES code points in pieces; of a longer one PIECES at equal distances."""
    size, most = classifier.PIECE, classifier.PIECES
    if len(text) <= size * most:
        return [text[i : i + size] for i in range(0, len(text), size)]
    step = (len(text) - size) / (most - 1)
    return [text[int(i * step) : int(i * step) + size] for i in range(most)]


def oracle(texts: list[str]) -> tuple[list[str], list[int], list[int]]:
    seen = [(i, classifier.words(piece)) for i, text in enumerate(texts) for piece in pieces(text)]
    pairs = [(i, words) for i, words in seen if words]
    return [words for _, words in pairs], [i for i, _ in pairs], [words.count(" ") + 1 for _, words in pairs]


def check(texts: list[str]) -> None:
    seen = classifier.see(pa.array(texts, pa.large_string()))
    seen.texts.validate(full=True)
    words, owners, sizes = oracle(texts)
    assert words == seen.texts.to_pylist()
    assert owners == seen.owners.tolist()
    assert sizes == seen.sizes.tolist()
    assert len(texts) == seen.rows


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.sampled_from(PARTS) | st.text(max_size=6), max_size=30).map("".join), max_size=4))
@example(["blow job blow", "blow", "a blow job"])
@example(["Σ", "", "a", "\U00020000", "b"])
def test_any_text_is_seen_as_python_sees_it(texts: list[str]) -> None:
    check(texts)


@settings(max_examples=30, deadline=None)
@given(
    st.text(st.sampled_from("aé日\U0001f600 Σ"), min_size=1, max_size=40),
    st.sampled_from([511, 512, 513, 4096, 4097, 9000]),
)
def test_pieces_of_long_texts_lie_where_python_cuts_them(pattern: str, size: int) -> None:
    text = (pattern * (size // len(pattern) + 1))[:size]
    check([text, "between", text])


def test_pieces_by_hand() -> None:
    text = "".join(chr(0x4E00 + i % 20_000) for i in range(10_001))
    data, offsets = buffers(pa.array([text, "a" * 513, ""], pa.large_string()))
    places, owners = classifier_words._places(data, offsets, 512, 8)
    parts = [bytes(data[first:last]).decode() for first, last in places]

    assert [0] * 8 + [1] * 2 == owners.tolist()
    assert (text[:512], text[-512:]) == (parts[0], parts[7])
    assert ["a" * 512, "a"] == parts[8:]


def test_output_grows_where_marks_take_more_room_than_the_text() -> None:
    check(["fuck " * 4000, "blow job " * 3000, "", "x y " * 100])


def test_tables_are_those_of_this_python() -> None:
    lower, kinds = classifier_words._tables()
    points = range(classifier_words.LIMIT)
    odd = {0x130, 0x3A3, 0x2019}
    assert [] == [c for c in points if c not in odd and chr(c).lower() != chr(lower[c])]
    assert [] == [c for c in points if (chr(c).isalnum() or c == 95) != bool(kinds[c] & 1)]
    assert [] == [c for c in points if chr(c).isspace() != bool(kinds[c] & 2)]
    assert [0x130, 0x3A3] == np.flatnonzero(kinds & 4).tolist()


@given(st.lists(st.text(st.sampled_from("a\t\n\v\f\r \xa0\x1c日"), max_size=12), max_size=4))
def test_words_of_the_density_are_what_no_ascii_space_divides(texts: list[str]) -> None:
    column = pa.array(texts, pa.large_string())
    counts = safe_search._count_words(*buffers(column))
    assert [len(re.findall(r"[^\t\n\f\r ]+", text)) for text in texts] == counts.tolist()
    assert pc.count_substring_regex(column, r"\S+").to_pylist() == counts.tolist()


def test_slices_and_nulls_of_a_column_are_read_where_they_lie() -> None:
    column = pa.array(["left out", None, "A word", "", "last one"], pa.large_string())
    seen = classifier.see(column[1:4])
    assert (["a word"], [1], 3) == (seen.texts.to_pylist(), seen.owners.tolist(), seen.rows)


@pytest.mark.skipif(not (DATA / "safesearch").is_dir(), reason=f"no real data at {DATA}: set MASSIVETEXT_DATA")
def test_real_texts_are_seen_as_python_sees_them() -> None:
    texts = [path.read_text("utf-8", "replace") for path in sorted(DATA.glob("*/*.txt"))]
    texts = [text[i : i + 20_000] for text in texts for i in range(0, min(len(text), 200_000), 20_000)]
    check(texts)
    score = safe_search.measure(pa.array(texts[:50], pa.large_string())).column("safe_search_score").to_numpy()
    assert ((score >= 0) & (score <= 1)).all()
