"""The written words of texts as hashes (definition: massivetext/text/hashing.py), and where they stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.contamination.wikitext import UNKNOWN
from massivetext.kernels import njit
from massivetext.text import Texts, buffers
from massivetext.text.hashing import OFFSET, fmix
from massivetext.text.normal import nfc
from massivetext.text.unicode import ALONE, ALPHA, DELETED, MARK, NFC_MAYBE, SPACE
from massivetext.text.utf8 import decode_point
from massivetext.text.words import add_point, normal_words, unicode_tables

__all__ = ["Located", "Words", "lengthened", "located_words", "words"]

_UNKNOWN = ord(UNKNOWN)


class Words(NamedTuple):
    """hashes: uint64[m], the written words of all texts, one text after another; bounds: int64[n + 1], where each
    text's words start. A pass that has them already may hand them to `TestSets.measure`."""

    hashes: np.ndarray
    bounds: np.ndarray


class Located(NamedTuple):
    """The written words of one text. hashes: uint64[n]. unknown: bool[n], whether each holds UNKNOWN. starts, ends:
    int64[n], the characters of the text between which each stands. telling: bool[n], whether it has two letters or is
    of a script without spaces."""

    hashes: np.ndarray
    unknown: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    telling: np.ndarray


@njit()
def lengthened(hashes, length):
    """Return hashes with room for that many in all."""
    longer = np.empty(length, np.uint64)
    for i in range(len(hashes)):
        longer[i] = hashes[i]
    return longer


@njit(cache=True, nogil=True)
def _words(data, offsets, t):
    n_texts = len(offsets) - 1
    bounds = np.zeros(n_texts + 1, np.int64)
    # No text of m bytes has more than (m + 1) / 2 words; memory that is not written is not taken.
    out = np.empty((len(data) + n_texts) // 2 + 2, np.uint64)
    size = 0
    for i in range(n_texts):
        size += normal_words(data, offsets[i], offsets[i + 1], t, out[size:])
        bounds[i + 1] = size
    return out[:size], bounds


@njit(cache=True, nogil=True)
def _locate(data, t, words, runs):
    """Find the written words of a text that is taken to be in NFC.

    runs: int64[n], the run of non-whitespace that each word is of. Returns (how many, whether NFC may change the text).
    """
    flags, lower = t.flags, t.lower
    n = np.int64(0)  # words that have ended
    maybe = False
    open_, alone, in_run = False, False, False
    run = np.int64(-1)
    h = OFFSET
    letters = 0
    i = index = np.int64(0)
    end = np.int64(len(data))
    while i <= end:
        if i < end:
            point, size = decode_point(data, i, end)
            f = flags[point]
        else:
            point, size, f = np.int64(32), 1, np.uint8(SPACE)
        maybe |= f & NFC_MAYBE != 0
        counted = f & (SPACE | DELETED) == 0
        cuts = counted and (f & MARK == 0 if alone else f & ALONE != 0)
        if open_ and (f & SPACE or cuts):
            words.hashes[n] = fmix(h)
            words.telling[n] = alone or letters >= 2
            words.ends[n] = index
            n += 1
        if f & SPACE:
            in_run = open_ = alone = False
        elif not in_run or (cuts and open_):
            # A word begins with its run, with what is deleted before it, or where the word before it ends.
            if not in_run:
                run += 1
            in_run = True
            words.starts[n] = index
            words.unknown[n] = False
            runs[n] = run
            open_ = False
        if counted:
            if not open_ or cuts:
                h = OFFSET
                letters = 0
                alone = f & ALONE != 0
            open_ = True
            h = add_point(h, point, lower)
            letters += f & ALPHA != 0
        if not f & SPACE:
            words.unknown[n] |= point == _UNKNOWN
        i += size
        index += 1
    return n, maybe


@njit(cache=True, nogil=True)
def _make_located(n):
    return Located(
        np.empty(n, np.uint64),
        np.zeros(n, np.bool_),
        np.zeros(n, np.int64),
        np.zeros(n, np.int64),
        np.zeros(n, np.bool_),
    )


@njit(cache=True, nogil=True)
def _located(data, t):
    """(words, the run of each, whether NFC may change the text)."""
    most = len(data) // 2 + 2
    words, runs = _make_located(most), np.empty(most, np.int64)
    n, maybe = _locate(data, t, words, runs)
    located = Located(words.hashes[:n], words.unknown[:n], words.starts[:n], words.ends[:n], words.telling[:n])
    return located, runs[:n], maybe


def words(texts: Texts) -> Words:
    """The written words of each text. The list of a null or empty text is empty."""
    return Words(*_words(*buffers(texts), unicode_tables()))


def located_words(text: str) -> Located:
    """The written words of one text, and where they stand in it.

    Words that NFC changes stand where the words of the same run did before: each where the one of its place in the run
    did, those beyond the last where that did.
    """
    data, tables = np.frombuffer(text.encode(), np.uint8), unicode_tables()
    located, runs, maybe = _located(data, tables)
    if not maybe:
        return located  # type: ignore[no-any-return]
    composed, run, _ = _located(nfc(data, 0, len(data), tables), tables)
    n = len(composed.hashes)
    if not len(runs):
        return composed._replace(starts=np.zeros(n, np.int64), ends=np.full(n, len(text)))  # type: ignore[no-any-return]
    first, end = np.searchsorted(runs, run), np.searchsorted(runs, run, "right")
    rank = np.arange(n) - np.searchsorted(run, run)
    at = np.minimum(first + np.minimum(rank, np.maximum(end - first - 1, 0)), len(runs) - 1)
    return composed._replace(starts=located.starts[at], ends=located.ends[at])  # type: ignore[no-any-return]
