"""The limits of a run, as it left them in DIR/recipe.yaml: which signals were judged, in which subsets, and how.

Plain data in, so that a report needs neither the pipeline nor the registry of stages, which wrote it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Limited", "limited_signals", "most_frequent"]


@dataclass(frozen=True)
class Limited:
    """A signal as it is judged in documents of some subsets, and of some languages.

    Attributes:
        stage, signal: The two halves of the rule's name.
        subsets: The subsets that share the limit.
        min, max: The values that are kept, both included.
        below: The first value that is removed. All three are None for a signal that is measured and not judged.
        languages: The limit holds for documents of these languages only; empty if it does not ask for the language.
        not_languages: It holds for documents of all languages but these, which have limits of their own.
    """

    stage: str
    signal: str
    subsets: tuple[str, ...]
    min: float | None = None
    max: float | None = None
    below: float | None = None
    languages: tuple[str, ...] = ()
    not_languages: tuple[str, ...] = ()

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
        return "not kept" if self.stage == "language" and self.not_languages else "no limit"

    @property
    def spoken(self) -> str:
        """The languages that the limit holds for, in words; empty if it does not ask for the language."""
        if self.languages:
            return _named(self.languages)
        return f"languages other than {_named(self.not_languages)}" if self.not_languages else ""

    def holds_for(self, row: Mapping[str, Any]) -> bool:
        """Return whether it is the limit of a row of the ledger."""
        if row["subset"] not in self.subsets:
            return False
        return row["language"] in self.languages if self.languages else row["language"] not in self.not_languages

    def documents(self) -> tuple[str, list[str]]:
        """Return an SQL condition on `subset` and `language` for the documents that it holds for, and its values."""
        condition = f"subset IN ({', '.join('?' * len(self.subsets))})"
        if self.languages:
            condition += f" AND language IN ({', '.join('?' * len(self.languages))})"
        if self.not_languages:
            condition += f" AND (language IS NULL OR language NOT IN ({', '.join('?' * len(self.not_languages))}))"
        return condition, [*self.subsets, *self.languages, *self.not_languages]


def _named(codes: Sequence[str], n: int = 8) -> str:
    return ", ".join(codes[:n]) + (f" and {len(codes) - n} more" if len(codes) > n else "")


Limits = Mapping[str, Mapping[str, Mapping[str, Any]]]


def limited_signals(limits: Limits, by_language: Limits | None = None) -> list[Limited]:
    """Return signals in the order of verdicts, one entry for all documents that share a limit.

    Args:
        limits: The `limits` of DIR/recipe.yaml: by subset, stage and signal `min`, `max` and `below`.
        by_language: Its `limits_by_language`: by subset, stage, signal and language the same.
    """
    subsets_by_limit: dict[tuple[Any, ...], list[str]] = {}
    by_language = by_language or {}
    for subset, stages in limits.items():
        for stage, signals in stages.items():
            for signal, limit in signals.items():
                own = by_language.get(subset, {}).get(stage, {}).get(signal, {})
                # With a language stage the score is judged in the languages that are kept, and nowhere else.
                common = {} if stage == "language" and own else limit
                groups: dict[tuple[Any, ...], list[str]] = {}
                for language, ends in sorted(own.items()):
                    groups.setdefault(_ends(ends), []).append(language)
                keys = [(stage, signal, *_ends(common), (), tuple(sorted(own)))]
                keys += [(stage, signal, *ends, tuple(codes), ()) for ends, codes in groups.items()]
                for key in keys:
                    subsets_by_limit.setdefault(key, []).append(subset)
    return [Limited(stage, signal, tuple(names), *rest) for (stage, signal, *rest), names in subsets_by_limit.items()]


def _ends(limit: Mapping[str, float]) -> tuple[float | None, ...]:
    return limit.get("min"), limit.get("max"), limit.get("below")


def most_frequent(signals: Sequence[Limited], documents: Mapping[str, int], n: int = 4) -> tuple[list[Limited], int]:
    """Return the signals without the limits of rare languages, and how many limits of languages with documents those
    are.

    Args:
        signals: All of them.
        documents: Documents by language.
        n: Limits by language to leave for each signal: those that hold for most documents, of those that hold for any.
    """
    ranked: dict[str, list[tuple[int, Limited]]] = {}
    for one in signals:
        if one.languages:
            ranked.setdefault(one.rule, []).append((sum(documents.get(code, 0) for code in one.languages), one))
    chosen: set[Limited] = set()
    n_left_out = 0
    for entries in ranked.values():
        spoken = sorted((entry for entry in entries if entry[0]), key=lambda entry: -entry[0])
        chosen.update(one for _, one in spoken[:n])
        n_left_out += len(spoken[n:])
    return [one for one in signals if not one.languages or one in chosen], n_left_out
