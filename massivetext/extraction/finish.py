"""From the rendered bytes' text to a document's: entities are resolved, and no long line is written twice."""

from __future__ import annotations

import re
from functools import lru_cache
from html import unescape

import numpy as np

from massivetext.extraction.content import without_format_characters
from massivetext.extraction.markup import find_byte
from massivetext.extraction.options import DEFAULT, Options
from massivetext.extraction.tags import FNV, FNV_PRIME
from massivetext.kernels import njit
from massivetext.slots import count_slots, find_slot

__all__ = ["LONG_LINE", "finish", "resolve"]

LONG_LINE = 80
"""A line of more characters than this is not written twice."""

_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[^\t\n\f <&#;]{1,32});?")
"""What `html.unescape` takes for one character reference."""

_LONG_NUMBER = re.compile(r"&#[0-9]{100,};?")
_BLANK = re.compile(r"\n{3,}")
_MARKER = re.compile(r"\A\s*(?:[-*] |[0-9]{1,9}\. |#{1,6} |\| )?")


_character = lru_cache(maxsize=4096)(unescape)


def _unescape(text: str) -> str:
    """As `html.unescape`, which works out the same few references again and again."""
    return _REFERENCE.sub(lambda match: _character(match[0]), text)


def resolve(text: str) -> str:
    """Return the text with its entities resolved; a no-break space is a space, also where it indents. The format
    characters that show nothing are dropped (spec, section 3)."""
    if "&" in text:
        try:
            text = _unescape(text)
        except ValueError:  # a number of more digits than Python converts
            text = _unescape(_LONG_NUMBER.sub("\ufffd", text))
    is_untidy = False
    if "\xa0" in text:
        text = text.replace("\xa0", " ")
        is_untidy = True
    shown = without_format_characters(text)
    if len(shown) < len(text):
        text = shown
        is_untidy = True
    if is_untidy:
        if " \n" in text or "\t\n" in text or text.endswith((" ", "\t")):
            text = "\n".join([line.rstrip(" \t") for line in text.split("\n")])
        if "\n\n\n" in text:
            text = _BLANK.sub("\n\n", text)
    return text


_TAIL = LONG_LINE // 2


@njit(cache=True, nogil=True, counts=False)
def _trim(data, start, end):
    """The end of a line without the spaces behind it, those of Unicode too."""
    while end > start:
        c = data[end - 1]
        if c <= 32:
            end -= 1
            continue
        if end - start >= 2 and data[end - 2] == 0xC2 and (c == 0x85 or c == 0xA0):
            end -= 2
            continue
        if end - start < 3:
            break
        a, b = data[end - 3], data[end - 2]
        general = a == 0xE2 and b == 0x80 and (c <= 0x8A or c == 0xA8 or c == 0xA9 or c == 0xAF)
        medium = a == 0xE2 and b == 0x81 and c == 0x9F
        if not (
            general or medium or (a == 0xE3 and b == 0x80 and c == 0x80) or (a == 0xE1 and b == 0x9A and c == 0x80)
        ):
            break
        end -= 3
    return end


@njit(cache=True, nogil=True)
def _may_repeat(data):
    """Whether two lines of more than LONG_LINE bytes have the same last bytes: if not, no line is written twice."""
    n = len(data)
    lines = n // LONG_LINE + 1
    keys = np.zeros(count_slots(2 * lines), np.uint64)
    start = 0
    while start < n:
        end = find_byte(data, start, 10)
        if end - start > LONG_LINE:
            last = _trim(data, start, end)
            h = FNV
            for i in range(max(start, last - _TAIL), last):
                h = (h ^ np.uint64(data[i])) * FNV_PRIME
            slot = find_slot(keys, h)
            if keys[slot] == h:
                return True
            keys[slot] = h
        start = end + 1
    return False


def finish(text: str, options: Options = DEFAULT) -> str:
    """Return a rendered text as a document's: entities resolved, no line of more than LONG_LINE characters twice."""
    text = resolve(text)
    # Lines that would go have the same end, whatever markers they begin with.
    if not _may_repeat(np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)):
        return text
    known: set[str] = set()
    kept: list[str] = []
    is_code = follows_dropped = False
    for line in text.split("\n"):
        is_code ^= options.format == "markdown" and line.lstrip().startswith("```")
        if len(line) > LONG_LINE and not is_code:
            key = _MARKER.sub("", line, count=1).rstrip()
            if len(key) > LONG_LINE - 4:
                if key in known:
                    follows_dropped = True
                    continue
                known.add(key)
        if follows_dropped and not line and kept and not kept[-1]:
            continue
        follows_dropped = follows_dropped and not line
        kept.append(line)
    return "\n".join(kept).strip("\n") if len(kept) < text.count("\n") + 1 else text
