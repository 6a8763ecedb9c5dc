"""Every document against every test item, through the index: kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from massivetext.contamination.index import (
    ALIGNED_WORDS,
    LEAST_WORDS,
    SHORT_SEED_WORDS,
    bucket_shift,
    filter_has,
    first_seed,
    postings,
    sequence_hash,
)
from massivetext.dedup.shingles import SHINGLE_WORDS, distinct, hash_shingles
from massivetext.text.scan import BASE, fmix

__all__ = ["MOST_ALIGNMENTS", "covered_words", "hits_of", "match"]

MOST_ALIGNMENTS = 4
"""At most so many alignments for each word of a document (and 1,024 more) are tried, in the order of its words: only
text made to be slow has more."""


@njit(cache=True, nogil=True)
def _candidates(words, n, bits, width, places):
    """Places of the n words where a gram of `width` words begins that the filter lets through; returns how many."""
    if n < width:
        return 0
    power = np.uint64(1)
    for _ in range(width):
        power *= BASE
    g = np.uint64(0)
    for i in range(width - 1):
        g = g * BASE + words[i]
    size = 0
    last = np.uint64(0)
    for i in range(width - 1, n):
        g = g * BASE + words[i] - last * power
        last = words[i - width + 1]
        places[size] = i - width + 1
        size += filter_has(bits, g)
    return size


@njit(cache=True, nogil=True)
def _hits(words, n, index, shift, places, n_places, found):
    """Shingles of items that stand in the document, ascending, each once; returns how many. Those of items of under 13
    words are the whole word sequence, wherever it stands."""
    size = 0
    for k in range(n_places):
        p = places[k]
        if p + SHINGLE_WORDS <= n:
            key = fmix(sequence_hash(words, p, SHINGLE_WORDS))
            first, end = postings(index, key, shift)
            if first < end:
                found[size] = key
                size += 1
        g = sequence_hash(words, p, LEAST_WORDS)
        if filter_has(index.short_filter, g):
            for width in range(LEAST_WORDS, min(SHINGLE_WORDS - 1, n - p) + 1):
                if width > LEAST_WORDS:
                    g = g * BASE + words[p + width - 1]
                if index.widths[width]:
                    key = fmix(g)
                    first, end = postings(index, key, shift)
                    if first < end:
                        found[size] = key
                        size += 1
    return distinct(found[:size])


class Common(NamedTuple):
    """Where `_common` keeps an item's words: a hash table (keys: uint32[2048]; used: int64[2048], the turn that wrote a
    slot; masks: uint64[2048, 8], where in the item each word stands) and its state (bits: uint64[8])."""

    keys: np.ndarray
    used: np.ndarray
    masks: np.ndarray
    bits: np.ndarray


@njit(cache=True, nogil=True)
def _make_common():
    slots = 4 * ALIGNED_WORDS
    return Common(
        np.empty(slots, np.uint32),
        np.full(slots, -1, np.int64),
        np.empty((slots, ALIGNED_WORDS // 64), np.uint64),
        np.empty(ALIGNED_WORDS // 64, np.uint64),
    )


@njit(cache=True, nogil=True)
def _common(item, window, c, turn):
    """Length of the longest common subsequence of an item and a window: a bit for each word of the item, 64 at a time
    (Hyyro, "Bit-parallel LCS-length computation revisited", 2004). turn: another number at each call."""
    m = len(item)
    n_parts = (m + 63) // 64
    last = np.uint32(len(c.keys) - 1)
    for k in range(m):
        slot = item[k] & last
        while c.used[slot] == turn and c.keys[slot] != item[k]:
            slot = (slot + np.uint32(1)) & last
        if c.used[slot] != turn:
            c.used[slot] = turn
            c.keys[slot] = item[k]
            c.masks[slot, :n_parts] = 0
        c.masks[slot, k >> 6] |= np.uint64(1) << np.uint64(k & 63)
    c.bits[:n_parts] = ~np.uint64(0)
    for j in range(len(window)):
        word = np.uint32(window[j] & np.uint64(0xFFFFFFFF))
        slot = word & last
        while c.used[slot] == turn and c.keys[slot] != word:
            slot = (slot + np.uint32(1)) & last
        if c.used[slot] == turn:
            carry = np.uint64(0)
            for part in range(n_parts):
                bits = c.bits[part]
                matching = bits & c.masks[slot, part]
                total = bits + matching
                over = np.uint64(total < bits)
                total += carry
                over |= np.uint64(total < carry)
                c.bits[part] = total | (bits - matching)
                carry = over
    n = 0
    for k in range(m):
        n += (c.bits[k >> 6] >> np.uint64(k & 63) & np.uint64(1)) == 0
    return n


@njit(cache=True, nogil=True)
def _align(words, n, index, shift, places, n_places, width, pairs, size):
    """(item, diagonal) of each seed of `width` words that the document shares with an item, packed; returns how many
    there are by now."""
    for k in range(n_places):
        p = places[k]
        key = fmix(sequence_hash(words, p, width) + np.uint64(width))
        at = first_seed(index.seeds, index.seed_buckets, key, shift)
        if at >= 0:
            while at < len(index.seeds) and index.seeds[at] == key and size < len(pairs):
                diagonal = np.int64(p) - np.int64(index.seed_places[at])
                pairs[size] = np.uint64(index.seed_items[at]) << np.uint64(32) | np.uint64(diagonal + ALIGNED_WORDS)
                size += 1
                at += 1
    return size


@njit(cache=True, nogil=True)
def _best_alignment(words, n, index, pairs, size, common, turn):
    """(share, item, first word, end word) of the alignment that covers the largest share of an item; ties: the first
    item, then the first place."""
    best, best_item, best_first, best_end = 0.0, np.int64(-1), np.int64(0), np.int64(0)
    size = distinct(pairs[:size])
    for k in range(size):
        item = np.int64(pairs[k] >> np.uint64(32))
        diagonal = np.int64(pairs[k] & np.uint64(0xFFFFFFFF)) - ALIGNED_WORDS
        start = index.stream_starts[item]
        m = index.stream_starts[item + 1] - start
        slack = max(2, m // 4)
        first, end = max(0, diagonal - slack), min(n, diagonal + m + slack)
        share = _common(index.stream[start : start + m], words[first:end], common, turn + k) / m
        if share > best:
            best, best_item, best_first, best_end = share, item, max(0, diagonal), min(n, diagonal + m)
            if share == 1:
                break
    return best, best_item, best_first, best_end


@njit(cache=True, nogil=True)
def match(words, bounds, index, aligns):
    """Per document. values: float64[n, 3], jaccard, containment, alignment; which: int64[n, 3], the item of each or -1;
    hit: int64[n], items hit; window: int64[n, 2], words that the alignment spans."""
    n_texts = len(bounds) - 1
    values = np.zeros((n_texts, 3))
    which = np.full((n_texts, 3), -1, np.int64)
    n_hit = np.zeros(n_texts, np.int64)
    window = np.zeros((n_texts, 2), np.int64)
    most = 1
    for i in range(n_texts):
        most = max(most, bounds[i + 1] - bounds[i])
    places = np.empty(most, np.int64)
    found = np.empty(most * (SHINGLE_WORDS - LEAST_WORDS + 1), np.uint64)
    own = np.empty(most, np.uint64)
    pairs = np.empty(0, np.uint64)
    counts = np.zeros(len(index.n_words), np.int32)
    touched = np.empty(1024, np.int64)
    slots = _make_common()
    shift, seed_shift = bucket_shift(index.buckets), bucket_shift(index.seed_buckets)
    turn = 0
    for i in range(n_texts):
        text = words[bounds[i] : bounds[i + 1]]
        n = len(text)
        n_places = _candidates(text, n, index.filter, LEAST_WORDS, places)
        n_found = _hits(text, n, index, shift, places, n_places, found) if n_places else 0
        if aligns:
            if len(pairs) < MOST_ALIGNMENTS * n + 1024:
                pairs = np.empty(MOST_ALIGNMENTS * max(n, most) + 1024, np.uint64)
            room = pairs[: MOST_ALIGNMENTS * n + 1024]
            size = _align(text, n, index, seed_shift, places, n_places, LEAST_WORDS, room, 0)
            n_places = _candidates(text, n, index.seed_filter, SHORT_SEED_WORDS, places)
            size = _align(text, n, index, seed_shift, places, n_places, SHORT_SEED_WORDS, room, size)
            if size:
                values[i, 2], which[i, 2], window[i, 0], window[i, 1] = _best_alignment(
                    text, n, index, pairs, size, slots, turn
                )
                turn += size
        if n_found == 0:
            continue
        n_touched = 0
        for k in range(n_found):
            first, end = postings(index, found[k], shift)
            for at in range(first, end):
                item = np.int64(index.items[at])
                if counts[item] == 0:
                    if n_touched == len(touched):
                        grown = np.empty(2 * n_touched, np.int64)
                        grown[:n_touched] = touched
                        touched = grown
                    touched[n_touched] = item
                    n_touched += 1
                counts[item] += 1
        n_own = distinct(own[: hash_shingles(text, n, own)])
        touched[:n_touched].sort()
        for k in range(n_touched):
            item = touched[k]
            common = counts[item]
            counts[item] = 0
            share = common / index.n_shingles[item]
            if share > values[i, 1]:
                values[i, 1], which[i, 1] = share, item
            # A document of 13 words or more has no shingle of under 13 words, wherever such an item stands in it.
            if index.n_words[item] < SHINGLE_WORDS and index.n_words[item] != n:
                continue
            jaccard = common / (n_own + np.int64(index.n_shingles[item]) - common)
            if jaccard > values[i, 0]:
                values[i, 0], which[i, 0] = jaccard, item
        n_hit[i] = n_touched
    return values, which, n_hit, window


@njit(cache=True, nogil=True)
def hits_of(words, bounds, index):
    """(text: int64[h], shingle: uint64[h]): which shingles of items stand in which text, by text, each once."""
    most = 1
    for i in range(len(bounds) - 1):
        most = max(most, bounds[i + 1] - bounds[i])
    places = np.empty(most, np.int64)
    found = np.empty(most * (SHINGLE_WORDS - LEAST_WORDS + 1), np.uint64)
    texts = np.empty(1024, np.int64)
    shift = bucket_shift(index.buckets)
    shingles = np.empty(1024, np.uint64)
    size = 0
    for i in range(len(bounds) - 1):
        text = words[bounds[i] : bounds[i + 1]]
        n_places = _candidates(text, len(text), index.filter, LEAST_WORDS, places)
        n = _hits(text, len(text), index, shift, places, n_places, found) if n_places else 0
        if size + n > len(texts):
            more = max(n, len(texts))
            texts = np.concatenate((texts, np.empty(more, np.int64)))
            shingles = np.concatenate((shingles, np.empty(more, np.uint64)))
        texts[size : size + n] = i
        shingles[size : size + n] = found[:n]
        size += n
    return texts[:size], shingles[:size]


@njit(cache=True, nogil=True)
def _holds_any(items, chosen):
    """Whether two ascending arrays have a number in common; in the time of the shorter one."""
    if len(chosen) < len(items):
        for item in chosen:
            at = np.searchsorted(items, np.uint32(item))
            if at < len(items) and items[at] == item:
                return True
    else:
        for item in items:
            at = np.searchsorted(chosen, np.int64(item))
            if at < len(chosen) and chosen[at] == item:
                return True
    return False


@njit(cache=True, nogil=True)
def covered_words(words, index, chosen):
    """bool[n]: the words of a text that shingles of the chosen items (ascending numbers) cover."""
    n = len(words)
    covered = np.zeros(n, np.bool_)
    shift = bucket_shift(index.buckets)
    places = np.empty(max(n, 1), np.int64)
    n_places = _candidates(words, n, index.filter, LEAST_WORDS, places)
    for k in range(n_places):
        p = places[k]
        for width in range(LEAST_WORDS, min(SHINGLE_WORDS, n - p) + 1):
            if width < SHINGLE_WORDS and not index.widths[width]:
                continue
            key = fmix(sequence_hash(words, p, width))
            first, end = postings(index, key, shift)
            if _holds_any(index.items[first:end], chosen):
                covered[p : p + width] = True
    return covered
