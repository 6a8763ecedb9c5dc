"""One large compressed file as several parts: the rows of the whole file, an index made once, faults included."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to

from massivetext import readers
from massivetext.batches import place_of
from massivetext.readers import members
from pipelines import main
from pipelines.engines.engine import Execution
from pipelines.input_splits import Part, find_parts
from pipelines.member_index import IndexTask, split_at_members, split_here
from pipelines.recipe import Recipe, read
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Isolating, Marker
from pipelines.transforms.read_documents import ReadDocuments
from tests.readers.member_files import archive, json_lines, nested, pages, stored, words

TARGET = 60_000


class Quiet:
    """Notes how many tasks each stage has."""

    def __init__(self) -> None:
        self.tasks: dict[str, int] = {}

    def say(self, line: str, *, is_detail: bool = False) -> None:
        pass

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        self.tasks[name] = self.tasks.get(name, 0) + len(tasks)
        return lambda task: None


def recipe_of(folder: Path, source: str, *, stages: str = "quality") -> Recipe:
    (folder / "recipe.yaml").write_text(
        f"subsets: {{news: {{sources: [{source}], stages: [{stages}]}}}}\n"
        "quality: {word_count: {min: 5}, stop_word_count: {min: 0}, alphabetic_word_fraction: {min: 0}}\n"
        "max_failed: 1\nmixture: {weights: {news: 1.0}}\n",
        "utf-8",
    )
    return read(str(folder / "recipe.yaml"))


def ledger(out: Path) -> list[dict[str, Any]]:
    rows = [row for path in sorted((out / "ledger").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]
    return sorted(rows, key=lambda row: (row["source"], row["offset"]))


def here(tasks: Sequence[IndexTask]) -> list[Marker]:
    """Run tasks in this process."""
    markers = []
    for task in tasks:
        task()
        marker = Marker.read(task.marker)
        assert marker is not None
        assert marker.fingerprint == task.fingerprint
        markers.append(marker)
    return markers


def part_of(batch: pa.RecordBatch) -> str:
    place = place_of(batch)
    assert place is not None
    return place.part


def damaged() -> bytes:
    parts = [gzip.compress(part) for part in json_lines(300)]
    return b"".join(parts[:250]) + parts[250][:700]


@pytest.fixture
def _small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "TARGET_BYTES", TARGET)
    monkeypatch.setattr(members, "_MARGIN", 1 << 14)


@pytest.mark.parametrize(
    ("name", "format", "data", "is_whole"),
    [
        ("a.warc.gz", "warc", lambda: archive(pages(200)), True),
        ("a.jsonl.gz", "jsonl", damaged, False),
    ],
)
def test_the_ledger_of_a_file_is_the_same_whether_it_is_split_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, format: str, data: Callable[[], bytes], is_whole: bool
) -> None:
    (tmp_path / name).write_bytes(data())
    recipe = recipe_of(tmp_path, f"{{format: {format}, path: {name}, pack: false}}")
    stages, before = Quiet(), Quiet()
    unsplit = main.run(recipe, str(tmp_path / "unsplit"), Execution(), before, through="curate")
    monkeypatch.setattr(readers, "TARGET_BYTES", TARGET * 2)
    split = main.run(recipe, str(tmp_path / "split"), Execution(workers=2), stages, through="curate")

    assert ledger(tmp_path / "unsplit") == ledger(tmp_path / "split")
    assert "split" not in before.tasks
    assert 2 == stages.tasks["split"]
    assert 1 < stages.tasks["curate"] == len(list((tmp_path / "split" / "curated" / "news").glob("*.parquet")))
    assert unsplit.counts == split.counts
    assert unsplit.failures == split.failures
    assert is_whole == (not split.failures)

    again = main.run(recipe, str(tmp_path / "split"), Execution(), Quiet(), through="curate")
    assert again.n_done == 0 or not is_whole


def parts_of(tmp_path: Path, name: str, data: bytes, format: str = "warc") -> tuple[Folder, list[Part]]:
    (tmp_path / name).write_bytes(data)
    recipe = recipe_of(tmp_path, f"{{format: {format}, path: {name}, pack: false}}")
    return Folder(str(tmp_path / "out")), find_parts(recipe)


@pytest.mark.usefixtures("_small_ranges")
def test_parts_follow_one_another_and_are_numbered(tmp_path: Path) -> None:
    data = archive(pages(200))
    folder, parts = parts_of(tmp_path, "a.warc.gz", data)
    split = split_at_members(folder, parts, here)

    assert 1 == len(parts)
    assert split == split_here(parts[0])
    assert list(range(len(split))) == [part.split for part in split]
    assert [0, *(part.stop for part in split[:-1])] == [part.start for part in split]
    assert len(data) == split[-1].stop == sum(part.n_bytes for part in split)
    assert len({part.name for part in split}) == len(split) > 3
    assert {parts[0].source} == {part.source for part in split}


@pytest.mark.usefixtures("_small_ranges")
def test_a_stretch_that_began_at_a_false_member_is_scanned_again(tmp_path: Path) -> None:
    data = b"".join(stored(nested() if n % 2 else part) for n, part in enumerate(pages(300)))
    folder, parts = parts_of(tmp_path, "a.warc.gz", data)
    rounds: list[int] = []

    def run(tasks: Sequence[IndexTask]) -> list[Marker]:
        rounds.append(len(tasks))
        return here(tasks)

    split = split_at_members(folder, parts, run)
    records = [
        record
        for part in split
        for record in readers.read_part(part.path, "warc", start=part.start, stop=part.stop, members=part.member_range)
    ]

    assert list(readers.read_part(parts[0].path, "warc", start=0, stop=len(data))) == records
    assert len(split) > 3
    assert 1 == rounds[0]
    assert rounds[2:] in ([], [1])


@pytest.mark.usefixtures("_small_ranges")
def test_small_files_packs_and_formats_without_members_are_left_alone(tmp_path: Path) -> None:
    for n, name in enumerate(("a.txt.gz", "b.txt.gz")):
        (tmp_path / name).write_bytes(gzip.compress(words(n, 20_000).encode()))
    (tmp_path / "c.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}\n'))
    recipe = recipe_of(tmp_path, "{format: text, path: '*.txt.gz', pack: false}, {format: jsonl, path: c.jsonl.gz}")
    parts = find_parts(recipe)

    def never(tasks: Sequence[IndexTask]) -> list[Marker]:
        raise AssertionError("nothing is to be scanned")

    assert parts == split_at_members(Folder(str(tmp_path / "out")), parts, never)


@pytest.mark.usefixtures("_small_ranges")
def test_a_file_written_anew_is_scanned_anew(tmp_path: Path) -> None:
    folder, parts = parts_of(tmp_path, "a.jsonl.gz", archive(json_lines(200)), "jsonl")
    ranges = ((0, 100), (100, 200))
    task = IndexTask(folder, parts[0], ranges, 0)

    assert task.fingerprint != IndexTask(folder, replace(parts[0], stamp=1), ranges, 0).fingerprint
    assert task.fingerprint == IndexTask(folder, replace(parts[0], path="/elsewhere"), ranges, 0).fingerprint
    assert task.marker != IndexTask(folder, parts[0], ranges, 0, 17).marker
    assert 200 == task.weight


@pytest.mark.usefixtures("_small_ranges")
def test_a_file_that_is_gone_stays_one_part(tmp_path: Path) -> None:
    folder, parts = parts_of(tmp_path, "a.warc.gz", archive(pages(200)))
    task = IndexTask(folder, parts[0], ((0, 100),), 0)
    (tmp_path / "a.warc.gz").unlink()

    assert parts == split_at_members(folder, parts, here)
    marker = Marker.read(task.marker)
    assert marker is not None
    assert "a.warc.gz" in marker.failures[0]


@pytest.mark.usefixtures("_small_ranges")
def test_a_file_whose_scan_ends_its_process_stays_one_part(tmp_path: Path) -> None:
    folder, parts = parts_of(tmp_path, "a.warc.gz", archive(pages(200)))

    def run(tasks: Sequence[IndexTask]) -> list[Marker]:
        return here([task.given_up("its process died") for task in tasks])

    assert isinstance(IndexTask(folder, parts[0], ((0, 100),), 0), Isolating)
    assert parts == split_at_members(folder, parts, run)


@pytest.mark.usefixtures("_small_ranges")
def test_a_file_of_one_member_is_scanned_no_further_than_its_first_range(tmp_path: Path) -> None:
    folder, parts = parts_of(tmp_path, "a.jsonl.gz", gzip.compress(b"".join(json_lines(400))), "jsonl")
    scanned: list[int] = []

    def run(tasks: Sequence[IndexTask]) -> list[Marker]:
        scanned.extend(task.number for task in tasks)
        return here(tasks)

    assert parts == split_at_members(folder, parts, run)
    assert [0] == scanned


@pytest.mark.usefixtures("_small_ranges")
def test_a_pipeline_of_ones_own_reads_the_parts_of_a_file(tmp_path: Path) -> None:
    data = archive(json_lines(200))
    (tmp_path / "a.jsonl.gz").write_bytes(data)
    with TestPipeline(runner="FnApiRunner") as pipeline:
        batches = pipeline | ReadDocuments(str(tmp_path / "a.jsonl.gz"), format="jsonl")
        names = batches | beam.Map(part_of) | beam.Distinct() | beam.combiners.Count.Globally()
        offsets = batches | beam.FlatMap(lambda batch: batch.column("offset").to_pylist())
        expected = [
            record.offset for record in readers.read_part(str(tmp_path / "a.jsonl.gz"), "jsonl", start=0, stop=0)
        ]
        assert_that(offsets, equal_to(expected))
        assert_that(names, lambda counts: counts[0] > 3 or pytest.fail(str(counts)), label="Parts")
