"""`massivetext remove DIR`: take documents out of a finished run."""

from __future__ import annotations

from typing import Any

import click

from massivetext.cli._output import echo, echo_json
from massivetext.cli._running import imports_of_a_run
from massivetext.terminal_text import counted, visible_values

__all__ = ["remove"]


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--ids", metavar="FILE", help="ids of documents, one a line")
@click.option("--urls", metavar="FILE", help="addresses of documents, one a line")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="worker processes")
@click.option("--quiet", is_flag=True, help="say nothing but errors and what is not there")
@click.option("--log-json", is_flag=True, help="one JSON object a line instead, the last with all that was found")
@click.option("--json", "as_json", is_flag=True, help="what was removed as one JSON object")
def remove(
    folder: str, ids: str | None, urls: str | None, workers: int, quiet: bool, log_json: bool, as_json: bool
) -> None:
    """Take documents out of the run in DIR: out of its mixtures, curated, rejected and piece files alike. The ledger
    then says `rejected` by `removed.request`, and of duplicates that had gone in their favour `removed.copy`. Only
    files that hold one are written anew. DIR/removed.json keeps the list, and no later run on DIR brings them back.

    Addresses match whatever their scheme, fragment, tracking parameters and trailing slash. Digests of the texts stay
    in DIR/removed.parquet, so that copies and near copies which come later are refused. Without --ids and --urls a
    removal that was cut short is finished.

    \b
    massivetext remove out --ids ids.txt
    massivetext remove out --urls requests.txt --workers 2
    massivetext remove out
    """
    from dataclasses import asdict

    from massivetext import storage
    from massivetext.cli._progress import Progress
    from massivetext.errors import OutputError
    from massivetext.removal import Removal
    from massivetext.removal import remove as take_out

    with imports_of_a_run() as is_alone:
        from pipelines.engines import Execution, open_engine
        from pipelines.engines.local import start_workers_from_here
        from pipelines.removal import FinishedRun

    def lines(path: str | None) -> list[str]:
        if path is None:
            return []
        try:
            text = storage.read_bytes(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise click.UsageError(f"{path}: expected UTF-8 text, one entry a line: {error}") from error
        return [line for line in map(str.strip, text.split("\n")) if line]

    if not (ids or urls) and not storage.exists(storage.join(folder, "removed.json")):
        raise click.UsageError("nothing is named: give --ids FILE or --urls FILE")
    if not any(storage.exists(storage.join(folder, name)) for name in ("ledger", "manifest.json")):
        raise OutputError(f"{folder}: holds neither a ledger nor the manifest of a mixture")
    if is_alone:
        start_workers_from_here()
    progress = Progress(quiet=quiet or as_json, as_json=log_json)
    try:
        with open_engine(Execution(workers=workers)) as engine:
            run = FinishedRun(folder, engine)
            done = take_out(run, lines(ids), lines(urls), on_start=lambda tasks: progress.stage("remove", tasks))
    finally:
        progress.close()
    if as_json:
        echo_json(asdict(done))
        return
    if log_json:
        echo_json({"event": "end", **asdict(done)})
        return
    done = Removal(**visible_values(asdict(done)))
    if not quiet:
        _show(done)
    _show_missing(done)


def _show(done: Any) -> None:
    """Print what was removed, from where."""
    before = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(done.outcomes.items()))
    n = sum(done.outcomes.values())
    echo(f"Removed {counted(n, 'document')}" + (f", before: {before}" if before else ""))
    if done.known:
        echo(f"{counted(done.known, 'document')} had been removed before")
    if done.copies:
        copies = counted(done.copies, "copy", "copies")
        echo(f"{copies} removed with them: deduplication had removed them in favour of a named document")
    for mixture, (changed, total) in sorted(done.shards.items()):
        rows = counted(done.rows[mixture], "row")
        echo(f"mixture {mixture}: {rows} removed, {changed:,} of {total:,} shards rewritten")
    echo(f"{counted(done.files, 'file')} rewritten")
    for note in done.notes:
        echo(note)


def _show_missing(done: Any) -> None:
    """Print, as errors, the named documents that stay in another copy, and names that no document has."""
    if done.stays:
        echo(
            f"{counted(len(done.stays), 'named document')} had been removed as a duplicate of a document that stays; "
            "name that one too to remove every copy:",
            err=True,
        )
        for document, partner in done.stays[:_LISTED]:
            echo(f"  {document} is a duplicate of {partner}", err=True)
    for missing, noun, plural in ((done.missing_ids, "id", "ids"), (done.missing_urls, "address", "addresses")):
        if missing:
            echo(f"no document has {counted(len(missing), noun, plural)} of the list:", err=True)
            for name in missing[:_LISTED]:
                echo(f"  {name}", err=True)
            if len(missing) > _LISTED:
                echo(f"  and {len(missing) - _LISTED:,} more", err=True)


_LISTED = 20
"""Lines that are shown of a list."""
