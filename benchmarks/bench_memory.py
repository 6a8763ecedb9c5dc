"""Memory of a worker over many pages: real ones over and over, in seeded order, through extraction and every rule.

    python benchmarks/bench_memory.py                    20,000 pages, two minutes
    python benchmarks/bench_memory.py --pages 200000     what docs/faults.md quotes

Reports the resident set every thousandth of the pages, the slope after the warm-up by least squares, and the peaks of
runs over 1 and 10 times as many pages, each in a process of its own. Needs the shared data (MASSIVETEXT_DATA).
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from massivetext.documents import Record

WARM_UP = 0.25
"""Share of the pages after which memory should no longer grow."""

_RECIPE = """
subsets:
  massiveweb:
    sources: [{{format: "bench_memory:reader", path: "{folder}/pages.txt"}}]
    stages: [extraction, language, safe_search, quality, repetition, deduplication, contamination]
testsets: [{{name: lambada, path: "{data}/testsets/lambada_test.jsonl", preset: lambada}}]
mixture: {{weights: {{massiveweb: 1.0}}}}
"""


def pages(data: Path) -> list[tuple[bytes, str | None]]:
    """Pages with their Content-Type: those of the annotated set, and those of the archives."""
    from massivetext import readers

    found: list[tuple[bytes, str | None]] = []
    for path in sorted((data / "extraction" / "html").iterdir()):
        found.append((path.read_bytes(), None))
    for path in sorted((data / "warc").glob("*.warc.gz")):
        records = readers.read_part(str(path), "warc", start=0, stop=path.stat().st_size)
        found += [(record.page, record.content_type) for record in records if record.page is not None]
    return found


def resident() -> int:
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


_SAMPLES: list[tuple[int, int]] = []
"""Pages read, and the resident set then."""


def reader(stream: BinaryIO, *, source: str, counts: Counter[str], **_: Any) -> Iterator[Record]:
    """As many pages as the file says, in seeded order; what the recipe of this benchmark names as its format."""
    from massivetext.documents import Record

    data, n_pages = stream.read().decode().split("\n")
    known_pages = pages(Path(data))
    chosen = random.Random(0)
    step = max(1, int(n_pages) // 1000)
    for number in range(int(n_pages)):
        page, content_type = known_pages[chosen.randrange(len(known_pages))]
        yield Record(number, page=page, url=f"http://example.org/{number}", content_type=content_type)
        if number % step == 0:
            _SAMPLES.append((number, resident()))


def measure(data: Path, n_pages: int, folder: Path) -> None:
    """Run the pass over the text in this process; print the samples and the peak as one line of JSON."""
    import bench_memory  # the reader that the recipe names is that of the module, not of this program

    from massivetext import contamination
    from pipelines import recipe as recipes
    from pipelines.curate import Curate
    from pipelines.engines.local import run_here
    from pipelines.input_splits import find_parts
    from pipelines.run_folder.fingerprints import part_tasks
    from pipelines.run_folder.folder import Folder
    from pipelines.stages import testset_index

    (folder / "recipe.yaml").write_text(_RECIPE.format(data=data, folder=folder))
    (folder / "pages.txt").write_text(f"{data}\n{n_pages}")
    recipe = recipes.read(str(folder / "recipe.yaml"))
    out = Folder(str(folder / "out"))
    contamination.TestSets.read([testset.model_dump() for testset in recipe.testsets]).save(testset_index(out.root))
    started = time.process_time()
    run_here(Curate(out, recipe), part_tasks(out, recipe, find_parts(recipe)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    passed = time.process_time() - started
    print(json.dumps({"samples": bench_memory._SAMPLES, "peak": peak, "seconds": passed, "distinct": len(pages(data))}))


def run(n_pages: int) -> dict:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--pages", str(n_pages), "--worker", folder]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def slope(samples: list[list[int]]) -> tuple[float, float, float]:
    """Bytes a page after the warm-up by least squares, and the mean resident set of the first and last tenth of it."""
    at = np.array(samples, np.float64)
    at = at[at[:, 0] >= WARM_UP * at[-1, 0]]
    tenth = max(1, len(at) // 10)
    return float(np.polyfit(at[:, 0], at[:, 1], 1)[0]), at[:tenth, 1].mean(), at[-tenth:, 1].mean()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pages", type=int, default=20_000)
    options.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    chosen = options.parse_args()
    data = Path(os.environ.get("MASSIVETEXT_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not data.is_dir():
        print(f"no real data at {data}: set MASSIVETEXT_DATA")
        return
    if chosen.worker:
        measure(data, chosen.pages, chosen.worker)
        return
    small, large = run(chosen.pages // 10), run(chosen.pages)
    grows, first, last = slope(large["samples"])
    for n, found in ((chosen.pages // 10, small), (chosen.pages, large)):
        print(
            f"{n:>9,} pages ({found['distinct']} distinct): peak {found['peak'] / 1e6:,.0f} MB, "
            f"{found['seconds']:.0f} CPU s"
        )
    print(f"peak at 10 times the pages: {large['peak'] / small['peak']:.3f} times")
    print(f"resident after {WARM_UP:.0%} of the pages {first / 1e6:,.1f} MB, at the end {last / 1e6:,.1f} MB")
    print(f"slope after the warm-up: {grows:,.0f} bytes a page")


if __name__ == "__main__":
    main()
