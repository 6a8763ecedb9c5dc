"""Whether a run will have to compile, told by the files of numba's cache."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from massivetext import warm_up

VERSION = f"py{sys.version_info.major}{sys.version_info.minor}"


def test_kernels_are_compiled_if_each_module_has_an_index_that_is_not_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert not warm_up.is_compiled()

    root = Path(warm_up.__file__).parent.parent
    indexes = []
    for name in warm_up._TELLING:
        source = root / name
        folder = tmp_path / f"{source.parent.name}_0123abcd"
        folder.mkdir(exist_ok=True)
        indexes.append(folder / f"{source.stem}.kernel-12.{VERSION}.nbi")
        indexes[-1].touch()
        os.utime(indexes[-1], (source.stat().st_mtime, source.stat().st_mtime))
    assert warm_up.is_compiled()

    old = (root / warm_up._TELLING[-1]).stat().st_mtime - 10
    os.utime(indexes[-1], (old, old))
    assert not warm_up.is_compiled()

    indexes[-1].rename(indexes[-1].with_name(indexes[-1].name.replace(VERSION, "py27")))
    assert not warm_up.is_compiled()
