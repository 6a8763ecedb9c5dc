"""Packing: `massivetext pack` and `massivetext.sequences` beside the tokenizer that they run, in the same run: its CPU
seconds within theirs, for the very same batches of crops. And `datasets` streaming the same shards (where installed).

`python benchmarks/bench_pack.py [--mb 100] [--tokens 8000000] [--model FILE]`. CPU time of one process; texts are the
books, PEPs and news of MASSIVETEXT_DATA, dealt into a mixture of three subsets. Without --model a tokenizer is trained.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import os
import random
import resource
import sys
import tempfile
import time
import unittest.mock
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.packing import pack as packing
from massivetext.packing import stream as streaming
from massivetext.packing.training import train_tokenizer
from massivetext.parquet import ParquetOutput
from massivetext.tokenizers import Tokenizer, read_tokenizer

DATA = Path(os.environ.get("MASSIVETEXT_DATA", Path(__file__).resolve().parent.parent / ".." / "shared" / "data"))
LENGTH = 2048
WEIGHTS = {"books": 0.4, "peps": 0.5, "news": 0.1}
SHARD_BYTES = 16 << 20


def corpus() -> dict[str, list[str]]:
    """Books whole; PEPs and news as they come."""
    with gzip.open(DATA / "peps" / "peps.jsonl.gz", "rt", encoding="utf-8") as stream:
        peps = [json.loads(line)["text"] for line in stream]
    news = (DATA / "news" / "lee-300-news-items.txt").read_text("utf-8", errors="replace").splitlines()
    books = [path.read_text("utf-8") for path in sorted((DATA / "books").glob("*.md"))]
    return {"books": books, "peps": peps, "news": [line for line in news if line]}


def write_mixture(folder: str, texts: dict[str, list[str]], n_bytes: int) -> None:
    """Documents by the weights, in a random order, again from the first when all had their turn."""
    chosen = random.Random(0)
    rows = []
    for name, weight in WEIGHTS.items():
        left, at = weight * n_bytes, 0
        while left > 0:
            text = texts[name][at % len(texts[name])]
            rows.append((name, text))
            left -= len(text.encode())
            at += 1
    chosen.shuffle(rows)
    files, tokens, shard, held = {}, dict.fromkeys(WEIGHTS, 0), [], 0
    shards = []
    for row in rows:
        shard.append(row)
        held += len(row[1])
        if held >= SHARD_BYTES:
            shards.append(shard)
            shard, held = [], 0
    shards += [shard] * bool(shard)
    for number, shard in enumerate(shards):
        name = f"shard-{number:05d}-of-{len(shards):05d}.parquet"
        with ParquetOutput(storage.join(folder, name), DOCUMENT_SCHEMA, row_group_bytes=8 << 20) as output:
            for at in range(0, len(shard), 8):
                output.write(_table(shard[at : at + 8]))
        files[name] = output.summary
        for subset, text in shard:
            tokens[subset] += -(-len(text.encode()) // 4)
    manifest = {"kind": "mixture", "weights": WEIGHTS, "counts": {"tokens": tokens}, "files": files}
    storage.write_bytes(storage.join(folder, "manifest.json"), json.dumps(manifest).encode())


def _table(rows: list[tuple[str, str]]) -> pa.Table:
    sizes = [len(text.encode()) for _, text in rows]
    data = {
        "id": [str(i) for i in range(len(rows))],
        "text": [text for _, text in rows],
        "subset": [name for name, _ in rows],
        "source": ["bench"] * len(rows),
        "n_bytes": sizes,
        "n_tokens": [-(-n // 4) for n in sizes],
    }
    columns = [data.get(field.name, [None] * len(rows)) for field in DOCUMENT_SCHEMA]
    return pa.table([pa.array(column, field.type) for column, field in zip(columns, DOCUMENT_SCHEMA)], DOCUMENT_SCHEMA)


def timed(function: Callable[[], int]) -> tuple[float, int]:
    begin = time.process_time()
    n = function()
    return time.process_time() - begin, n


class Timed:
    """A tokenizer's `encode`, with its CPU seconds and what went through it."""

    def __init__(self, encode: Callable[[list[bytes]], list[np.ndarray]]) -> None:
        self.encode = encode
        self.seconds, self.tokens, self.bytes = 0.0, 0, 0

    def __call__(self, texts: list[bytes]) -> list[np.ndarray]:
        begin = time.process_time()
        found = self.encode(texts)
        self.seconds += time.process_time() - begin
        self.tokens += sum(map(len, found))
        self.bytes += sum(map(len, texts))
        return found


