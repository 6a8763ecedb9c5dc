"""The kept documents of curated parts, joined with the ledger: what a mixture is planned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.errors import OutputError

__all__ = ["Documents", "kept_documents"]


@dataclass(frozen=True)
class Documents:
    """Kept documents of one subset, in the order of parts and rows. paths: the curated files; part: int32, index into
    paths; row_group, row: int32, place in the file (row within the group); tokens, size: int64."""

    paths: tuple[str, ...]
    part: np.ndarray
    row_group: np.ndarray
    row: np.ndarray
    tokens: np.ndarray
    size: np.ndarray

    def __len__(self) -> int:
        return len(self.part)


def kept_documents(parts: Sequence[tuple[str, str | None]]) -> Documents:
    """parts: (file of documents, ledger file), in order. A curated document is kept iff its ledger row's outcome is;
    of a file without ledger (pieces of documents) all are.

    Raises OutputError for a curated document that the ledger does not know.
    """
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("part", "row_group", "row", "tokens", "size")}
    for number, (curated, ledger) in enumerate(parts):
        rows = None
        if ledger is not None:
            with storage.open_input(ledger) as stream:
                rows = pq.read_table(stream, columns=["id", "outcome"])
        with storage.open_input(curated) as stream:
            file = pq.ParquetFile(stream)
            for group in range(file.metadata.num_row_groups):
                table = file.read_row_group(group, columns=["id", "n_bytes", "n_tokens"])
                chosen = np.arange(table.num_rows)
                if rows is not None:
                    at = pc.index_in(table.column("id"), value_set=rows.column("id").combine_chunks())
                    if at.null_count:
                        raise OutputError(f"{curated}: row group {group} has documents that {ledger} does not know")
                    chosen = np.flatnonzero(pc.equal(rows.column("outcome").take(at), "kept").to_numpy())
                columns["part"].append(np.full(len(chosen), number, np.int32))
                columns["row_group"].append(np.full(len(chosen), group, np.int32))
                columns["row"].append(chosen.astype(np.int32))
                columns["tokens"].append(table.column("n_tokens").to_numpy()[chosen])
                columns["size"].append(table.column("n_bytes").to_numpy()[chosen])
    found = {
        name: np.concatenate([*values, np.zeros(0, np.int64)]).astype(np.int64) for name, values in columns.items()
    }
    return Documents(tuple(path for path, _ in parts), **found)
