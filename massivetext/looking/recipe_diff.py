"""The leaves in which two recipes, or any two trees of plain data, differ."""

from __future__ import annotations

from typing import Any

__all__ = ["recipe_differences"]


def recipe_differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Return `key: old -> new` for every leaf in which two trees of plain data differ, sorted by key.

    Args:
        old: Mappings of mappings, such as the canonical form of a recipe.
        new: The same, to compare with.
        place: Key of the two trees in a larger one; it begins every line.

    Returns:
        One line a leaf, `quality.word_count.min: 50.0 -> 30.0`. A key that one side lacks is `None` there.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        lines = []
        for key in sorted({*old, *new}, key=str):
            lines += recipe_differences(old.get(key), new.get(key), f"{place}.{key}" if place else str(key))
        return lines
    return [] if old == new else [f"{place}: {old!r} -> {new!r}"]
