"""`massivetext deduplicate RECIPE --output DIR`: exact and near-duplicates, after curate."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._running import execute, stage_options


@click.command()
@stage_options
def deduplicate(**options: Any) -> None:
    """Exact and near-duplicates, after curate.

    What stands in DIR already, of the same recipe and input, is not done again.

    \b
    massivetext deduplicate mine.yaml --output out --workers 2
    """
    execute("deduplicate", **options)
