"""Test-set filtering, and with it the final ledger: what every record has become, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apache_beam as beam

from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.transforms.compare import compare
from pipelines.transforms.final_ledger import LedgerTask, WriteLedger
from pipelines.transforms.part_tests import write_frequent
from pipelines.transforms.shares import perform_here, write_share_limits

__all__ = ["Decontaminate", "SettleLedger"]


class Decontaminate(WriteLedger):
    """From ledger tasks to the markers of final ledgers.

    The evidence of test items was left by the pass over the text. Here it is joined with the duplicates and judged.
    """


class SettleLedger(beam.PTransform):  # type: ignore[misc]
    """`Decontaminate` behind `WriteParts` or `FindDuplicates` in a pipeline of one's own: from markers of parts."""

    def __init__(self, folder: Folder | str, recipe: Recipe) -> None:
        super().__init__()
        self.folder = Folder(folder) if isinstance(folder, str) else folder
        self.recipe = recipe

    def expand(self, parts: beam.PCollection[str]) -> beam.PCollection[str]:
        start = parts.pipeline | "Start" >> beam.Create([None])
        counted = start | "CountShingles" >> beam.Map(self._count, beam.pvalue.AsIter(parts)).with_output_types(bool)
        return (
            parts
            | "Tasks" >> beam.Map(self._task, beam.pvalue.AsIter(counted)).with_output_types(LedgerTask)
            | Decontaminate(self.folder, self.recipe)
        )

    def _count(self, _: None, parts: Iterable[str]) -> bool:
        names = [(marker.split("/")[-2], marker.split("/")[-1].removesuffix(".json")) for marker in parts]
        write_frequent(self.folder, self.recipe, sorted(names), "")
        for subset in self.recipe.filled:
            compare(self.folder, self.recipe, subset, [name for own, name in names if own == subset], "", perform_here)
        _write_limits(self.folder, self.recipe, names)
        return True

    def _task(self, marker: str, _: Iterable[bool]) -> LedgerTask:
        subset, name = marker.split("/")[-2:]
        return LedgerTask(self.folder, subset, name.removesuffix(".json"))


def _write_limits(folder: Folder, recipe: Recipe, names: Sequence[tuple[str, str]]) -> None:
    """Find the limits of shares, in the process that has counted shingles."""
    parts: dict[str, list[str]] = {}
    for subset, name in sorted(names):
        parts.setdefault(subset, []).append(name)
    write_share_limits(folder, recipe, parts, dict.fromkeys(recipe.filled, ""), perform_here)
