from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from filters import language
from filters.limits import Limit
from massivetext.errors import RecipeError
from pipelines import recipe
from pipelines.stages import rule_families


def test_gopher_has_the_limits_of_the_filters() -> None:
    gopher = recipe.read("gopher")
    for family in ("quality", "repetition"):
        limits = rule_families()[family].limits()
        expected = {field.name: getattr(limits, field.name) for field in fields(limits)}

        assert expected == gopher.limits("massiveweb", family)


def test_chinchilla_differs_in_weights_alone() -> None:
    gopher, chinchilla = recipe.read("gopher").resolved(), recipe.read("chinchilla").resolved()
    weights = chinchilla["mixture"].pop("weights")
    gopher["mixture"].pop("weights")

    assert gopher == chinchilla
    assert {"massiveweb": 0.45, "books": 0.3, "c4": 0.1, "news": 0.1, "github": 0.04, "wikipedia": 0.01} == weights


def test_fineweb_counts_repeats_and_has_its_families() -> None:
    fineweb = recipe.read("fineweb")

    assert "repeats" == fineweb.count_duplicates
    assert Limit(max=0.67) == fineweb.limits("massiveweb", "fineweb")["short_line_fraction"]


def test_a_recipe_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEWS", "daily")
    (tmp_path / "mine.yaml").write_text(
        "seed: 7\nsubsets:\n  news:\n    sources: [{format: lines, path: '${NEWS}/*.txt'}]\n"
        "    language: {keep: {de: 0.5}}\n"
        "rules:\n  width: {function: 'pyarrow.compute:utf8_length', max: 1e6}\nquality: {hash_ratio: null}\n",
        encoding="utf-8",
    )
    mine = recipe.read(str(tmp_path / "mine.yaml"), ["quality.word_count.min=30"])

    assert ["news"] == list(mine.filled)
    assert f"{tmp_path}/daily/*.txt" == mine.filled["news"].sources[0].path
    assert {"de": 0.5} == mine.block("news", "language").keep
    assert Limit(30, 100_000) == mine.limits("massiveweb", "quality")["word_count"]
    assert "hash_ratio" not in mine.limits("massiveweb", "quality")
    assert 1e6 == mine.rules["width"].max


