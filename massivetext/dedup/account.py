"""The account of a deduplication: how surely pairs are found, what was found, and at what cost.

DIR/report/deduplication.json holds it for whoever draws the S-curve; the same goes to the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from massivetext import storage
from massivetext.dedup.results import JACCARD_BINS
from massivetext.dedup.scope import Options
from massivetext.sealed import sealed

__all__ = ["FORMAT", "account_of", "lines_of", "recall_in_words", "write_account"]

FORMAT = "massivetext-deduplication-1"

_WORK = (
    "batches",
    "bytes_read_again",
    "class_pairs",
    "core_overlaps",
    "cut_components",
    "earlier_batches",
    "set_runs",
    "verifications",
)
"""Counts that depend on the memory given, and so on the number of workers; no result does."""


def account_of(options: Options, counts: Mapping[str, int]) -> dict[str, Any]:
    """What a scope's options promise and its counts say. JSON-able.

    `curve`: [J, chance that a pair of this J is found]. `removed_by_jaccard`: near-duplicates by J with their partner,
    in bins of 1 / JACCARD_BINS (`from` included), each with the chance that a pair at its middle is found and
    `missed`: removals * (1 / chance - 1), an estimate of documents kept because none of the bands that they share with
    such a partner was equal. `work`: what it took.
    """
    banding = options.banding
    bins = []
    for name, n in sorted(counts.items()):
        if name.startswith("jaccard_"):
            low = int(name.removeprefix("jaccard_")) / JACCARD_BINS
            chance = banding.recall(max(options.threshold, min(1.0, low + 0.5 / JACCARD_BINS)))
            bins.append({"from": low, "removed": n, "chance": chance, "missed": n * (1 / chance - 1)})
    return {
        "threshold": options.threshold,
        "recall": options.recall,
        "keep": options.keep,
        "newest_capture": options.newest_capture,
        "only_against": options.only_against,
        "bands": banding.bands,
        "rows": banding.rows,
        "recall_at_threshold": banding.recall(options.threshold),
        "curve": [list(point) for point in banding.curve()],
        "removed_by_jaccard": bins,
        "missed": sum(found["missed"] for found in bins),
        "counts": {name: n for name, n in counts.items() if name not in _WORK and not name.startswith("jaccard_")},
        "work": {name: counts[name] for name in _WORK if name in counts},
    }


def recall_in_words(name: str, account: Mapping[str, Any]) -> str:
    """Return a scope's bands, and the chance that they find a pair, by its similarity."""
    threshold, rows = account["threshold"], account["rows"]
    curve = {round(at, 2): chance for at, chance in account["curve"]}
    shown = sorted({at for at in curve if 0.5 <= at < 1} | {threshold})
    chances = {**curve, threshold: account["recall_at_threshold"]}
    points = "  ".join(f"{at:g}: {chances[at]:.4f}".rstrip("0").rstrip(".") for at in shown)
    return f"{name}: {account['bands']} bands of {rows} rows; chance that a pair is compared, by its J: {points}"


def lines_of(name: str, account: Mapping[str, Any]) -> list[str]:
    """Return the account of a scope for a terminal."""
    lines = []
    counts, work = account["counts"], account["work"]
    if counts.get("documents"):
        distinct = max(1, counts.get("distinct", 0))
        compared = work.get("verifications", 0) + work.get("core_overlaps", 0)
        removed = [
            f"{counts.get('duplicate.exact', 0):,} exact",
            f"{counts.get('duplicate.near', 0):,} near",
            *([f"{n:,} older captures"] if (n := counts.get("duplicate.capture", 0)) else []),
        ]
        lines.append(f"{name}: {counts['documents']:,} documents; removed: {', '.join(removed)}")
        lines.append(
            f"{name}: about {account['missed']:.1f} missed; {compared / distinct:.2f} verifications a distinct document"
        )
    if work.get("cut_components"):
        lines.append(
            f"{name}: {work['cut_components']:,} connected groups exceed the memory of a task (the largest has "
            f"{counts.get('max_largest_component', 0):,} documents); they were decided in {work['earlier_batches']:,} "
            "further comparisons of batches; more --memory makes these fewer"
        )
    return lines


def write_account(path: str, scopes: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the accounts of a run's scopes, by name."""
    data = {"format": FORMAT, "scopes": dict(scopes)}
    storage.write_bytes(path, sealed(data))
