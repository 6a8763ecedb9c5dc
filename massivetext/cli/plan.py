"""`massivetext plan RECIPE`: what a run would come to, before it is run."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from massivetext.cli._output import echo, echo_json, show_rich
from massivetext.cli._progress import Progress
from massivetext.cli._running import imports_of_a_run
from massivetext.cli._trust import looks_at_recipe
from massivetext.terminal_text import counted, size_in_words, visible_values


@click.command()
@click.argument("recipe")
@click.option(
    "--sample", type=click.IntRange(1), default=18, show_default=True, help="parts to read, at least three a subset"
)
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="worker processes to plan for")
@click.option("--memory", type=click.IntRange(256), default=2048, show_default=True, help="MB, all workers, as for run")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the recipe's")
@click.option("--json", "as_json", is_flag=True, help="everything as JSON")
@looks_at_recipe
def plan(recipe: str, sample: int, workers: int, memory: int, settings: tuple[str, ...], as_json: bool) -> None:
    """Forecast a run of RECIPE from a seeded sample of its parts: what passes the rules, tokens and epochs by subset,
    disk, memory and hours. The sample goes through every stage in a temporary folder, which is removed.

    Duplicates over the whole corpus do not show in a sample: tokens are those of documents that pass the per-document
    rules, and are the most that can be kept.

    \b
    massivetext plan mine.yaml --workers 8
    massivetext plan mine.yaml --sample 50 --set mixture.tokens=10_000_000_000
    """
    with imports_of_a_run() as is_alone:
        from pipelines import recipe as recipes
        from pipelines.engines import Execution
        from pipelines.engines.local import start_workers_from_here
        from pipelines.sampling import forecast_run

    if is_alone:
        start_workers_from_here()
    progress = _Sampling(quiet=as_json, as_json=False)
    try:
        prediction = forecast_run(
            recipes.read(recipe, settings), Execution(workers=workers, memory=memory << 20), progress, sample=sample
        )
    finally:
        progress.close()
    if as_json:
        echo_json(prediction)
        return
    show(visible_values(prediction))


def show(prediction: dict[str, Any]) -> None:
    """A forecast as tables for people."""
    drawn = prediction["sample"]
    share = drawn["bytes"] / drawn["of_bytes"] if drawn["of_bytes"] else 1.0
    echo(
        f"read {drawn['parts']:,} of {drawn['of_parts']:,} parts, {share:.1%} of {size_in_words(drawn['of_bytes'])}; "
        "ranges are 95 % intervals between parts"
    )
    _subsets(prediction["subsets"])
    for name, subset in prediction["subsets"].items():
        _remaining(name, subset, subset.get("remaining", []))
    echo("duplicates and test items are not taken off: these are the most that can be kept")
    _mixture(prediction["mixture"])
    _costs(prediction)
    for line in prediction["failures"]:
        echo(f"failed: {line}", err=True)


class _Sampling(Progress):
    """Shows the bars of the stages and not what a run says of itself, which here would be of a sample."""

    def say(self, line: str, *, is_detail: bool = False) -> None:
        pass


def _subsets(subsets: dict[str, Any]) -> None:
    from rich.box import SIMPLE
    from rich.table import Table

    from massivetext.cli._rows import terminal_width

    names = ("subset", "documents", "pass the\nrules", "share", "tokens")
    table = Table(*names, box=SIMPLE, padding=(0, 1), pad_edge=False)
    for column in table.columns[1:]:
        column.justify, column.no_wrap = "right", True
    for name, of_subset in subsets.items():
        share, tokens = of_subset["share"], of_subset["tokens"]
        ends = f"\n{_count(tokens['low'])} to\n{_count(tokens['high'])}" if tokens["low"] is not None else ""
        spread = "one part" if share["low"] is None else f"{share['low']:.1%} to\n{share['high']:.1%}"
        if of_subset["sampled"] == of_subset["parts"]:
            spread, ends = "all parts", ""
        table.add_row(
            f"{name}\n{of_subset['sampled']:,} of {counted(of_subset['parts'], 'part')}",
            _count(of_subset["documents"]["expected"]),
            _count(of_subset["passing"]["expected"]),
            f"{share['expected']:.1%}\n{spread}",
            _count(tokens["expected"]) + ends,
        )
    show_rich(table, width=terminal_width())


def _remaining(name: str, subset: dict[str, Any], remaining: list[dict[str, float]]) -> None:
    """What shares and other limits that depend on other documents leave of a subset, by bucket."""
    for number, sizes in enumerate(remaining):
        which = f"bucket {number}" if len(remaining) > 1 else "comparing documents leaves"
        share = sizes["tokens"] / max(1.0, subset["tokens"]["expected"])
        echo(
            f"  {name}: {which}: {_count(sizes['documents'])} documents, {_count(sizes['tokens'])} tokens, {share:.1%}"
        )


def _mixture(mixture: dict[str, Any]) -> None:
    for share in mixture["shares"]:
        echo(
            f"  {share['subset']:<12} weight {share['weight']:.4f}  {_count(share['wanted']):>18} tokens wanted"
            f"  {share['epochs']:6.2f} epochs"
        )
    if mixture["refused"]:
        echo(f"the mixture would be refused: {mixture['refused']}")
    if mixture["largest"] is not None:
        echo(f"largest budget under {mixture['max_epochs']:g} epochs: {_count(mixture['largest'])} tokens")


def _costs(prediction: dict[str, Any]) -> None:
    disk, time = prediction["disk"], prediction["time"]
    echo()
    _listed("disk", [f"{kind} {size_in_words(n)}" for kind, n in disk.items() if kind != "all"])
    echo(f"          {size_in_words(disk['all'])} in all; the scratch of deduplication comes and goes")
    process = prediction["memory"]["process"]
    all_workers = size_in_words(process * time["workers"])
    echo(f"memory    {size_in_words(process)} a process at most in the sample, {all_workers} all workers")
    _listed("CPU time", [f"{stage} {_seconds(n)}" for stage, n in time["cpu_seconds"].items()])
    cores = f"{time['cores']} cores here" if time["workers"] > time["cores"] else "each with a core to itself"
    echo(f"duration  {_seconds(time['hours'] * 3600)} with {counted(time['workers'], 'worker')}, {cores}")


def _listed(title: str, items: list[str]) -> None:
    """Print a title and items, on lines of at most 79 characters."""
    for line in textwrap.wrap(", ".join(items), 79, initial_indent=f"{title:<10}", subsequent_indent=" " * 10):
        echo(line)


def _count(n: float | None) -> str:
    return "unknown" if n is None else f"{n:,.0f}"


def _seconds(n: float) -> str:
    if n < 120:
        return f"{n:.0f} s"
    return f"{n / 60:.0f} min" if n < 7200 else f"{n / 3600:.1f} h"
