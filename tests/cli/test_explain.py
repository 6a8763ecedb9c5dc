"""What `explain` says of a ledger written here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from pipelines.recipe import read
from tests.looking.test_diff import write_run

TEXT = """
subsets:
  c4:
    sources: [{format: lines, path: x}]
    stages: [contamination, deduplication, rules, quality, safe_search, language, licence]
rules: {size: {function: "pyarrow.compute:utf8_length", max: 9}}
testsets: [{name: items, path: "items.txt", unit: line}]
mixture: {weights: {c4: 1}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    (tmp_path / "recipe.yaml").write_text(TEXT, "utf-8")
    (tmp_path / "items.txt").write_text("an item\n", "utf-8")
    rows: list[dict[str, Any]] = [
        {
            "id": "a" * 32,
            "outcome": "rejected",
            "reason": "language.language",
            "reasons": ["language.language", "safe_search.safe_search_score", "rules.size"],
            "licence": "MIT",
            "language": "de",
            "language_score": 0.9,
            "languages": [{"language": "de", "score": 0.9}, {"language": "nl", "score": 0.05}],
            "safe_search_score": 0.75,
            "safe_search_evidence": json.dumps({"classifier": {"toxic": 0.61}, "term_hits": 4, "term_density": 0.02}),
            "size": 12.0,
            "word_count": 60,
            "contamination_jaccard": 0.0,
            "contamination_containment": 0.25,
            "test_set": "items",
            "test_item": 3,
        },
        {
            "id": "b" * 32,
            "outcome": "duplicate",
            "reason": "duplicate.near",
            "partner_id": "c" * 32,
            "partner_jaccard": 0.8765432,
        },
        {
            "id": "c" * 32,
            "url": "http://c.example/",
            "outcome": "contaminated",
            "reason": "contamination.containment",
            "contamination_jaccard": 0.125,
            "contamination_containment": 1.0,
            "test_set": "items",
            "test_item": 7,
            "test_span": "4:90",
        },
        {"id": "d" * 32, "outcome": "duplicate", "reason": "duplicate.exact", "partner_id": "e" * 32},
        {"id": "f" * 32, "outcome": "failed", "reason": "failed.json", "n_bytes": None, "n_tokens": None},
    ]
    filled = [{"language": "en", "language_score": 0.9, "safe_search_score": 0.0, **row} for row in rows]
    return write_run(tmp_path / "out", read(str(tmp_path / "recipe.yaml")), {"part-0": filled})


def explained(folder: str, name: str) -> list[str]:
    result = CliRunner().invoke(commands, ["explain", folder, name])
    assert 0 == result.exit_code, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


def test_each_signal_stands_beside_its_limit_in_the_order_of_verdicts(folder: str) -> None:
    said = explained(folder, "a")
    stages = ["licence", "language", "safe_search", "quality", "rules", "contamination"]

    assert "rejected: language.language" in said
    assert "also broken: safe_search.safe_search_score, rules.size" in said
    assert stages == [line for line in said if line in {*stages, "deduplication"}]
    assert "x de 0.9; kept: en from 0.65" in said
    assert "likeliest: de 0.9, nl 0.05" in said
    assert "x safe_search_score 0.75 keep 0.5 or less" in said
    assert "classifier: toxic 61.0%" in said
    assert "listed terms: 4, weighted 2.00% of the words" in said
    assert "word_count 60 keep 50 to 100,000" in said
    assert "x size 12 keep 9 or less" in said
    assert "containment 0.25 keep below 0.8" in said
    assert "nearest: item 3 of items" in said
    assert any(line.startswith("MIT; kept: Apache-2.0, MIT") for line in said)


def test_a_duplicate_is_followed_to_what_became_of_the_one_kept_instead(folder: str) -> None:
    said = explained(folder, "b")

    assert f"x kept instead: {'c' * 32}, J = 0.876543" in said
    assert "that one: contaminated: contamination.containment, http://c.example/" in said
    assert any(line.startswith("so no copy of the group is left: it contains item 7 of items") for line in said)
    assert "that one is in an index of earlier documents" in explained(folder, "d")


def test_the_item_matched_is_named_with_its_place(folder: str) -> None:
    said = explained(folder, "http://c.example/")

    assert "jaccard 0.125 keep 0.8 or less" in said
    assert "x containment 1 keep below 0.8" in said
    assert "nearest: item 7 of items, at characters 4:90" in said


def test_a_record_without_text_has_no_signals(folder: str) -> None:
    said = explained(folder, "f")

    assert ["failed: failed.json", "there was no text to measure"] == [line for line in said if line][-2:]
