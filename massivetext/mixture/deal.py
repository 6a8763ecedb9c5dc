"""The documents of each shard, from row groups: any shard by itself, with the documents of its own row groups alone.

The order of a subset is that of whole epochs. In an epoch, row groups come in a random order, and the documents of each
in a random order of its own. So a place in the order, or in its tokens, is found from the sums of row groups; only
those at the place are looked into:

    tokens      0 ........... T/3 ........... 2T/3 .......... T        dealt to three shards
    row groups  |---c---|--a--|-----e-----|--b--|---f---|--d--|        one epoch, permuted
    looked into         ^ a, e at the edge of shards 0 and 1

`massivetext.mixture.allot` gives the same documents in the same order from a list of all documents.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from massivetext import storage
from massivetext.errors import LimitError
from massivetext.mixture.allotment import TOLERANCE, WINDOW, ShardRows, budget_is_too_small, generator
from massivetext.mixture.plan import Plan, Share
from massivetext.mixture.units import RowsFiles, Units

__all__ = ["Course", "Deal", "Documents", "Tail", "deal", "read_deal", "write_deal"]


class Documents(NamedTuple):
    """Documents one after the other in a course. unit, number: int32, of each its row group, and which of the kept
    documents of that one it is; tokens: int32."""

    unit: np.ndarray
    number: np.ndarray
    tokens: np.ndarray

    def at(self, places: np.ndarray | slice) -> Documents:
        return Documents(*(column[places] for column in self))


class Tail(NamedTuple):
    """Documents at the end of a course that are not in the order of their epoch. start: place of the first one."""

    start: int
    documents: Documents


class Epoch(NamedTuple):
    """units: row groups in the order of an epoch; documents, tokens: int64[units + 1], those before each, and all."""

    units: np.ndarray
    documents: np.ndarray
    tokens: np.ndarray


class Edge(NamedTuple):
    """Where a shard ends. place: documents before it; tokens: theirs. low: where the documents that were moved begin;
    moved: those that are there now."""

    place: int
    tokens: int
    low: int
    moved: Documents


@dataclass(eq=False)
class Course:
    """What is taken of a subset, in order: epochs one after the other, up to `n` documents, the last ones by `tail`."""

    subset: str
    seed: int
    units: Units
    n: int
    tail: Tail
    _epochs: dict[int, Epoch] = field(default_factory=dict)
    _size: int = 0
    _tokens: int = 0

    def __post_init__(self) -> None:
        self._size, self._tokens = len(self.units), self.units.n_tokens

    def epoch(self, number: int) -> Epoch:
        """The order of an epoch. Two are kept."""
        if number not in self._epochs:
            if len(self._epochs) > 1:
                self._epochs.pop(next(iter(self._epochs)))
            order = generator("epoch", self.seed, self.subset, number).permutation(len(self.units.documents))
            documents, tokens = (
                np.concatenate([[0], np.cumsum(column[order], dtype=np.int64)])
                for column in (self.units.documents, self.units.tokens)
            )
            self._epochs[number] = Epoch(order, documents, tokens)
        return self._epochs[number]

    def unit(self, epoch: int, unit: int) -> Documents:
        """The documents of one row group in the order of an epoch."""
        order = generator("unit", self.seed, self.subset, epoch, unit).permutation(int(self.units.documents[unit]))
        _, tokens = self.units.read(unit)
        return Documents(np.full(len(order), unit, np.int32), order.astype(np.int32), tokens[order])

    def documents(self, first: int, last: int) -> Documents:
        """The documents from place `first` on, and before `last`."""
        pieces = [NONE]
        at = first
        while at < min(last, self.tail.start):
            number, within = divmod(at, self._size)
            epoch = self.epoch(number)
            k = int(np.searchsorted(epoch.documents, within, side="right")) - 1
            start = number * self._size + int(epoch.documents[k])
            until = min(last, self.tail.start, number * self._size + int(epoch.documents[k + 1]))
            pieces.append(self.unit(number, int(epoch.units[k])).at(slice(at - start, until - start)))
            at = until
        if last > self.tail.start:
            pieces.append(self.tail.documents.at(slice(max(0, first - self.tail.start), last - self.tail.start)))
        return Documents(*(np.concatenate(columns) for columns in zip(*pieces)))

    def tokens_before(self, place: int) -> int:
        """Tokens of the documents before a place."""
        base = min(place, self.tail.start)
        number, within = divmod(base, self._size)
        tokens = number * self._tokens
        if within:
            epoch = self.epoch(number)
            k = int(np.searchsorted(epoch.documents, within, side="right")) - 1
            start = number * self._size + int(epoch.documents[k])
            tokens += int(epoch.tokens[k]) + int(self.documents(start, base).tokens.sum(dtype=np.int64))
        if place > base:
            tokens += int(self.tail.documents.tokens[: place - base].sum(dtype=np.int64))
        return tokens

    def nearest(self, target: float) -> int:
        """How many documents come next to that many tokens: the last of them if more than half of it lies below."""
        whole = self._tokens
        if target > self.tokens_before(self.tail.start):
            start, documents = self.tail.start, self.tail.documents
            before = self.tokens_before(start)
        else:
            # Of an epoch's end, the last document that reaches it and not the first one of the next epoch.
            number = max(0, math.ceil(target / whole) - 1)
            epoch = self.epoch(number)
            k = max(0, int(np.searchsorted(epoch.tokens, target - number * whole)) - 1)
            start = number * self._size + int(epoch.documents[k])
            before = number * whole + int(epoch.tokens[k])
            documents = self.unit(number, int(epoch.units[k]))
        ends = before + np.cumsum(documents.tokens, dtype=np.int64)
        at = int(np.searchsorted(ends, target))
        if at < len(ends) and target - (int(ends[at - 1]) if at else before) >= int(ends[at]) - target:
            at += 1
        return start + at

    def straightened(self, place: int, target: float, bounds: tuple[int, int], tolerance: float) -> Edge:
        """The edge at a place, and documents beside it, moved so that there are as many tokens before it as its target.

        Args:
            place: of the edge.
            target: tokens before it.
            bounds: the places between which documents may be moved, but for the window and the epoch.
            tolerance: an edge that is no further off stays.
        """
        before = self.tokens_before(place)
        if abs(before - target) <= tolerance:
            return Edge(place, before, place, NONE)
        first_epoch = (max(place - 1, 0) // self._size) * self._size
        end_of_epoch = min(self.n, (place // self._size + 1) * self._size)
        low, high = max(place - WINDOW, bounds[0], first_epoch), min(place + WINDOW, bounds[1], end_of_epoch)
        window = self.documents(low, high)
        split = place - low
        out = np.concatenate([[0], window.tokens[:split]]).astype(np.int64)
        into = np.concatenate([[0], window.tokens[split:]]).astype(np.int64)
        off = np.abs(before - target + into[:, None] - out[None, :])
        if place % self._size == 0 or place == self.n:
            off[1:, 1:] = np.inf
        i, j = (int(k) for k in np.unravel_index(np.argmin(off), off.shape))
        order = np.arange(len(window.unit))
        at = place
        if i and j:
            order[[j - 1, split + i - 1]] = order[[split + i - 1, j - 1]]
        elif i:
            order[split : split + i] = np.roll(order[split : split + i], 1)
            at += 1
        elif j:
            order[j - 1 : split] = np.roll(order[j - 1 : split], -1)
            at -= 1
        return Edge(at, before + int(into[i] - out[j]), low, window.at(order))


NONE = Documents(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32))


@dataclass(eq=False)
class Deal:
    """The courses of all subsets, dealt to shards.

    Attributes:
        seed: of all orders.
        n_shards: how many there are.
        tolerance: tokens by which an edge may be off.
        courses: by subset, in the order of the plan.
    """

    seed: int
    n_shards: int
    tolerance: float
    courses: Mapping[str, Course]
    _totals: dict[str, int] = field(default_factory=dict)

    def n_rows(self, shard: int) -> int:
        """About as many rows as a shard has: all are known once it is made."""
        n = sum(course.n for course in self.courses.values())
        return n * (shard + 1) // self.n_shards - n * shard // self.n_shards

    def rows(self, shard: int) -> tuple[ShardRows, dict[str, int]]:
        """The rows of a shard, and its tokens by subset."""
        paths: list[str] = []
        pieces, tokens = [], {}
        for subset, course in self.courses.items():
            documents, epoch, tokens[subset] = self._taken(subset, shard)
            units = course.units
            rows = np.zeros(len(epoch), np.int32)
            for unit in np.unique(documents.unit).tolist():
                of_unit = documents.unit == unit
                rows[of_unit] = units.read(unit)[0][documents.number[of_unit]]
            parts, which = np.unique(units.part[documents.unit], return_inverse=True)
            places = [which + len(paths), units.row_group[documents.unit], rows, epoch]
            pieces.append(np.stack([column.astype(np.int32) for column in places]))
            paths += [units.paths[part] for part in parts]
        columns = np.concatenate(pieces, axis=1)
        columns = columns[:, generator("shard", self.seed, shard).permutation(columns.shape[1])]
        return ShardRows(tuple(paths), *columns), tokens

    def _taken(self, subset: str, shard: int) -> tuple[Documents, np.ndarray, int]:
        """The documents of a subset in a shard, the epoch of each, and their tokens."""
        course = self.courses[subset]
        begin, end = self._edge(subset, shard), self._edge(subset, shard + 1)
        documents = course.documents(begin.place, end.place)
        columns = [column.copy() for column in documents]
        for edge in (begin, end):
            first, last = max(edge.low, begin.place), min(edge.low + len(edge.moved.unit), end.place)
            if first < last:
                for column, moved in zip(columns, edge.moved):
                    column[first - begin.place : last - begin.place] = moved[first - edge.low : last - edge.low]
        epoch = np.arange(begin.place, end.place) // max(1, course._size)
        return Documents(*columns), epoch, end.tokens - begin.tokens

    def _edge(self, subset: str, number: int) -> Edge:
        """The edge before a shard; number 0: the beginning, n_shards: the end."""
        course = self.courses[subset]
        if number in (0, self.n_shards):
            place = course.n if number else 0
            return Edge(place, self._total(subset) if number else 0, place, NONE)
        place = self._nearest(subset, number)
        low = (place + self._nearest(subset, number - 1)) // 2 if number > 1 else 0
        high = (place + self._nearest(subset, number + 1)) // 2 if number + 1 < self.n_shards else course.n
        return course.straightened(place, self._target(subset, number), (low, high), self.tolerance)

    def _nearest(self, subset: str, number: int) -> int:
        return self.courses[subset].nearest(self._target(subset, number))

    def _target(self, subset: str, number: int) -> float:
        return self._total(subset) * number / self.n_shards

    def _total(self, subset: str) -> int:
        if subset not in self._totals:
            self._totals[subset] = self.courses[subset].tokens_before(self.courses[subset].n)
        return self._totals[subset]


def deal(plan: Plan, units: Mapping[str, Units], *, seed: int, n_shards: int) -> Deal:
    """Deal the documents of a plan to shards.

    A subset is taken in whole epochs, then in part up to the tokens wanted. Its documents are dealt in that order, as
    many tokens to each shard. Where the document at an edge is large, one or two beside it are moved over it.

    Args:
        plan: what is taken of each subset.
        units: by the names of the plan's shares.
        seed: of all orders.
        n_shards: how many there are.

    Raises:
        LimitError: the tokens wanted of a subset are less than half of those that its nearest document has.
    """
    tolerance = TOLERANCE * plan.tokens / n_shards
    courses = {}
    for share in plan.shares:
        course = _course(share, units[share.subset], seed, tolerance)
        courses[share.subset] = course if course.tokens_before(course.n) else _one_document(plan, share, units, seed)
    return Deal(seed, n_shards, tolerance, courses)


def _course(share: Share, units: Units, seed: int, tolerance: float) -> Course:
    """The course of a subset, cut where it has the tokens wanted."""
    size, whole = len(units), share.repetition[0]
    nothing = Tail(whole * size, NONE)
    rest = share.wanted - whole * share.available
    if rest < 0.5:
        return Course(share.subset, seed, units, whole * size, nothing)
    # The cut is made in the epoch as if it were the only one, which has its order and no edges of shards.
    last = _LastEpoch(share.subset, seed, units, size, Tail(size, NONE), number=whole)
    edge = last.straightened(last.nearest(rest), rest, (0, size), tolerance)
    start = min(edge.low, edge.place)
    tail = Tail(whole * size + start, edge.moved.at(slice(0, edge.place - start)))
    return Course(share.subset, seed, units, whole * size + edge.place, tail)


@dataclass(eq=False)
class _LastEpoch(Course):
    """One epoch alone, of any number, as a course of its own."""

    number: int = 0

    def epoch(self, number: int) -> Epoch:
        return super().epoch(self.number)

    def unit(self, epoch: int, unit: int) -> Documents:
        return super().unit(self.number, unit)


def _one_document(plan: Plan, share: Share, units: Mapping[str, Units], seed: int) -> Course:
    """The document that is nearest to the tokens wanted, where they are less than half of the first one's: a subset
    with a weight is never left out in silence."""
    own = units[share.subset]
    first = Course(share.subset, seed, own, len(own), Tail(len(own), NONE))
    best: tuple[float, int, int, int] = (np.inf, 0, 0, 0)
    for unit in first.epoch(0).units.tolist():
        documents = first.unit(0, unit)
        off = np.where(documents.tokens > 0, np.abs(documents.tokens - share.wanted), np.inf)
        k = int(np.argmin(off)) if len(off) else -1
        if k >= 0 and off[k] < best[0]:
            best = (float(off[k]), unit, int(documents.number[k]), int(documents.tokens[k]))
    _, unit, number, size = best
    if size > 2 * share.wanted:
        raise LimitError(budget_is_too_small(plan, share, size, {name: one.least for name, one in units.items()}))
    document = Documents(*(np.array([value], np.int32) for value in (unit, number, size)))
    return Course(share.subset, seed, own, 1, Tail(0, document))


def write_deal(path: str, dealt: Deal, root: str) -> None:
    """Write a deal as one file, with paths as they are below a folder."""

    def below(names: Sequence[str]) -> list[str]:
        return [name[len(root) :].lstrip("/") for name in names]

    courses: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for number, (subset, course) in enumerate(dealt.courses.items()):
        units, files = course.units, course.units.read
        assert isinstance(files, RowsFiles)
        courses.append(
            {
                "subset": subset,
                "n": course.n,
                "tail": course.tail.start,
                "paths": below(units.paths),
                "names": below(files.names),
                "n_bytes": units.n_bytes,
                "least": units.least,
            }
        )
        columns = [*(getattr(units, name) for name in _UNITS), files.file, files.start, *course.tail.documents]
        arrays |= {f"{number}-{name}": column for name, column in zip(_ARRAYS, columns)}
    head = {"seed": dealt.seed, "shards": dealt.n_shards, "tolerance": dealt.tolerance, "courses": courses}
    with storage.open_output(path) as stream:
        np.savez(stream, head=np.array(json.dumps(head)), **arrays)  # type: ignore[arg-type]


_UNITS = ("part", "row_group", "documents", "tokens")
_ARRAYS = (*_UNITS, "file", "start", "tail_unit", "tail_number", "tail_tokens")


def read_deal(path: str, root: str) -> Deal:
    """Return a deal that `write_deal` has written."""
    with storage.open_input(path) as stream, np.load(stream, allow_pickle=False) as data:
        head = json.loads(str(data["head"]))
        courses = {}
        for number, one in enumerate(head["courses"]):
            part, row_group, documents, tokens, file, start, *tail = (data[f"{number}-{name}"] for name in _ARRAYS)
            paths, names = (tuple(storage.join(root, name) for name in one[key]) for key in ("paths", "names"))
            files = RowsFiles(names, file, start, documents)
            units = Units(paths, part, row_group, documents, tokens, one["n_bytes"], one["least"], files)
            subset = one["subset"]
            courses[subset] = Course(subset, head["seed"], units, one["n"], Tail(one["tail"], Documents(*tail)))
    return Deal(head["seed"], head["shards"], head["tolerance"], courses)
