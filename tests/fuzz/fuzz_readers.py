"""Fuzzes every reader with mutated files, for a given time a target: `python tests/fuzz/fuzz_readers.py --seconds 60`.

Seeds are small files made here and, where MASSIVETEXT_DATA is, pieces of the real ones. What must hold: nothing is
raised but SourceError, no input takes 10 s, each record is a document, a page or has an outcome, offsets ascend, and
text is clean.
"""

from __future__ import annotations

import atexit
import bz2
import contextlib
import gzip
import io
import json
import lzma
import os
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

import lz4.frame
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from filters.licence import is_allowed
from massivetext import readers
from massivetext.errors import SourceError
from massivetext.readers import compression, licences
from tests.fuzz.driver import DATA, Target, main, mutated
from tests.readers import (
    archives,
    test_epub,
    test_json,
    test_mediawiki,
    test_repositories,
    test_tables,
    test_text,
    test_warc_kinds,
)

_TEMPORARY = tempfile.TemporaryDirectory(prefix="fuzz-")
atexit.register(_TEMPORARY.cleanup)
FOLDER = _TEMPORARY.name
TOKENS = [
    *(b"WARC/1.0\r\n", b"\r\n\r\n", b"Content-Length: ", b"HTTP/1.1 200 OK\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(
        b"Content-Encoding: gzip\r\n",
        b"Content-Encoding: br\r\n",
        b"\x1f\x8b\x08\x00",
        b"\x28\xb5\x2f\xfd",
        b"BZh91AY&SY",
    ),
    *(b"<page>", b"</page>", b"<text>", b"</revision>", b"<!DOCTYPE a [", b"&a;", b"<![CDATA[", b"]]>", b"\xff\xfe"),
    *(
        b'{"text": "',
        b'"}\n',
        b"\\ud800",
        b"[" * 50,
        b"null",
        b"9" * 400,
        b"\0" * 512,
        b"../",
        b"PK\x03\x04",
        b"PK\x05\x06",
    ),
    *(b'[{"text": "a"},', b"]}", b'"', b"\xe9", b"coding: gbk", b"ARROW1", b"%PDF-1.4", b"WARC-Segment-Number: 1\r\n"),
    *(b"-1", b"0", b"18446744073709551616", b"\n", b"\xed\xa0\x80", b"filedesc://a 0 20080101000000 a 9\n"),
]


