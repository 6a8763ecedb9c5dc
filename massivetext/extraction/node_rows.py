"""Block elements of a page as rows of nodes: which are open, what ends them, and what their attributes say."""

from __future__ import annotations

import numpy as np

from massivetext.extraction.blocks import (
    end_block,
)
from massivetext.extraction.hidden import (
    GUTTER,
    HIDDEN,
    add_to_name,
    attribute_signs,
    hides,
    is_gutter,
    name_signs,
    whole_signs,
    word_signs,
)
from massivetext.extraction.markup import (
    BLANK,
    CAPITAL,
    DIGIT,
    LETTER,
    NAME_BYTES,
    is_letter,
    is_space,
    next_attribute,
    skip_tag,
)
from massivetext.extraction.state import (
    BOLD_DEPTH,
    BREAKS_SEEN,
    CUT,
    DEPTH,
    EMPTY_TAGS,
    HIDE,
    HIDING,
    HIDING_DEPTH,
    IN_WORD,
    IS_BOLD,
    IS_LINK,
    LINK_DEPTH,
    N_BLOCKS,
    N_NODES,
    OPEN_PRE,
    OPEN_TAGS,
)
from massivetext.extraction.tags import (
    ADDRESS,
    BODY,
    CAPTION,
    DD,
    DIV,
    DT,
    FNV,
    FNV_PRIME,
    H1,
    H6,
    HR,
    HTML,
    LI,
    LISTING,
    OL,
    PRE,
    TABLE,
    TD,
    TFOOT,
    TH,
    THEAD,
    TR,
    P,
    hash_word,
    look_up,
)
from massivetext.extraction.vocabulary import (
    HINT_HIDDEN,
    HINT_KEYS,
    HINT_VALUES,
    NAME_ARIA_HIDDEN,
    NAME_CLASS,
    NAME_HIDDEN,
    NAME_ID,
    NAME_ITEMPROP,
    NAME_ROLE,
    NAME_STYLE,
    WHOLE,
    may_be_hint,
)
from massivetext.kernels import njit

__all__ = [
    "BEGIN",
    "CHILDREN",
    "EXTRA",
    "FINISH",
    "FIRST",
    "HINTS",
    "IS_HIDDEN",
    "LAST",
    "MAX_NODES",
    "N_NODE_COLUMNS",
    "OLD_SHADOW",
    "ORDINAL",
    "PARENT",
    "SHADOW",
    "STACK",
    "TAG",
    "TYPE",
    "block_tag",
    "close",
]

MAX_NODES = 200_000
"""Of nodes, and of blocks. What a page has beyond that is cut off."""


MAX_SEARCH = 100


# Columns of a row of nodes while the page is read. STACK is the open element at the depth of the row's number.
TAG, PARENT, HINTS, ORDINAL, FIRST, LAST, BEGIN, FINISH, CHILDREN, EXTRA, IS_HIDDEN, STACK = range(12)


N_NODE_COLUMNS = 12


REVERSED, ROWSPAN = 1, 1
"""EXTRA of an ol: 1 if it counts down from its last item; of a cell: how many rows it takes."""


MAX_COLSPAN, MAX_ROWSPAN = 50, 1000


def _hash(name: str) -> np.uint64:
    return np.uint64(hash_word(name))


_START, _VALUE, _REVERSED, _COLSPAN, _ROWSPAN, TYPE, SHADOW, OLD_SHADOW = map(
    _hash, ("start", "value", "reversed", "colspan", "rowspan", "type", "shadowrootmode", "shadowroot")
)


@njit(cache=True, nogil=True, counts=False)
def _fitting_hint(page, i, end, sign, lower_before):
    """What a word that ends with the byte i hints at: nothing if it hints only as a whole, and goes on."""
    if sign & WHOLE:
        following = page[i + 1] if i + 1 < end else np.uint8(32)
        if (following >= 97 and following <= 122) or (not lower_before and is_letter(following)):
            return np.int64(0)
        sign ^= WHOLE
    return sign


