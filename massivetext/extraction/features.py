"""What is measured of each block: itself, the group of blocks that it stands in, and its place on the page.

Self-contained blocks of salient text stand in groups at one level of the tree. A block's weight is its text outside
links, less if it is short or ends no sentence; a group is the element that holds paragraphs, headings, list items as
siblings; its weight is theirs, passed up by DECAY a level, so that groups are compared with the page's heaviest.
"""

from __future__ import annotations

import numpy as np

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
    LINK_CHARS,
    LINKS,
    MAX_SEARCH,
    NODE,
    SENTENCES,
    START,
    UPPER,
    WORDS,
    Tree,
)
from massivetext.extraction.vocabulary import (
    BLOCKQUOTE,
    DD,
    DIR,
    DIV,
    DL,
    DT,
    H1,
    H6,
    HINT_NAMES,
    LI,
    MENU,
    OL,
    PRE,
    TD,
    TH,
    UL,
    A,
    P,
    tag_id,
)
from massivetext.kernels import njit

__all__ = ["FEATURES", "measure"]

DECAY = 0.6
LATE = 0.15
_ = A

_CONTEXTS = (
    "nav",
    "header",
    "footer",
    "aside",
    "form",
    "figure",
    "table",
    "article",
    "main",
    "noscript",
    "list",
    "section",
)
_CONTEXT_OF = np.full(256, -1, np.int64)
for _tag, _context in (
    *(("nav", "nav"), ("header", "header"), ("footer", "footer"), ("aside", "aside"), ("form", "form")),
    *(("figure", "figure"), ("figcaption", "figure"), ("table", "table"), ("article", "article"), ("main", "main")),
    *(("noscript", "noscript"), ("ul", "list"), ("ol", "list"), ("section", "section"), ("fieldset", "form")),
):
    _CONTEXT_OF[tag_id(_tag)] = _CONTEXTS.index(_context)
_LATE_HINTS = sum(1 << HINT_NAMES.index(name) for name in ("comment", "related", "footer", "side"))
N_CONTEXTS = len(_CONTEXTS)
N_HINTS = len(HINT_NAMES)
N_SIGNS = N_HINTS + N_CONTEXTS

