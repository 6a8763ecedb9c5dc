"""What an editor wrote in a template: its arguments by number and by name, and which of them are language codes."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator
from importlib import resources
from typing import NamedTuple

__all__ = ["Arguments", "Rule", "closed_language_codes", "data_lines", "parse", "whole_number"]

_NAME = re.compile(r"[\w .\-]{1,40}")
_DIGITS = re.compile(r"[0-9]{1,9}")
_TEMPLATE_PREFIX = re.compile(r"\A\s*(?:template|subst|safesubst):", re.IGNORECASE)


def whole_number(text: str) -> int | None:
    """Return the value of one to nine ASCII digits, and None for any other text.

    Superscripts and circled numbers are digits to `str.isdigit` and none to `int`, and `int` refuses long numbers.

    >>> whole_number("05"), whole_number("²"), whole_number("9" * 5000)
    (5, None, None)
    """
    return int(text) if _DIGITS.fullmatch(text) is not None else None


class Arguments(NamedTuple):
    """The arguments of one template: `positional` in order, `named` by their lower-case names, values stripped."""

    template: str
    positional: list[str]
    named: dict[str, str]

    def get(self, keys: str) -> str:
        """Return the first argument of `keys` (`text|2|1`) that is not empty, or an empty string."""
        for key in keys.split("|"):
            value = self.named.get(key, "")
            if not value and (number := whole_number(key)) is not None and number <= len(self.positional):
                value = self.positional[number - 1]
            if value:
                return value
        return ""


Rule = Callable[[Arguments], str]


def parse(content: str) -> Arguments:
    """Split what stands between `{{` and `}}`, whose own templates and links are rendered already."""
    head, *parts = _TEMPLATE_PREFIX.sub("", content).split("|")
    name, colon, first = head.partition(":")
    if colon and name.strip():
        head, parts = name, [first, *parts]
    positional: list[str] = []
    named: dict[str, str] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        key = key.strip().lower()
        if equals and key.isascii() and key.isdigit():
            index = whole_number(key) or 0
            if 0 < index <= 40:
                positional.extend([""] * (index - len(positional)))
                positional[index - 1] = value.strip()
        elif equals and _NAME.fullmatch(key):
            named[key] = value.strip()
        elif len(positional) < 1000:
            positional.append(part.strip())
    return Arguments(head.strip(), positional, named)


def data_lines(name: str) -> Iterator[str]:
    """The lines of a data file of this package, without empty ones and comments."""
    text = resources.files("massivetext").joinpath(f"data/{name}").read_text("utf-8")
    return (line for line in text.split("\n") if line.strip("\r") and not line.startswith("#"))


@functools.cache
def closed_language_codes() -> frozenset[str]:
    """Return the codes of Wikipedia's language editions, in lower case."""
    return frozenset(code for line in data_lines("wiki-languages.txt") for code in line.split())
