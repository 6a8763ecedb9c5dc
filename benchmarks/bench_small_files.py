"""Many small files: what a run takes, how many files it leaves, and what planning a million of them costs.

    python benchmarks/bench_small_files.py                        2,000 files of two documents; half a minute
    python benchmarks/bench_small_files.py --files 2000,20000     20,000 as well
    python benchmarks/bench_small_files.py --plan 1000000         listing and planning of a million files of 10 kB

A run is the whole main job on one worker process, by all stages of `c4` in the recipe `gopher` but the test sets. Its
inputs are JSON lines of two texts each, of 3.2 kB, made by a seed from the language's own manual; a last line has the
same documents in one file. `files` counts all that is in DIR, `ledger` the bytes below DIR/ledger.
"""

from __future__ import annotations

import argparse
import json
import os
import pydoc_data.topics
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cpu_time

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
PROGRAM = [sys.executable, "-c", "from massivetext.cli import main; main()"]

RECIPE = """\
extends: gopher
subsets:
  c4:
    sources: [{{format: jsonl, path: "{path}"}}]
    stages: [language, quality, repetition, deduplication]
mixture: {{weights: {{c4: 1.0}}, tokens: max, max_epochs: 1}}
"""


def documents(n: int) -> Iterator[str]:
    """n texts of about 3.2 kB: windows of the manual's words, a quarter of them drawn anew."""
    chance = random.Random(0)
    words = " ".join(pydoc_data.topics.topics.values()).split()
    for _ in range(n):
        at = chance.randrange(len(words) - 540)
        yield " ".join(chance.choice(words) if chance.random() < 0.25 else word for word in words[at : at + 540])


def write_files(folder: Path, n_files: int) -> None:
    """n_files files of two documents, 1,000 in a folder, and `whole.jsonl` with all documents."""
    texts = documents(2 * n_files)
    with (folder / "whole.jsonl").open("w", encoding="utf-8") as whole:
        for number in range(n_files):
            lines = "".join(json.dumps({"text": next(texts)}) + "\n" for _ in range(2))
            path = folder / "in" / f"{number // 1000:04d}" / f"{number:07d}.jsonl"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(lines, "utf-8")
            whole.write(lines)


def run(folder: Path, name: str, path: str, workers: int) -> None:
    (folder / f"{name}.yaml").write_text(RECIPE.format(path=path), "utf-8")
    out = folder / f"out-{name}"
    before, begun = cpu_time.of_children(), time.monotonic()
    command = [*PROGRAM, "run", str(folder / f"{name}.yaml"), "--output", str(out), "--quiet"]
    subprocess.run([*command, "--workers", str(workers)], check=True, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    passed = time.monotonic() - begun
    cpu = cpu_time.of_children() - before
    files = [path for path in out.rglob("*") if path.is_file()]
    ledger = sum(path.stat().st_size for path in files if path.relative_to(out).parts[0] == "ledger")
    work = sum(path.stat().st_size for path in files if path.relative_to(out).parts[0] == "work")
    print(
        f"{name:>12}: {passed:6.1f} s by the clock, {cpu:6.1f} CPU s, {len(files):,} files, "
        f"ledger {ledger / 1e6:.2f} MB, work {work / 1e6:.2f} MB"
    )


def plan(folder: Path, n_files: int) -> None:
    """List and plan n_files files of 10 kB, which are empty on the disk but for their size."""
    for number in range(n_files):
        path = folder / "many" / f"{number // 1000:05d}" / f"{number:08d}.txt"
        if number % 1000 == 0:
            path.parent.mkdir(parents=True)
        with path.open("wb") as stream:
            stream.truncate(10_000)
    (folder / "many.yaml").write_text(RECIPE.format(path=folder / "many").replace("jsonl", "text"), "utf-8")
    code = (
        "import resource, sys, time\n"
        "from pipelines import recipe\n"
        "from pipelines.input_splits import find_parts\n"
        "read = recipe.read(sys.argv[1])\n"
        "begun, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "parts = find_parts(read)\n"
        "memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024\n"
        "print(f'{sum(len(part.members) for part in parts):,} files in {len(parts):,} parts: '\n"
        "      f'{time.process_time() - begun:.1f} CPU s, {memory:.0f} MB')\n"
    )
    subprocess.run([sys.executable, "-c", code, str(folder / "many.yaml")], check=True, cwd=REPOSITORY)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--files", default="2000")
    options.add_argument("--workers", type=int, default=1)
    options.add_argument("--plan", type=int, default=0)
    chosen = options.parse_args()
    cpu_time.adopt_orphans()
    with tempfile.TemporaryDirectory(prefix="small-files-") as name:
        if chosen.plan:
            plan(Path(name), chosen.plan)
            return
        for n_files in map(int, chosen.files.split(",")):
            folder = Path(name) / str(n_files)
            folder.mkdir()
            write_files(folder, n_files)
            run(folder, f"{n_files:,}".replace(",", "_"), str(folder / "in"), chosen.workers)
            run(folder, "whole", str(folder / "whole.jsonl"), chosen.workers)


if __name__ == "__main__":
    main()
