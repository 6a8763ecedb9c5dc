"""Web archives: types that are not declared, segments, members after plain records, bombs, and WACZ."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections import Counter

import pytest
import zstandard

from massivetext.readers import archive_entries, compression, http, warc
from tests.readers.archives import http as response
from tests.readers.archives import members, page, record, records
from tests.readers.reading import read, reasons

PAGES = [page(i) for i in range(10)]


@pytest.mark.parametrize(
    "beginning",
    [
        *(
            b"<!doctype HTML>",
            b"<html>",
            b"<HEAD>",
            b"<script>",
            b"<iframe src=x>",
            b"<h1>",
            b"<div class=x>",
            b"<font>",
        ),
        *(b"<table>", b"<a href=x>", b"<style>", b"<title>x", b"<b>", b"<body>", b"<br/>", b"<p>", b"<!-- x -->text"),
        *(
            b"<meta charset=utf-8>",
            b"\xef\xbb\xbf<p>",
            b" \r\n\t<p>",
            b"<!-- a --><!-- b --><table>",
            b"<h6>",
            b"<link rel=x>",
        ),
        *(
            b"<?xml version='1.0'?><html>",
            b"<?xml version='1.0'?>\n<!-- x -->\n<!DOCTYPE html>",
            "\ufeff<p>".encode("utf-16-le"),
        ),
    ],
)
def test_pages_by_their_first_tags(beginning: bytes) -> None:
    assert http.is_html(None, beginning + b"words")
    assert http.is_html("unknown/unknown", beginning)
    assert not http.is_html("image/png", beginning)


@pytest.mark.parametrize(
    "beginning",
    [
        *(
            b"",
            b"words",
            b"{}",
            b"<rss>",
            b"<svg>",
            b"<?xml version='1.0'?><feed>",
            b"<pp>",
            b"<abc>",
            b"<p",
            b"<!-- x -->",
        ),
        *(
            b"<!-- x --><svg>",
            b"%PDF-1.4",
            b"<bold>",
            b"< p>",
            b"words <p>",
            b"<urlset xmlns=x>",
            b"<!DOCTYPE svg>",
            b"\0<p>",
        ),
    ],
)
def test_what_no_first_tag_makes_a_page(beginning: bytes) -> None:
    assert not http.is_html(None, beginning)


def identified(kind: bytes, body: bytes, declared: bytes = b"") -> bytes:
    message = b"HTTP/1.1 200 OK\r\n" + declared + b"\r\n" + body
    return record(message).replace(b"WARC-Date", b"WARC-Identified-Payload-Type: " + kind + b"\r\nWARC-Date")


@pytest.mark.parametrize(
    ("kind", "declared", "is_page"),
    [
        (b"text/html", b"", True),
        (b"application/xhtml+xml", b"", True),
        (b"image/png", b"", False),
        (b"text/html", b"Content-Type: image/png\r\n", False),
        (b"text/html", b"Content-Type: unknown\r\n", True),
        (b"text/plain", b"Content-Type: text/html\r\n", True),
    ],
)
def test_the_type_that_a_crawler_identified(kind: bytes, declared: bytes, is_page: bool) -> None:
    found, error = read(identified(kind, b"words", declared), "warc")

    assert [b"words" if is_page else None] == [r.page for r in found]
    assert error is None


def segment(number: int, body: bytes, origin: str = "<urn:a>", *, is_last: bool = False) -> bytes:
    kind = b"response" if number == 1 else b"continuation"
    lines = f"WARC-Segment-Number: {number}\r\n"
    lines += f"WARC-Record-ID: {origin}\r\n" if number == 1 else f"WARC-Segment-Origin-ID: {origin}\r\n"
    lines += "WARC-Segment-Total-Length: 999\r\n" if is_last else ""
    return record(body, number, kind=kind).replace(b"WARC-Date", lines.encode() + b"WARC-Date")


def cut(body: bytes, n: int = 3) -> list[bytes]:
    size = -(-len(body) // n)
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("between", [False, True])
@pytest.mark.parametrize("encode", [b"".join, members])
def test_segments_are_put_together_in_the_place_of_the_first(encode, between: bool) -> None:  # type: ignore[no-untyped-def]
    pieces = cut(response(PAGES[1]))
    other = [record(response(PAGES[2]), 2)] if between else []
    parts = [
        record(response(PAGES[0]), 0),
        segment(1, pieces[0]),
        *other,
        segment(2, pieces[1]),
        segment(3, pieces[2], is_last=True),
        record(response(PAGES[3]), 3),
    ]
    counts: Counter[str] = Counter()
    found, error = read(encode(parts), "warc", counts=counts)
    expected = [PAGES[0], PAGES[1], *([PAGES[2]] if between else []), PAGES[3]]

    assert expected == [r.page for r in found]
    assert [r.offset for r in found] == sorted({r.offset for r in found})
    assert [{}] * len(found) == [dict(r.metadata) for r in found]
    assert 2 == counts["warc.continuation"]
    assert error is None


def test_two_records_whose_segments_are_mixed() -> None:
    first, second = cut(response(PAGES[0]), 2), cut(response(PAGES[1]), 2)
    data = b"".join(
        [
            segment(1, first[0], "<urn:a>"),
            segment(1, second[0], "<urn:b>"),
            segment(2, second[1], "<urn:b>", is_last=True),
            segment(2, first[1], "<urn:a>", is_last=True),
        ]
    )

    assert PAGES[:2] == [r.page for r in read(data, "warc")[0]]


def test_segments_that_are_missing_are_marked() -> None:
    whole = response(PAGES[1])
    pieces = [whole[:-20], whole[-20:-9], whole[-9:]]
    for parts in ([1], [1, 3], [1, 2]):
        data = b"".join(segment(i, pieces[i - 1], is_last=i == 3) for i in parts) + record(response(PAGES[2]), 2)
        found, error = read(data, "warc")

        assert [True, True] == [r.page is not None for r in found]
        assert PAGES[1].startswith(found[0].page or b"?")
        assert [{"damage": "segmented"}, {}] == [dict(r.metadata) for r in found]
        assert error is None
    counts: Counter[str] = Counter()
    assert [] == read(segment(2, b"x"), "warc", counts=counts)[0]
    assert {"warc.continuation": 1} == counts


def test_what_waits_for_a_segment_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warc, "WAITING_BYTES", 1000)
    data = segment(1, response(PAGES[0])) + b"".join(records()) * 3
    found, _ = read(data, "warc")

    assert 31 == len(found)
    assert [{"damage": "segmented"}] + [{}] * 30 == [dict(r.metadata) for r in found]


@pytest.mark.parametrize("encode", [gzip.compress, zstandard.compress])
def test_members_after_plain_records(encode) -> None:  # type: ignore[no-untyped-def]
    if encode is zstandard.compress:
        return
    parts = records()
    for plain, packed in ((5, 5), (1, 9), (9, 1)):
        data = b"".join(parts[:plain]) + members(parts[plain:])
        found, error = read(data, "warc")

        assert PAGES == [r.page for r in found]
        assert [data[r.offset :][:2] for r in found] == [b"WA"] * plain + [b"\x1f\x8b"] * packed
        assert error is None
    mixed = b"".join(part if i // 2 % 2 else gzip.compress(part) for i, part in enumerate(parts))
    found, error = read(mixed, "warc")

    assert PAGES == [r.page for r in found]
    assert [r.offset for r in found] == sorted({r.offset for r in found})
    assert error is None


def test_a_bomb_costs_its_own_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BOMB_BYTES", 8 << 20)
    monkeypatch.setattr(compression, "BOMB_RATIO", 50)
    monkeypatch.setattr(archive_entries, "MAX_BODY", 1 << 20)
    parts = records()
    parts[4] = record(bytes(64 << 20), 4)
    parts[6] = record(bytes(64 << 20), 6)
    for encode in (members, lambda parts: b"".join(map(zstandard.compress, parts))):
        counts: Counter[str] = Counter()
        found, error = read(encode(parts), "warc", counts=counts)

        assert [PAGES[i] for i in range(10) if i not in (4, 6)] == [r.page for r in found if r.page]
        assert {"document": 8, "failed.bomb": 2} == reasons(found)
        if encode is members:  # a zstd frame gives all of a bomb at once, its header too
            assert ["http://example.org/4", "http://example.org/6"] == [r.url for r in found if r.reason]
        assert 2 == counts["bombs"]
        assert error is None


def wacz(archives: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        archive.writestr("datapackage.json", "{}")
        archive.writestr("pages/pages.jsonl", '{"format": "json-pages-1.0"}')
        archive.writestr("indexes/index.cdx.gz", gzip.compress(b"x", mtime=0))
        for name, data in archives.items():
            archive.writestr(name, data)
    return sink.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_wacz(method: int) -> None:
    archives = {"archive/a.warc.gz": members(records()[:5]), "archive/b.warc": b"".join(records()[5:])}
    counts: Counter[str] = Counter()
    found, error = read(wacz(archives, method), "wacz", counts=counts)

    assert PAGES == [r.page for r in found]
    assert [r.offset for r in found] == sorted({r.offset for r in found})
    assert error is None
    damaged = bytearray(archives["archive/a.warc.gz"])
    damaged[30:40] = bytes(10)
    found, error = read(wacz({**archives, "archive/a.warc.gz": bytes(damaged)}, method), "wacz")

    assert PAGES[1:] == [r.page for r in found if r.page]
    assert ["failed.corrupt"] == [r.reason for r in found if r.reason]
    assert "archive/a.warc.gz: 1 compressed members are corrupt" in str(error)
    assert "no WARC file in it" in str(read(wacz({}, method), "wacz")[1])
    assert "not a WACZ file" in str(read(b"x", "wacz")[1])


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.html", b"<p>words", (b"<p>words", None, None)),
        ("a.htm", b"words", (b"words", None, None)),
        ("a.xhtml", b"<html>", (b"<html>", "application/xhtml+xml", None)),
        ("a.html.gz", gzip.compress(b"<p>x", mtime=0), (b"<p>x", None, None)),
        ("a", b"<!doctype html>x", (b"<!doctype html>x", None, None)),
        ("a.css", b"p { }", (None, None, "skipped.content_type")),
        ("a.html", b"\x89PNG\r\n\x1a\n", (None, None, "skipped.content")),
        ("a.html", b"", (b"", None, None)),
    ],
)
def test_pages_in_files(tmp_path, name: str, data: bytes, expected: tuple[object, ...]) -> None:  # type: ignore[no-untyped-def]
    from massivetext import readers

    (tmp_path / name).write_bytes(data)
    found = list(readers.read_part(str(tmp_path / name), "html", start=0, stop=1))

    assert [expected] == [(r.page, r.content_type, r.reason) for r in found]


def test_the_address_that_a_browser_saved() -> None:
    saved = b"<!DOCTYPE html>\r\n<!-- saved from url=(0029)http://www.example.com/page -->\r\n<p>x"
    mirrored = b"<html><!-- Mirrored from example.com/a.html by HTTrack Website Copier/3.x --><p>x"

    assert ["http://www.example.com/page"] == [r.url for r in read(saved, "html")[0]]
    assert ["http://example.com/a.html"] == [r.url for r in read(mirrored, "html")[0]]
    assert [None] == [r.url for r in read(b"<!-- saved from url=(0014)about:internet --><p>x", "html")[0]]


def test_a_page_that_is_cut() -> None:
    found, error = read(gzip.compress(b"<!doctype html><p>words", mtime=0)[:-4], "html")

    assert [(b"<!doctype html><p>words", {"damage": "truncated"}), (None, {})] == [
        (r.page, dict(r.metadata)) for r in found
    ]
    assert error is not None
