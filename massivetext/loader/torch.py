"""PyTorch: what `massivetext.load` and `massivetext.sequences` give, read by the worker processes of a DataLoader."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from inspect import signature
from typing import Any

from torch.utils.data import DataLoader, IterableDataset, get_worker_info
from torch.utils.data._utils.collate import default_convert

from massivetext.dealing import State, all_ended, check_rank, listed_states, readers_of, whole_number
from massivetext.loader.passes import Passes

__all__ = ["TorchDataset", "TorchLoader"]


class TorchDataset(IterableDataset):
    """A dataset of what `opened` gives: `TorchDataset(massivetext.load, path, batch_size=64)`, with the arguments of
    `opened`. Worker w of W of rank r of R is the reader r W + w of R W.

    Use it with `DataLoader(dataset, batch_size=None, num_workers=W)`: `opened` makes the batches. Each iteration is the
    next epoch, in an order of its own, with workers that persist or are made anew; `set_epoch` chooses it. Token
    sequences are int32, which `nn.Embedding` takes, unless `dtype` says otherwise. Iterating gives a reader that has
    state_dict and load_state_dict, which is what torchdata's StatefulDataLoader looks for.
    """

    def __init__(
        self, opened: Callable[..., Any], *arguments: Any, rank: int = 0, world_size: int = 1, **options: Any
    ) -> None:
        if "dtype" in signature(opened).parameters:
            options.setdefault("dtype", "int32")
        self._opened, self._arguments, self._options = opened, arguments, options
        self.rank, self.world_size = check_rank(rank, world_size)
        self._passes = Passes()
        self._iterations = 0
        self._states: list[State] = []
        self._states_at = 0

    @property
    def states(self) -> list[State]:
        """States that the next iteration resumes from."""
        return self._states

    @states.setter
    def states(self, states: list[State]) -> None:
        states = listed_states(states)
        self._states, self._states_at = states, self._passes.count()
        if states:
            self.set_epoch(max(int(one.get("epoch", 0)) for one in states) + all_ended(states))

    def set_epoch(self, epoch: int) -> None:
        """Have the next iteration be `epoch`, from 0 on, and those behind it count on from there."""
        self._passes.set_epoch(whole_number("epoch", epoch, 0))

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        if worker is None:
            return iter(self.reader(0, 1, self._passes.begin(0)))
        # The seed without the worker's number is the same for all workers of an iteration.
        key = f"{worker.seed - worker.id}:{self._iterations}"
        self._iterations += 1
        return iter(self.reader(worker.id, worker.num_workers, self._passes.begin(worker.id, key)))

    def reader(self, worker: int, n_workers: int, number: int | None = None) -> Any:
        """The reader of one worker in pass `number`, by default the next: it resumes from its own of `states`, or from
        all of them."""
        rank, size = self.rank * n_workers + worker, self.world_size * n_workers
        reader = self._opened(*self._arguments, rank=rank, world_size=size, **self._options)
        number = self._passes.count() if number is None else number
        own = [state for state in self.states if (state["rank"], state["world_size"]) == (rank, size)]
        if self.states and number == self._states_at:
            # A worker that has ended, while others have not, has nothing more to give in this epoch.
            reader.load_state_dict([{**own[0], "ended": all_ended(self.states)}] if own else self.states)
        reader.set_epoch(self._passes.epoch(number))
        return reader


class _WithStates(IterableDataset):
    """Each item with the state of its reader behind it: workers are ahead of what has come out of the DataLoader."""

    def __init__(self, dataset: TorchDataset) -> None:
        self._dataset = dataset

    def __iter__(self) -> Iterator[tuple[Any, State]]:
        reader: Any = iter(self._dataset)
        for item in reader:
            yield item, reader.state_dict()


class TorchLoader:
    """A DataLoader over a TorchDataset that goes on exactly: `state_dict` is of what has come out of it.

    options: of torch's DataLoader, but batch_size. Arrays become tensors, as its default has it, and strings and Arrow
    batches stay as they are. Iterating resumes where it stands; after the end of an epoch it begins the next one.
    """

    def __init__(self, dataset: TorchDataset, *, num_workers: int = 0, **options: Any) -> None:
        self.dataset, self.num_workers = dataset, num_workers
        self._collate = _First(options.pop("collate_fn", default_convert))
        self._options = options
        self._states: dict[int, State] = {}
        self._has_ended = False

    @property
    def epoch(self) -> int:
        """The epoch in which the readers stand, or that has just ended."""
        states = self._states.values() if self._has_ended and self._states else self.state_dict()["readers"]
        return max(int(one.get("epoch", 0)) for one in states)

    def set_epoch(self, epoch: int) -> None:
        """Stand at the beginning of an epoch; within it already, nothing changes, so that a resumed one goes on."""
        if self._has_ended or epoch != self.epoch:
            self._begin(epoch)

    def _begin(self, epoch: int) -> None:
        self._has_ended = False
        self.dataset.states = []
        self._states = {}
        self.dataset.set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        self.dataset.states = list(self.state_dict()["readers"])
        loader = DataLoader(
            _WithStates(self.dataset),
            batch_size=None,
            num_workers=self.num_workers,
            collate_fn=self._collate,
            **self._options,
        )
        for item, state in loader:
            self._states[state["rank"]] = state
            yield item
        self._has_ended = True

    def state_dict(self) -> dict[str, Any]:
        """Where the readers of this rank stand, as JSON can hold it; after the end of an epoch at the next one's
        beginning."""
        if self._has_ended:
            self._begin(1 + max(int(one.get("epoch", 0)) for one in self._states.values()) if self._states else 0)
        n = max(1, self.num_workers)
        for worker in range(n):
            if self.dataset.rank * n + worker not in self._states:
                state = self.dataset.reader(worker, n).state_dict()
                self._states[state["rank"]] = state
        return {"version": 1, "readers": [self._states[rank] for rank in sorted(self._states)]}

    def load_state_dict(self, state: State | Sequence[State]) -> None:
        """Go on from a state of this rank, or from those of all ranks, in any order, of any world size and any number
        of workers: what has not come out is dealt anew.

        Raises OutputError for states of something else, for what is no state, and where some are missing.
        """
        self.dataset.states = readers_of(state)
        self._states, self._has_ended = {}, False
        self.state_dict()


class _First:
    """Collates the item of a pair. A class, since a function within one cannot be sent to a worker that is spawned."""

    def __init__(self, collate: Callable[[Any], Any]) -> None:
        self._collate = collate

    def __call__(self, pair: tuple[Any, State]) -> tuple[Any, State]:
        return self._collate(pair[0]), pair[1]
