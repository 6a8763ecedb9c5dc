"""Engines: where the transforms run, one file each. Another one is an entry point of `massivetext.engines`."""

from __future__ import annotations

import difflib
from importlib.metadata import EntryPoint, entry_points

from massivetext.errors import RecipeError
from pipelines.engines.engine import Engine, Execution
from pipelines.recipe import Recipe

__all__ = ["Engine", "Execution", "check", "open_engine"]

RUNNERS = ("PrismRunner", "PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner")
"""Beam's runners that take any graph. Never DaskRunner, which gives wrong answers without an error."""


_GROUP = "massivetext.engines"


def _others() -> dict[str, EntryPoint]:
    """Engines that are no runners of Beam's, by name: Ray, and those of other packages."""
    points = [EntryPoint("ray", "pipelines.engines.ray:RayEngine", _GROUP), *entry_points(group=_GROUP)]
    return {point.name: point for point in points}


def _known() -> list[str]:
    return ["FnApiRunner", *RUNNERS, *sorted(_others())]


def open_engine(execution: Execution) -> Engine:
    """Return the engine that an execution names."""
    if execution.is_local:
        from pipelines.engines.local import LocalEngine

        return LocalEngine(execution)
    point = _others().get(execution.runner)
    if point is not None:
        return _load(point)(execution)
    from pipelines.engines.beam_runner import BeamEngine

    return BeamEngine(execution)


def check(recipe: Recipe, output: str, execution: Execution) -> None:
    """Refuse, before anything is written, what cannot be run.

    Raises:
        RecipeError: no such runner; a client or package that is missing; an endpoint that does not answer; for Dataflow
            files that its workers could not reach.
    """
    runner = execution.runner
    if execution.is_local:
        if execution.beam_options:
            raise RecipeError(
                f"{' '.join(execution.beam_options)}: options of Beam go with --runner; the local engine takes none"
            )
        return
    if runner not in _known():
        close = difflib.get_close_matches(runner, _known(), 1)
        hint = f"did you mean {close[0]!r}?" if close else f"expected one of {', '.join(_known())}"
        raise RecipeError(f"--runner {runner}: no such engine; {hint}")
    if runner == "DataflowRunner":
        from pipelines.engines.dataflow import check_dataflow

        check_dataflow(recipe, output, execution.beam_options)
    elif runner in RUNNERS:
        from pipelines.engines.checks import check_beam_runner

        check_beam_runner(runner, execution.beam_options)
    else:
        _load(_others()[runner]).check(execution)


def _load(point: EntryPoint) -> type[Engine]:
    """Raises RecipeError for an engine of a package that cannot be imported."""
    try:
        engine: type[Engine] = point.load()
    except (ImportError, AttributeError) as error:
        raise RecipeError(f"--runner {point.name}: {point.value} cannot be loaded: {error}") from error
    return engine
