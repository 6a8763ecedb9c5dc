"""`massivetext validate RECIPE`: is this a recipe that can be run?"""

from __future__ import annotations

import click


@click.command()
@click.argument("recipe")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Lay a value over the recipe's.")
def validate(recipe: str, settings: tuple[str, ...]) -> None:
    """Check RECIPE, a file or one of gopher, chinchilla, fineweb, and say what it holds.

    \b
    massivetext validate gopher
    massivetext validate mine.yaml --set quality.word_count.min=30
    """
    from pipelines import recipe as recipes

    found = recipes.read(recipe, settings)
    for name, subset in found.subsets.items():
        weight = found.mixture.weights.get(name, 0)
        click.echo(f"{name:<12} weight {weight:<6g} {len(subset.sources)} sources, stages: {', '.join(subset.stages)}")
    click.echo(f"digest {found.digest()}")
