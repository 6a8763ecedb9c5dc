"""Limits by language: verdicts at, under and over them, and what a recipe with them says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import yaml
from click.testing import CliRunner

from filters import language_limits as transfer
from filters.limits import Limit
from massivetext.cli import commands
from massivetext.errors import RecipeError
from massivetext.looking.recipe_warnings import recipe_warnings
from pipelines.recipe import Recipe, read, with_settings

BLOCK = {"de": {"mean_word_length": {"min": 4, "max": 12}, "hash_ratio": None}, "ja": {"word_count": {"min": 100}}}


def recipe(folder: Path, stages: list[str], **blocks: object) -> Recipe:
    data = {
        "subsets": {"massiveweb": {"sources": [{"format": "jsonl", "path": "in.jsonl"}], "stages": stages}},
        "mixture": {"weights": {"massiveweb": 1.0}},
        **blocks,
    }
    (folder / "recipe.yaml").write_text(yaml.safe_dump(data), "utf-8")
    return read(str(folder / "recipe.yaml"))


@pytest.fixture
def whole(tmp_path: Path) -> Recipe:
    keep = {"keep": {"en": 0.5, "de": 0.5, "ja": 0.5}}
    return recipe(tmp_path, ["language", "quality"], language=keep, quality={"by_language": BLOCK})


def test_the_limits_of_a_language_lie_over_the_others_rule_by_rule(whole: Recipe) -> None:
    rows = [
        # language, words, mean length, # a word: which rules break
        ("en", 60, 11.0, 0.05, ["mean_word_length"]),
        ("de", 60, 11.0, 0.5, []),
        ("de", 60, 12.0, 0.0, []),
        ("de", 60, 12.1, 0.0, ["mean_word_length"]),
        ("de", 60, 3.9, 0.0, ["mean_word_length"]),
        ("de", 49, 5.0, 0.0, ["word_count"]),
        ("ja", 99, 5.0, 0.2, ["word_count", "hash_ratio"]),
        ("ja", 100_001, 5.0, 0.0, []),  # the language's limit has no max
        (None, 60, 5.0, 0.2, ["hash_ratio"]),
    ]
    names = ("language", "word_count", "mean_word_length", "hash_ratio")
    columns = dict(zip(names, zip(*(row[:4] for row in rows))))
    stage = whole.stage("massiveweb", "quality")
    batch = {name: pa.nulls(len(rows), pa.float64()) for name in stage.judged_columns()}
    batch |= {name: pa.array(list(values)) for name, values in columns.items()}
    broken = stage.verdict(pa.RecordBatch.from_pydict(batch))

    assert [row[4] for row in rows] == [[name for name, mask in broken.items() if mask[i]] for i in range(len(rows))]


def test_a_recipe_says_the_limit_of_the_document_s_language(whole: Recipe) -> None:
    def words(language: str | None) -> str:
        return whole.limit_in_words("massiveweb", "quality.mean_word_length", language)

    assert ("3 to 10", "3 to 10", "4 to 12") == (words(None), words("en"), words("de"))
    assert "no limit" == whole.limit_in_words("massiveweb", "quality.hash_ratio", "de")
    assert ("quality.by_language.ja", "word_count >= 100") in whole.settings_in_words("massiveweb", "quality")
    assert whole.digest() == Recipe.model_validate(whole.resolved()).digest()
    assert ["massiveweb: quality.by_language.de.mean_word_length.max: 12.0 -> 9.0"] == whole.answerable_changes(
        with_settings(whole, ["quality.by_language.de.mean_word_length.max=9"], "recipe")
    )
    with pytest.raises(RecipeError, match="alone a ledger"):
        whole.answerable_changes(with_settings(whole, ["quality.stop_words=iso"], "recipe"))


def test_what_needs_the_language_is_refused_without_it(tmp_path: Path) -> None:
    for block in ({"by_language": BLOCK}, {"stop_words": "iso"}):
        with pytest.raises(RecipeError, match="needs the stage language"):
            recipe(tmp_path, ["quality"], quality=block).check()
    with pytest.raises(RecipeError, match="by_language"):
        recipe(tmp_path, ["quality"], quality={"by_language": {"de": {"words": {"min": 1}}}})


@pytest.mark.parametrize(
    ("block", "languages"),
    [
        ({}, "de, ja"),
        ({"stop_words": {"de": ["und"]}}, "ja"),
        ({"by_language": {"de": {"stop_word_count": None}}}, "ja"),
        ({"stop_words": "iso"}, None),
    ],
)
def test_english_stop_words_for_other_languages_are_warned_of(
    tmp_path: Path, block: dict, languages: str | None
) -> None:
    keep = {"keep": {"en": 0.5, "de": 0.5, "ja": 0.5}}
    whole = recipe(tmp_path, ["language", "quality"], language=keep, quality=block)
    lines = [line for line in recipe_warnings(whole) if line.startswith("quality.stop_word_count")]

    assert ([] if languages is None else [f"counts English words, and so removes text in {languages} "]) == [
        line[line.index("counts") : line.index("that language")] for line in lines
    ]


def test_the_packaged_recipe_has_limits_for_each_language_that_it_keeps() -> None:
    whole = read("multilingual")
    block = whole.common("quality")

    assert set(whole.common("language").keep) == {"en", *block.by_language}
    assert len(block.by_language) > 40
    assert block.by_language["de"]["mean_word_length"].max > 10 > block.by_language["zh"]["mean_word_length"].max


def test_a_limit_is_the_same_quantile_or_is_scaled_by_medians() -> None:
    many = np.arange(1.0, 401.0)

    assert 300.0 == pytest.approx(transfer.transferred(100, many, many * 3), rel=0.01)
    # Beyond the English texts, and with few of them: by the ratio of medians.
    assert 3000.0 == transfer.transferred(1000, many, many * 3)
    assert 2.5 == transfer.transferred(5, np.array([4.0]), np.array([2.0]))
    assert transfer.transferred(5, np.zeros(3), np.ones(3)) is None
    limits = {
        "word_count": Limit(50, 100_000),
        "alphabetic_word_fraction": Limit(min=0.8),
        "stop_word_count": Limit(min=2),
    }
    english = {name: np.array([1.0]) for name in transfer.SIGNALS}
    other = {**english, "word_count": np.array([1.237]), "stop_word_count": np.array([np.nan])}

    assert {"word_count": {"min": 61, "max": 124_000}, "stop_word_count": {}} == transfer.language_limits(
        limits, english, other
    )


def test_the_command_prints_a_block_that_a_recipe_takes(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("stopwordsiso")
    file = str(shared_data / "lang/udhr2.jsonl.gz")
    result = CliRunner().invoke(commands, ["limits", file, "--languages", "de,zh"])
    assert 0 == result.exit_code, result.output + str(result.exception)
    block = yaml.safe_load(result.output)

    assert {"de", "zh"} == set(block["quality"]["by_language"])
    recipe(tmp_path, ["language", "quality"], **block).check()
    as_json = CliRunner().invoke(commands, ["limits", file, "--languages", "de", "--json"])
    assert 3 == json.loads(as_json.output)["texts"]["en"]
