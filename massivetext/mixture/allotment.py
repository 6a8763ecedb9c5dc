"""Which documents stand in which shard: whole epochs, each in an order of its own, dealt by tokens."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from massivetext.errors import LimitError
from massivetext.mixture.documents import Documents
from massivetext.mixture.plan import Plan, Share

__all__ = [
    "TOLERANCE",
    "WINDOW",
    "Allotment",
    "ShardRows",
    "allot",
    "budget_is_too_small",
    "deviation",
    "generator",
    "remedy",
]

TOLERANCE = 0.0005
"""Of a shard's tokens: how far an edge between two shards may be from its place before documents are moved over it."""

_FAR_OFF = 1.0
"""Percentage points between a share and its weight from which on it is said."""

WINDOW = 32
"""Documents on each side of an edge that may be moved over it. They come from one or two row groups."""


@dataclass(frozen=True)
class ShardRows:
    """The rows of one shard, in its order: from which file, row group and row each comes, and which copy of its
    document it is, from 0 on. path indexes paths; epoch: None where that is not known."""

    paths: tuple[str, ...]
    path: np.ndarray
    row_group: np.ndarray
    row: np.ndarray
    epoch: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.path)


def generator(*key: object) -> np.random.Generator:
    """Random numbers that are a function of the key alone."""
    digest = hashlib.blake2b("\0".join(map(str, key)).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=np.frombuffer(digest, "<u8")))


@dataclass(frozen=True)
class Allotment:
    """Of each subset the documents taken, in order, and where in that order each shard begins, and the last one ends;
    tokens: int64 [subsets, shards]; starts: where in the order each epoch begins, and behind them its end; plan: what
    it is made from."""

    seed: int
    documents: Mapping[str, Documents]
    order: Mapping[str, np.ndarray]
    edges: Mapping[str, np.ndarray]
    tokens: np.ndarray
    starts: Mapping[str, np.ndarray]
    plan: Plan

    @property
    def n_shards(self) -> int:
        return self.tokens.shape[1]

    def n_rows(self, shard: int) -> int:
        return sum(int(edges[shard + 1] - edges[shard]) for edges in self.edges.values())

    def rows(self, shard: int) -> ShardRows:
        paths: list[str] = []
        found = []
        for subset, order in self.order.items():
            held = self.documents[subset]
            first, last = self.edges[subset][shard : shard + 2].tolist()
            chosen = order[first:last]
            epoch = np.searchsorted(self.starts[subset], np.arange(first, last), side="right") - 1
            units = held.unit[chosen]
            parts, which = np.unique(held.part[units], return_inverse=True)
            found.append(np.stack([which + len(paths), held.row_group[units], held.row[chosen], epoch]))
            paths += [held.paths[part] for part in parts]
        rows = np.concatenate(found, axis=1).astype(np.int32)
        rows = rows[:, generator("shard", self.seed, shard).permutation(rows.shape[1])]
        return ShardRows(tuple(paths), *rows)

    def remedy(self, weights: Mapping[str, float], *, shard_bytes: int) -> str | None:
        """What to say, and do, where a share is more than a percentage point from its weight; None where none is."""
        taken = {name: len(order) for name, order in self.order.items()}
        return remedy(self.tokens, taken, weights, shard_bytes=shard_bytes, plan=self.plan)

    def deviation(self, weights: Mapping[str, float]) -> tuple[float, str, int]:
        """(how far a subset's share of a shard's tokens is from its weight, at most, in percentage points; which
        subset; which shard)."""
        return deviation(self.tokens, list(self.order), weights)


def remedy(
    tokens: np.ndarray, taken: Mapping[str, int], weights: Mapping[str, float], *, shard_bytes: int, plan: Plan
) -> str | None:
    """Return what to say, and do, where a share is more than a percentage point from its weight; None where none is.

    Args:
        tokens: int64[subsets, shards].
        taken: documents taken of each subset, in that order.
        weights: by subset.
        shard_bytes: bytes of text of a shard, as the recipe has them.
        plan: of the mixture, whose budget may be the largest already.
    """
    off, subset, shard = deviation(tokens, list(taken), weights)
    if off <= _FAR_OFF:
        return None
    if tokens.shape[1] == 1:
        return (
            f"{subset} is {off:.2f} percentage points from its weight: it has {taken[subset]:,} documents in a mixture "
            f"of {int(tokens.sum()):,} tokens, and none can be cut; {_more_tokens(plan)}"
        )
    return (
        f"{subset} in shard {shard} is {off:.2f} percentage points from its weight: its documents are large, or "
        f"too few, for shards of {shard_bytes:,} bytes; larger mixture.shard_bytes bring the shares closer"
    )


