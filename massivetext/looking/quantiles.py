"""The limit of a signal above which the best share of a run's documents lies, from the ledger alone.

Exact at any size, by two passes with bounded memory. The first one adds up the weight of documents in bins: the bin of
a value is the upper part of its bits, taken so that they order as the values do. The second one looks at the distinct
values of the one bin in which the limit lies. Order and number of parts do not matter, for weights are whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Literal

import numpy as np
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import RecipeError
from massivetext.ledger import ledger_files
from massivetext.parquet import open_parquet

__all__ = ["Unit", "best_share_limit", "ledger_limit"]

Unit = Literal["tokens", "documents"]
Weighted = tuple[np.ndarray, np.ndarray]
"""float64[n], values without NaN; int64[n], their weights."""
_SHIFT = np.uint64(40)
"""Bits of a value that its bin leaves out: 12 bits of the mantissa are in it, so 4,096 bins between .5 and 1."""
_SIGN = np.uint64(1 << 63)


def best_share_limit(read: Callable[[], Iterable[Weighted]], share: float) -> float | None:
    """Return the greatest value such that the documents with at least it have at least that share of the weight.

    Documents of equal value stay or go together, so the share that is kept may be larger than the one asked for.

    Args:
        read: yields values and weights, in pieces; it is called twice.
        share: from 0 to 1.

    Returns:
        The limit, or None where there is no weight.
    """
    bins = _sums((_keys(values) >> _SHIFT, weights) for values, weights in read())
    total = sum(bins.values())
    if total == 0:
        return None
    # In decimals, as the share was written: in binary ones 0.55 of 100 documents are more than 55.
    needed = math.ceil(Fraction(str(share)) * total)
    above = 0
    for chosen in sorted(bins, reverse=True):
        if above + bins[chosen] >= needed:
            break
        above += bins[chosen]

    def in_bin() -> Iterator[Weighted]:
        for values, weights in read():
            keys = _keys(values)
            rows = keys >> _SHIFT == chosen
            yield keys[rows], weights[rows]

    values = _sums(in_bin())
    for key in sorted(values, reverse=True):
        above += values[key]
        if above >= needed:
            break
    return _value(key)


def _keys(values: np.ndarray) -> np.ndarray:
    """uint64[n] that order as the values do; -0.0 is 0.0."""
    bits = (values + 0.0).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _value(key: int) -> float:
    bits = np.uint64(key)
    restored = bits & ~_SIGN if bits & _SIGN else ~bits
    return float(np.array([restored], np.uint64).view(np.float64)[0])


def _sums(pieces: Iterable[tuple[np.ndarray, np.ndarray]]) -> dict[int, int]:
    """The sum of weights of each key."""
    sums: dict[int, int] = {}
    for keys, weights in pieces:
        distinct, places = np.unique(keys, return_inverse=True)
        totals = np.zeros(len(distinct), np.int64)
        np.add.at(totals, places, weights)
        for key, total in zip(distinct.tolist(), totals.tolist()):
            sums[key] = sums.get(key, 0) + total
    return sums


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
                    values = rows[signal].cast("float64").to_numpy(zero_copy_only=False)
                except (ValueError, NotImplementedError) as error:
                    raise RecipeError(f"{signal}: is {rows[signal].type} in the ledger; expected numbers") from error
                if unit == "documents":
                    weights = np.ones(len(values), np.int64)
                else:
                    weights = pc.fill_null(rows["n_tokens"], 0).to_numpy(zero_copy_only=False)
                known = ~np.isnan(values)
                yield values[known], weights[known]
