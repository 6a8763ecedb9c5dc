"""Limits by shares in a run: exact, the same by any number of workers, and known to all that looks at the run."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.errors import RecipeError
from massivetext.looking.forecast import _subset, look, planned_mixture
from massivetext.looking.verification import verify
from massivetext.report.gather import gather
from massivetext.sealed import read_sealed, sealed
from pipelines.engines import Execution
from pipelines.engines.beam_runner import BeamEngine
from pipelines.run_folder.folder import Folder
from pipelines.transforms import shares
from pipelines.transforms.run_steps import RunSteps

WORDS = ["the", "of", "and", "to", "be", "have", "with", "that", "river", "stone", "house", "market", "winter", "apple"]
N = 60


def text(seed: int, n: int) -> str:
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(n)) + f" unique{seed}"


def write_input(base: Path) -> None:
    """60 documents with scores of two decimals, some equal; 6 copies of them, 3 without a score, 3 that a rule rejects;
    in three files."""
    draw = random.Random(3)
    rows = [{"text": f"{text(i, draw.randint(20, 90))} s{draw.randint(0, 30):02d}"} for i in range(N)]
    rows += [dict(row) for row in rows[::10]]
    rows += [{"text": text(200 + i, 30)} for i in range(3)] + [{"text": f"short s99 {i}"} for i in range(3)]
    for number in range(3):
        lines = "".join(json.dumps(row) + "\n" for row in rows[number::3])
        (base / f"in-{number}.jsonl").write_text(lines, "utf-8")
    (base / "mine.py").write_text(
        "import re\n\nimport pyarrow as pa\n\n\n"
        "def value(batch):\n"
        "    marks = [re.search(r' s(\\d\\d)\\b', text or '') for text in batch['text'].to_pylist()]\n"
        "    return pa.array([int(one[1]) / 100 if one else None for one in marks], pa.float64())\n",
        "utf-8",
    )


def recipe(base: Path, name: str, score: dict[str, Any], **mixture: Any) -> str:
    data = {
        "subsets": {
            "c4": {
                "sources": [{"format": "jsonl", "path": "in-*.jsonl", "pack": False}],
                "stages": ["quality", "scores", "deduplication"],
            }
        },
        "quality": {"word_count": {"min": 10}},
        "scores": {"value": {"function": "./mine.py:value", **score}},
        "mixture": {"weights": {"c4": 1.0}, **mixture},
    }
    path = base / f"{name}.yaml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return str(path)


def command(*arguments: str) -> str:
    result = CliRunner().invoke(commands, list(arguments), catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return result.output


def run(base: Path, name: str, output: str, score: dict[str, Any], *options: str, **mixture: Any) -> str:
    return command("run", recipe(base, name, score, **mixture), "--output", str(base / output), *options)


def rows(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "ledger").rglob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def digests(folder: Path, *kinds: str) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for kind in kinds
        for path in sorted((folder / kind).rglob("*.parquet"))
    }


def compared(folder: Path) -> list[dict[str, Any]]:
    """Documents that rules and deduplication keep."""
    return [row for row in rows(folder) if row["outcome"] in ("kept", "outranked", "contaminated")]


def by_sorting(documents: list[dict[str, Any]], share: float, unit: str) -> float:
    """The limit as a full sort has it, in whole percents."""
    ranked = sorted((row for row in documents if row["value"] is not None), key=lambda row: -row["value"])
    weights = [row["n_tokens"] if unit == "tokens" else 1 for row in ranked]
    total = 0
    for row, weight in zip(ranked, weights):
        total += weight
        if 100 * total >= round(100 * share) * sum(weights):
            return row["value"]
    raise AssertionError


SCORE = {"keep": 0.4, "buckets": [0.2, 0.5, 0.8]}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`plain`: a run without shares; `tokens`: the same folder with them, by `--update`. Tests change copies."""
    base = tmp_path_factory.mktemp("shares")
    write_input(base)
    run(base, "plain", "plain", {}, "--quiet")
    copy(base, "plain", "tokens")
    (base / "update.txt").write_text(run(base, "tokens", "tokens", SCORE, "--update"), "utf-8")
    return base


def copy(base: Path, folder: str, to: str) -> None:
    shutil.copytree(base / folder, base / to)


