"""Documents for a trainer: in a seeded order, dealt to ranks, weighed by tokens where asked, and resumed exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.dealing import check_rank, compare_states, deal, own_state
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.errors import RecipeError
from massivetext.loader.blocks import Blocks
from massivetext.loader.lanes import Lane, Reading
from massivetext.loader.sources import TOKENS, Source, curated_source, mixture_source

__all__ = ["Loader", "load"]

_DICTS_AT_ONCE = 64
_METADATA = DOCUMENT_SCHEMA.field("metadata").type
_EVERYTHING = "all"


def load(
    path: str,
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
) -> Loader:
    """Documents of a mixture, or of curated subsets: an iterator of dicts, in which metadata is a dict too, or of
    RecordBatches of batch_size rows (the last may be shorter).

    path: an output folder, a mixture in it, or a folder or file of Parquet. mixture: its name, where the folder has
    several. subsets: read curated documents of these instead, those that the ledger keeps. weights: the same, and the
    share of each subset in the tokens given, at any point to within a document; the stream ends when a subset has
    given its documents `epochs` times. rank, world_size: this reader among those that share the documents, none of
    which two get. seed: the order is a function of it and of the epoch. epochs: how often each document comes, each
    time in another order; None never ends. columns: to read, all by default. shuffle: row groups whose rows are mixed,
    2 of 8 to 16 MB by default, after all row groups are; 0 for the order of the files. read_ahead: blocks of a source
    that are read before they are asked for, by as many threads; 0 for none.

    Raises RecipeError for arguments that do not fit, weights that do not sum to 1 and subsets without documents;
    OutputError for files that are not what their manifest says; while reading, SourceError for what cannot be read.
    """
    check_rank(rank, world_size)
    least = {
        "batch_size": (batch_size, 1),
        "epochs": (epochs, 1),
        "shuffle": (shuffle, 0),
        "read_ahead": (read_ahead, 0),
    }
    for name, (value, lowest) in least.items():
        if value is not None and (value != int(value) or value < lowest):
            raise RecipeError(f"{name}: {value}; expected a whole number of at least {lowest}")
    if subsets is not None and weights is not None:
        raise RecipeError("subsets: are named by the weights already; give one of the two")
    if mixture is not None and (subsets is not None or weights is not None):
        raise RecipeError(f"mixture: {mixture!r} has its weights; subsets and weights are for curated documents")
    sources: list[tuple[Source, float | None]]
    if weights is not None:
        shares = _checked(weights)
        sources = [(curated_source(path, [name], name=name), weight) for name, weight in shares.items()]
    elif subsets is not None:
        if not subsets or isinstance(subsets, str):
            raise RecipeError(f"subsets: {subsets!r}; expected a list of names")
        sources = [(curated_source(path, sorted(set(subsets)), name=_EVERYTHING), None)]
    else:
        sources = [(mixture_source(path, mixture, name=_EVERYTHING), None)]
    there = sources[0][0].columns
    unknown = [name for name in columns or () if name not in there]
    if unknown or (columns is not None and not columns):
        raise RecipeError(f"columns: {', '.join(unknown) or 'none'}; expected some of {', '.join(there)}")
    chosen = list(there if columns is None else columns)
    read = chosen if weights is None or TOKENS in chosen else [*chosen, TOKENS]
    lanes = {
        source.name: Lane(
            Blocks(source, read, seed=seed, shuffle=shuffle),
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
    return Loader(lanes, mark, chosen, rank=rank, world_size=world_size, batch_size=batch_size, read_ahead=read_ahead)


def _checked(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    if not weights or abs(total - 1) > 1e-6 or min(weights.values()) < 0:
        raise RecipeError(f"weights: {dict(weights)!r} sum to {total:g}; expected shares of tokens that sum to 1")
    return {name: float(weight) for name, weight in sorted(weights.items()) if weight > 0}


class Loader:
    """What `load` returns. Iterating goes on where it stands; so it does after `load_state_dict`."""

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
    ) -> None:
        self.columns, self.rank, self.world_size, self.batch_size = tuple(columns), rank, world_size, batch_size
        self._lanes, self._mark = dict(lanes), mark
        self._in_order = list(self._lanes.values())
        self._reading = Reading(read_ahead)
        self._forget()

    def _forget(self) -> None:
        # Lanes of the rows to come, by their number, and how many of these rows are given; dicts made beforehand.
        self._plan, self._planned = np.zeros(0, np.int64), 0
        self._dicts: Iterator[tuple[Lane, dict[str, Any]]] = iter(())

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        return self._one() if self.batch_size is None else self._batch(self.batch_size)

    def _one(self) -> dict[str, Any]:
        for _ in range(2):
            for lane, document in self._dicts:
                lane.advance(1)
                self._planned += 1
                return document
            lanes, batch = self._rows(_DICTS_AT_ONCE)
            self._dicts = zip([self._in_order[i] for i in lanes.tolist()], _documents(batch))
        self._reading.close()
        raise StopIteration

    def _batch(self, size: int) -> pa.RecordBatch:
        before, documents = self._places(), [lane.documents for lane in self._in_order]
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
        except BaseException:
            # Rows of a batch that was not given are not given.
            self._stand(before)
            for lane, n in zip(self._in_order, documents):
                lane.documents = n
            raise
        if not pieces:
            self._reading.close()
            raise StopIteration
        return pieces[0] if len(pieces) == 1 else pa.concat_batches(pieces)

    def _rows(self, most: int) -> tuple[np.ndarray, pa.RecordBatch]:
        """Up to so many of the next rows, and the number of the lane of each; none at the end."""
        if self._planned == len(self._plan) and not self._ahead():
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
        """Plan the rows up to where a lane's block ends; False at the end of a lane."""
        if not all(lane.fill(self._reading) for lane in self._in_order):
            return False
        if len(self._in_order) == 1:
            self._plan = np.zeros(self._in_order[0].left(), np.int64)
        else:
            due = [lane.due() for lane in self._in_order]
            edge = min(found[-1] for found in due)
            due = [found[: np.searchsorted(found, edge, side="right")] for found in due]
            numbers = np.repeat(np.arange(len(due)), [len(found) for found in due])
            self._plan = numbers[np.argsort(np.concatenate(due), kind="stable")]
        self._planned = 0
        return True

    def counts(self) -> dict[str, dict[str, float]]:
        """Of each subset weighed, or of `all`: documents that this object has given; epochs: where the ranks stand
        together, to within a block of each."""
        return {name: lane.counts() for name, lane in self._lanes.items()}

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
            lane.stand(place["pending"], int(place["next"]), int(place["tokens"]))

    def load_state_dict(self, state: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
        """Go on from a state of this rank, or from the states of all ranks, in any order, of any world size: then what
        none of them has given is dealt anew, and no document is given twice within an epoch.

        Raises OutputError for states of other documents, weights, seed or shuffle, and for states that are not those
        of all ranks.
        """
        states = [state] if isinstance(state, Mapping) else list(state)
        compare_states(states, self._mark)
        own = own_state(states, rank=self.rank, world_size=self.world_size)
        if own is not None:
            self._stand(own["subsets"])
        else:
            places = {}
            for name in self._lanes:
                held = [one["subsets"][name] for one in states]
                pending, edge = deal(held, rank=self.rank, world_size=self.world_size)
                # Each rank holds to the weights from here on.
                places[name] = {"pending": pending, "next": edge, "tokens": 0}
            self._stand(places)
        self._reading.close()


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
