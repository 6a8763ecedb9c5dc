"""Documents for a trainer: in a seeded order, dealt to ranks, weighed by tokens where asked, and resumed exactly."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.dealing import (
    all_ended,
    check_rank,
    check_uneven,
    checked_states,
    deal,
    own_state,
    same_epoch,
    whole_number,
)
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.errors import RecipeError
from massivetext.loader.blocks import Blocks
from massivetext.loader.lanes import Lane, Reading
from massivetext.loader.schedule import Schedule
from massivetext.loader.sources import TOKENS, Source, curated_source, mixture_source

__all__ = ["Loader", "load"]

_DICTS_AT_ONCE = 64
_METADATA = DOCUMENT_SCHEMA.field("metadata").type
_EVERYTHING = "all"


def load(
    path: str | os.PathLike[str],
    *,
    subsets: Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    mixture: str | None = None,
    rank: int = 0,
    world_size: int = 1,
    seed: int = 0,
    epochs: int | None = 1,
    columns: Sequence[str] | None = None,
    batch_size: int | None = None,
    shuffle: int = 2,
    read_ahead: int = 1,
    uneven: str = "keep",
    on_damage: str = "stop",
) -> Loader:
    """Read documents of a mixture, or of curated subsets.

    Each `for` over the result is a pass: all documents, in another order each time.

    Args:
        path: An output folder, a mixture in it, or a folder or file of Parquet.
        subsets: Read curated documents of these instead, those that the ledger keeps.
        weights: The same, and the share of each subset in the tokens given, at any point to within a document. A pass
            ends when one subset has given all its documents `epochs` times.
        mixture: Its name, where the folder has several.
        rank, world_size: This reader among those that share the documents, none of which two get.
        seed: The order is a function of it and of the epoch.
        epochs: How often each document comes in a pass, each time in another order; None never ends.
        columns: To read, all by default.
        batch_size: Rows of a RecordBatch (the last may be shorter); None gives dicts, in which metadata is a dict too.
        shuffle: Row groups whose rows are mixed, 2 of 8 to 16 MB by default, after all row groups are; 0 for the order
            of the files.
        read_ahead: Runs of row groups of a source that are read before they are asked for, by as many threads; 0 for
            none.
        uneven: Where the ranks of a pass get different numbers of documents: "keep" leaves it so, "drop" ends all with
            the poorest, "pad" lets the poorer ones take documents of their next epoch, "error" refuses.
        on_damage: "stop" raises SourceError for a row group that cannot be read; "skip" leaves it out, with a warning,
            and counts it.

    Returns:
        An iterator with `state_dict`, `load_state_dict`, `set_epoch` and `counts`.

    Raises:
        RecipeError: For arguments that do not fit, weights that do not sum to 1 and subsets without documents.
        OutputError: For files that are not what their manifest says.
        LimitError: For a pass in which `uneven` cannot be met.
        SourceError: While reading, for what cannot be read.
    """
    path = os.fspath(path)
    rank, world_size = check_rank(rank, world_size)
    check_uneven(uneven)
    seed, shuffle = whole_number("seed", seed), whole_number("shuffle", shuffle, 0)
    read_ahead = whole_number("read_ahead", read_ahead, 0)
    batch_size = None if batch_size is None else whole_number("batch_size", batch_size, 1)
    epochs = None if epochs is None else whole_number("epochs", epochs, 1)
    if on_damage not in ("stop", "skip"):
        raise RecipeError(f"on_damage: {on_damage!r}; expected 'stop' or 'skip'")
    if uneven != "keep" and (weights is not None or epochs is None):
        reason = "with weights a rank ends by its tokens" if weights is not None else "there is no end"
        raise RecipeError(f"uneven: {uneven!r}, but {reason}: take epochs=None and end all ranks at the same step")
    sources = _sources(path, subsets, weights, mixture)
    there = sources[0][0].columns
    if isinstance(columns, str):
        raise RecipeError(f"columns: {columns!r}; expected a list of names")
    unknown = [name for name in columns or () if name not in there]
    if unknown or (columns is not None and not columns):
        raise RecipeError(f"columns: {', '.join(unknown) or 'none'}; expected some of {', '.join(there)}")
    chosen = list(there if columns is None else columns)
    read = chosen if weights is None or TOKENS in chosen else [*chosen, TOKENS]
    lanes = {
        source.name: Lane(
            Blocks(source, read, seed=seed, shuffle=shuffle, on_damage=on_damage),
            rank=rank,
            world_size=world_size,
            epochs=epochs,
            weight=weight,
        )
        for source, weight in sources
    }
    digests = [source.digest for source, _ in sources]
    mark: dict[str, object] = {
        "mixture" if weights is None and subsets is None else "subsets": digests[0] if weights is None else digests,
        "weights": None if weights is None else {name: lane.weight for name, lane in lanes.items()},
        "seed": seed,
        "shuffle": shuffle,
    }
    return Loader(
        lanes,
        mark,
        chosen,
        rank=rank,
        world_size=world_size,
        batch_size=batch_size,
        read_ahead=read_ahead,
        uneven=uneven,
    )


def _sources(
    path: str, subsets: Sequence[str] | None, weights: Mapping[str, float] | None, mixture: str | None
) -> list[tuple[Source, float | None]]:
    """What is read, with the weight of each."""
    if subsets is not None and weights is not None:
        raise RecipeError("subsets: are named by the weights already; give one of the two")
    if mixture is not None and (subsets is not None or weights is not None):
        raise RecipeError(f"mixture: {mixture!r} has its weights; subsets and weights are for curated documents")
    if weights is not None:
        return [(curated_source(path, [name], name=name), weight) for name, weight in _checked(weights).items()]
    if subsets is not None:
        if not subsets or isinstance(subsets, str):
            raise RecipeError(f"subsets: {subsets!r}; expected a list of names")
        return [(curated_source(path, sorted(set(subsets)), name=_EVERYTHING), None)]
    return [(mixture_source(path, mixture, name=_EVERYTHING), None)]


def _checked(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    if not weights or abs(total - 1) > 1e-6 or min(weights.values()) < 0:
        raise RecipeError(f"weights: {dict(weights)!r} sum to {total:g}; expected shares of tokens that sum to 1")
    return {name: float(weight) for name, weight in sorted(weights.items()) if weight > 0}


class Loader:
    """What `load` returns.

    Iterating resumes where it stands, so also after `load_state_dict`; after the end of a pass it begins the next one.
    `epoch` is the number of the pass, and `ended` says what ended the last one.
    """

    def __init__(
        self,
        lanes: Mapping[str, Lane],
        mark: dict[str, object],
        columns: Sequence[str],
        *,
        rank: int,
        world_size: int,
        batch_size: int | None,
        read_ahead: int,
        uneven: str = "keep",
    ) -> None:
        self.columns, self.rank, self.world_size, self.batch_size = tuple(columns), rank, world_size, batch_size
        self.uneven, self.epoch = uneven, 0
        self.ended: str | None = None
        self._lanes, self._mark = dict(lanes), mark
        self._in_order = list(self._lanes.values())
        self._reading = Reading(read_ahead)
        self._schedule = Schedule(self._in_order, rank=rank, world_size=world_size, uneven=uneven)
        self._forget()
        self._schedule.warn_of_empty_ranks()

    def _forget(self) -> None:
        # Lanes of the rows to come, by their number, and how many of these rows are given; dicts made beforehand.
        self._plan, self._planned = np.zeros(0, np.int64), 0
        self._dicts: Iterator[tuple[Lane, dict[str, Any]]] = iter(())

    def set_epoch(self, epoch: int) -> None:
        """Stand at the beginning of pass `epoch`, from 0 on; within it already, nothing changes, so that a pass that
        was resumed goes on."""
        epoch = whole_number("epoch", epoch, 0)
        if epoch != self.epoch or self.ended is not None:
            self.epoch, self.ended = epoch, None
            self._reading.close()
            self._forget()
            self._schedule.begin(epoch)

    def __iter__(self) -> Iterator[Any]:
        if self.ended is not None:
            self.set_epoch(self.epoch + 1)
        return self

    def __next__(self) -> Any:
        return self._one() if self.batch_size is None else self._batch(self.batch_size)

    def _one(self) -> dict[str, Any]:
        for _ in range(2):
            for lane, document in self._dicts:
                lane.advance(1)
                self._planned += 1
                self._schedule.note(1)
                return document
            lanes, batch = self._rows(_DICTS_AT_ONCE)
            self._dicts = zip([self._in_order[i] for i in lanes.tolist()], _documents(batch))
        raise self._end()

    def _batch(self, size: int) -> pa.RecordBatch:
        before, documents = self._places(), [lane.documents for lane in self._in_order]
        rows_left = self._schedule.left
        pieces: list[pa.RecordBatch] = []
        left = size
        try:
            while left:
                lanes, batch = self._rows(left)
                if not batch.num_rows:
                    break
                pieces.append(batch)
                left -= batch.num_rows
                for number, n in enumerate(np.bincount(lanes, minlength=len(self._in_order)).tolist()):
                    if n:
                        self._in_order[number].advance(n)
                self._planned += batch.num_rows
                self._schedule.note(batch.num_rows)
        except BaseException:
            # Rows of a batch that was not given are not given.
            self._stand(before)
            self._schedule.left = rows_left
            for lane, n in zip(self._in_order, documents):
                lane.documents = n
            raise
        if not pieces:
            raise self._end()
        return pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)

    def _end(self) -> StopIteration:
        self._reading.close()
        if self.ended is None:
            self.ended = self._schedule.why()
        return StopIteration()

    def _rows(self, most: int) -> tuple[np.ndarray, pa.RecordBatch]:
        """Up to so many of the next rows, and the number of the lane of each; none at the end."""
        most = min(most, self._schedule.room())
        if self.ended is not None or not most or (self._planned == len(self._plan) and not self._ahead()):
            return np.zeros(0, np.int64), pa.record_batch({})
        lanes = self._plan[self._planned : self._planned + most]
        counts = np.bincount(lanes, minlength=len(self._in_order))
        pieces = [lane.rows(n).select(list(self.columns)) for lane, n in zip(self._in_order, counts.tolist()) if n]
        if len(pieces) == 1:
            return lanes, pieces[0]
        place = np.empty(len(lanes), np.int64)
        place[np.argsort(lanes, kind="stable")] = np.arange(len(lanes))
        return lanes, pa.concat_batches(pieces).take(pa.array(place))

    def _ahead(self) -> bool:
        """Plan the rows up to where a lane's block ends; False at the end of the pass."""
        self._plan, self._planned = self._schedule.ahead(self._reading), 0
        return len(self._plan) > 0

    def counts(self) -> dict[str, dict[str, float]]:
        """Of each subset weighed, or of `all`: documents that this object has given; epochs: where the ranks stand
        together, to within a block of each; damaged: row groups that were skipped."""
        return {name: lane.counts() for name, lane in self._lanes.items()}

    def damage(self) -> list[str]:
        """What was skipped, with file and row group, where `on_damage` is "skip"."""
        return [text for lane in self._in_order for _, text in sorted(lane.blocks.damaged.items())]

    def close(self) -> None:
        """Stop reading ahead. Iterating again goes on."""
        self._forget()
        for lane in self._in_order:
            lane.stand(lane.pending, lane.next, lane.tokens)
        self._reading.close()

    def __enter__(self) -> Loader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def state_dict(self) -> dict[str, Any]:
        """Where this rank stands, as JSON can hold it: a few numbers for each subset."""
        return {
            "version": 1,
            "of": dict(self._mark),
            "rank": self.rank,
            "world_size": self.world_size,
            "epoch": self.epoch,
            "ended": self.ended is not None,
            "before": self._schedule.before,
            "left": self._schedule.left,
            "subsets": self._places(),
        }

    def __getstate__(self) -> dict[str, Any]:
        # Without the rows that are read, as lanes are: where they stand says it all.
        return {**self.__dict__, "_plan": self._plan[:0], "_planned": 0, "_dicts": iter(())}

    def _places(self) -> dict[str, dict[str, Any]]:
        return {name: lane.state() for name, lane in self._lanes.items()}

    def _stand(self, places: Mapping[str, Mapping[str, Any]]) -> None:
        self._forget()
        for name, lane in self._lanes.items():
            place = places[name]
            lane.stand(place["pending"], place["next"], place["tokens"])

    def load_state_dict(self, state: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Resume from a state of this rank, or from the states of all ranks, in any order, of any world size: then what
        none of them has given is dealt anew, and no document is given twice within an epoch. Documents that `remove`
        took out since are not given; all others keep their order.

        Raises OutputError for states of other documents, weights, seed or shuffle, for states that are not those of all
        ranks, or of different epochs, and for what is no state.
        """
        states = checked_states(state, self._mark, subsets=self._lanes, of_rank=(), of_place=("next", "tokens"))
        own = own_state(states, rank=self.rank, world_size=self.world_size)
        self._reading.close()
        if own is not None:
            self._restore(own["epoch"], all_ended(states))
            self._stand(own["subsets"])
            self._schedule.before, self._schedule.left = float(own["before"]), own.get("left")
            return
        epoch, begun, has_ended = same_epoch(states)
        self._restore(epoch, has_ended)
        places: dict[str, dict[str, Any]] = {}
        every: list[list[tuple[list[list[int]], int]]] = []
        for name, lane in self._lanes.items():
            held = [
                one["subsets"][name] if one in begun else {"pending": [], "next": lane.start(epoch, one["rank"])}
                for one in states
            ]
            every.append([deal(held, rank=rank, world_size=self.world_size) for rank in range(self.world_size)])
            pending, edge = every[-1][self.rank]
            # Each rank holds to the weights from here on.
            places[name] = {"pending": pending, "next": edge, "tokens": 0}
        self._stand(places)
        self._schedule.resume(begun, every)

    def _restore(self, epoch: int, has_ended: bool) -> None:
        self.epoch = epoch
        self.ended = "the epoch had ended when the state was saved" if has_ended else None
        self._schedule.begin(epoch)


def _documents(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    return (dict(zip(names, values)) for values in zip(*map(_values, batch.columns)))


def _values(column: pa.Array) -> list[Any]:
    kind = column.type
    is_text = pa.types.is_large_string(kind) or pa.types.is_string(kind)
    # Much faster than to_pylist, and the same for these types.
    if is_text or (pa.types.is_int64(kind) and not column.null_count):
        return column.to_numpy(zero_copy_only=False).tolist()
    if kind == _METADATA:
        pairs = ([] if entry is None else entry for entry in column.to_pylist())
        return [{pair["key"]: pair["value"] for pair in entry} for entry in pairs]
    return column.to_pylist()
