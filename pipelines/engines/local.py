"""The engine of this machine: supervised worker processes, each running pipelines over a few tasks at a time.

Beam's local runner does not replace a worker process that dies, and splits its input statically. So each worker process
runs its own pipelines on FnApiRunner over the tasks that it is handed, and the parent hands out the next ones, starts a
new process for one that died, and gives a task up after three attempts. It also ends a process that a document holds
up, or blows up (massivetext/isolation.py), and hands the task out again without that document.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import resource
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from massivetext import isolation
from massivetext.scratch import make_scratch, remove_scratch
from massivetext.worker_processes import Server, fork_server, fork_server_from_here, watch_parent
from pipelines.engines.engine import (
    ATTEMPTS,
    LOCAL,
    MOST_TASKS,
    Cost,
    Engine,
    Execution,
    OnDone,
    Spent,
    raise_final,
    said_by_engine,
)
from pipelines.tasks import Isolating, Task, TaskError, observe
from pipelines.transforms.base import PlainDoFn
from pipelines.transforms.base import spent as spent_in_transforms
from pipelines.transforms.run_steps import RunSteps, perform_step

__all__ = ["LOCAL", "LocalEngine", "run_here", "start_workers_from_here"]

_PRELOADED = "pipelines.engines.preloaded"


def start_workers_from_here() -> Server:
    """Start what worker processes are forked from as a copy of this process: nothing is imported twice.

    For a program that has imported what a run needs and has begun nothing yet.
    """
    return fork_server_from_here(_PRELOADED)


class LocalEngine(Engine):
    """Worker processes on this machine; they live as long as the engine does."""

    def __init__(self, execution: Execution) -> None:
        super().__init__(execution)
        self._idle: list[_Process] = []
        self.costs: dict[str, Cost] = {}
        """What each task took that was done last by its marker; kept only where `keep_costs` is set."""
        self.keep_costs = False

    def __exit__(self, *_: object) -> None:
        for process in self._idle:
            process.stop()
        self._idle.clear()

    def run(self, work: beam.PTransform, tasks: Sequence[Task], *, on_done: OnDone = lambda task: None) -> None:
        if tasks:
            _Run(self, work, tasks, on_done).finish()

    def take_process(self) -> _Process:
        return self._idle.pop() if self._idle else _Process()

    def give_back(self, process: _Process) -> None:
        self.spent.add(process.spent)
        self._idle.append(process)


class _Run:
    """One transform over some tasks: the queue, the processes that work on it, and what failed how often."""

    def __init__(self, engine: LocalEngine, work: beam.PTransform, tasks: Sequence[Task], on_done: OnDone) -> None:
        self.engine, self.work, self.on_done = engine, work, on_done
        ordered = sorted(tasks, key=lambda task: (-task.weight, task.marker))
        self.queue: deque[tuple[Any, int]] = deque((task, 1) for task in ordered)
        self.width = max(1, min(engine.execution.workers, len(tasks)))
        self.busy: list[_Process] = []
        self.suspects = isolation.Suspects(ATTEMPTS)
        self.failures: list[str] = []
        self.failed_starts = 0

    def finish(self) -> None:
        """Hand out tasks until all are done. Raises what `Engine.run` says."""
        try:
            while self.queue or self.busy:
                self._hand_out()
                handles = [handle for process in self.busy for handle in process.handles]
                ready = wait(handles, timeout=isolation.EVERY)
                for process in self.busy:
                    process.look()
                if ready:
                    for process in list(self.busy):
                        self._hear(process, ready)
        except BaseException:
            for process in self.busy:
                process.kill()
            raise
        if self.failures:
            lines = "\n".join(f"  {line}" for line in self.failures)
            raise TaskError(f"{len(self.failures)} tasks failed {ATTEMPTS} times:\n{lines}")

    def _hand_out(self) -> None:
        width = self.width
        while self.queue and len(self.busy) < width:
            process = self.engine.take_process()
            # Guided self-scheduling: large pieces first, small ones last, so that all finish together.
            share = max(1, min(MOST_TASKS, len(self.queue) // (4 * width if width > 1 else 1)))
            process.begin(self.work, [self.queue.popleft() for _ in range(min(share, len(self.queue)))])
            self.busy.append(process)

    def _hear(self, process: _Process, ready: list[Any]) -> None:
        for news in process.news(ready):
            if news.message is None:
                if self.engine.keep_costs and news.cost is not None:
                    self.engine.costs[news.task.marker] = Cost(type(news.task).__name__, news.task.weight, *news.cost)
                self.on_done(news.task)
            else:
                self._retry(news)
        if process.is_dead:
            self.busy.remove(process)
            self.failed_starts = 0 if process.has_begun else self.failed_starts + 1
            if self.failed_starts > ATTEMPTS * self.width:
                raise TaskError(
                    f"{self.failed_starts} worker processes in a row died before they began a task (the last with "
                    f"exit code {process.process.exitcode}); what they said is above. Fewer --workers, or more memory "
                    "for this machine or container, is what helps where the kernel ended them"
                )
        elif process.is_idle:
            self.busy.remove(process)
            self.engine.give_back(process)

    def _retry(self, news: _News) -> None:
        task, message = news.task, news.message or ""
        raise_final(news.kind, message)
        blame, marker = news.blame, task.marker
        if blame and isinstance(task, Isolating) and self.suspects.is_guilty(marker, blame, news.is_certain):
            self.queue.append((task.without(blame), 1))
        elif news.attempt < ATTEMPTS:
            self.queue.append((task, news.attempt + 1))
        elif news.attempt == ATTEMPTS and isinstance(task, Isolating) and news.kind:
            # An error of the part's own. A process that was ended says nothing about it: that is the machine's trouble.
            text = f"given up after {ATTEMPTS} attempts ({message}); the next run tries it again"
            given_up = task.given_up(text)
            self.queue.append((given_up, ATTEMPTS + 1 if given_up.is_given_up else 1))
        else:
            self.failures.append(f"{marker}: {message}")


@dataclass(frozen=True)
class _News:
    """What became of a task: message is None where it is done. kind: class of the error. blame: the document that its
    process died at, and whether that is to blame for certain."""

    task: Any
    attempt: int
    message: str | None = None
    kind: str = ""
    blame: isolation.Blame | None = None
    is_certain: bool = False
    cost: tuple[float, float, float, int, int] | None = None


class _Options(PipelineOptions):  # type: ignore[misc]
    """The options of all pipelines of this process, with one view of each class.

    Views of the same options share all values. Beam makes a new view, with a parser of command lines, for each
    transform and each check of a type, and reads all options for each pipeline, to warn of unknown ones. It copies
    options for each pipeline, lest one changes those of another, but here all are the same.
    """

    def view_as(self, cls: Any) -> Any:
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]

    def get_all_options(self, *choices: Any, **more: Any) -> dict[str, Any]:
        known = self.__dict__.setdefault("_known", {})
        key = (choices, *sorted(more.items()))
        if key not in known:
            known[key] = super().get_all_options(*choices, **more)
        return dict(known[key])

    def __deepcopy__(self, _: Any) -> _Options:
        return self


@functools.cache
def _options() -> _Options:
    return _Options(["--runner=FnApiRunner"])


class _Tasks(PlainDoFn):
    """Gives tasks as they are. `beam.Create` encodes and decodes them, in a sixth of the time of a pipeline of one."""

    def __init__(self, tasks: Sequence[Any]) -> None:
        self.tasks = tasks

    def process(self, _: bytes) -> Sequence[Any]:
        return self.tasks


def run_here(work: beam.PTransform, tasks: Sequence[Any]) -> None:
    """Run a transform over tasks in this process, on FnApiRunner.

    Steps have no collection between them, so they are called one after the other: a pipeline takes .1 s to build, which
    is more than most steps of a small run.
    """
    if isinstance(work, RunSteps):
        started = time.process_time()
        for task in tasks:
            perform_step(task)
        spent_in_transforms.seconds += time.process_time() - started
        return
    pipeline = beam.Pipeline(options=_options())
    _ = pipeline | beam.Impulse() | "Tasks" >> beam.ParDo(_Tasks(tasks)) | work
    pipeline.run().wait_until_finish()


def _serve(
    connection: Connection, parent: int, note: isolation.Note, temporary: tuple[str, str], environment: dict[str, str]
) -> None:
    """A worker process: runs a pipeline over each list of tasks that it is handed, until the parent is gone.

    Args:
        connection: to the parent.
        parent: the parent's number.
        note: where this process notes what document it is at.
        temporary: the folder for its own temporary files, and the fork server's.
        environment: the parent's variables.
    """
    if os.environ != environment:  # the fork server's is of when it was started
        os.environ.clear()
        os.environ.update(environment)
    isolation.attach(note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Beam makes a folder for each pipeline; whichever of the two processes is killed, the other one removes it.
    tempfile.tempdir = temporary[0]
    watch_parent(parent, *temporary)
    # What fails is told to the parent, which says it once and knows of which task.
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    clock = _Clock()
    observe(lambda event, marker: connection.send((event, marker, clock.look(event))))
    since, starts = 0.0, time.process_time()
    with contextlib.suppress(EOFError, BrokenPipeError, OSError):
        while True:
            work, tasks = connection.recv()
            try:
                run_here(work, tasks)
            except BaseException as error:  # also a rule of the user's own that calls sys.exit
                logging.getLogger(__name__).debug("%s", error)
                connection.send(("failed", "", said_by_engine(error)))
            del work, tasks  # with the models and indices that its functions have loaded
            isolation.end()
            now = time.process_time()
            connection.send(("idle", "", Spent(now - since, starts, spent_in_transforms.seconds)))
            since, starts, spent_in_transforms.seconds = now, 0.0, 0.0


class _Clock:
    """Tells what a task took, in the process that does it."""

    def __init__(self) -> None:
        self.begun = self.loading = 0.0

    def look(self, event: str) -> tuple[float, float, float, int, int] | None:
        """Begin at `begin`; return at `end` the cost as `Cost` has it: seconds, loading, before, process, memory."""
        now = time.process_time()
        if event == "begin":
            self.begun, self.loading = now, spent_in_transforms.loading
            return None
        loading = spent_in_transforms.loading - self.loading
        unit = 1 if sys.platform == "darwin" else 1024
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
        return now - self.begun - loading, loading, self.begun, os.getpid(), memory


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = "; the kernel does so when memory runs out: fewer --workers take less" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process died (exit code {code})"


@dataclass
class _Process:
    """A local worker process and the tasks in its hands, by marker."""

    tasks: dict[str, tuple[Any, int]] = field(default_factory=dict)
    running: str | None = None
    is_idle: bool = True
    is_dead: bool = False
    has_begun: bool = False
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        server = fork_server(_PRELOADED)
        self.connection, theirs = server.context.Pipe()
        self.note = isolation.Note()
        self.temporary = make_scratch("worker")
        arguments = (theirs, os.getpid(), self.note, (self.temporary, server.folder), dict(os.environ))
        self.process = server.context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        self.watch = isolation.Watch(self.process.pid or 0, self.note)
        theirs.close()

    @property
    def handles(self) -> tuple[Any, Any]:
        return self.connection, self.process.sentinel

    def begin(self, work: beam.PTransform, tasks: list[tuple[Any, int]]) -> None:
        self.tasks = {task.marker: (task, attempt) for task, attempt in tasks}
        self.is_idle, self.running = False, None
        # A process that died while idle is noticed by its sentinel, in the next round.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send((work, [task for task, _ in tasks]))

    def look(self) -> None:
        """End the process if a document takes more than it may. The next news are of its death."""
        if self.running is not None and self.watch.is_over():
            self.process.kill()

    def news(self, ready: list[Any]) -> Iterator[_News]:
        """Return what became of tasks since the last look."""
        if self.connection not in ready and self.process.sentinel not in ready:
            return
        try:
            while self.connection.poll():
                event, marker, data = self.connection.recv()
                if event == "idle":
                    self.is_idle, self.spent = True, data
                elif event == "begin":
                    self.running = marker
                    self.has_begun = True
                elif event == "failed":
                    yield from self._failed(*data)
                elif marker in self.tasks:
                    self.running = None
                    yield _News(*self.tasks.pop(marker), cost=data)
        except (EOFError, OSError):  # OSError: it died while it was sending
            pass
        if self.process.sentinel in ready or not self.process.is_alive():
            yield from self._died()
        elif self.is_idle and self.tasks:
            for task, attempt in self.tasks.values():
                yield _News(task, attempt, "its pipeline ended without it; see the log above")
            self.tasks.clear()

    def _failed(self, kind: str, message: str) -> Iterator[_News]:
        """The pipeline failed: for the task that was running, or for all where none was."""
        for marker, (task, attempt) in self.tasks.items():
            is_running = self.running is None or marker == self.running
            yield _News(task, attempt if is_running else attempt - 1, message, kind if is_running else "")
        self.tasks.clear()
        self.running = None

    def _died(self) -> Iterator[_News]:
        self.process.kill()  # it may live, if the fork server died and so told that it had ended
        self.process.join()
        self.is_dead = True
        blame, is_certain = self.watch.blame()
        self._clear()
        died = _how_it_died(self.process.exitcode)
        for marker, (task, attempt) in self.tasks.items():
            # Only the task that was running can be to blame; the others have lost nothing but their place.
            if marker == self.running:
                yield _News(task, attempt, died, "", blame, is_certain)
            else:
                yield _News(task, attempt - 1, died)
        self.tasks.clear()

    def stop(self) -> None:
        self.connection.close()
        self.process.join(timeout=5)
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self._clear()

    def _clear(self) -> None:
        self.note.close()
        remove_scratch(self.temporary)
