"""Comments before the first tag of a page, a feed or a licence, as patterns for `re.DOTALL`.

A comment ends at its first `-->` and nowhere else. With `.*?` in place of that, a pattern tries every later end too, in
every combination, before it finds that no tag follows: twice as long for each further comment.
"""

from __future__ import annotations

__all__ = ["COMMENT", "COMMENTS"]

COMMENT = r"<!--(?:(?!-->).)*-->\s*"
"""One comment and the space behind it."""

COMMENTS = f"(?:{COMMENT})*"
"""Any number of them."""
