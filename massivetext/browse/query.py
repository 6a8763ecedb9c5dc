"""What a page asks of the ledger: filters, an order and a page number, read from the address and turned into SQL.

Names of columns come from the ledger's own list and are quoted; every value is bound. No text of the address is ever
part of a statement.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlencode

from massivetext.report.limits import Limited
from massivetext.sql import HOST

__all__ = [
    "MODES",
    "PAGE_ROWS",
    "Query",
    "QueryError",
    "beyond",
    "conditions",
    "distance",
    "parse",
    "place",
    "quoted_name",
]

PAGE_ROWS = 50
"""Documents on a page of the list."""

MODES = ("words", "phrase", "regex")
"""How a text is searched for: every word somewhere, the phrase as it stands, a regular expression (RE2)."""

SIDES = ("both", "kept", "removed")
"""Of documents near a limit: those on either side of it, on the kept side, on the removed side."""

_LISTS = ("subset", "outcome", "reason", "broken", "language")
_WORDS = ("host", "url", "id", "text", "mode", "sort", "near", "side", "page", "after", "before")


class QueryError(ValueError):
    """A filter that cannot be applied. The message says which, its value, and what was expected."""


@dataclass(frozen=True)
class Query:
    """Filters, an order and a page.

    Attributes:
        subset, outcome, language: A document has one of these values; empty for any.
        reason: A document was removed by one of these reasons, or stages.
        broken: A document breaks all of these rules, whatever decided.
        host: The host of its URL, or one that the host is below.
        url: A part of its URL, in any case of letters.
        id: The beginning of its id.
        ranges: By column: least and largest value, None where there is none.
        text, mode: What its text contains, and how that is meant (`MODES`).
        sort: A column, with `-` before it for the largest first; empty for the order of ids.
        near: `<stage>.<signal>` whose limit the documents are ordered by the distance from.
        side: Which side of that limit (`SIDES`).
        page: From 0.
        after, before: The `place` of the last row of the page before this one, or of the first row of the page after
            it. The page then begins or ends there, however many pages come first.
    """

    subset: tuple[str, ...] = ()
    outcome: tuple[str, ...] = ()
    reason: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()
    language: tuple[str, ...] = ()
    host: str = ""
    url: str = ""
    id: str = ""
    ranges: tuple[tuple[str, float | None, float | None], ...] = ()
    text: str = ""
    mode: str = "words"
    sort: str = ""
    near: str = ""
    side: str = "both"
    page: int = 0
    after: str = ""
    before: str = ""

    def address(self, **changes: Any) -> str:
        """Return the query part of the address of this query, with some values changed.

        Another page begins where its number says, unless its `after` or `before` is given too.
        """
        if "page" in changes:
            changes = {"after": "", "before": "", **changes}
        query = replace(self, **changes)
        pairs = [(name, value) for name in _LISTS for value in getattr(query, name)]
        defaults = Query()
        pairs += [
            (name, str(getattr(query, name)))
            for name in _WORDS
            if getattr(query, name) != getattr(defaults, name) and not (name == "mode" and not query.text)
        ]
        for name, least, most in query.ranges:
            pairs += [(f"min.{name}", f"{least!r}")] if least is not None else []
            pairs += [(f"max.{name}", f"{most!r}")] if most is not None else []
        return urlencode(pairs)

    @property
    def filters(self) -> Query:
        """The same filters on the ledger's columns, without text, order and page."""
        return replace(self, text="", mode="words", sort="", near="", side="both", page=0, after="", before="")


def parse(pairs: Iterable[tuple[str, str]], numeric: Sequence[str], limited: Sequence[str]) -> Query:
    """Read a query from an address.

    Args:
        pairs: Names and values of the address; empty values are passed over.
        numeric: The ledger's columns of numbers.
        limited: The `<stage>.<signal>` that have a limit.

    Raises:
        QueryError: For a name or a value that is not one.
    """
    lists: dict[str, list[str]] = {name: [] for name in _LISTS}
    words: dict[str, str] = {}
    ranges: dict[str, list[float | None]] = {}
    for name, value in pairs:
        value = value.strip() if name != "text" else value
        if not value:
            continue
        end, dot, column = name.partition(".")
        if name in lists:
            lists[name].append(value)
        elif name in _WORDS:
            words[name] = value
        elif dot and end in ("min", "max"):
            _check_name(column, numeric, "a column of numbers")
            ranges.setdefault(column, [None, None])[end == "max"] = _number(name, value)
        else:
            raise QueryError(f"{name}: no such filter; filters are {', '.join((*_LISTS, *_WORDS))}, min.X and max.X")
    if words.get("mode", "words") not in MODES:
        raise QueryError(f"mode: {words['mode']!r}; expected one of {', '.join(MODES)}")
    if words.get("side", "both") not in SIDES:
        raise QueryError(f"side: {words['side']!r}; expected one of {', '.join(SIDES)}")
    if "sort" in words:
        _check_name(words["sort"].removeprefix("-"), numeric, "a column of numbers")
    if "near" in words:
        _check_name(words["near"], limited, "a rule with a limit")
    page = words.pop("page", "0")
    if not page.isdecimal() or len(page) > 9:
        raise QueryError(f"page: {page!r}; expected a number from 0")
    if "after" in words and "before" in words:
        raise QueryError("after and before: a page begins after a row or ends before one; give one of the two")
    return Query(
        **{name: tuple(dict.fromkeys(values)) for name, values in lists.items()},  # type: ignore[arg-type]
        **words,  # type: ignore[arg-type]
        ranges=tuple((name, least, most) for name, (least, most) in sorted(ranges.items())),
        page=int(page),
    )


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise QueryError(f"{name}: {value!r}; expected a number")
    return number


