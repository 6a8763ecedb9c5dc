"""C4's lines go before anything is measured, and are counted."""

from __future__ import annotations

import pyarrow as pa

from massivetext.batches import BATCH_SCHEMA
from pipelines.recipe import ledger_schema, read
from pipelines.stages.families import C4, C4Block
from pipelines.transforms.documents import RewriteText, ScoreDocuments
from pipelines.transforms.judge import judge

TEXT = "The first line has more than five words.\nToo short.\nPlease enable Javascript to read this page now.\n"
TEXT += "We use cookies and this is our privacy policy page.\nThe second line has more than five words."


def batch() -> pa.RecordBatch:
    rows = [{"text": TEXT}, {"text": None, "outcome": "skipped", "reason": "skipped.redirect"}, {"text": "Short."}]
    common = {"id": "0" * 32, "subset": "massiveweb", "source": "s", "offset": 0}
    return pa.RecordBatch.from_pylist([{**common, **row} for row in rows], schema=BATCH_SCHEMA)


def test_lines_are_removed_and_counted() -> None:
    stage = C4(C4Block(lines={}, sentence_count={"min": 2}))
    cleaned = stage.apply(batch())

    assert ["The first line has more than five words.\nThe second line has more than five words.", None, ""] == (
        cleaned.column("text").to_pylist()
    )
    assert [2, None, 0] == cleaned.column("sentence_count").to_pylist()
    assert [5, None, 1] == cleaned.column("c4_lines").to_pylist()
    assert [1, None, 0] == cleaned.column("c4_lines_javascript").to_pylist()
    assert ["kept", "skipped", "rejected"] == judge(cleaned, [stage]).column("outcome").to_pylist()


def test_without_lines_the_text_stays() -> None:
    measured = C4(C4Block(sentence_count={"min": 2})).apply(batch())

    assert batch().column("text") == measured.column("text")
    assert "c4_lines" not in measured.schema.names


def test_the_packaged_recipes_remove_lines_before_they_measure() -> None:
    assert "c4" in RewriteText.stage_names
    assert "c4" not in ScoreDocuments.stage_names
    c4, fineweb = read("c4"), read("fineweb")

    assert c4.block("massiveweb", "c4").lines.terminal_punctuation
    assert not fineweb.block("massiveweb", "c4").lines.terminal_punctuation
    assert 5 == fineweb.limits("massiveweb", "c4")["sentence_count"].min
    filled = read("c4", ["subsets.massiveweb.sources=[{format: lines, path: x}]"])
    assert {"sentence_count", "c4_lines", "c4_citations"} <= set(ledger_schema(filled).names)
