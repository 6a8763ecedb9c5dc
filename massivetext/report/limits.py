"""The limits of a run, as it left them in DIR/recipe.yaml: which signals were judged, in which subsets, and how.

Plain data in, so that a report needs neither the pipeline nor the registry of stages, which wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Limited", "limited_signals"]


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


def limited_signals(limits: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> list[Limited]:
    """Return signals in the order of verdicts, one entry for all subsets that share a limit.

    limits: the `limits` of DIR/recipe.yaml: by subset, stage and signal `min`, `max` and `below`.
    """
    subsets_by_limit: dict[tuple[Any, ...], list[str]] = {}
    for subset, stages in limits.items():
        for stage, signals in stages.items():
            for signal, limit in signals.items():
                key = (stage, signal, limit.get("min"), limit.get("max"), limit.get("below"))
                subsets_by_limit.setdefault(key, []).append(subset)
    return [Limited(stage, signal, tuple(names), *ends) for (stage, signal, *ends), names in subsets_by_limit.items()]
