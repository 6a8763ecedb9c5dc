"""The page of two runs: its numbers against the ledgers', and the page in a browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from massivetext.cli._recipes import run_recipe
from massivetext.looking.diff import diff
from massivetext.report.comparison import gather_comparison
from massivetext.report.page import _change
from tests.report.chromium import Chromium
from tests.report.runs import massivetext


def with_values(table: pa.Table, name: str, values: list[Any]) -> pa.Table:
    at = table.schema.get_field_index(name)
    return table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))


@pytest.fixture(scope="module")
def runs(out: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The run, and one in which the first kept document was too short and the last row is not there."""
    other = tmp_path_factory.mktemp("against") / "out"
    shutil.copytree(out, other)
    (path,) = (other / "ledger").rglob("*.parquet")
    table = pq.read_table(path)
    table = table.slice(0, table.num_rows - 1)
    at = table.column("outcome").to_pylist().index("kept")
    for name, value in (("outcome", "rejected"), ("reason", "quality.word_count"), ("reasons", ["quality.word_count"])):
        values = table.column(name).to_pylist()
        values[at] = value
        table = with_values(table, name, values)
    pq.write_table(table, path)
    return str(out), str(other)


@pytest.fixture(scope="module")
def page(runs: tuple[str, str]) -> dict[str, Any]:
    first, second = runs
    difference = diff(first, second, (run_recipe(first), run_recipe(second)), examples=2)
    return gather_comparison((first, second), difference)


def test_the_numbers_are_those_of_both_ledgers(page: dict[str, Any], runs: tuple[str, str]) -> None:
    rows = [
        [
            row
            for path in sorted((Path(folder) / "ledger").rglob("*.parquet"))
            for row in pq.read_table(path).to_pylist()
        ]
        for folder in runs
    ]
    kept = [[row for row in side if row["outcome"] == "kept"] for side in rows]
    totals = {row["what"]: (row["first"], row["second"]) for row in page["totals"]}

    assert tuple(len(side) for side in rows) == totals["records read"]
    assert tuple(len(side) for side in kept) == totals["documents kept"]
    assert tuple(sum(row["n_tokens"] for row in side) for side in kept) == totals["tokens kept"]
    (funnel,) = page["funnel"]
    assert "kept" == funnel["rows"][-1]["outcome"]
    lost = [sum(row[side] for row in page["lost"]) for side in ("first", "second")]
    assert [sum(row["n_tokens"] for row in side if row["outcome"] != "kept") for side in rows] == lost
    (languages, domains, _) = page["tables"]
    for table in (languages, domains):
        assert [len(side) for side in kept] == [sum(row[side] for row in table["rows"]) for side in ("first", "second")]


def test_a_document_that_moved_and_one_that_is_gone(page: dict[str, Any]) -> None:
    (move,) = page["moves"]
    (only,) = page["only"]

    assert ("kept", "rejected quality.word_count", 1) == (move["from"], move["to"], move["documents"])
    assert (page["runs"][0]["name"], 1) == (only["run"], only["documents"])
    assert {("kept", "rejected quality.word_count")} <= {(one["from"], one["to"]) for one in page["examples"]}


def test_signals_are_counted_over_the_same_bins(page: dict[str, Any]) -> None:
    entries = page["signals"]["entries"]

    assert "quality.word_count" in {entry["rule"] for entry in entries}
    for entry in entries:
        first, second = (name for name in entry["rows"][0] if name.startswith("kept in"))
        assert entry["kept"] == [sum(row[name] for row in entry["rows"]) for name in (first, second)]


def test_two_runs_that_are_the_same(out: Path, tmp_path: Path) -> None:
    target = tmp_path / "page.html"
    done = massivetext("report", str(out), "--against", str(out), "--output", str(target))
    text = target.read_text("utf-8")

    assert (0, f"{target}\n") == (done.returncode, done.stdout)
    assert "Every document of both runs has the same outcome and reason in both." in text
    assert "The recipe is the same." in text
    assert "24 signals with the same values and limits" in text
    assert "A: " in text


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (100, 110, "+10.0 %"),
        (100, 99, "-1.0 %"),
        (10_000, 10_001, "< 0.1 %"),
        (7, 7, "–"),
        (0, 3, "new"),
        (3, 0, "gone"),
        (0, 0, "–"),
        (None, 3, "new"),
        (None, None, "–"),
    ],
)
def test_a_change_in_words(first: int | None, second: int | None, words: str) -> None:
    assert words == _change(first, second)


@pytest.mark.parametrize(("width", "phone"), [(1280, False), (390, True)])
def test_in_a_browser_it_is_quiet_and_fits(chromium: Chromium, runs: tuple[str, str], width: int, phone: bool) -> None:
    done = massivetext("report", runs[0], "--against", runs[1], "--samples", "1")
    path = Path(done.stdout.strip())
    assert path.name.startswith("against-")
    chromium.open(path, width=width, phone=phone)
    chromium.value("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert [] == chromium.complaints()
    assert [] == [url for url in chromium.requests() if not url.startswith("data:")]
    assert width == chromium.value("document.documentElement.scrollWidth")
    assert 0 == chromium.value("document.scripts.length")
    assert "harmed" != chromium.value("document.title")
    shown = "[...document.querySelectorAll('svg')].filter(s => s.getBoundingClientRect().width > 0)"
    assert 4 < chromium.value(f"{shown}.length")
