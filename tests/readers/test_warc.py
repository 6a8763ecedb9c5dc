from __future__ import annotations

import gzip
import io
import random
import zlib
from collections import Counter

import brotli
import lz4.frame
import pytest
import zstandard
from fastwarc.warc import ArchiveIterator, WarcRecordType

from massivetext import readers
from massivetext.readers import archive_entries, warc
from tests.readers.archives import arc, chunked, http, members, page, record, records
from tests.readers.reading import read, reasons

PAGES = [page(i) for i in range(10)]
URLS = [f"http://example.org/{i}" for i in range(10)]


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-15)
    return encoder.compress(data) + encoder.flush()


def dictionary_file(parts: list[bytes], *, packed: bool) -> bytes:
    dictionary = zstandard.train_dictionary(2000, [parts[i % len(parts)][: 200 + i] for i in range(400)])
    content = zstandard.compress(dictionary.as_bytes()) if packed else dictionary.as_bytes()
    encoder = zstandard.ZstdCompressor(dict_data=dictionary)
    frame = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
    return frame + b"".join(encoder.compress(part) for part in parts)


def with_one(**how: object) -> list[bytes]:
    """Ten records, of which number 4 is made differently."""
    return [record(http(page(i)), i, **(how if i == 4 else {})) for i in range(10)]  # type: ignore[arg-type]


plain = b"".join(records())
WHOLE = {
    "plain": plain,
    "gzip members": members(records()),
    "one gzip member": gzip.compress(plain),
    "blocks of gzip": b"".join(gzip.compress(plain[i : i + 100]) for i in range(0, len(plain), 100)),
    "empty members between": b"".join(gzip.compress(part) + gzip.compress(b"") for part in records()),
    "zstd frames": b"".join(zstandard.compress(part) for part in records()),
    "one zstd frame": zstandard.compress(plain),
    "zstd with dictionary": dictionary_file(records(), packed=False),
    "zstd with packed dictionary": dictionary_file(records(), packed=True),
    "lz4": b"".join(lz4.frame.compress(part) for part in records()),
    "version 0.18": b"".join(records(version=b"WARC/0.18")),
    "version 1.1": b"".join(records(version=b"WARC/1.1")),
    "lower-case names": plain.replace(b"WARC-Type", b"warc-type").replace(b"Content-Length", b"content-length"),
    "lines end in LF": b"".join(records(newline=b"\n", end=b"\n\n")),
    "one line end between": b"".join(records(end=b"\r\n")),
    "nothing between": b"".join(records(end=b"")),
    "blank lines before": b"\r\n\r\n" + plain,
    "byte order mark": b"\xef\xbb\xbf" + plain,
    "garbage before": b"garbage\r\nmore of it\r\n\r\n" + plain,
    "garbage between": b"".join(records()[:5]) + b"some garbage\r\nand more\r\n\r\n" + b"".join(records()[5:]),
    "garbage between members": members(records()[:5]) + b"some garbage" + members(records()[5:]),
    "zeros between members": members(records()[:5]) + bytes(1000) + members(records()[5:]),
    "plain after members": members(records()[:5]) + b"".join(records()[5:]),
    "garbage and plain after members": members(records()[:5]) + b"\r\nxyz\r\n\r\n" + b"".join(records()[5:]),
    "ARC, plain after members": members(arc()[:5]) + b"".join(arc()[5:]),
    "no type": plain.replace(b"WARC-Type: response\r\n", b""),
    "a line without colon": plain.replace(b"WARC-Date:", b"Nonsense\r\nWARC-Date:"),
    "folded line": plain.replace(b"WARC-Target-URI: ", b"WARC-Target-URI: \r\n "),
    "URI in brackets": b"".join(record(http(page(i)), i, uri=b"<http://example.org/%d>" % i) for i in range(10)),
    "resources": b"".join(record(page(i), i, kind=b"resource", content_type=b"text/html") for i in range(10)),
    "ARC": b"".join(arc()),
    "ARC members": members(arc()),
}
for name, length in {
    "no": None,
    "short": 60,
    "long": 400,
    "longer": len(http(page(4))) + 9,
    "huge": 10**15,
    "negative": -5,
    "zero": 0,
    "odd": "x",
}.items():
    WHOLE[f"{name} length"] = b"".join(with_one(length=length))
    WHOLE[f"{name} length in members"] = members(with_one(length=length))
    WHOLE[f"{name} length in one member"] = gzip.compress(b"".join(with_one(length=length)))
WHOLE["no lengths at all"] = b"".join(records(length=None))
WHOLE["length twice"] = plain.replace(b"Content-Length: ", b"Content-Length: 3\r\nContent-Length: ")


