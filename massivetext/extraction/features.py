"""What is measured of each block: itself, its wording, the group and the repeated element that it stands in, its place,
and what the page shows of its type.

Values are not scaled: the trees that read them only compare a value with a limit. The order of the columns is FEATURES.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from massivetext.extraction.context import CONTEXT, N_CONTEXT, N_KEYS
from massivetext.extraction.elements import (
    CONTEXTS,
    N_HINTS,
    N_SIGNS,
    below,
    compare_with_best,
    measure_templates,
    path_to,
    repeated_elements,
    weigh_signs,
)
from massivetext.extraction.evidence import EVIDENCE, N_EVIDENCE, page_evidence, write_page
from massivetext.extraction.groups import find_groups
from massivetext.extraction.html import (
    BARS,
    BOLD,
    BREAKS,
    CHARS,
    CJK,
    COMMAS,
    DIGITS,
    END,
    ENDS,
    LINKS,
    NODE,
    SENTENCES,
    START,
    UPPER,
    WORDS,
    Tree,
)
from massivetext.extraction.tags import BLOCKQUOTE, DD, DIV, DT, H1, LI, PRE, TD, TH, P, heading_level
from massivetext.extraction.vocabulary import HINT_NAMES
from massivetext.extraction.wording import N_WORDING, WORDING, heading_hints, write_copies, write_wording
from massivetext.kernels import njit

__all__ = ["FEATURES", "FIRST_PAGE_COLUMN", "Measured", "measure", "measure_blocks", "measured_parts"]


class Measured(NamedTuple):
    """values: float32[blocks, FEATURES]; keys: int32[blocks, context.KEYS]; hashes: uint64[blocks], of a block's
    letters and digits, 0 if it has none."""

    values: np.ndarray
    keys: np.ndarray
    hashes: np.ndarray


_OWN = (
    *("length", "link_density", "words", "word_length", "sentences", "ends", "comma_rate", "digit_rate", "upper_rate"),
    *("links", "breaks", "bold", "bars", "weight", "cjk", "heading", "is_p", "is_li", "is_cell", "is_pre", "is_quote"),
    *("is_definition", "is_div", "depth"),
)
_GROUP = (
    *("ratio", "group_score", "group_share", "group_mean", "group_link_density", "group_blocks", "own_ratio"),
    *("container_ratio", "container_link_density", "container_share", "under_best", "under_best_parent"),
    *("far_from_best", "twins_node", "twins_group", "twins_container"),
)
_UNIT = (
    *("unit_count", "unit_share", "unit_mean", "unit_own", "unit_order", "unit_offset", "unit_from_end"),
    *("unit_link_density", "unit_prose", "near_unit_count", "near_unit_mean", "near_unit_links", "near_unit_order"),
    *("template_count", "template_length", "template_links", "template_long"),
    *("group_template_count", "group_template_length", "group_template_links", "group_template_long"),
)
_PLACE = (
    *("position", "from_end", "after_best", "before_best", "chars_after_best", "text_before", "text_after"),
    *("h1_before", "h1_after_best", "headings_after_best", "title", "next_length", "previous_length"),
    *("next_weight", "previous_weight", "next2_weight", "previous2_weight", "next_link", "previous_link"),
    *("next_ratio", "previous_ratio", "next_same_group", "previous_same_group", "next_heading", "previous_heading"),
    *("run_links", "twin_of_best", "repeats_after", "same_start_h1", "late_sign", "twin_with_h1", "twin_with_heading"),
    *("section_level", "section_blocks", "section_chars", "section_same"),
)
_SECTION_HINTS = ("comment", "share", "navigation", "related", "advert", "author", "review", "question", "note", "shop")
_SECTION_BITS = np.array([HINT_NAMES.index(name) for name in _SECTION_HINTS])
N_SECTION = len(_SECTION_HINTS)
FEATURES = (
    *CONTEXT,
    *_OWN,
    *_GROUP,
    *_UNIT,
    *_PLACE,
    *(f"section_{name}" for name in _SECTION_HINTS),
    *(f"hint_{name}" for name in HINT_NAMES),
    *(f"in_{name}" for name in CONTEXTS),
    *(f"near_{name}" for name in HINT_NAMES),
    *WORDING,
    *EVIDENCE,
)
"""The columns of `measure`; those of CONTEXT stay zero until the first stage has been evaluated."""

N_FEATURES = len(FEATURES)
_O_GROUP = N_CONTEXT + len(_OWN)
_O_UNIT = _O_GROUP + len(_GROUP)
_O_PLACE = _O_UNIT + len(_UNIT)
_O_SECTION = _O_PLACE + len(_PLACE)
_O_SIGNS = _O_SECTION + N_SECTION
_O_NEAR = _O_SIGNS + N_SIGNS
_O_WORDING = _O_NEAR + N_HINTS
_O_PAGE = _O_WORDING + N_WORDING
FIRST_PAGE_COLUMN = _O_PAGE
"""From here on stand the columns of page evidence, the same for all blocks of a page."""


@njit(cache=True, nogil=True, counts=False)
def _in_title(page, start, end, title_start, title_end):
    """Whether the page's title begins with, or holds, the first bytes of the block."""
    n = min(end - start, 40)
    if n < 8 or title_end - title_start < n or end - start > 400:
        return 0.0
    stop = min(title_end, title_start + 400) - n
    for i in range(title_start, stop + 1):
        j = 0
        while j < n and page[i + j] == page[start + j]:
            j += 1
        if j == n:
            return 1.0
    return 0.0


