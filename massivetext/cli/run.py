"""`massivetext run RECIPE --output DIR`: the main job: every stage that DIR does not already hold."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._running import execute, stage_options


@click.command()
@stage_options
def run(**options: Any) -> None:
    """The main job: every stage that DIR does not already hold.

    What stands in DIR already, of the same recipe and input, is not done again.

    \b
    massivetext run mine.yaml --output out --workers 2
    """
    execute("mix", **options)
