"""A page's blocks and the elements that hold them, in one pass over its bytes.

A *block* is a run of inline content between two block-level tags, or two line breaks. A *node* is a block-level
element; nodes and blocks are numbered in the order of the page, so a node's blocks are a range. Inline elements make no
nodes. The tree is that of HTML5 where it matters to blocks: ends that are implied (p, li, dt, dd, tr, td), raw text
elements, scopes of tables; inline nesting is not repaired. Entities stay as they are until the text is rendered.

Time is linear: every byte is looked at once, and searches of the stack end after MAX_SEARCH levels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from massivetext.extraction.vocabulary import (
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
    HINT_HIDDEN,
    HINT_KEYS,
    HINT_VALUES,
    HR,
    HTML,
    LI,
    LISTING,
    N_TAGS,
    NAME_ARIA_HIDDEN,
    NAME_CLASS,
    NAME_HIDDEN,
    NAME_HREF,
    NAME_ID,
    NAME_ITEMPROP,
    NAME_ROLE,
    NAME_STYLE,
    PRE,
    SCRIPT,
    STYLE,
    TABLE,
    TAG_KEYS,
    TAG_VALUES,
    TD,
    TFOOT,
    TH,
    THEAD,
    TITLE,
    TR,
    WHOLE,
    A,
    P,
    look_up,
)

__all__ = ["Tree", "parse"]

MAX_NODES = 200_000
"""Of nodes, and of blocks. A page with more of either is beyond the limit."""

MAX_SEARCH = 100

# Columns of Tree.blocks.
START, END, NODE, CHARS, LINK_CHARS, CJK, WORDS, SENTENCES, COMMAS, DIGITS, UPPER, LINKS, BREAKS, BOLD, ENDS, BARS = (
    range(16)
)
N_COLUMNS = 16


class Tree(NamedTuple):
    """What `parse` finds. Node 0 stands for the page.

    tag, parent, hints, ordinal, first, last: int32[nodes]; the tag's number, the node that holds it, bits of HINTS,
        which child of its kind it is (from 0), and the range of its blocks.
    template: uint64[nodes], hash of tag and class without digits.
    span: int32[nodes, 2], where each node's start tag begins and its content ends.
    blocks: int32[blocks, N_COLUMNS]: byte range, node, and counts of code points (CHARS without whitespace).
    title: the byte range of the title; over: whether the page is beyond MAX_NODES.
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


@njit(cache=True, nogil=True)
def is_letter(c):
    return (c >= 65 and c <= 90) or (c >= 97 and c <= 122)


@njit(cache=True, nogil=True)
def is_space(c):
    return c == 32 or (c >= 9 and c <= 13)


@njit(cache=True, nogil=True)
def read_name(page, i, keys, values):
    """(number of the tag whose name starts at i, position after the name)."""
    n = len(page)
    h = FNV
    while i < n:
        c = page[i]
        if is_space(c) or c == 62 or c == 47:
            break
        if c >= 65 and c <= 90:
            c += np.uint8(32)
        h = (h ^ np.uint64(c)) * FNV_PRIME
        i += 1
    return look_up(keys, values, h), i


@njit(cache=True, nogil=True)
def skip_tag(page, i):
    """The position after the `>` that ends the tag whose attributes start at i; the page's end if none does."""
    n = len(page)
    while i < n:
        c = page[i]
        if c == 62:
            return i + 1
        if c == 61:
            i += 1
            while i < n and is_space(page[i]):
                i += 1
            if i < n and (page[i] == 34 or page[i] == 39):
                quote = page[i]
                i += 1
                while i < n and page[i] != quote:
                    i += 1
                i += 1
        else:
            i += 1
    return n


