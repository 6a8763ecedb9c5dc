"""What an engine hands to transforms: tasks, each of which leaves a marker when it is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from massivetext import isolation, storage
from massivetext.errors import MassiveTextError
from massivetext.sealed import unsealed, write_sealed
from pipelines.input_splits import Part

__all__ = [
    "Isolating",
    "Marker",
    "PartTask",
    "Task",
    "TaskError",
    "observe",
    "read_markers",
    "task_begins",
    "task_ends",
]


class TaskError(MassiveTextError):
    """Tasks that failed in every attempt; what each said last is in the message."""


class Task(Protocol):
    """One unit of work: a picklable value whose marker is written last."""

    @property
    def marker(self) -> str:
        """Path of the marker that says that the task is done."""

    @property
    def fingerprint(self) -> str:
        """Digest of all that shapes what it leaves."""

    @property
    def weight(self) -> int:
        """What the task costs, in bytes of input: for progress and for an even split."""


@runtime_checkable
class Isolating(Protocol):
    """A task that can be done without a document that ends its process, and settled without its input."""

    def without(self, blame: isolation.Blame) -> Task:
        """Return the same task, which leaves out what is to blame."""

    def given_up(self, message: str) -> Isolating:
        """Return a task that records that nothing of the input could be read, or first one that gives up only what of
        it cannot be read."""

    @property
    def is_given_up(self) -> bool:
        """Whether nothing of the input is read."""


@dataclass(frozen=True)
class Marker:
    """What a finished task leaves: the fingerprint of what shaped it, its outputs, and its counts."""

    fingerprint: str
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, Any] = field(default_factory=dict)
    failures: tuple[str, ...] = ()

    def write(self, path: str) -> None:
        write_sealed(path, self.__dict__)

    @classmethod
    def read(cls, path: str) -> Marker | None:
        """Return the marker at a path, or None if there is none that can be read (the task is then done again)."""
        if not storage.exists(path):
            return None
        try:
            data = unsealed(storage.read_bytes(path))
            return cls(data["fingerprint"], data["outputs"], data["counts"], tuple(data["failures"]))
        except (ValueError, KeyError, TypeError):
            return None


def read_markers(paths: Sequence[str]) -> list[Marker | None]:
    """Return the markers at some paths of one folder tree, in order; None as `Marker.read` has it."""
    if not paths or not storage.is_remote(paths[0]):
        return [Marker.read(path) for path in paths]
    base = os.path.commonpath([path.partition("://")[2].rpartition("/")[0] for path in paths])
    scheme = paths[0].partition("://")[0]
    there = set(storage.list_files(f"{scheme}://{base}"))
    return storage.each(lambda path: Marker.read(path) if path in there else None, paths, remote=True)


@dataclass(frozen=True)
class PartTask:
    """The pass over the text of one part.

    Attributes:
        part: what is read.
        root: the output folder.
        marker: path of its marker.
        fingerprint: of all that shapes what is made of it.
        seconds, memory: what one step may take for one document.
        blamed: documents that are left out for what they did to a process.
        message: why the part is given up unread; empty if it is read.
        is_careful: whether a file of several that fails in an unforeseen way is given up by itself.
    """

    part: Part
    root: str
    marker: str
    fingerprint: str
    seconds: float = isolation.SECONDS
    memory: int = isolation.MEMORY
    blamed: tuple[isolation.Blame, ...] = ()
    message: str = ""
    is_careful: bool = False

    @property
    def weight(self) -> int:
        return self.part.n_bytes

    @property
    def is_given_up(self) -> bool:
        return bool(self.message)

    def without(self, blame: isolation.Blame) -> PartTask:
        return replace(self, blamed=(*self.blamed, blame))

    def given_up(self, message: str) -> PartTask:
        if self.part.files and not self.is_careful:
            return replace(self, is_careful=True)
        return replace(self, message=message)


Observer = Callable[[str, str], None]

_observers: list[Observer] = []


def observe(observer: Observer) -> None:
    """Call `observer(event, marker)` when a task begins or ends in this process: how a supervisor sees where it is."""
    _observers[:] = [observer]


def task_begins(marker: str) -> None:
    for observer in _observers:
        observer("begin", marker)


def task_ends(marker: str) -> None:
    for observer in _observers:
        observer("end", marker)