def test_the_best_share_of_what_rules_and_deduplication_keep(base: Path) -> None:
    documents = compared(base / "tokens")
    least = by_sorting(documents, 0.4, "tokens")

    assert N + 3 == len(documents)
    for row in documents:
        is_below = row["value"] is not None and row["value"] < least
        assert ("outranked" if is_below else "kept") == row["outcome"]
        assert ("scores.value" if is_below else None) == row["reason"]
    # Just under and just at the limit: some documents have that very value, and some the next one.
    assert any(row["value"] == least for row in documents)
    assert 6 == sum(row["outcome"] == "duplicate" for row in rows(base / "tokens"))
    manifest = read_sealed(str(base / "tokens/ledger/manifest.json"))
    assert least == manifest["limits"]["c4"]["value"]["keep"]


def test_buckets_are_shares_from_the_worst(base: Path) -> None:
    documents = compared(base / "tokens")
    least = [by_sorting(documents, share, "tokens") for share in (0.8, 0.5, 0.2)]

    for row in rows(base / "tokens"):
        if row in documents:
            number = 0 if row["value"] is None else sum(row["value"] >= one for one in least)
            assert number == row["value_bucket"]
        else:
            assert row["value_bucket"] is None
    assert {0, 1, 2, 3} == {row["value_bucket"] for row in documents}


def test_workers_and_runners_make_no_difference(base: Path) -> None:
    run(base, "two", "two", SCORE, "--quiet", "--workers", "2")
    kinds = ("ledger", "curated", "mixture")

    assert digests(base / "tokens", *kinds) == digests(base / "two", *kinds)

    recipe_ = Folder(str(base / "two")).recipe()
    names = [path.stem for path in sorted((base / "two/ledger/c4").glob("*.parquet"))]
    engine = BeamEngine(Execution())
    known = shares.share_limits(Folder(str(base / "two")), "c4")
    by_beam = shares.write_share_limits(
        Folder(str(base / "two")), recipe_, {"c4": names}, {"c4": "x"}, lambda tasks: engine.run(RunSteps(), tasks)
    )
    assert {"c4": known} == by_beam


def test_another_share_redoes_the_ledger_alone(base: Path) -> None:
    output = (base / "update.txt").read_text("utf-8")

    assert "decontaminate, for scores.value.keep: None -> 0.4" in " ".join(output.split())
    kinds = ("curated", "work/ledger", "work/duplicates")
    assert digests(base / "plain", *kinds) == digests(base / "tokens", *kinds)
    for path in (base / "plain/work/ledger").rglob("*.parquet"):
        again = base / "tokens" / path.relative_to(base / "plain")
        assert path.stat().st_mtime_ns == again.stat().st_mtime_ns
    copy(base, "tokens", "again")
    assert "nothing was done" in run(base, "tokens", "again", SCORE)
    run(base, "third", "again", {"keep": 0.4, "by": "documents"}, "--update", "--quiet")
    least = by_sorting(compared(base / "again"), 0.4, "documents")
    kept = [row["value"] for row in rows(base / "again") if row["outcome"] == "kept" and row["value"] is not None]
    assert least == min(kept)
    assert "value_bucket" not in rows(base / "again")[0]


def test_what_if_answers_what_the_run_would_do(base: Path) -> None:
    def after(folder: str, *settings: str) -> dict[str, Any]:
        options = [word for setting in settings for word in ("--set", setting)]
        return json.loads(command("what-if", str(base / folder), *options, "--json"))

    answer = after("plain", "scores.value.keep=0.4", "scores.value.buckets=[0.2, 0.5, 0.8]")
    counts = {(row["outcome"], row["reason"]): row["after"] for row in answer["subsets"]["c4"]["outcomes"]}
    manifest = read_sealed(str(base / "tokens/ledger/manifest.json"))
    for key, sums in manifest["counts"]["c4"].items():
        outcome, _, reason = key.partition(" ")
        assert sums == counts[outcome, reason or None]
    limits, known = answer["shares"]["c4"]["value"], manifest["limits"]["c4"]["value"]
    assert known["keep"] == limits["min"]
    assert [None, *known["buckets"]] == [bucket["min"] for bucket in limits["buckets"]]
    kept = [row for row in rows(base / "tokens") if row["outcome"] == "kept"]
    assert [sum(row["value_bucket"] == k for row in kept) for k in range(4)] == [
        bucket["documents"] for bucket in limits["buckets"]
    ]
    # And back: all that was outranked is kept again.
    back = after("tokens", "scores.value.keep=null")
    assert ["c4: scores.value.keep: 0.4 -> None"] == back["changes"]
    moves = {(move["from"], move["to"]): move["documents"] for move in back["moves"]}
    assert {("outranked scores.value", "kept"): manifest["counts"]["c4"]["outranked scores.value"][0]} == moves
    assert "the best 40 % of tokens have" in command("what-if", str(base / "plain"), "--set", "scores.value.keep=0.4")


