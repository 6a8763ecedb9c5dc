"""Hash tables of kernels."""

from __future__ import annotations

import numpy as np
import pytest

from massivetext.slots import count_slots, find_slot


@pytest.mark.parametrize(("n", "expected"), [(0, 16), (16, 16), (17, 32), (1024, 1024), (1025, 2048)])
def test_slots_are_the_least_power_of_two_that_suffices(n, expected):
    assert count_slots(n) == expected


def test_keys_that_share_a_slot_take_the_next_and_are_met_again():
    keys = np.zeros(16, np.uint64)
    numbers = [np.uint64(15), np.uint64(31), np.uint64(47), np.uint64(1 << 33 | 15)]  # 2^33 >> 29 is 16: no other bit
    slots = []
    for number in numbers:
        slot = find_slot(keys, number)
        keys[slot] = number
        slots.append(slot)

    assert slots == [15, 0, 1, 2]
    assert [find_slot(keys, number) for number in numbers] == slots


def test_a_dict_counts_the_same():
    values = np.random.default_rng(0).integers(1, 300, 1000).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    keys = np.zeros(count_slots(2 * 300), np.uint64)
    slots = {}
    for value in values:
        slot = find_slot(keys, value)
        keys[slot] = value
        slots.setdefault(int(value), slot)

        assert slots[int(value)] == slot

    assert len(set(slots.values())) == len(slots) == np.count_nonzero(keys)
