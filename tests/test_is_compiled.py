"""Whether a run will have to compile, told by the kernels on disk."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from massivetext import warm_up
from massivetext.kernels import Kernel

PROGRAM = """
import pyarrow as pa
from massivetext.warm_up import is_compiled
from filters import quality, rules

kernel, empty = ("filters.block_list",), ("filters.one_pass",)
print(is_compiled([]), is_compiled([kernel]), is_compiled([empty]))
from filters.block_list import BlockList
BlockList(["example.com"]).match_all(pa.array(["http://example.com/a", None]))
print(is_compiled([kernel]), is_compiled([kernel, empty]), is_compiled([(*empty, *kernel)]))
"""


def test_kernels_are_compiled_if_a_module_of_each_group_has_one_on_disk(tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}

    result = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )

    assert ["True False False", "True False True"] == result.stdout.splitlines()


@pytest.mark.parametrize("name", ["language", "quality", "repetition", "safe_search", "deduplication"])
def test_a_stage_that_has_run_has_left_kernels(name: str) -> None:
    from filters.warm_up import language_of_texts, rules_of_texts, safe_search_of_texts
    from pipelines.stages import STAGES

    stage = STAGES[name]
    for module in stage.kernels:
        assert any(isinstance(value, Kernel) for value in vars(importlib.import_module(module)).values()), module
    if name == "deduplication":
        warm_up.duplicates_of_texts()
    elif name in ("quality", "repetition"):
        rules_of_texts()
    elif name == "safe_search":
        safe_search_of_texts()
    else:
        language_of_texts()
    assert warm_up.is_compiled([stage.kernels])


PARTS = """
import gc
from massivetext import warm_up
from massivetext.kernels import Kernel

def forms():
    kernels = [value for value in gc.get_objects() if isinstance(value, Kernel)]
    return {(kernel.__module__, kernel.__name__, str(kinds)) for kernel in kernels for kinds in kernel.overloads}

of_parts = []
for path in warm_up.EXTRACTION:
    before = forms()
    warm_up.run_job(path)
    of_parts.append(forms() - before)
from massivetext.extraction import extract
before = forms()
text = extract(warm_up.PAGE.encode())
names = [{name for _, name, _ in part} for part in of_parts]
print(len(text) > 50, {"find_words", "_choose_blocks"} <= names[0], {"_read", "_render"} <= names[1], forms() - before)
"""


def test_the_parts_of_extraction_leave_all_that_a_page_needs() -> None:
    result = subprocess.run([sys.executable, "-c", PARTS], capture_output=True, text=True, check=True)

    assert "True True True set()\n" == result.stdout


def test_a_job_in_parts_is_reported_once_when_all_are_done() -> None:
    parts = ("filters.warm_up:rules_of_texts", "filters.warm_up:language_of_texts")
    reported: list[str] = []

    spent = warm_up.run_jobs({"whole": parts}, 2, lambda name, seconds: reported.append(name))

    assert ["whole"] == reported
    assert 0 < spent


def test_an_interruption_ends_what_compiles_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, time\n"
        "def job():\n"
        "    open(f'{os.path.dirname(__file__)}/{os.getpid()}', 'w').close()\n"
        "    time.sleep(600)\n"
    )
    program = (
        "from massivetext.warm_up import run_jobs\n"
        "from massivetext.worker_processes import fork_server_from_here\n"
        "run_jobs({'slow': ('slow:job',) * 3}, 2, server=fork_server_from_here('massivetext.warm_up'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.DEVNULL) as parent:
        try:
            while len([path for path in tmp_path.iterdir() if path.name.isdigit()]) < 2:
                assert parent.poll() is None
                time.sleep(0.05)
            os.killpg(parent.pid, signal.SIGINT)  # as a terminal does
            assert parent.wait(timeout=120)
        finally:
            if parent.poll() is None:
                os.killpg(parent.pid, signal.SIGKILL)
    assert 2 == len([path for path in tmp_path.iterdir() if path.name.isdigit()])