def test_every_view_of_the_run_knows_it(base: Path) -> None:
    out = str(base / "tokens")
    lost = next(row for row in rows(base / "tokens") if row["outcome"] == "outranked")
    explained = " ".join(command("explain", out, lost["id"]).split())

    assert "outranked: scores.value" in explained
    assert "keep the best 40 % of tokens" in explained
    assert "in c4 these have" in explained
    assert f"bucket {lost['value_bucket']} of 0 (worst) to 3" in explained
    page = gather(out)
    assert any(step["reason"] == "scores.value" for subset in page["funnel"] for step in subset["steps"])
    card = next((base / "tokens/mixture").rglob("README.md")).read_text("utf-8")
    assert "the best 40 % of tokens, in buckets of tokens that end at 20 %, 50 %, 80 % from the worst" in card
    assert "| outranked | `scores.value` |" in card
    assert ([], True) == (verify(out)[0], bool(verify(out)[1]))


def test_documents_that_are_taken_out_do_not_move_the_limits(base: Path) -> None:
    copy(base, "tokens", "taken")
    best = sorted(
        (row for row in rows(base / "taken") if row["outcome"] == "kept"), key=lambda row: -(row["value"] or 0)
    )
    names = [row["id"] for row in best[:5]]
    limits = read_sealed(str(base / "taken/ledger/manifest.json"))["limits"]
    (base / "ids.txt").write_text("".join(f"{name}\n" for name in names), "utf-8")
    command("remove", str(base / "taken"), "--ids", str(base / "ids.txt"))
    before = {row["id"]: (row["outcome"], row["value_bucket"]) for row in rows(base / "taken")}
    assert {("rejected", None)} == {before[name] for name in names}
    assert [] == verify(str(base / "taken"))[0]
    run(base, "tokens", "taken", SCORE, "--quiet")

    assert before == {row["id"]: (row["outcome"], row["value_bucket"]) for row in rows(base / "taken")}
    assert limits == read_sealed(str(base / "taken/ledger/manifest.json"))["limits"]
    assert [] == verify(str(base / "taken"))[0]


def test_verify_notices_another_limit(base: Path) -> None:
    copy(base, "tokens", "changed")
    path = base / "changed/ledger/manifest.json"
    manifest = read_sealed(str(path))
    for key, value, message in (("keep", 0.0, "are outranked, and reach"), ("buckets", [9.0], "in another bucket")):
        limits = {"c4": {"value": {**manifest["limits"]["c4"]["value"], key: value}}}
        path.write_bytes(sealed({**manifest, "limits": limits}))

        assert any(message in fault for fault in verify(str(base / "changed"))[0])


