"""Commands that look into a folder import no code that its recipe names, unless they are given --trust."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from massivetext import foreign_code, readers
from massivetext.cli import commands
from massivetext.errors import RecipeError
from massivetext.run_recipe import recipe_file
from pipelines.recipe import read
from pipelines.run_folder.folder import Folder
from pipelines.stages import functions
from tests.looking.test_diff import write_run

_CODE = """
import os

import pyarrow as pa

if os.path.exists({armed!r}):
    with open({trap!r}, "a") as trap:
        trap.write("imported ")


def rule(texts):
    return pa.array([1.0] * len(texts))


def score(batch):
    return pa.array([1.0] * batch.num_rows)


def engine(page, url=None, content_type=None):
    return ""


def reader(stream, start, stop, source, options, counts):
    yield from ()
"""

_RECIPE = """
subsets:
  c4:
    sources: [{format: "./mine.py:reader", path: "x"}]
    stages: [extraction, quality, rules, scores]
extraction: {engine: "./mine.py:engine"}
rules: {own: {function: "./mine.py:rule", max: 3}}
scores: {mark: {function: "./mine.py:score", min: 0}}
mixture: {weights: {c4: 1}}
"""


def _forget() -> None:
    """Make the next use of the user's file import it again, as another process would."""
    functions._module.cache_clear()
    readers._get.cache_clear()
    for name in [name for name in sys.modules if name.startswith("massivetext_own_")]:
        del sys.modules[name]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two runs whose recipe names code in four places; from now on importing it leaves `trap`."""
    (tmp_path / "x").write_text("x\n")
    (tmp_path / "mine.py").write_text(_CODE.format(armed=str(tmp_path / "armed"), trap=str(tmp_path / "trap")))
    (tmp_path / "recipe.yaml").write_text(_RECIPE)
    recipe = read(str(tmp_path / "recipe.yaml"))
    row = {"id": "a" * 32, "source": "x", "outcome": "kept", "own": 1.0, "mark": 1.0, "word_count": 60}
    for name in ("one", "two"):
        write_run(tmp_path / name, recipe, {"part-0": [row]})
        data = {"digest": recipe.digest(), "canonical": recipe.canonical(), "recipe": recipe.resolved(), "versions": {}}
        (tmp_path / name / "recipe.yaml").write_bytes(recipe_file(data))
    (tmp_path / "armed").touch()
    _forget()
    return tmp_path


_COMMANDS = [
    ["explain", "one", "a" * 32],
    ["what-if", "one", "--set", "quality.word_count.min=70"],
    ["what-if", "one", "--recipe", "one/recipe.yaml", "--set", "rules.own.max=0"],
    ["diff", "one", "two"],
    ["report", "one", "--output", "page.html"],
    ["verify", "one"],
    ["inspect", "one"],
]


@pytest.mark.parametrize("arguments", _COMMANDS, ids=" ".join)
def test_looking_imports_nothing(runs: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    result = CliRunner().invoke(commands, arguments)

    assert result.exit_code == 0 or arguments[0] == "verify", result.output
    assert not (runs / "trap").exists()
    assert not foreign_code.is_code_refused()


def test_trust_imports_it(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    result = CliRunner().invoke(commands, ["explain", "one", "a" * 32, "--trust"])

    assert 0 == result.exit_code, result.output
    assert (runs / "trap").exists()


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_the_recipe_of_a_folder_is_not_the_users(runs: Path, command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs)
    refused = CliRunner().invoke(commands, [command, "one/recipe.yaml"])

    assert isinstance(refused.exception, RecipeError)
    assert "--trust" in str(refused.exception)
    assert not (runs / "trap").exists()
    if command == "validate":
        for arguments in (["recipe.yaml"], ["one/recipe.yaml", "--trust"]):
            _forget()
            (runs / "trap").unlink(missing_ok=True)

            assert 0 == CliRunner().invoke(commands, [command, *arguments]).exit_code
            assert (runs / "trap").exists()


def test_a_folder_outlives_its_code(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the code the folder can still be looked into, and documents be removed."""
    (runs / "mine.py").unlink()
    monkeypatch.chdir(runs)
    folder = Folder("one")

    assert "engine" in folder.recipe().extraction.engine
    assert 32 == len(folder.recipe_digest())
    assert 0 == CliRunner().invoke(commands, ["explain", "one", "a" * 32]).exit_code


def test_refusals_nest() -> None:
    with foreign_code.code_refused():
        with foreign_code.code_refused():
            pass

        assert foreign_code.is_code_refused()
    assert not foreign_code.is_code_refused()
