"""The main job with each pipeline as one graph on a runner of Beam's: the bytes of the local engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.engines import Execution
from pipelines.engines.beam_runner import BeamEngine
from pipelines.engines.task_files import TASKS, read_tasks, write_tasks
from pipelines.input_splits import find_parts
from pipelines.main import Outcome, run, run_stages
from pipelines.recipe import Recipe
from pipelines.run_folder.fingerprints import part_tasks
from pipelines.run_folder.folder import Folder
from pipelines.tasks import TaskError
from pipelines.transforms.final_ledger import LedgerTask
from tests.faults.running import digests
from tests.pipelines.reporter import Lines


class Counting(BeamEngine):
    """The engine of Beam's runners, on FnApiRunner, counting its jobs."""

    jobs = 0

    def _run(self, pipeline) -> None:
        type(self).jobs += 1
        pipeline.run().wait_until_finish()


def test_four_jobs_give_the_bytes_of_the_local_engine(tmp_path: Path, recipe: Recipe) -> None:
    outcome = run(recipe, str(tmp_path / "local"), Execution(), Lines())
    folder = Folder(str(tmp_path / "graphs"))
    folder.adopt(recipe, update=False)
    again = Outcome()
    run_stages(recipe, folder, find_parts(recipe), Counting(Execution()), Lines(), again, "mix")

    assert outcome.counts == again.counts
    assert {"duplicate", "contaminated", "kept"} <= {name.split(" ")[0] for name in outcome.counts["c4"]}
    assert digests(tmp_path / "local") == digests(tmp_path / "graphs")
    assert 4 == Counting.jobs
    assert [] == list((tmp_path / "graphs").rglob("*.tasks-*"))


def test_a_job_that_fails_ends_the_run_with_the_engines_words_and_fails_no_document(
    tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(BeamEngine):
        attempts = 0

        def _run(self, pipeline) -> None:
            type(self).attempts += 1
            raise OSError("the cluster has gone fishing")

    monkeypatch.setattr("pipelines.engines.beam_runner.PAUSE", 0.0)
    folder = Folder(str(tmp_path / "out"))
    folder.adopt(recipe, update=False)
    with pytest.raises(TaskError, match=r"6 of 6 tasks are not done after 3 jobs on FnApiRunner.*gone fishing"):
        run_stages(recipe, folder, find_parts(recipe), Broken(Execution()), Lines(), Outcome(), "mix")

    assert 3 == Broken.attempts
    assert [] == list((tmp_path / "out").rglob("*.parquet"))


def test_tasks_go_through_files(tmp_path: Path, recipe: Recipe) -> None:
    folder = Folder(str(tmp_path / "out"))
    parts = part_tasks(folder, recipe, find_parts(recipe))
    ledgers = [LedgerTask(folder, "c4", f"part-{n}", ("deduplication",), "f", n) for n in range(TASKS + 3)]

    for tasks, n_files in ((parts, 1), (ledgers, 2)):
        paths = write_tasks(tasks)
        assert n_files == len(paths)
        assert tasks == [task for path in paths for task in read_tasks(path)]
