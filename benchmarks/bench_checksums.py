"""What checksums and digests cost, as ratios: writing, reading and loading shards with and without them.

    python benchmarks/bench_checksums.py                 100 MB of text; 15 CPU seconds
    python benchmarks/bench_checksums.py --megabytes 400

The texts are windows of the language's own manual, drawn by a seed, as documents of 3.2 kB in the schema of shards.
Each figure is the least CPU time of `--repeats` turns; the two sides of a ratio take turns, so that other work on the
machine meets both.
"""

from __future__ import annotations

import argparse
import os
import pydoc_data.topics
import random
import tempfile
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq

from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.loader import load
from massivetext.parquet import ParquetOutput, file_digest


def table(n_bytes: int) -> pa.Table:
    """Documents of together about n_bytes of text."""
    chance = random.Random(0)
    words = " ".join(pydoc_data.topics.topics.values()).split()
    texts = []
    while n_bytes > 0:
        at = chance.randrange(len(words) - 540)
        texts.append(
            " ".join(chance.choice(words) if chance.random() < 0.25 else word for word in words[at : at + 540])
        )
        n_bytes -= len(texts[-1])
    rows = [
        {
            "id": f"{number:032x}",
            "text": text,
            "subset": "c4",
            "url": f"https://example.org/{number}",
            "source": "a.jsonl",
            "n_bytes": len(text),
            "n_tokens": len(text) // 4,
        }
        for number, text in enumerate(texts)
    ]
    return pa.Table.from_pylist(rows, DOCUMENT_SCHEMA)


def write_ours(path: str, documents: pa.Table) -> None:
    with ParquetOutput(path, DOCUMENT_SCHEMA) as output:
        output.write(documents)


class _Plain(pq.ParquetWriter):
    """A writer without page checksums."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "write_page_checksum": False})


class _NoDigest:
    """Takes bytes as a hash does."""

    def update(self, data: Any) -> None:
        pass

    def hexdigest(self) -> str:
        return ""


def write_plain(path: str, documents: pa.Table) -> None:
    """The same file without page checksums and without a digest."""
    with (
        patch("massivetext.parquet.pq.ParquetWriter", _Plain),
        patch("massivetext.parquet.hashlib.blake2b", lambda **options: _NoDigest()),
    ):
        write_ours(path, documents)


def read(path: str, *, verify: bool) -> None:
    """Every row group in turn, as a loader reads them, decompressed and decoded."""
    file = pq.ParquetFile(path, page_checksum_verification=verify)
    for group in range(file.num_row_groups):
        file.read_row_group(group, use_threads=False)


def a_pass(shards: str) -> int:
    """A whole pass of the loader."""
    return sum(batch.num_rows for batch in load(shards, seed=0, batch_size=256, epochs=1))


def a_pass_unverified(shards: str) -> int:
    """The same without a look at checksums."""
    with patch("massivetext.loader.sources.open_parquet", pq.ParquetFile):
        return a_pass(shards)


def seconds(*jobs: Callable[[], object], repeats: int) -> list[float]:
    """The least CPU time of each job; they take turns."""
    least = [float("inf")] * len(jobs)
    for _ in range(repeats):
        for number, job in enumerate(jobs):
            began = time.process_time()
            job()
            least[number] = min(least[number], time.process_time() - began)
    return least


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    documents = table(options.megabytes * 1_000_000)
    megabytes = sum(documents.column("n_bytes").to_pylist()) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        ours, plain = os.path.join(folder, "ours.parquet"), os.path.join(folder, "plain.parquet")

        def line(name: str, with_: float, without: float) -> None:
            rate = megabytes / with_
            print(f"{name:<44} {with_:7.2f} s {without:7.2f} s {with_ / without:6.3f} {rate:8.0f} MB/s", flush=True)

        print(f"{megabytes:.0f} MB of text, {documents.num_rows:,} documents; CPU seconds\n")
        print(f"{'':<44} {'with':>9} {'without':>9} {'ratio':>6}")
        line(
            "write: page checksums and the file's digest",
            *seconds(
                lambda: write_ours(ours, documents), lambda: write_plain(plain, documents), repeats=options.repeats
            ),
        )
        line(
            "read: page checksums verified",
            *seconds(lambda: read(ours, verify=True), lambda: read(ours, verify=False), repeats=options.repeats),
        )
        shards = folder_of(folder, ours)
        line(
            "load: a shuffled pass in batches of 256",
            *seconds(lambda: a_pass(shards), lambda: a_pass_unverified(shards), repeats=options.repeats),
        )
        (digest,) = seconds(lambda: file_digest(ours), repeats=options.repeats)
        stored = os.path.getsize(ours)
        print(f"\nBLAKE2b-256 of a file: {stored / 1e6 / digest:.0f} MB of it a CPU second")
        print(f"the file with page checksums is {stored / os.path.getsize(plain):.4f} times as large as without")


def folder_of(folder: str, shard: str) -> str:
    """A folder with that shard alone, as a loader takes it."""
    alone = os.path.join(folder, "shards")
    if not os.path.isdir(alone):
        os.mkdir(alone)
        os.link(shard, os.path.join(alone, "shard-00000-of-00001.parquet"))
    return alone


if __name__ == "__main__":
    main()
