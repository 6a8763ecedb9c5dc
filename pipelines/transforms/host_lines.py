"""`host_line_fraction` of a run: which lines of a document stand on many pages of its host."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from filters.host_lines import MAX_PAGES, HostLines, host_lines, line_fractions
from pipelines.transforms.hash_tasks import HashTask

__all__ = ["HostLineTask"]


@dataclass(frozen=True)
class HostLineTask(HashTask):
    """One task of the search for lines of hosts (`filters.host_lines`).

    lines       part         hashes of the different lines of each page, with its host
    common      partition    those that stand on more than max_pages pages
    values      part         id and share of characters of each document
    """

    stage, signal = "host_lines", "host_line_fraction"
    phases = ("lines", "common", "values")
    by_partition = ("common",)

    max_pages: int = MAX_PAGES

    def _lines(self) -> None:
        self.write(self.n_partitions, self._of_part()[1].of_pages())

    def _common(self) -> None:
        hashes, pages = np.unique(self.gathered("lines", 1)[0], return_counts=True)
        self.write(1, hashes[pages > self.max_pages])

    def _values(self) -> None:
        ids, lines = self._of_part()
        is_common = np.zeros(len(lines.hashes), bool)
        for rows, (known,) in self.by_partitions(lines.hashes, "common", 1):
            is_common[rows] = np.isin(lines.hashes[rows], known)
        self.write_values(ids, line_fractions(lines, is_common))

    def _of_part(self) -> tuple[object, HostLines]:
        documents = self.documents("text", "url")
        return documents.column("id"), host_lines(documents.column("text"), documents.column("url"))
