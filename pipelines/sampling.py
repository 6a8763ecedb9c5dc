"""A sample of a recipe's parts, gone through all stages in a temporary folder: what a forecast is made from."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from functools import partial
from typing import Any

from massivetext import storage
from massivetext.errors import RecipeError
from massivetext.looking.forecast import Sample, draw, forecast, look
from massivetext.scratch import make_scratch, remove_scratch
from pipelines.engines.engine import Execution
from pipelines.engines.local import LocalEngine
from pipelines.input_splits import Part, find_parts
from pipelines.main import Outcome, Reporter, run_stages
from pipelines.member_index import IndexTask
from pipelines.recipe import Recipe
from pipelines.run_folder.folder import Folder
from pipelines.sampled_members import drawn_pieces, probable_pieces, with_whole_files
from pipelines.stages import testset_index
from pipelines.tasks import Marker, read_markers
from pipelines.transforms.run_steps import RunSteps
from pipelines.weights import weights_of

__all__ = ["forecast_run"]

_AGAIN = (
    *("work/dedup", "work/duplicates", "work/done/settle", "work/done/mix", "work/frequent"),
    *(f"work/done/{name}" for name in ("shares", "spans", "host_lines")),
)


def forecast_run(recipe: Recipe, execution: Execution, reporter: Reporter, *, sample: int = 18) -> dict[str, Any]:
    """Return a forecast of a run with `execution.workers` workers, as plain data.

    The temporary folder is removed again, whatever happens. sample: about how many parts are read.
    """
    whole = find_parts(recipe)
    parts = probable_pieces(whole)
    temporary = make_scratch("plan")
    try:
        folder = Folder(os.path.join(temporary, "out"))
        width = min(execution.workers, os.cpu_count() or 1)
        engine = LocalEngine(Execution(workers=width, memory=execution.memory))
        engine.keep_costs = True
        with engine:
            drawn = drawn_pieces(folder, whole, draw(parts, sample, recipe.seed), partial(_scan, engine))
            outcome, mixed_tokens, mixed_bytes = _go_through(recipe, folder, drawn, engine, reporter)
        looked = [look(folder.root, part, recipe) for part in drawn]
        index = testset_index(folder.root)
        fixed = storage.size(index) if storage.exists(index) else 0
    finally:
        remove_scratch(temporary)
    taken = Sample(
        drawn,
        looked,
        engine.costs,
        outcome,
        fixed,
        mixed_tokens,
        mixed_bytes,
        lambda part: folder.marker("curate", part.subset, part.name),
    )
    parts = with_whole_files(parts, drawn)
    return forecast(recipe, parts, taken, weights=weights_of(recipe), workers=execution.workers)


def _scan(engine: LocalEngine, tasks: Sequence[IndexTask]) -> list[Marker]:
    """Scan ranges of compressed files, and return what was found."""
    engine.run(RunSteps(), tasks)
    return [marker for marker in read_markers([task.marker for task in tasks]) if marker is not None]


def _go_through(
    recipe: Recipe, folder: Folder, drawn: Sequence[Part], engine: LocalEngine, reporter: Reporter
) -> tuple[Outcome, int, int]:
    """Run the sample through all stages; returns what it came to, and tokens and bytes of its mixture.

    The later stages are run twice, and the second time counts: their first one in a process also loads kernels.
    """
    largest = recipe.mixture.model_copy(update={"tokens": "max"})
    small = recipe.model_copy(update={"mixture": largest})
    tokens = n_bytes = 0
    folder.adopt(small, update=False)
    for _ in range(2):
        for name in _AGAIN:
            shutil.rmtree(folder.path(name), ignore_errors=True)
        outcome = Outcome()
        run_stages(small, folder, drawn, engine, reporter, outcome, "decontaminate")
        try:
            run_stages(small, folder, drawn, engine, reporter, Outcome(), "mix")
        except RecipeError:
            continue  # a subset of which the sample keeps nothing: there is no mixture to be written
        manifest = json.loads(storage.read_bytes(folder.path("mixture", largest.name, "manifest.json")))
        n_bytes = sum(summary["bytes"] for summary in manifest["files"].values())
        tokens = sum(manifest["counts"]["tokens"].values())
    return outcome, tokens, n_bytes
