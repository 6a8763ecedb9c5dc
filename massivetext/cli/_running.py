"""What the commands that run stages share: their options, their progress, and the funnel at the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from massivetext.cli._output import echo, show_rich
from massivetext.cli._process import WHOLE_PROCESS
from massivetext.cli._progress import Progress, logging_to
from massivetext.terminal_text import size_in_words, visible_name

__all__ = ["execute", "stage_options"]


def stage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """RECIPE and the options of `run` and of the single stages."""
    decorators = [
        click.argument("recipe"),
        click.option("--output", required=True, metavar="DIR", help="where everything is written; a path or a URL"),
        click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="processes a machine"),
        click.option("--runner", default="FnApiRunner", show_default=True, help="Beam runner"),
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
    runner: str = "FnApiRunner",
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
    from massivetext.warm_up import is_compiled
    from pipelines import recipe as recipes
    from pipelines.engines import Execution
    from pipelines.engines.local import LOCAL, start_workers_from_here
    from pipelines.main import run

    if runner in LOCAL and click.get_current_context().find_root().obj == WHOLE_PROCESS:
        start_workers_from_here()
    resolved = recipes.read(recipe, settings)
    progress = Progress(quiet=quiet, as_json=log_json, verbose=verbose)
    execution = Execution(runner, workers, beam_options, memory << 20)
    if not is_compiled():
        progress.say(
            "compiling kernels: once on this machine, two to three minutes; `massivetext warm-up` does it ahead"
        )
    try:
        with logging_to(progress):
            outcome = run(
                resolved, output, execution, progress, through=through, update=update, check_inputs=check_inputs
            )
    finally:
        progress.close()
    if log_json:
        level = "error" if outcome.failures else "info"
        progress.event("end", level, counts=outcome.counts, failures=outcome.failures, mixture=outcome.mixture)
    elif not quiet:
        _funnel(outcome.counts, estimated=resolved.tokenizer is None)
        echo(f"\nledger    {visible_name(output)}/ledger\ncurated   {visible_name(output)}/curated")
        if outcome.mixture:
            echo(f"mixture   {visible_name(outcome.mixture)}")
    for line in outcome.failures:
        echo(f"failed: {visible_name(line)}", err=True)
    if outcome.exit_status:
        raise SystemExit(outcome.exit_status)


def _funnel(counts: dict[str, dict[str, list[int]]], *, estimated: bool) -> None:
    """Print a table of each subset's records: how many there were, how many each rule removed, and what is kept."""
    from rich.box import SIMPLE
    from rich.table import Table

    from massivetext.cli._rows import terminal_width

    order = ("skipped", "failed", "rejected", "duplicate", "outranked", "contaminated", "kept")
    tokens = "tokens\n(bytes / 4)" if estimated else "tokens"
    table = Table("", "documents", "size", tokens, box=SIMPLE, padding=(0, 1), pad_edge=False)
    table.columns[0].overflow = "fold"
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for subset, sums_by_outcome in sorted(counts.items()):
        total = [sum(sums[k] for sums in sums_by_outcome.values()) for k in range(3)]
        rows = [(f"{visible_name(subset)}: records", total, "bold")]
        for name in sorted(
            sums_by_outcome, key=lambda name: (order.index(name.split(" ")[0]), -sums_by_outcome[name][0], name)
        ):
            style = "green" if name == "kept" else ""
            rows.append((f"  {visible_name(name)}", sums_by_outcome[name], style))
        for title, (documents, n_bytes, n_tokens), style in rows:
            table.add_row(title, f"{documents:,}", size_in_words(n_bytes), f"{n_tokens:,}", style=style)
        table.add_section()
    show_rich(table, width=terminal_width())
