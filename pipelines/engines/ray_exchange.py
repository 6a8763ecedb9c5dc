"""The exchange of packed arrays through Ray's object store, which spills to disk what memory has no room for.

Each step that sends leaves one object a partition on its node; each step that receives fetches its own from all nodes.
If a worker or a node dies, its objects are gone, and the steps that send are run once more for the partitions that are
still open.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import ray

from massivetext.dedup.phases import Step, open_steps
from pipelines.deduplicate import receive, send
from pipelines.engines.engine import ATTEMPTS, OnDone, Spent, raise_final, said_by_engine
from pipelines.tasks import TaskError

__all__ = ["ONCE", "exchange", "find_modules"]

ONCE = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
"""Options of a Ray task. Ray would repeat a worker that runs out of memory without end, so repeating is done here."""


def exchange(senders: Sequence[Step], receivers: Sequence[Step], spent: Spent, on_done: OnDone) -> None:
    """Run all steps that send, then those that receive and are not done, up to three times.

    Args:
        senders: all of them: what one has sent is nowhere but in the object store.
        receivers: of the same scope.
        spent: the CPU time of both is added to it.
        on_done: called as each step is done.

    Raises:
        TaskError: a step failed, or its worker died, in every attempt.
        OutputError: nothing can be written.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _exchange(senders, open_steps(receivers), spent, on_done)
            return
        except ray.exceptions.RayError as error:
            kind, message = said_by_engine(error)
            raise_final(kind, message)
            if attempt == ATTEMPTS:
                raise TaskError(f"on ray, {ATTEMPTS} times: {message}; what is done stays done") from error


def _exchange(senders: Sequence[Step], receivers: Sequence[Step], spent: Spent, on_done: OnDone) -> None:
    sending = ray.remote(num_returns=1 + len(receivers), **ONCE)(_send)
    receiving = ray.remote(**ONCE)(_receive)
    places = [f"{step.folder}\0{step.number}" for step in receivers]
    sent = [sending.remote(step, places, sys.path) for step in senders]
    _finish({row[0]: step for row, step in zip(sent, senders)}, spent, on_done)
    received = {
        receiving.remote(step.phase, place, [row[1 + n] for row in sent], sys.path): step
        for n, (step, place) in enumerate(zip(receivers, places))
    }
    _finish(received, spent, on_done)


def _finish(pending: dict[Any, Step], spent: Spent, on_done: OnDone) -> None:
    """Wait for all steps. Raises RayError for the first that fails, and cancels the others."""
    try:
        while pending:
            (reference,), _ = ray.wait(list(pending), num_returns=1)
            seconds = ray.get(reference)
            spent.processes += seconds
            spent.tasks += seconds
            on_done(pending.pop(reference))
    finally:
        for reference in pending:
            ray.cancel(reference, force=True)


def _send(step: Step, places: Sequence[str], paths: Sequence[str]) -> Iterator[Any]:
    """In a Ray worker: give CPU seconds, and the packed records for each of the places in turn."""
    find_modules(paths)
    started = time.process_time()
    packed: dict[str, list[bytes]] = {place: [] for place in places}
    for place, block in send(step):
        if place in packed:
            packed[place].append(block)
    yield time.process_time() - started
    for place in places:
        yield packed.pop(place)


def _receive(phase: str, place: str, sent: Sequence[Any], paths: Sequence[str]) -> float:
    """In a Ray worker: take in the records for a place, one sender's after the other's. Returns CPU seconds."""
    find_modules(paths)
    started = time.process_time()
    receive(phase, place, (block for reference in sent for block in ray.get(reference)))
    return time.process_time() - started


def find_modules(paths: Sequence[str]) -> None:
    """Let this process import what the client can. paths: the client's `sys.path`."""
    sys.path.extend(path for path in paths if path not in sys.path)
