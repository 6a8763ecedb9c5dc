from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from massivetext.dedup.shingles import shingles
from massivetext.dedup.signatures import signatures, to_arrow
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


@given(st.lists(texts, max_size=4), st.integers(0, 2**32 - 1), st.sampled_from([1, 7, 128]))
def test_signatures_equal_datasketch(rows: list[str], seed: int, num_hashes: int) -> None:
    from datasketch import MinHash

    column = pa.array(rows, pa.string())
    signed = signatures(column, num_hashes=num_hashes, seed=seed)
    for row, hashes in zip(signed, shingles(column).to_pylist()):
        peer = MinHash(num_hashes, seed, hashfunc=lambda h: h & 0xFFFFFFFF, scheme="affine32")
        for h in hashes:
            peer.update(h)

        np.testing.assert_array_equal(peer.hashvalues, row)


def test_signatures_carry_on_in_datasketch() -> None:
    from datasketch import MinHash, MinHashLSH

    words = [f"w{i}" for i in range(200)]
    column = pa.array([" ".join(words), " ".join([*words[:190], "x"]), " ".join(reversed(words))])
    hashes = [MinHash(hashvalues=row, seed=1, scheme="affine32") for row in signatures(column, num_hashes=128, seed=1)]
    lsh = MinHashLSH(threshold=0.8, num_perm=128)
    for name, signature in zip("abc", hashes):
        lsh.insert(name, signature)

    assert sorted(lsh.query(hashes[0])) == ["a", "b"]


def test_stored_signatures_say_how_they_were_made() -> None:
    signed = signatures(pa.array(["a b", "c"]), num_hashes=4, seed=9)
    stored = to_arrow(signed, seed=9)
    metadata = stored.schema.field("signature").metadata

    np.testing.assert_array_equal(signed, np.array(stored["signature"].to_pylist(), np.uint32))
    assert (b"2", b"14.0.0", b"9") == tuple(
        metadata[b"massivetext." + k] for k in (b"hash_version", b"unicode", b"seed")
    )
