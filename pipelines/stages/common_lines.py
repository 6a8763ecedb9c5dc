"""Lines that stand on many pages of one host, taken out of the text before anything is measured."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
from pydantic import Field

from filters import common_lines
from massivetext import storage
from massivetext.batches import Place, place_of, with_columns, with_measures
from massivetext.errors import OutputError
from massivetext.parquet import read_parquet
from pipelines.stages.stage import Block, Stage

__all__ = ["CommonLines", "lines_file"]


class CommonLinesBlock(Block):
    """`max_pages`: on how many pages of a host a line may stand; it is taken out where it stands on more."""

    max_pages: Annotated[int, Field(ge=1)] = common_lines.MAX_PAGES


class CommonLines(Stage):
    """Take lines out of pages that stand on more than `max_pages` pages of their host.

    Which lines these are is known after a pass of its own over the pages (`pipelines.transforms.common_lines`), which
    leaves the hashes of each part's common lines in a file. `apply` reads that file, and so needs a run's folder.
    """

    name, version = "common_lines", common_lines.VERSION
    rewrites_text, in_every_ledger = True, False
    block, default = CommonLinesBlock, CommonLinesBlock()
    needs_texts = "the texts would be other ones"

    def settings_in_words(self) -> list[tuple[str, str]]:
        return [("common_lines", f"removed: lines on more than {self.settings.max_pages:,} pages of a host")]

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        hashes = self._hashes(place_of(batch))
        removed = common_lines.remove_lines(batch.column("text"), batch.column("url"), hashes)
        counts = {"common_lines": pa.array(removed.lines), "common_line_characters": pa.array(removed.characters)}
        return with_columns(with_measures(batch, lambda _: counts), {"text": removed.texts})

    def _hashes(self, place: Place | None) -> np.ndarray:
        if place is None or not self.context.folder:
            raise OutputError(
                "common_lines: which lines are common is counted by a run; on batches of your own, call "
                "filters.common_lines.remove_lines"
            )
        path = lines_file(self.context.folder, place.subset, place.part)
        return _known_hashes(path, place.fingerprint) if place.fingerprint else _read_hashes(path)

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field("common_lines", pa.int64()), pa.field("common_line_characters", pa.int64())]


def lines_file(root: str, subset: str, part: str) -> str:
    """Return the file with the hashes of a part's common lines."""
    return storage.join(root, "work", CommonLines.name, subset, "values", f"{part}.parquet")


@functools.lru_cache(maxsize=4)
def _known_hashes(path: str, fingerprint: str) -> np.ndarray:
    return _read_hashes(path)


def _read_hashes(path: str) -> np.ndarray:
    with storage.open_input(path) as stream:
        return read_parquet(stream).column("line").to_numpy()
