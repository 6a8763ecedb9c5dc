"""Queries for the parts of a report that look across rules: lengths, correlations, years, top-level domains, documents
near a limit. Their results are small however long the ledger is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from massivetext.report.limits import Limited
from massivetext.report.tables import Ledger
from massivetext.sql import HOST

__all__ = ["Lengths", "correlations", "domains", "lengths", "near_limits", "tokens_by_stage", "years"]

PER_DECADE = 5
"""Bins of lengths for each factor of ten."""

CORRELATED = 14
"""Signals in the table of correlations: those whose limits remove most."""

SAMPLED = 200_000
"""Documents that correlations are computed from, by the beginnings of their ids."""


@dataclass
class Lengths:
    """Documents of a subset by their number of tokens.

    Attributes:
        first: The number of the first bin; bin k begins at 10 ** (k / PER_DECADE) tokens.
        before, after: Documents in each bin, and those of them that are kept.
    """

    first: int = 0
    before: list[int] = field(default_factory=list)
    after: list[int] = field(default_factory=list)

    @property
    def edges(self) -> list[float]:
        """One more than bins."""
        return [10 ** ((self.first + k) / PER_DECADE) for k in range(len(self.before) + 1)]


def lengths(ledger: Ledger) -> dict[str, Lengths]:
    """Return by subset its documents by their number of tokens. All subsets have the same bins."""
    rows = ledger.query(
        f"SELECT subset, floor(log10(n_tokens) * {PER_DECADE} + 1e-9)::INTEGER AS bin, count(*), "
        "count(*) FILTER (outcome = 'kept') FROM ledger "
        "WHERE n_tokens > 0 AND outcome NOT IN ('skipped', 'failed') GROUP BY ALL ORDER BY ALL"
    )
    if not rows:
        return {}
    first, last = min(row[1] for row in rows), max(row[1] for row in rows)
    n = last - first + 1
    lengths = {subset: Lengths(first, [0] * n, [0] * n) for subset, *_ in rows}
    for subset, at, documents, kept in rows:
        lengths[subset].before[at - first], lengths[subset].after[at - first] = documents, kept
    return lengths


def correlations(ledger: Ledger, signals: Sequence[Limited], fired: Mapping[str, int]) -> dict[str, Any]:
    """Return Pearson's correlation of each pair of signals, to two digits, over a sample of the measured documents.

    Args:
        ledger: The ledger.
        signals: Signals with their limits.
        fired: Documents that break each rule; the signals of the most frequent rules are compared.

    Returns:
        `signals`, and `rows` of numbers, None where one of the two signals never varies; `documents`: in the sample.
    """
    numeric = {one.signal: one.rule for one in signals if ledger.kinds.get(one.signal) in ("BIGINT", "DOUBLE")}
    ranked = sorted(numeric, key=lambda name: (-fired.get(numeric[name], 0), list(numeric).index(name)))
    names = sorted(ranked[:CORRELATED], key=list(numeric).index)
    if len(names) < 2:
        return {"signals": [], "rows": [], "documents": 0, "table": []}
    ((total,),) = ledger.query("SELECT count(*) FROM ledger")
    # Ids are digests, so those below a bound are a sample, the same one every time.
    bound = f"{min(0xFFFFFF, int(0x1000000 * SAMPLED / max(total, 1))):06x}" if total > SAMPLED else "g"
    pairs = [(a, b) for at, a in enumerate(names) for b in names[at + 1 :]]
    # A correlation of a constant is a division by nothing: a null, or a NaN, depending on rounding.
    columns = ", ".join(f'corr("{a}"::DOUBLE, "{b}"::DOUBLE)' for a, b in pairs)
    ((n, *values),) = ledger.query(
        f"SELECT count(*), {columns} FROM ledger WHERE outcome NOT IN ('skipped', 'failed') AND id < ?", [bound]
    )
    by_pair = {
        pair: None if value is None or value != value else round(value, 2) + 0.0 for pair, value in zip(pairs, values)
    }
    rows = [[1.0 if a == b else by_pair.get((a, b), by_pair.get((b, a))) for b in names] for a in names]
    table = [{"signal": name, **dict(zip(names, row))} for name, row in zip(names, rows)]
    return {"signals": names, "rows": rows, "documents": n, "table": table}


def years(ledger: Ledger) -> list[dict[str, Any]]:
    """Return documents by the year of their timestamp, before and after, oldest first."""
    return ledger.rows(
        "SELECT try_cast(left(timestamp, 4) AS INTEGER) AS year, count(*) AS documents, "
        "count(*) FILTER (outcome = 'kept') AS kept, coalesce(sum(n_bytes), 0)::BIGINT AS bytes, "
        "coalesce(sum(n_bytes) FILTER (outcome = 'kept'), 0)::BIGINT AS bytes_kept "
        "FROM ledger WHERE outcome NOT IN ('skipped', 'failed') AND year BETWEEN 1000 AND 2999 "
        "GROUP BY ALL ORDER BY year"
    )


def domains(ledger: Ledger, n: int = 15) -> list[dict[str, Any]]:
    """Return documents by the last label of their host, before and after, most frequent first; the rest in a last row.
    Addresses of numbers count as such."""
    rows = ledger.rows(
        f"SELECT CASE WHEN regexp_full_match(host, '[0-9.]+') OR starts_with(host, '[') THEN '(number)' "
        "ELSE regexp_extract(host, '[^.]+$') END AS domain, count(*) AS documents, "
        "count(*) FILTER (outcome = 'kept') AS kept, coalesce(sum(n_bytes), 0)::BIGINT AS bytes, "
        "coalesce(sum(n_bytes) FILTER (outcome = 'kept'), 0)::BIGINT AS bytes_kept "
        f"FROM (SELECT outcome, n_bytes, {HOST} AS host FROM ledger "
        "WHERE url IS NOT NULL AND outcome NOT IN ('skipped', 'failed')) WHERE host <> '' "
        "GROUP BY ALL ORDER BY documents DESC, domain"
    )
    rest = rows[n:]
    if rest:
        sums = {name: sum(row[name] for row in rest) for name in ("documents", "kept", "bytes", "bytes_kept")}
        rows = [*rows[:n], {"domain": f"{len(rest)} others", **sums}]
    return rows


def near_limits(ledger: Ledger, signals: Sequence[Limited], n: int = 2) -> list[dict[str, Any]]:
    """Return for each limit the documents just inside and just outside of it, nearest first; ties by id.

    Returns:
        `limited`, `end` (`min`, `max` or `below`), `limit`, and `inside` and `outside`: ids.
    """
    entries: list[dict[str, Any]] = []
    columns: list[str] = []
    values: list[Any] = []
    for limited in signals:
        if ledger.kinds.get(limited.signal) not in ("BIGINT", "DOUBLE"):
            continue
        column = f'"{limited.signal}"'
        condition, condition_values = limited.documents()
        for end, inside in (("min", ">="), ("max", "<="), ("below", "<")):
            limit = getattr(limited, end)
            if limit is None:
                continue
            entries.append({"limited": limited, "end": end, "limit": limit})
            for test in (f"{column} {inside} ?", f"NOT {column} {inside} ?"):
                key = f"{{'distance': abs({column}::DOUBLE - ?), 'id': id}}"
                columns.append(f"min({key}, {int(n)}) FILTER ({test} AND {condition})")
                values += [float(limit), limit, *condition_values]
    if not entries or not n:
        return []
    (row,) = ledger.query(f"SELECT {', '.join(columns)} FROM ledger WHERE outcome NOT IN ('skipped', 'failed')", values)
    for at, entry in enumerate(entries):
        entry["inside"] = [one["id"] for one in row[2 * at] or ()]
        entry["outside"] = [one["id"] for one in row[2 * at + 1] or ()]
    return [entry for entry in entries if entry["outside"]]


def tokens_by_stage(funnel: Sequence[Mapping[str, Any]], order: Sequence[str]) -> list[dict[str, Any]]:
    """Return the tokens of all subsets that each stage removes, from a funnel's steps.

    Args:
        funnel: By subset its steps, in the order of verdicts.
        order: Stages in the order of verdicts. Those of whole corpora come after them, as outcomes do.

    Returns:
        `stage` and `tokens`; the first row is all tokens, the last one those kept.
    """
    outcomes = ("failed", "rejected", "duplicate", "outranked", "contaminated")
    lost: dict[tuple[int, int, str], int] = {}
    for subset in funnel:
        for step in subset["steps"][1:]:
            stage = (step["reason"] or step["outcome"]).partition(".")[0]
            place = outcomes.index(step["outcome"]) if step["outcome"] in outcomes else 0
            key = (place, list(order).index(stage) if stage in order else len(order), stage)
            lost[key] = lost.get(key, 0) + step["tokens"]
    total = sum(subset["steps"][0]["tokens"] for subset in funnel)
    kept = sum(subset["kept"]["tokens"] for subset in funnel)
    rows = [{"stage": stage, "tokens": n} for (_, _, stage), n in sorted(lost.items()) if n]
    return [{"stage": "all", "tokens": total}, *rows, {"stage": "kept", "tokens": kept}]
