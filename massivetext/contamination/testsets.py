"""Test sets as one index, and every document measured against every item (paper, appendix A.1; GPT-3, appendix C)."""

from __future__ import annotations

import json
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.contamination import match
from massivetext.contamination.align import aligned_words
from massivetext.contamination.bare import BARE_VERSION, bare_words, located_bare_words
from massivetext.contamination.index import LEAST_WORDS, Arrays, Readings, all_postings, build
from massivetext.contamination.items import TestSet, read_items
from massivetext.contamination.words import Located, Words, located_words
from massivetext.contamination.words import words as words_of
from massivetext.dedup.shingles import SHINGLE_WORDS
from massivetext.errors import OutputError
from massivetext.text import Texts
from massivetext.text.hashing import HASH_VERSION

__all__ = ["INDEX_VERSIONS", "Members", "TestSets"]

LEAST_ALIGNMENT = 0.5
"""Of an alignment or passage of less, item and span are not named: nearly every long text shares a few words with some
item."""

Entry = str | os.PathLike[str] | TestSet | Mapping[str, Any]
"""A test set: its path alone, or an entry of a recipe."""

WARNING_RATIO = 10
"""A set is warned of if more than one in this many of its items is not searched for."""

_FORMAT = 4
_MAGIC = b"massivetext testsets %d\n" % _FORMAT
INDEX_VERSIONS = (_FORMAT, HASH_VERSION, BARE_VERSION)
"""An index that was written with others is made anew."""
_ALIGNMENT = 64
_BARE = "bare."
"""What the names of the arrays of bare words begin with in a file."""
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Members:
    """One set within an index. first: number of its first item among all. n_items: its items. n_short: those of under
    8 telling words in every reading; n_unknown: others with an unknown word in every shingle. Both are searched for by
    no measure."""

    name: str
    first: int
    n_items: int
    n_short: int
    n_unknown: int

    @property
    def n_searched(self) -> int:
        return self.n_items - self.n_short - self.n_unknown

    @classmethod
    def count(cls, testset: TestSet) -> Members:
        """Count the items of one set, without making an index of them. Raises as `TestSets.read` does."""
        n_items = n_short = n_unknown = 0
        for item in read_items(testset):
            words = [_searched(located_words(reading)) for reading in item.readings]
            long = [one for one in words if len(one.hashes)]
            n_items += 1
            n_short += not long
            n_unknown += bool(long) and not any(_has_known_shingle(one.unknown) for one in long)
        return cls(testset.name, 0, n_items, n_short, n_unknown)

    def warning(self) -> str | None:
        """Return how many items are not searched for, and why, if that is more than a tenth; or that it has none."""
        if not self.n_items:
            return f"testsets.{self.name}: it has no items, so no document is compared with it; is its path right?"
        n_left_out = self.n_items - self.n_searched
        if n_left_out * WARNING_RATIO <= self.n_items:
            return None
        why = f"{self.n_short:,} have fewer than {LEAST_WORDS} telling words"
        if self.n_unknown:
            why += f", {self.n_unknown:,} an unknown word in every shingle"
        return (
            f"testsets.{self.name}: {n_left_out:,} of {self.n_items:,} items are not searched for ({why}), so "
            f"documents that hold them are kept; a template of more fields, such as the answer, makes items longer"
        )


