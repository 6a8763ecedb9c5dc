"""CSV, Arrow, and what Parquet columns may be."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from massivetext import readers
from massivetext.errors import SourceError
from tests.readers.reading import read
from tests.readers.test_json import texts, zipped


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def arrow(table: pa.Table, batch_rows: int = 2, **how: Any) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, table.schema, **how) as writer:
        writer.write_table(table, max_chunksize=batch_rows)
    return sink.getvalue()


def arrow_stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return sink.getvalue()


def feather(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.feather.write_feather(table, sink)
    return sink.getvalue()


WRITERS = {"parquet": parquet, "arrow": arrow}


@pytest.mark.parametrize("format", WRITERS)
def test_paths_into_structs_lists_and_maps(format: str) -> None:
    rows = [
        {"doc": {"text": "a", "meta": {"url": "u"}}, "messages": [{"content": "x"}, {"content": "y"}], "a.b": "p"},
        {"doc": None, "messages": [], "a.b": None},
        {"doc": {"text": "b", "meta": None}, "messages": None, "a.b": "q"},
    ]
    data = WRITERS[format](pa.Table.from_pylist(rows))

    assert texts(data, format, {"text": "doc.text"}) == ["a", "failed.no_text", "b"]
    assert texts(data, format, {"text": "messages.1.content"}) == ["y", "failed.no_text", "failed.no_text"]
    assert texts(data, format, {"text": "a.b"}) == ["p", "failed.no_text", "q"]
    found, _ = read(data, format, {"text": "doc.text", "url": "doc.meta.url"})
    assert [r.url for r in found] == ["u", None, None]
    with pytest.raises(SourceError, match=r"no column 'doc.body'; its columns are doc.text, doc.meta, messages, a.b"):
        list(readers.read(io.BytesIO(data), format, start=0, stop=1, source="file", options={"text": "doc.body"}))
    with pytest.raises(SourceError, match="of type struct"):
        list(readers.read(io.BytesIO(data), format, start=0, stop=1, source="file", options={"text": "doc"}))


@pytest.mark.parametrize("format", WRITERS)
def test_columns_named_twice(format: str) -> None:
    table = pa.Table.from_arrays([pa.array(["a", "b"]), pa.array([1, 2]), pa.array(["c", "d"])], ["text", "n", "text"])
    counts: Counter[str] = Counter()

    assert ["a", "b"] == [r.text for r in read(WRITERS[format](table), format, counts=counts)[0]]
    assert 1 == counts["duplicate_columns"]


@pytest.mark.parametrize("format", WRITERS)
def test_text_that_is_no_utf8(format: str) -> None:
    lying = pa.array([b"caf\xe9", b"ok"], pa.binary()).view(pa.string())
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 1, 0, None], pa.int32()), lying, safe=False)
    plain = pa.array([b"caf\xe9", b"ok", b"caf\xe9", None], pa.binary()).view(pa.string())
    for column in (codes, plain):
        found, error = read(WRITERS[format](pa.table({"text": column})), format)

        assert ["caf\ufffd", "ok", "caf\ufffd", None] == [r.text for r in found]
        assert [1, 0, 1, 0] == [r.n_replaced for r in found]
        assert error is None


@pytest.mark.parametrize("zone", ["Mars/Phobos", "UTC", "Europe/Berlin", "+01:00", None])
def test_a_time_zone_that_is_not_known_costs_no_row(zone: str | None) -> None:
    when = pa.array([1_577_934_245_000, None], pa.int64()).cast(pa.timestamp("ms", zone))
    table = pa.table({"text": ["a", "b"], "timestamp": when})
    for format, write in WRITERS.items():
        found, error = read(write(table), format)

        assert [("a", True), ("b", False)] == [(r.text, r.timestamp is not None) for r in found]
        assert error is None
        if zone == "Mars/Phobos":
            assert found[0].timestamp == "2020-01-02 03:04:05.000Z"


@pytest.mark.parametrize("format", WRITERS)
def test_columns_of_every_kind_as_metadata(format: str) -> None:
    columns = {
        "text": ["a"],
        "date": pa.array([18_263], pa.int32()).cast(pa.date32()),
        "span": pa.array([5], pa.duration("s")),
        "flag": [True],
        "tags": [["x", "y"]],
        "bytes": pa.array([b"\xff"], pa.binary(1)),
    }
    found, error = read(WRITERS[format](pa.table(columns)), format, {name: name for name in columns if name != "text"})

    assert {"date": "2020-01-02", "flag": "true", "tags": "x AND y"}.items() <= found[0].metadata.items()
    assert error is None


@pytest.mark.parametrize("format", WRITERS)
def test_times_that_python_cannot_hold_cost_no_row(format: str) -> None:
    late = pa.array([1, 1 << 62, 2], pa.timestamp("us"))
    documents = pa.StructArray.from_arrays([pa.array(["a", "b", "c"]), late], ["text", "when"])
    pairs = pa.MapArray.from_arrays([0, 1, 2, 3], pa.array(["k"] * 3), late)
    whole = pa.table({"documents": pa.ListArray.from_arrays([0, 1, 2, 3], documents), "pairs": pairs})
    options = {"text": "documents.0.text", "when": "documents.0.when", "pair": "pairs.k"}
    records, error = read(WRITERS[format](whole), format, options)

    assert ["a", "b", "c"] == [r.text for r in records]
    assert [True] * 3 == ["when" in r.metadata for r in records] == ["pair" in r.metadata for r in records]
    assert error is None


def test_a_column_without_any_value() -> None:
    table = pa.table({"text": pa.nulls(2)})

    assert ["failed.no_text"] * 2 == texts(parquet(table), "parquet") == texts(arrow(table), "arrow")


TABLE = pa.table({"text": [f"text {i}" for i in range(5)], "url": ["u"] * 5})


@pytest.mark.parametrize("write", [arrow, arrow_stream, feather])
def test_arrow(write) -> None:  # type: ignore[no-untyped-def]
    found, error = read(write(TABLE), "arrow")

    assert TABLE.column("text").to_pylist() == [r.text for r in found]
    assert error is None
    if write is not feather:
        assert [0, 1, 1 << 32, (1 << 32) + 1, 1 << 33] == [r.offset for r in found]


@pytest.mark.parametrize("codec", ["lz4", "zstd"])
def test_arrow_batches_are_parts(tmp_path: Path, codec: str) -> None:
    path = tmp_path / "a.arrow"
    path.write_bytes(arrow(TABLE, options=pa.ipc.IpcWriteOptions(compression=codec)))
    size = path.stat().st_size
    ranges = readers.split(str(path), "arrow", size=size, target_bytes=size // 3 + 1)
    parts = [list(readers.read_part(str(path), "arrow", start=a, stop=b)) for a, b in ranges]

    assert [(0, 1), (1, 2), (2, 3)] == ranges
    assert list(readers.read_part(str(path), "arrow", start=0, stop=3)) == [r for part in parts for r in part]
    assert [(0, 3)] == readers.split(str(path), "arrow", size=size)


def test_arrow_that_is_damaged() -> None:
    whole = arrow(pa.table({"text": ["x" * 1000] * 50}), 10, options=pa.ipc.IpcWriteOptions(compression="zstd"))
    bad = bytearray(whole)
    at = bad.index(b"\x28\xb5\x2f\xfd", len(bad) // 2)
    bad[at : at + 20] = b"\xff" * 20
    found, error = read(bytes(bad), "arrow")

    assert 40 == sum(r.text is not None for r in found)
    assert ["failed.corrupt"] == [r.reason for r in found if r.reason]
    assert "record batch" in str(error)
    found, error = read(arrow_stream(TABLE)[:-200], "arrow")

    assert [r.text for r in found if r.text] == [f"text {i}" for i in range(sum(r.text is not None for r in found))]
    assert error is None or "record batch" in error
    with pytest.raises(SourceError, match="not an Arrow file"):
        list(readers.read(io.BytesIO(b"ARROW1\0\0" + bytes(50)), "arrow", start=0, stop=1, source="file"))


ROWS = [
    ('text,url\n"a, b",u\n', ["a, b"]),
    ('text,url\n"two\nlines",u\nb,u\n', ["two\nlines", "b"]),
    ('text,url\n"say ""x""",u\n', ['say "x"']),
    ("text,url\r\na,u\r\nb,u\r\n", ["a", "b"]),
    ("text,url\ra,u\rb,u\r", ["a", "b"]),
    ("text;url\na, b;u\n", ["a, b"]),
    ("text\turl\na, b\tu\n", ["a, b"]),
    ("text|url\na|u\n", ["a"]),
    ("text\na\n\nb\n", ["a", "b"]),
    (" text , url \na,u\n", ["a"]),
    ("\ufefftext,url\na,u\n", ["a"]),
    ("text,url\na\n", ["a"]),
    ("url,text\nu\n", ["failed.no_text"]),
    ("text,url\na,u,\n", ["a"]),
    ("text,url\na, b,u\nc,u\n", ["failed.columns", "c"]),
    ("text,url,text\na,u,b\n", ["a"]),
    ('text,url\n"open,u\nb,u\nc,u\n', ["failed.csv", "b", "c"]),
    ('text,url\n5" disk,u\nb,u\n', ['5" disk', "b"]),
    ("text,url\nnul\0,u\n", ["nul"]),
    ("text,url\n", []),
    ("", []),
]


