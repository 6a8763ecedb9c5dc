"""What the process that gives the command does at 10,000 or 100,000 parts: CPU seconds, memory, and files opened.

    python benchmarks/bench_scale.py                        10,000 parts, 10 million documents
    python benchmarks/bench_scale.py --parts 100000         100,000 parts, 100 million documents: minutes, 700,000 files

All four pipelines run over parts that are not there, by an engine that does nothing but leave what tasks would leave:
markers, files (hard links of one file of each kind), sums of kept documents. What the engine takes is not counted; the
rest is what a run's client takes. The second run finds all done. Files opened are those of the client, by stage.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY))

from massivetext import storage  # noqa: E402
from massivetext.dedup import phases  # noqa: E402
from massivetext.dedup.banding import plan as plan_banding  # noqa: E402
from massivetext.dedup.evidence import evidence_schema  # noqa: E402
from massivetext.dedup.results import DIGESTS  # noqa: E402
from massivetext.dedup.scope import Scope, look_at_evidence  # noqa: E402
from massivetext.mixture import Documents, write_units  # noqa: E402
from massivetext.parquet import ParquetOutput, file_digest  # noqa: E402
from pipelines import main as main_job  # noqa: E402
from pipelines.engines.engine import Engine, Execution, OnDone  # noqa: E402
from pipelines.input_splits import Part  # noqa: E402
from pipelines.kept_units import KeptTask  # noqa: E402
from pipelines.mix import ShardTask  # noqa: E402
from pipelines.recipe import read  # noqa: E402
from pipelines.run_folder.folder import Folder  # noqa: E402
from pipelines.tasks import Marker, PartTask  # noqa: E402
from pipelines.transforms.final_ledger import LedgerTask  # noqa: E402

RECIPE = """\
subsets:
  books: {sources: [{format: jsonl, path: "books/*.jsonl"}], stages: [quality, repetition, deduplication]}
  news: {sources: [{format: jsonl, path: "news/*.jsonl"}], stages: [quality, repetition, deduplication]}
