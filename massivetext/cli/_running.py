"""What the commands that run stages share: their options, their progress, and the funnel at the end."""

from __future__ import annotations

import functools
import gc
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from typing import Any

import click

from massivetext.cli._output import echo, show_rich
from massivetext.cli._process import WHOLE_PROCESS
from massivetext.cli._progress import Progress, logging_to
from massivetext.terminal_text import size_in_words, visible_name

__all__ = ["execute", "imports_of_a_run", "stage_options"]

_RUNNER = "FnApiRunner"
_UNUSED = ("boto3", "httplib2", "regex", "requests")
"""Modules that Beam imports, if they are installed, for services that it would read and write itself."""


def stage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """RECIPE and the options of `run` and of the single stages."""
    decorators = [
        click.argument("recipe"),
        click.option("--output", required=True, metavar="DIR", help="where everything is written; a path or a URL"),
        click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="processes a machine"),
        click.option("--runner", default=_RUNNER, show_default=True, help="Beam runner"),
        click.option("--memory", type=click.IntRange(256), default=2048, show_default=True, help="MB a machine"),
        click.option("--update", is_flag=True, help="redo the stages that a changed recipe touches"),
        click.option("--check-inputs", is_flag=True, help="compare sources with those of the last run by their bytes"),
        click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the recipe's"),
        click.option("--quiet", is_flag=True, help="print nothing but errors"),
        click.option("--verbose", is_flag=True, help="print details too, such as the recall of deduplication"),
        click.option("--log-json", is_flag=True, help="one JSON object a line instead of progress and tables"),
        click.argument("beam_options", nargs=-1, type=click.UNPROCESSED),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


def execute(
    through: str,
    recipe: str,
    output: str,
    *,
    workers: int = 1,
    runner: str = _RUNNER,
    memory: int = 2048,
    update: bool = False,
    check_inputs: bool = False,
    settings: tuple[str, ...] = (),
    quiet: bool = False,
    verbose: bool = False,
    log_json: bool = False,
    beam_options: tuple[str, ...] = (),
) -> None:
    """Run the stages up to `through`; print the funnel and where things are; exit 1 if sources failed.

    Args:
        through: The last command that is run.
        recipe: The recipe's file, or the name of a packaged one.
        output: Where everything is written.
        workers, runner, memory, update, check_inputs, settings, beam_options: The options of that name.
        quiet, verbose, log_json: How much is printed, and how.
    """
    from massivetext import storage
    from massivetext.finished_run import finished_run, nothing_done

    progress = Progress(quiet=quiet, as_json=log_json, verbose=verbose)
    asked = _asked(through, recipe, settings)
    # An engine of the user's choice is tried even where it has nothing to do.
    is_plain = runner == _RUNNER and not beam_options and not check_inputs
    answer = finished_run(output, asked) if is_plain else None
    if answer is not None:
        for line in answer["notes"]:
            progress.say(line)
        progress.say(nothing_done(output))
    else:
        execution = {"runner": runner, "workers": workers, "beam_options": beam_options, "memory": memory << 20}
        options = {"through": through, "update": update, "check_inputs": check_inputs}
        answer = _run(recipe, output, settings, progress, asked, execution, options)
    mixture = answer["mixture"] and storage.join(storage.local_path(output), "mixture", answer["mixture"])
    if log_json:
        level = "error" if answer["failures"] else "info"
        progress.event("end", level, counts=answer["counts"], failures=answer["failures"], mixture=mixture)
    elif not quiet:
        _funnel(answer["counts"], estimated=answer["estimated"])
        echo(f"\nledger    {visible_name(output)}/ledger\ncurated   {visible_name(output)}/curated")
        if mixture:
            echo(f"mixture   {visible_name(mixture)}")
    _print_failures(answer["failures"])
    if answer["failures"]:
        raise SystemExit(1)


def _print_failures(failures: Sequence[str]) -> None:
    for line in failures:
        echo(f"failed: {visible_name(line)}", err=True)


@contextmanager
def imports_of_a_run(*, is_here: bool = True) -> Iterator[bool]:
    """Import in this block what works on documents: at once, in a process that is a command's alone.

    The collector of garbage looks at all that was imported again and again, which takes a tenth of the time, and there
    is no garbage. Afterwards it leaves those objects alone, here and in worker processes.

    Args:
        is_here: Whether the local engine runs the stages. Other engines may use clients of services, from several
            threads, so these are imported at once.

    Yields:
        Whether the process is the command's alone, so that worker processes can be copies of it. That is not so in a
        program that calls the command.
    """
    context = click.get_current_context(silent=True)
    if context is None or context.find_root().obj != WHOLE_PROCESS:
        yield False
        return
    later = [_Later()] if is_here else []
    sys.meta_path[:0] = later
    gc.disable()
    try:
        yield True
    finally:
        gc.freeze()
        gc.enable()
        for finder in later:
            sys.meta_path.remove(finder)


