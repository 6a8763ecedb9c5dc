from __future__ import annotations

import numpy as np
import pytest

from massivetext.text.normal import decode_point
from massivetext.text.scan import N_COUNTS, make_scratch, scan, unicode_tables, words_at_most


@pytest.mark.parametrize("point", [0x80, 0x7FF, 0x800, 0xFFF, 0x1680, 0x2028, 0xFFFF, 0x10000, 0x10FFFF])
def test_a_point_is_what_utf8_spells(point: int) -> None:
    data = np.frombuffer(chr(point).encode(), np.uint8)

    assert (point, len(data)) == decode_point(data, 0, len(data))
    assert (0xFFFD, 1) == decode_point(data, 0, len(data) - 1)


@pytest.mark.parametrize(
    "data", [b"\xc0\xa0", b"\xe0\x80\x9f", b"\xe0\x9f\xbf", b"\xf0\x80\x80\xa0", b"\xf0\x8f\xbf\xbf"]
)
def test_a_point_spelt_too_long_is_none(data: bytes) -> None:
    assert (0xFFFD, 1) == decode_point(np.frombuffer(data, np.uint8), 0, len(data))


def test_spaces_spelt_too_long_do_not_make_more_words_than_there_is_room_for() -> None:
    data = np.frombuffer(b"a\xe0\x80\x9f" * 50, np.uint8)
    most = words_at_most(data, 0, len(data))
    scratch, counts = make_scratch(len(data)), np.zeros(N_COUNTS, np.int64)
    scan(data, 0, len(data), unicode_tables(), scratch, counts, False)

    assert counts[0] <= most
