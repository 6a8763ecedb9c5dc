"""Pools whose workers end with their parent, however that ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest


def runs(number: str) -> bool:
    """Whether there is a process of this number that has not ended; nobody may have asked how it ended."""
    try:
        state = Path("/proc", number, "stat").read_text("utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc to see whether processes are there")
def test_workers_of_a_pool_end_with_their_parent(tmp_path: Path) -> None:
    """Killed, so that it can tell nobody; a pool of Python's own stays for good."""
    (tmp_path / "numbers_of.py").write_text(
        "import os, time\ndef number(_):\n    time.sleep(0.2)\n    return os.getpid()\n"
    )
    (tmp_path / "parent.py").write_text(
        "import time\n"
        "from numbers_of import number\n"
        "from massivetext.worker_processes import spawn_pool\n"
        "if __name__ == '__main__':\n"
        "    pool = spawn_pool(2)\n"
        "    print(*set(pool.map(number, range(4))), flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        workers = parent.stdout.readline().split()
        assert workers
        assert all(map(runs, workers))
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while any(map(runs, workers)) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert not any(map(runs, workers))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux alone")
@pytest.mark.parametrize(("has_thread", "n_imports"), [(False, 1), (True, 2)])
def test_a_server_is_a_copy_of_a_process_without_threads(tmp_path: Path, has_thread: bool, n_imports: int) -> None:
    (tmp_path / "costly.py").write_text(
        "import os\nprint('imported', flush=True)\ndef answer(connection):\n    connection.send(os.getppid())\n"
    )
    (tmp_path / "parent.py").write_text(
        "import os, threading\n"
        "import costly\n"
        "from massivetext.scratch import make_scratch\n"
        "from massivetext.worker_processes import fork_server_from_here\n"
        "if __name__ == '__main__':\n"
        "    folder = make_scratch('parent')\n"
        f"    if {has_thread}:\n"
        "        threading.Thread(target=threading.Event().wait, daemon=True).start()\n"
        "    context = fork_server_from_here('costly').context\n"
        "    ours, theirs = context.Pipe()\n"
        "    worker = context.Process(target=costly.answer, args=(theirs,))\n"
        "    worker.start()\n"
        "    server = ours.recv()\n"
        "    worker.join()\n"
        "    print(worker.exitcode, server != os.getpid(), os.path.isdir(folder))\n"
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "parent.py")], capture_output=True, text=True, check=False, cwd=tmp_path
    )

    assert ["imported"] * n_imports + ["0 True True"] == done.stdout.splitlines(), done.stderr
    assert "" == done.stderr
