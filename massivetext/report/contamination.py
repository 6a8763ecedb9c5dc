"""The account of test sets: of each how much stands in the data, and what was removed for it.

Items are counted from the evidence of the pass over the text (work/contamination: which shingles of items stand in
which document), so every item of a document counts and not only the one that the ledger names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from massivetext import storage
from massivetext.errors import MassiveTextError
from massivetext.parquet import read_parquet

__all__ = ["account"]

FREQUENT = 20
"""Shingles listed of those that `max_documents` leaves out."""


def account(folder: str, recipe: Mapping[str, Any], removed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By test set of the recipe: its items, those searched for and those hit, the share that is hit, and the documents
    removed for it, from `removed` (rows of Ledger.test_sets); and the shingles left out as frequent.

    An item is hit if a document that the per-document rules keep holds the recipe's limit of its shingles. What is
    counted from work/ is None where work/ was deleted.
    """
    block = recipe.get("contamination") or {}
    limit = block.get("containment", 0.8)
    index = storage.join(folder, "work", "testsets.index")
    testsets = None
    if storage.exists(index):
        from massivetext.contamination import TestSets  # compiled code, which takes half a second to import

        try:
            testsets = TestSets.open(index)
        except MassiveTextError:  # of an older version; its items are not counted
            testsets = None
    is_hit = None if testsets is None else _is_hit(folder, testsets, limit)
    members = {} if testsets is None else {m.name: m for m in testsets.members}
    by_name = {row["test_set"]: row for row in removed}
    sets = []
    for entry in recipe.get("testsets") or []:
        name = entry["name"]
        row: dict[str, Any] = {"test_set": name, "items": None, "items_searched": None, "items_too_short": None}
        row |= {"items_unknown": None, "items_hit": None, "share": None}
        if name in members:
            m = members[name]
            row |= {"items": m.n_items, "items_searched": m.n_searched}
            row |= {"items_too_short": m.n_short, "items_unknown": m.n_unknown}
            if is_hit is not None:
                n = int(is_hit[m.first : m.first + m.n_items].sum())
                row |= {"items_hit": n, "share": n / m.n_searched if m.n_searched else 0.0}
        found = by_name.get(name, {})
        for key in ("documents", "tokens", "marked", "touched"):
            row[key] = found.get(key, 0)
        row["by"] = found.get("by", {})
        row |= {key: found.get(key) for key in ("jaccard_max", "containment_max")}
        sets.append(row)
    return {"limit": limit, "sets": sets, "frequent": _frequent(folder, recipe, testsets)}


def _is_hit(folder: str, testsets: Any, limit: float) -> np.ndarray | None:
    """Return whether some document contains that share of an item's shingles, bool[items]; None without evidence."""
    from massivetext.contamination.rare import whole_documents

    paths = [p for p in storage.list_files(storage.join(folder, "work", "contamination")) if p.endswith(".parquet")]
    if not paths:
        return None
    is_hit = np.zeros(testsets.n_items, bool)
    for path in paths:
        for rows, shingles in whole_documents(path):
            _, item, share = testsets.shares_in(rows, shingles)
            is_hit[item[share >= limit]] = True
    return is_hit


def _frequent(folder: str, recipe: Mapping[str, Any], testsets: Any) -> list[dict[str, Any]]:
    """By max_documents of the recipe: how many shingles stand in more documents, and the most frequent with text."""
    blocks = [recipe.get("contamination") or {}]
    blocks += [own.get("contamination") or {} for own in recipe["subsets"].values()]
    found = []
    for most in sorted({block["max_documents"] for block in blocks if block.get("max_documents") is not None}):
        path = storage.join(folder, "work", "frequent", f"{most}.parquet")
        if not storage.exists(path):
            continue
        with storage.open_input(path) as stream:
            table = read_parquet(stream)
        shown: list[dict[str, Any]] = []
        if testsets is not None and table.num_rows:
            from massivetext.contamination.rare import described

            try:
                shown = described(testsets, _entries(recipe), table, most=FREQUENT)
            except MassiveTextError:  # the test sets' files are elsewhere by now
                shown = described(testsets, [], table, most=FREQUENT)
        found.append({"max_documents": most, "shingles": table.num_rows, "shown": shown})
    return found


def _entries(recipe: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{key: entry.get(key) for key in ("name", "path", "text", "unit", "preset")} for entry in recipe["testsets"]]
