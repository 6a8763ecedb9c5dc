"""Each kernel is compiled once, and a place to keep it is found, or the lack of one is said."""

import logging
import os
import subprocess
import sys

import numpy as np
import pytest
from numba import types
from numba.core import caching

from massivetext import kernels, warm_up
from massivetext.cli import commands
from massivetext.kernels import njit, read_dimensions


@njit()
def total(values, first, end):
    result = np.int64(0)
    for i in range(first, end):
        result += values[i]
    return result


@njit()
def fill(values, number):
    for i in range(len(values)):
        values[i] = number


@njit()
def both(values, table):
    fill(values, 0)
    row = table[0]
    first = 0
    result = total(values, 0, len(values))
    while first < 2:
        result += total(values, first, 2) + table[0, 1]
        first += 1
    row[0] = 7
    return result


def test_parameters_that_are_only_read_are_told():
    assert (1, 0, 0) == read_dimensions(total.py_func)
    assert (-1, -1) == read_dimensions(fill.py_func)
    assert (-1, -1) == read_dimensions(both.py_func)


def test_constants_and_read_only_arrays_are_no_types_of_their_own():
    values, table = np.arange(5), np.zeros((2, 2), np.int64)
    assert 0 == both(values, table)
    assert 7 == table[0, 0]
    fixed = np.arange(5)
    fixed.flags.writeable = False

    assert [10, 10, 10] == [total(np.arange(5), 0, 5), total(fixed, 0, 5), total(fixed, np.int64(0), 5)]
    # What `both` calls is compiled as a part of it, and not at all where an earlier run has left `both` in the cache.
    assert [1, 0] == [len(total.overloads), len(fill.overloads)]
    assert 1 >= len(total.part.overloads)
    with pytest.raises(Exception, match="read"):
        fill(fixed, 1)


def test_a_part_is_compiled_once_for_integers_of_any_size():
    @njit(cache=False)
    def double(number):
        return number * 2

    @njit(cache=False)
    def sums(small, large, unsigned):
        return double(small) + double(large), double(unsigned)

    assert (-6, 14) == sums(np.int8(-10), 7, np.uint64(7))
    assert [(types.int64,), (types.uint64,)] == list(double.part.overloads)


@pytest.mark.slow
@pytest.mark.parametrize("job", warm_up.JOBS)
def test_no_kernel_is_compiled_for_a_constant_or_twice(job):
    program = f"""
import gc
from massivetext import warm_up
from massivetext.kernels import Kernel
for path in {warm_up.JOBS[job]!r}:
    warm_up.run_job(path)
from numba import types
from numba.core import caching
kernels = [o for o in gc.get_objects() if isinstance(o, Kernel)]
for kernel in [*kernels, *(kernel.part for kernel in kernels)]:
    plain = {{
        tuple(k.copy(readonly=True) if isinstance(k, types.Array) else k for k in map(types.unliteral, kinds))
        for kinds in kernel.overloads
    }}
    if len(plain) != len(kernel.overloads) or any(isinstance(k, types.Literal) for s in kernel.overloads for k in s):
        print(kernel.py_func.__module__, kernel.py_func.__name__, list(kernel.overloads))
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert "" == result.stdout


def test_every_job_is_named_by_an_existing_function():
    import importlib

    for path in (path for paths in warm_up.JOBS.values() for path in paths):
        module, _, name = path.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
    with pytest.raises(KeyError):
        warm_up.warm_up(["absent"])


def test_the_command_reports_and_refuses_unknown_names():
    from click.testing import CliRunner

    refused = CliRunner().invoke(commands, ["warm-up", "absent"])
    assert (2, True) == (refused.exit_code, "unknown: absent; expected some of extraction" in refused.output)
    done = CliRunner().invoke(commands, ["warm-up", "--processes", "1", "rules"])
    assert (0, True) == (done.exit_code, "compiled rules (1 of 1" in done.output)


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """A kernel for which numba finds no place to write to."""
    kernels._own_folder.cache_clear()
    monkeypatch.delenv("MASSIVETEXT_KERNELS_WARNED", raising=False)
    monkeypatch.setattr(kernels.tempfile, "gettempdir", lambda: str(tmp_path))

    monkeypatch.setattr(kernels.numba.config, "CACHE_DIR", "")
    results = caching.CompileResultCacheImpl
    # The first is NUMBA_CACHE_DIR; the others are the folder of the source, that of the user, and so on.
    monkeypatch.setattr(results, "_locator_classes", results._locator_classes[:1])

    def make():
        def one(value):
            return value

        return njit()(one)

    yield make
    kernels._own_folder.cache_clear()
    os.environ.pop("MASSIVETEXT_KERNELS_WARNED", None)


def test_a_read_only_installation_keeps_kernels_elsewhere_and_says_so_once(nowhere, tmp_path, caplog):
    expected = str(tmp_path / f"massivetext-kernels-{os.getuid()}")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            kernel = nowhere()
            assert 3 == kernel(3)
            assert kernel.kept.cache_path.startswith(expected)
            assert kernel.is_on_disk

    assert [f"compiled kernels are kept in {expected}: the package's folder cannot be written"] == caplog.messages
    assert "" == kernels.numba.config.CACHE_DIR
    kernels._own_folder.cache_clear()  # as in a process that this one starts
    assert nowhere().kept is not None
    assert 1 == len(caplog.messages)


def test_without_any_temporary_folder_kernels_are_not_kept(nowhere, monkeypatch, caplog):
    def nothing():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(kernels.tempfile, "gettempdir", nothing)
    with caplog.at_level(logging.WARNING):
        kernel = nowhere()
        assert 3 == kernel(3)

    assert kernel.kept is None
    assert not kernel.is_on_disk
    assert ["compiled kernels are not kept: no folder can be written; set NUMBA_CACHE_DIR to one"] == caplog.messages


def test_where_nothing_can_be_written_kernels_are_not_kept(nowhere, tmp_path, caplog):
    # Another's folder of that name, open to all, is not trusted.
    (tmp_path / f"massivetext-kernels-{os.getuid()}").mkdir(mode=0o777)
    (tmp_path / f"massivetext-kernels-{os.getuid()}").chmod(0o777)
    with caplog.at_level(logging.WARNING):
        kernel = nowhere()
        assert 3 == kernel(3)

    assert kernel.kept is None
    assert not kernel.is_on_disk
    assert ["compiled kernels are not kept: no folder can be written; set NUMBA_CACHE_DIR to one"] == caplog.messages