def seeds() -> dict[str, list[bytes]]:
    """Files to start from, by target."""
    records = b"".join(archives.records(4))
    packed = archives.members(archives.records(4))
    bodies = [encode(archives.page(1)) for encode in (gzip.compress, zstandard.compress, archives.chunked)]
    encoded = b"".join(
        archives.record(archives.http(body, headers=b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"))
        for body in bodies
    )
    rows = b"".join(
        json.dumps({"text": f"row {i} é", "url": "u", "license": ["mit"]}).encode() + b"\n" for i in range(9)
    )
    table = io.BytesIO()
    columns = {
        "text": [f"row {i}" for i in range(30)],
        "content": ["x"] * 30,
        "url": [None] * 30,
        "license": ["mit"] * 30,
    }
    pq.write_table(pa.table(columns), table, row_group_size=10)
    wiki = test_mediawiki.dump(*[test_mediawiki.wiki_page(f"P{i}", "a [[b|c]] {{d}} ''e''") for i in range(4)]).encode()
    files = test_repositories.FILES
    book = test_text.book(test_text.FILES)
    gutenberg = (test_text.HEADER + test_text.START + test_text.BODY + test_text.END).encode()
    found = {
        "warc": [
            records,
            packed,
            gzip.compress(records),
            b"".join(archives.arc(4)),
            encoded,
            zstandard.compress(records),
        ],
        "wet": [archives.record("Grüße\n".encode(), kind=b"conversion", content_type=b"text/plain") * 3],
        "jsonl": [rows, gzip.compress(rows), zstandard.compress(rows), rows.decode().encode("utf-16")],
        "lines": [b"one\ntwo\r\n\nthree", bz2.compress(b"one\ntwo\n"), lzma.compress(b"one\n")],
        "parquet": [table.getvalue()],
        "code": [rows.replace(b'"text"', b'"content"'), table.getvalue()],
        "text": [gutenberg, book, "première".encode("utf-16")],
        "mediawiki": [wiki, bz2.compress(wiki), wiki.decode().encode("utf-16")],
        "repositories": [test_repositories.tarred(files), test_repositories.zipped(files)],
        "licences": [test_repositories.MIT.encode(), b"(MIT OR GPL-2.0) AND Apache-2.0 WITH LLVM-exception, isc/BSD"],
    }
    plain = b"".join(b"%d " % (i * i) for i in range(3000))
    found["compression"] = [
        *(gzip.compress(plain), gzip.compress(plain) * 3, bz2.compress(plain), lzma.compress(plain)),
        *(zstandard.compress(plain), lz4.frame.compress(plain), plain, zstandard.compress(plain) * 2 + b"WARC/1.0\r\n"),
    ]
    array = json.dumps([json.loads(row) for row in rows.splitlines()], indent=1).encode()
    found["jsonl"] += [
        array,
        gzip.compress(array),
        test_json.zipped(test_json.FILES),
        test_json.tarred(test_json.FILES),
    ]
    content = b'text,url\n"a ""b""\nc, d",u\ncaf\xe9,v\n' * 3
    found["csv"] = [content, gzip.compress(content), content.replace(b",", b"\t"), test_json.zipped({"a.csv": content})]
    tables = [test_tables.arrow(test_tables.TABLE), test_tables.arrow_stream(test_tables.TABLE)]
    found["arrow"] = [*tables, test_tables.feather(test_tables.TABLE)]
    found["html"] = [archives.page(3), gzip.compress(archives.page(4)), b"<!-- saved from url=(0009)http://a/ --><p>x"]
    found["wacz"] = [test_warc_kinds.wacz({"archive/a.warc.gz": packed, "archive/b.warc": records})]
    found["warc"] += [b"".join(test_warc_kinds.segment(i, b"HTTP/1.1 200 OK\r\n\r\n<p>" * 9) for i in (1, 2, 3))]
    found["text"] += [test_epub.epub(test_epub.BOOKS[name]) for name in ("plain", "raw & in the package", "fallback")]
    found["repositories"] += [gzip.compress(found["repositories"][0]), test_repositories.hostile_tar()]
    if DATA.is_dir():
        for target, pattern in (("warc", "warc/w*.warc*"), ("mediawiki", "wikipedia/*"), ("text", "books/On*")):
            found[target] += [path.read_bytes()[:200_000] for path in sorted(DATA.glob(pattern))]
        found["jsonl"] += [gzip.decompress((DATA / "peps" / "peps.jsonl.gz").read_bytes())[:50_000]]
    return found


def check(target: str, data: bytes) -> None:
    """Read one input. Raises AssertionError or what the reader should not have raised."""
    if target == "licences":
        text = data.decode("utf-8", "replace")
        licences.identify(text)
        is_allowed(text)
        return
    if target == "compression":
        counts: dict[str, int] = {}
        for recover in (False, True):
            with contextlib.suppress(SourceError):
                blocks = list(compression.blocks(io.BytesIO(data), source="input", recover=recover, counts=counts))
                starts = [block.start for block in blocks]
                assert starts == sorted(starts), f"members out of order: {starts}"
                assert all(0 <= start <= len(data) for start in starts)
        return
    path = os.path.join(FOLDER, "input")
    with open(path, "wb") as file:
        file.write(data)
    last = -1
    try:
        for start, stop in readers.split(path, target, size=len(data), target_bytes=1 << 14):
            for record in readers.read_part(path, target, start=start, stop=stop):
                assert record.offset > last, f"offset {record.offset} after {last}"
                last = record.offset
                states = (record.text is not None, record.page is not None, record.outcome is not None)
                assert sum(states) == 1, f"{states} at {record.offset}"
                assert (record.outcome is None) == (record.reason is None)
                words = [record.text, record.url, record.timestamp, record.content_type, *record.metadata.values()]
                for word in words:
                    assert word is None or ("\0" not in word and "\r" not in word), repr(word[:99])
                    assert word is None or word.encode() is not None
    except SourceError:
        pass


@lru_cache(maxsize=1)
def cached_seeds() -> dict[str, list[bytes]]:
    return seeds()


def target_of(name: str) -> Target:
    return Target(
        lambda chance: mutated(chance.choice(cached_seeds()[name]), chance, TOKENS),
        lambda data: check(name, data),
        grows=2048,
    )


TARGETS = {name: target_of(name) for name in (*readers.FORMATS, "licences", "compression")}

if __name__ == "__main__":
    sys.exit(main(TARGETS, __doc__))
