"""Filters from an address, and as SQL."""

from __future__ import annotations

import duckdb
import pytest

from massivetext.browse.query import Query, QueryError, beyond, conditions, distance, parse, place
from massivetext.report.limits import Limited

NUMERIC = ["word_count", 'a"b']
LIMITED = ["quality.word_count"]


def test_an_address_goes_there_and_back() -> None:
    from urllib.parse import parse_qsl

    query = Query(
        subset=("a", "b"),
        reason=("quality",),
        host="x.example",
        ranges=(("word_count", 1.5, None),),
        text="a b&c",
        mode="regex",
        near="quality.word_count",
        side="kept",
        page=3,
    )

    assert query == parse(parse_qsl(query.address()), NUMERIC, LIMITED)
    assert "" == Query().address()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("min.word_cuont", "1", "did you mean 'word_count'"),
        ("min.word_count", "many", "expected a number"),
        ("min.word_count", "nan", "expected a number"),
        ("max.word_count", "inf", "expected a number"),
        ("mode", "sql", "expected one of words"),
        ("side", "left", "expected one of both"),
        ("sort", "-id; DROP", "is not a column of numbers"),
        ("near", "quality.word_cont", "did you mean 'quality.word_count'"),
        ("page", "-1", "a number from 0"),
        ("colour", "red", "no such filter"),
    ],
)
def test_wrong_filters_are_named(name: str, value: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse([(name, value)], NUMERIC, LIMITED)


def test_empty_fields_of_a_form_are_no_filters() -> None:
    assert Query() == parse([("subset", ""), ("min.word_count", " "), ("host", "")], NUMERIC, LIMITED)


def _select(query: Query) -> list[str]:
    sql, values = conditions(query)
    rows = (
        "VALUES ('d1', 'a', 'kept', NULL, [], 'en', 'https://www.News.example/1', 10), "
        "('d2', 'a', 'rejected', 'quality.word_count', ['quality.word_count', 'quality.hash_ratio'], 'en', "
        "'https://sub.news.example/2', 5), "
        "('e3', 'b', 'rejected', 'qualityx.y', ['qualityx.y'], 'de', 'http://othernews.example/', NULL)"
    )
    names = "id, subset, outcome, reason, reasons, language, url, word_count"
    ids = duckdb.execute(f"SELECT id FROM ({rows}) t({names}) WHERE {sql} ORDER BY id", values).fetchall()
    return [row[0] for row in ids]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (Query(), ["d1", "d2", "e3"]),
        (Query(subset=("a",), outcome=("rejected", "failed")), ["d2"]),
        (Query(reason=("quality",)), ["d2"]),
        (Query(reason=("quality.word_count", "qualityx")), ["d2", "e3"]),
        (Query(broken=("quality.hash_ratio",)), ["d2"]),
        (Query(host="news.example"), ["d1", "d2"]),
        (Query(host="WWW.news.example"), ["d1", "d2"]),
        (Query(host="sub.news.example"), ["d2"]),
        (Query(url="NEWS.EXAMPLE/1"), ["d1"]),
        (Query(id="d"), ["d1", "d2"]),
        (Query(language=("de",)), ["e3"]),
        (Query(ranges=(("word_count", 5.0, 9.0),)), ["d2"]),
        (Query(ranges=(("word_count", 10.0, None),)), ["d1"]),
        (Query(host="'; DROP TABLE t; --", id="'"), []),
    ],
)
def test_what_filters_select(query: Query, expected: list[str]) -> None:
    assert expected == _select(query)


def _limit(**ends: float) -> Limited:
    return Limited("quality", "x", ("a",), **ends)


OTHER = Limited("quality", "x", ("b",), min=9)


