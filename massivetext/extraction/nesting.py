"""Which list item, table and preformatted text each element stands in, and which column of its table a cell takes."""

from __future__ import annotations

import numpy as np

from massivetext.extraction.copies import copy_of
from massivetext.extraction.tags import LI, LISTING, PRE, TABLE, TD, TH, TR
from massivetext.kernels import njit

__all__ = ["IN_CELL", "IN_LI", "IN_PRE", "IN_ROW", "IN_TABLE", "cell_columns", "is_data_cell", "nesting"]

MAX_COLUMNS = 256
"""Cells beyond this column do not make room for cells that span rows."""

CELL_BLOCKS = 2
"""A table cell of more blocks than this is a piece of the page's layout."""

# Columns of `nesting`.
IN_LI, IN_CELL, IN_ROW, IN_TABLE, IN_PRE = range(5)


@njit(cache=True, nogil=True)
def nesting(tag, parent):
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
def cell_columns(tag, ordinal, rows, inside):
    """Return the column of each table cell, from 0; cells above that span rows push it to the right."""
    column = copy_of(ordinal)
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
            # A cell that stands in a list has the list's numbers, which may be negative.
            place = max(ordinal[node], 0) + shift
            while place < width and taken[place]:
                place += 1
                shift += 1
            column[node] = place
            if rows[node] > 1 and place < MAX_COLUMNS:
                busy[place] = rows[node] - 1
                width = max(width, place + 1)
    return column


@njit(cache=True, nogil=True, counts=False)
def is_data_cell(cell, first, last):
    """Whether a table cell is one of a table of data, by its number of blocks."""
    return last[cell] - first[cell] <= CELL_BLOCKS