@pytest.mark.parametrize("name", WHOLE)
def test_every_page_of_an_odd_archive(name: str) -> None:
    found, error = read(WHOLE[name], "warc")

    assert [(r.url, r.page, r.reason) for r in found] == [(u, p, None) for u, p in zip(URLS, PAGES)]
    assert error is None
    assert len({r.offset for r in found}) == 10
    assert [r.offset for r in found] == sorted(r.offset for r in found)


CHUNKS = b"Transfer-Encoding: chunked\r\n"
BODIES = {
    "chunked": (CHUNKS, chunked),
    "chunks without end": (CHUNKS, lambda body: chunked(body)[:-5]),
    "not chunked": (CHUNKS, lambda body: body),
    "gzip": (b"Content-Encoding: gzip\r\n", gzip.compress),
    "x-gzip": (b"Content-Encoding: x-gzip\r\n", gzip.compress),
    "gzip, two members": (
        b"Content-Encoding: gzip\r\n",
        lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]),
    ),
    "gzip without its checksum": (b"Content-Encoding: gzip\r\n", lambda body: gzip.compress(body)[:-8]),
    "gzip not declared": (b"", gzip.compress),
    "not gzip": (b"Content-Encoding: gzip\r\n", lambda body: body),
    "deflate": (b"Content-Encoding: deflate\r\n", zlib.compress),
    "raw deflate": (b"Content-Encoding: deflate\r\n", raw_deflate),
    "not deflate": (b"Content-Encoding: deflate\r\n", lambda body: body),
    "br": (b"Content-Encoding: br\r\n", brotli.compress),
    "not br": (b"Content-Encoding: br\r\n", lambda body: body),
    "zstd": (b"Content-Encoding: zstd\r\n", zstandard.compress),
    "not zstd": (b"Content-Encoding: zstd\r\n", lambda body: body),
    "gzip, chunked": (CHUNKS + b"Content-Encoding: gzip\r\n", lambda body: chunked(gzip.compress(body))),
    "two encodings": (b"Content-Encoding: deflate, gzip\r\n", lambda body: gzip.compress(zlib.compress(body))),
    "unknown encoding": (b"Content-Encoding: utf-8\r\n", lambda body: body),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(name: str) -> None:
    headers, encode = BODIES[name]
    data = b"".join(record(http(encode(page(i)), headers=headers), i) for i in range(10))
    found, error = read(data, "warc")

    assert [r.page for r in found] == PAGES
    assert error is None


def test_a_wrong_chunk_size_costs_no_text() -> None:
    body = chunked(b"<p>one two three four five six</p>").replace(b"a\r\n", b"zz\r\n", 1)
    found, _ = read(record(http(body, headers=CHUNKS)), "warc")

    assert found[0].page == body


def test_an_encoding_that_is_junk_leaves_the_body() -> None:
    for encoding in (b"gzip", b"deflate", b"br", b"zstd"):
        body = b"\x07\x02\xff" * 30
        found, error = read(record(http(body, headers=b"Content-Encoding: " + encoding + b"\r\n")), "warc")

        assert [r.reason for r in found] == [None]
        assert error is None


def test_what_is_no_page_is_skipped_and_what_is_no_response_counted() -> None:
    counts: Counter[str] = Counter()
    data = b"".join(
        [
            record(b"software: x\r\n", kind=b"warcinfo", content_type=b"application/warc-fields"),
            record(b"GET / HTTP/1.1\r\n\r\n", kind=b"request", content_type=b"application/http; msgtype=request"),
            record(http(b"no", status=b"404 Not Found")),
            record(http(b"", status=b"301 Moved")),
            record(http(b"\x89PNG", kind=b"image/png")),
            record(http(b"", status=b"200 OK"), kind=b"revisit"),
            record(b"1.2.3.4", content_type=b"text/dns", uri=b"dns:example.org"),
            record(b"charset-detected: x\r\n", kind=b"metadata", content_type=b"application/warc-fields"),
            record(b"x", kind=b"something"),
            record(http(b"<p>yes</p>", kind=b"Text/HTML; charset=gb2312")),
        ]
    )
    found, error = read(data, "warc", counts=counts)

    assert [r.reason for r in found] == [
        "skipped.http_status",
        "skipped.http_status",
        "skipped.content_type",
        "skipped.revisit",
        "skipped.content_type",
        None,
    ]
    assert found[-1].content_type == "Text/HTML; charset=gb2312"
    assert counts == {"warc.warcinfo": 1, "warc.request": 1, "warc.metadata": 1, "warc.other": 1}
    assert error is None