@njit(cache=True, nogil=True, counts=False)
def _write_own(row, block, kind, density, weight, depth):
    n = max(1, block[CHARS])  # a block of stray bytes has none
    length = n + block[WORDS] - 1 + 1.5 * block[CJK]
    row[0] = length
    row[1] = density
    row[2] = block[WORDS]
    row[3] = n / max(1, block[WORDS])
    row[4] = block[SENTENCES]
    row[5] = block[ENDS]
    row[6] = block[COMMAS] / length
    row[7] = block[DIGITS] / n
    row[8] = block[UPPER] / n
    row[9] = block[LINKS]
    row[10] = block[BREAKS]
    row[11] = block[BOLD] / n
    row[12] = block[BARS]
    row[13] = weight
    row[14] = block[CJK] / n
    row[15] = heading_level(kind)
    row[16] = kind == P
    row[17] = kind == LI
    row[18] = kind == TD or kind == TH
    row[19] = kind == PRE
    row[20] = kind == BLOCKQUOTE
    row[21] = 1 if kind == DT else (2 if kind == DD else 0)
    row[22] = kind == DIV
    row[23] = depth


@njit(cache=True, nogil=True, counts=False)
def _write_group(row, node, g, c, groups, on_path, under_best, hops):
    sums, twins = groups.sums, groups.twins
    row[0] = min(1.5, sums.score[g] / groups.best_score)
    row[1] = sums.score[g]
    row[2] = sums.total[g] / groups.page_weight
    row[3] = sums.own_chars[g] / max(1.0, sums.own_blocks[g])
    row[4] = sums.own_links[g] / max(1.0, sums.own_chars[g])
    row[5] = sums.own_blocks[g]
    row[6] = sums.own[g] / groups.best_own
    row[7] = min(1.0, sums.score[c] / groups.best_container)
    row[8] = sums.links[c] / max(1.0, sums.chars[c])
    row[9] = sums.total[c] / groups.page_weight
    row[10] = under_best
    row[11] = on_path[c] and c != 0
    row[12] = hops
    row[13] = twins.size[twins.slot[node]]
    row[14] = twins.size[twins.slot[g]]
    row[15] = twins.size[twins.slot[c]]


@njit(cache=True, nogil=True, counts=False)
def _write_unit(row, b, unit, near, first, last, groups, template, group_template):
    twins, total = groups.twins, groups.sums.total
    if unit:
        slot = twins.slot[unit]
        count = twins.size[slot]
        row[0] = count
        row[1] = twins.total[slot] / groups.page_weight
        row[2] = twins.total[slot] / count
        row[3] = total[unit]
        row[4] = twins.order[unit]
        row[5] = b - first[unit]
        row[6] = last[unit] - b
        row[7] = twins.links[slot] / max(1.0, twins.chars[slot])
        row[8] = twins.prose[slot]
    if near:
        slot = twins.slot[near]
        row[9] = twins.size[slot]
        row[10] = twins.chars[slot] / twins.size[slot]
        row[11] = twins.links[slot] / max(1.0, twins.chars[slot])
        row[12] = twins.order[near]
    for k in range(4):
        row[13 + k] = template[k]
        row[17 + k] = group_template[k]


