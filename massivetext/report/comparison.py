"""All that the report of two runs shows: what each has of subsets, signals, languages, sites and mixtures, and what
became of the documents of both. The page is `against.html`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from massivetext.documents import FUNNEL
from massivetext.report.charts import OUTCOME_COLOURS, Charts
from massivetext.report.course import course, mixtures, recipe_of
from massivetext.report.gather import run_name
from massivetext.report.limits import Limited, limited_signals
from massivetext.report.overview import Lengths, domains, lengths, years
from massivetext.report.samples import quoted
from massivetext.report.tables import Histogram, Ledger

__all__ = ["gather_comparison"]

SIDES = ("first", "second")

SHOWN = 15
"""Languages and top-level domains in a table; the rest are added up in a last row."""

WORDS = 3
"""Limits of a signal that its caption lists, and that its chart draws."""


def gather_comparison(folders: tuple[str, str], difference: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of the page of two runs. Memory does not grow with the ledgers, nor with the texts.

    Args:
        folders: The `--output` of each run.
        difference: What `massivetext.looking.diff.diff` returns for them.

    Raises:
        OutputError: If a folder is not that of a run.
    """
    recipes = [recipe_of(folder) for folder in folders]
    charts = Charts()
    names = _distinct(folders)
    funnel = _in_order(difference["funnel"], recipes)
    with ExitStack() as stack:
        ledgers = [stack.enter_context(Ledger(folder)) for folder in folders]
        page = {
            "runs": [_run(folder, name, data) for folder, name, data in zip(folders, names, recipes)],
            "recipe": difference["recipe"],
            "versions": difference["versions"],
            "totals": _totals(funnel),
            "funnel": _funnel(funnel),
            "charts": _outcome_charts(funnel, names, charts),
            "colours": OUTCOME_COLOURS,
            "lengths": _lengths([lengths(ledger) for ledger in ledgers], names, charts),
            "signals": _signals(ledgers, recipes, names, charts),
            "tables": [
                _table("Languages", "language", [ledger.languages(10_000) for ledger in ledgers]),
                _table("Top-level domains", "domain", [domains(ledger, 10_000) for ledger in ledgers]),
                _table("Years", "year", [years(ledger) for ledger in ledgers], in_order=True),
            ],
        }
    lost = [_lost_by_stage(funnel, side) for side in SIDES]
    stages = list(dict.fromkeys([*lost[0], *lost[1]]))
    page["lost"] = [{"stage": one, **{side: sums.get(one, 0) for side, sums in zip(SIDES, lost)}} for one in stages]
    page["lost_chart"] = charts.pairs(page["lost"], names, "tokens", "Tokens that each stage removes in both runs")
    page["moves"] = difference["moves"]
    page["only"] = [{**row, "run": names[SIDES.index(row["side"])]} for row in difference["only"]]
    page["measured_otherwise"] = difference["measured_otherwise"]
    page["examples"] = _examples(difference["examples"])
    page["mixtures"] = _mixtures([mixtures(folder) for folder in folders])
    return page


def _distinct(folders: tuple[str, str]) -> list[str]:
    """Return what the two runs are called: the ends of their folders' paths, or A and B where those are equal."""
    names = [run_name(folder) for folder in folders]
    return names if names[0] != names[1] else [f"A: {names[0]}", f"B: {names[1]}"]


