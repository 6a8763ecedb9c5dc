"""Worker processes that end as soon as their parent does, however that ends.

The parent holds the other end of a pipe, which the kernel closes when it ends. Python's own pools do not look at it:
each of their workers holds both ends of the queue that it waits for, and stays for good when its parent is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait

__all__ = ["end_with_parent", "spawn_pool", "watch_parent"]


def spawn_pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of so many new processes, each of which ends with this one."""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=watch_parent, initargs=(os.getpid(),))


def watch_parent(parent: int, temporary: str | None = None) -> None:
    """End this process when its parent is gone, from a thread that does nothing else. Arguments: of
    `end_with_parent`."""
    threading.Thread(target=end_with_parent, args=(parent, temporary), daemon=True).start()


def end_with_parent(parent: int, temporary: str | None = None) -> None:
    """Wait until the parent is gone, and end this process, and with it its folder of temporary files.

    Args:
        parent: The parent's number, which it gave when it was surely alive.
        temporary: A folder that is removed.
    """
    starter = multiprocessing.parent_process()
    while os.getppid() == parent:
        if starter is None or starter.pid != parent:
            time.sleep(0.5)
        else:
            wait([starter.sentinel])
            break
    if temporary is not None:
        shutil.rmtree(temporary, ignore_errors=True)
    os._exit(1)
