"""`massivetext verify DIR`: is the output whole, and does it agree with itself?"""

from __future__ import annotations

import click


@click.command()
@click.argument("folder", metavar="DIR")
def verify(folder: str) -> None:
    """Check digests, counts, schemas and order of what a run left in DIR. Exit 1 if anything is off.

    \b
    massivetext verify out
    """
    from massivetext.looking.verification import verify as check

    faults, said = check(folder)
    for line in said:
        click.echo(line)
    for line in faults:
        click.echo(f"fault: {line}", err=True)
    if faults:
        raise SystemExit(1)
    click.echo("all is as the manifests say")
