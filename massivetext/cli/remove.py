"""`massivetext remove DIR`: take documents out of a finished run."""

from __future__ import annotations

import click

__all__ = ["remove"]


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--ids", metavar="FILE", help="ids of documents, one a line")
@click.option("--urls", metavar="FILE", help="addresses of documents, one a line, as the ledger has them")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="worker processes")
@click.option("--quiet", is_flag=True, help="say nothing but errors and what is not there")
@click.option("--log-json", is_flag=True, help="one JSON object a line instead, the last with all that was found")
def remove(folder: str, ids: str | None, urls: str | None, workers: int, quiet: bool, log_json: bool) -> None:
    """Take documents out of the run in DIR: out of its mixtures, curated, rejected and piece files alike. The ledger
    then says `rejected` by `removed.request`, and of duplicates that had gone in their favour `removed.copy`. Only
    files that hold one are written anew. DIR/removed.json keeps the list, and no later run on DIR brings them back.

    Addresses match as they stand in the ledger, letter by letter. Without --ids and --urls a removal that was cut short
    is finished.

    \b
    massivetext remove out --ids ids.txt
    massivetext remove out --urls requests.txt --workers 2
    massivetext remove out
    """
    import json
    from dataclasses import asdict

    from massivetext import storage
    from massivetext.cli._running import Progress
    from massivetext.errors import OutputError
    from massivetext.removal import remove as take_out
    from pipelines.execution import Execution, Workers
    from pipelines.remove import FinishedRun

    def lines(path: str | None) -> list[str]:
        if path is None:
            return []
        try:
            text = storage.read_bytes(path).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise click.UsageError(f"{path}: expected UTF-8 text, one entry a line: {error}") from error
        found = [line.strip() for line in text.split("\n")]
        return [line for line in found if line]

    if not (ids or urls) and not storage.exists(storage.join(folder, "removed.json")):
        raise click.UsageError("nothing is named: give --ids FILE or --urls FILE")
    if not any(storage.exists(storage.join(folder, name)) for name in ("ledger", "manifest.json")):
        raise OutputError(f"{folder}: holds neither a ledger nor the manifest of a mixture")
    progress = Progress(quiet=quiet, as_json=log_json)
    try:
        with Workers(Execution(workers=workers)) as pool:
            run = FinishedRun(folder, pool)
            done = take_out(run, lines(ids), lines(urls), on_start=lambda tasks: progress.stage("remove", tasks))
    finally:
        progress.close()
    if log_json:
        click.echo(json.dumps({"event": "end", **asdict(done)}, ensure_ascii=False))
        return
    if not quiet:
        n = sum(done.outcomes.values())
        said = ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(done.outcomes.items()))
        click.echo(f"{n:,} documents removed" + (f": they were {said}" if said else ""))
        if done.known:
            click.echo(f"{done.known:,} had been removed before")
        if done.copies:
            click.echo(
                f"{done.copies:,} more go with them: deduplication had removed these in favour of one that is named"
            )
        for mixture, (changed, total) in sorted(done.shards.items()):
            click.echo(f"mixture {mixture}: {done.rows[mixture]:,} rows out of {changed:,} of {total:,} shards")
        click.echo(f"{done.files:,} files written anew")
        for note in done.notes:
            click.echo(note)
    if done.stays:
        click.echo(
            f"{len(done.stays):,} of them had been removed as duplicates of documents that stay; name those too if "
            "they are to go:",
            err=True,
        )
        for document, partner in done.stays[:_LISTED]:
            click.echo(f"  {document} is a duplicate of {partner}", err=True)
    for what, missing in (("ids", done.missing_ids), ("addresses", done.missing_urls)):
        if missing:
            click.echo(f"{len(missing):,} {what} are not there:", err=True)
            for name in missing[:_LISTED]:
                click.echo(f"  {name}", err=True)
            if len(missing) > _LISTED:
                click.echo(f"  and {len(missing) - _LISTED:,} more", err=True)


_LISTED = 20
"""Lines that are shown of a list."""
