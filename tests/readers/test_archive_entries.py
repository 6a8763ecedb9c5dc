"""Heads of records read at once: as line by line, or not at all."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from massivetext.readers.archive_entries import Archive

LINES = st.sampled_from(
    [
        *(
            "WARC/1.0",
            "WARC-Type: response",
            "warc-type:request",
            "Content-Length: 3",
            "no colon",
            "",
            " ",
            "\t",
            "\x0b",
        ),
        *(
            " folded",
            "\tfolded: twice",
            " : ",
            ":",
            "a:",
            "A : b : c",
            "\u00a0",
            "url: \u00fc\u4e2d",
            "bad: \udcff",
            "x\x85: y",
        ),
    ]
)


def opened(head: bytes) -> Archive:
    archive = Archive(io.BytesIO(head), "file", {})
    archive.more()
    return archive


@given(st.lists(st.tuples(LINES, st.sampled_from(["\r\n"] * 6 + ["\n", "\r\r\n", "\r"])), max_size=8))
@example([("a:b", "\r\n"), (" c", "\r\n"), ("", "\r\n")])
def test_a_head_that_is_read_at_once_is_as_line_by_line(lines):
    head = "".join(line + end for line, end in lines).encode("utf-8", "surrogateescape") + b"\r\n\r\nbody\r\n\r\n"
    at_once, slowly = opened(head), opened(head)
    fields = at_once._plain_head()
    expected, is_cut = slowly._head()

    if fields is None:
        assert at_once.at == 0
    else:
        assert (fields, at_once.at, False) == (expected, slowly.at, is_cut)


@pytest.mark.parametrize(
    ("head", "is_plain"),
    [
        (b"WARC/1.0\r\nA: b\r\nC: d\r\n\r\n", True),
        (b"WARC/1.0\r\nA: b\r\nA: c\r\n\r\n", True),
        (b"WARC/1.0\nA: b\n\n", False),
        (b"WARC/1.0\r\nA: b\r\n c\r\n\r\n", False),
        (b"WARC/1.0\r\nA: b\r\n", False),  # the rest of it is still to come
    ],
)
def test_heads_as_crawlers_write_them_are_read_at_once(head, is_plain):
    assert (opened(head)._plain_head() is not None) == is_plain
