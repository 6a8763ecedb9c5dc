"""MinHash of a set, as datasketch defines it: scheme `affine32` of its version 2.

The low 32 bits of a member's hash go through the 32-bit finaliser of MurmurHash3; hash k of a set is the least
a_k h + b_k mod 2^32 of its members; the set without members has 2^32 - 1.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from massivetext.kernels import njit

__all__ = ["permutations", "sign"]


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
