"""`massivetext verify DIR`: is the output whole, and does it agree with itself?"""

from __future__ import annotations

import click

from massivetext.cli._output import echo, echo_json
from massivetext.cli._trust import looks
from massivetext.terminal_text import visible_name


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--workers", type=click.IntRange(1), help="files read at a time  [default: a processor each]")
@click.option("--json", "as_json", is_flag=True, help="what was checked and every fault as JSON")
@looks
def verify(folder: str, workers: int | None, as_json: bool) -> None:
    """Check digests, counts, schemas and order of what a run left in DIR. Exit 1 if anything is off.

    \b
    massivetext verify out
    """
    from massivetext.looking.verification import verify as check
    from massivetext.parquet import sparing_memory

    with sparing_memory():
        faults, checked = check(folder, workers=workers)
    if as_json:
        echo_json({"checked": checked, "faults": faults})
        raise SystemExit(1 if faults else 0)
    for line in checked:
        echo(visible_name(line))
    for line in faults:
        echo(f"fault: {visible_name(line)}", err=True)
    if faults:
        raise SystemExit(1)
    echo("everything agrees with the manifests")
