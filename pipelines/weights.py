"""The weights of a mixture, and which of them no pass over the text could meet."""

from __future__ import annotations

import math
from collections.abc import Sequence

from massivetext import storage
from massivetext.errors import LimitError, MassiveTextError, RecipeError
from massivetext.mixture import weights_with_sources
from pipelines.input_splits import Part
from pipelines.recipe import Recipe

__all__ = ["check_weights", "weights_of"]


def weights_of(recipe: Recipe) -> tuple[dict[str, float], bool]:
    """The weights of the subsets that have sources, summing to one, and whether they were scaled to do so."""
    return weights_with_sources(recipe.mixture.weights, recipe.filled)


def check_weights(recipe: Recipe, parts: Sequence[Part]) -> None:
    """Refuse, before any pass, weights that no pass could meet.

    Raises:
        OutputError: no subset with a weight has sources.
        RecipeError: a subset with a weight has empty files only; or its share of the budget is below half a token, and
            no document has fewer tokens than one.
    """
    weights, _ = weights_of(recipe)
    with_content = {part.subset for part in parts if _has_content(part)}
    empty = [name for name in weights if name not in with_content]
    if empty:
        raise RecipeError(
            f"mixture.weights: all files of {', '.join(empty)} are empty, so no document can have its weight; add "
            "files, or give it weight 0 and share its weight among the others"
        )
    tokens = recipe.mixture.tokens
    name = min(weights, key=lambda name: weights[name])
    if tokens != "max" and tokens * weights[name] < _LEAST_TOKENS:
        raise LimitError(
            f"mixture.tokens: {tokens:,} tokens leave {tokens * weights[name]:.2g} for {name}, of weight "
            f"{weights[name]:g}, which is less than any document has; take at least "
            f"{math.ceil(_LEAST_TOKENS / weights[name]):,} tokens and as many more as its documents are longer, or "
            "give it weight 0"
        )


_LEAST_TOKENS = 0.5
"""A document is taken for a share that is at least half of it, and has at least one token."""


def _has_content(part: Part) -> bool:
    """Whether a file of a part has bytes, or cannot be looked at."""
    if part.files:
        return any(file.n_bytes or not _is_empty(file.path) for file in part.files)
    return bool(part.stop) or not _is_empty(part.path)


def _is_empty(path: str) -> bool:
    """Whether a file is there and has no bytes. One that cannot be looked at is reported by its own task."""
    try:
        return storage.size(path) == 0
    except MassiveTextError:
        return False
