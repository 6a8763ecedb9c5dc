"""How often Ctrl-C in the first moments of the command line shows a traceback of Python's.

    python benchmarks/bench_interruption.py [SECONDS [TIMES]]

The signal comes at a seeded moment of the first SECONDS (.06). Tracebacks are counted by where they begin. What comes
before the first line of the package cannot be caught by it: Python's own start, and the script that pip writes.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path


def main() -> None:
    within = float(sys.argv[1]) if len(sys.argv) > 1 else 0.06
    times = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    program = str(Path(sys.executable).with_name("massivetext"))
    draw = random.Random(0)
    outcomes: Counter[str] = Counter()
    for _ in range(times):
        process = subprocess.Popen(
            [program, "validate", "gopher"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        time.sleep(draw.uniform(0, within))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()
        files = [line.split(",")[0].strip() for line in errors.splitlines() if line.strip().startswith("File")]
        is_ours = any("massivetext/massivetext" in file or "site-packages/massivetext" in file for file in files)
        outcomes["in the package" if is_ours else "before the package" if files else "no traceback"] += 1
    for outcome, n in outcomes.most_common():
        print(f"{n:4} of {times}  {outcome}")


if __name__ == "__main__":
    main()
