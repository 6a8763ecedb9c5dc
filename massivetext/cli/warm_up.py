"""`massivetext warm-up`: compile all kernels now, so that no run waits for it."""

from __future__ import annotations

import importlib

import click

from massivetext.cli._output import echo
from massivetext.cli._running import imports_of_a_run
from massivetext.suggestions import did_you_mean

__all__ = ["warm_up"]

_PRELOADED = "massivetext.kernels"


@click.command()
@click.option("--processes", type=click.IntRange(min=1), help="How many compile at once; as many as there are cores.")
@click.option("--portable", is_flag=True, help="For other machines too: for wheels, images and workers.")
@click.argument("names", nargs=-1)
def warm_up(names: tuple[str, ...], processes: int | None, portable: bool) -> None:
    """Compile the kernels that a first run would compile, in parallel, and keep them on disk.

    NAMES: some of extraction, "test sets", near-duplicates, language, rules; all of them by default. For images and
    new machines; takes no time where it is done already. NUMBA_CACHE_DIR names the folder to keep them in, if it is
    not to be the package's own.

    With --portable the kernels are for every x86-64 machine with AVX2, and lie with the package: a wheel or an image
    that is made of it has them, and no machine that gets it compiles.

    \b
    massivetext warm-up
    massivetext warm-up extraction near-duplicates
    massivetext warm-up --portable
    """
    from massivetext import warm_up as compiling
    from massivetext.worker_processes import fork_server_from_here

    unknown = [name for name in names if name not in compiling.JOBS]
    if unknown:
        hint = did_you_mean(unknown[0], compiling.JOBS)
        raise click.UsageError(f"unknown: {', '.join(unknown)}; expected some of {', '.join(compiling.JOBS)}{hint}")
    total = len(names or compiling.JOBS)
    done: list[str] = []

    def report(name: str, seconds: float) -> None:
        done.append(name)
        echo(f"compiled {name} ({len(done)} of {total}, {seconds:.0f} s)")

    server = None
    if not portable:
        with imports_of_a_run() as is_alone:
            importlib.import_module(_PRELOADED)
        server = fork_server_from_here(_PRELOADED) if is_alone else None
    spent = compiling.warm_up(names or None, processes=processes, report=report, portable=portable, server=server)
    echo(f"all kernels are compiled: {spent:.0f} CPU s")
