from __future__ import annotations

import io
from collections import Counter
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext import readers
from massivetext.errors import SourceError
from tests.readers.reading import drained, read


def stored(columns: dict[str, Any], row_group_size: int = 3) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=row_group_size, compression="none", use_dictionary=False)
    return sink.getvalue()


def groups(data: bytes, start: int, stop: int, **how: Any) -> list[Any]:
    return list(readers.read(io.BytesIO(data), "parquet", start=start, stop=stop, source="file", **how))


TEXTS = [f"text {i}" for i in range(10)]


def test_row_groups_are_parts(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(stored({"text": TEXTS}))
    ranges = readers.split(str(path), "parquet", size=path.stat().st_size, target_bytes=100)
    found = [r for a, b in ranges for r in readers.read_part(str(path), "parquet", start=a, stop=b)]

    assert len(ranges) > 1
    assert [r.text for r in found] == TEXTS
    assert [r.offset for r in found] == list(range(10))
    assert readers.split(str(path), "parquet", size=path.stat().st_size) == [(0, 4)]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.string_view()])
def test_types_of_text(kind: pa.DataType) -> None:
    data = stored({"text": pa.array(["a\r\nb", None, ""], kind), "url": pa.array(["u", None, "v"])})

    assert [(r.text, r.reason, r.url) for r in groups(data, 0, 1)] == [
        ("a\nb", None, "u"),
        (None, "failed.no_text", None),
        ("", None, "v"),
    ]


