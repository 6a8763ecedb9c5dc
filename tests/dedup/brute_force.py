"""The rule of removal in plain Python over all pairs, for the fast way to agree with."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction

import numpy as np

from tests import oracle


def rank(name: str, seed: int) -> tuple[int, bytes]:
    digest = hashlib.blake2b(name.encode(), digest_size=16, key=seed.to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "big"), name.encode()


def overlaps(sets: Sequence[set[Hashable]]) -> list[np.ndarray]:
    """For each set, how many members it has in common with each: an inverted index, counted."""
    numbers: dict[Hashable, int] = {}
    members = [np.array([numbers.setdefault(member, len(numbers)) for member in one], np.int64) for one in sets]
    holders: list[list[int]] = [[] for _ in numbers]
    for document, one in enumerate(members):
        for member in one.tolist():
            holders[member].append(document)
    lists = [np.array(documents, np.int64) for documents in holders]
    empty = np.zeros(0, np.int64)
    return [np.bincount(np.concatenate([empty, *(lists[m] for m in one)]), minlength=len(sets)) for one in members]


def greedy(
    sets: Sequence[set[Hashable]],
    order: Iterable[int],
    threshold: Fraction = Fraction(4, 5),
    are_candidates: Callable[[int, int], bool] = lambda i, j: True,
) -> dict[int, tuple[int, Fraction]]:
    """Partner and J of each removed set, going down the order."""
    common = overlaps(sets)
    place = {document: k for k, document in enumerate(order)}
    kept: set[int] = set()
    removed = {}
    for i in place:
        met = [k for k in np.flatnonzero(common[i]).tolist() if k in kept]
        for k in sorted(met, key=place.__getitem__):
            shared = int(common[i][k])
            jaccard = Fraction(shared, len(sets[i]) + len(sets[k]) - shared)
            if jaccard > threshold and are_candidates(i, k):
                removed[i] = k, jaccard
                break
        else:
            kept.add(i)
    return removed


def near_duplicates(
    texts: Sequence[str], ids: Sequence[str], seed: int = 0, threshold: Fraction = Fraction(4, 5)
) -> dict[str, tuple[str, Fraction]]:
    """Removed ids with partner and J, by all pairs."""
    exact = [" ".join(oracle.unicodedata.normalize("NFC", text).split()) for text in texts]
    # A text without words has one member of its own kind, its exact text, so that only the exact rule can touch it.
    sets: list[set[Hashable]] = [set(oracle.shingles(text)) or {("exact", same)} for text, same in zip(texts, exact)]
    order = sorted(range(len(texts)), key=lambda i: rank(ids[i], seed))
    return {ids[i]: (ids[k], jaccard) for i, (k, jaccard) in greedy(sets, order, threshold).items()}
