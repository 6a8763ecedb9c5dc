"""The page's groups of blocks: what each element holds, which group is the heaviest, and which elements are repeated.

Self-contained blocks of salient text stand in groups at one level of the tree. A block's weight is its text outside
links, less if it is short or ends no sentence; a group is the element that holds paragraphs, headings and list items as
siblings; its weight is theirs, passed up by DECAY a level, so that groups are compared with the page's heaviest.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.extraction.html import CHARS, CJK, ENDS, LINK_CHARS, MAX_SEARCH, NODE, WORDS
from massivetext.extraction.tags import BLOCKQUOTE, DD, DIR, DL, DT, LI, MENU, OL, PRE, UL, P, heading_level
from massivetext.kernels import njit
from massivetext.slots import count_slots, find_slot

__all__ = ["Groups", "Sums", "Twins", "find_groups"]

DECAY = 0.6
PROSE = 80.0
"""A repeated element counts as a post, an item or a story from this weight on."""


class Sums(NamedTuple):
    """Of blocks: weight, density (share of the text in links), group (node). Of nodes, over all that they hold: chars,
    links (characters in links), total (weight); over the blocks whose group they are: own, own_chars, own_links,
    own_blocks; score: the weight passed up. before: the weight of all blocks before a block."""

    weight: np.ndarray
    density: np.ndarray
    group: np.ndarray
    chars: np.ndarray
    links: np.ndarray
    total: np.ndarray
    own: np.ndarray
    own_chars: np.ndarray
    own_links: np.ndarray
    own_blocks: np.ndarray
    score: np.ndarray
    before: np.ndarray


class Twins(NamedTuple):
    """Siblings of one template. Of nodes: slot, order (which of its twins, from 0). Of slots: size (how many), total
    (weight), chars, links, prose (how many of them weigh at least PROSE)."""

    slot: np.ndarray
    order: np.ndarray
    size: np.ndarray
    total: np.ndarray
    chars: np.ndarray
    links: np.ndarray
    prose: np.ndarray


class Groups(NamedTuple):
    """best: the heaviest group's node; first, last: its first and last block of weight; the maxima that ratios are
    taken of."""

    sums: Sums
    twins: Twins
    best: int
    first: int
    last: int
    best_score: float
    best_own: float
    best_container: float
    page_weight: float


@njit(cache=True, nogil=True, counts=False)
def block_weight(block):
    """The block's length without links, in characters of an alphabet; damped if it does not look like prose."""
    chars = block[CHARS]
    if chars == 0:
        return 0.0
    length = chars + block[WORDS] - 1 + 1.5 * block[CJK]
    density = block[LINK_CHARS] / chars
    weight = length * (1.0 - density)
    if length < 60:
        weight *= 0.25
    elif length < 120:
        weight *= 0.6
    if block[ENDS] != 1:
        weight *= 0.6
    if density > 0.5:
        weight *= 0.3
    return weight


@njit(cache=True, nogil=True, counts=False)
def group_of(node, tag, parent):
    """The node that holds a block's siblings."""
    kind = tag[node]
    holds = (
        kind == P or heading_level(kind) or kind == LI or kind == DD or kind == DT or kind == PRE
        or kind == BLOCKQUOTE
    )  # fmt: skip
    if not holds:
        return node
    group = parent[node]
    for _ in range(MAX_SEARCH):
        if group == 0:
            break
        kind = tag[group]
        is_list = kind == UL or kind == OL or kind == DL or kind == MENU or kind == DIR or kind == BLOCKQUOTE
        if not is_list and not (kind == LI and (tag[node] == LI or tag[node] == P)):
            break
        group = parent[group]
    return group


