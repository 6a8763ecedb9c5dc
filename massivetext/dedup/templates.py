"""Near-duplicates within a large component, where a hundred thousand pages may share most of their text: templates.

The answer is the same as pair by pair, in time near-linear in documents even where a bucket holds a whole template.

Shingles in more than CORE documents of the component are its core; a document is its core part and a rare part.
Overlaps of rare parts are counted through an inverted index of kept documents: at most CORE of them a shingle.

- Pairs that share a rare shingle are met there; only those within reach of the threshold are looked at further.
- A pair that shares none is a near-duplicate only if the core parts alone suffice. Documents of equal core and equal
  size are a *class*, and that question has one answer for two classes. It is asked only of documents whose core could
  suffice (they are *heavy*), and only of classes that a band is shared with.

What is found is verified on the sets themselves before it counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import types
from numba.extending import intrinsic

from massivetext.dedup.pairs import CLASS_PAIRS, CORE_OVERLAPS, VERIFICATIONS, count_overlap, least_overlap, shares_band
from massivetext.kernels import njit
from massivetext.slots import count_slots
from massivetext.sorting import sort
from massivetext.text.hashing import fmix

__all__ = ["CORE", "decide_large"]

CORE = 64
"""A shingle in more documents of its component than this is of the core; the others go through an inverted index."""

BIT_WORDS = 1 << 22
"""Cores as bits take at most so many words of 8 bytes in a component."""

_MEMORY = 1 << 16
"""Overlaps of two cores that are remembered where cores are no bits."""


class _Sets(NamedTuple):
    """The documents: shingles of document i are hashes[bounds[i]:bounds[i + 1]]. Those of the component begin with
    first, and their shingles with base. p, q: numerator and denominator of the threshold."""

    hashes: np.ndarray
    bounds: np.ndarray
    bands: np.ndarray
    first: int
    base: int
    p: int
    q: int


class _Index(NamedTuple):
    """Shingles by number: ids of each place from base on; how many documents of the component hold each; where the
    postings of a rare one start, how many of them are filled, and the postings, which are kept documents."""

    ids: np.ndarray
    frequency: np.ndarray
    start: np.ndarray
    filled: np.ndarray
    posting: np.ndarray


class _Cores(NamedTuple):
    """Of each document: members of its core, numbers of its core and of its class, whether it is heavy. Of each core: a
    document that has it, and its members as bits (no columns where that is too much)."""

    size: np.ndarray
    core: np.ndarray
    kind: np.ndarray
    heavy: np.ndarray
    document: np.ndarray
    bits: np.ndarray


class _Overlaps(NamedTuple):
    """Remembered overlaps of two cores, by a hash of the pair. mark: the last core that each shingle was marked with;
    marked: that core, int64[1]."""

    key: np.ndarray
    value: np.ndarray
    mark: np.ndarray
    marked: np.ndarray


class _Classes(NamedTuple):
    """Kept documents of each class in order (head, tail, following), the last document that asked each (asked), and the
    classes in each bucket of a band: hash table of bands (band, entry), lists of entries (kind, following_entry), and
    the pairs of band and class that are in it (member). n_entries: int64[1]."""

    head: np.ndarray
    tail: np.ndarray
    following: np.ndarray
    asked: np.ndarray
    band: np.ndarray
    entry: np.ndarray
    kind: np.ndarray
    following_entry: np.ndarray
    member: np.ndarray
    n_entries: np.ndarray


class _Touched(NamedTuple):
    """Kept documents that share a rare shingle with the document at hand, and how many (0 for all others)."""

    documents: np.ndarray
    shared: np.ndarray


@intrinsic
def _ones(typingctx, word):
    """Bits that are 1 in a uint64, as one instruction."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@njit(cache=True, nogil=True)
