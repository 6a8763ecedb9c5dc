"""Chosen blocks of a page as Markdown: headings, lists, fenced code, tables with pipes; links and emphasis are off."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np

from massivetext.extraction.html import NODE, Tree
from massivetext.extraction.inline import MARKDOWN
from massivetext.extraction.nesting import (
    CELL_BLOCKS,
    IN_CELL,
    IN_LI,
    IN_PRE,
    IN_ROW,
    IN_TABLE,
    MAX_COLUMNS,
    cell_columns,
    nesting,
)
from massivetext.extraction.render import MAX_LEVELS, style_of, write_blocks
from massivetext.extraction.tags import BLOCKQUOTE, DD, DIV, H1, H6, LI, OL, TR, P

__all__ = ["render_markdown"]

_LANGUAGE = re.compile(
    rb"(?:\blang(?:uage)?-|\bhighlight-(?:source-|text-)?|\bbrush:\s*|\bdata-lang(?:uage)?=[\"']?|\bsourceCode\s+)"
    rb"([A-Za-z][A-Za-z0-9+#-]{0,30})",
    re.IGNORECASE,
)
_CODE_TAG = re.compile(rb"\A\s*(?:<span[^>]*>\s*</span>\s*)?<code\b[^>]*>", re.IGNORECASE)
_NO_LANGUAGE = frozenset(
    (b"default", b"none", b"plaintext", b"plain", b"text", b"source", b"notranslate", b"nohighlight")
)
_WRAPPERS = 2
"""The language of a pre may stand on this many elements around it."""


class _Page:
    """A page's kept blocks, each written by itself, and where it stands."""

    def __init__(self, page: bytes, tree: Tree, keep: np.ndarray) -> None:
        self.page = page
        self.tree = tree
        self.inside, self.levels = nesting(tree.tag, tree.parent)
        self.column = cell_columns(tree.tag, tree.ordinal, tree.rows, self.inside)
        out, places = write_blocks(
            np.frombuffer(page, np.uint8), tree.blocks, keep, self.inside, style_of(tree) | MARKDOWN
        )
        self.out = out.tobytes()
        self.places = places
        self.kept = np.flatnonzero(keep).tolist()
        self.nodes = tree.blocks[:, NODE].tolist()

    def text(self, block: int) -> bytes:
        return self.out[self.places[block, 0] : self.places[block, 1]]

    def above(self, node: int, tag: int) -> int:
        """The innermost node with this tag at or above `node`, 0 if there is none; 100 levels are searched."""
        for _ in range(100):
            if node == 0 or self.tree.tag[node] == tag:
                return node
            node = int(self.tree.parent[node])
        return 0


def render_markdown(page: bytes, tree: Tree, keep: np.ndarray) -> bytes:
    """Return the Markdown of the blocks that `keep` (bool[blocks]) marks, entities as they stand."""
    source = _Page(page, tree, keep)
    tables = _tables_of_data(source)
    pieces: list[bytes] = []
    is_item = False
    index = 0
    before = -1
    while index < len(source.kept):
        block = source.kept[index]
        inside = source.inside[source.nodes[block]]
        table, pre = int(inside[IN_TABLE]), int(inside[IN_PRE])
        run = index + 1
        in_list = bool(inside[IN_LI])
        if table in tables:
            while run < len(source.kept) and source.inside[source.nodes[source.kept[run]], IN_TABLE] == table:
                run += 1
            text = _table(source, source.kept[index:run])
        elif pre:
            while run < len(source.kept) and source.inside[source.nodes[source.kept[run]], IN_PRE] == pre:
                run += 1
            text = _item(source, block, before, _code(source, pre, source.kept[index:run]))
        else:
            text = _item(source, block, before, _block(source, block))
        if text:
            if pieces:
                pieces.append(b"\n" if in_list and is_item else b"\n\n")
            pieces.append(text)
            is_item = in_list
        before = source.kept[run - 1]
        index = run
    return b"".join(pieces)


def _block(source: _Page, block: int) -> bytes:
    """A heading or paragraph."""
    node = source.nodes[block]
    kind = int(source.tree.tag[node])
    text = re.sub(rb"[ \t]+\n", b"\n", source.text(block))
    if H1 <= kind <= H6:
        return b"#" * (kind - H1 + 1) + b" " + text.replace(b"\n", b" ")
    if kind == DD:
        return b": " + text
    if source.above(node, BLOCKQUOTE):
        return b"> " + text.replace(b"\n", b"\n> ")
    return text