@njit(cache=True, nogil=True)
def sum_blocks(tag, parent, blocks):
    """Sums of a page."""
    n_nodes, n_blocks = len(tag), len(blocks)
    weight = np.zeros(n_blocks)
    density = np.zeros(n_blocks)
    group = np.zeros(n_blocks, np.int32)
    chars = np.zeros(n_nodes)
    links = np.zeros(n_nodes)
    total = np.zeros(n_nodes)
    own = np.zeros(n_nodes)
    own_chars = np.zeros(n_nodes)
    own_links = np.zeros(n_nodes)
    own_blocks = np.zeros(n_nodes)
    score = np.zeros(n_nodes)
    before = np.zeros(n_blocks + 1)
    for b in range(n_blocks):
        node = blocks[b, NODE]
        w = block_weight(blocks[b])
        weight[b] = w
        g = group_of(node, tag, parent)
        group[b] = g
        density[b] = blocks[b, LINK_CHARS] / max(1, blocks[b, CHARS])
        chars[node] += blocks[b, CHARS]
        links[node] += blocks[b, LINK_CHARS]
        total[node] += w
        own[g] += w
        own_chars[g] += blocks[b, CHARS]
        own_links[g] += blocks[b, LINK_CHARS]
        own_blocks[g] += 1
        before[b + 1] = before[b] + w
    for node in range(n_nodes - 1, 0, -1):
        above = parent[node]
        chars[above] += chars[node]
        links[above] += links[node]
        total[above] += total[node]
        score[node] += own[node]
        score[above] += DECAY * score[node]
    score[0] = 0.0
    return Sums(weight, density, group, chars, links, total, own, own_chars, own_links, own_blocks, score, before)


@njit(cache=True, nogil=True)
def count_twins(parent, template, sums):
    """Twins of a page, by a hash table of (parent, template)."""
    n = len(parent)
    slots = count_slots(2 * n)
    keys = np.zeros(slots, np.uint64)
    count = np.zeros(slots, np.int32)
    total = np.zeros(slots)
    chars = np.zeros(slots)
    links = np.zeros(slots)
    prose = np.zeros(slots, np.int32)
    slot_of = np.zeros(n, np.int64)
    order = np.zeros(n, np.int32)
    for node in range(1, n):
        key = (template[node] ^ (np.uint64(parent[node]) * np.uint64(0x9E3779B97F4A7C15))) | np.uint64(1)
        slot = find_slot(keys, key)
        keys[slot] = key
        order[node] = count[slot]
        count[slot] += 1
        slot_of[node] = slot
        total[slot] += sums.total[node]
        chars[slot] += sums.chars[node]
        links[slot] += sums.links[node]
        prose[slot] += sums.total[node] >= PROSE
    return Twins(slot_of, order, count, total, chars, links, prose)


@njit(cache=True, nogil=True)
def _first_story(best, parent, first, last, sums, twins):
    """The heaviest group of the first story, if `best` is a later one: if it stands in an element that has an earlier
    sibling of the same template with a good part of its text."""
    n = len(parent)
    first_twin = np.full(len(twins.size), -1, np.int32)
    for node in range(1, n):
        if last[node] - first[node] >= 3 and first_twin[twins.slot[node]] < 0 and sums.total[node] >= 200:
            first_twin[twins.slot[node]] = node
    node = best
    story = -1
    while node:
        other = first_twin[twins.slot[node]]
        if (
            other >= 0
            and other < node
            and sums.total[other] >= 0.2 * sums.total[node]
            and last[node] - first[node] >= 3
        ):
            story = other
        node = parent[node]
    if story < 0:
        return best
    best = story
    inside = np.zeros(n, np.bool_)
    inside[story] = True
    for node in range(story, n):
        if node > story:
            inside[node] = inside[parent[node]]
        if (
            inside[node]
            and sums.own_blocks[node]
            and (sums.score[node] > sums.score[best] or not sums.own_blocks[best])
        ):
            best = node
    return best


@njit(cache=True, nogil=True)
def find_groups(tag, parent, first, last, template, blocks):
    """Groups of a page."""
    n_nodes, n_blocks = len(tag), len(blocks)
    sums = sum_blocks(tag, parent, blocks)
    twins = count_twins(parent, template, sums)
    best = 0
    best_own = best_container = 1.0
    for node in range(1, n_nodes):
        best_own = max(best_own, sums.own[node])
        if sums.own_blocks[node]:
            best_container = max(best_container, sums.score[parent[node]])
            if sums.score[node] > sums.score[best]:
                best = node
    best = _first_story(best, parent, first, last, sums, twins)
    best_first, best_last = n_blocks, -1
    for b in range(n_blocks):
        if sums.group[b] == best and sums.weight[b] > 0:
            best_first = min(best_first, b)
            if sums.weight[b] >= 10:
                best_last = b
    best_last = max(best_last, best_first)
    best_score = max(1.0, sums.score[best])
    page_weight = max(1.0, sums.total[0])
    return Groups(sums, twins, best, best_first, best_last, best_score, best_own, best_container, page_weight)
