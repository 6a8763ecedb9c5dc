"""JSON: one object a line, an array of objects, or objects one after another over several lines; one record an object.

What is no object is a failed record, and the next goes on. Files may be compressed, or lie in a zip or tar file. Arrays
are read as a stream: no more than one element of an array is held.
"""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import IO, Any

from massivetext.documents import Record
from massivetext.readers import containers, encodings
from massivetext.readers.compression import DamagedError
from massivetext.readers.fields import DOCUMENT, MAX_TEXT, Fields, encoding_option
from massivetext.readers.kinds import HEAD, kind_of, skipped
from massivetext.readers.lines import (
    Line,
    content,
    failed,
    fits_members,
    head,
    is_divisible,
    lines,
    member_lines,
    of_lines,
    of_members,
)
from massivetext.readers.reader import MemberRange, Members, Reader

_loads: Callable[[bytes], Any] = json.loads
try:  # Reading JSON lines takes 1.4 to 1.6 times as long with the standard library's parser.
    import orjson

    _loads = orjson.loads
except ImportError:
    pass

__all__ = ["READER", "fits", "is_stream", "names", "read", "read_members", "split", "values"]

_EXTENSIONS = (".jsonl", ".json", ".ndjson", ".jsonlines", ".geojsonl")
_STREAM = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:\[\s*(?:[{\]]|\Z)|\{[ \t]*\r?\n)")
_ARRAY = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[")
_TOKEN_OF_ARRAY = re.compile(rb'"(?:[^"\\\n]|\\.)*(?:"|\\?\Z)|["\[\]{,]')
_SEPARATORS = re.compile(rb"[\s,\x1e]*")
_TOKEN = re.compile(rb'["{}\[\]]')
_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)
_SCALAR = re.compile(rb'"(?:[^"\\]|\\.)*"|[^,\[\]{}\s]+|.', re.DOTALL)
_CLOSING = {b"{": b"}", b"[": b"]"}
_BIG = 1e15
"""orjson makes floats of integers beyond 64 bits; whoever keeps such a number as metadata wants its digits."""


def _number(digits: str) -> int | str:
    """A number may be longer than Python converts; nothing here needs its value."""
    return int(digits) if len(digits) < 4000 else digits


_lenient = json.JSONDecoder(parse_int=_number)


def read(
    stream: IO[bytes],
    *,
    start: int,
    stop: int,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
    defaults: Mapping[str, str] = DOCUMENT,
) -> Iterator[Record]:
    """One record an object. Reasons: `failed.json`, `failed.not_an_object`, `failed.no_text`, `failed.not_text`,
    `failed.too_large`, `failed.truncated`, `failed.corrupt`, `skipped.content`. A name with dots reaches into nested
    objects and lists. A line that a damaged file ends in is a record if it is a whole object, marked `damage`."""
    fields = Fields(options, defaults)
    named = encoding_option(options)

    def records(member: containers.Member) -> Iterator[Record]:
        first = head(member.stream, source)
        if kind := kind_of(first, named):
            if member.name or start == 0:
                yield skipped(kind, member.base)
            return
        begin, end = member.range(start, stop)
        items = _items(member.stream, first, named, start=begin, stop=end, source=source, counts=counts)
        yield from _records(items, fields, encodings.of_file(first, named), member.base, counts)

    yield from of_members(records, stream, source=source, extensions=_EXTENSIONS, counts=counts)


def _items(
    stream: IO[bytes],
    first: bytes,
    named: str | None,
    *,
    start: int,
    stop: int,
    source: str,
    counts: MutableMapping[str, int],
) -> Iterator[Line]:
    """The lines of a file that begins with `first` which start in [start, stop); of an array and of objects over
    several lines all values, in the range that starts at 0."""
    encoding = encodings.of_file(first, named)
    if not is_stream(first, named):
        yield from lines(stream, start=start, stop=stop, source=source, counts=counts, encoding=encoding)
    elif start == 0:
        yield from values(content(stream, source, counts, encoding), source=source)


def read_members(
    stream: IO[bytes],
    *,
    members: MemberRange,
    source: str,
    options: Mapping[str, str],
    counts: MutableMapping[str, int],
    defaults: Mapping[str, str] = DOCUMENT,
) -> Iterator[Record]:
    """The records of `read` whose lines start in a range of a compressed file's members."""
    named = encoding_option(options)
    first = head(stream, source) if named else b""
    encoding = encodings.of_file(first, named)
    if is_stream(first, named):
        items = _items(stream, first, named, start=members.start, stop=members.stop, source=source, counts=counts)
    else:
        items = member_lines(stream, members, source=source, counts=counts, encoding=encoding)
    yield from _records(items, Fields(options, defaults), encoding, 0, counts)


def fits(first: bytes) -> bool:
    """Whether a compressed file whose content begins so is one of JSON lines, which can be split at its members."""
    return fits_members(first) and not is_stream(first)


def is_stream(first: bytes, named: str | None = None) -> bool:
    """Whether a file that begins so is an array, or objects over several lines, rather than JSON lines.
    named: the encoding that the recipe names."""
    encoding = encodings.of_file(first, named)
    if encoding is not None and encodings.is_converted(encoding):
        first = codecs.getincrementaldecoder(encoding)("replace").decode(first).encode("utf-8", "replace")
    return _STREAM.match(first) is not None or _is_array(first)


def _is_array(first: bytes) -> bool:
    """Whether a file begins with an array whose first elements are no objects, rather than with a line `[1, 2]` that is
    wrong among lines of JSON: an object follows within the array or the next one, the array goes over several lines, or
    it is all that there is to see."""
    begin = _ARRAY.match(first)
    if begin is None:
        return False
    at, depth, n_arrays, is_cut = begin.end(), 1, 1, False
    for token in _TOKEN_OF_ARRAY.finditer(first, at):
        character = token[0][:1]
        if character == b"{":
            return first[: token.start()].rstrip().endswith((b",", b"["))
        if token[0] == b'"' and token.end() < len(first):
            return False  # its string has no end in its line
        depth += (character == b"[") - (character == b"]")
        is_cut = is_cut or character == b","
        if character == b"]" and depth == 0:
            following = _SEPARATORS.match(first, token.end()).end()  # type: ignore[union-attr]
            if b"\n" in first[at : token.start()] or following == len(first):
                return n_arrays == 1
            if first[following : following + 1] != b"[":
                return False
            at, n_arrays = following + 1, n_arrays + 1
        is_cut = is_cut or (character == b'"' and token.end() == len(first))
    return n_arrays == 1 and is_cut


def split(path: str, size: int, target_bytes: int) -> list[tuple[int, int]]:
    """Ranges of a file of JSON lines; one range for an array, which has no lines that could be read apart."""
    from massivetext import storage
    from massivetext.readers.splitting import by_bytes

    if size > target_bytes:
        with storage.open_input(path) as stream:
            if is_divisible(stream):
                stream.seek(0)
                if not is_stream(stream.read(HEAD)):
                    return by_bytes(size, target_bytes)
    return [(0, size)]


def _records(
    items: Iterator[Line], fields: Fields, encoding: str | None, base: int, counts: MutableMapping[str, int]
) -> Iterator[Record]:
    """The records of lines of a file in the encoding of `encodings.of_file`."""
    encoding = _of_rows(encoding)
    for line in items:
        data = line.data
        if data is None:
            yield failed(line, base)
            continue
        if line.offset == 0:
            data = data.removeprefix(codecs.BOM_UTF8)
        if line.damage is None and (not data or data.isspace()):
            counts["blank"] = counts.get("blank", 0) + 1
            continue
        row, n_replaced = _parse(data, encoding)
        if isinstance(row, dict):
            record = fields.record(base + line.offset, _values(row, fields, data))
            if n_replaced:
                record = replace(record, n_replaced=n_replaced)
            if line.damage is None:
                yield record
                continue
            yield replace(record, metadata={**record.metadata, "damage": line.damage})
            yield failed(line._replace(offset=line.offset + max(1, len(data))), base)
        elif line.damage:
            yield failed(line, base)
        else:
            reason = "failed.json" if row is _NOT_JSON else "failed.not_an_object"
            yield Record(base + line.offset, outcome="failed", reason=reason, n_replaced=n_replaced)


def _of_rows(encoding: str | None) -> str | None:
    """The encoding of the rows of a file in this encoding; None for UTF-8."""
    return None if (rows := of_lines(encoding)) == "utf-8" else rows


_NOT_JSON = object()


def _parse(data: bytes, encoding: str | None) -> tuple[Any, int]:
    """The value of a line and how many U+FFFD stand for what is not UTF-8, or not in the encoding."""
    n_replaced = 0
    try:
        if encoding is None:
            return _loads(data), 0
    except (ValueError, RecursionError):
        pass
    try:
        text = data.decode(encoding or "utf-8")
    except UnicodeDecodeError:
        text = data.decode(encoding or "utf-8", errors="replace")
        n_replaced = max(1, text.count("\ufffd") - data.count("\ufffd".encode()))
    text = text.lstrip("\x1e \t\r")
    try:
        return json.loads(text), n_replaced
    except RecursionError:
        return _NOT_JSON, n_replaced
    except ValueError:
        pass
    try:
        return _lenient.decode(text), n_replaced
    except (ValueError, RecursionError):
        return _NOT_JSON, n_replaced


def _values(row: Mapping[str, Any], fields: Fields, data: bytes) -> dict[str, Any]:
    by_key = fields.values(row)
    for value in by_key.values():
        if type(value) is float and not -_BIG < value < _BIG:
            try:
                return fields.values(json.loads(data))
            except (ValueError, RecursionError):
                break
    return by_key


def values(pieces: Iterator[bytes], *, source: str, limit: int = MAX_TEXT) -> Iterator[Line]:
    """The objects of a stream of JSON values, and of the arrays that stand at its top level, each as a Line.

    What is neither object nor array there is a Line too. An object whose brackets do not match ends where a line begins
    with as much indentation and a bracket as its own does.

    Args:
        pieces: the decompressed content.
        source: the file's name, for messages.
        limit: bytes of one value; of a longer one the Line has no data.

    Raises:
        DamagedError: for a stream that breaks off, after all values before that.
    """
    scanner = _Scanner(pieces)
    n_open = 0
    while scanner.skip_separators():
        character = scanner.data[scanner.at : scanner.at + 1]
        if (character == b"[" and n_open == 0) or (character == b"]" and n_open):
            n_open += 1 if character == b"[" else -1
            scanner.at += 1
            continue
        offset = scanner.offset()
        if character not in (b"{", b"["):
            yield Line(offset, scanner.scalar())
            continue
        size = scanner.value(limit)
        if size > 0:
            yield Line(offset, scanner.take_or_drop(size, limit))
        elif (size := scanner.resynchronise()) or scanner.damage is None:
            rest = size or len(scanner.data) - scanner.at
            yield Line(offset, scanner.take_or_drop(rest + scanner.n_dropped, limit))
        else:
            yield Line(offset, scanner.take(len(scanner.data) - scanner.at), scanner.damage.reason)
            raise scanner.damage
    damage = scanner.damage
    if damage is None and n_open:
        damage = DamagedError("truncated", f"{source}: truncated: its array has no end")
    if damage:
        yield Line(scanner.offset(), b"", damage.reason)
        raise damage


class _Scanner:
    """A buffer over a stream, with a cursor `at`, that finds where values end by brackets and strings alone."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces = pieces
        self.data = b""
        self.at = self.dropped = self.n_dropped = 0
        self.damage: DamagedError | None = None
        self.is_at_end = False

    def offset(self) -> int:
        return self.dropped + self.at

    def more(self) -> bool:
        """Read on: at least as much as is held, so that a long value is not copied for each piece."""
        if self.is_at_end:
            return False
        rest = self.data[self.at :]
        pieces, size = [rest], 0
        try:
            for piece in self.pieces:
                pieces.append(piece)
                size += len(piece)
                if size >= len(rest):
                    break
            else:
                self.is_at_end = True
        except DamagedError as damage:
            self.damage, self.is_at_end = damage, True
        self.dropped += self.at
        self.data, self.at = b"".join(pieces), 0
        if self.dropped == 0:
            self.at = len(codecs.BOM_UTF8) * self.data.startswith(codecs.BOM_UTF8)
        return size > 0

    def skip_separators(self) -> bool:
        """Skip whitespace and commas. Returns whether anything follows."""
        while True:
            self.at = _SEPARATORS.match(self.data, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.data):
                return True
            if not self.more():
                return False

    def take(self, size: int) -> bytes:
        self.at += size
        return self.data[self.at - size : self.at]

    def take_or_drop(self, size: int, limit: int) -> bytes | None:
        """The value of this size at the cursor, or None for one that is longer than the limit, which is passed."""
        if size <= limit:
            return self.take(size)
        self.at += size - self.n_dropped
        return None

    def scalar(self) -> bytes:
        """What stands at the cursor and is no object and no array."""
        while True:
            size = _SCALAR.match(self.data, self.at).end() - self.at  # type: ignore[union-attr]
            if self.at + size < len(self.data) or not self.more():
                return self.take(size)

    def value(self, limit: int) -> int:
        """Bytes of the object or array at the cursor, or 0 if the stream ends before it does or its brackets do not
        match. Of a value that is longer than the limit the beginning is dropped; the size is then more than the limit,
        and what `take_or_drop` takes."""
        position, is_string = self.at, False
        closing: list[bytes] = []
        self.n_dropped = 0
        while True:
            if is_string:
                position = _STRING.match(self.data, position).end()  # type: ignore[union-attr]
                if self.data[position : position + 1] == b'"':
                    is_string = False
                    position += 1
                    continue
            elif token := _TOKEN.search(self.data, position):
                position = token.end()
                bracket = token[0]
                if bracket == b'"':
                    is_string = True
                elif bracket in b"{[":
                    closing.append(_CLOSING[bracket])
                elif bracket != closing.pop():
                    return 0
                elif not closing:
                    return position - self.at + self.n_dropped
                continue
            else:
                position = len(self.data)
            if position - self.at + self.n_dropped > limit:
                self.n_dropped += position - self.at
                self.at = position
            kept = position - self.at
            if not self.more():
                return 0
            position = self.at + kept

    def resynchronise(self) -> int:
        """Bytes from the cursor to the next line that begins as the one at the cursor does; 0 if there is none."""
        begin = self.data.rfind(b"\n", 0, self.at) + 1
        indentation = self.data[begin : self.at]
        if indentation.strip(b" \t,"):
            indentation = b""
        beginning = b"\n" + indentation + self.data[self.at : self.at + 1]
        searched = self.at
        while (end := self.data.find(beginning, searched)) < 0:
            kept = max(0, len(self.data) - self.at - len(beginning))
            if not self.more():
                return 0
            searched = self.at + kept
        return end - self.at


def names(stream: IO[bytes], source: str, options: Mapping[str, str] | None = None, records: int = 5) -> list[str]:
    """Names of the fields of a file's first objects, nested ones as a recipe writes them, longest texts first."""
    longest: dict[str, int] = {}
    named = encoding_option(options or {})
    for member in containers.members(stream, source=source, extensions=_EXTENSIONS, counts={}):
        first = head(member.stream, source)
        encoding = _of_rows(encodings.of_file(first, named))
        items = _items(member.stream, first, named, start=0, stop=1 << 62, source=source, counts={})
        for line in itertools.islice(items, records):
            row, _ = _parse((line.data or b"").removeprefix(codecs.BOM_UTF8), encoding)
            for name, value in _paths(row, ""):
                longest[name] = max(longest.get(name, 0), len(value) if isinstance(value, str) else 0)
        break
    return sorted(longest, key=lambda name: -longest[name])[:30]


def _paths(value: Any, path: str, depth: int = 0) -> Iterator[tuple[str, Any]]:
    if isinstance(value, (dict, list)) and value and depth < 4:
        pairs = value.items() if isinstance(value, dict) else [("0", value[0])]
        for name, inner in pairs:
            yield from _paths(inner, f"{path}.{name}" if path else name, depth + 1)
    elif path:
        yield path, value


READER = Reader(
    name="jsonl",
    read=read,
    record="an object: a line, or an element of an array",
    offset="byte of the decompressed stream",
    splits="bytes",
    extensions=_EXTENSIONS,
    fields=DOCUMENT,
    options={"encoding": "the encoding of files that are not UTF-8, such as cp1252"},
    split=split,
    members=Members(read_members, fits),
)
