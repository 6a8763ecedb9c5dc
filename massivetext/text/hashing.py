"""The hashes of words and of sequences of words. Everything stored that depends on them carries HASH_VERSION.

All arithmetic is modulo 2^64; fmix is the 64-bit finaliser of MurmurHash3.

    word hash          h = OFFSET; h = (h ^ code point) * PRIME for each code point; fmix(h)
    sequence hash      g = g * BASE + word hash, over the words in order, from 0
    shingle hash       fmix(g) over 13 written words, or over all written words of a text of 1 to 12

Version 2 of the definition deletes format characters (Cf) and cuts text of scripts without spaces into written words
(docs/hashes.md). Version 1 kept Cf and cut at whitespace alone. The hash functions are the same in both, so a text
without such characters has the same hashes.

Hashes are not secret: a page can be made to collide with itself, which changes that page's own values and nothing else.
The slots of hash tables are salted per process, so that no page can make a table slow.
"""

from __future__ import annotations

import numpy as np

from massivetext.kernels import njit

__all__ = ["BASE", "HASH_VERSION", "OFFSET", "PRIME", "fmix"]

HASH_VERSION = 2
OFFSET = np.uint64(0xCBF29CE484222325)
PRIME = np.uint64(0x9E3779B97F4A7C15)
BASE = np.uint64(0xD1342543DE82EF95)


@njit(cache=True, nogil=True)
def fmix(h):
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))
