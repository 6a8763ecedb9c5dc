"""Which fields of a row make a record: the names a recipe gives, and what becomes of the values."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from encodings.aliases import aliases
from typing import Any

from massivetext.documents import Record
from massivetext.errors import RecipeError
from massivetext.readers import encodings
from massivetext.text import clean, decode

__all__ = [
    "CODE",
    "DOCUMENT",
    "MAX_PAGE",
    "MAX_TEXT",
    "Fields",
    "encoding_fault",
    "encoding_option",
    "lookup",
    "option",
]

MAX_TEXT = 256 << 20
"""Bytes of a line, a book, a file of code; what is longer is `failed.too_large`."""

MAX_PAGE = 64 << 20
"""Bytes of a page, with every content encoding undone; what is longer is `failed.too_large`."""

MAX_DEPTH = 100
"""Lists within lists of which a field's value may consist: parsers of JSON allow more than Python's stack."""

DOCUMENT = {"text": "text", "url": "url", "timestamp": "timestamp"}
CODE = {"text": "content", "path": "path", "repo_name": "repo_name", "license": "license"}
"""Field names where the recipe names none."""


def option(options: Mapping[str, str], name: str) -> str | None:
    """The value of an option of a reader, which stands among the fields as `@name`; None if it is not there."""
    return options.get(f"@{name}") or None


def encoding_option(options: Mapping[str, str]) -> str | None:
    """The encoding that `@encoding` names, as Python calls it; None if it is not there. Raises RecipeError for a name
    that no encoding of text has."""
    named = option(options, "encoding")
    if named is None:
        return None
    if fault := encoding_fault(named):
        raise RecipeError(fault)
    return encodings.of_option(named)


def encoding_fault(named: str) -> str | None:
    """A sentence that says what is wrong with a value of `@encoding`, and what may have been meant; None if all is
    well."""
    if encodings.of_option(named) is not None:
        return None
    known = sorted({name.replace("_", "-") for name in (*aliases, *aliases.values()) if encodings.of_option(name)})
    close = difflib.get_close_matches(named.lower().replace("_", "-"), known, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return (
        f"@encoding: {named!r} is no encoding of text that Python knows; expected one such as cp1252, latin-1 or "
        f"utf-16-le; leave @encoding out, and each file's own is found out{hint}"
    )


class Fields:
    """The names of the fields of a row. Keys: text or page (HTML, to be extracted), url, timestamp, content_type;
    every other key is kept in the record's metadata under that key. Keys that begin with `@` are options of the reader,
    and no fields."""

    def __init__(self, options: Mapping[str, str] | None, defaults: Mapping[str, str] = DOCUMENT) -> None:
        named = {key: name for key, name in (options or {}).items() if not key.startswith("@")}
        base = {key: name for key, name in defaults.items() if key != "text" or "page" not in named}
        self.names = {**base, **named}
        self.body = "page" if "page" in self.names else "text"
        self.required = {self.names[self.body], *named.values()}
        self._metadata = [key for key in self.names if key not in ("text", "page", "url", "timestamp", "content_type")]
        self._steps = {key: name.split(".") if "." in name else None for key, name in self.names.items()}

    def values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a row of JSON under the keys (text, url, ...). A name with dots that is not itself a field
        reaches into objects, and by numbers into lists."""
        return {
            key: row.get(name) if (steps := self._steps[key]) is None or name in row else lookup(row, steps)
            for key, name in self.names.items()
        }

    def record(self, offset: int, values: Mapping[str, Any]) -> Record:
        """The record of a row whose values stand under the keys (text, url, ...). A row without text is a failed
        record: `failed.no_text` for a null, `failed.not_text` for a value of another type."""
        body = values.get(self.body)
        url, timestamp = _word(values.get("url")), _word(values.get("timestamp"))
        metadata = {key: word for key in self._metadata if (word := _word(values.get(key))) is not None}
        if not isinstance(body, (str, bytes)):
            reason = "failed.no_text" if body is None else "failed.not_text"
            return Record(offset, None, None, url, timestamp, None, "failed", reason, 0, metadata)
        if len(body) > (MAX_PAGE if self.body == "page" else MAX_TEXT):
            return Record(offset, None, None, url, timestamp, None, "failed", "failed.too_large", 0, metadata)
        if self.body == "text":
            text, n_replaced = decode(body) if isinstance(body, bytes) else (clean(body), 0)
            return Record(offset, text, None, url, timestamp, n_replaced=n_replaced, metadata=metadata)
        content_type = _word(values.get("content_type"))
        if isinstance(body, str):
            body, content_type = body.encode("utf-8", "replace"), "text/html; charset=utf-8"
        return Record(offset, None, body, url, timestamp, content_type, metadata=metadata)


def lookup(value: Any, steps: list[str]) -> Any:
    """What stands at the end of a path of names and numbers: `messages.0.content`, `messages.-1.content`; None if the
    path leads nowhere. A name in which dots stand is one step where an object has that name. A map of Arrow, which is a
    list of pairs, is an object; of keys that are equal the first counts."""
    for number, step in enumerate(steps):
        if isinstance(value, list) and value and isinstance(value[0], tuple):
            value = {_word(key): item for key, item in reversed(value)}
        if isinstance(value, dict):
            if step not in value:
                rest = ".".join(steps[number:])
                return value.get(rest)
            value = value[step]
        elif isinstance(value, (list, tuple)):
            try:
                value = value[int(step)]
            except (ValueError, IndexError):
                return None
        else:
            return None
    return value


def _word(value: Any, depth: int = 0) -> str | None:
    """A value as a word of metadata; lists joined by ` AND `, as licences are; None for one that lies in more than
    MAX_DEPTH lists."""
    if value is None:
        return None
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, bytes):
        return decode(value)[0]
    if isinstance(value, (list, tuple)):
        if depth == MAX_DEPTH:
            return None
        return " AND ".join(word for item in value if (word := _word(item, depth + 1)) is not None) or None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return None
    return clean(str(value))
