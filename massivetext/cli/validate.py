"""`massivetext validate RECIPE`: is this a recipe that can be run?"""

from __future__ import annotations

import textwrap
from typing import Any

import click

from massivetext.cli._output import echo, echo_json
from massivetext.cli._running import imports_of_a_run
from massivetext.cli._trust import looks_at_recipe
from massivetext.terminal_text import counted, size_in_words


@click.command()
@click.argument("recipe")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the recipe's")
@click.option("--quiet", is_flag=True, help="say nothing but errors and warnings")
@click.option("--json", "as_json", is_flag=True, help="subsets, files, warnings and digest as JSON")
@looks_at_recipe
def validate(recipe: str, settings: tuple[str, ...], quiet: bool, as_json: bool) -> None:
    """Check RECIPE, a file or the name of a packaged one: every key, and that its files are there; say what it
    holds. Exit 2 with the key, its value and what was expected if it cannot be run here; warn of what can be run and
    would be regretted.

    \b
    massivetext validate gopher
    massivetext validate mine.yaml --set quality.word_count.min=30
    """
    with imports_of_a_run():
        from massivetext.looking.recipe_warnings import check_testsets, recipe_warnings, testset_warnings
        from pipelines import recipe as recipes
        from pipelines.input_splits import find_parts, source_warnings
        from pipelines.weights import check_weights

    whole = recipes.read(recipe, settings)
    check_testsets(whole)
    whole.check()
    parts = find_parts(whole)
    if whole.filled and any(whole.mixture.weights.get(name) for name in whole.filled):
        check_weights(whole, parts)
    warnings = [*recipe_warnings(whole), *testset_warnings(whole), *source_warnings(parts)]
    subsets: dict[str, dict[str, Any]] = {}
    for name, subset in whole.subsets.items():
        own = [part for part in parts if part.subset == name]
        subsets[name] = {
            "weight": whole.mixture.weights.get(name, 0),
            "files": len({file.source for part in own for file in part.members}),
            "parts": len(own),
            "bytes": sum(part.n_bytes for part in own),
            "stages": list(subset.stages),
        }
    digest = whole.digest()
    if as_json:
        echo_json({"digest": digest, "subsets": subsets, "warnings": warnings})
        return
    if not quiet:
        for name, data in subsets.items():
            echo(
                f"{name:<12} weight {data['weight']:<6g} {counted(data['files'], 'file')}, "
                f"{size_in_words(data['bytes'])}, {counted(data['parts'], 'part')}"
            )
            stages = textwrap.wrap("stages: " + ", ".join(data["stages"]), 67)
            echo("\n".join(f"{'':<12} {line}" for line in stages))
        for testset in whole.testsets:
            echo(f"test set     {testset.name}")
        echo(f"digest {digest}")
    for line in warnings:
        echo(f"warning: {line}", err=True)
