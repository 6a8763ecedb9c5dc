"""What other limits would keep, at once: one query on the ledger for each move of a slider.

The ledger lists every rule that a document breaks, so its verdict under other limits needs only the columns of the
rules that are moved. Duplicates whose kept partner would go are not counted here; `massivetext what-if` counts them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from massivetext.browse.query import QueryError, quoted_name
from massivetext.browse.store import Store
from massivetext.looking.recipe_view import LimitView, RecipeView
from massivetext.terminal_text import one_line

__all__ = ["Move", "Slider", "languages", "moved", "settings", "sliders"]

_EXAMPLES = 3
"""Documents shown for each direction."""

_STEPS = 200
"""Positions of a slider."""

_SAMPLED = 50_000
"""Documents whose values say what a slider goes through. More would move its ends by less than a step or two."""


@dataclass(frozen=True)
class Slider:
    """One end of a rule's limit.

    Attributes:
        rule: `<stage>.<signal>`.
        end: `min` or `max`.
        limit: The run's own.
        low, high, step: What the slider goes through: nearly all values of the subset's documents (of a sample of
            them, where there are many), and the limit.
    """

    rule: str
    end: str
    limit: float
    low: float
    high: float
    step: float

    @property
    def key(self) -> str:
        return f"{self.rule}.{self.end}"


@dataclass
class Move:
    """Documents and tokens that change sides, with examples: `gained` would be kept, `lost` would be removed."""

    before: dict[str, int] = field(default_factory=dict)
    after: dict[str, int] = field(default_factory=dict)
    gained: dict[str, Any] = field(default_factory=dict)
    lost: dict[str, Any] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        """Return plain data."""
        return {"before": self.before, "after": self.after, "gained": self.gained, "lost": self.lost}


def languages(store: Store, subset: str) -> list[str]:
    """Return the languages with limits of their own in a subset."""
    by_stage = store.recipe.limits_by_language(subset) if subset in store.recipe.filled else {}
    return sorted(
        {code for stage, own in by_stage.items() if stage != "language" for by in own.values() for code in by}
    )


def _limits(store: Store, subset: str, language: str) -> dict[str, LimitView]:
    """Return by rule the limits of a subset that hold for all languages, or those that one language has of its own."""
    recipe = store.recipe
    by_stage: dict[str, Mapping[str, Any]] = dict(recipe.limited_signals(subset))
    if language:
        own = recipe.limits_by_language(subset)
        by_stage = {
            stage: {signal: by[language] for signal, by in signals.items() if language in by}
            for stage, signals in own.items()
        }
    return {
        f"{stage}.{signal}": limit
        for stage, signals in by_stage.items()
        if stage in recipe.judging_stages and stage != "language"
        for signal, limit in signals.items()
        if signal in store.numeric
    }


def sliders(store: Store, subset: str, language: str = "") -> list[Slider]:
    """Return a slider for each end of each numeric limit of the per-document rules of a subset: of the limits for all
    languages, or of those that one language has of its own."""
    ends = [
        (rule, rule.partition(".")[2], end, float(value))
        for rule, limit in _limits(store, subset, language).items()
        for end, value in (("min", limit.min), ("max", limit.max))
        if value is not None
    ]
    if not ends:
        return []
    names = list(dict.fromkeys(signal for _, signal, _, _ in ends))
    columns = ", ".join(
        f"approx_quantile({quoted_name(name)}::DOUBLE, [0.005, 0.995]) AS {quoted_name(name)}" for name in names
    )
    parts = store.some_parts(subset, _SAMPLED)
    condition = f"subset = ? AND part IN ({', '.join('?' * len(parts)) or 'NULL'})"
    values = [subset, *parts]
    if language:
        condition, values = f"{condition} AND language = ?", [*values, language]
    key = ("quantiles", subset, language)
    (row,) = store.cached(key, f"SELECT {columns} FROM ledger WHERE {condition}", values)
    return [_slider(rule, end, limit, row[signal]) for rule, signal, end, limit in ends]


def _slider(rule: str, end: str, limit: float, quantiles: Sequence[float] | None) -> Slider:
    low, high = quantiles or (limit, limit)
    low, high = min(low, limit), max(high, limit)
    if low == high:
        low, high = min(0.0, 2 * limit), max(1.0, 2 * limit)
    # A round step, at most the two hundredth part of the way.
    step = 10 ** math.floor(math.log10((high - low) / _STEPS))
    is_count = all(float(value).is_integer() for value in (limit, low, high)) and high > 1
    step = max(1.0, step) if is_count else step
    return Slider(rule, end, limit, math.floor(low / step) * step, math.ceil(high / step) * step, step)


def moved(store: Store, subset: str, limits: Mapping[str, float], language: str = "") -> Move:
    """Return what changes sides in a subset under other limits.

    Args:
        store: The run.
        subset: One of its subsets.
        limits: `<stage>.<signal>.min|max` -> limit; those left out stay as they are.
        language: The language whose own limits these are; empty for the limits of all languages. A language with a
            limit of its own for a rule is not judged by the one for all.

    Raises:
        QueryError: For a subset, a language or a limit that is not one.
    """
    recipe = store.recipe
    if subset not in recipe.filled:
        raise QueryError(f"subset: {subset!r}; expected one of {', '.join(recipe.filled)}")
    if language and language not in languages(store, subset):
        raise QueryError(f"language: {language!r} has no limits of its own in {subset}")
    known = {slider.key: slider for slider in sliders(store, subset, language)}
    unknown = sorted(set(limits) - set(known))
    if unknown:
        raise QueryError(f"{unknown[0]}: is not a limit of {subset}; limits are {', '.join(known) or 'none'}")
    rules = {key.rpartition(".")[0] for key in limits}
    tests: list[str] = []
    values: list[Any] = []
    for slider in known.values():
        if slider.rule in rules:
            sign = ">=" if slider.end == "min" else "<="
            # A null means "not measured"; it never violates a limit.
            test = f"coalesce({quoted_name(slider.rule.partition('.')[2])} {sign} ?, true)"
            value = limits.get(slider.key, slider.limit)
            spoken, codes = _judged(store, subset, slider.rule, language)
            if spoken:
                # Documents of other languages keep the verdict that they have.
                test = f"CASE WHEN {spoken} THEN {test} ELSE NOT list_contains(reasons, ?) END"
            tests.append(test)
            values += [*codes, value, slider.rule] if spoken else [value]
    known_reasons = store.cached(
        ("reasons", subset), "SELECT DISTINCT unnest(reasons) AS reason FROM ledger WHERE subset = ?", [subset]
    )
    reasons = {row["reason"] for row in known_reasons}
    harmless = {reason for reason in reasons if reason.partition(".")[0] not in recipe.judging_stages}
    moving = sorted(rules | harmless)
    # A removed document may pass if all rules that it breaks move; its first reason tells so for most without the list.
    passes = " AND ".join(tests)
    passes = (
        f"CASE WHEN before THEN {passes} WHEN NOT list_contains(?::VARCHAR[], reason) THEN false "
        f"ELSE {passes} AND list_has_all(?::VARCHAR[], reasons) END"
        if tests
        else "before"
    )
    bound = [*values, moving, *values, moving] if tests else []
    rows = store.query(
        f"SELECT outcome <> 'rejected' AS before, {passes} AS after, count(*) AS documents, "
        f"coalesce(sum(n_tokens), 0)::BIGINT AS tokens, min(id, {_EXAMPLES}) FILTER (before <> after) AS ids "
        "FROM ledger WHERE subset = ? "
        "AND outcome IN ('kept', 'rejected', 'duplicate', 'outranked', 'contaminated') "
        "AND NOT coalesce(starts_with(reason, 'removed.'), false) GROUP BY ALL",
        [*bound, subset],
    )
    move = Move(*({"documents": 0, "tokens": 0} for _ in range(4)))
    for row in rows:
        for side, is_in in (("before", row["before"]), ("after", row["after"])):
            if is_in:
                for unit in ("documents", "tokens"):
                    getattr(move, side)[unit] += row[unit]
        if row["before"] != row["after"]:
            side = "gained" if row["after"] else "lost"
            counts = {"documents": row["documents"], "tokens": row["tokens"]}
            setattr(move, side, {**counts, "examples": _examples(store, row["ids"])})
    return move


def _judged(store: Store, subset: str, rule: str, language: str) -> tuple[str, list[str]]:
    """Return an SQL condition for the documents whose language a limit holds for, and its values; empty for all."""
    if language:
        return "language = ?", [language]
    stage, _, signal = rule.partition(".")
    codes = sorted(store.recipe.limits_by_language(subset).get(stage, {}).get(signal, {}))
    marks = ", ".join("?" * len(codes))
    return (f"(language IS NULL OR language NOT IN ({marks}))" if codes else ""), codes


def _examples(store: Store, names: Sequence[str]) -> list[dict[str, Any]]:
    rows = store.documents(names, ("id", "subset", "outcome", "reason", "url", "source", "part"))
    quotes = store.texts(rows)
    return [
        {
            "id": name,
            "address": rows[name]["url"] or rows[name]["source"],
            "reason": rows[name]["reason"],
            "text": one_line(quotes[name], 240) if name in quotes else None,
        }
        for name in names
        if name in rows
    ]


def settings(store: Store, subset: str, limits: Mapping[str, float], language: str = "") -> list[str]:
    """Return limits of a subset as `--set` of the command line takes them.

    A limit of the subset's own takes the place of the recipe's as a whole, so both of its ends are set. A stage whose
    block is the recipe's alone, such as the user's rules, is set for every subset; so is a language that has its limits
    from there.

    Args:
        store: The run.
        subset: One of its subsets.
        limits: `<stage>.<signal>.min|max` -> limit, those that change.
        language: The language whose own limits these are; empty for the limits of all languages.
    """
    known = _limits(store, subset, language)
    lines = {}
    for key, value in limits.items():
        rule, _, end = key.rpartition(".")
        prefix, is_whole = _place(store.recipe, subset, rule.partition(".")[0], language)
        name = rule if not language else rule.replace(".", f".by_language.{language}.", 1)
        other = "max" if end == "min" else "min"
        kept = limits.get(f"{rule}.{other}", getattr(known.get(rule), other, None))
        lines[f"{prefix}{name}.{end}"] = value
        if is_whole and kept is not None:
            lines[f"{prefix}{name}.{other}"] = float(kept)
    return [
        f"{name}={json.dumps(int(value) if float(value).is_integer() else value)}"
        for name, value in sorted(lines.items())
    ]


def _place(recipe: RecipeView, subset: str, stage: str, language: str) -> tuple[str, bool]:
    """Return where a limit of a subset stands in the recipe, as the beginning of a key, and whether a limit that is set
    there is a new one rather than a change of one."""
    own = getattr(recipe.subsets[subset], stage, None)
    if language:
        return (f"subsets.{subset}." if own is not None and "by_language" in own.model_fields_set else ""), False
    return (f"subsets.{subset}.", True) if hasattr(recipe.subsets[subset], stage) else ("", False)
