"""The report: its numbers against the ledger's, and the page in a browser."""

from __future__ import annotations

import base64
import json
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext import report
from massivetext.errors import OutputError
from massivetext.report.gather import gather
from massivetext.report.page import _csv
from massivetext.report.samples import matched, visible
from massivetext.report.tables import Ledger
from tests.report.chromium import Chromium
from tests.report.runs import HARM, ITEM, massivetext


@pytest.fixture(scope="module")
def page(out: Path) -> dict[str, Any]:
    """The data of the report of `out`, gathered once for all tests."""
    return gather(str(out))


class Elements(HTMLParser):
    """Tags, ids and the values of attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.ids: Counter[str] = Counter()
        self.handlers: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        for name, value in attributes:
            if name == "id":
                self.ids[value or ""] += 1
            if name.startswith("on"):
                self.handlers.append(name)
            if name in ("href", "src", "xlink:href", "action", "srcset", "data"):
                self.addresses.append(value or "")


def rows(out: Path) -> list[dict]:
    return [row for path in sorted((out / "ledger").rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def test_the_corpus_has_every_outcome_that_the_report_shows(out: Path) -> None:
    reasons = {row["reason"] for row in rows(out)}

    assert {None, "duplicate.exact", "duplicate.near", "contamination.containment"} <= reasons
    assert {"language.language_score", "repetition.duplicate_5gram_character_fraction"} <= reasons


def test_the_numbers_are_those_of_the_ledger(page: dict[str, Any], out: Path) -> None:
    ledger = rows(out)
    kept = [row for row in ledger if row["outcome"] == "kept"]

    assert (11, 6) == (page["totals"]["records"], page["totals"]["documents_kept"])
    assert sum(row["n_bytes"] for row in kept) == page["totals"]["bytes_kept"]
    assert sum(row["n_tokens"] for row in ledger) == page["totals"]["tokens_in"]
    (funnel,) = page["funnel"]
    steps = {step["reason"]: step["documents"] for step in funnel["steps"][1:]}
    assert Counter(row["reason"] for row in ledger if row["reason"]) == steps
    assert len(kept) == funnel["kept"]["documents"] == funnel["steps"][-1]["left"]["documents"]
    stages = [step["reason"].partition(".")[0] for step in funnel["steps"][1:]]
    assert ["language", "repetition", "duplicate", "duplicate", "contamination"] == stages


def test_distributions_count_every_measured_document_once_on_its_side_of_the_limit(
    page: dict[str, Any], out: Path
) -> None:
    ledger = rows(out)
    found = {entry["found"].limited.signal: entry["found"] for stage in page["signals"] for entry in stage["signals"]}

    assert 8 + 13 + 1 + 2 == len(found)
    for signal, one in found.items():
        values = [row[signal] for row in ledger if row[signal] is not None]
        assert sum(one.before) == len(values)
        assert sum(one.after) == sum(row["outcome"] == "kept" for row in ledger if row[signal] is not None)
        limited = one.limited
        beyond = sum(
            (limited.min is not None and value < limited.min)
            or (limited.max is not None and value > limited.max)
            or (limited.below is not None and value >= limited.below)
            for value in values
        )
        assert one.broken == beyond, signal
    assert 1 == found["word_count"].broken
    assert 0 == found["word_count"].alone


def test_lengths_years_and_domains_count_every_document_once(page: dict[str, Any], out: Path) -> None:
    documents = [row for row in rows(out) if row["outcome"] not in ("skipped", "failed")]
    kept = [row for row in documents if row["outcome"] == "kept"]
    (subset,) = page["lengths"]["subsets"]
    lengths = subset["found"]

    assert (len(documents), len(kept)) == (sum(lengths.before), sum(lengths.after))
    for row in documents:
        at = next(k for k in range(len(lengths.before)) if lengths.edges[k + 1] > row["n_tokens"] * (1 + 1e-9))
        assert lengths.before[at]
    assert [] == page["years"]
    assert [("example", len(documents), len(kept))] == [
        (row["domain"], row["documents"], row["kept"]) for row in page["domains"]
    ]


def test_years_and_domains_of_odd_values(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    (path,) = (tmp_path / "out" / "ledger").rglob("*.parquet")
    table = pq.read_table(path)
    empty: list[str | None] = [None] * (table.num_rows - 4)
    for name, values in (
        ("timestamp", ["2019-05-06T00:00:00Z", "2019", "yesterday", "0001-01-01"]),
        ("url", ["http://a.b.co.uk/x.html", "http://10.0.0.1/", "http://localhost", "no address"]),
    ):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array([*values, *empty], pa.string()))
    pq.write_table(table, path)
    page = gather(str(tmp_path / "out"))

    assert [(2019, 2)] == [(row["year"], row["documents"]) for row in page["years"]]
    assert {"uk": 1, "(number)": 1, "localhost": 1} == {row["domain"]: row["documents"] for row in page["domains"]}


def test_tokens_by_stage_add_up(page: dict[str, Any]) -> None:
    first, *lost, last = page["waterfall"]["steps"]

    assert ("all", page["totals"]["tokens_in"]) == (first["stage"], first["tokens"])
    assert ("kept", page["totals"]["tokens_kept"]) == (last["stage"], last["tokens"])
    assert ["language", "repetition", "duplicate", "contamination"] == [step["stage"] for step in lost]
    assert first["tokens"] - sum(step["tokens"] for step in lost) == last["tokens"]


def test_documents_near_a_limit_are_the_nearest_of_each_side(page: dict[str, Any], out: Path) -> None:
    near = {(entry["limited"].signal, entry["end"]): entry for entry in page["near"]}
    words = near["word_count", "min"]
    values = sorted(row["word_count"] for row in rows(out))

    assert [value for value in values if value < 50][-1:] == [
        one["value"] for one in words["documents"] if one["side"] == "outside"
    ]
    assert [value for value in values if value >= 50][:2] == [
        one["value"] for one in words["documents"] if one["side"] == "inside"
    ]
    assert ("word_count", "max") not in near


def test_correlations_are_those_of_numpy(page: dict[str, Any], out: Path) -> None:
    table = page["correlations"]
    documents = [row for row in rows(out) if row["outcome"] not in ("skipped", "failed")]

    assert len(documents) == table["documents"]
    assert 14 == len(table["signals"])
    for at, first in enumerate(table["signals"]):
        for to, second in enumerate(table["signals"]):
            pairs = np.array([(row[first], row[second]) for row in documents if None not in (row[first], row[second])])
            if first != second and pairs.std(axis=0).min() > 1e-9:
                assert abs(np.corrcoef(pairs.T)[0, 1] - table["rows"][at][to]) < 0.0051, (first, second)


def test_samples_are_drawn_by_the_seed(out: Path) -> None:
    with Ledger(str(out)) as ledger:
        first, again, *others = (ledger.examples(2, seed) for seed in (1, 1, 2, 3, 4))

    assert first == again
    assert any(first != other for other in others)
    assert 2 == len(first["kept", "massiveweb"])


def test_a_cell_of_csv_is_no_formula() -> None:
    link = str(_csv([{"host": "=1+1", "n": -2}, {"host": "a,b", "n": 3}], "x"))
    data = base64.b64decode(re.findall(r"base64,([^\"]+)", link)[0]).decode()

    assert 'host,n\n\'=1+1,-2\n"a,b",3\n' == data


def test_rules_that_fire_together(page: dict[str, Any]) -> None:
    together = {row["rule"]: row for row in page["together"]["rows"]}
    order = list(together)
    pair = together["quality.word_count"]["cells"][order.index("language.language_score")]

    assert 1 == pair
    assert 1 == together["duplicate.exact"]["alone"]
    assert 0 == together["language.language_score"]["alone"]


def test_the_account_of_test_sets_is_data_too(out: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(out, folder)
    report.write(str(folder))
    (found,) = json.loads((folder / "report" / "contamination.json").read_text("utf-8"))["sets"]

    assert (1, 1, 1.0, {"containment": 1}) == tuple(found[k] for k in ("items_searched", "items_hit", "share", "by"))
    assert [(0, 1.0, ITEM)] == [
        (sample["test_item"], sample["contamination_containment"], sample["text"]) for sample in found["samples"]
    ]

    # Without work/ the items are not known, and said not to be.
    shutil.rmtree(folder / "work")
    report.write(str(folder))
    (found,) = json.loads((folder / "report" / "contamination.json").read_text("utf-8"))["sets"]

    assert (None, None, 1) == tuple(found[k] for k in ("items", "items_hit", "documents"))


def test_duplicates_test_sets_hosts_and_samples(page: dict[str, Any], out: Path) -> None:
    ledger = {row["id"]: row for row in rows(out)}

    assert (2, 2) == (page["duplicates"]["n"], page["duplicates"]["removed"])
    exact = next(group for group in page["duplicates"]["largest"] if group["exact"])
    assert exact["shown"][0]["quote"] == exact["shown"][1]["quote"]
    assert [1] == [curve["pairs"][46] for curve in page["duplicates"]["curves"]]
    (tested,) = page["test_sets"]["sets"]
    columns = ("test_set", "documents", "by", "items", "items_searched", "items_hit", "share", "touched")
    assert (HARM[0], 1, {"containment": 1}, 1, 1, 1, 1.0, 1) == tuple(tested[name] for name in columns)
    assert [ITEM] == [sample["text"] for sample in tested["samples"]]
    (section,) = [section for section in page["samples"] if section["outcome"] == "contaminated"]
    quote = section["documents"][0]["quote"]
    assert ITEM == quote.marked
    assert quote.before.endswith("when the snow came down.  ")
    assert {"host0.example", "host1.example", "host2.example"} == {row["host"] for row in page["hosts"]["kept"]}
    for section in page["samples"]:
        for document in section["documents"]:
            row = dict(document["row"])
            assert row.pop("part").startswith("part-")
            assert ledger[row["id"]] == row
            assert document["quote"] is not None
    assert 1 == len(page["mixtures"])
    assert ["curate", "deduplicate", "decontaminate", "mix"] == [s["stage"] for s in page["course"]["run"]["stages"]]


def test_no_text_becomes_markup(out: Path) -> None:
    text = (out / "report" / "index.html").read_text("utf-8")
    elements = Elements(text)

    assert {"script", "img", "iframe", "object", "embed", "form"} & set(elements.tags) == set()
    assert [] == elements.handlers
    assert {address[:1] for address in elements.addresses} == {"#", "d"}
    data = {address for address in elements.addresses if not address.startswith("#")} - {"data:,"}
    assert all(address.startswith("data:text/csv;base64,") for address in data)
    assert 25 < len(data)
    assert [] == [name for name, n in elements.ids.items() if n > 1]
    assert "harm" not in elements.ids
    assert text.count("&lt;script&gt;document.title") > 5
    assert "{{ 7 * 7 }}" in text
    assert "\\u202edlrow" in text
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_the_same_folder_gives_the_same_page_whatever_it_is_written_to(out: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    done = massivetext("report", str(out), "--output", str(target))

    assert (0, f"{target}\n") == (done.returncode, done.stdout)
    assert target.read_bytes() == (out / "report" / "index.html").read_bytes()


def test_what_the_run_did_not_leave_is_said_not_to_be_there(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    for name in ("work", "mixture", "report", "rejected", "curated"):
        shutil.rmtree(tmp_path / "out" / name)
    text = Path(report.write(str(tmp_path / "out"))).read_text("utf-8")

    assert "Times are not recorded" in text
    assert "The run has written no mixture" in text
    assert "The S-curve is not measured" in text
    assert "The text was not kept" in text
    assert "Removed as near-duplicates: 1 document" in text


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"recipe\.yaml"):
        report.write(str(tmp_path))
    done = massivetext("report", str(tmp_path))

    assert 1 == done.returncode
    assert not (tmp_path / "report").exists()


def test_a_damaged_ledger_is_named(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    (path,) = (tmp_path / "out" / "ledger").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(OutputError, match="verify"):
        gather(str(tmp_path / "out"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\x00b\x1b[31m", "a\\x00b\\x1b[31m"),
        ("x\u202ey\u2066", "x\\u202ey\\u2066"),
        ("e" + "\u0301" * 9, "e" + "\u0301" * 3),
        ("mi\u200ckonam", "mi\u200ckonam"),
    ],
)
def test_hidden_characters_are_made_visible(text: str, shown: str) -> None:
    assert shown == visible(text)


@pytest.mark.parametrize("span", [None, "", "x", "5:2", "3:9999", "-1:2"])
def test_a_span_that_does_not_fit_marks_nothing(span: str | None) -> None:
    quote = matched("some words", span)

    assert ("some words", "", "") == (quote.before, quote.marked, quote.after)


def test_a_long_match_is_cut_and_what_is_left_out_counted() -> None:
    quote = matched("a" * 100 + "b" * 2000 + "c" * 100, "100:2100", characters=50)

    assert ("a" * 60, "b" * 50) == (quote.before, quote.marked)
    assert 2200 - 60 - 50 - 60 == quote.left_out


def test_hosts_of_odd_addresses(tmp_path: Path, out: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    (path,) = (tmp_path / "out" / "ledger").rglob("*.parquet")
    table = pq.read_table(path)
    urls = [
        "https://WWW.A.example:80/x",
        "http://u:p@a.example",
        "ftp://b.example?q=/y@z",
        "javascript:alert(1)",
        "dns:q",
    ]
    urls = [*urls, *[None] * (table.num_rows - len(urls))]
    at = table.schema.get_field_index("url")
    pq.write_table(table.set_column(at, table.schema.field(at), pa.array(urls, pa.string())), path)

    hosts = gather(str(tmp_path / "out"))["hosts"]

    assert 2 == hosts["n"]
    assert {"a.example", "b.example"} == {row["host"] for name in ("kept", "lost") for row in hosts[name]}


@pytest.mark.parametrize(("width", "phone"), [(1280, False), (390, True), (320, True)])
def test_in_a_browser_nothing_runs_nothing_is_fetched_and_it_fits(
    chromium: Chromium, out: Path, width: int, phone: bool
) -> None:
    chromium.open(out / "report" / "index.html", width=width, phone=phone)
    chromium.value("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert chromium.value("document.title").endswith("/out: report of a run of MassiveText")
    assert [] == chromium.complaints()
    assert [] == [url for url in chromium.requests() if not url.startswith("data:")]
    assert width == chromium.value("document.documentElement.scrollWidth")
    assert "block" == chromium.value("getComputedStyle(document.body).display")
    assert 0 < chromium.value("document.querySelectorAll('pre mark').length")
    # Every chart is drawn, in the page's own width.
    sizes = chromium.value("[...document.querySelectorAll('svg')].map(s => s.getBoundingClientRect().width)")
    assert 25 < len(sizes)
    assert max(sizes) <= width
    # On a phone the funnel's figures stand below each name, and nothing has to be scrolled aside.
    tables = "[...document.querySelectorAll('#funnel .wide, #hosts .wide')]"
    assert 0 == chromium.value(f"{tables}.filter(d => d.scrollWidth > d.clientWidth).length")


def test_harm_does_not_run_even_without_the_policy_of_the_page(chromium: Chromium, out: Path, tmp_path: Path) -> None:
    text = (out / "report" / "index.html").read_text("utf-8")
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    assert bare != text
    (tmp_path / "bare.html").write_text(bare, "utf-8")
    chromium.open(tmp_path / "bare.html", width=1280)

    assert chromium.value("document.title").endswith(": report of a run of MassiveText")
    assert [] == [url for url in chromium.requests() if not url.startswith("data:")]
    assert 0 == chromium.value("document.scripts.length")


def test_the_policy_alone_stops_harm(chromium: Chromium, out: Path, tmp_path: Path) -> None:
    """What would happen if the escaping failed; and a proof that this browser does report."""
    text = (out / "report" / "index.html").read_text("utf-8").replace("<main>", f"<main>{HARM[0]}{HARM[1][2:]}", 1)
    (tmp_path / "harmed.html").write_text(text, "utf-8")
    chromium.open(tmp_path / "harmed.html", width=1280)

    assert chromium.value("document.title").endswith(": report of a run of MassiveText")
    assert any("Content Security Policy" in line for line in chromium.complaints())


def test_it_prints_with_its_samples_open(chromium: Chromium, out: Path) -> None:
    chromium.open(out / "report" / "index.html", width=1280)
    chromium.call("Emulation.setEmulatedMedia", media="print")
    shown = chromium.value("document.querySelector('#samples article').getBoundingClientRect().height")
    nav = chromium.value("getComputedStyle(document.querySelector('nav')).display")
    chromium.call("Emulation.setEmulatedMedia", media="")

    assert "none" == nav
    assert shown > 20
    assert chromium.pdf().startswith(b"%PDF")
