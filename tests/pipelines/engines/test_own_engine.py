"""An engine of one's own is one small file, found by its entry point: here a pool of processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import EntryPoint
from pathlib import Path

import apache_beam as beam
import pytest

from massivetext.errors import RecipeError
from pipelines import engines
from pipelines.engines import Execution
from pipelines.engines.engine import Engine, OnDone, shares
from pipelines.engines.local import run_here
from pipelines.main import run
from pipelines.recipe import Recipe
from pipelines.tasks import Task
from tests.pipelines.engines.test_graphs import digests
from tests.pipelines.reporter import Lines


class PoolEngine(Engine):
    """A pool of processes of this machine, which live as long as the engine does."""

    def __enter__(self) -> Engine:
        self.pool = ProcessPoolExecutor(self.execution.workers, multiprocessing.get_context("spawn"))
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()

    @classmethod
    def check(cls, execution: Execution) -> None:
        if execution.beam_options:
            raise RecipeError(f"{execution.beam_options[0]}: a pool has no options")

    def run(self, work: beam.PTransform, tasks: Sequence[Task], *, on_done: OnDone = lambda task: None) -> None:
        futures = {self.pool.submit(run_here, work, share): share for share in shares(tasks, self.execution.workers)}
        for future in as_completed(futures):
            future.result()
            for task in futures[future]:
                on_done(task)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("pool", f"{PoolEngine.__module__}:PoolEngine", "massivetext.engines")
    monkeypatch.setattr(engines, "entry_points", lambda group: [point])


@pytest.mark.usefixtures("pool")
def test_a_pool_gives_the_bytes_of_the_local_engine(tmp_path: Path, recipe: Recipe) -> None:
    local = run(recipe, str(tmp_path / "local"), Execution(), Lines())
    outcome = run(recipe, str(tmp_path / "pool"), Execution("pool", workers=2), Lines())

    assert local.counts == outcome.counts
    assert digests(tmp_path / "local") == digests(tmp_path / "pool")


@pytest.mark.usefixtures("pool")
def test_what_an_engine_refuses_is_refused_before_anything_is_written(tmp_path: Path, recipe: Recipe) -> None:
    with pytest.raises(RecipeError, match="--size=2: a pool has no options"):
        run(recipe, str(tmp_path / "out"), Execution("pool", beam_options=("--size=2",)), Lines())

    assert not (tmp_path / "out").exists()


def test_an_engine_that_cannot_be_imported_is_refused(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = EntryPoint("pool", "no_such_module:Engine", "massivetext.engines")
    monkeypatch.setattr(engines, "entry_points", lambda group: [point])
    with pytest.raises(RecipeError, match="--runner pool: no_such_module:Engine cannot be loaded"):
        run(recipe, str(tmp_path / "out"), Execution("pool"), Lines())

    assert not (tmp_path / "out").exists()
