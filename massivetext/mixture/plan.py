"""The plan of a mixture: weights are shares of tokens; epochs follow from them (paper, table 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from massivetext.errors import LimitError, RecipeError
from massivetext.terminal_text import size_in_words

__all__ = ["Available", "Plan", "Share", "plan"]

_ROUNDING = 1e-9

COLUMNS = 80
"""Of a terminal that the table of a plan fits."""


@dataclass(frozen=True)
class Available:
    """What is kept of one subset. n_bytes: of its texts, None where that is not known."""

    documents: int
    tokens: int
    n_bytes: int | None = None


@dataclass(frozen=True)
class Share:
    """What one subset gives. documents, available, size: documents, tokens and bytes of text that are kept of it;
    wanted: tokens, weight times the budget."""

    subset: str
    weight: float
    documents: int
    available: int
    wanted: float
    size: int | None = None

    @property
    def epochs(self) -> float:
        return self.wanted / self.available

    @property
    def repetition(self) -> tuple[int, int]:
        """How often a document is taken: at least, at most. Half a token is no part of an epoch."""
        least = int((self.wanted + 0.5) / self.available)
        return least, max(least, math.ceil((self.wanted - 0.5) / self.available))

    @property
    def n_bytes(self) -> int | None:
        """Bytes of text in the mixture, as far as bytes go with tokens."""
        return None if self.size is None else round(self.epochs * self.size)


@dataclass(frozen=True)
class Plan:
    """A budget in tokens, the largest that the cap on epochs allows, and the share of each subset by name."""

    tokens: int
    largest: int
    max_epochs: float
    shares: tuple[Share, ...]

    @property
    def n_bytes(self) -> int | None:
        sizes = [share.n_bytes for share in self.shares]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def n_shards(self, shard_bytes: int) -> int:
        """Shards of at most about that many bytes of text."""
        return max(1, -(-(self.n_bytes or 0) // shard_bytes))

    def lines(self, *, shard_bytes: int | None = None) -> list[str]:
        """The plan as a table for people, of at most 80 columns: large numbers are shortened where needed."""
        cells = self._cells("{:,.0f}".format)
        if sum(max(map(len, column)) + 2 for column in zip(*cells)) > COLUMNS + 2:
            cells = self._cells(_short)
        widths = [max(map(len, column)) for column in zip(*cells)]
        rows = [
            "  ".join(
                cell.ljust(width) if k == 0 else cell.rjust(width) for k, (cell, width) in enumerate(zip(row, widths))
            )
            for row in cells
        ]
        if shard_bytes is not None:
            n = self.n_shards(shard_bytes)
            rows.append(f"{n:,} shard{'s' * (n > 1)} of {(self.n_bytes or 0) / n / 1e6:,.1f} MB of text")
        rows.append(
            f"tokens: {self.tokens:,}; at most {self.max_epochs:g} epochs of each subset allow {self.largest:,}, "
            f"which {self.scarcest.subset} sets"
        )
        return rows

    def _cells(self, number: Callable[[float], str]) -> list[list[str]]:
        """Return the cells of the table. number: how documents and tokens are written."""
        has_bytes = self.n_bytes is not None
        head = ["subset", "weight", "documents", "available", "wanted", "epochs", "repeated"]
        cells = [head + ["size"] * has_bytes]
        for share in self.shares:
            least, most = share.repetition
            times = f"{most}" if least == most else f"{least} to {most}"
            counts = [number(n) for n in (share.documents, share.available, share.wanted)]
            size = [] if share.n_bytes is None else [size_in_words(share.n_bytes)]
            cells.append([share.subset, f"{share.weight:.3f}", *counts, f"{share.epochs:.2f}", times, *size])
        sums = (sum(getattr(share, name) for share in self.shares) for name in ("documents", "available"))
        total = ["total", "1.000", *(number(n) for n in (*sums, self.tokens)), "", ""]
        cells.append(total + ([] if self.n_bytes is None else [size_in_words(self.n_bytes)]))
        return cells

    @property
    def scarcest(self) -> Share:
        """The subset that is repeated most, and so bounds the budget."""
        return max(self.shares, key=lambda share: share.weight / share.available)

    def data(self, *, shard_bytes: int) -> dict[str, Any]:
        """The plan as JSON can hold it."""
        return {
            "tokens": self.tokens,
            "largest": self.largest,
            "max_epochs": self.max_epochs,
            "bytes": self.n_bytes,
            "shards": self.n_shards(shard_bytes),
            "shares": [
                {
                    "subset": share.subset,
                    "weight": share.weight,
                    "documents": share.documents,
                    "available": share.available,
                    "wanted": share.wanted,
                    "epochs": share.epochs,
                    "repetition": list(share.repetition),
                    "bytes": share.n_bytes,
                }
                for share in self.shares
            ],
        }


def _short(n: float) -> str:
    """Return a large number in three or four digits: 1.52 G, 604 M."""
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if n >= size:
            return f"{n / size:.4g} {letter}"
    return f"{n:,.0f}"


def plan(
    available: Mapping[str, Available],
    weights: Mapping[str, float],
    *,
    tokens: int | None = None,
    max_epochs: float = 4,
) -> Plan:
    """tokens: the budget, None for the largest under the cap.

    Raises RecipeError for weights that do not sum to 1 and for a weighted subset without documents, LimitError for a
    budget that repeats a subset more than max_epochs times, naming the largest that does not.
    """
    if tokens is not None and tokens < 1:
        raise RecipeError(f"mixture.tokens: {tokens}; expected at least 1")
    total = math.fsum(weights.values())
    if abs(total - 1) > 1e-6 or min(weights.values(), default=0) < 0:
        raise RecipeError(f"mixture.weights: {dict(weights)!r} sum to {total:g}; expected shares that sum to 1")
    weighted = {name: weight for name, weight in sorted(weights.items()) if weight > 0}
    empty = [name for name in weighted if name not in available or available[name].tokens == 0]
    if empty:
        raise RecipeError(
            f"mixture.weights: no documents are kept of {', '.join(empty)}; see its ledger for why, "
            "or give it weight 0 and share its weight among the others"
        )
    largest = min(max_epochs * available[name].tokens / weight for name, weight in weighted.items())
    largest = int(largest) if math.isfinite(largest) else 1 << 62
    budget = largest if tokens is None else tokens
    shares = tuple(
        Share(name, weight, found.documents, found.tokens, weight * budget, found.n_bytes)
        for name, weight in weighted.items()
        for found in [available[name]]
    )
    over = [share for share in shares if share.epochs > max_epochs * (1 + _ROUNDING)]
    if over:
        said = ", ".join(f"{share.subset} {share.epochs:.2f}" for share in over)
        raise LimitError(
            f"mixture.tokens: {budget:,} tokens would repeat subsets more than max_epochs = {max_epochs:g} times: "
            f"{said} epochs; the largest budget under the cap is {largest:,}"
        )
    return Plan(budget, largest, max_epochs, shares)
