"""The rule of removal in plain Python over all pairs, for the fast way to agree with."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from fractions import Fraction

from tests import oracle


def rank(name: str, seed: int) -> tuple[int, bytes]:
    digest = hashlib.blake2b(name.encode(), digest_size=16, key=seed.to_bytes(8, "little")).digest()
    return int.from_bytes(digest, "big"), name.encode()


def overlaps(sets: Sequence[set[Hashable]]) -> dict[int, Counter[int]]:
    """For each set, how many members it has in common with every other that it meets."""
    holders = defaultdict(list)
    for i, members in enumerate(sets):
        for member in members:
            holders[member].append(i)
    common: dict[int, Counter[int]] = defaultdict(Counter)
    for documents in holders.values():
        for i in documents:
            common[i].update(documents)
    return common


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
        for k in sorted((k for k in common[i] if k in kept), key=place.__getitem__):
            jaccard = Fraction(common[i][k], len(sets[i]) + len(sets[k]) - common[i][k])
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
