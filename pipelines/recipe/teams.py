"""Subsets that are deduplicated together, and the indexes of other runs that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from massivetext.dedup.index import read_index
from massivetext.dedup.scope import Part
from massivetext.errors import OutputError, RecipeError

if TYPE_CHECKING:
    from pipelines.recipe.model import RecipeBase

__all__ = ["block_of", "indexed_parts", "teams"]


def block_of(recipe: RecipeBase, team: Sequence[str]) -> Any:
    """Return the block `deduplication` that holds for subsets that are deduplicated together."""
    return recipe.common("deduplication") if len(team) > 1 else recipe.block(team[0], "deduplication")


def indexed_parts(block: Any, team: Sequence[str]) -> list[Part]:
    """Return the parts of the indexes in `against` for some subsets.

    Args:
        block: `deduplication`, as it holds for the subsets.
        team: The subsets, which are deduplicated together.

    Raises:
        RecipeError: a path of `against` has no index that can be used, or none has documents of these subsets and
            `only_against` is set.
    """
    parts = []
    for number, path in enumerate(block.against):
        try:
            parts += read_index(path, team, captures=block.newest_capture)
        except OutputError as error:
            raise RecipeError(f"deduplication.against.{number}: {error}") from error
    if block.only_against and not parts:
        raise RecipeError(
            f"deduplication.only_against: no index of {', '.join(block.against)} has documents of "
            f"{', '.join(team)}, so there is nothing to compare with"
        )
    return parts


def teams(recipe: RecipeBase) -> list[list[str]]:
    """Return the subsets that are deduplicated together, in order of preference.

    Raises:
        RecipeError: `deduplication.across` names what is no subset, or subsets that cannot be compared.
    """
    subsets = [name for name in recipe.filled if recipe.goes_through(name, "deduplication")]
    common = recipe.common("deduplication")
    across = list(common.across)
    for number, name in enumerate(across):
        if name not in recipe.subsets or name in across[:number]:
            raise RecipeError(
                f"deduplication.across.{number}: {name!r}; expected subsets of the recipe, each once: "
                + ", ".join(sorted(recipe.subsets))
            )
        if name in recipe.filled and name not in subsets:
            raise RecipeError(
                f"deduplication.across.{number}: {name!r} has no stage `deduplication`; add it to "
                f"subsets.{name}.stages, or leave the subset out here"
            )
        own = recipe.block(name, "deduplication")
        if (own.threshold, own.recall) != (common.threshold, common.recall):
            raise RecipeError(
                f"subsets.{name}.deduplication: threshold {own.threshold:g} and recall {own.recall:g} differ from the "
                f"recipe's {common.threshold:g} and {common.recall:g}; subsets that are deduplicated across each other "
                "(deduplication.across) share them"
            )
    together = [name for name in across if name in subsets]
    return ([together] if together else []) + [[name] for name in subsets if name not in across]
