"""A page's blocks and the elements that hold them, in one pass over its bytes.

A *block* is a run of inline content between two block-level tags, or two line breaks. A *node* is a block-level
element; nodes and blocks are numbered in the order of the page, so a node's blocks are a range. Inline elements make no
nodes. The tree is that of HTML5 where it matters to blocks: ends that are implied (p, li, dt, dd, tr, td), raw text
elements, scopes of tables; inline nesting is not repaired. Entities stay as they are until the text is rendered.

Text that a reader of the page does not see makes no blocks (hidden.py), unless it is most of the page's text.

Time is linear: every byte is looked at once, and searches of the stack end after MAX_SEARCH levels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.extraction.blocks import (
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
    N_COLUMNS,
    NODE,
    SENTENCES,
    START,
    UPPER,
    WORDS,
    end_block,
    read_text,
)
from massivetext.extraction.hidden import (
    GUTTER,
    HIDDEN,
    HREF,
    attribute_signs,
    hides,
    is_gutter,
    read_inline,
    word_signs,
)
from massivetext.extraction.markup import (
    find_attribute,
    find_end,
    is_letter,
    is_space,
    next_attribute,
    read_name,
    skip_container,
    skip_declaration,
    skip_tag,
    starts_markup,
)
from massivetext.extraction.state import (
    BOLD_DEPTH,
    BREAKS_SEEN,
    CUT,
    DEPTH,
    EMPTY_TAGS,
    FLAGS,
    HAS_MATH,
    HAS_PLAIN,
    HIDDEN_CHARS,
    HIDE,
    HIDING,
    HIDING_COUNT,
    HIDING_DEPTH,
    IN_WORD,
    IS_BOLD,
    IS_LINK,
    IS_XHTML,
    LINK_DEPTH,
    N_BLOCKS,
    N_NODES,
    N_STATE,
    NO_END,
    OPEN_PRE,
    OPEN_TAGS,
    READING,
    SHOWS_HIDDEN,
    TITLE_END,
    TITLE_START,
)
from massivetext.extraction.tags import (
    ADDRESS,
    BODY,
    BR,
    BUTTON,
    CAPTION,
    DD,
    DIV,
    DT,
    FIRST_INLINE,
    FIRST_RAW,
    FNV,
    FNV_PRIME,
    H1,
    H6,
    HR,
    HTML,
    IMG,
    LI,
    LISTING,
    MATH,
    OL,
    PLAINTEXT,
    PRE,
    RB,
    RP,
    RT,
    RTC,
    RUBY,
    SCRIPT,
    SELECT,
    STRONG,
    STYLE,
    SVG,
    TABLE,
    TD,
    TEMPLATE,
    TFOOT,
    TH,
    THEAD,
    TITLE,
    TR,
    VOID,
    XMP,
    A,
    B,
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
)
from massivetext.kernels import njit

__all__ = [
    "BARS",
    "BOLD",
    "BREAKS",
    "CHARS",
    "CJK",
    "COMMAS",
    "DIGITS",
    "END",
    "ENDS",
    "LINKS",
    "LINK_CHARS",
    "MAX_NODES",
    "MAX_SEARCH",
    "NODE",
    "SENTENCES",
    "START",
    "UPPER",
    "WORDS",
    "Tree",
    "parse",
]

MAX_NODES = 200_000
"""Of nodes, and of blocks. What a page has beyond that is cut off."""

MAX_SEARCH = 100

SHOWN_SHARE = 0.5
"""If more than this share of a page's text outside links is hidden, hidden elements that contain a good part of it are
kept: such pages are shown by a script."""

PART_SHARE = 0.1
"""What is a good part of the hidden text."""

MIN_HIDDEN = 200
"""Text in hidden inline elements is kept, where it is most of the page's, from this many characters."""

# Columns of a row of nodes while the page is read. STACK is the open element at the depth of the row's number.
TAG, PARENT, HINTS, ORDINAL, FIRST, LAST, BEGIN, FINISH, CHILDREN, EXTRA, IS_HIDDEN, STACK = range(12)
N_NODE_COLUMNS = 12

