"""Texts without spaces through the whole main job: copies and test items are found, and rules can count their words."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow.parquet as pq
from click.testing import CliRunner

from massivetext.cli import commands

SIGNS = [chr(0x4E00 + n) for n in range(400)]


def text(seed: int, n: int) -> str:
    return "".join(random.Random(seed).choices(SIGNS, k=n))


def test_a_near_copy_and_a_test_item_in_chinese_are_found(tmp_path: Path) -> None:
    documents = [text(seed, 600) for seed in range(6)]
    near = documents[0][:300] + "\u9fa5" + documents[0][301:]
    item = text(99, 40)
    rows = [*documents, near, documents[1][:200] + item + documents[2][:200]]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), "utf-8")
    (tmp_path / "items.txt").write_text(item + "\n", "utf-8")
    (tmp_path / "recipe.yaml").write_text(
        "subsets: {c4: {sources: [{format: jsonl, path: in.jsonl}], stages: [quality, deduplication, contamination]}}\n"
        "quality:\n"
        "  {words: written, word_count: {min: 100}, mean_word_length: null, stop_word_count: null}\n"
        "testsets: [{name: own, path: items.txt, unit: line}]\n"
        "mixture: {weights: {c4: 1.0}}\n",
        "utf-8",
    )
    arguments = ["run", str(tmp_path / "recipe.yaml"), "--output", str(tmp_path / "out"), "--quiet"]
    result = CliRunner().invoke(commands, arguments)
    assert 0 == result.exit_code, result.output
    (path,) = (tmp_path / "out" / "ledger" / "c4").glob("*.parquet")
    ledger = pq.read_table(path).to_pylist()

    assert [600] * 7 + [440] == [row["word_count"] for row in ledger]
    assert {"duplicate"} == {row["outcome"] for row in ledger} - {"kept", "contaminated"}
    assert 1 == sum(row["outcome"] == "duplicate" for row in ledger)
    assert [7] == [n for n, row in enumerate(ledger) if row["outcome"] == "contaminated"]
