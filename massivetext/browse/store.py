"""The ledger of a run under SQL for the pages: lists, counts, one document. Every query has a time limit.

A run that is not finished has its ledger in work/ledger; parts that are added while the pages are open are seen.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb
import pyarrow as pa

from massivetext import storage
from massivetext.browse.query import PAGE_ROWS, Query, QueryError, beyond, conditions, distance, quoted_name
from massivetext.errors import OutputError
from massivetext.looking.recipe_view import RecipeView, limit_ends
from massivetext.report.limits import Limited, limited_signals
from massivetext.report.samples import texts
from massivetext.sql import HOST, QUIET, Engine

__all__ = ["SECONDS", "Store"]

SECONDS = 20.0
"""Time limit of one query."""

_ADDRESSES = 100_000
"""Addresses that are looked at for hosts to suggest."""

_FRESH = 2.0
"""Seconds for which the list of the ledger's files is taken as it is."""

_NUMBERS = ("BIGINT", "INTEGER", "DOUBLE", "FLOAT", "UTINYINT", "TINYINT", "SMALLINT", "UBIGINT")

_NOT_SORTED = ("offset", "test_item", "part")
"""Columns of numbers that are places, not values to be sorted by."""

_SHOWN = ("id", "subset", "outcome", "reason", "reasons", "language", "url", "source", "n_bytes", "n_tokens")