REVERSED, ROWSPAN = 1, 1
"""EXTRA of an ol: 1 if it counts down from its last item; of a cell: how many rows it takes."""

MAX_COLSPAN, MAX_ROWSPAN = 50, 1000


def _hash(name: str) -> np.uint64:
    return np.uint64(hash_word(name))


_START, _VALUE, _REVERSED, _COLSPAN, _ROWSPAN, _TYPE, _SHADOW, _OLD_SHADOW = map(
    _hash, ("start", "value", "reversed", "colspan", "rowspan", "type", "shadowrootmode", "shadowroot")
)


class Tree(NamedTuple):
    """What `parse` returns. Node 0 stands for the page.

    tag, parent, hints, ordinal, first, last: int32[nodes]; the tag's number, the node that holds it, bits of HINTS, its
        number from 0 (of an li: the number that is shown, less one; of a tr: its row; of a cell: its column), and the
        range of its blocks.
    template: uint64[nodes], hash of tag and class without digits.
    span: int32[nodes, 2], where each node's start tag begins and its content ends.
    blocks: int32[blocks, N_COLUMNS]: byte range, node, and counts of code points (CHARS without whitespace).
    title: the byte range of the title.
    over: always False; kept for its users. cut: whether the page has more nodes or blocks than MAX_NODES.
    flags: bits of state.py: HAS_MATH and HAS_PLAIN, which `prepare.read` rewrites, and how the page was read.
    rows: int32[nodes]: how many rows a table cell takes, else 0.
    """

    tag: np.ndarray
    parent: np.ndarray
    hints: np.ndarray
    ordinal: np.ndarray
    first: np.ndarray
    last: np.ndarray
    template: np.ndarray
    span: np.ndarray
    blocks: np.ndarray
    title: tuple[int, int]
    over: bool
    cut: bool
    flags: int
    rows: np.ndarray


@njit(cache=True, nogil=True)
def _value_hints(page, start, end):
    """The hints in an attribute's value."""
    hints = np.int64(0)
    h = FNV
    lower_before = False
    for i in range(start, end):
        c = page[i]
        upper = c >= 65 and c <= 90
        if not (upper or (c >= 97 and c <= 122) or c >= 128):
            h = FNV
            lower_before = False
            continue
        if upper:
            if lower_before:
                h = FNV
            c += np.uint8(32)
        lower_before = not upper
        h = (h ^ np.uint64(c)) * FNV_PRIME
        sign = look_up(HINT_KEYS, HINT_VALUES, h)
        if sign:
            if sign & WHOLE:
                following = page[i + 1] if i + 1 < end else np.uint8(32)
                if (following >= 97 and following <= 122) or (not lower_before and is_letter(following)):
                    continue
                sign ^= WHOLE
            hints |= sign
    return hints


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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
        if h == NAME_CLASS or h == NAME_ID or h == NAME_ROLE or h == NAME_ITEMPROP:
            hints |= _value_hints(page, start, end)
            signs |= attribute_signs(page, h, start, end)
            if h == NAME_ID:
                id_start, id_end = start, end
            elif h == NAME_CLASS:
                class_start, class_end = start, end
                for j in range(start, end):
                    if page[j] < 48 or page[j] > 57:
                        template = (template ^ np.uint64(page[j])) * FNV_PRIME
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _close(nodes, state, keep, at):
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _open_block(page, at, i, tag, name, nodes, template, state):
    """Open the block-level element whose tag starts at `at` and whose attributes start at i; returns the position
    after the tag."""
    i, bits, signs, kind, number, more, empty = _read_block_tag(page, i, tag)
    if tag == HTML or (tag == BODY and state[OPEN_TAGS + tag]):
        return i
    _close(nodes, state, _implied_end(nodes, state[DEPTH], tag), at)
    if tag == HR:
        return i
    node = state[N_NODES]
    if node >= len(nodes):
        state[CUT] = 1
        return i
    state[N_NODES] += 1
    above = nodes[state[DEPTH], STACK]
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


