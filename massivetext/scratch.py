"""Temporary folders that are known to be left over once their process is gone, however it ended.

Each holds a file `owner` that its process keeps locked. The kernel gives that lock up when the process ends, also by
kill -9; a number of a process could be another one's by then, or one in another container.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Iterator

__all__ = ["forget_scratch", "make_scratch", "process_scratch", "remove_scratch", "scratch_folder", "sweep_scratch"]

PREFIX = "massivetext-"
_OWNER = "owner"
_MADE = re.compile(re.escape(PREFIX) + r"[a-z]+-[a-z0-9_]{8}")
"""A name that `make_scratch` gives."""

_handles: dict[str, int] = {}
_of_process: dict[int, str] = {}


def make_scratch(kind: str) -> str:
    """Make a folder below TMPDIR, called `massivetext-KIND-` and something random, and return its path."""
    while True:
        path = tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-")
        try:
            handle = os.open(os.path.join(path, _OWNER), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # another process swept the folder while it was empty
        fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            _handles[path] = handle
            return path
        os.close(handle)  # another process swept the folder before it was locked


def remove_scratch(path: str) -> None:
    """Remove a folder that `make_scratch` gave, with all in it."""
    _empty(path)
    handle = _handles.pop(path, None)
    if handle is not None:
        os.close(handle)


def forget_scratch() -> None:
    """In a copy of a process: leave all folders to that process. What held them here must be closed already."""
    _handles.clear()
    _of_process.clear()


def _empty(path: str) -> None:
    """Remove a folder, its file `owner` last: without it, no sweep could tell what is left from a user's folder."""
    with contextlib.suppress(OSError):
        for name in os.listdir(path):
            if name != _OWNER:
                inner = os.path.join(path, name)
                if os.path.isdir(inner) and not os.path.islink(inner):
                    shutil.rmtree(inner, ignore_errors=True)
                else:
                    os.unlink(inner)
    shutil.rmtree(path, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(kind: str) -> Iterator[str]:
    """A folder as `make_scratch` makes it, for as long as the block runs."""
    path = make_scratch(kind)
    try:
        yield path
    finally:
        remove_scratch(path)


def process_scratch() -> str:
    """Return a folder of this process's own, made when it is first asked for and removed when the process ends."""
    process = os.getpid()
    path = _of_process.get(process)
    if path is None or not os.path.isdir(path):
        path = _of_process[process] = make_scratch("process")
        atexit.register(_remove_own, process, path)
    return path


def _remove_own(process: int, path: str) -> None:
    """Remove a process's folder at its end, and not at that of a process which was forked from it."""
    if os.getpid() == process:
        remove_scratch(path)


def sweep_scratch() -> int:
    """Remove the folders below TMPDIR whose process is gone, and return how many. Only this user's own folders, by
    their name and owner; one whose lock cannot be taken is in use."""
    n = 0
    with contextlib.suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX) and entry.path not in _handles:
                n += _remove_if_left_over(entry)
    return n


def _remove_if_left_over(entry: os.DirEntry[str]) -> bool:
    """Remove a folder whose process is gone, and return whether it was. Its lock is held until nothing of it is there:
    a process that has just made the folder waits for the lock, and then makes another folder.

    An empty folder was left by a process that was killed while it made or removed it.
    """
    with contextlib.ExitStack() as stack:
        try:
            if not entry.is_dir(follow_symlinks=False) or entry.stat(follow_symlinks=False).st_uid != os.getuid():
                return False
            if _MADE.fullmatch(entry.name) and not os.listdir(entry.path):
                os.rmdir(entry.path)
                return True
            handle = os.open(os.path.join(entry.path, _OWNER), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        _empty(entry.path)
        return True
