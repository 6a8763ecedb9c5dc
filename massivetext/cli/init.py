"""`massivetext init [FOLDER]`: write a commented recipe from what lies in a folder."""

from __future__ import annotations

import click

from massivetext.cli._output import echo
from massivetext.terminal_text import counted, visible_name


@click.command()
@click.argument("folder", default=".", metavar="[FOLDER]")
@click.option("--output", default="recipe.yaml", show_default=True, metavar="FILE", help="the recipe; - prints it")
@click.option("--force", is_flag=True, help="write over a file that is there")
@click.option("--quiet", is_flag=True, help="print nothing but errors")
def init(folder: str, output: str, force: bool, quiet: bool) -> None:
    """Write a commented recipe from what lies in FOLDER, by default this one: formats recognised, subsets proposed, the
    fields and the beginning of the first record shown. It is a draft: read it before you run it.

    \b
    massivetext init
    massivetext init crawl --output crawl.yaml
    massivetext init crawl --output -
    """
    import os

    from massivetext import storage
    from massivetext.cli._recipes import packaged_text
    from massivetext.errors import OutputError, SourceError
    from massivetext.looking.draft_recipe import draft, find_groups

    if output != "-" and os.path.exists(output) and not force:
        raise OutputError(f"{output}: is there already; give another --output, or --force to write over it")
    groups, unknown, is_cut = find_groups(folder)
    if not groups:
        suffix = f"; {counted(len(unknown), 'file')} of other kinds, such as {unknown[0]}" if unknown else ""
        raise SourceError(f"{visible_name(folder)}: holds no file that a format reads{suffix}")
    place = os.getcwd() if output == "-" else os.path.dirname(os.path.abspath(output))
    base = os.path.relpath(os.path.abspath(folder), place).replace(os.sep, "/")
    text = draft(groups, unknown, _weights(packaged_text("gopher")), base=base, is_cut=is_cut)
    if output == "-":
        echo(text.rstrip("\n"))
        return
    storage.write_bytes(output, text.encode("utf-8", "backslashreplace"))
    if quiet:
        return
    for group in groups:
        n_files = counted(len(group.files), "file")
        echo(f"{group.subset:<12} {group.format:<12} {n_files:>12}  {visible_name(group.pattern)}")
    if unknown:
        echo(f"{counted(len(unknown), 'file')} of other kinds left out")
    echo(f"\nwrote {visible_name(output)}; next:\n  massivetext validate {visible_name(output)}")


def _weights(recipe: str) -> dict[str, float]:
    """Return the weights of a recipe's mixture."""
    import yaml

    weights: dict[str, float] = yaml.safe_load(recipe)["mixture"]["weights"]
    return weights
