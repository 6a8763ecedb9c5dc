"""Limits of single documents: what they cost, and whether a busy machine makes them hit the wrong ones.

    python benchmarks/bench_isolation.py                      overhead, then runs beside 8 busy loops; two minutes
    python benchmarks/bench_isolation.py --documents 100000   overhead of so many

Overhead: the pass over small pages with its notes of each step, against the same pass with the calls replaced by
nothing, in turns, CPU time. Runs: the whole job over the same pages, and over documents that each take half a CPU
second of a limit of one, beside busy loops and without.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pydoc_data.topics
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

_RECIPE = """
subsets:
  massiveweb:
    sources: [{{format: jsonl, path: "{path}", fields: {fields}}}]
    stages: [{stages}]
isolation: {{seconds: {seconds}}}
mixture: {{weights: {{massiveweb: 1.0}}}}
{more}"""
_SLOW = """
import time
import pyarrow as pa

def rule(texts):
    for text in texts.to_pylist():
        until = time.process_time() + 0.5
        while text != "text" and time.process_time() < until:
            pass
    return pa.array([0] * len(texts))
"""


def write_pages(path: Path, n: int) -> None:
    """n pages of about a hundred words of the language's own manual."""
    chance = random.Random(0)
    words = " ".join(pydoc_data.topics.topics.values()).replace("<", " ").replace("&", " ").split()
    with path.open("w", encoding="utf-8") as out:
        for number in range(n):
            at = chance.randrange(len(words) - 100)
            body = f"<html><body><p>{' '.join(words[at : at + 100])}</p></body></html>"
            out.write(json.dumps({"page": body, "url": f"http://example.org/{number}"}) + "\n")


def overhead(folder: Path, n: int, rounds: int = 5) -> None:
    from massivetext import isolation
    from pipelines import recipe as recipes
    from pipelines.curate import Curate
    from pipelines.engines.local import run_here
    from pipelines.input_splits import find_parts
    from pipelines.run_folder.fingerprints import part_tasks
    from pipelines.run_folder.folder import Folder

    write_pages(folder / "pages.jsonl", n)
    write_recipe(folder, "pages.jsonl", "{page: page, url: url}", "extraction, quality, repetition", 60)
    recipe = recipes.read(str(folder / "recipe.yaml"))
    parts = find_parts(recipe)
    isolation.attach(isolation.Note())
    held = {name: getattr(isolation, name) for name in ("begin", "at", "end")}
    spent: dict[bool, list[float]] = {True: [], False: []}
    for turn in range(2 * rounds + 1):
        is_noted = turn % 2 == 0
        for name, function in held.items():
            setattr(isolation, name, function if is_noted else lambda *args: None)
        begun = time.process_time()
        out = Folder(str(folder / f"pass-{turn}"))
        run_here(Curate(out, recipe), part_tasks(out, recipe, parts))
        if turn:  # the first one warms up
            spent[is_noted].append(time.process_time() - begun)
    noted, bare = (min(spent[kind]) for kind in (True, False))
    ratio = noted / bare
    medians = statistics.median(spent[True]) / statistics.median(spent[False])
    print(f"{n:,} pages: {noted:.2f} CPU s with notes, {bare:.2f} without ({ratio:.3f} times, medians {medians:.3f})")
    print(f"a page: {1e6 * (noted - bare) / n:.2f} us of {1e6 * bare / n:.0f}")
    isolation.attach(isolation.Note())
    begun = time.process_time()
    for number in range(100_000):
        held["begin"]("extraction", number, 1000)
    print(f"one note: {10 * (time.process_time() - begun):.2f} us")


def write_recipe(folder: Path, path: str, fields: str, stages: str, seconds: float, more: str = "") -> None:
    text = _RECIPE.format(path=path, fields=fields, stages=stages, seconds=seconds, more=more)
    (folder / "recipe.yaml").write_text(text, "utf-8")


def outcomes(folder: Path, out: str) -> str:
    """Runs the job with two workers; outcomes of the ledger, and the time by the clock."""
    import pyarrow.parquet as pq

    begun = time.monotonic()
    path = os.pathsep.join([str(folder), str(REPOSITORY)])
    command = [sys.executable, "-c", "from massivetext.cli import main; main()", "run", str(folder / "recipe.yaml")]
    done = subprocess.run(
        [*command, "--output", str(folder / out), "--workers", "2", "--quiet"],
        env={**os.environ, "PYTHONPATH": path},
        check=False,
        stderr=subprocess.PIPE,
    )
    passed = time.monotonic() - begun
    found: Counter[str] = Counter()
    for ledger in (folder / out / "ledger").rglob("*.parquet"):
        table = pq.read_table(ledger, columns=["outcome", "reason"])
        found.update(row["reason"] if row["outcome"] == "failed" else row["outcome"] for row in table.to_pylist())
    return f"status {done.returncode}, {passed:.0f} s by the clock, {dict(sorted(found.items()))}"


def spin() -> None:
    while True:
        pass


def beside(folder: Path, n_loops: int) -> None:
    (folder / "slow.py").write_text(_SLOW, "utf-8")
    lines = "".join(json.dumps({"text": f"The story {n} of the fox."}) + "\n" for n in range(8))
    (folder / "slow.jsonl").write_text(lines, "utf-8")
    for n in (0, n_loops):
        loops = [multiprocessing.Process(target=spin, daemon=True) for _ in range(n)]
        for loop in loops:
            loop.start()
        try:
            write_recipe(folder, "pages.jsonl", "{page: page, url: url}", "extraction, quality, repetition", 60)
            print(f"pages, limits as they are, {n} busy loops: {outcomes(folder, f'pages-{n}')}")
            rule = "rules: {slow: {function: 'slow:rule', max: 1}}"
            write_recipe(folder, "slow.jsonl", "{text: text}", "rules", 1, rule)
            print(f"half a second of one, {n} busy loops: {outcomes(folder, f'slow-{n}')}")
        finally:
            for loop in loops:
                loop.kill()
                loop.join()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--documents", type=int, default=20_000)
    options.add_argument("--loops", type=int, default=8)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="isolation-") as name:
        overhead(Path(name), chosen.documents)
        if chosen.loops:
            beside(Path(name), chosen.loops)


if __name__ == "__main__":
    main()
