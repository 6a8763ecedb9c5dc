"""What the tests share: where the real data lies, compiled kernels, and the Beam runner, named."""

from __future__ import annotations

import compileall
import os
import re
from pathlib import Path

import pytest
from hypothesis import settings

# The first example of a kernel's test compiles it.
settings.register_profile("kernels", deadline=None, derandomize=True)
settings.load_profile("kernels")

REPOSITORY = Path(__file__).resolve().parent.parent
_IMPORT = re.compile(r"^ *from ((?:massivetext|filters)[\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)


def pytest_configure(config: pytest.Config) -> None:
    """Drop stale kernels, and compile all of them before several processes of tests would each do so."""
    if hasattr(config, "workerinput"):
        return
    drop_stale_kernels()
    # Hundreds of processes are started, and with PYTHONDONTWRITEBYTECODE each would translate every module anew. One
    # whose files may not grow, as some tests have it, would leave half of a translation.
    for package in ("massivetext", "filters", "pipelines"):
        compileall.compile_dir(REPOSITORY / package, quiet=1)
    if getattr(config.option, "tx", None) and not config.option.collectonly:
        from massivetext.warm_up import warm_up

        warm_up()


def drop_stale_kernels() -> None:
    """Remove compiled kernels that are older than a module which theirs imports: numba looks only at the file of the
    kernel itself, not at those of the kernels that it calls, and would test yesterday's."""
    files = {}
    for package in ("massivetext", "filters"):
        for path in (REPOSITORY / package).rglob("*.py"):
            module = ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")
            files[module] = path
    imported = {
        module: {
            name
            for origin, names in _IMPORT.findall(path.read_text("utf-8"))
            for name in (origin, *(f"{origin}.{part}" for part in re.findall(r"\w+", names)))
            if name in files
        }
        for module, path in files.items()
    }
    with_kernels = {module for module, path in files.items() if b"njit" in path.read_bytes()}
    for module, path in files.items():
        indexes = list((path.parent / "__pycache__").glob(f"{path.stem}.*.nbi"))
        if indexes:
            closure = [module]
            for name in closure:
                closure += imported[name].difference(closure)
            kernels = {name for name in closure if name in with_kernels}
            constants = {name for kernel in kernels for name in imported[kernel] if files[name].stem != "__init__"}
            newest = max(files[name].stat().st_mtime for name in kernels | constants)
            for index in indexes:
                if index.stat().st_mtime < newest:
                    index.unlink(missing_ok=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data that MASSIVETEXT_DATA names; tests that need it skip where it is missing."""
    folder = Path(os.environ.get("MASSIVETEXT_DATA", REPOSITORY / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set MASSIVETEXT_DATA")
    return folder
