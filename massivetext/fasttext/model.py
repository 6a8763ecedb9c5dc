"""Read a fastText model file (.bin or .ftz) into the arrays that the kernels take.

The layout, all little-endian: magic and version (int32); the arguments of training (twelve int32, one float64); the
dictionary (four counts, the entries, the pruned buckets); then the input and the output matrix, plain or quantised. A
plain matrix is used where it lies in the file, memory-mapped; a quantised one is expanded to float32 where that takes
at most EXPANDED bytes and else used by its codes.
"""

from __future__ import annotations

import functools
import mmap
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

__all__ = [
    "HIERARCHICAL",
    "ONE_VERSUS_ALL",
    "SOFTMAX",
    "LastLayer",
    "Model",
    "Network",
    "aligned",
    "dictionary_fields",
    "load",
    "read",
    "with_tables",
]

MAGIC = 793712314
VERSIONS = (11, 12)
SUPERVISED = 3
HIERARCHICAL, NEGATIVE, SOFTMAX, ONE_VERSUS_ALL = 1, 2, 3, 4
"""fastText's numbers of the loss; negative sampling answers as one-versus-all does."""
LABEL = "__label__"
END = b"</s>"
CENTROIDS = 256
EXPANDED = 256 * 2**20
"""Bytes up to which a quantised input matrix is expanded when it is read."""
CACHE_LINE = 64
"""Bytes that a processor reads from memory at once."""
_ARGUMENTS = (
    "dim",
    "ws",
    "epoch",
    "min_count",
    "neg",
    "word_ngrams",
    "loss",
    "model",
    "bucket",
    "minn",
    "maxn",
    "rate",
)
_ENTRY = struct.Struct("<qb")
_LIMIT = 2**31 - 1


class LastLayer(NamedTuple):
    """From the mean of a text's rows to its labels: read-only arrays.

    output: float32[labels, dim]. left, right: int32[2 * labels - 1], the children of each node of the Huffman tree, -1
    at its leaves; empty unless the loss is hierarchical softmax. sigmoid: float32[513], fastText's table.
    """

    output: np.ndarray
    left: np.ndarray
    right: np.ndarray
    sigmoid: np.ndarray
    loss: int


class Network(NamedTuple):
    """What the kernels need of a model: read-only arrays, and sizes as int64.

    vocabulary: uint8, the entries' bytes and a zero; vocabulary_offsets: int64[entries + 1]; the first n_words entries
    are words, the others labels. slots: int32[2^k], entry of each slot of a hash table, -1 if empty.
    word_rows: int32, for each word its own row and then those of its n-grams; word_row_offsets: int64[n_words + 1].
    buckets: uint64[bucket / 64 + 1], a bit for each bucket that has a row; ranks: int32, how many buckets have one
    before each 64; both empty for a model whose buckets were not pruned. has_buckets: 0 if none has a row.
    factor, shift_one, shift_two: what division by `bucket` is done with, see `divider`.
    matrix: float32[rows, dim], or float32[0, dim] with codes: uint8[rows, parts], centroids: float32[parts, 256, width]
    (the last part may be narrower: zeros fill it), norms: float32[rows].
    last: from the mean of rows to labels. end_word: the row of `</s>`, which ends each text, -1 if there is none.
    """

    vocabulary: np.ndarray
    vocabulary_offsets: np.ndarray
    slots: np.ndarray
    word_rows: np.ndarray
    word_row_offsets: np.ndarray
    buckets: np.ndarray
    ranks: np.ndarray
    matrix: np.ndarray
    codes: np.ndarray
    centroids: np.ndarray
    norms: np.ndarray
    last: LastLayer
    n_words: int
    bucket: int
    has_buckets: int
    factor: int
    shift_one: int
    shift_two: int
    minn: int
    maxn: int
    word_ngrams: int
    end_word: int


@dataclass(frozen=True)
class Model:
    """A classifier: its arrays and its labels, without `__label__`, in the model's order."""

    network: Network
    labels: tuple[str, ...]


class _Reader:
    """The bytes of a file, taken from front to back. Raises ValueError where they end too early."""

    def __init__(self, data: mmap.mmap | bytes) -> None:
        self.data = data
        self._bytes = np.frombuffer(data, np.uint8)
        self.at = 0

    def bytes(self, count: int) -> np.ndarray:
        if not 0 <= count <= len(self._bytes) - self.at:
            raise ValueError(f"ends early: {count} bytes are wanted at byte {self.at} of {len(self._bytes)}")
        self.at += count
        return self._bytes[self.at - count : self.at]

    def array(self, kind: Any, count: int) -> np.ndarray:
        """Values as they lie in the file, or a copy where they are not aligned."""
        wanted = np.dtype(kind)
        data = self.bytes(count * wanted.itemsize)
        if data.ctypes.data % wanted.itemsize:
            data = data.copy()
        return data.view(wanted)

    def number(self, kind: Any) -> int:
        return int(self.array(kind, 1)[0])


