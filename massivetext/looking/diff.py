"""Two runs side by side: their recipes, their funnels, and what became of each document in one and in the other.

Documents are joined by id, which is a digest of subset, source and offset: the same place of the same input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from massivetext.looking.recipe_diff import recipe_differences
from massivetext.looking.recipe_view import RecipeView
from massivetext.looking.what_if import SNIPPET
from massivetext.report.course import recipe_of
from massivetext.report.samples import texts, visible
from massivetext.sql import Engine

__all__ = ["SIDES", "diff"]

SIDES = ("first", "second")

_FIXED = ("id", "subset", "source", "offset", "part", "partner_id", "partner_jaccard")
"""Columns that are no measure of the document's own text."""

_TOTALS = "count(*) AS documents, coalesce(sum({0}n_bytes), 0)::BIGINT, coalesce(sum({0}n_tokens), 0)::BIGINT"


def diff(first: str, second: str, recipes: tuple[RecipeView, RecipeView], *, examples: int = 2) -> dict[str, Any]:
    """Return what is different in two output folders, as plain data. Sums are documents, bytes, tokens.

    Memory is that of the SQL engine, however long the ledgers.

    Args:
        first: An output folder.
        second: The one to compare with it.
        recipes: The recipes that the two folders' recipe.yaml hold.
        examples: Documents to show for each move.

    Returns:
        recipe, versions: `key: old -> new`. funnel: by subset, outcome and reason, sums of each side. moves: documents
        of both with another outcome or reason, most first. only: documents of one side. measured_otherwise: by subset,
        documents of both whose text has another size or another signal. examples: documents of each move, with what
        decides.

    Raises:
        OutputError: If a folder is not that of a run.
    """
    runs = [recipe_of(folder) for folder in (first, second)]
    with Engine() as engine:
        kinds = [engine.add_ledger(folder, view) for folder, view in zip((first, second), SIDES)]
        measures = [name for name, kind in kinds[0].items() if name not in _FIXED and kinds[1].get(name) == kind]
        numbers = [name for name in measures if kinds[0][name] in ("BIGINT", "DOUBLE")]
        _join(engine, numbers)
        result = {
            name: recipe_differences(runs[0].get(key, {}), runs[1].get(key, {}))
            for name, key in (("recipe", "canonical"), ("versions", "versions"))
        } | {
            "funnel": _funnel(engine),
            "moves": _moves(engine),
            "only": _only(engine),
            "measured_otherwise": dict(
                engine.query("SELECT subset, count(*) FROM pairs WHERE otherwise GROUP BY subset ORDER BY subset")
            ),
        }
        chosen = _chosen(engine, examples) if examples else {}
        ids = sorted({name for names in chosen.values() for name in names})
        rows = [engine.documents(ids, view) for view in SIDES]
    result["examples"] = _examples((first, second), recipes, chosen, rows)
    return result


def _join(engine: Engine, numbers: list[str]) -> None:
    """The table `pairs`: documents that are not the same in both; null on the side that has none."""
    listed = ", ".join(f'"{name}"' for name in numbers)
    for view in SIDES:
        engine.query(
            f"CREATE VIEW brief_{view} AS SELECT id, subset, outcome, reason, n_bytes, n_tokens, "
            f"hash({listed}) AS measures FROM {view}"
        )
    engine.query(
        "CREATE TEMP TABLE pairs AS SELECT coalesce(a.subset, b.subset) AS subset, coalesce(a.id, b.id) AS id, "
        "a.outcome AS outcome_first, a.reason AS reason_first, b.outcome AS outcome_second, b.reason AS reason_second, "
        "a.n_bytes AS first_n_bytes, a.n_tokens AS first_n_tokens, b.n_bytes AS second_n_bytes, "
        "b.n_tokens AS second_n_tokens, "
        "a.id IS NOT NULL AND b.id IS NOT NULL AND a.measures <> b.measures AS otherwise "
        "FROM brief_first a FULL JOIN brief_second b ON a.id = b.id "
        "WHERE a.outcome IS DISTINCT FROM b.outcome OR a.reason IS DISTINCT FROM b.reason OR a.measures <> b.measures"
    )


def _funnel(engine: Engine) -> list[dict[str, Any]]:
    rows: dict[tuple[str, str, str | None], dict[str, Any]] = {}
    for view in SIDES:
        for subset, outcome, reason, *sums in engine.query(
            f"SELECT subset, outcome, reason, {_TOTALS.format('')} FROM {view} GROUP BY ALL"
        ):
            row = {"subset": subset, "outcome": outcome, "reason": reason, **{side: [0, 0, 0] for side in SIDES}}
            rows.setdefault((subset, outcome, reason), row)[view] = sums
    return [rows[key] for key in sorted(rows, key=str)]


