"""Anyone's text on a screen: what would move the cursor, turn the writing or hide itself is made visible."""

from __future__ import annotations

import re

__all__ = ["visible"]

# Joiners (U+200C, U+200D) stay: Persian and emoji are written with them.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_MARK = "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_HEAP = re.compile(f"({_MARK}{{3}}){_MARK}+")


def visible(text: str) -> str:
    """The text with control, direction and tag characters as `\\xNN`, `\\uNNNN` or `\\UNNNNNNNN`, and heaps of marks
    cut to three. Tabs and line ends stay."""
    text = _HIDDEN.sub(lambda found: _code(found[0]), text.replace("\r\n", "\n"))
    return _HEAP.sub(r"\1", text)


def _code(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
