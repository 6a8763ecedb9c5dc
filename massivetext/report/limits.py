"""The limits of a run, read from the recipe that it left: which signals were judged, in which subsets, and how.

Plain data in, so that a report needs neither the pipeline nor the models of recipes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["FAMILIES", "Limited", "limited_signals"]

FAMILIES = ("quality", "repetition", "c4", "fineweb", "rules")
"""Stages whose block is `signal: {min, max}`."""

_CONTAMINATION = {"jaccard": ("contamination_jaccard", "max"), "containment": ("contamination_containment", "below")}


@dataclass(frozen=True)
class Limited:
    """A signal as it is judged in some subsets. `min` and `max` are kept, `below` is the first value removed; all None
    for a signal that is measured and not judged."""

    stage: str
    signal: str
    subsets: tuple[str, ...]
    min: float | None = None
    max: float | None = None
    below: float | None = None

    @property
    def rule(self) -> str:
        return f"{self.stage}.{self.signal}"

    @property
    def words(self) -> str:
        """The limit in words: `keep 50 to 100,000`."""
        if self.below is not None:
            return f"keep below {self.below:,g}"
        if self.min is not None and self.max is not None:
            return f"keep {self.min:,g} to {self.max:,g}"
        if self.min is not None:
            return f"keep {self.min:,g} or more"
        if self.max is not None:
            return f"keep {self.max:,g} or less"
        return "no limit"


def limited_signals(recipe: Mapping[str, Any]) -> list[Limited]:
    """Signals in the order of the recipe, one entry for all subsets that share a limit.

    recipe: the `recipe` of DIR/recipe.yaml.
    """
    found: dict[tuple[Any, ...], list[str]] = {}
    for subset, own in recipe["subsets"].items():
        if not own.get("sources"):
            continue
        for stage in own.get("stages", []):
            for signal, limit in _limits(recipe, own, stage):
                key = (stage, signal, limit.get("min"), limit.get("max"), limit.get("below"))
                found.setdefault(key, []).append(subset)
    return [Limited(stage, signal, tuple(names), *rest) for (stage, signal, *rest), names in found.items()]


def _limits(recipe: Mapping[str, Any], own: Mapping[str, Any], stage: str) -> list[tuple[str, dict[str, Any]]]:
    common, over = recipe.get(stage) or {}, own.get(stage) or {}
    if stage in FAMILIES:
        return [(signal, limit) for signal, limit in {**common, **over}.items() if limit is not None]
    if stage == "language":
        keep = {**common, **over}.get("keep") or {}
        # With several languages kept each has its own least score: one line would be wrong for the others.
        return [("language_score", {"min": next(iter(keep.values()))} if len(keep) == 1 else {})]
    if stage == "safe_search":
        return [("safe_search_score", {**common, **over}.get("safe_search_score") or {})]
    if stage == "contamination":
        block = {**common, **over}
        mode = block.get("contamination", "both")
        judged = dict(_CONTAMINATION)
        if block.get("max_documents") is not None:
            judged["containment"] = ("contamination_containment_rare", "below")
        return [
            (signal, {kind: block.get(name)} if mode in (name, "both") else {})
            for name, (signal, kind) in judged.items()
        ]
    return []
