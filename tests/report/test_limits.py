"""Limits of a run as a report reads them: those that subsets share, and those of single languages."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from massivetext.report.gather import gather
from massivetext.report.limits import Limited, limited_signals, most_frequent


def test_subsets_with_the_same_limit_share_an_entry() -> None:
    limits = {name: {"quality": {"word_count": {"min": 50}}} for name in ("c4", "news")}
    limits["books"] = {"quality": {"word_count": {"min": 20}, "hash_ratio": {}}}

    assert [
        Limited("quality", "word_count", ("c4", "news"), min=50),
        Limited("quality", "word_count", ("books",), min=20),
        Limited("quality", "hash_ratio", ("books",)),
    ] == limited_signals(limits)


def test_a_language_with_a_limit_of_its_own_has_an_entry_and_the_others_do_without_it() -> None:
    limits = {"c4": {"quality": {"word_count": {"min": 50, "max": 900}}}}
    own = {"c4": {"quality": {"word_count": {"zh": {"min": 99}, "de": {"min": 44}, "ja": {"min": 99}}}}}
    others, german, characters = limited_signals(limits, own)

    assert (50, 900, (), ("de", "ja", "zh")) == (others.min, others.max, others.languages, others.not_languages)
    assert (44, None, ("de",), ()) == (german.min, german.max, german.languages, german.not_languages)
    assert (99, ("ja", "zh")) == (characters.min, characters.languages)
    assert ("keep 50 to 900", "languages other than de, ja, zh") == (others.words, others.spoken)
    assert ("keep 99 or more", "ja, zh") == (characters.words, characters.spoken)
    rows: list[dict[str, Any]] = [{"subset": "c4", "language": code} for code in ("de", "zh", "en", None)]
    holds = [[one.holds_for(row) for one in (others, german, characters)] for row in rows]
    assert [[False, True, False], [False, False, True], [True, False, False], [True, False, False]] == holds
    assert not german.holds_for({"subset": "books", "language": "de"})


def test_a_language_score_is_judged_in_the_languages_that_are_kept() -> None:
    limits = {"c4": {"language": {"language_score": {"min": 0.65}}}}
    others, english = limited_signals(limits, {"c4": {"language": {"language_score": {"en": {"min": 0.65}}}}})

    assert ("not kept", ("en",)) == (others.words, others.not_languages)
    assert ("keep 0.65 or more", ("en",)) == (english.words, english.languages)


def test_limits_of_rare_languages_are_left_out_and_counted() -> None:
    codes = ("aa", "bb", "cc", "dd", "ee", "ff")
    own = {"c4": {"quality": {"word_count": {code: {"min": at} for at, code in enumerate(codes)}}}}
    signals = limited_signals({"c4": {"quality": {"word_count": {"min": 50}}}}, own)
    shown, n_left_out = most_frequent(signals, {"aa": 5, "bb": 9, "cc": 1, "dd": 7, "ee": 0}, n=2)

    assert [(), ("bb",), ("dd",)] == [one.languages for one in shown]
    assert 2 == n_left_out  # aa and cc: no document is in ee or ff


def test_documents_near_the_limit_of_a_language_are_of_that_language(out: Path, tmp_path: Path) -> None:
    """The run's recipe gets a limit for German words, and three of its documents become German."""
    folder = tmp_path / "out"
    shutil.copytree(out, folder)
    data = yaml.safe_load((folder / "recipe.yaml").read_text("utf-8"))
    data["limits_by_language"]["massiveweb"]["quality"] = {"word_count": {"de": {"min": 90}}}
    (folder / "recipe.yaml").write_text(yaml.safe_dump(data), "utf-8")
    (path,) = (folder / "ledger").rglob("*.parquet")
    table = pq.read_table(path)
    n = table.num_rows
    for name, values in (
        ("language", ["de"] * 3 + ["en"] * (n - 3)),
        ("word_count", [89, 90, 95] + [60] * (n - 3)),
    ):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, table.schema.field(at), pa.array(values, table.schema.field(at).type))
    pq.write_table(table, path)
    page = gather(str(folder))
    near = [entry for entry in page["near"] if entry["limited"].signal == "word_count"]
    charts = [entry["found"] for stage in page["signals"] for entry in stage["signals"]]

    assert [("de",)] == [entry["limited"].languages for entry in near]
    sides = [(one["side"], one["value"]) for one in near[0]["documents"]]
    assert [("inside", 90), ("inside", 95), ("outside", 89)] == sides
    counted = {one.limited.languages: sum(one.before) for one in charts if one.limited.signal == "word_count"}
    assert {("de",): 3, (): n - 3} == counted
