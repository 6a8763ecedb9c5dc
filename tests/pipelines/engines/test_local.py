"""Tasks in supervised worker processes: done, raising, dying, and the bystanders of one that dies."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import TypeOptions

from massivetext import storage
from massivetext.isolation import Blame
from pipelines.engines import local
from pipelines.engines.engine import ATTEMPTS, Execution
from pipelines.engines.local import LocalEngine
from pipelines.tasks import Marker, TaskError
from pipelines.transforms.run_steps import RunSteps
from tests.pipelines.engines.conftest import NamedTask, attempts_of


class Count(NamedTask):
    """A task that notes each attempt, and does what its name says."""

    def __call__(self) -> None:
        self.note_attempt("x")
        attempt = len(attempts_of(Path(self.folder), self.name))
        if self.name.startswith("raises") or (self.name.startswith("once") and attempt == 1):
            raise ValueError("told to")
        if self.name.startswith("leaves"):
            raise SystemExit(3)
        if self.name.startswith("dies") or (self.name.startswith("killed") and attempt == 1):
            os._exit(9)
        Marker("f", counts={"attempt": attempt}).write(self.marker)


@dataclass(frozen=True)
class CountOfPart(Count):
    """The same, of a part that can be given up."""

    is_given_up: bool = False

    def without(self, blame: Blame) -> CountOfPart:
        raise AssertionError(f"nothing was begun that could be to blame: {blame}")

    def given_up(self, message: str) -> CountOfPart:
        return replace(self, name=f"given-up-{self.name}", is_given_up=True)


def attempts(folder: Path) -> dict[str, int]:
    return {path.stem: len(attempts_of(folder, path.stem)) for path in sorted(folder.glob("*.attempts"))}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done_once(tmp_path: Path, workers: int) -> None:
    done: list[str] = []
    with LocalEngine(Execution(workers=workers)) as engine:
        engine.run(
            RunSteps(),
            [Count(str(tmp_path), f"t{i}", i) for i in range(9)],
            on_done=lambda task: done.append(task.marker),
        )

    assert {f"t{i}": 1 for i in range(9)} == attempts(tmp_path)
    assert sorted(str(path) for path in tmp_path.glob("*.json")) == sorted(done)


def test_a_task_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    names = ["raises", "dies", "once", "killed", *(f"t{i}" for i in range(12))]
    with pytest.raises(TaskError) as raised, LocalEngine(Execution(workers=2)) as engine:
        engine.run(RunSteps(), [Count(str(tmp_path), name) for name in names])
    tried = attempts(tmp_path)
    lines = str(raised.value).splitlines()[1:]

    assert {"raises.json", "dies.json"} == {line.partition(":")[0].rpartition("/")[2] for line in lines}
    assert any("ValueError: told to" in line for line in lines)
    assert any("exit code 9" in line for line in lines)
    assert (ATTEMPTS, ATTEMPTS, 2, 2) == (tried["raises"], tried["dies"], tried["once"], tried["killed"])
    assert all(storage.exists(f"{tmp_path}/{name}.json") for name in names if name not in ("raises", "dies"))


def test_a_part_is_given_up_for_its_own_error_and_not_for_the_end_of_its_process(tmp_path: Path) -> None:
    with pytest.raises(TaskError) as raised, LocalEngine(Execution()) as engine:
        engine.run(RunSteps(), [CountOfPart(str(tmp_path), name) for name in ("raises", "leaves", "dies")])

    given_up = {"given-up-raises": 1, "given-up-leaves": 1}
    assert {"raises": 3, "leaves": 3, "dies": 3, **given_up} == attempts(tmp_path)
    assert "dies.json: the worker process died (exit code 9)" in str(raised.value)
    assert not re.search("raises|leaves", str(raised.value))


def test_a_pipeline_that_fails_names_the_error(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="told to"), LocalEngine(Execution()) as engine:
        engine.run(RunSteps(), [Count(str(tmp_path), "raises")])


def test_a_marker_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = str(tmp_path / "m.json")
    storage.write_bytes(path, b'{"fingerprint": "f"')

    assert Marker.read(path) is None
    assert Marker.read(str(tmp_path / "none.json")) is None


def test_views_of_options_are_made_once_and_share_values() -> None:
    options = local._Options(["--runner=FnApiRunner"])
    view = options.view_as(TypeOptions)
    assert view is options.view_as(TypeOptions)
    view.runtime_type_check = True

    assert options.get_all_options()["runtime_type_check"]
    assert options.view_as(TypeOptions).runtime_type_check


def test_a_pipeline_leaves_the_options_as_the_next_one_needs_them() -> None:
    values = []
    for _ in range(3):
        local.run_here(beam.Map(str), [1])
        values.append(local._options().get_all_options())

    assert values[0] == values[1] == values[2]
    assert "FnApiRunner" == values[0]["runner"]
    assert ["beam_fn_api"] == values[0]["experiments"]
