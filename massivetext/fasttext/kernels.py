"""fastText's inference over bytes: from a text to the rows of the input matrix, and their mean.

The order of every float32 operation is the library's, so that scores are equal to the last bit where its arithmetic is
plain (hierarchical softmax, tables of sigmoids), and within 1e-6 where it depends on how it was compiled.

What readers of the library's source need to know: `predict` ends each text with a newline, which reads as the word
`</s>`; a literal `</s>` ends the text; words that begin with `__label__` are skipped; characters are told by their
leading byte, and bytes are signed when they are hashed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from massivetext.fasttext.model import Network
from massivetext.fasttext.rows import add_rows, resolve
from massivetext.kernels import njit

__all__ = ["Scratch", "divide", "fill_slots", "make_scratch", "mean_row", "sum_word_ngrams", "sum_words", "word_rows"]

ROWS = 2048
"""Rows that are gathered before they are added."""
SLICE = 256
"""Characters of a word of which n-grams are gathered before the rows are looked at."""
WORDS = 128
"""Words that are looked up together."""
FIRST, LAST, HASH, ENTRY, TOUCHED = range(5)
"""Columns of `Scratch.words`: where a word begins and ends, its hash, its entry or -1, what has been read ahead."""
_BASIS, _PRIME = np.uint64(2166136261), np.uint64(16777619)
_LOW = np.uint64(0xFFFFFFFF)


class Scratch(NamedTuple):
    """Arrays that a prediction writes to, used again for the next text.

    rows: int32[ROWS + step], rows gathered; step: rows that a slice of n-grams or a word of the dictionary can have;
    words: int64[WORDS, 5], the next words of the text;
    mean: float32[dim]; scores: float32[k + 1] and ids: int64[k + 1], the best labels; nodes: int64[labels + 1] and
    sums: float32[labels + 1], nodes of the tree that wait, or the labels' probabilities.
    """

    rows: np.ndarray
    step: int
    words: np.ndarray
    mean: np.ndarray
    scores: np.ndarray
    ids: np.ndarray
    nodes: np.ndarray
    sums: np.ndarray


def make_scratch(network: Network, k: int, rows: int = 0, n_labels: int = 0) -> Scratch:
    """Scratch for predictions of at most k labels.

    Args:
        network: of a model, or of two.
        k: labels wanted.
        rows: rows that one step needs, if that may be more than usual.
        n_labels: labels of the second of two models.
    """
    n_labels, dim = max(n_labels, len(network.last.output)), network.matrix.shape[1]
    grams = SLICE * (network.maxn - network.minn + 1)
    longest = int(np.diff(network.word_row_offsets).max(initial=0))
    step = max(grams, rows, longest, network.word_ngrams) + 2
    return Scratch(
        rows=np.empty(ROWS + step, np.int32),
        step=step,
        words=np.empty((WORDS, 5), np.int64),
        mean=np.empty(dim, np.float32),
        scores=np.empty(k + 1, np.float32),
        ids=np.empty(k + 1, np.int64),
        nodes=np.empty(n_labels + 1, np.int64),
        sums=np.empty(n_labels + 1, np.float32),
    )


_OPEN, _CLOSE = 60, 62  # < and >
_LABEL = np.frombuffer(b"__label__", np.uint8)
_END_HASH = 3617362777
"""The hash of `</s>`."""


@njit(cache=True, nogil=True, counts=False)
def _step(h, byte):
    """The hash h and one more byte, which is signed."""
    signed = np.uint64(byte) | (np.uint64(0xFFFFFF00) if byte >= 128 else np.uint64(0))
    return ((h ^ signed) * _PRIME) & _LOW


@njit(cache=True, nogil=True, counts=False)
def _hash(data, start, end):
    h = _BASIS
    for i in range(start, end):
        h = _step(h, data[i])
    return h


@njit(cache=True, nogil=True, counts=False)
def fill_slots(vocabulary, offsets, slots):
    """Enter each word and label into the hash table."""
    mask = len(slots) - 1
    for entry in range(len(offsets) - 1):
        slot = np.int64(_hash(vocabulary, offsets[entry], offsets[entry + 1])) & mask
        while slots[slot] >= 0:
            slot = (slot + 1) & mask
        slots[slot] = entry


@njit(cache=True, nogil=True, counts=False)
def _find(data, start, end, h, vocabulary, offsets, slots):
    """The entry that data[start:end] with hash h is, or -1."""
    mask = len(slots) - 1
    slot = np.int64(h) & mask
    size = end - start
    while True:
        entry = np.int64(slots[slot])
        if entry < 0:
            return entry
        first = offsets[entry]
        if offsets[entry + 1] - first == size:
            k = np.int64(0)
            while k < size and data[start + k] == vocabulary[first + k]:
                k += 1
            if k == size:
                return entry
        slot = (slot + 1) & mask


@njit(cache=True, nogil=True, counts=False)
def _remainder(h, divider):
    """h modulo the number of buckets, see `divider` of the model."""
    size, factor, shift_one, shift_two = divider
    high = (h * factor) >> np.uint64(32)
    return np.int32(h - ((high + ((h - high) >> shift_one)) >> shift_two) * size)


@njit(cache=True, nogil=True, counts=False)
def _separates(byte):
    return byte == 32 or 9 <= byte <= 13 or byte == 0


@njit(cache=True, nogil=True, counts=False)
def _is_end(data, first, end):
    """Whether data[first:end] is `</s>`."""
    return end - first == 4 and data[first] == 60 and data[first + 1] == 47 and data[first + 2] == 115


@njit(cache=True, nogil=True, counts=False)
def _is_label(data, start, end):
    if end - start < len(_LABEL):
        return False
    for k in range(len(_LABEL)):  # noqa: SIM110
        if data[start + k] != _LABEL[k]:
            return False
    return True


@njit(cache=True, nogil=True, counts=False)
def _is_kept(bucket, buckets):
    """1 for a bucket that has a row, 0 for one that has none: a number, as which ones have cannot be foreseen."""
    return np.int64(len(buckets) == 0 or (buckets[bucket >> 6] >> np.uint64(bucket & 63)) & np.uint64(1) != 0)


@njit(cache=True, nogil=True, counts=False)
def _gather_ngrams(data, i, first, end, minn, maxn, divider, buckets, rows, n):
    """Append to rows[:n], as ~bucket, the n-grams of data[first:end] that begin at the SLICE characters from byte i on.

    data[first:end] is a word with its brackets, and a bracket alone is no n-gram. Returns (where it stopped, new n).
    """
    characters = np.int64(0)
    while i < end and characters < SLICE:
        h = _BASIS
        j, length, after = i, np.int64(0), i + 1
        while j < end and length < maxn:
            h = _step(h, data[np.uint64(j)])  # signed positions are checked
            j += 1
            while j < end and data[np.uint64(j)] & 0xC0 == 0x80:
                h = _step(h, data[np.uint64(j)])
                j += 1
            length += 1
            if length == 1:
                after = j
                if i == first or j == end:
                    continue
            if length >= minn:
                bucket = np.int64(_remainder(h, divider))
                rows[n] = ~bucket
                n += _is_kept(bucket, buckets)
        i = after
        characters += 1
    return i, n


@njit(cache=True, nogil=True, counts=False)
def _gather_word_ngrams(hashes, i, end, size, buckets, rows, n):
    """Gather the rows of the runs of two and more words that begin with word i and end before `end`."""
    h = np.uint64(np.int64(hashes[i]))
    for j in range(i + 1, end):
        h = h * np.uint64(116049371) + np.uint64(np.int64(hashes[j]))
        bucket = np.int64(h % np.uint64(size))
        rows[n] = ~bucket
        n += _is_kept(bucket, buckets)
    return n


@njit(cache=True, nogil=True, counts=False)
def _read_words(data, i, end, words):
    """Fill FIRST, LAST and HASH of `words` with the words from byte i on; return how many there are."""
    n = np.int64(0)
    while n < len(words):
        while i < end and _separates(data[np.uint64(i)]):  # signed positions are checked
            i += 1
        if i >= end:
            break
        first, h = i, _BASIS
        while i < end and not _separates(data[np.uint64(i)]):
            h = _step(h, data[np.uint64(i)])
            i += 1
        words[n, FIRST], words[n, LAST], words[n, HASH] = first, i, np.int64(h)
        n += 1
    return n


@njit(cache=True, nogil=True, counts=False)
def _look_up(data, words, n, network):
    """Fill the column ENTRY of the first n words.

    The tables lie in far caches. What the search for a word reads first is read for all words before, so that the
    processor waits for all of it at once; the same goes for the word's first row, which `mean_row` reads.
    """
    vocabulary, offsets, slots = network.vocabulary, network.vocabulary_offsets, network.slots
    word_rows, row_offsets = network.word_rows, network.word_row_offsets
    mask = len(slots) - 1
    for word in range(n):
        words[word, ENTRY] = slots[words[word, HASH] & mask]
    for word in range(n):
        words[word, TOUCHED] = vocabulary[offsets[max(words[word, ENTRY], 0)]]
    for word in range(n):
        entry = _find(data, words[word, FIRST], words[word, LAST], words[word, HASH], vocabulary, offsets, slots)
        words[word, ENTRY] = entry
        words[word, TOUCHED] = row_offsets[min(max(entry, 0), len(row_offsets) - 1)]
    for word in range(n if len(word_rows) else 0):
        words[word, TOUCHED] = word_rows[min(words[word, TOUCHED], len(word_rows) - 1)]


@njit(cache=True, nogil=True, counts=False)
def sum_words(data, start, end, network, scratch, hashes, n_both, n_first):
    """Write the sum of the rows of the words in data[start:end], and of the text's end, to scratch.mean.

    A newline counts as a space. data must be the caller's own, with a byte before `start` and one at `end`: the
    brackets of words are put in and taken out.

    Args:
        data, start, end: the text.
        network: of a model, or of two (`fasttext.pair`).
        scratch: see Scratch.
        hashes: int32, filled with the words' hashes if the model has word n-grams, with room for each word and one.
        n_both, n_first: see Halves; n_words for a single model.

    Returns:
        (how many rows there are, hashes, words of the first model alone, words of the second alone).
    """
    # Each field is read once: numba counts a reference whenever one is.
    n_words, word_rows, row_offsets = network.n_words, network.word_rows, network.word_row_offsets
    buckets, ranks, matrix, codes = network.buckets, network.ranks, network.matrix, network.codes
    centroids, norms = network.centroids, network.norms
    minn, maxn, size = network.minn, network.maxn, network.bucket
    divider = np.uint64(size), np.uint64(network.factor), np.uint64(network.shift_one), np.uint64(network.shift_two)
    rows, mean, words = scratch.rows, scratch.mean, scratch.words
    has_ngrams = maxn > 0 and network.has_buckets != 0
    has_hashes = network.word_ngrams > 1 and network.has_buckets != 0
    full = len(rows) - scratch.step
    for k in range(len(mean)):
        mean[k] = 0
    n = count = n_hashes = word = n_read = of_first = of_second = np.int64(0)
    # i: where the next word is looked for; part: where the next slice of a word's n-grams begins, `i` if none is left.
    i = part = first = start
    before = behind = np.uint8(0)
    while True:
        if n > full:
            add_rows(rows, n, n_words, buckets, ranks, matrix, codes, centroids, norms, mean)
            count += n
            n = np.int64(0)
        if part < i:
            part, n = _gather_ngrams(data, part, first - 1, i + 1, minn, maxn, divider, buckets, rows, n)
            if part >= i:  # from the closing bracket on there is no n-gram
                data[first - 1], data[i] = before, behind
            continue
        if word == n_read:
            n_read, word = _read_words(data, i, end, words), np.int64(0)
            if n_read == 0:
                break
            _look_up(data, words, n_read, network)
        first, i, h, entry = words[word, FIRST], words[word, LAST], words[word, HASH], words[word, ENTRY]
        word += 1
        part = i
        if h == _END_HASH and _is_end(data, first, i):
            break
        if entry >= n_words or (entry < 0 and _is_label(data, first, i)):
            continue
        if has_hashes:
            hashes[n_hashes] = np.int32(h)
            n_hashes += 1
        if entry >= 0:
            of_first += n_both <= entry < n_first
            of_second += entry >= n_first
            for k in range(row_offsets[entry], row_offsets[entry + 1]):
                rows[n] = word_rows[k]
                n += 1
        elif has_ngrams:
            before, behind = data[first - 1], data[i]
            data[first - 1], data[i] = _OPEN, _CLOSE
            part = first - 1
    if network.end_word >= 0:
        rows[n] = network.end_word
        n += 1
    if has_hashes:
        hashes[n_hashes] = np.int32(np.int64(_END_HASH))
        n_hashes += 1
    add_rows(rows, n, n_words, buckets, ranks, matrix, codes, centroids, norms, mean)
    return count + n, n_hashes, of_first, of_second


@njit(cache=True, nogil=True, counts=False)
def sum_word_ngrams(network, scratch, hashes, n_hashes):
    """Add the rows of the runs of words to scratch.mean, by the hashes of the words; return how many there are."""
    n_words, size, longest = network.n_words, network.bucket, network.word_ngrams
    buckets, ranks, matrix, codes = network.buckets, network.ranks, network.matrix, network.codes
    centroids, norms = network.centroids, network.norms
    rows, mean = scratch.rows, scratch.mean
    full = len(rows) - scratch.step
    n = count = np.int64(0)
    for begin in range(n_hashes):
        if n > full:
            add_rows(rows, n, n_words, buckets, ranks, matrix, codes, centroids, norms, mean)
            count += n
            n = np.int64(0)
        n = _gather_word_ngrams(hashes, begin, min(n_hashes, begin + longest), size, buckets, rows, n)
    add_rows(rows, n, n_words, buckets, ranks, matrix, codes, centroids, norms, mean)
    return count + n


@njit(cache=True, nogil=True, counts=False)
def divide(total, count):
    """Turn the sum of so many rows into their mean."""
    share = np.float32(1.0 / count)
    for k in range(len(total)):
        total[k] *= share


@njit(cache=True, nogil=True, counts=False)
def mean_row(data, start, end, network, scratch, hashes):
    """Write the mean of the rows of the text data[start:end] to scratch.mean; return how many rows there are.

    Arguments: those of `sum_words`.
    """
    n_words = network.n_words
    count, n_hashes, _, _ = sum_words(data, start, end, network, scratch, hashes, n_words, n_words)
    count += sum_word_ngrams(network, scratch, hashes, n_hashes)
    if count:
        divide(scratch.mean, count)
    return count


@njit(cache=True, nogil=True, counts=False)
def _word_rows(network, scratch, text, offsets, out):
    """Fill `offsets` and, as far as it reaches, `out`; return how many rows there are."""
    vocabulary, starts, buckets, ranks = network.vocabulary, network.vocabulary_offsets, network.buckets, network.ranks
    minn, maxn, size = network.minn, network.maxn, network.bucket
    divider = np.uint64(size), np.uint64(network.factor), np.uint64(network.shift_one), np.uint64(network.shift_two)
    rows = scratch.rows
    has_ngrams = maxn > 0 and network.has_buckets != 0
    total = np.int64(0)
    for word in range(network.n_words):
        offsets[word] = total
        rows[0] = word
        n, part, end = np.int64(1), np.int64(0), starts[word + 1] - starts[word] + 2
        text[0], text[end - 1] = _OPEN, _CLOSE
        for k in range(starts[word], starts[word + 1]):
            text[k - starts[word] + 1] = vocabulary[k]
        while has_ngrams and word != network.end_word and part < end:
            part, n = _gather_ngrams(text, part, np.int64(0), end, minn, maxn, divider, buckets, rows, n)
        resolve(rows, n, network.n_words, buckets, ranks)
        if total + n <= len(out):
            for k in range(n):
                out[total + k] = rows[k]
        total += n
    offsets[network.n_words] = total
    return total


def word_rows(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """(rows, offsets) of each word of the dictionary: its own row, then those of its n-grams."""
    longest = int(np.diff(network.vocabulary_offsets).max(initial=0))
    offsets = np.zeros(network.n_words + 1, np.int64)
    text = np.empty(longest + 2, np.uint8)
    scratch = make_scratch(network, 1, (longest + 2) * (network.maxn - network.minn + 1))
    out = np.empty(_word_rows(network, scratch, text, offsets, np.empty(0, np.int32)), np.int32)
    _word_rows(network, scratch, text, offsets, out)
    return out, offsets
