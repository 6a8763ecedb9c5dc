"""What is known of each element before its blocks are measured: its signs, its place beside the page's heaviest group,
and the elements that are built like it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.extraction.html import CHARS, NODE
from massivetext.extraction.tags import H1, tag_id
from massivetext.extraction.vocabulary import HINT_NAMES
from massivetext.kernels import njit
from massivetext.slots import count_slots, find_slot

__all__ = [
    "CONTEXTS",
    "N_HINTS",
    "N_SIGNS",
    "Relation",
    "below",
    "compare_with_best",
    "measure_templates",
    "path_to",
    "repeated_elements",
    "weigh_signs",
]

LATE = 0.15
"""An element that begins after this share of the page's text is no wrapper of it."""

CONTEXTS = (
    *("nav", "header", "footer", "aside", "form", "figure", "table", "article", "main", "noscript", "list"),
    *("section", "details", "definition"),
)
"""What an element is by its tag alone, where that tells something of the text in it."""

_CONTEXT_OF = np.full(256, -1, np.int64)
for _tag, _context in (
    *(("nav", "nav"), ("header", "header"), ("footer", "footer"), ("aside", "aside"), ("form", "form")),
    *(("figure", "figure"), ("figcaption", "figure"), ("table", "table"), ("article", "article"), ("main", "main")),
    *(("noscript", "noscript"), ("ul", "list"), ("ol", "list"), ("section", "section"), ("fieldset", "form")),
    *(("details", "details"), ("dl", "definition")),
):
    _CONTEXT_OF[tag_id(_tag)] = CONTEXTS.index(_context)
_LATE_HINTS = sum(1 << HINT_NAMES.index(name) for name in ("comment", "related", "footer", "side"))
N_HINTS = len(HINT_NAMES)
N_SIGNS = N_HINTS + len(CONTEXTS)


class Relation(NamedTuple):
    """How each element stands to the page's heaviest group, the best one.

    twin_of_best: int8[nodes], more than 0 in a later sibling of the same template as one that contains the best group,
    which is the next story: 3 with a heading of the first level, 2 of the second, 1 without. repeats: float32[nodes],
    how many siblings of one template begin after the best group, which are comments or teasers. hops: int32[nodes],
    levels below the path to the best group. depth: int32[nodes], levels below the page.
    """

    twin_of_best: np.ndarray
    repeats: np.ndarray
    hops: np.ndarray
    depth: np.ndarray


@njit(cache=True, nogil=True)
def below(parent, marked):
    """Return which nodes are marked, or stand in one that is."""
    inside = np.empty(len(parent), np.bool_)
    for node in range(len(parent)):
        inside[node] = marked[node] or (node > 0 and inside[parent[node]])
    return inside


@njit(cache=True, nogil=True)
def path_to(node, parent):
    """Return bool[nodes]: the node and what contains it, the page too."""
    on_path = np.zeros(len(parent), np.bool_)
    while node:
        on_path[node] = True
        node = parent[node]
    on_path[0] = True
    return on_path


@njit(cache=True, nogil=True)
def weigh_signs(tag, parent, hints, first, groups):
    """Weigh the hints and contexts of each element, its own and those of the elements that contain it.

    Args:
        tag, parent, hints, first: of the tree.
        groups: of the page.

    Returns:
        float32[nodes, N_SIGNS], the share of the page's text that the sign does not cover, 0 without the sign; and
        float32[nodes], 1 where one of _LATE_HINTS begins late on the page.
    """
    n = len(tag)
    signs = np.empty((n, N_SIGNS), np.float32)
    signs[0, :] = 0.0
    late_sign = np.zeros(n, np.float32)
    before = groups.sums.before
    for node in range(1, n):
        above = parent[node]
        for k in range(N_SIGNS):
            signs[node, k] = signs[above, k]
        late_sign[node] = late_sign[above]
        cover = np.float32(1.0 - groups.sums.total[node] / groups.page_weight)
        # What begins after a good part of the text is no wrapper of it, however much it holds.
        late = first[node] > groups.first and before[first[node]] >= LATE * groups.page_weight
        if late and before[first[node]] >= 200:
            cover = max(cover, np.float32(0.9))
        bits = hints[node]
        if bits:
            for k in range(N_HINTS):
                if bits >> k & 1 and cover > signs[node, k]:
                    signs[node, k] = cover
            if late and bits & _LATE_HINTS:
                late_sign[node] = 1.0
        context = _CONTEXT_OF[tag[node]]
        if context >= 0 and cover > signs[node, N_HINTS + context]:
            signs[node, N_HINTS + context] = cover
    return signs, late_sign


