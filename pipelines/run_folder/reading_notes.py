"""What was counted while reading, and what could not be read, for a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipelines.recipe import Recipe
from pipelines.tasks import Marker, PartTask

__all__ = ["failures_of", "reading_notes", "sums_of", "too_many_failed"]


def sums_of(tasks: Sequence[PartTask], markers: Sequence[Marker]) -> dict[str, dict[str, int]]:
    """Return what was counted while reading, by subset: records, and what is counted and not listed."""
    sums: dict[str, dict[str, int]] = {}
    for task, marker in zip(tasks, markers):
        of_subset = sums.setdefault(task.part.subset, {})
        for name, n in marker.counts.items():
            of_subset[name] = of_subset.get(name, 0) + n
    return sums


def reading_notes(recipe: Recipe, sums: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return what was missing in the sources and cost no record, in sentences.

    Args:
        recipe: the recipe that was run.
        sums: what was counted while reading, by subset; as in the manifest of curated/.
    """
    notes = []
    for subset, counts in sorted(sums.items()):
        names = ("timestamps_unreadable", "chapters_unreadable", "books_damaged", "members_left_out")
        unreadable, chapters, books, members = (counts.get(name, 0) for name in names)
        if unreadable and recipe.block(subset, "deduplication").keep == "newest":
            notes.append(
                f"{subset}: the timestamps of {unreadable:,} documents cannot be read; "
                "for `keep: newest` they have none"
            )
        if chapters:
            notes.append(
                f"{subset}: {chapters:,} chapters of EPUB books cannot be read and are missing from their books; "
                "chapters_unreadable in a book's metadata"
            )
        if books:
            notes.append(
                f"{subset}: {books:,} EPUB books were read without a part that names their chapters; "
                "their metadata has damage: corrupt"
            )
        if members:
            notes.append(f"{subset}: {members:,} members of archives were left out: by their names they are no data")
    return notes


def failures_of(tasks: Sequence[PartTask], markers: Sequence[Marker]) -> list[str]:
    """Return the sources that could not be read, or not to their end."""
    failures = []
    for task, marker in zip(tasks, markers):
        # A part of several files has failures that each name a file.
        path = "" if task.part.files else f"{task.part.path}: "
        failures += [f"{path}{line.removeprefix(path)}" for line in marker.failures]
    return failures


def too_many_failed(recipe: Recipe, counts: Mapping[str, Mapping[str, Sequence[int]]]) -> list[str]:
    """Return lines that name subsets with more failed records than the recipe bears. counts: as in `Outcome`."""
    lines = []
    for subset, sums_of_outcome in counts.items():
        n = sum(sums[0] for sums in sums_of_outcome.values())
        failed = sum(sums[0] for name, sums in sums_of_outcome.items() if name.startswith("failed"))
        if failed > recipe.max_failed * n:
            lines.append(
                f"{subset}: {failed:,} of {n:,} records failed, more than max_failed = {recipe.max_failed:g}; "
                "the ledger has the reasons"
            )
    return lines
