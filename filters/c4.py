"""The rules of C4 (Raffel et al., "Exploring the Limits of Transfer Learning", arXiv 1910.10683, section 2.2).

Off in `gopher`. `remove_lines` takes lines out of the texts, before anything else is measured, and measures what the
rules for pages need while it does so; `measure` measures the same of texts as they come. The paper's first version said
three words a line and five sentences a page, its later ones five words and three sentences. The published code
(tensorflow_datasets, `c4_utils.py`) has the latter, three line rules that the paper does not name (policy, words of
over 1,000 characters, citation marks), and an order, which is kept here: a line is counted under the first rule that
removes it. docs/rules.md says where other implementations differ.

Not here: the list of bad words (see safe search) and removal of repeated three-sentence spans (see deduplication).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.limits import Limit
from filters.lines import Lines, split_lines
from massivetext.text import Texts

__all__ = ["LINES_VERSION", "LINE_COUNTS", "Cleaned", "Limits", "LineRules", "measure", "remove_lines", "without_lines"]

LINES_VERSION = 1
"""Of the definition of `remove_lines`; stored with what it counts."""

TERMINAL = r"[.?!\"”]$"
ELLIPSIS = r"(\.\.\.|…)$"
CITATION = r"\[\d*\]|\[edit\]|\[citation needed\]"
POLICY = r"(?i)terms of use|privacy policy|cookie policy|uses cookies|use of cookies|use cookies"
SENTENCE_END = r"[.?!]+[\"”')\]]*(\s|\z)"
_SPACE = r"\s\x0b\x1c-\x1f\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
WORD = rf"[^{_SPACE}]+"
"""A word of spec section 3, for RE2, whose `\\s` is ASCII."""

LINE_COUNTS = (
    "lines",
    "lines_long_word",
    "lines_no_terminal_punctuation",
    "lines_few_words",
    "lines_javascript",
    "lines_policy",
    "citations",
)


@dataclass(frozen=True)
class LineRules:
    """Which lines `remove_lines` takes out. The defaults are those of the published code of C4.

    terminal_punctuation: lines that do not end in `.`, `?`, `!` or an end quotation mark, or that end in an ellipsis.
    min_words: lines of fewer words; 0 for no limit. max_word_length: lines with a word of more code points; 0 for no
    limit. javascript: lines that contain that word. policy: lines that speak of cookies, privacy or terms of use.
    citations: whether `[1]`, `[]`, `[edit]` and `[citation needed]` are taken out of lines first.
    """

    terminal_punctuation: bool = True
    min_words: int = 5
    max_word_length: int = 1000
    javascript: bool = True
    policy: bool = True
    citations: bool = True


@dataclass(frozen=True)
class Limits:
    """sentence_count: runs of terminal punctuation before white space or the end. The others: occurrences a page, or
    lines of a page where `remove_lines` counts them."""

    sentence_count: Limit = Limit(min=3)
    lorem_ipsum_count: Limit = Limit(max=0)
    curly_bracket_count: Limit = Limit(max=0)


class Cleaned(NamedTuple):
    """What `remove_lines` returns, a row per text.

    texts: large_string[n], the lines that are kept, joined by newlines; a null stays null. counts: int64 columns
    `LINE_COUNTS`: all lines, those that each rule removed, and citation marks taken out. page: int64 columns named as
    in `Limits`, as the published code counts them: sentences of the lines that are kept; lines with `lorem ipsum`, and
    with `{`, among those that no earlier rule removed.
    """

    texts: pa.LargeStringArray
    counts: pa.RecordBatch
    page: pa.RecordBatch


def remove_lines(texts: Texts, rules: LineRules | None = None) -> Cleaned:
    """Take C4's lines out of texts.

    Args:
        texts: string, large_string or chunked Arrow array of n texts.
        rules: which lines go; those of the published code by default.

    Returns:
        The cleaned texts, what each rule removed, and the counts for the rules of pages.
    """
    rules = rules or LineRules()
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    lines = split_lines(texts)
    text = lines.text
    is_left = np.ones(len(text), bool)
    counts = {"lines": is_left.copy()}

    def remove(name: str, mask: np.ndarray) -> None:
        counts[name] = is_left & mask
        np.logical_and(is_left, ~mask, out=is_left)

    def occurrences(pattern: str) -> np.ndarray:
        # Of lines that are removed already nobody asks.
        n = np.zeros(len(text), np.int64)
        rows = text.filter(pa.array(is_left))
        n[is_left] = pc.count_substring_regex(rows, pattern).to_numpy(zero_copy_only=False)
        return n

    def matches(pattern: str) -> np.ndarray:
        mask = np.zeros(len(text), bool)
        rows = text.filter(pa.array(is_left))
        mask[is_left] = pc.match_substring_regex(rows, pattern).to_numpy(zero_copy_only=False)
        return mask

    nothing = np.zeros(len(text), bool)
    remove("lines_long_word", _has_long_word(text, rules.max_word_length) if rules.max_word_length else nothing)
    n_citations = np.zeros(len(text), np.int64)
    if rules.citations:
        # A mark has a bracket, which few lines have.
        brackets = pa.array(is_left & pc.match_substring(text, "[").to_numpy(zero_copy_only=False))
        marked = text.filter(brackets)
        n_citations[brackets] = pc.count_substring_regex(marked, CITATION).to_numpy(zero_copy_only=False)
        text = pc.replace_with_mask(text, brackets, pc.replace_substring_regex(marked, CITATION, ""))
    ends = matches(TERMINAL) & ~matches(ELLIPSIS) if rules.terminal_punctuation else ~nothing
    remove("lines_no_terminal_punctuation", ~ends)
    remove("lines_few_words", occurrences(WORD) < max(rules.min_words, 1))
    lorem = matches(r"(?i)lorem ipsum")
    remove("lines_javascript", matches(r"(?i)javascript") if rules.javascript else nothing)
    curly = matches(r"\{")
    remove("lines_policy", matches(POLICY) if rules.policy else nothing)

    # A line that ends without terminal punctuation ends in a sentence all the same.
    ends_otherwise = is_left & ~matches(r"[.?!]+[\"”')\]]*$")
    sentences = occurrences(SENTENCE_END) + ends_otherwise
    page = {"sentence_count": sentences, "lorem_ipsum_count": lorem, "curly_bracket_count": curly}
    counted = {**counts, "citations": n_citations}
    return Cleaned(
        _joined(lines, text, is_left, texts),
        pa.RecordBatch.from_pydict({name: _total(lines, counted[name]) for name in LINE_COUNTS}),
        pa.RecordBatch.from_pydict({name: _total(lines, values) for name, values in page.items()}),
    )


def _total(lines: Lines, values: np.ndarray) -> pa.Array:
    return pa.array(lines.total(values.astype(np.float64)).astype(np.int64))


def _has_long_word(text: pa.LargeStringArray, longest: int) -> np.ndarray:
    """bool[lines]: True for a line with a word of more than `longest` code points. Few lines are that long."""
    mask = pc.greater(pc.utf8_length(text), longest).to_numpy(zero_copy_only=False)
    for i in np.flatnonzero(mask):
        mask[i] = any(len(word) > longest for word in text[int(i)].as_py().split())
    return mask


def _joined(lines: Lines, text: pa.LargeStringArray, is_kept: np.ndarray, texts: Texts) -> pa.LargeStringArray:
    counts = lines.total(is_kept.astype(np.float64)).astype(np.int64)
    offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]))
    lists = pa.LargeListArray.from_arrays(offsets, text.filter(pa.array(is_kept)))
    joined = pc.binary_join(lists, pa.scalar("\n", pa.large_string()))
    return joined if not texts.null_count else pc.if_else(pc.is_valid(texts), joined, pa.scalar(None, joined.type))


def without_lines(texts: Texts) -> pa.LargeStringArray:
    """Return the texts with only those lines that C4 keeps, joined by newlines."""
    return remove_lines(texts).texts


def measure(texts: Texts) -> pa.RecordBatch:
    """Measure texts as they come: one row per text, int64 columns named as in `Limits`."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column = pc.fill_null(column.cast(pa.large_string()), "")

    def count(pattern: str) -> pa.Array:
        return pc.count_substring_regex(column, pattern).cast(pa.int64())

    return pa.RecordBatch.from_pydict(
        {
            "sentence_count": count(SENTENCE_END),
            "lorem_ipsum_count": count(r"(?i)lorem ipsum"),
            "curly_bracket_count": count(r"[{}]"),
        }
    )
