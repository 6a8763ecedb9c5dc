"""What a run would come to, from a seeded sample of its parts, which go through the stages in a temporary folder.

Every total is a ratio estimate: what the sample has for each byte of input, times the subset's bytes. Its uncertainty
is that between parts, 95 %, with as many degrees of freedom as there are parts less one, and none once all are read.
Duplicates over the whole corpus cannot be seen in a sample: what passes the per-document rules is the upper end. Of
that, what `keep`, `spans` and `host_lines` leave, and the buckets of a score, are shares that they have in the sample.
"""

from __future__ import annotations

import heapq
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.documents import rank
from massivetext.errors import RecipeError
from massivetext.looking.recipe_view import RecipeView
from massivetext.mixture import Available, bucket_key, bucket_weights, plan
from massivetext.parquet import read_parquet

__all__ = ["Looked", "Sample", "draw", "forecast", "interval", "look", "planned_mixture"]

LEAST = 3
"""Parts of each subset in a sample, where it has as many: one says nothing of how much parts differ, two next to
nothing."""

KINDS = ("curated", "rejected", "ledger", "work")
UNITS = ("records", "documents", "passing", "passing_bytes", "tokens")
"""records: all. documents: those with text. passing: the per-document rules; its bytes and tokens of text."""

_DOCUMENTS = pa.array(["kept", "rejected"])
_COMPARED = pa.array(["kept", "outranked", "contaminated"])
"""Outcomes of documents that rules and deduplication keep."""
_WORK = ("work/ledger", "work/evidence", "work/contamination")
_STAGES = {
    "IndexTask": "split",
    "PartTask": "curate",
    "CommonLineTask": "curate",
    "Step": "deduplicate",
    "LedgerTask": "decontaminate",
    "CountValues": "decontaminate",
    "SpanTask": "decontaminate",
    "HostLineTask": "decontaminate",
    "KeptTask": "mix",
    "ShardTask": "mix",
}
# Two-sided 95 % of Student's t by degrees of freedom; above the last, the normal's is near enough.
_T = (
    math.nan,
    12.706,
    4.303,
    3.182,
    2.776,
    2.571,
    2.447,
    2.365,
    2.306,
    2.262,
    2.228,
    2.201,
    2.179,
    2.160,
    2.145,
    2.131,
)


@dataclass(frozen=True)
class Looked:
    """A part of the sample after all stages.

    Attributes:
        part: which one.
        holds: what it holds (UNITS).
        files: the bytes of its files (KINDS).
        footers: of which this is written once a file, however long that is.
        compared: documents, tokens and bytes that rules and deduplication keep.
        remaining: the same for those that are not `outranked`, by the bucket that the mixture repeats; one without
            buckets.
    """

    part: Any
    holds: dict[str, int]
    files: dict[str, int]
    footers: dict[str, int]
    compared: np.ndarray
    remaining: np.ndarray


def draw(parts: Sequence[Any], n: int, seed: int) -> list[Any]:
    """About n parts: of each subset LEAST, the others by its share of all bytes; which ones is drawn by the seed."""
    subsets: dict[str, list[Any]] = {}
    for part in parts:
        subsets.setdefault(part.subset, []).append(part)
    total = sum(part.n_bytes for part in parts)
    spare = max(0, n - sum(min(LEAST, len(found)) for found in subsets.values()))
    drawn: list[Any] = []
    for _, found in sorted(subsets.items()):
        share = sum(part.n_bytes for part in found) / total if total else 0.0
        many = min(len(found), LEAST + int(spare * share))
        drawn += sorted(found, key=lambda part: rank(f"{part.subset}/{part.name}", seed))[:many]
    return drawn


def interval(values: Sequence[float], sizes: Sequence[float], n_all: int) -> tuple[float, float]:
    """The ratio of the sums of values and sizes over a sample of parts, and the half width of its interval, 95 %, for
    all n_all parts (linearised ratio estimate with the correction for a finite number of parts). NaN for one of
    several."""
    y, x = np.asarray(values, float), np.asarray(sizes, float)
    n = len(y)
    ratio = float(y.sum() / x.sum()) if x.sum() else 0.0
    if n == n_all:
        return ratio, 0.0
    if n < 2:
        return ratio, math.nan
    residuals = y - ratio * x
    variance = (1 - n / n_all) * float(residuals @ residuals) / (n - 1) / n
    t = _T[n - 1] if n - 1 < len(_T) else 1.96
    return ratio, t * math.sqrt(variance) / float(x.mean()) if x.mean() else 0.0


