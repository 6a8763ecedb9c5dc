"""A forecast against the run that it forecasts."""

from __future__ import annotations

import json
import math
import os
import random
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.cli.plan import show
from massivetext.looking.forecast import draw, interval, planned_mixture
from pipelines.input_splits import Part
from pipelines.recipe import read
from pipelines.weights import weights_of


def part(subset: str, number: int, n_bytes: int = 100) -> Part:
    return Part(subset, "lines", f"/{number}", str(number), 0, 0, n_bytes, n_bytes, {})


def test_the_interval_of_a_ratio_by_hand() -> None:
    # Ratio 30 / 60; residuals -1, 1; variance (1 - 2/4) * 2 / 1 / 2 = .5; t of one degree of freedom 12.706.
    ratio, half = interval([9, 21], [20, 40], 4)

    assert 0.5 == ratio
    assert math.isclose(12.706 * math.sqrt(0.5) / 30, half)
    assert (0.5, 0.0) == interval([9, 21], [20, 40], 2)
    assert math.isnan(interval([9], [20], 2)[1])
    assert (0.0, 0.0) == interval([0, 0], [0, 0], 3)


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    draws = random.Random(7)
    sizes = [draws.randint(50, 150) for _ in range(60)]
    values = [size * draws.uniform(0.3, 0.7) for size in sizes]
    truth = sum(values) / sum(sizes)
    held = 0
    for _ in range(1000):
        chosen = draws.sample(range(60), 6)
        ratio, half = interval([values[i] for i in chosen], [sizes[i] for i in chosen], 60)
        held += abs(ratio - truth) <= half

    assert 890 <= held <= 960  # a linearised ratio falls a little short of 950 where parts are few


def test_a_sample_is_drawn_by_the_seed_whatever_the_order() -> None:
    parts = [part("c4", i, 300) for i in range(40)] + [part("news", i) for i in range(2)] + [part("books", 0)]
    drawn = draw(parts, 10, seed=3)
    subsets = [one.subset for one in drawn]

    assert 10 >= len(drawn) >= 9
    assert {"c4", "news", "books"} == set(subsets)
    assert 2 == subsets.count("news")
    assert drawn == draw(parts[::-1], 10, seed=3)
    assert drawn != draw(parts, 10, seed=4)
    assert sorted(parts, key=str) == sorted(draw(parts, 1000, seed=3), key=str)


