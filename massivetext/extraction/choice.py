"""From probabilities to the blocks that are the page's text: one threshold a page, wholes, headings, no text twice.

The threshold is where the expected F-measure is highest: of blocks sorted by probability, those are kept for which
`(1 + beta^2) * expected words kept / (words kept + beta^2 * expected words of the page)` is greatest.
"""

from __future__ import annotations

import numpy as np

from massivetext.extraction.html import CHARS, NODE, WORDS
from massivetext.extraction.tags import BLOCKQUOTE, DL, LISTING, PRE, TABLE, TD, TH, heading_level
from massivetext.kernels import njit
from massivetext.slots import count_slots, find_slot
from massivetext.sorting import sort

__all__ = ["choose", "expected_threshold"]

LOWEST, HIGHEST = 0.2, 0.6
"""Bounds of a page's threshold."""

REPEATED = 80
"""A block of more characters than this is kept once."""

_HEADING_REACH = 3
_TITLE_REACH = 20
_CELL_BLOCKS = 2.0
_WHOLE_SHARE = 0.5
_FINE = 2.0**32
"""Probabilities are sorted in steps of 1 / _FINE, which are finer than float32 where a threshold can be."""


@njit(cache=True, nogil=True)
def expected_threshold(p, words, lowest, highest, beta):
    """Return the threshold of the greatest expected F-measure, within bounds.

    Args:
        p: float32[blocks], the probability that a block is text.
        words: float64[blocks].
        lowest, highest: the bounds.
        beta: 1 for F1; below 1 precision counts more, above 1 recall.
    """
    order = np.empty(len(p), np.uint64)
    total = 0.0
    for b in range(len(p)):
        order[b] = (np.uint64(p[b] * _FINE) << np.uint64(31)) | np.uint64(b)
        total += p[b] * words[b]
    sort(order, len(p))
    kept = expected = best = 0.0
    threshold = np.float32(highest)
    square = beta * beta
    for k in range(len(p)):
        b = np.int64(order[len(p) - 1 - k] & np.uint64(0x7FFFFFFF))
        kept += words[b]
        expected += p[b] * words[b]
        value = expected / (kept + square * total + 1e-9)
        if value > best:
            best = value
            threshold = p[b]
    return min(max(threshold, np.float32(lowest)), np.float32(highest))


@njit(cache=True, nogil=True)
def _whole_of(tag, parent, first, last):
    """int32[nodes]: the outermost pre, dl, quote or table of data that each node stands in, 0 if none.

    A table with more than _CELL_BLOCKS blocks a cell is a piece of the page's layout, and so is what holds most of it.
    """
    n = len(tag)
    cells = np.zeros(n, np.int32)
    table = np.zeros(n, np.int32)
    for node in range(1, n):
        table[node] = node if tag[node] == TABLE else table[parent[node]]
        if tag[node] == TD or tag[node] == TH:
            cells[table[node]] += 1
    whole = np.zeros(n, np.int32)
    for node in range(1, n):
        whole[node] = whole[parent[node]]
        kind = tag[node]
        size = last[node] - first[node]
        if whole[node] or size < 2 or size > _WHOLE_SHARE * last[0]:
            continue
        is_data = kind == TABLE and cells[node] > 1 and size <= _CELL_BLOCKS * cells[node]
        if is_data or kind == PRE or kind == LISTING or kind == DL or kind == BLOCKQUOTE:
            whole[node] = node
    return whole


@njit(cache=True, nogil=True)
def join_wholes(p, words, tag, parent, first, last, blocks):
    """Give each block of a whole the whole's mean probability by words, in place."""
    whole = _whole_of(tag, parent, first, last)
    weight = np.zeros(len(tag))
    total = np.zeros(len(tag))
    for b in range(len(p)):
        node = whole[blocks[b, NODE]]
        weight[node] += words[b]
        total[node] += words[b] * p[b]
    for b in range(len(p)):
        node = whole[blocks[b, NODE]]
        if node:
            p[b] = total[node] / weight[node]


@njit(cache=True, nogil=True)
def _drop_lone_headings(keep, tag, blocks):
    """A heading needs kept text within a few blocks below it; the page's title within more."""
    n = len(blocks)
    is_heading = np.zeros(n, np.bool_)
    first_text = n
    for b in range(n):
        is_heading[b] = heading_level(tag[blocks[b, NODE]]) > 0
        if keep[b] and not is_heading[b] and b < first_text:
            first_text = b
    if first_text == n:
        return
    for b in range(n):
        if keep[b] and is_heading[b]:
            reach = _TITLE_REACH if b < first_text else _HEADING_REACH
            below = False
            for other in range(b + 1, min(n, b + 1 + reach)):
                if keep[other] and not is_heading[other]:
                    below = True
                    break
            keep[b] = below


@njit(cache=True, nogil=True)
def _keep_sister_headings(keep, tag, parent, blocks):
    """Keep a heading right above kept text if most of its siblings of the same level are kept, and at least two."""
    n = len(blocks)
    kept = np.zeros((len(tag), 7), np.int32)
    seen = np.zeros((len(tag), 7), np.int32)
    for b in range(n):
        level = heading_level(tag[blocks[b, NODE]])
        if level:
            above = parent[blocks[b, NODE]]
            seen[above, level] += 1
            kept[above, level] += keep[b]
    for b in range(n - 1):
        level = heading_level(tag[blocks[b, NODE]])
        if keep[b] or not keep[b + 1] or level == 0:
            continue
        above = parent[blocks[b, NODE]]
        if kept[above, level] >= 2 and 2 * kept[above, level] > seen[above, level]:
            keep[b] = True


@njit(cache=True, nogil=True)
def _drop_repeated(keep, p, blocks, hashes):
    """Of long kept blocks with the same text keep the most likely one, the first of several."""
    n = len(blocks)
    keys = np.zeros(count_slots(2 * n), np.uint64)
    best_block = np.empty(len(keys), np.int32)
    for b in range(n):
        if not keep[b] or blocks[b, CHARS] + blocks[b, WORDS] - 1 <= REPEATED or hashes[b] == 0:
            continue
        slot = find_slot(keys, hashes[b])
        if keys[slot] == 0:
            keys[slot] = hashes[b]
            best_block[slot] = b
        elif p[b] > p[best_block[slot]]:
            keep[best_block[slot]] = False
            best_block[slot] = b
        else:
            keep[b] = False


@njit(cache=True, nogil=True)
def choose(p, threshold, tag, parent, blocks, hashes, is_prose):
    """Return bool[blocks]: which blocks are the text of the page.

    Args:
        p: float32[blocks], the probability that a block is text.
        threshold: blocks at or over it are kept.
        tag, parent, blocks: of the tree.
        hashes: uint64[blocks], of each block's letters and digits.
        is_prose: whether headings without text below them are dropped; in a list of products or events they are the
            text.
    """
    keep = np.empty(len(p), np.bool_)
    for b in range(len(p)):
        keep[b] = p[b] >= threshold
    _keep_sister_headings(keep, tag, parent, blocks)
    if is_prose:
        _drop_lone_headings(keep, tag, blocks)
    _drop_repeated(keep, p, blocks, hashes)
    return keep
