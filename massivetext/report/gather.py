"""All that a report shows of an output folder, as plain data: names, numbers, SVG of charts, quotes of texts."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from massivetext import storage
from massivetext.documents import FUNNEL
from massivetext.report.charts import OUTCOME_COLOURS, Charts
from massivetext.report.contamination import account
from massivetext.report.course import course, mixtures, read_json, recipe_of
from massivetext.report.limits import Limited, limited_signals, most_frequent
from massivetext.report.overview import (
    Lengths,
    correlations,
    domains,
    lengths,
    near_limits,
    tokens_by_stage,
    years,
)
from massivetext.report.samples import matched, quoted, texts
from massivetext.report.tables import Ledger

__all__ = ["gather", "run_name"]

RULES = 20
"""Rules in the table of those that fire together."""


def gather(folder: str, *, samples: int = 3, seed: int | None = None) -> dict[str, Any]:
    """Return the data of the page, section by section. Memory does not grow with the ledger, nor with texts.

    Args:
        folder: The `--output` of a run.
        samples: Documents shown for each rule.
        seed: Which documents those are; the recipe's seed if None.

    Raises:
        OutputError: If the folder is not that of a run.
    """
    data = recipe_of(folder)
    recipe = data["recipe"]
    seed = recipe.get("seed", 0) if seed is None else seed
    all_signals = limited_signals(data.get("limits") or {}, data.get("limits_by_language") or {})
    charts = Charts()
    with Ledger(folder) as ledger:
        signals, n_left_out = most_frequent(all_signals, ledger.documents_by_language())
        rows = ledger.outcomes()
        combinations = ledger.combinations()
        examples = ledger.examples(samples, seed) if samples else {}
        groups = ledger.groups()
        matches = ledger.matches(samples, seed) if samples else {}
        near = near_limits(ledger, signals, min(samples, 2))
        named = [i for ids in examples.values() for i in ids]
        named += [i for ids in matches.values() for i in ids]
        named += [group[key] for group in groups["largest"] for key in ("partner_id", "example") if group[key]]
        named += [i for entry in near for side in ("inside", "outside") for i in entry[side]]
        found = ledger.documents(sorted(set(named)))
        funnel = _funnel(rows, recipe, data.get("stages") or [])
        together = _together(combinations)
        page = {
            "digest": data.get("digest", ""),
            "seed": recipe.get("seed", 0),
            "versions": data.get("versions", {}),
            "recipe": recipe,
            "tokens_by": "estimated as bytes / 4" if not recipe.get("tokenizer") else "counted by the tokenizer",
            "totals": _totals(rows),
            "name": run_name(folder),
            "funnel": funnel,
            "outcomes": rows,
            "charts": _outcome_charts(rows, charts),
            "colours": OUTCOME_COLOURS,
            "signals": _signals(ledger, signals, charts),
            "limits_not_shown": n_left_out,
            "together": together,
            "correlations": correlations(ledger, signals, {row["rule"]: row["documents"] for row in together["rows"]}),
            "lengths": _lengths(lengths(ledger), charts),
            "years": years(ledger),
            "domains": domains(ledger),
            "languages": ledger.languages(),
            "hosts": ledger.hosts(),
            "test_sets": account(folder, recipe, ledger.test_sets()),
        }
        pairs = ledger.pairs()
    steps = tokens_by_stage(funnel, data.get("stages") or [])
    page["waterfall"] = {"steps": steps, "chart": charts.waterfall(steps) if steps[0]["tokens"] else None}
    quotes = texts(folder, found.values())
    for row in page["test_sets"]["sets"]:
        row["samples"] = [_match(found[i], quotes.get(i)) for i in matches.get(row["test_set"], []) if i in found]
    page["duplicates"] = _duplicates(folder, groups, pairs, found, quotes, charts)
    page["near"] = _near(near, found, quotes)
    page["sample_seed"] = seed
    page["samples"] = _samples(examples, rows, found, quotes, all_signals)
    page["mixtures"] = [
        {**mixture, "chart": _mixture_chart(mixture, charts)} for mixture in mixtures(folder) if mixture["tokens"]
    ]
    page["course"] = went = course(folder)
    page["course"]["chart"] = charts.seconds(went["run"]["stages"]) if went["run"] else None
    return page


def run_name(folder: str) -> str:
    """Return what a run is called: the last two names of its folder's path."""
    path = folder if storage.is_remote(folder) else os.path.abspath(storage.local_path(folder))
    return "/".join(path.strip("/").split("/")[-2:])


def _bins(edges: Sequence[float], before: Sequence[int], after: Sequence[int]) -> list[dict[str, Any]]:
    """Return the bins of a histogram as rows."""
    return [
        {"from": first, "to": last, "documents": n, "kept": kept}
        for first, last, n, kept in zip(edges, edges[1:], before, after)
    ]


