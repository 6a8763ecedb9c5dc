"""Resolved texts: lines are tidied where a resolved entity or a dropped character leaves blanks, and only there."""

import html
import random
import re

import pytest

from massivetext.extraction.finish import resolve

PIECES = ["a", " ", "\t", "\n", "\n", "\xa0", "\u200b", "&nbsp;", "\r", "\u2003", "&#10;", "&#32;"]


def plainly_resolved(text: str) -> str:
    """The same, with every line tidied whether it needs it or not."""
    text = html.unescape(text)
    shown = re.sub("[\u00ad\u200b\u2060\ufeff]", "", text.replace("\xa0", " "))
    if "\xa0" not in text and len(shown) == len(text):
        return text
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip(" \t") for line in shown.split("\n")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\xa0\nb", "a\nb"),
        ("a\xa0b\t\nc", "a b\nc"),
        ("a\xa0b\n c\t", "a b\n c"),
        ("a\xa0", "a"),
        ("a\n\u200b\n\nb", "a\n\nb"),
        ("a\n\xa0\n\nb", "a\n\nb"),
        ("a \n\n\n b ", "a \n\n\n b "),
    ],
)
def test_blanks_at_ends_of_lines(text, expected):
    assert resolve(text) == expected


def test_as_if_every_line_was_tidied():
    chance = random.Random(0)
    for _ in range(5000):
        text = "".join(chance.choice(PIECES) for _ in range(chance.randrange(14)))

        assert plainly_resolved(text) == resolve(text), text