@dataclass(frozen=True)
class Sample:
    """A sample of parts after all stages.

    Attributes:
        drawn: its parts.
        looked: what each of them came to.
        costs: what each task took, by its marker.
        outcome: counts and failures of the sample's run.
        fixed: bytes of files that a run has once, such as the index of test sets.
        mixed_tokens, mixed_bytes: tokens and stored bytes of the sample's own mixture; 0 where it has none.
        marker_of: from a part to the marker of its task in the pass over the text.
    """

    drawn: Sequence[Any]
    looked: Sequence[Looked]
    costs: Mapping[str, Any]
    outcome: Any
    fixed: int
    mixed_tokens: int
    mixed_bytes: int
    marker_of: Callable[[Any], str]


def forecast(
    recipe: RecipeView, parts: Sequence[Any], sample: Sample, *, weights: tuple[Mapping[str, float], bool], workers: int
) -> dict[str, Any]:
    """Return a forecast of a run, as plain data.

    Args:
        recipe: of the run.
        parts: all parts of its sources.
        sample: of them, gone through all stages.
        weights: of the mixture, for subsets that have sources, and whether they were scaled.
        workers: processes of the run.
    """
    subsets = {
        name: _subset(
            [part for part in parts if part.subset == name], [one for one in sample.looked if one.part.subset == name]
        )
        for name in recipe.filled
    }
    mixture = planned_mixture(recipe.mixture, weights, subsets)
    disk = {kind: sum(subset["disk"][kind] for subset in subsets.values()) for kind in KINDS}
    disk["work"] += sample.fixed
    disk["mixture"] = round(mixture["tokens"] * sample.mixed_bytes / sample.mixed_tokens) if sample.mixed_tokens else 0
    read, whole = sum(part.n_bytes for part in sample.drawn), sum(part.n_bytes for part in parts)
    return {
        "sample": {"parts": len(sample.drawn), "of_parts": len(parts), "bytes": read, "of_bytes": whole},
        "subsets": subsets,
        "in_sample": sample.outcome.counts,
        "failures": sample.outcome.failures,
        "disk": {**disk, "all": sum(disk.values())},
        "memory": {"process": max((cost.memory for cost in sample.costs.values()), default=0)},
        "time": _time(sample, parts, workers, mixture),
        "mixture": mixture,
    }


def look(root: str, part: Any, recipe: RecipeView) -> Looked:
    """Return what a part of a run in a folder came to."""
    with storage.open_input(_file(root, "work/ledger", part)) as stream:
        table = read_parquet(stream, columns=["outcome", "n_bytes", "n_tokens"])
    passing = table.filter(pc.equal(table["outcome"], "kept"))
    has_text = pc.is_in(table["outcome"], value_set=_DOCUMENTS)
    holds = {
        "records": table.num_rows,
        "documents": pc.sum(has_text).as_py() or 0,
        "passing": passing.num_rows,
        "passing_bytes": pc.sum(passing["n_bytes"]).as_py() or 0,
        "tokens": pc.sum(passing["n_tokens"]).as_py() or 0,
    }
    files: dict[str, int] = dict.fromkeys(KINDS, 0)
    footers: dict[str, int] = dict.fromkeys(KINDS, 0)
    for kind in ("curated", "rejected", "ledger", *_WORK):
        path = _file(root, kind, part)
        if storage.exists(path):
            group = kind if kind in files else "work"
            files[group] += storage.size(path)
            footers[group] += pq.read_metadata(path).serialized_size
    compared, remaining = _remaining(root, part, recipe.mixture.buckets.get(part.subset))
    return Looked(part, holds, files, footers, compared, remaining)


