"""One large .warc.gz on two workers: what its index takes, and how long each worker is idle at the end.

    python benchmarks/bench_member_split.py                        16 MB, ranges of 1 MiB; half a minute of CPU
    python benchmarks/bench_member_split.py --megabytes 2000 --target 64       as a real run splits it
    python benchmarks/bench_member_split.py --scan 500             the scan alone, against inflating the same file

The file is made by a seed from the language's own manual: a page of some 15 kB a record, a gzip member each. It is
curated twice, as one part (a range longer than the file) and split. A worker is idle from the end of its last task to
the end of the stage; what ends when is read from the times of the markers that tasks leave.
"""

from __future__ import annotations

import argparse
import gzip
import html
import pydoc_data.topics
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from massivetext import readers  # noqa: E402
from massivetext.readers import compression  # noqa: E402
from massivetext.readers.members import join, scan  # noqa: E402
from massivetext.readers.splitting import by_bytes  # noqa: E402
from pipelines import main as main_job  # noqa: E402
from pipelines.engines.engine import Execution  # noqa: E402
from pipelines.recipe import read  # noqa: E402

RECIPE = """\
extends: gopher
subsets:
  massiveweb:
    sources: [{format: warc, path: "pages.warc.gz", pack: false}]
    stages: [extraction, language, quality, repetition]
mixture: {weights: {massiveweb: 1.0}}
"""


def write_archive(path: Path, n_bytes: int) -> None:
    """Pages of paragraphs drawn from the manual, until the file has about n_bytes."""
    chance = random.Random(0)
    words = " ".join(pydoc_data.topics.topics.values()).split()
    n, written = 0, 0
    with path.open("wb") as stream:
        while written < n_bytes:
            paragraphs = []
            for _ in range(chance.randrange(5, 40)):
                at = chance.randrange(len(words) - 80)
                own = [w if chance.random() < 0.7 else chance.choice(words) for w in words[at : at + 80]]
                paragraphs.append(f"<p>{html.escape(' '.join(own))}</p>")
            page = f"<html><body><article>{''.join(paragraphs)}</article></body></html>".encode()
            body = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
            head = (
                f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://example.org/{n}\r\n"
                f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            written += stream.write(gzip.compress(head.encode() + body + b"\r\n\r\n", 6))
            n += 1
    print(f"{n:,} pages, {written / 1e6:.0f} MB")


class Stages:
    """Notes when each stage begins, and when each of its tasks is done."""

    def __init__(self) -> None:
        self.begun: dict[str, float] = {}
        self.done: dict[str, list[float]] = {}

    def say(self, line: str, *, is_detail: bool = False) -> None:
        pass

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        self.begun.setdefault(name, time.monotonic())
        times = self.done.setdefault(name, [])
        return lambda task: times.append(time.monotonic())


def curate(folder: Path, name: str, target: int, workers: int) -> None:
    readers.TARGET_BYTES = target
    stages = Stages()
    outcome = main_job.run(
        read(str(folder / "recipe.yaml")), str(folder / name), Execution(workers=workers), stages, through="curate"
    )
    if outcome.failures:
        raise SystemExit(str(outcome.failures))
    for stage in ("split", "curate"):
        if not (times := stages.done.get(stage)):
            continue
        passed = times[-1] - stages.begun[stage]
        # With one task the second worker never had any.
        idle = times[-1] - (times[-2] if len(times) > 1 else stages.begun[stage])
        print(
            f"{name:>8} {stage:>7}: {len(times):3} tasks, {passed:6.1f} s by the clock; the worker that ends first is "
            f"idle for {idle:5.1f} s of it, {100 * idle / passed:.0f} %"
        )


def time_scan(path: Path) -> None:
    """CPU seconds of the scan in one process, and of inflating the file and no more."""
    size = path.stat().st_size
    ranges = by_bytes(size, readers.TARGET_BYTES)
    how = readers.get("warc").members
    assert how is not None
    with path.open("rb") as stream:
        begun = time.process_time()
        content = sum(len(block.data or b"") for block in compression.blocks(stream, source=str(path)))
        inflated = time.process_time() - begun
        begun = time.process_time()
        cuts = join(scan(stream, how, source=str(path), ranges=ranges), ranges)
        scanned = time.process_time() - begun
    print(
        f"{size / 1e6:.0f} MB of {content / 1e6:.0f} MB, {len(cuts) + 1} ranges: inflated {inflated:.2f} CPU s, "
        f"scanned {scanned:.2f} CPU s, {scanned / inflated:.2f} times as long, {size / scanned / 1e6:.0f} MB/s"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--megabytes", type=int, default=16)
    options.add_argument("--target", type=float, default=1, help="MiB of a range")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--scan", type=int, default=0, help="megabytes of a file that is only scanned")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="member-split-") as name:
        folder = Path(name)
        write_archive(folder / "pages.warc.gz", 1_000_000 * (chosen.scan or chosen.megabytes))
        if chosen.scan:
            time_scan(folder / "pages.warc.gz")
            return
        (folder / "recipe.yaml").write_text(RECIPE, "utf-8")
        curate(folder, "unsplit", 1 << 60, chosen.workers)
        curate(folder, "split", int(chosen.target * (1 << 20)), chosen.workers)


if __name__ == "__main__":
    main()
