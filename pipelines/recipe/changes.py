"""In what two recipes differ, and which of it a ledger can answer for: other per-document limits, and nothing else."""

from __future__ import annotations

from typing import Any

from massivetext.errors import RecipeError
from massivetext.looking.recipe_diff import recipe_differences as differences
from pipelines.recipe.model import Recipe
from pipelines.stages import STAGES, named_signals
from pipelines.stages.stage import Block

__all__ = ["answerable", "recipe_differences"]

_NEEDS = {
    "count_duplicates": "the repetition signals would have to be measured again",
    "testsets": STAGES["contamination"].needs_texts,
    "isolation": "which documents are given up would have to be found again",
    "seed": "it decides which duplicate is kept",
    "tokenizer": "tokens would have to be counted again",
}
"""Why a key that is no stage's block is beyond a ledger."""


def recipe_differences(old: dict[str, Any], new: Recipe) -> list[str]:
    """Return in what a folder's recipe, in canonical form, differs from another one.

    A key that one of them does not have is compared by its default: so a folder outlives a program that learns keys.
    """
    canonical = new.canonical()
    return differences(_with_defaults(old, canonical), _with_defaults(canonical, old))


def _with_defaults(recipe: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A recipe in canonical form with the defaults of what only another one says."""
    filled = dict(recipe)
    for key, value in other.items():
        field = Recipe.model_fields.get(key)
        default = None if field is None or field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(value, dict) and isinstance(default, Block):
            defaults = default.model_dump(mode="json")
            filled[key] = {**{name: defaults.get(name) for name in value}, **filled.get(key, {})}
        elif isinstance(value, dict) and key in STAGES:
            filled[key] = {**dict.fromkeys(value), **filled.get(key, {})}
        elif key not in filled:
            filled[key] = default
    return filled


def answerable(old: Recipe, new: Recipe) -> list[str]:
    """Return the changes of per-document limits, `c4: quality.word_count.min: 50.0 -> 30.0`, by subset.

    Sources, `mixture`, `rejected` and `max_failed` are not compared: they decide on no document.

    Raises:
        RecipeError: a change that the ledger of `old` cannot answer; each is named with the reason.
    """
    answers: list[str] = []
    refused: list[str] = []
    for subset in old.filled:
        if subset not in new.subsets:
            raise RecipeError(f"subsets.{subset}: this recipe has no such subset, and the ledger has")
        before, after = set(old.subsets[subset].stages), set(new.subsets[subset].stages)
        for stage in sorted((before ^ after) - {"extraction"}):
            if STAGES[stage].judges and stage in before:
                answers.append(f"{subset}: stages: without {stage}")
            else:
                sign, why = ("with", "was not measured") if stage in after else ("without", "shapes what comes after")
                refused.append(f"{subset}: stages: {sign} {stage}: the stage {why} in this run")
        for line in differences(_shaping(old, subset, before & after), _shaping(new, subset, before & after)):
            key, _, values = line.partition(": ")
            if _is_limit(key.split("."), values):
                answers.append(f"{subset}: {line}")
            else:
                refused.append(f"{subset}: {line}: {_why_not(key.partition('.')[0])}")
    if refused:
        lines = "\n".join(f"  {line}" for line in dict.fromkeys(refused))
        raise RecipeError(
            f"these are no per-document limits, which alone a ledger can answer for:\n{lines}\n"
            "`massivetext run --update` with them redoes what they touch"
        )
    return answers


def _why_not(key: str) -> str:
    return _NEEDS[key] if key in _NEEDS else STAGES[key].needs_texts


def _is_limit(names: list[str], values: str) -> bool:
    """Whether a key of `_shaping` is applied to the columns of a ledger."""
    if names[0] not in STAGES:
        return False
    if names[0] in named_signals() and len(names) == 2:
        return values.endswith("-> None")
    return STAGES[names[0]].is_limit(names[1:])


def _shaping(recipe: Recipe, subset: str, stages: set[str]) -> dict[str, Any]:
    """What shapes a document's row of the ledger, as it holds for a subset that goes through the stages."""
    shaping: dict[str, Any] = {
        "seed": recipe.seed,
        "tokenizer": recipe.tokenizer,
        "isolation": recipe.isolation and recipe.isolation.model_dump(),
        "extraction": recipe.block(subset, "extraction").model_dump(),
    }
    for stage in sorted(stages - {"extraction"}):
        block = recipe.block(subset, stage)
        if isinstance(block, Block):
            shaping[stage] = block.model_dump(mode="json", exclude_none=True)
        elif isinstance(block, dict):
            shaping[stage] = {name: rule.model_dump() for name, rule in block.items()}
        else:
            shaping[stage] = block
    if "repetition" in stages:
        shaping["count_duplicates"] = recipe.count_duplicates
    if "contamination" in stages:
        shaping["testsets"] = [testset.model_dump(mode="json") for testset in recipe.testsets]
    return shaping
