"""Running independent tasks on a Beam runner, locally in supervised worker processes.

A *task* reads files and writes files; it is done when its marker stands in DIR/work/. Nothing but tasks goes through
Beam, so every runner gives the same files, and a run that was cut short goes on where it stopped.

Beam's local runner does not replace a worker process that dies, and splits its input statically. Locally each worker
process therefore runs its own in-process pipeline over a few tasks at a time, and the parent hands out the next ones,
starts a new process for one that died, and gives a task up after three attempts. It also ends a process that a document
holds up, or blows up (massivetext/isolation.py), and hands the task out again without that document.
"""

from __future__ import annotations

import contextlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, runtime_checkable

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.options.pipeline_options import PipelineOptions

from massivetext import isolation, storage
from massivetext.errors import MassiveTextError, OutputError
from pipelines import engine, flink

__all__ = [
    "ATTEMPTS",
    "NO_OUTPUT",
    "Execution",
    "Isolating",
    "Marker",
    "Spent",
    "Task",
    "TaskError",
    "Workers",
    "die_with",
    "engine_pipeline",
    "read_markers",
]

ATTEMPTS = 3
"""How often a task is tried before it is given up."""

LOCAL = ("FnApiRunner", "DirectRunner", "local")


class Task(Protocol):
    """One unit of work: a picklable value that is called, and writes its marker last."""

    @property
    def marker(self) -> str:
        """Path of the marker that says that the task is done."""

    @property
    def weight(self) -> int:
        """What the task costs, in bytes of input: for progress and for an even split."""

    def __call__(self) -> None: ...


@runtime_checkable
class Isolating(Protocol):
    """A task that can be done without a document that ends its process."""

    def without(self, blame: isolation.Blame) -> Task:
        """The same task, which leaves out what is to blame."""


class TaskError(MassiveTextError):
    """Tasks that failed in every attempt; what each said last is in the message."""


@dataclass(frozen=True)
class Execution:
    """Where and how wide a run executes. Nothing here changes a byte of the output.

    workers and memory (bytes): of this machine; on an engine, of each of its machines.
    """

    runner: str = "FnApiRunner"
    workers: int = 1
    beam_options: tuple[str, ...] = ()
    memory: int = 1 << 30

    @property
    def is_local(self) -> bool:
        return self.runner in LOCAL


@dataclass(frozen=True)
class Marker:
    """What a finished task leaves: the fingerprint of what shaped it, its outputs, and its counts."""

    fingerprint: str
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    def write(self, path: str) -> None:
        data = json.dumps(self.__dict__, sort_keys=True, indent=1)
        storage.write_bytes(path, data.encode())

    @classmethod
    def read(cls, path: str) -> Marker | None:
        """The marker at a path, or None if there is none, or none that can be read (the task is then done again)."""
        if not storage.exists(path):
            return None
        try:
            data = json.loads(storage.read_bytes(path))
            return cls(data["fingerprint"], data["outputs"], data["counts"], tuple(data["failures"]))
        except (ValueError, KeyError, TypeError):
            return None


def read_markers(paths: Sequence[str]) -> list[Marker | None]:
    """The markers at some paths of one folder tree, in order; None as `Marker.read` has it."""
    if not paths or not storage.is_remote(paths[0]):
        return [Marker.read(path) for path in paths]
    base = os.path.commonpath([path.partition("://")[2].rpartition("/")[0] for path in paths])
    scheme = paths[0].partition("://")[0]
    there = set(storage.list_files(f"{scheme}://{base}"))
    return storage.each(lambda path: Marker.read(path) if path in there else None, paths, remote=True)


@dataclass
class Spent:
    """CPU seconds of local worker processes: in all, of that until they can take tasks (imports), and inside tasks.
    What is left is Beam's."""

    processes: float = 0.0
    starts: float = 0.0
    tasks: float = 0.0

    def add(self, other: Spent) -> None:
        self.processes += other.processes
        self.starts += other.starts
        self.tasks += other.tasks


