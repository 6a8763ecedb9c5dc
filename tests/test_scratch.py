"""Temporary folders of processes that were killed are swept, and no others."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from massivetext import scratch
from massivetext.scratch import make_scratch, remove_scratch, sweep_scratch

_MAKE = """
import sys, time
from massivetext.scratch import make_scratch, process_scratch
print(make_scratch("worker"), process_scratch(), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def _process() -> tuple[subprocess.Popen[str], list[Path]]:
    process = subprocess.Popen([sys.executable, "-c", _MAKE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, [Path(name) for name in process.stdout.readline().split()]


def test_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not() -> None:
    process, folders = _process()
    (folders[0] / "data").write_text("x")
    assert 0 == sweep_scratch()
    assert all(folder.is_dir() for folder in folders)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()

    assert all(folder.is_dir() for folder in folders)
    assert 2 == sweep_scratch()
    assert not any(folder.exists() for folder in folders)


def test_a_process_that_ends_well_leaves_no_folder_of_its_own() -> None:
    process, (_, own) = _process()
    process.communicate("")

    assert not own.exists()


def test_a_folder_that_is_half_made_or_half_removed_is_swept(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process was killed before its file `owner` was there, or while what lies in it was being removed."""
    (temporary / "massivetext-worker-a1b2c3_4").mkdir()
    (temporary / "massivetext-worker-mine").mkdir()  # not a name that is given here
    folder = Path(make_scratch("worker"))
    (folder / "data").mkdir()
    (folder / "file").touch()
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", _killed)
        patch.setattr(shutil, "rmtree", _killed)
        with pytest.raises(KeyboardInterrupt):
            remove_scratch(str(folder))
    os.close(scratch._handles.pop(str(folder)))

    assert (folder / "owner").exists()
    assert 2 == sweep_scratch()
    assert ["massivetext-worker-mine"] == [entry.name for entry in temporary.iterdir()]


def _killed(*_: object, **options: object) -> None:
    raise KeyboardInterrupt


def test_own_folders_and_those_of_others_stay(temporary: Path) -> None:
    """Of this process, without an owner's file, or only linked to."""
    own = make_scratch("sql")
    for name in ("massivetext-kernels-0", "massivetext-mine", "other-sql-1"):
        (temporary / name).mkdir()
    (temporary / "other-sql-1" / "owner").touch()
    (temporary / "elsewhere").mkdir()
    (temporary / "elsewhere" / "owner").touch()
    (temporary / "massivetext-link").symlink_to(temporary / "elsewhere")
    (temporary / "massivetext-file").touch()
    (temporary / "massivetext-owned-by-link").mkdir()
    (temporary / "massivetext-owned-by-link" / "owner").symlink_to(temporary / "elsewhere" / "owner")

    assert 0 == sweep_scratch()
    assert 8 == len(list(temporary.iterdir()))
    remove_scratch(own)
    assert not Path(own).exists()


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process looks at TMPDIR between the making of the folder's `owner` and its lock."""
    swept: list[int] = []
    lock = fcntl.flock

    def late(handle: int, operation: int) -> None:
        if operation == fcntl.LOCK_EX and not swept:
            swept.append(0)
            swept[0] = sweep_scratch()
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    path = Path(make_scratch("sql"))

    assert [1] == swept
    assert ["owner"] == [entry.name for entry in path.iterdir()]
    assert 0 == sweep_scratch()
    remove_scratch(str(path))


def test_a_folder_is_locked_until_it_is_removed(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for its lock must not get it while the folder is about to go."""
    (temporary / "massivetext-sql-1").mkdir()
    (temporary / "massivetext-sql-1" / "owner").touch()
    is_locked: list[bool] = []
    remove = shutil.rmtree

    def watched(path: str, **options: bool) -> None:
        with open(Path(path) / "owner") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_locked.append(False)
            except OSError:
                is_locked.append(True)
        remove(path, **options)

    monkeypatch.setattr(shutil, "rmtree", watched)

    assert 1 == sweep_scratch()
    assert [True] == is_locked
