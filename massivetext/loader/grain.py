"""Grain: what `massivetext.load` and `massivetext.sequences` give, as a dataset with Grain's own checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grain

__all__ = ["GrainDataset"]


class GrainDataset(grain.IterDataset):
    """A dataset of what `opened` gives: `GrainDataset(massivetext.load, path)`, with the arguments of `opened`.

    Grain's transformations follow on it, `mp_prefetch` too: worker w of W of rank r of R is the reader r W + w of R W.
    """

    def __init__(
        self, opened: Callable[..., Any], *arguments: Any, rank: int = 0, world_size: int = 1, **options: Any
    ) -> None:
        super().__init__()
        self._opened, self._arguments, self._options = opened, arguments, options
        self._rank, self._world_size = rank, world_size

    def set_slice(self, sl: slice, sequential_slice: bool = False) -> None:
        """Be one worker's share, `sl` being its number and, as the step, how many there are. Called by Grain."""
        n_workers = sl.step or 1
        self._rank, self._world_size = self._rank * n_workers + (sl.start or 0), self._world_size * n_workers

    def __iter__(self) -> _Iterator:
        return _Iterator(self._opened(*self._arguments, rank=self._rank, world_size=self._world_size, **self._options))


class _Iterator(grain.DatasetIterator):
    def __init__(self, reader: Any) -> None:
        super().__init__()
        self._reader = reader

    def __next__(self) -> Any:
        return next(self._reader)

    def get_state(self) -> dict[str, Any]:
        return self._reader.state_dict()

    def set_state(self, state: dict[str, Any]) -> None:
        self._reader.load_state_dict(state)
