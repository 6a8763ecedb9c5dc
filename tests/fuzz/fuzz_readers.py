"""Fuzzes every reader with mutated files, for a given time a target: `python tests/fuzz/fuzz_readers.py --seconds 60`.

Seeds are small files made here and, where MASSIVETEXT_DATA is, pieces of the real ones. Input number n of a target is
a function of (seed, target, n), so a finding is repeated with `--target NAME --first N --count 1`. What must hold:
nothing is raised but SourceError, no input takes 10 s, each record is a document, a page or has an outcome, offsets
differ, and text is clean.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

REPOSITORY = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(REPOSITORY))

import pyarrow as pa  # noqa: E402
import pyarrow.parquet as pq  # noqa: E402
import zstandard  # noqa: E402

from filters.licence import is_allowed  # noqa: E402
from massivetext import readers  # noqa: E402
from massivetext.errors import SourceError  # noqa: E402
from massivetext.readers import licences  # noqa: E402
from tests.readers import archives, test_mediawiki, test_repositories, test_text  # noqa: E402

DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))
HANG = 10
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
    found["repositories"] += [gzip.compress(found["repositories"][0]), test_repositories.hostile_tar()]
    if DATA.is_dir():
        for target, pattern in (("warc", "warc/w*.warc*"), ("mediawiki", "wikipedia/*"), ("text", "books/On*")):
            found[target] += [path.read_bytes()[:200_000] for path in sorted(DATA.glob(pattern))]
        found["jsonl"] += [gzip.decompress((DATA / "peps" / "peps.jsonl.gz").read_bytes())[:50_000]]
    return found


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A few random changes: bytes, runs, tokens, cuts, repetitions; sometimes inside the compression."""
    if data[:2] == b"\x1f\x8b" and chance.random() < 0.5:
        try:
            return gzip.compress(mutated(gzip.decompress(data), chance), 1)
        except (OSError, EOFError):
            pass
    piece = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        at = chance.randrange(len(piece) + 1)
        to = min(len(piece), at + chance.choice((1, 2, 8, 64, 1024)))
        kind = chance.randrange(7)
        if kind == 0 and at < len(piece):
            piece[at] = chance.randrange(256)
        elif kind == 1 and at < len(piece):
            piece[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del piece[at:to]
        elif kind == 3:
            piece[at:at] = chance.choice(TOKENS)
        elif kind == 4:
            piece[at:at] = piece[at:to] * chance.choice((1, 2, 100))
        elif kind == 5:
            del piece[at:]
        else:
            piece[at:to] = chance.randbytes(to - at)
    return bytes(piece[: 4 << 20])


def check(target: str, data: bytes, folder: str) -> None:
    """Read one input. Raises AssertionError or what the reader should not have raised."""
    if target == "licences":
        text = data.decode("utf-8", "replace")
        licences.identify(text)
        is_allowed(text)
        return
    path = os.path.join(folder, "input")
    with open(path, "wb") as file:
        file.write(data)
    offsets: set[int] = set()
    try:
        for start, stop in readers.split(path, target, size=len(data), target_bytes=1 << 14):
            for record in readers.read_part(path, target, start=start, stop=stop):
                assert record.offset not in offsets, f"offset {record.offset} twice"
                offsets.add(record.offset)
                states = (record.text is not None, record.page is not None, record.outcome is not None)
                assert sum(states) == 1, f"{states} at {record.offset}"
                assert (record.outcome is None) == (record.reason is None)
                words = [record.text, record.url, record.timestamp, record.content_type, *record.metadata.values()]
                for word in words:
                    assert word is None or ("\0" not in word and "\r" not in word), repr(word[:99])
                    assert word is None or word.encode() is not None
    except SourceError:
        pass


def inputs(target: str, seed: int, first: int) -> Iterator[tuple[int, bytes]]:
    start = seeds()[target]
    number = first
    while True:
        chance = random.Random(f"{seed}/{target}/{number}")
        yield number, mutated(chance.choice(start), chance)
        number += 1


def hang(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"more than {HANG} s")


def fuzz(target: str, *, seconds: float, seed: int, first: int = 0, count: int | None = None) -> tuple[int, float, int]:
    """(executions, the longest in seconds, findings)."""
    begin, longest, findings = time.monotonic(), 0.0, 0
    signal.signal(signal.SIGALRM, hang)
    done = 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for number, data in inputs(target, seed, first):
            if time.monotonic() - begin > seconds or (count is not None and done >= count):
                break
            at = time.process_time()
            signal.alarm(HANG)
            try:
                check(target, data, folder)
            except Exception as error:
                findings += 1
                print(
                    f"FINDING --target {target} --seed {seed} --first {number} --count 1:",
                    f"{type(error).__name__}: {error}",
                )
                if count == 1:
                    raise
            finally:
                signal.alarm(0)
            longest = max(longest, time.process_time() - at)
            done += 1
    return done, longest, findings


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="for each target")
    parser.add_argument("--target", action="append", choices=sorted(seeds()))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int)
    options = parser.parse_args(arguments)
    total = 0
    for target in options.target or sorted(seeds()):
        how = {"seconds": options.seconds, "seed": options.seed, "first": options.first, "count": options.count}
        done, longest, findings = fuzz(target, **how)
        print(f"{target:14}{done:9} executions, longest {longest:6.3f} s CPU, {findings} findings", flush=True)
        total += findings
    return 1 if total else 0


if __name__ == "__main__":
    sys.exit(main())