def _more_tokens(plan: Plan) -> str:
    advice = "more mixture.tokens bring the shares closer"
    if plan.tokens >= plan.largest:
        return (
            f"{advice}, for which it takes a larger mixture.max_epochs (now {plan.max_epochs:g}) or more documents of "
            f"{plan.scarcest.subset}"
        )
    return f"{advice} (max_epochs = {plan.max_epochs:g} allows {plan.largest:,})"


def deviation(tokens: np.ndarray, names: Sequence[str], weights: Mapping[str, float]) -> tuple[float, str, int]:
    """Return how far a subset's share of a shard's tokens is from its weight, at most, in percentage points; which
    subset; which shard.

    Args:
        tokens: int64[subsets, shards].
        names: of the subsets.
        weights: by subset.
    """
    shares = tokens / np.maximum(1, tokens.sum(axis=0))
    off = 100 * np.abs(shares - np.array([weights[name] for name in names])[:, None])
    subset, shard = np.unravel_index(np.argmax(off), off.shape)
    return float(off[subset, shard]), names[int(subset)], int(shard)


def allot(plan: Plan, documents: Mapping[str, Documents], *, seed: int, n_shards: int) -> Allotment:
    """A subset is taken in whole epochs, each in a new order, then in part up to the tokens wanted. Its documents are
    dealt to the shards in that order, as many tokens to each. Where the document at an edge is large, one or two of
    the documents beside it, of the same epoch, are moved over it, so that the edge comes to where it should be.

    Memory: 8 bytes a document taken, 20 for one of the subset at hand.
    """
    order: dict[str, np.ndarray] = {}
    edges: dict[str, np.ndarray] = {}
    epochs: dict[str, np.ndarray] = {}
    tokens = np.zeros((len(plan.shares), n_shards), np.int64)
    tolerance = TOLERANCE * plan.tokens / n_shards
    for number, share in enumerate(plan.shares):
        held = documents[share.subset]
        taken, starts = _taken(share, held, seed, tolerance)
        if not held.tokens[taken].any():
            taken = _one_document(plan, share, documents, seed)
            starts = np.array([0, 1])
        epochs[share.subset] = starts
        ends = np.cumsum(held.tokens[taken], dtype=np.int64)
        targets = (ends[-1] if len(ends) else 0) * np.arange(1, n_shards) / n_shards
        at = _nearest(ends, targets)
        _straighten(taken, held.tokens, ends, at, targets, starts, tolerance)
        at = np.concatenate([[0], at, [len(taken)]]).astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(held.tokens[taken], dtype=np.int64)])
        order[share.subset], edges[share.subset] = taken, at
        tokens[number] = np.diff(ends[at])
    return Allotment(seed, documents, order, edges, tokens, epochs, plan)


def _one_document(plan: Plan, share: Share, documents: Mapping[str, Documents], seed: int) -> np.ndarray:
    """The document of a subset that is nearest to the tokens wanted, where they are less than half of the first one's:
    a subset with a weight is never left out in silence.

    Raises LimitError where it has more than twice the tokens wanted, with the budget that would do.
    """
    held = documents[share.subset]
    every = _epoch(held, seed, share.subset, 0)
    sizes = held.tokens[every]
    best = int(np.argmin(np.where(sizes > 0, np.abs(sizes - share.wanted), np.inf)))
    if sizes[best] <= 2 * share.wanted:
        return every[[best]]
    smallest = {name: int(one.tokens[one.tokens > 0].min()) for name, one in documents.items()}
    raise LimitError(budget_is_too_small(plan, share, int(sizes[best]), smallest))


