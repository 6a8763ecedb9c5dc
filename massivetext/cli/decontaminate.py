"""`massivetext decontaminate RECIPE --output DIR`: test-set filtering and the final ledger, after deduplicate."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._running import execute, stage_options


@click.command()
@stage_options
def decontaminate(**options: Any) -> None:
    """Test-set filtering and the final ledger, after deduplicate.

    What stands in DIR already, of the same recipe and input, is not done again.

    \b
    massivetext decontaminate mine.yaml --output out --workers 2
    """
    execute("decontaminate", **options)
