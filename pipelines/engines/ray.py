"""Ray as the engine of several machines: tasks become Ray tasks, spread over all nodes of a cluster.

A Ray worker hands its tasks to a local engine of one process, which holds documents to their limits. A Ray worker or a
node that dies says nothing of a document: its tasks are run elsewhere, three times in all, without those that are done.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import time
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import apache_beam as beam

from massivetext import storage
from massivetext.dedup.phases import Step
from massivetext.errors import MassiveTextError, RecipeError
from pipelines.engines import engine as base
from pipelines.engines.checks import check_grpc_server
from pipelines.engines.engine import ATTEMPTS, Engine, Execution, OnDone, Spent, said_by_engine
from pipelines.engines.local import LocalEngine
from pipelines.tasks import Task, TaskError

try:
    import ray

    from pipelines.engines.ray_exchange import ONCE, exchange, find_modules
except ModuleNotFoundError:  # `check` says so
    ray = None

__all__ = ["RayEngine"]

OWN_CLUSTER, MOST_FAILURES = "local", 10
"""An address for which Ray starts a node here that ends with the run; failures after which other tasks are left out."""


class RayEngine(Engine):
    """A Ray cluster. `tasks_by_node` counts the tasks that each node has done, by the node's number in Ray."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(execution)
        self.tasks_by_node: Counter[str] = Counter()
        self._is_connected_here = False

    @classmethod
    def check(cls, execution: Execution) -> None:
        if ray is None:
            raise RecipeError("--runner ray: needs Ray; pip install 'massivetext[ray]'")
        address = _address(execution)
        if ":" in address and not os.environ.get("RAY_USE_TLS"):
            check_grpc_server("ray", "address", address)
        if address != OWN_CLUSTER:
            cls(execution).__enter__().__exit__()  # connects: the versions of Ray and Python are those of the cluster

    def __enter__(self) -> RayEngine:
        if ray.is_initialized():
            return self  # the program that calls us has its own connection, and ends it
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        address = _address(self.execution)
        own = {"num_cpus": self.execution.workers, "object_store_memory": 100 << 20, "include_dashboard": False}
        try:
            ray.init(address, logging_level=logging.WARNING, **(own if address == OWN_CLUSTER else {}))
        except Exception as error:
            raise RecipeError(f"--runner ray: no connection to {address}: {said_by_engine(error)[1]}") from error
        self._is_connected_here = True
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_connected_here:
            ray.shutdown()

    def run(self, work: beam.PTransform, tasks: Sequence[Task], *, on_done: OnDone = lambda task: None) -> None:
        if not tasks:
            return
        storage.each(base.forget, tasks, remote=storage.is_remote(tasks[0].marker))
        remote = ray.remote(**ONCE)(_run_share).remote
        work_bytes = ray.put(pickle.dumps(work))
        # All at once: a cluster that grows by demand sees all of it.
        divided = base.shares(tasks, int(ray.cluster_resources().get("CPU", 1)))
        pending = {remote(work_bytes, pickle.dumps(share), sys.path): (share, 1) for share in divided}
        failures: list[str] = []
        try:
            while pending and len(failures) < MOST_FAILURES:
                (reference,), _ = ray.wait(list(pending), num_returns=1)
                share, attempt = pending.pop(reference)
                try:
                    report: _Report = ray.get(reference)
                except ray.exceptions.RayError as error:
                    if attempt == ATTEMPTS:
                        failures.append(f"{share[0].marker}: {said_by_engine(error)[1]}")
                    else:  # each task has a worker to itself now, and takes no other with it
                        again = {remote(work_bytes, pickle.dumps([task]), sys.path): task for task in share}
                        pending |= {reference: ([task], attempt + 1) for reference, task in again.items()}
                    continue
                self.spent.add(report.spent)
                self.tasks_by_node[report.node] += len(report.done)
                for task in [task for task in share if task.marker in report.done]:
                    on_done(task)
                base.raise_final(report.error, report.message)
                failures += [report.message] * bool(report.error)
        finally:
            for reference in pending:
                ray.cancel(reference, force=True)
        if failures:
            raise TaskError("\n  ".join((f"on ray, {ATTEMPTS} times; what is done stays done:", *failures)))

    def exchange(self, senders: Sequence[Step], receivers: Sequence[Step], *, on_done: OnDone) -> None:
        exchange(senders, receivers, self.spent, on_done)


class _Report(NamedTuple):
    """What became of a share of tasks. done: markers. error, message: class and words of what ended it, or empty."""

    done: frozenset[str]
    error: str
    message: str
    node: str
    spent: Spent


def _address(execution: Execution) -> str:
    """Return where the cluster is. Raises RecipeError for options that this engine does not have."""
    address = os.environ.get("RAY_ADDRESS") or OWN_CLUSTER
    for option in execution.beam_options:
        name, _, address = option.partition("=")
        if name != "--address" or not address or "://" in address:
            expected = "--address=HOST:PORT of the cluster's head, or --address=auto, on a machine of the cluster"
            raise RecipeError(f"--runner ray: {option}: expected {expected}")
    return address


_local_engine = lru_cache(maxsize=1)(lambda: LocalEngine(Execution(workers=1)))  # its process ends with the Ray worker


def _run_share(work: bytes, share: bytes, paths: Sequence[str]) -> _Report:
    """In a Ray worker, do those tasks of a share that no earlier attempt has done. paths: the client's `sys.path`."""
    find_modules(paths)
    engine, started, tasks = _local_engine(), time.process_time(), pickle.loads(share)
    engine.spent, error, message = Spent(), "", ""
    done = {task.marker for task in tasks if storage.exists(task.marker)}
    todo: list[Any] = [task for task in tasks if task.marker not in done]
    try:
        engine.run(pickle.loads(work), todo, on_done=lambda task: done.add(task.marker))
    except MassiveTextError as fault:  # returned, not raised: another attempt would not mend it
        error, message = type(fault).__name__, f"on {os.uname().nodename}: {fault}"
    engine.spent.processes += time.process_time() - started
    return _Report(frozenset(done), error, message, ray.get_runtime_context().get_node_id(), engine.spent)
