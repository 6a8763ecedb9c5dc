"""A seeded permutation of 0 .. n - 1 of which any part can be had without holding the whole."""

from __future__ import annotations

import numpy as np

from massivetext.mixture.allotment import generator

__all__ = ["Permutation"]

_ROUNDS = 6


class Permutation:
    """A Feistel network over the pairs of h bits with 4^h >= n, walked on until it comes to a number below n
    (Black and Rogaway 2002, "Ciphers with arbitrary finite domains"): less than 4 steps on average."""

    def __init__(self, n: int, *key: object) -> None:
        self.n = n
        self._half = np.uint64(max(1, ((max(n, 2) - 1).bit_length() + 1) // 2))
        self._mask = (np.uint64(1) << self._half) - np.uint64(1)
        self._keys = generator("permutation", *key, n).integers(0, 1 << 64, _ROUNDS, np.uint64)

    def __getitem__(self, part: slice) -> np.ndarray:
        """int64: where the places part.start .. part.stop - 1 go."""
        found = np.arange(part.start, min(part.stop, self.n), dtype=np.uint64)
        walking = np.arange(len(found))
        while len(walking):
            found[walking] = self._step(found[walking])
            walking = walking[found[walking] >= self.n]
        return found.astype(np.int64)

    def _step(self, numbers: np.ndarray) -> np.ndarray:
        left, right = numbers >> self._half, numbers & self._mask
        for key in self._keys:
            left, right = right, left ^ (_mixed(right ^ key) & self._mask)
        return (left << self._half) | right


def _mixed(numbers: np.ndarray) -> np.ndarray:
    """The finisher of splitmix64: each bit of the input changes each of the output about half the time."""
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
