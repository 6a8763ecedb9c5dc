"""Make text that anyone may have written safe to show on a terminal, in a table or in a log.

Every string of a document, a URL or a source passes through here before it reaches a terminal: what would move the
cursor, change the direction of writing or hide itself is shown as an escape instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

__all__ = [
    "counted",
    "one_line",
    "safe_json",
    "size_in_words",
    "visible",
    "visible_error",
    "visible_name",
    "visible_values",
]

# Joiners (U+200C, U+200D) stay: Persian and emoji are written with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    "\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_HEAP = re.compile(f"({_MARK}{{3}}){_MARK}+")


def visible(text: str) -> str:
    """Return the text with control, direction and tag characters as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`, and heaps of
    combining marks cut to three. Tabs and line ends stay.

    >>> visible("a\\x1b[31mb")
    'a\\\\x1b[31mb'
    """
    text = _HIDDEN.sub(lambda match: _escape(match[0]), text.replace("\r\n", "\n"))
    return _HEAP.sub(r"\1", text)


def visible_name(value: Any) -> str:
    """Return a value that belongs on one line, such as a URL, a path or a name: as `visible`, and line ends and tabs as
    `\\n` and `\\t`, so that it cannot pretend to be a line of its own."""
    return visible(str(value)).replace("\n", "\\n").replace("\t", "\\t")


def visible_values(data: Any, *, skip: Collection[str] = ()) -> Any:
    """Return plain data with every string in it, also keys, as `visible_name` has it.

    Args:
        data: Rows of a ledger, or what a command is about to print: mappings, lists, tuples, strings, numbers.
        skip: Keys whose values stay as they are, because another function shows them, such as texts.
    """
    if isinstance(data, str):
        return visible_name(data)
    if isinstance(data, Mapping):
        return {
            visible_values(key): value if key in skip else visible_values(value, skip=skip)
            for key, value in data.items()
        }
    if isinstance(data, (list, tuple)):
        values = [visible_values(value, skip=skip) for value in data]
        return values if isinstance(data, list) else tuple(values)
    return data


def visible_error(text: str) -> str:
    """Return a message of several lines as `visible`, those after the first indented: a name in it that contains a line
    end cannot pretend to be a line of the program's own."""
    first, *others = visible(text).split("\n")
    return "\n".join([first, *(line if line.startswith("  ") or not line else f"  {line}" for line in others)])


def one_line(text: str, width: int = 100) -> str:
    """Return the beginning of a text on one line, of at most `width` characters and an ellipsis; runs of white space
    are one space."""
    line = visible(" ".join(text[: 4 * width].split()))
    return line if len(line) <= width else line[:width] + " ..."


def counted(n: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: `1 document`, `2,000 documents`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def size_in_words(n_bytes: float) -> str:
    """Return a size such as `12.3 MB`, in powers of 1,000."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 999.95:
            return f"{n_bytes:.0f} {unit}" if unit == "B" else f"{n_bytes:.1f} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.1f} TB"


def safe_json(text: str) -> str:
    """Return a JSON text with the characters that `visible` escapes as JSON's own `\\uNNNN`: the data are the same."""
    return _HIDDEN.sub(lambda match: "".join(f"\\u{unit:04x}" for unit in _units(match[0])), text)


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _units(character: str) -> list[int]:
    """Return the character's UTF-16 code units, which are what JSON escapes."""
    data = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2)]