def test_conversions_are_text() -> None:
    data = record("Grüße\r\nund \0mehr\xad".encode() + b"\xff", kind=b"conversion", content_type=b"text/plain")
    found, _ = read(data, "wet")

    assert found[0].text == "Grüße\nund mehr\xad\ufffd"
    assert found[0].n_replaced == 1
    assert found[0].page is None


def test_a_page_whose_type_is_missing_is_known_by_its_tags() -> None:
    html = b"HTTP/1.1 200 OK\r\n\r\n<!-- x --><!DOCTYPE html><p>x"
    other = b"HTTP/1.1 200 OK\r\n\r\n{}"
    found, _ = read(record(html) + record(other), "warc")

    assert [r.reason for r in found] == [None, "skipped.content_type"]


@pytest.mark.parametrize("encode", [gzip.compress, brotli.compress, zstandard.compress, zlib.compress])
def test_a_bomb_in_a_body_is_one_failed_record(encode) -> None:  # type: ignore[no-untyped-def]
    name = {"gzip": b"gzip", "brotli": b"br", "zstandard": b"zstd", "zlib": b"deflate"}[encode.__module__.split(".")[0]]
    bomb = encode(bytes(warc.MAX_PAGE + 1)) if name != b"br" else encode(bytes(warc.MAX_PAGE + 1), quality=1)
    data = record(http(bomb, headers=b"Content-Encoding: " + name + b"\r\n")) + record(http(page(1)), 1)
    found, error = read(data, "warc")

    assert [r.reason for r in found] == ["failed.too_large", None]
    assert error is None


def test_a_record_longer_than_a_page_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_entries, "MAX_BODY", 1000)
    data = b"".join([record(http(bytes(5000)), 0), record(http(page(1)), 1)])

    assert reasons(read(data, "warc")[0]) == {"failed.too_large": 1, "document": 1}
    assert reasons(read(members([data]), "warc")[0]) == {"failed.too_large": 1, "document": 1}


def test_a_corrupt_member_costs_no_other_record() -> None:
    sound = gzip.compress(records()[4])
    in_checksum, in_text, in_code = bytearray(sound), bytearray(sound), bytearray(sound)
    in_checksum[-6] ^= 0xFF
    in_text[-20] ^= 0xFF
    in_code[10] = 0xFF
    damage = [{"damage": "corrupt"}]
    for bad, rows, marks in (
        *((in_checksum, [], damage), (in_text, [], damage)),
        *((in_code, ["failed.corrupt"], []), (sound[:-30], [], damage)),
    ):
        found, error = read(members(records()[:4]) + bytes(bad) + members(records()[5:]), "warc")
        whole = [r for r in found if not r.metadata]

        assert [r.page for r in whole if r.page] == PAGES[:4] + PAGES[5:]
        assert [r.metadata for r in found if r.metadata] == marks
        assert [r.reason for r in found if r.reason] == rows
        assert error is not None
        assert "1 compressed members are corrupt" in error


def test_what_a_cut_leaves_of_a_record_is_marked() -> None:
    found, error = read(plain[:-30], "warc")

    assert [r.page for r in found[:9]] == PAGES[:9]
    assert PAGES[9].startswith(found[9].page)
    assert [r.metadata for r in found[8:]] == [{}, {"damage": "truncated"}, {}]
    assert [r.reason for r in found[8:]] == [None, None, "failed.truncated"]
    assert error is not None


