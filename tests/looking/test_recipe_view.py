"""The class of recipes is what the modules that look at a run expect of it."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from massivetext.looking import RecipeView, recipe_differences
from pipelines.recipe import Recipe, read

MEMBERS = [name for name in vars(RecipeView) if not name.startswith("_")]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("view") / "recipe.yaml"
    path.write_text(
        "subsets: {c4: {sources: [{format: lines, path: x}], stages: [quality, rules, deduplication]}}\n"
        "rules: {size: {function: 'pyarrow.compute:utf8_length', max: 9}}\nmixture: {weights: {c4: 1}}\n",
        "utf-8",
    )
    return read(str(path))


@pytest.mark.parametrize("name", MEMBERS)
def test_a_recipe_has_each_member_with_its_parameters(recipe: Recipe, name: str) -> None:
    expected = vars(RecipeView)[name]

    assert hasattr(recipe, name)
    if not isinstance(expected, property):
        declared = list(inspect.signature(expected).parameters)[1:]
        assert declared == list(inspect.signature(getattr(recipe, name)).parameters)


def test_the_stages_agree_with_each_other(recipe: Recipe) -> None:
    stages = list(recipe.stage_names)

    assert {*recipe.rule_families, *recipe.judging_stages, *recipe.later_stages} <= set(stages)
    assert [stage for stage in stages if stage in recipe.judging_stages] == list(recipe.judging_stages)
    assert all(recipe.signals(family) for family in recipe.rule_families)
    assert ["size"] == list(recipe.signals("rules"))
    assert [] == list(recipe.signals("deduplication"))
    assert set(recipe.limits("c4", "quality")) <= set(recipe.signals("quality"))
    assert {*recipe.signals("quality"), "size"} >= set(recipe.judged_columns("c4"))


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("quality.word_count", "50 to 100,000"),
        ("rules.size", "9 or less"),
        ("repetition.duplicate_line_fraction", "no limit"),
        ("duplicate.near", "J 0.8 or less with any kept"),
    ],
)
def test_limits_in_words(recipe: Recipe, reason: str, words: str) -> None:
    assert words == recipe.limit_in_words("c4", reason)


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        ({}, {}, []),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, ["a.c: 2 -> 3"]),
        ({"b": 1}, {"a": [1]}, ["a: None -> [1]", "b: 1 -> None"]),
        ({"a": {"b": 1}}, {"a": "x"}, ["a: {'b': 1} -> 'x'"]),
        ({1: True}, {1: 1}, []),
    ],
)
def test_differences_are_leaves(old: object, new: object, lines: list[str]) -> None:
    assert lines == recipe_differences(old, new)


def test_a_recipe_that_is_written_and_read_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "deduplication: {keep: longest}\n"
        "subsets:\n"
        "  c4:\n"
        "    sources: [{format: lines, path: x}]\n"
        "    stages: [quality, deduplication]\n"
        "    deduplication: {threshold: 0.9}\n"
        "    quality: {word_count: null, hash_ratio: {max: 0.2}}\n"
        "mixture: {weights: {c4: 1}}\n",
        "utf-8",
    )
    recipe = read(str(tmp_path / "recipe.yaml"))
    again = Recipe.model_validate(recipe.resolved())

    assert recipe.digest() == again.digest()
    assert ("longest", 0.9) == (again.block("c4", "deduplication").keep, again.block("c4", "deduplication").threshold)
    assert recipe.limits("c4", "quality") == again.limits("c4", "quality")
    assert "word_count" not in again.limits("c4", "quality")


def test_nothing_that_looks_at_a_run_names_pipelines() -> None:
    folder = Path(inspect.getfile(RecipeView)).parent
    for path in [*folder.glob("*.py"), folder.parent / "removal.py", folder.parent / "demo.py"]:
        for line in path.read_text("utf-8").splitlines():
            assert not line.lstrip().startswith(("from pipelines", "import pipelines", "from filters")), path
