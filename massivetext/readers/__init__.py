"""Readers: from a file of a source to records, streaming, one format a module.

A *part* is what one task reads: a file, or a range of one that depends on bytes only. `find` gives the paths of a
source, `split` the ranges of a path, `read` or `read_part` the records of a range. A format is a `Reader`; `get` gives
the one that a recipe names: a module of this folder, a function or Reader of the user's own (`package.module:name`, or
`./file.py:name`), or an entry point of the group `massivetext.readers`.

What is wrong with one record is that record's outcome. A file that breaks off gives every record before the break,
then a record `failed.truncated` (or corrupt, bomb, unreadable) that stands for what is lost, and then raises
SourceError: the ledger and the run both say so.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import itertools
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, MutableMapping
from typing import IO, Any

from massivetext import storage
from massivetext.documents import Record
from massivetext.errors import RecipeError, SourceError
from massivetext.foreign_code import check_code
from massivetext.plug_ins import plug_ins
from massivetext.readers.compression import DamagedError
from massivetext.readers.reader import MemberRange, Members, Reader

__all__ = [
    "FORMATS",
    "MemberRange",
    "Members",
    "Reader",
    "faults",
    "find",
    "formats",
    "get",
    "look",
    "option_faults",
    "read",
    "read_part",
    "size",
    "source_file",
    "split",
    "stamp",
]

_BUILT_IN = {
    "warc": "warc:READER",
    "wet": "warc:WET",
    "wacz": "wacz:READER",
    "html": "html:READER",
    "jsonl": "jsonl:READER",
    "csv": "delimited:READER",
    "parquet": "parquet:READER",
    "arrow": "arrow:READER",
    "text": "text:READER",
    "lines": "lines:READER",
    "mediawiki": "mediawiki:read",
    "code": "code:READER",
    "repositories": "repositories:READER",
}
"""The registry: format -> module of this folder and the Reader in it. A new format is a module, and a line here."""

FORMATS = tuple(_BUILT_IN)
ENTRY_POINTS = "massivetext.readers"
TARGET_BYTES = 64 << 20


def formats() -> tuple[str, ...]:
    """Names of all formats: those of this folder, then those that installed packages offer."""
    return (*FORMATS, *sorted({point.name for point in plug_ins(ENTRY_POINTS)} - set(FORMATS)))


def get(format: str) -> Reader:
    """The Reader of a format. Raises RecipeError for a name that is none, or whose module cannot be imported."""
    if format not in _BUILT_IN:
        check_code(format)
    return _get(format)


@functools.lru_cache(maxsize=256)
def _get(format: str) -> Reader:
    if format in _BUILT_IN:
        module, _, name = _BUILT_IN[format].partition(":")
        return _as_reader(getattr(importlib.import_module(f"massivetext.readers.{module}"), name), format)
    place, colon, name = format.rpartition(":")
    if colon:
        return _as_reader(_own(place, name, format), format)
    for point in plug_ins(ENTRY_POINTS):
        if point.name == format:
            return _as_reader(point.load(), format)
    close = difflib.get_close_matches(format, formats(), 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise RecipeError(
        f"unknown format {format!r}; expected one of {', '.join(formats())}, or package.module:function, or "
        f"./file.py:function{hint}"
    )


def _own(place: str, name: str, format: str) -> Any:
    """A name of a module or of a file of the user's own."""
    try:
        if place.endswith(".py"):
            path = os.path.abspath(storage.local_path(place))
            module_name = "massivetext_own_" + hashlib.blake2b(path.encode(), digest_size=8).hexdigest()
            module = sys.modules.get(module_name)
            if module is None:
                spec = importlib.util.spec_from_file_location(module_name, path)
                if spec is None or spec.loader is None:
                    raise ImportError(f"{path} is no Python file")
                module = importlib.util.module_from_spec(spec)
                sys.modules[module_name] = module
                try:
                    spec.loader.exec_module(module)
                except BaseException:
                    del sys.modules[module_name]
                    raise
        else:
            module = importlib.import_module(place)
        return getattr(module, name)
    except (ImportError, AttributeError, OSError, SyntaxError) as error:
        raise RecipeError(f"format {format!r} cannot be imported: {error}") from error


