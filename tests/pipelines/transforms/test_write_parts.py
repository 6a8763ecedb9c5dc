"""Parts are the same bytes whether a runner fuses the chain or cuts it to pieces."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline

import pipelines
from massivetext.errors import OutputError
from pipelines.input_splits import find_parts
from pipelines.recipe import Recipe, read
from pipelines.run_folder.fingerprints import part_tasks
from pipelines.run_folder.folder import Folder
from pipelines.transforms import read_documents
from pipelines.transforms.write_parts import Piece, WriteParts, _MergePieces, _WritePieces


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    monkeypatch.setattr(read_documents, "BATCH_RECORDS", 7)
    for n in range(2):
        texts = [f"the tale of {n} {i} and of what became of the people in it {'very ' * i}" for i in range(40)]
        (tmp_path / f"in-{n}.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in texts), "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "subsets:\n"
        "  c4: {sources: [{format: jsonl, path: 'in-*.jsonl', pack: false}], stages: [quality, deduplication]}\n"
        "quality: {word_count: {min: 20}, stop_word_count: {min: 0}}\nmixture: {weights: {c4: 1.0}}\n",
        "utf-8",
    )
    return read(str(tmp_path / "recipe.yaml"))


def write(folder: Path, recipe: Recipe, *between: beam.PTransform) -> dict[str, str]:
    tasks = part_tasks(Folder(str(folder)), recipe, find_parts(recipe))
    with TestPipeline(runner="FnApiRunner") as pipeline:
        batches = pipeline | beam.Create(tasks, reshuffle=False) | pipelines.ReadDocuments()
        batches = batches | pipelines.CountTokens() | pipelines.MeasureText() | pipelines.Judge.of(recipe)
        for n, transform in enumerate(between):
            batches = batches | f"Between{n}" >> transform
        _ = batches | WriteParts(str(folder), recipe)
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in ("curated", "rejected", "work/ledger", "work/evidence")
        for path in sorted((folder / kind).rglob("*.parquet"))
    }


def test_a_shuffle_in_the_chain_changes_no_byte(tmp_path: Path, recipe: Recipe) -> None:
    fused = write(tmp_path / "fused", recipe)
    shuffled = write(tmp_path / "shuffled", recipe, beam.Reshuffle())

    assert 8 == len(fused)
    assert fused == shuffled
    assert [] == list((tmp_path / "shuffled" / "work" / "pieces").rglob("*.parquet"))
    markers = sorted(path.name for path in (tmp_path / "shuffled" / "work" / "done" / "curate").rglob("*.json"))
    assert 2 == len(markers)


def test_pieces_in_any_order_are_merged_in_the_order_of_batches(tmp_path: Path, recipe: Recipe) -> None:
    whole = write(tmp_path / "whole", recipe)
    folder = Folder(str(tmp_path / "pieces"))
    writer = _WritePieces(folder, WriteParts(folder, recipe).layout)
    merger = _MergePieces(folder, writer.layout)
    for task in part_tasks(folder, recipe, find_parts(recipe)):
        batches = list(_chain(task, recipe))
        pieces: dict[str, list[Piece]] = {}
        for bundle in (batches[4:], batches[2:4], batches[:2]):  # the end comes first
            writer.setup()
            writer.start_bundle()
            described = [pair for batch in bundle for pair in writer.process(batch)]
            described += [value.value for value in writer.finish_bundle()]
            for key, piece in described:
                pieces.setdefault(key, []).append(piece)
        for element in pieces.items():
            assert [3] == [len(element[1])]
            list(merger.process(element))
    found = {
        str(path.relative_to(tmp_path / "pieces")): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((tmp_path / "pieces").rglob("*.parquet"))
    }

    assert whole == found


def _chain(task, recipe):
    from pipelines.transforms.documents import count_tokens, measure_text
    from pipelines.transforms.judge import judge

    stages = [recipe.stage("c4", "quality")]
    for batch in read_documents.read_documents(task):
        yield judge(measure_text(count_tokens(batch)), stages) if batch.num_rows else batch


def test_a_piece_that_is_missing_is_an_error(tmp_path: Path, recipe: Recipe) -> None:
    folder = Folder(str(tmp_path / "out"))
    merger = _MergePieces(folder, WriteParts(folder, recipe).layout)

    with pytest.raises(OutputError, match=r"batches are missing or came twice: 3-5"):
        list(merger.process(("c4/part-0", [Piece("part-0", 3, 5)])))
