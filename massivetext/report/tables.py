"""The ledger's columns, added up: what a report shows, by queries whose results are small however long it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from massivetext.report.limits import Limited
from massivetext.sql import HOST, MEMORY, Engine

__all__ = ["BINS", "Histogram", "Ledger"]

BINS = 60

_SIGNALS = ("BIGINT", "DOUBLE")


@dataclass(frozen=True)
class Histogram:
    """Documents in each bin of one signal, before and after all rules.

    edges: one more than bins, at most BINS + 1; equal steps, or equal ratios if `log`. under, over: documents below the
    first edge and above the last, counted with the first and last bin. broken: documents that break the rule; alone:
    and break no other.
    """

    limited: Limited
    edges: list[float]
    before: list[int]
    after: list[int]
    log: bool
    under: int
    over: int
    broken: int
    alone: int


class Ledger(Engine):
    """The ledger of an output folder under SQL, as the view `ledger` with each row's `part`. A context manager.

    Raises OutputError if the folder holds no ledger, or one that is not Parquet or lacks columns.
    """

    def __init__(self, folder: str, *, memory: str = MEMORY) -> None:
        super().__init__(memory=memory)
        self.folder = folder

    def __enter__(self) -> Ledger:
        super().__enter__()
        self.kinds = self.add_ledger(self.folder)
        self._reasons: Counter[tuple[str, ...]] | None = None
        return self

    def outcomes(self) -> list[dict[str, Any]]:
        """By subset, outcome and reason: documents, bytes, tokens."""
        return self.rows(
            "SELECT subset, outcome, reason, count(*) AS documents, sum(n_bytes)::BIGINT AS bytes, "
            "sum(n_tokens)::BIGINT AS tokens FROM ledger GROUP BY ALL ORDER BY ALL"
        )

    def combinations(self) -> Counter[tuple[str, ...]]:
        """Documents by the set of rules that they break, those that break none left out."""
        if self._reasons is None:
            found = self.query("SELECT reasons, count(*) FROM ledger WHERE len(reasons) > 0 GROUP BY ALL")
            self._reasons = Counter()
            for reasons, n in found:
                self._reasons[tuple(sorted(set(reasons)))] += n
        return self._reasons

    def span(self, limited: Limited) -> tuple[float, float] | None:
        """Return the smallest and the largest value of a signal in the documents that share its limit, if any."""
        if self.kinds.get(limited.signal) not in _SIGNALS:
            return None
        column, where, values = _measured(limited)
        ((low, high),) = self.query(f"SELECT min({column}), max({column}) FROM ledger WHERE {where}", values)
        return None if low is None else (low, high)

    def histogram(self, limited: Limited, span: tuple[float, float] | None = None) -> Histogram | None:
        """Return the distribution of a signal in the documents that share its limit; None where none has a value.

        Args:
            limited: The signal with its limit.
            span: The smallest and the largest value that the bins are made for; the ledger's own if None.
        """
        span = span or self.span(limited)
        if span is None:
            return None
        column, where, values = _measured(limited)
        edges, log = _edges(limited, *span, self.kinds[limited.signal] == "BIGINT")
        first, last, bins = edges[0], edges[-1], len(edges) - 1
        share = f"(ln(greatest({column}, {first})) - ln({first})) / ln({last / first})" if log else ""
        share = share or f"({column} - {first}) / {last - first}"
        # A value on an edge belongs above it, but for rounding; the step up keeps .3 in the bin of .3.
        position = f"least(greatest(floor({share} * {bins} + 1e-9), 0), {bins - 1})::INTEGER"
        before, after = [0] * bins, [0] * bins
        under = over = 0
        for at, n, kept, n_under, n_over in self.query(
            f"SELECT {position}, count(*), count(*) FILTER (outcome = 'kept'), count(*) FILTER ({column} < {first}), "
            f"count(*) FILTER ({column} > {last}) FROM ledger WHERE {where} GROUP BY 1",
            values,
        ):
            before[at], after[at] = n, kept
            under, over = under + n_under, over + n_over
        ((broken, alone),) = self.query(
            "SELECT count(*), count(*) FILTER (len(list_distinct(reasons)) = 1) FROM ledger "
            f"WHERE list_contains(reasons, ?) AND {limited.documents()[0]}",
            [_rule(limited), *values],
        )
        return Histogram(limited, edges, before, after, log, under, over, broken, alone)

    def documents_by_language(self) -> dict[str, int]:
        """Return the number of documents of each language."""
        return dict(self.query("SELECT language, count(*) FROM ledger WHERE language IS NOT NULL GROUP BY ALL"))

    def languages(self, n: int = 15) -> list[dict[str, Any]]:
        """Documents and bytes by language, before and after, the most frequent first; the rest in a last row."""
        rows = self.rows(
            "SELECT language, count(*) AS documents, count(*) FILTER (outcome = 'kept') AS kept, "
            "coalesce(sum(n_bytes), 0)::BIGINT AS bytes, "
            "coalesce(sum(n_bytes) FILTER (outcome = 'kept'), 0)::BIGINT AS bytes_kept "
            "FROM ledger WHERE language IS NOT NULL GROUP BY language ORDER BY documents DESC, language"
        )
        rest = rows[n:]
        if rest:
            sums = {name: sum(row[name] for row in rest) for name in ("documents", "kept", "bytes", "bytes_kept")}
            rows = [*rows[:n], {"language": f"{len(rest)} others", **sums}]
        return rows

    def hosts(self, n: int = 15) -> dict[str, Any]:
        """Hosts of URLs (without `www.`): their number, and those with most bytes kept, and with most lost."""
        self.query(
            f"CREATE OR REPLACE TEMP TABLE hosts AS SELECT {HOST} AS host, count(*) AS documents, "
            "count(*) FILTER (outcome = 'kept') AS kept, "
            "coalesce(sum(n_bytes), 0)::BIGINT AS bytes, "
            "coalesce(sum(n_bytes) FILTER (outcome = 'kept'), 0)::BIGINT AS bytes_kept, "
            "bytes - bytes_kept AS bytes_lost "
            "FROM ledger WHERE url IS NOT NULL AND outcome <> 'skipped' AND host <> '' GROUP BY host"
        )
        ((total,),) = self.query("SELECT count(*) FROM hosts")
        found: dict[str, Any] = {"n": total}
        for name in ("kept", "lost"):
            rows = self.rows(
                f"SELECT * FROM hosts WHERE bytes_{name} > 0 ORDER BY bytes_{name} DESC, host LIMIT {int(n)}"
            )
            reasons: dict[str, str] = {}
            if name == "lost" and rows:
                marks = ", ".join("?" * len(rows))
                for host, reason, _ in self.query(
                    f"SELECT {HOST} AS host, reason, count(*) AS n FROM ledger WHERE host IN ({marks}) "
                    "AND reason IS NOT NULL AND outcome <> 'skipped' GROUP BY ALL ORDER BY n, reason DESC",
                    [row["host"] for row in rows],
                ):
                    reasons[host] = reason  # the last is the most frequent
            found[name] = [{**row, "reason": reasons.get(row["host"])} for row in rows]
        return found

    def groups(self, n: int = 8) -> dict[str, Any]:
        """Groups of duplicates: by size (the kept document included) how many, and the largest ones. A partner that was
        itself removed as a duplicate is followed, up to three steps."""
        self.query(
            "CREATE OR REPLACE TEMP TABLE removed AS SELECT id, partner_id, reason, partner_jaccard FROM ledger "
            "WHERE outcome = 'duplicate' AND partner_id IS NOT NULL"
        )
        for _ in range(2):
            self.query(
                "CREATE OR REPLACE TEMP TABLE removed AS SELECT a.id, a.reason, a.partner_jaccard, "
                "coalesce(b.partner_id, a.partner_id) AS partner_id "
                "FROM removed a LEFT JOIN removed b ON a.partner_id = b.id"
            )
        self.query(
            "CREATE OR REPLACE TEMP TABLE groups AS SELECT partner_id, count(*) + 1 AS size, "
            "count(*) FILTER (reason = 'duplicate.exact') AS exact, "
            "count(*) FILTER (reason = 'duplicate.near') AS near, "
            "min(partner_jaccard) AS jaccard, min(id) AS example FROM removed GROUP BY partner_id"
        )
        return {
            "sizes": self.query("SELECT size, count(*) FROM groups GROUP BY size ORDER BY size"),
            "largest": self.rows(f"SELECT * FROM groups ORDER BY size DESC, partner_id LIMIT {int(n)}"),
        }

    def pairs(self) -> list[int]:
        """Removed near-duplicates by J with the document kept, in 50 steps of .02 from 0 to 1."""
        found = [0] * 50
        for at, n in self.query(
            "SELECT least(floor(partner_jaccard * 50 + 1e-9), 49)::INTEGER, count(*) FROM ledger "
            "WHERE reason = 'duplicate.near' AND partner_jaccard IS NOT NULL GROUP BY 1"
        ):
            found[at] = n
        return found

    def test_sets(self) -> list[dict[str, Any]]:
        """By test set: documents and tokens removed for it, and documents by measure (`by`), documents marked and kept,
        documents in which it is the nearest at all, and the largest values."""
        # A page's title names its set before a colon.
        self.query(
            "CREATE OR REPLACE TEMP TABLE tested AS "
            "SELECT CASE WHEN reason = 'contamination.title' OR test_set IS NULL "
            "THEN split_part(test_title, ': ', 1) ELSE test_set END AS test_set, outcome, reason, n_tokens, "
            "contains(array_to_string(reasons, ' '), 'contamination.') AS broken, "
            "contamination_jaccard, contamination_containment "
            "FROM ledger WHERE test_set IS NOT NULL OR test_title IS NOT NULL"
        )
        rows = self.rows(
            "SELECT test_set, count(*) FILTER (outcome = 'contaminated') AS documents, "
            "coalesce(sum(n_tokens) FILTER (outcome = 'contaminated'), 0)::BIGINT AS tokens, "
            "count(*) FILTER (outcome = 'kept' AND broken) AS marked, "
            "count(*) AS touched, max(contamination_jaccard) AS jaccard_max, "
            "max(contamination_containment) AS containment_max "
            "FROM tested GROUP BY 1 ORDER BY documents DESC, 1"
        )
        by: dict[str, dict[str, int]] = {}
        for name, reason, n in self.query(
            "SELECT test_set, reason, count(*) FROM tested WHERE outcome = 'contaminated' GROUP BY ALL ORDER BY ALL"
        ):
            by.setdefault(name, {})[reason.removeprefix("contamination.")] = n
        return [{**row, "by": by.get(row["test_set"], {})} for row in rows]

    def matches(self, n: int = 3, seed: int = 0) -> dict[str, list[str]]:
        """Return ids by test set: a seeded sample of the documents removed or marked for it."""
        found = self.query(
            f"SELECT test_set, {_sample(n, seed)} FROM ledger WHERE test_set IS NOT NULL AND outcome IN "
            "('kept', 'contaminated') AND contains(array_to_string(reasons, ' '), 'contamination.') "
            "GROUP BY ALL ORDER BY ALL"
        )
        return dict(found)

    def examples(self, n: int = 3, seed: int = 0) -> dict[tuple[str, str], list[str]]:
        """Return a seeded sample of ids by (outcome, reason or subset): removed ones of each reason over all subsets,
        kept ones of each subset."""
        found = {}
        for outcome, reason, ids in self.query(
            f"SELECT outcome, reason, {_sample(n, seed)} FROM ledger WHERE outcome IN "
            "('rejected', 'duplicate', 'outranked', 'contaminated') AND reason IS NOT NULL GROUP BY ALL ORDER BY ALL"
        ):
            found[outcome, reason] = ids
        for subset, ids in self.query(
            f"SELECT subset, {_sample(n, seed)} FROM ledger WHERE outcome = 'kept' GROUP BY ALL ORDER BY ALL"
        ):
            found["kept", subset] = ids
        return found


def _measured(limited: Limited) -> tuple[str, str, list[str]]:
    """Return a signal's column in SQL, and the condition for documents with a value that share its limit."""
    column = f'"{limited.signal}"::DOUBLE'
    condition, values = limited.documents()
    return column, f"{column} IS NOT NULL AND isfinite({column}) AND {condition}", values