def _number(values, salt):
    """(int32[n] number of each value in order of first occurrence, how many)."""
    mask = count_slots(len(values) + len(values) // 2) - 1
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
def _make_index(sets, last, salt):
    ids, n_ids = _number(sets.hashes[sets.base : sets.bounds[last]], salt)
    frequency = np.zeros(n_ids + 1, np.int32)
    for j in range(len(ids)):
        frequency[ids[j]] += 1
    start = np.zeros(n_ids + 1, np.int64)
    for j in range(n_ids):
        start[j + 1] = start[j] + (frequency[j] if frequency[j] <= CORE else 0)
    return _Index(ids, frequency, start, np.zeros(n_ids, np.int32), np.empty(start[n_ids], np.int32))


@njit(cache=True, nogil=True)
def _make_cores(sets, index, n, salt):
    bounds, base, first = sets.bounds, sets.base, sets.first
    size = np.zeros(n, np.int64)
    core_key = np.zeros(n, np.uint64)
    class_key = np.zeros(n, np.uint64)
    heavy = np.zeros(n, np.bool_)
    for i in range(n):
        key = np.uint64(0)
        for j in range(bounds[first + i] - base, bounds[first + i + 1] - base):
            if index.frequency[index.ids[j]] > CORE:
                size[i] += 1
                key += fmix(sets.hashes[base + j])
        n_shingles = bounds[first + i + 1] - bounds[first + i]
        core_key[i] = fmix(key ^ np.uint64(size[i]))
        class_key[i] = fmix(core_key[i] + np.uint64(n_shingles))
        # Without a rare shingle in common, J <= core / size.
        heavy[i] = sets.q * size[i] > sets.p * n_shingles
    core, n_cores = _number(core_key, salt)
    kind, n_kinds = _number(class_key, salt)
    document = np.full(n_cores, -1, np.int64)
    for i in range(n):
        if document[core[i]] < 0:
            document[core[i]] = first + i
    return _Cores(size, core, kind, heavy, document, _core_bits(sets, index, document)), n_kinds


@njit(cache=True, nogil=True)
def _core_bits(sets, index, document):
    """Each core as a set of bits where few shingles make up all cores; without columns elsewhere."""
    frequency, bounds, base = index.frequency, sets.bounds, sets.base
    place_of = np.full(len(frequency), -1, np.int32)
    n_core = 0
    for j in range(len(frequency) - 1):
        if frequency[j] > CORE:
            place_of[j] = n_core
            n_core += 1
    n_words = (n_core + 63) // 64
    if n_words * len(document) > BIT_WORDS:
        n_words = 0
    bits = np.zeros((len(document), n_words), np.uint64)
    if n_words:
        for c in range(len(document)):
            for j in range(bounds[document[c]] - base, bounds[document[c] + 1] - base):
                at = place_of[index.ids[j]]
                if at >= 0:
                    bits[c, at >> 6] |= np.uint64(1) << np.uint64(at & 63)
    return bits


@njit(cache=True, nogil=True)
def _make_classes(n, n_kinds, n_entries):
    slots = count_slots(2 * n_entries + 1)
    return _Classes(
        np.full(n_kinds, -1, np.int64),
        np.full(n_kinds, -1, np.int64),
        np.full(n, -1, np.int64),
        np.full(n_kinds, -1, np.int64),
        np.zeros(slots, np.uint64),
        np.full(slots, -1, np.int32),
        np.empty(n_entries, np.int32),
        np.empty(n_entries, np.int32),
        np.zeros(slots, np.uint64),
        np.zeros(1, np.int64),
    )


@njit(cache=True, nogil=True, counts=False)
def _needed_of_cores(i, k, rare, bounds, size, first, p, q):
    """What the cores must have in common for near-duplicates that share so many rare shingles; -1 if they cannot."""
    g, h = first + i, first + k
    need = least_overlap(bounds[g + 1] - bounds[g], bounds[h + 1] - bounds[h], p, q) - rare
    return max(need, np.int64(0)) if min(size[i], size[k]) >= need else np.int64(-1)


@njit(cache=True, nogil=True, counts=False)
def _common_bits(bits, a, b):
    common = np.int64(0)
    for w in range(bits.shape[1]):
        common += _ones(bits[a, w] & bits[b, w])  # type: ignore[call-arg]
    return common


@njit(cache=True, nogil=True, counts=False)
def _common_core(a, b, sets, index, cores, overlaps, stats):
    """Overlap of two cores: remembered, or counted by marking the shingles of one."""
    pair = min(a, b) * len(cores.document) + max(a, b)
    place = np.int64(fmix(np.uint64(pair))) & np.int64(_MEMORY - 1)
    if overlaps.key[place] != pair:
        stats[CORE_OVERLAPS] += 1
        if overlaps.marked[0] != a:
            overlaps.marked[0] = a
            d = cores.document[a]
            for j in range(sets.bounds[d] - sets.base, sets.bounds[d + 1] - sets.base):
                overlaps.mark[index.ids[j]] = a
        common = np.int64(0)
        d = cores.document[b]
        for j in range(sets.bounds[d] - sets.base, sets.bounds[d + 1] - sets.base):
            one = index.ids[j]
            common += (overlaps.mark[one] == a) & (index.frequency[one] > CORE)
        overlaps.key[place], overlaps.value[place] = pair, common
    return overlaps.value[place]


@njit(cache=True, nogil=True, counts=False)
def _cores_suffice(i, k, need, sets, index, cores, overlaps, stats):
    """Whether the cores of two documents have that many shingles in common, if their hashes do not lie."""
    a, b = np.int64(cores.core[i]), np.int64(cores.core[k])
    if a == b:
        return cores.size[i] >= need
    if cores.bits.shape[1]:
        stats[CORE_OVERLAPS] += 1
        return _common_bits(cores.bits, a, b) >= need
    return _common_core(a, b, sets, index, cores, overlaps, stats) >= need


@njit(cache=True, nogil=True, counts=False)
def _touch(i, sets, index, touched):
    """Count the rare shingles that document i shares with each kept one; returns how many documents share any."""
    n = 0
    g = sets.first + i
    for j in range(sets.bounds[g] - sets.base, sets.bounds[g + 1] - sets.base):
        one = index.ids[j]
        if index.frequency[one] <= CORE:
            for at in range(index.start[one], index.start[one] + index.filled[one]):
                k = index.posting[at]
                if touched.shared[k] == 0:
                    touched.documents[n] = k
                    n += 1
                touched.shared[k] += 1
    return n


@njit(cache=True, nogil=True, counts=False)
def _slot(classes, band, salt):
    """Where a band stands in the hash table, or would."""
    mask = np.int64(len(classes.entry) - 1)
    slot = np.int64((band * salt) >> np.uint64(20)) & mask
    while classes.entry[slot] >= 0 and classes.band[slot] != band:
        slot = (slot + 1) & mask
    return slot


@njit(cache=True, nogil=True, counts=False)
def _best_of_classes(i, best, sets, index, cores, overlaps, classes, stats, salt):
    """The first kept document before `best` that shares a band with document i and suffices by its core, or `best`."""
    g, bits, core = sets.first + i, cores.bits, cores.core
    for number in range(sets.bands.shape[1]):
        entry = np.int64(classes.entry[_slot(classes, sets.bands[g, number], salt)])
        while entry >= 0:
            c = classes.kind[entry]
            entry = np.int64(classes.following_entry[entry])
            if classes.asked[c] == i:
                continue
            classes.asked[c] = i
            k = classes.head[c]
            if k >= best:
                continue
            stats[CLASS_PAIRS] += 1
            need = _needed_of_cores(i, k, 0, sets.bounds, cores.size, sets.first, sets.p, sets.q)
            if need < 0:
                continue
            # Most pairs end here. To hand all these arrays to another kernel takes longer than the answer.
            if bits.shape[1] and core[i] != core[k]:
                stats[CORE_OVERLAPS] += 1
                if _common_bits(bits, core[i], core[k]) < need:
                    continue
            elif not _cores_suffice(i, k, need, sets, index, cores, overlaps, stats):
                continue
            while k >= 0 and k < best:
                if shares_band(sets.bands, g, sets.first + k):
                    best = k
                k = classes.following[k]
    return best


@njit(cache=True, nogil=True, counts=False)
def _verified(i, best, kept, sets, stats):
    """The first kept document from `best` on that the sets themselves confirm, and the overlap; -1 if there is none."""
    bounds, n, g = sets.bounds, len(kept), sets.first + i
    while best < n:
        k = sets.first + best
        stats[VERIFICATIONS] += 1
        need = least_overlap(bounds[g + 1] - bounds[g], bounds[k + 1] - bounds[k], sets.p, sets.q)
        overlap = count_overlap(sets.hashes, bounds[g], bounds[g + 1], bounds[k], bounds[k + 1], need)
        if overlap >= 0:
            return k, overlap
        # Two cores of one 64-bit key, as good as never: fall back to all that were kept.
        best += 1
        while best < n and (not kept[best] or not shares_band(sets.bands, g, sets.first + best)):
            best += 1
    return np.int64(-1), np.int64(0)


@njit(cache=True, nogil=True, counts=False)
def _post(i, sets, index):
    """Enter a document that is kept into the postings of its rare shingles."""
    g = sets.first + i
    for j in range(sets.bounds[g] - sets.base, sets.bounds[g + 1] - sets.base):
        one = index.ids[j]
        if index.frequency[one] <= CORE:
            index.posting[index.start[one] + index.filled[one]] = i
            index.filled[one] += 1


@njit(cache=True, nogil=True, counts=False)
def _enter(i, sets, cores, classes, salt):
    """Enter a heavy document that is kept into its class, and the class into the buckets of its bands."""
    c = cores.kind[i]
    if classes.head[c] < 0:
        classes.head[c] = i
    else:
        classes.following[classes.tail[c]] = i
    classes.tail[c] = i
    mask = np.int64(len(classes.member) - 1)
    for number in range(sets.bands.shape[1]):
        band = sets.bands[sets.first + i, number]
        member = fmix(band + np.uint64(c) * np.uint64(0x9E3779B97F4A7C15)) | np.uint64(1)
        place = np.int64((member * salt) >> np.uint64(20)) & mask
        while classes.member[place] != 0 and classes.member[place] != member:
            place = (place + 1) & mask
        if classes.member[place] == 0:
            classes.member[place] = member
            slot = _slot(classes, band, salt)
            entry = classes.n_entries[0]
            classes.band[slot] = band
            classes.kind[entry] = c
            classes.following_entry[entry] = classes.entry[slot]
            classes.entry[slot] = entry
            classes.n_entries[0] = entry + 1


@njit(cache=True, nogil=True, counts=False)
def _decide_in_order(sets, index, cores, overlaps, classes, touched, kept, fixed, joins, partner, overlap, stats, salt):
    """Decide one document after the other, best-ranked first."""
    for i in range(len(kept)):
        g = sets.first + i
        if not fixed[g]:
            best = len(kept)
            n_touched = _touch(i, sets, index, touched)
            sort(touched.documents, n_touched)
            for at in range(n_touched):
                k = np.int64(touched.documents[at])
                need = _needed_of_cores(i, k, touched.shared[k], sets.bounds, cores.size, sets.first, sets.p, sets.q)
                if need < 0 or not _cores_suffice(i, k, need, sets, index, cores, overlaps, stats):
                    continue
                if shares_band(sets.bands, g, sets.first + k):
                    best = k
                    break
            for at in range(n_touched):
                touched.shared[touched.documents[at]] = 0
            if cores.heavy[i]:
                best = _best_of_classes(i, best, sets, index, cores, overlaps, classes, stats, salt)
            partner[g], overlap[g] = _verified(i, best, kept, sets, stats)
        if partner[g] < 0 and (fixed[g] or joins):
            kept[i] = True
            _post(i, sets, index)
            if cores.heavy[i]:
                _enter(i, sets, cores, classes, salt)


@njit(cache=True, nogil=True)
def decide_large(hashes, bounds, bands, fixed, joins, p, q, first, last, partner, overlap, stats, salt):
    """Set partner and overlap of the documents from first to last, one component; arguments as those of `decide`."""
    n = last - first
    sets = _Sets(hashes, bounds, bands, first, bounds[first], p, q)
    index = _make_index(sets, last, salt)
    cores, n_kinds = _make_cores(sets, index, n, salt)
    overlaps = _Overlaps(
        np.full(_MEMORY, -1, np.int64),
        np.zeros(_MEMORY, np.int64),
        np.full(len(index.frequency), -1, np.int32),
        np.full(1, -1, np.int64),
    )
    n_heavy = 0
    for i in range(n):
        n_heavy += cores.heavy[i]
    classes = _make_classes(n, n_kinds, n_heavy * bands.shape[1])
    touched = _Touched(np.empty(n, np.uint64), np.zeros(n, np.int32))
    kept = np.zeros(n, np.bool_)
    _decide_in_order(sets, index, cores, overlaps, classes, touched, kept, fixed, joins, partner, overlap, stats, salt)
