"""Mixtures: text a second that the writer of shards takes, beside pyarrow copying the same rows as they stand; how far
shards are from the weights; what the planner holds; and the memory of a shard by its size.

`python benchmarks/bench_mixture.py [--mb 200] [--shard-mb 64]`. CPU time of one process; texts are the books, PEPs,
news and Wikipedia pages of MASSIVETEXT_DATA, repeated under other ids until they are that many.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.mixture import Available, Documents, allot, deal, kept_documents, plan, units_in_memory, write_shard
from massivetext.mixture.shards import COMPRESSION_LEVEL, ROW_GROUP_BYTES
from massivetext.parquet import ParquetOutput

DATA = Path(os.environ.get("MASSIVETEXT_DATA", Path(__file__).resolve().parent.parent / ".." / "shared" / "data"))
WEIGHTS = {"books": 0.30, "peps": 0.58, "news": 0.10, "wikipedia": 0.02}
PART_BYTES = 64 << 20


def corpus() -> dict[str, list[str]]:
    """Books whole; PEPs and news as they come; the markup of Wikipedia's pages."""
    with gzip.open(DATA / "peps" / "peps.jsonl.gz", "rt", encoding="utf-8") as stream:
        peps = [json.loads(line)["text"] for line in stream]
    news = (DATA / "news" / "lee-300-news-items.txt").read_text("utf-8", errors="replace").splitlines()
    books = [path.read_text("utf-8") for path in sorted((DATA / "books").glob("*.md"))]
    with bz2.open(DATA / "wikipedia" / "enwiki-206-pages.xml.bz2", "rt", encoding="utf-8") as stream:
        pages = re.findall(r"<text[^>]*>([^<]+)</text>", stream.read())
    return {"books": books, "peps": peps, "news": [line for line in news if line], "wikipedia": pages}


def write_parts(folder: str, name: str, texts: list[str], n_bytes: float) -> list[str]:
    """Files of documents as the pass over the text leaves them, of 64 MB of text each."""
    paths: list[str] = []
    chosen, left, number = random.Random(name), n_bytes, 0
    while left > 0:
        paths.append(f"{folder}/{name}-{len(paths)}.parquet")
        with ParquetOutput(paths[-1], DOCUMENT_SCHEMA) as output:
            held = 0
            while left > 0 and held < PART_BYTES:
                some = chosen.sample(texts, min(len(texts), 64))
                output.write(_table(name, some, number))
                number += len(some)
                size = sum(len(text.encode()) for text in some)
                left, held = left - size, held + size
    return paths


def _table(subset: str, texts: list[str], first: int) -> pa.Table:
    sizes = [len(text.encode()) for text in texts]
    data = {
        "id": [f"{first + i:032x}" for i in range(len(texts))],
        "text": texts,
        "subset": [subset] * len(texts),
        "url": [f"https://example.org/{subset}/{first + i}" for i in range(len(texts))],
        "source": [f"{subset}/file-{first // 1000}"] * len(texts),
        "language": ["en"] * len(texts),
        "n_bytes": sizes,
        "n_tokens": [-(-n // 4) for n in sizes],
    }
    columns = [data.get(field.name, [None] * len(texts)) for field in DOCUMENT_SCHEMA]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, DOCUMENT_SCHEMA)], DOCUMENT_SCHEMA)


def copied(paths: list[str], output: str) -> float:
    """CPU seconds for pyarrow alone to read files and write their rows again in order, the same settings as ours."""
    begin = time.process_time()
    kind = {"compression": "zstd", "compression_level": COMPRESSION_LEVEL, "use_dictionary": ["subset", "source"]}
    with pq.ParquetWriter(output, DOCUMENT_SCHEMA, **kind) as writer:
        for path in paths:
            file = pq.ParquetFile(path)
            for group in range(file.metadata.num_row_groups):
                writer.write_table(file.read_row_group(group))
    return time.process_time() - begin