class Store:
    """The ledger and texts of one output folder. A context manager; queries may run in several threads at once.

    Args:
        folder: The `--output` of a run.
        recipe: The recipe that made it.
        seconds: Time limit of one query.

    Attributes:
        columns: The types of the ledger's columns by name.
        is_final: Whether the run's last stage has written the ledger.
        generation: A number that grows whenever the ledger's files change.

    Raises:
        OutputError: On entering, if the folder has no ledger.
    """

    def __init__(self, folder: str, recipe: RecipeView, *, seconds: float = SECONDS) -> None:
        self.folder = folder
        self.recipe = recipe
        self.seconds = seconds
        self.is_final = True
        self.columns: dict[str, str] = {}
        self._engine = Engine()
        self._lock = threading.Lock()
        self._files: list[tuple[str, int, int]] = []
        self._looked = -_FRESH
        self._cached: dict[Any, Any] = {}
        self.generation = 0

    def __enter__(self) -> Store:
        self._engine.__enter__()
        try:
            self.refresh()
        except BaseException:
            self._engine.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        self._engine.__exit__(None, None, None)

    # ---- The view, and queries on it. ----

    def refresh(self) -> None:
        """Look for new parts of the ledger, at most every two seconds. Raises OutputError if there is no part."""
        with self._lock:
            if time.monotonic() - self._looked < _FRESH:
                return
            final, files = self._ledger_parts()
            if files != self._files:
                self.columns = self._engine.add_ledger(self.folder, files=[path for path, _, _ in files])
                self._files, self.is_final = files, final
                self._cached.clear()
                self.generation += 1
            self._looked = time.monotonic()

    def _ledger_parts(self) -> tuple[bool, list[tuple[str, int, int]]]:
        """Return whether the ledger is the final one, and its parts with their sizes and times of change."""
        for place in ("ledger", "work/ledger"):
            sizes = storage.list_sizes(storage.join(self.folder, place))
            files = [(path, *size) for path, size in sorted(sizes.items()) if path.endswith(".parquet")]
            if files:
                return place == "ledger", files
        raise OutputError(f"{self.folder}: has no ledger yet; is it the --output of a run?")

    @contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a connection of its own to the same views, interrupted after the time limit.

        Raises QueryError when the time is over, and OutputError where the files cannot be read.
        """
        cursor = self._engine.connection.cursor()
        cursor.execute(QUIET)
        timer = threading.Timer(self.seconds, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield cursor
        except duckdb.InterruptException:
            raise QueryError(f"the query took more than {self.seconds:g} s; narrow it by a filter") from None
        except duckdb.Error as error:
            raise OutputError(f"{self.folder}/ledger: {error}; `massivetext verify` checks it") from error
        finally:
            timer.cancel()
            cursor.close()

    def query(self, sql: str, values: Sequence[Any] = (), **tables: pa.Table) -> list[dict[str, Any]]:
        """Return the rows of a query by column name; tables: Arrow tables that it names."""
        with self.cursor() as cursor:
            for name, table in tables.items():
                cursor.register(name, table)
            cursor.execute(sql, list(values))
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row)) for row in cursor.fetchall()]

    def cached(self, key: Any, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """As `query`, but run once as long as the ledger's files are the same."""
        if key not in self._cached:
            self._cached[key] = self.query(sql, values)
        rows: list[dict[str, Any]] = self._cached[key]
        return rows

    # ---- What there is to filter and sort by. ----

    @property
    def numeric(self) -> list[str]:
        """The columns of numbers that can be sorted by and limited to a range, in the ledger's order."""
        return [name for name, kind in self.columns.items() if kind in _NUMBERS and name not in _NOT_SORTED]

    def limits(self) -> dict[str, list[Limited]]:
        """Return the limits of each limited rule, `quality.word_count`, with the subsets and languages of each."""
        signals = limited_signals(
            {subset: _plain(self.recipe.limited_signals(subset)) for subset in self.recipe.filled},
            {subset: _plain(self.recipe.limits_by_language(subset)) for subset in self.recipe.filled},
        )
        limits: dict[str, list[Limited]] = {}
        for one in signals:
            if one.signal in self.columns and (one.min, one.max, one.below) != (None, None, None):
                limits.setdefault(one.rule, []).append(one)
        return limits

    def facets(self) -> dict[str, list[dict[str, Any]]]:
        """Return the values of subset, outcome, reason and language with their numbers of records, most frequent
        first."""
        return {
            name: self.cached(
                ("facet", name),
                f"SELECT {name} AS value, count(*) AS documents FROM ledger WHERE {name} IS NOT NULL "
                "GROUP BY ALL ORDER BY documents DESC, value",
            )
            for name in ("subset", "outcome", "reason", "language")
        }

    def some_parts(self, subset: str, n_rows: int) -> list[str]:
        """Return parts of a subset that hold about `n_rows` records, evenly spread over all of its parts."""
        counts = self.cached(
            ("parts", subset),
            "SELECT part, count(*) AS n FROM ledger WHERE subset = ? GROUP BY ALL ORDER BY part",
            [subset],
        )
        n_parts = math.ceil(len(counts) * min(1.0, n_rows / max(1, sum(row["n"] for row in counts))))
        return [counts[k * len(counts) // n_parts]["part"] for k in range(n_parts)]

    def hosts(self, n: int = 100) -> list[str]:
        """Return the most frequent hosts among some of the addresses: suggestions for people who type one."""
        rows = self.cached(
            ("hosts", n),
            f"SELECT {HOST} AS host, count(*) AS documents FROM (SELECT url FROM ledger WHERE url IS NOT NULL "
            f"LIMIT {_ADDRESSES}) GROUP BY ALL "
            f"HAVING host <> '' ORDER BY documents DESC, host LIMIT {int(n)}",
        )
        return [row["host"] for row in rows]

    # ---- Lists. ----

    def _where(self, query: Query, ids: pa.Table | None) -> tuple[str, list[Any]]:
        condition, values = conditions(query)
        if ids is not None:
            condition += " AND id IN (SELECT id FROM hits)"
        return condition, values

    def totals(self, query: Query, ids: pa.Table | None = None) -> list[dict[str, Any]]:
        """Return documents, bytes and tokens by outcome of what a query selects; ids: what its text search found."""
        condition, values = self._where(query, ids)
        return self.query(
            "SELECT outcome, count(*) AS documents, coalesce(sum(n_bytes), 0)::BIGINT AS bytes, "
            f"coalesce(sum(n_tokens), 0)::BIGINT AS tokens FROM ledger WHERE {condition} GROUP BY ALL ORDER BY ALL",
            values,
            **({} if ids is None else {"hits": ids}),
        )

    def page(self, query: Query, ids: pa.Table | None = None) -> list[dict[str, Any]]:
        """Return the rows of a query's page: what the list shows, the value that it is sorted by and its distance from
        the limit, if it is sorted by that."""
        condition, values = self._where(query, ids)
        column = query.near.partition(".")[2] or query.sort.removeprefix("-")
        shown = ", ".join(quoted_name(name) for name in _SHOWN)
        sorted_by = f"{quoted_name(column)} AS sort_value" if column else "NULL AS sort_value"
        first: list[Any] = []
        if query.near:
            expression, first, side, side_values = distance(column, self.limits()[query.near], query.side)
            sorted_by += f", {expression} AS limit_distance"
            condition += f" AND {side} AND limit_distance IS NOT NULL"
            values = [*values, *side_values]
        elif query.sort:
            condition += " AND sort_value IS NOT NULL AND NOT isnan(sort_value::DOUBLE)"
        past, past_values, order = beyond(query)
        offset = 0 if query.after or query.before else query.page * PAGE_ROWS
        chosen, chosen_values = f"{condition} AND {past}", [*values, *past_values]
        if offset:
            # All rows before the page are sorted too: of these only what they are sorted by is read.
            end = f"ORDER BY {order} LIMIT {PAGE_ROWS} OFFSET {offset}"
            page = f"SELECT id, {sorted_by} FROM ledger WHERE {chosen} {end}"
            chosen, chosen_values = f"id IN (SELECT id FROM ({page}))", [*first, *chosen_values]
        rows = self.query(
            f"SELECT {shown}, {sorted_by} FROM ledger WHERE {chosen} ORDER BY {order} LIMIT {PAGE_ROWS}",
            [*first, *chosen_values],
            **({} if ids is None else {"hits": ids}),
        )
        return rows[::-1] if query.before else rows

    def ids(self, query: Query, ids: pa.Table | None = None, at_once: int = 4096) -> Iterator[list[str]]:
        """Yield the ids that a query selects, all of its pages, in the order of ids."""
        condition, values = self._where(query, ids)
        last = ""
        while True:
            rows = self.query(
                f"SELECT id FROM ledger WHERE id > ? AND {condition} ORDER BY id LIMIT {int(at_once)}",
                [last, *values],
                **({} if ids is None else {"hits": ids}),
            )
            if not rows:
                return
            yield [row["id"] for row in rows]
            last = rows[-1]["id"]

    # ---- Documents. ----

    def documents(self, names: Sequence[str], columns: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """Return rows of the ledger by id, with `part`, those that are there: some columns, all if none is named."""
        if not names:
            return {}
        marks = ", ".join("?" * len(names))
        shown = ", ".join(quoted_name(name) for name in columns) or "*"
        rows = self.query(f"SELECT {shown} FROM ledger WHERE id IN ({marks})", names)
        return {row["id"]: row for row in rows}

    def texts(self, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
        """Return the texts of rows by id, where the run kept them. Raises OutputError for a file that is damaged."""
        try:
            return texts(self.folder, rows.values())
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{self.folder}: {error}; `massivetext verify` checks it") from error

    def copies(self, name: str, n: int = 20) -> list[dict[str, Any]]:
        """Return documents that were removed in favour of a document, the least like it first."""
        if "partner_id" not in self.columns:
            return []
        return self.query(
            "SELECT id, outcome, reason, url, source, partner_jaccard FROM ledger WHERE partner_id = ? "
            f"ORDER BY partner_jaccard NULLS FIRST, id LIMIT {int(n)}",
            [name],
        )


def _plain(limits: Any) -> Any:
    """Return limits in mappings of mappings as plain data."""
    return {k: _plain(v) for k, v in limits.items()} if isinstance(limits, Mapping) else limit_ends(limits)
