"""The first run: CPU seconds and wall seconds of compiling all kernels into an empty folder, by part of the program.

`python benchmarks/bench_compile.py [NAME ...]`: all jobs of `massivetext warm-up`, or the named ones. One job after the
other, so that CPU seconds are those of a job alone, then all of them side by side as the command runs them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time


def measure(names: list[str], processes: int) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of compiling into an empty folder."""
    from massivetext.warm_up import warm_up

    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder
        start = time.monotonic()
        spent = warm_up(names, processes=processes)
        return spent, time.monotonic() - start


def main(names: list[str]) -> None:
    from massivetext.warm_up import JOBS

    for name in names or JOBS:
        spent, _ = measure([name], 1)
        print(f"{name:16} {spent:6.1f} CPU s")
    spent, wall = measure(names or list(JOBS), len(os.sched_getaffinity(0)))
    print(f"{'side by side':16} {spent:6.1f} CPU s, {wall:.1f} s by the clock")


if __name__ == "__main__":
    main(sys.argv[1:])
