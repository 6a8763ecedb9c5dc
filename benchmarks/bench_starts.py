"""Starts: what commands take that have next to nothing to do, by the clock and in CPU seconds of all their processes.

    python benchmarks/bench_starts.py                                   this checkout; a minute
    python benchmarks/bench_starts.py --against /elsewhere/bin/python   in turns with an earlier release

The run is of five documents as JSON lines, by five stages of the recipe `gopher`, on one worker. Every command is given
as often as `--times` says, in turns, after one run that compiles kernels and is not counted. `deduplicate` begins where
`curate` has ended: with five documents to compare, it takes what is fixed about the stage. `imports` is the ratio to
what the import of numpy, pyarrow and numba takes in the same minute: no run can do without these.
"""

from __future__ import annotations

import argparse
import json
import os
import pydoc_data.topics
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cpu_time

PROGRAM = "from massivetext.cli import main; main()"
IMPORTS = "import numpy, pyarrow.compute, pyarrow.parquet, numba"
RECIPE = """\
extends: gopher
subsets:
  c4:
    sources: [{format: jsonl, path: docs.jsonl}]
    stages: [language, quality, repetition, deduplication, contamination]
mixture: {weights: {c4: 1.0}, tokens: max, max_epochs: 1}
"""
CURATE = ["curate", "five.yaml", "--output", "curated", "--quiet"]
COMMANDS = {
    "run": ["run", "five.yaml", "--output", "out", "--quiet"],
    "run again": ["run", "five.yaml", "--output", "out", "--quiet"],
    "deduplicate": ["deduplicate", "five.yaml", "--output", "half", "--quiet"],
    "report": ["report", "out", "--quiet"],
    "inspect": ["inspect", "out"],
    "validate": ["validate", "five.yaml"],
    "plan": ["plan", "five.yaml"],
    "--help": ["--help"],
}


def write_input(folder: Path) -> None:
    """Write the recipe and its five documents: pieces of the language's own manual."""
    words = " ".join(pydoc_data.topics.topics.values()).split()
    lines = [json.dumps({"text": " ".join(words[400 * n : 400 * n + 250])}) + "\n" for n in range(5)]
    (folder / "docs.jsonl").write_text("".join(lines), "utf-8")
    (folder / "five.yaml").write_text(RECIPE, "utf-8")


def took(command: list[str], folder: Path) -> tuple[float, float]:
    """Return what a command took: seconds by the clock, and CPU seconds of it and of all processes it has started."""
    before, start = cpu_time.of_children(), time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - start
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return seconds, cpu_time.of_children() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", help="the Python of an environment with another release")
    parser.add_argument("--times", type=int, default=3)
    chosen = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or every start compiles modules that are not kept yet
    cpu_time.adopt_orphans()
    pythons = {"this": sys.executable, **({"other": chosen.against} if chosen.against else {})}
    with tempfile.TemporaryDirectory() as name:
        folders = {who: Path(name, who) for who in pythons}
        for who, folder in folders.items():
            folder.mkdir()
            write_input(folder)
            took([pythons[who], "-c", PROGRAM, *COMMANDS["run"]], folder)
            took([pythons[who], "-c", PROGRAM, *CURATE], folder)
        unit = min(took([sys.executable, "-c", IMPORTS], Path(name))[1] for _ in range(chosen.times))
        print(f"imports of numpy, pyarrow and numba: {unit:.2f} CPU s\n")
        print(f"{'command':<12}{'release':<9}{'s, all times':<28}{'s':>6}{'CPU s':>8}{'imports':>9}")
        for command, arguments in COMMANDS.items():
            figures: dict[str, list[tuple[float, float]]] = {who: [] for who in pythons}
            for _ in range(chosen.times):
                for who, python in pythons.items():
                    if command == "run":
                        shutil.rmtree(folders[who] / "out")
                    elif command == "deduplicate":
                        shutil.rmtree(folders[who] / "half", ignore_errors=True)
                        shutil.copytree(folders[who] / "curated", folders[who] / "half")
                    figures[who].append(took([python, "-c", PROGRAM, *arguments], folders[who]))
            for who, own in figures.items():
                clock, cpu = zip(*own)
                all_times = " ".join(f"{seconds:.2f}" for seconds in sorted(clock))
                middle, spent = statistics.median(clock), statistics.median(cpu)
                print(
                    f"{command:<12}{who:<9}{all_times:<28}{middle:>6.2f}{spent:>8.2f}{spent / unit:>9.1f}", flush=True
                )


if __name__ == "__main__":
    main()
