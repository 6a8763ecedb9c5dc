"""One large .jsonl and one large .warc.gz on two workers: how busy each worker is, and how long it is idle at the end.

    python benchmarks/bench_large_files.py                                 40 and 16 MB, ranges of 1 MiB; a minute
    python benchmarks/bench_large_files.py --jsonl 5000 --warc 2000 --target 64
                                            as a real run splits them: half an hour of CPU, 20 GB of disk

The texts and pages are those of benchmarks/corpus_engine.py (books, technical documents, annotated web pages, a quarter
of their words replaced), 128 MB of them as they are stored, and these again until the file has its size.
Each file is curated by itself: language, quality, repetition, and extraction where there are pages. A worker is busy
from when it is handed tasks to when it has done them. Its tail is what passes from its last task to the end of the
stage. CPU seconds are those of the worker's process in the stage (Linux).
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))
os.environ.setdefault("MASSIVETEXT_DATA", str(REPOSITORY.parent / "shared" / "data"))

import corpus_engine  # noqa: E402

from massivetext import readers  # noqa: E402
from pipelines import main as main_job  # noqa: E402
from pipelines.engines.engine import Execution  # noqa: E402
from pipelines.engines.local import LocalEngine  # noqa: E402
from pipelines.recipe import read  # noqa: E402

RECIPE = """\
extends: gopher
subsets:
  {subset}:
    sources: [{{format: {format}, path: "{name}", pack: false}}]
    stages: [{stages}]
mixture: {{weights: {{{subset}: 1.0}}}}
"""
KINDS = {
    "jsonl": ("c4", "texts.jsonl", "language, quality, repetition"),
    "warc": ("massiveweb", "pages.warc.gz", "extraction, language, quality, repetition"),
}
POOL = 128_000_000
"""Bytes of a file before its documents come again."""


def documents(kind: str, n_copied: int = 1000) -> Iterator[bytes]:
    """Texts or pages without end."""
    make = corpus_engine._page if kind == "warc" else corpus_engine._window
    return corpus_engine._documents(0, kind, 0, n_copied, make)


def write(path: Path, kind: str, n_bytes: int) -> None:
    """A file of about n_bytes as it is stored."""
    pool: list[bytes] = []
    size = n = written = 0
    with path.open("wb") as stream:
        for content in documents(kind):
            url = f"http://example.org/{kind}/{n}"
            pool.append(corpus_engine._record(url, content) if kind == "warc" else corpus_engine._line(url, content))
            n, size = n + 1, size + len(pool[-1])
            if size >= min(POOL, n_bytes):
                break
        while written < n_bytes:
            stream.writelines(pool)
            written += size
    print(f"{path.name}: {path.stat().st_size / 1e6:,.0f} MB, {n * (written // size):,} documents", flush=True)


def cpu_seconds(pid: int) -> float:
    """CPU seconds of a process so far; 0 where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Workers:
    """Notes when each worker process is handed tasks and when it has done them, for one stage."""

    def __init__(self) -> None:
        self.stage_begun = 0.0
        self.name = ""
        self.n_tasks = 0
        self.taken: dict[int, tuple[float, float]] = {}
        self.busy: dict[int, list[tuple[float, float]]] = {}
        self.cpu: dict[int, float] = {}
        take, give_back = LocalEngine.take_process, LocalEngine.give_back

        def take_process(engine: LocalEngine) -> Any:
            process = take(engine)
            self.taken[process.process.pid] = time.monotonic(), cpu_seconds(process.process.pid)
            return process

        def back(engine: LocalEngine, process: Any) -> None:
            pid = process.process.pid
            begun, cpu = self.taken.pop(pid)
            self.busy.setdefault(pid, []).append((begun, time.monotonic()))
            self.cpu[pid] = self.cpu.get(pid, 0) + cpu_seconds(pid) - cpu
            give_back(engine, process)

        LocalEngine.take_process, LocalEngine.give_back = take_process, back  # type: ignore[method-assign]

    def say(self, line: str, *, is_detail: bool = False) -> None:
        pass

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        self.show()
        self.name, self.n_tasks, self.stage_begun = name, len(tasks), time.monotonic()
        self.busy, self.cpu = {}, {}
        return lambda task: None

    def show(self) -> None:
        """Print what the workers did in the stage that is over."""
        if not self.busy:
            return
        end = max(span[1] for spans in self.busy.values() for span in spans)
        passed = end - self.stage_begun
        print(f"  {self.name}: {self.n_tasks} tasks, {passed:.1f} s by the clock")
        for number, (pid, spans) in enumerate(self.busy.items(), 1):
            busy = sum(until - since for since, until in spans)
            tail = end - spans[-1][1]
            print(
                f"    worker {number}: busy {100 * busy / passed:5.1f} % of it; idle at the end for {tail:5.1f} s, "
                f"{100 * tail / passed:.1f} %; {self.cpu[pid]:.1f} CPU s",
                flush=True,
            )


def curate(folder: Path, kind: str, n_workers: int) -> None:
    """Curate the one file of a kind."""
    subset, name, stages = KINDS[kind]
    text = RECIPE.format(subset=subset, format="warc" if kind == "warc" else "jsonl", name=name, stages=stages)
    (folder / f"{kind}.yaml").write_text(text, "utf-8")
    workers = Workers()
    execution = Execution(workers=n_workers)
    outcome = main_job.run(
        read(str(folder / f"{kind}.yaml")), str(folder / f"out-{kind}"), execution, workers, through="curate"
    )
    workers.show()
    if outcome.failures:
        raise SystemExit(str(outcome.failures))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--jsonl", type=int, default=40, help="megabytes; 0 for none")
    options.add_argument("--warc", type=int, default=16, help="megabytes; 0 for none")
    options.add_argument("--target", type=float, default=1, help="MiB of a range")
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--folder", help="for temporary files")
    chosen = options.parse_args()
    readers.TARGET_BYTES = int(chosen.target * (1 << 20))
    readers.split.__kwdefaults__["target_bytes"] = readers.TARGET_BYTES
    for kind, megabytes in (("jsonl", chosen.jsonl), ("warc", chosen.warc)):
        if not megabytes:
            continue
        folder = Path(tempfile.mkdtemp(prefix="large-files-", dir=chosen.folder))
        try:
            write(folder / KINDS[kind][1], kind, 1_000_000 * megabytes)
            curate(folder, kind, chosen.workers)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
