"""Tasks whose CPU time and memory are noted, for a forecast of what many such tasks will take."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from massivetext import isolation, storage
from pipelines.execution import Execution, GiveUp, Workers

__all__ = ["Clocked", "ClockedWorkers"]

QUICK = 3.0
"""A part that took less CPU seconds is read once more: its first reading also loaded what a process loads once."""


@dataclass(frozen=True)
class Clocked:
    """A task that leaves at `path` what it took: its `stage`, `weight`, `seconds` of CPU, `startup`, what its process
    had taken before it and in loading models, `process`, and `memory`, the largest resident bytes of that process."""

    task: Any
    path: str

    @property
    def marker(self) -> str:
        return str(self.task.marker)

    @property
    def weight(self) -> int:
        return int(self.task.weight)

    def without(self, blame: isolation.Blame) -> Clocked:
        return replace(self, task=self.task.without(blame))

    def __call__(self) -> None:
        prepare = getattr(self.task, "prepare", None)
        before = time.process_time()
        if prepare is not None:
            prepare()
        started = time.process_time()
        self.task()
        ended = time.process_time()
        if prepare is not None and ended - started < QUICK:
            started = time.process_time()
            self.task()
            ended = time.process_time()
        unit = 1 if sys.platform == "darwin" else 1024
        note = {
            "stage": type(self.task).__name__,
            "weight": self.weight,
            "seconds": ended - started,
            "before": before,
            "loading": started - before if prepare is not None else 0.0,
            "process": os.getpid(),
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit,
        }
        storage.write_bytes(self.path, json.dumps(note).encode())


class ClockedWorkers(Workers):
    """Workers that clock every task; `notes` holds what each took, by its marker."""

    def __init__(self, execution: Execution, folder: str) -> None:
        super().__init__(execution)
        self._folder = folder
        self.notes: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> ClockedWorkers:
        return self

    def run(
        self,
        tasks: Sequence[Any],
        *,
        on_done: Callable[[Any], None] = lambda task: None,
        give_up: GiveUp | None = None,
    ) -> None:
        def note(clocked: Any) -> None:
            if storage.exists(clocked.path):
                self.notes[clocked.marker] = json.loads(storage.read_bytes(clocked.path))
            on_done(clocked.task)

        def settle(clocked: Any, said: str) -> None:
            assert give_up is not None
            give_up(clocked.task, said)

        wrapped = [Clocked(task, self._path(task.marker)) for task in tasks]
        super().run(wrapped, on_done=note, give_up=None if give_up is None else settle)

    def _path(self, marker: str) -> str:
        return storage.join(self._folder, f"{hashlib.blake2b(marker.encode(), digest_size=16).hexdigest()}.json")
