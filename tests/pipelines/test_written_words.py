"""Texts without spaces and with invisible characters through the whole main job: copies and test items are found."""

from __future__ import annotations

import html
import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.looking.verification import verify
from tests.faults.corpus import story

SIGNS = [chr(0x4E00 + n) for n in range(400)]
ITEM = "".join(random.Random(99).choices(SIGNS, k=40))
INVISIBLE = {
    "none": "",
    "shy": "&shy;",
    "space": "&#x200B;",
    "joiner": "&NoBreak;",
    "bom": "&#xFEFF;",
    "zwnj": "&zwnj;",
}
"""What stands in the middle of each longer word of a page; extraction leaves only the last one in."""


def text(seed: int, n: int) -> str:
    return "".join(random.Random(seed).choices(SIGNS, k=n))


def page(invisible: str, number: int) -> str:
    words = [
        f"{html.escape(word[:4])}{invisible}{html.escape(word[4:])}" if len(word) > 7 else html.escape(word)
        for word in story(number).split()
    ]
    body = "".join(f"<p>{' '.join(words[first : first + 50])}</p>" for first in range(0, len(words), 50))
    return f"<html><head><title>Story</title></head><body><article>{body}</article></body></html>"


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run: texts in Chinese, a near copy, one with a test item; pages that differ by invisible characters."""
    folder = tmp_path_factory.mktemp("written")
    documents = [text(seed, 600) for seed in range(6)]
    near = documents[0][:300] + "\u9fa5" + documents[0][301:]
    rows = [*documents, near, documents[1][:200] + ITEM + documents[2][:200]]
    (folder / "in.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows), "utf-8")
    pages = [page(invisible, 1) for invisible in INVISIBLE.values()] + [page("&shy;", 2)]
    for number, one in enumerate(pages):
        (folder / f"page-{number}.html").write_text(one, "utf-8")
    (folder / "items.txt").write_text(ITEM + "\n", "utf-8")
    (folder / "recipe.yaml").write_text(
        "subsets:\n"
        "  c4: {sources: [{format: jsonl, path: in.jsonl}], stages: [quality, deduplication, contamination]}\n"
        "  massiveweb: {sources: [{format: html, path: 'page-*.html'}], stages: [extraction, deduplication]}\n"
        "quality:\n"
        "  {words: written, word_count: {min: 100}, mean_word_length: null, stop_word_count: null}\n"
        "testsets: [{name: own, path: items.txt, unit: line}]\n"
        "mixture: {weights: {c4: 0.5, massiveweb: 0.5}, max_epochs: 100}\n",
        "utf-8",
    )
    arguments = ["run", str(folder / "recipe.yaml"), "--output", str(folder / "out"), "--quiet"]
    result = CliRunner().invoke(commands, arguments)
    assert 0 == result.exit_code, result.output
    return folder / "out"


def ledger(out: Path, subset: str) -> list[dict[str, Any]]:
    rows = [row for path in (out / "ledger" / subset).glob("*.parquet") for row in pq.read_table(path).to_pylist()]
    return sorted(rows, key=lambda row: (row["source"], row["offset"]))


def test_a_near_copy_and_a_test_item_in_chinese_are_found(out: Path) -> None:
    rows = ledger(out, "c4")

    assert [600] * 7 + [440] == [row["word_count"] for row in rows]
    assert {"duplicate"} == {row["outcome"] for row in rows} - {"kept", "contaminated"}
    assert 1 == sum(row["outcome"] == "duplicate" for row in rows)
    assert [7] == [n for n, row in enumerate(rows) if row["outcome"] == "contaminated"]


def test_pages_that_differ_by_invisible_characters_are_copies(out: Path) -> None:
    """A page with soft hyphens in its words against the page without, and its siblings: one is kept."""
    rows = ledger(out, "massiveweb")

    assert len(INVISIBLE) + 1 == len(rows)
    assert ["duplicate"] * (len(INVISIBLE) - 1) + ["kept"] == sorted(row["outcome"] for row in rows[:-1])
    assert "kept" == rows[-1]["outcome"]
    assert {1.0} == {row["partner_jaccard"] for row in rows if row["outcome"] == "duplicate"}
    texts = [
        row["text"]
        for path in (out / "curated" / "massiveweb").glob("*.parquet")
        for row in pq.read_table(path).to_pylist()
    ]
    # Extraction drops all of them but U+200C, which some languages write with.
    assert not [one for one in texts if set(one) & {*"\u00ad\u200b\u2060\ufeff"}]
    assert 1 == sum("\u200c" in one for one in texts)
    assert [] == verify(str(out))[0]
