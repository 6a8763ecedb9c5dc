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
from massivetext.extraction.copies import column_of, columns_of, copy_of, rows_of
from massivetext.extraction.hidden import (
    GUTTER,
    HREF,
    is_gutter,
    read_inline,
)
from massivetext.extraction.markup import (
    count_byte,
    find_attribute,
    find_end,
    is_letter,
    is_space,
    read_name,
    skip_container,
    skip_declaration,
    skip_tag,
    starts_markup,
)
from massivetext.extraction.node_rows import (
    BEGIN,
    CHILDREN,
    EXTRA,
    FINISH,
    FIRST,
    HINTS,
    IS_HIDDEN,
    LAST,
    MAX_NODES,
    MAX_SEARCH,
    N_NODE_COLUMNS,
    OLD_SHADOW,
    ORDINAL,
    PARENT,
    SHADOW,
    STACK,
    TAG,
    TYPE,
    block_tag,
    close,
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
    READING,
    SHOWS_HIDDEN,
    TITLE_END,
    TITLE_START,
)
from massivetext.extraction.tags import (
    BR,
    BUTTON,
    FIRST_INLINE,
    FIRST_RAW,
    IMG,
    LI,
    MATH,
    OL,
    PLAINTEXT,
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
    TD,
    TEMPLATE,
    TH,
    TITLE,
    VOID,
    XMP,
    A,
    B,
)
from massivetext.extraction.vocabulary import (
    NAME_CLASS,
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


SHOWN_SHARE = 0.5
"""If more than this share of a page's text outside links is hidden, hidden elements that contain a good part of it are
kept: such pages are shown by a script."""

PART_SHARE = 0.1
"""What is a good part of the hidden text."""

MIN_HIDDEN = 200
"""Text in hidden inline elements is kept, where it is most of the page's, from this many characters."""


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


@njit(cache=True, nogil=True, counts=False)
def _hide(state, name):
    """Leave out the text from here to the end of the inline element with this name."""
    state[HIDING] = np.int64(name)
    state[HIDING_COUNT] = 1
    state[HIDING_DEPTH] = state[DEPTH]


@njit(cache=True, nogil=True, counts=False)
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


@njit(cache=True, nogil=True, counts=False)
def is_math_image(page, i):
    """Whether the img whose attributes start at i shows a formula, by its class."""
    start, end = find_attribute(page, i, NAME_CLASS)
    for j in range(start, end - 2):
        a, b, c = page[j] | 32, page[j + 1] | 32, page[j + 2] | 32
        if (a == 109 and b == 97 and c == 116) or (a == 116 and b == 101 and c == 120):  # mat(h), tex
            return True
    return False


@njit(cache=True, nogil=True, counts=False)
def _is_math_script(page, i):
    """Whether the script's type is math/tex."""
    start, end = find_attribute(page, i, TYPE)
    return end - start >= 8 and page[start] | 32 == 109 and page[start + 1] | 32 == 97 and page[start + 5] | 32 == 116


@njit(cache=True, nogil=True, counts=False)
def _raw_tag(page, i, tag, closing, state):
    """A tag whose content is no markup, or holds no text; returns the position of its end tag, or after the tag."""
    begin = i
    i, empty = skip_tag(page, i)
    if closing:
        return i
    if tag == TEMPLATE and (
        find_attribute(page, begin, SHADOW)[0] >= 0 or find_attribute(page, begin, OLD_SHADOW)[0] >= 0
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


@njit(cache=True, nogil=True, counts=False)
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
    return block_tag(page, at, i, tag, name, closing, nodes, template, state)


@njit(cache=True, nogil=True, counts=False)
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
    # Rows are cleared as they are begun: few of them are.
    nodes = np.empty((capacity, N_NODE_COLUMNS), np.int32)
    template = np.empty(capacity, np.uint64)
    blocks = np.empty((capacity, N_COLUMNS), np.int32)
    nodes[0] = template[0] = 0
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
    close(nodes, state, -1, n)
    return nodes[: state[N_NODES]], template[: state[N_NODES]], blocks[: state[N_BLOCKS]], state


@njit(cache=True, nogil=True, counts=False)
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
    visible = np.full(len(blocks), True, np.bool_)
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
    return rows_of(blocks, visible, rank[len(blocks)])


@njit(cache=True, nogil=True, counts=False)
def _is_mostly_hidden(blocks, state):
    """Whether hidden inline elements have most of the page's text."""
    if state[HIDDEN_CHARS] <= MIN_HIDDEN:
        return False
    chars = 0
    for b in range(len(blocks)):
        chars += blocks[b, CHARS]
    return state[HIDDEN_CHARS] > chars


@njit(cache=True, nogil=True)
def _finish(nodes, template, blocks):
    """The arrays of a Tree from `tag` to `blocks`, without the hidden blocks, and `rows`."""
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
        visible_blocks = columns_of(blocks, 0, N_COLUMNS)
    return (
        column_of(nodes, TAG),
        column_of(nodes, PARENT),
        column_of(nodes, HINTS),
        column_of(nodes, ORDINAL),
        column_of(nodes, FIRST),
        column_of(nodes, LAST),
        copy_of(template),
        columns_of(nodes, BEGIN, FINISH + 1),
        visible_blocks,
        rows,
    )


@njit(cache=True, nogil=True)
def _read(page, empty_tags):
    """(What `_finish` gives, the state, whether hidden text is shown) of a page."""
    capacity = min(count_byte(page, 60) + 2, MAX_NODES)
    hide = True
    while True:
        nodes, template, blocks, state = _parse(page, capacity, empty_tags, hide)
        if not hide or not _is_mostly_hidden(blocks, state):
            break
        hide = False
    return _finish(nodes, template, blocks), state, not hide


def parse(page: bytes, *, xhtml: bool = False) -> Tree:
    """Return the blocks of a page in an encoding that contains ASCII.

    Args:
        page: the page's bytes.
        xhtml: whether `<script/>` is an empty element, as in a page served as application/xhtml+xml or in an EPUB.
    """
    arrays, state, shows_hidden = _read(np.frombuffer(page, np.uint8), xhtml)
    flags = (IS_XHTML if xhtml else 0) | (SHOWS_HIDDEN if shows_hidden else 0) | int(state[FLAGS])
    title = int(state[TITLE_START]), int(state[TITLE_END])
    return Tree._make((*arrays[:-1], title, False, bool(state[CUT]), flags, arrays[-1]))
