"""What the commands that run stages share: their options, their progress, and the funnel at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from massivetext.cli._output import echo, echo_json, show_rich
from massivetext.terminal_text import visible, visible_name

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
        click.option("--quiet", is_flag=True, help="say nothing but errors"),
        click.option("--log-json", is_flag=True, help="one JSON object a line instead of progress and tables"),
        click.argument("beam_options", nargs=-1, type=click.UNPROCESSED),
    ]
    for decorator in reversed(decorators):
        command = decorator(command)
    return command


class Progress:
    """Progress by bytes of input done, with rate and time left: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self, *, quiet: bool, as_json: bool) -> None:
        from rich.console import Console

        self.console = Console(stderr=True)
        self.quiet, self.as_json = quiet, as_json
        self._bar: Any = None

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def say(self, line: str) -> None:
        if self.as_json:
            echo_json({"event": "message", "text": line})
        elif not self.quiet:
            self.console.print(visible(line), markup=False, emoji=False, highlight=False, soft_wrap=True)

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        self.close()
        total = sum(task.weight for task in tasks)
        started = time.monotonic()
        done = [0, 0]
        if self.as_json:
            echo_json({"event": "stage", "stage": name, "tasks": len(tasks), "weight": total})
        elif not self.quiet and self.console.is_terminal and tasks:
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            self._bar = Progress(
                TextColumn(f"{name:<14}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %"),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=self.console,
            )
            self._bar.start()
            handle = self._bar.add_task(name, total=total)
        elif not self.quiet:
            self.say(f"{name}: {len(tasks)} tasks" if tasks else name)
        last = [started]

        def on_done(task: Any) -> None:
            done[0] += 1
            done[1] += task.weight
            now = time.monotonic()
            rate = done[1] / max(now - started, 1e-6)
            if self.as_json:
                event = {"event": "done", "stage": name, "tasks": done[0], "weight": done[1]}
                echo_json(event)
            elif self._bar is not None:
                self._bar.update(handle, completed=done[1])
            elif not self.quiet and (now - last[0] > 10 or done[0] == len(tasks)):
                last[0] = now
                left = (total - done[1]) / rate
                self.say(f"{name}: {done[0]} of {len(tasks)} done, {rate / 1e6:.1f} M a second, {left:.0f} s left")

        return on_done


def execute(
    through: str,
    recipe: str,
    output: str,
    workers: int,
    runner: str,
    memory: int,
    update: bool,
    settings: tuple[str, ...],
    quiet: bool,
    log_json: bool,
    beam_options: tuple[str, ...],
    check_inputs: bool = False,
) -> None:
    """Run the stages up to `through`; print the funnel and where things are; exit 1 if sources failed."""
    from pipelines import recipe as recipes
    from pipelines.engines import Execution
    from pipelines.main import run

    resolved = recipes.read(recipe, settings)
    progress = Progress(quiet=quiet, as_json=log_json)
    execution = Execution(runner, workers, beam_options, memory << 20)
    try:
        outcome = run(resolved, output, execution, progress, through=through, update=update, check_inputs=check_inputs)
    finally:
        progress.close()
    if log_json:
        event = {"event": "end", "counts": outcome.counts, "failures": outcome.failures, "mixture": outcome.mixture}
        echo_json(event)
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
    """Per subset: records in, lost at each rule, kept."""
    from rich.table import Table

    order = ("skipped", "failed", "rejected", "duplicate", "outranked", "contaminated", "kept")
    tokens = "tokens (bytes / 4)" if estimated else "tokens"
    table = Table("subset", "outcome", "reason", *("documents", "bytes", tokens))
    table.columns[2].overflow = "fold"
    for column in table.columns[3:]:
        column.justify = "right"
    for subset, found in sorted(counts.items()):
        total = [sum(sums[k] for sums in found.values()) for k in range(3)]
        table.add_row(visible_name(subset), "records", "", *(f"{n:,}" for n in total), style="bold")
        for name in sorted(found, key=lambda name: (order.index(name.split(" ")[0]), -found[name][0], name)):
            outcome, _, reason = name.partition(" ")
            style = "green" if outcome == "kept" else None
            table.add_row("", outcome, visible_name(reason), *(f"{n:,}" for n in found[name]), style=style)
        table.add_section()
    show_rich(table, width=110)
