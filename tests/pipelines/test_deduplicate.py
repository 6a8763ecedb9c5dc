"""Deduplication on a Beam runner: the same files by one worker, by two, and through the runner's own shuffle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from massivetext.cli.index import index
from massivetext.dedup import Options
from massivetext.errors import OutputError, RecipeError
from pipelines import deduplicate as stage
from pipelines.execution import Execution, Workers
from pipelines.folder import Folder
from pipelines.recipe import Recipe, read
from tests.dedup.corpus import ids_of, removed, write_part

ONE = Execution()
DEFAULT = Options()


@pytest.fixture(scope="module")
def licences(shared_data: Path) -> list[str]:
    lines = (shared_data / "licences/spdx-728.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line)["text"] for line in lines]


def recipe_of(tmp_path: Path, deduplication: dict | None = None, subsets: tuple[str, ...] = ("news",)) -> Recipe:
    (tmp_path / "in.txt").write_text("unused")
    blocks = {
        name: {"sources": [{"format": "text", "path": "in.txt"}], "stages": ["deduplication"]} for name in subsets
    }
    data = {"subsets": blocks, "deduplication": deduplication or {}, "mixture": {"weights": {"news": 1.0}}}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(data))
    return read(str(path))


def run(folder: Path, recipe: Recipe, execution: Execution = ONE) -> dict[str, dict[str, int]]:
    with Workers(execution) as workers:
        return stage.deduplicate(Folder(str(folder)), recipe, workers)


def digests(folder: Path) -> dict[str, str]:
    below = folder / "work/duplicates"
    return {str(path.relative_to(below)): hashlib.sha256(path.read_bytes()).hexdigest() for path in below.rglob("*.p*")}


def fill(folder: Path, texts: list[str], ids: list[str], options: Options = DEFAULT, n: int = 3) -> None:
    for i in range(n):
        write_part(folder, f"part-{i}", texts[i::n], ids[i::n], options=options)


def test_workers_and_shuffle_make_no_difference(tmp_path: Path, licences: list[str]) -> None:
    ids = ids_of(len(licences))
    recipe = recipe_of(tmp_path)
    for name in ("one", "two", "shuffled"):
        fill(tmp_path / name, licences, ids)
    run(tmp_path / "one", recipe)
    run(tmp_path / "two", recipe, Execution(workers=2))
    (scope,) = stage.scopes(Folder(str(tmp_path / "shuffled")), recipe, 3 << 20)
    with Workers(ONE) as workers:
        counts = stage.run_scope(scope, workers, through_engine=True)

    assert digests(tmp_path / "one") == digests(tmp_path / "two") == digests(tmp_path / "shuffled")
    assert len(digests(tmp_path / "one")) == 3
    assert counts["documents"] == len(licences)
    assert counts["duplicate.near"] + counts["duplicate.exact"] == len(removed(tmp_path / "one")) > 50


def test_done_is_not_done_again(tmp_path: Path, licences: list[str]) -> None:
    recipe = recipe_of(tmp_path)
    fill(tmp_path, licences[:30], ids_of(30))
    first = run(tmp_path, recipe)
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "work/duplicates").rglob("*.parquet")}

    assert run(tmp_path, recipe) == first
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps


def test_against_an_index_is_as_one_run_over_both(tmp_path: Path, licences: list[str]) -> None:
    """The first crawl has precedence in one run by being a preferred subset, in two by being an index."""
    half = len(licences) // 2
    ids = ids_of(len(licences))
    first, second, both = tmp_path / "first", tmp_path / "second", tmp_path / "both"
    recipe = recipe_of(tmp_path)
    fill(first, licences[:half], ids[:half])
    run(first, recipe)
    Folder(str(first)).adopt(recipe, update=False)
    outcome = CliRunner().invoke(index, [str(first)], catch_exceptions=False)
    n_kept = half - len(removed(first))

    assert outcome.exit_code == 0
    assert f"news: {n_kept:,} documents indexed" in outcome.output
    fill(second, licences[half:], ids[half:])
    run(second, recipe_of(tmp_path, {"against": [str(first)]}))
    write_part(both, "old", licences[:half], ids[:half], subset="c4")
    write_part(both, "new", licences[half:], ids[half:], subset="news")
    run(both, recipe_of(tmp_path, {"across": ["c4", "news"]}, ("c4", "news")))

    assert removed(both) == {**removed(first), **removed(second)}
    assert {row[1] for row in removed(second).values()} & set(ids[:half])


def test_no_index_there(tmp_path: Path, licences: list[str]) -> None:
    fill(tmp_path, licences[:3], ids_of(3))
    with pytest.raises(OutputError, match="holds no index"):
        run(tmp_path, recipe_of(tmp_path, {"against": [str(tmp_path)]}))
    with pytest.raises(RecipeError, match="across\\.0: 'pages'"):
        run(tmp_path, recipe_of(tmp_path, {"across": ["pages"]}))
