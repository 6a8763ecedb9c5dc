"""Bytes compared 32 at a time."""

from __future__ import annotations

import numpy as np
import pytest

from massivetext.extraction.markup import count_byte, find_byte
from massivetext.kernels import njit
from massivetext.masks import WIDTH, count_bits, equal_mask, lowest_bit, range_mask


@njit(cache=True, nogil=True)
def both_masks(page, at, first, last):
    return equal_mask(page, at, first), range_mask(page, at, first, last)


@njit(cache=True, nogil=True)
def bits_of(mask):
    return lowest_bit(mask), count_bits(mask)


@pytest.mark.parametrize("at", [0, 1, 31, 68])
def test_a_bit_stands_for_each_byte(at):
    page = np.random.default_rng(at).integers(0, 256, 100).astype(np.uint8)
    first, last = page[at], np.uint8(min(255, int(page[at]) + 60))
    equal, within = both_masks(page, np.uint64(at), first, last)

    some = page[at : at + WIDTH]
    assert [int(equal) >> k & 1 for k in range(WIDTH)] == (some == first).astype(int).tolist()
    assert [int(within) >> k & 1 for k in range(WIDTH)] == ((some >= first) & (some <= last)).astype(int).tolist()


@pytest.mark.parametrize(("mask", "expected"), [(0, (32, 0)), (1, (0, 1)), (1 << 31, (31, 1)), (0xFFFF0000, (16, 16))])
def test_bits_of_a_mask(mask, expected):
    assert bits_of(np.uint32(mask)) == expected


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 64, 100])
def test_bytes_are_found_and_counted_up_to_the_last(size):
    page = bytes(size)
    for at in range(size):
        data = np.frombuffer(page[:at] + b"<" + page[at + 1 :], np.uint8)

        assert find_byte(data, 0, 60) == at
        assert find_byte(data, at + 1, 60) == size
        assert count_byte(data, 60) == 1
    assert find_byte(np.frombuffer(page, np.uint8), 0, 60) == size
