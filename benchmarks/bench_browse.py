"""Seconds of every view of `massivetext browse` over a ledger of a million rows, and the memory of the process.

    python benchmarks/bench_browse.py [RUN [ROWS]]

RUN is the output of a run, the demo's if there is none. The rows of its ledger are
repeated, with ids of their own and signals moved a little.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from massivetext.browse.app import make_app
from massivetext.cli.browse import open_run
from massivetext.ledger import ledger_files

PART = 50_000
VIEWS = (
    "",
    "?outcome=rejected&reason=quality",
    "?sort=-word_count",
    "?near=quality.word_count&side=kept",
    "?host=pydoc.example&min.word_count=100&max.word_count=200",
    "?page=1000",
    "what-if?subset=massiveweb",
    "what-if.json?subset=massiveweb&quality.word_count.min=80",
    "what-if.json?subset=massiveweb&quality.word_count.min=80&repetition.duplicate_line_fraction.max=0.1",
)


def build(run: str, folder: str, rows: int) -> None:
    """Write a ledger of many rows below a folder, in parts."""
    shutil.copy(os.path.join(run, "recipe.yaml"), folder)
    tables = [pq.read_table(path) for path in ledger_files(run)]
    base = pa.concat_tables([table for table in tables if "massiveweb" in table["subset"].to_pylist()])
    target = os.path.join(folder, "ledger", "massiveweb")
    os.makedirs(target)
    draw = np.random.default_rng(0)
    for part in range(rows // PART):
        table = base.take(draw.integers(0, base.num_rows, PART))
        for at, field in enumerate(table.schema):
            if field.name == "id":
                names = np.sort(draw.integers(0, 1 << 62, PART))
                table = table.set_column(at, field, pa.array([f"{name:016x}{part:016x}" for name in names]))
            elif pa.types.is_floating(field.type):
                values = table.column(at).to_numpy() * draw.uniform(0.9, 1.1, PART)
                table = table.set_column(at, field, pa.array(values, from_pandas=True))
        pq.write_table(table, os.path.join(target, f"part-{part:016x}-00000.parquet"), compression="zstd")


def main() -> None:
    from starlette.testclient import TestClient

    rows = int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as demo:
        if len(sys.argv) < 2:
            command = [sys.executable, "-m", "massivetext", "demo", "--output", demo, "--quiet"]
            subprocess.run(command, check=True)
        build(sys.argv[1] if len(sys.argv) > 1 else os.path.join(demo, "out"), folder, rows)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        opened = open_run(folder, 60.0)
        with opened.store:
            client = TestClient(make_app(opened, "t"), base_url="http://127.0.0.1/t/")
            document = opened.store.query("SELECT id FROM ledger WHERE outcome = 'rejected' LIMIT 1")[0]["id"]
            for view in (*VIEWS, f"document/{document}"):
                for turn in ("first", "again"):
                    wall, cpu = time.monotonic(), time.process_time()
                    answer = client.get(view)
                    wall, cpu = time.monotonic() - wall, time.process_time() - cpu
                    assert answer.status_code == 200, answer.text
                    print(f"{turn}  {wall:6.2f} s  {cpu:6.2f} CPU s  {view or 'list'}")
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"memory {after / 1024:,.0f} MB at most, {before / 1024:,.0f} MB of it before the pages")


if __name__ == "__main__":
    main()
