"""What a run took: each stage's seconds, tasks and weight, kept in DIR/work/runs.json for the report.

Kept below work/, since it is no function of input, recipe and seed; what is deleted with work/ the report calls not
recorded.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from massivetext import storage
from pipelines.engines.engine import Execution, Spent

if TYPE_CHECKING:
    from pipelines.main import Reporter

__all__ = ["KEPT", "Timed"]

KEPT = 50
"""Runs that the file holds; older ones are dropped."""


class Timed:
    """A reporter that passes everything on to another and notes what each stage takes.

    A context manager; a stage ends where the next one begins, or the run. The file is written at the end of each stage,
    so a run that is killed leaves those that it finished. A run that found nothing to do leaves none.
    """

    def __init__(self, reporter: Reporter, path: str, execution: Execution) -> None:
        self._reporter, self._path = reporter, path
        self._run: dict[str, Any] = {
            "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "runner": execution.runner,
            "workers": execution.workers,
            "finished": False,
            "stages": [],
        }
        self._open: dict[str, Any] | None = None
        self._since = 0.0

    def __enter__(self) -> Timed:
        self._earlier = _read(self._path)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._run["finished"] = kind is None
        self._close()

    def say(self, line: str, *, is_detail: bool = False) -> None:
        self._reporter.say(line, is_detail=is_detail)

    def spent(self, spent: Spent) -> None:
        """CPU seconds of the worker processes, once the run has come to its end."""
        self._run["cpu_seconds"] = {
            "worker_processes": round(spent.processes, 3),
            "starts": round(spent.starts, 3),
            "tasks": round(spent.tasks, 3),
        }

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        self._close()
        weight = sum(task.weight for task in tasks)
        stage = {"stage": name, "tasks": len(tasks), "done": 0, "weight": weight, "weight_done": 0, "seconds": 0.0}
        self._open, self._since = stage, time.monotonic()
        self._run["stages"].append(stage)
        on_done = self._reporter.stage(name, tasks)

        def count(task: Any) -> None:
            if tasks:  # else nobody knows how many there will be, and the report shows the time alone
                stage["done"] += 1
                stage["weight_done"] += task.weight
            on_done(task)

        return count

    def _close(self) -> None:
        if self._open is not None:
            self._open["seconds"] = round(time.monotonic() - self._since, 3)
            self._open = None
        if any(stage["tasks"] for stage in self._run["stages"]):
            runs = [*self._earlier, self._run][-KEPT:]
            storage.write_bytes(self._path, json.dumps(runs, indent=1).encode())


def _read(path: str) -> list[dict[str, Any]]:
    """Earlier runs; none where the file is not there or not to be read, which costs the report and nothing else."""
    if not storage.exists(path):
        return []
    try:
        runs = json.loads(storage.read_bytes(path))
    except ValueError:
        return []
    return runs if isinstance(runs, list) else []
