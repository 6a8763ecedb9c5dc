"""Runs over a folder that holds something: sources added, changed in place and removed; a recipe changed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from massivetext.cli import commands
from pipelines.input_splits import find_parts
from pipelines.recipe import read
from pipelines.run_folder.fingerprints import CurateFingerprints
from pipelines.run_folder.rerun import first_stage, redone
from tests.faults.running import digests


def write(path: Path, *numbers: int) -> None:
    text = "".join(f"the tale of {n} and of what became of {n} in the {n}th year of the long war\n" for n in numbers)
    path.write_text(text, "utf-8")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(5):
        write(tmp_path / "in" / f"{n}.txt", *range(n * 10, n * 10 + 4))
    (tmp_path / "recipe.yaml").write_text(
        "subsets:\n"
        "  news:\n"
        "    sources: [{format: lines, path: 'in/*.txt', pack: false}]\n"
        "    stages: [quality, deduplication]\n"
        "quality: {word_count: {min: 5}, stop_word_count: {min: 0}, mean_word_length: {min: 1}}\n"
        "mixture: {weights: {news: 1.0}}\n",
        "utf-8",
    )
    return tmp_path


def run(corpus: Path, out: str, *options: str) -> str:
    arguments = ["run", str(corpus / "recipe.yaml"), "--output", str(corpus / out), "--log-json", *options]
    result = CliRunner().invoke(commands, arguments)
    assert 0 == result.exit_code, result.output
    return result.output


def inodes(folder: Path) -> dict[str, int]:
    """Which files a run has written anew: each is a new file under an old name."""
    return {path.name: path.stat().st_ino for path in (folder / "curated").rglob("*.parquet")}


def test_added_changed_and_removed_sources_redo_only_themselves(corpus: Path) -> None:
    run(corpus, "out")
    before = inodes(corpus / "out")

    write(corpus / "in" / "5.txt", 100, 101, 0, 1)  # two new ones, two that 0.txt has already
    write(corpus / "in" / "2.txt", 26, 27, 28, 29)  # as many bytes as before, and other text
    later = (corpus / "in" / "2.txt").stat().st_mtime_ns + 1
    os.utime(corpus / "in" / "2.txt", ns=(later, later))
    (corpus / "in" / "4.txt").unlink()
    said = run(corpus, "out", "--update")
    after = inodes(corpus / "out")

    assert "curate: 2 of 5 parts: 1 changed, or read by other rules, 1 new; the others stand" in said
    assert '"news": 20 documents' not in said
    assert 3 == len({name for name, inode in after.items() if before.get(name) == inode})
    assert 5 == len(after)
    run(corpus, "fresh")
    assert digests(corpus / "fresh") == digests(corpus / "out")
    assert "nothing was done" in run(corpus, "out", "--update")


def test_a_changed_recipe_redoes_the_stages_it_touches_and_says_which(corpus: Path) -> None:
    run(corpus, "out")
    for setting, stage, redoes in (
        ("mixture.max_epochs=2", "mix, for mixture.max_epochs: ", set()),
        ("deduplication.keep=longest", "deduplicate, for deduplication.keep", {"deduplicate"}),
        ("seed=7", "deduplicate, for seed: 0 -> 7", {"deduplicate"}),
        ("quality.word_count.min=6", "curate, for quality.word_count.min: ", {"curate", "deduplicate"}),
    ):
        before = inodes(corpus / "out")
        said = run(corpus, "out", "--update", "--set", setting)

        assert f"  {stage}" in said
        assert ("curate" in redoes) == (before != inodes(corpus / "out"))
        assert ("curate: 5 of 5 parts: 5 changed" in said) == ("curate" in redoes)
        run(corpus, f"fresh-{setting}", "--set", setting)
        assert digests(corpus / f"fresh-{setting}") == digests(corpus / "out")


def test_the_first_stage_that_a_key_shapes() -> None:
    assert ("curate", None) == first_stage("quality.word_count.min: 50 -> 1")
    assert ("curate", None) == first_stage("deduplication.threshold: 0.8 -> 0.9")
    assert ("curate", "c4") == first_stage("subsets.c4: None -> {}")
    assert ("curate", "c4") == first_stage("subsets.c4.stages: [] -> []")
    assert ("curate", "c4") == first_stage("subsets.c4.stages: ['quality'] -> ['quality', 'scores', 'spans']")
    assert ("decontaminate", "c4") == first_stage(
        "subsets.c4.stages: ['quality'] -> ['host_lines', 'quality', 'spans']"
    )
    assert ("decontaminate", "c4") == first_stage("subsets.c4.stages: ['quality', 'spans'] -> ['quality']")
    assert ("decontaminate", None) == first_stage("scores.education.keep: None -> 0.1")
    assert ("curate", None) == first_stage("scores.education.min: None -> 0.1")
    assert ("decontaminate", None) == first_stage("spans.duplicate_span_fraction.max: None -> 0.5")
    assert ("curate", None) == first_stage("testsets: [] -> []")
    assert ("deduplicate", "c4") == first_stage("subsets.c4.deduplication.keep: 'random' -> 'first'")
    assert ("decontaminate", None) == first_stage("contamination.jaccard: 0.8 -> 0.7")
    assert ("deduplicate", None) == first_stage("seed: 0 -> 1")
    assert (None, None) == first_stage("max_failed: 0.001 -> 0.2")
    assert ["mix, for mixture.tokens: 1 -> 2", "no stage, for max_failed: 0.1 -> 0.2"] == redone(
        ["max_failed: 0.1 -> 0.2", "mixture.tokens: 1 -> 2"]
    )


ALL = {"c4", "massiveweb", "news"}


@pytest.mark.parametrize(
    ("settings", "touched"),
    [
        (["mixture.max_epochs=2"], set()),
        (["mixture.weights={c4: 0.5, news: 0.5}"], set()),
        (["max_failed=0.5"], set()),
        (["seed=7"], set()),
        (["seed=7", "rejected=0.5"], ALL),
        (["rejected=none"], ALL),
        (["tokenizer=items.jsonl"], ALL),
        (["quality.word_count.min=6"], {"massiveweb", "news"}),
        (["subsets.news.quality={word_count: {min: 6}}"], {"news"}),
        (["repetition.duplicate_line_fraction.max=0.2"], {"massiveweb"}),
        (["count_duplicates=repeats"], {"massiveweb"}),
        (["language.keep={en: 0.5}"], {"massiveweb"}),
        (["safe_search.safe_search_score.max=0.4"], {"massiveweb"}),
        (["extraction.engine=trafilatura"], {"massiveweb"}),
        (["licence=[MIT]"], set()),
        (["pii.emails=false"], set()),
        (["deduplication.keep=longest"], set()),
        (["subsets.news.deduplication={keep: longest}"], set()),
        (["deduplication.threshold=0.9"], {"news"}),
        (["contamination.jaccard=0.7"], set()),
        (["subsets.c4.contamination={remove: mark}"], set()),
        (["testsets=[{name: own, path: items.jsonl, text: '{other}'}]"], {"c4"}),
        (["subsets.news.stages=[quality, pii, deduplication]"], {"news"}),
        (["subsets.news.stages=[quality, deduplication, contamination]"], {"news"}),
        (["subsets.c4.stages=[c4, contamination]"], ALL),  # every ledger has its columns
    ],
)
def test_a_change_touches_the_subsets_that_it_shapes(tmp_path: Path, settings: list[str], touched: set[str]) -> None:
    (tmp_path / "items.jsonl").write_text('{"text": "an item", "other": "another item"}\n', "utf-8")
    for name in ("a.jsonl", "b.txt", "c.warc"):
        (tmp_path / name).write_bytes(b"{}\n")
    path = tmp_path / "recipe.yaml"
    path.write_text(
        "subsets:\n"
        "  c4: {sources: [{format: jsonl, path: a.jsonl}], stages: [contamination]}\n"
        "  news: {sources: [{format: lines, path: b.txt}], stages: [quality, deduplication]}\n"
        "  massiveweb:\n"
        "    sources: [{format: warc, path: c.warc}]\n"
        "    stages: [extraction, language, safe_search, quality, repetition]\n"
        "testsets: [{name: own, path: items.jsonl, text: '{text}'}]\n",
        "utf-8",
    )

    def fingerprints(given: list[str]) -> dict[str, str]:
        recipe = read(str(path), [setting.replace("items.jsonl", str(tmp_path / "items.jsonl")) for setting in given])
        stages = CurateFingerprints(recipe)
        return {part.subset: stages.of(part) for part in find_parts(recipe)}

    before, after = fingerprints([]), fingerprints(settings)

    assert touched == {name for name in before if before[name] != after[name]}
