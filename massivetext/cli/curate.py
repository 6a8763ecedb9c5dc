"""`massivetext curate RECIPE --output DIR`: the pass over the text: read, extract, measure, judge."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._running import execute, stage_options


@click.command()
@stage_options
def curate(**options: Any) -> None:
    """The pass over the text: read, extract, measure, judge.

    What stands in DIR already, of the same recipe and input, is not done again.

    \b
    massivetext curate mine.yaml --output out --workers 2
    """
    execute("curate", **options)
