"""The stage of extraction: its options, and what becomes of a record that has no text."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pydantic import ValidationError

from pipelines.stages.extraction import Extraction, ExtractionBlock

STORY = b"".join(
    b"<h2>Part %d</h2><p>Part %d of the story tells, at some length, how the harbour was built.</p>" % (k, k)
    for k in range(8)
)


def batch_of(*pages: bytes, content_type: str | None = None) -> pa.RecordBatch:
    n = len(pages)
    nothing = pa.nulls(n, pa.string())
    return pa.RecordBatch.from_pydict(
        {
            "page": pa.array(pages, pa.binary()),
            "text": pa.nulls(n, pa.large_string()),
            "outcome": nothing,
            "reason": nothing,
            "url": nothing,
            "content_type": pa.array([content_type] * n, pa.string()),
            "offset": pa.array(range(n), pa.int64()),
        }
    )


def test_pages_become_text_and_others_say_why_not():
    batch = Extraction(ExtractionBlock(format="markdown")).apply(
        batch_of(STORY, b"%PDF-1.4", b'{"a": 1}', b"\xef\xbf\xbd")
    )

    assert batch.column("text")[0].as_py().startswith("## Part 0\n\nPart 0 of")
    assert batch.column("outcome").to_pylist() == [None, "skipped", "skipped", "failed"]
    assert batch.column("reason").to_pylist() == [None, "skipped.content", "skipped.content", "failed.encoding"]


def test_options_outside_their_values_are_refused():
    with pytest.raises(ValidationError, match="captions"):
        ExtractionBlock(captions="some")


def test_options_that_are_not_the_default_are_named():
    settings = ExtractionBlock(comments="drop", tables="drop")

    assert Extraction(settings).settings_in_words() == [
        ("extraction.engine", "salient"),
        ("extraction.comments", "drop"),
        ("extraction.tables", "drop"),
    ]
