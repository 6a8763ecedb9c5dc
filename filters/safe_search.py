"""Safe search: a page's score in 0-1 with its evidence (paper, appendix A.1: "content filtering").

Two parts so far: block lists that the user supplies, and the density of listed terms, weighted. No single word decides:
a page needs at least LEAST_HITS hits, and its score grows with hits a word. Words for people and for what they are do
not stand in the packaged list. There is no classifier yet, so a page that offends in other words is not found.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import RecipeError
from massivetext.text import Texts, decode

__all__ = ["BlockList", "measure", "read_terms"]

LEAST_HITS = 3
HALF_DENSITY = 0.01
"""Weighted hits a word at which the score is a half."""


class BlockList:
    """Domains, hosts and URL prefixes. A domain covers its subdomains; a prefix covers what is below its path.

    Reads plain lists, hosts files (`0.0.0.0 name`) and the `domains` and `urls` files of UT1 folders.
    """

    def __init__(self, entries: Iterable[str]) -> None:
        self.entries: set[str] = set()
        for line in entries:
            fields = line.partition("#")[0].split()
            if fields:
                name = fields[-1].lower()
                name = name.split("://", 1)[-1].removeprefix("www.").rstrip("/.")
                self.entries.add(name)

    @classmethod
    def read(cls, paths: Iterable[str]) -> BlockList:
        """From files and folders. Raises RecipeError for a path that is not there."""
        lines: list[str] = []
        for path in paths:
            files = storage.find(path)
            if not files:
                raise RecipeError(f"safe_search.block_lists: no file at {path!r}")
            for file in files:
                lines += decode(storage.read_bytes(file))[0].split("\n")
        return cls(lines)

    def match(self, url: str | None) -> str | None:
        """The entry that covers a URL, the longest path first, or None."""
        if not url or not self.entries:
            return None
        try:
            parts = urlsplit(url if "://" in url else "//" + url)
            host = (parts.hostname or "").lower().removeprefix("www.").rstrip(".")
        except ValueError:
            return None
        labels = host.split(".")
        path = parts.path.lower().strip("/").split("/")
        for start in range(len(labels)):
            domain = ".".join(labels[start:])
            for depth in range(len(path), 0, -1):
                prefix = f"{domain}/{'/'.join(path[:depth])}"
                if prefix in self.entries:
                    return prefix
            if domain in self.entries:
                return domain
        return None


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
) -> pa.RecordBatch:
    """safe_search_score: float64 in [0, 1], 1 for a URL on a block list. safe_search_evidence: string, JSON, null where
    there is none. `terms`: as `read_terms` gives them, the packaged ones for None, () for none."""
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
    names = [None] * len(column) if urls is None else urls.to_pylist()
    evidence: list[str | None] = []
    for i, url in enumerate(names):
        found: dict[str, Any] = {}
        if hits[i]:
            found["term_hits"] = int(hits[i])
            found["term_density"] = round(float(weighted[i] / words[i]), 6)
        entry = block_list.match(url) if block_list else None
        if entry is not None:
            found["blocked"] = entry
            score[i] = 1.0
        evidence.append(json.dumps(found, sort_keys=True, ensure_ascii=False) if found else None)
    return pa.RecordBatch.from_arrays(
        [pa.array(score), pa.array(evidence, pa.string())], names=["safe_search_score", "safe_search_evidence"]
    )
