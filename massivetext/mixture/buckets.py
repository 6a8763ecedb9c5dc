"""Weights of a mixture whose subsets are divided into buckets by a score, each repeated in a proportion of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from massivetext.errors import OutputError, RecipeError

__all__ = ["bucket_key", "bucket_weights", "weights_with_sources"]


def bucket_key(subset: str, number: int) -> str:
    """Return the name of a bucket in plans, 0 for the worst: `massiveweb:0`."""
    return f"{subset}:{number}"


def weights_with_sources(weights: Mapping[str, float], filled: Any) -> tuple[dict[str, float], bool]:
    """Return the weights of subsets that have sources, summing to one, and whether they were scaled to do so.

    Args:
        weights: By subset.
        filled: Contains the names of subsets that have sources.

    Raises:
        OutputError: No subset with a weight has sources.
    """
    own = {name: weight for name, weight in weights.items() if name in filled and weight > 0}
    if not own:
        raise OutputError("mixture.weights: no subset with a weight has sources; there is nothing to mix")
    scale = sum(own.values())
    if abs(scale - 1) <= 1e-9:
        return own, False
    return {name: weight / scale for name, weight in own.items()}, True


def bucket_weights(
    buckets: Mapping[str, Any], weights: Mapping[str, float], tokens: Mapping[str, int]
) -> dict[str, float]:
    """Return the weight of each subset, or of each of its buckets; those without documents or epochs are left out.

    A bucket has the share of its subset's weight that its tokens, times its epochs, are of those of all its buckets. So
    the epochs of buckets are in the proportion that the recipe gives.

    Args:
        buckets: By subset, the recipe's `mixture.buckets`: `epochs`, the worst bucket first.
        weights: By subset.
        tokens: Of each bucket, by `bucket_key`.

    Raises:
        RecipeError: A subset whose buckets with epochs have no documents.

    Example:
        >>> from types import SimpleNamespace
        >>> epochs = {"c4": SimpleNamespace(epochs=[0, 1, 4])}
        >>> bucket_weights(epochs, {"c4": 0.9, "news": 0.1}, {"c4:0": 70, "c4:1": 20, "c4:2": 10})
        {'c4:1': 0.3, 'c4:2': 0.6, 'news': 0.1}
    """
    of_buckets: dict[str, float] = {}
    for name, weight in weights.items():
        block = buckets.get(name)
        if block is None:
            of_buckets[name] = weight
            continue
        taken = {bucket_key(name, k): epochs * tokens[bucket_key(name, k)] for k, epochs in enumerate(block.epochs)}
        total = math.fsum(taken.values())
        if total == 0:
            raise RecipeError(
                f"mixture.buckets.{name}: no documents are kept in the buckets that have epochs; give epochs to others"
            )
        of_buckets |= {key: weight * n / total for key, n in taken.items() if n}
    return of_buckets
