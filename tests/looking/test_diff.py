"""Two runs side by side, of ledgers written here and of runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.looking.diff import diff
from pipelines.recipe import Recipe, ledger_schema, read


def write_run(path: Path, recipe: Recipe, parts: dict[str, list[dict[str, Any]]], version: str = "1") -> str:
    """An output folder with what a comparison reads: recipe.yaml and the ledger's parts."""
    schema = ledger_schema(recipe)
    for part, rows in parts.items():
        filled = [
            {
                "subset": "c4",
                "source": "a",
                "offset": 0,
                "reasons": [row["reason"]] if row.get("reason") else [],
                "n_bytes": 40,
                "n_tokens": 10,
                **row,
            }
            for row in rows
        ]
        target = path / "ledger" / "c4" / f"{part}.parquet"
        target.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(filled, schema), target)
    data = {"canonical": recipe.canonical(), "recipe": recipe.resolved(), "versions": {"massivetext": version}}
    (path / "recipe.yaml").write_text(yaml.safe_dump(data), "utf-8")
    return str(path)


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    text = "subsets: {c4: {sources: [{format: lines, path: x}], stages: [quality, deduplication]}}\n"
    (tmp_path / "recipe.yaml").write_text(text, "utf-8")
    return read(str(tmp_path / "recipe.yaml"), ["mixture.weights={c4: 1}"])


def _row(name: str, outcome: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": name * 32, "outcome": outcome, "reason": reason, **more}


def test_each_document_is_found_again_wherever_it_lies(tmp_path: Path, recipe: Recipe) -> None:
    other = read(str(tmp_path / "recipe.yaml"), ["mixture.weights={c4: 1}", "quality.word_count.min=30"])
    short = {"word_count": 40}
    first = {
        "part-0": [_row("a", "kept"), _row("b", "rejected", "quality.word_count", **short), _row("c", "kept")],
        "part-1": [_row("d", "rejected", "quality.word_count", **short), _row("e", "kept", n_tokens=7)],
    }
    second = {
        "part-0": [_row("b", "kept", **short), _row("a", "kept"), _row("f", "failed", "failed.json", n_tokens=None)],
        "part-2": [
            _row("d", "duplicate", "duplicate.near", **short, partner_id="b" * 32, partner_jaccard=0.9),
            _row("c", "kept", n_bytes=41),
        ],
    }
    folders = write_run(tmp_path / "1", recipe, first), write_run(tmp_path / "2", other, second, "2")
    found = diff(*folders, (recipe, other))

    assert ["quality.word_count.min: 50.0 -> 30.0"] == found["recipe"]
    assert ["massivetext: '1' -> '2'"] == found["versions"]
    assert [
        ("c4", "rejected quality.word_count", "duplicate duplicate.near", 1),
        ("c4", "rejected quality.word_count", "kept", 1),
    ] == [(move["subset"], move["from"], move["to"], move["documents"]) for move in found["moves"]]
    assert [("first", "kept", 1, 7), ("second", "failed failed.json", 1, 0)] == [
        (only["side"], only["outcome"], only["documents"], only["tokens"]) for only in found["only"]
    ]
    assert {"c4": 1} == found["measured_otherwise"]
    funnel = {(row["outcome"], row["reason"]): (row["first"], row["second"]) for row in found["funnel"]}
    assert ([3, 120, 27], [3, 121, 30]) == funnel["kept", None]
    assert ([2, 80, 20], [0, 0, 0]) == funnel["rejected", "quality.word_count"]
    examples = {example["id"][0]: example for example in found["examples"]}
    assert {"b", "d", "e", "f"} == set(examples)
    assert [
        {
            "rule": "quality.word_count",
            "first": {"value": 40, "limit": "50 to 100,000", "broken": True},
            "second": {"value": 40, "limit": "30 to 100,000", "broken": False},
        }
    ] == examples["b"]["rules"]
    near = examples["d"]["rules"][1]
    assert "duplicate.near" == near["rule"]
    assert None is near["first"]["value"]
    assert f"of {'b' * 32}, J 0.900000" == near["second"]["value"]
    assert ("kept", "not there") == (examples["e"]["from"], examples["e"]["to"])


def test_a_run_is_no_other_than_itself(tmp_path: Path, recipe: Recipe) -> None:
    rows = {"part-0": [_row("a", "kept", hash_ratio=float("nan")), _row("b", "rejected", "quality.word_count")]}
    folder = write_run(tmp_path / "1", recipe, rows)
    found = diff(folder, folder, (recipe, recipe))
    said = CliRunner().invoke(commands, ["diff", folder, folder])

    assert [] == found["recipe"] == found["moves"] == found["only"] == found["examples"]
    assert {} == found["measured_otherwise"]
    assert 0 == said.exit_code
    assert "every document has the same outcome and reason in both" in said.output


def test_the_command_prints_what_changed(tmp_path: Path, recipe: Recipe) -> None:
    first = write_run(tmp_path / "1", recipe, {"part-0": [_row("a", "rejected", "quality.word_count", word_count=3)]})
    second = write_run(tmp_path / "2", recipe, {"part-0": [_row("a", "kept", word_count=60)]})
    said = CliRunner().invoke(commands, ["diff", first, second]).output
    data = json.loads(CliRunner().invoke(commands, ["diff", first, second, "--json", "--examples", "0"]).output)

    assert "c4: rejected quality.word_count -> kept: 1 document, 10 tokens" in said
    assert "quality.word_count: 3 (broken: keep 50 to 100,000) -> 60 (kept: keep 50 to 100,000)" in said
    assert "c4: 1 document of both measured differently" in said
    assert [] == data["examples"]
    assert 1 == len(data["moves"])