def _lengths(found: Mapping[str, Lengths], charts: Charts) -> dict[str, Any]:
    """Charts of the lengths of kept documents, all subsets in one, and of each subset before and after."""
    kept = {name: (one.after, one.edges) for name, one in found.items() if any(one.after)}
    subsets = [
        {"subset": name, "found": one, "chart": charts.subset_lengths(name, one.before, one.after, one.edges)}
        for name, one in found.items()
    ]
    rows = [{"subset": name, **row} for name, one in found.items() for row in _bins(one.edges, one.before, one.after)]
    return {"chart": charts.lengths(kept) if kept else None, "subsets": subsets, "rows": rows}


def _near(
    entries: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]], quotes: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Documents on both sides of each limit, with their values and the beginnings of their texts."""
    sections = []
    for entry in entries:
        documents = []
        for side in ("inside", "outside"):
            for one in entry[side]:
                row, text = found[one], quotes.get(one)
                value = row.get(entry["limited"].signal)
                quote = None if text is None else quoted(text, 300)
                documents.append({"row": row, "side": side, "value": value, "quote": quote})
        sections.append({**entry, "documents": documents})
    return sections


def _totals(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Records, those that are documents, and those kept, with bytes and tokens."""
    documents = [row for row in rows if row["outcome"] not in ("skipped", "failed")]
    kept = [row for row in rows if row["outcome"] == "kept"]
    failed = [row for row in rows if row["outcome"] == "failed"]
    totals = {"records": sum(row["documents"] for row in rows), "failed": sum(row["documents"] for row in failed)}
    for name, chosen in (("in", documents), ("kept", kept)):
        for unit in ("documents", "bytes", "tokens"):
            totals[f"{unit}_{name}"] = sum(row[unit] or 0 for row in chosen)
    return totals


def _funnel(
    rows: Sequence[Mapping[str, Any]], recipe: Mapping[str, Any], stages: Sequence[str]
) -> list[dict[str, Any]]:
    """By subset: what came in, what each rule took, in the order of verdicts, and what was left after it."""
    found = []
    for subset in sorted({row["subset"] for row in rows}):
        own = [row for row in rows if row["subset"] == subset]
        order = {stage: at for at, stage in enumerate(_stages(recipe, subset, stages))}

        def place(row: Mapping[str, Any], order: dict[str, int] = order) -> tuple[Any, ...]:
            stage = (row["reason"] or "").partition(".")[0]
            return FUNNEL.index(row["outcome"]), order.get(stage, 99), -row["documents"], row["reason"] or ""

        left = {unit: sum(row[unit] or 0 for row in own) for unit in ("documents", "bytes", "tokens")}
        steps = [{"reason": "records", "outcome": "in", "left": dict(left), **left}]
        for row in sorted((row for row in own if row["outcome"] != "kept"), key=place):
            lost = {unit: row[unit] or 0 for unit in left}
            left = {unit: left[unit] - lost[unit] for unit in left}
            steps.append({"reason": row["reason"], "outcome": row["outcome"], "left": dict(left), **lost})
        found.append({"subset": subset, "steps": steps, "kept": left})
    return found


def _stages(recipe: Mapping[str, Any], subset: str, order: Sequence[str]) -> list[str]:
    """A subset's stages in the order of verdicts, which is not the order in which it lists them."""
    stages = (recipe["subsets"].get(subset) or {}).get("stages") or []
    places = {stage: at for at, stage in enumerate(order)}
    return sorted(stages, key=lambda stage: places.get(stage, len(places)))


def _outcome_charts(rows: Sequence[Mapping[str, Any]], charts: Charts) -> list[str]:
    made = []
    for unit in ("documents", "tokens"):
        shares: dict[str, dict[str, float]] = {}
        for subset in sorted({row["subset"] for row in rows}):
            sums: Counter[str] = Counter()
            for row in rows:
                if row["subset"] == subset:
                    sums[row["outcome"]] += row[unit] or 0
            total = sum(sums.values())
            shares[subset] = {name: n / total for name, n in sums.items()} if total else {}
        made.append(charts.outcomes(shares, "records" if unit == "documents" else unit))
    return made


def _signals(ledger: Ledger, signals: Sequence[Limited], charts: Charts) -> list[dict[str, Any]]:
    """By stage, in the recipe's order: each signal's chart and what its limit does."""
    stages: dict[str, list[dict[str, Any]]] = {}
    for limited in signals:
        found = ledger.histogram(limited)
        if found is not None:
            bins = _bins(found.edges, found.before, found.after)
            entry = {"found": found, "chart": charts.histogram(found), "rows": bins}
            stages.setdefault(limited.stage, []).append(entry)
    return [{"stage": stage, "signals": entries} for stage, entries in stages.items()]


