"""Which documents may be near-duplicates at all: connected by equal bands, found with 4 bytes a document,
or 8 of more than 2^32 documents."""

from __future__ import annotations

import os

import numpy as np

from massivetext.kernels import njit
from massivetext.slots import count_slots

__all__ = ["ALONE", "alone", "connect", "find_roots", "star_edges", "stars"]

ALONE = np.uint32(0xFFFFFFFF)
"""What stands for a document without candidates, in place of its parent, where documents are numbered by 32 bits."""


def alone(number: np.dtype) -> np.unsignedinteger:
    """Return what stands for a document without candidates, of the type that numbers documents: its largest value."""
    return number.type(np.iinfo(number).max)


_SALT = np.uint64(int.from_bytes(os.urandom(8), "little") | 1)  # places in a hash table only; never a result


@njit(cache=True, nogil=True)
def _stars(keys, documents, nobody, salt):
    # nobody: one value, of the documents' type, that is the number of none.
    size = count_slots(2 * len(keys))
    mask = size - 1
    table_key = np.empty(size, np.uint64)
    table_document = np.empty(size, documents.dtype)
    table_document[:] = nobody[0]
    edges = np.empty((len(keys), 2), documents.dtype)
    is_first = np.zeros(len(keys), np.bool_)
    n = 0
    for i in range(len(keys)):
        key = keys[i]
        slot = np.int64((key * salt) >> np.uint64(20)) & mask
        while table_document[slot] != nobody[0] and table_key[slot] != key:
            slot = (slot + 1) & mask
        if table_document[slot] == nobody[0]:
            table_key[slot], table_document[slot] = key, documents[i]
            is_first[i] = True
        elif table_document[slot] != documents[i]:
            edges[n, 0], edges[n, 1] = table_document[slot], documents[i]
            n += 1
    return edges[:n], is_first


def stars(keys: np.ndarray, documents: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(edges, bool[n]): `star_edges`, and which rows are the first ones of their key."""
    edges, is_first = _stars(keys, documents, np.array([alone(documents.dtype)]), _SALT)
    return edges, is_first


def star_edges(keys: np.ndarray, documents: np.ndarray) -> np.ndarray:
    """[m, 2], of the documents' type: for each key, edges from the first document that has it to the others, as many
    as copies, never as pairs. keys: uint64[n]; documents: uint32[n], or uint64."""
    return stars(keys, documents)[0]


@njit(cache=True, nogil=True)
def connect(parent, edges):
    """Union of both ends of each edge, in place. parent: uint32[documents], or uint64, `alone` at first. The root of a
    tree is its least document, so that the result does not depend on the order of edges."""
    n = len(parent)  # only `alone` is as large
    for e in range(len(edges)):
        a, b = edges[e, 0], edges[e, 1]
        if parent[a] >= n:
            parent[a] = a
        if parent[b] >= n:
            parent[b] = b
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        if a < b:
            parent[b] = a
        elif b < a:
            parent[a] = b


@njit(cache=True, nogil=True)
def find_roots(parent):
    """Each document's root in place of its parent; `alone` stays."""
    n = len(parent)
    for i in range(len(parent)):
        # Roots are least, so that a parent always has its final root already.
        if parent[i] < n:
            parent[i] = parent[parent[i]]