mixture: {name: m, weights: {books: 0.3, news: 0.7}, tokens: max, max_epochs: 1.5}
max_failed: 1
"""
LINKS = 50_000
"""Of one file: more names than 65,000 are refused by some disks."""
TOKENS = 750
"""Of a document, on average."""


class Fabricated(Engine):
    """Leaves what tasks would leave. `own`: CPU seconds that this takes."""

    def __init__(self, folder: Folder, n_documents: int) -> None:
        super().__init__(Execution(workers=2))
        self.folder, self.n_documents = folder, n_documents
        self.templates: dict[str, tuple[str, dict[str, Any]]] = {}
        self.own = 0.0
        self.own_opened = 0
        self.n_links: Counter[str] = Counter()
        random = np.random.default_rng(0)
        self.tokens = random.integers(1, 2 * TOKENS, n_documents).astype(np.int32)

    @contextlib.contextmanager
    def _apart(self) -> Iterator[None]:
        """Count what is done here as the engine's."""
        begun, opened = time.process_time(), OPENED["open"]
        yield
        self.own += time.process_time() - begun
        self.own_opened += OPENED["open"] - opened

    def run(self, work: Any, tasks: Sequence[Any], *, on_done: OnDone = lambda task: None) -> None:
        leave = {
            PartTask: self._curated,
            LedgerTask: self._settled,
            KeptTask: self._kept,
            ShardTask: self._shards,
        }
        with self._apart():
            if tasks:
                leave[type(tasks[0])](tasks)
        for task in tasks:
            on_done(task)

    def deduplicate(self, scope: Scope, *, on_done: OnDone) -> None:
        phases.prepare(scope)
        with self._apart():
            _, summary = self._template("work/duplicates")
            digests = {}
            for part in scope.parts:
                self._link("work/duplicates", part.subset, part.name)
                digests[f"{part.subset}/{part.name}.parquet"] = summary["blake2b"]
            phases.Step(scope.folder, "write", 0).write_marker({DIGESTS: digests})

    def _template(self, kind: str) -> tuple[str, dict[str, Any]]:
        """The path of the one file of a kind, and its summary."""
        if kind not in self.templates:
            path = self.folder.path("work", "templates", f"{kind.replace('/', '-')}.parquet")
            schema = pa.schema([pa.field("x", pa.int32())])
            if kind == "work/evidence":
                schema = evidence_schema(plan_banding(0.8, 0.99))
            with ParquetOutput(path, schema) as output:
                output.write(schema.empty_table())
            summary = {**output.summary, "rows": self.n_documents}
            if kind == "work/evidence":
                summary |= {"source": "a", "footer": look_at_evidence(path)["footer"]}
            self.templates[kind] = path, summary
        return self.templates[kind]

    def _link(self, kind: str, subset: str, name: str) -> None:
        path = self.folder.part(kind, subset, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if not os.path.exists(path):
            template = f"{self._template(kind)[0]}-{self.n_links[kind] // LINKS}"
            if self.n_links[kind] % LINKS == 0 and not os.path.exists(template):
                shutil.copyfile(self._template(kind)[0], template)
            os.link(template, path)
            self.n_links[kind] += 1

    def _leave(self, kinds: Sequence[str], tasks: Sequence[Any], counts: Callable[[Any], dict[str, Any]]) -> None:
        names = [
            (task.part.subset, task.part.name) if isinstance(task, PartTask) else (task.subset, task.name)
            for task in tasks
        ]
        for kind in kinds:
            for subset, name in names:
                self._link(kind, subset, name)
        for task, (subset, name) in zip(tasks, names):
            files = {f"{kind}/{subset}/{name}.parquet": self._template(kind)[1] for kind in kinds}
            outputs = self.folder.outputs(files)
            Marker(task.fingerprint, outputs, counts(task)).write(task.marker)

    def _curated(self, tasks: Sequence[PartTask]) -> None:
        kinds = ("curated", "work/ledger", "work/evidence")
        self._leave(kinds, tasks, lambda task: {"records": self.n_documents})

    def _settled(self, tasks: Sequence[LedgerTask]) -> None:
        n_tokens = int(self.tokens.sum())
        self._leave(("ledger",), tasks, lambda task: {"kept": [self.n_documents, 4 * n_tokens, n_tokens]})

    def _kept(self, tasks: Sequence[KeptTask]) -> None:
        for task in tasks:
            n = self.n_documents * len(task.parts)
            groups = -(-self.n_documents // 1000)
            unit = (np.arange(n) // 1000).astype(np.int32)
            place = np.arange(len(task.parts) * groups, dtype=np.int32)
            row = (np.arange(n) % 1000).astype(np.int32)
            tokens = np.tile(self.tokens, len(task.parts))
            paths = tuple(path for path, _ in task.sources)
            own = Documents(paths, place // groups, place % groups, unit, row, tokens, 4 * int(tokens.sum()))
            summaries = write_units(self.folder.path(task.output), [own])
            outputs = {f"{task.output}.{ending}": summary for ending, summary in summaries.items()}
            rows = {
                "subset": task.subset,
                "language": None,
                "licence": None,
                "documents": n,
                "tokens": int(tokens.sum()),
            }
            counts = {"inputs": task.fingerprint, "kept": [rows]}
            Marker(task.fingerprint, self.folder.outputs(outputs), counts).write(task.marker)

    def _shards(self, tasks: Sequence[ShardTask]) -> None:
        for task in tasks:
            name = f"mixture/{task.mixture}/{task.name}.parquet"
            path = self.folder.path(name)
            with ParquetOutput(path, pa.schema([pa.field("x", pa.int32())])) as output:
                output.write(pa.table({"x": pa.array([], pa.int32())}))
            summary = {"rows": task.weight, "bytes": os.path.getsize(path), "blake2b": file_digest(path)}
            tokens = {"books": 3 * task.weight, "news": 7 * task.weight}
            counts = {"taken": tokens}
            Marker(task.fingerprint, self.folder.outputs({name: {**summary, "tokens": tokens}}), counts).write(
                task.marker
            )


class Stages:
    """Notes the client's CPU seconds and opened files at the beginning of each stage."""

    def __init__(self, engine: Fabricated) -> None:
        self.engine = engine
        self.marks: list[tuple[str, float, int]] = []
        self.stage("begin", [])

    def say(self, line: str, *, is_detail: bool = False) -> None:
        pass

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        opened = OPENED["open"] - self.engine.own_opened
        self.marks.append((name, time.process_time() - self.engine.own, opened))
        return lambda task: None

    def show(self, title: str, n_parts: int) -> float:
        self.stage("end", [])
        print(f"{title}:")
        for (name, seconds, opened), (following, until, then) in zip(self.marks, self.marks[1:]):
            files = (then - opened) / n_parts
            print(f"  {name:>14} to {following:<14} {until - seconds:8.2f} CPU s {files:8.2f} files a part")
        total = self.marks[-1][1] - self.marks[0][1]
        print(f"  in all {total:.1f} CPU s, {total / n_parts * 1e6:,.0f} us a part")
        return total


def parts_of(n: int, n_bytes: int) -> list[Part]:
    """Parts of files that are not there, three of ten of books."""
    return [
        Part(
            "books" if k % 10 < 3 else "news",
            "jsonl",
            f"/nowhere/{k:07d}.jsonl",
            f"{k:07d}.jsonl",
            0,
            0,
            n_bytes,
            n_bytes,
            {},
            k,
        )
        for k in range(n)
    ]


OPENED: Counter[str] = Counter()


def count_opened() -> None:
    """Count the files that this process opens by the functions of `massivetext.storage`."""
    original = storage.open_input

    def open_input(path: str) -> Any:
        OPENED["open"] += 1
        return original(path)

    storage.open_input = open_input  # type: ignore[assignment]
    storage._sync = lambda stream: None  # of the engine's markers, which a disk would take an hour for


def peak() -> float:
    """MB of the process at most."""
    status = Path("/proc/self/status").read_text()
    match = re.search(r"VmHWM:\s*(\d+)", status)
    return int(match[1]) / 1024 if match else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--parts", type=int, default=10_000)
    options.add_argument("--documents", type=int, default=1000, help="of a part")
    options.add_argument("--folder", help="where the files are made; a temporary folder if none is named")
    options.add_argument("--profile", help="file for a profile of the first run")
    chosen = options.parse_args()
    folder = tempfile.mkdtemp(prefix="scale-", dir=chosen.folder)
    count_opened()
    try:
        (Path(folder) / "recipe.yaml").write_text(RECIPE, "utf-8")
        recipe = read(str(Path(folder) / "recipe.yaml"))
        out = Folder(os.path.join(folder, "out"))
        out.adopt(recipe, update=False)
        parts = parts_of(chosen.parts, 64 << 20)
        before = peak()
        total = 0.0
        for title in ("first run", "second run, all of it done"):
            engine = Fabricated(out, chosen.documents)
            stages = Stages(engine)
            if chosen.profile and title == "first run":
                import cProfile

                profile = cProfile.Profile()
                profile.enable()
            main_job.run_stages(recipe, out, parts, engine, stages, main_job.Outcome(), "mix")
            if chosen.profile and title == "first run":
                profile.disable()
                profile.dump_stats(chosen.profile)
            total = (
                stages.show(title, chosen.parts) if title == "first run" else stages.show(title, chosen.parts) and total
            )
        print(
            f"{chosen.parts:,} parts, {chosen.parts * chosen.documents:,} documents: {total:.1f} CPU s; memory "
            f"{before:.0f} MB before, {peak():.0f} MB at most"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
