"""Results: one row for each removed document, in a file for each part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from massivetext import storage
from massivetext.dedup.collapse import CAPTURE, COPY, local_copies, read_evidence, words
from massivetext.dedup.runs import read_key, write_run
from massivetext.dedup.scope import Scope
from massivetext.dedup.verification import DECISION
from massivetext.parquet import ParquetOutput

__all__ = ["DIGESTS", "DUPLICATES_SCHEMA", "JACCARD_BINS", "REASONS", "resolve", "write"]

DUPLICATES_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("partner_id", pa.string(), nullable=False),
        pa.field("partner_jaccard", pa.float64()),
    ],
    metadata={"massivetext.schema": "duplicates-1"},
)
"""One row for each removed document. partner_id: the kept document that it duplicates, the best-ranked one if several;
for `duplicate.capture` the newest capture of its URL, which may be a duplicate itself, and no partner_jaccard."""

REASONS = ("duplicate.exact", "duplicate.near", "duplicate.capture")
EXACT, NEAR, CAPTURED = range(3)
JACCARD_BINS = 50
"""Near-duplicates are counted by J in as many bins between 0 and 1; bin i begins at i / JACCARD_BINS."""

DIGESTS = "digests"
"""Of what `write` returns: by name below the scope's output, the digest of each file of results."""

RESULT = np.dtype([("document", "<u4"), ("reason", "<u4"), ("jaccard", "<f8"), ("partner_id", "<u8", 2)])


def resolve(scope: Scope, group: int) -> dict[str, int]:
    """What became of the group's own candidates, and of copies that one of the group's documents stands for."""
    decided = read_key(scope.runs("decided"), group, scope.records(DECISION))
    decided = decided[np.argsort(decided["document"], kind="stable")]
    own = np.zeros(len(decided), scope.records(RESULT))
    own["document"], own["reason"], own["partner_id"] = decided["document"], NEAR, decided["partner_id"]
    own["jaccard"] = decided["overlap"] / np.maximum(decided["union"], 1)

    copies = read_key(scope.runs("bests"), group, scope.records(COPY))
    of_copies = np.zeros(len(copies), scope.records(RESULT))
    of_copies["document"] = copies["document"]
    of_copies["reason"] = np.where(copies["is_exact"] != 0, EXACT, NEAR)
    of_copies["jaccard"], of_copies["partner_id"] = 1.0, copies["best_id"]
    at = np.searchsorted(decided["document"], copies["best"])
    at_most = np.minimum(at, max(len(decided) - 1, 0))
    if len(decided):
        # The one that stood for them is removed itself: they go with it, in favour of the same document.
        gone = decided["document"][at_most] == copies["best"]
        of_copies["reason"][gone] = NEAR
        of_copies["jaccard"][gone], of_copies["partner_id"][gone] = (
            own["jaccard"][at_most][gone],
            own["partner_id"][at_most][gone],
        )
    if scope.options.only_against:
        # Equal to a document that stays, which is no reason to go but where that one is an index's.
        of_copies = of_copies[
            (copies["best"] < scope.n_fixed) | (of_copies["partner_id"] != copies["best_id"]).any(axis=1)
        ]
    out = np.concatenate([own, of_copies])
    write_run(scope.path("resolved", f"{group:05d}.run"), scope.group_of(out["document"]), out)
    return {}


def _of_local_copies(scope: Scope, group: int, decided: np.ndarray) -> np.ndarray:
    """What becomes of copies that one of the same group stands for: they go with it, or in its favour."""
    copies = local_copies(scope, group)
    if not len(copies):
        return np.zeros(0, scope.records(RESULT))
    decided = decided[np.argsort(decided["document"], kind="stable")]
    of_copies = np.zeros(len(copies), scope.records(RESULT))
    of_copies["reason"], of_copies["jaccard"] = EXACT, 1.0
    at = np.minimum(np.searchsorted(decided["document"], copies["best"]), max(len(decided) - 1, 0))
    gone = decided["document"][at] == copies["best"] if len(decided) else np.zeros(len(copies), bool)
    of_copies[gone] = decided[at[gone]]
    of_copies["document"] = copies["document"]
    ids = np.zeros((int(scope.group_starts[group + 1] - scope.group_starts[group]), 2), "<u8")
    for part in scope.group_parts(group):
        for start, table in read_evidence(part, ["id"]):
            first = start - scope.group_starts[group]
            ids[first : first + table.num_rows] = words(table.column("id"))
    of_copies["partner_id"][~gone] = ids[copies["best"][~gone].astype(np.int64) - scope.group_starts[group]]
    if scope.options.only_against:
        of_copies = of_copies[gone | (copies["best"] < scope.n_fixed)]
    return of_copies


def write(scope: Scope, group: int) -> dict[str, Any]:
    """Write `<subset>/<part>.parquet` of each of the group's parts that is not an index's. Returns counts, and under
    DIGESTS the digest of each file."""
    results = read_key(scope.runs("resolved"), group, scope.records(RESULT))
    results = np.concatenate([results, _of_local_copies(scope, group, results)])
    captures = read_key(scope.runs("newest"), group, scope.records(CAPTURE))
    older = np.zeros(len(captures), scope.records(RESULT))
    older["document"], older["partner_id"] = captures["document"], captures["best_id"]
    older["reason"], older["jaccard"] = CAPTURED, np.nan
    results = np.concatenate([results, older])
    results = results[np.argsort(results["document"], kind="stable")]
    counts = dict.fromkeys(REASONS, 0)
    near = results["jaccard"][(results["reason"] == NEAR) & (results["document"] >= scope.n_fixed)]
    for bin_, n in zip(*np.unique(np.floor(near * JACCARD_BINS).astype(int), return_counts=True)):
        counts[f"jaccard_{bin_:03d}"] = int(n)
    digests: dict[str, str] = {}
    for part in scope.group_parts(group):
        if part.fixed:
            continue
        name = f"{part.subset}/{part.name}.parquet"
        path = storage.join(scope.output, name)
        with ParquetOutput(path, DUPLICATES_SCHEMA) as output:
            for start, table in read_evidence(part, ["id"]):
                low, high = np.searchsorted(results["document"], [start, start + table.num_rows])
                rows = results[low:high]
                ids = words(table.column("id"))[rows["document"].astype(np.int64) - start]
                output.write(_table(ids, rows))
                for number, reason in enumerate(REASONS):
                    counts[reason] += int(np.count_nonzero(rows["reason"] == number))
        digests[name] = output.summary["blake2b"]
    return {**counts, DIGESTS: digests}


def _table(ids: np.ndarray, rows: np.ndarray) -> pa.Table:
    jaccard = pa.array(rows["jaccard"], mask=np.isnan(rows["jaccard"]))
    reasons = pa.array([REASONS[number] for number in rows["reason"].tolist()], pa.string())
    columns = [_hexadecimal(ids), reasons, _hexadecimal(rows["partner_id"]), jaccard]
    return pa.Table.from_arrays(columns, schema=DUPLICATES_SCHEMA)


def _hexadecimal(ids: np.ndarray) -> pa.Array:
    text = np.ascontiguousarray(ids).astype("<u8", copy=False).tobytes().hex()
    return pa.array([text[i : i + 32] for i in range(0, len(text), 32)], pa.string())
