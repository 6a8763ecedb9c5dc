"""A run whose worker processes die: by kill -9 from outside, and by what a part does to them every time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from massivetext.scratch import sweep_scratch
from pipelines.engines.engine import Execution
from pipelines.engines.local import LocalEngine
from pipelines.tasks import TaskError
from pipelines.transforms.run_steps import RunSteps
from tests.faults.running import digests

PROGRAM = "from massivetext.cli import main; main()"

READER = '''
"""A reader of lines, that takes its process with it, as the kernel's out-of-memory killer does."""
import os, signal, time
from massivetext.documents import Record

def lines(stream, *, start, stop, source, options, counts):
    time.sleep(0.1)
    offset = 0
    for line in stream.read().splitlines(keepends=True):
        if b"DEADLY" in line and os.environ.get("DEADLY", "1") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        yield Record(offset, text=line.decode("utf-8").strip())
        offset += len(line)
'''


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 files of three documents each, one with a fourth that is deadly to read, and a run that it did no harm to."""
    folder = tmp_path_factory.mktemp("supervision")
    (folder / "deadly.py").write_text(READER, "utf-8")
    for n in range(24):
        lines = [f"the story {n} {k} of the fox and of the hound that {'ran ' * k}\n" for k in range(3)]
        (folder / f"in-{n:02d}.txt").write_text("".join(lines) + "DEADLY\n" * (n == 7), "utf-8")
    (folder / "recipe.yaml").write_text(
        "subsets:\n"
        "  books:\n"
        "    sources: [{format: 'deadly:lines', path: 'in-*.txt', pack: false}]\n"
        "    stages: [deduplication]\n"
        "max_failed: 0.5\n"
        "mixture: {weights: {books: 1.0}}\n",
        "utf-8",
    )
    code, said = run(folder, "undisturbed", deadly="0")
    assert 0 == code, said
    return folder


def start(corpus: Path, out: str, *options: str, deadly: str = "1") -> subprocess.Popen[str]:
    path = os.pathsep.join([str(corpus), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "run", str(corpus / "recipe.yaml"), "--output", str(corpus / out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "DEADLY": deadly},
    )


def run(corpus: Path, out: str, *options: str, deadly: str = "1") -> tuple[int, str]:
    process = start(corpus, out, *options, deadly=deadly)
    _, said = process.communicate(timeout=120)
    return process.returncode, " ".join(said.split())  # progress is folded to the width of a terminal


def workers_of(parent: int) -> list[int]:
    """Worker processes of a run: children of the server that they are forked from, which is a copy of it."""

    def children(number: int) -> list[int]:
        return list(map(int, Path(f"/proc/{number}/task/{number}/children").read_text("ascii").split()))

    command = Path(f"/proc/{parent}/cmdline").read_bytes()
    servers = [child for child in children(parent) if Path(f"/proc/{child}/cmdline").read_bytes() == command]
    return [worker for server in servers for worker in children(server)]


def done_parts(folder: Path) -> int:
    return len(list((folder / "work" / "done" / "curate").rglob("*.json")))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc to find a run's worker processes")
def test_workers_and_the_run_itself_killed_from_outside(corpus: Path) -> None:
    process = start(corpus, "killed", "--workers", "2", deadly="0")
    # A worker is killed as soon as parts are being done, twice; then the run itself, at the next sign of progress.
    deadline = time.monotonic() + 100
    killed = 0
    for wanted in (2, 6, 10):
        while done_parts(corpus / "killed") < wanted:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        if wanted < 10:
            os.kill(workers_of(process.pid)[0], signal.SIGKILL)
            killed += 1
    process.kill()
    process.communicate()
    before = done_parts(corpus / "killed")
    code, said = run(corpus, "killed", "--workers", "2", deadly="0")

    assert 2 == killed
    assert 10 <= before < 24
    assert 0 == code, said
    assert f"curate: {24 - before} files" in said
    assert digests(corpus / "undisturbed") == digests(corpus / "killed")
    assert [] == list((corpus / "killed").rglob("*.tmp"))


def test_a_part_that_kills_its_process_every_time_ends_there_and_the_run_completes(corpus: Path) -> None:
    code, said = run(corpus, "out", "--workers", "2")
    rows = [row for path in (corpus / "out" / "ledger").rglob("*.parquet") for row in pq.read_table(path).to_pylist()]
    failed = [(row["source"], row["reason"]) for row in rows if row["outcome"] == "failed"]

    assert 1 == code
    assert "in-07.txt: failed.died in reading: nothing is read after record 3" in said
    assert [("in-07.txt", "failed.died in reading")] == failed
    assert 24 * 3 + 1 == len(rows)
    assert (corpus / "out" / "mixture" / "gopher" / "manifest.json").exists()
    assert [] == list((corpus / "out").rglob("*.tmp"))

    # The cause is gone: the next run tries that part alone, and the result is that of a run that never failed.
    code, said = run(corpus, "out", deadly="0")
    assert 0 == code, said
    assert "curate: 1 of 24 parts: 1 failed before; the others stand" in said
    assert digests(corpus / "undisturbed") == digests(corpus / "out")


@dataclass(frozen=True)
class Unloadable:
    """A task that no worker process survives being handed."""

    marker: str = "none"
    weight: int = 1
    fingerprint: str = ""

    def __call__(self) -> None: ...

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (7,)


def test_processes_that_die_before_they_begin_end_the_run_with_the_reason() -> None:
    with (
        pytest.raises(TaskError, match=r"died before they began a task .the last with exit code 7"),
        LocalEngine(Execution()) as engine,
    ):
        engine.run(RunSteps(), [Unloadable()])


_PARENT = """
import sys, time
from pipelines.engines.local import _Process
if __name__ == "__main__":
    process = _Process()
    print(process.process.pid, process.temporary, flush=True)
    time.sleep(600)
"""


def test_a_worker_ends_at_once_with_its_parent(tmp_path: Path) -> None:
    """Killed, so that it can tell nobody."""
    (tmp_path / "parent.py").write_text(_PARENT)
    command = [sys.executable, str(tmp_path / "parent.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        number, temporary = parent.stdout.readline().split()
        worker = Path("/proc", number)
        assert worker.exists()
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60  # it may still be starting
    while worker.exists() and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not worker.exists()
    sweep_scratch()  # what a worker leaves that was killed while it started, the next run removes
    assert not Path(temporary).exists()
