"""What a finished run's readers need to know of its recipe, as a typing Protocol.

`massivetext` never imports `pipelines`, where the class of recipes and the registry of stages live. A recipe is passed
in instead, and whatever knows single stages (their order, their signals, their limits in words) is asked of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

__all__ = ["LimitView", "RecipeView"]


class LimitView(Protocol):
    """A range of values of one signal that are kept, both ends included; None where it has no end."""

    @property
    def min(self) -> float | None: ...

    @property
    def max(self) -> float | None: ...


def limit_ends(limit: LimitView) -> dict[str, float]:
    """Return `min`, `max` and `below` of a limit, those that it has."""
    ends = {name: getattr(limit, name, None) for name in ("min", "max", "below")}
    return {name: value for name, value in ends.items() if value is not None}


class RecipeView(Protocol):
    """A resolved recipe, as the modules that look at a finished run see it."""

    # ---- Values of the recipe's own keys. ----

    @property
    def seed(self) -> int:
        """The seed of every random choice."""

    @property
    def subsets(self) -> Mapping[str, Any]:
        """Every subset by name, also those without sources. Each has `sources`, `stages` (names, in any order) and, by
        a stage's name, the subset's own block of that stage or None."""

    @property
    def filled(self) -> Mapping[str, Any]:
        """The subsets that have sources, in the order of their names."""

    @property
    def rules(self) -> Mapping[str, Any]:
        """The user's own rules by name; each has `function`, `min` and `max`."""

    @property
    def count_duplicates(self) -> str:
        """How repetition counts duplicates: `all` or `repeats`."""

    @property
    def deduplication(self) -> Any:
        """The recipe's own block of deduplication; it has `across`, names of subsets."""

    @property
    def testsets(self) -> Sequence[Any]:
        """Test sets; each has `name` and `path`."""

    @property
    def tokenizer(self) -> str | None:
        """The file of a tokenizer, or None if tokens are estimated from bytes."""

    @property
    def rejected(self) -> Any:
        """Which removed texts are written: `all`, `none` or a share from 0 to 1."""

    @property
    def max_failed(self) -> float:
        """The share of a subset's records that may fail, from 0 to 1."""

    @property
    def mixture(self) -> Any:
        """The block of the mixture: `name`, `weights` by subset, `tokens`, `max_epochs`, `shard_bytes`."""

    # ---- The registry of stages. ----

    @property
    def stage_names(self) -> Sequence[str]:
        """Every stage that there is, in the order of verdicts."""

    @property
    def rule_families(self) -> Sequence[str]:
        """The stages whose block is `signal: {min, max}` for signals of their own (not `rules`), in that order."""

    @property
    def named_signals(self) -> Sequence[str]:
        """The stages whose block maps names of the user's to settings with `min` and `max`, in that order."""

    @property
    def judging_stages(self) -> Sequence[str]:
        """The stages that judge a document by itself, from columns of the ledger, in the order of verdicts."""

    @property
    def later_stages(self) -> Sequence[str]:
        """The stages that judge a document after all of those, by what other documents or test sets hold."""

    def signals(self, stage: str) -> Sequence[str]:
        """Return the columns that a stage measures and limits by `min` and `max`, in the stage's order, whether or not
        the recipe limits them. Empty for stages that judge in another way."""

    # ---- A subset's stages and blocks. ----

    def goes_through(self, subset: str, stage: str) -> bool:
        """Return whether a subset declares a stage."""

    def block(self, subset: str, stage: str) -> Any:
        """Return the block of a stage as it holds for a subset: the subset's own keys over the recipe's."""

    def limits(self, subset: str, stage: str) -> Mapping[str, LimitView]:
        """Return a rule family's limits for a subset by signal, in the family's order; signals without one are left
        out."""

    # ---- Forms of the whole recipe. ----

    def resolved(self) -> dict[str, Any]:
        """Return the recipe as plain data, as it is written to DIR."""

    def canonical(self) -> dict[str, Any]:
        """Return what shapes the output, as plain data: sources sorted, files by content."""

    def digest(self) -> str:
        """Return 32 hex digits that stand for the canonical form."""

    # ---- Verdicts. ----

    def judged_columns(self, subset: str) -> list[str]:
        """Return the ledger's columns that the verdict of the judging stages on a document of the subset needs."""

    def broken_rules(self, columns: pa.RecordBatch, subset: str) -> dict[str, np.ndarray]:
        """Return which documents break which rules of the judging stages.

        Args:
            columns: One row a document with text, at least `judged_columns(subset)`. A null breaks no limit.
            subset: The subset whose limits hold.

        Returns:
            Reason (`quality.word_count`) -> bool[n], True where a document breaks that rule. In the order of verdicts:
            the first reason that is True decides.
        """

    def compared_columns(self, subset: str) -> list[str]:
        """Return the ledger's columns that depend on the other documents of a subset, and have a limit in it."""

    def broken_by_comparison(self, columns: pa.RecordBatch, subset: str) -> dict[str, np.ndarray]:
        """Return which documents break which limits on the `compared_columns`, as `broken_rules` does."""

    def shares(self, subset: str) -> Mapping[str, Any]:
        """Return by signal what depends on the values of all documents of a subset: each with `keep` (the share that
        stays, or None), `by` (`tokens` or `documents`) and `buckets` (rising shares from the lowest value)."""

    def share_reason(self, subset: str, signal: str) -> str:
        """Return the reason of documents of a subset that lie below the best share of a signal."""

    def deciding_reasons(self, columns: pa.RecordBatch, subset: str) -> pa.DictionaryArray:
        """Return the first reason of `broken_rules` that is True for each document, null where none is."""

    # ---- Words. ----

    def limited_signals(self, subset: str) -> Mapping[str, Mapping[str, LimitView]]:
        """Return by stage, in the order of verdicts, the numeric columns that a report shows, with their limits."""

    def limits_by_language(self, subset: str) -> Mapping[str, Mapping[str, Mapping[str, LimitView]]]:
        """Return by stage and signal the languages whose documents have another limit than `limited_signals` says, each
        with its limit."""

    def evidence_in_words(self, row: Mapping[str, Any], reason: str, text: Callable[[], str | None]) -> list[str]:
        """Return what weighs most in a row's value of a reason's signal, as lines.

        Args:
            row: Of the ledger, of a subset that goes through the reason's stage.
            reason: `<stage>.<signal>`.
            text: Returns the document's text, or None where the run did not keep it.
        """

    def limit_in_words(self, subset: str, reason: str, language: str | None = None) -> str:
        """Return the limit that a reason is judged by in a subset, for documents of a language: `50 to 100,000`;
        `no limit` where there is none."""

    def value_of(self, row: Mapping[str, Any], reason: str) -> Any:
        """Return the measured value behind a reason in a row of the ledger: a number, or words; None where nothing was
        measured. The row's subset need not go through the reason's stage."""

    def settings_in_words(self, subset: str, stage: str) -> list[tuple[str, str]]:
        """Return what a stage keeps in a subset, for the data card: (rule or key, its limit or setting in words)."""

    # ---- Two recipes. ----

    def answerable_changes(self, other: Any) -> list[str]:
        """Return the changes from this recipe to another one that a ledger of this one can answer.

        Returns:
            `subset: quality.word_count.min: 50.0 -> 30.0`, one line a change.

        Raises:
            RecipeError: If a change needs the texts; the message lists each such change with the reason.
        """