@njit(cache=True, nogil=True)
def _block_tag(page, at, i, tag, name, closing, nodes, template, state):
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
            _close(nodes, state, position - 1, at)
    return i


@njit(cache=True, nogil=True)
def _hide(state, name):
    """Leave out the text from here to the end of the inline element with this name."""
    state[HIDING] = np.int64(name)
    state[HIDING_COUNT] = 1
    state[HIDING_DEPTH] = state[DEPTH]


@njit(cache=True, nogil=True)
def _inline_in_hidden(i, tag, name, closing, empty, state):
    """An inline tag within a hidden inline element."""
    if np.int64(name) == state[HIDING]:
        if closing:
            state[HIDING_COUNT] -= 1
        elif not empty and tag != RT and tag != RP:
            state[HIDING_COUNT] += 1
        if state[HIDING_COUNT] == 0:
            state[HIDING] = 0
    elif (tag == RUBY and closing) or (tag == RB and not closing):
        state[HIDING] = 0
    elif (tag == RT or tag == RP) and not closing:
        state[HIDING] = np.int64(name)
        state[HIDING_COUNT] = 1
    return i


@njit(cache=True, nogil=True)
def _inline_tag(page, i, tag, name, closing, blocks, state):
    """A tag within a block; returns the position after it."""
    if state[HIDING] and tag != BR:
        i, empty = skip_tag(page, i)
        return _inline_in_hidden(i, tag, name, closing, empty or tag == IMG or tag == VOID, state)
    if closing or tag == BR or tag == VOID:
        i, _ = skip_tag(page, i)
    if tag == BR:
        state[BREAKS_SEEN] += 1
        state[IN_WORD] = 0
        if state[BREAKS_SEEN] >= 2 and state[READING] and not state[OPEN_PRE]:
            end_block(state)
        return i
    if closing:
        if tag == A or tag == BUTTON:
            state[IS_LINK] = 0
        elif tag == B or tag == STRONG:
            state[IS_BOLD] = 0
        return i
    if tag == VOID:
        return i
    if tag == IMG:
        if is_math_image(page, i):
            state[FLAGS] |= HAS_MATH
        i, _ = skip_tag(page, i)
        return i
    after, hidden, signs = read_inline(page, i, tag)
    if tag == A or tag == BUTTON:
        state[IS_LINK] = tag == BUTTON or signs & HREF != 0
        state[LINK_DEPTH] = state[DEPTH]
        if state[READING] and state[IS_LINK]:
            blocks[state[N_BLOCKS], LINKS] += 1
    elif tag == B or tag == STRONG:
        state[IS_BOLD] = 1
        state[BOLD_DEPTH] = state[DEPTH]
    if tag == RT or tag == RP or tag == RTC:
        _hide(state, name)
    elif state[EMPTY_TAGS] and page[after - 2] == 47:  # <a/>
        state[IS_LINK] = 0
    elif state[HIDE] and (hidden or (signs & GUTTER and is_gutter(page, after, name))):
        _hide(state, name)
    return after


@njit(cache=True, nogil=True)
def is_math_image(page, i):
    """Whether the img whose attributes start at i shows a formula, by its class."""
    start, end = find_attribute(page, i, NAME_CLASS)
    for j in range(start, end - 2):
        a, b, c = page[j] | 32, page[j + 1] | 32, page[j + 2] | 32
        if (a == 109 and b == 97 and c == 116) or (a == 116 and b == 101 and c == 120):  # mat(h), tex
            return True
    return False


@njit(cache=True, nogil=True)
def _is_math_script(page, i):
    """Whether the script's type is math/tex."""
    start, end = find_attribute(page, i, _TYPE)
    return end - start >= 8 and page[start] | 32 == 109 and page[start + 1] | 32 == 97 and page[start + 5] | 32 == 116


