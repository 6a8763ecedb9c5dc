"""From the rendered bytes' text to a document's: entities are resolved, and no long line is written twice."""

from __future__ import annotations

import re
from html import unescape

from massivetext.extraction.content import without_format_characters
from massivetext.extraction.options import DEFAULT, Options

__all__ = ["LONG_LINE", "finish", "resolve"]

LONG_LINE = 80
"""A line of more characters than this is not written twice."""

_LONG_NUMBER = re.compile(r"&#[0-9]{100,};?")
_BLANK = re.compile(r"\n{3,}")
_MARKER = re.compile(r"\A\s*(?:[-*] |[0-9]{1,9}\. |#{1,6} |\| )?")


def resolve(text: str) -> str:
    """Return the text with its entities resolved; a no-break space is a space, also where it indents. The format
    characters that show nothing are dropped (spec, section 3)."""
    if "&" in text:
        try:
            text = unescape(text)
        except ValueError:  # a number of more digits than Python converts
            text = unescape(_LONG_NUMBER.sub("\ufffd", text))
    is_untidy = False
    if "\xa0" in text:
        text = text.replace("\xa0", " ")
        is_untidy = True
    shown = without_format_characters(text)
    if len(shown) < len(text):
        text = shown
        is_untidy = True
    if is_untidy:
        text = _BLANK.sub("\n\n", "\n".join([line.rstrip(" \t") for line in text.split("\n")]))
    return text


def finish(text: str, options: Options = DEFAULT) -> str:
    """Return a rendered text as a document's: entities resolved, no line of more than LONG_LINE characters twice."""
    text = resolve(text)
    lines = text.split("\n")
    # Lines that would go have the same end, whatever markers they begin with.
    ends = [line.rstrip()[-LONG_LINE // 2 :] for line in lines if len(line) > LONG_LINE]
    if len(set(ends)) == len(ends):
        return text
    known: set[str] = set()
    kept = []
    is_code = False
    for line in lines:
        is_code ^= options.format == "markdown" and line.lstrip().startswith("```")
        if len(line) > LONG_LINE and not is_code:
            key = _MARKER.sub("", line, count=1).rstrip()
            if len(key) > LONG_LINE - 4:
                if key in known:
                    continue
                known.add(key)
        kept.append(line)
    return _BLANK.sub("\n\n", "\n".join(kept)).strip("\n")
