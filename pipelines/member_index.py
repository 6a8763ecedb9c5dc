"""The index of large compressed files: at which of their members they are split, found once by tasks.

A file that may be split comes as one part, the whole file. SPAN of its ranges are scanned by one task, which leaves
what it knows in its marker. The stretches are then joined, and the file becomes several parts: which ones depends on
the file's bytes alone. A later run finds the markers and scans nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from massivetext import readers, storage
from massivetext.errors import SourceError
from massivetext.isolation import Blame
from massivetext.readers.members import Again, Cut, Stretch, join, ranges_between, scan
from massivetext.readers.splitting import by_bytes
from pipelines.input_splits import Part
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker

__all__ = ["SPAN", "IndexTask", "may_split", "split_at_members", "split_here", "stretches_of"]

VERSION = 1
"""Of the index. Another version scans all files again, and may split them elsewhere."""

SPAN = 4
"""Ranges of readers.TARGET_BYTES that one task scans."""

RunTasks = Callable[[Sequence["IndexTask"]], Sequence[Marker]]


@dataclass(frozen=True)
class IndexTask:
    """Scans some ranges of a compressed file for the members that start in them.

    Attributes:
        folder: DIR.
        part: the whole file.
        ranges: of bytes, one behind the other.
        number: of the first of them, among all of the file.
        first: where the first member in them starts, if that is known.
        message: why the scan is given up, so that the file stays one part; empty if it is not.
    """

    folder: Folder
    part: Part
    ranges: tuple[tuple[int, int], ...]
    number: int
    first: int | None = None
    message: str = ""

    @property
    def marker(self) -> str:
        again = "" if self.first is None else f"-from-{self.first}"
        return self.folder.marker("split", self.part.subset, f"{self.part.name}-{self.number:05d}{again}")

    @property
    def fingerprint(self) -> str:
        part = self.part
        values = [VERSION, part.source, part.format, part.n_bytes, part.stamp, self.ranges, self.first]
        return hashlib.blake2b(json.dumps(values).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    @property
    def weight(self) -> int:
        return self.ranges[-1][1] - self.ranges[0][0]

    @property
    def is_given_up(self) -> bool:
        return bool(self.message)

    def without(self, blame: Blame) -> IndexTask:
        return self  # no document is looked at

    def given_up(self, message: str) -> IndexTask:
        return replace(self, message=message)

    def scan(self) -> tuple[list[Stretch], list[str]]:
        """Return what is in the ranges, and why that could not be found out, if so."""
        unknown = [Stretch(None, is_clean=False)] * len(self.ranges)
        members = readers.get(self.part.format).members
        if self.message or members is None:
            return unknown, [self.message] if self.message else []
        try:
            with storage.open_input(self.part.path) as stream:
                ranges = list(self.ranges)
                return scan(stream, members, source=self.part.path, ranges=ranges, first=self.first), []
        except SourceError as error:
            return unknown, [str(error)]  # reading the part says so, and the next run scans it again

    def __call__(self) -> None:
        stretches, failures = self.scan()
        Marker(self.fingerprint, counts={"stretches": stretches}, failures=tuple(failures)).write(self.marker)


def split_at_members(folder: Folder, parts: Sequence[Part], run: RunTasks) -> list[Part]:
    """Return the parts, with those that are one large compressed file of many members split at such.

    Args:
        folder: DIR, in which what was found out about a file is kept.
        parts: of all sources.
        run: runs tasks and returns their markers, in the order of the tasks.
    """
    files = {
        number: _File(folder, part, by_bytes(part.n_bytes, readers.TARGET_BYTES))
        for number, part in enumerate(parts)
        if may_split(part)
    }
    for tasks_of in _ROUNDS:
        tasks = [(file, task) for file in files.values() for task in tasks_of(file)]
        for (file, task), marker in zip(tasks, run([task for _, task in tasks]) if tasks else ()):
            file.stretches[task.number : task.number + len(task.ranges)] = stretches_of(marker)
    return [
        piece for number, part in enumerate(parts) for piece in (files[number].parts() if number in files else [part])
    ]


def split_here(part: Part) -> list[Part]:
    """Return the parts that `split_at_members` makes of one part, whose file is scanned in this process."""
    if not may_split(part):
        return [part]
    file = _File(Folder(""), part, by_bytes(part.n_bytes, readers.TARGET_BYTES))
    for tasks_of in _ROUNDS:
        for task in tasks_of(file):
            file.stretches[task.number : task.number + len(task.ranges)] = task.scan()[0]
    return file.parts()


@dataclass
class _File:
    """A file that is split, and what is known of each of its ranges."""

    folder: Folder
    part: Part
    ranges: list[tuple[int, int]]
    stretches: list[Stretch] = field(default_factory=list)

    def first_task(self) -> list[IndexTask]:
        """The scan of the first range, which tells whether the file has members to be split at."""
        self.stretches = [Stretch(None, is_clean=False)] * len(self.ranges)
        return [self._task(0, 1)]

    def other_tasks(self) -> list[IndexTask]:
        first = self.stretches[0]
        if not first.is_clean or first.after >= self.part.n_bytes:
            return []
        return [self._task(at, at + SPAN) for at in range(1, len(self.ranges), SPAN)]

    def tasks_again(self) -> list[IndexTask]:
        """A scan from the first range on that was begun at what is no member."""
        cuts = join(self.stretches, self.ranges)
        return [self._task(cuts.number, len(self.ranges), cuts.first)] if isinstance(cuts, Again) else []

    def _task(self, begin: int, end: int, first: int | None = None) -> IndexTask:
        return IndexTask(self.folder, self.part, tuple(self.ranges[begin:end]), begin, first)

    def parts(self) -> list[Part]:
        """The parts that the file is read as."""
        cuts = join(self.stretches, self.ranges)
        if isinstance(cuts, Again) or not cuts:
            return [self.part]
        return [
            replace(
                self.part, split=number, start=one.start, stop=one.stop, n_bytes=one.stop - one.start, member_range=one
            )
            for number, one in enumerate(ranges_between(cuts, self.part.n_bytes))
        ]


_ROUNDS = (_File.first_task, _File.other_tasks, _File.tasks_again)


def may_split(part: Part) -> bool:
    """Whether a part is a whole file, larger than a range, of a format that is read by members where it can be."""
    is_whole = not part.files and part.member_range is None and (part.start, part.stop) == (0, part.n_bytes)
    return is_whole and part.n_bytes > readers.TARGET_BYTES and readers.get(part.format).members is not None


def stretches_of(marker: Marker) -> Iterator[Stretch]:
    """Yield what a task's marker says of each of its ranges."""
    for first, after, n_content, cut, top, excess, is_clean in marker.counts["stretches"]:
        yield Stretch(first, after, n_content, Cut(*cut) if cut else None, top, excess, is_clean)
