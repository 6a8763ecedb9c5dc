"""What a user may choose of the text of a page, and how it is written."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["CHOICES", "DEFAULT", "Options"]

CHOICES = {
    "comments": ("auto", "keep", "drop"),
    "tables": ("keep", "drop"),
    "headings": ("keep", "drop"),
    "captions": ("auto", "keep", "drop"),
    "format": ("text", "markdown"),
    "favour": ("balance", "precision", "recall"),
}
"""The values of each option, the default first."""


class Options(NamedTuple):
    """How the main text of a page is made.

    Attributes:
        comments: readers' comments. `auto`: as the model decides; `keep`: those below a kept article too; `drop`: none.
            In a thread (a forum, questions and answers) the posts are the text, and no comments.
        tables: `drop` leaves out tables of data, not tables that only lay out the page.
        headings: `drop` leaves out headings.
        captions: captions of figures. `auto`: as the model decides; `keep`: of all figures within the text; `drop`.
        format: `text` or `markdown`.
        favour: what the model prefers where the two conflict: `precision`, no foreign pieces; `recall`, no holes.
    """

    comments: str = "auto"
    tables: str = "keep"
    headings: str = "keep"
    captions: str = "auto"
    format: str = "text"
    favour: str = "balance"

    def check(self) -> Options:
        """Return the options, or raise ValueError for a value that is not one of CHOICES."""
        for name, choices in CHOICES.items():
            value = getattr(self, name)
            if value not in choices:
                raise ValueError(f"extraction option {name}: {value!r} is not one of {', '.join(choices)}")
        return self


DEFAULT = Options()
