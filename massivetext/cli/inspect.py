"""`massivetext inspect PATH`: look into any shard, folder, ledger or manifest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from massivetext.cli._output import echo, echo_json
from massivetext.terminal_text import counted, one_line, safe_json, visible_name, visible_values


@click.command()
@click.argument("path")
@click.option("--rows", type=click.IntRange(0), default=5, show_default=True, help="rows to show")
@click.option("--columns", metavar="A,B", help="only these columns")
@click.option("--where", metavar="EXPR", help="an SQL condition on the columns, as in \"outcome = 'rejected'\"")
@click.option("--id", "ids", metavar="ID", multiple=True, help="rows whose id begins with this; repeatable")
@click.option("--sort", metavar="A,-B", help="order by these columns; - for the largest first")
@click.option("--seed", type=int, help="a sample of rows by this seed instead of the first")
@click.option("--text", "with_text", is_flag=True, help="of an output folder: each document's text, where it is kept")
@click.option("--table", "as_table", is_flag=True, help="always as a table: long values are cut")
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
    sort: str | None,
    seed: int | None,
    with_text: bool,
    as_table: bool,
    duplicates: bool,
    as_json: bool,
) -> None:
    """Schema, counts, sizes and rows of the Parquet at PATH: a file, a folder or pattern of files, an output folder
    (its ledger), or a manifest.json. PATH may be a URL (s3://, gs://). Rows are a table where they fit the terminal,
    else one value a line.

    \b
    massivetext inspect out --where "outcome = 'rejected'" --columns url,reason,word_count
    massivetext inspect out --where "reason = 'quality.word_count'" --text --columns url,word_count
    massivetext inspect out --columns url,word_count --sort=-word_count --rows 20
    massivetext inspect out/mixture/gopher --rows 2 --seed 7
    massivetext inspect out/curated --id 3f0c
    massivetext inspect out/mixture/gopher --json --columns id,text > mixture.jsonl
    massivetext inspect out/mixture/gopher/manifest.json
    massivetext inspect out --duplicates
    """
    from massivetext.inspection import ConditionError, Selection, find_files, open_files

    if duplicates:
        _duplicates(path, rows, as_json)
        return
    if path.endswith(".json"):
        _manifest(path, as_json)
        return
    is_given = context.get_parameter_source("rows") is not click.core.ParameterSource.DEFAULT
    selection = Selection(
        limit=None if as_json and not is_given and seed is None else rows,
        seed=seed,
        ids=ids,
        where=where,
        columns=_names(columns) if columns is not None else None,
        sort=_names(sort) if sort is not None else (),
    )
    if seed is not None and sort is not None:
        raise click.UsageError("--seed draws rows and --sort orders all of them; give one of the two")
    try:
        files = open_files(find_files(path))
        selected = _with_texts(path, files, selection) if with_text else _rows(files, selection)
        if as_json:
            _print_json(selected, files)
        else:
            _print_rows(path, files, selection, selected, as_table)
    except ConditionError as error:
        raise click.UsageError(str(error)) from error


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(","))


def _rows(files: Any, selection: Any) -> Iterator[dict[str, Any]]:
    from massivetext.inspection import select

    return select(files, selection)


_TEXTS_AT_ONCE = 100
"""Rows whose texts are read together: their parts are then opened once."""


def _with_texts(path: str, files: Any, selection: Any) -> Iterator[dict[str, Any]]:
    """Yield rows of a ledger with each document's `text`, null where the run did not keep it."""
    from dataclasses import replace
    from itertools import islice

    from massivetext import storage
    from massivetext.inspection import ConditionError, select_with_paths
    from massivetext.report.samples import texts

    if not files.paths[0].startswith(storage.join(path, "ledger", "")):
        raise ConditionError("--text finds the texts of an output folder's ledger; give the --output of a run as PATH")
    shown = selection.columns if selection.columns is not None else tuple(files.schema.names)
    needed = tuple(dict.fromkeys([*shown, "id", "subset", "outcome"]))
    selected = select_with_paths(files, replace(selection, columns=needed))
    while chunk := list(islice(selected, _TEXTS_AT_ONCE)):
        keys = ("id", "subset", "outcome")
        places = [
            {**{key: row[key] for key in keys}, "part": name.rpartition("/")[2].removesuffix(".parquet")}
            for name, row in chunk
        ]
        texts_by_id = texts(path, places)
        for _, row in chunk:
            yield {**{name: row[name] for name in shown}, "text": texts_by_id.get(row["id"])}


def _print_json(selected: Iterator[dict[str, Any]], files: Any) -> None:
    import sys

    import pyarrow as pa

    from massivetext.inspection import as_json_line

    # Of another encoding than UTF-8 only ASCII is sure to be written as it is.
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    schema = files.schema if "text" in files.schema.names else files.schema.append(pa.field("text", pa.string()))
    for row in selected:
        click.echo(safe_json(as_json_line(row, schema, ascii_only=ascii_only)))


_IN_A_TABLE = 1000
"""Rows up to which a table is tried; more are printed as they are read."""


def _print_rows(path: str, files: Any, selection: Any, selected: Iterator[dict[str, Any]], as_table: bool) -> None:
    from itertools import chain, islice

    from massivetext.cli._rows import describe_files, show_record, show_table

    first = list(islice(selected, _IN_A_TABLE))  # before anything is printed: a condition may turn out wrong
    describe_files(path, files, selection.columns or files.schema.names)
    if not first:
        if selection.limit != 0:
            echo("no row" + (" that meets this" if selection.where or selection.ids else ""))
        return
    if "text" in first[0] and not any(row["text"] for row in first):
        echo("no text of these documents is kept; the recipe's key `rejected` says which are")
    is_chosen = selection.columns is not None
    if len(first) < _IN_A_TABLE and show_table(list(first[0]), first, cut=is_chosen, force=as_table):
        return
    for row in chain(first, selected):
        show_record(row)


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
        echo_json(data)
        return
    files = data.pop("files", None)
    if isinstance(files, dict):
        sums = {key: sum(file.get(key, 0) for file in files.values()) for key in ("rows", "bytes")}
        echo(f"{len(files):,} files, {sums['rows']:,} rows, {sums['bytes']:,} bytes")
    for name, value in data.items():
        if isinstance(value, (dict, list)):
            echo(f"{visible_name(name)}:")
            for line in json.dumps(value, ensure_ascii=False, indent=1).split("\n"):
                echo(f"  {visible_name(line)}")
        else:
            echo(f"{visible_name(name):<20}{visible_name(value)}")


def _duplicates(path: str, rows: int, as_json: bool) -> None:
    from massivetext.dedup.groups import read_groups, with_samples

    groups = read_groups(path)
    shown = with_samples(path, groups.slice(0, rows))
    if as_json:
        for row in shown:
            echo_json(row)
        return
    n = sum(groups["size"].to_pylist()) - groups.num_rows
    kept = counted(groups.num_rows, "document")
    echo(f"{counted(groups.num_rows, 'group')}: {counted(n, 'document')} removed in favour of {kept}\n")
    for row in visible_values(shown, skip=("text",)):
        least = "" if row["jaccard_min"] is None else f", J from {row['jaccard_min']:.4f}"
        echo(f"{row['size']:,} documents: {row['exact']:,} exact, {row['near']:,} near{least}")
        for document in (row["kept"], *row["samples"]):
            verdict = document["outcome"] if document is row["kept"] else document["reason"]
            jaccard = "" if document.get("jaccard") is None else f", J = {document['jaccard']:.4f}"
            where = visible_name(document["url"] or document["source"] or "")
            echo(f"  {document['id']}  {verdict}{jaccard}  {where}")
            if document["text"] is not None:
                echo("      " + one_line(document["text"]))
        others = row["size"] - 1 - len(row["samples"])
        echo(f"  and {others:,} more\n" if others else "")
