"""What the tests share: where the real data lies, and the Beam runner, named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The first example of a kernel's test compiles it.
settings.register_profile("kernels", deadline=None, derandomize=True)
settings.load_profile("kernels")

REPOSITORY = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Drop compiled kernels that are older than any source of kernels: numba looks only at the file of the kernel
    itself, not at those of the kernels that it calls, and would test yesterday's."""
    packages = [REPOSITORY / name for name in ("massivetext", "filters")]
    sources = [path for package in packages for path in package.rglob("*.py")]
    newest = max(path.stat().st_mtime for path in sources if b"numba" in path.read_bytes())
    for index in [path for package in packages for path in package.rglob("*.nbi")]:
        if index.exists() and index.stat().st_mtime < newest:
            index.unlink(missing_ok=True)  # several processes may do this at once


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that MASSIVETEXT_DATA names; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set MASSIVETEXT_DATA")
    return folder
