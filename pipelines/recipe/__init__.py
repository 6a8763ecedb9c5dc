"""The recipe: what is curated, by which limits, and what the mixture is."""

from __future__ import annotations

from pipelines.recipe.blocks import Isolation, Mixture, Source, TestSet
from pipelines.recipe.ledger import ledger_schema, measures_schema
from pipelines.recipe.model import Recipe, Subset
from pipelines.recipe.reading import PACKAGED, origins, read, with_settings

__all__ = [
    "PACKAGED",
    "Isolation",
    "Mixture",
    "Recipe",
    "Source",
    "Subset",
    "TestSet",
    "ledger_schema",
    "measures_schema",
    "origins",
    "read",
    "with_settings",
]
