"""`duplicate_span_fraction` of a run: which words of a document stand elsewhere in its subset, 50 at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from massivetext.contamination.words import words as words_of
from massivetext.dedup.spans import Anchors, anchors, covered_words, stands_twice, windows
from pipelines.transforms.hash_tasks import HashTask

__all__ = ["SpanTask"]


@dataclass(frozen=True)
class SpanTask(HashTask):
    """One task of the search for spans (`massivetext.dedup.spans`).

    anchors     part         hashes of anchors
    shared      partition    those that stand at least twice
    windows     part         both hashes of the windows of these
    repeated    partition    those that stand at least twice
    values      part         id and share of words of each document
    """

    stage, signal = "spans", "duplicate_span_fraction"
    phases = ("anchors", "shared", "windows", "repeated", "values")
    by_partition = ("shared", "repeated")

    def _anchors(self) -> None:
        self.write(self.n_partitions, anchors(words_of(self.documents("text").column("text"))).hashes)

    def _shared(self) -> None:
        (hashes,) = self.gathered("anchors", 1)
        self.write(1, np.unique(hashes[stands_twice(hashes)]))

    def _windows(self) -> None:
        words = words_of(self.documents("text").column("text"))
        spans = windows(words, self._chosen(words))
        self.write(self.n_partitions, spans.hashes, spans.anchor_hashes)

    def _repeated(self) -> None:
        pairs = self.gathered("windows", 2)
        twice = stands_twice(*pairs)
        self.write(1, *(column[twice] for column in pairs))

    def _values(self) -> None:
        documents = self.documents("text")
        words = words_of(documents.column("text"))
        spans = windows(words, self._chosen(words))
        is_repeated = np.zeros(len(spans.start), bool)
        for rows, known in self.by_partitions(spans.hashes, "repeated", 2):
            is_repeated[rows] = _are_in((spans.hashes[rows], spans.anchor_hashes[rows]), known)
        covered = covered_words(words.bounds, spans.start[is_repeated])
        self.write_values(documents.column("id"), covered / np.maximum(np.diff(words.bounds), 1))

    def _chosen(self, words: Any) -> Anchors:
        """The anchors of texts whose hashes stand at least twice in the subset."""
        every = anchors(words)
        mask = np.zeros(len(every.hashes), bool)
        for rows, (known,) in self.by_partitions(every.hashes, "shared", 1):
            mask[rows] = np.isin(every.hashes[rows], known)
        return every.take(mask)


def _are_in(rows: Sequence[np.ndarray], known: Sequence[np.ndarray]) -> np.ndarray:
    """bool[n]: whether each row of some columns is one of the known rows."""
    n_known = len(known[0])
    # Known rows come first among equal ones, for the sort is stable.
    keys = [np.concatenate([first, second]) for first, second in zip(known, rows)]
    order = np.lexsort(keys[::-1])
    is_new = np.ones(len(order), bool)
    is_new[1:] = np.any([key[order][1:] != key[order][:-1] for key in keys], axis=0)
    first_of_group = np.maximum.accumulate(np.where(is_new, np.arange(len(order)), 0))
    is_known = np.empty(len(order), bool)
    is_known[order] = order[first_of_group] < n_known
    return is_known[n_known:]
