"""Faulty sources made by hand, beside healthy ones: what each is, what the ledger must say of it, and whether the run
must name the file as failed."""

from __future__ import annotations

import bz2
import gzip
import itertools
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

__all__ = ["FAULTS", "Fault", "story", "write_faults", "write_recipe"]

_STORY = (
    "The {a} went to the market and bought {b} apples with the money that they had saved for the winter. "
    "It was a cold morning, and of all the people who stood in the square only a few were there to sell. "
    "To be sure of a good price, {a} have to come early and to talk with those that know the {b} farms. "
    "Nobody in the town could say which of them would be the first to leave when the snow came down. "
    "This is the tale of number {n} alone."
)


def story(n: int) -> str:
    """A text that every rule keeps, different for each n."""
    return _STORY.format(a=f"farmer{n}", b=f"kind{n}", n=n)


def line(n: int) -> bytes:
    return json.dumps({"text": story(n)}).encode() + b"\n"


def lines(first: int, n: int = 3) -> bytes:
    return b"".join(line(i) for i in range(first, first + n))


@dataclass(frozen=True)
class Fault:
    """One faulty file. outcomes: how many ledger rows of it have which reason, None for kept; or None if all that
    matters is that there is a row. named: whether the run names the file among its failures."""

    what: str
    subset: str
    name: str
    data: bytes
    outcomes: dict[str | None, int] | None
    named: bool = False


_ENTITIES = (
    b'<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY f SYSTEM "file:///etc/passwd">]><mediawiki><page><title>A</title>'
    b"<ns>0</ns><revision><text>&a; &f;</text></revision></page></mediawiki>"
)


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    return sink.getvalue().to_pybytes()


def _nested(depth: int) -> bytes:
    text = story(1).encode()
    return b"<html><body>" + b"<div>" * depth + b"<p>" + text + b"</p>" + b"</div>" * depth + b"</body></html>"


def _page(body: bytes) -> bytes:
    return json.dumps({"html": body.decode("latin-1"), "url": "http://example.org/"}).encode() + b"\n"


