"""Each transform of the pass over the text on a PCollection of batches that nobody but the test has made."""

from __future__ import annotations

import pickle
import tempfile

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that

import pipelines
from massivetext.batches import BATCH_SCHEMA
from pipelines.stages import Stage
from pipelines.transforms import documents
from pipelines.transforms.base import BatchCoder

STORY = (
    "The people of the town have come to the market, and they stand with their baskets in the cold of the morning. "
    "Nobody knew that it was to be the last market of that year, for the snow came early and stayed until the spring."
)
PAGE = f"<html><body><article><h1>A market</h1><p>{STORY}</p><p>{STORY[::1]} And so on.</p></article></body></html>"


def batch_of(*rows: dict) -> pa.RecordBatch:
    defaults = {"id": "0" * 32, "subset": "mine", "source": "s", "offset": 0}
    return pa.RecordBatch.from_pylist([{**defaults, **row} for row in rows], schema=BATCH_SCHEMA)


def run(transform: beam.PTransform, *batches: pa.RecordBatch) -> list[pa.RecordBatch]:
    """The batches that come out of a transform, which counts under its own name."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/batches"

        def keep(output: list[pa.RecordBatch]) -> None:
            with open(path, "wb") as stream:
                pickle.dump(output, stream)

        pipeline = TestPipeline(runner="FnApiRunner")
        assert_that(pipeline | beam.Create(list(batches), reshuffle=False) | transform, keep)
        result = pipeline.run()
        result.wait_until_finish()
        with open(path, "rb") as stream:
            output: list[pa.RecordBatch] = pickle.load(stream)
    counters = result.metrics().query()["counters"]
    own = {counter.key.metric.name for counter in counters if counter.key.metric.namespace == type(transform).__name__}

    assert {"documents_in", "documents_out", "bytes"} <= own
    assert sorted(batch.num_rows for batch in batches) == sorted(batch.num_rows for batch in output)
    for batch in output:
        batch.validate(full=True)
    return output


WITH_TEXT = batch_of({"text": STORY}, {"text": None, "outcome": "skipped", "reason": "skipped.redirect"}, {"text": ""})


@pytest.mark.parametrize(
    ("transform", "columns"),
    [
        (pipelines.CountTokens(), ["n_bytes", "n_tokens"]),
        (pipelines.IdentifyLanguage(), ["language", "language_score", "languages"]),
        (pipelines.ScoreSafety(model=False), ["safe_search_score", "safe_search_evidence"]),
        (pipelines.MeasureQuality(), ["word_count", "stop_word_count"]),
        (pipelines.MeasureRepetition(), ["duplicate_line_fraction", "top_2gram_character_fraction"]),
        (pipelines.MeasureText(), ["word_count", "duplicate_10gram_character_fraction"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, beam.PTransform) else "",
)
def test_a_transform_adds_its_columns_and_leaves_rows_without_text_null(
    transform: beam.PTransform, columns: list[str]
) -> None:
    (batch,) = run(transform, WITH_TEXT)

    assert set(columns) <= set(batch.schema.names)
    for name in columns:
        assert not batch.column(name)[1].is_valid
    assert batch.column(columns[0])[0].is_valid
    assert WITH_TEXT.column("text") == batch.column("text")


def test_values_are_those_of_the_pure_function() -> None:
    (batch,) = run(pipelines.MeasureText(), WITH_TEXT)
    alone = documents.measure_repetition(documents.measure_quality(WITH_TEXT))

    for name in ("word_count", "mean_word_length", "duplicate_5gram_character_fraction"):
        assert alone.column(name) == batch.column(name)
    assert len(STORY.split()) == batch.column("word_count")[0].as_py()


def test_extract_puts_text_in_place_of_pages() -> None:
    pages = batch_of(
        {"page": PAGE.encode(), "url": "http://a.example/"},
        {"page": None, "outcome": "skipped", "reason": "skipped.content_type"},
        {"text": "a text already"},
    )
    (batch,) = run(pipelines.Extract(), pages)
    texts = batch.column("text").to_pylist()

    assert "page" not in batch.schema.names
    assert STORY in texts[0]
    assert [None, "a text already"] == texts[1:]
    assert [None, "skipped", None] == batch.column("outcome").to_pylist()


def test_judge_decides_by_the_papers_limits_or_others() -> None:
    (measured,) = run(pipelines.MeasureText(), WITH_TEXT)
    strict = pipelines.Judge(language=None, safe_search=None)
    (batch,) = run(strict, measured)

    assert ["rejected", "skipped", "rejected"] == batch.column("outcome").to_pylist()
    assert "quality.word_count" == batch.column("reason")[0].as_py()
    assert "skipped.redirect" == batch.column("reason")[1].as_py()
    lenient = pipelines.Judge(language=None, safe_search=None, quality={"word_count": {"min": 5}}, repetition=None)
    (batch,) = run(lenient, measured)
    assert ["kept", "skipped", "rejected"] == batch.column("outcome").to_pylist()


class Touchy(Stage):
    """A stage that no text with a certain word survives."""

    name = "touchy"

    def measure(self, batch: pa.RecordBatch) -> dict[str, pa.Array]:
        texts = batch.column("text").to_pylist()
        if any("dragon" in (text or "") for text in texts):
            raise ValueError("here be dragons")
        return {"size": pa.array([len(text or "") for text in texts], pa.int64())}


def test_a_document_that_fails_takes_no_other_with_it() -> None:
    texts = [f"text {i}" for i in range(9)]
    texts[4] = "a dragon"
    (batch,) = run(pipelines.ScoreDocuments(Touchy()), batch_of(*({"text": text} for text in texts)))
    sizes = batch.column("size").to_pylist()

    assert [6, 6, 6, 6, None, 6, 6, 6, 6] == sizes
    assert [None] * 4 + ["failed"] + [None] * 4 == batch.column("outcome").to_pylist()
    assert "failed.ValueError" == batch.column("reason")[4].as_py()
    assert batch.column("text")[4].as_py() is None


def test_find_test_items_reads_sets_of_ones_own(tmp_path) -> None:
    item = "under the old bridge seven grey herons wait in silence for a ferryman who never comes again today"
    (tmp_path / "items.txt").write_text(item + "\n", "utf-8")
    find = pipelines.FindTestItems([{"name": "own", "path": str(tmp_path / "items.txt"), "unit": "line"}])
    (batch,) = run(find, batch_of({"text": f"{STORY} {item} {STORY}"}, {"text": STORY}))

    assert [1.0, 0.0] == batch.column("contamination_containment").to_pylist()
    assert "own" == batch.column("test_set")[0].as_py()


def test_the_coder_keeps_metadata_and_tells_sizes_without_encoding() -> None:
    batch = WITH_TEXT.replace_schema_metadata({"massivetext.place": "{}"}).slice(1, 1)
    coder = BatchCoder()
    again = coder.decode(coder.encode(batch))

    assert batch == again
    assert batch.schema.metadata == again.schema.metadata
    assert batch.nbytes == coder.estimate_size(batch)
