"""Looking things up in the ledger that a run leaves."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.parquet import open_parquet
from massivetext.url_credentials import without_credentials

__all__ = ["find_rows", "ledger_files"]


def ledger_files(folder: str) -> list[str]:
    """Ledger parts of an output folder, sorted. Raises OutputError if there are none."""
    found = [name for name in storage.list_files(storage.join(folder, "ledger")) if name.endswith(".parquet")]
    if not found:
        raise OutputError(f"{folder}: holds no ledger; is it the --output of a run?")
    return found


def find_rows(folder: str, document: str) -> list[dict[str, Any]]:
    """Rows whose id begins with `document`, or whose URL is it; one with a password or a signature is found by what the
    ledger keeps of it."""
    urls = pa.array(sorted({document, without_credentials(document)}), pa.string())
    rows: list[dict[str, Any]] = []
    for path in ledger_files(folder):
        with storage.open_input(path) as stream:
            file = open_parquet(stream)
            for group in range(file.metadata.num_row_groups):
                keys = file.read_row_group(group, columns=["id", "url"])
                by_url = pc.is_in(keys.column("url"), value_set=urls)
                found = pc.or_(pc.starts_with(keys.column("id"), document), by_url)
                if pc.any(found).as_py():
                    rows += file.read_row_group(group).filter(found).to_pylist()
    return rows