@njit(cache=True, nogil=True)
def skip_declaration(page, i):
    """The position after the comment, declaration or instruction that starts with the `<` at i."""
    n = len(page)
    if i + 3 < n and page[i + 1] == 33 and page[i + 2] == 45 and page[i + 3] == 45:
        j = i + 4
        if j < n and page[j] == 62:
            return j + 1
        while j + 2 < n:
            if page[j] == 45 and page[j + 1] == 45 and (page[j + 2] == 62 or page[j + 2] == 33):
                if page[j + 2] == 62:
                    return j + 3
                if j + 3 < n and page[j + 3] == 62:
                    return j + 4
            j += 1
        return n
    j = i + 2
    while j < n and page[j] != 62:
        j += 1
    return min(n, j + 1)


@njit(cache=True, nogil=True)
def find_end(page, i, tag, keys, values):
    """The position of the end tag of a raw text element whose content starts at i; -1 if it has none."""
    n = len(page)
    while i + 2 < n:
        if page[i] == 60 and page[i + 1] == 47 and is_letter(page[i + 2]):
            found, _ = read_name(page, i + 2, keys, values)
            if found == tag:
                return i
        i += 1
    return -1


@njit(cache=True, nogil=True)
def _value_hints(page, start, end, keys, values):
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
        found = look_up(keys, values, h)
        if found:
            if found & WHOLE:
                following = page[i + 1] if i + 1 < end else np.uint8(32)
                if (following >= 97 and following <= 122) or (not lower_before and is_letter(following)):
                    continue
                found ^= WHOLE
            hints |= found
    return hints


@njit(cache=True, nogil=True)
def _says_display_none(page, start, end):
    for i in range(start, end - 11):
        if page[i] == 100 and page[i + 1] == 105 and page[i + 2] == 115 and page[i + 3] == 112 and page[i + 4] == 108:
            j = i + 7
            while j < end and (page[j] == 32 or page[j] == 58):
                j += 1
            return j + 1 < end and page[j] == 110 and page[j + 1] == 111
    return False


@njit(cache=True, nogil=True)
def _read_attributes(page, i, tag, hint_keys, hint_values):
    """(position after the tag, its hints, hash of its template, whether it has a href)."""
    n = len(page)
    hints = np.int64(0)
    template = (FNV ^ np.uint64(tag)) * FNV_PRIME
    has_href = False
    while i < n:
        c = page[i]
        if c == 62:
            return i + 1, hints, template, has_href
        if is_space(c) or c == 47:
            i += 1
            continue
        h = FNV
        first = True
        while i < n:
            c = page[i]
            if is_space(c) or c == 47 or c == 62 or (c == 61 and not first):
                break
            first = False
            if c >= 65 and c <= 90:
                c += np.uint8(32)
            h = (h ^ np.uint64(c)) * FNV_PRIME
            i += 1
        while i < n and is_space(page[i]):
            i += 1
        start = end = i
        if i < n and page[i] == 61:
            i += 1
            while i < n and is_space(page[i]):
                i += 1
            if i < n and (page[i] == 34 or page[i] == 39):
                quote = page[i]
                i += 1
                start = i
                while i < n and page[i] != quote:
                    i += 1
                end = min(i, n)
                i += 1
            else:
                start = i
                while i < n and not is_space(page[i]) and page[i] != 62:
                    i += 1
                end = i
        if h == NAME_CLASS or h == NAME_ID or h == NAME_ROLE or h == NAME_ITEMPROP:
            hints |= _value_hints(page, start, end, hint_keys, hint_values)
            if h == NAME_CLASS:
                for j in range(start, end):
                    if page[j] < 48 or page[j] > 57:
                        template = (template ^ np.uint64(page[j])) * FNV_PRIME
        elif h == NAME_HIDDEN or (h == NAME_ARIA_HIDDEN and end > start and page[start] == 116):
            hints |= HINT_HIDDEN
        elif h == NAME_STYLE:
            if _says_display_none(page, start, end):
                hints |= HINT_HIDDEN
        elif h == NAME_HREF:
            has_href = True
    return n, hints, template, has_href


