"""CSV and TSV: one record a row under a header, quoted fields of several lines included."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import IO, Any

from massivetext.documents import Record
from massivetext.errors import SourceError
from massivetext.readers import containers, encodings
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import DOCUMENT, MAX_TEXT, Fields, encoding_option, option
from massivetext.readers.kinds import HEAD, kind_of, skipped
from massivetext.readers.lines import Line, head, lines, of_lines, of_members
from massivetext.readers.reader import Reader

__all__ = ["READER", "read"]

_EXTENSIONS = (".csv", ".tsv", ".tab", ".psv")
_DELIMITERS = ("\t", ",", ";", "|")
_NAMED = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
"""Delimiters that a recipe can name by a word."""
_RETRIES = 100


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
) -> Iterator[Record]:
    """One record a row; offset: the byte of the decompressed stream where it starts.

    Reasons: `failed.columns` for a row with more fields than the header (fewer are empty at its end), `failed.csv` for
    the line of a quotation mark that is never closed, and those of JSON lines. Raises SourceError if the header lacks a
    column that the recipe names.
    """
    fields, named = Fields(options, DOCUMENT), encoding_option(options)

    def records(member: containers.Member) -> Iterator[Record]:
        first = head(member.stream, source, 1 << 16)
        if kind := kind_of(first[:HEAD], named):
            yield skipped(kind, member.base)
            return
        encoding = encodings.of_file(first, named) or _encoding(first)
        items = lines(member.stream, start=0, stop=1 << 62, source=source, counts=counts, encoding=encoding)
        table = _Table(items, first, encoding, options, member.name or source)
        for record in table.records(fields, source, counts):
            yield replace(record, offset=record.offset + member.base) if member.base else record

    yield from of_members(records, stream, source=source, extensions=_EXTENSIONS, counts=counts)


def _encoding(first: bytes) -> str:
    """The encoding of a file that begins with these bytes and does not show it by a mark or by zeros."""
    first = first[: first.rfind(b"\n") + 1] or first
    try:
        first.decode()
    except UnicodeDecodeError:
        return encodings.of_other(first)
    return "utf-8"


class _Table:
    """Rows of lines, with the place of each. csv asks for as many lines as a row has; they are held until it is whole,
    so that a quotation mark that is never closed costs its own line and not all that follows."""

    def __init__(
        self, source_lines: Iterator[Line], first: bytes, encoding: str, options: Mapping[str, str], name: str
    ) -> None:
        self.lines, self.encoding = source_lines, of_lines(encoding) or "utf-8"
        self.waiting: deque[tuple[int, str]] = deque()
        self.row: list[tuple[int, str]] = []
        self.failure: Line | None = None
        self.damage: DamagedError | None = None
        self.n_replaced = 0
        self.quote = option(options, "quote") or '"'
        text = first.decode(encoding, "replace")
        self.is_mac = "\n" not in text and "\r" in text
        self.delimiter = _delimiter(option(options, "delimiter"), text.replace("\0", ""), name, self.quote)
        self.has_header = (option(options, "header") or "yes").lower() not in ("no", "none", "false")

    def next_line(self) -> str:
        """The next line of the row that csv is at."""
        if not self.waiting:
            self._fill()
        offset, text = self.waiting.popleft()
        self.row.append((offset, text))
        return text

    def _fill(self) -> None:
        if self.failure is not None or self.damage is not None:
            raise StopIteration
        try:
            line = next(self.lines)
        except DamagedError as damage:
            self.damage = damage
            raise StopIteration from damage
        if line.data is None or line.damage:
            self.failure = line
            raise StopIteration
        data = line.data.removeprefix(b"\xef\xbb\xbf") if line.offset == 0 else line.data
        text = data.decode(self.encoding, "surrogateescape" if self.encoding == "utf-8" else "replace")
        text = text.replace("\0", "")
        if self.is_mac:
            at = line.offset
            for piece in text.split("\r"):
                self.waiting.append((at, piece + "\n"))
                at += len(piece.encode("utf-8", "surrogatepass")) + 1
        else:
            self.waiting.append((line.offset, text + "\n"))

    def rows(self) -> Iterator[tuple[int, list[str] | None, str | None]]:
        """(offset, values, None) of each row, or (offset, None, reason) for one that is none. Raises DamagedError after
        all rows of a file that breaks off."""
        csv.field_size_limit(max(csv.field_size_limit(), MAX_TEXT))
        retries = 0
        while not self._is_at_end():
            parser = csv.reader(iter(self.next_line, None), delimiter=self.delimiter, quotechar=self.quote)
            while True:
                self.row.clear()
                try:
                    values = next(parser)
                except StopIteration:
                    break
                except csv.Error:
                    yield self.row[0][0] if self.row else 0, None, "failed.csv"
                    break
                n_quotes = sum(text.count(self.quote) for _, text in self.row)
                if len(self.row) > 1 and n_quotes % 2 and retries < _RETRIES and self._is_at_end():
                    # The row ends where the file does, and its quotation mark is open.
                    retries += 1
                    yield self.row[0][0], None, "failed.csv"
                    self.waiting.extendleft(reversed(self.row[1:]))
                    break
                yield self.row[0][0], values, None
            if self.failure is not None and not self.waiting:
                reason = f"failed.{self.failure.damage}" if self.failure.damage else "failed.too_large"
                yield self.failure.offset, None, reason
                self.failure = None
        if self.damage is not None:
            raise self.damage

    def _is_at_end(self) -> bool:
        """Whether there is no further line. One that is read to see this waits."""
        if self.waiting:
            return False
        try:
            self._fill()
        except StopIteration:
            return self.failure is None
        return False

    def records(self, fields: Fields, source: str, counts: MutableMapping[str, int]) -> Iterator[Record]:
        names: list[str] | None = None
        for offset, values, reason in self.rows():
            if values is None:
                yield Record(offset, outcome="failed", reason=reason)
            elif not values or (len(values) == 1 and not values[0].strip()):
                counts["blank"] = counts.get("blank", 0) + 1
            elif names is None and self.has_header:
                names = [value.strip() for value in values]
                self._check(names, fields, source)
            else:
                if names is None:
                    names = [str(number) for number in range(len(values))]
                    self._check(names, fields, source)
                if len(values) > len(names) and any(value.strip() for value in values[len(names) :]):
                    yield Record(offset, outcome="failed", reason="failed.columns")
                    continue
                row: dict[str, Any] = {}
                for name, value in zip(names, values):
                    row.setdefault(name, _bytes_if_broken(value))
                yield fields.record(offset, fields.values(row))

    def _check(self, names: list[str], fields: Fields, source: str) -> None:
        missing = sorted(name for name in fields.required if name not in names)
        if missing:
            raise SourceError(
                f"{source}: no column {', '.join(map(repr, missing))}; its columns are {', '.join(names)}; "
                f"name the right ones in the source's `fields`, such as {{{fields.body}: {names[0]}}}, "
                "or give the option @delimiter, if this is no header"
            )


def _bytes_if_broken(value: str) -> str | bytes:
    """A value as it is, or as its bytes if it has some that are not UTF-8, which are then counted."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape")
    return value


