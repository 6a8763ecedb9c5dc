"""Heads of records read at once: as line by line, or not at all."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from massivetext.readers.archive_entries import Archive, Entry
from massivetext.readers.compression import Block

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


BEGINNING = b"WARC/1.0\r\nWARC-Date: " + 200 * b"2" + b"\r\n"
"""Longer than what is held of a record before its head is read."""


def first_entry(data: bytes, size: int) -> tuple[Entry | None, int, dict[str, int]]:
    """(the first record, how far it goes, what was counted) of content that comes in blocks of this size."""
    counts: dict[str, int] = {}
    archive = Archive(io.BytesIO(data), "file", counts)
    archive.blocks = (Block(at, data[at : at + size], is_plain=True) for at in range(0, len(data), size))
    return archive.entry(), archive.offset(), counts


@given(st.lists(st.tuples(LINES, st.sampled_from(["\r\n"] * 6 + ["\n", "\r\r\n", "\r"])), max_size=8))
@example([("a:b", "\r\n"), (" c", "\r\n"), ("", "\r\n")])
@example([("WARC-Type: response", "\r\n"), ("Content-Length: 3", "\r\n"), (" 1", "\r\n")])
def test_a_head_that_is_held_is_read_as_one_that_comes_byte_by_byte(lines):
    head = "".join(line + end for line, end in lines).encode("utf-8", "surrogateescape")
    data = BEGINNING + head + b"\r\nbod\r\n\r\nWARC/1.0\r\nContent-Length: 0\r\n\r\n\r\n\r\n"

    assert first_entry(data, len(data)) == first_entry(data, 1)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b"Warc-Type: response\r\nContent-Type: text/html", "text/html"),
        (b"Content-Type: text/html\r\nContent-Type: text/plain", "text/html"),
        (b"Content-Type: text/html;\r\n charset=utf-8", "text/html; charset=utf-8"),
        (b"content-type:text/html\nA: b", "text/html"),
    ],
)
@pytest.mark.parametrize("size", [1, 1 << 16])
def test_the_fields_of_a_head(head, expected, size):
    data = BEGINNING + head + b"\r\nContent-Length: 3\r\n\r\nabc\r\n\r\n"
    entry, _, _ = first_entry(data, size)

    assert entry is not None
    assert (entry.content_type, entry.body) == (expected, b"abc")


@pytest.mark.parametrize("after", [b"WARC/1.0\r\nContent-Length: 0\r\n\r\n\r\n\r\n", b"garbage without a record", b""])
def test_what_follows_a_record_that_ends_its_member(after):
    body = b"abc" * 100  # longer than what is held of a record before its head is read
    data = gzip.compress(b"WARC/1.0\r\nContent-Length: 300\r\n\r\n" + body + b"\r\n\r\n")
    counts: dict[str, int] = {}
    archive = Archive(io.BytesIO(data + gzip.compress(after)), "file", counts)
    entry = archive.entry()
    is_at_end = archive.skip_blank()

    assert entry is not None
    assert (entry.body, entry.is_cut, counts) == (body, False, {})
    assert (is_at_end, archive.offset()) == (not after, len(data) if after else 0)
    assert archive.peek(len(after)) == after
