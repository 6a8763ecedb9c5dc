"""The columns of a ledger: what every record has, and what the stages of a recipe add."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from massivetext.documents import DOCUMENT_SCHEMA, PROVENANCE
from pipelines.stages import STAGES, NamedSignals, RuleFamily, named_signals
from pipelines.stages.contamination import SHINGLES

if TYPE_CHECKING:
    from pipelines.recipe.model import Recipe

__all__ = ["JUDGEMENT", "ledger_schema", "measures_schema", "taken_names"]

JUDGEMENT = [
    *PROVENANCE,
    pa.field("n_bytes", pa.int64()),
    pa.field("n_tokens", pa.int64()),
    pa.field("outcome", pa.string(), nullable=False),
    pa.field("reason", pa.string()),
    pa.field("reasons", pa.list_(pa.string()), nullable=False),
]


def ledger_schema(recipe: Recipe) -> pa.Schema:
    """Return the schema of the recipe's ledgers: one row per record that could be a document.

    The paper's stages always have their columns, others where a subset declares them. Last are those that compare the
    documents of a subset with each other.
    """
    schema = measures_schema(recipe)
    options = {name: recipe.common(name) for name in named_signals()}
    for name in _declared(recipe):
        for column in STAGES[name].later_columns(options):
            schema = schema.append(column)
    return schema


def measures_schema(recipe: Recipe) -> pa.Schema:
    """Return the schema of what the pass over the text leaves of each record: a ledger's, without what comes later."""
    declared = _declared(recipe)
    options = {name: recipe.common(name) for name in named_signals()}
    families, others = [], []
    for name, stage in STAGES.items():
        columns = stage.columns(options)
        if issubclass(stage, RuleFamily):
            families += columns if stage.always_in_ledger or name in declared else []
        elif issubclass(stage, NamedSignals):
            families += columns if name in declared else []
        elif stage.in_every_ledger or name in declared:
            others += columns
    return pa.schema([*JUDGEMENT, *families, *others], metadata={"massivetext.schema": "ledger-1"})


def _declared(recipe: Recipe) -> list[str]:
    """The stages that some subset with sources goes through, in the order of verdicts."""
    names = {stage for name in recipe.filled for stage in recipe.subsets[name].stages}
    return [name for name in STAGES if name in names]


def taken_names() -> frozenset[str]:
    """Return names that no rule or score of a user can have: columns of ledgers, and of the documents beside them."""
    stages = [field.name for stage in STAGES.values() for field in [*stage.columns({}), *stage.later_columns({})]]
    return frozenset([*(field.name for field in (*JUDGEMENT, SHINGLES, *DOCUMENT_SCHEMA)), *stages])
