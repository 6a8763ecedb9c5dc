"""Every code point against the interpreter's own answers, where it has Unicode 14.0: Python 3.11."""

from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.text import clean, decode
from massivetext.text.normal import normalise
from massivetext.text.unicode import ALNUM, ALONE, ALPHA, DELETED, MARK, NFC_MAYBE, SPACE, tables
from tests import oracle
from tests.strategies import CHARACTERS

needs_unicode_14 = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="needs Unicode 14.0: Python 3.11")
POINTS = [c for c in range(0x110000) if not 0xD800 <= c < 0xE000]


@needs_unicode_14
def test_classes_and_case_of_every_code_point() -> None:
    flags, lower = tables().flags.tolist(), tables().lower.tolist()
    wrong = []
    for c in POINTS:
        character, flag = chr(c), flags[c]
        category = unicodedata.category(character)
        if (
            (flag & SPACE > 0) != character.isspace()
            or (flag & ALPHA > 0) != character.isalpha()
            or (flag & ALNUM > 0) != character.isalnum()
            or (flag & DELETED > 0) != (category[0] in "PS" or category == "Cf")
            or (flag & MARK > 0) != (category[0] == "M")
            or (flag & ALONE > 0) != oracle.is_unspaced(character)
            or chr(lower[c]) != character.lower()[0]
        ):
            wrong.append(hex(c))

    assert [] == wrong


@needs_unicode_14
def test_nfc_of_every_code_point_in_one_text() -> None:
    text = "".join(map(chr, POINTS))

    assert unicodedata.normalize("NFC", text) == normalise(text, tables())


MARKED = st.sampled_from([chr(c) for c in np.flatnonzero(tables().flags & NFC_MAYBE) if not 0xD800 <= c < 0xE000])
COMPOSING = st.text(st.one_of(MARKED, st.characters(exclude_categories=["Cs"]), st.sampled_from("aeiouAEIOU가각")))


@needs_unicode_14
@given(COMPOSING)
def test_nfc_of_sequences(text: str) -> None:
    assert unicodedata.normalize("NFC", text) == normalise(text, tables())


@given(st.text(CHARACTERS))
def test_a_text_without_marked_code_points_is_in_nfc(text: str) -> None:
    if not any(tables().flags[ord(c)] & NFC_MAYBE for c in text):
        assert unicodedata.is_normalized("NFC", text)


@needs_unicode_14
@pytest.mark.parametrize(
    ("name", "n_named_otherwise"),
    # Names of Unicode are an independent source; what is named otherwise is listed by hand in the comment.
    [
        ("THAI ", 1),  # U+0E3F, the currency symbol
        ("LAO ", 0),
        ("KHMER ", 0),
        ("MYANMAR ", 0),
        ("TIBETAN ", 0),
        ("TAI THAM ", 0),
        ("NEW TAI LUE ", 0),
        ("YI ", 0),
        ("HIRAGANA LETTER ", 0),
        ("KATAKANA LETTER ", 0),
        ("HALFWIDTH KATAKANA ", 1),  # U+FF65, the middle dot
        ("BOPOMOFO ", 0),
        ("CJK UNIFIED IDEOGRAPH", 0),
        ("CJK COMPATIBILITY IDEOGRAPH", 0),
    ],
)
def test_scripts_without_spaces_by_their_names(name: str, n_named_otherwise: int) -> None:
    named = [c for c in POINTS if unicodedata.name(chr(c), "").startswith(name)]
    others = [hex(c) for c in named if not tables().flags[c] & ALONE]

    assert named
    assert n_named_otherwise == len(others), others


@pytest.mark.parametrize("char", "a1é한ㄱαя�،אहა\u3001\u3002\u30fb\u0e3f\u1950")
def test_other_scripts_have_spaces(char: str) -> None:
    assert 0 == tables().flags[ord(char)] & ALONE


def test_tables_do_not_depend_on_the_interpreter() -> None:
    # U+16D40 became a letter in Unicode 16.0, U+1DFA a combining mark in 14.0.
    t = tables()

    assert 0 == t.flags[0x16D40] & (ALPHA | ALNUM)
    assert 218 == t.ccc[0x1DFA]


def test_a_thousand_marks_on_one_letter_are_put_in_order() -> None:
    text = "a" + "\u0302\u0323" * 500

    assert unicodedata.normalize("NFC", text) == normalise(text, tables())


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("\ufeffa\ufeff", "a\ufeff"),
        ("a\r\nb\rc\n\rd", "a\nb\nc\n\nd"),
        ("a\0b\ud800c", "abc"),
        ("\0\ufeffa", "\ufeffa"),
        ("", ""),
    ],
)
def test_clean(raw: str, expected: str) -> None:
    assert expected == clean(raw)


def test_undecodable_bytes_are_counted() -> None:
    assert ("a\ufffdb\ufffd", 1) == decode(b"a\xffb\xef\xbf\xbd")
    assert ("é", 0) == decode("é".encode())
    assert pa.array(["é"])[0].as_py() == decode(b"\xef\xbb\xbf\xc3\xa9")[0]
