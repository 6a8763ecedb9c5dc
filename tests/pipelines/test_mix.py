"""The mixture as a stage: what is said and stored before anything is written, what is refused, what is counted."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.errors import LimitError, RecipeError
from massivetext.sealed import write_sealed
from massivetext.tokenizers import counter
from pipelines import kept_units
from pipelines import recipe as recipes
from pipelines.engines import Execution
from pipelines.input_splits import Part, find_parts
from pipelines.main import run
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.mixtures import remove_earlier_mixtures
from pipelines.weights import check_weights
from tests.packing.conftest import _train, words
from tests.pipelines.reporter import Lines


class Watching(Lines):
    """Also looks at the mixture's folder when its tasks begin."""

    def __init__(self, output: Path) -> None:
        super().__init__()
        self.output, self.found = output, []

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        if name == "mix":
            self.found = sorted(path.name for path in self.output.glob("mixture/*/*"))
        return lambda task: None


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Two subsets without rules: 60 and 200 documents; a tokenizer of few pieces."""
    for name, n, size in (("books", 60, 300), ("news", 200, 40)):
        lines = [json.dumps({"text": words(size, i)}) for i in range(n)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
    _train(tmp_path / "words.model")
    (tmp_path / "recipe.yaml").write_text(
        "subsets:\n"
        "  books: {sources: [{format: jsonl, path: books.jsonl}], stages: [contamination]}\n"
        "  news: {sources: [{format: jsonl, path: news.jsonl}], stages: [contamination]}\n"
        "tokenizer: words.model\n"
        "mixture: {name: m, weights: {books: 0.6, news: 0.4}, shard_bytes: 20_000}\n",
        "utf-8",
    )
    return tmp_path


def _run(corpus: Path, *settings: str) -> Watching:
    watching = Watching(corpus / "out")
    execution = Execution("FnApiRunner", 1, (), 2048 << 20)
    run(recipes.read(str(corpus / "recipe.yaml"), settings), str(corpus / "out"), execution, watching, update=True)
    return watching


def test_the_plan_is_said_and_stored_before_the_first_shard(corpus: Path) -> None:
    watching = _run(corpus, "mixture.max_epochs=1.5")

    assert ["plan.json"] == watching.found
    folder = corpus / "out" / "mixture" / "m"
    planned, manifest = (json.loads((folder / name).read_text()) for name in ("plan.json", "manifest.json"))
    shards = {path.name: pq.read_table(path) for path in folder.glob("*.parquet")}
    assert planned["shards"] == planned["plan"]["shards"] == len(shards) > 5
    said = next(line.split() for line in watching.lines if line.startswith("news"))
    share = planned["plan"]["shares"][1]
    assert ["news", "0.400", "200", f"{share['available']:,}"] == said[:4]
    assert "0.60 percentage" not in " ".join(watching.lines)
    assert [1, 2] == max(share["repetition"] for share in planned["plan"]["shares"])
    # Counts, digests and tokens of each subset are those of the shards.
    assert set(manifest["files"]) == set(shards)
    sums = {"books": 0, "news": 0}
    times: dict[str, int] = {}
    for name, table in shards.items():
        assert table.num_rows == manifest["files"][name]["rows"]
        held = table.group_by("subset").aggregate([("n_tokens", "sum")]).to_pylist()
        assert {row["subset"]: row["n_tokens_sum"] for row in held} == manifest["files"][name]["tokens"]
        for row in held:
            sums[row["subset"]] += row["n_tokens_sum"]
        for one in table.column("id").to_pylist():
            times[one] = times.get(one, 0) + 1
    assert sums == manifest["counts"]["tokens"]
    assert abs(sums["news"] / sum(sums.values()) - 0.4) < 0.004
    assert max(times.values()) == 2
    assert ("mixture-1", 0, planned["recipe"]) == (manifest["schema"], manifest["seed"], manifest["recipe"])


def test_tokens_are_the_tokenizers_and_are_counted_once(corpus: Path) -> None:
    _run(corpus)
    model = str(corpus / "words.model")

    table = pq.read_table(next((corpus / "out" / "curated" / "books").glob("*.parquet")))
    ledger = pq.read_table(next((corpus / "out" / "ledger" / "books").glob("*.parquet")))
    manifest = json.loads((corpus / "out" / "mixture" / "m" / "manifest.json").read_text())

    counted = counter(model)(table.column("text").combine_chunks())
    assert counted.tolist() == table.column("n_tokens").to_pylist()
    assert np.array_equal(np.sort(counted), np.sort(ledger.column("n_tokens").to_numpy()))
    assert manifest["tokens_by"].startswith("tokenizer ")


def test_without_a_tokenizer_the_count_is_labelled_an_estimate(corpus: Path) -> None:
    watching = _run(corpus, "tokenizer=null")

    planned = json.loads((corpus / "out" / "mixture" / "m" / "plan.json").read_text())
    assert "estimate: bytes / 4" == planned["tokens_by"]
    assert "tokens are estimated as bytes / 4: the recipe names no tokenizer" in watching.lines


def test_texts_that_changed_to_as_many_tokens_are_in_the_mixture(corpus: Path) -> None:
    _run(corpus, "tokenizer=null")
    lines = [json.dumps({"text": words(300, i).upper()}) for i in range(60)]
    (corpus / "books.jsonl").write_text("\n".join(lines), "utf-8")
    _run(corpus, "tokenizer=null")
    shards = [pq.read_table(path) for path in (corpus / "out" / "mixture" / "m").glob("*.parquet")]
    rows = [row for shard in shards for row in shard.select(["subset", "text"]).to_pylist()]

    assert {("books", True), ("news", False)} == {(row["subset"], row["text"].isupper()) for row in rows}


def test_how_many_tasks_go_through_kept_documents_makes_no_difference(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One task here, or one for each file by the engine: the same shards, and nothing left of tasks that are not."""
    sources = f"[{{format: jsonl, path: '{corpus}/news*.jsonl', pack: false}}]"
    settings = (f"subsets.news.sources={sources}", "mixture.max_epochs=1.5")
    lines = (corpus / "news.jsonl").read_text("utf-8").splitlines()
    for number in range(3):
        (corpus / f"news-{number}.jsonl").write_text("\n".join(lines[number::4]), "utf-8")
    (corpus / "news.jsonl").write_text("\n".join(lines[3::4]), "utf-8")
    _run(corpus, *settings)
    before = {path.name: path.read_bytes() for path in (corpus / "out" / "mixture" / "m").iterdir()}
    assert ["000000.npz", "000000.rows"] == sorted(path.name for path in (corpus / "out/work/kept/news").iterdir())
    shutil.rmtree(corpus / "out" / "mixture")

    monkeypatch.setattr(kept_units, "PARTS", 1)
    monkeypatch.setattr(sys.modules["pipelines.mix"], "PARTS", 0)
    _run(corpus, *settings)

    assert before == {path.name: path.read_bytes() for path in (corpus / "out" / "mixture" / "m").iterdir()}
    assert 8 == len(list((corpus / "out/work/kept/news").iterdir()))
    monkeypatch.undo()
    shutil.rmtree(corpus / "out" / "mixture")
    _run(corpus, *settings)
    assert 2 == len(list((corpus / "out/work/kept/news").iterdir()))
    assert before.keys() == {path.name for path in (corpus / "out" / "mixture" / "m").iterdir()}