def _run(folder: str, name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    run = course(folder)["run"]
    return {
        "name": name,
        "date": run["started"][:10] if run else None,
        "digest": data.get("digest", ""),
        "tokens_by": "counted by the tokenizer" if data["recipe"].get("tokenizer") else "estimated as bytes / 4",
    }


def _totals(funnel: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return records, and documents, bytes and tokens kept, of both runs."""
    kept = [row for row in funnel if row["outcome"] == "kept"]
    rows = [("records read", funnel, 0), ("documents kept", kept, 0), ("bytes kept", kept, 1), ("tokens kept", kept, 2)]
    return [
        {"what": what, **{side: sum(row[side][at] for row in chosen) for side in SIDES}} for what, chosen, at in rows
    ]


def _in_order(funnel: Sequence[Mapping[str, Any]], recipes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the funnel's rows by subset in the order of verdicts, most documents first."""
    order = list(dict.fromkeys([*(recipes[0].get("stages") or []), *(recipes[1].get("stages") or [])]))

    def place(row: Mapping[str, Any]) -> tuple[Any, ...]:
        stage = (row["reason"] or "").partition(".")[0]
        at = FUNNEL.index(row["outcome"]) if row["outcome"] in FUNNEL else len(FUNNEL)
        n = row["first"][0] + row["second"][0]
        return row["subset"], at, order.index(stage) if stage in order else len(order), -n, row["reason"] or ""

    return sorted(funnel, key=place)


def _funnel(funnel: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the funnel's rows by subset, with documents and tokens of both runs."""
    return [
        {
            "subset": subset,
            "rows": [
                {
                    "rule": row["reason"] or row["outcome"],
                    "outcome": row["outcome"],
                    **{f"documents_{side}": row[side][0] for side in SIDES},
                    **{f"tokens_{side}": row[side][2] for side in SIDES},
                }
                for row in funnel
                if row["subset"] == subset
            ],
        }
        for subset in dict.fromkeys(row["subset"] for row in funnel)
    ]


def _outcome_charts(funnel: Sequence[Mapping[str, Any]], names: Sequence[str], charts: Charts) -> list[str]:
    svgs = []
    for at, unit in ((0, "records"), (2, "tokens")):
        shares: dict[str, dict[str, float]] = {}
        for subset in dict.fromkeys(row["subset"] for row in funnel):
            for side, name in zip(SIDES, names):
                sums: dict[str, int] = {}
                for row in funnel:
                    if row["subset"] == subset:
                        sums[row["outcome"]] = sums.get(row["outcome"], 0) + row[side][at]
                total = sum(sums.values())
                shares[f"{subset}\n{name}"] = {outcome: n / total for outcome, n in sums.items()} if total else {}
        svgs.append(charts.outcomes(shares, unit))
    return svgs


def _lost_by_stage(funnel: Sequence[Mapping[str, Any]], side: str) -> dict[str, int]:
    """Return the tokens that each stage of a run removes."""
    sums: dict[str, int] = {}
    for row in funnel:
        if row["outcome"] not in ("kept", "skipped", "failed") and row[side][2]:
            stage = (row["reason"] or row["outcome"]).partition(".")[0]
            sums[stage] = sums.get(stage, 0) + row[side][2]
    return sums


def _lengths(by_side: Sequence[Mapping[str, Lengths]], names: Sequence[str], charts: Charts) -> list[dict[str, Any]]:
    """Return for each subset a chart of its kept documents by their number of tokens in both runs."""
    entries = []
    for subset in sorted({*by_side[0], *by_side[1]}):
        kept = {}
        for name, of_run in zip(names, by_side):
            if subset in of_run and any(of_run[subset].after):
                kept[name] = (of_run[subset].after, of_run[subset].edges)
        if kept:
            rows = [
                {"run": name, "from": first, "to": last, "documents": n}
                for name, (counts, edges) in kept.items()
                for first, last, n in zip(edges, edges[1:], counts)
            ]
            entries.append({"subset": subset, "chart": charts.run_lengths(subset, kept), "rows": rows})
    return entries


def _signals(
    ledgers: Sequence[Ledger], recipes: Sequence[Mapping[str, Any]], names: Sequence[str], charts: Charts
) -> dict[str, Any]:
    """Return a chart for each signal whose values or limits differ, over the same bins, and the number of the others.
    Signals with other limits come first."""
    by_side = [_by_rule(data) for data in recipes]
    entries, n_same = [], 0
    for rule in dict.fromkeys([*by_side[0], *by_side[1]]):
        of_both = [side.get(rule, []) for side in by_side]
        histograms = _histograms(ledgers, [one for side in of_both for one in side])
        if histograms is None:
            continue
        limits = [_limits(side) for side in of_both]
        if limits[0] == limits[1] and (histograms[0].before, histograms[0].after) == (
            histograms[1].before,
            histograms[1].after,
        ):
            n_same += 1
            continue
        edges = histograms[0].edges
        rows = [
            {"from": edges[k], "to": edges[k + 1]}
            | {f"kept in {name}": one.after[k] for name, one in zip(names, histograms)}
            for k in range(len(edges) - 1)
        ]
        entries.append(
            {
                "rule": rule,
                "limits": [_in_words(side) for side in of_both],
                "has_other_limits": of_both[0] != of_both[1],
                "kept": [sum(one.after) for one in histograms],
                "chart": charts.overlay(rule, histograms, [_drawn(side) for side in of_both], names),
                "rows": rows,
            }
        )
    return {"entries": sorted(entries, key=lambda entry: not entry["has_other_limits"]), "n_same": n_same}


def _by_rule(data: Mapping[str, Any]) -> dict[str, list[Limited]]:
    """Return the limits of a run's recipe by rule."""
    by_rule: dict[str, list[Limited]] = {}
    for one in limited_signals(data.get("limits") or {}, data.get("limits_by_language") or {}):
        by_rule.setdefault(one.rule, []).append(one)
    return by_rule


def _in_words(signals: Sequence[Limited]) -> str:
    """Return the limits of a signal in words, those for all languages first."""
    words = list(dict.fromkeys(one.words for one in sorted(signals, key=lambda one: bool(one.languages))))
    words = [word for word in words if word != "not kept"]
    more = f" and {len(words) - WORDS} more by language" if len(words) > WORDS else ""
    return ("; ".join(words[:WORDS]) or "not measured") + more


def _limits(signals: Sequence[Limited]) -> list[float]:
    """Return the different limits of a signal that hold in a run, for documents of whichever subset and language."""
    return sorted({end for one in signals for end in (one.min, one.max, one.below) if end is not None})


def _drawn(signals: Sequence[Limited]) -> list[float]:
    """Return the limits that a chart shows: those for all languages, and those of single ones if they are few."""
    ends = _limits(signals)
    return ends if len(ends) <= 2 * WORDS else _limits([one for one in signals if not one.languages])


def _histograms(ledgers: Sequence[Ledger], signals: Sequence[Limited]) -> list[Histogram] | None:
    """Return the distributions of a signal in both runs, over the same bins; None where a run has no value of it."""
    subsets = tuple(dict.fromkeys(subset for one in signals for subset in one.subsets))
    ends = _limits(signals)
    whole = replace(signals[0], subsets=subsets, languages=(), not_languages=(), below=None)
    whole = replace(whole, min=ends[0] if ends else None, max=ends[-1] if ends else None)
    spans = [ledger.span(whole) for ledger in ledgers]
    if None in spans:
        return None
    span = (min(low for low, _ in spans), max(high for _, high in spans))  # type: ignore[misc]
    histograms = [ledger.histogram(whole, span) for ledger in ledgers]
    return None if None in histograms else histograms  # type: ignore[return-value]


def _table(
    title: str, key: str, sides: Sequence[Sequence[Mapping[str, Any]]], *, in_order: bool = False
) -> dict[str, Any]:
    """Return the documents kept by a key in both runs, most first; in_order: by the key instead, all of them."""
    kept = [{row[key]: row["kept"] for row in rows} for rows in sides]
    keys = {*kept[0], *kept[1]}

    def most(name: Any) -> tuple[int, str]:
        return -max(side.get(name, 0) for side in kept), str(name)

    rank: Callable[[Any], Any] = str if in_order else most
    rows = [{key: name, **{side: of.get(name, 0) for side, of in zip(SIDES, kept)}} for name in sorted(keys, key=rank)]
    rows = [row for row in rows if row["first"] or row["second"]]
    if not in_order and len(rows) > SHOWN:
        rest = rows[SHOWN:]
        sums = {side: sum(row[side] for row in rest) for side in SIDES}
        rows = [*rows[:SHOWN], {key: f"{len(rest)} others", **sums}]
    return {"title": title, "key": key, "rows": rows}


def _examples(examples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the documents of each move, with the rules that differ and the beginning of the text."""
    sections: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for one in examples:
        quote = None if one["text"] is None else quoted(one["text"], 300)
        sections.setdefault((one["from"], one["to"]), []).append({**one, "quote": quote})
    return [{"from": before, "to": after, "documents": rows} for (before, after), rows in sections.items()]


def _mixtures(sides: Sequence[Sequence[Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Return by mixture and subset the tokens written and the epochs in both runs."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for side, of_run in zip(SIDES, sides):
        for mixture in of_run:
            for share in mixture["subsets"]:
                names = {"mixture": mixture["name"], "subset": share["subset"]}
                empty = {f"{what}_{one}": None for what in ("tokens", "epochs") for one in SIDES}
                row = rows.setdefault((mixture["name"], share["subset"]), names | empty)
                row[f"tokens_{side}"], row[f"epochs_{side}"] = share["written"], share["epochs"]
    return [row for row in rows.values() if row["tokens_first"] or row["tokens_second"]]