@functools.lru_cache(maxsize=8)
def _load(path: str, stamp: tuple[int, int, int]) -> Model:
    return read(path)


def load(path: str | os.PathLike[str]) -> Model:
    """Return the model of a file, read once in this process until the file changes.

    Raises FileNotFoundError for a path without a file and ValueError for a file that is no supervised fastText model.
    """
    state = os.stat(path)
    return _load(os.fspath(path), (state.st_mtime_ns, state.st_size, state.st_ino))


def read(path: str | os.PathLike[str], *, expanded: int = EXPANDED) -> Model:
    """Read a model file.

    Args:
        path: a .bin or .ftz file on this machine.
        expanded: bytes up to which a quantised input matrix is expanded to float32.

    Returns:
        The model, its arrays read-only.

    Raises:
        ValueError: the file is damaged, or is no model that classifies.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no file at {str(path)!r}")
    with open(path, "rb") as stream:
        # The mapping lives as long as an array of the model lies in it.
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if os.path.getsize(path) else b""
    reader = _Reader(data)
    arguments = _read_arguments(reader)
    entries, counts, n_words, pruned = _read_dictionary(reader)
    n_labels = len(entries) - n_words
    dim = arguments["dim"]
    order = np.argsort(pruned[:, 0], kind="stable") if pruned is not None else np.zeros(0, np.int64)
    n_rows = n_words + (arguments["bucket"] if pruned is None else len(order))
    quantised = bool(reader.number(np.uint8))
    # Rows of buckets are put in the order of their buckets, so that the rank of a bucket's bit is its row.
    rows = np.concatenate([np.arange(n_words), n_words + pruned[order, 1]]) if pruned is not None and n_words else None
    matrix, codes, centroids, norms = _read_input(reader, quantised, n_rows, dim, rows, expanded)
    output = _read_output(reader, quantised, n_labels, dim)
    left, right = build_tree(counts[n_words:]) if arguments["loss"] == HIERARCHICAL else (_none(), _none())
    none = np.zeros(0, np.uint64), np.zeros(0, np.int32)
    buckets, ranks = none if pruned is None else _bucket_bits(pruned[order, 0], arguments["bucket"])
    factor, shift_one, shift_two = divider(max(1, arguments["bucket"]))
    network = Network(
        **dictionary_fields(entries, n_words),
        buckets=buckets,
        ranks=ranks,
        matrix=matrix,
        codes=codes,
        centroids=centroids,
        norms=norms,
        last=LastLayer(output, left, right, _sigmoid_table(), arguments["loss"]),
        bucket=max(1, arguments["bucket"]),
        has_buckets=int(arguments["bucket"] > 0 and (pruned is None or len(pruned) > 0)),
        factor=factor,
        shift_one=shift_one,
        shift_two=shift_two,
        minn=arguments["minn"],
        maxn=arguments["maxn"],
        word_ngrams=arguments["word_ngrams"],
        end_word=entries.index(END) if END in entries[:n_words] else -1,
    )
    labels = tuple(entry.decode("utf-8", "replace").removeprefix(LABEL) for entry in entries[n_words:])
    return Model(with_tables(network), labels)


def _read_arguments(reader: _Reader) -> dict[str, int]:
    if reader.number(np.int32) != MAGIC:
        raise ValueError("does not begin as a fastText model")
    version = reader.number(np.int32)
    if version not in VERSIONS:
        raise ValueError(f"is of version {version} of the format; expected one of {VERSIONS}")
    arguments = dict(zip(_ARGUMENTS, reader.array(np.int32, len(_ARGUMENTS)).tolist()))
    reader.number(np.float64)
    if arguments["model"] != SUPERVISED:
        raise ValueError("holds word vectors; expected a model that classifies (trained with `supervised`)")
    if version == 11:
        arguments["maxn"] = 0
    for name, least, most in (
        ("dim", 1, 1 << 16),
        ("bucket", 0, _LIMIT),
        ("loss", HIERARCHICAL, ONE_VERSUS_ALL),
        ("word_ngrams", 0, 1 << 16),
        ("minn", 0, 1 << 16),
        ("maxn", 0, 1 << 16),
    ):
        if not least <= arguments[name] <= most:
            raise ValueError(f"has {name} = {arguments[name]}; expected {least} to {most}")
    return arguments


def _read_dictionary(reader: _Reader) -> tuple[list[bytes], list[int], int, np.ndarray | None]:
    """(entries, words first; their counts; number of words; (bucket, row) of pruned buckets or None)."""
    size, n_words, n_labels = (reader.number(np.int32) for _ in range(3))
    reader.number(np.int64)
    n_pruned = reader.number(np.int64)
    if size != n_words + n_labels or n_words < 0 or n_labels < 1:
        raise ValueError(f"has {size} entries in its dictionary for {n_words} words and {n_labels} labels")
    entries, counts = [], []
    data, at = reader.data, reader.at
    for i in range(size):
        end = data.find(b"\0", at)
        if end < 0 or end + _ENTRY.size >= len(data):
            raise ValueError(f"ends early: in entry {i} of the {size} of its dictionary")
        count, kind = _ENTRY.unpack_from(data, end + 1)
        if kind != int(i >= n_words):
            raise ValueError(f"entry {i} of its dictionary is of the wrong kind; expected all words before all labels")
        entries.append(data[at:end])
        counts.append(count)
        at = end + 1 + _ENTRY.size
    reader.at = at
    if n_pruned < 0:
        return entries, counts, n_words, None
    pruned = reader.array(np.int32, 2 * n_pruned).reshape(-1, 2).astype(np.int64)
    buckets = np.sort(pruned[:, 0])  # np.unique takes ten times as long
    if n_pruned and not (
        0 <= pruned.min() and pruned[:, 1].max() < n_pruned and bool((buckets[1:] != buckets[:-1]).all())
    ):
        raise ValueError("has pruned buckets that name no row")
    return entries, counts, n_words, pruned


def _read_input(
    reader: _Reader, quantised: bool, n_rows: int, dim: int, order: np.ndarray | None, expanded: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(matrix, codes, centroids, norms) of Network, the rows in `order`."""
    no_codes = np.zeros((0, 0), np.uint8), np.zeros((0, CENTROIDS, 0), np.float32), np.zeros(0, np.float32)
    if not quantised:
        if order is not None:
            raise ValueError("has pruned buckets and a plain matrix, which fastText does not read either")
        return _read_plain(reader, n_rows, dim), *no_codes
    codes, centroids, norms = _read_quantised(reader, n_rows, dim)
    if order is not None:
        codes, norms = codes[order], norms[order]
    if n_rows * dim * 4 > expanded:
        return np.zeros((0, dim), np.float32), codes, centroids, norms
    return _expand(codes, centroids, norms, dim), *no_codes


