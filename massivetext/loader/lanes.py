"""One rank's way through the blocks of a source: what it has begun, what comes next, what is read ahead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.errors import LimitError
from massivetext.loader.blocks import Block, Blocks

__all__ = ["Lane", "Reading"]


class Reading:
    """Threads that read runs before they are asked for: `ahead` of each lane, and as many threads; 0 for none. Made
    anew in a process that was forked off, which has the object without the threads."""

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self._forget()

    def _forget(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._futures: dict[tuple[str, int], Future[Block]] = {}
        self._held: dict[str, tuple[int, Block]] = {}
        self._process = os.getpid()

    def take(self, blocks: Blocks, numbers: Iterator[int]) -> Block:
        """The first of the blocks; those behind it are begun."""
        if self._process != os.getpid():
            self._forget()
        number = next(numbers)
        run, name = blocks.run(number), blocks.source.name
        if name not in self._held or self._held[name][0] != run:
            self._held.pop(name, None)
            self._held[name] = run, self._read(blocks, run, numbers)
        return blocks.cut(self._held[name][1], number)

    def _read(self, blocks: Blocks, run: int, numbers: Iterator[int]) -> Block:
        if not self.ahead:
            return blocks.read(run)
        wanted = [run]
        while len(wanted) <= self.ahead and (number := next(numbers, None)) is not None:
            if blocks.run(number) != wanted[-1]:
                wanted.append(blocks.run(number))
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.ahead, thread_name_prefix="massivetext-load")
        for one in wanted:
            if (blocks.source.name, one) not in self._futures:
                self._futures[blocks.source.name, one] = self._pool.submit(blocks.read, one)
        found = self._futures.pop((blocks.source.name, run))
        # What failed beforehand is tried again now that it is wanted, and fails here if it still does.
        return found.result() if found.exception() is None else blocks.read(run)

    def close(self) -> None:
        """Stop; what is being read is waited for, and dropped."""
        if self._pool is not None and self._process == os.getpid():
            self._pool.shutdown(wait=True, cancel_futures=True)
        self._forget()

    def __getstate__(self) -> dict[str, int]:
        return {"ahead": self.ahead}

    def __setstate__(self, state: dict[str, int]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class Lane:
    """pending: [block, rows of it already given], the first being read; next: the first block not begun, from where on
    every world_size-th is this rank's; end: the block behind the last of all, None for no end; weight: of the tokens,
    None where there are no others to weigh against."""

    def __init__(self, blocks: Blocks, *, rank: int, world_size: int, epochs: int | None, weight: float | None) -> None:
        self.blocks, self.world_size, self.weight = blocks, world_size, weight
        self.end = None if epochs is None else epochs * blocks.an_epoch
        self.documents = 0
        self.stand([], rank, 0)

    def stand(self, pending: list[list[int]], next_: int, tokens: int) -> None:
        """Be at a place that `state` told, or that was dealt."""
        # Dealt anew, a rank may hold blocks beyond the end, which were never anyone's.
        self.pending = [list(pair) for pair in pending if self.end is None or pair[0] < self.end]
        self.next = next_
        self.current: Block | None = None
        # Tokens before the current block, and before each of its rows; without a block, before what comes next.
        self._before, self._ends = tokens, np.zeros(1, np.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "current": None, "_before": self.tokens, "_ends": np.zeros(1, np.int64)}

    def state(self) -> dict[str, Any]:
        return {"pending": [list(pair) for pair in self.pending], "next": self.next, "tokens": self.tokens}

    @property
    def tokens(self) -> int:
        """Given so far, where there is a weight."""
        return self._before + int(self._ends[0 if self.weight is None or self.current is None else self.pending[0][1]])

    def left(self) -> int:
        """Rows of the current block that are not given."""
        return 0 if self.current is None else len(self.current) - self.pending[0][1]

    def fill(self, reading: Reading) -> bool:
        """See that there are rows left in the current block; False if there are none until the end.

        Raises LimitError where there are so few documents that this rank never gets one.
        """
        empty = 0
        while not self.left():
            if self.current is not None:
                self.stand(self.pending[1:], self.next, self.tokens)
            number = next(self._numbers(), None)
            if number is None:
                return False
            # Taken before it is noted: a block that cannot be read is asked for again by the next call.
            block = reading.take(self.blocks, self._numbers())
            if not self.pending:
                self.pending.append([number, 0])
                self.next += self.world_size
            self.current = block
            if self.weight is not None:
                self._ends = np.r_[0, np.cumsum(block.tokens())]
                self._before -= int(self._ends[self.pending[0][1]])
            empty += 1
            if empty > self.blocks.an_epoch and self.end is None:
                raise LimitError(
                    f"{self.blocks.source.name}: none of {empty:,} blocks in a row held a document for this rank: "
                    f"{self.blocks.source.documents:,} documents are too few for {self.world_size} ranks"
                )
        return True

    def _numbers(self) -> Iterator[int]:
        """Blocks of this rank, from the current one on."""
        yield from (number for number, _ in self.pending)
        number = self.next
        while self.end is None or number < self.end:
            yield number
            number += self.world_size

    def due(self) -> np.ndarray:
        """float64: when each row left of the current block is to be given: the tokens up to its middle, by the weight.

        Increasing, and made of integers, so that it is the same after going on.
        """
        assert self.weight is not None
        ends = self._before + self._ends[self.pending[0][1] :]
        return (ends[:-1] + ends[1:]) / (2 * self.weight)

    def rows(self, n: int) -> pa.RecordBatch:
        """The next n rows of the current block."""
        assert self.current is not None
        first = self.pending[0][1]
        return self.current.batch.take(pa.array(self.current.rows[first : first + n]))

    def advance(self, n: int) -> None:
        """Note that n rows of the current block are given."""
        self.pending[0][1] += n
        self.documents += n

    def counts(self) -> dict[str, float]:
        at = self.pending[0][0] if self.pending else self.next
        return {"documents": self.documents, "epochs": at / self.blocks.an_epoch}
