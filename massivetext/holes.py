"""Holes: where rows stood that `remove` took out of a file, so that a training under way goes on around them.

A file that is written anew without some rows says in its own metadata what it was before: the digest of its first
bytes, the rows of each of its row groups then, and of each row taken out its row group, row, id and subset. Readers
number rows as they were at first, so that the order of all other rows, and a saved state, stay valid.

    row group 1, first written    a b c d e
    afterwards                    a c e          holes: rows 1 and 3
    places                        0 -1 1 -1 2    of each first row the row that holds it now, -1 for a hole
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

import numpy as np

__all__ = ["KEY", "Holes", "read_holes"]

KEY = b"massivetext.removed"
"""Of the metadata of a Parquet file's schema."""


@dataclass(frozen=True)
class Holes:
    """What a file was before rows were taken out.

    of: BLAKE2b-256 (hex) of the file as it was first written; rows: of each row group then; group, row: of each row
    that is gone, in order; ids, subsets: of the same rows, a subset being "" where the file has no such column; kept:
    in a ledger, where rows stay, the ids of removed documents that had been kept.
    """

    of: str
    rows: tuple[int, ...]
    group: tuple[int, ...] = ()
    row: tuple[int, ...] = ()
    ids: tuple[str, ...] = ()
    subsets: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()

    def places(self, group: int) -> np.ndarray:
        """int64: of each first row of a row group, the row that holds it now, -1 where it is gone."""
        there = np.ones(self.rows[group], bool)
        there[[row for g, row in zip(self.group, self.row) if g == group]] = False
        return np.where(there, np.cumsum(there) - 1, -1)

    def groups(self) -> list[int]:
        """Of each row group of the first file its number now, -1 where all its rows are gone."""
        gone = np.bincount(np.array(self.group, np.int64), minlength=len(self.rows))
        there = gone < np.array(self.rows, np.int64)
        return np.where(there, np.cumsum(there) - 1, -1).tolist()

    def of_group(self, group: int) -> list[tuple[int, str, str]]:
        """(row, id, subset) of each hole of a row group."""
        every = zip(self.group, self.row, self.ids, self.subsets)
        return [(row, name, subset) for g, row, name, subset in every if g == group]

    def more(self, taken: Iterable[tuple[int, int, str, str]], kept: Iterable[str] = ()) -> Holes:
        """The same with further holes: (row group, row, id, subset), numbered as in the first file."""
        every = sorted({*zip(self.group, self.row, self.ids, self.subsets), *taken})
        group, row, ids, subsets = tuple(zip(*every)) or ((), (), (), ())
        return Holes(self.of, self.rows, group, row, ids, subsets, tuple(sorted({*self.kept, *kept})))

    def metadata(self, others: Mapping[bytes, bytes] | None) -> dict[bytes, bytes]:
        """Metadata of a schema that holds this beside what it held."""
        return {**(others or {}), KEY: json.dumps(asdict(self), sort_keys=True).encode()}


def read_holes(metadata: Mapping[bytes, bytes] | None) -> Holes | None:
    """The holes that the metadata of a file's schema tells, None where it tells of none."""
    if not metadata or KEY not in metadata:
        return None
    data = json.loads(metadata[KEY])
    return Holes(data["of"], **{name: tuple(values) for name, values in data.items() if name != "of"})
