"""Who is removed: the greedy rule of the paper's "remove either one", over verified candidates.

Documents come best-ranked first. Each is kept unless it is a near-duplicate of one kept before; its partner is the best
of those. Candidates of a document are the documents that share a band with it. Nothing is removed but on the true sets
of shingles. No list of pairs is ever made: a document is compared with kept ones only.

A component (documents connected by bands) of up to SMALL documents is compared pair by pair. A larger one may be a
template below the threshold that is kept a hundred thousand times, where pairs are hopeless; see `_large`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numba import types
from numba.extending import intrinsic

from massivetext.errors import RecipeError
from massivetext.kernels import njit
from massivetext.text.scan import fmix

__all__ = ["Removals", "decide", "exact_threshold"]

SMALL = 64
CORE = 64
"""A shingle in more documents of its component than this is of the core; the others go through an inverted index."""

BIT_WORDS = 1 << 22
"""Cores as bits take at most so many words of 8 bytes in a component."""

# Counts that the kernels keep, by index.
VERIFICATIONS, CORE_OVERLAPS, CLASS_PAIRS, N_STATS = range(4)

_SALT = np.uint64(int.from_bytes(os.urandom(8), "little") | 1)  # places in a hash table only; never a result


@dataclass(frozen=True)
class Removals:
    """partner: int64[n], index of the kept document that document i duplicates, -1 if it is kept itself.
    overlap: int64[n], shingles that the two have in common. verifications: pairs of sets compared."""

    partner: np.ndarray
    overlap: np.ndarray
    verifications: int
    core_overlaps: int
    class_pairs: int


def exact_threshold(threshold: float) -> tuple[int, int]:
    """The threshold as the rational that its decimal digits say: 0.8 is (4, 5)."""
    value = Fraction(str(threshold))
    if not 0 < value < 1 or value.denominator > 10**9:
        raise RecipeError(f"deduplication.threshold: {threshold!r} must lie between 0 and 1, with at most 9 decimals")
    return value.numerator, value.denominator


@intrinsic
def _ones(typingctx, word):
    """Bits that are 1 in a uint64, as one instruction."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@njit(cache=True, nogil=True)
def _need(a, b, p, q):
    """The least overlap at which sets of a and b members have J > p/q: (p + q) overlap > p (a + b)."""
    return p * (a + b) // (p + q) + 1


@njit(cache=True, nogil=True)
def _overlap(hashes, i, i_end, j, j_end, need):
    """Members that two ascending runs of `hashes` share, or -1 once `need` is out of reach."""
    found = np.int64(0)
    while i < i_end and j < j_end:
        if found + min(i_end - i, j_end - j) < need:
            return np.int64(-1)
        stop = min(min(i_end - i, j_end - j), 32)
        for _ in range(stop):
            x, y = hashes[i], hashes[j]
            found += x == y
            i += x <= y
            j += y <= x
    return found if found >= need else np.int64(-1)


@njit(cache=True, nogil=True)
def _shares_band(bands, i, j):
    found = False
    for k in range(bands.shape[1]):
        found |= bands[i, k] == bands[j, k]
    return found


@njit(cache=True, nogil=True)
def _small(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats):
    kept = np.empty(last - first, np.int64)
    n_kept = 0
    for i in range(first, last):
        size = bounds[i + 1] - bounds[i]
        if not fixed[i]:
            for at in range(n_kept):
                k = kept[at]
                other = bounds[k + 1] - bounds[k]
                need = _need(size, other, p, q)
                if need > min(size, other) or not _shares_band(bands, i, k):
                    continue
                stats[VERIFICATIONS] += 1
                found = _overlap(hashes, bounds[i], bounds[i + 1], bounds[k], bounds[k + 1], need)
                if found >= 0:
                    partner[i], overlap[i] = k, found
                    break
        if partner[i] < 0 and (fixed[i] or joins):
            kept[n_kept] = i
            n_kept += 1