def _sample(n: int, seed: int) -> str:
    """Return SQL for a list of n ids of a group, drawn by a seed: those whose digest with it is smallest."""
    return f"arg_min(id, md5(id || '-{int(seed)}'), {int(n)})"


def _rule(limited: Limited) -> str:
    """What the ledger's `reasons` call the rule."""
    names = {"contamination_jaccard": "contamination.jaccard", "contamination_containment": "contamination.containment"}
    return names.get(limited.signal, limited.rule)


def _edges(limited: Limited, low: float, high: float, is_count: bool) -> tuple[list[float], bool]:
    """At most BINS + 1 edges such that limits and most values lie inside; and whether these are equal ratios."""
    limits = [value for value in (limited.min, limited.max, limited.below) if value is not None]
    if is_count and max([high, *limits]) > 1000:
        last = max([high, *limits]) * 1.1
        return [last ** (i / BINS) for i in range(BINS + 1)], True
    if 0 <= low and high <= 1:
        # A limit of .1 is drawn over 0 to .5: the tail beyond counts with the last bin.
        last = min(1.0, 5 * limited.max) if limited.max else 1.0
        return [last * i / BINS for i in range(BINS + 1)], False
    first = min([low, *limits])
    last = max(limits) * 2 if limited.max is not None and limited.max > 0 else max([high, *limits])
    last = min(last, max([high, *limits])) if last > first else first + 1
    if is_count and last - first < BINS:
        return [first + i for i in range(int(last - first) + 2)], False
    return [first + (last - first) * i / BINS for i in range(BINS + 1)], False
