"""Safe search: a page's score in 0-1 with its evidence (paper, appendix A.1: "content filtering").

Three parts, the page's score being the greatest of theirs: block lists that the user supplies (1 for a page on one), a
fastText classifier (1 less the probability of ordinary text), and the density of listed terms, weighted. No single word
decides: by terms a page needs at least LEAST_HITS hits, and its score grows with hits a word. Words for people and for
what they are do not stand in the packaged list, and the classifier does not see them.
"""

from __future__ import annotations

import functools
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import classifier
from filters.block_list import BlockList
from massivetext import storage
from massivetext.errors import RecipeError
from massivetext.text import Texts, decode

__all__ = ["BlockList", "measure", "read_terms"]

LEAST_HITS = 3
LEAST_PROBABILITY = 0.1
"""Categories below it do not stand in the evidence."""
HALF_DENSITY = 0.01
"""Weighted hits a word at which the score is a half."""


@functools.lru_cache(maxsize=4)
def read_terms(path: str | None = None) -> tuple[tuple[float, str], ...]:
    """(weight, pattern) of each line of a file `weight<TAB>term|term...`; the packaged list for None."""
    data = (
        resources.files("filters").joinpath("data/terms.tsv").read_bytes() if path is None else storage.read_bytes(path)
    )
    found = []
    for number, line in enumerate(decode(data)[0].split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        weight, _, terms = line.partition("\t")
        try:
            re.compile(terms)
            found.append((float(weight), rf"(?i)\b(?:{terms})\b"))
        except (ValueError, re.error) as error:
            raise RecipeError(f"safe_search.terms: {path}, line {number}: {error}; expected weight<TAB>term") from error
    return tuple(found)


def measure(
    texts: Texts,
    urls: Any = None,
    *,
    block_list: BlockList | None = None,
    terms: tuple[tuple[float, str], ...] | None = None,
    model: str | Path | bool = True,
) -> pa.RecordBatch:
    """safe_search_score: float64 in [0, 1], 1 for a URL on a block list. safe_search_evidence: string, JSON, null where
    there is none. `terms`: as `read_terms` gives them, the packaged ones for None, () for none. `model`: a classifier's
    path, True for the packaged one, False for none."""
    column = texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts
    column = pc.fill_null(column.cast(pa.large_string()), "")
    weighted = np.zeros(len(column))
    hits = np.zeros(len(column), np.int64)
    for weight, pattern in read_terms() if terms is None else terms:
        count = pc.count_substring_regex(column, pattern).to_numpy(zero_copy_only=False)
        hits += count
        weighted += weight * count
    words = np.maximum(1, pc.count_substring_regex(column, r"\S+").to_numpy(zero_copy_only=False))
    density = np.where(hits >= LEAST_HITS, weighted / words, 0.0)
    score = np.round(density / (density + HALF_DENSITY), 4)
    listed = block_list.match_all(urls) if block_list is not None and urls is not None else [None] * len(column)
    judged: list[dict[str, float]] = [{}] * len(column)
    if model:
        judged = classifier.measure(column.to_pylist(), model=None if model is True else model)
    evidence: list[str | None] = []
    for i, entry in enumerate(listed):
        found: dict[str, Any] = {}
        if judged[i]:
            score[i] = max(score[i], round(1.0 - judged[i][classifier.SAFE], 4))
            clear = {k: round(v, 3) for k, v in judged[i].items() if k != classifier.SAFE and v >= LEAST_PROBABILITY}
            if clear:
                found["classifier"] = clear
        if hits[i]:
            found["term_hits"] = int(hits[i])
            found["term_density"] = round(float(weighted[i] / words[i]), 6)
        if entry is not None:
            found["blocked"] = entry
            score[i] = 1.0
        evidence.append(json.dumps(found, sort_keys=True, ensure_ascii=False) if found else None)
    return pa.RecordBatch.from_arrays(
        [pa.array(score), pa.array(evidence, pa.string())], names=["safe_search_score", "safe_search_evidence"]
    )