@njit(cache=True, nogil=True)
def _power_of_two(n):
    size = np.int64(16)
    while size < n:
        size *= 2
    return size


@njit(cache=True, nogil=True)
def _number(values, salt):
    """(int32[n] number of each value in order of first occurrence, how many)."""
    mask = _power_of_two(len(values) + len(values) // 2) - 1
    keys = np.empty(mask + 1, np.uint64)
    numbers = np.full(mask + 1, -1, np.int32)
    out = np.empty(len(values), np.int32)
    n = 0
    for i in range(len(values)):
        value = values[i]
        slot = np.int64((value * salt) >> np.uint64(20)) & mask
        while numbers[slot] >= 0 and keys[slot] != value:
            slot = (slot + 1) & mask
        if numbers[slot] < 0:
            keys[slot], numbers[slot] = value, n
            n += 1
        out[i] = numbers[slot]
    return out, n


@njit(cache=True, nogil=True)
def _large(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats, salt):
    """The same answer as pair by pair, in time near-linear in documents even where a bucket holds a whole template.

    Shingles in more than CORE documents of the component are its core; a document is its core part and a rare part.
    Overlaps of rare parts are counted through an inverted index of kept documents: at most CORE of them a shingle.
    - Pairs that share a rare shingle are met there; only those within reach of the threshold are looked at further.
    - A pair that shares none is a near-duplicate only if the core parts alone suffice. Documents of equal core and
      equal size are a *class*, and that question has one answer for two classes. It is asked only of documents whose
      core could suffice, and only of classes that a band is shared with.
    What is found is verified on the sets themselves before it counts.
    """
    n = last - first
    base = bounds[first]
    ids, n_ids = _number(hashes[base : bounds[last]], salt)
    frequency = np.zeros(n_ids + 1, np.int32)
    for j in range(len(ids)):
        frequency[ids[j]] += 1
    start = np.zeros(n_ids + 1, np.int64)
    for j in range(n_ids):
        start[j + 1] = start[j] + (frequency[j] if frequency[j] <= CORE else 0)
    posting = np.empty(start[n_ids], np.int32)
    filled = np.zeros(n_ids, np.int32)

    core_size = np.zeros(n, np.int64)
    core_key = np.zeros(n, np.uint64)
    class_key = np.zeros(n, np.uint64)
    heavy = np.zeros(n, np.bool_)
    n_heavy = 0
    for i in range(n):
        key = np.uint64(0)
        for j in range(bounds[first + i] - base, bounds[first + i + 1] - base):
            if frequency[ids[j]] > CORE:
                core_size[i] += 1
                key += fmix(hashes[base + j])
        size = bounds[first + i + 1] - bounds[first + i]
        core_key[i] = fmix(key ^ np.uint64(core_size[i]))
        class_key[i] = fmix(core_key[i] + np.uint64(size))
        # Without a rare shingle in common, J <= core / size.
        heavy[i] = q * core_size[i] > p * size
        n_heavy += heavy[i]
    core, n_cores = _number(core_key, salt)
    kind, n_kinds = _number(class_key, salt)
    core_document = np.full(n_cores, -1, np.int64)
    for i in range(n):
        if core_document[core[i]] < 0:
            core_document[core[i]] = i
    # Where few shingles make up all cores, a core is a set of bits; else overlaps of two cores are remembered.
    place_of = np.full(n_ids, -1, np.int32)
    n_core = 0
    for j in range(n_ids):
        if frequency[j] > CORE:
            place_of[j] = n_core
            n_core += 1
    n_words = (n_core + 63) // 64
    if n_words * n_cores > BIT_WORDS:
        n_words = 0
    core_bits = np.zeros((n_cores, n_words), np.uint64)
    if n_words:
        for c in range(n_cores):
            d = first + core_document[c]
            for j in range(bounds[d] - base, bounds[d + 1] - base):
                at = place_of[ids[j]]
                if at >= 0:
                    core_bits[c, at >> 6] |= np.uint64(1) << np.uint64(at & 63)
    mark = np.full(n_ids, -1, np.int32)
    marked = np.int64(-1)
    memory_mask = np.int64((1 << 16) - 1)
    memory_key = np.full(memory_mask + 1, -1, np.int64)
    memory_value = np.zeros(memory_mask + 1, np.int64)

    # Kept documents of each class, in order; classes in each bucket.
    class_head = np.full(n_kinds, -1, np.int64)
    class_tail = np.full(n_kinds, -1, np.int64)
    class_next = np.full(n, -1, np.int64)
    class_seen = np.full(n_kinds, -1, np.int64)
    n_bands = bands.shape[1]
    bucket_mask = _power_of_two(2 * n_heavy * n_bands + 1) - 1
    bucket_key = np.zeros(bucket_mask + 1, np.uint64)
    bucket_head = np.full(bucket_mask + 1, -1, np.int32)
    entry_class = np.empty(n_heavy * n_bands, np.int32)
    entry_next = np.empty(n_heavy * n_bands, np.int32)
    n_entries = 0
    member_key = np.zeros(bucket_mask + 1, np.uint64)

    shared = np.zeros(n, np.int32)
    touched = np.empty(n, np.int32)
    kept = np.zeros(n, np.bool_)
    for i in range(n):
        g = first + i
        size = bounds[g + 1] - bounds[g]
        low, high = bounds[g] - base, bounds[g + 1] - base
        if not fixed[g]:
            n_touched = 0
            for j in range(low, high):
                one = ids[j]
                if frequency[one] <= CORE:
                    for at in range(start[one], start[one] + filled[one]):
                        k = posting[at]
                        if shared[k] == 0:
                            touched[n_touched] = k
                            n_touched += 1
                        shared[k] += 1
            best = n
            touched[:n_touched].sort()
            for phase in range(2):
                # Phase 0: documents that share a rare shingle, best first. Phase 1: classes that share a band.
                if phase == 1 and not heavy[i]:
                    break
                for at in range(n_touched if phase == 0 else n_bands):
                    entry = np.int64(-1)
                    if phase == 1:
                        slot = np.int64((bands[g, at] * salt) >> np.uint64(20)) & bucket_mask
                        while bucket_head[slot] >= 0 and bucket_key[slot] != bands[g, at]:
                            slot = (slot + 1) & bucket_mask
                        entry = np.int64(bucket_head[slot])
                    while True:
                        if phase == 0:
                            k = np.int64(touched[at])
                            rare = np.int64(shared[k])
                        else:
                            if entry < 0:
                                break
                            c = entry_class[entry]
                            entry = np.int64(entry_next[entry])
                            if class_seen[c] == i:
                                continue
                            class_seen[c] = i
                            k = class_head[c]
                            rare = np.int64(0)
                            if k >= best:
                                continue
                            stats[CLASS_PAIRS] += 1
                        other = bounds[first + k + 1] - bounds[first + k]
                        need = _need(size, other, p, q)
                        if rare + min(core_size[i], core_size[k]) >= need:
                            # Overlap of the two cores: equal, remembered, or counted.
                            a, b = np.int64(core[i]), np.int64(core[k])
                            if a == b:
                                common = core_size[i]
                            elif n_words:
                                stats[CORE_OVERLAPS] += 1
                                common = np.int64(0)
                                for w in range(n_words):
                                    common += _ones(core_bits[a, w] & core_bits[b, w])  # type: ignore[call-arg]
                            else:
                                pair = min(a, b) * n_cores + max(a, b)
                                place = np.int64(fmix(np.uint64(pair))) & memory_mask
                                if memory_key[place] != pair:
                                    stats[CORE_OVERLAPS] += 1
                                    if marked != a:
                                        marked = a
                                        d = first + core_document[a]
                                        for j in range(bounds[d] - base, bounds[d + 1] - base):
                                            mark[ids[j]] = a
                                    counted = np.int64(0)
                                    d = first + core_document[b]
                                    for j in range(bounds[d] - base, bounds[d + 1] - base):
                                        counted += (mark[ids[j]] == a) & (frequency[ids[j]] > CORE)
                                    memory_key[place], memory_value[place] = pair, counted
                                common = memory_value[place]
                            if rare + common >= need:
                                if phase == 0:
                                    if _shares_band(bands, g, first + k):
                                        best = k
                                else:
                                    while k >= 0 and k < best:
                                        if _shares_band(bands, g, first + k):
                                            best = k
                                        k = class_next[k]
                        if phase == 0:
                            break
                    if phase == 0 and best < n:
                        break
            while best < n:
                k = first + best
                stats[VERIFICATIONS] += 1
                need = _need(size, bounds[k + 1] - bounds[k], p, q)
                found = _overlap(hashes, bounds[g], bounds[g + 1], bounds[k], bounds[k + 1], need)
                if found >= 0:
                    partner[g], overlap[g] = k, found
                    break
                # Two cores of one 64-bit key, as good as never: fall back to all that were kept.
                best += 1
                while best < n and (not kept[best] or not _shares_band(bands, g, first + best)):
                    best += 1
            for at in range(n_touched):
                shared[touched[at]] = 0
        if partner[g] >= 0 or not (fixed[g] or joins):
            continue
        kept[i] = True
        for j in range(low, high):
            one = ids[j]
            if frequency[one] <= CORE:
                posting[start[one] + filled[one]] = i
                filled[one] += 1
        if heavy[i]:
            c = kind[i]
            if class_head[c] < 0:
                class_head[c] = i
            else:
                class_next[class_tail[c]] = i
            class_tail[c] = i
            for at in range(n_bands):
                band = bands[g, at]
                member = fmix(band + np.uint64(c) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)
                slot = np.int64((member * salt) >> np.uint64(20)) & bucket_mask
                while member_key[slot] != 0 and member_key[slot] != member:
                    slot = (slot + 1) & bucket_mask
                if member_key[slot] == 0:
                    member_key[slot] = member
                    slot = np.int64((band * salt) >> np.uint64(20)) & bucket_mask
                    while bucket_head[slot] >= 0 and bucket_key[slot] != band:
                        slot = (slot + 1) & bucket_mask
                    bucket_key[slot] = band
                    entry_class[n_entries] = c
                    entry_next[n_entries] = bucket_head[slot]
                    bucket_head[slot] = n_entries
                    n_entries += 1


@njit(cache=True, nogil=True)
def _decide(hashes, bounds, bands, components, fixed, joins, p, q, small, salt):
    n = len(components)
    partner = np.full(n, -1, np.int64)
    overlap = np.zeros(n, np.int64)
    stats = np.zeros(N_STATS, np.int64)
    first = 0
    while first < n:
        last = first + 1
        while last < n and components[last] == components[first]:
            last += 1
        if last - first > small:
            _large(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats, salt)
        elif last - first > 1:
            _small(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats)
        first = last
    return partner, overlap, stats


def decide(
    hashes: np.ndarray,
    bounds: np.ndarray,
    bands: np.ndarray,
    components: np.ndarray,
    fixed: np.ndarray,
    threshold: tuple[int, int],
    *,
    joins: bool = True,
    small: int = SMALL,
) -> Removals:
    """Apply the rule to documents ordered by component and, within it, best-ranked first.

    hashes, bounds: uint64[m], int64[n + 1]; document i's shingles are hashes[bounds[i]:bounds[i + 1]], ascending.
    bands: uint64[n, bands]. components: int64[n], equal for documents of one component. fixed: bool[n], documents that
    are kept whatever comes. threshold: numerator and denominator. joins: whether a document that is kept is compared
    with later ones; if not, only the fixed ones are. `small` changes the way, never the answer.
    """
    p, q = threshold
    partner, overlap, stats = _decide(
        hashes, bounds.astype(np.int64), bands, components.astype(np.int64), fixed, joins, p, q, small, _SALT
    )
    return Removals(partner, overlap, *(int(count) for count in stats))
