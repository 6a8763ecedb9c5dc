"""Many real documents through mix and verify: memory of the largest process and CPU time, at n and at 10 n documents.

    python benchmarks/bench_documents.py                                100,000 and 1,000,000 documents
    python benchmarks/bench_documents.py --documents 1000000,10000000   an hour and 10 GB of disk

Documents are single sentences of about 100 bytes, each unlike all others, in JSON lines. The pass over the text counts
words, so that most of the time goes to what is done for each document whatever its length. Memory is the largest
resident set that one process had, of the command and of its workers.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cpu_time
from bench_engine import Processes

REPOSITORY = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, "-c", "from massivetext.cli import main; main()"]
WORDS = re.findall(r"\b[a-z]{3,9}\b", (REPOSITORY / "docs" / "glossary.md").read_text("utf-8"))

RECIPE = """\
subsets:
  books: {{sources: [{{format: jsonl, path: "{folder}/books-*.jsonl"}}], stages: [quality]}}
  c4: {{sources: [{{format: jsonl, path: "{folder}/c4-*.jsonl"}}], stages: [quality]}}
quality: {{word_count: {{min: 1}}, stop_word_count: {{min: 0}}, mean_word_length: {{min: 1}}}}
mixture: {{weights: {{books: 0.3, c4: 0.7}}, tokens: max, max_epochs: 1}}
"""


def make(folder: Path, n: int) -> None:
    """n documents in two subsets, 100,000 a file."""
    for first in range(0, n, 100_000):
        subset = "books" if first // 100_000 % 4 == 0 else "c4"
        random_ = random.Random(first)
        with open(folder / f"{subset}-{first:010d}.jsonl", "w", encoding="utf-8") as stream:
            for number in range(first, min(n, first + 100_000)):
                stream.write(f'{{"text": "Number {number}: {" ".join(random_.choices(WORDS, k=12))}."}}\n')


def measure(*command: str) -> tuple[float, float, float, float]:
    """Run a command. Returns seconds by the clock, CPU seconds, MB of the command itself, of its largest worker."""
    before, begun = cpu_time.of_children(), time.monotonic()
    process = subprocess.Popen([*PROGRAM, *command], stdout=subprocess.DEVNULL)
    seen = Processes([process.pid])
    seen.start()
    if process.wait():
        sys.exit(f"{' '.join(command)}: exit status {process.returncode}")
    seconds = time.monotonic() - begun
    seen.is_over = True
    own = seen.peaks.pop(process.pid, 0)
    return seconds, cpu_time.of_children() - before, own / 1e6, max(seen.peaks.values(), default=0) / 1e6


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", default="100000,1000000")
    options.add_argument("--workers", default="2")
    chosen = options.parse_args()
    os.environ["PYTHONPATH"] = str(REPOSITORY)
    cpu_time.adopt_orphans()
    print("| documents | step | wall s | CPU s | command, MB | largest worker, MB |\n|---|---|---|---|---|---|")
    for n in map(int, chosen.documents.split(",")):
        with tempfile.TemporaryDirectory(prefix="documents-") as temporary:
            folder = Path(temporary)
            make(folder, n)
            (folder / "recipe.yaml").write_text(RECIPE.format(folder=folder), "utf-8")
            arguments = (str(folder / "recipe.yaml"), "--output", str(folder / "out"), "--workers", chosen.workers)
            for step in ("curate", "deduplicate", "decontaminate", "mix", "verify"):
                given = (str(folder / "out"),) if step == "verify" else (*arguments, "--quiet")
                wall, cpu, own, worker = measure(step, *given)
                print(f"| {n:,} | {step} | {wall:.1f} | {cpu:.1f} | {own:.0f} | {worker:.0f} |", flush=True)
            shutil.rmtree(folder / "out")


if __name__ == "__main__":
    main()
