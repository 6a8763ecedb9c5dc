"""Batches of records: pages arrive as they are, and a record that is no document has none."""

import pytest

from massivetext.batches import Place, from_records
from massivetext.documents import Record

PLACE = Place("massiveweb", "a.warc", "a")


@pytest.mark.parametrize(
    ("records", "pages"),
    [
        ([], []),
        ([Record(0, page=b"<p>a\0\xff")], [b"<p>a\0\xff"]),
        ([Record(0, page=b""), Record(1, text="t"), Record(2, page=b"b" * 1000)], [b"", None, b"b" * 1000]),
        ([Record(0, page=b"a", outcome="skipped", reason="skipped.redirect")], [None]),
        ([Record(i, page=b"x" if i % 3 else None) for i in range(20)], [b"x" if i % 3 else None for i in range(20)]),
    ],
)
def test_pages(records, pages):
    batch = from_records(records, PLACE)

    batch.validate(full=True)
    assert batch.column("page").to_pylist() == pages
    assert batch.column("page").null_count == pages.count(None)
