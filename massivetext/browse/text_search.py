"""Search in texts, part by part, for as long as one is willing to wait; what was found so far can be shown any time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.browse.query import Query, QueryError, conditions
from massivetext.browse.store import Store
from massivetext.errors import OutputError
from massivetext.parquet import open_parquet

__all__ = ["SECONDS", "Search", "Searches", "matches"]

SECONDS = 3.0
"""For which one request searches. The next request for the same search takes it up where this one stopped."""

LONGEST = 1000
"""Characters of a pattern."""

_FEW = 200_000
"""Documents up to which their ids are kept, so that no other document's text is looked into."""

_ROWS = 256
"""Rows of a batch: texts between two looks at the clock."""

_WITH_TEXT = "outcome IN ('kept', 'rejected', 'duplicate', 'outranked', 'contaminated')"

_KIND = "CASE WHEN outcome = 'rejected' THEN 'rejected' ELSE 'curated' END"


def matches(texts: Any, text: str, mode: str) -> Any:
    """Return which texts contain what is searched for.

    Args:
        texts: An Arrow array of strings.
        text: What is searched for. Upper and lower case are the same, but for a regular expression.
        mode: `words`, `phrase` or `regex` (RE2, so time grows with the text alone).

    Raises:
        QueryError: For an expression that is not one.
    """
    if len(text) > LONGEST:
        raise QueryError(f"text: has {len(text):,} characters; at most {LONGEST:,} can be searched for")
    if mode == "regex":
        try:
            return pc.match_substring_regex(texts, text)
        except pa.ArrowInvalid as error:
            raise QueryError(f"text: {text!r} is not a regular expression: {error}") from error
    mask = pc.is_valid(texts)
    for word in [text] if mode == "phrase" else text.split():
        mask = pc.and_(mask, pc.fill_null(pc.match_substring(texts, word, ignore_case=True), False))
    return mask


class Search:
    """One search through the texts of the documents that a query's other filters select.

    Attributes:
        n_parts, n_done: Parts with such documents, and how many of them are searched.
        is_complete: Whether all are.
        seconds: Time spent so far.
    """

    def __init__(self, store: Store, query: Query) -> None:
        matches(pa.array([""]), query.text, query.mode)  # a wrong expression fails here
        self._store, self._query = store, query
        self._lock = threading.Lock()
        self._ids: list[pa.Array] = []
        self._steps = self._run()
        self.n_parts = self.n_done = 0
        self.is_complete = False
        self.seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Search on for some seconds, or to the end; at least one batch of texts."""
        with self._lock:
            start = time.monotonic()
            while not self.is_complete:
                try:
                    self.is_complete = next(self._steps, None) is None
                except (pa.ArrowException, OSError) as error:
                    raise OutputError(f"{self._store.folder}: {error}; `massivetext verify` checks it") from error
                if time.monotonic() - start >= seconds:
                    break
            self.seconds += time.monotonic() - start

    def hits(self) -> pa.Table:
        """Return a table of one column, `id`: the documents found so far."""
        with self._lock:
            chunks = list(self._ids)
        return pa.table({"id": pa.chunked_array(chunks, pa.string())})

    def _run(self) -> Iterator[bool]:
        """Search, stopping after every batch of texts."""
        condition, values = conditions(self._query)
        where = f"{condition} AND {_WITH_TEXT}"
        parts = self._store.query(
            f"SELECT {_KIND} AS kind, subset, part, count(*) AS n FROM ledger WHERE {where} GROUP BY ALL ORDER BY ALL",
            values,
        )
        self.n_parts = len(parts)
        ids: dict[tuple[str, str, str], list[str]] = {}
        if sum(row["n"] for row in parts) <= _FEW:
            for row in self._store.query(f"SELECT {_KIND} AS kind, subset, part, id FROM ledger WHERE {where}", values):
                ids.setdefault((row["kind"], row["subset"], row["part"]), []).append(row["id"])
        for row in parts:
            key = (row["kind"], row["subset"], row["part"])
            path = storage.join(self._store.folder, key[0], key[1], f"{key[2]}.parquet")
            if storage.exists(path):
                wanted = pa.array(ids[key], pa.string()) if key in ids else None
                for hits in self._search(path, wanted):
                    if len(hits):
                        self._ids.append(hits)
                    yield True
            self.n_done += 1

    def _search(self, path: str, wanted: pa.Array | None) -> Iterator[pa.Array]:
        """Yield the ids of a file's texts that match, a batch at a time."""
        with storage.open_input(path) as stream, open_parquet(stream) as file:
            for group in range(file.metadata.num_row_groups):
                if wanted is not None:
                    here = pc.is_in(file.read_row_group(group, columns=["id"])["id"], value_set=wanted)
                    if not pc.any(here).as_py():
                        continue
                for batch in file.iter_batches(_ROWS, row_groups=[group], columns=["id", "text"], use_threads=False):
                    if wanted is not None:
                        batch = batch.filter(pc.is_in(batch["id"], value_set=wanted))
                    mask = matches(batch["text"], self._query.text, self._query.mode)
                    yield batch["id"].filter(mask).cast(pa.string())


class Searches:
    """The searches of the last few pages, so that the next page of a list need not search again."""

    def __init__(self, store: Store, most: int = 8) -> None:
        self._store, self._most = store, most
        self._lock = threading.Lock()
        self._searches: dict[Any, Search] = {}

    def get(self, query: Query, seconds: float = SECONDS) -> Search | None:
        """Return the search of a query, advanced by some seconds; None for a query without text."""
        if not query.text.strip():
            return None
        key = (query.filters, query.text, query.mode, self._store.generation)
        with self._lock:
            search = self._searches.pop(key, None) or Search(self._store, query)
            self._searches[key] = search  # the last used one stays longest
            while len(self._searches) > self._most:
                del self._searches[next(iter(self._searches))]
        try:
            search.advance(seconds)
        except BaseException:
            with self._lock:
                self._searches.pop(key, None)  # the next request begins anew
            raise
        return search
