"""`massivetext limits`: limits of the quality rules for other languages, from reference texts, as a recipe's block."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._output import echo, echo_json


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--recipe", default="gopher", show_default=True, help="whose limits hold for English")
@click.option("--text", default="text", show_default=True, help="the field of the text")
@click.option("--language", metavar="FIELD", help="the field of a text's language  [default: it is identified]")
@click.option("--languages", metavar="A,B", help="only these codes")
@click.option("--least-score", type=click.FloatRange(0, 1), default=0.65, show_default=True, help="of identification")
@click.option("--json", "as_json", is_flag=True, help="limits and the number of texts by language as JSON")
def limits(
    files: tuple[str, ...],
    recipe: str,
    text: str,
    language: str | None,
    languages: str | None,
    least_score: float,
    as_json: bool,
) -> None:
    """Derive limits of the quality rules for other languages from FILEs: reference texts in English and in each of
    those languages, JSON lines or Parquet. The limits of --recipe become the same quantiles of the other language's
    texts, or are scaled by medians where the texts are few. Prints `quality.by_language` as YAML, for a recipe.

    \b
    massivetext limits udhr.jsonl > languages.yaml
    massivetext limits wikipedia.parquet --language lang --languages de,fr
    """
    import yaml

    from pipelines.languages import limits_by_language
    from pipelines.recipe import read

    chosen = None if languages is None else languages.split(",")
    whole = read(recipe, [])
    derived, counts = limits_by_language(
        files, whole, text=text, field=language, languages=chosen, least_score=least_score
    )
    if as_json:
        echo_json({"by_language": derived, "texts": counts})
        return
    block: dict[str, Any] = {"quality": {"by_language": derived}}
    echo(yaml.safe_dump(block, sort_keys=False, default_flow_style=None, width=120).rstrip())
