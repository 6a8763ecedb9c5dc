"""`massivetext inspect PATH`: look into any shard, folder, ledger or manifest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click


@click.command()
@click.argument("path")
@click.option("--rows", type=click.IntRange(0), default=5, show_default=True, help="rows to show")
@click.option("--columns", metavar="A,B", help="only these columns")
@click.option("--where", metavar="EXPR", help="an SQL condition on the columns, as in \"outcome = 'rejected'\"")
@click.option("--id", "ids", metavar="ID", multiple=True, help="rows whose id begins with this; repeatable")
@click.option("--seed", type=int, help="a sample of rows by this seed instead of the first")
@click.option(
    "--duplicates", is_flag=True, help="groups of duplicates of an output folder, largest first, with samples"
)
@click.option(
    "--json", "as_json", is_flag=True, help="rows as JSON lines, all of them unless --rows or --seed is given"
)
@click.pass_context
def inspect(
    context: click.Context,
    path: str,
    rows: int,
    columns: str | None,
    where: str | None,
    ids: tuple[str, ...],
    seed: int | None,
    duplicates: bool,
    as_json: bool,
) -> None:
    """Schema, counts, sizes and rows of the Parquet at PATH: a file, a folder or pattern of files, an output folder
    (its ledger), or a manifest.json. PATH may be a URL (s3://, gs://).

    \b
    massivetext inspect out --where "outcome = 'rejected'" --columns reason,word_count
    massivetext inspect out/mixture/gopher --rows 2 --seed 7
    massivetext inspect out/curated --id 3f0c
    massivetext inspect out/mixture/gopher --json --columns id,text > mixture.jsonl
    massivetext inspect out/mixture/gopher/manifest.json
    massivetext inspect out --duplicates
    """
    import sys

    from massivetext.inspection import ConditionError, Selection, as_json_line, find_files, open_files, select

    if duplicates:
        _duplicates(path, rows, as_json)
        return
    if path.endswith(".json"):
        _manifest(path, as_json)
        return
    files = open_files(find_files(path))
    is_given = context.get_parameter_source("rows") is not click.core.ParameterSource.DEFAULT
    chosen = tuple(name.strip() for name in columns.split(",")) if columns is not None else None
    limit = None if as_json and not is_given and seed is None else rows
    selection = Selection(limit, seed, ids, where, chosen)
    found = select(files, selection)
    try:
        first = next(found, None)
    except ConditionError as error:
        raise click.UsageError(str(error)) from error
    if not as_json:
        _describe(path, files, chosen or files.schema.names)
    # Of another encoding than UTF-8 only ASCII is sure to be written as it is.
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    n = 0
    try:
        while first is not None:
            if as_json:
                click.echo(as_json_line(first, files.schema, ascii_only=ascii_only))
            else:
                _show(first)
            n += 1
            first = next(found, None)
    except ConditionError as error:
        raise click.UsageError(str(error)) from error
    if n == 0 and not as_json and limit != 0:
        click.echo("no row" + (" that meets this" if where or ids else ""))


def _describe(path: str, files: Any, names: Sequence[str]) -> None:
    groups = [n for found in files.groups for n in found]
    click.echo(f"{_visible(path)}: {len(files.paths):,} files, {files.n_rows:,} rows, {files.stored:,} bytes stored")
    if groups:
        sizes = sorted(files.group_bytes)
        click.echo(
            f"{len(groups):,} row groups of {min(groups):,} to {max(groups):,} rows and {sizes[0]:,} to {sizes[-1]:,} "
            f"bytes unpacked, {sizes[len(sizes) // 2]:,} in the middle"
        )
    columns = [files.columns[name] for name in names]
    width = max([len(name) for name in names] + [6])
    kinds = min(max([len(column.type) for column in columns] + [4]), 32)
    click.echo(
        f"\n{'column':<{width}}  {'type':<{kinds}}  {'stored':>14}  {'unpacked':>14}  {'ratio':>6}  {'nulls':>10}"
    )
    for column in columns:
        ratio = f"{column.stored / column.unpacked:.3f}" if column.unpacked else ""
        nulls = "" if column.nulls is None else f"{column.nulls:,}"
        packed = ", ".join(sorted(column.compressions))
        click.echo(
            f"{_visible(column.name):<{width}}  {column.type[:kinds]:<{kinds}}  {column.stored:>14,}  "
            f"{column.unpacked:>14,}  {ratio:>6}  {nulls:>10}  {packed}"
        )
    click.echo("")


def _visible(text: str) -> str:
    from massivetext.visible import visible

    return visible(text).replace("\n", "\\n").replace("\t", "\\t")


_SHOWN = 2000
"""Characters of a text that are shown."""


def _show(row: dict[str, Any]) -> None:
    """A row for the terminal: what moves the cursor visible, long text wrapped by cells and cut."""
    import shutil

    from rich.cells import cell_len

    from massivetext.visible import visible

    width = max(20, shutil.get_terminal_size((100, 24)).columns)
    click.echo("-" * min(width, 100))
    row = {_visible(name): value for name, value in row.items() if value is not None and value != []}
    names = max([20, *(len(name) + 2 for name in row)])
    for name, value in row.items():
        text = str(value)
        shown = visible(text[:_SHOWN]).expandtabs(4)
        if len(text) > _SHOWN:
            shown += f" ... ({len(text):,} characters)"
        if "\n" in shown or cell_len(shown) > width - names:
            click.echo(f"{name}:")
            for line in shown.split("\n"):
                for piece in _wrapped(line, width - 2):
                    click.echo(f"  {piece}".rstrip())
        else:
            click.echo(f"{name:<{names}}{shown}")


def _wrapped(line: str, width: int) -> list[str]:
    """A line in pieces of at most `width` cells, broken at spaces where there are any; wide characters take two."""
    from rich.cells import cell_len, chop_cells

    pieces, at = [""], 0
    for number, word in enumerate(line.split(" ")):
        size = cell_len(word)
        if number and at + 1 + size <= width:
            pieces[-1] += f" {word}"
            at += 1 + size
            continue
        if number:
            pieces.append("")
        *full, rest = chop_cells(word, width) or [""]
        pieces[-1:] = [*full, rest]
        at = cell_len(rest)
    return pieces


def _manifest(path: str, as_json: bool) -> None:
    """A JSON file that a run leaves: what it states, files added up."""
    import json

    from massivetext import storage
    from massivetext.errors import SourceError

    try:
        data = json.loads(storage.read_bytes(path))
    except ValueError as error:
        raise SourceError(f"{path}: is not JSON: {error}") from error
    if as_json or not isinstance(data, dict):
        click.echo(json.dumps(data, ensure_ascii=False))
        return
    files = data.pop("files", None)
    if isinstance(files, dict):
        sums = {key: sum(file.get(key, 0) for file in files.values()) for key in ("rows", "bytes")}
        click.echo(f"{len(files):,} files, {sums['rows']:,} rows, {sums['bytes']:,} bytes")
    for name, value in data.items():
        if isinstance(value, (dict, list)):
            value = json.dumps(value, ensure_ascii=False, indent=1)
            click.echo(f"{_visible(name)}:")
            for line in value.split("\n"):
                click.echo(f"  {_visible(line)}")
        else:
            click.echo(f"{_visible(name):<20}{_visible(str(value))}")


def _duplicates(path: str, rows: int, as_json: bool) -> None:
    import json

    from massivetext.dedup.groups import read_groups, with_samples

    found = read_groups(path)
    shown = with_samples(path, found.slice(0, rows))
    if as_json:
        for row in shown:
            click.echo(json.dumps(row, ensure_ascii=False, default=str))
        return
    n = sum(found["size"].to_pylist()) - found.num_rows
    click.echo(f"{found.num_rows:,} groups, {n:,} documents removed in favour of {found.num_rows:,}\n")
    for row in shown:
        least = "" if row["jaccard_min"] is None else f", J from {row['jaccard_min']:.4f}"
        click.echo(f"{row['size']:,} documents: {row['exact']:,} exact, {row['near']:,} near{least}")
        for document in (row["kept"], *row["samples"]):
            said = document["outcome"] if document is row["kept"] else document["reason"]
            jaccard = "" if document.get("jaccard") is None else f", J = {document['jaccard']:.4f}"
            where = document["url"] or document["source"] or ""
            click.echo(f"  {document['id']}  {said}{jaccard}  {where}")
            if document["text"] is not None:
                click.echo("      " + _one_line(document["text"]))
        left = row["size"] - 1 - len(row["samples"])
        click.echo(f"  and {left:,} more\n" if left else "")


def _one_line(text: str, width: int = 100) -> str:
    line = " ".join(text[: 4 * width].split())
    line = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in line)
    return line if len(line) <= width else line[:width] + " ..."
