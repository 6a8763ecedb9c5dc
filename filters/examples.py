"""Labelled documents to train a score from: files with labels, or documents of one kind against a sample of a run."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from filters.hosts import host_of
from massivetext import distinct_columns, storage
from massivetext.distinct_columns import DistinctColumns
from massivetext.errors import OutputError, RecipeError, SourceError
from massivetext.readers.compression import blocks
from massivetext.suggestions import did_you_mean

__all__ = ["Example", "against_run", "files_of", "fold_of", "labelled", "rows_of"]

_ROWS_AT_ONCE = 1000
"""Rows of a Parquet file that are in memory at a time."""

_LARGEST = 1e300
"""The largest number that is a label; integers above it are no floats."""


@dataclass(frozen=True)
class Example:
    """A document to learn from. group: its host, or another value; documents of one group are in one fold."""

    text: str
    label: str
    group: str


def labelled(
    paths: Sequence[str],
    *,
    text: str = "text",
    label: str = "label",
    group: str | None = None,
    is_label: str | None = None,
) -> list[Example]:
    """Return the documents of labelled files, in order.

    Args:
        paths: JSON lines (compressed or not), or Parquet; files or patterns.
        text: the field of the text.
        label: the field of the label: a word, a number or a boolean.
        group: a field whose values no two folds share. None: the host of `url`, else `source`, else the text itself.
        is_label: the label of every document, in place of a field.

    Raises:
        RecipeError: a path matches no file.
        SourceError: a file cannot be read, or a row has no text or no label.
    """
    examples = []
    for path in files_of(paths):
        for number, row in enumerate(rows_of(path), 1):
            place = f"{path}: row {number}"
            content = _field(row, text, place)
            if not isinstance(content, str):
                raise SourceError(f"{place}: {text!r} is {content!r:.40}; expected a text")
            word = _word(_field(row, label, place), f"{place}: {label!r}") if is_label is None else is_label
            examples.append(Example(content, word, _group(row, group, content)))
    if not examples:
        raise SourceError(f"{', '.join(paths)}: no documents; expected a text and a label a row")
    return examples


def _field(row: dict[str, Any], name: str, place: str) -> Any:
    """Return what a row has in a field. Raises SourceError where there is nothing."""
    if name not in row:
        hint = did_you_mean(name, map(str, row))
        raise SourceError(f"{place}: has no field {name!r}; it has {', '.join(map(str, row)) or 'none'}{hint}")
    if row[name] is None:
        raise SourceError(f"{place}: {name!r} is null; give it a value, or leave the row out")
    return row[name]


def files_of(paths: Sequence[str]) -> list[str]:
    """Return the files of some paths and patterns, in order. Raises RecipeError for one that matches none."""
    files = []
    for pattern in paths:
        matches = storage.find(pattern)
        if not matches:
            raise RecipeError(f"{pattern}: no such file; expected JSON lines or Parquet with a text and a label a row")
        files += matches
    return files


def rows_of(path: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of JSON lines or Parquet. Raises SourceError for a file that is neither."""
    if path.endswith(".parquet"):
        with storage.open_input(path) as stream:
            file = DistinctColumns(stream, path)
            for group in range(file.n_groups):
                for batch in file.batches(group, file.names, _ROWS_AT_ONCE):
                    yield from distinct_columns.rows_of(batch, np.arange(batch.num_rows))
        return
    with storage.open_input(path) as stream:
        content = b"".join(block.data or b"" for block in blocks(stream, source=path))
    for number, line in enumerate(io.BytesIO(content), 1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError as error:
                raise SourceError(f"{path}: line {number}: not JSON ({error})") from error
            if not isinstance(row, dict):
                raise SourceError(f"{path}: line {number}: expected an object with fields, found {type(row).__name__}")
            yield row


def _word(value: Any, place: str) -> str:
    """Return a label as a word. Raises SourceError for a value that is none: an empty one, a list, not a number."""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, str):
        word = value.strip()
        if not word:
            raise SourceError(f"{place} is empty; expected a word or a number")
        if word.lower().lstrip("+-") not in ("nan", "inf", "infinity"):
            return word
    elif isinstance(value, (int, float)) and abs(value) <= _LARGEST:
        return f"{value:g}" if isinstance(value, float) else str(value)
    raise SourceError(f"{place} is {value!r:.40}; expected a word or a finite number")


def _group(row: dict[str, Any], field: str | None, text: str) -> str:
    if field is not None:
        return str(row.get(field))
    host = host_of(row["url"]) if isinstance(row.get("url"), str) else ""
    return host or (row["source"] if isinstance(row.get("source"), str) else "") or text


def against_run(folder: str, count: int, *, seed: int, label: str) -> list[Example]:
    """Return a sample of the documents of a run, kept and rejected ones, with one label.

    The sample has the documents whose ids have the smallest seeded digests, so it does not depend on how the run
    divided its files.

    Raises:
        OutputError: the folder contains no documents of a run.
    """
    paths = [
        path
        for kind in ("curated", "rejected")
        for path in storage.list_files(storage.join(folder, kind))
        if path.endswith(".parquet")
    ]
    if not paths:
        raise OutputError(f"{folder}: contains no documents; expected the --output of a run")
    places = []
    for path in paths:
        with storage.open_input(path) as stream:
            ids = pq.read_table(stream, columns=["id"]).column("id").to_pylist()
        places += [(_digest(name, seed), name, path, row) for row, name in enumerate(ids)]
    chosen = sorted(places)[:count]
    examples: dict[str, Example] = {}
    for path in sorted({place[2] for place in chosen}):
        rows = [place[3] for place in chosen if place[2] == path]
        with storage.open_input(path) as stream:
            table = pq.read_table(stream, columns=["id", "text", "url", "source"]).take(rows)
        for row in table.to_pylist():
            examples[row["id"]] = Example(row["text"], label, _group(row, None, row["text"]))
    return [examples[place[1]] for place in chosen]


def fold_of(example: Example, folds: int, seed: int) -> int:
    """Return the fold of a document, by a seeded digest of its group."""
    return int.from_bytes(_digest(example.group, seed), "big") % folds


def _digest(name: str, seed: int) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=8, key=seed.to_bytes(8, "little")).digest()
