"""The pass before the pass over the text: which lines of each part stand on many pages of their host.

    CollectLines    files -> ReadDocuments | Extract | WriteParts -> work/page_lines/: the lines of each page as hashes
    split           part         these hashes by partition
    common          partition    those of lines on more than max_pages pages
    values          part         which of them the part has: work/common_lines/SUBSET/values/

The file of a part's common lines is all that the pass over the text needs, so that its memory does not grow with the
subset. work/page_lines/ stays: new sources are read alone, and only those parts are done again in which
other lines have become common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa

from filters.common_lines import MAX_PAGES, PageLines, common_lines, page_lines
from massivetext import storage
from massivetext.batches import Place
from massivetext.parquet import ParquetOutput, read_parquet
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.tasks import Marker, PartTask
from pipelines.transforms.clean_urls import CleanUrls
from pipelines.transforms.documents import Extract
from pipelines.transforms.hash_tasks import HashTask, perform_phases
from pipelines.transforms.read_documents import ReadDocuments
from pipelines.transforms.write_parts import WriteParts

__all__ = ["LINES", "CollectLines", "CommonLineTask", "find_common_lines"]

LINES = "work/page_lines"
"""The folder with the lines of each page, below the output folder."""

_PAGE_LINES = pa.schema([pa.field(name, pa.uint64(), nullable=False) for name in PageLines._fields])
_COMMON = pa.schema([pa.field("line", pa.uint64(), nullable=False)])


@dataclass(frozen=True)
class LinesLayout:
    """What `CollectLines` leaves of a part: a row for each different line of each page."""

    stage = "page_lines"

    def schemas(self, subset: str) -> dict[str, pa.Schema]:
        return {LINES: _PAGE_LINES}

    def tables(self, batch: pa.RecordBatch, place: Place) -> dict[str, pa.Table]:
        columns = page_lines(batch.column("text"), batch.column("url"))
        return {LINES: pa.Table.from_arrays([pa.array(column) for column in columns], schema=_PAGE_LINES)}

    def count(self, batch: pa.RecordBatch, counts: dict[str, Any]) -> None:
        """Count nothing: outcomes are counted by the pass over the text."""


class CollectLines(beam.PTransform):  # type: ignore[misc]
    """From part tasks to the markers of parts whose lines are collected."""

    def __init__(self, folder: Folder, recipe: Recipe) -> None:
        super().__init__()
        self.folder, self.recipe = folder, recipe

    def expand(self, tasks: beam.PCollection[PartTask]) -> beam.PCollection[str]:
        documents = tasks | ReadDocuments()
        if self.recipe.url_credentials == "remove":
            documents = documents | CleanUrls()
        extracted = documents | Extract.of(self.recipe, self.folder.root)
        return extracted | WriteParts(self.folder, self.recipe, LinesLayout())


@dataclass(frozen=True)
class CommonLineTask(HashTask):
    """One task of the search for common lines; see the head of this file."""

    stage, signal = "common_lines", "line"
    phases = ("split", "common", "values")
    by_partition = ("common",)

    max_pages: int = MAX_PAGES

    def input_bytes(self) -> int:
        # Sorting pairs takes several times the rows; text takes more bytes than the hashes of its lines.
        folder = Folder(self.root)
        return 8 * storage.total_size([folder.part(LINES, self.subset, part) for part in self.parts])

    def _split(self) -> None:
        self.write(self.n_partitions, *self._of_part())

    def _common(self) -> None:
        self.write(1, common_lines(PageLines(*self.gathered("split", 3)), self.max_pages))

    def _values(self) -> None:
        lines = np.unique(self._of_part().lines)
        is_common = np.zeros(len(lines), bool)
        for rows, (common,) in self.by_partitions(lines, "common", 1):
            is_common[rows] = np.isin(lines[rows], common)
        with ParquetOutput(self.output, _COMMON) as output:
            output.write(pa.Table.from_arrays([pa.array(lines[is_common])], schema=_COMMON))

    def _of_part(self) -> PageLines:
        with storage.open_input(Folder(self.root).part(LINES, self.subset, self.parts[self.number])) as stream:
            table = read_parquet(stream)
        return PageLines(*(table.column(name).to_numpy() for name in PageLines._fields))


def find_common_lines(
    folder: Folder,
    recipe: Recipe,
    subset: str,
    lines: Sequence[tuple[str, Marker]],
    fingerprint: str,
    perform: Callable[[Sequence[Any]], None],
) -> None:
    """Write which lines of each part of a subset are common, unless that is done for the same pages.

    Args:
        folder: of the run; `CollectLines` is done in it.
        recipe: what is run.
        subset: whose pages are compared.
        lines: name and marker of each part whose lines are collected.
        fingerprint: of all these lines.
        perform: runs tasks to their end; those that are done already may be left out.
    """
    stage: Any = recipe.stage(subset, CommonLineTask.stage)
    parts = tuple(sorted(name for name, _ in lines))
    task = CommonLineTask(folder.root, subset, "split", 0, parts, 1, False, f"{fingerprint} {stage.fingerprint()}")
    perform_phases(replace(task, max_pages=stage.settings.max_pages), perform)