def test_all_that_a_corrupt_member_gives_before_the_fault() -> None:
    """The decoder fails on a block of input whose first half is sound."""
    pages = [http(b"<p>" + random.Random(i).randbytes(300).hex().encode()) for i in range(40)]
    whole = gzip.compress(b"".join(record(body, i) for i, body in enumerate(pages)))
    bad = bytearray(whole)
    bad[len(bad) // 2 : len(bad) // 2 + 50] = bytes(50)
    found, error = read(bytes(bad), "warc")
    sound = [r for r in found if r.page is not None and not r.metadata]

    assert 18 <= len(sound) <= 20
    assert [http(r.page or b"") for r in sound] == pages[: len(sound)]
    assert error is not None


def test_offsets_differ_where_several_members_are_damaged() -> None:
    bad = [bytearray(gzip.compress(part)) for part in records()]
    for part in bad[2:5]:
        part[40:50] = bytes(10)
    found, error = read(b"".join(bytes(part) for part in bad)[:-10], "warc")

    assert reasons(found) == {"document": 7, "failed.corrupt": 3, "failed.truncated": 1}
    assert len({r.offset for r in found}) == 11
    assert [r.offset for r in found] == sorted(r.offset for r in found)
    assert error is not None


def test_damaged_lines_of_arc() -> None:
    """Of the record's first line the date, the length, or what lies between; of the file the first line."""
    whole = arc()
    body = whole[4].partition(b"\n")[2]
    for line in (
        b"http://a.org/ 1.2.3.4 2008x102030405 text/html %d",
        b"http://a.org/ 1.2.3.4 20080102030405 text/html x",
    ):
        parts = [*whole[:4], (line % len(body[:-1]) if b"%" in line else line) + b"\n" + body, *whole[5:]]
        found, error = read(b"".join(parts), "warc")

        assert [r.page for r in found] == PAGES
        assert found[3].url == "http://a.org/"
        assert error is None
    for head in (b"fil\xffdesc", b"x", b""):
        found, _ = read(head + b"".join(whole).removeprefix(b"filedesc"), "warc")

        assert [r.page for r in found if r.page] == PAGES
    for wrong in (-3, 3, 40, 10**6):
        line = b"http://a.org/ 1.2.3.4 20080102030405 text/html %d\n" % (len(body) - 1 + wrong)
        found, _ = read(b"".join([*whole[:4], line + body, *whole[5:]]), "warc")

        assert [r.page for r in found if r.url != "http://a.org/"] == PAGES[:3] + PAGES[4:]
        assert len(found) == 10


def test_a_file_that_is_no_archive_is_said_to_be_none() -> None:
    found, error = read(random.Random(0).randbytes(5000), "warc")

    assert found == []
    assert error is not None
    assert "no record in it" in error
    assert read(b"", "warc") == ([], None)
    assert read(gzip.compress(b""), "warc") == ([], None)


def test_the_real_archives(shared_data) -> None:  # type: ignore[no-untyped-def]
    documents = {}
    for path in sorted((shared_data / "warc").iterdir()):
        found, error = read(path.read_bytes(), "warc")
        documents[path.name] = reasons(found).get("document")

        assert error is None
        assert len({r.offset for r in found}) == len(found)
    assert documents == {
        "ia-2008.warc.gz": 94,
        "sample-0000.warc.gz": 22,
        "sample-0001.warc.gz": 15,
        "warcfile.warc": 16,
        "warcfile.warc.gz": 16,
        "warcfile.warc.lz4": 16,
        "whirlwind.warc.gz": 1,
        "whirlwind.warc.wet.gz": 1,
    }


def test_as_many_responses_as_fastwarc(shared_data) -> None:  # type: ignore[no-untyped-def]
    for path in sorted((shared_data / "warc").glob("*.warc*")):
        data = path.read_bytes()
        theirs = [
            r.headers.get("WARC-Target-URI", "").strip("<>")
            for r in ArchiveIterator(io.BytesIO(data))
            if r.record_type & (WarcRecordType.response | WarcRecordType.resource | WarcRecordType.conversion)
        ]

        assert [r.url for r in read(data, "warc")[0]] == theirs


def test_cut_anywhere(shared_data) -> None:  # type: ignore[no-untyped-def]
    """60 seeded cuts of every file: every record that ends before the cut is there, and unchanged."""
    random_cut = random.Random(20080430)
    for path in sorted((shared_data / "warc").iterdir()):
        data = path.read_bytes()
        whole = [(r.offset, r.url, r.reason, r.page, r.text) for r in read(data, "warc")[0]]
        # Compressed, a record ends where its member does: at the next record's start at the latest.
        ends = _ends(data)
        cuts = sorted(random_cut.randrange(1, len(data)) for _ in range(60))
        for cut in cuts:
            found, error = read(data[:cut], "warc")
            # What is left of the record in which the cut lies is marked.
            rows = [(r.offset, r.url, r.reason, r.page, r.text) for r in found if not r.metadata]
            complete = sum(end <= cut for end in ends)
            is_cut = bool(rows) and rows[-1][2] == "failed.truncated"
            recovered = rows[:-1] if is_cut else rows

            assert recovered == whole[: len(recovered)]
            assert len(recovered) >= complete
            assert is_cut == (error is not None)


def _ends(data: bytes) -> list[int]:
    """For each listed record of an undamaged file, where in the file its last byte is at the latest."""
    offsets = [r.stream_pos for r in ArchiveIterator(io.BytesIO(data), parse_http=False)]
    listed = {r.offset for r in read(data, "warc")[0]}
    ends = [*offsets[1:], len(data)]
    return [end for offset, end in zip(offsets, ends) if offset in listed]


def test_a_part_is_the_whole_file(tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.warc"
    path.write_bytes(plain)

    assert readers.split(str(path), "warc", size=len(plain), target_bytes=100) == [(0, len(plain))]
    assert len(list(readers.read_part(str(path), "warc", start=0, stop=len(plain)))) == 10
