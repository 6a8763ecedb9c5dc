"""`massivetext report DIR`: one self-contained HTML page of what a run did."""

from __future__ import annotations

import click

from massivetext.cli._output import echo
from massivetext.cli._trust import looks
from massivetext.terminal_text import visible_name


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--output", "path", metavar="FILE", help="where to write the page  [default: in DIR/report]")
@click.option("--samples", type=click.IntRange(0, 50), default=3, show_default=True, help="documents shown a rule")
@click.option("--seed", type=int, help="which documents are shown  [default: the recipe's seed]")
@click.option("--against", metavar="DIR2", help="a page about this run beside another one, in place of its own")
@click.option("--quiet", is_flag=True, help="say nothing but errors")
@looks
def report(folder: str, path: str | None, samples: int, seed: int | None, against: str | None, quiet: bool) -> None:
    """Write one HTML page about the run in DIR: the funnel, lengths, every signal with its limit, documents near a
    limit, rules that fire together, languages, hosts, years, duplicates, test sets, the mixture, the run itself, and
    documents to look at. It needs no network, has no script, and prints. With --against the page shows two runs side by
    side, and the documents that one keeps and the other does not.

    \b
    massivetext report out
    massivetext report out --output week-12.html --samples 10
    massivetext report out-june --against out-july
    """
    from massivetext import report as reports

    if against is None:
        written = reports.write(folder, path, samples=samples, seed=seed)
    else:
        from massivetext.cli._recipes import run_recipe
        from massivetext.looking.diff import diff

        recipes = (run_recipe(folder), run_recipe(against))
        written = reports.write_comparison((folder, against), diff(folder, against, recipes, examples=samples), path)
    if not quiet:
        echo(visible_name(written))
