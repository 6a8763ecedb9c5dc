"""`make mutants`: a seeded sample of mutants, each tested by the tests of its module; those that survive are printed.

    python -m tests.mutants --seconds 600 [--only filters/fineweb.py] [--seed 0]

Each mutant runs in a child of one process that has loaded the large packages already, under the module's own name: no
file is changed. Exit status 1 if a mutant survives that `equivalent.txt` does not name; that file says why each of its
mutants does what the code does.
"""

from __future__ import annotations

import argparse
import importlib.abc
import importlib.util
import os
import random
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import hypothesis  # noqa: F401  loaded once, before the children
import numba  # noqa: F401
import numpy as np  # noqa: F401
import pyarrow.compute
import pyarrow.parquet  # noqa: F401
import pytest
import yaml  # noqa: F401

from tests.mutants.mutate import Mutant, mutants_of

REPOSITORY = Path(__file__).resolve().parent.parent.parent
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
LONGEST = 10
"""A mutant counts as noticed, since it never ends, after so many times what the tests take without a fault."""
LEAST = 30.0
"""But not before these seconds."""

TARGETS: dict[str, tuple[str, ...]] = {
    "filters/fineweb.py": ("tests/filters/test_fineweb.py",),
    "filters/c4.py": ("tests/filters/test_c4.py",),
    "filters/lines.py": ("tests/filters/test_c4.py", "tests/filters/test_fineweb.py"),
    "filters/limits.py": ("tests/filters/test_quality.py", "tests/filters/test_own.py"),
    "filters/one_pass.py": ("tests/filters/test_repetition.py", "tests/filters/test_rules.py"),
    "filters/quality.py": ("tests/filters/test_quality.py",),
    "filters/repetition.py": ("tests/filters/test_repetition.py",),
    "filters/common_lines.py": ("tests/filters/test_common_lines.py",),
    "filters/host_lines.py": ("tests/filters/test_host_lines.py",),
    "massivetext/dedup/removal.py": ("tests/dedup/test_removal.py",),
    "massivetext/dedup/verification.py": ("tests/dedup/test_phases.py",),
    "massivetext/mixture/allotment.py": ("tests/mixture/test_allotment.py", "tests/mixture/test_plan.py"),
    "massivetext/mixture/plan.py": ("tests/mixture/test_plan.py",),
    "massivetext/mixture/buckets.py": ("tests/mixture/test_buckets.py",),
    "massivetext/mixture/deal.py": ("tests/mixture/test_deal.py",),
    "massivetext/quantiles.py": ("tests/test_quantiles.py",),
    "massivetext/loader/schedule.py": ("tests/loader/test_epochs.py", "tests/loader/test_stream.py"),
    "massivetext/loader/passes.py": ("tests/loader/test_passes.py",),
    "massivetext/loader/lanes.py": (
        "tests/loader/test_stream.py",
        "tests/loader/test_resume.py",
        "tests/loader/test_epochs.py",
    ),
    "massivetext/loader/blocks.py": (
        "tests/loader/test_stream.py",
        "tests/loader/test_resume.py",
        "tests/loader/test_epochs.py",
    ),
}
"""The tests that should notice a fault in each file."""


class _Source(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Loads one module from a source that is in no file."""

    def __init__(self, path: str, source: str) -> None:
        self.path, self.source = path, source
        self.name = path.removesuffix(".py").replace("/", ".")

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> object:  # type: ignore[override]
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, REPOSITORY / self.path, loader=self)  # type: ignore[arg-type]

    def create_module(self, spec: object) -> None:
        """Let Python make the module."""

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.source, str(REPOSITORY / self.path), "exec"), module.__dict__)


def is_noticed(path: str, source: str, seconds: float) -> bool:
    """Return whether a test of a file fails, or does not end in some seconds, with another source in its place."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setsid()
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)
            os.dup2(silence, 2)
            sys.meta_path.insert(0, _Source(path, source))
            options = ["-x", "-q", "--assert=plain", "-p", "no:cacheprovider"]
            status = int(pytest.main([*options, *TARGETS[path]]))
        finally:
            os._exit(status)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def drawn(paths: Sequence[str], seed: int) -> list[tuple[str, Mutant]]:
    """Return the mutants of some files in a seeded order that takes from each file in turn."""
    queues = []
    for path in paths:
        mutants = mutants_of((REPOSITORY / path).read_text("utf-8"))
        random.Random(f"{seed} {path}").shuffle(mutants)
        queues.append([(path, mutant) for mutant in mutants])
    longest = max(map(len, queues), default=0)
    return [queue[i] for i in range(longest) for queue in queues if i < len(queue)]


def main() -> int:
    parser = argparse.ArgumentParser(description="Test a sample of mutants.")
    parser.add_argument("--seconds", type=float, default=600.0, help="no mutant is begun after these")
    parser.add_argument("--only", action="append", choices=list(TARGETS), help="a file; all of them without it")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    paths = options.only or list(TARGETS)
    known = {line.partition("  # ")[0] for line in EQUIVALENT.read_text("utf-8").splitlines()}
    longest = {}
    for path in paths:
        begun = time.monotonic()
        is_broken = is_noticed(path, (REPOSITORY / path).read_text("utf-8"), 600.0)
        longest[path] = max(LEAST, LONGEST * (time.monotonic() - begun))
        if is_broken:
            print(f"{path}: its tests fail without any fault: {' '.join(TARGETS[path])}", flush=True)
            return 2
    mutants, begun = drawn(paths, options.seed), time.monotonic()
    n_tested, survivors = 0, []
    for path, mutant in mutants:
        if time.monotonic() - begun > options.seconds:
            break
        if f"{path}: {mutant.before} -> {mutant.after}" in known:
            continue
        n_tested += 1
        if not is_noticed(path, mutant.source, longest[path]):
            survivors.append(mutant)
            print(f"survives: {path}:{mutant.words}", flush=True)
    print(f"{n_tested:,} of {len(mutants):,} mutants tested, {len(survivors):,} survive")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