_OWN = (
    *("log_chars", "under_20", "under_60", "under_120", "over_240", "link_density", "link_over_third", "link_over_0.9"),
    *("log_words", "word_length", "has_sentence", "log_sentences", "ends_sentence", "ends_colon", "comma_rate"),
    *("digit_rate", "upper_rate", "links", "breaks", "bold", "bars", "log_weight", "cjk"),
    *("is_p", "is_h1", "is_h2", "is_h3_6", "is_li", "is_cell", "is_pre", "is_quote", "is_definition", "is_div"),
)
_GROUP = (
    *("ratio", "log_ratio", "ratio_over_.02", "ratio_over_.1", "ratio_over_.3", "ratio_over_.6", "ratio_best"),
    *("log_group", "group_share", "group_mean", "group_link_density", "group_blocks", "own_ratio", "log_own_ratio"),
    *(
        "container_ratio",
        "container_link_density",
        "container_share",
        "under_best",
        "under_best_parent",
        "far_from_best",
    ),
    *(
        "twins_node",
        "twins_group",
        "twins_container",
        "ratio_x_short",
        "ratio_x_link",
        "best_x_heading",
        "ratio_x_weight",
    ),
)
_PLACE = (
    *("position", "before_best", "after_best", "log_after_best", "log_before_best", "chars_after_best"),
    *("h1_before", "h1_after_best", "headings_after_best", "title", "title_x_h1", "doubled"),
    *("next_weight", "previous_weight", "next2_weight", "previous2_weight", "next_link", "previous_link"),
    *("next_ratio", "previous_ratio", "next_same_group", "previous_same_group", "heading_x_next", "lead_in"),
    *("page_weight", "page_blocks", "page_link_density", "best_share", "run_links", "after_x_ratio", "after_x_far"),
    *(
        "twin_of_best",
        "repeats_after",
        "log_repeats_after",
        "same_start_h1",
        "late_sign",
        "twin_with_h1",
        "twin_with_heading",
    ),
)
FEATURES = (
    *_OWN,
    *_GROUP,
    *_PLACE,
    *(f"hint_{name}" for name in HINT_NAMES),
    *(f"in_{name}" for name in _CONTEXTS),
    *(f"near_{name}" for name in HINT_NAMES),
)
N_FEATURES = len(FEATURES)
_O_GROUP = len(_OWN)
_O_PLACE = _O_GROUP + len(_GROUP)
_O_SIGNS = _O_PLACE + len(_PLACE)
_O_NEAR = _O_SIGNS + N_SIGNS


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def group_of(node, tag, parent):
    kind = tag[node]
    holds = (
        kind == P or (kind >= H1 and kind <= H6) or kind == LI or kind == DD or kind == DT or kind == PRE
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


@njit(cache=True, nogil=True)
def _log(x):
    return np.log1p(max(0.0, x))


@njit(cache=True, nogil=True)
def _first_of_its_kind(best, tag, parent, first, last, total, score, own_blocks, twin_slot, slots):
    """The heaviest group of the first story, if `best` is a later one: if it stands in an element that has an earlier
    sibling of the same template with a good part of its text."""
    n = len(tag)
    first_twin = np.full(slots, -1, np.int32)
    for node in range(1, n):
        if last[node] - first[node] >= 3 and first_twin[twin_slot[node]] < 0 and total[node] >= 200:
            first_twin[twin_slot[node]] = node
    node = best
    story = -1
    while node:
        other = first_twin[twin_slot[node]]
        if other >= 0 and other < node and total[other] >= 0.2 * total[node] and last[node] - first[node] >= 3:
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
        if inside[node] and own_blocks[node] and (score[node] > score[best] or not own_blocks[best]):
            best = node
    return best


@njit(cache=True, nogil=True)
def _measure(page, tag, parent, hints, first, last, template, blocks, title, context_of):
    n_nodes, n_blocks = len(tag), len(blocks)
    x = np.zeros((n_blocks, N_FEATURES), np.float32)
    weight = np.zeros(n_blocks)
    group = np.zeros(n_blocks, np.int32)
    density = np.zeros(n_blocks)
    # Of nodes: text, links and weight of all that they hold; own: of the blocks whose group they are.
    chars = np.zeros(n_nodes)
    link_chars = np.zeros(n_nodes)
    total = np.zeros(n_nodes)
    own = np.zeros(n_nodes)
    own_chars = np.zeros(n_nodes)
    own_links = np.zeros(n_nodes)
    own_blocks = np.zeros(n_nodes)
    score = np.zeros(n_nodes)
    for b in range(n_blocks):
        node = blocks[b, NODE]
        w = block_weight(blocks[b])
        weight[b] = w
        g = group_of(node, tag, parent)
        group[b] = g
        density[b] = blocks[b, LINK_CHARS] / max(1, blocks[b, CHARS])
        chars[node] += blocks[b, CHARS]
        link_chars[node] += blocks[b, LINK_CHARS]
        total[node] += w
        own[g] += w
        own_chars[g] += blocks[b, CHARS]
        own_links[g] += blocks[b, LINK_CHARS]
        own_blocks[g] += 1
    for node in range(n_nodes - 1, 0, -1):
        above = parent[node]
        chars[above] += chars[node]
        link_chars[above] += link_chars[node]
        total[above] += total[node]
        score[node] += own[node]
        score[above] += DECAY * score[node]
    score[0] = 0.0
    best = 0
    for node in range(1, n_nodes):
        if own_blocks[node] and score[node] > score[best]:
            best = node
    # How often a template stands among its siblings: by a table of (parent, template).
    slots = 16
    while slots < 2 * n_nodes:
        slots *= 2
    twin_keys = np.zeros(slots, np.uint64)
    twin_counts = np.zeros(slots, np.int32)
    twin_slot = np.zeros(n_nodes, np.int64)
    for node in range(1, n_nodes):
        key = (template[node] ^ (np.uint64(parent[node]) * np.uint64(0x9E3779B97F4A7C15))) | np.uint64(1)
        slot = np.int64((key ^ (key >> np.uint64(29))) & np.uint64(slots - 1))
        while twin_keys[slot] != np.uint64(0) and twin_keys[slot] != key:
            slot = (slot + 1) & (slots - 1)
        twin_keys[slot] = key
        twin_counts[slot] += 1
        twin_slot[node] = slot
    best = _first_of_its_kind(best, tag, parent, first, last, total, score, own_blocks, twin_slot, slots)
    best_score = max(1.0, score[best])
    best_own = 1.0
    for node in range(1, n_nodes):
        best_own = max(best_own, own[node])
    best_container = 1.0
    for node in range(1, n_nodes):
        if own_blocks[node]:
            best_container = max(best_container, score[parent[node]])
    page_weight = max(1.0, total[0])
    best_first, best_last = n_blocks, -1
    for b in range(n_blocks):
        if group[b] == best and weight[b] > 0:
            best_first = min(best_first, b)
            if weight[b] >= 10:
                best_last = b
    best_last = max(best_last, best_first)
    before = np.zeros(n_blocks + 1)  # the weight of all blocks before
    for b in range(n_blocks):
        before[b + 1] = before[b] + weight[b]
    # Signs on an element or above it count by how little of the page's text they cover.
    signs = np.zeros((n_nodes, N_SIGNS), np.float32)
    near_best = np.zeros(n_nodes, np.int32)  # 1 under the best group, 2 under what holds it
    near_best[best] = 1
    hops = np.zeros(n_nodes, np.int32)
    node = best
    on_path = np.zeros(n_nodes, np.bool_)
    while node:
        on_path[node] = True
        node = parent[node]
    on_path[0] = True
    for node in range(1, n_nodes):
        above = parent[node]
        signs[node] = signs[above]
        cover = np.float32(1.0 - total[node] / page_weight)
        # What begins after a good part of the text is no wrapper of it, however much it holds.
        late = first[node] > best_first and before[first[node]] >= LATE * page_weight and before[first[node]] >= 200
        if late:
            cover = max(cover, np.float32(0.9))
        bits = hints[node]
        if bits:
            for k in range(N_HINTS):
                if bits >> k & 1 and cover > signs[node, k]:
                    signs[node, k] = cover
        context = context_of[tag[node]]
        if context >= 0 and cover > signs[node, N_HINTS + context]:
            signs[node, N_HINTS + context] = cover
        if near_best[above] == 1:
            near_best[node] = 1
        if not on_path[node]:
            hops[node] = hops[above] + 1
    late_sign = np.zeros(n_nodes, np.float32)
    for node in range(1, n_nodes):
        late_sign[node] = late_sign[parent[node]]
        if hints[node] & _LATE_HINTS and first[node] > best_first and before[first[node]] >= LATE * page_weight:
            late_sign[node] = 1.0
    # A later sibling of the same template as one that holds the best group: the next story. Siblings of one template
    # that begin after the best group: comments, teasers.
    twin_first = np.full(slots, -1, np.int32)
    twin_of_best = np.zeros(n_nodes, np.bool_)
    twin_h1 = np.zeros(n_nodes, np.bool_)
    twin_heading = np.zeros(n_nodes, np.bool_)
    repeats = np.zeros(n_nodes, np.float32)
    for node in range(1, n_nodes):
        above = parent[node]
        twin_of_best[node] = twin_of_best[above]
        twin_h1[node] = twin_h1[above]
        twin_heading[node] = twin_heading[above]
        repeats[node] = repeats[above]
        if on_path[node]:
            twin_first[twin_slot[node]] = node
        elif last[node] - first[node] >= 2 and total[node] > 0:
            other = twin_first[twin_slot[node]]
            if other >= 0 and on_path[other] and total[node] >= 100:
                twin_of_best[node] = True
                for b in range(first[node], min(last[node], first[node] + 8)):
                    kind = tag[blocks[b, NODE]]
                    if kind >= H1 and kind <= H1 + 1:
                        twin_heading[node] = True
                        twin_h1[node] = twin_h1[node] or kind == H1
            if other < 0 and first[node] > best_last:
                count = twin_counts[twin_slot[node]]
                if count >= 2:
                    repeats[node] = max(repeats[node], np.log(np.float32(count)))
    best_end_chars = 0.0
    h1_seen = h1_best = 0
    h1_after = 0
    headings_after = 0
    run_links = 0.0
    chars_so_far = 0.0
    for b in range(n_blocks):
        row = x[b]
        block = blocks[b]
        node = block[NODE]
        g = group[b]
        c = parent[g]
        kind = tag[node]
        n = max(1, block[CHARS])  # a block of stray bytes has none
        length = n + block[WORDS] - 1 + 1.5 * block[CJK]
        d = density[b]
        w = weight[b]
        heading = kind >= H1 and kind <= H6
        row[0] = np.log(length + 1.0)
        row[1] = length < 20
        row[2] = length < 60
        row[3] = length < 120
        row[4] = length > 240
        row[5] = d
        row[6] = d > 0.33
        row[7] = d > 0.9
        row[8] = _log(block[WORDS])
        row[9] = min(12.0, n / max(1, block[WORDS])) / 4.0
        row[10] = block[SENTENCES] > 0
        row[11] = _log(block[SENTENCES])
        row[12] = block[ENDS] == 1
        row[13] = block[ENDS] == 2
        row[14] = min(0.05, block[COMMAS] / length) * 20.0
        row[15] = block[DIGITS] / n
        row[16] = block[UPPER] / n
        row[17] = _log(block[LINKS])
        row[18] = _log(block[BREAKS])
        row[19] = block[BOLD] / n
        row[20] = block[BARS] > 0
        row[21] = _log(w)
        row[22] = block[CJK] / n
        row[23] = kind == P
        row[24] = kind == H1
        row[25] = kind == H1 + 1
        row[26] = heading and kind > H1 + 1
        row[27] = kind == LI
        row[28] = kind == TD or kind == TH
        row[29] = kind == PRE
        row[30] = kind == BLOCKQUOTE
        row[31] = kind == DT or kind == DD
        row[32] = kind == DIV
        o = _O_GROUP
        ratio = min(1.5, score[g] / best_score)
        own_ratio = own[g] / best_own
        container_ratio = score[c] / best_container
        row[o] = ratio
        row[o + 1] = np.log(ratio + 0.002)
        row[o + 2] = ratio > 0.02
        row[o + 3] = ratio > 0.1
        row[o + 4] = ratio > 0.3
        row[o + 5] = ratio > 0.6
        row[o + 6] = g == best
        row[o + 7] = _log(score[g])
        row[o + 8] = total[g] / page_weight
        row[o + 9] = _log(own_chars[g] / max(1.0, own_blocks[g]))
        row[o + 10] = own_links[g] / max(1.0, own_chars[g])
        row[o + 11] = _log(own_blocks[g])
        row[o + 12] = own_ratio
        row[o + 13] = np.log(own_ratio + 0.002)
        row[o + 14] = min(1.0, container_ratio)
        row[o + 15] = link_chars[c] / max(1.0, chars[c])
        row[o + 16] = total[c] / page_weight
        row[o + 17] = near_best[node] == 1
        row[o + 18] = on_path[c] and c != 0
        row[o + 19] = min(6, hops[node])
        row[o + 20] = _log(twin_counts[twin_slot[node]])
        row[o + 21] = _log(twin_counts[twin_slot[g]])
        row[o + 22] = _log(twin_counts[twin_slot[c]])
        row[o + 23] = ratio * (length < 60)
        row[o + 24] = ratio * d
        row[o + 25] = (g == best) * heading
        row[o + 26] = ratio * min(1.0, w / 200.0)
        o = _O_PLACE
        after = b > best_last
        row[o] = b / n_blocks
        row[o + 1] = b < best_first
        row[o + 2] = after
        row[o + 3] = _log(b - best_last) if after else 0.0
        row[o + 4] = _log(best_first - b) if b < best_first else 0.0
        row[o + 5] = _log((chars_so_far - best_end_chars) / 100.0) if after else 0.0
        if kind == H1:
            h1_seen += 1
            h1_after += after
        if heading and after:
            headings_after += 1
        row[o + 6] = min(3, h1_seen)
        row[o + 7] = h1_after > 0
        row[o + 8] = _log(headings_after)
        in_title = _in_title(page, block[START], block[END], title[0], title[1]) if heading or b < best_first else 0.0
        row[o + 9] = in_title
        row[o + 10] = in_title * (kind == H1)
        row[o + 11] = row[3] * (b > 0) * (d < 0.5) * (ratio > 0.02)
        nxt = b + 1 if b + 1 < n_blocks else b
        prv = b - 1 if b > 0 else b
        nxt2 = b + 2 if b + 2 < n_blocks else nxt
        prv2 = b - 2 if b > 1 else prv
        row[o + 12] = _log(weight[nxt])
        row[o + 13] = _log(weight[prv])
        row[o + 14] = _log(weight[nxt2])
        row[o + 15] = _log(weight[prv2])
        row[o + 16] = density[nxt]
        row[o + 17] = density[prv]
        row[o + 18] = score[group[nxt]] / best_score
        row[o + 19] = score[group[prv]] / best_score
        row[o + 20] = group[nxt] == g
        row[o + 21] = group[prv] == g
        row[o + 22] = heading * (score[group[nxt]] / best_score) * (weight[nxt] > 50)
        row[o + 23] = (b < best_first) * (b + 6 >= best_first)
        row[o + 24] = _log(page_weight)
        row[o + 25] = _log(n_blocks)
        row[o + 26] = link_chars[0] / max(1.0, chars[0])
        row[o + 27] = total[best] / page_weight
        run_links = run_links * 0.7 + 0.3 * d
        row[o + 28] = run_links
        row[o + 29] = after * ratio
        row[o + 30] = after * min(6, hops[node])
        row[o + 31] = twin_of_best[node]
        row[o + 32] = repeats[node] > 0
        row[o + 33] = repeats[node]
        row[o + 34] = h1_best > 0 and h1_seen > h1_best
        row[o + 35] = late_sign[node]
        row[o + 36] = twin_h1[node]
        row[o + 37] = twin_heading[node]
        if b == best_first:
            h1_best = max(1, h1_seen)
        for k in range(N_SIGNS):
            row[_O_SIGNS + k] = signs[node, k]
        bits = hints[node] | hints[parent[node]]
        for k in range(N_HINTS):
            row[_O_NEAR + k] = bits >> k & 1
        chars_so_far += n
        if b == best_last:
            best_end_chars = chars_so_far
    return x


def measure(page: bytes, tree: Tree) -> np.ndarray:
    """float32[blocks, FEATURES]."""
    return _measure(
        np.frombuffer(page, np.uint8),
        tree.tag,
        tree.parent,
        tree.hints,
        tree.first,
        tree.last,
        tree.template,
        tree.blocks,
        tree.title,
        _CONTEXT_OF,
    )
