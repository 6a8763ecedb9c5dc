"""Batches of records: pages arrive as they are, and a record that is no document has none."""

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from massivetext.batches import Place, from_records, pages_of, with_measures
from massivetext.documents import Record

PLACE = Place("massiveweb", "a.warc", "a")


@pytest.mark.parametrize(
    ("records", "pages"),
    [
        ([], []),
        ([Record(0, page=b"<p>a\0\xff")], [b"<p>a\0\xff"]),
        ([Record(0, page=b""), Record(1, text="t"), Record(2, page=b"b" * 1000)], [b"", None, b"b" * 1000]),
        ([Record(0, page=b"a", outcome="skipped", reason="skipped.redirect")], [None]),
        ([Record(0, page="<p>é"), Record(1, page=bytearray(b"b"))], ["<p>é".encode(), b"b"]),
        ([Record(i, page=b"x" if i % 3 else None) for i in range(20)], [b"x" if i % 3 else None for i in range(20)]),
    ],
)
def test_pages(records, pages):
    batch = from_records(records, PLACE)

    batch.validate(full=True)
    assert batch.column("page").to_pylist() == pages
    assert batch.column("page").null_count == pages.count(None)
    assert list(pages_of(batch)) == pages
    for start in range(len(pages)):
        assert list(pages_of(batch.slice(start, 3))) == pages[start : start + 3]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view(), pa.null()])
def test_pages_of_a_batch_that_somebody_else_has_made(kind):
    for pages in ([b"a", None, b"", b"\xff" * 20], [None], []):
        pages = [None] * len(pages) if kind == pa.null() else pages
        batch = pa.RecordBatch.from_pydict({"page": pa.array(pages, kind)})

        assert list(pages_of(batch)) == pages


def lengths(batch):
    """Columns of three kinds, made as they come: an array, a chunked one, lists."""
    sizes = pc.binary_length(batch.column("text").fill_null(""))
    return {
        "size": sizes,
        "chunked": pa.chunked_array([sizes.slice(0, 1), sizes.slice(1)]),
        "list": pa.array([["x"] * size for size in sizes.to_pylist()], pa.list_(pa.string())),
    }


@pytest.mark.parametrize("skip_empty", [False, True])
@pytest.mark.parametrize("texts", [["ab", None, "", "abc"], [None, None], [None], ["a"], [], [None, "a"]])
def test_what_is_measured_stands_in_the_rows_with_text(texts, skip_empty):
    batch = pa.RecordBatch.from_pydict({"text": pa.array(texts, pa.large_string()), "size": [7] * len(texts)})
    measured = with_measures(batch, lengths, skip_empty=skip_empty)
    measured.validate(full=True)
    expected = [None if text is None else len(text) for text in texts]

    assert ["text", "size", "chunked", "list"] == measured.schema.names
    assert texts == measured.column("text").to_pylist()
    assert expected == measured.column("size").to_pylist() == measured.column("chunked").to_pylist()
    assert [None if n is None else ["x"] * n for n in expected] == measured.column("list").to_pylist()


def test_only_rows_with_text_are_measured_where_empty_ones_would_harm():
    batch = pa.RecordBatch.from_pydict({"text": pa.array(["a", None, "b"], pa.large_string())})
    seen = []
    with_measures(batch, lambda rows: seen.append(rows.column("text").to_pylist()) or {}, skip_empty=True)

    assert [["a", "b"]] == seen


def test_a_measure_without_columns_leaves_the_batch():
    batch = pa.RecordBatch.from_pydict({"text": pa.array(["a", None], pa.large_string())})

    assert batch == with_measures(batch, lambda rows: {})