def test_a_budget_is_planned_whether_or_not_the_cap_allows_it(tmp_path: Path) -> None:
    text = "subsets: {c4: {sources: [{format: lines, path: x}]}, news: {sources: [{format: lines, path: y}]}}\n"
    (tmp_path / "recipe.yaml").write_text(text, "utf-8")
    subsets = {
        name: {"passing": {"expected": 2.0}, "tokens": {"expected": tokens}, "passing_bytes": {"expected": 9.0}}
        for name, tokens in (("c4", 100.4), ("news", 50.0))
    }

    def planned(tokens: str) -> dict[str, Any]:
        settings = ["mixture.weights={c4: 0.5, news: 0.25, books: 0.25}", f"mixture.tokens={tokens}"]
        recipe = read(str(tmp_path / "recipe.yaml"), settings)
        return planned_mixture(recipe.mixture, weights_of(recipe), subsets)

    for tokens, refused, epochs in (
        ("max", False, [4.0, 4.0]),
        ("150", False, [1.0, 1.0]),
        ("601", True, [4.01, 4.01]),
    ):
        made = planned(tokens)
        assert 600 == made["largest"]
        assert refused == (made["refused"] is not None)
        assert made["weights_scaled"]
        assert epochs == [pytest.approx(share["epochs"], rel=0.01) for share in made["shares"]]
    subsets["c4"]["tokens"]["expected"] = 0.0
    assert "no documents are kept of c4" in planned("max")["refused"]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Forecasts from four parts and from all of a corpus of twelve, and the run itself."""
    base = tmp_path_factory.mktemp("forecast")
    draws = random.Random(1)
    words = "the cat and a dog have to be with that bird of mine or they will go home for the rest of it".split()  # noqa: SIM905
    for number in range(12):
        texts = [" ".join(draws.choices(words, k=draws.choice([20, 80, 90]))) for _ in range(draws.randint(40, 60))]
        (base / f"{number}.txt").write_text("\n".join([*texts, texts[0]]), "utf-8")
    recipe = {
        "subsets": {
            "news": {
                "sources": [{"format": "lines", "path": "*.txt", "pack": False}],
                "stages": ["quality", "deduplication"],
            }
        },
        "mixture": {"weights": {"news": 1.0}},
    }
    path = base / "recipe.yaml"
    path.write_text(json.dumps(recipe), "utf-8")
    scratch = base / "scratch"
    scratch.mkdir()
    results: dict[str, Any] = {"out": base / "out"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(scratch))
        for name, *options in (("four", "4", "--set", "mixture.tokens=1_000_000_000"), ("all", "99")):
            result = CliRunner().invoke(commands, ["plan", str(path), "--json", "--sample", *options])
            assert 0 == result.exit_code, result.output
            results[name] = json.loads(result.output)
    assert [] == [one for one in os.listdir(scratch) if one.startswith("massivetext-plan-")]
    result = CliRunner().invoke(commands, ["run", str(path), "--output", str(base / "out"), "--quiet"])
    assert 0 == result.exit_code, result.output
    return results


@pytest.mark.heavy
def test_a_forecast_from_all_parts_is_the_run(found: dict[str, Any]) -> None:
    out: Path = found["out"]
    news = found["all"]["subsets"]["news"]
    rows = [row for file in (out / "work" / "ledger").rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    passing = [row for row in rows if row["outcome"] == "kept"]

    assert {"parts": 12, "of_parts": 12} == {name: found["all"]["sample"][name] for name in ("parts", "of_parts")}
    for unit, expected in (
        ("records", len(rows)),
        ("passing", len(passing)),
        ("tokens", sum(row["n_tokens"] for row in passing)),
        ("share", len(passing) / len(rows)),
    ):
        assert {
            "expected": pytest.approx(expected),
            "low": pytest.approx(expected),
            "high": pytest.approx(expected),
        } == (news[unit])
    for kind in ("curated", "rejected", "ledger"):
        size = sum(file.stat().st_size for file in (out / kind).rglob("*.parquet"))
        assert size == pytest.approx(found["all"]["disk"][kind], abs=2)
    shards = sum(file.stat().st_size for file in (out / "mixture").rglob("*.parquet"))
    # The forecast takes no duplicates off.
    assert shards == pytest.approx(found["all"]["disk"]["mixture"], rel=0.1)


@pytest.mark.heavy
def test_a_forecast_from_four_parts_is_near(found: dict[str, Any]) -> None:
    some, truth = found["four"]["subsets"]["news"], found["all"]["subsets"]["news"]

    assert 4 == found["four"]["sample"]["parts"]
    for unit in ("records", "passing", "tokens", "share"):
        assert some[unit]["low"] < truth[unit]["expected"] < some[unit]["high"]
        assert truth[unit]["expected"] == pytest.approx(some[unit]["expected"], rel=0.15)
    assert found["all"]["disk"]["curated"] == pytest.approx(found["four"]["disk"]["curated"], rel=0.15)


@pytest.mark.heavy
def test_time_and_memory_are_those_of_processes(found: dict[str, Any]) -> None:
    for name in ("four", "all"):
        assert 50e6 < found[name]["memory"]["process"] < 4e9
        assert 0 < found[name]["time"]["cpu_seconds"]["curate"] < 60
        assert 0 < found[name]["time"]["hours"] < 0.2


@pytest.mark.heavy
def test_the_mixture_is_planned_from_the_forecast(found: dict[str, Any]) -> None:
    for name, tokens in (("four", 1_000_000_000), ("all", found["all"]["mixture"]["largest"])):
        (share,) = found[name]["mixture"]["shares"]
        available = round(found[name]["subsets"]["news"]["tokens"]["expected"])
        assert tokens / available == pytest.approx(share["epochs"])
        assert 4 * available == found[name]["mixture"]["largest"]
        assert tokens == found[name]["mixture"]["tokens"]
    assert None is found["all"]["mixture"]["refused"]


@pytest.mark.heavy
def test_a_budget_beyond_the_cap_is_told_before_the_run(found: dict[str, Any], capsys: Any) -> None:
    show(found["four"])
    said = capsys.readouterr().out

    assert "the mixture would be refused: mixture.tokens: 1,000,000,000 repeat a subset more than 4 times" in said
    assert "largest budget under 4 epochs" in said
    assert "4 of 12" in said
    assert "the most that can be kept" in said
