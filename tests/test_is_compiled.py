"""Whether a run will have to compile, told by the files of numba's cache."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import pytest

from massivetext import warm_up

VERSION = f"py{sys.version_info.major}{sys.version_info.minor}"
LANGUAGE, RULES = ("filters.language",), ("filters.rules", "filters.quality")


def leave_index(cache: Path, module: str, *, version: str = VERSION, older_by: int = 0) -> Path:
    """A file as numba leaves it for a kernel of a module of `filters`."""
    source = Path(warm_up.__file__).parent.parent / "filters" / f"{module}.py"
    folder = cache / "filters_0123abcd"
    folder.mkdir(exist_ok=True)
    index = folder / f"{module}.kernel-12.{version}.nbi"
    index.touch()
    written = source.stat().st_mtime - older_by
    os.utime(index, (written, written))
    return index


def test_kernels_are_compiled_if_a_module_of_each_group_has_an_index_that_is_not_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert warm_up.is_compiled([])
    assert not warm_up.is_compiled([LANGUAGE])

    leave_index(tmp_path, "language")
    assert warm_up.is_compiled([LANGUAGE])
    assert not warm_up.is_compiled([LANGUAGE, RULES])

    leave_index(tmp_path, "quality")
    assert warm_up.is_compiled([LANGUAGE, RULES])

    leave_index(tmp_path, "language", older_by=10)
    assert not warm_up.is_compiled([LANGUAGE, RULES])


def test_the_kernels_of_another_python_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    leave_index(tmp_path, "language", version="py27")

    assert not warm_up.is_compiled([LANGUAGE])


@pytest.mark.parametrize("name", ["language", "quality", "repetition", "safe_search", "deduplication"])
def test_a_stage_that_has_run_has_left_kernels(name: str) -> None:
    from pipelines.stages import STAGES

    stage = STAGES[name]
    for module in stage.kernels:
        assert any("Kernel" in type(value).__name__ for value in vars(importlib.import_module(module)).values()), module
    if name == "deduplication":
        warm_up.evidence_of_texts()
    else:
        from filters.warm_up import language_of_texts, rules_of_texts

        rules_of_texts() if name in ("quality", "repetition") else language_of_texts()
    assert warm_up.is_compiled([stage.kernels])
