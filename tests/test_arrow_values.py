from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import pyarrow as pa
import pytest

from massivetext.arrow_values import distinct_names, python_values

LATE = 1 << 62
LYING = pa.array([b"caf\xe9", b"good"], pa.binary()).view(pa.string())
BAD = b"caf\xe9"
NANOSECONDS = 1_577_934_245_123_456_789


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["a", None]), ["a", None]),
        (LYING, [BAD, "good"]),
        (LYING.cast(pa.large_binary()).view(pa.large_string()), [BAD, "good"]),
        (LYING.cast(pa.binary_view()).view(pa.string_view()), [BAD, "good"]),
        (pa.DictionaryArray.from_arrays(pa.array([1, None, 0]), LYING), ["good", None, BAD]),
        (pa.ListArray.from_arrays(pa.array([0, 1, 2, 2]), LYING), [[BAD], ["good"], []]),
        (pa.FixedSizeListArray.from_arrays(LYING, 2), [[BAD, "good"]]),
        (pa.MapArray.from_arrays(pa.array([0, 1, 2]), LYING, LYING), [[(BAD, BAD)], [("good", "good")]]),
        (pa.StructArray.from_arrays([LYING, LYING], ["t", "t"]), [{"t": t, "t (2)": t} for t in (BAD, "good")]),
        (pa.ExtensionArray.from_storage(pa.json_(pa.string()), LYING), [BAD, "good"]),
        (pa.array([1, 99_999_999, None], pa.date32()), [date(1970, 1, 2), 99_999_999, None]),
        (pa.array([0, LATE], pa.timestamp("us")), [datetime(1970, 1, 1), LATE]),
        (pa.array([0, LATE], pa.timestamp("s", "UTC")), [datetime(1970, 1, 1, tzinfo=timezone.utc), LATE]),
        (pa.array([0, -LATE], pa.timestamp("ms", "Mars/Phobos")), [datetime(1970, 1, 1, tzinfo=timezone.utc), -LATE]),
        (pa.array([NANOSECONDS], pa.timestamp("ns")), ["2020-01-02 03:04:05.123456789"]),
        (pa.array([NANOSECONDS], pa.timestamp("ns", "Mars/Phobos")), ["2020-01-02 03:04:05.123456789Z"]),
        (pa.array([NANOSECONDS], pa.timestamp("ns", "Asia/Tokyo")), ["2020-01-02 12:04:05.123456789+0900"]),
        (pa.array([1, 1 << 60]).view(pa.time64("ns")), ["00:00:00.000000001", 1 << 60]),
        (pa.array([1, LATE], pa.duration("s")), [timedelta(seconds=1), LATE]),
        (pa.array([1], pa.duration("ns")), [1]),
        (pa.array([[{"d": 99_999_999}], None], pa.list_(pa.struct({"d": pa.date32()}))), [[{"d": 99_999_999}], None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_values_that_python_has_and_that_it_does_not_have(column: pa.Array, expected: list[Any]) -> None:
    assert expected == python_values(column, bytes)


def test_names_that_differ() -> None:
    assert ["a", "b"] == distinct_names(["a", "b"])
    assert ["a", "a (3)", "a (2)", "a (4)"] == distinct_names(["a", "a", "a (2)", "a"])
