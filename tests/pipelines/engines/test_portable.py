"""Beam's portable runners: Prism, with workers in the client and in a pool of their own, and the local job service.

`make test-engines` builds Prism with Go; without it, what needs it is skipped.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.engines import Execution
from pipelines.engines.beam_runner import BeamEngine
from pipelines.main import run
from pipelines.recipe import Recipe, read
from tests.faults.running import children, digests
from tests.pipelines.engines.conftest import write_recipe
from tests.pipelines.reporter import Lines
from tests.pipelines.transforms.test_guard import write as write_harmful

pytestmark = [
    pytest.mark.heavy,
    # What Beam's own servers leave open when they end is not ours to mend.
    pytest.mark.filterwarnings("default"),
]

JOBS = 4
TRANSFORMS = {"ReadDocuments", "MeasureText", "Judge", "WriteParts", "WriteShards"}


@pytest.fixture(scope="module")
def prism() -> str:
    """The option that names the binary."""
    beside = Path(sys.executable).with_name("prism")
    path = str(beside) if beside.exists() else shutil.which("prism")
    if path is None:
        pytest.skip("no Prism here: make test-engines builds it, with Go")
    return f"--prism_location={path}"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recipe]:
    """A folder with a recipe, its sources, and what the local engine makes of them in `local`."""
    folder = tmp_path_factory.mktemp("corpus")
    recipe = write_recipe(folder)
    run(recipe, str(folder / "local"), Execution(), Lines())
    return folder, recipe


@contextmanager
def server(module: str, *options: str) -> Iterator[tuple[str, int]]:
    """A server of Beam's on a free port of this machine: its address and its process, which ends with the block."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [option.format(port=port) for option in options]
    # A pool starts its workers as `python`, whichever that is.
    path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", "")))
    command = [sys.executable, "-m", module, *words]
    process = subprocess.Popen(command, env=os.environ | {"PATH": path}, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            time.sleep(0.1)
        yield f"localhost:{port}", process.pid
    finally:
        mine = children(process.pid)
        process.kill()
        process.wait()
        for child in mine:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Beam says of each job that a test runs."""
    jobs: list[Any] = []

    def run_and_note(pipeline: Any) -> None:
        jobs.append(pipeline.run())
        jobs[-1].wait_until_finish()

    monkeypatch.setattr(BeamEngine, "_run", staticmethod(run_and_note))
    return jobs


def counters(jobs: list[Any]) -> set[str]:
    """The transforms that count documents in or out."""
    names = set()
    for job in jobs:
        for counter in job.metrics().query()["counters"]:
            if counter.key.metric.name in ("documents_in", "documents_out") and counter.committed:
                names.add(counter.key.metric.namespace)
    return names


def test_prism_gives_the_bytes_of_the_local_engine(corpus: tuple[Path, Recipe], prism: str, results: list[Any]) -> None:
    folder, recipe = corpus
    run(recipe, str(folder / "prism"), Execution("PrismRunner", beam_options=(prism,)), Lines())

    assert digests(folder / "local") == digests(folder / "prism")
    assert JOBS == len(results)
    assert counters(results) >= TRANSFORMS


def write_scored(folder: Path) -> Recipe:
    """A recipe with lines of hosts, a best share, buckets, and both stages that compare documents."""
    draw = random.Random(5)
    words = [*("the", "be", "to", "of", "and"), *(f"word{i}" for i in range(30))]
    texts = [". ".join(" ".join(draw.choices(words, k=12)) for _ in range(draw.randrange(6, 20))) for _ in range(60)]
    pages = [
        {"text": f"Menu\n{text}\nFooter", "url": f"http://{'ab'[i % 2]}.example/{i}"} for i, text in enumerate(texts)
    ]
    for number in range(3):
        (folder / f"in-{number}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in pages[number::3]))
    (folder / "mine.py").write_text("def size(batch):\n    return batch['n_bytes'].cast('float64')\n")
    stages = ["common_lines", "quality", "scores", "deduplication", "host_lines", "spans"]
    recipe = {
        "extends": "gopher",
        "subsets": {"c4": {"sources": [{"format": "jsonl", "path": "in-*.jsonl", "pack": False}], "stages": stages}},
        "scores": {"quality_score": {"buckets": [0.2, 0.5]}, "size": {"function": "./mine.py:size", "keep": 0.5}},
        "mixture": {"weights": {"c4": 1.0}, "buckets": {"c4": {"score": "quality_score", "epochs": [0, 1, 4]}}},
    }
    (folder / "scored.yaml").write_text(yaml.safe_dump(recipe))
    return read(str(folder / "scored.yaml"))


def test_scores_shares_and_lines_are_the_same_on_prism(tmp_path: Path, prism: str) -> None:
    recipe = write_scored(tmp_path)
    run(recipe, str(tmp_path / "one"), Execution(), Lines())
    run(recipe, str(tmp_path / "two"), Execution(workers=2), Lines())
    run(recipe, str(tmp_path / "prism"), Execution("PrismRunner", beam_options=(prism,)), Lines())

    assert digests(tmp_path / "one") == digests(tmp_path / "two") == digests(tmp_path / "prism")
    manifest = json.loads((tmp_path / "one" / "ledger" / "manifest.json").read_text())
    assert {"quality_score", "size"} == set(manifest["limits"]["c4"])


def test_the_local_job_service_gives_the_bytes_of_the_local_engine(corpus: tuple[Path, Recipe]) -> None:
    folder, recipe = corpus
    with server("apache_beam.runners.portability.local_job_service_main", "--port={port}") as (address, _):
        options = (f"--job_endpoint={address}", "--environment_type=LOOPBACK")
        run(recipe, str(folder / "service"), Execution("PortableRunner", beam_options=options), Lines())

    assert digests(folder / "local") == digests(folder / "service")


def test_a_worker_of_a_pool_that_is_killed_costs_no_document(corpus: tuple[Path, Recipe], prism: str) -> None:
    folder, recipe = corpus
    killed: list[int] = []
    with server("apache_beam.runners.worker.worker_pool_main", "--service_port={port}") as (address, pool):
        options = (
            prism,
            "--environment_type=EXTERNAL",
            f"--environment_config={address}",
            "--sdk_worker_parallelism=2",
        )
        over = threading.Event()

        def kill_one() -> None:
            while not over.wait(0.02) and not killed:
                # In the middle of its work: a file of the first part is being written.
                for worker in children(pool) if any((folder / "pool").rglob("*.tmp")) else ():
                    os.kill(worker, signal.SIGKILL)
                    killed.append(worker)
                    break

        thread = threading.Thread(target=kill_one)
        thread.start()
        try:
            run(recipe, str(folder / "pool"), Execution("PrismRunner", beam_options=options), Lines())
        finally:
            over.set()
            thread.join()

    assert 1 == len(killed)
    assert digests(folder / "local") == digests(folder / "pool")


def test_a_page_that_kills_its_process_costs_itself_alone_on_prism(tmp_path: Path, prism: str) -> None:
    write_harmful(tmp_path, "rules", ("DIE",))
    recipe = read(str(tmp_path / "recipe.yaml"))
    local = run(recipe, str(tmp_path / "local"), Execution(), Lines())
    outcome = run(recipe, str(tmp_path / "prism"), Execution("PrismRunner", beam_options=(prism,)), Lines())

    assert local.counts == outcome.counts
    assert digests(tmp_path / "local") == digests(tmp_path / "prism")
