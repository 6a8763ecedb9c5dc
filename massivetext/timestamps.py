"""Times as sources write them: ISO 8601, numbers since 1970, web archives' digits, and the dates of mail and HTTP.

Nothing of Python's own parsers is used: what those accept changes with the version of Python and with the locale. A
time without a zone is UTC. Words for months and days are English, as RFC 822 has them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

__all__ = ["count_unreadable", "parse"]

_EPOCH = datetime(1970, 1, 1)
_CLOCK = r"(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?"
_ZONE = r"(?P<zone>[Zz]|[A-Za-z]{2,5}|(?:(?:UTC|GMT|utc|gmt)\s*)?[+\-−]\d\d?(?::?\d\d)?)"
_ISO = re.compile(
    rf"(\d{{4}})([-/.])(\d\d?)\2(\d\d?)(?:(?:[Tt]|[ ,_]+|\s+at\s+){_CLOCK}(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?"
    rf"(?:\s*{_ZONE})?(?:\s*(?:\([^)]*\)|\[[^\]]*\]))?",
    re.ASCII,
)
_PLAIN = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z", re.ASCII)
"""What web archives and most collections write; those of _ISO that need nothing but numbers."""
_COMPACT = re.compile(
    rf"(\d{{4}})(\d\d)(\d\d)(?:[Tt ]?(\d\d)(?:(\d\d)(?:(\d\d)(?:[.,]?(\d{{1,9}}))?)?)?(?:\s*{_ZONE})?)?", re.ASCII
)
_MIXED = re.compile(rf"(\d{{4}})(\d\d)(\d\d)[Tt ]{_CLOCK}(?:\s*{_ZONE})?|(\d{{4}})-(\d\d)", re.ASCII)
_WEEKDAY = r"(?:(?:Mon|Tue|Tues|Wed|Wednes|Thu|Thurs|Fri|Sat|Satur|Sun)(?:day)?\.?,?\s+)?"
_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec)[a-z]{0,6}\.?"
_TIME = rf"(?:,?\s+(?:at\s+)?{_CLOCK}(?:\s*(?P<half>[AaPp])\.?[Mm]\.?)?)?"
_MAIL = re.compile(
    rf"{_WEEKDAY}(?P<day>\d\d?)(?:st|nd|rd|th)?[ \-]{_MONTH},?[ \-](?P<year>\d{{4}}|\d\d){_TIME}(?:\s*{_ZONE})?"
    r"(?:\s*\([^)]*\))?",
    re.ASCII | re.IGNORECASE,
)
_ENGLISH = re.compile(
    rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d\d?)(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}}){_TIME}(?:\s*{_ZONE})?"
    r"(?:\s*\([^)]*\))?",
    re.ASCII | re.IGNORECASE,
)
_C = re.compile(
    rf"{_WEEKDAY}{_MONTH}\s+(?P<day>\d\d?)\s+{_CLOCK}\s+(?:{_ZONE}\s+)?(?P<year>\d{{4}})", re.ASCII | re.IGNORECASE
)
"""What C's asctime, `date`, and Twitter write."""
_NUMBER = re.compile(r"([+-]?\d{1,30})(?:\.(\d{0,30}))?", re.ASCII)
_EXPONENT = re.compile(r"(\d)\.?(\d{0,20})[eE]\+?(\d\d?)", re.ASCII)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_HOURS = {
    **dict.fromkeys(("z", "ut", "utc", "gmt", "wet"), 0),
    **{"est": -5, "edt": -4, "cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7},
    **{"bst": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3, "msk": 3, "jst": 9, "kst": 9, "west": 1},
}
"""Zones by name, in hours from UTC: those of RFC 822, and a few that mean one thing wherever they are written."""

_SECONDS, _MILLISECONDS, _MICROSECONDS = 10**11, 10**14, 10**17
"""A number below the first counts seconds (to the year 5138), below the second milliseconds, and so on."""
_LIMIT = 253_402_300_800 * 1_000_000
"""Microseconds from 1970 to the year 10000: what lies further off in either direction is no time."""


def parse(stamp: str) -> int | None:
    """Microseconds since 1970 in UTC of a time, or None if it cannot be read.

    Numbers count seconds, milliseconds, microseconds or nanoseconds since 1970, told by their size; four digits are a
    year, and 8, 12, 14 or 17 digits that spell a date between 1900 and 2199 are that date.

    >>> parse("1970-01-01T00:00:01Z"), parse("1577934245000"), parse("Thu, 02 Jan 2020 03:04:05 GMT")
    (1000000, 1577934245000000, 1577934245000000)
    """
    if (match := _PLAIN.fullmatch(stamp)) and (plain := _plain_microseconds(match)) is not None:
        return plain
    stamp = stamp.strip().strip("\"'")
    if len(stamp) > 100 or not stamp:
        return None
    if match := _ISO.fullmatch(stamp):
        year, _, month, day, hour, minute, second, fraction = match.groups()[:8]
        return _microseconds((year, month, day), (hour, minute, second, fraction), match["half"], match["zone"])
    if _NUMBER.fullmatch(stamp) or _EXPONENT.fullmatch(stamp):
        return _number(stamp)
    if match := _COMPACT.fullmatch(stamp):
        return _microseconds(match.groups()[:3], match.groups()[3:7], None, match["zone"])
    if match := _MIXED.fullmatch(stamp):
        if match[9]:
            return _microseconds((match[9], match[10], "1"), (None,) * 4, None, None)
        return _microseconds(match.groups()[:3], match.groups()[3:7], None, match["zone"])
    for pattern in (_MAIL, _ENGLISH, _C):
        if match := pattern.fullmatch(stamp):
            return _in_words(match)
    return None


def _plain_microseconds(match: re.Match[str]) -> int | None:
    """The time of a match of _PLAIN; None for a leap second, midnight as 24:00:00 and what is no time."""
    try:
        since = datetime(*map(int, match.groups())) - _EPOCH  # type: ignore[arg-type]
    except ValueError:
        return None
    return (since.days * 86400 + since.seconds) * 1_000_000


def count_unreadable(stamps: Iterable[str | None]) -> int:
    """How many of the times that are there cannot be read, and so count as missing for the policy `newest`."""
    return sum(stamp is not None and bool(stamp.strip()) and parse(stamp) is None for stamp in stamps)


def _in_words(match: re.Match[str]) -> int | None:
    """The time of a match whose groups are named, with a month in words."""
    month = _MONTHS.index(match["month"][:3].lower()) + 1
    year = match["year"]
    if len(year) == 2:  # RFC 2822: 00 to 49 are of this century
        year = ("20" if int(year) < 50 else "19") + year
    named = {"day", "month", "year", "zone", "half"}
    names = {index: name for name, index in match.re.groupindex.items()}
    clock = [value for index, value in enumerate(match.groups(), 1) if names.get(index) not in named]
    return _microseconds((year, str(month), match["day"]), clock, match.groupdict().get("half"), match["zone"])


def _number(stamp: str) -> int | None:
    """A count since 1970, or a date in digits."""
    if exponent := _EXPONENT.fullmatch(stamp):
        digits, power = exponent[1] + exponent[2], int(exponent[3]) - len(exponent[2])
        whole = int(digits) * 10**power if power >= 0 else int(digits[:power] or 0)
        fraction = digits[power:] if power < 0 else ""
    else:
        whole_digits, _, fraction = stamp.partition(".")
        if not fraction and (year := _digits(whole_digits)) is not None:
            return year
        whole = int(whole_digits)
    size = abs(whole)
    sign = -1 if stamp.startswith("-") else 1
    if size < _SECONDS:
        value = size * 1_000_000 + int(f"{fraction:0<6}"[:6])
    elif size < _MILLISECONDS:
        value = size * 1_000 + int(f"{fraction:0<3}"[:3])
    else:
        value = size if size < _MICROSECONDS else size // 1_000
    return sign * value if value < _LIMIT else None


def _digits(digits: str) -> int | None:
    """Microseconds of four digits that are a year, or of 8, 12, 14 or 17 that are a date; None for another number."""
    if not digits.isdigit() or len(digits) not in (4, 8, 12, 14, 17) or not 1900 <= int(digits[:4]) < 2200:
        return None
    if len(digits) == 4:
        return _microseconds((digits, "1", "1"), (None,) * 4, None, None)
    clock = (digits[8:10] or None, digits[10:12] or None, digits[12:14] or None, digits[14:] or None)
    return _microseconds((digits[:4], digits[4:6], digits[6:8]), clock, None, None)


def _microseconds(
    date: Iterable[str | None], clock: Iterable[str | None], half: str | None, zone: str | None
) -> int | None:
    """Microseconds since 1970 of a date and a clock's hour, minute, second and fraction, or None if there is no such
    day, hour or zone. half: a or p of a twelve-hour clock."""
    year, month, day = (int(field or 0) for field in date)
    hour_word, minute_word, second_word, fraction = clock
    hour, minute, second = int(hour_word or 0), int(minute_word or 0), int(second_word or 0)
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + 12 * (half.lower() == "p")
    offset = _zone_seconds(zone)
    is_midnight = (hour, minute, second) == (24, 0, 0)
    if offset is None or second > 60:
        return None
    try:  # a leap second counts as the one before it
        since = datetime(year, month, day, 0 if is_midnight else hour, minute, min(second, 59)) - _EPOCH
    except ValueError:
        return None
    seconds = since.days * 86400 + since.seconds + 86400 * is_midnight - offset
    return seconds * 1_000_000 + int(f"{fraction or 0:0<6}"[:6])


def _zone_seconds(zone: str | None) -> int | None:
    """Seconds that a zone is ahead of UTC; None for a name that is not known."""
    if not zone:
        return 0
    if zone[0].isalpha():
        if zone.lower() in _HOURS:
            return _HOURS[zone.lower()] * 3600
        zone = zone[3:].strip()
        if zone[:1] not in ("+", "-", "−"):
            return None
    digits = zone[1:].replace(":", "")
    hours, minutes = (int(digits), 0) if len(digits) < 3 else (int(digits[:-2]), int(digits[-2:]))
    if hours > 23 or minutes > 59:
        return None
    return (-1 if zone[0] in "-−" else 1) * (hours * 3600 + minutes * 60)
