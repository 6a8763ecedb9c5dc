"""Worker processes: forked from one that has imported everything, and ending as soon as their parent does.

To import Beam, Arrow and numba takes a process two seconds. So one process, the fork server, has imported them, and
each worker is a copy of it. It starts no threads and opens no files, so that its copies begin as clean as new ones.

The command line forks the server from itself, once it has imported everything and before it begins a thread
(`fork_server_from_here`): then nothing is imported twice. Any other process, such as a notebook or a test, may hold
threads, patches and files that no worker should see, so its server begins anew.

The parent holds the other end of a pipe, which the kernel closes when it ends, in whatever way. Python's own pools do
not look at it: each of their workers holds both ends of the queue that it waits for, and stays for good when its parent
is killed.
"""

from __future__ import annotations

import atexit
import functools
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext, SpawnContext
from multiprocessing.util import Finalize
from typing import Any, NamedTuple

from massivetext.scratch import forget_scratch, make_scratch, remove_scratch

__all__ = ["Server", "end_with_parent", "fork_server", "fork_server_from_here", "spawn_pool", "watch_parent"]

_LONGEST_FOLDER = 70
"""Characters of a folder in which a socket can lie: its whole path may have 107."""


class Server(NamedTuple):
    """context: starts processes. folder: of the server's socket, to be removed with the last of its processes."""

    context: ForkServerContext | SpawnContext
    folder: str


@functools.cache
def fork_server(preloaded: str) -> Server:
    """Return what starts processes by forking them from a server that has imported the module `preloaded`.

    The server starts with the first call, and ends with this process. Where processes cannot be forked safely (macOS,
    Windows), or there is no short path for the server's socket, each process begins anew instead.
    """
    folder = make_scratch("server")
    # After Python's own folder in it, which goes at a priority of -100.
    Finalize(None, remove_scratch, (folder,), exitpriority=-200)
    if not sys.platform.startswith("linux") or len(folder) > _LONGEST_FOLDER:
        return Server(multiprocessing.get_context("spawn"), folder)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preloaded])
    # The server's socket lies in a folder that the next run sweeps, if this process is killed.
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        forkserver.ensure_running()
    finally:
        tempfile.tempdir = before
    return Server(context, folder)


def fork_server_from_here(preloaded: str) -> Server:
    """Return what `fork_server` does, with a server that is a copy of this process, where that is safe.

    For a program that has imported what its workers need and has done nothing else. Where it has begun a thread of
    Python's, the server begins anew.
    """
    if not sys.platform.startswith("linux") or threading.active_count() > 1:
        return fork_server(preloaded)
    resource_tracker.ensure_running()  # it is started in the same way, and must not be a copy
    util = multiprocessing.util
    start_anew, util.spawnv_passfds = util.spawnv_passfds, _fork_and_run  # type: ignore[assignment]
    try:
        return fork_server(preloaded)
    finally:
        util.spawnv_passfds = start_anew


def _fork_and_run(path: bytes, arguments: Sequence[Any], handles: Sequence[int]) -> int:
    """Do in a copy of this process what Python's own `spawnv_passfds` does in a new one; return its number.

    Args:
        path: Of the interpreter.
        arguments: Of the interpreter; the last one is the program.
        handles: Open files that the copy keeps, beside the standard ones.
    """
    with warnings.catch_warnings():
        # Python 3.12 counts the threads of linear algebra, which end themselves before a fork.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process:
        return process
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that was asked to run
        first = 3
        for handle in sorted(handles):
            os.closerange(first, handle)
            first = handle + 1
        os.closerange(first, os.sysconf("SC_OPEN_MAX"))
        forget_scratch()
        atexit._clear()
        exec(os.fsdecode(arguments[-1]), {})
    except SystemExit:  # how Python's server ends
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def spawn_pool(workers: int, server: Server | None = None) -> ProcessPoolExecutor:
    """Return a pool of so many processes, each of which ends with this one: new ones, or forked from a server."""
    context = server.context if server else multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=watch_parent, initargs=(os.getpid(),))


def watch_parent(parent: int, *temporary: str) -> None:
    """End this process when its parent is gone, from a thread that does nothing else. Arguments: of
    `end_with_parent`."""
    threading.Thread(target=end_with_parent, args=(parent, *temporary), daemon=True).start()


def end_with_parent(parent: int, *temporary: str) -> None:
    """Wait until the parent is gone, and end this process, and with it its folders of temporary files.

    Args:
        parent: The parent's number, which it gave when it was surely alive.
        temporary: Folders that are removed.
    """
    starter = multiprocessing.parent_process()
    if starter is not None and starter.pid == parent:
        wait([starter.sentinel])
    else:
        while os.getppid() == parent:
            time.sleep(0.5)
    for folder in temporary:
        remove_scratch(folder)
    os._exit(1)