def _moves(engine: Engine) -> list[dict[str, Any]]:
    rows = engine.query(
        "SELECT subset, outcome_first, reason_first, outcome_second, reason_second, "
        f"{_TOTALS.format('first_')} FROM pairs WHERE outcome_first IS NOT NULL AND outcome_second IS NOT NULL AND "
        "(outcome_first <> outcome_second OR reason_first IS DISTINCT FROM reason_second) "
        "GROUP BY ALL ORDER BY documents DESC, 1, 2, 3, 4, 5"
    )
    return [
        {
            "subset": subset,
            "from": _key(*before),
            "to": _key(*after),
            "documents": sums[0],
            "bytes": sums[1],
            "tokens": sums[2],
        }
        for subset, *rest in rows
        for before, after, sums in [(rest[:2], rest[2:4], rest[4:])]
    ]


def _only(engine: Engine) -> list[dict[str, Any]]:
    rows = []
    for side, other in (SIDES, SIDES[::-1]):
        for subset, outcome, reason, *sums in engine.query(
            f"SELECT subset, outcome_{side}, reason_{side}, {_TOTALS.format(f'{side}_')} FROM pairs "
            f"WHERE outcome_{other} IS NULL GROUP BY ALL ORDER BY subset, documents DESC, 2, 3"
        ):
            names = {"side": side, "subset": subset, "outcome": _key(outcome, reason)}
            rows.append({**names, "documents": sums[0], "bytes": sums[1], "tokens": sums[2]})
    return rows


def _chosen(engine: Engine, n: int) -> dict[tuple[str, str], list[str]]:
    """By move, the n smallest ids: ids are digests, so these are a sample that every run agrees on."""
    return {
        (_key(*rest[:2]), _key(*rest[2:])): sorted(ids)
        for *rest, ids in engine.query(
            f"SELECT outcome_first, reason_first, outcome_second, reason_second, min(id, {int(n)}) FROM pairs "
            "WHERE outcome_first IS DISTINCT FROM outcome_second OR reason_first IS DISTINCT FROM reason_second "
            "GROUP BY ALL ORDER BY ALL"
        )
    }


def _examples(
    folders: tuple[str, str],
    recipes: tuple[RecipeView, RecipeView],
    chosen: Mapping[tuple[str, str], list[str]],
    rows: list[dict[str, dict[str, Any]]],
) -> list[dict[str, Any]]:
    """Return the chosen documents, each with where it is from, what decides, and the beginning of its text."""
    quotes = [texts(folder, side.values()) for folder, side in zip(folders, rows)]
    examples = []
    for (before, after), names in chosen.items():
        for name in names:
            pair = [side.get(name) for side in rows]
            row = pair[0] or pair[1]
            assert row is not None
            text = quotes[0].get(name, quotes[1].get(name))
            origin = {key: row[key] for key in ("id", "subset", "url", "source", "offset")}
            rules = _rules(pair, recipes)
            snippet = None if text is None else visible(text[:SNIPPET])
            examples.append({**origin, "from": before, "to": after, "rules": rules, "text": snippet})
    return examples


def _rules(pair: list[dict[str, Any] | None], recipes: tuple[RecipeView, RecipeView]) -> list[dict[str, Any]]:
    """Return the reasons that one side has and the other has not, with the value and the limit on each side."""
    reasons = [list(row["reasons"]) if row else [] for row in pair]
    moved = [
        reason for reason in dict.fromkeys(reasons[0] + reasons[1]) if (reason in reasons[0]) != (reason in reasons[1])
    ]
    rules = []
    for reason in moved:
        entry: dict[str, Any] = {"rule": reason}
        for side, row, recipe, own in zip(SIDES, pair, recipes, reasons):
            entry[side] = None
            if row is not None and row["subset"] in recipe.subsets:
                value = recipe.value_of(row, reason)
                if reason.startswith("duplicate.") and row["partner_id"] is None:
                    value = None
                entry[side] = {
                    "value": value,
                    "limit": recipe.limit_in_words(row["subset"], reason, row["language"]),
                    "broken": reason in own,
                }
        rules.append(entry)
    return rules


def _key(outcome: str | None, reason: str | None) -> str:
    if outcome is None:
        return "not there"
    return outcome if reason is None else f"{outcome} {reason}"
