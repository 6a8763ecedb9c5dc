"""Malformed web archives, against fastwarc and (where it is installed) warcio: `python tests/fuzz/fuzz_archives.py`.

Archives are built of records of all kinds with faults of all kinds, packed in all ways, and some are then damaged byte
by byte. What must hold for every file: no more than SourceError, no input over 10 s, as many responses as the better of
the two libraries gives, and of every response that is undamaged its page, as the libraries decode it.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import random
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import brotli
import lz4.frame
import zstandard
from fastwarc.warc import ArchiveIterator, WarcRecordType

from massivetext import readers
from massivetext.documents import Record
from massivetext.errors import SourceError
from tests.fuzz.driver import Target, main, mutated
from tests.readers import archives

with contextlib.suppress(ImportError), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from warcio.archiveiterator import ArchiveIterator as WarcioIterator

VERSIONS = (b"WARC/0.17", b"WARC/0.18", b"WARC/1.0", b"WARC/1.1")


def _raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


ENCODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": lambda data: gzip.compress(data, mtime=0),
    b"x-gzip": lambda data: gzip.compress(data, mtime=0),
    b"br": brotli.compress,
    b"zstd": zstandard.compress,
    b"deflate": zlib.compress,
    b"Deflate": _raw_deflate,
}


class Archive(NamedTuple):
    """data: the file; pages: by URL, the page of each response whose record is as it should be."""

    data: bytes
    pages: dict[str, bytes]


def _page(number: int, chance: random.Random) -> bytes:
    words = " ".join(chance.choice(("alpha", "beta", "WARC/1.0", "gamma\r\n\r\n", "delta")) for _ in range(20))
    return f"<html><body><p>page {number}</p><p>{words}</p></body></html>".encode() + b"x" * chance.choice((0, 9, 3000))


def _message(page: bytes, chance: random.Random) -> tuple[bytes, bool]:
    """(an HTTP response, whether a reader should get the page)."""
    headers, body, is_well = b"", page, True
    if chance.random() < 0.4:
        names = chance.choices(list(ENCODINGS), k=chance.choice((1, 1, 1, 2)))
        for name in names:
            body = ENCODINGS[name](body)
        headers += chance.choice((b"Content-Encoding: ", b"content-encoding:")) + b", ".join(names) + b"\r\n"
        fault = chance.random()
        if fault < 0.1:
            body, is_well = body[: len(body) // 2], False
        elif fault < 0.2:
            body, is_well = page, False  # the crawler had unpacked it
    if chance.random() < 0.3:
        body = archives.chunked(body, chance.choice((7, 100, 4096)))
        headers += b"Transfer-Encoding: chunked\r\n"
        fault = chance.random()
        if fault < 0.3:
            is_well = False
            body = chance.choice((body[:-5], body[: len(body) // 2], b"zz\r\n" + body, body.replace(b"\r\n", b"\n")))
    headers += chance.choice(
        (b"", b"", b"X: a\r\n folded\r\n", b"X: " + bytes(range(128, 160)) + b"\r\n", b"no colon\r\n")
    )
    headers += b"Content-Length: %d\r\n" % chance.choice((len(body), len(body), 0, 10**9))
    status = chance.choice((b"200 OK", b"200 OK", b"200", b"203 Non", b"404 Not Found", b"301 Moved"))
    return archives.http(body, headers=headers, status=status), is_well and status.startswith(b"200")


def _record(number: int, chance: random.Random, faults: float) -> tuple[bytes, str | None, bytes | None]:
    """(a record, its URL if it is undamaged, its page)."""
    page = _page(number, chance)
    body, is_well = _message(page, chance)
    kind, content_type = chance.choice(
        (
            *((b"response", b"application/http; msgtype=response"),) * 6,
            (b"request", b"application/http; msgtype=request"),
            (b"revisit", b"application/http; msgtype=response"),
            (b"metadata", b"application/warc-fields"),
            (b"warcinfo", b"application/warc-fields"),
            (b"resource", b"text/html"),
            (b"conversion", b"text/plain"),
        )
    )
    if kind == b"resource":
        body = page
    newline = chance.choice((b"\r\n",) * 9 + (b"\n",))
    uri = b"http://example.org/%d" % number + chance.choice(
        (b"", b"", b" a b", b"?x=%zz", b"#\xc3\xa9", b"/" + b"u" * 3000)
    )
    name = chance.choice((None, None, None, str.lower, str.upper, str.title))
    lines = [
        (b"WARC-Type", kind),
        (b"WARC-Date", b"2020-01-01T00:00:00Z"),
        (b"WARC-Target-URI", uri if chance.random() < 0.9 else b"<" + uri + b">"),
        (b"WARC-Record-ID", b"<urn:uuid:%032x>" % number),
        (b"Content-Type", content_type),
        (b"Content-Length", b"%d" % len(body)),
    ]
    if chance.random() < 0.2:
        chance.shuffle(lines)
    if chance.random() < 0.1:
        lines.insert(chance.randrange(7), (b"X-Long", b"y" * chance.choice((100, 70_000, 300_000))))
    if chance.random() < 0.1:
        lines.insert(chance.randrange(7), (b"X-Odd", chance.choice((b"\xff\xfe", b"a\0b", b"", b"a\r\n\tb"))))
    end = b"\r\n\r\n" if newline == b"\r\n" else b"\n\n"
    if chance.random() < faults:
        is_well = False
        fault = chance.randrange(9)
        place = [key for key, _ in lines].index(b"Content-Length")
        if fault == 0:
            del lines[place]
        elif fault == 1:
            wrong = chance.choice((0, 1, -1, 5, -5, 100, 10**12, len(body) // 2, -(10**6)))
            lines[place] = (b"Content-Length", b"%d" % (len(body) + wrong))
        elif fault == 2:
            lines[place] = (
                b"Content-Length",
                chance.choice((b"", b"x", b"0x10", b"1e3", b"+5", b"-0", b"9" * 30, b"12 34")),
            )
        elif fault == 3:
            lines.insert(place, (b"Content-Length", chance.choice((b"0", b"7", b"%d" % len(body)))))
        elif fault == 4:
            end = chance.choice((b"", b"\r\n", b"\n", b"\r\n" * 7, b"\0\0\0"))
        elif fault == 5:
            end += chance.choice((b"garbage\r\n", b"WARC\r\n", chance.randbytes(99), b"HTTP/1.1 200 OK\r\n\r\n"))
        elif fault == 6:
            body = body[: len(body) // 2]
        elif fault == 7:
            lines = [line for line in lines if line[0] != chance.choice((b"WARC-Type", b"WARC-Date", b"Content-Type"))]
        else:
            lines.insert(chance.randrange(len(lines)), (chance.choice((b"nonsense", b"\0", b" : ")), b""))
    head = newline.join(
        key.decode().__class__(name(key.decode()) if name else key.decode()).encode()
        + b":"
        + chance.choice((b" ", b" ", b"", b"\t"))
        + value
        for key, value in lines
    )
    data = chance.choice(VERSIONS) + newline + head + newline + newline + body + end
    return data, uri.decode("utf-8", "replace") if is_well and kind == b"response" else None, page


def _arc(chance: random.Random) -> list[bytes]:
    return archives.arc(8, uri=chance.choice((b"http://example.org/", b"http://example.org/a b ")))


PACKINGS: dict[str, Callable[[list[bytes], random.Random], bytes]] = {
    "plain": lambda parts, chance: b"".join(parts),
    "a gzip member a record": lambda parts, chance: b"".join(gzip.compress(part, mtime=0) for part in parts),
    "one gzip member": lambda parts, chance: gzip.compress(b"".join(parts), mtime=0),
    "some records a member": lambda parts, chance: b"".join(
        gzip.compress(b"".join(parts[i : i + 3]), mtime=0) for i in range(0, len(parts), 3)
    ),
    "zstd": lambda parts, chance: b"".join(zstandard.compress(part) for part in parts),
    "lz4": lambda parts, chance: b"".join(lz4.frame.compress(part) for part in parts),
    "plain after gzip": lambda parts, chance: b"".join(
        gzip.compress(part, mtime=0) if i < 4 else part for i, part in enumerate(parts)
    ),
    "cut members": lambda parts, chance: b"".join(
        (lambda whole: whole[: len(whole) // 2] if chance.random() < 0.2 else whole)(gzip.compress(part, mtime=0))
        for part in parts
    ),
    "garbage between members": lambda parts, chance: b"".join(
        gzip.compress(part, mtime=0) + (chance.randbytes(20) if chance.random() < 0.2 else b"") for part in parts
    ),
    "bzip2": lambda parts, chance: bz2.compress(b"".join(parts)),
}

TOKENS = (
    *(b"WARC/1.0\r\n", b"\r\n\r\n", b"\r\n", b"\n", b"Content-Length: ", b"HTTP/1.1 200 OK\r\n", b"\0" * 50, b" "),
    *(b"WARC-Type: response\r\n", b"Transfer-Encoding: chunked\r\n", b"\x1f\x8b\x08\x00", b"-1", b"0", b":", b"\xff"),
)


def built(chance: random.Random) -> Archive:
    """An archive of eight records with some faults in its structure."""
    if chance.random() < 0.1:
        return Archive(chance.choice(list(PACKINGS.values()))(_arc(chance), chance), {})
    faults = chance.choice((0.0, 0.1, 0.5))
    made = [_record(number, chance, faults) for number in range(8)]
    pages = {url: page for _, url, page in made if url is not None and page is not None}
    packing = chance.choice(list(PACKINGS))
    data = PACKINGS[packing]([part for part, _, _ in made], chance)
    return Archive(data, {} if faults or packing == "cut members" else pages)


def damaged(chance: random.Random) -> Archive:
    """The same, with bytes changed, removed, repeated or put in."""
    return Archive(mutated(built(chance).data, chance, TOKENS, 200_000), {})


class Peer(NamedTuple):
    """A response as a library gives it. body: with its encodings undone, None if the library fails at that."""

    url: str
    body: bytes | None


def ours(data: bytes) -> list[Record]:
    found = []
    try:
        for record in readers.read(io.BytesIO(data), "warc", start=0, stop=len(data), source="input"):
            found.append(record)
    except SourceError:
        pass
    return found


def of_fastwarc(data: bytes, *, strict: bool) -> Iterator[Peer]:
    with contextlib.suppress(Exception):
        for record in ArchiveIterator(io.BytesIO(data), strict_mode=strict, record_types=WarcRecordType.response):
            body = None
            with contextlib.suppress(Exception):
                body = record.reader.read()
            yield Peer((record.headers.get("WARC-Target-URI") or "").strip("<>"), body)


def of_warcio(data: bytes) -> Iterator[Peer]:
    # It explains itself on the standard error.
    with contextlib.suppress(Exception), contextlib.redirect_stderr(io.StringIO()):
        for record in WarcioIterator(io.BytesIO(data)):
            if record.rec_type == "response":
                body = None
                with contextlib.suppress(Exception):
                    body = record.content_stream().read()
                yield Peer(
                    record.rec_headers.get_header("WARC-Target-URI") or record.rec_headers.get_header("uri") or "", body
                )


def check(archive: Archive) -> None:
    found = ours(archive.data)
    offsets = [record.offset for record in found]
    assert offsets == sorted(set(offsets)), f"offsets {offsets}"
    # A row without a URL stands for bytes that are lost, and is no response, but for the one that the file ends in.
    rows = [r for r in found if r.url is not None or r.outcome != "failed" or r.reason == "failed.truncated"]
    peers = {"fastwarc": list(of_fastwarc(archive.data, strict=True))}
    peers["fastwarc, lax"] = list(of_fastwarc(archive.data, strict=False))
    if "WarcioIterator" in globals():
        peers["warcio"] = list(of_warcio(archive.data))
    for name, given in peers.items():
        # warcio takes any line for a record of an ARC file, mostly an empty one.
        theirs = [peer for peer in given if "example." in peer.url and peer.body]
        assert len(rows) >= len(theirs), f"{len(theirs)} responses by {name}, {len(rows)} here"
    have = {record.url: record.page for record in found}
    for url, page in archive.pages.items():
        assert have.get(url) == page, f"{url}: {have.get(url)!r:.500} instead of {page!r:.500}"


TARGETS = {"archives": Target(built, check), "archives-damaged": Target(damaged, check)}

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