def measured(name: str, function: Callable[[], int]) -> float:
    """Run what returns the tokens that it gave; print how its speed compares with that of the tokenizer alone, which
    is CPU seconds within `encode`. Returns the tokenizer's tokens a second."""
    timers = []

    def read(path: str, **options: str | None) -> Tokenizer:
        tokenizer = read_tokenizer(path, **options)
        timers.append(Timed(tokenizer.encode))
        return dataclasses.replace(tokenizer, encode=timers[-1])

    patched = unittest.mock.patch.object
    with patched(packing, "read_tokenizer", read), patched(streaming, "read_tokenizer", read):
        seconds, given = timed(function)
    alone, tokenized = sum(timer.seconds for timer in timers), sum(timer.tokens for timer in timers)
    rate = tokenized / alone
    n_bytes = sum(timer.bytes for timer in timers)
    print(f"{name}: {tokenized:,} tokens of crops tokenized, {given:,} given in sequences; M tokens/s, CPU:")
    print(f"  the tokenizer alone, on the same batches {rate / 1e6:7.3f}   ({n_bytes / alone / 1e6:.1f} MB/s of text)")
    print(f"  tokenized {'':31}{tokenized / seconds / 1e6:7.3f}   {alone / seconds:.2f} of it")
    print(f"  given {'':35}{given / seconds / 1e6:7.3f}   {given / seconds / rate:.2f} of it")
    return rate


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=float, default=100, help="MB of text in the mixture")
    parser.add_argument("--tokens", type=int, default=8_000_000, help="to pack")
    parser.add_argument("--model")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"no real data at {DATA}: set MASSIVETEXT_DATA")
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        mixture = f"{folder}/mixture/main"
        write_mixture(mixture, corpus(), int(options.mb * 1e6))
        model = options.model or f"{folder}/bench.model"
        if not options.model:
            seconds, n = timed(
                lambda: train_tokenizer(mixture, output=model, vocabulary=16_000, sample_bytes=20_000_000)["pieces"]
            )
            print(f"training: {n:,} pieces, {seconds:.1f} s CPU")

        def packed() -> int:
            manifest = packing.pack(mixture, tokenizer=model, output=f"{folder}/out", tokens=options.tokens, say=print)
            return sum(found["tokens"] for found in manifest["counts"].values())

        def streamed(scratch: str | None) -> int:
            stream = streaming.sequences(mixture, tokenizer=model, epochs=None, scratch=scratch)
            return sum(len(sequence) for sequence, _ in zip(stream, range(options.tokens // LENGTH)))

        rate = measured("massivetext pack, both formats", packed)
        measured("massivetext.sequences", lambda: streamed(None))
        measured("massivetext.sequences, scratch", lambda: streamed(f"{folder}/scratch"))
        measured("the same, scratch being there", lambda: streamed(f"{folder}/scratch"))
        _datasets(mixture, model, options.tokens, rate)
        print(f"most memory held: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _datasets(mixture: str, model: str, tokens: int, reference: float) -> None:
    """The usual recipe: stream rows, tokenize whole documents in batches, concatenate, cut to the length."""
    try:
        from datasets import load_dataset
    except ImportError:
        print("datasets is not installed: not compared")
        return
    tokenizer = read_tokenizer(model)

    def streamed() -> int:
        held, n = np.zeros(0, np.int32), 0
        rows = load_dataset("parquet", data_files=f"{mixture}/*.parquet", split="train", streaming=True)
        for batch in rows.select_columns(["text"]).iter(batch_size=16):
            ids = tokenizer.encode(batch["text"])
            held = np.concatenate([held, *(np.r_[tokenizer.bos, one, tokenizer.eos] for one in ids)])
            whole = len(held) // LENGTH * LENGTH
            n, held = n + whole, held[whole:]
            if n >= tokens:
                break
        return n

    seconds, n = timed(streamed)
    print(
        f"{'datasets streaming, whole texts':34}{n:>12,} tokens {n / seconds / 1e6:8.3f} M/s "
        f"{n / seconds / reference:6.2f} x the tokenizer"
    )


if __name__ == "__main__":
    main()