def _as_reader(value: Any, format: str) -> Reader:
    if isinstance(value, Reader):
        return value
    if callable(value):
        return Reader(name=format, read=value)
    raise RecipeError(f"format {format!r} is {value!r}; expected a massivetext.readers.Reader or a function")


def source_file(format: str) -> str | None:
    """Path of the file that a format's code is in; None if it is in none. A changed file is another format."""
    path = inspect.getsourcefile(inspect.unwrap(get(format).read))
    return path if path and os.path.exists(path) else None


def find(pattern: str | os.PathLike[str], format: str) -> list[str]:
    """Paths of a source, sorted: files, or for `repositories` folders and archives, each a repository or several."""
    return (get(format).find or storage.find)(os.fspath(pattern))


def size(path: str | os.PathLike[str], format: str) -> int:
    """Bytes that reading the path will read."""
    return (get(format).size or storage.size)(os.fspath(path))


def stamp(path: str | os.PathLike[str], format: str) -> int:
    """A number that changes when the path is written anew: the time of its last change, for a folder of
    `repositories` one of those of all files in it."""
    return (get(format).stamp or storage.modified)(os.fspath(path))


def split(path: str, format: str, *, size: int, target_bytes: int = TARGET_BYTES) -> list[tuple[int, int]]:
    """Ranges [start, stop) of a path that can be read apart, in order: bytes, or row groups of Parquet.

    What cannot be split (compressed files, archives, books) is the one range (0, size). Raises SourceError for a
    Parquet file that cannot be opened.
    """
    reader = get(format)
    return reader.split(path, size, target_bytes) if reader.split else [(0, size)]


def read(
    stream: IO[bytes] | None,
    format: str,
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str] | None = None,
    counts: MutableMapping[str, int] | None = None,
) -> Iterator[Record]:
    """The records of a range of a path.

    Args:
        stream: the file as stored, seekable; None for a folder of `repositories`.
        format: as `get` takes it.
        start: where the range begins.
        stop: where it ends.
        source: the path, for messages, and for a folder the place to read.
        options: field names (keys text, page, url, timestamp, content_type, and any other to be kept as metadata), and
            options of the reader under names that begin with `@`.
        counts: gains what is counted and not listed, such as `warc.request`, `blank`, `garbage_bytes`.

    Raises:
        SourceError: for a file that cannot be read, or not to its end.
    """
    yield from get(format).read(
        stream,
        start=start,
        stop=stop,
        source=source,
        options=options or {},
        counts=Counter() if counts is None else counts,
    )


def read_part(
    path: str | os.PathLike[str],
    format: str,
    *,
    start: int,
    stop: int,
    options: Mapping[str, str] | None = None,
    counts: MutableMapping[str, int] | None = None,
    members: MemberRange | None = None,
) -> Iterator[Record]:
    """`read` of a path that is opened and closed here; or of a range of a compressed file's members, if one is named
    (`massivetext.readers.members`) in place of start and stop."""
    path = os.fspath(path)
    if members is not None and (splits := get(format).members) is not None:
        with storage.open_input(path) as stream:
            yield from splits.read(
                stream,
                members=members,
                source=path,
                options=options or {},
                counts=Counter() if counts is None else counts,
            )
        return
    if format == "repositories":
        from massivetext.readers import repositories

        if repositories.is_folder(path):
            yield from read(None, format, start=start, stop=stop, source=path, options=options, counts=counts)
            return
    with storage.open_input(path) as stream:
        yield from read(stream, format, start=start, stop=stop, source=path, options=options, counts=counts)


def faults(format: str, options: Mapping[str, str]) -> list[str]:
    """What is wrong with a source's `fields`, without reading a file: what `option_faults` gives, and field names for a
    format whose records have none. Each is one sentence; none if all is well."""
    sentences = option_faults(format, options)
    if get(format).fields is None and format in FORMATS:
        sentences += [
            f"format {format} has no named fields, so {key!r} means nothing for it"
            for key in options
            if not key.startswith("@")
        ]
    return sentences


