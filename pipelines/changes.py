"""Which changes of a recipe a ledger can answer for: other per-document limits, and nothing else."""

from __future__ import annotations

from typing import Any

from massivetext.errors import RecipeError
from massivetext.looking import recipe_differences as differences
from pipelines.judgement import JUDGED
from pipelines.recipe import RULE_FAMILIES, Recipe

__all__ = ["answerable", "differences"]

_EVIDENCE = "duplicates are found from the texts, after the per-document rules"
_TESTS = "test-set filtering comes after the per-document rules, from what the texts were compared with"
_LANGUAGE = "languages would have to be told again"
_SAFE = "scores would have to be measured again"

_NEEDS = {
    "count_duplicates": "the repetition signals would have to be measured again",
    "deduplication": _EVIDENCE,
    "contamination": _TESTS,
    "testsets": _TESTS,
    "extraction": "pages would have to be extracted again",
    "isolation": "which documents are given up would have to be found again",
    "language": _LANGUAGE,
    "pii": "the texts would be other ones",
    "rules": "no ledger holds what this function would measure",
    "safe_search": _SAFE,
    "seed": "it decides which duplicate is kept",
    "tokenizer": "tokens would have to be counted again",
}
"""Why a block, but for its limits, is beyond a ledger."""


def answerable(old: Recipe, new: Recipe) -> list[str]:
    """The changes of per-document limits, `c4: quality.word_count.min: 50.0 -> 30.0`, by subset.

    Sources, `mixture`, `rejected` and `max_failed` are not compared: they decide on no document. Raises RecipeError for
    a change that the ledger of `old` cannot answer, naming each with the reason.
    """
    found: list[str] = []
    refused: list[str] = []
    for subset in old.filled:
        if subset not in new.subsets:
            raise RecipeError(f"subsets.{subset}: this recipe has no such subset, and the ledger has")
        before, after = set(old.subsets[subset].stages), set(new.subsets[subset].stages)
        for stage in sorted((before ^ after) - {"extraction"}):
            if stage in JUDGED and stage in before:
                found.append(f"{subset}: stages: without {stage}")
            else:
                sign, why = ("with", "was not measured") if stage in after else ("without", "shapes what comes after")
                refused.append(f"{subset}: stages: {sign} {stage}: the stage {why} in this run")
        for line in differences(_shaping(old, subset, before & after), _shaping(new, subset, before & after)):
            key, _, values = line.partition(": ")
            if _is_limit(key.split("."), values):
                found.append(f"{subset}: {line}")
            else:
                refused.append(f"{subset}: {line}: {_NEEDS[key.partition('.')[0]]}")
    if refused:
        lines = "\n".join(f"  {line}" for line in dict.fromkeys(refused))
        raise RecipeError(
            f"these are no per-document limits, which alone a ledger can answer for:\n{lines}\n"
            "`massivetext run --update` with them redoes what they touch"
        )
    return found


def _is_limit(names: list[str], values: str) -> bool:
    """Whether a key of `_shaping` is applied to the columns of a ledger."""
    if names[0] == "language":
        return names[1] == "keep"
    if names[0] == "safe_search":
        return names[1] == "safe_search_score"
    if names[0] == "rules":
        return names[2:] in (["min"], ["max"]) or (len(names) == 2 and values.endswith("-> None"))
    return names[0] == "licence" or names[0] in RULE_FAMILIES


def _shaping(recipe: Recipe, subset: str, stages: set[str]) -> dict[str, Any]:
    """What shapes a document's row of the ledger, as it holds for a subset that goes through the stages."""
    shaping: dict[str, Any] = {
        "seed": recipe.seed,
        "tokenizer": recipe.tokenizer,
        "isolation": recipe.isolation and recipe.isolation.model_dump(),
        "extraction": recipe.block(subset, "extraction").model_dump(),
    }
    for stage in sorted(stages - {"extraction"}):
        if stage in RULE_FAMILIES:
            limits = recipe.limits(subset, stage)
            shaping[stage] = {name: {"min": limit.min, "max": limit.max} for name, limit in limits.items()}
        elif stage == "rules":
            shaping[stage] = {name: rule.model_dump() for name, rule in recipe.rules.items()}
        else:
            block = recipe.block(subset, stage)
            shaping[stage] = block if isinstance(block, list) else block.model_dump(mode="json")
    if "repetition" in stages:
        shaping["count_duplicates"] = recipe.count_duplicates
    if "contamination" in stages:
        shaping["testsets"] = [testset.model_dump(mode="json") for testset in recipe.testsets]
    return shaping