@njit(cache=True, nogil=True, counts=False)
def _write_neighbours(row, b, tag, blocks, groups):
    """From column `next_length` on."""
    sums = groups.sums
    n = len(blocks)
    nxt = b + 1 if b + 1 < n else b
    prv = b - 1 if b > 0 else b
    nxt2 = b + 2 if b + 2 < n else nxt
    prv2 = b - 2 if b > 1 else prv
    g = sums.group[b]
    row[0] = blocks[nxt, CHARS]
    row[1] = blocks[prv, CHARS]
    row[2] = sums.weight[nxt]
    row[3] = sums.weight[prv]
    row[4] = sums.weight[nxt2]
    row[5] = sums.weight[prv2]
    row[6] = sums.density[nxt]
    row[7] = sums.density[prv]
    row[8] = sums.score[sums.group[nxt]] / groups.best_score
    row[9] = sums.score[sums.group[prv]] / groups.best_score
    row[10] = sums.group[nxt] == g
    row[11] = sums.group[prv] == g
    row[12] = heading_level(tag[blocks[nxt, NODE]])
    row[13] = heading_level(tag[blocks[prv, NODE]])


@njit(cache=True, nogil=True, counts=False)
def _write_places(x, page, tag, blocks, title, groups, relation, late_sign, words):
    """Columns of _PLACE and of section hints: they run along the page. words: int32[blocks], hints of headings."""
    n = len(blocks)
    twin_of_best, repeats = relation.twin_of_best, relation.repeats
    best_end = chars = run_links = 0.0
    h1_seen = h1_best = h1_after = headings_after = 0
    heading_at = -1
    all_chars = max(1.0, groups.sums.chars[0])
    for b in range(n):
        row = x[b, _O_PLACE:_O_SECTION]
        node = blocks[b, NODE]
        kind = tag[node]
        heading = heading_level(kind) > 0
        after = b > groups.last
        if kind == H1:
            h1_seen += 1
            h1_after += after
        headings_after += heading and after
        row[0] = b / n
        row[1] = n - b
        row[2] = b - groups.last if after else 0
        row[3] = groups.first - b if b < groups.first else 0
        row[4] = chars - best_end if after else 0.0
        row[5] = chars / all_chars
        row[6] = all_chars - chars
        row[7] = h1_seen
        row[8] = h1_after
        row[9] = headings_after
        if heading or b < groups.first:
            row[10] = _in_title(page, blocks[b, START], blocks[b, END], title[0], title[1])
        _write_neighbours(row[11:25], b, tag, blocks, groups)
        run_links = run_links * 0.7 + 0.3 * groups.sums.density[b]
        row[25] = run_links
        row[26] = twin_of_best[node] > 0
        row[27] = repeats[node]
        row[28] = h1_best > 0 and h1_seen > h1_best
        row[29] = late_sign[node]
        row[30] = twin_of_best[node] == 3
        row[31] = twin_of_best[node] >= 2
        if heading_at >= 0:
            row[32] = heading_level(tag[blocks[heading_at, NODE]])
            row[33] = b - heading_at
            row[34] = groups.sums.before[b] - groups.sums.before[heading_at]
            row[35] = groups.sums.group[b] == groups.sums.group[heading_at]
            bits = words[heading_at]
            if bits:
                for k in range(N_SECTION):
                    x[b, _O_SECTION + k] = bits >> _SECTION_BITS[k] & 1
        if heading:
            heading_at = b
        if b == groups.first:
            h1_best = max(1, h1_seen)
        chars += blocks[b, CHARS]
        if b == groups.last:
            best_end = chars


