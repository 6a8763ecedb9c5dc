from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from massivetext.dedup import shingles, signatures
from massivetext.dedup.sets import _ascend, shingle_sets, signed_sets
from tests.strategies import texts


@given(st.lists(texts, max_size=5))
def test_the_same_sets_and_signatures_as_by_the_scan_of_all_rules(rows: list[str]) -> None:
    column = pa.array(rows, pa.string())
    hashes, bounds = shingle_sets(column)
    signed, digests, sizes = signed_sets(column, 7, 1)
    expected = shingles(column)

    assert [hashes[bounds[i] : bounds[i + 1]].tolist() for i in range(len(rows))] == expected.to_pylist()
    np.testing.assert_array_equal(signed, signatures(column, num_hashes=7, seed=1))
    for i, one in enumerate(expected.to_pylist()):
        assert (sizes[i] == 0) == (not one)
        assert sizes[i] >= len(one)
        for j in range(i):
            if tuple(digests[i]) == tuple(digests[j]):
                assert one == expected[j].as_py()


def test_real_text(licences: list[str]) -> None:
    column = pa.array(licences)
    hashes, bounds = shingle_sets(column)
    expected = shingles(column)

    np.testing.assert_array_equal(hashes, np.asarray(expected.values))
    np.testing.assert_array_equal(bounds, np.asarray(expected.offsets))


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(2**63, 2**63 + 99), max_size=300))
def test_ascending_whatever_the_hashes(values: list[int]) -> None:
    out = np.empty(len(values) + 1, np.uint64)
    n = _ascend(np.array(values, np.uint64), len(values), out, np.empty((1 << 16) + 1, np.int64))

    assert out[:n].tolist() == sorted(set(values))
