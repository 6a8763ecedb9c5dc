"""Whose turn it is among the lanes of a rank, and where its pass ends."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from massivetext.errors import LimitError
from massivetext.loader.lanes import Lane, Reading

__all__ = ["Schedule"]

_EVERYTHING = 1 << 62


class Schedule:
    """The order of one rank's rows over its lanes.

    Without weights there is one lane, and a pass ends with its blocks, or after `left` rows where `uneven` says so.

    With weights a row is due when its subset's tokens, up to the middle of the row, over its weight, are the tokens of
    the rank. The scarcest subset sets the length of a pass: epochs * its tokens / its weight, of which each rank gives
    its part. A rank gives all of its documents of the scarcest subset, and of the others what is due by then; one that
    has no document of a subset gives those of the others.

    before: tokens that all ranks gave in this pass before they were dealt anew; left: rows until the end, None where
    the blocks decide.
    """

    def __init__(self, lanes: Sequence[Lane], *, rank: int, world_size: int, uneven: str) -> None:
        self.lanes, self.rank, self.world_size, self.uneven = lanes, rank, world_size, uneven
        self.before = 0.0
        self.left: int | None = None
        self._length: tuple[float, list[bool]] | None = None

    def begin(self, epoch: int) -> None:
        """Stand at the beginning of a pass."""
        self.before, self.left = 0.0, None
        for lane in self.lanes:
            lane.begin(epoch)

    def warn_of_empty_ranks(self) -> None:
        """Say that this rank gets nothing of a source, which would hang a job that waits for it."""
        for lane in self.lanes:
            if lane.epochs is not None and self.rank >= lane.span and self.uneven in ("keep", "error"):
                what = "document" if lane.weight is None else f"document of {lane.blocks.source.name}"
                warnings.warn(
                    f"rank {self.rank} of {self.world_size} gets no {what}: there are "
                    f"{lane.blocks.source.documents:,}. "
                    'Take fewer ranks, epochs=None, or uneven="pad"',
                    stacklevel=4,
                )

    def room(self) -> int:
        """Rows that may still be given."""
        if self.uneven == "keep":
            return _EVERYTHING
        if self.left is None:
            lane = self.lanes[0]
            first = int(lane.end or 0) - lane.span
            self._share([[([], first + rank)] for rank in range(self.world_size)])
        return int(self.left or 0)

    def note(self, n: int) -> None:
        """Note that n rows are given."""
        if self.left is not None:
            self.left -= n

    def _share(self, places: Sequence[Sequence[tuple[list[list[int]], int]]]) -> None:
        """Set what is left of the pass, from the place of each rank in the one lane."""
        lane = self.lanes[0]
        totals = [lane.remaining(*place[0]) for place in places]
        low, high = min(totals), max(totals)
        if self.uneven == "error" and low != high:
            raise LimitError(
                f"uneven: ranks get {low:,} to {high:,} documents; take uneven='drop' or 'pad', or epochs=None"
            )
        if self.uneven == "drop" and not low:
            raise LimitError(f"uneven: 'drop' leaves nothing: rank {totals.index(0)} has no document; take fewer ranks")
        self.left = high if self.uneven == "pad" else low

    def resume(
        self, states: Sequence[Mapping[str, Any]], dealt: Sequence[Sequence[tuple[list[list[int]], int]]]
    ) -> None:
        """Go on from what is dealt anew to each rank. states: of the ranks that have begun the pass; dealt: of each
        lane, the place of each rank."""
        given = sum(place["tokens"] for one in states for place in one["subsets"].values())
        self.before = max(float(one.get("before", 0)) for one in states) + given
        if self.uneven != "keep":
            self._share([[dealt[0][rank]] for rank in range(self.world_size)])

    def ahead(self, reading: Reading) -> np.ndarray:
        """The number of the lane of each row to come, up to where the block of one ends; none at the end."""
        if len(self.lanes) == 1 and self.lanes[0].weight is None:
            lane = self.lanes[0]
            if not lane.fill(reading):
                if self.uneven != "pad" or not self.left:
                    return np.zeros(0, np.int64)
                lane.end = None  # rows of the next epoch
                lane.fill(reading)
            return np.zeros(min(lane.left(), self.room()), np.int64)
        until, is_scarcest = self._pass()
        due: list[np.ndarray] = []
        edge = np.inf
        for lane, is_whole in zip(self.lanes, is_scarcest):
            times = lane.due() if lane.fill(reading) else np.zeros(0)
            if len(times):
                last = times[-1]
                if not is_whole:
                    times = times[times <= until]
                if len(times) and times[-1] == last:
                    edge = min(edge, last)
            due.append(times)
        due = [times[: np.searchsorted(times, edge, side="right")] for times in due]
        numbers = np.repeat(np.arange(len(due)), [len(times) for times in due])
        return numbers[np.argsort(np.concatenate(due), kind="stable")]

    def _pass(self) -> tuple[float, list[bool]]:
        """Tokens until this rank's pass ends, and which subsets set its length."""
        epochs = self.lanes[0].epochs
        if epochs is None:
            return np.inf, [True] * len(self.lanes)
        if self._length is None:
            lengths = [epochs * lane.blocks.source.n_tokens() / (lane.weight or 1) for lane in self.lanes]
            self._length = min(lengths), [length == min(lengths) for length in lengths]
        total, is_scarcest = self._length
        return (total - self.before) / self.world_size, is_scarcest

    def why(self) -> str:
        """What ended the pass."""
        if self.lanes[0].weight is None:
            return "all documents were given" if self.left is None else f"uneven: {self.uneven}"
        _, is_scarcest = self._pass()
        names = [lane.blocks.source.name for lane, is_whole in zip(self.lanes, is_scarcest) if is_whole]
        return f"all documents of {', '.join(names)} were given {self.lanes[0].epochs} times"
