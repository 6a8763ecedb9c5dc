"""`massivetext mix RECIPE --output DIR`: the mixture, after all other stages."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._running import execute, stage_options


@click.command()
@stage_options
def mix(**options: Any) -> None:
    """The mixture, after all other stages.

    What stands in DIR already, of the same recipe and input, is not done again.

    \b
    massivetext mix mine.yaml --output out --workers 2
    """
    execute("mix", **options)
