"""Blocks: the unit in which documents are read, shuffled, dealt to ranks and resumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pyarrow as pa

from massivetext.errors import SourceError
from massivetext.loader.sources import TOKENS, Source
from massivetext.mixture.allotment import generator

__all__ = ["Block", "Blocks"]

_BLOCKS_AN_EPOCH = 256
"""At least so many, if there are as many documents: with few row groups, ranks share them."""


@dataclass(frozen=True)
class Block:
    """batch: what the block's rows are taken from; rows: their places in it, in the order in which they are given."""

    batch: pa.RecordBatch
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def tokens(self) -> np.ndarray:
        """Tokens of the rows, at least 1 each."""
        return np.maximum(self.batch.column(TOKENS).to_numpy()[self.rows], 1)


class Blocks:
    """Epoch e of a source has the blocks e N to (e + 1) N - 1, N being `an_epoch`; each of its documents stands in one.

    Row groups are permuted, anew in each epoch; the rows of `shuffle` neighbours, a run, are permuted together, and cut
    into as many blocks as are needed for _BLOCKS_AN_EPOCH. With shuffle 0 row groups and rows stand as in the files.
    """

    def __init__(self, source: Source, columns: Sequence[str], *, seed: int, shuffle: int) -> None:
        self.source, self.columns, self.seed, self.shuffle = source, tuple(columns), seed, shuffle
        self._groups = max(1, shuffle)
        self._runs = -(-len(source) // self._groups)
        self._cuts = max(1, min(-(-_BLOCKS_AN_EPOCH // self._runs), source.documents // self._runs))
        self.an_epoch = self._runs * self._cuts
        self._order = lru_cache(maxsize=2)(self._permuted)

    def __reduce__(self) -> tuple[object, ...]:
        return partial(Blocks, seed=self.seed, shuffle=self.shuffle), (self.source, self.columns)

    def _permuted(self, epoch: int) -> np.ndarray:
        if not self.shuffle:
            return np.arange(len(self.source))
        return generator("load", self.seed, self.source.name, epoch).permutation(len(self.source))

    def run(self, block: int) -> int:
        """The run that a block is cut from, counted over epochs."""
        return block // self._cuts

    def read(self, run: int) -> Block:
        """All of a run. Raises SourceError where it cannot be read."""
        epoch, number = divmod(run, self._runs)
        units = self._order(epoch)[number * self._groups : (number + 1) * self._groups]
        tables, rows, first = [], [], 0
        for unit in units:
            table, kept = self.source.read(int(unit), self.columns)
            tables.append(table)
            rows.append(kept + first)
            first += table.num_rows
        places = np.concatenate(rows)
        if self.shuffle:
            places = generator("load rows", self.seed, self.source.name, epoch, number).permutation(places)
        try:
            return Block(pa.concat_batches([batch for table in tables for batch in table.to_batches()]), places)
        except pa.ArrowException as error:
            path, _ = self.source.files[self.source.file[units[0]]]
            raise SourceError(f"{path}: its row groups cannot be joined: {error}; take a smaller shuffle") from error

    def cut(self, run: Block, block: int) -> Block:
        """A block, of the run that it is cut from."""
        number = block % self._cuts
        first, last = (len(run) * i // self._cuts for i in (number, number + 1))
        return Block(run.batch, run.rows[first:last])