NO_OUTPUT = "OutputError: "
"""How what is said of a task begins that could not write; the run then ends."""

GiveUp = Callable[[Any, str], None]
"""Called for a task that failed in every attempt, with what it said last; may settle the task in its stead."""


class Workers:
    """The processes, or the engine, that tasks run on. A context manager: local processes live as long as it does.
    scratch: a folder for what an engine's client and workers tell each other."""

    def __init__(self, execution: Execution, scratch: str = "") -> None:
        self.execution = execution
        self.cluster = flink.Cluster(execution.beam_options, scratch) if execution.runner == flink.RUNNER else None
        self.spent = Spent()
        self._idle: list[_Process] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._idle:
            process.stop()
        self._idle.clear()

    def run(
        self,
        tasks: Sequence[Task],
        *,
        on_done: Callable[[Task], None] = lambda task: None,
        give_up: GiveUp | None = None,
    ) -> None:
        """Run all tasks. `on_done` is called in this process as each is done. Raises TaskError for tasks that failed
        in every attempt, unless `give_up` takes them."""
        if not tasks:
            return
        ordered = sorted(tasks, key=lambda task: (-task.weight, task.marker))
        failures = self._run_local(ordered, on_done) if self.execution.is_local else self._run_engine(ordered, on_done)
        if failures and give_up is not None:
            for task, message in failures:
                give_up(task, message)
                on_done(task)
        elif failures:
            lines = "\n".join(f"  {task.marker}: {message}" for task, message in failures)
            raise TaskError(f"{len(failures)} tasks failed {ATTEMPTS} times:\n{lines}")

    def _run_local(self, tasks: list[Task], on_done: Callable[[Task], None]) -> list[tuple[Task, str]]:
        queue = deque((task, 1) for task in tasks)
        failures: list[tuple[Task, str]] = []
        width = max(1, min(self.execution.workers, len(tasks)))
        busy: list[_Process] = []
        suspects = isolation.Suspects(ATTEMPTS)
        stillborn = 0
        try:
            while queue or busy:
                while queue and len(busy) < width:
                    process = self._idle.pop() if self._idle else _Process()
                    # Guided self-scheduling: large pieces first, small ones last, so that all finish together.
                    # A pipeline costs .05 s, so a worker that is alone is handed as many as may be.
                    share = max(1, min(64, len(queue) // (4 * width if width > 1 else 1)))
                    process.begin([queue.popleft() for _ in range(min(share, len(queue)))])
                    busy.append(process)
                ready = wait([handle for process in busy for handle in process.handles], timeout=isolation.EVERY)
                for process in busy:
                    process.look()
                if not ready:
                    continue
                for process in list(busy):
                    for task, attempt, message, blame, is_certain in process.news(ready):
                        if message is None:
                            on_done(task)
                        elif (
                            blame is not None
                            and isinstance(task, Isolating)
                            and suspects.is_guilty(task.marker, blame, is_certain)
                        ):
                            queue.append((task.without(blame), 1))
                        elif message.startswith(NO_OUTPUT):
                            # The task is not to blame, and may not be given up: nobody can write here.
                            raise OutputError(message.removeprefix(NO_OUTPUT))
                        elif attempt < ATTEMPTS:
                            queue.append((task, attempt + 1))
                        else:
                            failures.append((task, message))
                    if process.is_dead:
                        busy.remove(process)
                        stillborn = 0 if process.has_begun else stillborn + 1
                        if stillborn > ATTEMPTS * width:
                            raise TaskError(
                                f"{stillborn} worker processes in a row died before they began a task (the last with "
                                f"exit code {process.process.exitcode}); what they said is above. Fewer --workers, or "
                                "more memory for this machine or container, is what helps where the kernel ended them"
                            )
                    elif process.is_idle:
                        self.spent.add(process.spent)
                        busy.remove(process)
                        self._idle.append(process)
        except BaseException:
            for process in busy:
                process.kill()
            raise
        return failures

    def _run_engine(self, tasks: list[Task], on_done: Callable[[Task], None]) -> list[tuple[Task, str]]:
        is_remote = storage.is_remote(tasks[0].marker)
        storage.each(_forget, tasks, remote=is_remote)
        pending, said = list(tasks), ""
        failures: list[tuple[Task, str]] = []
        for _ in range(ATTEMPTS):
            said = f"left no marker on {self.execution.runner}; its log has the reason"
            given_up: dict[int, str] = {}
            paths: list[str] = []
            try:
                if self.cluster is not None:
                    given_up = self.cluster.run(pending)
                else:
                    paths = engine.write_tasks(pending)
                    engine_pipeline(paths, self.execution).run().wait_until_finish()
            except RuntimeError as error:  # an engine's job that failed as a whole, as when a worker of it was killed
                said = f"the job on {self.execution.runner} failed: {error}"
                logging.getLogger(__name__).warning("%s", said)
            for path in paths:
                storage.remove(path)
            # An engine's workers cannot call back: the markers tell.
            left = []
            there = storage.each(lambda task: storage.exists(task.marker), pending, remote=is_remote)
            for number, (task, is_done) in enumerate(zip(pending, there)):
                message = given_up.get(number, "")
                if message.startswith(NO_OUTPUT):
                    raise OutputError(message.removeprefix(NO_OUTPUT))
                if is_done:
                    on_done(task)
                elif message:
                    failures.append((task, message))
                else:
                    left.append(task)
            pending = left
            if not pending:
                break
        return failures + [(task, said) for task in pending]


def _forget(task: Task) -> None:
    """Remove a marker of an earlier recipe or input: after a job of an engine a marker is to mean that it was done."""
    if storage.exists(task.marker):
        storage.remove(task.marker)


def run_task(task: Task) -> str | None:
    """Run one task. Returns None, or what went wrong: a task that raises must not take its neighbours with it."""
    try:
        task()
    except Exception as error:
        logging.getLogger(__name__).debug("%s", traceback.format_exc())
        if isinstance(error, OutputError):
            return f"{NO_OUTPUT}{error}"
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__}: {error} ({os.path.basename(place.filename)}:{place.lineno})"
    return None


_report: Callable[[int, str, str | None], None] | None = None
"""Set in a local worker process: tells the parent that a task begins or has ended."""

_in_tasks = 0.0
"""CPU seconds that tasks have taken in this process."""


class RunTask(beam.DoFn):
    """Runs each task it is given, and yields the marker of each that is done. Counts those done and failed."""

    def __init__(self) -> None:
        self.done = Metrics.counter("RunTask", "done")
        self.failed = Metrics.counter("RunTask", "failed")

    def process(self, element: tuple[int, Any]) -> Iterator[str]:
        global _in_tasks
        number, task = element
        if _report:
            _report(number, "begin", None)
        before = time.process_time()
        message = run_task(task)
        _in_tasks += time.process_time() - before
        (self.failed if message else self.done).inc()
        if message:
            logging.getLogger(__name__).warning("%s: %s", task.marker, message)
        else:
            yield task.marker
        if _report:
            _report(number, "end", message)


def _serve(connection: Connection, parent: int, note: isolation.Note, temporary: str) -> None:
    """A worker process: runs a pipeline over each list of tasks that it is handed, until the parent is gone."""
    isolation.attach(note)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Beam makes a folder for each pipeline; whichever of the two processes is killed, the other one removes it.
    tempfile.tempdir = temporary
    threading.Thread(target=die_with, args=(parent, temporary), daemon=True).start()
    global _in_tasks, _report

    def report(number: int, event: str, message: str | None) -> None:
        connection.send((number, event, message))

    _report = report
    since = 0.0
    starts = time.process_time()
    with contextlib.suppress(EOFError, BrokenPipeError, OSError):
        while True:
            tasks = connection.recv()
            try:
                _pipeline(tasks)
            except Exception:
                logging.getLogger(__name__).exception("the pipeline of a worker process failed")
            now = time.process_time()
            connection.send((-1, "idle", Spent(now - since, starts, _in_tasks)))
            since, starts, _in_tasks = now, 0.0, 0.0


def _how_it_died(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        hint = "; the kernel does so when memory runs out: fewer --workers take less" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"
    return f"the worker process died (exit code {code})"


def die_with(parent: int, temporary: str | None = None) -> None:
    """End this process when its parent is gone, and with it its folder of temporary files."""
    while os.getppid() == parent:
        time.sleep(0.5)
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)
    os._exit(1)


def _pipeline(tasks: list[tuple[int, Task]]) -> None:
    pipeline = beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"]))
    _ = pipeline | "Tasks" >> beam.Create(tasks, reshuffle=False) | "Run" >> beam.ParDo(RunTask())
    pipeline.run().wait_until_finish()


def engine_pipeline(paths: Sequence[str], execution: Execution) -> beam.Pipeline:
    """The job that runs the tasks in some files of `engine.write_tasks`."""
    pipeline = beam.Pipeline(options=engine.options_of(execution.runner, execution.beam_options, execution.memory))
    _ = (
        pipeline
        | "Files" >> beam.Create(paths)
        | "Tasks" >> beam.FlatMap(engine.read_tasks).with_output_types(tuple[int, Any])
        | "Spread" >> beam.Reshuffle()
        | "Run" >> beam.ParDo(RunTask())
    )
    return pipeline


@dataclass
class _Process:
    """A local worker process and the tasks in its hands."""

    tasks: dict[int, tuple[Task, int]] = field(default_factory=dict)
    running: int | None = None
    is_idle: bool = True
    is_dead: bool = False
    has_begun: bool = False
    spent: Spent = field(default_factory=Spent)

    def __post_init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.note = isolation.Note()
        self.temporary = tempfile.mkdtemp(prefix="massivetext-")
        arguments = (theirs, os.getpid(), self.note, self.temporary)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        self.watch = isolation.Watch(self.process.pid or 0, self.note)
        theirs.close()

    @property
    def handles(self) -> tuple[Any, Any]:
        return self.connection, self.process.sentinel

    def begin(self, tasks: list[tuple[Task, int]]) -> None:
        self.tasks = dict(enumerate(tasks))
        self.is_idle = False
        # A process that died while idle is noticed by its sentinel, in the next round.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send([(number, task) for number, (task, _) in self.tasks.items()])

    def look(self) -> None:
        """End the process if a document takes more than it may. The next news are of its death."""
        if self.running is not None and self.watch.is_over():
            self.process.kill()

    def news(self, ready: list[Any]) -> Iterator[tuple[Task, int, str | None, isolation.Blame | None, bool]]:
        """Tasks that ended since the last look: task, attempt, None or what went wrong, the document that the process
        died at, and whether that is to blame for certain."""
        if self.connection not in ready and self.process.sentinel not in ready:
            return
        try:
            while self.connection.poll():
                number, event, message = self.connection.recv()
                if event == "idle":
                    self.is_idle, self.spent = True, message
                elif event == "begin":
                    self.running = number
                    self.has_begun = True
                else:
                    self.running = None
                    task, attempt = self.tasks.pop(number)
                    yield task, attempt, message, None, False
        except (EOFError, OSError):  # OSError: it died while it was sending
            pass
        if self.process.sentinel in ready or not self.process.is_alive():
            self.process.join()
            self.is_dead = True
            blame, is_certain = self.watch.blame()
            self._clear()
            for number, (task, attempt) in self.tasks.items():
                # Only the task that was running can be to blame; the others have lost nothing but their place.
                died = _how_it_died(self.process.exitcode)
                if number == self.running:
                    yield task, attempt, died, blame, is_certain
                else:
                    yield task, attempt - 1, died, None, False
            self.tasks.clear()
        elif self.is_idle and self.tasks:
            for task, attempt in self.tasks.values():
                yield task, attempt, "the worker's pipeline failed; see its log above", None, False
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
        shutil.rmtree(self.temporary, ignore_errors=True)