def planning(n: int = 1_000_000) -> None:
    """Time and memory of planning n documents of 1 to 2,000 tokens at 2.5 epochs in 64 MB shards."""
    tokens = np.random.default_rng(0).integers(1, 2000, n).astype(np.int32)
    units = (np.arange(n) // 1000).astype(np.int32)
    places = np.arange(units[-1] + 1, dtype=np.int32)
    row = (np.arange(n) % 1000).astype(np.int32)
    held = Documents(("a",), places * 0, places, units, row, tokens, 4 * int(tokens.sum()))
    made = plan({"a": Available(n, held.n_tokens, held.n_bytes)}, {"a": 1.0}, tokens=int(2.5 * held.n_tokens))
    units = units_in_memory(held)
    begin = time.process_time()
    dealt = deal(made, {"a": units}, seed=0, n_shards=made.n_shards(64 << 20))
    seconds = time.process_time() - begin
    begin = time.process_time()
    for shard in range(0, dealt.n_shards, 30):
        dealt.rows(shard)
    each = (time.process_time() - begin) / len(range(0, dealt.n_shards, 30))
    size = sum(column.nbytes for column in (units.part, units.row_group, units.documents, units.tokens))
    n_units = len(units.documents)
    print(
        f"planner: {n:,} documents in {n_units:,} row groups, {dealt.n_shards} shards, {seconds:.3f} s, and "
        f"{1000 * each:.0f} ms for the rows of a shard; held: {size / n_units:.0f} bytes a row group"
    )


def joining(folder: str, n: int = 200_000) -> None:
    """Documents a second that are read from curated files and joined with their ledger, of another order."""
    ids = [hashlib.blake2b(str(i).encode(), digest_size=16).hexdigest() for i in range(n)]
    curated, ledger = f"{folder}/curated.parquet", f"{folder}/ledger.parquet"
    numbers = np.arange(n)
    pq.write_table(pa.table({"id": ids, "n_bytes": numbers, "n_tokens": numbers}), curated, row_group_size=5000)
    order = np.random.default_rng(0).permutation(n)
    outcomes = pa.array(["kept", "duplicate"]).take(pa.array(order % 4 // 3))
    pq.write_table(pa.table({"id": pa.array(ids).take(pa.array(order)), "outcome": outcomes}), ledger)
    begin = time.process_time()
    kept = len(kept_documents([(curated, ledger)]))
    seconds = time.process_time() - begin
    print(f"ledger joined: {n:,} documents, {kept:,} of them kept, {seconds / n * 1e6:.2f} s a million")


def memory(folder: str, paths: dict[str, list[str]]) -> None:
    """Most memory of a process that writes one shard, by the shard's size, above that of one that writes none."""
    base = 0.0
    for size in (0, 16, 64, 256):
        sources = [path for found in paths.values() for path in found]
        program = (
            "import re, numpy as np, pyarrow.parquet as pq\n"
            "from massivetext.mixture import ShardRows, write_shard\n"
            f"paths, left, rows = {sources!r}, {size} << 20, []\n"
            "for number, path in enumerate(paths):\n"
            "    file = pq.ParquetFile(path)\n"
            "    for group in range(file.metadata.num_row_groups):\n"
            "        for row, n in enumerate(file.read_row_group(group, columns=['n_bytes'])['n_bytes'].to_pylist()):\n"
            "            if left > 0: rows.append((number, group, row)); left -= n\n"
            "rows = np.random.default_rng(0).permutation(np.array(rows or np.zeros((0, 3)), np.int32)).T\n"
            f"write_shard({folder + '/memory.parquet'!r}, ShardRows(tuple(paths), *rows))\n"
            # Not ru_maxrss, which begins with what this process held.
            "print(int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) / 1024)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        peak = float(done.stdout)
        base = base or peak
        print(f"a shard of {size:>3} MB: {peak:.0f} MB, {peak - base:.0f} above a process that writes none")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=float, default=200, help="MB of text in all")
    parser.add_argument("--shard-mb", type=float, default=64)
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"no real data at {DATA}: set MASSIVETEXT_DATA")
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        texts = corpus()
        paths = {
            name: write_parts(folder, name, texts[name], weight * options.mb * 1e6) for name, weight in WEIGHTS.items()
        }
        begin = time.process_time()
        documents = {name: kept_documents([(path, None) for path in found]) for name, found in paths.items()}
        available = {name: Available(len(held), held.n_tokens, held.n_bytes) for name, held in documents.items()}
        largest = plan(available, WEIGHTS, max_epochs=1).tokens
        made = plan(available, WEIGHTS, tokens=largest, max_epochs=2)
        shard_bytes = int(options.shard_mb * (1 << 20))
        print("\n".join(made.lines(shard_bytes=shard_bytes)))
        allotment = allot(made, documents, seed=0, n_shards=made.n_shards(shard_bytes))
        print(f"planned in {time.process_time() - begin:.2f} s")
        off, subset, _ = allotment.deviation(WEIGHTS)
        print(f"a subset's share of a shard is at most {off:.3f} percentage points from its weight ({subset})")
        begin = time.process_time()
        sizes = []
        for number in range(allotment.n_shards):
            summary = write_shard(f"{folder}/shard-{number}.parquet", allotment.rows(number))
            sizes.append(summary["bytes"])
        seconds = time.process_time() - begin
        n_bytes = made.n_bytes or 0
        most = max(
            int(np.sum(pq.ParquetFile(f"{folder}/shard-{n}.parquet").read_row_group(g, ["n_bytes"])["n_bytes"]))
            for n in range(allotment.n_shards)
            for g in range(pq.ParquetFile(f"{folder}/shard-{n}.parquet").metadata.num_row_groups)
        )
        print(f"largest row group: {most / 2**20:.1f} MB of text (bound: {ROW_GROUP_BYTES / 2**20:.0f})")
        alone = copied([path for found in paths.values() for path in found], f"{folder}/copy.parquet")
        whole = sum(held.n_bytes for held in documents.values())
        ours, copy = n_bytes / seconds / 1e6, whole / alone / 1e6
        print(f"write_shard      {ours:6.0f} MB/s of text, {sum(sizes) / n_bytes:.3f} of its size")
        print(f"pyarrow, copying {copy:6.0f} MB/s of text; ours is {ours / copy:.2f} of it")
        planning()
        joining(folder)
        memory(folder, paths)


if __name__ == "__main__":
    main()
