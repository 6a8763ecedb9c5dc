"""The main job on a Flink cluster: the bytes of a local run, also if task managers, workers or the client are killed.

Needs a cluster of two task managers: `make test-flink` starts one, and names it in MASSIVETEXT_FLINK.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines import demo
from pipelines.flink import Cluster
from tests.conftest import REPOSITORY
from tests.faults.running import PROGRAM, digests

OPTIONS = os.environ.get("MASSIVETEXT_FLINK", "").split()
pytestmark = pytest.mark.skipif(not OPTIONS, reason="needs a Flink cluster: make test-flink")

RECIPE = """\
extends: gopher
subsets:
  massiveweb: {{sources: [{{format: warc, path: "{data}/warc/*.warc.gz"}}]}}
  c4: {{sources: [{{format: jsonl, path: "{data}/peps/peps.jsonl.gz"}}]}}
  books: {{sources: [{{format: text, path: "{data}/books/*.md"}}]}}
deduplication: {{across: [massiveweb, c4, books]}}
testsets: [{{name: lambada, path: "{data}/testsets/lambada_test.jsonl", preset: lambada}}]
mixture: {{weights: {{massiveweb: 0.2, c4: 0.3, books: 0.5}}, tokens: max}}
max_failed: 1
"""


class Main:
    """The main job on one input: its digests in a local run, and runs on the cluster that are to give the same."""

    def __init__(self, folder: Path) -> None:
        data = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
        self.recipe = str(folder / "recipe.yaml")
        if data.is_dir():
            Path(self.recipe).write_text(RECIPE.format(data=data))
        else:
            self.recipe = demo.build(str(folder))
        done = subprocess.run(self._command(folder / "local", "--workers", "2"), check=False)
        assert done.returncode == 0
        self.digests = digests(folder / "local")

    def _command(self, out: Path, *options: str) -> list[str]:
        return [*PROGRAM, "run", self.recipe, "--quiet", "--output", str(out), *options]

    def start(self, out: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command(out, "--runner", "flink", "--", *OPTIONS))


@pytest.fixture(scope="module")
def main(tmp_path_factory: pytest.TempPathFactory) -> Main:
    return Main(tmp_path_factory.mktemp("flink"))


@pytest.fixture(autouse=True)
def all_task_managers() -> Iterator[None]:
    yield
    subprocess.run([REPOSITORY / "engines" / "flink.sh", "up"], check=True, stdout=subprocess.DEVNULL)


def processes(words: str) -> list[int]:
    """Processes that have these words in their command."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words in command:
                found.append(int(entry.name))
    return sorted(found)


def children(parents: list[int]) -> list[int]:
    """Worker processes that the harnesses have started."""
    return [
        process
        for process in processes("multiprocessing.spawn")
        if int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1]) in parents
    ]


def wait_for(found: Callable[[], list[int]], seconds: float = 120) -> list[int]:
    until = time.monotonic() + seconds
    while not (held := found()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return held


def ask(out: Path, path: str) -> Any:
    """What the job manager answers."""
    return Cluster(OPTIONS, str(out / "work" / "engine")).ask(path)


def harnesses(out: Path) -> list[int]:
    return processes(f"pipelines.harness {out}")


def test_the_main_job_gives_the_bytes_of_a_local_run(main: Main, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = main.start(out)
    parents = wait_for(lambda: harnesses(out))

    # Tasks run below the task managers, and not in the client.
    managers = processes("TaskManagerRunner")
    assert {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in parents} <= {*managers}
    assert 0 == process.wait()
    assert main.digests == digests(out)
    assert "flink" == json.loads((out / "work" / "runs.json").read_text())[0]["runner"]
    begun = time.monotonic()
    assert 0 == main.start(out).wait()
    assert 30 > time.monotonic() - begun
    assert [] == list((out / "work" / "engine").iterdir())


def test_workers_and_a_task_manager_that_are_killed_cost_nothing(main: Main, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = main.start(out)
    worker = wait_for(lambda: children(harnesses(out)))[0]
    os.kill(worker, signal.SIGKILL)
    time.sleep(1)
    os.kill(wait_for(lambda: harnesses(out))[0], signal.SIGKILL)
    time.sleep(1)
    os.kill(processes("taskmanager-1.log")[0], signal.SIGKILL)

    assert 0 == process.wait()
    assert 1 == ask(out, "/overview")["taskmanagers"]
    assert main.digests == digests(out)


def test_a_client_that_is_killed_goes_on(main: Main, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = main.start(out)
    for marker in ("curate", "../dedup"):
        # While the job runs, and once more in the middle of the next stage.
        wait_for(lambda marker=marker: [1 for _ in (out / "work" / "done" / marker).rglob("*.json")])
        process.kill()
        process.wait()
        process = main.start(out)

    assert 0 == process.wait()
    assert main.digests == digests(out)
    jobs = [job["state"] for job in ask(out, "/jobs/overview")["jobs"] if str(out) in job["name"]]
    assert {"FINISHED", "CANCELED"} >= {*jobs}
    assert "CANCELED" in jobs
