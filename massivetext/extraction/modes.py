"""The user's options as changes to the blocks that the model chose."""

from __future__ import annotations

import numpy as np

from massivetext.extraction.elements import below
from massivetext.extraction.html import CHARS, LINK_CHARS, NODE, WORDS, Tree
from massivetext.extraction.nesting import CELL_BLOCKS, IN_CELL, IN_TABLE, nesting
from massivetext.extraction.options import DEFAULT, Options
from massivetext.extraction.tags import CAPTION, FIGCAPTION, FIGURE, H1, H6, SUMMARY
from massivetext.extraction.vocabulary import HINT_NAMES
from massivetext.kernels import njit

__all__ = ["apply_options"]

_COMMENT = 1 << HINT_NAMES.index("comment")
_CAPTION = 1 << HINT_NAMES.index("caption")

THREAD_SHARE = 0.5
"""A page of whose kept text at least this share stands in comments is a thread: its posts are the text."""

COMMENT_WORDS = 4
"""A block of fewer words than this in a comment is its author, date or button."""

CAPTION_REACH = 8
"""A figure belongs to the text if text is kept within this many blocks before and after its caption."""


def apply_options(page: bytes, tree: Tree, keep: np.ndarray, options: Options) -> np.ndarray:
    """Return which blocks are kept by a user's options.

    Args:
        page: the bytes that the tree was made of.
        tree: see Tree.
        keep: bool[blocks], the model's choice; not changed.
        options: see Options.

    Returns:
        bool[blocks].
    """
    keep = keep.copy()
    _keep_summaries(tree.tag, tree.parent, tree.first, tree.last, keep)
    if options == DEFAULT:
        return keep
    nodes = tree.blocks[:, NODE]
    if options.comments != "auto":
        _apply_comments(tree, keep, options.comments)
    if options.captions != "auto":
        captions = below(tree.parent, np.isin(tree.tag, (FIGCAPTION,)) | _caption_paragraphs(tree))[nodes]
        if options.captions == "drop":
            keep &= ~captions
        else:
            keep |= captions & _amid(keep, CAPTION_REACH)
    if options.tables == "drop":
        keep &= ~_in_data_table(tree)
    if options.headings == "drop":
        keep &= ~below(tree.parent, (tree.tag >= H1) & (tree.tag <= H6))[nodes]
    return keep


@njit(cache=True, nogil=True, counts=False)
def _keep_summaries(tag, parent, first, last, keep):
    """Keep the summary of a details element of which something is kept."""
    for node in range(1, len(tag)):
        if tag[node] != SUMMARY:
            continue
        above = parent[node]
        for b in range(last[node], last[above]):
            if keep[b]:
                keep[first[node] : last[node]] = True
                break


def _apply_comments(tree: Tree, keep: np.ndarray, choice: str) -> None:
    blocks = tree.blocks
    comments = below(tree.parent, (tree.hints & _COMMENT) != 0)[blocks[:, NODE]]
    chars = blocks[:, CHARS]
    if choice == "keep":
        prose = (blocks[:, WORDS] >= COMMENT_WORDS) & (2 * blocks[:, LINK_CHARS] < chars)
        keep |= comments & prose
    elif chars[keep & comments].sum() < THREAD_SHARE * chars[keep].sum():
        keep &= ~comments


def _caption_paragraphs(tree: Tree) -> np.ndarray:
    """bool[nodes]: elements that say that they are a caption, in a figure or with text alone; not a table's caption."""
    leaf = tree.last - tree.first == 1
    return ((tree.hints & _CAPTION) != 0) & leaf & (tree.tag != CAPTION) & (tree.tag != FIGURE)


def _amid(keep: np.ndarray, reach: int) -> np.ndarray:
    """bool[blocks]: those with a kept block within `reach` blocks both before and after."""
    kept = np.concatenate(([0], np.cumsum(keep)))
    at = np.arange(len(keep))
    before = kept[at] - kept[np.maximum(0, at - reach)]
    after = kept[np.minimum(len(keep), at + 1 + reach)] - kept[at + 1]
    return (before > 0) & (after > 0)


def _in_data_table(tree: Tree) -> np.ndarray:
    """bool[blocks]: those in a table with cells, none of which is a piece of the page's layout."""
    inside, _ = nesting(tree.tag, tree.parent)
    cells = inside[:, IN_CELL] == np.arange(len(tree.tag))
    cells[0] = False
    layout = np.zeros(len(tree.tag), bool)
    layout[inside[cells & (tree.last - tree.first > CELL_BLOCKS), IN_TABLE]] = True
    has_cells = np.zeros(len(tree.tag), bool)
    has_cells[inside[cells, IN_TABLE]] = True
    tables = inside[:, IN_TABLE]
    data = has_cells & ~layout
    data[0] = False
    return data[tables[tree.blocks[:, NODE]]]
