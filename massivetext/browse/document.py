"""What the page of one document shows: its row, its signals beside their limits, its text with marks, its partners."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from massivetext.browse.differences import compare
from massivetext.browse.marks import LONGEST, Options, is_markable, pieces, spans
from massivetext.browse.source_page import Block, blocks_of, read_page
from massivetext.browse.store import Store
from massivetext.contamination.items import TestSet, read_items
from massivetext.errors import MassiveTextError

__all__ = ["CHARACTERS", "document_page"]

CHARACTERS = 100_000
"""Characters of a text that are shown unless all of it is asked for."""

_WITH_TEXT = ("kept", "rejected", "duplicate", "outranked", "contaminated")

_PLACES = ("id", "subset", "source", "offset", "url", "timestamp", "language", "n_bytes", "n_tokens")


def document_page(
    store: Store,
    name: str,
    options: Callable[[Mapping[str, Any]], Options],
    *,
    rules: Sequence[str] = (),
    partner: str | None = None,
    whole: bool = False,
    before: bool = False,
) -> dict[str, Any] | None:
    """Return what the page of a document shows.

    Args:
        store: The run.
        name: The document's id.
        options: Returns how a row's document was measured.
        rules: The rules to mark in the text; those that it breaks if there are none.
        partner: The id of a document to compare it with; the one that was kept instead of it if None.
        whole: Whether all of a long text is shown.
        before: Whether the page before extraction is read from its source again.

    Returns:
        Values for the template, or None if the ledger has no such document.
    """
    row = store.documents([name]).get(name)
    if row is None:
        return None
    text = store.texts({name: row}).get(name) if row["outcome"] in _WITH_TEXT else None
    marked = list(dict.fromkeys(rules or _broken(row)))
    stretches = {} if text is None else {rule: spans(rule, text, row, options(row)) for rule in marked}
    stretches = {rule: of_rule for rule, of_rule in stretches.items() if of_rule}
    shown = text if text is None or whole else text[:CHARACTERS]
    return {
        "row": row,
        "places": [(key, row[key]) for key in _PLACES if row.get(key) is not None],
        "stages": _stages(store, row, text),
        "has_text": text is not None,
        "pieces": [] if shown is None else list(pieces(shown, _within(stretches, len(shown)))),
        "marked": {rule: len(of_rule) for rule, of_rule in stretches.items()},
        "unmarked": [rule for rule in marked if rule not in stretches],
        "n_hidden": 0 if text is None or shown is None else len(text) - len(shown),
        "is_too_long": text is not None and len(text) > LONGEST,
        "partner": _partner(store, row, text, partner),
        "copies": store.copies(name),
        "tests": _tests(store, row, text),
        "is_extracted": store.recipe.goes_through(row["subset"], "extraction"),
        "before": _before(store, row, text) if before else None,
    }


def _before(store: Store, row: Mapping[str, Any], text: str | None) -> list[Block]:
    """Return the blocks of the page before extraction; none where it cannot be read."""
    record = read_page(store.recipe, row)
    if record is None or record.page is None:
        return []
    return blocks_of(record.page, record.content_type, text or "")


def _broken(row: Mapping[str, Any]) -> list[str]:
    """Return the rules that a document breaks, the one that decided first, those that mark its test items as well."""
    rules = [row["reason"], *(row["reasons"] or [])]
    if row.get("test_span"):
        rules.append("contamination.containment")
    return [rule for rule in dict.fromkeys(rules) if rule and is_markable(rule)]


def _within(stretches: Mapping[str, Sequence[tuple[int, int]]], length: int) -> dict[str, list[tuple[int, int]]]:
    """Return stretches cut at the end of what is shown."""
    return {
        rule: [(start, min(end, length)) for start, end in of_rule if start < length]
        for rule, of_rule in stretches.items()
    }


def _stages(store: Store, row: Mapping[str, Any], text: str | None) -> list[dict[str, Any]]:
    """Return by stage each signal with its value, its limit in words, and what weighs most in it."""
    if row["outcome"] not in _WITH_TEXT:
        return []
    recipe, subset = store.recipe, row["subset"]
    stages = []
    for stage in recipe.stage_names:
        if not recipe.goes_through(subset, stage):
            continue
        limited = recipe.limited_signals(subset).get(stage, {})
        signals = list(dict.fromkeys([*recipe.signals(stage), *limited]))
        rules = [f"{stage}.{signal}" for signal in signals]
        rules += [rule for rule in row["reasons"] or [] if rule.startswith(f"{stage}.") and rule not in rules]
        lines = [_line(store, row, rule, text) for rule in rules]
        if lines:
            stages.append({"name": stage, "signals": lines})
    return stages


def _line(store: Store, row: Mapping[str, Any], rule: str, text: str | None) -> dict[str, Any]:
    recipe, subset = store.recipe, row["subset"]
    signal = rule.partition(".")[2]
    value = row[signal] if signal in row else recipe.value_of(row, rule)
    evidence = recipe.evidence_in_words(row, rule, lambda: text) if recipe.signals(rule.partition(".")[0]) else []
    return {
        "rule": rule,
        "name": signal,
        "value": value,
        "limit": recipe.limit_in_words(subset, _judged(rule), row.get("language")),
        "is_broken": rule in (row["reasons"] or []) or _judged(rule) in (row["reasons"] or []),
        "is_markable": text is not None and is_markable(rule),
        "evidence": evidence,
    }


def _judged(rule: str) -> str:
    """Return the name under which a column is judged: contamination's columns begin with the stage's name."""
    return rule.replace("contamination.contamination_", "contamination.").removesuffix("_rare")


def _partner(store: Store, row: Mapping[str, Any], text: str | None, name: str | None) -> dict[str, Any] | None:
    """Return the document to compare with, and the two texts cut where they differ."""
    name = name or row.get("partner_id")
    if not name or name == row["id"]:
        return None
    other = store.documents([name]).get(name)
    if other is None:
        return {"id": name, "row": None, "pairs": None, "jaccard": row.get("partner_jaccard")}
    other_text = store.texts({name: other}).get(name)
    pairs = None if text is None or other_text is None else compare(text[:CHARACTERS], other_text[:CHARACTERS])
    by_row = next((a for a, b in ((row, other), (other, row)) if a.get("partner_id") == b["id"]), {})
    return {"id": name, "row": other, "pairs": pairs, "jaccard": by_row.get("partner_jaccard")}


def _tests(store: Store, row: Mapping[str, Any], text: str | None) -> list[dict[str, Any]]:
    """Return the test items that the ledger names for a document, each with the stretch of the text that matches it."""
    measures = (
        ("containment", "test_set", "test_item", "test_span"),
        *(
            (name, f"contamination_{name}_set", f"contamination_{name}_item", f"contamination_{name}_span")
            for name in ("alignment", "passage", "reformatted")
        ),
    )
    tests: dict[tuple[str, int], dict[str, Any]] = {}
    for measure, set_column, item_column, span_column in measures:
        name, item = row.get(set_column), row.get(item_column)
        if name is None or item is None or (name, item) in tests:
            continue
        span = row.get(span_column)
        item_text = _item(store, name, item)
        stretches = [] if text is None or not span else [text[a:b] for a, b in _numbers(span)]
        tests[name, item] = {
            "measure": measure,
            "set": name,
            "item": item,
            "span": span,
            "text": item_text,
            "pairs": compare(" ".join(stretches), item_text) if stretches and item_text is not None else None,
        }
    return list(tests.values())


def _numbers(span: str) -> list[tuple[int, int]]:
    ends = (part.partition(":") for part in span.split(","))
    return [(int(start), int(end)) for start, _, end in ends if start.isdecimal() and end.isdecimal()]


def _item(store: Store, name: str, number: int) -> str | None:
    """Return the text of a test item, or None where the test set's file is no longer there."""
    for entry in store.recipe.testsets:
        if entry.name == name:
            try:
                item = next(islice(read_items(TestSet.of(entry)), number, None), None)
            except MassiveTextError:
                return None
            return None if item is None else item.text
    return None
