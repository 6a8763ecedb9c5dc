"""What the fork server imports and loads, so that the worker processes of this machine begin with it.

A server that begins anew is that of a process which may run many times, or with many workers: it also loads the kernels
that every run needs, if they are compiled. A server that is a copy of the command line's process is there for one run,
whose workers load what they need.

Nothing here starts a thread of Python's, or keeps a file open.
"""

from __future__ import annotations

import gc
import importlib
import signal
import sys


def _load() -> None:
    is_new = "pipelines.main" not in sys.modules
    # Before the imports, which take seconds: Ctrl-C is for the process that was asked to run.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for module in ("pipelines.engines.local", "pipelines.main", "pipelines.stages"):
        importlib.import_module(module)
    warm_up = importlib.import_module("massivetext.warm_up")
    stages = importlib.import_module("pipelines.stages")
    # No formats: the kernels of pages are loaded where there are pages.
    for jobs, own in stages.kernel_jobs(dict.fromkeys(stages.STAGES, ())).items() if is_new else ():
        if warm_up.is_compiled(stage.kernels for stage in own):
            for job in jobs:
                warm_up.run_job(job)
    if is_new:
        gc.collect()
    # The collector would write to each object, and so copy in every worker what all of them share. The command line has
    # frozen what it imported.
    gc.freeze()


_load()
