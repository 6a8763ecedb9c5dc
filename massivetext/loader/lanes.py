"""One rank's way through the blocks of a source: what it has begun, what comes next, what is read ahead."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.errors import LimitError
from massivetext.loader.blocks import Block, Blocks, Run

__all__ = ["Lane", "Reading"]


class Reading:
    """Threads that read runs before they are asked for: `ahead` of each lane, and as many threads; 0 for none. Made
    anew in a process that was forked off, which has the object without the threads."""

    def __init__(self, ahead: int) -> None:
        self.ahead = ahead
        self._forget()

    def _forget(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._futures: dict[tuple[str, int], Future[Run]] = {}
        self._held: dict[str, tuple[int, Run]] = {}
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

    def _read(self, blocks: Blocks, run: int, numbers: Iterator[int]) -> Run:
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
    """One rank's place in one source.

    pending: [block, its documents already given], the first being read; next: the first block not begun, from where on
    every world_size-th is this rank's; epochs: in a pass, None for no end; end: the block behind the last of the pass,
    None for no end; weight: of the tokens, None where there are no others to weigh against.
    """

    def __init__(self, blocks: Blocks, *, rank: int, world_size: int, epochs: int | None, weight: float | None) -> None:
        self.blocks, self.rank, self.world_size, self.weight = blocks, rank, world_size, weight
        self.epochs = epochs
        self.documents = 0
        self.begin(0)

    @property
    def span(self) -> int:
        """Blocks of a pass; of an endless one, of an epoch."""
        return (self.epochs or 1) * self.blocks.an_epoch

    def begin(self, number: int) -> None:
        """Stand at the beginning of a pass."""
        self.at_pass(number)
        self.stand([], self.start(number, self.rank), 0)

    def at_pass(self, number: int) -> None:
        self.end = None if self.epochs is None else (number + 1) * self.span

    def start(self, number: int, rank: int) -> int:
        """The first block of a rank in a pass."""
        return number * self.span + rank

    def stand(self, pending: list[list[int]], next_: int, tokens: int) -> None:
        """Restore the position that `state` saved, or that was dealt."""
        # Dealt anew, a rank may hold blocks beyond the end, which were never anyone's.
        self.pending = [list(pair) for pair in pending if self.end is None or pair[0] < self.end]
        self.next = next_
        self.current: Block | None = None
        self._row = 0
        # Tokens before the current block, and before each of its rows; without a block, before what comes next.
        self._before, self._ends = tokens, np.zeros(1, np.int64)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "current": None, "_row": 0, "_before": self.tokens, "_ends": np.zeros(1, np.int64)}

    def state(self) -> dict[str, Any]:
        return {"pending": [list(pair) for pair in self.pending], "next": self.next, "tokens": self.tokens}

    @property
    def tokens(self) -> int:
        """Given so far, where there is a weight."""
        return self._before + int(self._ends[0 if self.weight is None or self.current is None else self._row])

    def left(self) -> int:
        """Rows of the current block that are not given."""
        return 0 if self.current is None else len(self.current) - self._row

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
            self._row = int(np.searchsorted(block.at, self.pending[0][1]))
            if self.weight is not None:
                self._ends = np.r_[0, np.cumsum(block.tokens())]
                self._before -= int(self._ends[self._row])
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

    def remaining(self, pending: list[list[int]], next_: int) -> int:
        """Documents that a rank with this position still gives in the pass."""
        assert self.end is not None
        total = 0
        for number, at in pending:
            if number < self.end:
                numbers = self.blocks.numbers(number)
                total += len(numbers) - int(np.searchsorted(numbers, at))
        return total + sum(len(self.blocks.numbers(number)) for number in range(next_, self.end, self.world_size))

    def due(self) -> np.ndarray:
        """float64: when each row left of the current block is to be given: the tokens up to its middle, by the weight.

        Increasing, and made of integers, so that it is the same after resuming.
        """
        assert self.weight is not None
        ends = self._before + self._ends[self._row :]
        return (ends[:-1] + ends[1:]) / (2 * self.weight)

    def rows(self, n: int) -> pa.RecordBatch:
        """The next n rows of the current block."""
        assert self.current is not None
        return self.current.batch.take(pa.array(self.current.rows[self._row : self._row + n]))

    def advance(self, n: int) -> None:
        """Note that n rows of the current block are given."""
        assert self.current is not None
        if n:
            self._row += n
            self.pending[0][1] = int(self.current.at[self._row - 1]) + 1
            self.documents += n

    def counts(self) -> dict[str, float]:
        at = self.pending[0][0] if self.pending else self.next
        return {
            "documents": self.documents,
            "epochs": at / self.blocks.an_epoch,
            "damaged": len(self.blocks.damaged),
        }
