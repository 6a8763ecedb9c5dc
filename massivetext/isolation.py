"""Limits of time and memory for one document, kept from outside the process that works on it.

Code in C cannot be stopped from inside its process. So a worker process notes in memory that it shares with its parent
which document it is at and by which step, and the parent looks at the note, and at what the process takes, a few times
a second. A process over a limit is ended, and its part is read again by a new one, which leaves that document out with
a reason. A process that dies three times at one document is taken for that document's fault too.

Of reading, the record is not known before it is there: a file whose reading is over a limit ends at that record, with
all records before it. A measure is taken of a batch of documents at once; where that is over a limit, the part is read
again with each document measured by itself.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from multiprocessing import reduction
from typing import IO, Any, NamedTuple

__all__ = [
    "MEMORY",
    "SECONDS",
    "Blame",
    "Note",
    "Suspects",
    "Watch",
    "at",
    "attach",
    "begin",
    "end",
    "failure",
    "file_number",
    "is_alone",
    "is_watched",
    "limited",
    "of_file",
    "reading_ends",
]

SECONDS = 60.0
"""CPU time of a step, and a second more for each million bytes of its document."""
MEMORY = 4 << 30
"""Bytes that a process may grow by in one step, and MEMORY_PER_BYTE more for each byte of its document."""
MEMORY_PER_BYTE = 64
WAITING = 5
"""Times the limit of CPU time that a step may stand still by the clock: looks between which its process used no CPU
time at all. So a busy machine, which gives it little, costs no document, and a step that sleeps has an end too."""
EVERY = 0.2
"""Seconds between two looks."""

DOCUMENT, BATCH, READING = 0, 1, 2
_NOTE = struct.Struct("<QqQdqB31s")
_STEP = _NOTE.size - 31


class Blame(NamedTuple):
    """What a process was at when it was over a limit or died. key: the offset of the document, of the first one of a
    batch, or for reading the number of records of its file before it. file: a number for the document's source, for a
    part can have several files."""

    scope: int
    key: int
    step: str
    kind: str
    file: int = 0

    @property
    def reason(self) -> str:
        return f"failed.{self.kind} in {self.step}"


class Note:
    """Shared memory of a worker process and its parent: what the one is at, for the other to see. Can be handed to a
    process that is being spawned. It is a file without a name, so nothing is left of it whoever dies."""

    def __init__(self, file: IO[bytes] | None = None) -> None:
        if file is None:
            file = tempfile.TemporaryFile()  # noqa: SIM115  it lives as long as the note
            file.truncate(_NOTE.size)
        self._file = file
        self.memory = mmap.mmap(file.fileno(), _NOTE.size)
        self.count = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (reduction.DupFd(self._file.fileno()),)

    def read(self) -> tuple[int, float, int, Blame | None]:
        """How many steps were begun, the seconds and bytes that this one has, and what it is (kind left empty)."""
        count, key, file, seconds, memory, scope, step = _NOTE.unpack_from(self.memory)
        name = step.rstrip(b"\0").decode()
        return count, seconds, memory, Blame(scope, key, name, "", file) if name else None

    def fileno(self) -> int:
        """The number of its file, for a process that is started with it open."""
        return self._file.fileno()

    def close(self) -> None:
        self.memory.close()
        self._file.close()


def _received(handle: Any) -> Note:
    return Note(os.fdopen(handle.detach(), "r+b"))


# The worker's side. A process works on one part at a time.

_note: Note | None = None
_seconds, _memory = SECONDS, MEMORY
_blamed: dict[tuple[int, int], str] = {}
_ends: dict[int, Blame] = {}
_file = 0
_is_alone = _is_begun = False


def attach(note: Note) -> None:
    """From now on this process notes what it is at. Without a note nothing is noted, and nothing limited."""
    global _note
    _note = note


def is_watched() -> bool:
    """Whether a parent watches this process, so that limits hold in it."""
    return _note is not None


@contextmanager
def limited(seconds: float, memory: int, blamed: Sequence[Blame]) -> Iterator[None]:
    """The limits of each step in the block, and what earlier attempts at the same part are known to have died of."""
    global _seconds, _memory, _blamed, _ends, _file, _is_alone
    _seconds, _memory, _file = seconds, memory, 0
    _blamed = {(blame.file, blame.key): blame.reason for blame in blamed if blame.scope == DOCUMENT}
    reading = sorted((blame for blame in blamed if blame.scope == READING), key=lambda blame: -blame.key)
    _ends = {blame.file: blame for blame in reading}  # the first one of each file counts
    _is_alone = any(blame.scope == BATCH for blame in blamed)
    try:
        yield
    finally:
        end()
        _blamed, _ends, _file, _is_alone = {}, {}, 0, False


def of_file(source: str) -> None:
    """What is begun from now on is of this source."""
    global _file
    _file = file_number(source)


@lru_cache(maxsize=4096)
def file_number(source: str) -> int:
    """The number that stands for a source in a `Blame`."""
    return int.from_bytes(hashlib.blake2b(source.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def begin(step: str, key: int, n_bytes: int = 0, scope: int = DOCUMENT) -> None:
    """A step begins (and the one before it has ended), on n_bytes of content."""
    global _is_begun
    if _note is not None:
        _is_begun = bool(step)
        _note.count += 1
        seconds, memory = _seconds + n_bytes * 1e-6, _memory + n_bytes * MEMORY_PER_BYTE
        _NOTE.pack_into(_note.memory, 0, _note.count, key, _file, seconds, memory, scope, step.encode())


def at(step: str) -> None:
    """The step has come to another stage, which goes by this name; the clock runs on."""
    if _note is not None and _is_begun:
        _note.memory[_STEP:] = step.encode().ljust(31, b"\0")


def end() -> None:
    """No document is being worked on."""
    begin("", 0)


def failure(offset: int) -> str | None:
    """The reason for which the document at this offset of the source (`of_file`) is left out, or None."""
    return _blamed.get((_file, offset))


def reading_ends(n_records: int) -> str | None:
    """The reason for which nothing may be read after so many records of the source (`of_file`), or None."""
    last = _ends.get(_file)
    return last.reason if last is not None and n_records >= last.key else None


def is_alone() -> bool:
    """Whether each document is to be measured by itself."""
    return _is_alone


# The parent's side.


class Watch:
    """Looks at one worker process through its note."""

    def __init__(self, pid: int, note: Note) -> None:
        self.pid, self.note = pid, note
        self._count = -1
        self._begun = self._cpu = self._still = self._looked = 0.0
        self._held = self._before = 0
        self._found: tuple[Blame, bool] | None = None

    def is_over(self) -> bool:
        """Whether the process is over a limit, and is to be ended. Looks no more often than each EVERY seconds."""
        now = time.monotonic()
        passed = now - self._looked
        if passed < EVERY:
            return False
        self._looked = now
        count, seconds, memory, place = self.note.read()
        cpu, held = _taken(self.pid)
        if count != self._count:
            # What it held when the step before was seen: it may have taken much for this one already.
            self._before = held if self._count < 0 else self._held
            self._count, self._begun, self._still = count, cpu, 0.0
        elif cpu == self._cpu:
            self._still += passed
        self._cpu, self._held = cpu, held
        if place is None:
            return False
        if cpu - self._begun > seconds:
            self._found = place._replace(kind="timeout"), True
        elif self._still > WAITING * seconds:
            # It may be the machine, or the disk, that had no time for it.
            self._found = place._replace(kind="timeout"), False
        elif held - self._before > memory:
            self._found = place._replace(kind="memory"), True
        return self._found is not None

    def blame(self) -> tuple[Blame | None, bool]:
        """What the process was at when it ended, and whether that is to blame for certain."""
        count, _, _, place = self.note.read()
        if self._found is not None and count == self._count:
            return self._found
        return place and place._replace(kind="died"), False


class Suspects:
    """Which documents tasks are to be done without."""

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._deaths: Counter[tuple[str, int, int, int]] = Counter()

    def is_guilty(self, task: str, blame: Blame, is_certain: bool) -> bool:
        """Note one more death. One that may have been of something else counts once there are as many as attempts, all
        at this document. What was left out already cannot be guilty again."""
        key = task, blame.scope, blame.file, blame.key
        before = self._deaths[key]
        self._deaths[key] += self._attempts if is_certain else 1
        return before < self._attempts <= self._deaths[key]


_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
_PAGE = mmap.PAGESIZE


def _taken(pid: int) -> tuple[float, int]:
    """CPU seconds that a process has used, and bytes of memory that it holds and shares with no file. Zeros where the
    system has no /proc: the clock alone then ends a step."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/statm", "rb") as stream:
            resident, shared = stream.read().split()[1:3]
    except OSError:
        return 0.0, 0
    return (int(fields[11]) + int(fields[12])) / _TICKS, (int(resident) - int(shared)) * _PAGE