def budget_is_too_small(plan: Plan, share: Share, nearest: int, smallest: Mapping[str, int]) -> str:
    """Return the error for a share of the budget that is less than half of its nearest document.

    Args:
        plan: of the mixture.
        share: of the subset.
        nearest: tokens of the document that is nearest to the tokens wanted.
        smallest: by subset, fewest tokens of a document that has any.
    """
    needed = max(math.ceil(smallest[one.subset] / (2 * one.weight)) for one in plan.shares)
    remedy = f"take at least {needed:,} tokens"
    if needed > plan.largest:
        remedy += f" (max_epochs = {plan.max_epochs:g} allows {plan.largest:,}, which {plan.scarcest.subset} sets)"
    return (
        f"mixture.tokens: {plan.tokens:,} tokens leave {share.wanted:,.1f} for {share.subset}, of weight "
        f"{share.weight:g}, and its nearest document has {nearest:,}; {remedy}, or give it weight 0"
    )


def _epoch(documents: Documents, seed: int, subset: str, epoch: int) -> np.ndarray:
    """Documents in the order of one epoch: row groups permuted, then the documents of each, so that a run of the order
    comes from few row groups. Each row group has random numbers of its own, so its order can be told by itself."""
    n_units = len(documents.part)
    bounds = np.searchsorted(documents.unit, np.arange(n_units + 1)).tolist()
    order = np.empty(len(documents), np.int64)
    at = 0
    for unit in generator("epoch", seed, subset, epoch).permutation(n_units).tolist():
        first, last = bounds[unit], bounds[unit + 1]
        random = generator("unit", seed, subset, epoch, unit)
        order[at : at + last - first] = first + random.permutation(last - first)
        at += last - first
    return order


def _taken(share: Share, held: Documents, seed: int, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """(the documents of a subset's epochs, in order; where in it the epochs begin, and behind them its end)."""
    whole = share.repetition[0]
    pieces = [_epoch(held, seed, share.subset, epoch) for epoch in range(whole)]
    rest = share.wanted - whole * share.available
    if rest >= 0.5:
        last = _epoch(held, seed, share.subset, whole)
        ends = np.cumsum(held.tokens[last], dtype=np.int64)
        at = _nearest(ends, np.array([rest]))
        _straighten(last, held.tokens, ends, at, np.array([rest]), np.array([0, len(last)]), tolerance)
        pieces.append(last[: at[0]].copy())
    starts = np.cumsum([0, *map(len, pieces)])
    return np.concatenate([*pieces, np.zeros(0, np.int64)]), starts


def _nearest(ends: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Documents up to each target, the last of them if more than half of it lies below."""
    at = np.searchsorted(ends, targets)
    before = np.where(at > 0, ends[np.maximum(at, 1) - 1], 0) if len(ends) else np.zeros(len(targets))
    after = ends[np.minimum(at, len(ends) - 1)] if len(ends) else before
    return np.where((at < len(ends)) & (targets - before >= after - targets), at + 1, at)


def _straighten(
    order: np.ndarray,
    tokens: np.ndarray,
    ends: np.ndarray,
    at: np.ndarray,
    targets: np.ndarray,
    starts: np.ndarray,
    tolerance: float,
) -> None:
    """Move the edges `at` of `order`, and documents beside them, in place, so that up to each edge there are as many
    tokens as its target. starts: where epochs begin, over which no document is moved into another's place."""
    error = np.where(at > 0, ends[np.maximum(at, 1) - 1], 0) - targets if len(ends) else np.zeros(len(at))
    # The windows of two edges do not overlap, and an edge leaves its own by no step.
    between = np.concatenate([[0], (at[1:] + at[:-1]) // 2, [len(order)]])
    for edge in np.flatnonzero(np.abs(error) > tolerance).tolist():
        place = int(at[edge])
        before, behind = np.searchsorted(starts, [place - 1, place], side="right").tolist()
        low = max(place - WINDOW, int(between[edge]), int(starts[max(0, before - 1)]))
        high = min(place + WINDOW, int(between[edge + 1]), int(starts[min(len(starts) - 1, behind)]))
        out = np.concatenate([[0], tokens[order[low:place]]]).astype(np.int64)
        into = np.concatenate([[0], tokens[order[place:high]]]).astype(np.int64)
        off = np.abs(error[edge] + into[:, None] - out[None, :])
        if place in starts:
            off[1:, 1:] = np.inf
        i, j = np.unravel_index(np.argmin(off), off.shape)
        if i and j:
            order[[low + j - 1, place + i - 1]] = order[[place + i - 1, low + j - 1]]
        elif i:
            order[place : place + i] = np.roll(order[place : place + i], 1)
            at[edge] += 1
        elif j:
            order[low + j - 1 : place] = np.roll(order[low + j - 1 : place], -1)
            at[edge] -= 1
