from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from massivetext.readers import epub, text
from tests.readers.reading import read

BODY = "CHAPTER I\n\nIt was a dark and stormy night.\n"
HEADER = "The Project Gutenberg eBook of Something\n\nTitle: Something\nAuthor: A. Body  \n\n"
START = "*** START OF THE PROJECT GUTENBERG EBOOK SOMETHING ***\n\n\n"
END = "\n\n*** END OF THE PROJECT GUTENBERG EBOOK SOMETHING ***\n"
LICENCE = "\nSection 1. General Terms of Use\n" * 200


def one(data: bytes):  # type: ignore[no-untyped-def]
    found, error = read(data, "text")

    assert len(found) == 1
    return found[0], error


def test_a_file_is_a_document() -> None:
    record, error = one(b"\xef\xbb\xbf# Title\r\n\r\n    code\r\nend \xff")

    assert record.text == "# Title\n\n    code\nend \ufffd"
    assert (record.offset, record.n_replaced, error) == (0, 1, None)
    assert one(b"")[0].text == ""
    assert one(gzip.compress(b"packed"))[0].text == "packed"
    assert one("première".encode("utf-16"))[0].text == "première"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (START, END),
        (START.replace("THE PROJECT", "THIS PROJECT"), END.replace("THE PROJECT", "THIS PROJECT")),
        (START.replace("EBOOK SOMETHING ***", "EBOOK A LONG TITLE THAT GOES\nON AND ON ***"), END),
        (
            "*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*Ver.04.29.93*END*\n\n",
            "\n\nEnd of Project Gutenberg's Something\n",
        ),
        (START, "\n\nEnd of the Project Gutenberg EBook of Something, by A. Body\n\n" + END),
    ],
)
def test_gutenberg(start: str, end: str) -> None:
    record, _ = one((HEADER + start + BODY + end + LICENCE).encode())

    assert record.text == BODY
    assert dict(record.metadata) == {"title": "Something", "author": "A. Body"}


def test_a_text_that_only_mentions_gutenberg_is_left_alone() -> None:
    for body in ("End of Project Gutenberg is near, he said.\nAnd went on.\n", BODY):
        assert one(body.encode())[0].text == body


def test_a_book_beyond_the_limit() -> None:
    from massivetext.readers.compression import blocks

    assert text.read_text(blocks(io.BytesIO(b"x" * 100), source="file"), limit=100) == b"x" * 100
    assert text.read_text(blocks(io.BytesIO(b"x" * 101), source="file"), limit=100) is None


CONTAINER = '<container><rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>'
PACKAGE = """<package xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata><dc:title>A  Book</dc:title>
<dc:creator>A. Body</dc:creator><dc:language>en</dc:language></metadata><manifest>
<item id="c2" href="two%20.xhtml" media-type="application/xhtml+xml"/>
<item id="c1" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml"/>
<item id="out" href="../../../etc/passwd" media-type="application/xhtml+xml"/>
<item id="img" href="a.png" media-type="image/png"/></manifest>
<spine><itemref idref="c1"/><itemref idref="out"/><itemref idref="img"/><itemref idref="nav" linear="no"/>
<itemref idref="c2"/></spine></package>"""
FILES = {
    "META-INF/container.xml": CONTAINER,
    "OPS/book.opf": PACKAGE,
    "OPS/text/one.xhtml": "<html><head><title>no</title></head><body><h1>One</h1><p>A &amp; b.</p></body></html>",
    "OPS/two .xhtml": "<html><body><p>Second.</p></body></html>",
    "OPS/nav.xhtml": "<html><body><p>Contents</p></body></html>",
}


def book(files: dict[str, str]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", "application/epub+zip", zipfile.ZIP_STORED)
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def test_epub() -> None:
    record, error = one(book(FILES))

    assert [line for line in (record.text or "").split("\n") if line] == ["One", "A & b.", "Second."]
    assert dict(record.metadata) == {
        "title": "A Book",
        "author": "A. Body",
        "language": "en",
        "chapters_unreadable": "1",
    }
    assert error is None


def test_an_epub_with_entities_is_refused() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><package>&b;</package>'
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><package>&a;</package>'
    for package in (bomb, outside):
        record, error = one(book({**FILES, "OPS/book.opf": package}))

        assert record.reason == "failed.corrupt"
        assert error is not None
        assert "declares the entity" in error


def test_epubs_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = book(FILES)
    assert one(whole[: len(whole) // 2])[0].reason == "failed.truncated"
    assert one(book({**FILES, "META-INF/container.xml": "<container/>"}))[0].text is not None
    nothing = {"META-INF/container.xml": "<container/>", "a.txt": "x"}
    assert one(book(nothing))[0].reason == "failed.corrupt"
    assert "A & b." in (one(book({**FILES, "OPS/book.opf": "<package/>"}))[0].text or "")
    empty = "<html><body/></html>"
    assert one(book({**FILES, "OPS/text/one.xhtml": empty, "OPS/two .xhtml": empty}))[0].reason == "failed.corrupt"
    encrypted = '<encryption><CipherReference URI="OPS/text/one.xhtml"/></encryption>'
    assert one(book({**FILES, "META-INF/encryption.xml": encrypted}))[0].reason == "failed.encrypted"
    monkeypatch.setattr(epub, "MAX_TEXT", 1000)
    assert one(book({**FILES, "OPS/two .xhtml": "x" * 2000}))[0].reason == "failed.too_large"


def test_the_real_books(shared_data: Path) -> None:
    for path in sorted((shared_data / "books").iterdir()):
        record, error = one(path.read_bytes())

        assert record.text == path.read_text("utf-8")
        assert error is None
