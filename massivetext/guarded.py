"""A child process for code that a document can hold up, blow up or kill, in a process that nobody watches.

The local engine watches its worker processes from outside (massivetext/isolation.py). A worker of another engine has no
such parent. So it hands reading, and functions of a user's own, to a child process, and watches that: a child over a
limit is ended, and the caller learns which document it was at.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from massivetext import isolation
from massivetext.worker_processes import watch_parent

__all__ = ["ChildDiedError", "Guarded", "serve"]

_VALUE, _END, _ERROR = range(3)


class ChildDiedError(RuntimeError):
    """The child process ended. blame: what it was at, or None. is_certain: whether that was over a limit."""

    def __init__(self, message: str, blame: isolation.Blame | None = None, is_certain: bool = False) -> None:
        super().__init__(message)
        self.blame, self.is_certain = blame, is_certain


class Guarded:
    """One child process, started when first called and again after it was ended. Not for several threads at once."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, function: Callable[..., Iterator[Any]], *arguments: Any) -> Iterator[Any]:
        """Return what a generator function yields in the child, which does the next step while this process works.

        Args:
            function: of a module that the child can import.
            arguments: are pickled.

        Raises:
            ChildDiedError: at a document that was over a limit, or in another way.
            Exception: what the function raises.
        """
        self._start()
        is_answered = False
        try:
            message = pickle.dumps((function, arguments))
            with contextlib.suppress(OSError):  # it has died since: `_receive` says how
                self._connection.send_bytes(message)
            while True:
                kind, value = self._receive()
                if kind == _VALUE:
                    yield value
                    continue
                is_answered = True
                if kind == _ERROR:
                    raise value
                return
        finally:
            if not is_answered:
                self.close()  # it would go on with what nobody waits for

    def close(self) -> None:
        """End the child, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._connection.close()
            self._note.close()
        self._process = None

    def _start(self) -> None:
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._connection, theirs = Pipe()
        self._note = isolation.Note()
        numbers = theirs.fileno(), self._note.fileno()
        arguments = (*numbers, os.getpid())
        program = f"import sys; sys.path[:] = {sys.path!r}; from massivetext.guarded import serve; serve{arguments!r}"
        self._process = subprocess.Popen([sys.executable, "-c", program], pass_fds=numbers)
        theirs.close()
        self._watch = isolation.Watch(self._process.pid, self._note)

    def _receive(self) -> tuple[int, Any]:
        process = self._process
        assert process is not None
        try:
            while not self._connection.poll(isolation.EVERY):
                if self._watch.is_over():
                    process.kill()
            message: tuple[int, Any] = pickle.loads(self._connection.recv_bytes())
            return message
        except (EOFError, OSError):
            code = process.wait()
        blame, is_certain = self._watch.blame()
        place = f" at {blame.step}, {blame.key}" if blame else ""
        raise ChildDiedError(
            f"the process for user code and readers ended with exit code {code}{place}", blame, is_certain
        )


def serve(connection_number: int, note_number: int, parent: int) -> None:
    """The child: calls functions for its parent, a process of this number, until that is gone."""
    watch_parent(parent)
    connection = Connection(connection_number)
    isolation.attach(isolation.Note(os.fdopen(note_number, "r+b")))
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        while True:
            message = connection.recv_bytes()
            try:
                function, arguments = pickle.loads(message)
                for value in function(*arguments):
                    isolation.end()
                    connection.send_bytes(pickle.dumps((_VALUE, value)))
                answer = pickle.dumps((_END, None))
            except (BrokenPipeError, ConnectionResetError):
                raise
            except Exception as error:
                answer = _packed(error)
            isolation.end()
            connection.send_bytes(answer)


def _packed(error: Exception) -> bytes:
    """An error as a message; one that cannot be unpickled by its name and words alone."""
    try:
        data = pickle.dumps((_ERROR, error))
        pickle.loads(data)
    except Exception:
        data = pickle.dumps((_ERROR, RuntimeError(f"{type(error).__name__}: {error}")))
    return data