def _remaining(root: str, part: Any, buckets: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return documents, tokens and bytes that rules and deduplication keep, int64[3], and those of them that are not
    outranked, int64[buckets, 3]. buckets: as the mixture has them of the subset; None for one."""
    column = [] if buckets is None else [f"{buckets.score}_bucket"]
    with storage.open_input(_file(root, "ledger", part)) as stream:
        table = read_parquet(stream, columns=["outcome", "n_tokens", "n_bytes", *column])
    table = table.filter(pc.is_in(table["outcome"], value_set=_COMPARED))
    sizes = np.ones((table.num_rows, 3), np.int64)
    for place, name in enumerate(("n_tokens", "n_bytes")):
        sizes[:, place + 1] = pc.fill_null(table[name], 0).to_numpy()
    stays = pc.not_equal(table["outcome"], "outranked").to_numpy()
    remaining = np.zeros((1 if buckets is None else len(buckets.epochs), 3), np.int64)
    numbers = pc.fill_null(table[column[0]], 0).to_numpy() if column else np.zeros(table.num_rows, np.int64)
    np.add.at(remaining, numbers[stays], sizes[stays])
    return sizes.sum(axis=0), remaining


def _file(root: str, kind: str, part: Any) -> str:
    return storage.join(root, kind, part.subset, f"{part.name}.parquet")


def _subset(parts: Sequence[Any], looked: Sequence[Looked]) -> dict[str, Any]:
    """Totals of a subset as {expected, low, high}, and the share of documents that pass; disk in bytes."""
    sizes = [one.part.n_bytes for one in looked]
    whole = sum(part.n_bytes for part in parts)
    found: dict[str, Any] = {"parts": len(parts), "sampled": len(looked), "bytes": whole}
    for unit in UNITS:
        ratio, half = interval([one.holds[unit] for one in looked], sizes, len(parts))
        found[unit] = _range(ratio * whole, half * whole)
    documents = [one.holds["documents"] for one in looked]
    share, half = interval([one.holds["passing"] for one in looked], documents, len(parts))
    found["share"] = _range(share, half, most=1.0)
    found["disk"] = {}
    for kind in KINDS:
        footer = min(one.footers[kind] for one in looked)
        ratio, _ = interval([one.files[kind] - footer for one in looked], sizes, len(parts))
        found["disk"][kind] = round(ratio * whole + footer * len(parts))
    remaining = np.sum([one.remaining for one in looked], axis=0)
    compared = np.sum([one.compared for one in looked], axis=0)
    if len(remaining) > 1 or (remaining[0] != compared).any():
        shares = remaining / np.maximum(compared, 1)
        passing = np.array([found[unit]["expected"] for unit in ("passing", "tokens", "passing_bytes")])
        found["remaining"] = [dict(zip(("documents", "tokens", "bytes"), row)) for row in (shares * passing).tolist()]
    return found


def _range(expected: float, half: float, most: float = math.inf) -> dict[str, float | None]:
    """None where a single part leaves the ends unknown."""
    if math.isnan(half):
        return {"expected": expected, "low": None, "high": None}
    return {"expected": expected, "low": max(0.0, expected - half), "high": min(most, expected + half)}


def planned_mixture(
    block: Any, weights_and_scaled: tuple[Mapping[str, float], bool], subsets: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the epochs of each weighted subset, and the largest budget under the cap.

    Args:
        block: the recipe's block of the mixture.
        weights_and_scaled: of subsets with sources, and whether they were scaled.
        subsets: what each has: of `remaining`, documents, tokens and bytes by bucket, what it has; where there is none,
            all that passes the rules.
    """
    weights, is_scaled = weights_and_scaled
    available = {key: one for name in weights for key, one in _available(block, name, subsets[name]).items()}
    found: dict[str, Any] = {"weights_scaled": is_scaled, "refused": None}
    try:
        weights = bucket_weights(block.buckets, weights, {key: one.tokens for key, one in available.items()})
        made = plan(available, weights, max_epochs=block.max_epochs)
    except RecipeError as error:
        return {**found, "tokens": 0, "largest": None, "refused": str(error), "shares": []}
    if block.tokens != "max":
        largest = made.largest
        # No subset with a token can be repeated more often than there are tokens: this cap refuses nothing.
        made = plan(available, weights, tokens=block.tokens, max_epochs=block.tokens)
        if block.tokens > largest:
            found["refused"] = (
                f"mixture.tokens: {block.tokens:,} repeat a subset more than {block.max_epochs:g} times; "
                f"the largest budget under the cap is {largest:,}"
            )
        made = replace(made, largest=largest, max_epochs=block.max_epochs)
    return {**made.data(shard_bytes=block.shard_bytes), **found}


def _available(block: Any, name: str, subset: Mapping[str, Any]) -> dict[str, Available]:
    """Return what a subset has for the mixture, by bucket where the mixture repeats its buckets differently."""
    rows = subset.get("remaining")
    if rows is None:
        units = ("passing", "tokens", "passing_bytes")
        return {name: Available(*(round(subset[unit]["expected"]) for unit in units))}
    sizes = [Available(*(round(row[unit]) for unit in ("documents", "tokens", "bytes"))) for row in rows]
    if name in block.buckets:
        return {bucket_key(name, number): one for number, one in enumerate(sizes)}
    return {name: sizes[0]}


def _time(sample: Sample, parts: Sequence[Any], workers: int, mixture: Mapping[str, Any]) -> dict[str, Any]:
    """CPU seconds of each stage, and hours with that many workers, each with a core of its own as far as there are.

    Parts are not divided: the pass over the text is laid out over the workers, largest part first.
    """
    seconds: dict[str, float] = dict.fromkeys(_STAGES.values(), 0.0)
    costs_by_marker, drawn, mixed = sample.costs, sample.drawn, sample.mixed_tokens
    for cost in costs_by_marker.values():
        seconds[_STAGES[cost.stage]] += cost.seconds
    rates: dict[str, list[float]] = {}
    for part in drawn:
        marker = sample.marker_of(part)
        if marker in costs_by_marker:
            before = rates.setdefault(part.subset, [0.0, 0.0])
            rates[part.subset] = [before[0] + costs_by_marker[marker].seconds, before[1] + part.n_bytes]
    costs = [
        part.n_bytes * rates[part.subset][0] / max(1.0, rates[part.subset][1]) for part in parts if part.subset in rates
    ]
    width = min(workers, os.cpu_count() or 1)
    grown = sum(part.n_bytes for part in parts) / max(1, sum(part.n_bytes for part in drawn))
    later = {name: seconds[name] * grown for name in ("deduplicate", "decontaminate")}
    if seconds["split"]:
        scanned = sum(cost.weight for cost in costs_by_marker.values() if _STAGES[cost.stage] == "split")
        later["split"] = seconds["split"] / max(1, scanned) * _split_bytes(parts, drawn)
    later["mix"] = seconds["mix"] * mixture["tokens"] / mixed if mixed else 0.0
    processes: dict[int, list[float]] = {}
    for cost in costs_by_marker.values():
        starts = processes.setdefault(cost.process, [math.inf, 0.0])
        processes[cost.process] = [min(starts[0], cost.before), starts[1] + cost.loading]
    startup = max((before + loading for before, loading in processes.values()), default=0.0)
    elapsed = startup * workers / width + _makespan(costs, width) + sum(later.values()) / width
    return {
        "workers": workers,
        "cores": os.cpu_count() or 1,
        "cpu_seconds": {"curate": sum(costs), **later, "startup": startup * workers},
        "hours": elapsed / 3600,
        "longest_part_seconds": max(costs, default=0.0),
    }


def _split_bytes(parts: Sequence[Any], drawn: Sequence[Any]) -> float:
    """Bytes of compressed files that are split at their members: of each subset the share that they have of what was
    drawn of it."""
    split: dict[str, list[int]] = {}
    for part in drawn:
        sums = split.setdefault(part.subset, [0, 0])
        sums[0] += part.n_bytes if part.member_range is not None else 0
        sums[1] += part.n_bytes
    shares = {name: of_members / max(1, whole) for name, (of_members, whole) in split.items()}
    return sum(part.n_bytes * shares.get(part.subset, 0.0) for part in parts)


def _makespan(costs: Sequence[float], width: int) -> float:
    """When the last of some tasks ends, the costliest handed out first to whichever worker is free."""
    ends = [0.0] * width
    for cost in sorted(costs, reverse=True):
        heapq.heappush(ends, heapq.heappop(ends) + cost)
    return max(ends)