@pytest.mark.parametrize(("content", "expected"), ROWS)
def test_csv(content: str, expected: list[str]) -> None:
    assert expected == texts(content.encode(), "csv")
    assert expected == texts(gzip.compress(content.encode()), "csv")
    if content and not content.startswith("\ufeff") and "\r" not in content.replace("\r\n", ""):
        assert expected == texts(content.encode("utf-16"), "csv")


def test_csv_offsets_and_encodings() -> None:
    data = 'text,url\n"two\nlines",u\ncafé,v\n'.encode("cp1252")
    found, error = read(data, "csv")

    assert [("two\nlines", 9), ("café", 23)] == [(r.text, r.offset) for r in found]
    assert error is None
    mixed = "text\ncafé\n".encode() * 9 + b"caf\xe9\n"
    assert [("caf\ufffd", 1)] == [(r.text, r.n_replaced) for r in read(mixed, "csv")[0][-1:]]
    assert ["привет"] == texts("text\nпривет\n".encode("koi8-r"), "csv", {"@encoding": "koi8-r"})


def test_csv_options_and_columns() -> None:
    assert ["b"] == texts(b"a,b\n", "csv", {"text": "1", "@header": "no"})
    assert ["a:b"] == texts(b"text:url\n'a:b':u\n", "csv", {"@delimiter": ":", "@quote": "'"})
    with pytest.raises(SourceError, match=r"no column 'text'; its columns are body, url"):
        list(readers.read(io.BytesIO(b"body,url\n"), "csv", start=0, stop=1, source="file"))
    found, _ = read(b"body,score\nx,1\n", "csv", {"text": "body", "score": "score"})
    assert [("x", {"score": "1"})] == [(r.text, dict(r.metadata)) for r in found]


