"""What the fork server imports, so that the worker processes of this machine begin with it.

Nothing here starts a thread of Python's, or opens a file.
"""

from __future__ import annotations

import gc
import importlib
import signal


def _load() -> None:
    # Before the imports, which take seconds: Ctrl-C is for the process that was asked to run.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in ("pipelines.engines.local", "pipelines.main", "pipelines.stages"):
        importlib.import_module(module)
    # What numba reads when the first kernel is loaded.
    target = importlib.import_module("numba.core.registry").cpu_target
    target.typing_context.refresh()
    target.target_context.refresh()
    # The collector would write to each object, and so copy in every worker what all of them share.
    gc.collect()
    gc.freeze()


_load()