@njit(cache=True, nogil=True, counts=False)
def _read_names(page, start, end, template):
    """Read a class or id once for its hints, the signs of its whole names, and the template.

    The three hashes do not wait for each other, so that all take about the time of one. Returns (hints, signs of whole
    names, whether words may be those of a cookie banner, the template's hash with every byte but digits).
    """
    hints, signs = np.int64(0), np.int64(0)
    cookie = lower_before = False
    word = whole = FNV
    begin, mark = start, 0
    for i in range(start, end):
        c = page[np.uint64(i)]  # signed positions are checked
        kind = NAME_BYTES[c]
        if not kind & DIGIT:
            template = (template ^ np.uint64(c)) * FNV_PRIME
        if kind & BLANK:
            signs |= whole_signs(page, begin, i, whole, mark)
            word = whole = FNV
            begin, mark = i + 1, 0
            lower_before = False
            continue
        whole, mark, cookie = add_to_name(page, i, kind, whole, mark, cookie)
        if not kind & LETTER:
            word = FNV
            lower_before = False
            continue
        if kind & CAPITAL and lower_before:
            word = FNV
        lower_before = not kind & CAPITAL
        word = (word ^ np.uint64(kind & 255)) * FNV_PRIME
        if may_be_hint(word):
            sign = look_up(HINT_KEYS, HINT_VALUES, word)
            if sign:
                hints |= _fitting_hint(page, i, end, sign, lower_before)
    return hints, signs | whole_signs(page, begin, end, whole, mark), cookie, template


@njit(cache=True, nogil=True, counts=False)
def _integer(page, start, end, smallest, largest):
    """The whole number in an attribute's value, kept within limits; the smallest if it has none."""
    while start < end and is_space(page[start]):
        start += 1
    negative = start < end and page[start] == 45
    if negative:
        start += 1
    value = 0
    while start < end and page[start] >= 48 and page[start] <= 57:
        value = min(1 << 30, value * 10 + np.int64(page[start]) - 48)
        start += 1
    return min(largest, max(smallest, -value if negative else value))


@njit(cache=True, nogil=True, counts=False)
def _read_block_tag(page, i, tag):
    """Read the attributes of a block-level element.

    Returns (position after the tag, its hints, its signs of being hidden, hash of its template, its numbers: an ol's
    first number or an li's value, and whether it is given or, for an ol, counts down; a cell's columns and rows,
    whether the tag ends in `/>`).
    """
    hints = np.int64(0)
    signs = 0
    template = (FNV ^ np.uint64(tag)) * FNV_PRIME
    number, more = 1, 1 if tag == TD or tag == TH else 0
    class_start = class_end = id_start = id_end = 0
    while True:
        h, start, end, i = next_attribute(page, i)
        if h == 0:
            if signs & HIDDEN:
                signs |= word_signs(page, class_start, class_end) | word_signs(page, id_start, id_end)
            return i, hints, signs, template, number, more, start == 1
        if h == NAME_CLASS or h == NAME_ID:
            bits, whole, cookie, with_names = _read_names(page, start, end, template)
            hints |= bits
            signs |= name_signs(page, h, start, end, whole, cookie)
            if h == NAME_ID:
                id_start, id_end = start, end
            else:
                class_start, class_end = start, end
                template = with_names
        elif h == NAME_ROLE or h == NAME_ITEMPROP:
            hints |= _read_names(page, start, end, template)[0]
            signs |= attribute_signs(page, h, start, end)
        elif h == NAME_STYLE or h == NAME_HIDDEN or h == NAME_ARIA_HIDDEN:
            sign = attribute_signs(page, h, start, end)
            signs |= sign
            if sign:
                hints |= HINT_HIDDEN
        elif h == _COLSPAN:
            number = _integer(page, start, end, 1, MAX_COLSPAN)
        elif h == _ROWSPAN:
            more = _integer(page, start, end, 1, MAX_ROWSPAN)
        elif h == _START or h == _VALUE:
            number = _integer(page, start, end, -(1 << 30), 1 << 30)
            more |= 2
        elif h == _REVERSED:
            more |= 1
        else:
            signs |= attribute_signs(page, h, start, end)


@njit(cache=True, nogil=True, counts=False)
def _in_reach(nodes, depth, tag):
    """The stack position of the element that an end tag closes, or -1: not beyond a table's cell or the table itself,
    unless the tag is a table's own."""
    of_table = (tag >= TD and tag <= CAPTION) or tag == TABLE
    stop = max(0, depth - MAX_SEARCH)
    while depth > stop:
        other = nodes[nodes[depth, STACK], TAG]
        if other == tag:
            return depth
        if other == TABLE or (not of_table and (other == TD or other == TH or other == CAPTION)):
            return -1
        depth -= 1
    return -1


@njit(cache=True, nogil=True, counts=False)
def _implied_end(nodes, depth, tag):
    """How deep the stack stays open when `tag` opens."""
    stop = max(0, depth - MAX_SEARCH)
    d = depth
    if tag == LI or tag == DT or tag == DD:
        while d > stop:
            other = nodes[nodes[d, STACK], TAG]
            if (other == LI and tag == LI) or ((other == DT or other == DD) and tag != LI):
                return d - 1
            if other != DIV and other != P and other != ADDRESS:
                break
            d -= 1
    elif tag == TD or tag == TH or tag == TR or (tag >= THEAD and tag <= CAPTION):
        best = depth
        while d > stop:
            other = nodes[nodes[d, STACK], TAG]
            if other == TABLE:
                return best
            ends_row = other == TR and tag != TD and tag != TH
            ends_rows = other >= THEAD and other <= TFOOT and tag >= THEAD
            if other == TD or other == TH or other == CAPTION or ends_row or ends_rows:
                best = d - 1
            d -= 1
        return depth
    here = nodes[nodes[depth, STACK], TAG]
    if here == P or (here >= H1 and here <= H6 and tag >= H1 and tag <= H6):
        return depth - 1
    return depth


