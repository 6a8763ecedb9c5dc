"""Ledgers under SQL: an embedded engine (DuckDB) that reads their Parquet a few columns at a time, under a limit of
memory, spilling to a temporary folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import duckdb

from massivetext import storage
from massivetext.errors import OutputError
from massivetext.ledger import ledger_files
from massivetext.scratch import make_scratch, remove_scratch

__all__ = ["HOST", "MEMORY", "QUIET", "Engine"]

MEMORY = "400MB"
"""Of the engine. Beyond it, what a query gathers goes to a temporary folder."""

QUIET = "SET enable_progress_bar = false"
"""For each connection: a query of more than two seconds would otherwise draw a bar on standard output."""

HOST = "regexp_extract(lower(url), '^[a-z][a-z0-9+.-]*://(?:[^/?#]*@)?(?:www[.])?([^/:?#]+)', 1)"
"""The host of the column `url`, without `www.`; empty where the URL has none."""


class Engine:
    """A connection, and views of ledgers. A context manager.

    Raises OutputError for a folder that holds no ledger, and for one that is not Parquet or lacks columns.
    """

    def __init__(self, *, memory: str = MEMORY) -> None:
        self.memory = memory
        self.folders: list[str] = []

    def __enter__(self) -> Any:
        self._temporary = make_scratch("sql")
        self.connection = duckdb.connect(
            config={
                "memory_limit": self.memory,
                "threads": 2,
                "temp_directory": os.path.join(self._temporary, "spill"),
                "preserve_insertion_order": False,
                # Nothing is ever fetched: neither an extension nor a file that some text names.
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            }
        )
        self.connection.execute(QUIET)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.close()
        remove_scratch(self._temporary)

    def add_ledger(self, folder: str, view: str = "ledger", files: Sequence[str] | None = None) -> dict[str, str]:
        """Make a view of the ledger of an output folder, with each row's `part`; it replaces one of the same name.

        Args:
            folder: The run's output folder.
            view: The name of the view.
            files: The parts of the ledger; those of the final ledger if None.

        Returns:
            The types of its columns by name.
        """
        files = ledger_files(folder) if files is None else list(files)
        if storage.is_remote(folder):
            files = [self._copied(path, view) for path in files]
        self.folders.append(folder)
        names = ", ".join("'" + path.replace("'", "''") + "'" for path in files)
        cut = "regexp_extract(filename, '([^/]+)[.]parquet$', 1)"
        self.query(
            f"CREATE OR REPLACE VIEW {view} AS SELECT *, {cut} AS part FROM read_parquet([{names}], union_by_name=true)"
        )
        return {row[0]: row[1] for row in self.query(f"DESCRIBE {view}")}

    def _copied(self, path: str, view: str) -> str:
        """A part of a remote ledger on this disk. Folders stay: parts of two subsets may have one name."""
        target = os.path.join(self._temporary, view, *path.split("/")[-2:])
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with storage.open_input(path) as stream, open(target, "wb") as copy:
            shutil.copyfileobj(stream, copy, 8 << 20)
        return target

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        try:
            return self.connection.execute(sql, list(values)).fetchall()
        except duckdb.Error as error:
            where = " and ".join(f"{folder}/ledger" for folder in self.folders)
            raise OutputError(f"{where}: {error}; `massivetext verify` checks it") from error

    def rows(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """All rows of a query, each by column name."""
        found = self.query(sql, values)
        names = [column[0] for column in self.connection.description or ()]
        return [dict(zip(names, row)) for row in found]

    def documents(self, ids: Sequence[str], view: str = "ledger") -> dict[str, dict[str, Any]]:
        """Rows of a ledger by id, those that are there."""
        if not ids:
            return {}
        marks = ", ".join("?" * len(ids))
        return {row["id"]: row for row in self.rows(f"SELECT * FROM {view} WHERE id IN ({marks})", ids)}