@njit(cache=True, nogil=True)
def _raw_tag(page, i, tag, closing, state):
    """A tag whose content is no markup, or holds no text; returns the position of its end tag, or after the tag."""
    begin = i
    i, empty = skip_tag(page, i)
    if closing:
        return i
    if tag == TEMPLATE and (
        find_attribute(page, begin, _SHADOW)[0] >= 0 or find_attribute(page, begin, _OLD_SHADOW)[0] >= 0
    ):
        return i
    if tag == MATH or (tag == SCRIPT and _is_math_script(page, begin)):
        state[FLAGS] |= HAS_MATH
    if tag == PLAINTEXT or tag == XMP:
        state[FLAGS] |= HAS_PLAIN
    if tag == PLAINTEXT:
        return len(page)
    if state[NO_END + tag] or (empty and (state[EMPTY_TAGS] or tag == SVG or tag == MATH)):
        return i
    if tag == SVG or tag == MATH or tag == TEMPLATE or tag >= SELECT:
        end = skip_container(page, i, tag)
    else:
        end = find_end(page, i, tag)
    if end < 0:
        if tag == SCRIPT or tag == STYLE:
            return len(page)
        state[NO_END + tag] = True
        return i
    if tag == TITLE and state[TITLE_END] == 0:
        state[TITLE_START], state[TITLE_END] = i, end
    return end


@njit(cache=True, nogil=True)
def _read_tag(page, at, nodes, template, blocks, state):
    """The tag, comment or declaration that starts with the `<` at `at`; returns the position after it."""
    following = page[at + 1]
    if following == 33 or following == 63:
        return skip_declaration(page, at)
    closing = following == 47
    if closing and not is_letter(page[at + 2]):
        return skip_declaration(page, at)
    tag, name, i = read_name(page, at + 1 + closing)
    if tag == 0 or tag >= FIRST_INLINE:
        return _inline_tag(page, i, tag, name, closing, blocks, state)
    if tag >= FIRST_RAW:
        return _raw_tag(page, i, tag, closing, state)
    return _block_tag(page, at, i, tag, name, closing, nodes, template, state)


@njit(cache=True, nogil=True)
def _skip_hidden_text(page, i, state):
    """Count the text from i to the next tag as hidden; returns the position of the tag."""
    n = len(page)
    state[HIDDEN_CHARS] += not is_space(page[i])
    i += 1
    while i < n and page[i] != 60:
        state[HIDDEN_CHARS] += not is_space(page[i])
        i += 1
    return i


@njit(cache=True, nogil=True)
def _parse(page, capacity, empty_tags, hide):
    n = len(page)
    nodes = np.zeros((capacity, N_NODE_COLUMNS), np.int32)
    template = np.zeros(capacity, np.uint64)
    blocks = np.zeros((capacity, N_COLUMNS), np.int32)
    state = np.zeros(N_STATE, np.int64)
    state[N_NODES] = 1
    state[EMPTY_TAGS] = empty_tags
    state[HIDE] = hide
    i = 0
    if n >= 3 and page[0] == 0xEF and page[1] == 0xBB and page[2] == 0xBF:
        i = 3
    while i < n and not state[CUT]:
        if page[i] == 60 and starts_markup(page, i):
            i = _read_tag(page, i, nodes, template, blocks, state)
        elif state[HIDING] and state[DEPTH] == state[HIDING_DEPTH]:
            i = _skip_hidden_text(page, i, state)
        else:
            i = read_text(page, i, blocks, state, nodes[state[DEPTH], STACK])
    end_block(state)
    _close(nodes, state, -1, n)
    return nodes[: state[N_NODES]], template[: state[N_NODES]], blocks[: state[N_BLOCKS]], state


@njit(cache=True, nogil=True)
def _count_down(nodes):
    """Number the items of `<ol reversed>` from the last."""
    for node in range(1, len(nodes)):
        above = nodes[node, PARENT]
        if nodes[node, TAG] == LI and nodes[above, TAG] == OL and nodes[above, EXTRA] == 1:
            nodes[node, ORDINAL] = nodes[above, CHILDREN] - 1 - nodes[node, ORDINAL]


