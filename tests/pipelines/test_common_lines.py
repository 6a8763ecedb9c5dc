"""`common_lines` in a run: lines that stand on many pages of a host are out of the text before it is measured."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from filters.common_lines import common_lines, page_lines, remove_lines
from massivetext.batches import from_records
from massivetext.cli import commands
from massivetext.errors import OutputError
from massivetext.looking.verification import verify
from pipelines.recipe import ledger_schema
from pipelines.run_folder.folder import Folder
from pipelines.stages.common_lines import CommonLines
from pipelines.transforms import hash_tasks
from tests.pipelines.test_spans import digests, rows

STAGES = ["common_lines", "quality", "deduplication"]


def pages() -> list[dict[str, str]]:
    """24 pages of two hosts of which each has two lines of its own, a menu, and a notice on every second page."""
    notices = ["", "\n\nA notice of {host}."]
    return [
        {
            "text": f"Menu of {host}\n\nThe {i}th page of {host} has that to say.\nAnd number {i}, too, is here."
            + notices[i % 2].format(host=host),
            "url": f"http://{host}.example/{i}",
        }
        for i in range(12)
        for host in ("a", "b")
    ]


def write(base: Path, texts: list[dict[str, str]], name: str) -> None:
    (base / name).write_text("".join(json.dumps(row) + "\n" for row in texts), "utf-8")


def run(base: Path, output: str, *options: str, max_pages: int = 6) -> str:
    source = {"format": "jsonl", "path": "in-*.jsonl", "pack": False}
    data = {
        "subsets": {"c4": {"sources": [source], "stages": STAGES}},
        "common_lines": {"max_pages": max_pages},
        "quality": {"word_count": {"min": 15}},
        "mixture": {"weights": {"c4": 1.0}},
    }
    (base / "recipe.yaml").write_text(yaml.safe_dump(data), "utf-8")
    arguments = ["run", str(base / "recipe.yaml"), "--output", str(base / output), *options]
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return result.output


def texts(folder: Path) -> dict[str, str]:
    paths = sorted([*(folder / "curated").rglob("*.parquet"), *(folder / "rejected").rglob("*.parquet")])
    return {row["url"]: row["text"] for path in paths for row in pq.read_table(path).to_pylist()}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("common")
    for number in range(3):
        write(base, pages()[number::3], f"in-{number}.jsonl")
    run(base, "one", "--quiet")
    return base


def test_the_text_and_the_ledger_are_those_of_the_function(base: Path) -> None:
    own = pages()
    columns = [pa.array([row[name] for row in own], pa.large_string()) for name in ("text", "url")]
    result = remove_lines(*columns, common_lines(page_lines(*columns), 6))
    ledger = {row["url"]: row for row in rows(base / "one")}

    assert dict(zip(columns[1].to_pylist(), result.texts.to_pylist())) == texts(base / "one")
    # The menu stands on twelve pages of each host, the notice on six: only one of them is over the limit.
    assert {1} == {row["common_lines"] for row in ledger.values()} == set(result.lines.tolist())
    assert {len("Menu of a")} == {row["common_line_characters"] for row in ledger.values()}
    # Words are counted in what remains.
    assert {15, 19} == {row["word_count"] for row in ledger.values()}
    assert {"kept"} == {row["outcome"] for row in ledger.values()}
    assert [] == verify(str(base / "one"))[0]
    explained = CliRunner().invoke(commands, ["explain", str(base / "one"), ledger["http://a.example/1"]["id"]])
    assert "common_lines\n    common_lines 1\n    common_line_characters 9\n" in explained.output


def test_workers_and_partitions_make_no_difference(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(base, "two", "--quiet", "--workers", "2")
    monkeypatch.setattr(hash_tasks, "PARTITION_BYTES", 1 << 11)
    run(base, "many", "--quiet")

    assert digests(base / "one") == digests(base / "two") == digests(base / "many")
    assert {"values"} == {path.parent.name for path in (base / "many/work/common_lines").rglob("*") if path.is_file()}
    assert "nothing was done" in run(base, "two")


def test_another_limit_and_new_files_change_only_what_they_touch(base: Path) -> None:
    run(base, "later", "--quiet")
    lines = {path: path.stat().st_mtime_ns for path in (base / "later/work/page_lines").rglob("*.parquet")}
    output = run(base, "later", "--update", max_pages=5)
    assert "curate, for common_lines.max_pages: 6 -> 5" in " ".join(output.split())
    assert lines == {path: path.stat().st_mtime_ns for path in lines}
    assert {1, 2} == {row["common_lines"] for row in rows(base / "later")}

    run(base, "later", "--update", "--quiet")
    assert digests(base / "one") == digests(base / "later")
    # A seventh notice of host a makes it common there, in all files.
    write(base, [{"text": "A notice of a.\n" + "own " * 15, "url": "http://a.example/99"}], "in-9.jsonl")
    run(base, "later", "--quiet")
    (base / "in-9.jsonl").unlink()
    n_lines = {row["url"]: row["common_lines"] for row in rows(base / "later")}
    assert (2, 1, 1, 1) == tuple(
        n_lines[f"http://{name}"] for name in ("a.example/1", "a.example/2", "b.example/1", "a.example/99")
    )


def test_only_a_ledger_whose_subsets_name_the_stage_has_its_columns(base: Path) -> None:
    recipe = Folder(str(base / "one")).recipe()
    without = recipe.model_copy(
        update={"subsets": {"c4": recipe.subsets["c4"].model_copy(update={"stages": ["quality"]})}}
    )

    difference = set(ledger_schema(recipe).names) - set(ledger_schema(without).names)
    assert {"common_lines", "common_line_characters"} == difference


def test_batches_outside_a_run_are_refused_in_words() -> None:
    with pytest.raises(OutputError, match="call filters"):
        CommonLines().apply(from_records([], hash_tasks.Place("c4", "x", "x")))