def test_a_budget_above_the_cap_writes_nothing(corpus: Path) -> None:
    with pytest.raises(LimitError, match="the largest budget under the cap is ") as error:
        _run(corpus, "mixture.tokens=1_000_000_000")

    assert not (corpus / "out" / "mixture").exists()
    largest = int(str(error.value).rsplit(" ", 1)[1].replace(",", ""))
    _run(corpus, f"mixture.tokens={largest}")
    assert list((corpus / "out" / "mixture").rglob("*.parquet"))


def test_a_subset_of_which_nothing_is_kept_is_named(corpus: Path) -> None:
    (corpus / "news.jsonl").write_text("\n", "utf-8")

    with pytest.raises(RecipeError, match="no documents are kept of news; see its ledger for why"):
        _run(corpus)


def test_a_mixture_that_stands_is_known_by_the_manifests_alone(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stands = "mixture m: stands as it was written"
    _run(corpus)
    with monkeypatch.context() as patch:
        patch.setattr(sys.modules["pipelines.mix"], "kept_units", None)  # would raise
        assert stands in _run(corpus).lines

    # Without the note the documents are looked at, and it is made again.
    noted = corpus / "out" / "work" / "done" / "mix" / "m-manifests.json"
    before = noted.read_bytes()
    noted.unlink()
    assert stands in _run(corpus).lines
    assert before == noted.read_bytes()

    # A shard that is not as written is written again, whatever the manifests say.
    shard = next((corpus / "out" / "mixture" / "m").glob("*.parquet"))
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + b"?")
    assert stands not in _run(corpus).lines
    assert data == shard.read_bytes()


