"""What an engine is: it runs a transform over tasks, somewhere, and exchanges packed arrays by hash between steps.

Another engine is one file: a class with `run` (and `exchange`, where files in DIR are not the best way), registered as
an entry point of the group `massivetext.engines`.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam

from massivetext import storage
from massivetext.dedup.phases import Step, exchange_of, open_steps, phases
from massivetext.dedup.scope import Scope
from massivetext.errors import OutputError, RecipeError
from pipelines.tasks import Task
from pipelines.transforms.run_steps import RunSteps

__all__ = [
    "ATTEMPTS",
    "DATAFLOW",
    "LOCAL",
    "MOST_TASKS",
    "Cost",
    "Engine",
    "Execution",
    "OnDone",
    "Spent",
    "forget",
    "names_option",
    "raise_final",
    "said_by_engine",
    "shares",
]

ATTEMPTS = 3
"""How often a task, or a job, is tried before it is given up."""

MOST_TASKS = 64
"""Tasks that one pipeline is handed at most: a pipeline costs some .1 s, and holds its tasks in memory."""

LOCAL = ("FnApiRunner", "DirectRunner", "local")
"""Names of the engine of this machine."""

DATAFLOW = "DataflowRunner"

OnDone = Callable[[Any], None]


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

    @property
    def sends_package(self) -> bool:
        """Whether workers get this package as it is here, with the kernels that lie with it."""
        return self.runner == DATAFLOW and not names_option("sdk_container_image", self.beam_options)

    @property
    def memory_of_task(self) -> int:
        """Bytes that a task of deduplication may hold: a worker's share, less what a process takes for itself."""
        return max(64 << 20, self.memory // (4 * max(1, self.workers)))


def names_option(option: str, given: Sequence[str]) -> bool:
    """Whether the options given to Beam name one."""
    return any(value == f"--{option}" or value.startswith(f"--{option}=") for value in given)


@dataclass
class Spent:
    """CPU seconds of local worker processes: in all, of that until they can take tasks (imports), and inside the
    functions of transforms. What is left is Beam's."""

    processes: float = 0.0
    starts: float = 0.0
    tasks: float = 0.0

    def add(self, other: Spent) -> None:
        self.processes += other.processes
        self.starts += other.starts
        self.tasks += other.tasks


@dataclass(frozen=True)
class Cost:
    """What one task took. stage: class of the task. weight: as the task says. seconds: of CPU, without `loading`, which
    is of models, once a process. before: CPU seconds of its process until it began. process: its number. memory: the
    largest resident bytes of that process until then."""

    stage: str
    weight: int
    seconds: float
    loading: float
    before: float
    process: int
    memory: int


class Engine(ABC):
    """Runs transforms over tasks. A context manager: its processes or its cluster live as long as it does."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.spent = Spent()

    @classmethod
    def check(cls, execution: Execution) -> None:
        """Refuse, before anything is written, what this engine cannot run.

        Raises:
            RecipeError: a package that is missing, an option that the engine does not have, a cluster out of reach.
        """
        return None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abstractmethod
    def run(self, work: beam.PTransform, tasks: Sequence[Task], *, on_done: OnDone = lambda task: None) -> None:
        """Run a transform from tasks to the markers of those that are done, over all tasks.

        Args:
            work: a PTransform from a PCollection of tasks to one of markers' paths. It is pickled.
            tasks: in any order.
            on_done: called in this process as each task is known to be done.

        Raises:
            TaskError: tasks, or the job, failed in every attempt; with the engine's own words.
            OutputError: nothing can be written.
        """

    def exchange(self, senders: Sequence[Step], receivers: Sequence[Step], *, on_done: OnDone) -> None:
        """Run steps that send packed records by hash, then those that receive them: here through files in DIR.

        Args:
            senders: all of them; through files, those are left out whose files are there.
            receivers: those that are not done.
            on_done: called in this process as each step is known to be done.
        """
        self.run(RunSteps(), open_steps(senders), on_done=on_done)
        self.run(RunSteps(), receivers, on_done=on_done)

    def deduplicate_all(self, scopes: Sequence[Scope], *, on_done: OnDone) -> None:
        """Run the phases of deduplication of some scopes, one scope after the other."""
        for scope in scopes:
            self.deduplicate(scope, on_done=on_done)

    def deduplicate(self, scope: Scope, *, on_done: OnDone) -> None:
        """Run the phases of deduplication of one scope; steps that are done already are left out."""
        senders: list[Step] = []
        for phase, steps in phases(scope):
            exchange = exchange_of(phase)
            if exchange is not None and phase == exchange[0]:
                senders = steps
                continue
            todo = open_steps(steps)
            if exchange is None:
                self.run(RunSteps(), todo, on_done=on_done)
            elif todo:
                self.exchange(senders, todo, on_done=on_done)


def forget(task: Task) -> None:
    """Remove the marker of an earlier recipe or input, so that one that exists after a job means that it was done."""
    if storage.exists(task.marker):
        storage.remove(task.marker)


def raise_final(kind: str, message: str) -> None:
    """Raise an error of a task, by the name of its class, that is not the task's fault and no other attempt would mend:
    nothing can be written, or a model or a function cannot be loaded. Returns for any other error."""
    if kind == "OutputError":
        raise OutputError(message)
    if kind in ("RecipeError", "DependencyError"):
        raise RecipeError(message)


def shares(tasks: Sequence[Task], width: int) -> Iterator[list[Task]]:
    """Return all tasks in lists, of which each is handed to one process: large tasks and long lists first, single small
    tasks last, so that `width` processes finish together (guided self-scheduling)."""
    ordered = sorted(tasks, key=lambda task: (-task.weight, task.marker))
    while ordered:
        size = max(1, min(MOST_TASKS, len(ordered) // (4 * max(1, width))))
        yield ordered[:size]
        del ordered[:size]


_NAMED = re.compile(r"[\w.]+(?:Error|Exception|Interrupt|Exit)\b")
_ERROR = re.compile(r"massivetext\.errors\.(\w+): (.*?)(?: \[while running.*)?$", re.MULTILINE)


def said_by_engine(error: BaseException) -> tuple[str, str]:
    """Return (class, message) of what made a pipeline fail: our own error if it was one, else the last line."""
    text = str(error).strip()
    ours = _ERROR.findall(text)
    if ours:
        return ours[-1]
    if type(error).__module__ == "massivetext.errors":
        return type(error).__name__, text
    lines = [line.strip() for line in text.splitlines() if line.strip()] or [repr(error)]
    last = lines[-1].partition(" [while running")[0]
    return type(error).__name__, last if _NAMED.match(last) else f"{type(error).__name__}: {last}"
