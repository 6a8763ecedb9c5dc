"""Written words: spec section 3, by hand and against the oracle."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from massivetext.contamination.words import located_words, words
from massivetext.text import buffers
from massivetext.text.hashing import fmix
from massivetext.text.words import normal_words, unicode_tables, words_at_most
from tests import oracle
from tests.strategies import texts


def word_hash(word: str) -> int:
    h = 0xCBF29CE484222325
    for c in word:
        h = (h ^ ord(c)) * 0x9E3779B97F4A7C15 & oracle.MASK
    return int(fmix(np.uint64(h)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("日本語の text、です。", ["日", "本", "語", "の", "text", "で", "す"]),
        ("a本b", ["a", "本", "b"]),
        ("ラーメン ﾗｰﾒﾝ ｶﾞ", ["ラ", "ー", "メ", "ン", "ﾗ", "ｰ", "ﾒ", "ﾝ", "ｶ", "ﾞ"]),
        ("か\u3099", ["が"]),  # NFC first
        ("か\u309a", ["か\u309a"]),  # no composition: the mark stays with its letter
        ("ที่นี่", ["ที่", "นี่"]),
        ("ພາສາລາວ", list("ພາສາລາວ")),
        ("ភាសា", ["ភា", "សា"]),
        ("မြန်မာ", ["မြ", "န်", "မာ"]),
        ("བོད་སྐད", ["བོ", "ད", "སྐ", "ད"]),  # the mark between syllables is punctuation
        ("ㄅㄆ ꀀꀁ ᦀᦁ ᨠᨡ", ["ㄅ", "ㄆ", "ꀀ", "ꀁ", "ᦀ", "ᦁ", "ᨠ", "ᨡ"]),
        ("a\u0e34b", ["a", "\u0e34", "b"]),  # a mark of such a script does not belong to another one
        ("本\u0301x", ["本\u0301", "x"]),
        ("本-\u0301x", ["本\u0301", "x"]),  # deletion comes before the cut
        ("so\u00adft ze\u200bro \u2060x\ufeff \u200c", ["soft", "zero", "x"]),
        ("한국어 हिन्दी", ["한국어", "हिन्दी"]),
        ("。、 ！", []),
    ],
)
def test_written_words_by_hand(text: str, expected: list[str]) -> None:
    assert expected == oracle.normalised_words(text)
    assert [word_hash(word) for word in expected] == words(pa.array([text])).hashes.tolist()


@given(texts)
def test_words_equal_the_oracle(text: str) -> None:
    expected = oracle.normalised_words(text)
    located = located_words(text)
    letters = [sum(c.isalpha() for c in word) >= 2 or oracle.is_unspaced(word[0]) for word in expected]

    assert [word_hash(word) for word in expected] == words(pa.array([text])).hashes.tolist() == located.hashes.tolist()
    assert letters == located.telling.tolist()
    assert (located.starts[1:] >= located.starts[:-1]).all()
    assert (located.ends <= len(text)).all()


def test_written_words_know_their_place() -> None:
    located = located_words("(ab) 漢字。c-d か\u3099き")
    places = list(zip(located.starts.tolist(), located.ends.tolist()))

    assert [(0, 4), (5, 6), (6, 8), (8, 11), (12, 14), (14, 15)] == places


@given(texts)
def test_no_more_words_than_there_is_room_for(text: str) -> None:
    data, _ = buffers(pa.array([text], pa.large_string()))
    out = np.empty(2 * len(data) + 4, np.uint64)

    assert normal_words(data, 0, len(data), unicode_tables(), out) <= words_at_most(data, 0, len(data))
