"""The output folder: whose recipe it holds, by which path it is named, and its lock."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from massivetext import storage
from massivetext.cli import commands
from massivetext.errors import OutputError
from massivetext.looking.verification import verify
from massivetext.run_recipe import read_recipe_file, recipe_file
from pipelines.recipe import read
from pipelines.run_folder import folder as folders
from pipelines.run_folder.folder import Folder
from tests.pipelines.run_folder.test_rerun import corpus, digests, run

__all__ = ["corpus"]


def test_the_recipe_of_a_folder_is_written_once(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It states the versions by which the output was made, and a later run of other versions makes none of it anew."""
    recipe, folder = read(str(corpus / "recipe.yaml")), Folder(str(corpus / "adopted"))
    folder.adopt(recipe, update=False)
    first = (corpus / "adopted" / "recipe.yaml").read_bytes()
    monkeypatch.setattr(folders, "__version__", "0.0.0")

    assert [] == folder.adopt(recipe, update=False)
    assert first == (corpus / "adopted" / "recipe.yaml").read_bytes()


@pytest.mark.parametrize("key", ["stages", "limits", "limits_by_language"])
def test_the_recipe_of_an_earlier_version_is_completed(corpus: Path, key: str) -> None:
    recipe, folder = read(str(corpus / "recipe.yaml")), Folder(str(corpus / "adopted"))
    folder.adopt(recipe, update=False)
    path = corpus / "adopted" / "recipe.yaml"
    first = path.read_bytes()
    data = yaml.safe_load(first)
    del data[key]
    path.write_bytes(recipe_file(data))
    folder.adopt(recipe, update=False)

    assert key in read_recipe_file(path.read_bytes())
    assert first == path.read_bytes()


def test_a_folder_named_by_a_url_of_this_machine(corpus: Path) -> None:
    run(corpus, "out")
    assert str(corpus / "a b") == Folder(f"file://{corpus}/a%20b").root
    url = f"file://{corpus}/by%20url"
    result = CliRunner().invoke(commands, ["run", str(corpus / "recipe.yaml"), "--output", url, "--log-json"])
    assert 0 == result.exit_code, result.output

    assert digests(corpus / "out") == digests(corpus / "by url")
    assert [] == verify(url)[0]


@pytest.mark.parametrize("name", ["", "file://"])
def test_a_folder_without_a_name_is_none(name: str) -> None:
    with pytest.raises(OutputError, match="has an empty name"):
        Folder(name).claim()


def test_recipes_and_folders_may_be_paths(corpus: Path) -> None:
    path: Any = corpus

    assert read(path / "recipe.yaml").digest() == read(str(path / "recipe.yaml")).digest()
    assert str(corpus) == Folder(path).root


def test_a_lock_that_its_last_holder_removed_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is opened, then removed by the process that had it, then locked."""
    folder, lock = Folder(str(tmp_path)), tmp_path / "work" / "lock"
    opened: list[str] = []
    open_lock = storage.open_lock

    def late(path: str):  # -> IO[str]
        stream = open_lock(path)
        if not opened:
            lock.unlink()
            lock.parent.rmdir()
        opened.append(path)
        return stream

    monkeypatch.setattr(storage, "open_lock", late)
    with folder.lock():
        assert 2 == len(opened)
        assert lock.read_text().startswith("process ")
