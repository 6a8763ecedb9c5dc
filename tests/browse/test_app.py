"""The pages: what they show, whom they answer, and that no text of a document becomes markup."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from massivetext.browse.app import Run, make_app, make_token
from massivetext.browse.query import Query
from tests.report.runs import HARM, ITEM

ALLOWED = {
    *("html", "head", "meta", "title", "link", "script", "body", "header", "nav", "a", "span", "b", "main", "h1", "h2"),
    *(
        "h3",
        "p",
        "form",
        "div",
        "label",
        "select",
        "option",
        "input",
        "details",
        "summary",
        "button",
        "datalist",
        "table",
    ),
    *("thead", "tbody", "tr", "th", "td", "br", "small", "bdi", "code", "dl", "dt", "dd", "pre", "mark", "del", "ins"),
    *("section", "ul", "li"),
}


class Tags(HTMLParser):
    """The elements of a page, and the addresses that they name."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def page(client: Any, address: str = "", status: int = 200) -> str:
    answer = client.get(address)

    assert status == answer.status_code, answer.text
    tags = Tags(answer.text)
    assert tags.names <= ALLOWED, tags.names - ALLOWED
    assert all(one.startswith(("/token-of-the-tests/", "?", "data:,")) for one in tags.addresses), tags.addresses
    return answer.text


