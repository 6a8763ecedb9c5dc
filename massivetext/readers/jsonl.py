"""JSON lines: one object a line, one record an object. A line that is none is a failed record, and the next goes on."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import replace
from typing import IO, Any

from massivetext.documents import Record
from massivetext.readers.fields import DOCUMENT, Fields
from massivetext.readers.lines import failed, lines

__all__ = ["read"]


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
    """One record a line that is not blank. Reasons: `failed.json`, `failed.not_an_object`, `failed.no_text`,
    `failed.not_text`, `failed.too_large`, `failed.truncated`. A name with dots reaches into nested objects."""
    fields = Fields(options, defaults)
    for line in lines(stream, start=start, stop=stop, source=source, counts=counts):
        data = line.data
        if line.is_cut or data is None:
            yield failed(line)
            continue
        if line.offset == 0:
            data = data.removeprefix(codecs.BOM_UTF8)
        if not data or data.isspace():
            counts["blank"] = counts.get("blank", 0) + 1
            continue
        row, n_replaced = _parse(data)
        if isinstance(row, dict):
            values = {key: _value(row, name) for key, name in fields.names.items()}
            record = fields.record(line.offset, values)
            yield record if not n_replaced else replace(record, n_replaced=n_replaced)
        else:
            reason = "failed.json" if row is _NOT_JSON else "failed.not_an_object"
            yield Record(line.offset, outcome="failed", reason=reason, n_replaced=n_replaced)


_NOT_JSON = object()


def _parse(data: bytes) -> tuple[Any, int]:
    """The value of a line and how many U+FFFD stand for what is not UTF-8."""
    n_replaced = 0
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode(errors="replace")
        n_replaced = max(1, text.count("\ufffd") - data.count("\ufffd".encode()))
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


def _value(row: Mapping[str, Any], name: str) -> Any:
    if name in row or "." not in name:
        return row.get(name)
    value: Any = row
    for step in name.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    return value
