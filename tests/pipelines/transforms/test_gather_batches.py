"""Batches of a part are joined: the same rows in the same order, wherever a runner cuts the stream."""

from __future__ import annotations

from dataclasses import replace

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.testing.test_pipeline import TestPipeline
from apache_beam.testing.util import assert_that, equal_to
from hypothesis import given
from hypothesis import strategies as st

from massivetext.batches import Place, empty_batch, from_records, joined, place_of
from massivetext.documents import Record
from pipelines.transforms.gather_batches import GatherBatches, _Gather


def part(name: str, *sizes: int) -> list[pa.RecordBatch]:
    """The batches of a part with so many rows each, and its end."""
    batches, place, offset = [], Place("web", "a.warc", name, fingerprint="f"), 0
    for size in sizes:
        records = [Record(offset + k, text=f"{name} {offset + k}") for k in range(size)]
        batches.append(from_records(records, place))
        place, offset = place.next(size), offset + size
    return [*batches, empty_batch(replace(place, is_last=True, counts={"records": offset}))]


def gather(*bundles: list[pa.RecordBatch], n_bytes: int = 1 << 20, n_rows: int = 100) -> list[pa.RecordBatch]:
    transform, results = _Gather(n_bytes, n_rows), []
    for bundle in bundles:
        transform.start_bundle()
        results += [result for batch in bundle for result in transform.process(batch)]
        results += [value.value for value in transform.finish_bundle()]
    return results


def shape(batches: list[pa.RecordBatch]) -> list[tuple[str, int, int, int, int, bool]]:
    places = [place_of(batch) for batch in batches]
    return [
        (place.part, place.number, place.n_batches, place.first_row, batch.num_rows, place.is_last)
        for batch, place in zip(batches, places)
        if place is not None
    ]


def test_batches_of_a_part_are_joined():
    found = gather(part("a", 3, 4, 2))

    assert [("a", 0, 3, 0, 9, False), ("a", 3, 1, 9, 0, True)] == shape(found)
    assert [f"a {k}" for k in range(9)] == found[0].column("text").to_pylist()
    assert {"records": 9} == place_of(found[1]).counts
    found[0].validate(full=True)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((4, 5), [(0, 2, 9)]),  # one row less than is allowed
        ((4, 6), [(0, 1, 4), (1, 1, 6)]),  # as many rows: no room
        ((10, 2, 3), [(0, 1, 10), (1, 2, 5)]),  # large by itself
        ((2, 10, 3, 3), [(0, 1, 2), (1, 1, 10), (2, 2, 6)]),
        ((4, 4, 4, 4), [(0, 2, 8), (2, 2, 8)]),
    ],
)
def test_as_many_rows_as_fit(sizes, expected):
    found = shape(gather(part("a", *sizes), n_rows=10))

    assert expected == [(number, n_batches, rows) for _, number, n_batches, _, rows, is_last in found if not is_last]


def test_as_many_bytes_as_fit():
    batches = part("a", 5, 5, 5, 5)
    room = max(one.nbytes + other.nbytes for one, other in zip(batches[:4:2], batches[1:4:2])) + 1

    assert [2, 2, 1] == [n_batches for _, _, n_batches, *_ in shape(gather(batches, n_bytes=room))]
    room = batches[0].nbytes + batches[1].nbytes
    assert [1, 1] == [n_batches for _, _, n_batches, *_ in shape(gather(batches, n_bytes=room))][:2]


def test_parts_are_not_mixed():
    first, second = part("a", 2, 2), part("b", 3)
    interleaved = [first[0], second[0], first[1], second[1], first[2]]

    assert [
        *[("a", 0, 1, 0, 2, False), ("b", 0, 1, 0, 3, False), ("a", 1, 1, 2, 2, False)],
        *[("b", 1, 1, 3, 0, True), ("a", 2, 1, 4, 0, True)],
    ] == shape(gather(interleaved))


def test_a_batch_that_is_missing_is_not_bridged():
    first, _, third, end = part("a", 2, 2, 2)

    assert [("a", 0, 1, 0, 2, False), ("a", 2, 1, 4, 2, False), ("a", 3, 1, 6, 0, True)] == shape(
        gather([first, third, end])
    )


def test_nothing_is_held_beyond_a_bundle():
    batches = part("a", 2, 2, 2, 2)

    assert [("a", 0, 2, 0, 4, False), ("a", 2, 2, 4, 4, False), ("a", 4, 1, 8, 0, True)] == shape(
        gather(batches[:2], batches[2:])
    )


def test_what_a_failed_bundle_has_left_comes_once():
    batches, transform = part("a", 2, 2), _Gather(1 << 20, 100)
    transform.start_bundle()
    assert [] == list(transform.process(batches[0]))  # and then the bundle fails
    transform.start_bundle()
    found = [result for batch in batches for result in transform.process(batch)]

    assert [("a", 0, 2, 0, 4, False), ("a", 2, 1, 4, 0, True)] == shape(found)


def test_a_batch_of_no_part_passes():
    batch = pa.RecordBatch.from_pydict({"text": ["a", "b"]})

    assert [batch, batch] == gather([batch, batch])


def test_a_column_that_one_batch_lacks_is_null_there():
    first, second, _ = part("a", 1, 1)
    first = first.append_column("page_type", pa.array(["article"]))

    assert ["article", None] == joined([first, second]).column("page_type").to_pylist()


@given(st.lists(st.integers(1, 12), max_size=12), st.integers(1, 30), st.lists(st.integers(0, 12), max_size=3))
def test_rows_stay_as_they_are(sizes, n_rows, cuts):
    batches = part("a", *sizes)
    ends = sorted({min(cut, len(batches)) for cut in cuts})
    bundles = [batches[start:stop] for start, stop in zip([0, *ends], [*ends, len(batches)])]
    found = gather(*bundles, n_rows=n_rows)
    number = row = 0
    for name, at, n_batches, first_row, rows, _ in shape(found):
        assert ("a", number, row) == (name, at, first_row)
        assert 1 == n_batches or rows < n_rows
        number, row = number + n_batches, row + rows

    assert len(batches) == number
    assert pa.Table.from_batches([batch.replace_schema_metadata(None) for batch in batches]) == pa.Table.from_batches(
        [batch.replace_schema_metadata(None) for batch in found]
    )


def test_as_a_transform():
    with TestPipeline(runner="FnApiRunner") as pipeline:
        batches = pipeline | beam.Create([part("a", 3, 4)], reshuffle=False) | beam.FlatMap(lambda given: given)
        rows = batches | GatherBatches() | beam.Map(lambda batch: batch.num_rows)
        assert_that(rows, equal_to([7, 0]))