@njit(cache=True, nogil=True)
def _in_reach(stack, depth, tags, tag):
    """The stack position of the element that an end tag closes, or -1: not beyond a table's cell or the table itself,
    unless the tag is a table's own."""
    of_table = (tag >= TD and tag <= CAPTION) or tag == TABLE
    stop = max(0, depth - MAX_SEARCH)
    while depth > stop:
        found = tags[stack[depth]]
        if found == tag:
            return depth
        if found == TABLE or (not of_table and (found == TD or found == TH or found == CAPTION)):
            return -1
        depth -= 1
    return -1


@njit(cache=True, nogil=True)
def _implied_end(stack, depth, tags, tag):
    """How deep the stack stays open when `tag` opens."""
    if tag == LI:
        stop = max(0, depth - MAX_SEARCH)
        d = depth
        while d > stop:
            found = tags[stack[d]]
            if found == LI:
                return d - 1
            if found != DIV and found != P and found != ADDRESS:
                break
            d -= 1
    elif tag == DT or tag == DD:
        stop = max(0, depth - MAX_SEARCH)
        d = depth
        while d > stop:
            found = tags[stack[d]]
            if found == DT or found == DD:
                return d - 1
            if found != DIV and found != P and found != ADDRESS:
                break
            d -= 1
    elif tag == TD or tag == TH or tag == TR or (tag >= THEAD and tag <= CAPTION):
        stop = max(0, depth - MAX_SEARCH)
        d = depth
        best = depth
        while d > stop:
            found = tags[stack[d]]
            if found == TABLE:
                return best
            ends_row = found == TR and tag != TD and tag != TH
            ends_rows = found >= THEAD and found <= TFOOT and tag >= THEAD
            if found == TD or found == TH or found == CAPTION or ends_row or ends_rows:
                best = d - 1
            d -= 1
        return depth
    here = tags[stack[depth]]
    if here == P or (here >= H1 and here <= H6 and tag >= H1 and tag <= H6):
        return depth - 1
    return depth


