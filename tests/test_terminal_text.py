"""Text of documents, URLs and sources on a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext.terminal_text import counted, one_line, safe_json, visible, visible_name

HOSTILE = "\x1b]0;title\x07\x9b31m\u202egpj.exe\u2066\u200b\ufeff\U000e0041\r\x08\x7f"


def test_what_a_terminal_would_obey_is_escaped() -> None:
    shown = visible(HOSTILE)

    assert shown.isprintable()
    assert shown.startswith("\\x1b]0;title\\x07\\x9b31m\\u202egpj.exe\\u2066\\u200b\\ufeff\\U000e0041\\x0d\\x08\\x7f")


def test_a_name_stays_on_its_line() -> None:
    assert "http://a/\\nkept: all" == visible_name("http://a/\nkept: all")
    assert "a\\tb" == visible_name("a\tb")
    assert "7" == visible_name(7)


def test_the_beginning_of_a_text_on_one_line() -> None:
    assert "a b c" == one_line(" a\n\tb \u00a0c\n")
    assert "aaaaa ..." == one_line("a" * 9, 5)
    assert "aaaaa" == one_line("a" * 5, 5)
    assert one_line("x\x1by") == "x\\x1by"


@pytest.mark.parametrize(("n", "words"), [(0, "0 copies"), (1, "1 copy"), (2000, "2,000 copies")])
def test_numbers_have_their_noun(n: int, words: str) -> None:
    assert words == counted(n, "copy", "copies")


@given(st.text())
def test_json_keeps_its_data(text: str) -> None:
    shown = safe_json(json.dumps({"text": text + HOSTILE}, ensure_ascii=False))

    assert {"text": text + HOSTILE} == json.loads(shown)
    assert not set(shown) & set("\x1b\x9b\u202e\ufeff\U000e0041\x7f")