def _flip(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


def _faults() -> list[Fault]:
    n = itertools.count(1000, 10).__next__
    noise = random.Random(0)
    many = b"".join(
        json.dumps({"text": story(20_000 + i) + noise.randbytes(99).hex()}).encode() + b"\n" for i in range(400)
    )
    whole = gzip.compress(lines(n(), 9), mtime=0)
    zst = zstandard.compress(many)
    table = pa.table({"text": [story(n()) for _ in range(4)]})
    parquet = _parquet(table)
    ok: dict[str | None, int] = {None: 3}
    c4 = [
        ("gzip cut in the middle", "cut.jsonl.gz", gzip.compress(many)[:-9000], None, True),
        ("gzip cut in its header", "stub.jsonl.gz", whole[:6], {"failed.truncated": 1}, True),
        ("bzip2 cut in its header", "stub.jsonl.bz2", b"BZh91AY", {"failed.truncated": 1}, True),
        ("xz cut in its header", "stub.jsonl.xz", b"\xfd7zXZ", {"failed.truncated": 1}, True),
        ("lz4 cut in its header", "stub.jsonl.lz4", b"\x04\x22\x4d", {"failed.truncated": 1}, True),
        ("zip cut in its first header", "stub.zip", b"PK\x03\x04\x14", {"failed.truncated": 1}, True),
        ("gzip cut in its checksum", "tail.jsonl.gz", whole[:-3], None, True),
        ("gzip with a wrong byte", "flip.jsonl.gz", _flip(whole, len(whole) // 2), None, True),
        ("zstd cut", "cut.jsonl.zst", zst[: len(zst) // 2], None, True),
        ("bzip2 cut", "cut.jsonl.bz2", bz2.compress(lines(n(), 9))[:-20], None, True),
        ("gzip with garbage after it", "trailing.jsonl.gz", gzip.compress(lines(n())) + b"garbage", ok, False),
        ("empty file", "empty.jsonl", b"", {}, False),
        ("empty file that should be gzip", "empty.jsonl.gz", b"", {}, False),
        ("gzip of nothing", "nothing.jsonl.gz", gzip.compress(b""), {}, False),
        ("blank lines only", "blank.jsonl", b"\n \n\t\n\r\n", {}, False),
        ("random bytes", "noise.jsonl", bytes(range(256)) * 9, None, False),
        ("an ELF header", "elf.jsonl", b"\x7fELF\x02\x01\x01" + bytes(900), None, False),
        (
            "line cut by the end of the file",
            "open.jsonl",
            lines(n()) + b'{"text": "and then',
            {**ok, "failed.json": 1},
            False,
        ),
        ("bytes that are not UTF-8", "latin.jsonl", line(n())[:-3] + b'caf\xe9 \xff\xfe"}\n', {None: 1}, False),
        (
            "UTF-16 with a byte order mark",
            "utf16.jsonl",
            ("\ufeff" + lines(n()).decode()).encode("utf-16-le"),
            ok,
            False,
        ),
        ("UTF-8 with a byte order mark", "bom.jsonl", b"\xef\xbb\xbf" + lines(n()), ok, False),
        (
            "NUL bytes in a line",
            "nul.jsonl",
            lines(n()) + b'{"text": "a\0b"}\n\0\0\0\n',
            {**ok, "failed.json": 2},
            False,
        ),
        ("NUL escapes", "nulesc.jsonl", line(n()).replace(b"winter", b"win\\u0000ter"), {None: 1}, False),
        ("lone surrogates", "lone.jsonl", line(n()).replace(b"cold", b"c\\ud800old \\udfff"), {None: 1}, False),
        ("brackets 100,000 deep", "deep.jsonl", lines(n()) + b"[" * 100_000 + b"\n", {**ok, "failed.json": 1}, False),
        (
            "objects 100,000 deep",
            "deeper.jsonl",
            lines(n()) + b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
            {**ok, "failed.json": 1},
            False,
        ),
        (
            "a number of 100,000 digits",
            "digits.jsonl",
            lines(n()) + b'{"n": ' + b"9" * 100_000 + b', "text": 5}\n',
            {**ok, "failed.not_text": 1},
            False,
        ),
        (
            "text that is a number, null, a list, an object",
            "types.jsonl",
            lines(n()) + b'{"text": 5}\n{"text": null}\n{"text": ["a"]}\n{"text": {"a": "b"}}\n',
            {**ok, "failed.not_text": 3, "failed.no_text": 1},
            False,
        ),
        (
            "lines that are no objects",
            "values.jsonl",
            lines(n()) + b'5\n"a"\n[1]\nnull\ntrue\n',
            {**ok, "failed.not_an_object": 5},
            False,
        ),
        ("another schema", "schema.jsonl", b'{"body": "x"}\n{}\n', {"failed.no_text": 2}, False),
        ("the same key twice", "twice.jsonl", b'{"text": 1, ' + line(n())[1:], {None: 1}, False),
        ("NaN and Infinity", "nan.jsonl", b'{"x": NaN, "y": -Infinity, ' + line(n())[1:], {None: 1}, False),
        ("old Mac line ends", "mac.jsonl", lines(n()).replace(b"\n", b"\r"), {"failed.json": 1}, False),
        (
            "a line of 4 MB without a space",
            "long.jsonl",
            lines(n()) + b'{"text": "' + b"x" * (4 << 20) + b'"}\n',
            {**ok, "rejected": 1},
            False,
        ),
        ("a name with spaces, quotes and Unicode", "so me 'næme' “ü” 日本 %20 #?.jsonl", lines(n()), ok, False),
        ("a name with a line break", "line\nbreak.jsonl", lines(n()), ok, False),
        ("a name that is not UTF-8", os.fsdecode(b"caf\xe9.jsonl"), lines(n()), ok, False),
        ("a name of 255 bytes", "n" * 249 + ".jsonl", lines(n()), ok, False),
    ]
    web = [
        ("tags nested 100,000 deep", "deep.jsonl", _page(_nested(100_000))),
        (
            "200,000 attributes on one tag",
            "attributes.jsonl",
            _page(b"<p " + b"a=b " * 200_000 + b">" + story(5).encode()),
        ),
        ("300,000 tags that are never closed", "open.jsonl", _page(b"<b><i><a>" * 100_000 + story(6).encode())),
        ("an entity that is never closed", "entity.jsonl", _page(b"<p>" + story(7).encode() + b"&" + b"a" * 500_000)),
        (
            "a comment that is never closed",
            "comment.jsonl",
            _page(b"<p>" + story(8).encode() + b"</p><!--" + b"-" * 500_000),
        ),
        ("500,000 `<`", "less.jsonl", _page(b"<p>" + story(9).encode() + b"</p>" + b"<" * 500_000)),
        ("a select that is never closed, 60,000 times", "select.jsonl", _page(b"<select><option>a" * 60_000)),
        ("an entity of 500,000 digits", "digits.jsonl", _page(b"<p>" + story(15).encode() + b"&#" + b"9" * 500_000)),
        ("no HTML at all", "plain.jsonl", _page(story(10).encode())),
        ("an empty page", "empty.jsonl", _page(b"")),
        ("a PNG", "png.jsonl", _page(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)),
        ("a charset that does not exist", "charset.jsonl", _page(b"<meta charset=klingon-8><p>" + story(11).encode())),
        (
            "JSON-LD 100,000 deep",
            "jsonld.jsonl",
            _page(b'<script type="application/ld+json">' + b"[" * 100_000 + b"</script><p>" + story(12).encode()),
        ),
        ("a table in a table, 5,000 times", "tables.jsonl", _page(b"<table><tr><td>" * 5000 + story(13).encode())),
    ]
    columns = [
        ("Parquet cut in the middle", "cut.parquet", parquet[: len(parquet) // 2], {"failed.unreadable": 1}, True),
        (
            "Parquet without the column",
            "schema.parquet",
            _parquet(table.rename_columns(["body"])),
            {"failed.unreadable": 1},
            True,
        ),
        (
            "Parquet with another type",
            "type.parquet",
            _parquet(pa.table({"text": [1, 2]})),
            {"failed.unreadable": 1},
            True,
        ),
        ("Parquet without rows", "empty.parquet", _parquet(table.slice(0, 0)), {}, False),
        (
            "Parquet with nulls",
            "null.parquet",
            _parquet(pa.table({"text": [story(n()), None]})),
            {None: 1, "failed.no_text": 1},
            False,
        ),
        (
            "Parquet of bytes that are not UTF-8",
            "bytes.parquet",
            _parquet(pa.table({"text": [story(n()).encode() + b"\xff"]})),
            {None: 1},
            False,
        ),
        ("an empty file", "zero.parquet", b"", {"failed.unreadable": 1}, True),
        ("Parquet with a wrong byte in a page", "flip.parquet", _flip(parquet, 5), {"failed.corrupt": 1}, True),
        ("PAR1 and nothing else", "magic.parquet", b"PAR1PAR1", {"failed.unreadable": 1}, True),
    ]
    other = [
        Fault(
            "a dump cut in a page",
            "wikipedia",
            "cut.xml",
            b"<mediawiki><page><title>A</title><ns>0</ns><revision><text>" + story(14).encode(),
            {"failed.truncated": 1},
            True,
        ),
        Fault("a dump that declares entities", "wikipedia", "entities.xml", _ENTITIES, {"failed.xml": 1}, False),
        Fault("no dump", "wikipedia", "none.xml", b"hello", {"failed.unreadable": 1}, True),
        Fault("a WARC of text", "massiveweb", "none.warc", b"hello\n" * 99, {"failed.unreadable": 1}, True),
        Fault("an empty WARC", "massiveweb", "empty.warc", b"", {}, False),
        Fault(
            "an EPUB cut in the middle",
            "books",
            "cut.epub",
            b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip" + bytes(99),
            {"failed.truncated": 1},
            True,
        ),
        Fault("an empty book", "books", "empty.txt", b"", {"rejected": 1}, False),
    ]
    return [
        *(Fault(what, "c4", f"c4/{name}", data, outcomes, named) for what, name, data, outcomes, named in c4),
        *(Fault(what, "massiveweb", f"pages/{name}", data, None) for what, name, data in web),
        *(Fault(what, "c4", f"parquet/{name}", data, outcomes, named) for what, name, data, outcomes, named in columns),
        *(Fault(f.what, f.subset, f"{f.subset}/{f.name}", f.data, f.outcomes, f.named) for f in other),
    ]


FAULTS = _faults()


def write_faults(folder: Path) -> None:
    for fault in FAULTS:
        path = folder / fault.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(fault.data)
    for name in ("healthy", "other"):
        (folder / "c4" / f"{name}.jsonl").write_bytes(lines(10 * len(name), 5))


RECIPE = """
subsets:
  c4:
    sources:
      - {format: jsonl, path: "c4/*"}
      - {format: parquet, path: "parquet/*", name: "parquet/"}
    stages: [quality, repetition, deduplication]
  massiveweb:
    sources:
      - {format: jsonl, path: "pages/*", fields: {page: html, url: url}}
      - {format: warc, path: "massiveweb/*"}
    stages: [extraction, quality, repetition, deduplication]
  wikipedia:
    sources: [{format: mediawiki, path: "wikipedia/*"}]
    stages: [quality]
  books:
    sources: [{format: text, path: "books/*"}]
    stages: [quality]
max_failed: 1.0
mixture: {weights: {c4: 1.0}, shard_bytes: 8192}
"""


def write_recipe(folder: Path) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE, "utf-8")
    return path
