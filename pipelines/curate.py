"""The pass over the text: from the files of the sources to curated documents, a row of measures for every record, and
the evidence that the later stages work from. Everything that is decided of a document by itself is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence

import apache_beam as beam

from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.tasks import PartTask
from pipelines.transforms.clean_urls import CleanUrls
from pipelines.transforms.documents import (
    CountTokens,
    Extract,
    FindTestItems,
    IdentifyLanguage,
    MeasureText,
    RewriteText,
    ScoreDocuments,
    ScoreSafety,
)
from pipelines.transforms.judge import Judge
from pipelines.transforms.read_documents import ReadDocuments
from pipelines.transforms.refuse_removed import RefuseRemoved, removal_roots
from pipelines.transforms.write_parts import WriteParts

__all__ = ["Curate"]


class Curate(beam.PTransform):  # type: ignore[misc]
    """From part tasks to the markers of parts that are written (paper, figure of appendix A).

    Each subset goes through the stages that the recipe names for it; a batch of another subset passes.
    """

    def __init__(self, folder: Folder, recipe: Recipe, subsets: Sequence[str] | None = None) -> None:
        """subsets: those whose parts will come; all that have sources, if None."""
        super().__init__()
        self.folder, self.recipe = folder, recipe
        self.subsets = list(recipe.filled if subsets is None else subsets)

    def expand(self, tasks: beam.PCollection[PartTask]) -> beam.PCollection[str]:
        recipe, place = self.recipe, (self.folder.root, self.subsets)
        documents = tasks | ReadDocuments()
        if recipe.url_credentials == "remove":
            documents = documents | CleanUrls()
        documents = documents | Extract.of(recipe, *place) | RewriteText.of(recipe, *place)
        if roots := removal_roots(recipe, self.folder.root):
            documents = documents | RefuseRemoved(roots)
        return (
            documents
            | CountTokens.of(recipe, *place)
            | IdentifyLanguage.of(recipe, *place)
            | ScoreSafety.of(recipe, *place)
            | MeasureText.of(recipe, *place)
            | ScoreDocuments.of(recipe, *place)
            | FindTestItems.of(recipe, *place)
            | Judge.of(recipe, *place)
            | WriteParts(self.folder, recipe)
        )
