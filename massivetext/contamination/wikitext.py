"""WikiText's files (Merity et al., arXiv 1609.07843): tokenisation undone, headings, unknown words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["UNKNOWN", "articles", "heading", "joined_by_signs", "untokenised"]

UNKNOWN = "\0"
"""What stands for `<unk>` in an item: the one character that no rule deletes and no reader lets through."""

_HEADING = re.compile(r" *= ([^=].*?) = *\n?")
_JOINED = re.compile(r" @([-,.])@ ")
_BETWEEN = re.compile(r"(?<=\d) ([–:]) (?=\d)|(?<=[a-z\d]) (/) (?=[a-z\d])")
_CONTRACTION = re.compile(r"(?<=\w) (?='[^\W\d])")
_BEFORE = re.compile(r" (?=[,.;:!?)\]%])")
_AFTER = re.compile(r"(?<=[(\[$£]) ")


def joined_by_signs(line: str) -> str:
    """The line with ` @-@ `, ` @,@ ` and ` @.@ ` as `-`, `,` and `.`."""
    # Twice, since the two sides of `a @-@ b @-@ c` share a space.
    return _JOINED.sub(r"\1", _JOINED.sub(r"\1", line))


def untokenised(line: str) -> str:
    """The line as it was written, as far as its words go: ` @-@ ` is `-`, ` @,@ ` is `,`, ` 's` belongs to its word,
    as do `12 : 30`, `2000 – 2005` and `km / h`.

    Only what changes words by the rules for shingles matters, since those delete punctuation. What the tokenised text
    does not tell (whether ` – ` between words had spaces) stays. `<unk>` becomes UNKNOWN.
    """
    line = joined_by_signs(line.strip().replace(UNKNOWN, "").replace("<unk>", UNKNOWN))
    line = _CONTRACTION.sub("", _BETWEEN.sub(lambda found: found[1] or found[2], line))
    return _AFTER.sub("", _BEFORE.sub("", line))


def heading(line: str) -> str | None:
    """The title in a heading of the first level (` = Title = `), still tokenised; None for any other line."""
    found = _HEADING.fullmatch(line)
    return found[1] if found and not found[1].endswith("=") else None


def articles(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(title, text) of each article, tokenised. An article starts at a first-level heading between blank lines, so a
    formula such as ` = 1 m / s = ` inside a paragraph starts none. Text before the first heading has title ``."""
    title, body = "", list[str]()
    before_blank = True
    held: str | None = None  # a heading that waits for the blank line after it

    for line in lines:
        blank = not line.strip()
        if held is not None:
            if blank:
                if title or any(part.strip() for part in body):
                    yield title, "".join(body)
                title, body = str(heading(held)), []
            body.append(held)
            held = None
        if before_blank and heading(line) is not None:
            held = line
        else:
            body.append(line)
        before_blank = blank
    if held is not None:
        body.append(held)
    if title or any(part.strip() for part in body):
        yield title, "".join(body)
