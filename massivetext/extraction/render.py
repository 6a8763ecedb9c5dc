"""Chosen blocks of a page as plain text: headings, list items with their nesting, code, table rows and line breaks."""

from __future__ import annotations

import numpy as np

from massivetext.extraction.html import END, NODE, START, Tree
from massivetext.extraction.inline import SHOW_HIDDEN, VERBATIM, XHTML, write_inline
from massivetext.extraction.nesting import (
    IN_CELL,
    IN_LI,
    IN_PRE,
    IN_ROW,
    IN_TABLE,
    MAX_COLUMNS,
    cell_columns,
    is_data_cell,
    nesting,
)
from massivetext.extraction.options import DEFAULT, Options
from massivetext.extraction.state import IS_XHTML, SHOWS_HIDDEN
from massivetext.extraction.tags import DD, DIV, DT, FIRST_INLINE, FIRST_RAW, LI, OL, TR, P
from massivetext.kernels import njit

__all__ = ["render", "style_of", "write_blocks"]

MAX_LEVELS = 12
"""Lists are indented to this depth, by two spaces a level."""

_SPACE, _NEWLINE, _BAR, _DASH, _DOT = 32, 10, 124, 45, 46


@njit(cache=True, nogil=True, counts=False)
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


@njit(cache=True, nogil=True, counts=False)
def _leading_bars(here, first, last, column):
    """How many empty cells stand before the first text of a table's row, if it has more than that."""
    cell, row = here[IN_CELL], here[IN_ROW]
    if last[row] - first[row] > 1 and is_data_cell(cell, first, last):
        return min(column[cell], MAX_COLUMNS // 3)
    return 0


@njit(cache=True, nogil=True, counts=False)
def _gap(b, before, tag, first, last, blocks, inside, column):
    """(how many line breaks come between two kept blocks, how many cells' bars after them)."""
    node, last_node = blocks[b, NODE], blocks[before, NODE]
    here, there = inside[node], inside[last_node]
    gap, bars = 2, 0
    table = here[IN_TABLE]
    if table and table == there[IN_TABLE]:
        cell, last_cell = here[IN_CELL], there[IN_CELL]
        is_data = is_data_cell(cell, first, last) and is_data_cell(last_cell, first, last)
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


@njit(cache=True, nogil=True, counts=False)
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


@njit(cache=True, nogil=True, counts=False)
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
    inside, levels = nesting(tag, parent)
    column = cell_columns(tag, ordinal, rows, inside)
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
        o = write_inline(page, blocks[b, START], blocks[b, END], mode, out, o, indent, endless)
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
            o = write_inline(page, blocks[b, START], blocks[b, END], mode, out, o, 0, endless)
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
