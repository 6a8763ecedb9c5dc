"""`massivetext browse DIR`: a local web page over a finished or running run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from massivetext.cli._output import echo
from massivetext.cli._trust import looks


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="where to listen  [default: any free port]")
@click.option("--compare", "other", metavar="DIR2", help="another run, to show what became of each document in both")
@click.option("--seconds", type=click.FloatRange(0.1), default=20.0, show_default=True, help="limit of one query")
@looks
def browse(folder: str, port: int, other: str | None, seconds: float) -> None:
    """Serve a page to search, filter, read and compare the documents of the run in DIR, until Ctrl-C. Only this machine
    can reach it, only with the token in the address that is printed, and it asks for nothing from the internet.

    \b
    massivetext browse out
    massivetext browse out --port 8000
    massivetext browse out-june --compare out-july
    """
    from massivetext.errors import DependencyError

    try:
        from massivetext.browse.app import make_app, make_token
        from massivetext.browse.server import ADDRESS, serve
    except ImportError as error:
        raise DependencyError(f"browse needs the package {error.name}: pip install 'massivetext[browse]'") from error
    run = open_run(folder, seconds, other)
    with run.store:
        token = make_token()
        serve(make_app(run, token), port, lambda port: echo(f"http://{ADDRESS}:{port}/{token}/\nCtrl-C ends it"))


def open_run(folder: str, seconds: float, other: str | None = None) -> Any:
    """Return what the pages show of an output folder. Its store is still to be entered.

    Args:
        folder: The `--output` of a run.
        seconds: Time limit of one query.
        other: That of a run to compare with.

    Raises:
        OutputError: If a folder is not that of a run.
    """
    from massivetext.browse.app import Run
    from massivetext.browse.store import Store
    from massivetext.cli._recipes import changed_recipe, run_recipe
    from massivetext.looking.diff import diff

    recipe = run_recipe(folder)
    recipes = (recipe, recipe if other is None else run_recipe(other))
    return Run(
        store=Store(folder, recipe, seconds=seconds),
        recipe=recipe,
        options=lambda row: _options(recipe, row),
        changed=lambda settings: changed_recipe(folder, None, settings),
        other=other,
        compared=None if other is None else lambda: diff(folder, other, recipes, examples=3),
    )


def _options(recipe: Any, row: Mapping[str, Any]) -> Any:
    """Return how a document was measured, for the marks in its text."""
    from filters import pii, safe_search, stop_words
    from massivetext.browse.marks import Options

    subset = row["subset"]
    quality = recipe.block(subset, "quality")
    word_length = recipe.limited_signals(subset).get("quality", {}).get("mean_word_length")
    listed: tuple[str, ...] = ()
    if quality.stop_words != "english" and row.get("language") not in (None, "en"):
        listed = stop_words.listed(row["language"])
    terms = recipe.block(subset, "safe_search").terms
    patterns = () if terms is False else safe_search.read_terms(None if terms is True else terms)
    return Options(
        repeats=recipe.count_duplicates == "repeats",
        written=frozenset(
            stage for stage in ("quality", "repetition") if recipe.block(subset, stage).words == "written"
        ),
        stop_words=frozenset(listed),
        unsafe_terms=tuple(pattern for _, pattern in patterns),
        replacements=(pii.EMAIL, pii.IP_ADDRESS, pii.IPV6_ADDRESS) if recipe.goes_through(subset, "pii") else (),
        least=None if word_length is None else word_length.min,
        most=None if word_length is None else word_length.max,
    )
