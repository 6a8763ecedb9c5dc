"""A first recipe from what lies in a folder: formats by name and first bytes, subsets by the folders' names.

A draft, with comments, for people to change. What cannot be told (which subset a folder of plain text belongs to) is
a guess that the comments state.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from massivetext import globs, readers, storage
from massivetext.documents import Record
from massivetext.errors import MassiveTextError, SourceError
from massivetext.readers import compression, encodings
from massivetext.readers.kinds import HEAD
from massivetext.terminal_text import counted, one_line, visible_name

__all__ = ["MOST_FILES", "Group", "draft", "find_groups", "format_of", "subset_of"]

MOST_FILES = 100_000
"""Files that are looked at. A folder of more is described by its first ones, and the draft states so."""

_COMPRESSIONS = (".gz", ".bz2", ".xz", ".zst", ".zstd", ".lz4", ".br")

_MOST_NAMED = 100
"""Files without an ending of their own that a pattern names one by one."""

_ORDER = ("wet", "warc", "wacz", "jsonl", "csv", "parquet", "arrow", "html", "text", "repositories")
"""Formats told by how a name ends, the longer endings first."""

_CODE_FIELDS = {"content", "license"}
"""Fields of a row of code, as the format `code` reads it."""

_SUBSET_WORDS = {
    "wikipedia": "wiki",
    "books": r"(?<![a-z0-9])(book|gutenberg|novel|epub)",
    "news": r"(?<![a-z0-9])(news|article|press)",
    "github": r"(?<![a-z0-9])(github|gitlab|code|repo|stack|src)",
    "c4": r"(?<![a-z0-9])c4(?![a-z0-9])",
}
"""Words in a path that propose a subset."""

_SUBSET_FORMATS = {"mediawiki": "wikipedia", "repositories": "github", "code": "github"}

_TEXT_NAMES = ("text", "content", "body", "raw_content", "raw_text", "document", "article", "page_content")
_NAMES = {
    "url": ("url", "uri", "link", "source_url", "page_url", "warc_url", "metadata.url", "meta.url"),
    "timestamp": ("timestamp", "date", "published", "publish_date", "created", "created_at", "fetch_time", "time"),
}
_TABLES = ("jsonl", "csv", "parquet", "arrow")


@dataclass
class Group:
    """Files of one format and one ending in one folder, which become one source.

    Attributes:
        folder: Relative to the folder looked into; empty for that itself.
        format: As a recipe names it.
        ending: How the files' names end, such as `.jsonl.gz`.
        files: Their paths relative to the folder looked into.
        n_bytes: Their sizes added up.
        columns: The names of the fields of the first records, of formats that have them.
        fields: What the recipe has to say of them.
        subset: The subset proposed.
        first: The first record, if one can be read.
        fault: Why none can be.
    """

    folder: str
    format: str
    ending: str
    files: list[str] = field(default_factory=list)
    n_bytes: int = 0
    columns: list[str] = field(default_factory=list)
    fields: dict[str, str] = field(default_factory=dict)
    subset: str = "massiveweb"
    first: Record | None = None
    fault: str | None = None

    @property
    def pattern(self) -> str:
        """A pattern for the files, relative to the folder looked into."""
        is_deep = any(os.path.dirname(name) != self.folder for name in self.files)
        parts = [_literal(self.folder)] if self.folder else []
        if len(self.files) == 1:
            return _literal(self.files[0])
        if self.ending.lower() in ("", *_COMPRESSIONS) and not is_deep and len(self.files) <= _MOST_NAMED:
            # `*.gz` would be true of `x.warc.gz` too: the files are named one by one.
            names = ",".join(_literal(os.path.basename(name)).replace(",", "[,]") for name in self.files)
            return "/".join([*parts, f"{{{names}}}"])
        return "/".join([*parts, *(["**"] if is_deep else []), f"*{_literal(self.ending)}"])

    @property
    def place(self) -> str:
        """The folder that the pattern names, which is no part of the files' names in a ledger; empty or with `/`."""
        folder = os.path.dirname(self.files[0]) if len(self.files) == 1 else self.folder
        return f"{folder}/" if folder else ""


