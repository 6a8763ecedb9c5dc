"""Texts that find what is wrong: few words often repeated, every kind of whitespace, bullets, marks, any Unicode."""

from __future__ import annotations

import sys
import unicodedata

from hypothesis import strategies as st

WHITESPACE = "".join(chr(c) for c in range(0x110000) if chr(c).isspace())
PIECES = ["the", "To", "of.", "a", "b", "c", "aa", "#", "...", "....", "…", "-", "*", "+", "–", "•", "1", "é", "e\u0301",
          "İ", "ΑΣ", "\u1112\u1161\u11ab", "한", "\ufeff", "\0", "(that)", "WITH", "𝔘", "q\u0323\u0307", "❤️", "日本語",
          "日本", "本", "a本b", "本。", "か\u3099ー", "ｶﾞ", "ก\u0e34\u0e48น", "\u0e34", "a\u0e34\u0301", "ཀ\u0f72", "so\u00adft",
          "ze\u200bro", "本\u200d\u0301", "\u02ea\u02eb", "\uf900", "-本", "..本..", "\u2adc"]  # fmt: skip
GAPS = [" ", " ", " ", "\n", "\n", "\n\n", "\n \n", "\r\n", "\t", "\u2028", "\x1c", "\x85", "\u3000", "  "]


def is_told_alike(character: str) -> bool:
    """Whether this Python knows the character as the program's tables do, which are those of Unicode 14.0 (3.11).

    Other versions of Python have other versions of Unicode. They agree on what Unicode 3.2 had already.
    """
    return sys.version_info[:2] == (3, 11) or unicodedata.ucd_3_2_0.category(character) != "Cn"


CHARACTERS = st.characters(exclude_categories=["Cs"]).filter(is_told_alike)

words = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(GAPS)), max_size=60)
texts = st.one_of(
    words.map(lambda pairs: "".join(word + gap for word, gap in pairs)),
    st.lists(st.sampled_from(["a ", "b ", "c\n", "d\n\n"]), max_size=80).map("".join),
    st.text(st.one_of(CHARACTERS, st.sampled_from(WHITESPACE)), max_size=80),
)
