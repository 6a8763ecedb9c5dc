"""The lines of many texts as one Arrow column, so that rules about lines are a few column operations."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext.text import Texts

__all__ = ["Lines", "split_lines"]


class Lines(NamedTuple):
    """text: the non-empty lines of all texts, stripped. document: int64, which text each is of. n_texts: how many."""

    text: pa.LargeStringArray
    document: np.ndarray
    n_texts: int

    def total(self, values: np.ndarray) -> np.ndarray:
        """float64[n_texts]: the sum over each text's lines."""
        return np.bincount(self.document, weights=values, minlength=self.n_texts)

    def fraction(self, mask: np.ndarray) -> np.ndarray:
        """float64[n_texts]: the share of each text's lines for which the mask holds; 0 without lines."""
        return self.total(mask) / np.maximum(self.total(np.ones(len(self.document))), 1)


def split_lines(texts: Texts) -> Lines:
    """Lines by `\\n`, stripped of what Arrow calls Unicode white space; empty ones are not lines. Nulls are empty."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    pieces = pc.split_pattern(pc.fill_null(column.cast(pa.large_string()), ""), "\n")
    lines = pc.utf8_trim_whitespace(pc.list_flatten(pieces))
    document = pc.list_parent_indices(pieces).to_numpy()
    full = pc.greater(pc.utf8_length(lines), 0)
    return Lines(lines.filter(full), document[full.to_numpy(zero_copy_only=False)], len(column))
