"""Hot buckets: corpora that make one bucket of everything, at n and 2 n documents; near-linear is a ratio of about 2.

    python benchmarks/bench_dedup_hot.py                       n = 10,000, for `make bench`
    python benchmarks/bench_dedup_hot.py --documents 100000    n = 100,000 and 200,000; --only NAME for one corpus

CPU time of near_duplicates in memory, in a process of its own each, kernels loaded before. No limit is put on any of
it: what is not near-linear shows here.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

CORPORA = {
    "copies": "copies of one short page",
    "one_shingle": "different texts of twelve words, one shingle each",
    "template": "one template, J = .791 in every pair, all kept",
    "slots": "one template with 6 slots of 8 fillers and an own end, J from .5 to .95: thousands of cores",
    "chain": "windows of one text, each a step further: one component, J from 1 to 0",
}


def texts(name: str, n: int) -> list[str]:
    generator = np.random.default_rng(0)

    def words(*numbers: int) -> str:
        return " ".join(f"w{number}" for number in numbers)

    base = list(range(300))
    if name == "copies":
        return ["We use cookies to improve your visit. Accept"] * n
    if name == "one_shingle":
        return [words(*row) for row in generator.integers(0, 1000, (n, 12)).tolist()]
    if name == "template":
        return [words(*base, *range(1000 * (i + 1), 1000 * (i + 1) + 38)) for i in range(n)]
    if name == "chain":
        return [words(*range(6 * i, 6 * i + 300)) for i in range(n)]
    made = []
    for i, fillers in enumerate(generator.integers(0, 8, (n, 6)).tolist()):
        own = base.copy()
        for slot, filler in enumerate(fillers):
            own[25 + 50 * slot] = 1000 + 10 * slot + filler
        made.append(words(*own, *range(2000 + 20 * i, 2000 + 20 * i + 8)))
    return made


def measure(name: str, n: int) -> dict[str, float]:
    from massivetext.dedup import near_duplicates

    rows = pa.array(texts("template", 100) + texts("chain", 100), pa.large_string())
    near_duplicates(rows, [f"{i:032x}" for i in range(200)])
    column = pa.array(texts(name, n), pa.large_string())
    ids = [f"{i:032x}" for i in range(n)]
    begun = time.process_time()
    kept = near_duplicates(column, ids)["kept"].to_numpy().sum()
    cpu = time.process_time() - begun
    return {"cpu_s": cpu, "kept": int(kept), "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=10_000)
    parser.add_argument("--only", choices=sorted(CORPORA))
    parser.add_argument("--step", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        print(json.dumps(measure(arguments.step, arguments.documents)))
        return
    for name, what in CORPORA.items():
        if arguments.only not in (None, name):
            continue
        print(f"{name}: {what}")
        before = None
        for n in (arguments.documents, 2 * arguments.documents):
            command = [sys.executable, __file__, "--step", name, "--documents", str(n)]
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            ratio = "" if before is None else f", {found['cpu_s'] / before:.2f} times the time"
            before = found["cpu_s"]
            micro = 1e6 * found["cpu_s"] / n
            print(
                f"    {n:>9,} documents: {found['cpu_s']:7.2f} s, {micro:7.1f} us each, {found['kept']:,} kept{ratio}"
            )


if __name__ == "__main__":
    main()