class _Later(MetaPathFinder):
    """Has the modules of _UNUSED imported when something in them is first used, by Python's own `LazyLoader`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        found = PathFinder.find_spec(name, path, target) if name in _UNUSED else None
        if found is not None and found.loader is not None:
            found.loader = LazyLoader(found.loader)
        return found


def _asked(through: str, recipe: str, settings: tuple[str, ...]) -> dict[str, Any]:
    """Return what decides, of all that a command is given, what is done."""
    path = os.path.abspath(recipe) if os.path.exists(recipe) else recipe
    # Paths in settings are relative to where the command is given.
    return {"through": through, "recipe": path, "settings": list(settings), "folder": os.getcwd() if settings else ""}


def _run(
    recipe: str,
    output: str,
    settings: tuple[str, ...],
    progress: Progress,
    asked: Mapping[str, Any],
    execution: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Run the stages, note in DIR what they came to, and return that.

    Args:
        recipe, output, settings: As of `execute`.
        progress: Told how far the run is.
        asked: As of `_asked`.
        execution: By which engine: the arguments of `Execution`.
        options: The options of `pipelines.main.run`.

    Raises:
        SourceError: sources failed, and what is left of them is not enough for the mixture.
    """
    from massivetext import storage
    from massivetext.errors import MassiveTextError, SourceError
    from massivetext.finished_run import note_finished, state_of

    with imports_of_a_run(is_here=execution["runner"] == _RUNNER) as is_alone:
        from pipelines import recipe as recipes
        from pipelines.engines import Execution
        from pipelines.engines.local import LOCAL, start_workers_from_here
        from pipelines.main import Outcome, run

    is_here = execution["runner"] in LOCAL
    server = start_workers_from_here() if is_alone and is_here else None
    resolved = recipes.read(recipe, settings)
    where = Execution(**execution)
    root = storage.local_path(output)
    is_local = not storage.is_remote(root)
    # From before the run: what changes while it lasts has changed since.
    state = state_of(root, asked, *recipes.origins(recipe), resolved.resolved()) if is_local else None
    outcome = Outcome()
    try:
        with logging_to(progress):
            prepare = functools.partial(_compile, resolved, progress, where, server)
            run(resolved, output, where, progress, prepare=prepare, outcome=outcome, **options)
    except MassiveTextError as error:
        if not outcome.failures:
            raise
        progress.close()
        _print_failures(outcome.failures)
        raise SourceError(str(error)) from error
    finally:
        progress.close()
    answer = {
        "counts": outcome.counts,
        "failures": outcome.failures,
        "mixture": outcome.mixture and os.path.basename(outcome.mixture),
        "notes": outcome.notes,
        "estimated": resolved.tokenizer is None,
    }
    if state is not None and not outcome.failures:
        note_finished(root, state, answer)
    return answer


def _compile(recipe: Any, progress: Progress, where: Any, server: Any = None) -> None:
    """Compile the kernels that the recipe's stages lack on this machine, or on those that get this package from it.

    Args:
        recipe, progress: As of `_run`.
        where: The `Execution`.
        server: What processes are forked from, if there is one.
    """
    from massivetext.portable_kernels import obstacle
    from massivetext.warm_up import is_compiled, run_jobs

    portable = where.sends_package and obstacle() is None
    missing = {
        ", ".join(stage.name for stage in stages): job
        for job, stages in recipe.kernels().items()
        if not is_compiled((stage.kernels for stage in stages), portable=portable)
    }
    if not missing:
        return
    if not where.is_local and not portable:
        progress.say("workers without kernels compile them first, for a minute; `massivetext warm-up` does it ahead")
        return
    place, option = ("for the workers", " --portable") if portable else ("on this machine", "")
    ahead = f"`massivetext warm-up{option}` does it ahead"
    progress.say(f"compiling kernels: once {place}, half a minute on two cores; {ahead}")
    done: list[str] = []

    def report(name: str, seconds: float) -> None:
        done.append(name)
        progress.say(f"compiled: {name} ({len(done)} of {len(missing)}, {seconds:.0f} s)")

    run_jobs(missing, report=report, portable=portable, server=server)


def _funnel(counts: dict[str, dict[str, list[int]]], *, estimated: bool) -> None:
    """Print a table of each subset's records: how many there were, how many each rule removed, and what is kept."""
    from rich.box import SIMPLE
    from rich.table import Table

    from massivetext.cli._rows import terminal_width
    from massivetext.cli._tables import lost_by
    from massivetext.documents import FUNNEL

    tokens = "tokens\n(bytes / 4)" if estimated else "tokens"
    table = Table("", "documents", "size", tokens, box=SIMPLE, padding=(0, 0, 0, 1), pad_edge=False)
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for subset, sums_by_outcome in sorted(counts.items()):
        total = [sum(sums[k] for sums in sums_by_outcome.values()) for k in range(3)]
        rows = [(f"{visible_name(subset)}: records", total, "bold")]
        for name in sorted(
            sums_by_outcome, key=lambda name: (FUNNEL.index(name.split(" ")[0]), -sums_by_outcome[name][0], name)
        ):
            style = "green" if name == "kept" else ""
            rows.append((f"  {visible_name(lost_by(*name.split(' ', 1)))}", sums_by_outcome[name], style))
        for title, (documents, n_bytes, n_tokens), style in rows:
            table.add_row(title, f"{documents:,}", size_in_words(n_bytes), f"{n_tokens:,}", style=style)
        table.add_section()
    show_rich(table, width=terminal_width())
