"""Search in texts: what matches, and that it can be taken up again."""

from __future__ import annotations

import pyarrow as pa
import pytest

from massivetext.browse.app import Run
from massivetext.browse.query import Query, QueryError
from massivetext.browse.text_search import LONGEST, Search, Searches, matches

TEXTS = pa.array(["The red Fox", "fox, red", "nothing", None, "re.d f\u00c9te"])


@pytest.mark.parametrize(
    ("text", "mode", "expected"),
    [
        ("red fox", "words", [0, 1]),
        ("red fox", "phrase", [0]),
        ("re.d", "words", [4]),
        ("re.?d", "regex", [0, 1, 4]),
        ("f\u00e9te", "words", [4]),
        ("^fox", "regex", [1]),
    ],
)
def test_modes(text: str, mode: str, expected: list[int]) -> None:
    mask = matches(TEXTS, text, mode).to_pylist()

    assert expected == [i for i, is_match in enumerate(mask) if is_match]


def test_wrong_patterns_are_refused() -> None:
    with pytest.raises(QueryError, match="is not a regular expression"):
        matches(TEXTS, "(a", "regex")
    with pytest.raises(QueryError, match="at most 1,000"):
        matches(TEXTS, "a" * (LONGEST + 1), "words")
    assert [False] * 5 == [bool(value) for value in matches(TEXTS, "a" * LONGEST, "words").to_pylist()]


def test_a_search_is_taken_up_where_it_stopped(run: Run) -> None:
    query = Query(text="market", mode="words")
    search = Search(run.store, query)
    search.advance(0)
    assert not search.is_complete
    while not search.is_complete:
        search.advance(0)  # one batch
    whole = Search(run.store, query)
    whole.advance(60)

    assert whole.is_complete
    assert whole.n_parts == whole.n_done
    assert whole.hits().num_rows > 5
    assert sorted(whole.hits()["id"].to_pylist()) == sorted(search.hits()["id"].to_pylist())


def test_the_last_searches_stay(run: Run) -> None:
    searches = Searches(run.store, most=1)
    first = searches.get(Query(text="market"))

    assert first is searches.get(Query(text="market", page=1, sort="word_count"))
    assert searches.get(Query(text="winter")) is not first
    assert first is not searches.get(Query(text="market"))
    assert searches.get(Query(text=" ")) is None