@pytest.mark.parametrize(
    ("limit", "value", "far", "is_kept"),
    [
        (_limit(min=50), 49, 0.02, False),
        (_limit(min=50), 50, 0.0, True),
        (_limit(min=50), 51, 0.02, True),
        (_limit(min=50, max=100), 90, 0.1, True),
        (_limit(min=50, max=100), 101, 0.01, False),
        (_limit(below=0.8), 0.8, 0.0, False),
        (_limit(max=0), 3, 3.0, False),
    ],
)
def test_distance_from_a_limit_on_either_side(limit: Limited, value: float, far: float, is_kept: bool) -> None:
    for side, is_chosen in (("both", True), ("kept", is_kept), ("removed", not is_kept)):
        expression, values, condition, condition_values = distance("x", [limit, OTHER], side)
        sql = f"SELECT {expression} FROM (SELECT 'a' AS subset, 'de' AS language, ?::DOUBLE AS x) WHERE {condition}"
        rows = duckdb.execute(sql, [*values, value, *condition_values]).fetchall()

        assert [pytest.approx(far)] * is_chosen == [row[0] for row in rows]


def test_a_document_is_near_the_limit_of_its_own_language() -> None:
    limits = [
        Limited("quality", "x", ("a",), min=50, not_languages=("de", "ja")),
        Limited("quality", "x", ("a",), min=100, languages=("de",)),
        Limited("quality", "x", ("a",), languages=("ja",)),
    ]
    expression, values, condition, condition_values = distance("x", limits, "removed")
    documents = "(VALUES ('de', 99), ('de', 100), ('en', 49), ('en', 50), ('ja', 1), (NULL, 25)) AS t(language, x)"
    sql = f"SELECT language, x, {expression} FROM (SELECT 'a' AS subset, * FROM {documents}) WHERE {condition}"
    rows = duckdb.execute(f"{sql} ORDER BY x", [*values, *condition_values]).fetchall()

    assert [(None, 25, 0.5), ("en", 49, 0.02), ("de", 99, 0.01)] == rows


def test_names_of_columns_are_quoted() -> None:
    sql, _ = conditions(Query(ranges=(('a"b', 1.0, None),)))

    assert '"a""b" >= ?' in sql


@pytest.mark.parametrize("sort", ["", "word_count", "-word_count"])
def test_a_place_begins_the_next_page_and_ends_the_one_before(sort: str) -> None:
    """Ties included, pages by place are slices of the whole order."""
    rows = [{"id": f"{n:02x}", "sort_value": n // 3 if n % 2 else n / 7} for n in range(40)]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t(id VARCHAR, sort_value DOUBLE)")
        connection.executemany("INSERT INTO t VALUES (?, ?)", [list(row.values()) for row in rows])

        def page(query: Query) -> list[tuple[str, float]]:
            condition, values, order = beyond(query)
            sql = f"SELECT id, sort_value FROM t WHERE {condition} ORDER BY {order} LIMIT 7"
            return connection.execute(sql, values).fetchall()

        whole = connection.execute(f"SELECT id, sort_value FROM t ORDER BY {beyond(Query(sort=sort))[2]}").fetchall()
        for at in range(7, 33):
            first, last = ({"id": name, "sort_value": value} for name, value in (whole[at], whole[at - 1]))
            query = Query(sort=sort)

            assert whole[at : at + 7] == page(Query(sort=sort, after=place(query, last)))
            assert whole[at - 7 : at] == page(Query(sort=sort, before=place(query, first)))[::-1]


@pytest.mark.parametrize(
    ("name", "value"), [("after", "12"), ("before", "many,00"), ("after", "nan,00"), ("after", "9" * 5000 + ",00")]
)
def test_a_place_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(QueryError, match=r"expected a (value|number)"):
        beyond(Query(sort="word_count", **{name: value}))
    with pytest.raises(QueryError, match="give one of the two"):
        parse([("after", "1,0"), ("before", "1,0")], NUMERIC, LIMITED)


def test_another_page_by_its_number_forgets_the_place() -> None:
    query = Query(page=4, after="00ff")

    assert "page=5&after=0100" == query.address(page=5, after="0100")
    assert "page=3" == query.address(page=3)
    assert "" == query.address(page=0)
    assert "" == query.filters.address()