def _item(source: _Page, block: int, before: int, text: bytes) -> bytes:
    """The text with a list item's bullet or number before it, and its further lines indented."""
    node = source.nodes[block]
    li = int(source.inside[node, IN_LI])
    if not li:
        return text
    tree = source.tree
    level = min(int(source.levels[node]), MAX_LEVELS)
    marker = b"- "
    if tree.tag[tree.parent[li]] == OL:
        marker = b"%d. " % (int(tree.ordinal[li]) + 1)
    indent = b"  " * (level - 1)
    further = indent + b" " * len(marker)
    is_first = before < tree.first[li]
    return (indent + marker if is_first else further) + text.replace(b"\n", b"\n" + further)


def _code(source: _Page, pre: int, blocks: list[int]) -> bytes:
    """Fenced code."""
    lines = [source.text(blocks[0])]
    for last, block in pairwise(blocks):
        low, high = source.nodes[last] + 1, source.nodes[block]
        tree = source.tree
        empty = (tree.first[low:high] == tree.last[low:high]) & np.isin(tree.tag[low:high], (DIV, P, LI, TR))
        lines.append(b"\n" * int(empty.sum()) + source.text(block))
    code = b"\n".join(lines).strip(b"\n")
    fence = b"```"
    while fence in code:
        fence += b"`"
    return fence + _language(source, pre) + b"\n" + code + b"\n" + fence


def _language(source: _Page, pre: int) -> bytes:
    """What the classes of a pre, its code element or an element around it say of its language."""
    page, tree = source.page, source.tree
    begin = int(tree.span[pre, 0])
    tag_end = page.find(b">", begin) + 1
    tags = [page[begin:tag_end]]
    if code := _CODE_TAG.match(page[tag_end : tag_end + 1000]):
        tags.insert(0, code[0])
    node = int(tree.parent[pre])
    for _ in range(_WRAPPERS):
        if node == 0 or tree.tag[node] != DIV:
            break
        begin = int(tree.span[node, 0])
        tags.append(page[begin : page.find(b">", begin) + 1])
        node = int(tree.parent[node])
    for tag in tags:
        for match in _LANGUAGE.finditer(tag):
            if match[1].lower() not in _NO_LANGUAGE:
                return match[1].lower()
    return b""


def _tables_of_data(source: _Page) -> set[int]:
    """The tables of at least two columns of which no kept cell is a piece of layout."""
    tree = source.tree
    widths: dict[int, int] = {}
    layout: set[int] = set()
    for block in source.kept:
        inside = source.inside[source.nodes[block]]
        table, cell = int(inside[IN_TABLE]), int(inside[IN_CELL])
        if not table or inside[IN_PRE]:
            continue
        if cell:
            widths[table] = max(widths.get(table, 0), int(source.column[cell]) + 1)
            if tree.last[cell] - tree.first[cell] > CELL_BLOCKS:
                layout.add(table)
    return {table for table, width in widths.items() if width > 1 and table not in layout}


def _table(source: _Page, blocks: list[int]) -> bytes:
    """A table with pipes; blocks of it that stand in no cell come before it."""
    captions: list[bytes] = []
    rows: dict[int, dict[int, bytes]] = {}
    for block in blocks:
        inside = source.inside[source.nodes[block]]
        cell, row = int(inside[IN_CELL]), int(inside[IN_ROW])
        text = b" ".join(source.text(block).split(b"\n")).replace(b"|", b"\\|")
        if not cell or not row:
            captions.append(text)
            continue
        cells = rows.setdefault(row, {})
        column = min(int(source.column[cell]), MAX_COLUMNS - 1)
        cells[column] = cells[column] + b" " + text if column in cells else text
    width = max((max(cells) + 1 for cells in rows.values()), default=0)
    lines = [b"| " + b" | ".join(cells.get(k, b"") for k in range(width)) + b" |" for cells in rows.values()]
    if lines:
        lines.insert(1, b"|" + b" --- |" * width)
    return b"\n\n".join([*captions, b"\n".join(lines)] if captions else [b"\n".join(lines)])