def test_buckets_are_repeated_as_the_mixture_says(base: Path) -> None:
    epochs = {"c4": {"score": "value", "epochs": [0, 1, 2, 4]}}
    copy(base, "plain", "mixed")
    run(base, "mixed", "mixed", {"buckets": [0.2, 0.5, 0.8]}, "--update", "--quiet", max_epochs=4, buckets=epochs)
    bucket_of = {row["id"]: row["value_bucket"] for row in rows(base / "mixed") if row["outcome"] == "kept"}
    times: dict[str, int] = dict.fromkeys(bucket_of, 0)
    for path in sorted((base / "mixed/mixture/gopher").glob("*.parquet")):
        for name in pq.read_table(path, columns=["id"]).column("id").to_pylist():
            times[name] += 1

    assert [0, 1, 2, 4] == [{times[name] for name in times if bucket_of[name] == k}.pop() for k in range(4)]
    assert all(len({times[name] for name in times if bucket_of[name] == k}) == 1 for k in range(4))
    plan = read_sealed(str(base / "mixed/mixture/gopher/plan.json"))
    assert ["c4:1", "c4:2", "c4:3"] == [share["subset"] for share in plan["plan"]["shares"]]
    manifest = read_sealed(str(base / "mixed/mixture/gopher/manifest.json"))
    assert {"c4": sum(plan["taken"].values())} == manifest["counts"]["tokens"]
    assert [] == verify(str(base / "mixed"))[0]
    assert "`c4:3`" in (base / "mixed/mixture/gopher/README.md").read_text("utf-8")
    # `what-if` plans the same mixture from a ledger without buckets, and so does a forecast that has read all parts.
    settings = ["scores.value.buckets=[0.2, 0.5, 0.8]", f"mixture.buckets={json.dumps(epochs)}"]
    answer = json.loads(command("what-if", str(base / "plain"), *(f"--set={one}" for one in settings), "--json"))
    assert plan["plan"]["shares"] == answer["mixture"]["shares"]
    assert plan["plan"]["tokens"] == answer["mixture"]["tokens"]
    totals, shares = forecast_of(base / "mixed")
    tokens = [sum(row["n_tokens"] for row in rows(base / "mixed") if row["value_bucket"] == k) for k in range(4)]
    passing = totals["tokens"]["expected"]
    assert [pytest.approx(passing * n / sum(tokens)) for n in tokens] == [row["tokens"] for row in totals["remaining"]]
    assert ["c4:1", "c4:2", "c4:3"] == [share["subset"] for share in shares]
    assert [1, 2, 4] == [pytest.approx(share["epochs"], rel=0.01) for share in shares]
    other = {"c4": {"score": "value", "epochs": [1, 1, 1, 1]}}
    run(base, "mixed", "mixed", {"buckets": [0.2, 0.5, 0.8]}, "--update", "--quiet", max_epochs=1, buckets=other)
    rows_of = sum(pq.read_metadata(path).num_rows for path in (base / "mixed/mixture/gopher").glob("*.parquet"))
    assert len(bucket_of) == rows_of


def forecast_of(folder: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A subset's totals, and its shares of a mixture, as a forecast has them that has read all parts of a run."""
    recipe_ = Folder(str(folder)).recipe()
    names = [path.stem for path in sorted((folder / "ledger/c4").glob("*.parquet"))]
    looked = [look(str(folder), SimpleNamespace(subset="c4", name=name, n_bytes=100), recipe_) for name in names]
    totals = _subset([one.part for one in looked], looked)
    return totals, planned_mixture(recipe_.mixture, ({"c4": 1.0}, False), {"c4": totals})["shares"]


def test_a_forecast_takes_shares_off_and_plans_by_bucket(base: Path) -> None:
    totals, shares = forecast_of(base / "tokens")
    documents = compared(base / "tokens")
    kept = sum(row["n_tokens"] for row in documents if row["outcome"] == "kept")
    (remaining,) = totals["remaining"]

    # Of all that passes the rules, copies too, the part that is kept of what is no copy.
    expected = totals["tokens"]["expected"] * kept / sum(row["n_tokens"] for row in documents)
    assert expected == pytest.approx(remaining["tokens"])
    assert [round(expected)] == [share["available"] for share in shares]
    assert "remaining" not in forecast_of(base / "plain")[0]


@pytest.mark.parametrize(
    ("score", "buckets", "message"),
    [
        ({"keep": 0}, {}, "expected more than 0"),
        ({"keep": 1}, {}, "less than 1"),
        ({"by": "documents"}, {}, "neither is set"),
        ({"buckets": [0.5, 0.2]}, {}, "must rise"),
        ({"buckets": [0.5, 0.5]}, {}, "must rise"),
        ({}, {"c4": {"score": "value", "epochs": [1, 2]}}, "has no buckets in c4"),
        ({"buckets": [0.5]}, {"c4": {"score": "value", "epochs": [1, 2, 3]}}, "has 3 numbers, and value has 2 buckets"),
        ({"buckets": [0.5]}, {"c4": {"score": "value", "epochs": [0, 0]}}, "all epochs are 0"),
        ({"buckets": [0.5]}, {"papers": {"score": "value", "epochs": [1, 2]}}, "no such subset"),
    ],
)
def test_impossible_shares_are_refused(tmp_path: Path, score: dict, buckets: dict, message: str) -> None:
    write_input(tmp_path)
    path = recipe(tmp_path, "recipe", score, buckets=buckets)

    with pytest.raises(RecipeError, match=message):
        CliRunner().invoke(commands, ["validate", path], catch_exceptions=False)