def _literal(name: str) -> str:
    """Return a name with the characters escaped that mean something in a pattern."""
    return re.sub(r"([*?\[\]{}\\])", r"\\\1", name) if globs.is_pattern(name) else name


def format_of(path: str, head: bytes) -> str | None:
    """Return the format of a source that reads a file, or None.

    Args:
        path: Its name; an ending of compression is passed over.
        head: Its first bytes, decompressed.
    """
    name = _plain_name(path)
    for format in _ORDER:
        if name.endswith(readers.get(format).extensions):
            is_tree = format == "repositories"
            return "code" if format == "jsonl" and _is_code(head) else "jsonl" if is_tree and _is_json(head) else format
    if name.endswith(".xml"):
        return "mediawiki" if b"<mediawiki" in head else None
    for format in ("warc", "html"):
        signature = readers.get(format).signature
        if signature is not None and signature(head):
            return format
    return None


def _plain_name(path: str) -> str:
    name = os.path.basename(path).lower()
    for ending in _COMPRESSIONS:
        name = name.removesuffix(ending)
    return name


def _is_json(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))


def _is_code(head: bytes) -> bool:
    try:
        row = json.loads(head.split(b"\n", 1)[0])
    except ValueError:
        return False
    return isinstance(row, dict) and row.keys() >= _CODE_FIELDS and "text" not in row


def subset_of(path: str, format: str) -> str:
    """Return the subset that a path's words, or its format, propose; `massiveweb` if nothing does."""
    if format in _SUBSET_FORMATS:
        return _SUBSET_FORMATS[format]
    for subset, words in _SUBSET_WORDS.items():
        if re.search(words, path.lower()):
            return subset
    return "massiveweb"


def find_groups(folder: str) -> tuple[list[Group], list[str], bool]:
    """Look at the files below a folder.

    Args:
        folder: Where to look. Hidden files, recipes and the outputs of runs are passed over.

    Returns:
        The groups of files that can be sources, by path; files that no format reads; whether there are more files than
        were looked at.

    Raises:
        SourceError: If there is no such folder, or a file or folder that cannot be read.
    """
    status = _status(folder)
    if status is None or not stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{folder}: no such folder")
    groups: dict[tuple[str, str, str], Group] = {}
    formats: dict[tuple[str, str], str | None] = {}
    unknown = []
    paths = list(islice(_files(folder), MOST_FILES + 1))
    for name in paths[:MOST_FILES]:
        path = os.path.join(folder, name)
        top = name.split("/")[0] if "/" in name else ""
        ending = _ending(name)
        # Of files of one ending in one folder the first speaks for all, as one pattern names them all.
        key = (top, ending)
        if ending == "" or key not in formats:
            formats[key] = format_of(name, _head(path))
        format = formats[key]
        if format is None:
            unknown.append(name)
            continue
        group = groups.setdefault((top, format, ending), Group(top, format, ending))
        group.files.append(name)
        group.n_bytes += os.path.getsize(path)
    for group in groups.values():
        _describe(group, folder)
    return sorted(groups.values(), key=lambda group: group.pattern), unknown, len(paths) > MOST_FILES


def _files(folder: str) -> Iterator[str]:
    """Yield the files below a folder in order, relative to it. Raises SourceError for a folder that cannot be read."""
    for place, folders, names in os.walk(folder, onerror=storage.refuse_unreadable):
        folders[:] = sorted(name for name in folders if not globs.is_hidden(name) and not _is_run(place, name))
        for name in sorted(names):
            path = os.path.join(place, name)
            if globs.is_hidden(name) or name.endswith((".yaml", ".yml")):
                continue
            status = _status(path)
            if status is not None and stat.S_ISREG(status.st_mode) and status.st_size:
                yield os.path.relpath(path, folder).replace(os.sep, "/")


