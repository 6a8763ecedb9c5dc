"""What the tests share: where the real data lies, compiled kernels, and the Beam runner, named."""

from __future__ import annotations

import compileall
import os
import tempfile
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
def folder_of_a_user() -> Iterator[Path]:
    """An empty folder of a user whom the system denies what permissions deny: whoever runs the tests, or `nobody`
    where that is root, whom nothing is denied."""
    root, nobody = 0, 65534
    is_root = os.geteuid() == root
    with tempfile.TemporaryDirectory() as name:
        if is_root:
            os.chown(name, nobody, nobody)
            os.seteuid(nobody)
        try:
            yield Path(name)
        finally:
            if is_root:
                os.seteuid(root)
            for base, folders, _ in os.walk(name):
                for folder in folders:
                    os.chmod(os.path.join(base, folder), 0o700)
