"""The loader: MB of text a second of CPU, as RecordBatches and as dicts, beside Hugging Face `datasets` streaming and
grain's Parquet source on the very same shards, in the same run (`make test-loaders` installs both; left out where they
are missing).

`.venv-loaders/bin/python benchmarks/bench_loader.py [--mb 200] [--passes 3]`. CPU time of the process, all its threads,
the best of the passes; texts are the books, PEPs and news of MASSIVETEXT_DATA, dealt into a mixture of three subsets.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from bench_pack import DATA, WEIGHTS, corpus, write_mixture

import massivetext
from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.parquet import ParquetOutput

BATCH = 256


def write_curated(folder: str, shards: list[str]) -> None:
    """The documents of the shards as curated parts, all of them kept, with their ledgers."""
    listed: dict[str, dict[str, object]] = {"curated": {}, "ledger": {}}
    counts: dict[str, dict[str, list[int]]] = {}
    for number, shard in enumerate(shards):
        table = pq.read_table(shard)
        for subset in WEIGHTS:
            chosen = table.filter(pa.compute.equal(table.column("subset"), subset))
            ids = pa.array([f"{subset}-{number}-{i}" for i in range(chosen.num_rows)])
            chosen = chosen.set_column(0, DOCUMENT_SCHEMA.field("id"), ids)
            name = f"{subset}/part-{number:016x}-00000.parquet"
            with ParquetOutput(f"{folder}/curated/{name}", DOCUMENT_SCHEMA) as output:
                for at in range(0, chosen.num_rows, 64):
                    output.write(chosen.slice(at, 64))
            listed["curated"][name] = output.summary
            outcomes = pa.table({"id": ids, "outcome": pa.repeat("kept", chosen.num_rows)})
            with ParquetOutput(f"{folder}/ledger/{name}", outcomes.schema) as output:
                output.write(outcomes)
            listed["ledger"][name] = output.summary
            counts.setdefault(subset, {"kept": [0, 0, 0]})["kept"][0] += chosen.num_rows
    for kind, files in listed.items():
        data = json.dumps({"kind": kind, "files": files, "counts": counts}).encode()
        storage.write_bytes(f"{folder}/{kind}/manifest.json", data)


Rows = Iterator[tuple[int, int]]
"""(documents, bytes of their texts), a batch or a document at a time."""


def batches(found: Iterator[pa.RecordBatch]) -> Rows:
    for batch in found:
        yield batch.num_rows, pa.compute.sum(batch.column("n_bytes")).as_py()


def dicts(found: Iterator[dict]) -> Rows:
    for row in found:
        yield 1, row["n_bytes"]


def bare(shards: list[str]) -> Rows:
    """pyarrow alone: each row group decoded, in the files' order; what is below every loader."""
    for shard in shards:
        file = pq.ParquetFile(shard)
        for group in range(file.metadata.num_row_groups):
            table = file.read_row_group(group, use_threads=False)
            yield table.num_rows, pa.compute.sum(table.column("n_bytes")).as_py()


def contestants(folder: str, curated: str, shards: list[str]) -> dict[str, Callable[[], Rows]]:
    load = massivetext.load
    found: dict[str, Callable[[], Rows]] = {
        "pyarrow, row groups alone": lambda: bare(shards),
        f"load, RecordBatches of {BATCH}": lambda: batches(load(folder, batch_size=BATCH)),
        "load, in the shards' order, RecordBatches": lambda: batches(load(folder, batch_size=BATCH, shuffle=0)),
        "load, dicts": lambda: dicts(load(folder)),
        "load, dicts of text and n_bytes": lambda: dicts(load(folder, columns=["text", "n_bytes"])),
        "load, curated, RecordBatches": lambda: batches(load(curated, subsets=list(WEIGHTS), batch_size=BATCH)),
        "load, curated by weights, RecordBatches": lambda: batches(load(curated, weights=WEIGHTS, batch_size=BATCH)),
        "load, curated by weights, dicts": lambda: dicts(load(curated, weights=WEIGHTS)),
    }
    try:
        import datasets
    except ImportError:
        print("datasets is not installed: not compared (make test-loaders)")
    else:
        datasets.disable_progress_bars()

        def streamed():
            return datasets.load_dataset("parquet", data_files=shards, split="train", streaming=True)

        found["datasets, streaming, dicts"] = lambda: dicts(streamed())
        found["datasets, streaming, Arrow batches"] = lambda: batches(
            batch for table in streamed().with_format("arrow").iter(BATCH) for batch in table.to_batches()
        )
        found["datasets, streaming, shuffled, dicts"] = lambda: dicts(streamed().shuffle(seed=0, buffer_size=1000))
    try:
        from grain.experimental import ParquetIterDataset
    except ImportError:
        print("grain is not installed: not compared (make test-loaders)")
    else:
        found["grain, ParquetIterDataset, dicts"] = lambda: dicts(iter(ParquetIterDataset(shards)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=float, default=200, help="MB of text in the mixture")
    parser.add_argument("--passes", type=int, default=3)
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"no real data at {DATA}: set MASSIVETEXT_DATA")
    with tempfile.TemporaryDirectory() as folder:
        write_mixture(f"{folder}/mixture/main", corpus(), int(options.mb * 1e6))
        shards = [str(path) for path in sorted(Path(folder).rglob("*.parquet"))]
        write_curated(f"{folder}/curated", shards)
        reference = 0.0
        print(f"{'':42}{'documents':>10}{'MB':>8}{'MB/s':>8}{'ratio':>8}{'MB held':>10}   (the process's most so far)")
        for name, opened in contestants(folder, f"{folder}/curated", shards).items():
            rates = []
            for _ in range(options.passes):
                begin = time.process_time()
                rows = list(opened())
                n_bytes = sum(n for _, n in rows)
                rates.append(n_bytes / (time.process_time() - begin) / 1e6)
            reference = reference or max(rates)
            documents = sum(n for n, _ in rows)
            held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name:42}{documents:>10,}{n_bytes / 1e6:>8.0f}{max(rates):>8.0f}{max(rates) / reference:>8.2f}"
                f"{held:>10.0f}"
            )


if __name__ == "__main__":
    main()
