"""Tables of two sides and of a plan fit 80 columns, with counts as large as those of a web-scale corpus."""

from __future__ import annotations

from typing import Any

import pytest

from massivetext.cli._tables import in_order, side_by_side
from massivetext.cli.plan import _listed, _subsets
from massivetext.mixture import Available, plan


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def printed(capsys: pytest.CaptureFixture[str]) -> str:
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80, text
    return " ".join(text.split())


def test_two_sides_stand_below_each_other_and_equal_ones_once(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [
        {"outcome": "kept", "reason": None, "first": [604_000_000, 2 * 10**12, 506 * 10**9], "second": [1, 2, 3]},
        {"outcome": "rejected", "reason": "repetition.duplicate_10gram_character_fraction", "first": [7, 1500, 9]},
    ]
    rows[1]["second"] = rows[1]["first"]
    rows = [{"subset": "massiveweb", **row} for row in in_order(rows, "first")]
    side_by_side(rows, ("first", "second"), ((0, "documents"), (1, "size"), (2, "tokens")))
    text = printed(capsys)

    assert "both 7 1.5 kB 9" in text
    assert "kept first 604,000,000 2.0 TB 506,000,000,000" in text
    assert "second 1 2 B 3" in text


def test_a_forecast_of_a_large_corpus(capsys: pytest.CaptureFixture[str]) -> None:
    ends = {"expected": 506e9, "low": 4e11, "high": 6e11}
    share = {"expected": 0.5, "low": 0.4, "high": 0.6}
    documents = {"expected": 1.1e9, "low": 1e9, "high": 1.2e9}
    counts = {"documents": documents, "passing": documents, "tokens": ends, "share": share}
    _subsets({"massiveweb": {"sampled": 18, "parts": 90_000, **counts}})
    text = printed(capsys)
    assert "…" not in text
    assert "400,000,000,000 to" in text
    _listed("CPU time", [f"stage{i} 12,345 h" for i in range(9)])
    assert "CPU time stage0" in printed(capsys)


def test_the_plan_of_a_mixture() -> None:
    available = {name: Available(10**6, 10**9, 4 * 10**9) for name in ("massiveweb", "books")}
    lines = plan(available, {"massiveweb": 0.5, "books": 0.5}, tokens=3 * 10**9, max_epochs=4).lines()

    assert ["subset", "weight", "documents", "available", "wanted", "epochs", "repeated", "size"] == lines[0].split()
    assert "books 0.500 1 M 1 G 1.5 G 1.50 1 to 2 6.0 GB" in " ".join(" ".join(lines).split())
    assert max(map(len, lines[:4])) <= 80
