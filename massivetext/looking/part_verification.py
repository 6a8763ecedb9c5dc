"""Whether one part of a run agrees with itself: its ledger, its curated, rejected and cut texts, and the manifests.

The ledger is read once, a batch of rows at a time, and the other files along with it: memory does not depend on how
many rows a part has. Only for a part in which something is off are ids read whole, to name what it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.documents import DOCUMENT_SCHEMA
from massivetext.looking.unique_ids import UniqueIds, packed_ids
from massivetext.ordered_rows import OrderedRows, batches
from massivetext.parquet import open_parquet, read_parquet
from massivetext.quantiles import bucket_of

__all__ = ["verify_part"]

_COLUMNS = ("id", "outcome", "reason", "pieces")
_OUTCOMES = {"curated": ("kept", "duplicate", "outranked", "contaminated"), "rejected": ("rejected",)}
"""Which rows of the ledger have their texts in a folder."""

_Manifests = Mapping[str, Mapping[str, Any]]


class _Check(Protocol):
    """Looks at all batches of a ledger, and then says what is wrong."""

    def look(self, batch: pa.RecordBatch) -> None: ...

    def faults(self) -> list[str]: ...


def verify_part(root: str, name: str, manifests: _Manifests, unique: UniqueIds) -> tuple[list[str], dict[str, int]]:
    """Return faults of one part, and its documents by outcome.

    Args:
        root: DIR.
        name: Of the part's files below their folders, such as `c4/part-0123456789abcdef-00000.parquet`.
        manifests: By folder.
        unique: Is given the ids of the ledger.

    Raises:
        FILE_ERRORS: One of the files cannot be read.
    """
    path = storage.join(root, "ledger", name)
    limits = manifests["ledger"].get("limits", {}).get(name.split("/")[0], {})
    rows = _Rows(path, manifests["ledger"]["files"][name]["rows"], unique)
    checks: list[_Check] = [rows]
    with ExitStack() as files:
        file = open_parquet(files.enter_context(storage.open_input(path)))
        columns = dict.fromkeys(_COLUMNS)
        if limits:
            outranked = _Outranked(path, limits)
            checks.insert(0, outranked)
            columns |= dict.fromkeys([*limits, *outranked.buckets.values()])
        for kind in _OUTCOMES:
            if name in manifests.get(kind, {}).get("files", {}):
                stream = files.enter_context(storage.open_input(storage.join(root, kind, name)))
                checks.append(_Texts(root, name, kind, open_parquet(stream)))
        pieces = None
        if name in manifests.get("pieces", {}).get("files", {}):
            pieces = open_parquet(files.enter_context(storage.open_input(storage.join(root, "pieces", name))))
        checks.append(_Pieces(storage.join(root, "pieces", name), pieces))
        for batch in batches(file, list(columns)):
            for check in checks:
                check.look(batch)
        faults = [fault for check in checks for fault in check.faults()]
    return faults, dict(rows.outcomes)


class _Rows:
    """Rows are as many as the manifest says, ids are ids, and each record that is not kept has a reason."""

    def __init__(self, path: str, n_stated: int, unique: UniqueIds) -> None:
        self.path, self.n_stated, self.unique = path, n_stated, unique
        self.n_rows = 0
        self.is_unexplained = False
        self.outcomes: Counter[str] = Counter()

    def look(self, batch: pa.RecordBatch) -> None:
        self.n_rows += batch.num_rows
        self.unique.add(packed_ids(pa.chunked_array([batch.column("id")])))
        outcomes = batch.column("outcome")
        unexplained = pc.and_(pc.not_equal(outcomes, "kept"), pc.is_null(batch.column("reason")))
        self.is_unexplained |= bool(pc.any(unexplained).as_py())
        for row in pc.value_counts(outcomes).to_pylist():
            self.outcomes[row["values"]] += row["counts"]

    def faults(self) -> list[str]:
        faults = []
        if self.n_rows != self.n_stated:
            faults.append(f"{self.path}: has {self.n_rows} rows, the manifest says {self.n_stated}")
        if self.is_unexplained:
            faults.append(f"{self.path}: a record that is not kept has no reason")
        return faults


class _Outranked:
    """The documents below the limits that the manifest has are outranked, and no others; and each that has a bucket is
    in the right one.

    Attributes:
        buckets: Columns of buckets, by the names of limits.
    """

    def __init__(self, path: str, limits: Mapping[str, Mapping[str, Any]]) -> None:
        self.path, self.limits = path, limits
        self.buckets = {name: f"{name}_bucket" for name, limit in limits.items() if limit["buckets"]}
        self.n_in_other_bucket: Counter[str] = Counter()
        self.n_too_many = self.n_too_few = 0

    def look(self, batch: pa.RecordBatch) -> None:
        batch = batch.filter(pc.invert(_is_removed(batch)))
        below = np.zeros(batch.num_rows, bool)
        for name, limit in self.limits.items():
            values = batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False)
            if limit["keep"] is not None:
                below |= values < limit["keep"]
            if name in self.buckets:
                differs = pc.not_equal(batch.column(self.buckets[name]), pa.array(bucket_of(values, limit["buckets"])))
                self.n_in_other_bucket[name] += pc.sum(differs).as_py() or 0
        outcomes = batch.column("outcome")
        # Others are outranked for what `spans` and `host_lines` measure.
        is_outranked = np.zeros(batch.num_rows, bool)
        for name in self.limits:
            by_share = pc.and_(pc.equal(outcomes, "outranked"), pc.ends_with(batch.column("reason"), f".{name}"))
            is_outranked |= pc.fill_null(by_share, False).to_numpy(zero_copy_only=False)
        is_in = np.isin(outcomes.to_numpy(zero_copy_only=False), ["kept", "contaminated"])
        self.n_too_many += int((is_outranked & ~below).sum())
        self.n_too_few += int((is_in & below).sum())

    def faults(self) -> list[str]:
        faults = [
            f"{self.path}: {n} documents are in another bucket than their {name} has by the manifest"
            for name, n in self.n_in_other_bucket.items()
            if n
        ]
        if n := self.n_too_many:
            faults.append(f"{self.path}: {n} documents are outranked, and reach the limits that the manifest has")
        if n := self.n_too_few:
            faults.append(
                f"{self.path}: {n} documents are not outranked, and do not reach the limits that the manifest has"
            )
        return faults


class _Texts:
    """Curated rows are those that the per-document rules kept, in the ledger's order; rejected rows are among those
    that they rejected."""

    def __init__(self, root: str, name: str, kind: str, file: pq.ParquetFile) -> None:
        self.root, self.name, self.kind = root, name, kind
        self.outcomes = pa.array(_OUTCOMES[kind])
        self.has_other_schema = not file.schema_arrow.equals(DOCUMENT_SCHEMA)
        self.rows = OrderedRows(file)
        self.n_stated = 0

    def look(self, batch: pa.RecordBatch) -> None:
        has_outcome = pc.is_in(batch.column("outcome"), value_set=self.outcomes)
        self.n_stated += pc.sum(has_outcome).as_py() or 0
        self.rows.take(batch.column("id").filter(pc.and_(has_outcome, pc.invert(_is_removed(batch)))))

    def faults(self) -> list[str]:
        path = storage.join(self.root, self.kind, self.name)
        faults = [f"{path}: has another schema"] if self.has_other_schema else []
        is_whole = self.rows.is_done() and (self.kind == "rejected" or self.rows.n_taken == self.n_stated)
        return faults if is_whole else faults + self._named(path)

    def _named(self, path: str) -> list[str]:
        """Return what is off, by the ids of the whole part."""
        with storage.open_input(storage.join(self.root, "ledger", self.name)) as stream:
            ledger = read_parquet(stream, columns=["id", "outcome", "reason"])
        with storage.open_input(path) as stream:
            ids = read_parquet(stream, columns=["id"]).column("id").combine_chunks()
        faults = []
        has_outcome = pc.is_in(ledger.column("outcome"), value_set=self.outcomes)
        is_allowed = pc.and_(has_outcome, pc.invert(_is_removed(ledger)))
        places = pc.index_in(ids, value_set=ledger.column("id").combine_chunks())
        wrong = pc.invert(pc.fill_null(pc.take(is_allowed, places), False))
        if n := pc.sum(wrong).as_py():
            first = ids.filter(wrong)[0].as_py()
            faults.append(f"{path}: {n} documents are not {self.kind} by the ledger, such as {first}")
        elif len(ids) and (np.diff(places.to_numpy(zero_copy_only=False)) < 0).any():
            faults.append(f"{path}: rows are not in the ledger's order")
        if self.kind == "curated" and len(ids) != (pc.sum(has_outcome).as_py() or 0):
            faults.append(f"{path}: documents that the ledger has are missing")
        return faults


class _Pieces:
    """Pieces are those that the ledger counts, `<id>#0` and on, in its order."""

    def __init__(self, path: str, file: pq.ParquetFile | None) -> None:
        """file: None where the manifest has no such file."""
        self.path, self.file = path, file
        self.rows = None if file is None else OrderedRows(file)
        self.n_stated = 0

    def look(self, batch: pa.RecordBatch) -> None:
        has_pieces = batch.filter(pc.fill_null(pc.greater(batch.column("pieces"), 0), False))
        stated = [
            f"{row['id']}#{k}" for row in has_pieces.select(["id", "pieces"]).to_pylist() for k in range(row["pieces"])
        ]
        self.n_stated += len(stated)
        if self.rows is not None:
            self.rows.take(pa.array(stated, pa.string()))

    def faults(self) -> list[str]:
        if self.file is None or self.rows is None:
            return [f"{self.path}: is not there, the ledger counts {self.n_stated} pieces"] if self.n_stated else []
        faults = [] if self.file.schema_arrow.equals(DOCUMENT_SCHEMA) else [f"{self.path}: has another schema"]
        if not (self.rows.is_done() and self.rows.n_taken == self.n_stated):
            faults.append(f"{self.path}: holds other pieces than the {self.n_stated} that the ledger counts")
        return faults


def _is_removed(rows: pa.RecordBatch | pa.Table) -> Any:
    """Whether each row of a ledger was taken out of the run."""
    return pc.fill_null(pc.starts_with(rows.column("reason"), "removed."), False)
