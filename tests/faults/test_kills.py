"""kill -9 of the run and of its worker processes at seeded random moments: the same bytes, nothing left over."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.faults.running import PROGRAM, children
from tests.faults.test_surroundings import Corpus

MOMENTS = 30


@pytest.mark.heavy
def test_kills_at_random_moments(tmp_path: Path) -> None:
    """Half of the kills hit the run itself, half one of its worker processes. All stages are met, because each run goes
    on where the one before was killed, and a finished one is started anew."""
    corpus = Corpus(tmp_path)
    begun = time.monotonic()
    corpus.run(tmp_path / "timed")
    seconds = time.monotonic() - begun
    moments = random.Random(11)
    killed = {"run": 0, "worker": 0}
    out = tmp_path / "out-0"
    was_killed = False
    for number in range(300):
        target = "run" if killed["run"] <= killed["worker"] else "worker"
        command = [*PROGRAM, "run", corpus.recipe, "--quiet", "--workers", "2", "--output", str(out)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        begun = time.monotonic()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.2, 1.0) * seconds)
        # Spawned processes include multiprocessing's own helper; whichever it hits, the run must bear it.
        victims = [process.pid] if target == "run" else children(process.pid)
        if process.poll() is None and victims:
            os.kill(moments.choice(victims), signal.SIGKILL)
            killed[target] += 1
            was_killed = True
        if process.wait() == 0:
            if was_killed:
                corpus.assert_mends(out)
            else:
                seconds = time.monotonic() - begun  # others use this machine too
            out, was_killed = tmp_path / f"out-{number + 1}", False
        if sum(killed.values()) >= MOMENTS:
            break

    assert MOMENTS == sum(killed.values())
    corpus.assert_mends(out)
