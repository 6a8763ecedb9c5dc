"""The jobs of `massivetext.warm_up` that compile the kernels of filters."""

from __future__ import annotations

import pyarrow as pa

from massivetext.warm_up import texts

__all__ = ["compile_safe_search", "language_of_texts", "rules_of_texts", "safe_search_of_texts"]


def language_of_texts() -> None:
    """Language as a run measures it: sampling and fastText."""
    from filters import language

    language.measure(pa.array(list(texts()), pa.large_string()))


def compile_safe_search() -> None:
    """Safe search and block lists."""
    from filters.block_list import BlockList

    safe_search_of_texts()
    BlockList(["example.com"]).match_all(pa.array(["http://example.com/a", None]))


def safe_search_of_texts() -> None:
    """Safe search as a run measures it: terms and fastText."""
    from filters import safe_search

    safe_search.measure(pa.array(list(texts()), pa.large_string()))


def rules_of_texts() -> None:
    """Quality and repetition in one pass, as a run measures them."""
    from filters import rules

    rules.measure(pa.array(list(texts()), pa.large_string()))
