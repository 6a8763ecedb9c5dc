"""Exports: MB of text a second that each format of documents takes, beside pyarrow decoding the same shards.

`python benchmarks/bench_export.py [--mb 200]`. CPU time of one process, all threads counted; texts are those of
bench_mixture.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent))
from bench_mixture import DATA, WEIGHTS, corpus, write_parts

from massivetext.export import export
from massivetext.export.rows import row_groups


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mb", type=float, default=200, help="MB of text in all")
    options = parser.parse_args()
    if not DATA.is_dir():
        sys.exit(f"no real data at {DATA}: set MASSIVETEXT_DATA")
    pa.set_cpu_count(1)
    with tempfile.TemporaryDirectory() as folder:
        texts = corpus()
        os.makedirs(f"{folder}/in")
        paths = [
            path
            for name, weight in WEIGHTS.items()
            for path in write_parts(f"{folder}/in", name, texts[name], weight * options.mb * 1e6)
        ]
        begin = time.process_time()
        n_bytes = sum(sum(table.column("n_bytes").to_pylist()) for path in paths for table in row_groups(path))
        alone = time.process_time() - begin
        print(f"{n_bytes / 1e6:.0f} MB of text in {len(paths)} shards")
        print(f"{'pyarrow, decoding':<20}{n_bytes / alone / 1e6:8.0f} MB/s")
        for name in ("jsonl", "mds", "webdataset"):
            export(paths[-1], format=name, output=f"{folder}/warm-{name}")  # kernels are compiled
            begin = time.process_time()
            manifest = export(f"{folder}/in", format=name, output=f"{folder}/{name}")
            seconds = time.process_time() - begin
            size = sum(one["bytes"] for one in manifest["files"].values())
            ratio = f"{alone / seconds:.2f} of decoding alone   {size / n_bytes:.2f} of its size"
            print(f"{name:<20}{n_bytes / seconds / 1e6:8.0f} MB/s   {ratio}")


if __name__ == "__main__":
    main()
