"""Blocks: the unit in which documents are read, shuffled, dealt to ranks and resumed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa

from massivetext.errors import SourceError
from massivetext.loader.sources import TOKENS, Source
from massivetext.mixture.allotment import generator
from massivetext.terminal_text import visible_name

__all__ = ["Block", "Blocks", "Run"]

_BLOCKS_AN_EPOCH = 256
"""At least so many, if there are as many documents: with few row groups, ranks share them."""


@dataclass(frozen=True)
class Block:
    """batch: what the block's rows are taken from; rows: int64, their places in it, in the order in which they are
    given; at: int64, the number of each in the block, which counts documents that were taken out since, too."""

    batch: pa.RecordBatch
    rows: np.ndarray
    at: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def tokens(self) -> np.ndarray:
        """Tokens of the rows, at least 1 each."""
        return np.maximum(self.batch.column(TOKENS).to_numpy()[self.rows], 1)


@dataclass(frozen=True)
class Run:
    """batch: rows of neighbouring row groups; places: int64, in the order in which they are given, -1 for a document
    that is not there any more or cannot be read."""

    batch: pa.RecordBatch
    places: np.ndarray


class Blocks:
    """Epoch e of a source has the blocks e N to (e + 1) N - 1, N being `an_epoch`; each of its documents stands in one.

    Row groups are permuted, anew in each epoch; the rows of `shuffle` neighbours, a run, are permuted together, and cut
    into as many blocks as are needed for _BLOCKS_AN_EPOCH. With shuffle 0 row groups and rows stand as in the files.
    """

    def __init__(
        self, source: Source, columns: Sequence[str], *, seed: int, shuffle: int, on_damage: str = "stop"
    ) -> None:
        self.source, self.columns, self.seed, self.shuffle = source, tuple(columns), seed, shuffle
        self.on_damage = on_damage
        self.damaged: dict[int, str] = {}
        self._joined: tuple[int, np.ndarray] | None = None
        self._groups = max(1, shuffle)
        self._runs = -(-len(source) // self._groups)
        self._cuts = max(1, min(-(-_BLOCKS_AN_EPOCH // self._runs), source.documents // self._runs))
        self.an_epoch = self._runs * self._cuts
        self._order = lru_cache(maxsize=2)(self._permuted)

    def __reduce__(self) -> tuple[object, ...]:
        again = partial(Blocks, seed=self.seed, shuffle=self.shuffle, on_damage=self.on_damage)
        return again, (self.source, self.columns)

    def _permuted(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.source))
        return generator("load", self.seed, self.source.name, epoch).permutation(len(self.source))

    def run(self, block: int) -> int:
        """The run that a block is cut from, counted over epochs."""
        return block // self._cuts

    def read(self, run: int) -> Run:
        """Read all of a run. Raises SourceError where it cannot be read, unless damage is skipped."""
        tables: list[pa.Table] = []
        places: list[np.ndarray] = []
        first = 0
        for unit in self._units(run):
            try:
                table, kept = self.source.read(unit, self.columns)
            except SourceError as error:
                if self.on_damage != "skip":
                    raise
                self._note(unit, error)
                # All other documents keep their places.
                places.append(np.full(self.source.rows[unit], -1))
                continue
            tables.append(table)
            places.append(np.where(kept < 0, -1, kept + first))
            first += table.num_rows
        batches = [batch for table in tables for batch in table.to_batches()]
        try:
            batch = pa.concat_batches(batches) if batches else self.source.empty(self.columns)
        except pa.ArrowException as error:
            path, _ = self.source.files[self.source.file[self._units(run)[0]]]
            raise SourceError(f"{path}: its row groups cannot be joined: {error}; take a smaller shuffle") from error
        return Run(batch, self._shuffled(run, places))

    def _units(self, run: int) -> list[int]:
        epoch, number = divmod(run, self._runs)
        return self._order(epoch)[number * self._groups : (number + 1) * self._groups].tolist()

    def _shuffled(self, run: int, places: Sequence[np.ndarray]) -> np.ndarray:
        epoch, number = divmod(run, self._runs)
        joined = np.concatenate(places)
        if not self.shuffle:
            return joined
        return generator("load rows", self.seed, self.source.name, epoch, number).permutation(joined)

    def _note(self, unit: int, error: SourceError) -> None:
        if unit not in self.damaged:
            self.damaged[unit] = str(error)
            warnings.warn(f"skipped, with its {self.source.rows[unit]:,} rows: {visible_name(error)}", stacklevel=2)

    def cut(self, run: Run, block: int) -> Block:
        """A block, of the run that it is cut from."""
        first, last = self._bounds(len(run.places), block)
        places = run.places[first:last]
        at = np.flatnonzero(places >= 0)
        return Block(run.batch, places[at], at)

    def _bounds(self, n: int, block: int) -> tuple[int, int]:
        number = block % self._cuts
        return n * number // self._cuts, n * (number + 1) // self._cuts

    def numbers(self, block: int) -> np.ndarray:
        """`at` of a block, found without reading texts; of curated documents ids are read, and their ledger."""
        units, run = self._units(self.run(block)), self.run(block)
        is_plain = all(
            self.source.files[self.source.file[unit]][1] is None and self.source.file[unit] not in self.source.holes
            for unit in units
        )
        if is_plain:
            first, last = self._bounds(int(self.source.rows[units].sum()), block)
            return np.arange(last - first)
        if self._joined is None or self._joined[0] != run:
            self._joined = run, self._shuffled(run, [self.source.places(unit) for unit in units])
        first, last = self._bounds(len(self._joined[1]), block)
        return np.flatnonzero(self._joined[1][first:last] >= 0)
