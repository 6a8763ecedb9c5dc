from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from massivetext.dedup.shingles import _ascend, shingle_sets, shingles
from tests import oracle
from tests.strategies import texts


@given(texts)
def test_shingles_equal_the_oracle(text: str) -> None:
    expected = sorted({oracle.shingle_hash(words) for words in oracle.shingles(text)})

    assert expected == shingles(pa.array([text]))[0].as_py()


def test_hashes_are_these_on_every_machine() -> None:
    thirteen = " ".join(map(str, range(13)))

    assert shingles(pa.array([thirteen]))[0].as_py() == [8261863337746582320]


def test_number_of_shingles() -> None:
    counts = [
        len(s) for s in shingles(pa.array([" ".join(map(str, range(n))) for n in (0, 1, 12, 13, 14)])).to_pylist()
    ]

    assert counts == [0, 1, 1, 1, 2]


def test_case_punctuation_and_white_space_make_no_difference() -> None:
    rows = shingles(pa.array(["Straße, e\u0301t\u00e9 -- (x)!", "STRAßE \u00e9te\u0301\n x", "$ +!"])).to_pylist()

    assert rows[0] == rows[1]
    assert rows[2] == []


def test_sets_lie_one_behind_the_other(licences: list[str]) -> None:
    column = pa.array([*licences, "", licences[0]])
    hashes, bounds = shingle_sets(column)
    listed = shingles(column).to_pylist()

    assert [hashes[bounds[i] : bounds[i + 1]].tolist() for i in range(len(column))] == listed
    assert listed[0] == listed[-1] == sorted({oracle.shingle_hash(words) for words in oracle.shingles(licences[0])})


@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(2**63, 2**63 + 99), max_size=300))
def test_ascending_whatever_the_hashes(values: list[int]) -> None:
    out = np.empty(len(values) + 1, np.uint64)
    n = _ascend(np.array(values, np.uint64), len(values), out, np.empty((1 << 16) + 1, np.int64))

    assert out[:n].tolist() == sorted(set(values))