def test_the_digest_does_not_know_the_disk(tmp_path: Path) -> None:
    digests = set()
    for folder in ("a", "b"):
        text = f"subsets: {{news: {{sources: [{{format: lines, path: /{folder}/x/*.txt}}]}}}}"
        (tmp_path / f"{folder}.yaml").write_text(text, encoding="utf-8")
        digests.add(recipe.read(str(tmp_path / f"{folder}.yaml")).digest())

    assert 1 == len(digests)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("qualty: {}", "qualty: unknown key"),
        ("quality: {word_count: {min: many}}", "quality.word_count.min"),
        ("quality: {word_count: {min: 9, max: 3}}", "impossible limit: min 9 is greater than max 3"),
        ("rules: {own: {function: 'json:loads', min: 9, max: 3}}", "impossible limit: min 9"),
        ("rules: {own: {function: 'json:loads', min: .nan}}", "a limit must be a number, not NaN"),
        ("quality: {wordz: {min: 9}}", "quality.wordz: unknown key"),
        ("subsets: {news: {stages: [spelling]}}", "unknown stage 'spelling'"),
        ("subsets: {news: {sources: [{format: doc, path: x}]}}", "unknown format"),
        ("mixture: {weights: {news: 0.5}}", "weights must sum to 1, these sum to 0.5"),
        ("mixture: {weights: {poems: 1.0}}", "mixture.weights.poems: no such subset"),
        ("rules: {mine: {function: 'no.such:thing'}}", "cannot be imported"),
        *(
            (f"rules: {{{name}: {{function: 'pyarrow.compute:utf8_length'}}}}", f"rules.{name}: a column of ledgers or")
            for name in ("id", "text", "outcome", "word_count", "short_line_fraction", "test_span", "metadata")
        ),
        ("language: {keep: {en: 1.5}}", "language.keep.en"),
        ("contamination: {limits: {contamination_aligned: 0.8}}", "contamination.limits.contamination_aligned"),
        ("testsets: [{name: a, path: b, titles: true, titles_in: [poems]}]", "titles_in: no subset 'poems'"),
        ("testsets: [{name: a, path: b, titles_in: [news]}]", "the test set has no `titles` to remove"),
        (
            "subsets: {news: {stages: [language]}}\ntestsets: [{name: a, path: b, titles: true, titles_in: [news]}]",
            "'news' has no stage `contamination`",
        ),
        ("seed: -1", "seed"),
        ("seed: 1\nseed: 2", "stands twice"),
        ("extends: nowhere.yaml", "no such recipe file"),
        ("extends: mine.yaml", "round in a circle"),
        ("- a\n- b", "expected a mapping"),
        ("a: [", "not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "not YAML"),
        ("tokenizer: ${NO_SUCH_NAME}", "set the environment variable NO_SUCH_NAME"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        recipe.read(str(tmp_path / "mine.yaml"))

    assert said in str(caught.value)
    assert 2 == caught.value.exit_status


BOOLEANS = (
    *("mixture.tokens", "mixture.max_epochs", "mixture.shard_bytes", "mixture.weights.news"),
    *("seed", "max_failed", "rejected", "isolation.seconds", "isolation.memory"),
    *("quality.word_count.min", "quality.by_language.de.word_count.max", "subsets.news.quality.word_count.min"),
    *("c4.lines.min_words", "deduplication.threshold", "contamination.max_documents", "common_lines.max_pages"),
    *("rules.own.min", "scores.own.keep"),
)


@pytest.mark.parametrize("key", BOOLEANS)
@pytest.mark.parametrize("value", ["true", "false"])
def test_a_boolean_is_no_number(key: str, value: str) -> None:
    """Python has True for 1."""
    with pytest.raises(RecipeError) as caught:
        recipe.read("gopher", [f"{key}={value}"])

    assert re.search(rf"--set {key}: expected .*number.* \(value: {value.title()}\)", str(caught.value))


def test_a_boolean_within_a_list_is_no_number() -> None:
    with pytest.raises(RecipeError, match=r"scores\.own\.buckets\.1: expected a number \(value: True\)"):
        recipe.read("gopher", ["scores={own: {model: x, buckets: [0.5, true]}}"])


@pytest.mark.parametrize(("value", "tokens"), [("1e3", 1000), ("1_000", 1000), ("'10'", 10), ("max", "max")])
def test_numbers_of_a_recipe(value: str, tokens: object) -> None:
    assert tokens == recipe.read("gopher", [f"mixture.tokens={value}"]).mixture.tokens


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(RecipeError, match="expected key=value"):
        recipe.read("gopher", ["seed"])


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("language: {keep: {english: 0.5}}", "language.keep.english: the packaged model knows no such language"),
        ("language: {keep: {EN: 0.5}}", "expected a code such as en, de or zh; did you mean 'en'?"),
        ("quality: {by_language: {xx: {word_count: {min: 5}}}}", "quality.by_language.xx: the packaged model"),
        ("language: {keep: {no: 0.5, zh: 0.6}}\nquality: {by_language: {no: {word_count: null}}}", None),
        (f"language: {{keep: {{english: 0.5}}, model: {language.MODEL}}}", None),
    ],
)
def test_languages_that_no_document_can_have_are_refused(tmp_path: Path, block: str, message: str | None) -> None:
    stages = "sources: [{format: lines, path: x.txt}], stages: [language, quality]"
    (tmp_path / "mine.yaml").write_text(f"subsets: {{news: {{{stages}}}}}\n{block}\n", "utf-8")
    mine = recipe.read(str(tmp_path / "mine.yaml"))

    if message is None:
        return mine.check()
    with pytest.raises(RecipeError, match=re.escape(message)):
        mine.check()
