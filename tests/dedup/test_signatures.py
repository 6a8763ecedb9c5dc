from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from massivetext.dedup.shingles import shingles, signed_sets
from massivetext.dedup.signatures import signatures, to_arrow
from tests.strategies import texts


@given(st.lists(texts, max_size=5))
def test_texts_of_equal_digest_have_equal_shingles(rows: list[str]) -> None:
    column = pa.array(rows, pa.string())
    _, digests, sizes = signed_sets(column, 7, 1)
    expected = shingles(column)

    for i, one in enumerate(expected.to_pylist()):
        assert (sizes[i] == 0) == (not one)
        assert sizes[i] >= len(one)
        for j in range(i):
            if tuple(digests[i]) == tuple(digests[j]):
                assert one == expected[j].as_py()


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
