"""The verdict of the rules on each document: outcome, reason and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.batches import has_text, with_columns
from pipelines.recipe.model import broken_rules
from pipelines.stages import STAGES, Stage
from pipelines.transforms.base import StageTransform

__all__ = ["Judge", "judge"]


def judge(batch: pa.RecordBatch, stages: Sequence[Stage]) -> pa.RecordBatch:
    """Return the batch with `outcome`, `reason` and `reasons` (all rules that a document breaks, in the stages' order).

    Args:
        batch: `text`, and the columns that the stages judge by; one that is missing breaks no limit.
        stages: bound stages, in the order of verdicts.
    """
    n = batch.num_rows
    names = set(batch.schema.names)
    outcomes = batch.column("outcome").to_pylist() if "outcome" in names else [None] * n
    first = batch.column("reason").to_pylist() if "reason" in names else [None] * n
    documents = (has_text(batch).to_numpy(zero_copy_only=False)) & np.array([one is None for one in outcomes], bool)
    reasons: list[list[str]] = [[] for _ in range(n)]
    for i in range(n):
        if not documents[i]:
            outcomes[i] = outcomes[i] or "failed"
            reasons[i] = [first[i] or "failed.no_text"]
    for reason, mask in broken_rules(_judged(batch, stages), list(stages)).items():
        for i in np.flatnonzero(mask & documents).tolist():
            reasons[i].append(reason)
            outcomes[i] = "rejected"
    return with_columns(
        batch,
        {
            "outcome": pa.array([outcome or "kept" for outcome in outcomes], pa.string()),
            "reason": pa.array([own[0] if own else None for own in reasons], pa.string()),
            "reasons": pa.array(reasons, pa.list_(pa.string())),
        },
    )


def _judged(batch: pa.RecordBatch, stages: Sequence[Stage]) -> pa.RecordBatch:
    """The columns that the verdict is made from; nulls where a measure that failed has left none."""
    names = list(dict.fromkeys(name for stage in stages for name in stage.judged_columns()))
    types = {field.name: field.type for stage in STAGES.values() for field in stage.columns({})}
    present = set(batch.schema.names)
    columns = {
        name: batch.column(name) if name in present else pa.nulls(batch.num_rows, types.get(name, pa.float64()))
        for name in names
    }
    return pa.RecordBatch.from_pydict(columns) if columns else batch.select([])


class Judge(StageTransform):
    """Decide on each document by the limits of the stages before: add `outcome`, `reason`, `reasons`.

    A document that breaks a rule is `rejected`, by all rules that it breaks; a record that is no document keeps the
    outcome that it has. Nothing is left out.
    """

    stage_names = tuple(name for name, stage in STAGES.items() if not stage.is_later)
    step = "judging"
    function = staticmethod(judge)

    def __init__(self, **blocks: Any) -> None:
        """blocks: by stage, its block as in a recipe (`quality={"word_count": {"min": 30}}`), laid over the paper's;
        None leaves a stage out. Stages of the paper that judge a web page are there by default."""
        super().__init__({"": _paper_stages(blocks)})

    @classmethod
    def of(cls, recipe: Any, folder: str = "", subsets: Sequence[str] | None = None) -> Judge:
        transform: Judge = cls.__new__(cls)
        names = recipe.filled if subsets is None else subsets
        stages = {
            subset: [
                recipe.stage(subset, name, folder) for name in cls.stage_names if recipe.goes_through(subset, name)
            ]
            for subset in names
        }
        StageTransform.__init__(transform, stages)
        return transform


def _paper_stages(blocks: Mapping[str, Any]) -> list[Stage]:
    from pipelines.recipe.reading import read

    default = ("language", "safe_search", "quality", "repetition")
    names = [name for name in STAGES if (name in default or name in blocks) and blocks.get(name, True) is not None]
    settings = [f"{name}={_yaml(block)}" for name, block in blocks.items() if block is not None]
    recipe = read("gopher", settings)
    return [recipe.stage("massiveweb", name) for name in names if not STAGES[name].is_later]


def _yaml(block: Any) -> str:
    """JSON is YAML."""
    import json

    return json.dumps(block)
