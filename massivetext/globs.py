r"""Patterns for file names: `*`, `?`, `[abc]`, `[!abc]` within a name, `**` across folders, `{a,b}`, and `\` before a
character that stands for itself.

Names that begin with `.` or `_` are what programs leave beside data (Spark's `_SUCCESS`, `.part-0.crc`,
`.ipynb_checkpoints`). A pattern matches them only where it spells that first character. A name with `=` in it, such as
`_year=2020`, is a partition of a table and is no such name.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

from massivetext.errors import RecipeError

__all__ = ["folder_matcher", "is_hidden", "is_pattern", "matcher", "split"]

_SPECIAL = re.compile(r"[*?\[{\\]")
_CLASS = re.compile(r"\[([!^]?)(\]?(?:\\.|[^\]\\/])*)\]", re.DOTALL)
_VISIBLE = r"(?!\.)(?!_[^/=]*(?:/|\Z))"
"""What a name must pass that a wildcard begins: no `.` first, and no `_` first without a `=` later."""
MAX_ALTERNATIVES = 1000


def is_pattern(name: str) -> bool:
    """Whether a name has a character in it that means something in patterns."""
    return _SPECIAL.search(name) is not None


def is_hidden(path: str) -> bool:
    """Whether a name of a relative path begins with `.`, or with `_` and has no `=` in it."""
    return any(name.startswith(".") or (name.startswith("_") and "=" not in name) for name in path.split("/"))


def split(pattern: str) -> tuple[str, str]:
    r"""(the folders before the first name with a wildcard, as they are called; the rest of the pattern).

    The first ends in `/` or is empty. Its characters after a backslash are taken as they are.
    """
    at, cut, prefix = 0, 0, []
    while at < len(pattern):
        character = pattern[at]
        if character == "\\" and at + 1 < len(pattern):
            at += 1
        elif _is_wildcard(pattern, at):
            break
        prefix.append(pattern[at])
        at += 1
        if prefix[-1] == "/":
            cut = at
            kept = len(prefix)
    return ("".join(prefix[:kept]), pattern[cut:]) if cut else ("", pattern)


def _is_wildcard(pattern: str, at: int) -> bool:
    """Whether the character there stands for others: a bracket or brace does only if it is closed."""
    if pattern[at] == "{":
        return _closing_brace(pattern, at) is not None
    if pattern[at] == "[":
        return _CLASS.match(pattern, at) is not None
    return pattern[at] in "*?"


@functools.lru_cache(maxsize=64)
def matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """The function that tells whether a relative path matches a pattern as a whole."""
    alternatives = "|".join(_translate(piece) for piece in _expand(pattern))
    return re.compile(f"(?s:{alternatives})").fullmatch


@functools.lru_cache(maxsize=64)
def folder_matcher(pattern: str) -> Callable[[str], re.Match[str] | None]:
    """The function that tells whether what lies below a relative folder may match a pattern."""
    folders: set[str] = set()
    for piece in _expand(pattern):
        names = piece.split("/")
        for number, name in enumerate(names):
            folders.add("/".join(names[:number]))
            if "**" in name:
                folders.add("/".join([*names[:number], name.partition("**")[0] + "**"]))
    alternatives = "|".join(_translate(folder) for folder in sorted(folders) if folder)
    return re.compile(f"(?s:{alternatives})").fullmatch


def _closing_brace(pattern: str, start: int) -> int | None:
    """Where the brace that opens at `start` closes; None if it never does."""
    depth, at = 0, start
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "{":
            depth += 1
        elif pattern[at] == "}":
            depth -= 1
            if not depth:
                return at
        at += 1
    return None


def _expand(pattern: str) -> list[str]:
    """The patterns without braces that a pattern with braces stands for. A brace that is never closed is a brace."""
    at = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        elif pattern[at] == "{" and (end := _closing_brace(pattern, at)) is not None:
            head = pattern[:at]
            inner = [part for piece in _pieces(pattern[at + 1 : end]) for part in _expand(piece)]
            tails = _expand(pattern[end + 1 :])
            if len(inner) * len(tails) > MAX_ALTERNATIVES:
                raise RecipeError(
                    f"the pattern {pattern!r} has more than {MAX_ALTERNATIVES} alternatives in its braces"
                )
            return [head + part + tail for part in inner for tail in tails]
        at += 1
    return [pattern]


def _pieces(inner: str) -> list[str]:
    """What stands between the commas of a brace, not looking into braces inside."""
    pieces, depth, start, at = [], 0, 0, 0
    while at < len(inner):
        if inner[at] == "\\":
            at += 1
        elif inner[at] == "{":
            depth += 1
        elif inner[at] == "}":
            depth -= 1
        elif inner[at] == "," and not depth:
            pieces.append(inner[start:at])
            start = at + 1
        at += 1
    return [*pieces, inner[start:]]


def _translate(pattern: str) -> str:
    """A regular expression for a pattern without braces."""
    names = pattern.split("/")
    pieces = []
    for number, name in enumerate(names):
        is_last = number == len(names) - 1
        if name == "**":
            folder = rf"(?:{_VISIBLE}[^/]+/)*"
            pieces.append(rf"{folder}{_VISIBLE}[^/]+" if is_last else folder)
        else:
            pieces.append(_name(name) + ("" if is_last else "/"))
    return "".join(pieces)


def _name(pattern: str) -> str:
    """A regular expression for one name of a pattern; `**` beside other characters crosses folders too."""
    pieces = [_VISIBLE] if pattern[:1] in ("*", "?", "[") else []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        bracket = _CLASS.match(pattern, at) if character == "[" else None
        if pattern.startswith("**", at):
            pieces.append(rf"[^/]*(?:/{_VISIBLE}[^/]*)*")
            at += 1
        elif character == "*":
            pieces.append("[^/]*")
        elif character == "?":
            pieces.append("[^/]")
        elif bracket:
            pieces.append(_class(*bracket.groups()))
            at = bracket.end() - 1
        elif character == "\\" and at + 1 < len(pattern):
            at += 1
            pieces.append(re.escape(pattern[at]))
        else:
            pieces.append(re.escape(character))
        at += 1
    return "".join(pieces)


def _class(negation: str, content: str) -> str:
    """`[abc]`, `[a-z]`, `[!abc]`, `[]]` as regular expressions that never match `/`."""
    characters, at = [], 0
    while at < len(content):
        if content[at] == "\\" and at + 1 < len(content):
            at += 1
            characters.append(re.escape(content[at]))
        elif content[at] == "-" and characters and at + 1 < len(content):
            characters.append("-")
        else:
            characters.append(re.escape(content[at]))
        at += 1
    body = "".join(characters)
    try:
        re.compile(f"[{body}]")
    except re.error:  # a range that runs backwards holds nothing
        return "[^/]" if negation else "(?!)"
    return f"[^/{body}]" if negation else f"(?!/)[{body}]"