@njit(cache=True, nogil=True, counts=False)
def close(nodes, state, keep, at):
    """Close the open elements above the stack position `keep`; the page is at `at`."""
    depth = state[DEPTH]
    while depth > keep:
        node = nodes[depth, STACK]
        nodes[node, LAST] = state[N_BLOCKS]
        nodes[node, FINISH] = at
        tag = nodes[node, TAG]
        state[OPEN_TAGS + tag] -= 1
        if tag == PRE or tag == LISTING:
            state[OPEN_PRE] -= 1
        depth -= 1
    state[DEPTH] = depth
    if state[IS_LINK] and depth < state[LINK_DEPTH]:
        state[IS_LINK] = 0
    if state[IS_BOLD] and depth < state[BOLD_DEPTH]:
        state[IS_BOLD] = 0
    if state[HIDING] and depth < state[HIDING_DEPTH]:
        state[HIDING] = 0


@njit(cache=True, nogil=True, counts=False)
def _number_node(nodes, node, above, tag, number, more):
    """Set a node's ordinal and what its children count from."""
    if tag == LI:
        if more & 2:
            nodes[above, CHILDREN] = number - 1
        nodes[node, ORDINAL] = nodes[above, CHILDREN]
        nodes[above, CHILDREN] += -1 if nodes[above, TAG] == OL and nodes[above, EXTRA] == 3 else 1
    elif tag == TR:
        nodes[node, ORDINAL] = nodes[above, CHILDREN]
        nodes[above, CHILDREN] += 1
    elif tag == TD or tag == TH:
        nodes[node, ORDINAL] = nodes[above, CHILDREN]
        nodes[above, CHILDREN] += number
        nodes[node, EXTRA] = more
    elif tag == OL:
        nodes[node, EXTRA] = more
        if more & 2:
            nodes[node, CHILDREN] = number - 1


@njit(cache=True, nogil=True, counts=False)
def _open_block(page, at, i, tag, name, nodes, template, state):
    """Open the block-level element whose tag starts at `at` and whose attributes start at i; returns the position
    after the tag."""
    i, bits, signs, kind, number, more, empty = _read_block_tag(page, i, tag)
    if tag == HTML or (tag == BODY and state[OPEN_TAGS + tag]):
        return i
    close(nodes, state, _implied_end(nodes, state[DEPTH], tag), at)
    if tag == HR:
        return i
    node = state[N_NODES]
    if node >= len(nodes):
        state[CUT] = 1
        return i
    state[N_NODES] += 1
    above = nodes[state[DEPTH], STACK]
    for column in range(N_NODE_COLUMNS):  # its place of the stack is not in use: fewer elements are open
        nodes[node, column] = 0
    nodes[node, TAG] = tag
    nodes[node, PARENT] = above
    nodes[node, FIRST] = state[N_BLOCKS]
    nodes[node, BEGIN] = at
    template[node] = kind
    if tag != BODY:
        nodes[node, HINTS] = bits
        if state[HIDE]:
            hidden = state[HIDING] != 0 or hides(signs, tag)
            nodes[node, IS_HIDDEN] = hidden or (signs & GUTTER and is_gutter(page, i, name))
    _number_node(nodes, node, above, tag, number, more)
    if empty and state[EMPTY_TAGS]:
        nodes[node, LAST] = state[N_BLOCKS]
        nodes[node, FINISH] = i
        return i
    state[DEPTH] += 1
    nodes[state[DEPTH], STACK] = node
    state[OPEN_TAGS + tag] += 1
    if tag == PRE or tag == LISTING:
        state[OPEN_PRE] += 1
    return i


@njit(cache=True, nogil=True, counts=False)
def block_tag(page, at, i, tag, name, closing, nodes, template, state):
    """A block-level tag, which ends the block that is being read; returns the position after it."""
    end_block(state)
    state[BREAKS_SEEN] = 0
    state[IN_WORD] = 0
    if not closing:
        return _open_block(page, at, i, tag, name, nodes, template, state)
    i, _ = skip_tag(page, i)
    if tag != BODY and tag != HTML and state[OPEN_TAGS + tag]:
        position = _in_reach(nodes, state[DEPTH], tag)
        if position >= 0:
            close(nodes, state, position - 1, at)
    return i
