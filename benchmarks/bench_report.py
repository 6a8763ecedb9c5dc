"""Time, memory and size of the report for ledgers of growing length.

The rows are those of a real run, the demo's unless --base names another output folder, repeated under new ids, hosts,
partners and values until there are enough; the texts with them, cut to 1,000 characters. Each report is made by a fresh
process, whose CPU time and largest resident memory are taken from the system.

    python benchmarks/bench_report.py                          # 20,000 and 200,000 rows
    python benchmarks/bench_report.py --rows 250000 1000000
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext.parquet import ParquetOutput

ROWS_A_FILE = 65_536
CHARACTERS = 1_000
KINDS = ("ledger", "curated", "rejected")
PROGRAM = "from massivetext.cli import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--base", help="output folder whose rows are repeated (default: the demo's)")
    parser.add_argument("--keep", help="leave the made folders and their reports below this one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-report-") as temporary:
        base = options.base or demo(os.path.join(temporary, "demo"))
        print(f"{'rows':>10} {'s CPU':>8} {'s wall':>8} {'peak MB':>8} {'page MB':>8}")
        for n_rows in options.rows:
            folder = os.path.join(options.keep or temporary, f"rows-{n_rows}")
            if not os.path.exists(folder):
                multiply(base, folder, n_rows)
            cpu, wall, peak = report(folder)
            page = os.path.getsize(os.path.join(folder, "report", "index.html"))
            print(f"{n_rows:>10,} {cpu:>8.1f} {wall:>8.1f} {peak / 1e6:>8.0f} {page / 1e6:>8.2f}")


def demo(folder: str) -> str:
    command = [sys.executable, "-c", PROGRAM, "demo", "--output", folder, "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return os.path.join(folder, "out")


def report(folder: str) -> tuple[float, float, int]:
    """CPU seconds, wall seconds and peak resident bytes of making a folder's report."""
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, "report", folder], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"the report of {folder} failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss * unit


def multiply(base: str, folder: str, n_rows: int) -> None:
    """An output folder of about `n_rows` ledger rows: whole copies of all rows of `base`, and one that is cut short."""
    shutil.copytree(base, folder, ignore=shutil.ignore_patterns("*.parquet", "work"))
    for kind in KINDS:
        for path in Path(base, kind).rglob("*.parquet"):
            path = path.relative_to(base)
            os.makedirs(Path(folder, path).parent, exist_ok=True)
    tables = {
        (kind, path.parent.name): pq.read_table(path.parent)
        for kind in KINDS
        for path in Path(base, kind).rglob("*.parquet")
    }
    length = sum(table.num_rows for (kind, _), table in tables.items() if kind == "ledger")
    copies = max(1, n_rows // length)
    for (kind, subset), table in tables.items():
        if kind != "ledger":
            text = pc.utf8_slice_codeunits(table["text"], 0, CHARACTERS)
            table = table.set_column(table.schema.get_field_index("text"), table.schema.field("text"), text)
        a_file = max(1, ROWS_A_FILE // max(1, tables["ledger", subset].num_rows))  # the same in all three folders
        for start in range(0, copies, a_file):
            # Named as a part is: by a digest of its source, which the copies of this file share.
            path = os.path.join(folder, kind, subset, f"part-{start:016x}-00000.parquet")
            with ParquetOutput(path, table.schema) as output:
                for copy in range(start, min(copies, start + a_file)):
                    output.write(renamed(table, copy))


def renamed(table: pa.Table, copy: int) -> pa.Table:
    """The rows under other ids and hosts: the first 8 of an id's 32 digits changed, by a number of the copy's own."""
    shift = (copy * 0x9E3779B1) & 0xFFFFFFFF

    def moved(column: pa.ChunkedArray) -> pa.Array:
        return pa.array([f"{int(v[:8], 16) ^ shift:08x}{v[8:]}" if v else v for v in column.to_pylist()], pa.string())

    for name in ("id", "partner_id"):
        if name in table.schema.names:
            at = table.schema.get_field_index(name)
            table = table.set_column(at, table.schema.field(at), moved(table[name]))
    for at, field in enumerate(table.schema):
        if pa.types.is_float64(field.type):  # so that no two copies have one value: real ones do not compress well
            table = table.set_column(at, field, pc.multiply(table.column(at), 1 - copy * 1e-9))
    at = table.schema.get_field_index("url")
    urls = pc.replace_substring(table["url"], "://", f"://n{copy % 5000}.", max_replacements=1)
    return table.set_column(at, table.schema.field(at), urls)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
