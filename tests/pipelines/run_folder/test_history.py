"""What a run leaves of its own course."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.engines.engine import Execution, Spent
from pipelines.engines.local import LocalEngine
from pipelines.run_folder.history import KEPT, Timed
from pipelines.transforms.run_steps import RunSteps


@dataclass
class Task:
    weight: int


@dataclass(frozen=True)
class Busy:
    """A task that takes a twentieth of a second of CPU time."""

    marker: str
    weight: int
    fingerprint: str = ""

    def __call__(self) -> None:
        until = time.process_time() + 0.05
        while time.process_time() < until:
            pass
        Path(self.marker).touch()


class Silent:
    def __init__(self) -> None:
        self.done: list[Task] = []

    def say(self, line: str, *, is_detail: bool = False) -> None:
        pass

    def stage(self, name, tasks):
        return self.done.append


def test_stages_are_kept_with_what_was_done_of_them(tmp_path: Path) -> None:
    path, reporter = tmp_path / "runs.json", Silent()
    with Timed(reporter, str(path), Execution(workers=3)) as timed:
        on_done = timed.stage("curate", [Task(5), Task(7)])
        on_done(Task(5))
        timed.stage("deduplicate", [])
    (run,) = json.loads(path.read_text())

    assert (3, True) == (run["workers"], run["finished"])
    assert [Task(5)] == reporter.done
    assert [("curate", 2, 1, 12, 5), ("deduplicate", 0, 0, 0, 0)] == [
        (s["stage"], s["tasks"], s["done"], s["weight"], s["weight_done"]) for s in run["stages"]
    ]


def test_a_run_that_breaks_off_says_so_and_keeps_what_earlier_ones_left(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    for _ in range(KEPT + 2):
        with Timed(Silent(), str(path), Execution()) as timed:
            timed.stage("curate", [Task(1)])
    with pytest.raises(KeyboardInterrupt):
        _interrupted(str(path))
    runs = json.loads(path.read_text())

    assert KEPT == len(runs)
    assert [True, False] == [run["finished"] for run in runs[-2:]]


def test_a_run_without_work_leaves_nothing(tmp_path: Path) -> None:
    with Timed(Silent(), str(tmp_path / "runs.json"), Execution()) as timed:
        timed.stage("deduplicate", [])

    assert [] == list(tmp_path.iterdir())


def test_a_file_that_cannot_be_read_is_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "runs.json"
    path.write_text("{broken")
    with Timed(Silent(), str(path), Execution()) as timed:
        timed.stage("curate", [Task(1)])

    assert 1 == len(json.loads(path.read_text()))


def _interrupted(path: str) -> None:
    with Timed(Silent(), path, Execution()) as timed:
        timed.stage("curate", [Task(1)])
        raise KeyboardInterrupt


def test_cpu_time_of_worker_processes_is_told_apart(tmp_path: Path) -> None:
    spent = Spent()
    with LocalEngine(Execution(workers=2)) as engine:
        engine.run(RunSteps(), [Busy(str(tmp_path / str(number)), number) for number in range(4)])
        spent = engine.spent
    with Timed(Silent(), str(tmp_path / "runs.json"), Execution(workers=2)) as timed:
        timed.stage("curate", [Task(1)])
        timed.spent(spent)
    (run,) = json.loads((tmp_path / "runs.json").read_text())

    assert 4 * 0.05 <= spent.tasks < 4 * 0.05 + 0.5
    assert 0 < spent.starts < spent.processes - spent.tasks
    assert {"worker_processes", "starts", "tasks"} == set(run["cpu_seconds"])