class TestSets:
    """Items of test sets in one inverted index.

    Made by `read`, kept with `save`, and mapped by `open`, so that all workers of a machine share one copy; pickles as
    its path where it was opened.

    arrays: the index over the readings of items; an item that has one reading is that reading. bare: the index over the
    bare words of the same readings, for alignments alone. members: the sets, in order.
    """

    __test__ = False

    def __init__(self, arrays: Arrays, bare: Arrays, members: tuple[Members, ...], path: str | None = None) -> None:
        self.arrays = arrays
        self.bare = bare
        self.members = members
        self.path = path
        self._firsts = np.array([m.first for m in members], np.int64)
        n_items = members[-1].first + members[-1].n_items if members else 0
        self._first_readings = np.searchsorted(arrays.of_item, np.arange(n_items + 1))

    @classmethod
    def read(cls, sets: Entry | Iterable[Entry]) -> TestSets:
        """From entries of a recipe ({name, path, text, unit, preset}; see TestSet), or from paths alone, whose layout
        is then guessed (TestSet.guess). Raises RecipeError or SourceError, naming what cannot be read."""
        entries = [sets] if isinstance(sets, str | os.PathLike | TestSet | Mapping) else sets
        testsets: list[TestSet] = []
        for entry in entries:
            if isinstance(entry, str | os.PathLike):
                testsets += [TestSet.guess(path) for path in storage.find(str(entry)) or [str(entry)]]
            else:
                testsets.append(TestSet.of(entry))
        kept: list[_Kept] = []
        counts = [0] * len(testsets)
        arrays = build(_readings(testsets, counts, kept))
        bare = build(_bare_readings(kept), shingles=False)
        # An item is short, or unknown, if all of its readings are.
        searched = np.bincount(arrays.of_item[arrays.n_shingles > 0], minlength=sum(counts)) > 0
        long = np.bincount(arrays.of_item[arrays.n_words >= LEAST_WORDS], minlength=sum(counts)) > 0
        members = []
        first = 0
        for testset, n in zip(testsets, counts):
            long_enough, wanted = long[first : first + n], searched[first : first + n]
            n_unknown = np.count_nonzero(long_enough & ~wanted)
            members.append(Members(testset.name, first, n, int(np.count_nonzero(~long_enough)), int(n_unknown)))
            first += n
        return cls(arrays, bare, tuple(members))

    def save(self, path: str | os.PathLike[str]) -> None:
        """One file: a line of magic, a line of JSON, then the arrays, each at a multiple of 64 bytes. The same items
        give the same bytes."""
        path = os.fspath(path)
        layout, offset = [], 0
        for prefix, arrays in (("", self.arrays), (_BARE, self.bare)):
            for name, array in zip(Arrays._fields, arrays):
                layout.append([prefix + name, array.dtype.str, len(array), offset])
                offset += -(-array.nbytes // _ALIGNMENT) * _ALIGNMENT
        header = {
            "hash_version": HASH_VERSION,
            "bare_version": BARE_VERSION,
            "sets": [asdict(m) for m in self.members],
            "arrays": layout,
        }
        head = _MAGIC + json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        head += b" " * (-(len(head) + 1) % _ALIGNMENT) + b"\n"
        with storage.open_output(path) as stream:
            stream.write(head)
            for array in (*self.arrays, *self.bare):
                stream.write(memoryview(array))  # type: ignore[arg-type]
                stream.write(bytes(-array.nbytes % _ALIGNMENT))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> TestSets:
        """What `save` wrote, mapped into memory (from an object store: read). Raises OutputError for another file."""
        path = os.fspath(path)
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
            raise OutputError(f"{path}: not an index of test sets of this version; delete the file and make it again")
        header = json.loads(data[start:end])
        for key, version in (("hash_version", HASH_VERSION), ("bare_version", BARE_VERSION)):
            if header[key] != version:
                raise OutputError(
                    f"{path}: this index of test sets has {key} {header[key]}, this release has {version}; delete the "
                    f"file and run the command again, which makes it anew"
                )
        by_name = {}
        for name, dtype, n, offset in header["arrays"]:
            kind = np.dtype(dtype)
            if end + 1 + offset + n * kind.itemsize > len(data):
                raise OutputError(f"{path}: cut short; make it again")
            array = np.frombuffer(data, kind, n, end + 1 + offset)
            array.flags.writeable = False
            by_name[name] = array
        arrays, bare = (Arrays(*(by_name[prefix + name] for name in Arrays._fields)) for prefix in ("", _BARE))
        return cls(arrays, bare, tuple(Members(**m) for m in header["sets"]), path)

    def __reduce__(self) -> tuple[Any, ...]:
        if self.path is not None:
            return TestSets.open, (self.path,)
        return TestSets, (self.arrays, self.bare, self.members)

    @property
    def n_items(self) -> int:
        return len(self._first_readings) - 1

    def readings_of(self, items: np.ndarray) -> np.ndarray:
        """int64[m], ascending: the readings of items numbered through all sets."""
        first, end = self._first_readings[items], self._first_readings[np.asarray(items) + 1]
        return np.concatenate([np.zeros(0, np.int64), *map(np.arange, first, end)])

    @property
    def nbytes(self) -> int:
        """Bytes of the index in memory or in its file."""
        return sum(array.nbytes for array in (*self.arrays, *self.bare))

    def name_items(self, readings: np.ndarray) -> tuple[pa.Array, pa.Array]:
        """(test_set: string[n], test_item: int64[n]) of the items that readings are of; null where negative."""
        if not self.n_items:
            return pa.nulls(len(readings), pa.string()), pa.nulls(len(readings), pa.int64())
        missing = readings < 0
        items = self.arrays.of_item[np.maximum(readings, 0)].astype(np.int64)
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

        contamination_reformatted: float64, the largest passage by bare words, which another format of a text does not
            change: line breaks that are escaped, code that was formatted again, other spaces, hyphens that are spaces.
        contamination_reformatted_set, _item, _span: the item of that, and each stretch where its passages stand by at
            least .5; null where it is under .5.

        Of an item with several readings each value is the largest of any of them.

        words: the normalised words of the texts, if a pass has them already. align: without, the alignment, the passage
        and the reformatted passage are 0.
        """
        found = words_of(texts) if words is None else words
        values, which, n_hit, window = match.match(found.hashes, found.bounds, self.arrays, align)
        values, which = self._with_bare(texts, values, which, align)
        which[values < [0, 0, *[LEAST_ALIGNMENT] * 3]] = -1
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
        for at, name in enumerate(("contamination_alignment", "contamination_passage", "contamination_reformatted"), 2):
            columns[name] = pa.array(values[:, at])
            columns[f"{name}_set"], columns[f"{name}_item"] = self.name_items(which[:, at])
            columns[f"{name}_span"] = spans[at - 1]
        return pa.RecordBatch.from_pydict(columns)

    def _with_bare(
        self, texts: Texts, values: np.ndarray, which: np.ndarray, align: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The values and readings of each text with those of the reformatted passage."""
        value, reading = np.zeros(len(values)), np.full(len(values), -1, np.int64)
        if align and len(self.bare.seeds):
            words = bare_words(texts)
            of_bare, readings, _, _ = match.match(words.hashes, words.bounds, self.bare, True)
            value, reading = of_bare[:, 3], readings[:, 3]
        return np.column_stack([values, value]), np.column_stack([which, reading])

    def _spans(self, texts: Texts, which: np.ndarray, window: np.ndarray) -> list[pa.Array]:
        """Where the items of containment, alignment, passage and reformatted passage stand."""
        spans: list[list[str | None]] = [[None] * len(which) for _ in range(4)]
        for i in np.flatnonzero((which[:, 1:] >= 0).any(axis=1)):
            text = texts[int(i)].as_py()
            hashes, _, starts, ends, _ = located_words(text)
            if which[i, 4] >= 0:
                bare = located_bare_words(text)
                covered = aligned_words(bare.hashes, self.bare, which[i, 4], LEAST_ALIGNMENT)
                spans[3][i] = _joined(covered, bare.starts, bare.ends)
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
        """(reading: int64[m], index of its shingle: int64[m]) of all readings that have the given shingles."""
        low, end = all_postings(self.arrays, np.asarray(shingles, np.uint64))
        runs = end - low
        of = np.repeat(np.arange(len(shingles)), runs)
        at = np.arange(len(of)) - np.repeat(np.cumsum(runs) - runs, runs) + low[of]
        return self.arrays.items[at].astype(np.int64), of

    def items_in(self, rows: np.ndarray, shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row: int64[m], reading: int64[m], shingles: int64[m]): how many shingles of which reading stand in which
        document, by row, then reading; from `match.hits_of`."""
        readings, of = self.items_of(shingles)
        row = rows[of]
        order = np.lexsort((readings, row))
        row, readings = row[order], readings[order]
        if not len(row):
            return row, readings, row
        starts = _pair_starts(row, readings)
        return row[starts], readings[starts], np.diff(np.r_[starts, len(row)])

    def shares_in(self, rows: np.ndarray, shingles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row: int64[m], item: int64[m], share: float64[m]): the largest containment of any reading of each item that
        has a shingle in a document, by row, then item; from `match.hits_of`."""
        row, readings, common = self.items_in(rows, shingles)
        share = common / self.arrays.n_shingles[readings]
        item = self.arrays.of_item[readings].astype(np.int64)
        if not len(row):
            return row, item, share
        starts = _pair_starts(row, item)
        return row[starts], item[starts], np.maximum.reduceat(share, starts)

    def matched(self, text: str, item: int) -> str:
        """`start:end` in characters of each stretch of the text that shingles of one item cover, joined by commas."""
        hashes, _, starts, ends, _ = located_words(text)
        return _joined(match.covered_words(hashes, self.arrays, self.readings_of(np.array([item]))), starts, ends)


class _Kept(NamedTuple):
    """A batch of readings, kept until their bare words are indexed. of_item: int64[n], the item of each. texts: their
    texts; empty for a reading that is left out of the search."""

    of_item: np.ndarray
    texts: list[str]


def _readings(testsets: list[TestSet], counts: list[int], kept: list[_Kept]) -> Iterator[Readings]:
    """Yield the words of all readings in batches. Fills counts, the number of items of each set, and kept."""
    first = 0
    for number, testset in enumerate(testsets):
        items = read_items(testset)
        while batch := list(islice(items, _BATCH)):
            of_item = np.repeat(np.arange(first, first + len(batch)), [len(item.readings) for item in batch])
            texts = [reading for item in batch for reading in item.readings]
            located = [_searched(located_words(text)) for text in texts]
            kept.append(_Kept(of_item, [text if len(words.hashes) else "" for text, words in zip(texts, located)]))
            yield _batch_of(located, of_item)
            first += len(batch)
            counts[number] += len(batch)


def _bare_readings(kept: list[_Kept]) -> Iterator[Readings]:
    """Yield the bare words of the same readings. Takes each batch out of the list, so that its memory is freed."""
    while kept:
        batch = kept.pop(0)
        yield _batch_of([_searched(located_bare_words(text)) for text in batch.texts], batch.of_item)


def _batch_of(located: list[Located], of_item: np.ndarray) -> Readings:
    return Readings(
        np.concatenate([words.hashes for words in located]),
        np.concatenate([words.unknown for words in located]),
        np.concatenate([words.telling for words in located]),
        np.cumsum([0, *(len(words.hashes) for words in located)]),
        of_item,
    )


def _searched(words: Located) -> Located:
    """Return the words of a reading; no words for a reading that is left out of the search.

    A reading is left out if it has fewer than LEAST_WORDS telling words, which are words of at least two letters or of
    a script without spaces. Rows of numbers and single letters occur everywhere, and would remove documents that hold
    no test item.
    """
    n = len(words.hashes) if np.count_nonzero(words.telling) >= LEAST_WORDS else 0
    return Located(*(array[:n] for array in words))


def _has_known_shingle(unknown: np.ndarray) -> bool:
    """Whether a reading has a shingle without an unknown word."""
    width = min(len(unknown), SHINGLE_WORDS)
    before = np.concatenate([[0], np.cumsum(unknown)])
    return bool((before[width:] == before[:-width]).any())


def _pair_starts(rows: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return where each distinct pair of (row, number) starts, of at least one pair in sorted order."""
    return np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]) | (numbers[1:] != numbers[:-1])])


def _joined(covered: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> str:
    return ",".join(f"{a}:{b}" for a, b in _stretches(covered, starts, ends))


def _stretches(covered: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> list[tuple[int, int]]:
    """(start, end) in characters of each run of covered words."""
    edges = np.diff(np.r_[False, covered, False].astype(np.int8))
    first, last = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return [(int(a), int(b)) for a, b in zip(starts[first], ends[last])]
