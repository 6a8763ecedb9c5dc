"""Extraction: pages a second beside an earlier release and other libraries, taken in turns.

    python benchmarks/bench_extraction_speed.py [--data DIR] [--earlier FOLDER] [--peers PYTHON] [--rounds N]

Each program runs in a process of its own. They take turns, ten pages at a time, so that whatever else the machine does
slows all of them alike. Times are CPU seconds; of each ten pages the best round counts. FOLDER is a checkout of an
earlier release (`git worktree add FOLDER COMMIT`), run by this interpreter; PYTHON is an interpreter with trafilatura
and resiliparse, say of an environment of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

WORKER = """
import gzip, sys, time
name, paths = sys.argv[1], sys.argv[2:]
pages = [gzip.decompress(open(path, "rb").read()) for path in paths]
if name == "trafilatura":
    from trafilatura import extract
elif name == "resiliparse":
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.encoding import bytes_to_str, detect_encoding
    def extract(page):
        text = bytes_to_str(page, detect_encoding(page))
        return extract_plain_text(text, main_content=True, alt_texts=False)
else:
    from massivetext.extraction import extract as own
    def extract(page):
        return own(page, engine="salient")
extract(pages[0])
print("ready", flush=True)
for line in sys.stdin:
    low, high = map(int, line.split())
    started = time.process_time()
    for page in pages[low:high]:
        extract(page)
    print(time.process_time() - started, flush=True)
"""

BATCH = 10


class Program:
    """A program that extracts pages when it is told to."""

    def __init__(self, name: str, python: str, folder: Path | None, paths: list[Path]) -> None:
        environment = os.environ | ({"PYTHONPATH": str(folder)} if folder else {"PYTHONPATH": ""})
        command = [python, "-c", WORKER, name, *map(str, paths)]
        self.name = name
        self.best: dict[int, float] = {}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder or "/"
        )
        assert self._answer() == "ready"

    def _answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def run(self, low: int) -> None:
        """Extract a batch; its best time is kept."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{low} {low + BATCH}\n")
        self.process.stdin.flush()
        self.best[low] = min(self.best.get(low, float("inf")), float(self._answer()))

    def close(self) -> float:
        """End the program; returns its seconds for all pages."""
        self.process.communicate()
        return sum(self.best.values())


def compare(paths: list[Path], programs: list[Program], rounds: int, slow_rounds: int) -> None:
    """Let the programs take turns, and print their speed. trafilatura runs `slow_rounds` times."""
    for number in range(rounds):
        for low in range(0, len(paths), BATCH):
            for program in programs:
                if program.name != "trafilatura" or number < slow_rounds:
                    program.run(low)
    seconds = {program.name: program.close() for program in programs}
    for name, spent in seconds.items():
        print(f"  {name:12s} {len(paths) / spent:6.0f} pages/s, ours are {spent / seconds['ours']:.2f} times as many")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    data = os.environ.get("MASSIVETEXT_DATA", str(REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=Path(data))
    parser.add_argument("--earlier", type=Path, help="a checkout of an earlier release")
    parser.add_argument("--peers", help="an interpreter with trafilatura and resiliparse")
    parser.add_argument("--rounds", type=int, default=10)
    arguments = parser.parse_args()
    for name, step in (("extraction", 3), ("wcxb", 15)):
        paths = sorted((arguments.data / name / "html").iterdir())[::step]
        programs = [Program("ours", sys.executable, REPOSITORY, paths)]
        if arguments.earlier:
            programs.append(Program("earlier", sys.executable, arguments.earlier.resolve(), paths))
        if arguments.peers:
            programs += [Program(peer, arguments.peers, None, paths) for peer in ("resiliparse", "trafilatura")]
        print(f"{name}, {len(paths)} pages:")
        compare(paths, programs, arguments.rounds, 1)


if __name__ == "__main__":
    main()
