"""MassiveText as Beam: transforms over batches of documents, four pipelines made of them, engines that run them.

The names below can be put on any PCollection of batches (Arrow RecordBatches; massivetext.batches says which columns).
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from massivetext.shadowing import check_packages

check_packages("filters")

# Beam says at every import that a Google client is missing, which nothing here needs.
logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())

if TYPE_CHECKING:
    from pipelines.curate import Curate
    from pipelines.decontaminate import SettleLedger
    from pipelines.deduplicate import FindDuplicates
    from pipelines.main import run
    from pipelines.mix import WriteMixture
    from pipelines.recipe import Recipe, read
    from pipelines.transforms.documents import (
        CountTokens,
        Extract,
        FindTestItems,
        IdentifyLanguage,
        MeasureQuality,
        MeasureRepetition,
        MeasureText,
        RewriteText,
        ScoreDocuments,
        ScoreSafety,
    )
    from pipelines.transforms.judge import Judge
    from pipelines.transforms.read_documents import ReadDocuments
    from pipelines.transforms.write_parts import WriteParts

_HOMES = {
    "transforms.documents": (
        *("CountTokens", "Extract", "FindTestItems", "IdentifyLanguage", "MeasureQuality", "MeasureRepetition"),
        *("MeasureText", "RewriteText", "ScoreDocuments", "ScoreSafety"),
    ),
    "transforms.judge": ("Judge",),
    "transforms.read_documents": ("ReadDocuments",),
    "transforms.write_parts": ("WriteParts",),
    "curate": ("Curate",),
    "deduplicate": ("FindDuplicates",),
    "decontaminate": ("SettleLedger",),
    "mix": ("WriteMixture",),
    "recipe": ("Recipe", "read"),
    "main": ("run",),
}
_MODULES = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}

__all__ = [
    "CountTokens",
    "Curate",
    "Extract",
    "FindDuplicates",
    "FindTestItems",
    "IdentifyLanguage",
    "Judge",
    "MeasureQuality",
    "MeasureRepetition",
    "MeasureText",
    "ReadDocuments",
    "Recipe",
    "RewriteText",
    "ScoreDocuments",
    "ScoreSafety",
    "SettleLedger",
    "WriteMixture",
    "WriteParts",
    "read",
    "run",
]


def __getattr__(name: str) -> Any:
    # Loaded on use: a recipe can be read without waiting for Beam.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
