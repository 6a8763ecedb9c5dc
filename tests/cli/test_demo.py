"""`massivetext demo` beside what a user has already."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.in_process import massivetext

RECIPE = (
    "subsets: {c4: {sources: [{format: text, path: a.txt}], stages: [deduplication]}}\nmixture: {weights: {c4: 1.0}}\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "recipe.yaml").write_text(RECIPE, "utf-8")
    (tmp_path / "a.txt").write_text("a text of a few words", "utf-8")
    return tmp_path


def test_a_run_of_another_recipe_is_not_written_over(folder: Path) -> None:
    done = massivetext("run", str(folder / "recipe.yaml"), "--output", str(folder / "out"), "--quiet")
    assert 0 == done.returncode, done.stderr
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}

    done = massivetext("demo", "--output", str(folder))

    assert 1 == done.returncode
    assert "holds another run than the demo's; give another --output" in done.stderr
    assert before == {path: path.stat().st_mtime_ns for path in (folder / "out").rglob("*")}
    assert not (folder / "corpus").exists()


def test_a_recipe_of_somebody_else_is_not_run(folder: Path) -> None:
    (folder / "corpus").mkdir()
    (folder / "recipe.yaml").rename(folder / "corpus" / "recipe.yaml")

    done = massivetext("demo", "--output", str(folder))

    assert 1 == done.returncode
    assert "is no recipe of `massivetext demo`" in done.stderr
    assert ["recipe.yaml"] == [path.name for path in (folder / "corpus").iterdir()]
