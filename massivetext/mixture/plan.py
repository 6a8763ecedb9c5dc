"""The plan of a mixture: weights are shares of tokens; epochs follow from them (paper, table 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from massivetext.errors import LimitError, RecipeError

__all__ = ["Plan", "Share", "plan"]


@dataclass(frozen=True)
class Share:
    """What one subset gives. available: tokens of its kept documents; wanted: weight times the budget."""

    subset: str
    weight: float
    documents: int
    available: int
    wanted: float

    @property
    def epochs(self) -> float:
        return self.wanted / self.available


@dataclass(frozen=True)
class Plan:
    """A budget in tokens, and the share of each subset by name."""

    tokens: int
    shares: tuple[Share, ...]

    def lines(self) -> list[str]:
        """The plan as a table for people."""
        rows = [f"{'subset':<12}{'weight':>8}{'documents':>12}{'available':>16}{'wanted':>16}{'epochs':>8}"]
        for share in self.shares:
            rows.append(
                f"{share.subset:<12}{share.weight:>8.3f}{share.documents:>12,}{share.available:>16,}"
                f"{share.wanted:>16,.0f}{share.epochs:>8.2f}"
            )
        return [*rows, f"{'total':<12}{'':>36}{self.tokens:>16,} tokens"]


def plan(
    available: Mapping[str, tuple[int, int]],
    weights: Mapping[str, float],
    *,
    tokens: int | None = None,
    max_epochs: float = 4,
) -> Plan:
    """available: (documents, tokens) of each subset. tokens: the budget, None for the largest under the cap.

    Raises RecipeError for weights that do not sum to 1 and for a weighted subset without documents, LimitError for a
    budget that repeats a subset more than max_epochs times, naming the largest that does not.
    """
    total = sum(weights.values())
    if abs(total - 1) > 1e-6:
        raise RecipeError(f"mixture.weights: {dict(weights)!r} sum to {total:g}; expected 1")
    weighted = {name: weight for name, weight in sorted(weights.items()) if weight > 0}
    empty = [name for name in weighted if available.get(name, (0, 0))[1] == 0]
    if empty:
        raise RecipeError(
            f"mixture.weights: no documents are kept of {', '.join(empty)}; see its ledger for why, "
            "or give it weight 0 and share its weight among the others"
        )
    largest = int(min(max_epochs * available[name][1] / weight for name, weight in weighted.items()))
    budget = largest if tokens is None else tokens
    shares = tuple(Share(name, weight, *available[name], weight * budget) for name, weight in weighted.items())
    over = [share for share in shares if share.epochs > max_epochs * (1 + 1e-9)]
    if over:
        said = ", ".join(f"{share.subset} {share.epochs:.2f}" for share in over)
        raise LimitError(
            f"mixture.tokens: {budget:,} tokens would repeat subsets more than max_epochs = {max_epochs:g} times: "
            f"{said} epochs; the largest budget under the cap is {largest:,}"
        )
    return Plan(budget, shares)
