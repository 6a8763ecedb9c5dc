"""What the tests share: where the real data lies, compiled kernels, and the Beam runner, named."""

from __future__ import annotations

import compileall
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The first example of a kernel's test compiles it.
settings.register_profile("kernels", deadline=None, derandomize=True)
settings.load_profile("kernels")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure(config: pytest.Config) -> None:
    """Compile all kernels before several processes of tests would each do so."""
    if hasattr(config, "workerinput"):
        return
    # Hundreds of processes are started, and with PYTHONDONTWRITEBYTECODE each would translate every module anew. One
    # whose files may not grow, as some tests have it, would leave half of a translation.
    for package in ("massivetext", "filters", "pipelines"):
        compileall.compile_dir(REPOSITORY / package, quiet=1)
    if getattr(config.option, "tx", None) and not config.option.collectonly:
        from massivetext.warm_up import warm_up

        warm_up()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that MASSIVETEXT_DATA names; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set MASSIVETEXT_DATA")
    return folder


@pytest.fixture
def folder_of_a_user(tmp_path: Path) -> Iterator[Path]:
    """An empty folder in which the system denies what permissions deny, as to any user; root, whom nothing is denied,
    does without that privilege until the test has ended (capabilities(7): CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)."""
    if os.geteuid() != 0:
        yield tmp_path
        return
    system = ctypes.CDLL(None, use_errno=True)
    header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert 0 == system.capget(header, sets), os.strerror(ctypes.get_errno())
    before = sets[0]
    try:
        sets[0] = before & ~(1 << 1 | 1 << 2)
        assert 0 == system.capset(header, sets), os.strerror(ctypes.get_errno())
        yield tmp_path
    finally:
        sets[0] = before
        assert 0 == system.capset(header, sets), os.strerror(ctypes.get_errno())
