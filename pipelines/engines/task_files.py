"""Tasks in files beside the first one's marker: a job's description may have 10 MB on Dataflow, and tasks have more."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

from pydantic import TypeAdapter

from massivetext import storage
from pipelines.kept_units import KeptTask
from pipelines.mix import ShardTask
from pipelines.tasks import PartTask
from pipelines.transforms.common_lines import CommonLineTask
from pipelines.transforms.compare import COMPARING
from pipelines.transforms.final_ledger import LedgerTask
from pipelines.transforms.shares import CountValues

__all__ = ["read_tasks", "write_tasks"]

TASKS = 256
"""Tasks in one file."""

_KINDS = {
    kind.__name__: kind for kind in (PartTask, LedgerTask, ShardTask, KeptTask, CountValues, CommonLineTask, *COMPARING)
}


@lru_cache(maxsize=8)
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[kind])


def write_tasks(tasks: Sequence[Any]) -> list[str]:
    """Write tasks of one kind as JSON, TASKS in a file; returns the files' paths."""
    kind = type(tasks[0]).__name__
    starts = range(0, len(tasks), TASKS)
    files = [(f"{tasks[0].marker}.tasks-{start // TASKS:05d}", start) for start in starts]

    def write(file: tuple[str, int]) -> None:
        path, start = file
        rows = [_adapter(kind).dump_python(task, mode="json") for task in tasks[start : start + TASKS]]
        storage.write_bytes(path, json.dumps({"kind": kind, "tasks": rows}).encode())

    storage.each(write, files, remote=storage.is_remote(files[0][0]))
    return [path for path, _ in files]


def read_tasks(path: str) -> Iterator[Any]:
    """Return the tasks of a file that `write_tasks` has written."""
    data = json.loads(storage.read_bytes(path))
    for row in data["tasks"]:
        yield _adapter(data["kind"]).validate_python(row)