def _delimiter(chosen: str | None, text: str, name: str, quote: str) -> str:
    """The delimiter that a recipe names, or that the file's name or its first line speaks for."""
    if chosen:
        return _NAMED.get(chosen, chosen)
    if containers.is_named(name, (".tsv", ".tab")):
        return "\t"
    outside = "".join(text.lstrip("\ufeff").split(quote)[::2])
    first_line = outside.split("\n", 1)[0].split("\r", 1)[0]
    return max(_DELIMITERS, key=lambda mark: (first_line.count(mark), mark == ","))


def _option_faults(options: Mapping[str, str]) -> list[str]:
    """What is no delimiter or quotation mark among the options: each is one character, and they differ."""
    chosen = option(options, "delimiter") or ","
    delimiter, quote = _NAMED.get(chosen, chosen), option(options, "quote") or '"'
    faults = []
    if len(delimiter) != 1 or delimiter in "\r\n\0" or delimiter == quote:
        faults.append(
            f"@delimiter: {chosen!r}; expected one character other than the quotation mark {quote}, or tab, comma, "
            "semicolon, pipe"
        )
    if len(quote) != 1 or quote in "\r\n\0":
        faults.append(f"@quote: {quote!r}; expected one character")
    return faults


READER = Reader(
    name="csv",
    read=read,
    record="a row",
    offset="byte of the decompressed stream",
    extensions=_EXTENSIONS,
    fields=DOCUMENT,
    option_faults=_option_faults,
    options={
        "delimiter": "a character, or tab, comma, semicolon, pipe",
        "quote": "the quotation mark of fields",
        "header": "no: there is none, and columns are called 0, 1, 2",
        "encoding": "the encoding of files that are not UTF-8",
    },
)
