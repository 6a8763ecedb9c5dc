"""Test sets as one index, and every document measured against every item (paper, appendix A.1; GPT-3, appendix C)."""

from __future__ import annotations

import json
import mmap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.contamination import match
from massivetext.contamination.align import aligned_words
from massivetext.contamination.index import LEAST_WORDS, Arrays, all_postings, build
from massivetext.contamination.items import TestSet, read_items
from massivetext.contamination.words import Words, located_words
from massivetext.contamination.words import words as words_of
from massivetext.errors import OutputError
from massivetext.text import Texts
from massivetext.text.hashing import HASH_VERSION

__all__ = ["Members", "TestSets"]

LEAST_ALIGNMENT = 0.5
"""Of an alignment or passage of less, item and span are not named: nearly every long text shares a few words with some
item."""

_MAGIC = b"massivetext testsets 2\n"
_ALIGNMENT = 64
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Members:
    """One set within an index. first: number of its first item among all. n_items: its items. n_short: those of under
    8 words; n_unknown: those with an unknown word in every shingle. Both are searched for by neither measure."""

    name: str
    first: int
    n_items: int
    n_short: int
    n_unknown: int

    @property
    def n_searched(self) -> int:
        return self.n_items - self.n_short - self.n_unknown


class TestSets:
    """Items of test sets in one inverted index.

    Made by `read`, kept with `save`, and mapped by `open`, so that all workers of a machine share one copy; pickles as
    its path where it was opened.
    """

    __test__ = False

    def __init__(self, arrays: Arrays, members: tuple[Members, ...], path: str | None = None) -> None:
        self.arrays = arrays
        self.members = members
        self.path = path
        self._firsts = np.array([m.first for m in members], np.int64)

    @classmethod
    def read(cls, sets: str | TestSet | Mapping[str, Any] | Iterable[str | TestSet | Mapping[str, Any]]) -> TestSets:
        """From entries of a recipe ({name, path, text, unit, preset}; see TestSet), or from paths alone, whose layout
        is then guessed (TestSet.guess). Raises RecipeError or SourceError, naming what cannot be read."""
        entries = [sets] if isinstance(sets, str | TestSet | Mapping) else sets
        testsets: list[TestSet] = []
        for entry in entries:
            if isinstance(entry, str) or hasattr(entry, "__fspath__"):
                testsets += [TestSet.guess(path) for path in storage.find(str(entry)) or [str(entry)]]
            else:
                testsets.append(TestSet.of(entry))
        counts: list[int] = []
        arrays = build(_item_words(testsets, counts))
        members = []
        first = 0
        for testset, n in zip(testsets, counts):
            n_words, n_shingles = (a[first : first + n] for a in (arrays.n_words, arrays.n_shingles))
            short = n_words < LEAST_WORDS
            members.append(
                Members(testset.name, first, n, int(short.sum()), int(np.count_nonzero(~short & (n_shingles == 0))))
            )
            first += n
        return cls(arrays, tuple(members))

    def save(self, path: str) -> None:
        """One file: a line of magic, a line of JSON, then the arrays, each at a multiple of 64 bytes. The same items
        give the same bytes."""
        layout, offset = [], 0
        for name, array in zip(Arrays._fields, self.arrays):
            layout.append([name, array.dtype.str, len(array), offset])
            offset += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
        header = {"hash_version": HASH_VERSION, "sets": [asdict(m) for m in self.members], "arrays": layout}
        head = _MAGIC + json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        head += b" " * (-(len(head) + 1) % _ALIGNMENT) + b"\n"
        with storage.open_output(path) as stream:
            stream.write(head)
            for array in self.arrays:
                stream.write(memoryview(array))  # type: ignore[arg-type]
                stream.write(bytes(-array.nbytes % _ALIGNMENT))

    @classmethod
    def open(cls, path: str) -> TestSets:
        """What `save` wrote, mapped into memory (from an object store: read). Raises OutputError for another file."""
        data: Any
        if storage.is_remote(path):
            data = storage.read_bytes(path)
        else:
            with storage.open_input(path) as stream:
                size = storage.size(path)
                data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
        start = len(_MAGIC)
        end = data.find(b"\n", start)
        if data[:start] != _MAGIC or end < 0:
            raise OutputError(f"{path}: not an index of test sets of this version; make it again")
        header = json.loads(data[start:end])
        if header["hash_version"] != HASH_VERSION:
            raise OutputError(
                f"{path}: this index of test sets has version {header['hash_version']} of the hashes, this release has "
                f"{HASH_VERSION}; delete the file and run the command again, which makes it anew"
            )
        found = {}
        for name, dtype, n, offset in header["arrays"]:
            kind = np.dtype(dtype)
            if end + 1 + offset + n * kind.itemsize > len(data):
                raise OutputError(f"{path}: cut short; make it again")
            array = np.frombuffer(data, kind, n, end + 1 + offset)
            array.flags.writeable = False
            found[name] = array
        return cls(Arrays(**found), tuple(Members(**m) for m in header["sets"]), path)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is not None:
            return TestSets.open, (self.path,)
        return TestSets, (self.arrays, self.members)

    @property
    def n_items(self) -> int:
        return len(self.arrays.n_words)

    @property
    def nbytes(self) -> int:
        """Bytes of the index in memory or in its file."""
        return sum(array.nbytes for array in self.arrays)

    def name_items(self, items: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """(test_set: string[n], test_item: int64[n]) of items numbered through all sets; null where negative."""
        if not self.members:
            return pa.nulls(len(items), pa.string()), pa.nulls(len(items), pa.int64())
        missing = items < 0
        # The last set that starts at or before the item; an empty set starts where the next one does.
        of = np.maximum(np.searchsorted(self._firsts, items, side="right") - 1, 0)
        names = pa.array([m.name for m in self.members], pa.string())
        return (
            names.take(pa.array(of, pa.int64(), mask=missing)),
            pa.array(items - self._firsts[of], pa.int64(), mask=missing),
        )

    def measure(self, texts: Texts, *, words: Words | None = None, align: bool = True) -> pa.RecordBatch:
        """One row per text:

        contamination_jaccard: float64, the largest J of shingle sets with one item.
        contamination_containment: float64, the largest share of one item's distinct shingles that stands in the text;
            for items of 8 to 12 words 1 if their words stand in it in a row, else 0.
        test_set, test_item: string, int64: the item of that containment (ties: the first set, the first item), by its
            number within the set from 0; null if no shingle of any item stands in the text.
        test_items_hit: int64, items of which at least one shingle stands in the text.
        test_span: string, `start:end` in characters of each stretch that shingles of that item cover, joined by commas.
        contamination_jaccard_set, contamination_jaccard_item: the item of the largest J.
        contamination_alignment: float64, for items of 8 to 512 words, the largest share of one item's words that stand
            in the text in their order, other words between them allowed, within a stretch a quarter longer on both
            sides. Looked for where text and item share an 8-gram (5-gram for items of up to 15 words).
        contamination_alignment_set, _item, _span: the item of that, and where; null where it is under .5.
        contamination_passage: float64, the same for passages of items: 32 words, one every 16 words; an item of up to
            32 words is its own passage. What a page holds of an item that it quotes in part.
        contamination_passage_set, _item, _span: the item of that, and each stretch where its passages stand by at least
            .5; null where it is under .5.

        words: the normalised words of the texts, if a pass has them already. align: without, the alignment and the
        passage are 0.
        """
        found = words_of(texts) if words is None else words
        values, which, n_hit, window = match.match(found.hashes, found.bounds, self.arrays, align)
        which[values < [0, 0, LEAST_ALIGNMENT, LEAST_ALIGNMENT]] = -1
        spans = self._spans(texts, which, window)
        columns: dict[str, Any] = {
            "contamination_jaccard": pa.array(values[:, 0]),
            "contamination_containment": pa.array(values[:, 1]),
        }
        columns["test_set"], columns["test_item"] = self.name_items(which[:, 1])
        columns["test_items_hit"] = pa.array(n_hit)
        columns["test_span"] = spans[0]
        names = ("contamination_jaccard_set", "contamination_jaccard_item")
        columns[names[0]], columns[names[1]] = self.name_items(which[:, 0])
        for at, name in ((2, "contamination_alignment"), (3, "contamination_passage")):
            columns[name] = pa.array(values[:, at])
            columns[f"{name}_set"], columns[f"{name}_item"] = self.name_items(which[:, at])
            columns[f"{name}_span"] = spans[at - 1]
        return pa.RecordBatch.from_pydict(columns)

    def _spans(self, texts: Texts, which: np.ndarray, window: np.ndarray) -> list[pa.Array]:
        """Where the items of containment, alignment and passage stand."""
        spans: list[list[str | None]] = [[None] * len(which) for _ in range(3)]
        for i in np.flatnonzero((which[:, 1:] >= 0).any(axis=1)):
            hashes, _, starts, ends, _ = located_words(texts[int(i)].as_py())
            if which[i, 1] >= 0:
                spans[0][i] = _joined(match.covered_words(hashes, self.arrays, which[i, 1:2]), starts, ends)
            if which[i, 2] >= 0:
                spans[1][i] = f"{starts[window[i, 0]]}:{ends[window[i, 1] - 1]}"
            if which[i, 3] >= 0:
                spans[2][i] = _joined(aligned_words(hashes, self.arrays, which[i, 3], LEAST_ALIGNMENT), starts, ends)
        return [pa.array(span, pa.string()) for span in spans]

    def spans(self, text: str, *, containment: float = 0.8, dropped: np.ndarray | None = None) -> list[tuple[int, int]]:
        """Where shingles of any item stand of which the text holds at least that share: (start, end) in characters,
        ascending, apart. What removal of spans cuts. dropped: shingles that count for nothing (uint64, ascending)."""
        hashes, _, starts, ends, _ = located_words(text)
        _, shingles = match.hits_of(hashes, np.array([0, len(hashes)]), self.arrays)
        n_shingles = self.arrays.n_shingles
        if dropped is not None and len(dropped):
            shingles = shingles[~np.isin(shingles, dropped)]
            n_shingles = n_shingles.astype(np.int64)
            np.subtract.at(n_shingles, self.items_of(dropped)[0], 1)
        items, counts = np.unique(self.items_of(shingles)[0], return_counts=True)
        chosen = items[counts / n_shingles[items] >= containment]
        return _stretches(match.covered_words(hashes, self.arrays, chosen), starts, ends)

    def items_of(self, shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(item: int64[m], index of its shingle: int64[m]) of all items that have the given shingles."""
        low, end = all_postings(self.arrays, np.asarray(shingles, np.uint64))
        runs = end - low
        of = np.repeat(np.arange(len(shingles)), runs)
        at = np.arange(len(of)) - np.repeat(np.cumsum(runs) - runs, runs) + low[of]
        return self.arrays.items[at].astype(np.int64), of

    def items_in(self, rows: np.ndarray, shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row: int64[m], item: int64[m], shingles: int64[m]): how many shingles of which item stand in which document,
        by row, then item; from `match.hits_of`."""
        items, of = self.items_of(shingles)
        row = rows[of]
        order = np.lexsort((items, row))
        row, items = row[order], items[order]
        if not len(row):
            return row, items, row
        starts = np.flatnonzero(np.r_[True, (row[1:] != row[:-1]) | (items[1:] != items[:-1])])
        return row[starts], items[starts], np.diff(np.r_[starts, len(row)])

    def matched(self, text: str, item: int) -> str:
        """`start:end` in characters of each stretch of the text that shingles of one item cover, joined by commas."""
        hashes, _, starts, ends, _ = located_words(text)
        return _joined(match.covered_words(hashes, self.arrays, np.array([item])), starts, ends)


def _item_words(testsets: list[TestSet], counts: list[int]) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Words of items in batches; appends the number of items of each set as it ends."""
    for testset in testsets:
        items = read_items(testset)
        n = 0
        while batch := list(islice(items, _BATCH)):
            located = [_searched_words(item.text) for item in batch]
            yield (
                np.concatenate([hashes for hashes, _ in located]),
                np.concatenate([unknown for _, unknown in located]),
                np.cumsum([0, *(len(hashes) for hashes, _ in located)]),
            )
            n += len(batch)
        counts.append(n)


def _searched_words(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Hashes of an item's words, and which of them are unknown; none of an item that is left out of the search.

    Left out are items with fewer than LEAST_WORDS telling words: those of two letters and more, or of a script without
    spaces. Rows of numbers and single letters occur everywhere, and would remove documents that hold no test item.
    """
    words = located_words(text)
    n = len(words.hashes) if np.count_nonzero(words.telling) >= LEAST_WORDS else 0
    return words.hashes[:n], words.unknown[:n]


def _joined(covered: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> str:
    return ",".join(f"{a}:{b}" for a, b in _stretches(covered, starts, ends))


def _stretches(covered: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) in characters of each run of covered words."""
    edges = np.diff(np.r_[False, covered, False].astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return [(int(a), int(b)) for a, b in zip(starts[first], ends[last])]
