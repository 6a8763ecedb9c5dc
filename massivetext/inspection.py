"""Looking into Parquet files: what they hold by column, and rows of them by place, seed, id or condition.

Files are read a row group at a time through massivetext.storage, from a disk or an object store alike. A condition is
DuckDB's SQL over the columns it names; other columns are read only where a row meets it.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.arrow_values import distinct_names
from massivetext.distinct_columns import DistinctColumns, column_of_each_leaf, distinct_schema, rows_of
from massivetext.errors import SourceError
from massivetext.parquet import READ_ERRORS, open_parquet

__all__ = [
    "Column",
    "ConditionError",
    "Files",
    "Selection",
    "as_json",
    "as_json_line",
    "find_files",
    "open_files",
    "select",
    "select_with_paths",
]


_LINE_ENDS = re.compile("[\x7f-\x9f\u2028\u2029]")


class ConditionError(ValueError):
    """A condition or a column that the files do not have. The message says which there are."""


@dataclass
class Column:
    """One column over all files. stored and unpacked: bytes with and without compression; nulls: None if unknown."""

    name: str
    type: str
    stored: int = 0
    unpacked: int = 0
    nulls: int | None = 0
    compressions: set[str] = field(default_factory=set)


@dataclass
class Files:
    """Parquet files by their footers. groups: rows of each row group of each file. Columns of one name are told apart
    as `distinct_names` does."""

    paths: tuple[str, ...]
    schema: pa.Schema
    columns: dict[str, Column]
    groups: tuple[tuple[int, ...], ...]
    group_bytes: tuple[int, ...]
    stored: int

    @property
    def n_rows(self) -> int:
        return sum(map(sum, self.groups))


@dataclass(frozen=True)
class Selection:
    """Which rows to read.

    Attributes:
        limit: How many; None for all.
        seed: A sample of `limit` rows instead of the first.
        ids: Beginnings of ids.
        where: An SQL condition.
        columns: Names of the columns to return; None for all.
        sort: Columns to order the rows by, the first one first; `-` before a name for the largest first. Of rows that
            are equal in them the first in the files comes first; nulls and NaN come last.
    """

    limit: int | None = None
    seed: int | None = None
    ids: tuple[str, ...] = ()
    where: str | None = None
    columns: tuple[str, ...] | None = None
    sort: tuple[str, ...] = ()


def find_files(path: str) -> list[str]:
    """The Parquet files at a path: a file, a folder, a pattern, or an output folder, which stands for its ledger.

    Raises SourceError if there are none.
    """
    is_there = storage.exists(path)
    # A name that is there is that, also with a `[` in it.
    paths = (storage.list_files(path) or [path]) if is_there and not storage.is_remote(path) else storage.find(path)
    files = [name for name in paths if name.endswith(".parquet")]
    if not files and paths == [path]:
        files = paths  # a file by another name
    if not files:
        there = "no Parquet file there" if is_there else "no such file or folder"
        raise SourceError(f"{path}: {there}; give a .parquet file, a folder of them, or the --output of a run")
    base = storage.join(path, "ledger", "")
    return [name for name in files if name.startswith(base)] or files


def open_files(paths: Sequence[str]) -> Files:
    """Read the footers of Parquet files. Raises SourceError for a file that is not Parquet, or whose columns cannot
    stand together with the others'."""
    columns: dict[str, Column] = {}
    groups, sizes, schemas = [], [], []
    stored = 0
    for path in paths:
        with storage.open_input(path) as stream:
            try:
                file = open_parquet(stream)
                schema, metadata = distinct_schema(file.schema_arrow), file.metadata
                types = [str(field.type) for field in file.schema_arrow]
            except READ_ERRORS as error:
                raise SourceError(f"{path}: is no Parquet file that can be read: {error}") from error
        schemas.append(schema)
        for name, kind in zip(schema.names, types):
            columns.setdefault(name, Column(name, kind))
        leaves = [(columns[name], pa.types.is_nested(schema.field(name).type)) for name in column_of_each_leaf(schema)]
        groups.append(tuple(metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)))
        for k in range(metadata.num_row_groups):
            group = metadata.row_group(k)
            sizes.append(group.total_byte_size)
            for at, (column, is_nested) in enumerate(leaves):
                _add(column, group.column(at), is_nested)
        stored += storage.size(path)
    try:
        schema = pa.unify_schemas(schemas, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SourceError(f"{paths[0]} and others have columns that do not fit together: {error}; give one") from error
    return Files(tuple(paths), schema, columns, tuple(groups), tuple(sizes), stored)


def _add(column: Column, chunk: Any, is_nested: bool) -> None:
    column.stored += chunk.total_compressed_size
    column.unpacked += chunk.total_uncompressed_size
    column.compressions.add(chunk.compression.lower())
    known = chunk.is_stats_set and chunk.statistics.has_null_count and not is_nested
    column.nulls = column.nulls + chunk.statistics.null_count if known and column.nulls is not None else None


def select(files: Files, selection: Selection) -> Iterator[dict[str, Any]]:
    """Yield the selected rows as dicts, in the order of files and rows unless they are sorted.

    One row group's worth of the selected columns is in memory at a time; of sorted rows, `limit` rows and the columns
    that they are sorted by.

    Raises:
        ConditionError: For columns that do not exist and conditions that cannot be evaluated.
    """
    for _, row in select_with_paths(files, selection):
        yield row


def select_with_paths(files: Files, selection: Selection) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (path of the file, row) as `select` does."""
    shown = _known(files, selection.columns) if selection.columns is not None else tuple(files.schema.names)
    if selection.ids and "id" not in files.schema.names:
        raise ConditionError(f"no column `id` to look for {selection.ids[0]!r} in; {_names(files)}")
    condition = _Condition(files, selection.where) if selection.where is not None else None
    places = _places(files, selection, condition)
    if selection.seed is not None:
        places = _sample(places, 5 if selection.limit is None else selection.limit, selection.seed)
    if selection.sort:
        yield from _sorted(files, places, selection, shown)
        return
    remaining = selection.limit if selection.limit is not None else -1
    with _Opened(files) as opened:
        for number, group, rows in places:
            if remaining > 0:
                rows = rows[:remaining]
                remaining -= len(rows)
            if len(rows):
                for row in _read(opened.file(number), group, shown, rows):
                    yield files.paths[number], row
            if remaining == 0:
                return


_PLACE = ("file", "row group", "row")
"""Columns of a table of places, beside those that rows are sorted by."""

_SORTED_AT_ONCE = 1000
"""Rows that are read together where all rows are returned in order."""


def _sorted(
    files: Files, places: Iterator[Place], selection: Selection, shown: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    names = _known(files, [name.removeprefix("-") for name in selection.sort])
    for name in names:
        if pa.types.is_nested(files.schema.field(name).type):
            raise ConditionError(f"--sort {name}: its values are lists or maps, which have no order")
    keys = [(f"key {at}", "descending" if name[0] == "-" else "ascending") for at, name in enumerate(selection.sort)]
    keys += [(name, "ascending") for name in _PLACE]
    best: pa.Table | None = None
    with _Opened(files) as opened:
        for number, group, rows in places:
            if len(rows) == 0:
                continue
            file = opened.file(number)
            there = [name for name in dict.fromkeys(names) if name in file.names]
            table = file.read(group, there) if there else None
            columns: dict[str, Any] = {}
            for at, name in enumerate(names):
                values = _plain(_column(files, table, name, files.groups[number][group]))
                columns[f"key {at}"] = values.take(pa.array(rows))
            for name, values in zip(_PLACE, (np.full(len(rows), number), np.full(len(rows), group), rows)):
                columns[name] = pa.array(values, pa.int64())
            chosen = pa.table(columns)
            best = chosen if best is None else pa.concat_tables([best, chosen])
            if selection.limit is not None and best.num_rows > selection.limit:
                best = best.take(_order(best, keys, selection)[: selection.limit]).combine_chunks()
        if best is None:
            return
        best = best.take(_order(best, keys, selection)).select(list(_PLACE))
        for first in range(0, best.num_rows, _SORTED_AT_ONCE):
            yield from _in_order(files, opened, best.slice(first, _SORTED_AT_ONCE), shown)


def _order(table: pa.Table, keys: list[tuple[str, str]], selection: Selection) -> pa.Array:
    try:
        return pc.sort_indices(table, sort_keys=keys)
    except (pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise ConditionError(f"--sort {','.join(selection.sort)}: its values have no order: {error}") from error


def _column(files: Files, table: pa.Table | None, name: str, n: int) -> Any:
    """Return a column of a table of `n` rows in the type that it has in all files; nulls if the table lacks it."""
    kind = files.schema.field(name).type
    if table is None or name not in table.column_names:
        return pa.nulls(n, kind)
    column = table.column(name)
    try:
        return column if column.type == kind else column.cast(kind)
    except pa.ArrowInvalid as error:
        fault = f"column {name!r} is {column.type} in one file and {kind} in another: {error}; give one"
        raise ConditionError(fault) from error


def _plain(column: Any) -> Any:
    """Return a column of dictionaries or of views as one of their values, which can be compared."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_string_view(kind):
        kind = pa.large_string()
    if pa.types.is_binary_view(kind):
        kind = pa.large_binary()
    return column if kind == column.type else column.cast(kind, safe=False)


def _in_order(
    files: Files, opened: _Opened, places: pa.Table, shown: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows at some places, in the order of the places."""
    wanted = np.stack([places.column(name).to_numpy() for name in _PLACE], axis=1)
    rows: dict[tuple[int, ...], dict[str, Any]] = {}
    for number, group in sorted({(int(number), int(group)) for number, group, _ in wanted}):
        numbers = np.sort(wanted[(wanted[:, 0] == number) & (wanted[:, 1] == group), 2])
        for at, row in zip(numbers.tolist(), _read(opened.file(number), group, shown, numbers)):
            rows[number, group, at] = row
    for place in map(tuple, wanted.tolist()):
        yield files.paths[place[0]], rows[place]


Place = tuple[int, int, np.ndarray]
"""File, row group, and rows of it, ascending."""


def _places(files: Files, selection: Selection, condition: _Condition | None) -> Iterator[Place]:
    for number, path in enumerate(files.paths):
        asked = bool(selection.ids) or condition is not None
        if not asked:
            yield from ((number, group, np.arange(n)) for group, n in enumerate(files.groups[number]))
            continue
        with storage.open_input(path) as stream:
            file = DistinctColumns(stream, path)
            there = set(file.names)
            for group, n in enumerate(files.groups[number]):
                rows = np.arange(n)
                if selection.ids:
                    rows = _by_id(file, group, selection.ids) if "id" in there else rows[:0]
                if condition is not None and len(rows):
                    names = [name for name in condition.columns if name in there]
                    table = file.read(group, names) if names else None
                    rows = rows[np.isin(rows, condition.rows(table, n))]
                yield number, group, rows


def _by_id(file: DistinctColumns, group: int, ids: Sequence[str]) -> np.ndarray:
    column = _plain(file.read(group, ["id"]).column("id"))
    is_bytes = pa.types.is_large_binary(column.type) or pa.types.is_binary(column.type)
    is_bytes |= pa.types.is_fixed_size_binary(column.type)
    try:
        column = pc.cast(column, pa.large_binary() if is_bytes else pa.large_string())
    except pa.ArrowException as error:
        raise ConditionError(f"--id {ids[0]!r}: ids are text; those of these files are {column.type}") from error
    is_named = np.zeros(len(column), bool)
    for name in ids:
        try:
            hits = pc.starts_with(column, bytes.fromhex(name[: len(name) // 2 * 2]) if is_bytes else name)
        except ValueError as error:
            raise ConditionError(f"--id {name!r}: the ids of these files are bytes, in hexadecimal digits") from error
        is_named |= np.asarray(pc.fill_null(hits, False).to_numpy(zero_copy_only=False), bool)
    return np.flatnonzero(is_named)


class _Condition:
    """An SQL condition on one row. columns: those that it may name."""

    def __init__(self, files: Files, where: str) -> None:
        import duckdb

        self.where, self.files = where, files
        if not where.strip():
            raise ConditionError("the condition is empty; expected one such as outcome = 'rejected'")
        self.connection = duckdb.connect(config={"enable_external_access": "false"})
        lowered = where.lower()
        every = "*" in where or "columns" in lowered
        self.columns = [name for name in files.schema.names if every or name.lower() in lowered]
        self.rows(None, 0)  # a condition that cannot be is told before any file is read

    def rows(self, table: pa.Table | None, n: int) -> np.ndarray:
        """Rows that meet the condition; a column that a file lacks is null in it."""
        import duckdb

        arrays = [_column(self.files, table, name, n) for name in self.columns]
        place = "row number"
        while place in self.columns:
            place += " "
        whole = pa.table([*arrays, pa.array(np.arange(n))], names=[*self.columns, place])
        try:
            self.connection.register("rows", whole)
            matches = self.connection.execute(f'SELECT "{place}" FROM rows WHERE ({self.where}\n)').fetchnumpy()
        except duckdb.Error as error:
            fault = str(error).partition("\n")[0]
            raise ConditionError(
                f"{self.where!r} is no condition on these rows: {fault}; {_names(self.files)}"
            ) from error
        return np.sort(np.asarray(matches[place], np.int64))


def _sample(places: Iterator[Place], n: int, seed: int) -> Iterator[Place]:
    """n of the rows, each set of n as likely as any other; the same for the same files and seed."""
    best = np.zeros((0, 4), np.uint64)
    start = 0
    for number, group, rows in places:
        at = np.arange(start, start + len(rows), dtype=np.uint64)
        start += len(rows)
        fixed = np.full(len(rows), number, np.uint64), np.full(len(rows), group, np.uint64)
        drawn = np.stack([_mixed(at, seed), *fixed, rows.astype(np.uint64)], axis=1)
        best = np.concatenate([best, drawn])
        if len(best) > n:
            best = best[np.argsort(best[:, 0], kind="stable")[:n]]
    order = np.lexsort((best[:, 3], best[:, 2], best[:, 1]))
    best = best[order].astype(np.int64)
    for number, group in dict.fromkeys(map(tuple, best[:, 1:3].tolist())):
        mask = (best[:, 1] == number) & (best[:, 2] == group)
        yield number, group, best[mask, 3]


def _mixed(values: np.ndarray, seed: int) -> np.ndarray:
    """splitmix64 of each value, keyed by the seed."""
    with np.errstate(over="ignore"):
        z = values + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) % 2**64)
        z = (z + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xD1342543DE82EF95)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


class _Opened:
    """The file that is being read; the one before it is closed."""

    def __init__(self, files: Files) -> None:
        self.files, self.number = files, -1

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        if self.number >= 0:
            self.parquet.close()
            self.stream.close()

    def file(self, number: int) -> DistinctColumns:
        if number != self.number:
            self.__exit__()
            self.number, self.stream = number, storage.open_input(self.files.paths[number])
            self.parquet = DistinctColumns(self.stream, self.files.paths[number])
        return self.parquet


def _read(file: DistinctColumns, group: int, shown: Sequence[str], rows: np.ndarray) -> Iterator[dict[str, Any]]:
    there = [name for name in shown if name in file.names]
    first = 0
    # By batches: a row group of long texts is not in memory as Arrow and as Python at once.
    for batch in file.batches(group, there, 256):
        chosen = rows[(rows >= first) & (rows < first + batch.num_rows)] - first
        first += batch.num_rows
        if len(chosen):
            for row in rows_of(batch, chosen):
                yield {name: row.get(name) for name in shown}
        if first > rows[-1]:
            return


def _known(files: Files, columns: Sequence[str]) -> tuple[str, ...]:
    for name in columns:
        if name not in files.schema.names:
            near = difflib.get_close_matches(name, files.schema.names, 1)
            meant = f" (did you mean {near[0]!r}?)" if near else ""
            raise ConditionError(f"no column {name!r}{meant}; {_names(files)}")
    return tuple(columns)


def _names(files: Files) -> str:
    return f"columns are {', '.join(files.schema.names)}"


def as_json_line(row: dict[str, Any], schema: pa.Schema, *, ascii_only: bool = False) -> str:
    """A row as JSON, without what some readers of lines take for the end of one (U+0085, U+2028, U+2029)."""
    data = {name: as_json(value, schema.field(name).type) for name, value in row.items()}
    text = json.dumps(data, ensure_ascii=ascii_only, allow_nan=False)
    return _LINE_ENDS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _is_pairs(kind: pa.DataType) -> bool:
    """A list of structs of `key`, a text, and `value`: what the metadata of documents is."""
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)) or not pa.types.is_struct(kind.value_type):
        return False
    names = [kind.value_type.field(at).name for at in range(kind.value_type.num_fields)]
    return names == ["key", "value"] and pa.types.is_string(kind.value_type.field("key").type)


def as_json(value: Any, kind: pa.DataType | None = None) -> Any:
    """A value of `python_values` as JSON has it: times in ISO 8601, maps and lists of pairs as objects where their keys
    differ, bytes in hexadecimal digits, what is no finite number as null."""
    if kind is not None and _is_pairs(kind) and value is not None:
        pairs = [(item["key"], as_json(item["value"], kind.value_type.field("value").type)) for item in value]
        keys = [key for key, _ in pairs]
        if None not in keys and len(set(keys)) == len(keys):
            return dict(pairs)
    elif kind is not None and pa.types.is_map(kind) and value is not None:
        pairs = [(as_json(key, kind.key_type), as_json(item, kind.item_type)) for key, item in value]
        keys = [key for key, _ in pairs]
        return dict(pairs) if all(isinstance(key, str) for key in keys) and len(set(keys)) == len(keys) else pairs
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        fields = list(kind) if kind is not None else []
        kinds = dict(zip(distinct_names([field.name for field in fields]), [field.type for field in fields]))
        return {key: as_json(item, kinds.get(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        inner = getattr(kind, "value_type", None)
        return [as_json(item, inner) for item in value]
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str) and kind is not None and pa.types.is_timestamp(kind):
        return value.replace(" ", "T")
    return value if value is None or isinstance(value, (str, bool, int)) else str(value)