def _status(path: str) -> os.stat_result | None:
    """Return the status of a file or folder, None if it is not there. Raises SourceError where that is not told."""
    try:
        return os.stat(path)
    except OSError as error:
        storage.refuse_unreadable(error)
        return None


def _is_run(place: str, name: str) -> bool:
    """Return whether a folder is the output of a run."""
    path = os.path.join(place, name)
    kinds = ("ledger", "curated", "work")
    has_kind = any(os.path.isdir(os.path.join(path, kind)) for kind in kinds)
    return has_kind and os.path.isfile(os.path.join(path, "recipe.yaml"))


def _ending(name: str) -> str:
    """Return how a name ends: the last dot and what follows, with an ending of compression after it."""
    base = os.path.basename(name)
    stem, compressed = base, ""
    for ending in _COMPRESSIONS:
        if base.lower().endswith(ending):
            stem, compressed = base[: -len(ending)], base[-len(ending) :]
            break
    plain = os.path.splitext(stem)[1]
    if stem.lower().endswith(".warc.wet"):
        plain = stem[-len(".warc.wet") :]
    return plain + compressed


def _head(path: str) -> bytes:
    """Return a file's first bytes, decompressed. Raises SourceError for one that cannot be opened."""
    with storage.open_input(path) as stream:
        try:
            block = next(compression.blocks(stream, source=path), None)
        except SourceError:
            return b""
    return b"" if block is None or block.data is None else bytes(block.data[:HEAD])


def _describe(group: Group, folder: str) -> None:
    """Set a group's subset, its fields, and its first record with text."""
    group.subset = subset_of(group.files[0], group.format)
    path = os.path.join(folder, group.files[0])
    try:
        group.columns = _columns(path, group.format)
        if group.format in _TABLES:
            group.fields = _fields(group.columns)
        ranges = readers.split(path, group.format, size=readers.size(path, group.format))
        start, stop = ranges[0] if ranges else (0, 0)
        records = readers.read_part(path, group.format, start=start, stop=stop, options=group.fields)
        group.first = next((record for record in islice(records, 1000) if record.outcome is None), None)
        group.fault = None if group.first is not None else "none of its first 1,000 records is a document"
    except (MassiveTextError, OSError, ValueError) as error:
        group.fault = str(error)


def _columns(path: str, format: str) -> list[str]:
    """Return the names of the fields of a file's first records; of JSON lines those of the longest texts first."""
    if format in ("jsonl", "code"):
        from massivetext.readers import jsonl

        with open(path, "rb") as stream:
            return list(jsonl.names(stream, path))
    if format == "parquet":
        import pyarrow.parquet as pq

        return list(pq.read_schema(path).names)
    if format == "csv":
        import csv

        head = _head(path)
        text = head.decode(encodings.of_file(head) or "utf-8", "replace").removeprefix("\ufeff")
        line = text.split("\n", 1)[0].rstrip("\r")
        delimiter = max("\t,;|", key=line.count)
        return next(csv.reader([line], delimiter=delimiter), [])
    return []


def _fields(columns: Sequence[str]) -> dict[str, str]:
    """Return what a recipe has to say of the names of fields; nothing where they are the usual ones."""
    fields = {}
    text = next((name for name in _TEXT_NAMES if name in columns), columns[0] if columns else "text")
    if text != "text":
        fields["text"] = text
    for key, names in _NAMES.items():
        name = next((name for name in names if name in columns), key)
        if name != key:
            fields[key] = name
    return fields