@njit(cache=True, nogil=True)
def _parse(page, capacity, tag_keys, tag_values, hint_keys, hint_values):
    n = len(page)
    tags = np.zeros(capacity, np.int32)
    parent = np.zeros(capacity, np.int32)
    hints = np.zeros(capacity, np.int32)
    ordinal = np.zeros(capacity, np.int32)
    first = np.zeros(capacity, np.int32)
    last = np.zeros(capacity, np.int32)
    template = np.zeros(capacity, np.uint64)
    span = np.zeros((capacity, 2), np.int32)
    children = np.zeros(capacity, np.int32)  # li and tr of each node so far
    blocks = np.zeros((capacity, N_COLUMNS), np.int32)
    stack = np.zeros(capacity + 1, np.int32)
    is_open = np.zeros(N_TAGS, np.int32)
    no_end = np.zeros(N_TAGS, np.bool_)
    n_nodes = 1
    n_blocks = 0
    depth = 0
    over = False
    title_start = title_end = 0
    pre = 0  # how many pre elements are open
    link = bold = False
    link_depth = bold_depth = 0
    # The block that is being read.
    reading = False
    breaks = 0  # since the last text
    in_word = False
    ends = 0
    i = 0
    if n >= 3 and page[0] == 0xEF and page[1] == 0xBB and page[2] == 0xBF:
        i = 3
    while i < n:
        c = page[i]
        is_tag = False
        if c == 60 and i + 1 < n:
            following = page[i + 1]
            is_tag = is_letter(following) or following == 33 or following == 63
            is_tag = is_tag or (following == 47 and i + 2 < n)
        if not is_tag:
            # Text, to the next `<`.
            run = i
            while True:
                c = page[i]
                space = is_space(c)
                size = 1
                if c == 38:
                    # An entity is one character.
                    j = i + 1
                    while j < n and j < i + 10 and page[j] != 59 and page[j] > 32 and page[j] != 60 and page[j] != 38:
                        j += 1
                    if j < n and page[j] == 59 and j > i + 1:
                        size = j + 1 - i
                        if size == 6 and page[i + 1] == 110 and page[i + 2] == 98:  # &nbsp;
                            space = True
                        elif page[i + 1] == 35 and size == 6:  # &#160; and &#xa0;
                            a, b, d = page[i + 2], page[i + 3], page[i + 4]
                            space = (a == 49 and b == 54 and d == 48) or (
                                (a | 32) == 120 and (b | 32) == 97 and d == 48
                            )
                elif c == 0xC2 and i + 1 < n and page[i + 1] == 0xA0:
                    space = True
                    size = 2
                if space:
                    in_word = False
                    if pre and c == 10 and not reading:
                        run = i + 1
                else:
                    if not reading:
                        if n_blocks >= capacity:
                            over = True
                            break
                        reading = True
                        breaks = 0
                        blocks[n_blocks, START] = run if pre else i
                        blocks[n_blocks, NODE] = stack[depth]
                    row = n_blocks
                    if breaks:
                        blocks[row, BREAKS] += breaks
                        breaks = 0
                        in_word = False
                    if not in_word:
                        blocks[row, WORDS] += 1
                        in_word = True
                    if c < 0x80 or c >= 0xC0:
                        blocks[row, CHARS] += 1
                        if link:
                            blocks[row, LINK_CHARS] += 1
                        if bold:
                            blocks[row, BOLD] += 1
                        if c < 0x80:
                            if c >= 48 and c <= 57:
                                blocks[row, DIGITS] += 1
                                ends = 0
                            elif c >= 97 and c <= 122:
                                ends = 0
                            elif c >= 65 and c <= 90:
                                blocks[row, UPPER] += 1
                                ends = 0
                            elif c == 46 or c == 33 or c == 63:
                                ends = 1
                                if i + 1 >= n or page[i + 1] <= 32 or page[i + 1] == 60 or page[i + 1] == 34:
                                    blocks[row, SENTENCES] += 1
                            elif c == 44:
                                blocks[row, COMMAS] += 1
                                ends = 0
                            elif c == 124 or c == 62:
                                blocks[row, BARS] += 1
                                ends = 0
                            elif c == 58:
                                ends = 2
                            elif c != 34 and c != 39 and c != 41 and c != 38:
                                ends = 0
                        else:
                            ends_here = 0
                            if c == 0xE3 and i + 2 < n and page[i + 1] == 0x80 and page[i + 2] == 0x82:  # 。
                                ends_here = 1
                            elif c == 0xE3 and i + 2 < n and page[i + 1] == 0x80 and page[i + 2] == 0x81:  # 、
                                blocks[row, COMMAS] += 1
                            elif c == 0xEF and i + 2 < n and page[i + 1] == 0xBC:
                                d = page[i + 2]
                                if d == 0x81 or d == 0x9F:  # ！？
                                    ends_here = 1
                                elif d == 0x8C:  # ，
                                    blocks[row, COMMAS] += 1
                            elif (
                                (c == 0xD8 and i + 1 < n and page[i + 1] == 0x9F)
                                or (c == 0xDB and i + 1 < n and page[i + 1] == 0x94)
                                or (c == 0xE0 and i + 2 < n and page[i + 1] == 0xA5 and page[i + 2] == 0xA4)
                            ):  # Arabic
                                ends_here = 1
                            elif c == 0xD8 and i + 1 < n and page[i + 1] == 0x8C:
                                blocks[row, COMMAS] += 1
                            if ends_here:
                                blocks[row, SENTENCES] += 1
                                ends = 1
                            elif c != 0xE2 and c != 0xC2:  # quotes, dashes
                                ends = 0
                            if c >= 0xE3 and c <= 0xED:
                                blocks[row, CJK] += 1
                    blocks[row, END] = min(n, i + size)
                    blocks[row, ENDS] = ends
                i += size
                if i >= n or page[i] == 60:
                    break
            if over:
                break
            continue
        # A tag.
        following = page[i + 1]
        if following == 33 or following == 63:
            i = skip_declaration(page, i)
            continue
        closing = following == 47
        at = i
        if closing:
            if not is_letter(page[i + 2]):
                i = skip_declaration(page, i)
                continue
            tag, i = read_name(page, i + 2, tag_keys, tag_values)
            i = skip_tag(page, i)
        else:
            tag, i = read_name(page, i + 1, tag_keys, tag_values)
            if tag == 0 or (tag >= FIRST_RAW and tag != A):
                i = skip_tag(page, i)
        if tag == 0:
            continue
        if tag >= FIRST_INLINE:
            if tag == BR:
                breaks += 1
                in_word = False
                if breaks >= 2 and reading and not pre:
                    reading = False
                    n_blocks += 1
            elif tag == A or tag == BUTTON:
                if closing:
                    link = False
                else:
                    link = True
                    if tag == A:
                        i, _, _, link = _read_attributes(page, i, tag, hint_keys, hint_values)
                    link_depth = depth
                    if reading and link:
                        blocks[n_blocks, LINKS] += 1
            else:
                bold = not closing
                bold_depth = depth
            continue
        if tag >= FIRST_RAW:
            if closing or no_end[tag]:
                continue
            end = find_end(page, i, tag, tag_keys, tag_values)
            if tag == TITLE and title_end == 0 and end >= 0:
                title_start, title_end = i, end
            if end >= 0:
                i = end
            elif tag == SCRIPT or tag == STYLE:
                i = n
            else:
                no_end[tag] = True
            continue
        # A block-level tag ends the block.
        if reading:
            reading = False
            n_blocks += 1
        breaks = 0
        in_word = False
        keep = depth
        if closing:
            if tag == BODY or tag == HTML or is_open[tag] == 0:
                continue
            found = _in_reach(stack, depth, tags, tag)
            if found < 0:
                continue
            keep = found - 1
        else:
            i, bits, kind, _ = _read_attributes(page, i, tag, hint_keys, hint_values)
            if (tag == BODY or tag == HTML) and (is_open[tag] or tag == HTML):
                continue
            keep = _implied_end(stack, depth, tags, tag)
        while depth > keep:
            node = stack[depth]
            last[node] = n_blocks
            span[node, 1] = at
            gone = tags[node]
            is_open[gone] -= 1
            pre -= gone == PRE or gone == LISTING
            depth -= 1
        if link and depth < link_depth:
            link = False
        if bold and depth < bold_depth:
            bold = False
        if closing or tag == HR:
            continue
        if n_nodes >= capacity:
            over = True
            break
        node = n_nodes
        n_nodes += 1
        above = stack[depth]
        tags[node] = tag
        parent[node] = above
        hints[node] = 0 if tag == BODY else bits
        template[node] = kind
        first[node] = n_blocks
        span[node, 0] = at
        if tag == LI or tag == TR:
            ordinal[node] = children[above]
            children[above] += 1
        depth += 1
        stack[depth] = node
        is_open[tag] += 1
        pre += tag == PRE or tag == LISTING
    if reading:
        n_blocks += 1
    while depth >= 0:
        last[stack[depth]] = n_blocks
        span[stack[depth], 1] = n
        depth -= 1
    return (
        tags[:n_nodes].copy(),
        parent[:n_nodes].copy(),
        hints[:n_nodes].copy(),
        ordinal[:n_nodes].copy(),
        first[:n_nodes].copy(),
        last[:n_nodes].copy(),
        template[:n_nodes].copy(),
        span[:n_nodes].copy(),
        blocks[:n_blocks].copy(),
        (title_start, title_end),
        over,
    )


def parse(page: bytes) -> Tree:
    """The blocks of a page in an encoding that contains ASCII."""
    data = np.frombuffer(page, np.uint8)
    capacity = min(page.count(b"<") + 2, MAX_NODES)
    return Tree(*_parse(data, capacity, TAG_KEYS, TAG_VALUES, HINT_KEYS, HINT_VALUES))