# Weights that no pass could meet.


def _two(tmp_path: Path, budget: str, second: str = "b") -> tuple[recipes.Recipe, list[Part]]:
    for name, text in (("a", "a text of five words\n"), ("b", "another text of six words, say\n"), ("empty", "")):
        (tmp_path / f"{name}.txt").write_text(text)
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "subsets:\n"
        f"  books: {{sources: [{{format: lines, path: '{tmp_path}/a.txt'}}], stages: [deduplication]}}\n"
        f"  news: {{sources: [{{format: lines, path: '{tmp_path}/{second}.txt'}}], stages: [deduplication]}}\n"
        f"mixture: {{weights: {{books: 0.9, news: 0.1}}, tokens: {budget}}}\n"
    )
    recipe = recipes.read(str(path))
    return recipe, find_parts(recipe)


def test_a_budget_below_any_document_is_refused_before_the_passes(tmp_path: Path) -> None:
    with pytest.raises(LimitError, match=r"4 tokens leave 0\.4 for news, of weight 0\.1, which is less than any doc"):
        check_weights(*_two(tmp_path, "4"))
    check_weights(*_two(tmp_path, "5"))
    check_weights(*_two(tmp_path, "max"))


def test_a_weighted_subset_of_empty_files_is_refused_before_the_passes(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="all files of news are empty, so no document can have its weight; add files"):
        check_weights(*_two(tmp_path, "max", "empty"))


def test_empty_files_that_share_a_part_are_empty_too(tmp_path: Path) -> None:
    for name in ("empty2", "empty3", "other2"):
        (tmp_path / f"{name}.txt").write_text("")
    with pytest.raises(RecipeError, match="all files of news are empty"):
        check_weights(*_two(tmp_path, "max", "empty*"))
    (tmp_path / "other3.txt").write_text("a text\n")
    check_weights(*_two(tmp_path, "max", "other*"))


def test_an_earlier_mixture_goes_and_nothing_that_is_not_in_its_folder(tmp_path: Path) -> None:
    recipe, _ = _two(tmp_path, "max")
    shard = "shard-00000-of-00001.parquet"
    for name in (f"old/{shard}", f"gopher/{shard}", "old/notes.txt"):
        (tmp_path / "out" / "mixture" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / "mixture" / name).write_text(name)
    files = {name: {} for name in (shard, f"../gopher/{shard}")}
    write_sealed(
        str(tmp_path / "out/mixture/old/manifest.json"), {"kind": "mixture", "files": files, "counts": {"rows": 3}}
    )
    lines: list[str] = []
    remove_earlier_mixtures(Folder(str(tmp_path / "out")), recipe, lines.append)

    assert len(lines) == 1
    assert lines[0].startswith("mixture old: removed, 3 rows in 1 shards")
    names = {str(path.relative_to(tmp_path / "out/mixture")) for path in tmp_path.glob("out/mixture/*/*")}
    assert {f"gopher/{shard}", "old/notes.txt"} == names


def test_the_refusal_leaves_nothing_and_comes_again(tmp_path: Path) -> None:
    """The same command twice: once it called a mixture of no rows finished."""
    _two(tmp_path, "1")
    for _ in range(2):
        arguments = ["run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out")]
        result = CliRunner().invoke(commands, arguments, standalone_mode=False)

        assert isinstance(result.exception, LimitError)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "ranges"),
    [
        ([], []),
        ([5], [(0, 1)]),
        ([3, 3, 3, 1], [(0, 4)]),
        ([3, 3, 4, 1], [(0, 3), (3, 4)]),
        ([4, 4, 4], [(0, 2), (2, 3)]),
        ([2, 11, 2, 2], [(0, 1), (1, 2), (2, 4)]),
        ([0] * 9, [(0, 4), (4, 8), (8, 9)]),
    ],
)
def test_a_task_goes_through_so_many_parts_and_rows_at_most(
    rows: list[int], ranges: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_units, "PARTS", 4)
    monkeypatch.setattr(kept_units, "ROWS", 10)

    assert ranges == list(kept_units._ranges(rows))