@njit(cache=True, nogil=True)
def _visible(nodes, blocks, shown_share, part_share):
    """bool[blocks]: which blocks are not hidden, or are kept because hidden text is most of the page's."""
    n = len(nodes)
    # The outermost hidden element around each node, 0 if there is none.
    outer = np.zeros(n, np.int32)
    for node in range(1, n):
        outer[node] = outer[nodes[node, PARENT]]
        if outer[node] == 0 and nodes[node, IS_HIDDEN]:
            outer[node] = node
    chars = np.zeros(n, np.int64)
    total = hidden = 0
    for b in range(len(blocks)):
        prose = blocks[b, CHARS] - blocks[b, LINK_CHARS]
        node = outer[blocks[b, NODE]]
        total += prose
        if node:
            hidden += prose
            chars[node] += prose
    restores = hidden > shown_share * total
    visible = np.ones(len(blocks), np.bool_)
    for b in range(len(blocks)):
        node = outer[blocks[b, NODE]]
        visible[b] = node == 0 or (restores and chars[node] >= part_share * hidden)
    return visible


@njit(cache=True, nogil=True)
def _drop(nodes, blocks, visible):
    """The blocks that are visible; the nodes' ranges are changed to match."""
    rank = np.zeros(len(blocks) + 1, np.int32)
    for b in range(len(blocks)):
        rank[b + 1] = rank[b] + visible[b]
    for node in range(len(nodes)):
        nodes[node, FIRST] = rank[nodes[node, FIRST]]
        nodes[node, LAST] = rank[nodes[node, LAST]]
    return blocks[visible]


@njit(cache=True, nogil=True)
def _finish(nodes, template, blocks):
    """The arrays of a Tree, without the hidden blocks."""
    _count_down(nodes)
    any_hidden = False
    rows = np.zeros(len(nodes), np.int32)
    for node in range(len(nodes)):
        any_hidden = any_hidden or nodes[node, IS_HIDDEN] != 0
        if nodes[node, TAG] == TD or nodes[node, TAG] == TH:
            rows[node] = nodes[node, EXTRA]
    if any_hidden:
        visible_blocks = _drop(nodes, blocks, _visible(nodes, blocks, SHOWN_SHARE, PART_SHARE))
    else:
        visible_blocks = blocks.copy()
    return (
        nodes[:, TAG].copy(),
        nodes[:, PARENT].copy(),
        nodes[:, HINTS].copy(),
        nodes[:, ORDINAL].copy(),
        nodes[:, FIRST].copy(),
        nodes[:, LAST].copy(),
        template.copy(),
        nodes[:, BEGIN : FINISH + 1].copy(),
        visible_blocks,
        rows,
    )


def parse(page: bytes, *, xhtml: bool = False) -> Tree:
    """Return the blocks of a page in an encoding that contains ASCII.

    Args:
        page: the page's bytes.
        xhtml: whether `<script/>` is an empty element, as in a page served as application/xhtml+xml or in an EPUB.
    """
    data = np.frombuffer(page, np.uint8)
    capacity = min(int(np.count_nonzero(data == 60)) + 2, MAX_NODES)
    nodes, template, blocks, state = _parse(data, capacity, xhtml, True)
    flags = IS_XHTML if xhtml else 0
    if state[HIDDEN_CHARS] > MIN_HIDDEN and state[HIDDEN_CHARS] > blocks[:, CHARS].sum():
        nodes, template, blocks, state = _parse(data, capacity, xhtml, False)
        flags |= SHOWS_HIDDEN
    arrays = _finish(nodes, template, blocks)
    title = int(state[TITLE_START]), int(state[TITLE_END])
    return Tree._make((*arrays[:-1], title, False, bool(state[CUT]), flags | int(state[FLAGS]), arrays[-1]))
