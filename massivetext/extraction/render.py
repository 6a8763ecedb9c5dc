"""Chosen blocks of a page as plain text: headings, list items with their nesting, code, table rows and line breaks."""

from __future__ import annotations

import re
from html import unescape

import numpy as np

from massivetext.extraction.content import without_format_characters
from massivetext.extraction.hidden import GUTTER, is_gutter, read_inline
from massivetext.extraction.html import (
    END,
    NODE,
    START,
    Tree,
)
from massivetext.extraction.markup import (
    find_end,
    is_letter,
    is_space,
    read_name,
    skip_container,
    skip_declaration,
    skip_tag,
    starts_markup,
)
from massivetext.extraction.options import DEFAULT, Options
from massivetext.extraction.state import IS_XHTML, SHOWS_HIDDEN
from massivetext.extraction.tags import (
    BR,
    CODE,
    DD,
    DIV,
    DT,
    FIRST_INLINE,
    FIRST_RAW,
    IMG,
    LI,
    LISTING,
    MATH,
    OL,
    PRE,
    RB,
    RP,
    RT,
    RTC,
    RUBY,
    SELECT,
    SVG,
    TABLE,
    TD,
    TEMPLATE,
    TEX,
    TH,
    TR,
    VOID,
    P,
)
from massivetext.kernels import njit

__all__ = ["columns", "contexts", "finish", "render", "resolve", "write_blocks"]

MAX_LEVELS = 12
"""Lists are indented to this depth, by two spaces a level."""

MAX_COLUMNS = 256
"""Cells beyond this column do not make room for cells that span rows."""

LONG_LINE = 80
"""A line of more characters than this is not written twice."""

CELL_BLOCKS = 2
"""A table cell of more blocks than this is a piece of the page's layout."""

# Columns of `contexts`.
IN_LI, IN_CELL, IN_ROW, IN_TABLE, IN_PRE = range(5)

# How inline content is written.
VERBATIM, MARKDOWN, SHOW_HIDDEN, XHTML = 1, 2, 4, 8

_SPACE, _NEWLINE, _BAR, _DASH, _DOT, _DOLLAR, _BACKTICK = 32, 10, 124, 45, 46, 36, 96
_LONG_NUMBER = re.compile(r"&#[0-9]{100,};?")
_BLANK = re.compile(r"\n{3,}")
_MARKER = re.compile(r"\A\s*(?:[-*] |[0-9]{1,9}\. |#{1,6} |\| )?")


@njit(cache=True, nogil=True)
def contexts(tag, parent):
    """Return of each node: its innermost li, cell, tr, table and pre as int32[nodes, 5], 0 if there is none; and how
    many lists it is nested in. Lists within preformatted text are lines of it."""
    n = len(tag)
    inside = np.zeros((n, 5), np.int32)
    levels = np.zeros(n, np.int32)
    for node in range(1, n):
        above = parent[node]
        for k in range(5):
            inside[node, k] = inside[above, k]
        levels[node] = levels[above]
        kind = tag[node]
        if inside[node, IN_PRE]:
            continue
        if kind == LI:
            inside[node, IN_LI] = node
            levels[node] += 1
        elif kind == TD or kind == TH:
            inside[node, IN_CELL] = node
            inside[node, IN_LI] = 0
            levels[node] = 0
        elif kind == TR:
            inside[node, IN_ROW] = node
            inside[node, IN_CELL] = 0
        elif kind == TABLE:
            inside[node] = 0
            inside[node, IN_TABLE] = node
            levels[node] = 0
        elif kind == PRE or kind == LISTING:
            inside[node, IN_PRE] = node
    return inside, levels


@njit(cache=True, nogil=True)
def columns(tag, ordinal, rows, inside):
    """Return the column of each table cell, from 0; cells above that span rows push it to the right."""
    column = ordinal.copy()
    busy = np.zeros(MAX_COLUMNS, np.int32)  # how many further rows a cell above takes in each column
    taken = np.zeros(MAX_COLUMNS, np.bool_)  # in this row
    width = 0
    table = row = shift = 0
    for node in range(1, len(tag)):
        kind = tag[node]
        if kind == TR and not inside[node, IN_PRE]:
            if inside[node, IN_TABLE] != table:
                table = inside[node, IN_TABLE]
                busy[:width] = 0
                taken[:width] = False
                width = 0
            row = node
            shift = 0
            for k in range(width):
                taken[k] = busy[k] > 0
                busy[k] = max(0, busy[k] - 1)
        elif (kind == TD or kind == TH) and inside[node, IN_ROW] == row:
            place = ordinal[node] + shift
            while place < width and taken[place]:
                place += 1
                shift += 1
            column[node] = place
            if rows[node] > 1 and place < MAX_COLUMNS:
                busy[place] = rows[node] - 1
                width = max(width, place + 1)
    return column


