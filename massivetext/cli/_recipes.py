"""Recipes for the commands that look at a finished run. What reads them is `pipelines.recipe`, imported on use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from massivetext.cli._running import imports_of_a_run

__all__ = ["changed_recipe", "packaged_recipes", "packaged_text", "run_recipe"]


def packaged_recipes() -> list[str]:
    """Return the names of the recipes that ship with the package."""
    from importlib.resources import files

    entries = files("pipelines").joinpath("recipe/packaged").iterdir()
    return sorted(entry.name.removesuffix(".yaml") for entry in entries if entry.name.endswith(".yaml"))


def packaged_text(name: str) -> str:
    """Return the YAML of a packaged recipe, with its comments."""
    from importlib.resources import files

    return files("pipelines").joinpath(f"recipe/packaged/{name}.yaml").read_text("utf-8")


def run_recipe(folder: str) -> Any:
    """Return the recipe that DIR/recipe.yaml holds. Raises OutputError if there is none that this version reads.

    Code that it names is not imported, unless within `massivetext.foreign_code.code_trusted`.
    """
    from pydantic import ValidationError

    from massivetext.errors import OutputError
    from massivetext.foreign_code import code_of_folder
    from massivetext.report.course import recipe_of

    with imports_of_a_run():
        from pipelines.recipe import Recipe

    try:
        with code_of_folder():
            return Recipe.model_validate(recipe_of(folder)["recipe"])
    except ValidationError as error:
        raise OutputError(f"{folder}/recipe.yaml: is not a recipe that this version reads: {error}") from error


def changed_recipe(folder: str, path: str | None, settings: Sequence[str]) -> Any:
    """Return a recipe to compare a run with.

    Args:
        folder: The run's output folder.
        path: Another recipe, laid over the run's sources; None for the run's own.
        settings: `key.sub=value` to lay over that recipe.

    Raises:
        RecipeError: If the recipe cannot be read, or lacks a subset of the run.
        OutputError: If the folder is not that of a run.
    """
    from massivetext.errors import RecipeError

    with imports_of_a_run():
        from pipelines.recipe import read, with_settings

    recipe = run_recipe(folder)
    if path is None:
        return with_settings(recipe, settings, f"{folder}/recipe.yaml")
    other = read(path, settings)
    missing = sorted(set(recipe.filled) - set(other.subsets))
    if missing:
        raise RecipeError(f"{path}: subsets: has no {', '.join(missing)}, and the ledger in {folder} has")
    subsets = {
        name: subset.model_copy(update={"sources": recipe.subsets[name].sources if name in recipe.subsets else []})
        for name, subset in other.subsets.items()
    }
    return other.model_copy(update={"subsets": subsets})
