"""`duplicate_span_fraction` in a run is that of the function over all texts, for any number of parts and partitions."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from click.testing import CliRunner

from massivetext.cli import commands
from massivetext.dedup.spans import duplicate_span_fraction
from massivetext.looking.verification import verify
from massivetext.report.gather import gather
from pipelines.transforms import hash_tasks, spans


def write_input(base: Path) -> None:
    """40 texts of 0 to 199 words, of which many have parts of others, and copies of 4; in three files."""
    draw = random.Random(8)
    texts = [[f"w{draw.randrange(5000)}" for _ in range(draw.randrange(0, 120))] for _ in range(40)]
    for text in texts[::2]:
        other = draw.choice(texts)
        start = draw.randrange(len(other) + 1)
        text += other[start : start + draw.choice([40, 49, 50, 51, 80])]
    rows = [{"text": " ".join(text)} for text in texts]
    rows += [dict(row) for row in rows[1:9:2]]
    for number in range(3):
        lines = "".join(json.dumps(row) + "\n" for row in rows[number::3])
        (base / f"in-{number}.jsonl").write_text(lines, "utf-8")


def run(
    base: Path, output: str, *options: str, stages: tuple[str, ...] = ("deduplication", "spans"), **blocks: Any
) -> str:
    source = {"format": "jsonl", "path": "in-*.jsonl", "pack": False}
    data = {"subsets": {"c4": {"sources": [source], "stages": list(stages)}}, "mixture": {"weights": {"c4": 1.0}}}
    data |= blocks
    (base / "recipe.yaml").write_text(yaml.safe_dump(data), "utf-8")
    arguments = ["run", str(base / "recipe.yaml"), "--output", str(base / output), *options]
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    return result.output


def rows(folder: Path) -> list[dict[str, Any]]:
    paths = sorted((folder / "ledger").rglob("*.parquet"))
    return [row for path in paths for row in pq.read_table(path).to_pylist()]


def digests(folder: Path) -> dict[str, str]:
    paths = [path for kind in ("ledger", "curated", "mixture") for path in sorted((folder / kind).rglob("*.parquet"))]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("spans")
    write_input(base)
    run(base, "one", "--quiet")
    return base


def expected(folder: Path) -> dict[str, float]:
    """By id, from the texts of all documents that stay."""
    kept = {row["id"] for row in rows(folder) if row["outcome"] == "kept"}
    tables = [pq.read_table(path, columns=["id", "text"]) for path in sorted((folder / "curated").rglob("*.parquet"))]
    documents = [row for table in tables for row in table.to_pylist() if row["id"] in kept]
    values = duplicate_span_fraction(pa.array([row["text"] for row in documents], pa.large_string()))
    return {row["id"]: round(value, 6) for row, value in zip(documents, values.tolist())}


def test_the_ledger_has_the_fraction_of_each_document_that_stays(base: Path) -> None:
    values = expected(base / "one")
    measured = {row["id"]: row["duplicate_span_fraction"] for row in rows(base / "one") if row["outcome"] == "kept"}

    assert values == measured
    assert 5 < sum(value > 0 for value in values.values()) < 35
    assert {None} == {row["duplicate_span_fraction"] for row in rows(base / "one") if row["outcome"] != "kept"}
    # A copy that deduplication removed does not count as a second occurrence.
    assert 4 <= sum(row["outcome"] == "duplicate" for row in rows(base / "one"))
    assert [] == verify(str(base / "one"))[0]


def test_workers_and_partitions_make_no_difference(base: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(base, "two", "--quiet", "--workers", "2")
    monkeypatch.setattr(hash_tasks, "PARTITION_BYTES", 1 << 11)
    run(base, "many", "--quiet")

    assert digests(base / "one") == digests(base / "two") == digests(base / "many")
    folders = {path.parent.name for path in (base / "many/work/spans").rglob("*") if path.is_file()}
    assert {"values"} == folders


def test_the_stage_is_added_without_another_pass_over_the_text(base: Path) -> None:
    run(base, "later", "--quiet", stages=("deduplication",))
    stamps = {path: path.stat().st_mtime_ns for path in (base / "later/work/ledger").rglob("*.parquet")}
    assert "decontaminate of c4, for subsets.c4.stages" in " ".join(run(base, "later", "--update").split())

    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert digests(base / "one") == digests(base / "later")
    assert "nothing was done" in run(base, "later")


def test_views_show_it(base: Path) -> None:
    one = next(row for row in rows(base / "one") if row["duplicate_span_fraction"])
    result = CliRunner().invoke(commands, ["explain", str(base / "one"), one["id"]], catch_exceptions=False)

    assert f"duplicate_span_fraction {one['duplicate_span_fraction']:.6g}" in " ".join(result.output.split())
    page = gather(str(base / "one"))
    shown = {entry["found"].limited.signal for stage in page["signals"] for entry in stage["signals"]}
    assert "duplicate_span_fraction" in shown


def what_if(folder: Path, setting: str) -> dict[tuple[str, str | None], int]:
    """Documents by outcome and reason under another setting."""
    arguments = ["what-if", str(folder), "--set", setting, "--json"]
    result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
    assert 0 == result.exit_code, result.output
    counts = json.loads(result.output)["subsets"]["c4"]["outcomes"]
    return {(row["outcome"], row["reason"]): row["after"][0] for row in counts if row["after"][0]}


def counted(folder: Path) -> dict[tuple[str, str | None], int]:
    return dict(Counter((row["outcome"], row["reason"]) for row in rows(folder)))


def test_a_limit_removes_what_stands_elsewhere_before_shares_are_taken(base: Path) -> None:
    plain = [row for row in rows(base / "one") if row["outcome"] == "kept"]
    values = sorted(row["duplicate_span_fraction"] for row in plain)
    limit = next(value for value in values[-8:] if value < values[-1])
    setting = f"spans.duplicate_span_fraction.max={limit!r}"
    (base / "mine.py").write_text("def size(batch):\n    return batch['n_bytes'].cast('float64')\n", "utf-8")
    blocks = {
        "spans": {"duplicate_span_fraction": {"max": limit}},
        "scores": {"size": {"function": "./mine.py:size", "keep": 0.5, "by": "documents"}},
    }
    run(base, "limited", "--quiet", stages=("scores", "deduplication", "spans"), **blocks)
    sizes = sorted((row["n_bytes"] for row in plain if row["duplicate_span_fraction"] <= limit), reverse=True)
    least = sizes[(len(sizes) + 1) // 2 - 1]
    outcomes = {}
    for row in plain:
        reason = "scores.size" if row["n_bytes"] < least else None
        # The value that is the limit itself is kept.
        reason = "spans.duplicate_span_fraction" if row["duplicate_span_fraction"] > limit else reason
        outcomes[row["id"]] = ("outranked" if reason else "kept", reason)
    after = {row["id"]: (row["outcome"], row["reason"]) for row in rows(base / "limited") if row["id"] in outcomes}

    assert outcomes == after
    assert {3} == {len(set(outcomes.values()))}
    assert [] == verify(str(base / "limited"))[0]
    over = next(name for name, outcome in outcomes.items() if outcome[1] == "spans.duplicate_span_fraction")
    result = CliRunner().invoke(commands, ["explain", str(base / "limited"), over], catch_exceptions=False)
    assert f"keep {limit:,g} or less" in " ".join(result.output.split())
    # What the ledger answers alone: the limit where there was none, none where there was one.
    n_over = sum(value > limit for value in values)
    assert n_over == what_if(base / "one", setting)["outranked", "spans.duplicate_span_fraction"]
    assert counted(base / "limited") == what_if(base / "limited", "quality.word_count.min=0")
    without = what_if(base / "limited", "spans.duplicate_span_fraction=null")
    assert (len(plain) + 1) // 2 <= without["kept", None]
    assert ("outranked", "spans.duplicate_span_fraction") not in without
    # Another limit is applied to the values that are there.
    stamps = {path: path.stat().st_mtime_ns for path in (base / "limited/work/spans").rglob("*.parquet")}
    output = run(base, "limited", "--update", stages=("scores", "deduplication", "spans"), scores=blocks["scores"])
    assert "decontaminate, for spans.duplicate_span_fraction" in " ".join(output.split())
    assert stamps == {path: path.stat().st_mtime_ns for path in stamps}
    assert without == counted(base / "limited")


def test_pairs_are_found_by_both_hashes() -> None:
    known = tuple(np.array(column, np.uint64) for column in ([1, 1, 2], [5, 6, 5]))
    new = tuple(np.array(column, np.uint64) for column in ([1, 2, 1, 2, 3], [6, 6, 5, 5, 5]))

    assert [True, False, True, True, False] == spans._are_in(new, known).tolist()
    assert [False, True] == spans._are_in((np.array([3, 1], np.uint64),), (known[0],)).tolist()
    assert [] == spans._are_in((np.zeros(0, np.uint64),), (known[0],)).tolist()


def test_lines_of_a_host_in_a_run(tmp_path: Path) -> None:
    pages = [{"text": f"the menu\npage {i} of a", "url": f"http://a.example/{i}"} for i in range(4)]
    pages += [{"text": f"the menu\npage {i} of b", "url": f"http://b.example/{i}"} for i in range(2)]
    for number in range(2):
        lines = "".join(json.dumps(row) + "\n" for row in pages[number::2])
        (tmp_path / f"in-{number}.jsonl").write_text(lines, "utf-8")

    def fractions() -> dict[str, float]:
        return {row["url"]: row["host_line_fraction"] for row in rows(tmp_path / "out")}

    run(tmp_path, "out", "--quiet", "--set", "host_lines.max_pages=3", stages=("deduplication", "host_lines"))
    share = round(len("the menu") / len("the menupage 0 of a"), 6)
    assert {row["url"]: share if "a.example" in row["url"] else 0.0 for row in pages} == fractions()
    options = ("--update", "--set", "host_lines.max_pages=1")
    output = run(tmp_path, "out", *options, stages=("deduplication", "host_lines"))
    assert "decontaminate, for host_lines.max_pages: 3 -> 1" in " ".join(output.split())
    assert {share} == set(fractions().values())
    run(
        tmp_path,
        "out",
        "--update",
        "--quiet",
        "--set",
        "host_lines.max_pages=4",
        stages=("deduplication", "host_lines"),
    )
    assert {0.0} == set(fractions().values())