def test_tsv_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv.gz"
    path.write_bytes(gzip.compress(b"text\ta,b,c,d\nx, y\t1\n"))

    assert ["x, y"] == [r.text for r in readers.read_part(str(path), "csv", start=0, stop=1)]


def test_csv_in_a_zip_file() -> None:
    data = zipped({"readme.txt": b"x", "a.csv": b"text\na\n", "b.csv": b"text\nb\n"})

    assert ["a", "b"] == texts(data, "csv")


def test_csv_that_is_cut() -> None:
    data = b"text,n\n" + b"".join(b"row %d of many,%d\n" % (i, i * i) for i in range(2000))
    found, error = read(gzip.compress(data)[:-100], "csv")

    assert len(found) > 1500
    assert [r.text for r in found[:-1]] == [f"row {i} of many" for i in range(len(found) - 1)]
    assert found[-1].reason == "failed.truncated"
    assert error is not None


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ({}, []),
        ({"@delimiter": ";", "@quote": "'"}, []),
        ({"@delimiter": "tab"}, []),
        ({"@delimiter": "\\t"}, []),
        ({"@delimiter": "::"}, ["@delimiter: '::'; expected one character other than the quotation mark"]),
        ({"@delimiter": "\n"}, ["@delimiter: '\\n'; expected one character"]),
        ({"@delimiter": '"'}, ["@delimiter: '\"'; expected one character other than the quotation mark"]),
        ({"@quote": "<<"}, ["@quote: '<<'; expected one character"]),
    ],
)
def test_delimiter_and_quote_are_one_character(options: dict[str, str], faults: list[str]) -> None:
    answer = readers.option_faults("csv", options)

    assert len(faults) == len(answer)
    assert all(line.startswith(fault) for line, fault in zip(answer, faults))
