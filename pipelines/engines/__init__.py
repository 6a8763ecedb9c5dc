"""Engines: where the transforms run, one file each. Another one is an entry point of `massivetext.engines`."""

from __future__ import annotations

import difflib
import socket
from importlib.metadata import entry_points

from massivetext.errors import RecipeError
from pipelines.engines.engine import Engine, Execution
from pipelines.recipe import Recipe

__all__ = ["Engine", "Execution", "check", "open_engine"]

RUNNERS = ("PrismRunner", "PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner")
"""Beam's runners that take any graph. Never DaskRunner, which gives wrong answers without an error."""


def _known() -> list[str]:
    others = [point.name for point in entry_points(group="massivetext.engines")]
    return ["FnApiRunner", *RUNNERS, *sorted(others)]


def open_engine(execution: Execution) -> Engine:
    """Return the engine that an execution names."""
    if execution.is_local:
        from pipelines.engines.local import LocalEngine

        return LocalEngine(execution)
    for point in entry_points(group="massivetext.engines"):
        if point.name == execution.runner:
            engine: Engine = point.load()(execution)
            return engine
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
    for option in ("job_endpoint", "flink_master", "spark_master_url", "environment_config"):
        _check_endpoint(option, execution)


_SECONDS = 5.0


def _check_endpoint(option: str, execution: Execution) -> None:
    """Raises RecipeError for an address after `--option=` that nobody answers at."""
    values = [value.partition("=")[2] for value in execution.beam_options if value.startswith(f"--{option}=")]
    for value in values:
        host, _, port = value.removeprefix("http://").removeprefix("spark://").rpartition(":")
        if not host or not port.isdigit():
            continue  # a word such as [auto] or local, or settings as JSON
        try:
            socket.create_connection((host, int(port)), _SECONDS).close()
        except OSError as error:
            raise RecipeError(
                f"--runner {execution.runner}: --{option}={value}: nobody answers there ({error}); start the server, "
                "or give the address that it listens at"
            ) from error
