"""The limit of a signal above which the best share of a run's documents lies, from the ledger alone.

Exact at any size, by two readings of three columns with bounded memory (`massivetext.quantiles`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import quantiles, storage
from massivetext.errors import RecipeError
from massivetext.ledger import ledger_files
from massivetext.parquet import open_parquet

__all__ = ["Unit", "best_share_limit", "best_share_limits", "ledger_limit", "weighted"]

Unit = Literal["tokens", "documents"]
Weighted = tuple[np.ndarray, np.ndarray]
"""float64[n], values, NaN for none; int64[n], their weights."""


def best_share_limit(read: Callable[[], Iterable[Weighted]], share: float) -> float | None:
    """Return the greatest value such that the documents with at least it have at least that share of the weight.

    Documents of equal value stay or go together, so the share that is kept may be larger than the one asked for.

    Args:
        read: yields values and weights, in pieces; it is called twice.
        share: from 0 to 1.

    Returns:
        The limit, or None where there is no weight.
    """
    return best_share_limits(read, [quantiles.Search.of(share)])[0]


def best_share_limits(
    read: Callable[[], Iterable[Weighted]], searches: Sequence[quantiles.Search]
) -> list[float | None]:
    """Return the limits of several shares, by the same two readings."""
    bins = quantiles.add_up(quantiles.count(values, weights) for values, weights in read())
    chosen = [search.in_bins(bins) for search in searches]
    wanted = sorted({search.bin for search in chosen if search.bin is not None})
    if not wanted:
        return [None for _ in searches]
    sums = quantiles.add_up(quantiles.count(values, weights, bins=wanted) for values, weights in read())
    return [search.in_values(sums).limit for search in chosen]


def weighted(values: pa.Array, n_tokens: pa.Array, unit: Unit) -> Weighted:
    """Return a numeric column of a ledger, NaN for a null, and the weight of each row: its tokens, or one."""
    numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    if unit == "documents":
        return numbers, np.ones(len(numbers), np.int64)
    return numbers, pc.fill_null(n_tokens, 0).to_numpy(zero_copy_only=False).astype(np.int64)


def ledger_limit(folder: str, signal: str, share: float, unit: Unit = "tokens") -> float:
    """Return the limit that keeps the best share of the documents that a run keeps now.

    Args:
        folder: the run's output folder.
        signal: a numeric column of the ledger; documents without a value do not count.
        share: from 0 to 1.
        unit: what the share is of.

    Raises:
        RecipeError: the ledger has no such numeric column, or no document that is kept has a value.
        OutputError: the folder has no ledger.
    """
    limit = best_share_limit(lambda: _kept(folder, signal, unit), share)
    if limit is None:
        raise RecipeError(f"{signal}: no document that {folder} keeps has a value, so a share of them has no limit")
    return limit


def _kept(folder: str, signal: str, unit: Unit) -> Iterator[Weighted]:
    for path in ledger_files(folder):
        with storage.open_input(path) as stream, open_parquet(stream) as file:
            if signal not in file.schema_arrow.names:
                raise RecipeError(f"{signal}: the ledger has no such column")
            for batch in file.iter_batches(columns=["outcome", "n_tokens", signal]):
                rows = batch.filter(pc.and_(pc.equal(batch["outcome"], "kept"), batch[signal].is_valid()))
                try:
                    yield weighted(rows[signal], rows["n_tokens"], unit)
                except (ValueError, NotImplementedError) as error:
                    raise RecipeError(f"{signal}: is {rows[signal].type} in the ledger; expected numbers") from error