def plain(text: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def one(run: Run, **values: Any) -> dict[str, Any]:
    rows = run.store.page(Query(**values))
    assert rows
    return run.store.documents([rows[0]["id"]])[rows[0]["id"]]


# ---- Who is answered. ----


@pytest.mark.parametrize(
    "path", ["/", "/wrong/", "/token-of-the-tests2/", "/TOKEN-OF-THE-TESTS/", "//token-of-the-tests/"]
)
def test_without_the_token_there_is_nothing(client: Any, path: str) -> None:
    answer = client.get(f"http://127.0.0.1:8000{path}")

    assert 404 == answer.status_code
    assert "not found" == answer.text


def test_only_this_machine_is_answered(client: Any) -> None:
    assert 200 == client.get("http://localhost:9/token-of-the-tests/").status_code
    assert 400 == client.get("http://attacker.example/token-of-the-tests/").status_code
    assert 400 == client.get("", headers={"host": "attacker.example"}).status_code


def test_every_answer_forbids_what_is_not_ours(client: Any) -> None:
    for address in ("", "style.css", "what-if", "document/none", "nothing", "save/ids"):
        headers = client.get(address).headers

        assert headers["content-security-policy"].startswith("default-src 'none'; ")
        assert "no-referrer" == headers["referrer-policy"]
        assert "nosniff" == headers["x-content-type-options"]


def test_tokens_are_random() -> None:
    assert make_token() != make_token()
    assert 22 == len(make_token())


@pytest.mark.parametrize("address", ["nothing", "page.html", "..%2f..%2fsql.py", "save/everything", "document/0"])
def test_other_addresses_are_not_found(client: Any, address: str) -> None:
    assert 404 == client.get(address).status_code


# ---- The list. ----


def test_the_list_shows_all_records_and_their_outcomes(client: Any) -> None:
    shown = plain(page(client))

    assert "11 records" in shown
    for outcome in ("kept", "rejected", "duplicate", "contaminated"):
        assert outcome in shown


def test_filters_of_the_form(client: Any, run: Run) -> None:
    n = sum(row["documents"] for row in run.store.totals(Query(outcome=("duplicate",))))

    assert f"{n} records" in plain(page(client, "?subset=massiveweb&outcome=duplicate&reason=&host=&mode=words"))
    assert "1 record " in plain(page(client, f"?id={one(run, outcome=('contaminated',))['id'][:8]}")).replace("\n", " ")
    assert "No document meets this" in page(client, "?host=nobody.example")
    ranged = run.store.totals(Query(ranges=(("word_count", None, 49.0),)))
    shown = plain(page(client, "?range.0.name=word_count&range.0.min=&range.0.max=49"))
    assert f"{sum(row['documents'] for row in ranged)} record" in shown


@pytest.mark.parametrize(
    "address", ["?min.nothing=1", "?sort=url", "?mode=sql&text=a", "?text=(&mode=regex", "?page=x"]
)
def test_wrong_filters_are_explained(client: Any, address: str) -> None:
    assert "This cannot be shown" in page(client, address, 400)


def test_order_by_a_signal_and_near_a_limit(run: Run) -> None:
    values = [row["sort_value"] for row in run.store.page(Query(sort="-word_count"))]
    assert values == sorted(values, reverse=True)
    for side, is_kept in (("kept", True), ("removed", False)):
        rows = run.store.page(Query(near="quality.word_count", side=side))
        assert rows
        assert all((50 <= row["sort_value"] <= 100_000) == is_kept for row in rows)
        assert [row["limit_distance"] for row in rows] == sorted(row["limit_distance"] for row in rows)


def test_texts_are_searched(client: Any, run: Run) -> None:
    shown = plain(page(client, "?text=GARDENER+pears&mode=words"))

    assert "1 record" in shown
    assert "contaminated" in shown
    assert "All 2 files searched" in shown or "All 1 file searched" in shown
    assert "No document meets this" in page(client, "?text=pears+gardener&mode=phrase")
    assert "1 record" in plain(page(client, "?text=pears+does+the+g.*r&mode=regex"))
    assert "No document meets this" in page(client, "?text=pears&outcome=rejected")


# ---- A document. ----


def test_what_broke_each_rule_is_marked(client: Any, run: Run) -> None:
    row = one(run, outcome=("rejected",), reason=("repetition",))
    shown = page(client, f"document/{row['id']}")

    assert '<mark class="m0" title=' in shown
    assert row["reason"] in plain(shown)
    assert "broken" in plain(shown)
    chosen = page(client, f"document/{row['id']}?mark=quality.stop_word_count")
    assert '<mark class="m0" title="quality.stop_word_count">' in chosen


def test_no_text_becomes_markup(client: Any, run: Run) -> None:
    for row in run.store.page(Query()):
        shown = page(client, f"document/{row['id']}?mark=quality.stop_word_count")

        assert "\u202e" not in shown
        assert "\x1b" not in shown
        assert all(harm not in shown for harm in HARM[:4])
    text = run.store.texts({row["id"]: row for row in [one(run, outcome=("kept",))]})
    assert any(harm[:20] in value for harm in HARM for value in text.values())


def test_duplicates_stand_side_by_side(client: Any, run: Run) -> None:
    near = one(run, reason=("duplicate.near",))
    shown = page(client, f"document/{near['id']}")

    assert near["partner_id"] in shown
    assert "<del>" in shown or "<ins>" in shown
    assert f"J = {near['partner_jaccard']:.6f}" in plain(shown)
    kept = page(client, f"document/{near['partner_id']}")
    assert f"?with={near['id']}" in kept
    assert "<ins>" in (beside := page(client, f"document/{near['partner_id']}?with={near['id']}")) or "<del>" in beside


def test_the_test_item_is_shown_with_its_span(client: Any, run: Run) -> None:
    row = one(run, outcome=("contaminated",))
    shown = page(client, f"document/{row['id']}")

    assert row["test_span"] in plain(shown)
    assert f'<mark class="test">{ITEM}</mark>' in shown
    assert "contamination.containment" in plain(shown)


# ---- Limits. ----


def test_sliders_and_their_answer(client: Any, run: Run) -> None:
    shown = page(client, "what-if?subset=massiveweb&quality.word_count.min=1")
    answer = client.get("what-if.json?subset=massiveweb&quality.word_count.min=1").json()

    assert 'name="quality.word_count.min"' in shown
    ends = ("max=100000", "min=1")
    assert [f"subsets.massiveweb.quality.word_count.{end}" for end in ends] == answer["changes"]
    assert answer["after"]["documents"] == answer["before"]["documents"] + answer["gained"]["documents"]
    assert "subsets.massiveweb.quality.word_count.min=1" in plain(shown)


def test_the_exact_answer_is_that_of_what_if(client: Any) -> None:
    assert "With duplicates" in page(client, "what-if?subset=massiveweb&quality.word_count.min=500&exact=1")


@pytest.mark.parametrize("address", ["subset=nothing", "subset=massiveweb&quality.x.min=1", "quality.word_count.min=x"])
def test_wrong_limits_are_explained(client: Any, address: str) -> None:
    answer = client.get(f"what-if.json?{address}")

    assert 400 == answer.status_code
    assert answer.json()["error"]


def test_two_runs_are_compared(client: Any, out: Path) -> None:
    from starlette.testclient import TestClient

    from massivetext.cli.browse import open_run

    assert "--compare DIR2" in page(client, "compare", 404)
    opened = open_run(str(out), 20.0, str(out))
    with opened.store:
        both = TestClient(make_app(opened, "token-of-the-tests"), base_url="http://127.0.0.1/token-of-the-tests/")
        shown = page(both, "compare")

    assert "The same." in shown
    assert "Documents with another outcome" in shown


def test_the_page_before_extraction_is_missing_where_the_source_has_texts(client: Any, run: Run) -> None:
    assert "no pages" in page(client, f"document/{one(run)['id']}?before=1")


# ---- A selection. ----


def test_a_selection_is_saved(client: Any, run: Run) -> None:
    ids = client.get("save/ids?outcome=kept")
    lines = [json.loads(line) for line in client.get("save/jsonl?outcome=kept").text.splitlines()]

    assert 'attachment; filename="selection.txt"' == ids.headers["content-disposition"]
    assert ids.text.split() == [line["id"] for line in lines]
    assert ids.text.split() == sorted(row["id"] for row in run.store.page(Query(outcome=("kept",))))
    assert all(line["text"] for line in lines)
    of_gardener = client.get("save/ids?text=gardener").text.split()
    assert [one(run, outcome=("contaminated",))["id"]] == of_gardener


def test_a_selection_as_a_change_of_the_recipe(client: Any, tmp_path: Path) -> None:
    from pipelines.recipe import read

    text = client.get("save/recipe?min.word_count=60&max.n_bytes=9&host=a.example").text
    path = tmp_path / "change.yaml"
    path.write_text(text, "utf-8")

    assert {"massiveweb": {"quality": {"word_count": {"min": 60.0, "max": 100_000.0}}}} == yaml.safe_load(text)[
        "subsets"
    ]
    assert "# Left out: n_bytes" in text
    assert "# Left out: host" in text
    assert 60 == read(str(path)).limits("massiveweb", "quality")["word_count"].min


# ---- A run that goes on. ----


def test_a_run_that_has_not_ended_is_shown(out: Path, tmp_path: Path) -> None:
    import shutil

    from starlette.testclient import TestClient

    from massivetext.cli.browse import open_run

    folder = tmp_path / "out"
    shutil.copytree(out, folder)
    shutil.rmtree(folder / "ledger")
    shutil.rmtree(folder / "mixture", ignore_errors=True)
    opened = open_run(str(folder), 20.0)
    with opened.store:
        client = TestClient(make_app(opened, "token-of-the-tests"), base_url="http://127.0.0.1/token-of-the-tests/")
        shown = page(client)

    assert "this run has not ended" in shown
    assert "11 records" in plain(shown)
