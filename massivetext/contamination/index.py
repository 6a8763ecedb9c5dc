"""The inverted index over test items: arrays that kernels search, built once, mapped into memory by every worker.

Per posting (one distinct shingle of one item) 10 bytes, per seed 14, per aligned word 4, plus filters of about 8 to 16
bits a shingle. Hash definitions: massivetext/text/hashing.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from massivetext.dedup.shingles import SHINGLE_WORDS
from massivetext.kernels import njit
from massivetext.text.hashing import BASE, fmix

__all__ = ["ALIGNED_WORDS", "LEAST_WORDS", "PASSAGE_WORDS", "Arrays", "Readings", "build"]

LEAST_WORDS = 8
"""Items of fewer words are left out: they stand everywhere."""

ALIGNED_WORDS = 512
"""Items of up to so many words are aligned as well. A multiple of 64."""

PASSAGE_WORDS = 32
PASSAGE_STRIDE = 16
"""Longer items are aligned by passages of so many words too, one every so many words: a page that quotes a third of an
item has its passages and not the item."""

SHORT_SEED_WORDS = 5
SHORT_ALIGNED_WORDS = 31
"""Items of up to so many words are found for alignment by shared 5-grams, longer ones by shared 8-grams: one edit
leaves a run of at least half the words."""

_EVERY_SEED_WORDS = 64
_SEED_STRIDE = 8
MINIMAL_BUCKET_BITS = 16
MOST_POSTINGS = 64
"""A seed of more items than this is not used: it is an instruction that a whole set shares, or a set phrase."""


class Readings(NamedTuple):
    """A batch of readings of items. words: uint64[m], one reading after another; unknown, telling: bool[m]; bounds:
    int64[n + 1], where the words of each reading start; of_item: int64[n], the item of each, numbered through all
    batches. The readings of an item stand together."""

    words: np.ndarray
    unknown: np.ndarray
    telling: np.ndarray
    bounds: np.ndarray
    of_item: np.ndarray


class Arrays(NamedTuple):
    """An index over the readings of items. Readings are numbered through all sets, and so are items. Below, *item*
    means a reading, except in of_item: uint32[n], the item of each reading.

    Postings, by shingle, then item: which item has which shingle, each pair once. shingles_high: uint32[p],
    shingles_low: uint16[p], the 48 bits of the shingle's hash below the top k; items: uint32[p]. buckets:
    uint32[2^k + 1], the first posting for each value of the top k >= 16 bits, so that no bit of a hash is lost.
    filter: uint64[2^j], which 8-grams begin a shingle or are a seed, four bits each in one word. widths: uint8[14], 1
    for the lengths that items of under 13 words have. short_filter: 8-grams that begin one of those.
    n_shingles, n_words: uint32[n], of each item: distinct shingles (0 for one left out), words.
    seeds: uint64[s], ascending, with seed_items: uint32[s], seed_places: uint16[s] (word within item), seed_buckets,
    seed_filter (5-grams). stream: uint32[w], words of aligned items, stream_starts: int64[n + 1]. passages:
    int64[n + 1], the number of passages before each item; an item of up to PASSAGE_WORDS words has none.
    passage_tells: uint8, 1 for each passage with at least LEAST_WORDS telling words: others are not searched for.
    """

    shingles_high: np.ndarray
    shingles_low: np.ndarray
    items: np.ndarray
    buckets: np.ndarray
    filter: np.ndarray
    widths: np.ndarray
    short_filter: np.ndarray
    n_shingles: np.ndarray
    n_words: np.ndarray
    seeds: np.ndarray
    seed_items: np.ndarray
    seed_places: np.ndarray
    seed_buckets: np.ndarray
    seed_filter: np.ndarray
    stream: np.ndarray
    stream_starts: np.ndarray
    passages: np.ndarray
    passage_tells: np.ndarray
    of_item: np.ndarray


@njit(cache=True, nogil=True)
def sequence_hash(words, first, n):
    """The unfinished hash of n words from the first."""
    g = np.uint64(0)
    for i in range(first, first + n):
        g = g * BASE + words[i]
    return g


@njit(cache=True, nogil=True)
def _filter_bits(g):
    """The four bits of a gram within its word of a filter."""
    one, six = np.uint64(1), np.uint64(63)
    return (
        one << (g & six)
        | one << (g >> np.uint64(6) & six)
        | one << (g >> np.uint64(12) & six)
        | one << (g >> np.uint64(18) & six)
    )


@njit(cache=True, nogil=True)
def filter_add(bits, g):
    bits[g >> np.uint64(32) & np.uint64(len(bits) - 1)] |= _filter_bits(g)


@njit(cache=True, nogil=True)
def filter_has(bits, g):
    own = _filter_bits(g)
    return bits[g >> np.uint64(32) & np.uint64(len(bits) - 1)] & own == own


@njit(cache=True, nogil=True)
def candidates(words, n, bits, width, places):
    """Places of the n words where a gram of `width` words begins that the filter lets through; returns how many."""
    if n < width:
        return 0
    power = np.uint64(1)
    for _ in range(width - 1):
        power *= BASE
    g = np.uint64(0)
    for i in range(width - 1):
        g = g * BASE + words[i]
    size = 0
    for i in range(n - width + 1):
        g = g * BASE + words[i + width - 1]
        if filter_has(bits, g):
            places[size] = i
            size += 1
        g -= words[i] * power
    return size


@njit(cache=True, nogil=True)
def bucket_shift(buckets):
    """By how many bits a key is shifted to the right to give its bucket."""
    shift = 64 - MINIMAL_BUCKET_BITS
    while (1 << (64 - shift)) < len(buckets) - 1:
        shift -= 1
    return np.uint64(shift)


@njit(cache=True, nogil=True)
def postings(index, key, shift):
    """(first, end) of the postings of a shingle; equal if no item has it."""
    bucket = key >> shift
    rest = key << (np.uint64(64) - shift)
    high, low = np.uint32(rest >> np.uint64(32)), np.uint16(rest >> np.uint64(16) & np.uint64(0xFFFF))
    first, end = np.int64(index.buckets[bucket]), np.int64(index.buckets[bucket + np.uint64(1)])
    last = end
    while first < last:
        middle = (first + last) >> 1
        here = index.shingles_high[middle]
        if here < high or (here == high and index.shingles_low[middle] < low):
            first = middle + 1
        else:
            last = middle
    last = first
    while last < end and index.shingles_high[last] == high and index.shingles_low[last] == low:
        last += 1
    return first, last


@njit(cache=True, nogil=True)
def first_seed(seeds, buckets, key, shift):
    """Index of the first seed with this hash, or -1."""
    bucket = key >> shift
    first, end = np.int64(buckets[bucket]), np.int64(buckets[bucket + np.uint64(1)])
    last = end
    while first < last:
        middle = (first + last) >> 1
        if seeds[middle] < key:
            first = middle + 1
        else:
            last = middle
    return first if first < end and seeds[first] == key else np.int64(-1)


@njit(cache=True, nogil=True)
def all_postings(index, keys):
    """(first: int64[n], end: int64[n]) of each shingle."""
    first = np.empty(len(keys), np.int64)
    end = np.empty(len(keys), np.int64)
    shift = bucket_shift(index.buckets)
    for i in range(len(keys)):
        first[i], end[i] = postings(index, keys[i], shift)
    return first, end


@njit(cache=True, nogil=True)
def _item_shingles(words, unknown, bounds, first_item, keys, items, prefixes):
    """Shingles of items with the item's number and the unfinished hash of the 8-gram that begins each. Returns how
    many. A shingle across an unknown word is left out."""
    size = 0
    for k in range(len(bounds) - 1):
        start, end = bounds[k], bounds[k + 1]
        n = end - start
        if n < LEAST_WORDS:
            continue
        width = min(n, SHINGLE_WORDS)
        clean = 0  # words since the last unknown one
        for i in range(start, end):
            clean = 0 if unknown[i] else clean + 1
            first = i - width + 1
            if first >= start and clean >= width:
                keys[size] = fmix(sequence_hash(words, first, width))
                items[size] = first_item + k
                prefixes[size] = sequence_hash(words, first, LEAST_WORDS)
                size += 1
    return size


@njit(cache=True, nogil=True)
def _item_seeds(words, unknown, bounds, first_item, keys, items, places, grams):
    """Seeds of items that are aligned: finished hash, item, place, unfinished hash. Returns how many."""
    size = 0
    for k in range(len(bounds) - 1):
        start, end = bounds[k], bounds[k + 1]
        n = end - start
        if n < LEAST_WORDS or n > ALIGNED_WORDS:
            continue
        width = SHORT_SEED_WORDS if n <= SHORT_ALIGNED_WORDS else LEAST_WORDS
        step = 1 if n <= _EVERY_SEED_WORDS else _SEED_STRIDE
        for first in range(start, end - width + 1, step):
            whole = True
            for i in range(first, first + width):
                whole &= not unknown[i]
            if whole:
                g = sequence_hash(words, first, width)
                keys[size] = fmix(g + np.uint64(width))
                items[size] = first_item + k
                places[size] = first - start
                grams[size] = g
                size += 1
    return size


@njit(cache=True, nogil=True)
def _fill_filter(bits, grams):
    for g in grams:
        filter_add(bits, g)


def _filter(*grams: np.ndarray) -> np.ndarray:
    """A filter of 8 to 16 bits a gram."""
    n = sum(map(len, grams))
    bits = np.zeros(1 << max(0, (max(1, n) - 1).bit_length() - 3), np.uint64)
    for part in grams:
        _fill_filter(bits, part)
    return bits


def _n_passages(n_words: np.ndarray) -> np.ndarray:
    """Of each item; the last one ends where the item does."""
    beyond = n_words.astype(np.int64) - PASSAGE_WORDS
    return np.where(beyond > 0, -(-beyond // PASSAGE_STRIDE) + 1, 0)


def _passage_tells(telling: np.ndarray, starts: np.ndarray, n_words: np.ndarray) -> np.ndarray:
    """uint8[passages]: whether each passage of the aligned items has LEAST_WORDS telling words.

    telling: bool[w], of the words of the stream; starts: int64[n + 1], where an item's words start in it.
    """
    before = np.concatenate([[0], np.cumsum(telling)])
    n = _n_passages(n_words)
    item = np.repeat(np.arange(len(n)), n)
    number = np.arange(len(item)) - np.repeat(np.cumsum(n) - n, n)
    first = starts[item] + np.minimum(number * PASSAGE_STRIDE, n_words[item] - PASSAGE_WORDS)
    return (before[first + PASSAGE_WORDS] - before[first] >= LEAST_WORDS).astype(np.uint8)


def _useful_seeds(seeds: np.ndarray, ordinals: np.ndarray) -> np.ndarray:
    """Return which seeds to use, bool[s]: those in at most MOST_POSTINGS places.

    Readings of one item repeat each other, so places are counted among all first readings, then among all second ones,
    and so on; the largest of these counts must not exceed the limit.

    seeds: uint64[s], ascending. ordinals: int64[s], which reading of its item (from 0) each seed is of.
    """
    if not len(seeds):
        return np.zeros(0, bool)
    run = np.cumsum(np.r_[False, seeds[1:] != seeds[:-1]])
    most = np.zeros(run[-1] + 1, np.int64)
    for ordinal in range(int(ordinals.max()) + 1):
        most = np.maximum(most, np.bincount(run[ordinals == ordinal], minlength=len(most)))
    useful: np.ndarray = most[run] <= MOST_POSTINGS
    return useful


def _buckets(keys: np.ndarray) -> tuple[np.ndarray, int]:
    """First entry for each value of the top k bits, with four to eight entries a bucket where they are many; and k."""
    k = max(MINIMAL_BUCKET_BITS, len(keys).bit_length() - 3)
    bounds = np.arange(1, 1 << k, dtype=np.uint64) << np.uint64(64 - k)
    return np.concatenate([[0], np.searchsorted(keys, bounds), [len(keys)]]).astype(np.uint32), k


def _joined(kind: type, arrays: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *arrays])


class _Collected:
    """What `build` collects from all batches: for each kind of array one array a batch. n: readings so far."""

    def __init__(self) -> None:
        self.keys: list[np.ndarray] = []
        self.items: list[np.ndarray] = []
        self.prefixes: list[np.ndarray] = []
        self.lengths: list[np.ndarray] = []
        self.seeds: list[np.ndarray] = []
        self.seed_items: list[np.ndarray] = []
        self.places: list[np.ndarray] = []
        self.grams: list[np.ndarray] = []
        self.streams: list[np.ndarray] = []
        self.telling: list[np.ndarray] = []
        self.of_item: list[np.ndarray] = []
        self.n = 0

    def add(self, batch: Readings, shingles: bool) -> None:
        words, unknown, telling, bounds, of_item = batch
        m = len(words)
        if shingles:
            key, item, prefix = np.empty(m, np.uint64), np.empty(m, np.uint32), np.empty(m, np.uint64)
            n = _item_shingles(words, unknown, bounds, self.n, key, item, prefix)
            self.keys.append(key[:n])
            self.items.append(item[:n])
            self.prefixes.append(prefix[:n])
        key, item = np.empty(m, np.uint64), np.empty(m, np.uint32)
        gram, place = np.empty(m, np.uint64), np.empty(m, np.uint16)
        n = _item_seeds(words, unknown, bounds, self.n, key, item, place, gram)
        self.seeds.append(key[:n])
        self.seed_items.append(item[:n])
        self.places.append(place[:n])
        self.grams.append(gram[:n])
        n_words = np.diff(bounds)
        self.lengths.append(n_words.astype(np.uint32))
        aligned = np.repeat((n_words >= LEAST_WORDS) & (n_words <= ALIGNED_WORDS), n_words)
        # An unknown word is 0 in the stream, which the low half of a word's hash is once in 4 thousand million.
        self.streams.append(np.where(unknown, 0, words).astype(np.uint32)[aligned])
        self.telling.append(telling[aligned])
        self.of_item.append(of_item.astype(np.uint32))
        self.n += len(bounds) - 1


def build(batches: Iterable[Readings], *, shingles: bool = True) -> Arrays:
    """Return the index over the readings of items.

    Args:
        batches: Readings, numbered through all batches.
        shingles: Whether to index shingles; without them only alignments and passages can be looked for.

    Takes about three times the memory of the index.
    """
    collected = _Collected()
    for batch in batches:
        collected.add(batch, shingles)
    n_words = _joined(np.uint32, collected.lengths)
    of_item = _joined(np.uint32, collected.of_item)
    short = np.zeros(SHINGLE_WORDS + 1, np.uint8)
    key, item = _joined(np.uint64, collected.keys), _joined(np.uint32, collected.items)
    prefix = _joined(np.uint64, collected.prefixes)
    of_short = n_words[item] < SHINGLE_WORDS
    short[np.unique(n_words[item[of_short]])] = 1
    short_filter = _filter(prefix[of_short])
    collected.prefixes = []
    # Stable, so that postings of one shingle are in the order of items, and repeats within an item stand together.
    order = np.argsort(key, kind="stable")
    key, item = key[order], item[order]
    del order
    once = np.ones(len(key), bool)
    once[1:] = (key[1:] != key[:-1]) | (item[1:] != item[:-1])
    key, item = key[once], item[once]

    seed, place = _joined(np.uint64, collected.seeds), _joined(np.uint16, collected.places)
    gram, seed_item = _joined(np.uint64, collected.grams), _joined(np.uint32, collected.seed_items)
    order = np.argsort(seed, kind="stable")
    seed, seed_item, place, gram = seed[order], seed_item[order], place[order], gram[order]
    first_reading = np.searchsorted(of_item, of_item)
    useful = _useful_seeds(seed, (np.arange(len(of_item)) - first_reading)[seed_item])
    seed, seed_item, place, gram = seed[useful], seed_item[useful], place[useful], gram[useful]
    by_five = n_words[seed_item] <= SHORT_ALIGNED_WORDS
    filter_, seed_filter = _filter(prefix, gram[~by_five]), _filter(gram[by_five])
    del prefix, gram, by_five
    collected.grams = []

    aligned = np.where((n_words >= LEAST_WORDS) & (n_words <= ALIGNED_WORDS), n_words, 0).astype(np.int64)
    stream_starts = np.concatenate([[0], np.cumsum(aligned)]).astype(np.int64)
    buckets, bits = _buckets(key)
    key <<= np.uint64(bits)
    arrays = Arrays(
        shingles_high=(key >> np.uint64(32)).astype(np.uint32),
        shingles_low=(key >> np.uint64(16)).astype(np.uint16),
        items=item,
        buckets=buckets,
        filter=filter_,
        widths=short,
        short_filter=short_filter,
        n_shingles=np.bincount(item, minlength=len(n_words)).astype(np.uint32),
        n_words=n_words,
        seeds=seed,
        seed_items=seed_item,
        seed_places=place,
        seed_buckets=_buckets(seed)[0],
        seed_filter=seed_filter,
        stream=_joined(np.uint32, collected.streams),
        stream_starts=stream_starts,
        passages=np.concatenate([[0], np.cumsum(_n_passages(aligned))]).astype(np.int64),
        passage_tells=_passage_tells(_joined(bool, collected.telling), stream_starts, aligned),
        of_item=of_item,
    )
    for array in arrays:
        # Kernels are compiled for arrays that cannot be written, as those mapped from a file are.
        array.flags.writeable = False
    return arrays
