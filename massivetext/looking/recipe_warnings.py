"""Warnings about valid but probably mistaken recipes, which `validate` prints before any work is done."""

from __future__ import annotations

from collections.abc import Iterator

from massivetext import storage
from massivetext.errors import RecipeError
from massivetext.looking.recipe_view import RecipeView
from massivetext.tokenizers import read_tokenizer

__all__ = ["check_testsets", "recipe_warnings", "testset_warnings"]

_EPOCHS = 4
"""Beyond them repeated text teaches less and less (Muennighoff et al., arXiv 2305.16264)."""
_FAILED = 0.05
"""A larger `max_failed` would let a broken reader or download pass."""


def check_testsets(recipe: RecipeView) -> None:
    """Check that every test set has files. Raises RecipeError for one whose path matches none."""
    for number, testset in enumerate(recipe.testsets):
        if not storage.find(testset.path):
            raise RecipeError(
                f"testsets.{number}.path: no file matches {testset.path!r}; expected a file, a folder or a pattern"
            )


def testset_warnings(recipe: RecipeView) -> list[str]:
    """Return a warning for each test set of which more than a tenth of the items is not searched for.

    Reads the test sets. Raises RecipeError or SourceError for one that cannot be read.
    """
    from massivetext.contamination import Members, TestSet

    counts = (Members.count(TestSet.of(testset)) for testset in recipe.testsets)
    return [warning for count in counts if (warning := count.warning()) is not None]


def recipe_warnings(recipe: RecipeView) -> list[str]:
    """Return `key: what will happen; what helps`, a line each, in the order of a recipe's keys."""
    return [*_subsets(recipe), *_stages(recipe), *_limits(recipe), *_mixture(recipe)]


def _subsets(recipe: RecipeView) -> Iterator[str]:
    if not recipe.filled:
        yield "subsets: none has sources, so `run` has nothing to do; list files under subsets.<name>.sources"
        return
    unweighted = [name for name in recipe.filled if not recipe.mixture.weights.get(name)]
    for name in unweighted:
        yield f"mixture.weights.{name}: is 0 or missing, so the subset is curated and never mixed; give it a weight"
    empty = [name for name, weight in recipe.mixture.weights.items() if weight and name not in recipe.filled]
    if empty:
        yield (
            f"mixture.weights: {', '.join(empty)} have weight and no sources; the other weights are scaled to sum to 1"
        )


def _stages(recipe: RecipeView) -> Iterator[str]:
    stages_of = {name: recipe.subsets[name].stages for name in recipe.filled}
    tested = [name for name, stages in stages_of.items() if "contamination" in stages]
    if tested and not recipe.testsets:
        yield f"testsets: none is named, so the stage contamination of {', '.join(tested)} looks for nothing"
    untested = [name for name in stages_of if name not in tested]
    if recipe.testsets and untested:
        yield f"subsets.{untested[0]}.stages: without contamination test items stay in {', '.join(untested)}"
    for stage in recipe.named_signals:
        if recipe.signals(stage) and stages_of and not any(stage in stages for stages in stages_of.values()):
            names = ", ".join(recipe.signals(stage))
            yield f"{stage}: no subset declares the stage {stage}, so {names} are not measured"
    if "github" in stages_of and "licence" not in stages_of["github"]:
        yield "subsets.github.stages: without licence code of any licence, or of none, is kept"
    for name, stages in stages_of.items():
        for stage in recipe.stage_names:
            # The block of extraction holds for every page, declared or not.
            has_block = stage != "extraction" and getattr(recipe.subsets[name], stage, None) is not None
            if has_block and stage not in stages:
                yield f"subsets.{name}.{stage}: has no effect, for the subset does not declare the stage"
        block = recipe.block(name, "safe_search")
        if "safe_search" in stages and not (block.terms or block.model or block.block_lists):
            yield f"subsets.{name}.safe_search: terms, model and block_lists are all off, so no page is found unsafe"


def _limits(recipe: RecipeView) -> Iterator[str]:
    for name in recipe.filled:
        if recipe.goes_through(name, "quality") and recipe.goes_through(name, "language"):
            others = sorted(set(recipe.block(name, "language").keep) - {"en"} - _with_stop_words(recipe, name))
            if others and "stop_word_count" in recipe.limits(name, "quality"):
                yield (
                    f"quality.stop_word_count: counts English words, and so removes text in {', '.join(others)} that "
                    f"language.keep lets through; set subsets.{name}.quality.stop_word_count to null"
                )
        for stage in recipe.rule_families:
            if recipe.goes_through(name, stage) and not recipe.limits(name, stage):
                yield f"{stage}: the stage of {name} has no limits, so it measures and removes nothing"
    if recipe.max_failed > _FAILED:
        yield f"max_failed: {recipe.max_failed:g} bears a broken reader or a broken download without a word"


def _with_stop_words(recipe: RecipeView, subset: str) -> set[str]:
    """Languages of whose documents a subset does not ask for English stop words."""
    block = recipe.block(subset, "quality")
    if block.stop_words == "iso":
        return set(recipe.block(subset, "language").keep)
    own = {language for language, limits in block.by_language.items() if "stop_word_count" in limits}
    return own | (set(block.stop_words) if isinstance(block.stop_words, dict) else set())


def _mixture(recipe: RecipeView) -> Iterator[str]:
    if recipe.tokenizer is not None:
        # Raises RecipeError for a name that is no file, such as gpt2: nothing is downloaded.
        yield from (f"tokenizer: {note}" for note in read_tokenizer(recipe.tokenizer).notes)
    if recipe.filled and recipe.tokenizer is None:
        yield "tokenizer: none is named, so tokens are estimated as a quarter of the bytes; name a model's file"
    if recipe.mixture.max_epochs > _EPOCHS:
        yield f"mixture.max_epochs: {recipe.mixture.max_epochs:g}; beyond {_EPOCHS} repeated text teaches less and less"
