from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from massivetext import timestamps

SECOND = 1_000_000
AT = 1_577_934_245 * SECOND
"""2020-01-02 03:04:05 UTC."""


@pytest.mark.parametrize(
    ("stamp", "expected"),
    [
        ("2020-01-02T03:04:05Z", AT),
        ("2020-01-02t03:04:05z", AT),
        ("2020-01-02 03:04:05", AT),
        ("2020-01-02 03:04:05 UTC", AT),
        ("2020-01-02 03:04:05 GMT", AT),
        ("2020-01-02 03:04:05 +0000", AT),
        ("2020-01-02 03:04:05+00", AT),
        ("2020-01-02 03:04:05 UTC+00:00", AT),
        ("2020-01-02T04:04:05+01:00", AT),
        ("2020-01-02T04:04:05+01:00[Europe/Paris]", AT),
        ("2020-01-01T22:04:05-0500", AT),
        ("2020-01-01T22:04:05−05:00", AT),
        ("2020-01-02T03:04:05.678Z", AT + 678_000),
        ("2020-01-02T03:04:05,678901234Z", AT + 678_901),
        ("2020-01-02T03:04Z", AT - 5 * SECOND),
        ("2020-01-02", AT - 11045 * SECOND),
        ("2020/01/02 03:04:05", AT),
        ("2020/1/2 3:04:05", AT),
        ("2020.01.02 03:04:05", AT),
        ("2020-01-02 3:04:05 AM", AT),
        ("2020-01-02 3:04:05 p.m.", AT + 43200 * SECOND),
        ("2020-01-01T24:00:00Z", AT - 11045 * SECOND),
        ("2016-12-31T23:59:60Z", 1_483_228_799 * SECOND),
        ("20200102T030405Z", AT),
        ("20200102T030405", AT),
        ("20200102T030405.5Z", AT + 500_000),
        ("20200102T040405+0100", AT),
        ("20200102 030405", AT),
        ("20200102 03:04:05", AT),
        ("20200102T03:04:05Z", AT),
        ("20200102030405", AT),
        ("20200102030405Z", AT),
        ("20200102030405123", AT + 123_000),
        ("202001020304", AT - 5 * SECOND),
        ("20200102", AT - 11045 * SECOND),
        ("2020", 1_577_836_800 * SECOND),
        ("2020-01", 1_577_836_800 * SECOND),
        ("1577934245", AT),
        ("1577934245.0", AT),
        ("1577934245.5", AT + 500_000),
        ("1577934245000", AT),
        ("1577934245678", AT + 678_000),
        ("1577934245678.9", AT + 678_900),
        ("1577934245000000", AT),
        ("1577934245000000000", AT),
        ("1.577934245e9", AT),
        ("1.577934245E+09", AT),
        ("1.577934245678e12", AT + 678_000),
        ("0", 0),
        ("-1", -SECOND),
        ("-1.5", -1_500_000),
        (" 1577934245\n", AT),
        ('"2020-01-02T03:04:05Z"', AT),
        ("Thu, 02 Jan 2020 03:04:05 GMT", AT),
        ("Thu, 02 Jan 2020 03:04:05 +0000", AT),
        ("Thu, 2 Jan 2020 03:04:05 +0000 (UTC)", AT),
        ("Wed, 01 Jan 2020 22:04:05 EST", AT),
        ("Wed, 01 Jan 2020 19:04:05 -0800 (PST)", AT),
        ("02 Jan 20 03:04:05 GMT", AT),
        ("Thursday, 02-Jan-20 03:04:05 GMT", AT),
        ("Thu Jan  2 03:04:05 2020", AT),
        ("Thu Jan 2 03:04:05 UTC 2020", AT),
        ("Thu Jan 02 03:04:05 +0000 2020", AT),
        ("2 January 2020", AT - 11045 * SECOND),
        ("January 2, 2020", AT - 11045 * SECOND),
        ("Jan. 2nd, 2020 3:04:05 AM", AT),
        ("January 2, 2020 at 03:04:05 UTC", AT),
        ("02 Jan 2020 03:04", AT - 5 * SECOND),
        ("Fri, 31 Dec 99 23:59:59 GMT", 946_684_799 * SECOND),
        ("01 Jan 49 00:00:00 GMT", 2_493_072_000 * SECOND),
    ],
)
def test_times_that_can_be_read(stamp: str, expected: int) -> None:
    assert expected == timestamps.parse(stamp)


@pytest.mark.parametrize(
    "stamp",
    [
        *("", "  ", "yesterday", "None", "null", "nan", "inf", "1e400", "-", "T", "Z", "2020-13-01", "2020-02-30"),
        *("2020-01-02T25:00:00Z", "2020-01-02T03:60:00Z", "2020-01-02T03:04:61Z", "2020-01-02 03:04:05 XYZ"),
        *("2020-01-02T03:04:05+25:00", "2020-01-02T03:04:05+01:60", "02/01/2020", "1" * 40, "2020-01-02" * 20),
        *("32 Jan 2020", "Thu, 02 Foo 2020 03:04:05 GMT", "2020-01-02 13:00 PM", "2020-01-02 0:00 AM", "0000-00-00"),
        *("٢٠٢٠-٠١-٠٢", "2020-01-02T", "9" * 30, "-99999999999999999999999999"),
    ],
)
def test_times_that_cannot(stamp: str) -> None:
    assert timestamps.parse(stamp) is None


def test_unreadable_times_are_counted() -> None:
    assert 2 == timestamps.count_unreadable(["2020-01-02", None, "", " ", "yesterday", "02/01/2020", "0"])


@given(st.datetimes(datetime(1900, 1, 1), datetime(2199, 12, 31), timezones=st.just(timezone.utc)))
def test_iso_and_numbers_are_what_python_says(when: datetime) -> None:
    exact = int((when - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()) * SECOND
    micro = round((when.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=timezone.utc)).total_seconds()) * SECOND

    assert micro + when.microsecond == timestamps.parse(when.isoformat())
    assert micro == timestamps.parse(when.strftime("%Y%m%d%H%M%S"))
    assert micro == timestamps.parse(when.strftime("%a, %d %b %Y %H:%M:%S +0000"))
    assert abs(exact - micro) <= SECOND


@given(st.text(max_size=120))
def test_anything_gives_a_number_or_none(stamp: str) -> None:
    value = timestamps.parse(stamp)

    assert value is None or abs(value) < 1 << 60