def _together(combinations: Counter[tuple[str, ...]]) -> dict[str, Any]:
    """The rules that fire most, and for each pair of them how many documents break both. `alone`: break no other."""
    totals: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    both: Counter[tuple[str, str]] = Counter()
    for reasons, n in combinations.items():
        rules = [reason for reason in reasons if not reason.startswith(("skipped.", "failed."))]
        for rule in rules:
            totals[rule] += n
        if len(rules) == 1:
            alone[rules[0]] += n
        for at, first in enumerate(rules):
            for second in rules[at + 1 :]:
                both[first, second] += n
    ranked = sorted(totals, key=lambda rule: (-totals[rule], rule))
    rules = ranked[:RULES]
    rows = []
    for rule in rules:
        cells = [None if rule == other else both[min(rule, other), max(rule, other)] for other in rules]
        rows.append({"rule": rule, "documents": totals[rule], "alone": alone[rule], "cells": cells})
    frequent = [
        {"rules": reasons, "documents": n}
        for reasons, n in sorted(combinations.items(), key=lambda item: (-item[1], item[0]))
        if len(reasons) > 1
    ]
    return {"rows": rows, "left_out": len(ranked) - len(rules), "combinations": frequent[:8]}


def _duplicates(
    folder: str,
    groups: Mapping[str, Any],
    pairs: list[int],
    found: Mapping[str, Mapping[str, Any]],
    quotes: Mapping[str, str],
    charts: Charts,
) -> dict[str, Any]:
    """Groups with a sample of each, and the S-curve of each scope, which the run left, over the pairs removed."""
    account = read_json(folder, "report", "deduplication.json")
    scopes = account.get("scopes", {}) if isinstance(account, dict) else {}
    drawn: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, scope in scopes.items():
        key = (scope["threshold"], scope["bands"], scope["rows"])
        entry = drawn.setdefault(key, {**scope, "names": [], "pairs": [0] * len(pairs)})
        entry["names"].append(name)
        for step in scope["removed_by_jaccard"]:
            at = min(int(step["from"] * len(pairs) + 1e-9), len(pairs) - 1)
            entry["pairs"][at] += step["removed"]
    curves = [
        {
            **entry,
            "chart": charts.curve({"curve": entry["curve"]}, entry["threshold"], entry["pairs"]),
            "points": [{"jaccard": at, "chance": chance} for at, chance in entry["curve"]],
        }
        for entry in drawn.values()
    ]
    largest = []
    for group in groups["largest"]:
        shown: list[dict[str, Any]] = []
        for name in (group["partner_id"], group["example"]):
            text = quotes.get(name)
            shown.append({"id": name, "row": found.get(name), "quote": None if text is None else quoted(text, 300)})
        largest.append({**group, "shown": shown})
    sizes = groups["sizes"]
    return {
        "n": sum(n for _, n in sizes),
        "removed": sum((size - 1) * n for size, n in sizes),
        "sizes_chart": charts.sizes(sizes) if sizes else None,
        "sizes": [{"documents": size, "groups": n} for size, n in sizes],
        "largest": largest,
        "scopes": scopes,
        "curves": curves,
        "pairs": sum(pairs),
    }


def _samples(
    examples: Mapping[tuple[str, str], Sequence[str]],
    rows: Sequence[Mapping[str, Any]],
    found: Mapping[str, Mapping[str, Any]],
    quotes: Mapping[str, str],
    signals: Sequence[Limited],
) -> list[dict[str, Any]]:
    """By rule, then by subset for those kept: documents with what they have of the rule's signal, and their texts."""
    totals: Counter[tuple[str, str]] = Counter()
    for row in rows:
        totals[row["outcome"], row["subset"] if row["outcome"] == "kept" else row["reason"] or ""] += row["documents"]
    order = ["kept", "rejected", "duplicate", "outranked", "contaminated"]
    sections = []
    for outcome, name in sorted(examples, key=lambda key: (order.index(key[0]), key[1])):
        of_rule = [limited for limited in signals if limited.rule == name]
        documents = []
        for one in examples[outcome, name]:
            if one not in found:
                continue
            row, text = found[one], quotes.get(one)
            span = row["test_span"] if outcome == "contaminated" else None
            quote = None if text is None else matched(text, span) if span else quoted(text)
            limited = next((limited for limited in of_rule if limited.holds_for(row)), None)
            value = row.get(limited.signal) if limited is not None else None
            documents.append({"row": row, "quote": quote, "value": value, "limited": limited})
        sections.append({"outcome": outcome, "name": name, "documents": documents, "n": totals[outcome, name]})
    return sections


def _match(row: Mapping[str, Any], text: str | None) -> dict[str, Any]:
    """A document that holds an item: which, by how much, and the first stretch that matches."""
    names = ("id", "subset", "test_item", "contamination_jaccard", "contamination_containment", "reasons")
    quote = None if text is None else matched(text, row["test_span"])
    return {**{name: row.get(name) for name in names}, "text": quote.marked if quote is not None else None, "row": row}


def _mixture_chart(mixture: Mapping[str, Any], charts: Charts) -> str:
    total = sum(share["available"] for share in mixture["subsets"])
    available = {share["subset"]: share["available"] / total if total else 0.0 for share in mixture["subsets"]}
    return charts.mixture(available, {share["subset"]: share["share"] for share in mixture["subsets"]})
