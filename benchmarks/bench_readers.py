"""Readers: CPU time on one core, beside the plainest loop over the same bytes and, for web archives, beside fastwarc
and (where it is installed) warcio.

`python benchmarks/bench_readers.py`. Files are read from MASSIVETEXT_DATA. Best of several runs.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from fastwarc.warc import ArchiveIterator, WarcRecordType

from massivetext import readers
from massivetext.readers import compression, licences

DATA = Path(os.environ.get("MASSIVETEXT_DATA", Path(__file__).resolve().parent.parent / ".." / "shared" / "data"))
RUNS = 5


def best(function: Callable[[], int]) -> tuple[float, int]:
    """(CPU seconds of the best run, what it counted)."""
    times = []
    for _ in range(RUNS):
        begin = time.process_time()
        n = function()
        times.append(time.process_time() - begin)
    return min(times), n


def ours(data: bytes, format: str) -> Callable[[], int]:
    stop = 1 << 62
    return lambda: sum(1 for _ in readers.read(io.BytesIO(data), format, start=0, stop=stop, source="file"))


def decompressed(data: bytes) -> int:
    return sum(len(block.data or b"") for block in compression.blocks(io.BytesIO(data), source="file"))


def fastwarc(data: bytes) -> int:
    n = 0
    for record in ArchiveIterator(io.BytesIO(data)):
        if record.record_type & (WarcRecordType.response | WarcRecordType.resource):
            record.reader.read()
            n += 1
    return n


def warcio(data: bytes) -> int:
    from warcio.archiveiterator import ArchiveIterator as Records

    n = 0
    for record in Records(io.BytesIO(data)):
        if record.rec_type in ("response", "resource"):
            record.content_stream().read()
            n += 1
    return n


def line(name: str, seconds: float, n: int, n_bytes: int, reference: float, what: str) -> None:
    print(
        f"{name:34}{n:8} records {n / seconds:10.0f} /s {n_bytes / seconds / 1e6:8.1f} MB/s "
        f"{seconds / reference:6.2f} x {what}"
    )


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"no real data at {DATA}: set MASSIVETEXT_DATA")
    print(f"MB are of decompressed content; best of {RUNS} runs, CPU time")
    for name in ("ia-2008.warc.gz", "sample-0001.warc.gz", "warcfile.warc", "warcfile.warc.gz"):
        data = (DATA / "warc" / name).read_bytes()
        n_bytes = decompressed(data)
        theirs, n_theirs = best(lambda data=data: fastwarc(data))  # type: ignore[misc]
        seconds, n = best(ours(data, "warc"))
        line(name, seconds, n, n_bytes, theirs, "fastwarc")
        assert n >= n_theirs
        try:
            theirs, _ = best(lambda data=data: warcio(data))  # type: ignore[misc]
            line("", seconds, n, n_bytes, theirs, "warcio")
        except ImportError:
            pass
    peps = (DATA / "peps" / "peps.jsonl.gz").read_bytes()
    rows = gzip.decompress(peps)
    parsed, _ = best(lambda: len([json.loads(row) for row in rows.split(b"\n") if row]))
    seconds, n = best(ours(rows, "jsonl"))
    line("JSON lines", seconds, n, len(rows), parsed, "json.loads on every line")
    table = io.BytesIO()
    texts = [json.loads(row)["text"] for row in rows.split(b"\n") if row]
    pq.write_table(pa.table({"text": texts}), table, row_group_size=100)
    plain, _ = best(lambda: len(pq.read_table(io.BytesIO(table.getvalue()), use_threads=False)["text"].to_pylist()))
    seconds, n = best(lambda: sum(1 for _ in readers.read(table, "parquet", start=0, stop=1 << 20, source="file")))
    line("Parquet", seconds, n, sum(map(len, texts)), plain, "read_table and to_pylist")
    news = (DATA / "news" / "lee-300-news-items.txt").read_bytes() * 50
    split, _ = best(lambda: len([row.decode() for row in news.split(b"\n")]))
    seconds, n = best(ours(news, "lines"))
    line("lines", seconds, n, len(news), split, "split and decode")
    wiki = (DATA / "wikipedia" / "enwiki-206-pages.xml.bz2").read_bytes()
    unpacked, n_bytes = best(lambda: decompressed(wiki))
    seconds, n = best(ours(wiki, "mediawiki"))
    line("MediaWiki .bz2, markup to text", seconds, n, n_bytes, unpacked, "bzip2 alone")
    with open(DATA / "licences" / "spdx-728.jsonl", encoding="utf-8") as file:
        texts = [json.loads(row)["text"] for row in file]
    split, _ = best(lambda: sum(len(text.split()) for text in texts))
    seconds, _ = best(lambda: sum(licences.identify(text) is not None for text in texts))
    line("licence files", seconds, len(texts), sum(map(len, texts)), split, "str.split")


if __name__ == "__main__":
    main()