def option_faults(format: str, options: Mapping[str, str]) -> list[str]:
    """What is wrong with the options of the reader among a source's `fields`: one that the format does not have, or a
    value that it cannot have. Each is one sentence; none if all is well. A recipe with one of them is refused."""
    from massivetext.readers.fields import encoding_fault

    reader = get(format)
    if format not in FORMATS and reader.fields is None:
        return []
    sentences = []
    for key, value in options.items():
        if key.startswith("@") and key[1:] not in reader.options:
            close = difflib.get_close_matches(key[1:], reader.options, 1)
            known = ", ".join(f"@{name}" for name in reader.options) or "none"
            hint = f"; did you mean @{close[0]}?" if close else ""
            sentences.append(f"format {format} has no option {key}; its options are: {known}{hint}")
        elif key == "@encoding" and format in FORMATS and value and (fault := encoding_fault(value)):
            sentences.append(fault)
    return sentences + (reader.option_faults(options) if reader.option_faults else [])


def look(
    path: str | os.PathLike[str], format: str, options: Mapping[str, str] | None = None, *, records: int = 50
) -> str | None:
    """Look at the first records of a file for a wrong format and for a wrong name in `fields`.

    Args:
        path: a file of a source.
        format: its format. Files of a function of the user's own, which may do anything, are not read here.
        options: the source's `fields`.
        records: how many records are looked at.

    Returns:
        A sentence that names the file and says why it cannot be read, why none of its first records can, or which
        fields they have if none of them has text; None if all is well.
    """
    path = os.fspath(path)
    reader = get(format)
    if reader.fields is None and format not in FORMATS:
        return None
    hint = f"; if it is no {format} file, give the source its format, or a pattern that leaves it out"
    try:
        ranges = split(path, format, size=size(path, format))
        start, stop = ranges[0] if ranges else (0, 0)
        first = list(itertools.islice(read_part(path, format, start=start, stop=stop, options=options), records))
    except SourceError as error:
        reason = str(error) if path in str(error) else f"{path}: {error}"
        is_field = "its columns are" in reason or "is of type" in reason or isinstance(error, DamagedError)
        return reason + ("" if is_field else hint)
    reasons = Counter(
        record.reason for record in first if record.outcome == "failed" or record.reason == "skipped.content"
    )
    if not first or reasons.total() < len(first):
        return None
    if reader.fields is None or reasons.keys() - {"failed.no_text", "failed.not_text"}:
        if content := first[0].metadata.get("content"):
            return f"{path}: format {format} cannot read it, it is {content}: {first[0].metadata.get('hint')}"
        counts = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        return f"{path}: format {format} can read none of its first {len(first)} records ({counts}){hint}"
    from massivetext.readers.fields import Fields

    fields = Fields(options, reader.fields)
    present = _names(path, format, options)
    name = fields.names[fields.body]
    if present is None:
        return (
            f"{path}: none of its first {len(first)} records has text in the column {name!r}; if that is another one, "
            f"name it in the source's `fields`"
        )
    close = difflib.get_close_matches(name, present, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return (
        f"{path}: none of its first {len(first)} records has text in the field {name!r}; their fields are "
        f"{', '.join(present) or 'none'}; name the right one in the source's `fields`, such as "
        f"{{{fields.body}: {close[0] if close else present[0] if present else 'body'}}}{hint}"
    )


def _names(path: str, format: str, options: Mapping[str, str] | None) -> list[str] | None:
    """Names of the fields of a file's first record, nested ones with dots, the longest texts first; None of tables,
    which have the columns that are named, or are refused."""
    from massivetext.readers import jsonl, parquet

    if get(format).read is not jsonl.read and format != "code":
        return None
    with storage.open_input(path) as stream:
        if stream.read(len(parquet.MAGIC)) == parquet.MAGIC:
            return None
        stream.seek(0)
        return jsonl.names(stream, path, options)
