"""The jobs of `massivetext.warm_up` that compile the kernels of filters."""

from __future__ import annotations

import pyarrow as pa

from massivetext.warm_up import texts

__all__ = ["compile_language", "compile_rules", "language_of_texts", "rules_of_texts"]


def compile_language() -> None:
    """Language and safe search: sampling and fastText; block lists."""
    from filters.block_list import BlockList

    language_of_texts()
    BlockList(["example.com"]).match_all(pa.array(["http://example.com/a", None]))


def language_of_texts() -> None:
    """Language and safe search as a run measures them."""
    from filters import language, safe_search

    column = pa.array(list(texts()), pa.large_string())
    language.measure(column)
    safe_search.measure(column)


def compile_rules() -> None:
    """Quality and repetition, each alone and both in one pass."""
    from filters import quality, repetition

    column = pa.array(list(texts()), pa.large_string())
    quality.measure(column)
    repetition.measure(column)
    rules_of_texts()


def rules_of_texts() -> None:
    """Quality and repetition in one pass, as a run measures them."""
    from filters import rules

    rules.measure(pa.array(list(texts()), pa.large_string()))
