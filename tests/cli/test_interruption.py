"""Ctrl-C while modules load: a real signal to a real process, which ends with status 130 and no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

SCRIPT = "import sys; sys.argv[0] = '/usr/bin/massivetext'; from massivetext.cli import main; main()"
"""What an installed `massivetext` does."""


def default_action() -> None:
    """A shell starts what runs behind it with SIGINT ignored; a terminal does not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("module", ["click", "difflib", "yaml"])
@pytest.mark.parametrize("program", [["-m", "massivetext"], ["-c", SCRIPT]], ids=["module", "script"])
def test_a_signal_while_modules_load(tmp_path: Path, module: str, program: list[str]) -> None:
    (tmp_path / f"{module}.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(20)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY)])}
    result = subprocess.run(
        [sys.executable, *program, "validate", "gopher"],
        env=environment,
        cwd=tmp_path,
        preexec_fn=default_action,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (130, "") == (result.returncode, result.stdout)
    assert ["interrupted"] == [line.partition(";")[0] for line in result.stderr.strip().splitlines()]


@pytest.mark.parametrize(("program", "status"), [("massivetext", 130), ("mine.py", 0)])
def test_a_signal_while_a_callback_runs_is_not_lost(program: str, status: int) -> None:
    """Python prints an exception of a callback, and goes on."""
    code = (
        f"import sys; sys.argv[0] = '{program}'\n"
        "import massivetext, os, signal, weakref\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "thing = {1}\n"
        "watch = weakref.ref(thing, lambda _: [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)])\n"
        "del thing\n"
        "print('went on')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)

    assert (status, status == 0) == (result.returncode, result.stdout == "went on\n")
    assert (status == 130) == (result.stderr == "interrupted\n")


def test_a_program_that_imports_the_library_keeps_its_traceback(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import massivetext\nraise KeyboardInterrupt\n")
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    result = subprocess.run(
        [sys.executable, str(tmp_path / "mine.py")], env=environment, capture_output=True, text=True, check=False
    )

    assert "Traceback" in result.stderr