@njit(cache=True, nogil=True)
def compare_with_best(tag, parent, first, last, blocks, on_path, groups):
    """Return how each element stands to the best group. on_path: bool[nodes], that group and what contains it."""
    n = len(tag)
    twins = groups.twins
    twin_first = np.full(len(twins.size), -1, np.int32)
    twin_of_best = np.zeros(n, np.int8)
    repeats = np.zeros(n, np.float32)
    hops = np.zeros(n, np.int32)
    depth = np.zeros(n, np.int32)
    for node in range(1, n):
        above = parent[node]
        twin_of_best[node] = twin_of_best[above]
        repeats[node] = repeats[above]
        depth[node] = depth[above] + 1
        if on_path[node]:
            twin_first[twins.slot[node]] = node
            continue
        hops[node] = hops[above] + 1
        if last[node] - first[node] >= 2 and groups.sums.total[node] > 0:
            other = twin_first[twins.slot[node]]
            if other >= 0 and groups.sums.total[node] >= 100:
                twin_of_best[node] = max(twin_of_best[node], 1)
                for b in range(first[node], min(last[node], first[node] + 8)):
                    kind = tag[blocks[b, NODE]]
                    if kind == H1 or kind == H1 + 1:
                        twin_of_best[node] = max(twin_of_best[node], 3 if kind == H1 else 2)
            if other < 0 and first[node] > groups.last:
                count = twins.size[twins.slot[node]]
                if count >= 2:
                    repeats[node] = max(repeats[node], np.float32(count))
    return Relation(twin_of_best, repeats, hops, depth)


@njit(cache=True, nogil=True)
def repeated_elements(parent, groups):
    """Return of each node the one at or above it whose twins weigh most, and the nearest one that has twins.

    Both are int32[nodes], 0 where no element at or above it is repeated.
    """
    n = len(parent)
    heaviest = np.zeros(n, np.int32)
    nearest = np.zeros(n, np.int32)
    twins = groups.twins
    for node in range(1, n):
        above = parent[node]
        slot = twins.slot[node]
        heaviest[node] = heaviest[above]
        nearest[node] = nearest[above]
        if twins.size[slot] >= 2:
            nearest[node] = node
            other = heaviest[above]
            # A list of paragraphs in a post is no thread: the outer one stays unless the inner one holds as much.
            if other == 0 or twins.total[slot] > 1.05 * twins.total[twins.slot[other]]:
                heaviest[node] = node
    return heaviest, nearest


@njit(cache=True, nogil=True)
def measure_templates(template, blocks, density, node_of):
    """Compare the blocks whose elements have one template.

    Args:
        template: uint64[nodes], of the tree.
        blocks: of the tree.
        density: float64[blocks], the share of a block's text in links.
        node_of: int32[blocks], the element of each block whose template counts.

    Returns:
        int64[blocks], the slot of each block's template; and float32[slots, 4]: how many blocks the template has, their
        mean length, the share of their text in links, the share of them that are long.
    """
    n = len(blocks)
    slots = count_slots(2 * n)
    keys = np.zeros(slots, np.uint64)
    slot_of = np.zeros(n, np.int64)
    stats = np.zeros((slots, 4), np.float32)
    for b in range(n):
        key = template[node_of[b]] | np.uint64(1)
        slot = find_slot(keys, key)
        keys[slot] = key
        slot_of[b] = slot
        chars = blocks[b, CHARS]
        stats[slot, 0] += 1
        stats[slot, 1] += chars
        stats[slot, 2] += chars * density[b]
        stats[slot, 3] += chars > 100
    for slot in range(slots):
        count = stats[slot, 0]
        if count:
            stats[slot, 2] /= max(np.float32(1.0), stats[slot, 1])
            stats[slot, 1] /= count
            stats[slot, 3] /= count
    return slot_of, stats