@njit(cache=True, nogil=True)
def _skip_raw(page, i, tag, endless):
    """The position after the content of the raw element that starts at i."""
    if endless[tag - FIRST_RAW]:
        return i
    if tag == SVG or tag == MATH or tag == TEMPLATE or tag >= SELECT:
        stop = skip_container(page, i, tag)
    else:
        stop = find_end(page, i, tag)
    if stop >= 0:
        return stop
    endless[tag - FIRST_RAW] = True
    return i


@njit(cache=True, nogil=True)
def _skip_inline(page, i, end, tag, name, endless):
    """The position after the inline element whose content starts at i and is left out."""
    ruby = tag == RT or tag == RP or tag == RTC
    count = 1
    while i < end:
        if page[i] != 60 or not starts_markup(page, i):
            i += 1
            continue
        following = page[i + 1]
        closing = following == 47
        if following == 33 or following == 63 or (closing and not is_letter(page[i + 2])):
            i = skip_declaration(page, i)
            continue
        at = i
        other, h, i = read_name(page, i + 1 + closing)
        i, empty = skip_tag(page, i)
        if h == name:
            if closing:
                count -= 1
                if count == 0:
                    return i
            elif not (ruby or empty or other == IMG or other == VOID):
                count += 1
        elif ruby and ((other == RUBY and closing) or (other == RB and not closing)):
            return at
        elif ruby and not closing and (other == RT or other == RP or other == RTC):
            name = h
        elif not closing and other >= FIRST_RAW and other < FIRST_INLINE:
            i = _skip_raw(page, i, other, endless)
    return end


@njit(cache=True, nogil=True)
def _inline_tag(page, i, end, style, out, o, indent, endless):
    """The tag at i. Returns (position after it, or after its element if that is left out, end of the output)."""
    closing = page[i + 1] == 47
    tag, name, i = read_name(page, i + 1 + closing)
    if tag == BR:
        i, _ = skip_tag(page, i)
        out[o] = _NEWLINE
        for k in range(indent):
            out[o + 1 + k] = _SPACE
        return i, o + 1 + indent
    if style & MARKDOWN and (tag == TEX or (tag == CODE and not style & VERBATIM)):
        out[o] = _DOLLAR if tag == TEX else _BACKTICK
        i, _ = skip_tag(page, i)
        return i, o + 1
    if closing or tag == VOID or tag == IMG:
        i, _ = skip_tag(page, i)
        return i, o
    if tag >= FIRST_RAW and tag < FIRST_INLINE:
        i, empty = skip_tag(page, i)
        if empty and (style & XHTML or tag == SVG or tag == MATH):
            return i, o
        return _skip_raw(page, i, tag, endless), o
    after, hidden, signs = read_inline(page, i, tag)
    if style & XHTML and page[after - 2] == 47:
        return after, o
    if style & SHOW_HIDDEN:
        hidden = False
    elif not hidden and signs & GUTTER:
        hidden = is_gutter(page, after, name)
    if hidden or tag == RT or tag == RP or tag == RTC:
        return _skip_inline(page, after, end, tag, name, endless), o
    return after, o


@njit(cache=True, nogil=True)
def _write_inline(page, start, end, style, out, o, indent, endless):
    """Write the text of page[start:end] from out[o] on; returns the position after it. endless: bool[raw tags], which
    have no end tag from here on, so that a page of unclosed ones is not searched to its end for each."""
    i = start
    begin = o
    pending = False  # a space, if more text comes
    verbatim = style & VERBATIM
    while i < end:
        c = page[i]
        if c == 60 and starts_markup(page, i):
            following = page[i + 1]
            if following == 33 or following == 63 or (following == 47 and not is_letter(page[min(i + 2, end - 1)])):
                i = skip_declaration(page, i)
                continue
            if pending and style & MARKDOWN and page[i + 1] != 47 and o > begin and out[o - 1] != _NEWLINE:
                # The space before a code's or formula's mark.
                if out[o - 1] != _SPACE:
                    out[o] = _SPACE
                    o += 1
                pending = False
            i, wrote = _inline_tag(page, i, end, style, out, o, indent, endless)
            if wrote > o and out[o] == _NEWLINE:
                if not verbatim and o == begin:
                    wrote = o  # a line break before any text
                pending = False
            o = wrote
            continue
        if verbatim:
            if c != 13 and c != 0:
                out[o] = c
                o += 1
                if c == _NEWLINE:
                    for _ in range(indent):
                        out[o] = _SPACE
                        o += 1
        elif is_space(c):
            pending = True
        elif c != 0:
            if pending:
                if o > begin and out[o - 1] != _NEWLINE and out[o - 1] != _SPACE:
                    out[o] = _SPACE
                    o += 1
                pending = False
            out[o] = c
            o += 1
        i += 1
    while o > begin and (out[o - 1] == _SPACE or out[o - 1] == _NEWLINE):
        o -= 1
    return o


