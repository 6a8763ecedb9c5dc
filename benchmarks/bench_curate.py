"""WARC in, curated Parquet out: pages a second of one core, and where the time goes.

`python benchmarks/bench_curate.py [--one-member]`. The annotated pages of MASSIVETEXT_DATA as one web archive, ten
times over, through the main job's pass over the text with all stages of `massiveweb`. Each record is a gzip member, as
crawlers write them; with `--one-member` all are in one, as until November 2026. Shares are of profiled CPU time.
"""

from __future__ import annotations

import cProfile
import gzip
import os
import pstats
import shutil
import sys
import tempfile
import time
from pathlib import Path

from massivetext import isolation
from pipelines import recipe as recipes
from pipelines.curate import Curate
from pipelines.engines.local import run_here
from pipelines.input_splits import find_parts
from pipelines.run_folder.fingerprints import part_tasks
from pipelines.run_folder.folder import Folder

REPOSITORY = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data"))

STEPS = {
    "read WARC": ("readers/warc.py", "read"),
    "extraction": ("extraction/__init__.py", "extract_page"),
    "language": ("filters/language.py", "measure"),
    "safe search": ("filters/safe_search.py", "measure"),
    "quality and repetition": ("filters/rules.py", "measure"),
    "evidence of duplicates": ("dedup/evidence.py", "evidence"),
    "Parquet": ("massivetext/parquet.py", "_flush"),
}


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"no pages at {DATA}: set MASSIVETEXT_DATA")
    folder = Path(tempfile.mkdtemp(prefix="bench-curate-"))
    pages = [gzip.decompress(path.read_bytes()) for path in sorted((DATA / "extraction" / "html").iterdir())]
    records = [_raw(f"http://example.org/{copy}/{n}", page) for copy in range(10) for n, page in enumerate(pages)]
    if "--one-member" in sys.argv[1:]:
        records = [gzip.compress(b"".join(map(gzip.decompress, records)), 1)]
    (folder / "x.warc.gz").write_bytes(b"".join(records))
    text = f"subsets: {{massiveweb: {{sources: [{{format: warc, path: {folder}/x.warc.gz}}]}}}}"
    (folder / "r.yaml").write_text(text, encoding="utf-8")
    recipe = recipes.read(str(folder / "r.yaml"))
    out = Folder(str(folder / "out"))
    tasks = part_tasks(out, recipe, find_parts(recipe))
    work = Curate(out, recipe)

    def task() -> None:
        run_here(work, tasks)

    # As in a worker process of this machine's engine, which its parent watches: pages are read in this process.
    isolation.attach(isolation.Note())
    task()
    started = time.process_time()
    task()
    seconds = time.process_time() - started
    n = 10 * len(pages)
    size = sum(map(len, pages)) * 10
    print(f"{n} pages, {size / 1e6:.0f} MB: {n / seconds:.0f} pages/s, {size / seconds / 1e6:.0f} MB/s")
    # Calls into C are left out: counting them would make what calls most look most expensive.
    profile = cProfile.Profile(time.process_time, builtins=False)
    profile.runcall(task)
    stats = pstats.Stats(profile)
    total = stats.total_tt  # type: ignore[attr-defined]
    for name, (file, function) in STEPS.items():
        spent = sum(
            row[3]
            for key, row in stats.stats.items()  # type: ignore[attr-defined]
            if key[0].endswith(file) and key[2] == function
        )
        print(f"{name:<24}{100 * spent / total:>5.1f} %")
    shutil.rmtree(folder)


def _raw(url: str, page: bytes) -> bytes:
    """A response record with the page's own bytes, whatever their encoding."""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(page)}\r\n\r\n".encode()
    block = head + page
    fields = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2000-01-01T00:00:00Z\r\n"
    fields += f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(block)}\r\n\r\n"
    return gzip.compress(fields.encode() + block + b"\r\n\r\n", 1)


if __name__ == "__main__":
    main()