def _read_output(reader: _Reader, quantised: bool, n_rows: int, dim: int) -> np.ndarray:
    if reader.number(np.uint8) and quantised:
        return _expand(*_read_quantised(reader, n_rows, dim), dim)
    return _read_plain(reader, n_rows, dim)


def _read_plain(reader: _Reader, n_rows: int, dim: int) -> np.ndarray:
    shape = reader.number(np.int64), reader.number(np.int64)
    if shape != (n_rows, dim):
        raise ValueError(f"has a matrix of {shape[0]} x {shape[1]}; expected {n_rows} x {dim}")
    return reader.array(np.float32, n_rows * dim).reshape(n_rows, dim)


def _read_quantised(reader: _Reader, n_rows: int, dim: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(codes, centroids, norms) of Network."""
    has_norms = bool(reader.number(np.uint8))
    shape = reader.number(np.int64), reader.number(np.int64)
    if shape != (n_rows, dim):
        raise ValueError(f"has a quantised matrix of {shape[0]} x {shape[1]}; expected {n_rows} x {dim}")
    code_size = reader.number(np.int32)
    codes = reader.bytes(code_size)
    centroids = _read_centroids(reader, dim)
    if code_size != n_rows * len(centroids):
        raise ValueError(f"has {code_size} codes for {n_rows} rows of {len(centroids)}")
    norms = np.ones(n_rows, np.float32)
    if has_norms:
        norm_codes = reader.bytes(n_rows)
        norms = _read_centroids(reader, 1)[0, :, 0][norm_codes]
    return codes.reshape(n_rows, len(centroids)), centroids, norms


def _read_centroids(reader: _Reader, dim: int) -> np.ndarray:
    """float32[parts, 256, width]; the last part may be narrower."""
    whole, n_parts, width, last = reader.array(np.int32, 4).tolist()
    if whole != dim or n_parts < 1 or not 1 <= last <= width or (n_parts - 1) * width + last != dim:
        raise ValueError(f"has a quantiser of {n_parts} parts of {width} and {last} for {dim} columns")
    values = reader.array(np.float32, dim * CENTROIDS)
    result = np.zeros((n_parts, CENTROIDS, width), np.float32)
    full = (n_parts - 1) * CENTROIDS * width
    result[:-1] = values[:full].reshape(n_parts - 1, CENTROIDS, width)
    result[-1, :, :last] = values[full:].reshape(CENTROIDS, last)
    return result


def _expand(codes: np.ndarray, centroids: np.ndarray, norms: np.ndarray, dim: int) -> np.ndarray:
    n_parts, _, width = centroids.shape
    result = np.empty((len(codes), n_parts * width), np.float32)
    for part in range(n_parts):
        result[:, part * width : (part + 1) * width] = centroids[part][codes[:, part]]
    scaled = aligned(len(codes), dim)
    np.multiply(result[:, :dim], norms[:, None], out=scaled)
    return scaled


def aligned(n_rows: int, dim: int) -> np.ndarray:
    """An array for float32[n_rows, dim] that begins at a cache line: a row of 16 values lies in one, not in two."""
    size = n_rows * dim * 4
    memory = np.empty(size + CACHE_LINE, np.uint8)
    first = -memory.ctypes.data % CACHE_LINE
    return memory[first : first + size].view(np.float32).reshape(n_rows, dim)


def _bucket_bits(kept: np.ndarray, bucket: int) -> tuple[np.ndarray, np.ndarray]:
    """`buckets` and `ranks` of Network for the sorted numbers of the buckets that have a row."""
    if len(kept) and kept[-1] >= bucket:
        raise ValueError(f"has a row for bucket {kept[-1]} of {bucket}")
    bits = np.zeros(bucket // 64 + 1, np.uint64)
    np.bitwise_or.at(bits, kept >> 6, np.uint64(1) << (kept & 63).astype(np.uint64))
    counts = np.bincount(kept >> 6, minlength=len(bits))
    return bits, (np.cumsum(counts) - counts).astype(np.int32)


def build_tree(counts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Children of each node of the Huffman tree over labels sorted by falling count, as fastText builds it."""
    n = len(counts)
    weights = [*counts, *[10**15] * (n - 1)]
    left, right = np.full(2 * n - 1, -1, np.int32), np.full(2 * n - 1, -1, np.int32)
    leaf, inner = n - 1, n
    for node in range(n, 2 * n - 1):
        pair = []
        for _ in range(2):
            if leaf >= 0 and weights[leaf] < weights[inner]:
                pair.append(leaf)
                leaf -= 1
            else:
                pair.append(inner)
                inner += 1
        left[node], right[node] = pair
        weights[node] = weights[pair[0]] + weights[pair[1]]
    return left, right


def divider(size: int) -> tuple[int, int, int]:
    """(factor, a, b) for dividing h < 2^32 by size: with t = h * factor >> 32 the quotient is t + (h - t >> a) >> b.

    Granlund and Montgomery, "Division by Invariant Integers using Multiplication", 1994, figure 4.1.
    """
    log = (size - 1).bit_length()
    return (((1 << log) - size) << 32) // size + 1, min(log, 1), max(log - 1, 0)


def _sigmoid_table() -> np.ndarray:
    """1 / (1 + exp(-x)) at 513 places from -8 to 8, rounded as fastText does."""
    at = (np.arange(513) * 16).astype(np.float32) / np.float32(512) - np.float32(8)
    powers = np.exp(-at.astype(np.float64)).astype(np.float32)
    return (1.0 / (1.0 + powers.astype(np.float64))).astype(np.float32)


def _none() -> np.ndarray:
    return np.zeros(0, np.int32)


def _read_only(values: Any) -> Any:
    """The same Network or LastLayer, of arrays that cannot be written to."""
    fields = []
    for value in values:
        if isinstance(value, np.ndarray):
            value = np.ascontiguousarray(value).view()
            value.flags.writeable = False
        fields.append(_read_only(value) if isinstance(value, LastLayer) else value)
    return type(values)(*fields)


def dictionary_fields(entries: list[bytes], n_words: int) -> dict[str, Any]:
    """Return the fields of Network that a dictionary has, words first, its tables still empty (`with_tables`)."""
    return {
        "vocabulary": np.frombuffer(b"".join([*entries, b"\0"]), np.uint8),
        "vocabulary_offsets": np.concatenate([[0], np.cumsum([len(entry) for entry in entries])]).astype(np.int64),
        "slots": np.full(1 << max(4, (2 * len(entries)).bit_length()), -1, np.int32),
        "word_rows": np.zeros(0, np.int32),
        "word_row_offsets": np.zeros(n_words + 1, np.int64),
        "n_words": n_words,
    }


def with_tables(network: Network) -> Network:
    """The same with the hash table of the dictionary, and the rows of each word's n-grams, hashed once."""
    from massivetext.fasttext.kernels import fill_slots, word_rows

    fill_slots(network.vocabulary, network.vocabulary_offsets, network.slots)
    network = cast("Network", _read_only(network))
    rows, offsets = word_rows(network)
    return cast("Network", _read_only(network._replace(word_rows=rows, word_row_offsets=offsets)))
