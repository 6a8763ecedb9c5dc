"""`massivetext recipe`: packaged recipes, and recipes as they are resolved."""

from __future__ import annotations

import click

from massivetext.cli._groups import Group
from massivetext.cli._output import echo, echo_json
from massivetext.terminal_text import one_line

__all__ = ["recipe"]


@click.group(cls=Group)
def recipe() -> None:
    """List and print packaged recipes, and print what a recipe resolves to.

    \b
    massivetext recipe list
    massivetext recipe show gopher
    """


@recipe.command("list")
@click.option("--json", "as_json", is_flag=True, help="names and first lines as JSON")
def list_recipes(as_json: bool) -> None:
    """List the packaged recipes, each with the first line of its comment.

    \b
    massivetext recipe list
    """
    from massivetext.cli._recipes import packaged_recipes, packaged_text

    lines = {name: packaged_text(name).partition("\n")[0].lstrip("# ") for name in packaged_recipes()}
    if as_json:
        echo_json(lines)
        return
    for name, line in lines.items():
        echo(f"{name:<12} {one_line(line, 62)}")


@recipe.command()
@click.argument("recipe")
@click.option("--resolved", is_flag=True, help="with everything that it extends, every default and --set laid in")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the recipe's")
@click.option("--json", "as_json", is_flag=True, help="the resolved recipe and its digest as JSON")
def show(recipe: str, resolved: bool, settings: tuple[str, ...], as_json: bool) -> None:
    """Print RECIPE, a packaged one by its name or a file: as it is written, with its comments, or resolved.

    \b
    massivetext recipe show gopher > mine.yaml
    massivetext recipe show mine.yaml --resolved
    massivetext recipe show gopher --set quality.word_count.min=30 --json
    """
    import os

    from massivetext import storage
    from massivetext.cli._recipes import packaged_recipes, packaged_text
    from massivetext.errors import RecipeError

    if resolved or settings or as_json:
        import yaml

        from pipelines.recipe import read

        whole = read(recipe, settings)
        if as_json:
            echo_json({"digest": whole.digest(), "recipe": whole.resolved()})
            return
        echo(yaml.safe_dump(whole.resolved(), sort_keys=False, allow_unicode=True).rstrip("\n"))
        return
    if recipe in packaged_recipes() and not os.path.exists(recipe):
        echo(packaged_text(recipe).rstrip("\n"))
        return
    if not storage.exists(recipe) or os.path.isdir(recipe):
        known = ", ".join(packaged_recipes())
        raise RecipeError(f"{recipe}: no such recipe file; packaged recipes are {known}")
    try:
        echo(storage.read_bytes(recipe).decode("utf-8").rstrip("\n"))
    except UnicodeDecodeError as error:
        raise RecipeError(f"{recipe}: a recipe is UTF-8 text: {error}") from error
