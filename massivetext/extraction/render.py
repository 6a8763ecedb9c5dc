"""Chosen blocks of a page as plain text: headings, list items with their nesting, code, table rows and line breaks."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
from numba import njit

from massivetext.extraction.html import (
    END,
    NODE,
    START,
    Tree,
    find_end,
    is_letter,
    is_space,
    read_name,
    skip_declaration,
    skip_tag,
)
from massivetext.extraction.vocabulary import (
    BLOCKQUOTE,
    BR,
    DD,
    DT,
    FIRST_INLINE,
    FIRST_RAW,
    LI,
    LISTING,
    OL,
    PRE,
    TABLE,
    TAG_KEYS,
    TAG_VALUES,
    TD,
    TH,
    TR,
)

__all__ = ["render"]

MAX_LEVELS = 12
"""Lists are indented to this depth, by two spaces a level."""

_CELL_BLOCKS = 2
"""A table cell of more blocks than this is a piece of the page's layout."""

_SPACE, _NEWLINE = 32, 10
_TRAILING = re.compile(r"[ \t]+(?=\n)|[ \t]+\Z")
_LONG_NUMBER = re.compile(r"&#[0-9]{100,};?")
_BLANK = re.compile(r"\n{3,}")


@njit(cache=True, nogil=True)
def _contexts(tag, parent):
    """For each node: its innermost li, cell, tr, table and pre (0 if none), and how many lists it is nested in."""
    n = len(tag)
    inside = np.zeros((n, 5), np.int32)
    levels = np.zeros(n, np.int32)
    for node in range(1, n):
        above = parent[node]
        for k in range(5):
            inside[node, k] = inside[above, k]
        levels[node] = levels[above]
        kind = tag[node]
        if kind == LI:
            inside[node, 0] = node
            levels[node] += 1
        elif kind == TD or kind == TH:
            inside[node, 1] = node
            inside[node, 0] = 0
            levels[node] = 0
        elif kind == TR:
            inside[node, 2] = node
            inside[node, 1] = 0
        elif kind == TABLE:
            inside[node, 3] = node
            inside[node, 2] = 0
            inside[node, 1] = 0
            inside[node, 0] = 0
            levels[node] = 0
        elif kind == PRE or kind == LISTING:
            inside[node, 4] = node
    return inside, levels


@njit(cache=True, nogil=True)
def _write_inline(page, start, end, verbatim, out, o, indent, tag_keys, tag_values, endless):
    """Writes the text of page[start:end] from out[o] on; returns the position after it. endless: bool[raw tags], which
    have no end tag from here on, so that a page of unclosed ones is not searched to its end for each."""
    i = start
    begin = o
    pending = False  # a space, if more text comes
    while i < end:
        c = page[i]
        if c == 60 and i + 1 < len(page):
            following = page[i + 1]
            if following == 33 or following == 63 or (following == 47 and not is_letter(page[min(i + 2, end - 1)])):
                i = skip_declaration(page, i)
                continue
            if following == 47 or is_letter(following):
                closing = following == 47
                tag, i = read_name(page, i + 1 + closing, tag_keys, tag_values)
                i = skip_tag(page, i)
                if tag == BR:
                    if verbatim or o > begin:
                        out[o] = _NEWLINE
                        o += 1
                        for _ in range(indent):
                            out[o] = _SPACE
                            o += 1
                    pending = False
                elif not closing and tag >= FIRST_RAW and tag < FIRST_INLINE and not endless[tag - FIRST_RAW]:
                    stop = find_end(page, i, tag, tag_keys, tag_values)
                    if stop >= 0:
                        i = stop
                    else:
                        endless[tag - FIRST_RAW] = True
                continue
        if verbatim:
            if c != 13 and c != 0:
                out[o] = c
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
def _render(page, tag, parent, ordinal, first, last, blocks, keep, tag_keys, tag_values):
    inside, levels = _contexts(tag, parent)
    size = 64
    for b in range(len(blocks)):
        if keep[b]:
            # A <br> of four bytes becomes a line break and the item's indentation.
            size += (blocks[b, END] - blocks[b, START]) * (1 + (levels[blocks[b, NODE]] > 0) * MAX_LEVELS // 2) + 64
    out = np.empty(size, np.uint8)
    # Where each kept block starts in the output, for whoever asks which text is whose.
    starts = np.full(len(blocks) + 1, -1, np.int64)
    endless = np.zeros(FIRST_INLINE - FIRST_RAW, np.bool_)
    o = 0
    before = -1
    for b in range(len(blocks)):
        if not keep[b]:
            continue
        node = blocks[b, NODE]
        li, cell, row, table, pre = inside[node, 0], inside[node, 1], inside[node, 2], inside[node, 3], inside[node, 4]
        level = min(levels[node], MAX_LEVELS)
        kind = tag[node]
        indent = 0
        if o:
            last_node = blocks[before, NODE]
            gap = 2
            bar = False
            if table and table == inside[last_node, 3]:
                last_cell = inside[last_node, 1]
                is_data = (
                    last[cell] - first[cell] <= _CELL_BLOCKS and last[last_cell] - first[last_cell] <= _CELL_BLOCKS
                )
                if row == inside[last_node, 2]:
                    if cell != last_cell:
                        gap = 0 if is_data else 2
                        bar = is_data
                    else:
                        gap = 1
                elif is_data:
                    gap = 1
            if li and inside[last_node, 0]:
                gap = 1
            if pre and pre == inside[last_node, 4]:
                gap = 1
            if (kind == DD or kind == DT) and (tag[last_node] == DT or tag[last_node] == DD):
                gap = 1
            if bar:
                out[o], out[o + 1], out[o + 2] = _SPACE, 124, _SPACE
                o += 3
            for _ in range(gap):
                out[o] = _NEWLINE
                o += 1
        if li and level:
            is_first = b == first[li] or before < first[li]
            for _ in range(2 * (level - 1)):
                out[o] = _SPACE
                o += 1
            indent = 2 * level
            if is_first:
                if tag[parent[li]] == OL:
                    number = ordinal[li] + 1
                    power = 1
                    while power * 10 <= number:
                        power *= 10
                    while power:
                        out[o] = 48 + number // power % 10
                        o += 1
                        power //= 10
                    out[o] = 46
                else:
                    out[o] = 45
                out[o + 1] = _SPACE
                o += 2
            else:
                out[o], out[o + 1] = _SPACE, _SPACE
                o += 2
        starts[b] = o
        end = blocks[b, END]
        wrote = _write_inline(page, blocks[b, START], end, pre > 0, out, o, indent, tag_keys, tag_values, endless)
        o = wrote
        before = b
    starts[len(blocks)] = o
    return out[:o], starts


def render(page: bytes, tree: Tree, keep: np.ndarray) -> bytes:
    """The text of the blocks that `keep` (bool[blocks]) marks, entities as they stand, in the page's encoding."""
    return _render(
        np.frombuffer(page, np.uint8),
        tree.tag,
        tree.parent,
        tree.ordinal,
        tree.first,
        tree.last,
        tree.blocks,
        keep,
        TAG_KEYS,
        TAG_VALUES,
    )[0].tobytes()


def resolve(text: str) -> str:
    """Text with its entities resolved; a no-break space is a space, also where it indents."""
    if "&" in text:
        try:
            text = unescape(text)
        except ValueError:  # a number of more digits than Python converts
            text = unescape(_LONG_NUMBER.sub("\ufffd", text))
    if "\xa0" in text:
        text = _TRAILING.sub("", text.replace("\xa0", " "))
        text = _BLANK.sub("\n\n", text)
    return text


_ = BLOCKQUOTE
