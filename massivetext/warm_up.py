"""Compile all kernels before they are needed: for images, for `make setup`, and while a run reads its first files.

Each job calls public functions on a few lines of text, so that every kernel behind them is compiled and cached. Jobs
run in processes of their own, side by side; the cache on disk is what they leave.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from pathlib import Path

from massivetext import portable_kernels
from massivetext.errors import OutputError
from massivetext.scratch import scratch_folder
from massivetext.worker_processes import Server, spawn_pool

__all__ = ["EXTRACTION", "JOBS", "is_compiled", "run_jobs", "warm_up"]

EXTRACTION = "massivetext.warm_up:compile_choice", "massivetext.warm_up:compile_reading"
JOBS: dict[str, tuple[str, ...]] = {
    "extraction": EXTRACTION,
    "language": ("filters.warm_up:language_of_texts", "filters.warm_up:compile_safe_search"),
    "rules": ("filters.warm_up:rules_of_texts",),
    "near-duplicates": ("massivetext.warm_up:compile_near_duplicates",),
    "test sets": ("massivetext.warm_up:compile_test_sets",),
}
"""What is compiled: functions by import path, which share no kernel. Those that share parts of kernels stand together,
the longest at the two ends."""

TEXT = "The quick brown fox jumps over the lazy dog near the bank of the river, and they do that every day.\n"
PAGE = (
    "<html><head><title>A page</title></head><body><main><h1>News of the day</h1>"
    "<p>The committee met on Tuesday to talk about the new library and the road that leads to it.</p>"
    "<ul><li>one</li><li>two</li></ul><pre>a = 1\n  b</pre></main><footer>Contact</footer></body></html>"
)


def is_compiled(groups: Iterable[Sequence[str]], *, portable: bool = False) -> bool:
    """Return whether kernels are on disk, compiled from the code that they have now.

    Args:
        groups: modules by their names, such as `filters.one_pass`. Of each group one module at least must have a kernel
            on disk.
        portable: whether they must be for other machines, instead of for this one.
    """
    return all(any(_has_kernels(module, portable) for module in group) for group in groups)


def _has_kernels(module: str, portable: bool) -> bool:
    from massivetext.kernels import Kernel

    values = vars(importlib.import_module(module)).values()
    kernels = [value for value in values if isinstance(value, Kernel) and value.__module__ == module]
    # There are none where numba is switched off. Where they cannot be kept, they are not compiled ahead.
    return not kernels or any(
        kernel.kept is None or (kernel.is_shipped if portable else kernel.is_on_disk) for kernel in kernels
    )


def warm_up(
    names: Iterable[str] | None = None,
    *,
    processes: int | None = None,
    report: Callable[[str, float], None] | None = None,
    portable: bool = False,
    server: Server | None = None,
) -> float:
    """Compile the kernels of the named jobs in parallel processes.

    Args:
        names: keys of JOBS; all of them for None.
        processes: how many at once; as many as this process may use cores for None.
        report: called with the name of each job that is done and the seconds since the start.
        portable: whether to compile for other machines (`massivetext.portable_kernels`), instead of for this one.
        server: what the processes are forked from; they begin anew for None, and for other machines.

    Returns:
        CPU seconds taken in all; near 0 where everything was compiled before.

    Raises:
        KeyError: a name that JOBS does not have.
        OutputError: this machine cannot compile for others, or the package's folder cannot be written.
    """
    jobs = {name: JOBS[name] for name in (JOBS if names is None else names)}
    return run_jobs(jobs, processes, report, portable=portable, server=server)


def run_jobs(
    jobs: Mapping[str, Sequence[str]],
    processes: int | None = None,
    report: Callable[[str, float], None] | None = None,
    *,
    portable: bool = False,
    server: Server | None = None,
) -> float:
    """Run functions that compile kernels, by what they are called and by import path as in JOBS, as `warm_up` does."""
    obstacle = portable_kernels.obstacle() if portable else None
    if obstacle:
        raise OutputError(obstacle)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    start, spent = time.monotonic(), 0.0
    waiting = deque((name, path) for name, paths in jobs.items() for path in paths)
    left = Counter(name for name, _ in waiting)
    job = _run_job_for_others if portable else _run_job_alone
    with ExitStack() as stack:
        count = min(processes or cores, len(waiting))
        pools = [stack.enter_context(spawn_pool(1, None if portable else server)) for _ in range(count)]
        tasks: dict[Future[float], tuple[int, str]] = {}

        def give(number: int) -> None:
            # From both ends: what stands beside a function often shares parts with it, which are compiled by then.
            name, path = waiting.pop() if number % 2 else waiting.popleft()
            tasks[pools[number].submit(job, path)] = number, name

        for number in range(count):
            give(number)
        while tasks:
            for task in wait(tasks, return_when=FIRST_COMPLETED).done:
                number, name = tasks.pop(task)
                spent += task.result()
                if waiting:
                    give(number)
                left[name] -= 1
                if report is not None and not left[name]:
                    report(name, time.monotonic() - start)
    return spent


def run_job(path: str) -> float:
    """Run one function of a job in this process; return its CPU seconds."""
    start = time.process_time()
    module, _, name = path.partition(":")
    getattr(importlib.import_module(module), name)()
    return time.process_time() - start


def _run_job_alone(path: str) -> float:
    """Run it in a process that only compiles: Ctrl-C ends it at once, and it need not look for garbage."""
    # numba would load it, a quarter of a second, in case that a kernel has products of matrices. None has.
    sys.modules.setdefault("scipy.linalg", None)  # type: ignore[arg-type]
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    gc.disable()
    return run_job(path)


def _run_job_for_others(path: str) -> float:
    portable_kernels.compile_for_others()
    return _run_job_alone(path)


def texts() -> Iterator[str]:
    """A handful of texts, some of which are near-duplicates and one of which has combining marks."""
    for i in range(4):
        yield TEXT * 3 + f"Number {i} of the lines that differ.\n\n" + "Cafe\u0301 — a line of its own\n" * 2


def compile_choice() -> None:
    """Features of blocks, and which blocks are kept: for a page of one block, as the parser would give it."""
    import numpy as np

    from massivetext.extraction import salient
    from massivetext.extraction.blocks import N_COLUMNS
    from massivetext.extraction.html import CHARS, WORDS, Tree

    node, block = np.zeros(1, np.int32), np.zeros((1, N_COLUMNS), np.int32)
    block[0, [1, CHARS, WORDS]] = len(TEXT), len(TEXT) - TEXT.count(" "), TEXT.count(" ") + 1
    template, span = np.zeros(1, np.uint64), np.zeros((1, 2), np.int32)
    tree = Tree(node, node, node, node, node, node + 1, template, span, block, (0, 0), False, False, 0, node)
    salient.choose_blocks(TEXT.encode(), tree, salient.load_model())


def compile_reading() -> None:
    """From a page to its tree, and from blocks that are kept to text."""
    import numpy as np

    from massivetext.extraction import finish, modes, options, prepare, render

    page, tree = prepare.read(PAGE.encode())
    keep = modes.apply_options(page, tree, np.ones(len(tree.blocks), np.bool_), options.DEFAULT)
    finish.finish(render.render(page, tree, keep).decode(), options.DEFAULT)


def compile_test_sets() -> None:
    import pyarrow as pa

    from massivetext.contamination import TestSet, TestSets
    from massivetext.contamination.rare import evidence

    with scratch_folder("warm-up") as folder:
        path = Path(folder, "items.jsonl")
        path.write_text("".join(json.dumps({"text": text}) + "\n" for text in (TEXT, TEXT * 2)), "utf-8")
        sets = TestSets.read([TestSet("warm-up", str(path), "{text}")])
        column = pa.array(list(texts()), pa.large_string())
        for align in (False, True):
            sets.measure(column, align=align)
        evidence(sets, column)


def compile_near_duplicates() -> None:
    import pyarrow as pa

    from massivetext import dedup

    column = pa.array(list(texts()), pa.large_string())
    dedup.shingles(column)
    dedup.signatures(column, num_hashes=128, seed=1)
    duplicates_of_texts()


def duplicates_of_texts() -> None:
    """Near-duplicates as a run finds them."""
    import pyarrow as pa

    from massivetext import dedup

    column = pa.array(list(texts()), pa.large_string())
    ids = [f"{i:032x}" for i in range(len(column))]
    dedup.near_duplicates(column, ids)
    dedup.evidence(column, ids, source="warm-up", banding=dedup.plan(0.8, 0.99))
