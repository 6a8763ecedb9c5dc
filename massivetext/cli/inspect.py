"""`massivetext inspect PATH`: look into any shard, folder or ledger."""

from __future__ import annotations

from typing import Any

import click


@click.command()
@click.argument("path")
@click.option("--rows", type=click.IntRange(0), default=5, show_default=True, help="sample rows to show")
@click.option("--columns", metavar="A,B", help="only these columns")
@click.option("--where", metavar="EXPR", help="an SQL condition on the columns, as in \"outcome = 'rejected'\"")
@click.option("--seed", type=int, help="sample rows by this seed instead of showing the first")
@click.option(
    "--duplicates", is_flag=True, help="groups of duplicates of an output folder, largest first, with samples"
)
@click.option("--json", "as_json", is_flag=True, help="rows as JSON lines, all of them unless --rows is given")
@click.pass_context
def inspect(
    context: click.Context,
    path: str,
    rows: int,
    columns: str | None,
    where: str | None,
    seed: int | None,
    duplicates: bool,
    as_json: bool,
) -> None:
    """Schema, counts, sizes and sample rows of the Parquet at PATH: a file, a folder of them, or an output folder (its
    ledger).

    \b
    massivetext inspect out --where "outcome = 'rejected'" --columns reason,word_count
    massivetext inspect out/mixture/gopher --rows 2
    massivetext inspect out --duplicates
    """
    import json

    from massivetext import storage
    from massivetext.errors import OutputError, SourceError

    if duplicates:
        _duplicates(path, rows, as_json)
        return
    files = [name for name in storage.find(path) if name.endswith(".parquet")]
    ledger = [name for name in files if name.startswith(storage.join(path, "ledger", ""))]
    if not files:
        raise SourceError(f"{path}: no Parquet file there")
    files = ledger or files
    if not as_json:
        _describe(files)
    import duckdb

    is_given = context.get_parameter_source("rows") is not click.core.ParameterSource.DEFAULT
    limit = rows if is_given or not as_json else None
    chosen = ", ".join(f'"{name.strip()}"' for name in columns.split(",")) if columns else "*"
    query = f"SELECT {chosen} FROM read_parquet(?, union_by_name=true)"
    query += f" WHERE {where}" if where else ""
    query += f" ORDER BY hash(id, {seed})" if seed is not None else ""
    query += f" LIMIT {limit}" if limit is not None else ""
    try:
        with duckdb.connect() as connection:
            found = connection.execute(query, [files])
            names = [column[0] for column in found.description]
            while batch := found.fetchmany(256):
                for values in batch:
                    row = dict(zip(names, values))
                    if as_json:
                        click.echo(json.dumps(row, ensure_ascii=False, default=str))
                    else:
                        _show(row)
    except duckdb.Error as error:
        raise OutputError(f"{path}: {error}") from error


def _describe(files: list[str]) -> None:
    import pyarrow.parquet as pq

    from massivetext import storage

    n_rows = n_groups = stored = size = 0
    schema: Any = None
    for name in files:
        with storage.open_input(name) as stream:
            file = pq.ParquetFile(stream)
            schema = schema or file.schema_arrow
            n_rows += file.metadata.num_rows
            n_groups += file.metadata.num_row_groups
            for group in range(file.metadata.num_row_groups):
                size += file.metadata.row_group(group).total_byte_size
        stored += storage.size(name)
    click.echo(f"{len(files):,} files, {n_rows:,} rows, {n_groups:,} row groups")
    click.echo(f"{stored:,} bytes stored, {size:,} unpacked")
    click.echo("columns: " + ", ".join(f"{field.name} {field.type}" for field in schema) + "\n")


def _show(row: dict[str, Any]) -> None:
    """A row for the terminal: control characters visible, long text wrapped and cut."""
    import shutil
    import textwrap

    width = shutil.get_terminal_size((100, 24)).columns
    click.echo("-" * min(width, 100))
    for name, value in row.items():
        if value is None or value == []:
            continue
        shown = "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(value))
        if "\n" in shown or len(shown) > width - 20:
            head = shown[:2000] + (f" ... ({len(shown):,} characters)" if len(shown) > 2000 else "")
            click.echo(f"{name}:")
            for line in head.split("\n"):
                click.echo(textwrap.fill(line, width, initial_indent="  ", subsequent_indent="  "))
        else:
            click.echo(f"{name:<20}{shown}")


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