def draft(
    groups: Sequence[Group], unknown: Sequence[str], weights: Mapping[str, float], *, base: str, is_cut: bool = False
) -> str:
    """Return a commented recipe.

    Args:
        groups: What `find_groups` returns.
        unknown: Files that no format reads.
        weights: The paper's weights by subset, of which those of the subsets proposed are scaled to sum to 1.
        base: The folder looked into as the recipe names it: relative to the recipe's own folder, or absolute.
        is_cut: Whether there are more files than were looked at.
    """
    subsets: dict[str, list[Group]] = {}
    for group in groups:
        subsets.setdefault(group.subset, []).append(group)
    lines = [
        "# A first recipe, written by `massivetext init`. Read and change it, then",
        "#   massivetext validate THIS        checks every key and file",
        "#   massivetext plan THIS            forecasts disk, memory, hours and epochs",
        "#   massivetext run THIS -o out      runs every stage",
        "# Paths are relative to this file. `massivetext recipe show gopher` prints every limit of what is extended.",
        "extends: gopher",
        "seed: 0",
        "",
        "# Subsets were proposed by the names of folders and by formats. Move a source to where it belongs:",
        f"# the packaged recipe has {', '.join(weights)}.",
        "subsets:",
    ]
    for subset in [name for name in weights if name in subsets]:
        lines += [f"  {subset}:", "    sources:"]
        sources = Counter(name.removeprefix(group.place) for group in subsets[subset] for name in group.files)
        for group in subsets[subset]:
            is_named = any(sources[name.removeprefix(group.place)] > 1 for name in group.files)
            lines += _source(group, base, group.place if is_named else "")
    total = sum(weights[name] for name in subsets)
    shares = {name: round(weights[name] / total, 4) for name in weights if name in subsets}
    lines += [
        "",
        "# The paper's weights of these subsets, scaled to sum to 1. `tokens: max` is as many as max_epochs allows.",
        "mixture:",
        f"  weights: {{{', '.join(f'{name}: {share:g}' for name, share in shares.items())}}}",
        "  tokens: max",
        "",
        "# Test sets whose items are removed from the training text (docs/test-sets.md):",
        "# testsets: [{name: mine, path: items.jsonl, text: '{question} {answer}'}]",
    ]
    if unknown:
        lines += ["", f"# No format reads {counted(len(unknown), 'file')}:"]
        lines += [f"#   {one_line(visible_name(name))}" for name in unknown[:10]]
        lines += [f"#   and {len(unknown) - 10:,} more"] if len(unknown) > 10 else []
    if is_cut:
        lines += ["", f"# There are more files than the {MOST_FILES:,} that were looked at."]
    return "\n".join(lines) + "\n"


def _source(group: Group, base: str, name: str) -> list[str]:
    """Return the lines of a source: what it is in comments, and the source itself.

    Args:
        group: Its files.
        base: As of `draft`.
        name: What goes before its files' names, so that they differ from those of another source; empty for nothing.
    """
    path = group.pattern if base in ("", ".") else f"{_literal(base)}/{group.pattern}"
    lines = [f"      # {counted(len(group.files), 'file')}, {counted(group.n_bytes, 'byte')}"]
    if group.columns:
        lines.append(f"      # fields: {one_line(', '.join(map(visible_name, group.columns)))}")
    if group.first is not None:
        lines += [f"      # {key}: {one_line(visible_name(value))}" for key, value in _shown(group.first)]
    elif group.fault:
        lines.append(f"      # CHECK THIS: {one_line(visible_name(group.fault), 200)}")
    values = {"format": group.format, "path": path} | ({"name": name} if name else {})
    lines.append("      - {" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in values.items()) + _end(group))
    return lines


def _end(group: Group) -> str:
    """Return the end of a source's line: the fields, if it has to name some."""
    if not group.fields:
        return "}"
    return ", fields: {" + ", ".join(f"{key}: {json.dumps(name)}" for key, name in group.fields.items()) + "}}"


def _shown(record: Record) -> Iterable[tuple[str, str]]:
    """Yield what a comment shows of the first record."""
    if record.url:
        yield "first url", record.url
    if record.timestamp:
        yield "first timestamp", record.timestamp
    if record.text is not None:
        yield "first text", " ".join(record.text[:400].split())
    elif record.page is not None:
        yield "first page", f"{len(record.page):,} bytes of {record.content_type or 'HTML'}"
