"""`massivetext index DIR`: what a later run needs to deduplicate against this one."""

from __future__ import annotations

import click

from massivetext.cli._output import echo, echo_json
from massivetext.cli._running import imports_of_a_run

__all__ = ["index"]


@click.command()
@click.argument("folder", metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="documents indexed by subset as JSON")
def index(folder: str, as_json: bool) -> None:
    """Index the documents that deduplication kept in DIR.

    A later recipe names DIR under deduplication.against: its documents that duplicate one of DIR's are then removed.
    DIR/curated must stay where it is for as long as the index is used.

    \b
    massivetext index out
    """
    from massivetext.dedup.index import write_index
    from massivetext.errors import OutputError

    with imports_of_a_run():
        from pipelines.deduplicate import find_documents
        from pipelines.run_folder.folder import Folder

    recipe = Folder(folder).recipe()
    subsets = [name for name in recipe.filled if recipe.goes_through(name, "deduplication")]
    parts = [part for subset in subsets for part in find_documents(Folder(folder), subset)]
    if not parts:
        raise OutputError(f"{folder}: holds no evidence of duplicates; run the curate and deduplicate stages first")
    counts = write_index(folder, parts)
    if as_json:
        echo_json({"documents": dict(sorted(counts.items()))})
        return
    for subset, n in sorted(counts.items()):
        echo(f"{subset}: {n:,} documents indexed")
    echo(f"use it with  deduplication: {{against: [{folder}]}}")