@njit(cache=True, nogil=True)
def _size(blocks, keep, levels, inside):
    """How many bytes the output may take."""
    size = 64
    for b in range(len(blocks)):
        if keep[b]:
            node = blocks[b, NODE]
            # A <br> of four bytes becomes a line break and the item's indentation; a line of code, its indentation.
            factor = 1 + (levels[node] > 0) * (2 * MAX_LEVELS + 2 if inside[node, IN_PRE] else MAX_LEVELS // 2)
            size += (blocks[b, END] - blocks[b, START]) * factor + 96 + MAX_COLUMNS
    return size


@njit(cache=True, nogil=True)
def _is_data(cell, first, last):
    return last[cell] - first[cell] <= CELL_BLOCKS


@njit(cache=True, nogil=True)
def _leading_bars(here, first, last, column):
    """How many empty cells stand before the first text of a table's row, if it has more than that."""
    cell, row = here[IN_CELL], here[IN_ROW]
    if last[row] - first[row] > 1 and _is_data(cell, first, last):
        return min(column[cell], MAX_COLUMNS // 3)
    return 0


@njit(cache=True, nogil=True)
def _gap(b, before, tag, first, last, blocks, inside, column):
    """(how many line breaks come between two kept blocks, how many cells' bars after them)."""
    node, last_node = blocks[b, NODE], blocks[before, NODE]
    here, there = inside[node], inside[last_node]
    gap, bars = 2, 0
    table = here[IN_TABLE]
    if table and table == there[IN_TABLE]:
        cell, last_cell = here[IN_CELL], there[IN_CELL]
        is_data = _is_data(cell, first, last) and _is_data(last_cell, first, last)
        row = here[IN_ROW]
        if row != there[IN_ROW]:
            if is_data:
                gap = 1
                bars = _leading_bars(here, first, last, column)
        elif cell == last_cell:
            gap = 1
        elif is_data:
            gap, bars = 0, max(1, column[cell] - column[last_cell])
    if here[IN_LI] and there[IN_LI]:
        gap = 1
    if here[IN_PRE] and here[IN_PRE] == there[IN_PRE]:
        gap = 1
        for other in range(last_node + 1, node):
            # An element for each line: an empty one is an empty line.
            kind = tag[other]
            gap += first[other] == last[other] and (kind == DIV or kind == P or kind == LI or kind == TR)
    kind, last_kind = tag[node], tag[last_node]
    if (kind == DD or kind == DT) and (last_kind == DT or last_kind == DD):
        gap = 1
    return min(gap, 64), min(bars, MAX_COLUMNS // 3)


@njit(cache=True, nogil=True)
def _write_number(number, out, o):
    """Write a whole number in decimal digits."""
    if number < 0:
        out[o] = _DASH
        o += 1
        number = -number
    power = 1
    while power * 10 <= number:
        power *= 10
    while power:
        out[o] = 48 + number // power % 10
        o += 1
        power //= 10
    return o


@njit(cache=True, nogil=True)
def _write_item(li, is_first, level, tag, parent, ordinal, out, o):
    """Write a list item's indentation and, before its first block, its bullet or number."""
    for _ in range(2 * (level - 1)):
        out[o] = _SPACE
        o += 1
    if not is_first:
        out[o] = _SPACE
    elif tag[parent[li]] == OL:
        o = _write_number(np.int64(ordinal[li]) + 1, out, o)
        out[o] = _DOT
    else:
        out[o] = _DASH
    out[o + 1] = _SPACE
    return o + 2


@njit(cache=True, nogil=True)
def _render(page, tag, parent, ordinal, first, last, rows, blocks, keep, style):
    inside, levels = contexts(tag, parent)
    column = columns(tag, ordinal, rows, inside)
    out = np.empty(_size(blocks, keep, levels, inside), np.uint8)
    endless = np.zeros(FIRST_INLINE - FIRST_RAW, np.bool_)
    o = 0
    before = -1
    for b in range(len(blocks)):
        if not keep[b]:
            continue
        node = blocks[b, NODE]
        li, pre = inside[node, IN_LI], inside[node, IN_PRE]
        level = min(levels[node], MAX_LEVELS)
        bars = 0
        if o:
            gap, bars = _gap(b, before, tag, first, last, blocks, inside, column)
            for _ in range(gap):
                out[o] = _NEWLINE
                o += 1
            if gap == 0:
                out[o] = _SPACE
                o += 1
        elif inside[node, IN_ROW] and inside[node, IN_CELL]:
            bars = _leading_bars(inside[node], first, last, column)
        for k in range(bars):
            out[o] = _BAR
            out[o + 1] = out[o + 2] = _SPACE
            o += 3 if k + 1 < bars else 2
        indent = 0
        if li and level:
            is_first = b == first[li] or before < first[li]
            continues = pre and before >= 0 and inside[blocks[before, NODE], IN_PRE] == pre
            o = _write_item(li, is_first and not continues, level, tag, parent, ordinal, out, o)
            indent = 2 * level
        mode = style | (VERBATIM if pre else 0)
        o = _write_inline(page, blocks[b, START], blocks[b, END], mode, out, o, indent, endless)
        before = b
    return out[:o]


@njit(cache=True, nogil=True)
def write_blocks(page, blocks, keep, inside, style):
    """Write each kept block by itself, without anything between. Returns (bytes, int64[blocks, 2]: where each is)."""
    size = 64
    for b in range(len(blocks)):
        if keep[b]:
            size += 2 * (blocks[b, END] - blocks[b, START]) + 64
    out = np.empty(size, np.uint8)
    places = np.zeros((len(blocks), 2), np.int64)
    endless = np.zeros(FIRST_INLINE - FIRST_RAW, np.bool_)
    o = 0
    for b in range(len(blocks)):
        if keep[b]:
            mode = style | (VERBATIM if inside[blocks[b, NODE], IN_PRE] else 0)
            places[b, 0] = o
            o = _write_inline(page, blocks[b, START], blocks[b, END], mode, out, o, 0, endless)
            places[b, 1] = o
    return out[:o], places


def style_of(tree: Tree) -> int:
    """How the inline content of a page is written, as it was parsed."""
    return (SHOW_HIDDEN if tree.flags & SHOWS_HIDDEN else 0) | (XHTML if tree.flags & IS_XHTML else 0)


def render(page: bytes, tree: Tree, keep: np.ndarray, options: Options = DEFAULT) -> bytes:
    """Return the text of the chosen blocks, entities as they stand, in the page's encoding.

    Args:
        page: the bytes that the tree was made of.
        tree: see Tree.
        keep: bool[blocks].
        options: the format.
    """
    if options.format == "markdown":
        from massivetext.extraction.markdown import render_markdown

        return render_markdown(page, tree, keep)
    return _render(
        np.frombuffer(page, np.uint8),
        tree.tag,
        tree.parent,
        tree.ordinal,
        tree.first,
        tree.last,
        tree.rows,
        tree.blocks,
        keep,
        style_of(tree),
    ).tobytes()


def resolve(text: str) -> str:
    """Return the text with its entities resolved; a no-break space is a space, also where it indents. The format
    characters that show nothing are dropped (spec, section 3)."""
    if "&" in text:
        try:
            text = unescape(text)
        except ValueError:  # a number of more digits than Python converts
            text = unescape(_LONG_NUMBER.sub("\ufffd", text))
    is_untidy = False
    if "\xa0" in text:
        text = text.replace("\xa0", " ")
        is_untidy = True
    shown = without_format_characters(text)
    if len(shown) < len(text):
        text = shown
        is_untidy = True
    if is_untidy:
        text = _BLANK.sub("\n\n", "\n".join([line.rstrip(" \t") for line in text.split("\n")]))
    return text


def finish(text: str, options: Options = DEFAULT) -> str:
    """Return a rendered text as a document's: entities resolved, no line of more than LONG_LINE characters twice."""
    text = resolve(text)
    lines = text.split("\n")
    # Lines that would go have the same end, whatever markers they begin with.
    ends = [line.rstrip()[-LONG_LINE // 2 :] for line in lines if len(line) > LONG_LINE]
    if len(set(ends)) == len(ends):
        return text
    known: set[str] = set()
    kept = []
    is_code = False
    for line in lines:
        is_code ^= options.format == "markdown" and line.lstrip().startswith("```")
        if len(line) > LONG_LINE and not is_code:
            key = _MARKER.sub("", line, count=1).rstrip()
            if len(key) > LONG_LINE - 4:
                if key in known:
                    continue
                known.add(key)
        kept.append(line)
    return _BLANK.sub("\n\n", "\n".join(kept)).strip("\n")
