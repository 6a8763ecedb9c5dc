"""How much of an item stands in a document in order, other words between them allowed: kernels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.contamination.index import (
    ALIGNED_WORDS,
    LEAST_WORDS,
    PASSAGE_STRIDE,
    PASSAGE_WORDS,
    SHORT_SEED_WORDS,
    bucket_shift,
    candidates,
    first_seed,
    sequence_hash,
)
from massivetext.dedup.shingles import distinct
from massivetext.kernels import njit
from massivetext.sorting import first_at_least
from massivetext.text.hashing import fmix

__all__ = ["aligned_words", "best_alignments", "make_common", "most_seeds", "shared_seeds"]


@njit(cache=True, nogil=True)
def most_seeds(n):
    """How many places of seeds in items are looked at in a document of n words, in the order of its words. Of the
    alignments that they make one for every two words (and 1,024 more) are tried, evenly. Only text made to be slow has
    more."""
    return min(4 * n, 1 << 20) + 1024


class Common(NamedTuple):
    """Where `_common` keeps an item's words: a hash table (keys: uint32[2048]; used: int64[2048], the turn that wrote a
    slot; masks: uint64[2048, 8], where in the item each word stands) and its state (bits: uint64[8])."""

    keys: np.ndarray
    used: np.ndarray
    masks: np.ndarray
    bits: np.ndarray


@njit(cache=True, nogil=True)
def make_common():
    slots = 4 * ALIGNED_WORDS
    return Common(
        np.empty(slots, np.uint32),
        np.full(slots, -1, np.int64),
        np.empty((slots, ALIGNED_WORDS // 64), np.uint64),
        np.empty(ALIGNED_WORDS // 64, np.uint64),
    )


@njit(cache=True, nogil=True)
def _place(item, c, turn):
    """Write where in an item each of its words stands. turn: another number for each item."""
    keys, used, masks = c.keys, c.used, c.masks  # once: each access counts references
    m = len(item)
    n_parts = (m + 63) // 64
    last = np.uint32(len(keys) - 1)
    for k in range(m):
        slot = item[k] & last
        while used[slot] == turn and keys[slot] != item[k]:
            slot = (slot + np.uint32(1)) & last
        if used[slot] != turn:
            used[slot] = turn
            keys[slot] = item[k]
            for part in range(n_parts):
                masks[slot, part] = np.uint64(0)
        masks[slot, k >> 6] |= np.uint64(1) << np.uint64(k & 63)


@njit(cache=True, nogil=True)
def _common(m, window, c, turn):
    """Length of the longest common subsequence of a window and the item of m words that was placed at this turn: a bit
    for each word of the item, 64 at a time (Hyyro, "Bit-parallel LCS-length computation revisited", 2004)."""
    keys, used, masks, state = c.keys, c.used, c.masks, c.bits
    n_parts = (m + 63) // 64
    last = np.uint32(len(keys) - 1)
    for part in range(n_parts):
        state[part] = ~np.uint64(0)
    for j in range(len(window)):
        word = np.uint32(window[j] & np.uint64(0xFFFFFFFF))
        slot = word & last
        while used[slot] == turn and keys[slot] != word:
            slot = (slot + np.uint32(1)) & last
        if used[slot] == turn:
            carry = np.uint64(0)
            for part in range(n_parts):
                bits = state[part]
                matching = bits & masks[slot, part]
                total = bits + matching
                over = np.uint64(total < bits)
                total += carry
                over |= np.uint64(total < carry)
                state[part] = total | (bits - matching)
                carry = over
    n = 0
    for k in range(m):
        n += (state[k >> 6] >> np.uint64(k & 63) & np.uint64(1)) == 0
    return n


@njit(cache=True, nogil=True)
def shared_seeds(words, index, shift, places, n_places, width, whole, n_whole, parts, n_parts):
    """Seeds of `width` words that the document shares with items, as (item, diagonal) into whole and (passage,
    diagonal) into parts, packed; a diagonal is the place in the document where item or passage would begin. Returns
    how many of each there are by now."""
    seeds, buckets, seed_items, seed_places = index.seeds, index.seed_buckets, index.seed_items, index.seed_places
    passages, tells = index.passages, index.passage_tells
    for k in range(n_places):
        p = np.int64(places[k])
        key = fmix(sequence_hash(words, p, width) + np.uint64(width))
        at = first_seed(seeds, buckets, key, shift)
        if at < 0:
            continue
        while at < len(seeds) and seeds[at] == key and n_whole < len(whole):
            item, q = np.int64(seed_items[at]), np.int64(seed_places[at])
            whole[n_whole] = _packed(item, p - q)
            n_whole += 1
            first, end = passages[item], passages[item + 1]
            near = q // PASSAGE_STRIDE
            # Those around the seed too: between edits they may have none of their own.
            for passage in range(first + max(0, near - 3), min(end, first + near + 3)):
                if n_parts < len(parts) and tells[passage]:
                    parts[n_parts] = _packed(passage, p - q + _passage_start(index, item, passage))
                    n_parts += 1
            at += 1
    return n_whole, n_parts


@njit(cache=True, nogil=True)
def _packed(number, diagonal):
    return np.uint64(number) << np.uint64(32) | np.uint64(diagonal + ALIGNED_WORDS)


@njit(cache=True, nogil=True)
def _unpacked(pair):
    return np.int64(pair >> np.uint64(32)), np.int64(pair & np.uint64(0xFFFFFFFF)) - ALIGNED_WORDS


@njit(cache=True, nogil=True)
def _passage_start(index, item, passage):
    """The word of its item at which a passage begins; the last passage of an item ends with it."""
    m = np.int64(index.n_words[item])
    return min((passage - index.passages[item]) * PASSAGE_STRIDE, m - PASSAGE_WORDS)


@njit(cache=True, nogil=True)
def _share(words, m, diagonal, common, turn):
    """The share of the m words placed at this turn that stands in order where they would begin at the diagonal, or a
    quarter of them around."""
    slack = max(2, m // 4)
    window = words[max(0, diagonal - slack) : min(len(words), diagonal + m + slack)]
    return _common(m, window, common, turn) / m


@njit(cache=True, nogil=True)
def _place_passage(index, passage, common, turn):
    """Write where in a passage each of its words stands; return its item."""
    item = first_at_least(index.passages, passage + 1) - 1
    first = index.stream_starts[item] + _passage_start(index, item, passage)
    _place(index.stream[first : first + PASSAGE_WORDS], common, turn)
    return item


@njit(cache=True, nogil=True)
def best_alignments(words, index, whole, parts, common, turn):
    """(share, item, first word, end word) of the alignment that covers the largest share of an item, and (share, item)
    of that which covers the largest share of a passage, or of an item that has none; ties: the first item, then the
    first place. turn: a number above all those of earlier calls by as many as these had pairs."""
    best, best_item, best_first, best_end = 0.0, np.int64(-1), np.int64(0), np.int64(0)
    passage, passage_item = 0.0, np.int64(-1)
    whole = whole[: distinct(whole)]
    most = len(words) // 2 + 1024
    placed, place_turn, m = np.int64(-1), turn, np.int64(0)  # pairs of one item follow each other
    for k in range(0, len(whole), -(-len(whole) // most)):
        item, diagonal = _unpacked(whole[k])
        if item != placed:
            placed, place_turn = item, turn + k
            sequence = index.stream[index.stream_starts[item] : index.stream_starts[item + 1]]
            m = len(sequence)
            _place(sequence, common, place_turn)
        share = _share(words, m, diagonal, common, place_turn)
        if share > best:
            best, best_item = share, item
            best_first, best_end = max(0, diagonal), min(len(words), diagonal + m)
        if share > passage and index.passages[item] == index.passages[item + 1]:
            passage, passage_item = share, item
        if share == 1:
            break
    turn += len(whole)
    parts = parts[: distinct(parts)]
    placed, item = np.int64(-1), np.int64(-1)
    for k in range(0, len(parts), max(1, -(-len(parts) // most))):
        number, diagonal = _unpacked(parts[k])
        if number != placed:
            placed, place_turn = number, turn + k
            item = _place_passage(index, number, common, place_turn)
        share = _share(words, PASSAGE_WORDS, diagonal, common, place_turn)
        if share > passage or (share == passage and item < passage_item):
            passage, passage_item = share, item
            if share == 1:
                break
    return best, best_item, best_first, best_end, passage, passage_item


@njit(cache=True, nogil=True)
def aligned_words(words, index, item, least):
    """bool[n]: the words of a text where passages of one item, or the item if it has none, are aligned by at least that
    share."""
    n = len(words)
    covered = np.zeros(n, np.bool_)
    shift = bucket_shift(index.seed_buckets)
    places = np.empty(max(n, 1), np.int64)
    whole, parts = np.empty(most_seeds(n), np.uint64), np.empty(most_seeds(n), np.uint64)
    n_places = candidates(words, n, index.filter, LEAST_WORDS, places)
    n_whole, n_parts = shared_seeds(words, index, shift, places, n_places, LEAST_WORDS, whole, 0, parts, 0)
    n_places = candidates(words, n, index.seed_filter, SHORT_SEED_WORDS, places)
    n_whole, n_parts = shared_seeds(
        words, index, shift, places, n_places, SHORT_SEED_WORDS, whole, n_whole, parts, n_parts
    )
    common = make_common()
    has_passages = index.passages[item] < index.passages[item + 1]
    pairs = parts[:n_parts] if has_passages else whole[:n_whole]
    low, high = (index.passages[item], index.passages[item + 1]) if has_passages else (item, item + 1)
    pairs = pairs[: distinct(pairs)]
    sequence = index.stream[index.stream_starts[item] : index.stream_starts[item + 1]]
    for k in range(len(pairs)):
        number, diagonal = _unpacked(pairs[k])
        if low <= number < high:
            if has_passages:
                _place_passage(index, number, common, k)
                m = PASSAGE_WORDS
            else:
                _place(sequence, common, k)
                m = len(sequence)
            if _share(words, m, diagonal, common, k) >= least:
                covered[max(0, diagonal) : min(n, diagonal + m)] = True
    return covered
