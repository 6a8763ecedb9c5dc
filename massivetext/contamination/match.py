"""Every document against every test item, through the index: kernels."""

from __future__ import annotations

import numpy as np

from massivetext.contamination.align import best_alignments, make_common, most_seeds, shared_seeds
from massivetext.contamination.index import (
    LEAST_WORDS,
    SHORT_SEED_WORDS,
    Arrays,
    bucket_shift,
    candidates,
    filter_has,
    postings,
    sequence_hash,
)
from massivetext.contamination.words import lengthened
from massivetext.dedup.shingles import SHINGLE_WORDS, distinct, hash_shingles
from massivetext.kernels import njit
from massivetext.sorting import first_at_least, sort
from massivetext.text.hashing import BASE, fmix

__all__ = ["covered_words", "hits_of", "match"]


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


@njit(cache=True, nogil=True)
def match(words, bounds, index, aligns):
    """Per document. values: float64[n, 4], jaccard, containment, alignment, passage; which: int64[n, 4], the reading of
    each or -1; hit: int64[n], items hit by any reading; window: int64[n, 2], words that the alignment spans."""
    n_texts = len(bounds) - 1
    values = np.zeros((n_texts, 4))
    which = np.full((n_texts, 4), -1, np.int64)
    n_hit = np.zeros(n_texts, np.int64)
    window = np.zeros((n_texts, 2), np.int64)
    most = 1
    for i in range(n_texts):
        most = max(most, bounds[i + 1] - bounds[i])
    places = np.empty(most, np.int64)
    found = np.empty(most * (SHINGLE_WORDS - LEAST_WORDS + 1), np.uint64)
    own = np.empty(most, np.uint64)
    whole = np.empty(0, np.uint64)
    parts = np.empty(0, np.uint64)
    counts = np.zeros(len(index.n_words), np.int32)
    touched = np.empty(len(index.n_words), np.uint64)  # memory that is not written is not taken
    slots = make_common()
    shift, seed_shift = bucket_shift(index.buckets), bucket_shift(index.seed_buckets)
    turn = 0
    for i in range(n_texts):
        text = words[bounds[i] : bounds[i + 1]]
        n = len(text)
        n_places = candidates(text, n, index.filter, LEAST_WORDS, places)
        n_found = _hits(text, n, index, shift, places, n_places, found) if n_places else 0
        if aligns:
            room = most_seeds(n)
            if len(whole) < room:
                whole = np.empty(room, np.uint64)
                parts = np.empty(room, np.uint64)
            n_whole = n_parts = 0
            # Only where there are places: a call counts references to each array of the index.
            if n_places:
                n_whole, n_parts = shared_seeds(
                    text, index, seed_shift, places, n_places, LEAST_WORDS, whole[:room], 0, parts[:room], 0
                )
            n_places = candidates(text, n, index.seed_filter, SHORT_SEED_WORDS, places)
            if n_places:
                n_whole, n_parts = shared_seeds(
                    text,
                    index,
                    seed_shift,
                    places,
                    n_places,
                    SHORT_SEED_WORDS,
                    whole[:room],
                    n_whole,
                    parts[:room],
                    n_parts,
                )
            if n_whole:
                values[i, 2], which[i, 2], window[i, 0], window[i, 1], values[i, 3], which[i, 3] = best_alignments(
                    text, index, whole[:n_whole], parts[:n_parts], slots, turn
                )
                turn += n_whole + n_parts
        if n_found == 0:
            continue
        n_touched = 0
        for k in range(n_found):
            first, end = postings(index, found[k], shift)
            for at in range(first, end):
                item = np.int64(index.items[at])
                if counts[item] == 0:
                    touched[n_touched] = item
                    n_touched += 1
                counts[item] += 1
        n_own = distinct(own[: hash_shingles(text, n, own)])
        sort(touched, n_touched)
        for k in range(n_touched):
            item = np.int64(touched[k])
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
        for k in range(n_touched):
            n_hit[i] += k == 0 or index.of_item[touched[k]] != index.of_item[touched[k - 1]]
    return values, which, n_hit, window


@njit(cache=True, nogil=True)
def _hits_of(words, bounds, index):
    most = 1
    for i in range(len(bounds) - 1):
        most = max(most, bounds[i + 1] - bounds[i])
    places = np.empty(most, np.int64)
    found = np.empty(most * (SHINGLE_WORDS - LEAST_WORDS + 1), np.uint64)
    shift = bucket_shift(index.buckets)
    shingles = np.empty(1024, np.uint64)
    counts = np.zeros(len(bounds) - 1, np.int64)
    size = 0
    for i in range(len(bounds) - 1):
        text = words[bounds[i] : bounds[i + 1]]
        n_places = candidates(text, len(text), index.filter, LEAST_WORDS, places)
        n = _hits(text, len(text), index, shift, places, n_places, found) if n_places else 0
        if size + n > len(shingles):
            shingles = lengthened(shingles, n + len(shingles))
        for k in range(n):
            shingles[size + k] = found[k]
        counts[i] = n
        size += n
    return shingles[:size], counts


def hits_of(words: np.ndarray, bounds: np.ndarray, index: Arrays) -> tuple[np.ndarray, np.ndarray]:
    """(text: int64[h], shingle: uint64[h]): which shingles of items stand in which text, by text, each once."""
    shingles, counts = _hits_of(words, bounds, index)
    return np.repeat(np.arange(len(counts)), counts), shingles


@njit(cache=True, nogil=True)
def _holds_any(items, chosen):
    """Whether two ascending arrays have a number in common; in the time of the shorter one."""
    if len(chosen) < len(items):
        for item in chosen:
            at = first_at_least(items, np.uint32(item))
            if at < len(items) and items[at] == item:
                return True
    else:
        for item in items:
            at = first_at_least(chosen, np.int64(item))
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
    n_places = candidates(words, n, index.filter, LEAST_WORDS, places)
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
