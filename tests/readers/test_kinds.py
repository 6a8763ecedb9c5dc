"""What a file is that is no text, by how it begins."""

from __future__ import annotations

import pytest

from massivetext.readers.kinds import kind_of


@pytest.mark.parametrize("comment", [b"<!---->", b"<!-- a -->\n"])
def test_a_hundred_comments_at_the_beginning_take_no_time(comment: bytes) -> None:
    """A pattern that could end a comment at any later `-->` tried 2^99 ways."""
    assert kind_of(comment * 100 + b"text") is None
    page = kind_of(comment * 100 + b"<html>")
    assert page is not None
    assert page.name == "HTML"