def test_dictionaries_times_and_bytes_that_are_no_text() -> None:
    when = datetime(2020, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    data = stored(
        {
            "text": pa.array([b"\xffx"], pa.binary()),
            "timestamp": [when],
            "score": [1.5],
            "url": pa.array(["u"]).dictionary_encode(),
        }
    )
    found = groups(data, 0, 1, options={"score": "score"})

    assert (found[0].text, found[0].n_replaced, found[0].url) == ("\ufffdx", 1, "u")
    assert found[0].timestamp is not None
    assert found[0].timestamp.startswith("2020-01-02 03:04:05")
    assert dict(found[0].metadata) == {"score": "1.5"}


@pytest.mark.parametrize("index", [pa.int8(), pa.uint16(), pa.int32(), pa.uint32(), pa.int64()])
def test_dictionaries_with_text_that_is_not_utf_8(index: pa.DataType) -> None:
    lying = pa.array([b"caf\xe9", b"good"], pa.binary()).view(pa.string())
    words = pa.DictionaryArray.from_arrays(pa.array([0, 1, None, 1], index), lying)
    times = pa.array([0, 1, 2, 3], pa.timestamp("ms", "Europe/Berlin"))
    data = stored({"text": words, "timestamp": times, "d": pa.StructArray.from_arrays([words], names=["t"])})
    records = groups(data, 0, 2, options={"d": "d.t"})

    assert [(r.text, r.n_replaced, r.metadata.get("d")) for r in records] == [
        ("caf\ufffd", 1, "caf\ufffd"),
        ("good", 0, "good"),
        (None, 0, None),
        ("good", 0, "good"),
    ]
    assert records[0].timestamp == "1970-01-01 01:00:00.000+0100"


def test_a_wrong_schema_says_what_was_found_and_expected() -> None:
    data = stored({"body": TEXTS, "n": list(range(10))})
    with pytest.raises(SourceError, match=r"file: no column 'text'; its columns are body, n"):
        groups(data, 0, 1)
    with pytest.raises(SourceError, match=r"file: column 'n' is of type int64; expected string or binary"):
        groups(data, 0, 1, options={"text": "n"})
    with pytest.raises(SourceError, match=r"no column 'nowhere'"):
        groups(data, 0, 1, options={"text": "body", "url": "nowhere"})


def test_a_broken_row_group_costs_its_rows_only() -> None:
    data = bytearray(stored({"text": [f"{i}" * 200 for i in range(9)]}))
    metadata = pq.ParquetFile(io.BytesIO(data)).metadata
    column = metadata.row_group(1).column(0)
    start = column.data_page_offset
    data[start : start + 20] = b"\xff" * 20
    counts: Counter[str] = Counter()
    parts = readers.read(io.BytesIO(data), "parquet", start=0, stop=3, source="file", counts=counts)
    found, error = drained(parts)

    assert "row group 1: 3 rows cannot be read" in str(error)
    assert [(r.offset, r.reason) for r in found] == [
        (0, None),
        (1, None),
        (2, None),
        (3, "failed.corrupt"),
        (6, None),
        (7, None),
        (8, None),
    ]
    assert counts == {"lost_rows": 3}


def test_what_is_no_parquet(tmp_path: Path) -> None:
    for data in (b"", b"PAR1", b"PAR1" + bytes(100) + b"PAR1", stored({"text": TEXTS})[:-10]):
        path = tmp_path / "a.parquet"
        path.write_bytes(data)
        with pytest.raises(SourceError, match="not a Parquet file"):
            readers.split(str(path), "parquet", size=len(data))


def test_a_list_whose_strings_are_no_text() -> None:
    lying = pa.array([b"\xff", b"mit"], pa.binary()).view(pa.string())
    data = stored({"text": ["a", "b"], "license": pa.ListArray.from_arrays(pa.array([0, 1, 2]), lying)})

    assert [dict(r.metadata) for r in groups(data, 0, 1, options={"license": "license"})] == [
        {"license": "\ufffd"},
        {"license": "mit"},
    ]


def test_names_with_dots_reach_into_maps() -> None:
    lying = pa.array([b"en", b"caf\xe9", b"a\r\nb", b"x", b"y"], pa.binary()).view(pa.string())
    numbers = pa.struct({"numbers": pa.map_(pa.int64(), pa.string())})
    keys = pa.array(["lang", "text", "text", "a.b", "text"])
    data = stored(
        {
            "m": pa.MapArray.from_arrays(pa.array([0, 2, 5, 5]), keys, lying),
            "d": pa.array([{"numbers": [(1, "one"), (-1, "last")]}, {"numbers": None}, None], numbers),
        }
    )
    options = {"text": "m.text", "url": "m.a.b", "language": "m.lang", "number": "d.numbers.1", "place": "m.0"}
    records = groups(data, 0, 1, options=options)

    assert [(r.text, r.n_replaced, r.url, dict(r.metadata)) for r in records] == [
        ("caf\ufffd", 1, None, {"language": "en", "number": "one"}),
        ("a\nb", 0, "x", {}),
        (None, 0, None, {}),
    ]


def test_of_fields_of_a_struct_that_have_one_name_the_first_counts() -> None:
    texts = pa.array(["first"]), pa.array(["second"])
    inner = pa.StructArray.from_arrays([*texts, pa.array([1])], ["t", "t", "n"])
    data = stored({"d": inner, "l": pa.ListArray.from_arrays(pa.array([0, 1]), inner)})
    records = groups(data, 0, 1, options={"text": "d.t", "n": "d.n", "item": "l.0.t"})

    assert [(r.text, dict(r.metadata)) for r in records] == [("first", {"n": "1", "item": "first"})]


def test_a_value_in_a_list_that_python_does_not_have_costs_only_itself() -> None:
    times = pa.array([[0], [1 << 62]], pa.list_(pa.timestamp("ms", "Mars/Phobos")))
    records = groups(stored({"text": ["a", "b"], "at": times}), 0, 1, options={"at": "at.0"})

    assert [r.metadata["at"] for r in records] == ["1970-01-01 00:00:00+00:00", str(1 << 62)]


def test_no_rows() -> None:
    data = stored({"text": pa.array([], pa.string())})

    assert read(data, "parquet") == ([], None)
    assert groups(data, 0, 0) == []


def test_code_in_tables() -> None:
    columns = {"content": ["print()"], "path": ["a.py"], "repo_name": ["me/it"], "license": ["mit"], "size": [7]}
    lists = {"content": ["print()"], "path": ["a.py"], "repo_name": ["me/it"], "license": [["MIT", "ISC"]]}
    found = list(readers.read(io.BytesIO(stored(columns)), "code", start=0, stop=1, source="file"))
    several = list(readers.read(io.BytesIO(stored(lists)), "code", start=0, stop=1, source="file"))
    line, _ = read(b'{"content": "print()", "path": "a.py", "repo_name": "me/it", "license": "mit"}', "code")

    assert found == line
    assert found[0].text == "print()"
    assert dict(found[0].metadata) == {"path": "a.py", "repo_name": "me/it", "license": "mit"}
    assert several[0].metadata["license"] == "MIT AND ISC"
