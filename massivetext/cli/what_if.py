"""`massivetext what-if DIR --set KEY=VALUE`: what other per-document limits would keep, from the ledger alone."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._output import echo, echo_json
from massivetext.cli._trust import looks
from massivetext.terminal_text import one_line, visible_name, visible_values


@click.command("what-if")
@click.argument("folder", metavar="DIR")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="lay a value over the run's recipe")
@click.option(
    "--keep", "shares", multiple=True, metavar="KEY=SHARE", help="the best share of what is kept, by a signal"
)
@click.option("--by", type=click.Choice(["tokens", "documents"]), default="tokens", show_default=True, help="of --keep")
@click.option("--recipe", metavar="RECIPE", help="judge by this recipe instead of the run's own")
@click.option("--examples", type=click.IntRange(0), default=2, show_default=True, help="documents shown for each move")
@click.option("--json", "as_json", is_flag=True, help="everything as JSON")
@looks
def what_if(
    folder: str,
    settings: tuple[str, ...],
    shares: tuple[str, ...],
    by: Any,
    recipe: str | None,
    examples: int,
    as_json: bool,
) -> None:
    """What would be kept of the run in DIR under other per-document limits: documents and tokens by subset, and
    documents that change sides. From the ledger alone, in seconds; no text is measured again.

    What later stages would do with a document that they have not seen is not known: it is counted as `unknown`, and so
    is a duplicate whose kept partner would go. Changes that need the text are refused.

    --keep finds the limit of a signal that leaves the best share of the documents that the run keeps now, exactly, and
    judges by it.

    \b
    massivetext what-if out --set quality.word_count.min=30
    massivetext what-if out --set subsets.massiveweb.quality.hash_ratio=null --set 'language.keep={en: 0.5, de: 0.8}'
    massivetext what-if out --keep scores.quality_score=0.1
    massivetext what-if out --set scores.quality_score.keep=0.1
    massivetext what-if out --set 'scores.quality_score.buckets=[0.2, 0.5, 0.8]'
    massivetext what-if out --recipe other.yaml --examples 5
    """
    import shlex

    from massivetext.cli._recipes import changed_recipe, run_recipe
    from massivetext.errors import RecipeError
    from massivetext.looking import what_if as judging

    settings = (*settings, *_limits(folder, shares, by))
    if not settings and recipe is None:
        raise RecipeError("nothing is changed: give --set quality.word_count.min=30, say, or --recipe other.yaml")
    other = changed_recipe(folder, recipe, settings)
    result = judging.what_if(folder, run_recipe(folder), other, examples=examples).as_data()
    changed = [word for setting in settings for word in ("--set", setting)]
    update = ["massivetext", "run", recipe or f"{folder}/recipe.yaml", "--output", folder, "--update", *changed]
    result["update"] = shlex.join(update)
    if as_json:
        echo_json(result)
        return
    result = visible_values(result, skip=("text",))
    if not result["changes"]:
        echo("no rule that documents of this run are judged by is changed")
        return
    for change in result["changes"]:
        echo(change)
    for line in _shares(result.get("shares", {})):
        echo(line)
    for line in _mixture(result.get("mixture")):
        echo(line)
    _table(result["subsets"])
    _moves(result)
    for note in _notes(result["subsets"], result["moves"]):
        echo(note)
    echo(f"to make it real:\n  {result['update']}")


def _limits(folder: str, shares: tuple[str, ...], unit: Any) -> list[str]:
    """The settings `key.min=limit` that keep the best shares, `key=share`."""
    from massivetext.errors import RecipeError
    from massivetext.looking.quantiles import ledger_limit

    settings = []
    for one in shares:
        key, equals, share = one.partition("=")
        try:
            value = float(share)
        except ValueError:
            value = -1.0
        if not equals or "." not in key or not 0 < value < 1:
            raise RecipeError(f"--keep {one}: expected key=share, such as scores.quality_score=0.1")
        settings.append(f"{key}.min={ledger_limit(folder, key.rpartition('.')[2], value, unit)!r}")
    return settings


def _shares(shares: dict[str, Any]) -> list[str]:
    """The limit of each share, and what each bucket has."""
    lines = []
    for subset, signals in shares.items():
        for name, one in signals.items():
            if one["min"] is not None:
                best = f"the best {100 * one['keep']:.6g} % of {one['by']}"
                lines.append(f"{subset}: {name}: {best} have {one['min']:.6g} or more")
            for number, bucket in enumerate(one.get("buckets", ())):
                low = "the worst" if bucket["min"] is None else f"{bucket['min']:.6g} or more"
                sums = f"{bucket['documents']:,} documents, {bucket['tokens']:,} tokens"
                lines.append(f"{subset}: {name}: bucket {number}, {low}: {sums}")
    return lines


def _mixture(mixture: dict[str, Any] | None) -> list[str]:
    """How often each subset, or each of its buckets, would be repeated in the mixture."""
    if mixture is None:
        return []
    lines = [
        f"mixture: {share['subset']}: {share['available']:,} tokens, {share['epochs']:.2f} epochs"
        for share in mixture["shares"]
    ]
    return lines + ([f"mixture: would be refused: {mixture['refused']}"] if mixture["refused"] else [])


def _table(subsets: dict[str, Any]) -> None:
    """What the rules keep, and every outcome whose count would change."""
    from massivetext.cli._tables import in_order, side_by_side

    rows = []
    for subset, counts in subsets.items():
        rows.append(
            {"subset": subset, "outcome": "pass the rules", "reason": None, **counts["passing"], "style": "bold"}
        )
        shown = [row for row in counts["outcomes"] if row["before"] != row["after"] or row["outcome"] == "kept"]
        rows += [{"subset": subset, **row} for row in in_order(shown, "before")]
    side_by_side(rows, ("before", "after"), ((0, "documents"), (2, "tokens")))


def _moves(result: dict[str, Any]) -> None:
    """Documents that change sides, with examples and what decides on them."""
    sums: dict[tuple[str, str], int] = {}
    for move in result["moves"]:
        key = (move["from"], move["to"])
        sums[key] = sums.get(key, 0) + move["documents"]
    examples: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for example in result["examples"]:
        examples.setdefault((example["from"], example["to"]), []).append(example)
    for key in sorted(examples, key=lambda key: (-sums[key], key)):
        after = "passes the rules, later stages unknown" if key[1] == "unknown" else key[1]
        echo(f"\n{sums[key]:,}: {key[0]} -> {after}")
        for example in examples[key]:
            echo(f"  {example['id']}  {_where(example)}")
            for rule in example["rules"]:
                value, limit = rule["value"], rule["limit"]
                shown = f"{value:.6g}" if isinstance(value, float) else value
                limits = f"keep {limit['from']}"
                limits += f"  ->  keep {limit['to']}" if limit["from"] != limit["to"] else ""
                side = {(True, True): "before and after", (True, False): "before", (False, True): "after"}
                broken = side[rule["broken"]["from"], rule["broken"]["to"]]
                echo(f"    {rule['rule']} {shown}, broken {broken}: {limits}")
            if not example["rules"] and example["partner_id"]:
                echo(f"    was removed in favour of {example['partner_id']}, which would go")
            if example["text"] is not None:
                echo(f"    {one_line(example['text'])}")


def _where(example: dict[str, Any]) -> str:
    return visible_name(example["url"] or f"{example['source']} at {example['offset']}")


def _notes(subsets: dict[str, Any], moves: list[dict[str, Any]]) -> list[str]:
    unknown = [move for move in moves if move["to"].startswith("unknown")]
    if not unknown:
        return [""]
    n = sum(move["documents"] for move in unknown)
    names = {"deduplication": "deduplication", "contamination": "test-set filtering"}
    stages = [name for name in names if any(name in counts["later_stages"] for counts in subsets.values())]
    later = " and ".join(names[name] for name in stages)
    notes = [f"\nunknown: {n:,} documents that {later} would still have to judge"]
    if "deduplication" in stages:
        notes.append("each may turn out a duplicate, or be kept in place of one that is kept now")
    return notes
