"""Lines that stand on many pages of one host: navigation, notices, headers (Wenzek et al., CCNet, arXiv 1911.00359).

    host_line_fraction = characters of lines that stand on more than `max_pages` pages of the document's host
                         / characters of all its lines

Lines are those of the spec: pieces between newlines, stripped, not empty. CCNet compares the lines of a whole shard;
here a line counts on its own host alone, so that a proverb or a licence on many hosts does not.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.hosts import host_of
from filters.lines import split_lines
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.hashing import OFFSET, PRIME, fmix

__all__ = [
    "MAX_PAGES",
    "VERSION",
    "HostLines",
    "different_lines",
    "hashed",
    "hashed_hosts",
    "host_lines",
    "line_fractions",
]

VERSION = 1
"""Of the definition of the signal."""
MAX_PAGES = 5
"""Pages of a host on which a line may stand, unless a recipe says another number."""


class HostLines(NamedTuple):
    """The lines of texts that have a host. hashes: uint64[m], of host and line together. document: int64[m], which text
    each is of. characters: int64[m]. totals: int64[n], the characters of all lines of each text."""

    hashes: np.ndarray
    document: np.ndarray
    characters: np.ndarray
    totals: np.ndarray

    def of_pages(self) -> np.ndarray:
        """Return the hashes of the different lines of each text."""
        return different_lines(self.hashes, self.document)[0]


def different_lines(hashes: np.ndarray, document: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return uint64[k] and int64[k]: each line of a text once, text by text. hashes: uint64[m]. document: int64[m]."""
    order = np.lexsort((hashes, document))
    hashes, document = hashes[order], document[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (hashes[1:] != hashes[:-1]) | (document[1:] != document[:-1])
    return hashes[is_first], document[is_first]


@njit(cache=True, nogil=True)
def _hashes(data, offsets, seeds, out):
    """The hash of each string's bytes, begun with a seed."""
    for i in range(len(offsets) - 1):
        h = OFFSET ^ seeds[i]
        for k in range(offsets[i], offsets[i + 1]):
            h = (h ^ np.uint64(data[k])) * PRIME
        out[i] = fmix(h)


def hashed(strings: pa.Array, seeds: np.ndarray) -> np.ndarray:
    """Return uint64[n]: a hash of each string with its seed. strings: without nulls. seeds: uint64[n]."""
    data, offsets = buffers(strings)
    out = np.empty(len(offsets) - 1, np.uint64)
    _hashes(data, offsets, seeds, out)
    return out


def hashed_hosts(urls: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Return uint64[n], a hash of each URL's host, and bool[n], whether it has one. urls: n strings, or nulls."""
    hosts = pa.array([host_of(url or "") for url in urls.to_pylist()], pa.large_string())
    has_host = pc.greater(pc.binary_length(hosts), 0).to_numpy(zero_copy_only=False)
    return hashed(hosts, np.zeros(len(hosts), np.uint64)), has_host


def host_lines(texts: Texts, urls: pa.Array) -> HostLines:
    """Return the lines of texts as hashes; a text without a URL, or whose URL has no host, has none.

    Args:
        texts: n texts.
        urls: n strings, or nulls.
    """
    host_hashes, has_host = hashed_hosts(urls)
    lines = split_lines(texts)
    characters = pc.utf8_length(lines.text).to_numpy(zero_copy_only=False).astype(np.int64)
    totals = np.bincount(lines.document, weights=characters, minlength=lines.n_texts).astype(np.int64)
    hashes = hashed(lines.text, host_hashes[lines.document])
    rows = has_host[lines.document]
    return HostLines(hashes[rows], lines.document[rows].astype(np.int64), characters[rows], totals)


def line_fractions(lines: HostLines, is_common: np.ndarray) -> np.ndarray:
    """Return float64[n]: the share of the characters of each text's lines that are in common lines; 0 without lines.

    is_common: bool[m], whether each line stands on too many pages of its host.
    """
    weights = lines.characters * is_common
    sums = np.bincount(lines.document, weights=weights, minlength=len(lines.totals))
    return sums / np.maximum(lines.totals, 1)
