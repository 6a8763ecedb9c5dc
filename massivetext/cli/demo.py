"""`massivetext demo --output DIR`: the main job on real input that every machine has, the interpreter's own library."""

from __future__ import annotations

import click

from massivetext.cli._output import echo
from massivetext.terminal_text import visible_name


@click.command()
@click.option("--output", required=True, metavar="DIR", help="where the corpus and everything made of it is written")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="worker processes")
@click.option("--quiet", is_flag=True, help="say nothing but errors")
def demo(output: str, workers: int, quiet: bool) -> None:
    """Build a small corpus from the interpreter's library (its documentation as a web archive, its sources as code) and
    run the main job on it, from web archive to mixture.

    \b
    massivetext demo --output demo
    """
    import os

    from massivetext.cli._running import execute
    from massivetext.demo import build, check_output, rejected_page

    target = os.path.join(output, "out")
    check_output(target)
    recipe = build(os.path.join(output, "corpus"))
    # It has imported every module of the library: no worker should begin with those.
    click.get_current_context().find_root().obj = None
    if not quiet:
        echo(f"corpus and recipe: {os.path.dirname(recipe)}")
    execute("mix", recipe, target, workers=workers, update=True, quiet=quiet)
    if quiet:
        return
    echo(
        f"\nlook into it:\n"
        f"  massivetext inspect {target} --where \"outcome = 'rejected'\" --columns id,url,reason --rows 3\n"
        f"  massivetext report {target}\n  massivetext verify {target}"
    )
    example = rejected_page(target)
    if example is not None:
        page, setting = example
        echo(f"why was {visible_name(page['url'])} removed?\n  massivetext explain {target} {page['id'][:12]}")
        echo(f"and what if that rule were relaxed?\n  massivetext what-if {target} --set {setting}")
