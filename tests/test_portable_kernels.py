"""Kernels for other machines: where they are made, and which machines take them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite import binding

from massivetext import kernel_cache, portable_kernels, warm_up
from massivetext.errors import OutputError

KERNEL = """
import numpy as np
from massivetext.kernels import njit

@njit()
def total(values):
    result = 0
    for i in range(len(values)):
        result += values[i] * {factor}
    return result
"""
START = """
import os
from pathlib import Path
from massivetext import portable_kernels
portable_kernels.FOLDER = Path(os.environ["COMPILED"])
"""
MAKE = START + "assert portable_kernels.obstacle() is None\nportable_kernels.compile_for_others()\n"
USE = """
import numpy as np
from kernel import total
answer = total(np.arange(4))
print(answer, "loaded" if total.stats.cache_hits else "compiled", total.is_shipped)
"""
ELSEWHERE = {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2"}

needs_level = pytest.mark.skipif(
    not binding.get_host_cpu_features().get("avx2"), reason="kernels for other machines are made with AVX2"
)


@pytest.fixture
def run(tmp_path: Path):
    """Runs a program where a kernel can be imported, with a cache of its own for each name of a machine."""
    (tmp_path / "kernel.py").write_text(KERNEL.format(factor=2))

    def run(program: str, machine: str, **environment: str) -> str:
        environment |= {"NUMBA_CACHE_DIR": str(tmp_path / machine), "PYTHONDONTWRITEBYTECODE": "1"}
        environment |= {"PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])}
        environment |= {"COMPILED": str(tmp_path / "compiled")}
        command = [sys.executable, "-c", program + USE]
        return subprocess.run(
            command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True, check=True
        ).stdout.strip()

    return run


@needs_level
def test_a_machine_takes_kernels_that_came_with_the_package(run, tmp_path: Path) -> None:
    assert "12 compiled False" == run(START, "other")
    assert "12 compiled True" == run(MAKE, "builder")
    assert ["kernel.total"] == [path.name.partition(".py")[0] for path in (tmp_path / "compiled").glob("*.nbi")]
    assert not list((tmp_path / "builder").rglob("*.nbi"))

    assert "12 loaded True" == run(START, "new")
    assert not list((tmp_path / "new").rglob("*.nbi"))


@needs_level
def test_a_machine_without_their_instructions_compiles(run) -> None:
    run(MAKE, "builder")

    assert "12 compiled True" == run(START, "old", **ELSEWHERE)
    assert "12 loaded True" == run(START, "old", **ELSEWHERE)


@needs_level
def test_kernels_of_other_code_are_not_taken(run, tmp_path: Path) -> None:
    run(MAKE, "builder")
    (tmp_path / "kernel.py").write_text(KERNEL.format(factor=3))

    assert "18 compiled False" == run(START, "new")


@pytest.mark.parametrize(
    ("target", "runs"),
    [
        (("linux", "znver3", "+avx,+avx2,-avx512f"), True),
        (("linux", "x86-64-v3", "+avx2"), True),
        (("linux", "x86-64", ""), True),
        (("linux", "skylake-avx512", "+avx2,+avx512f"), False),
        (("darwin", "x86-64-v3", "+avx2"), False),
    ],
)
def test_code_runs_where_all_its_features_are(target: tuple[str, str, str], runs: bool) -> None:
    assert runs == kernel_cache._runs_here(target, ("linux", "znver3", "+avx,+avx2,+fma,-avx512f"))


def test_a_machine_that_cannot_make_them_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(portable_kernels.platform, "machine", lambda: "aarch64")
    with pytest.raises(OutputError, match=r"x86-64-v3, which this one \(aarch64\) is not: make them on a machine with"):
        warm_up.warm_up(["rules"], portable=True)

    monkeypatch.setattr(portable_kernels.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: {"avx": True})
    assert "AVX2" in (portable_kernels.obstacle() or "")


def test_a_folder_that_cannot_be_written_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(portable_kernels, "FOLDER", tmp_path / "not there" / "compiled")
    monkeypatch.setattr(portable_kernels.platform, "machine", lambda: "x86_64")
    every = dict.fromkeys(portable_kernels._FEATURES.split(), True)
    monkeypatch.setattr(binding, "get_host_cpu_features", lambda: every)

    assert f"{tmp_path}/not there/compiled: kernels for other machines lie here, and it cannot be written" == (
        portable_kernels.obstacle()
    )


def test_a_process_that_has_numba_does_not_change_what_it_compiles_for() -> None:
    with pytest.raises(RuntimeError, match="numba is imported already"):
        portable_kernels.compile_for_others()
