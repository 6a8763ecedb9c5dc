"""Which test items stand in a finished mixture."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.contamination import TestSets
from massivetext.contamination.audit import audit_shards, shards_of
from massivetext.errors import OutputError
from tests.contamination.test_testsets import numbers


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    documents = [
        ("a", f"start {numbers(0, 20)} end"),
        ("b", numbers(500, 60)),
        ("c", f"{numbers(40, 9)} and {numbers(0, 20)}"),
        ("d", numbers(100, 12)),
    ]
    folder = tmp_path / "mixture" / "main"
    folder.mkdir(parents=True)
    for shard in range(2):
        rows = documents[2 * shard : 2 * shard + 2]
        table = pa.table({"id": [r[0] for r in rows], "text": pa.array([r[1] for r in rows], pa.large_string())})
        pq.write_table(table, folder / f"shard-{shard:05}-of-00002.parquet")
    items = [numbers(0, 20), numbers(40, 9), numbers(300, 30), "too short", numbers(96, 20)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps({"q": i, "n": k}) + "\n" for k, i in enumerate(items)))
    return tmp_path


def test_report_and_clean_subset(mixture: Path):
    arguments = ["audit", str(mixture), "--testset", str(mixture / "items.jsonl"), "--text", "{q}", "--json"]
    clean = mixture / "clean.jsonl"
    result = CliRunner().invoke(commands, [*arguments, "--clean", str(clean), "--report", str(mixture / "r.json")])

    assert result.exit_code == 0, result.output
    report = json.loads(result.output)
    (found,) = report["test_sets"]
    assert {name: found[name] for name in ("items", "items_too_short", "items_searched", "items_hit", "documents")} == {
        "items": 5, "items_too_short": 1, "items_searched": 4, "items_hit": 2, "documents": 2,
    }  # fmt: skip
    assert found["share"] == 0.5
    assert found["samples"][0] == {"item": 0, "id": "a", "containment": 1.0, "text": numbers(0, 20)}
    assert [json.loads(line)["n"] for line in clean.read_text().splitlines()] == [2, 3, 4]
    assert json.loads((mixture / "r.json").read_text()) == report


def test_printed_report(mixture: Path):
    arguments = ["audit", str(mixture), "--testset", str(mixture / "items.jsonl"), "--text", "{q}"]
    result = CliRunner().invoke(commands, arguments)

    assert "items: 2 of 4 items searched for stand in 2 of 4 rows (50.00%)" in result.output


def test_any_number_of_workers(mixture: Path):
    path = mixture / "plain.jsonl"
    path.write_text("".join(json.dumps({"text": numbers(10 * i, 15)}) + "\n" for i in range(6)))
    testsets = TestSets.read([str(path)])
    shards = shards_of(str(mixture))
    one, two = (audit_shards(testsets, shards, workers=workers) for workers in (1, 2))

    assert one[0].state() == two[0].state()
    assert one[1] == two[1] == 4


def test_no_mixture(tmp_path: Path, mixture: Path):
    with pytest.raises(OutputError, match="no shards"):
        shards_of(str(tmp_path / "nowhere"))
    (mixture / "mixture" / "other").mkdir()
    (mixture / "mixture" / "other" / "shard-00000-of-00001.parquet").write_bytes(b"")
    with pytest.raises(OutputError, match="several mixtures"):
        shards_of(str(mixture))
    assert len(shards_of(str(mixture), "main")) == 2
