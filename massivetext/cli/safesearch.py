"""`massivetext safesearch`: train a classifier of unsafe text; what the ledger of a run says about hosts."""

from __future__ import annotations

import click

from massivetext.cli._groups import Group
from massivetext.cli._output import echo, echo_json
from massivetext.terminal_text import visible_name

__all__ = ["safesearch"]


@click.group(cls=Group)
def safesearch() -> None:
    """Safe search: train a classifier, look at hosts.

    \b
    massivetext safesearch train labelled.jsonl --output unsafe.ftz
    massivetext safesearch hosts out
    """


@safesearch.command()
@click.argument("files", metavar="PLAN|FILE...", nargs=-1, required=True)
@click.option("--output", metavar="FILE", required=True, help="the model, quantised (.ftz)")
@click.option("--data", metavar="FOLDER", help="where relative paths of a plan start  [default: the working folder]")
@click.option("--json", "as_json", is_flag=True, help="documents by label and the model's size as JSON")
def train(files: tuple[str, ...], output: str, data: str | None, as_json: bool) -> None:
    """Train a classifier of unsafe text from a plan (YAML) or from labelled files.

    A labelled file is JSON lines or CSV with fields `text` and `label`, or lines `__label__x text`. Ordinary text has
    the label `ok`; every other label is a category. A recipe names the model under safe_search.model.

    \b
    massivetext safesearch train labelled.jsonl more.csv --output unsafe.ftz
    massivetext safesearch train plan.yaml --data corpora --output unsafe.ftz
    """
    import os

    from filters import training

    counts = training.train(training.read_plan(list(files)), output, data=data or "")
    if as_json:
        echo_json({"model": output, "bytes": os.path.getsize(output), "documents": dict(sorted(counts.items()))})
        return
    for label, n in sorted(counts.items()):
        echo(f"{visible_name(label)}: {n:,} documents")
    echo(f"{output}: {os.path.getsize(output):,} bytes")


@safesearch.command()
@click.argument("folder", metavar="DIR")
@click.option("--limit", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="a page above it is unsafe")
@click.option("--least", type=click.IntRange(1), default=3, show_default=True, help="pages that a host needs")
@click.option("--share", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="share of unsafe pages")
@click.option("--block-list", "path", metavar="FILE", help="write the hosts, one a line, for safe_search.block_lists")
@click.option("--json", "as_json", is_flag=True, help="print as JSON")
def hosts(folder: str, limit: float, least: int, share: float, path: str | None, as_json: bool) -> None:
    """Hosts of the run in DIR with many unsafe pages, from the ledger alone: no text is read again.

    \b
    massivetext safesearch hosts out --least 10 --share 0.8 --block-list hosts.txt
    """
    from filters.hosts import unsafe_hosts
    from massivetext import storage

    found = unsafe_hosts(folder, limit=limit, least=least, share=share)
    if path is not None:
        storage.write_bytes(path, "".join(f"{row['host']}\n" for row in found).encode())
    if as_json:
        echo_json(found, indent=2)
        return
    for row in found:
        host = visible_name(row["host"])
        echo(f"{host}: {row['unsafe']:,} of {row['pages']:,} pages unsafe, mean score {row['mean']:.3f}")
    echo(f"{len(found):,} hosts with at least {least} pages and {share:g} of them above {limit:g}")
