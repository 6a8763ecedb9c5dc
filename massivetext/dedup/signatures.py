"""MinHash signatures of shingle sets, equal to those of datasketch, so that users can carry on with it.

Scheme `affine32` of datasketch 2: the low 32 bits of a shingle hash go through the 32-bit finaliser of MurmurHash3;
hash k of a set is the least a_k h + b_k mod 2^32 of its members; the set without members has 2^32 - 1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pyarrow as pa

from massivetext.dedup.digests import digest_set
from massivetext.dedup.shingles import SHINGLE_WORDS, hash_shingles, most_words
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.hashing import HASH_VERSION
from massivetext.text.unicode import UNICODE_VERSION
from massivetext.text.words import normal_words, unicode_tables

__all__ = ["permutations", "signatures", "signed_sets", "to_arrow"]


@lru_cache(maxsize=8)
def permutations(num_hashes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(a, b): uint32[num_hashes] each, a odd, drawn as datasketch draws them. `seed` is below 2^32."""
    generator = np.random.RandomState(seed)
    a = generator.randint(0, 1 << 31, num_hashes, dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    b = generator.randint(0, 1 << 32, num_hashes, dtype=np.uint32)
    return a, b


@njit(cache=True, nogil=True)
def sign(hashes, n, mixed, a, b, out):
    """Signature of n shingle hashes into out (uint32). Repeats change nothing. `mixed` is uint32 scratch of n."""
    for j in range(n):
        h = np.uint32(hashes[j] & np.uint64(0xFFFFFFFF))
        h ^= h >> np.uint32(16)
        h = np.uint32(h * np.uint32(0x85EBCA6B))
        h ^= h >> np.uint32(13)
        h = np.uint32(h * np.uint32(0xC2B2AE35))
        mixed[j] = h ^ (h >> np.uint32(16))
    for k in range(len(a)):
        least = np.uint32(0xFFFFFFFF)
        ak, bk = a[k], b[k]
        for j in range(n):  # shingles innermost: the compiler makes this a vector minimum
            least = min(least, np.uint32(np.uint32(ak * mixed[j]) + bk))
        out[k] = least


@njit(cache=True, nogil=True)
def _signed_sets(data, offsets, t, a, b):
    n_texts = len(offsets) - 1
    most = most_words(data, offsets)
    words = np.empty(most, np.uint64)
    hashes = np.empty(most, np.uint64)
    mixed = np.empty(most, np.uint32)
    signed = np.empty((n_texts, len(a)), np.uint32)
    digests = np.empty((n_texts, 2), np.uint64)
    sizes = np.empty(n_texts, np.int64)
    for i in range(n_texts):
        n = hash_shingles(words, normal_words(data, offsets[i], offsets[i + 1], t, words), hashes)
        sign(hashes, n, mixed, a, b, signed[i])
        digest_set(hashes, 0, n, digests[i])
        sizes[i] = n
    return signed, digests, sizes


def signed_sets(texts: Texts, num_hashes: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(uint32[n, num_hashes], uint64[n, 2], int64[n]): signatures, digests of the shingles, and their numbers with
    repeats."""
    return _signed_sets(*buffers(texts), unicode_tables(), *permutations(num_hashes, seed))


def signatures(texts: Texts, *, num_hashes: int = 128, seed: int = 1) -> np.ndarray:
    """uint32[n, num_hashes]: equal to `datasketch.MinHash(num_hashes, seed, scheme="affine32")` of the low 32 bits of
    each text's shingle hashes."""
    return signed_sets(texts, num_hashes, seed)[0]


def to_arrow(signed: np.ndarray, *, seed: int) -> pa.RecordBatch:
    """Column `signature`, fixed_size_list<uint32>[num_hashes], whose metadata say by which definition it was made:
    signatures are comparable only if all of these are equal."""
    num_hashes = signed.shape[1]
    metadata = {
        "massivetext.hash_version": str(HASH_VERSION),
        "massivetext.unicode": UNICODE_VERSION,
        "massivetext.shingle_words": str(SHINGLE_WORDS),
        "massivetext.scheme": "affine32",
        "massivetext.seed": str(seed),
    }
    field = pa.field("signature", pa.list_(pa.uint32(), num_hashes), nullable=False, metadata=metadata)
    values = pa.FixedSizeListArray.from_arrays(pa.array(signed.ravel()), num_hashes)
    return pa.RecordBatch.from_arrays([values], schema=pa.schema([field]))
