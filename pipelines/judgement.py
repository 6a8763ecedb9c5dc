"""The verdict of the per-document stages, made from columns: which rules each document breaks.

The pass over the text judges what it has just measured, and `what-if` judges a ledger that holds the same columns: both
by this one function, so that what a changed limit would do is what it does.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from filters import language, licence
from filters.limits import Limit, violations
from pipelines.recipe import RULE_FAMILIES, Recipe

__all__ = ["JUDGED", "broken_rules", "first_broken", "judged_columns"]

JUDGED = ("licence", "language", "safe_search", *RULE_FAMILIES, "rules")
"""Stages that judge a document by itself, in the order of verdicts."""


def judged_columns(recipe: Recipe, subset: str) -> list[str]:
    """The columns that the verdict on a document of the subset is made from."""
    names: list[str] = []
    for stage in _stages(recipe, subset):
        if stage == "licence":
            names.append("licence")
        elif stage == "language":
            names += ["language", "language_score"]
        else:
            names += _limits(recipe, subset, stage)
    return names


def broken_rules(columns: pa.RecordBatch, recipe: Recipe, subset: str) -> dict[str, np.ndarray]:
    """Reason (`quality.word_count`) -> bool[n], in the order of verdicts: True where a document breaks that rule.

    columns: one row a document with text, at least `judged_columns` as the measures give them. A null breaks no limit;
    no licence is none that is allowed. The first reason that is True is what decides.
    """
    broken: dict[str, np.ndarray] = {}
    for stage in _stages(recipe, subset):
        if stage == "licence":
            broken["licence.licence"] = licence.broken(columns.column("licence"), recipe.block(subset, "licence"))
        elif stage == "language":
            broken |= language.broken(columns, recipe.block(subset, "language").keep)
        else:
            masks = violations(columns, _limits(recipe, subset, stage))
            broken |= {f"{stage}.{name}": mask for name, mask in masks.items()}
    return broken


def first_broken(broken: dict[str, np.ndarray], n: int) -> pa.DictionaryArray:
    """The reason that decides for each of n documents, null for those that break no rule."""
    first = np.full(n, -1, np.int32)
    for code, mask in reversed(list(enumerate(broken.values()))):
        first[mask] = code
    return pa.DictionaryArray.from_arrays(pa.array(first, mask=first < 0), pa.array(list(broken), pa.string()))


def _stages(recipe: Recipe, subset: str) -> list[str]:
    return [stage for stage in JUDGED if recipe.goes_through(subset, stage)]


def _limits(recipe: Recipe, subset: str, stage: str) -> dict[str, Limit]:
    if stage in RULE_FAMILIES:
        return recipe.limits(subset, stage)
    if stage == "rules":
        return {name: Limit(rule.min, rule.max) for name, rule in recipe.rules.items()}
    score = recipe.block(subset, stage).safe_search_score
    return {} if score is None else {"safe_search_score": score.limit()}
