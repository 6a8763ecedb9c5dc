"""Lines that stand on many pages of one host, taken out of the text (Wenzek et al., CCNet, arXiv 1911.00359).

A first pass over the pages collects `page_lines`: the different lines of each page as hashes, each with a hash of the
page's text and one of its address. `common_lines` chooses from them the lines of more than `max_pages` pages, and
`remove_lines` takes these out of every page of the host.

CCNet compares the lines of a whole shard. Here a line counts on its own host alone, so that a proverb or a licence that
many hosts have stays. A page that was crawled often would lose all of its text if each copy counted as a page.
Therefore a line is common only if it stands in more than `max_pages` different texts, and at more than `max_pages`
different addresses.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.host_lines import MAX_PAGES, different_lines, hashed, hashed_hosts
from filters.hosts import host_of
from massivetext.text import Texts

__all__ = ["MAX_PAGES", "VERSION", "PageLines", "Removed", "common_lines", "page_lines", "remove_lines"]

VERSION = 1
"""Of the definition of a common line, and of how it is removed."""


class PageLines(NamedTuple):
    """The different lines of pages that have a host: uint64[m] each, a row for each line of each page.

    lines: hash of host and line. texts: hash of the page's text. addresses: hash of the page's address.
    """

    lines: np.ndarray
    texts: np.ndarray
    addresses: np.ndarray


class Removed(NamedTuple):
    """What `remove_lines` returns, a row for each text.

    texts: large_string[n], without the common lines; a null stays null. lines, characters: int64[n], how many lines
    were removed and how many code points they have.
    """

    texts: pa.LargeStringArray
    lines: np.ndarray
    characters: np.ndarray


class _Pieces(NamedTuple):
    """What stands between the newlines of texts. text: large_string[p], as it stands. hashes: uint64[p], of host and
    stripped piece. document: int64[p]. is_line: bool[p], whether the piece is a line, and its text has a host.
    is_blank: bool[p]. characters: int64[p], of the stripped piece."""

    text: pa.LargeStringArray
    hashes: np.ndarray
    document: np.ndarray
    is_line: np.ndarray
    is_blank: np.ndarray
    characters: np.ndarray


def _column(texts: Texts) -> pa.LargeStringArray:
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    return column.cast(pa.large_string())


def _cut(texts: pa.LargeStringArray, urls: pa.Array) -> _Pieces:
    seeds, has_host = hashed_hosts(urls)
    lists = pc.split_pattern(pc.fill_null(texts, ""), "\n")
    pieces, document = pc.list_flatten(lists), pc.list_parent_indices(lists).to_numpy()
    stripped = pc.utf8_trim_whitespace(pieces)
    characters = pc.utf8_length(stripped).to_numpy(zero_copy_only=False).astype(np.int64)
    is_line = (characters > 0) & has_host[document]
    return _Pieces(pieces, hashed(stripped, seeds[document]), document, is_line, characters == 0, characters)


def _address(url: str) -> str:
    """Return a URL without scheme, `www.`, port and fragment; the query counts, since many sites name pages by it."""
    try:
        parts = urlsplit(url if "://" in url else "//" + url)
    except ValueError:
        return ""
    return f"{host_of(url)}{parts.path}?{parts.query}"


def page_lines(texts: Texts, urls: pa.Array) -> PageLines:
    """Return the different lines of each page. A text without a URL, or whose URL has no host, has none.

    Args:
        texts: n texts.
        urls: n strings, or nulls.
    """
    column = _column(texts)
    pieces = _cut(column, urls)
    zeros = np.zeros(len(column), np.uint64)
    of_text = hashed(pc.fill_null(column, ""), zeros)
    of_address = hashed(pa.array([_address(url or "") for url in urls.to_pylist()], pa.large_string()), zeros)
    hashes, document = different_lines(pieces.hashes[pieces.is_line], pieces.document[pieces.is_line])
    return PageLines(hashes, of_text[document], of_address[document])


def common_lines(pages: PageLines, max_pages: int = MAX_PAGES) -> np.ndarray:
    """Return uint64, sorted: the hashes of the lines that stand in more than `max_pages` different texts and at more
    than `max_pages` different addresses. pages: rows of all pages, in any order."""
    lines, n_texts = _different(pages.lines, pages.texts)
    _, n_addresses = _different(pages.lines, pages.addresses)
    return lines[np.minimum(n_texts, n_addresses) > max_pages]


def _different(lines: np.ndarray, others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different lines, sorted, and how many different values each one stands beside."""
    order = np.lexsort((others, lines))
    lines, others = lines[order], others[order]
    is_new_line = np.ones(len(lines), bool)
    is_new_line[1:] = lines[1:] != lines[:-1]
    is_new_pair = is_new_line.copy()
    is_new_pair[1:] |= others[1:] != others[:-1]
    starts = np.flatnonzero(is_new_line)
    counts = np.add.reduceat(is_new_pair.astype(np.int64), starts) if len(starts) else np.zeros(0, np.int64)
    return lines[starts], counts


def remove_lines(texts: Texts, urls: pa.Array, common: np.ndarray) -> Removed:
    """Take common lines out of texts.

    Other lines stay as they are, with their indentation. The blank lines after a removed line go with it, and blank
    lines that end a changed text.

    Args:
        texts: n texts.
        urls: n strings, or nulls.
        common: uint64, sorted: what `common_lines` returns.
    """
    column = _column(texts)
    pieces = _cut(column, urls)
    at = np.minimum(np.searchsorted(common, pieces.hashes), max(len(common) - 1, 0))
    is_removed = pieces.is_line & (common[at] == pieces.hashes) if len(common) else np.zeros(len(at), bool)
    counts = np.bincount(pieces.document[is_removed], minlength=len(column)).astype(np.int64)
    weights = pieces.characters[is_removed]
    characters = np.bincount(pieces.document[is_removed], weights=weights, minlength=len(column)).astype(np.int64)
    if not is_removed.any():
        return Removed(column, counts, characters)
    is_kept = ~is_removed & ~_after_removed(pieces, is_removed) & ~_at_the_end(pieces, is_removed, counts)
    n_kept = np.bincount(pieces.document[is_kept], minlength=len(column))
    offsets = pa.array(np.concatenate([[0], np.cumsum(n_kept)]).astype(np.int64))
    lists = pa.LargeListArray.from_arrays(offsets, pieces.text.filter(pa.array(is_kept)))
    joined = pc.binary_join(lists, pa.scalar("\n", pa.large_string()))
    return Removed(pc.if_else(pa.array(counts > 0), joined, column), counts, characters)


def _after_removed(pieces: _Pieces, is_removed: np.ndarray) -> np.ndarray:
    """Return bool[p]: the blank pieces of which the last piece before them that is not blank is removed."""
    rows = np.arange(len(is_removed))
    before = np.maximum.accumulate(np.where(pieces.is_blank, -1, rows))
    is_same = (before >= 0) & (pieces.document[before] == pieces.document)
    return pieces.is_blank & is_same & is_removed[before]


def _at_the_end(pieces: _Pieces, is_removed: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return bool[p]: the blank pieces after the last line that stays, of texts that lose a line."""
    is_text = ~pieces.is_blank & ~is_removed
    last = np.full(len(counts), -1, np.int64)
    np.maximum.at(last, pieces.document[is_text], np.flatnonzero(is_text))
    return pieces.is_blank & (np.arange(len(is_removed)) > last[pieces.document]) & (counts[pieces.document] > 0)