@njit(cache=True, nogil=True, counts=False)
def _write_blocks(
    x, keys, tag, parent, hints, first, last, blocks, evidence, groups, relation, on_path, under_best,
    signs, heaviest, nearest, own_slot, own_templates, group_slot, group_templates,
):  # fmt: skip
    """Fill keys, and in x the columns of the blocks themselves, their groups, repeated elements and hints, and what
    the page shows."""
    sums = groups.sums
    for b in range(len(blocks)):
        row = x[b]
        node = blocks[b, NODE]
        g = sums.group[b]
        c = parent[g]
        unit = heaviest[node]
        keys[b, 0], keys[b, 1], keys[b, 2] = g, c, parent[c]
        keys[b, 3] = groups.twins.slot[node]
        keys[b, 4], keys[b, 5] = unit, groups.twins.slot[unit]
        keys[b, 6], keys[b, 7] = own_slot[b], group_slot[b]
        _write_own(row[N_CONTEXT:_O_GROUP], blocks[b], tag[node], sums.density[b], sums.weight[b], relation.depth[node])
        _write_group(row[_O_GROUP:_O_UNIT], node, g, c, groups, on_path, under_best[node], relation.hops[node])
        _write_unit(
            row[_O_UNIT:_O_PLACE], b, unit, nearest[node], first, last, groups,
            own_templates[own_slot[b]], group_templates[group_slot[b]],
        )  # fmt: skip
        for k in range(N_SIGNS):
            row[_O_SIGNS + k] = signs[node, k]
        bits = hints[node] | hints[parent[node]]
        if bits:
            for k in range(N_HINTS):
                row[_O_NEAR + k] = bits >> k & 1
        for k in range(N_EVIDENCE):
            row[_O_PAGE + k] = evidence[k]


@njit(cache=True, nogil=True)
def measure_blocks(page, tag, parent, hints, first, last, template, blocks, title, evidence):
    """Return the arrays of Measured. Arguments: those of `measured_parts`."""
    n_blocks = len(blocks)
    x = np.zeros((n_blocks, N_FEATURES), np.float32)
    groups = find_groups(tag, parent, first, last, template, blocks)
    sums = groups.sums
    on_path = path_to(groups.best, parent)
    is_best = np.zeros(len(tag), np.bool_)
    is_best[groups.best] = True
    under_best = below(parent, is_best)
    signs, late_sign = weigh_signs(tag, parent, hints, first, groups)
    relation = compare_with_best(tag, parent, first, last, blocks, on_path, groups)
    heaviest, nearest = repeated_elements(parent, groups)
    own_slot, own_templates = measure_templates(template, blocks, sums.density, blocks[:, NODE])
    group_slot, group_templates = measure_templates(template, blocks, sums.density, sums.group)
    words = np.zeros(n_blocks, np.int32)
    heading_hints(page, tag, blocks, words)
    hashes = np.zeros(n_blocks, np.uint64)
    write_wording(page, blocks, x[:, _O_WORDING:_O_PAGE], hashes)
    write_copies(hashes, x[:, _O_WORDING:_O_PAGE])
    _write_places(x, page, tag, blocks, title, groups, relation, late_sign, words)
    write_page(tag, hints, blocks, groups, x[:, _O_WORDING:_O_PAGE], evidence)
    keys = np.zeros((n_blocks, N_KEYS), np.int32)
    _write_blocks(
        x, keys, tag, parent, hints, first, last, blocks, evidence, groups, relation, on_path, under_best,
        signs, heaviest, nearest, own_slot, own_templates, group_slot, group_templates,
    )  # fmt: skip
    return x, keys, hashes


def measured_parts(page: bytes, tree: Tree, url: str | None = None) -> tuple[Any, ...]:
    """Return the arguments of `measure_blocks` for a page; arguments are those of `measure`."""
    return (
        np.frombuffer(page, np.uint8),
        tree.tag,
        tree.parent,
        tree.hints,
        tree.first,
        tree.last,
        tree.template,
        tree.blocks,
        tree.title,
        page_evidence(page, url),
    )


def measure(page: bytes, tree: Tree, url: str | None = None) -> Measured:
    """Measure the blocks of a page.

    Args:
        page: the page's bytes, in an encoding that contains ASCII.
        tree: what `parse` gave for it.
        url: the page's address, for pages that do not name their own.
    """
    return Measured(*measure_blocks(*measured_parts(page, tree, url)))
