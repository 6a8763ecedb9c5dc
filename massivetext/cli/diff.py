"""`massivetext diff DIR1 DIR2`: two runs side by side."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._output import echo, echo_json
from massivetext.cli._trust import looks
from massivetext.terminal_text import counted, one_line, visible_name, visible_values


@click.command()
@click.argument("first", metavar="DIR1")
@click.argument("second", metavar="DIR2")
@click.option("--examples", type=click.IntRange(0), default=2, show_default=True, help="documents shown for each move")
@click.option("--json", "as_json", is_flag=True, help="everything as JSON")
@looks
def diff(first: str, second: str, examples: int, as_json: bool) -> None:
    """Two runs side by side: in what their recipes differ, their funnels, documents whose outcome changed, and why;
    documents that only one has. From recipes and ledgers alone.

    \b
    massivetext diff out-june out-july
    massivetext diff out-june out-july --json --examples 1000
    """
    from massivetext.cli._recipes import run_recipe
    from massivetext.cli._tables import in_order, side_by_side
    from massivetext.looking.diff import diff as compare

    comparison = compare(first, second, (run_recipe(first), run_recipe(second)), examples=examples)
    if as_json:
        echo_json(comparison)
        return
    comparison = visible_values(comparison, skip=("text",))
    echo(f"first    {visible_name(first)}\nsecond   {visible_name(second)}\n")
    for title in ("recipe", "versions"):
        echo(f"{title}: " + ("the same" if not comparison[title] else ""))
        for line in comparison[title]:
            echo(f"  {visible_name(line)}")
    rows = []
    for subset in dict.fromkeys(row["subset"] for row in comparison["funnel"]):
        own = [row for row in comparison["funnel"] if row["subset"] == subset]
        sums = {side: [sum(row[side][k] for row in own) for k in range(3)] for side in ("first", "second")}
        rows += [
            {"subset": subset, "outcome": "records", "reason": None, **sums, "style": "bold"},
            *in_order(own, "first"),
        ]
    side_by_side(rows, ("first", "second"), ((0, "documents"), (1, "size"), (2, "tokens")))
    for subset, n in comparison["measured_otherwise"].items():
        documents = counted(n, "document")
        echo(f"{subset}: {documents} of both measured differently: another text, or another way to measure")
    if not comparison["moves"] and not comparison["only"]:
        echo("every document has the same outcome and reason in both")
    for move in comparison["moves"]:
        sums_ = f"{counted(move['documents'], 'document')}, {counted(move['tokens'], 'token')}"
        echo(f"{move['subset']}: {move['from']} -> {move['to']}: {sums_}")
    for only in comparison["only"]:
        echo(f"{only['subset']}: only in {only['side']}: {only['outcome']}: {counted(only['documents'], 'document')}")
    last = None
    for example in comparison["examples"]:
        if last != (example["from"], example["to"]):
            echo(f"\n{example['from']} -> {example['to']}")
            last = (example["from"], example["to"])
        echo(f"  {example['id']}  {visible_name(example['url'] or example['source'])}")
        for rule in example["rules"]:
            echo(f"    {rule['rule']}: {_side(rule['first'])} -> {_side(rule['second'])}")
        if example["text"] is not None:
            echo(f"    {one_line(example['text'])}")


def _side(side: dict[str, Any] | None) -> str:
    if side is None:
        return "not there"
    value = side["value"]
    shown = "none" if value is None else f"{value:.6g}" if isinstance(value, float) else value
    return f"{shown} ({'broken' if side['broken'] else 'kept'}: keep {side['limit']})"
