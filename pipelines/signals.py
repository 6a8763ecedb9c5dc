"""What a reason of the ledger (`quality.word_count`) stands on: the document's value and the recipe's limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from massivetext.looking.data_card import inline_code
from pipelines.recipe import RULE_FAMILIES, Recipe

__all__ = ["in_words", "limit_of", "settings_of", "value_of"]


def value_of(row: Mapping[str, Any], reason: str) -> Any:
    """What a row of the ledger has of a reason's signal: a number, or words; None where nothing was measured."""
    stage, _, signal = reason.partition(".")
    if stage == "language":
        return f"{row['language']} {row['language_score']}"
    if stage == "duplicate":
        jaccard = row["partner_jaccard"]
        return f"of {row['partner_id']}" + ("" if jaccard is None else f", J {jaccard:.6f}")
    if reason == "contamination.title":
        return row["test_title"]
    if stage == "contamination":
        rare = row.get("contamination_containment_rare") if signal == "containment" else None
        return row[f"contamination_{signal}"] if rare is None else rare
    return row.get(signal)


def limit_of(recipe: Recipe, subset: str, reason: str) -> str:
    """The limit that a reason is judged by in a subset, in words: `50 to 100,000`; `no limit` where there is none."""
    stage, _, signal = reason.partition(".")
    if stage not in ("duplicate", "failed", "skipped") and not recipe.goes_through(subset, stage):
        return "no limit"
    if stage in RULE_FAMILIES:
        return in_words(recipe.limits(subset, stage).get(signal))
    if stage == "rules":
        return in_words(recipe.rules.get(signal))
    if stage == "safe_search":
        return in_words(recipe.block(subset, stage).safe_search_score)
    if stage == "language":
        keep: dict[str, float] = recipe.block(subset, stage).keep
        return ", ".join(f"{name} from {least:g}" for name, least in keep.items()) or "none"
    if stage == "licence":
        return ", ".join(recipe.block(subset, stage)) or "none"
    if stage == "duplicate":
        return f"J {recipe.block(subset, 'deduplication').threshold:g} or less with any kept"
    if stage == "contamination":
        block = recipe.block(subset, stage)
        if signal == "jaccard":
            return f"{block.jaccard:g} or less" if block.contamination != "containment" else "no limit"
        if signal == "containment":
            return f"below {block.containment:g}" if block.contamination != "jaccard" else "no limit"
        limit = block.limits.get(f"contamination_{signal}")
        return "no limit" if limit is None else f"below {limit:g}"
    return "no limit"


def in_words(limit: Any) -> str:
    """`50 to 100,000`, of anything with `min` and `max`; None is no limit."""
    low, high = (None, None) if limit is None else (limit.min, limit.max)
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}"
    if low is not None:
        return f"{low:,g} or more"
    return "no limit" if high is None else f"{high:,g} or less"


def settings_of(recipe: Recipe, name: str, stage: str) -> Iterable[tuple[str, str]]:
    """Yield what a stage keeps in a subset, for the data card: (rule or key, its limit or setting in words)."""
    block: Any = recipe.block(name, stage) if stage != "rules" else None
    if stage in RULE_FAMILIES:
        for signal, limit in recipe.limits(name, stage).items():
            yield f"{stage}.{signal}", _range(limit.min, limit.max)
    elif stage == "language":
        yield "language.keep", ", ".join(f"{code} >= {share:g}" for code, share in sorted(block.keep.items()))
    elif stage == "safe_search" and block.safe_search_score is not None:
        limit = block.safe_search_score
        yield "safe_search.safe_search_score", _range(limit.min, limit.max)
    elif stage == "licence":
        yield "licence.licence", ", ".join(block)
    elif stage == "extraction":
        yield "extraction.engine", block.engine
    elif stage == "deduplication":
        yield (
            "deduplication",
            f"removed: equal text, or J > {block.threshold:g} of 13-grams; kept of these: {block.keep}",
        )
    elif stage == "contamination" and recipe.testsets:
        measures = ("jaccard", "containment") if block.contamination == "both" else (block.contamination,)
        said = [
            f"J <= {block.jaccard:g}" if one == "jaccard" else f"containment < {block.containment:g}"
            for one in measures
        ]
        names = ", ".join(inline_code(testset.name) for testset in recipe.testsets)
        yield "contamination", f"{' and '.join(said)} with every item of {names}; else removed: {block.remove}"
    elif stage == "pii":
        told = [what for what, on in (("e-mail addresses", block.emails), ("IPv4 addresses", block.ip_addresses)) if on]
        yield "pii", f"replaced: {', '.join(told) or 'nothing'}"
    elif stage == "rules":
        for rule, own in recipe.rules.items():
            yield f"rules.{rule}", f"{_range(own.min, own.max)} by {inline_code(own.function)}"


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} to {high:,g}"
    return f">= {low:g}" if low is not None else f"<= {high:g}" if high is not None else "anything"
