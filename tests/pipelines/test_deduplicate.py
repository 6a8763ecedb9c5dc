"""Deduplication on a Beam runner: the same files by one worker, by two, and through the runner's own shuffle."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from massivetext.cli.index import index
from massivetext.dedup import Options
from massivetext.dedup.packing import is_large
from massivetext.dedup.phases import run_here
from massivetext.errors import RecipeError
from pipelines import deduplicate as stage
from pipelines.engines import Execution, open_engine
from pipelines.engines.beam_runner import BeamEngine
from pipelines.recipe import Recipe, read
from pipelines.run_folder.folder import Folder
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
    with open_engine(execution) as engine:
        return stage.deduplicate(Folder(str(folder)), recipe, engine)


def digests(folder: Path) -> dict[str, str]:
    below = folder / "work/duplicates"
    return {str(path.relative_to(below)): hashlib.sha256(path.read_bytes()).hexdigest() for path in below.rglob("*.p*")}


def fill(folder: Path, texts: list[str], ids: list[str], options: Options = DEFAULT, n: int = 3) -> None:
    for i in range(n):
        write_part(folder, f"part-{i:016x}-00000", texts[i::n], ids[i::n], options=options)


def test_workers_and_shuffle_make_no_difference(tmp_path: Path, licences: list[str]) -> None:
    ids = ids_of(len(licences))
    recipe = recipe_of(tmp_path)
    for name in ("one", "two", "shuffled"):
        fill(tmp_path / name, licences, ids)
    run(tmp_path / "one", recipe)
    run(tmp_path / "two", recipe, Execution(workers=2))
    (scope,) = stage.scopes(Folder(str(tmp_path / "shuffled")), recipe, 3 << 20)
    counts = stage.run_scope(scope, BeamEngine(ONE))

    assert digests(tmp_path / "one") == digests(tmp_path / "two") == digests(tmp_path / "shuffled")
    assert len(digests(tmp_path / "one")) == 3
    assert counts["documents"] == len(licences)
    assert counts["duplicate.near"] + counts["duplicate.exact"] == len(removed(tmp_path / "one")) > 50


def test_a_component_beyond_memory_through_the_shuffle(tmp_path: Path) -> None:
    words = [f"w{i}" for i in range(700)]
    chain = [" ".join(words[i : i + 30]) for i in range(600)]
    recipe = recipe_of(tmp_path)
    for name in ("files", "shuffled"):
        fill(tmp_path / name, chain, ids_of(600))
    (by_files,) = stage.scopes(Folder(str(tmp_path / "files")), recipe, 1 << 28)
    (shuffled,) = stage.scopes(Folder(str(tmp_path / "shuffled")), recipe, 1 << 16)
    run_here(by_files)
    counts = stage.run_scope(shuffled, BeamEngine(ONE))

    assert counts["max_largest_component"] == 600
    assert is_large(shuffled, 600)
    assert digests(tmp_path / "files") == digests(tmp_path / "shuffled")


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
    write_part(both, f"part-{0:016x}-00000", licences[:half], ids[:half], subset="c4")
    write_part(both, f"part-{1:016x}-00000", licences[half:], ids[half:], subset="news")
    run(both, recipe_of(tmp_path, {"across": ["c4", "news"]}, ("c4", "news")))

    assert removed(both) == {**removed(first), **removed(second)}
    assert {row[1] for row in removed(second).values()} & set(ids[:half])


def test_no_index_there(tmp_path: Path, licences: list[str]) -> None:
    fill(tmp_path, licences[:3], ids_of(3))
    with pytest.raises(RecipeError, match=r"deduplication\.against\.0: .* holds no index"):
        run(tmp_path, recipe_of(tmp_path, {"against": [str(tmp_path)]}))
    with pytest.raises(RecipeError, match="across\\.0: 'pages'"):
        run(tmp_path, recipe_of(tmp_path, {"across": ["pages"]}))


def write_jsonl(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


def command(*arguments: str) -> str:
    from massivetext.cli import commands

    outcome = CliRunner().invoke(commands, list(arguments), catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def verdicts(folder: Path) -> dict[str, tuple[str, str | None, str | None]]:
    return {
        row["id"]: (row["outcome"], row["reason"], row["partner_id"])
        for path in sorted((folder / "ledger").rglob("*.parquet"))
        for row in pq.read_table(path).to_pylist()
    }


def test_a_second_crawl_from_the_command_line(tmp_path: Path, licences: list[str]) -> None:
    """Two crawls, the second against the index of the first, have the ids and the verdicts of one run over both in
    which the first has precedence: here by keeping the first source."""
    rows = [{"text": text} for text in [*licences[:240:2], *licences[1:240:2]]]
    write_jsonl(tmp_path / "crawl/1.jsonl", rows[:120])
    write_jsonl(tmp_path / "crawl/2.jsonl", rows[120:])

    def recipe(name: str, pattern: str, **deduplication: object) -> str:
        block = {"sources": [{"format": "jsonl", "path": pattern}], "stages": ["deduplication"]}
        data = {
            "subsets": {"news": block},
            "deduplication": {"keep": "first", **deduplication},
            "mixture": {"weights": {"news": 1.0}},
        }
        (tmp_path / name).write_text(yaml.safe_dump(data))
        return str(tmp_path / name)

    def curate(name: str, *arguments: str) -> dict[str, tuple[str, str | None, str | None]]:
        command("deduplicate", *arguments, "--output", str(tmp_path / name), "--quiet")
        return verdicts(tmp_path / name)

    first = curate("first", recipe("first.yaml", "crawl/[1].jsonl"))
    assert f"{sum(row[0] == 'kept' for row in first.values()):,} documents indexed" in command(
        "index", str(tmp_path / "first")
    )
    second = curate("second", recipe("second.yaml", "crawl/[2].jsonl", against=["first"]))
    both = curate("both", recipe("both.yaml", "crawl/[12].jsonl"))

    assert both == {**first, **second}
    assert sum(row[2] in first for row in second.values()) > 5

    account = json.loads((tmp_path / "second/report/deduplication.json").read_text())["scopes"]["news"]
    assert (account["bands"], account["rows"], account["recall"]) == (20, 6, 0.99)
    assert [0.8, pytest.approx(0.99771119)] in account["curve"]
    near = sum(row[1] == "duplicate.near" for row in second.values())
    assert near == sum(bin_["removed"] for bin_ in account["removed_by_jaccard"]) == account["counts"]["duplicate.near"]
    assert account["counts"]["documents"] == 120

    # Against the index only: what the second crawl has twice stays twice.
    only = curate("only", recipe("only.yaml", "crawl/[2].jsonl", against=["first"], only_against=True))
    kept = {name for name, row in second.items() if row[0] == "kept"}
    assert kept < {name for name, row in only.items() if row[0] == "kept"}
    assert {row[2] for row in only.values()} - {None} <= {name for name, row in first.items() if row[0] == "kept"}


def test_groups_with_samples(tmp_path: Path) -> None:
    words = [f"w{i}" for i in range(80)]
    rows = [{"text": text} for text in [" ".join(words)] * 3 + [" ".join([*words, "more"]), "something else"]]
    write_jsonl(tmp_path / "in.jsonl", rows)
    block = {"sources": [{"format": "jsonl", "path": "in.jsonl"}], "stages": ["deduplication"]}
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump({"subsets": {"news": block}, "mixture": {"weights": {"news": 1.0}}}))
    command("deduplicate", str(path), "--output", str(tmp_path / "out"))

    shown = command("inspect", str(tmp_path / "out"), "--duplicates")
    assert "1 group: 3 documents removed in favour of 1 document" in shown
    assert "4 documents: " in shown
    assert "w0 w1 w2" in shown
    (group,) = map(json.loads, command("inspect", str(tmp_path / "out"), "--duplicates", "--json").splitlines())
    assert group["kept"]["text"].startswith("w0 w1")
    assert len(group["samples"]) == 2
    removed_rows = {name: row for name, row in verdicts(tmp_path / "out").items() if row[0] == "duplicate"}
    for sample in group["samples"]:
        assert removed_rows[sample["id"]][1:] == (sample["reason"], group["kept"]["id"])
        assert sample["text"].startswith("w0 w1")


def test_teams_of_subsets_must_fit(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("unused")
    source = [{"format": "text", "path": "in.txt"}]
    path = tmp_path / "recipe.yaml"

    def scopes(**subsets: dict) -> None:
        data = {"subsets": subsets, "deduplication": {"across": ["c4", "news"]}, "mixture": {"weights": {"news": 1.0}}}
        path.write_text(yaml.safe_dump(data))
        stage.scopes(Folder(str(tmp_path)), read(str(path)), 1 << 28)

    through = {"sources": source, "stages": ["deduplication"]}
    scopes(c4=through, news=through)
    with pytest.raises(RecipeError, match="'c4' has no stage `deduplication`"):
        scopes(c4={"sources": source, "stages": ["quality"]}, news=through)
    with pytest.raises(RecipeError, match=r"subsets\.news\.deduplication: threshold 0\.9"):
        scopes(c4=through, news={**through, "deduplication": {"threshold": 0.9}})
    with pytest.raises(RecipeError, match="only_against is set"):
        recipe_of(tmp_path, {"only_against": True})
