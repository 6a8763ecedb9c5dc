"""The jobs of `massivetext.warm_up` that compile the kernels of filters."""

from __future__ import annotations

import pyarrow as pa

from massivetext.warm_up import texts

__all__ = ["compile_language", "compile_rules"]


def compile_language() -> None:
    """Language and safe search: sampling and fastText; block lists."""
    from filters import language, safe_search
    from filters.block_list import BlockList

    column = pa.array(list(texts()), pa.large_string())
    language.measure(column)
    safe_search.measure(column)
    BlockList(["example.com"]).match_all(pa.array(["http://example.com/a", None]))


def compile_rules() -> None:
    """Quality and repetition, each alone and both in one pass."""
    from filters import quality, repetition, rules

    column = pa.array(list(texts()), pa.large_string())
    quality.measure(column)
    repetition.measure(column)
    rules.measure(column)
