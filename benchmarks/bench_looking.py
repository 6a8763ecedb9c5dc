"""Time and memory of what-if and diff for ledgers of growing length.

The rows are those of a real run, the demo's unless --base names another output folder, repeated under new ids until
there are enough. Each command is a fresh process, whose CPU time and largest resident memory are taken from the system.

    python benchmarks/bench_looking.py                          # 20,000 and 200,000 rows
    python benchmarks/bench_looking.py --rows 200000 1000000
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile

from bench_report import multiply

PROGRAM = "from massivetext.cli import main; main()"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[20_000, 200_000])
    parser.add_argument("--base", help="output folder whose rows are repeated (default: the demo's)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-looking-") as temporary:
        base = options.base or os.path.join(temporary, "demo", "out")
        if options.base is None:
            run("demo", "--output", os.path.join(temporary, "demo"), "--quiet")
        print(f"{'rows':>10}  {'command':<40} {'s CPU':>8} {'peak MB':>8}")
        for n_rows in options.rows:
            folder = os.path.join(temporary, f"rows-{n_rows}")
            multiply(base, folder, n_rows)
            for kind in ("curated", "rejected"):
                shutil.rmtree(os.path.join(folder, kind))
            for words in (
                ("what-if", folder, "--set", "quality.word_count.min=30"),
                ("what-if", folder, "--set", "quality.word_count.min=100"),
                ("diff", folder, folder),
            ):
                cpu, peak = run(*words)
                said = " ".join(word for word in words if word != folder)
                print(f"{n_rows:>10,}  {said:<40} {cpu:>8.1f} {peak / 1e6:>8.0f}")


def run(*words: str) -> tuple[float, int]:
    """CPU seconds and peak resident bytes of one command."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, *words], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"massivetext {' '.join(words)} failed")
    unit = 1 if sys.platform == "darwin" else 1024
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit


if __name__ == "__main__":
    main()