def _check_name(name: str, known: Sequence[str], kind: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise QueryError(f"{name!r} is not {kind} of this run{hint}")


def place(query: Query, row: Mapping[str, Any]) -> str:
    """Return where a row is in the order of a query, for `after` and `before`: its value and id, or its id alone."""
    if not query.near and not query.sort:
        return str(row["id"])
    return f"{row['limit_distance' if query.near else 'sort_value']!r},{row['id']}"


def beyond(query: Query) -> tuple[str, list[Any], str]:
    """Return what keeps a query's rows to one page by `after` or `before`.

    Returns:
        An SQL condition on `id` and on `limit_distance` or `sort_value`, its values, and the order of rows: that of
        the query, backwards for a page that ends before a row.

    Raises:
        QueryError: For an `after` or `before` that is not one.
    """
    is_backwards = bool(query.before)
    sign, turn = ("<", " DESC") if is_backwards else (">", "")
    where = query.before or query.after
    if not query.near and not query.sort:
        return (f"id {sign} ?", [where], f"id{turn}") if where else ("true", [], "id")
    column = "limit_distance" if query.near else "sort_value"
    is_descending = query.sort.startswith("-") and not query.near
    value_turn = " DESC" if is_descending != is_backwards else ""
    order = f"{column}{value_turn}, id{turn}"
    if not where:
        return "true", [], order
    text, comma, name = where.partition(",")
    if not comma:
        raise QueryError(f"{'before' if is_backwards else 'after'}: {where!r}; expected a value, a comma and an id")
    is_integer = len(text) < 20 and text.removeprefix("-").isdecimal()
    value = int(text) if is_integer else _number("after", text)
    value_sign = "<" if value_turn else ">"
    return f"({column} {value_sign} ? OR ({column} = ? AND id {sign} ?))", [value, value, name], order


def quoted_name(name: str) -> str:
    """Return a column's name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def conditions(query: Query) -> tuple[str, list[Any]]:
    """Return the SQL condition of a query's filters on columns (text left out), and the values to bind to it."""
    parts: list[str] = ["true"]
    values: list[Any] = []
    for name in ("subset", "outcome", "language"):
        chosen = getattr(query, name)
        if chosen:
            parts.append(f"{name} IN ({', '.join('?' * len(chosen))})")
            values += chosen
    if query.reason:
        parts.append("(" + " OR ".join("reason = ? OR starts_with(reason, ?)" for _ in query.reason) + ")")
        values += [value for reason in query.reason for value in (reason, f"{reason}.")]
    for rule in query.broken:
        parts.append("list_contains(reasons, ?)")
        values.append(rule)
    if query.host:
        host = query.host.lower().removeprefix("www.")
        # The cheap test first: most rows have another host.
        parts.append(f"contains(lower(url), ?) AND ({HOST} = ? OR ends_with({HOST}, ?))")
        values += [host, host, f".{host}"]
    if query.url:
        parts.append("contains(lower(url), lower(?))")
        values.append(query.url)
    if query.id:
        parts.append("starts_with(id, ?)")
        values.append(query.id)
    for name, least, most in query.ranges:
        for sign, bound in ((">=", least), ("<=", most)):
            if bound is not None:
                parts.append(f"{quoted_name(name)} {sign} ?")
                values.append(bound)
    return " AND ".join(parts), values


def distance(column: str, limits: Sequence[Limited], side: str) -> tuple[str, list[Any], str, list[Any]]:
    """Return how far a document's value is from the nearest end of the limit that it is judged by.

    The distance is relative to the limit's size where the limit is not 0: 45 and 55 words are both 0.1 from 50.

    Args:
        column: The signal's column.
        limits: The signal's limits, each with the subsets and languages that it holds for.
        side: One of `SIDES`.

    Returns:
        An SQL expression (null where there is no value or limit), its values, a condition for the side, its values.
    """
    name = quoted_name(column)
    cases, broken = [], []
    case_values: list[Any] = []
    broken_values: list[Any] = []
    for limit in limits:
        ends = [(f"{name} < ?", limit.min), (f"{name} > ?", limit.max), (f"{name} >= ?", limit.below)]
        there = [(test, float(end)) for test, end in ends if end is not None]
        if not there:
            continue
        judged, judged_values = limit.documents()
        # A limit of zero has no size to compare with: the distance is the value itself.
        terms = ", ".join(f"abs({name} - ?) / ?" for _ in there)
        cases.append(f"WHEN {judged} THEN least({terms})")
        case_values += [*judged_values, *(value for _, end in there for value in (end, abs(end) or 1.0))]
        broken.append(f"WHEN {judged} THEN ({' OR '.join(test for test, _ in there)})")
        broken_values += [*judged_values, *(end for _, end in there)]
    if not cases:
        return "NULL::DOUBLE", [], "true", []
    expression = f"CASE {' '.join(cases)} END"
    if side == "both":
        return expression, case_values, "true", []
    verdict = f"CASE {' '.join(broken)} END"
    return expression, case_values, verdict if side == "removed" else f"NOT {verdict}", broken_values
