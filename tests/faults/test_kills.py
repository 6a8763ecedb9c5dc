"""kill -9 of the run and of its worker processes at seeded random moments: the same bytes, nothing left over."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.corpus import write_faults, write_recipe
from tests.faults.running import PROGRAM, digests, massivetext, temporary_files

MOMENTS = 30


def _children(parent: int) -> list[int]:
    """Processes of a parent, from the system's table."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == parent:
                found.append(int(entry.name))
    return found


@pytest.mark.heavy
def test_kills_at_random_moments(tmp_path: Path) -> None:
    """Half of the kills hit the run itself, half one of its worker processes. All stages are met, because each run goes
    on where the one before was killed, and a finished one is started anew."""
    write_faults(tmp_path)
    arguments = ["run", str(write_recipe(tmp_path)), "--quiet", "--workers", "2", "--output"]
    begun = time.monotonic()
    undisturbed = massivetext(*arguments, str(tmp_path / "undisturbed"))
    seconds = time.monotonic() - begun
    expected = digests(tmp_path / "undisturbed")
    moments = random.Random(11)
    killed = {"run": 0, "worker": 0}
    out = tmp_path / "out-0"
    for number in range(1000):
        target = "run" if killed["run"] <= killed["worker"] else "worker"
        process = subprocess.Popen(
            [*PROGRAM, *arguments, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.5, seconds))
        # Spawned processes include multiprocessing's own helper; whichever it hits, the run must bear it.
        victims = [process.pid] if target == "run" else _children(process.pid)
        if process.poll() is None and victims:
            os.kill(moments.choice(victims), signal.SIGKILL)
            killed[target] += 1
        process.wait()
        if process.returncode == undisturbed.returncode:
            assert expected == digests(out)
            assert [] == temporary_files(out)
            assert 0 == massivetext("verify", str(out)).returncode
            out = tmp_path / f"out-{number + 1}"
        if sum(killed.values()) >= MOMENTS:
            break
    done = massivetext(*arguments, str(out))

    assert MOMENTS == sum(killed.values())
    assert undisturbed.returncode == done.returncode
    assert expected == digests(out)
    assert [] == temporary_files(out)
    assert 0 == massivetext("verify", str(out)).returncode
