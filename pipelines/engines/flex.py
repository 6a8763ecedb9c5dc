"""The main job as one job of Dataflow, for a Flex Template: a template is one graph, and the main job is several, each
planned from what the one before has written. So one machine runs it with as many worker processes as it has cores.

A machine that is lost is replaced by the engine, and the run goes on from what stands in DIR.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from massivetext.errors import MassiveTextError, RecipeError
from pipelines.engines.dataflow import DATAFLOW, unreachable
from pipelines.recipe import read

__all__ = ["RunAll", "main"]

PROGRAM = "from massivetext.cli import main; main()"

_DONE = (0, 1)
"""Exit statuses of a run that came to its end; with 1 some source has failed, which another attempt would not mend."""


class RunAll(beam.DoFn):
    """Runs `massivetext run` with the arguments it is given, on all cores of its machine. Yields the exit status."""

    def process(self, element: list[str]) -> Iterator[int]:
        workers = str(os.cpu_count() or 1)
        command = [sys.executable, "-c", PROGRAM, "run", *element, "--workers", workers, "--log-json"]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode not in _DONE:
            raise MassiveTextError(f"massivetext run ended with {done.returncode}: {done.stderr[-2000:]}")
        yield done.returncode


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the job of a template's parameters and run it; what is no parameter of ours is an option of Beam."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--memory", type=int, default=2048)
    parser.add_argument("--update", default="false")
    mine, given = parser.parse_known_args(arguments)
    options = PipelineOptions(["--experiments=no_use_multiple_sdk_containers", *given])
    if options.get_all_options()["runner"] == DATAFLOW:
        fault = unreachable(read(mine.recipe), mine.output, has_image=True)
        if fault:
            raise RecipeError(fault)
    update = ["--update"] if mine.update.lower() == "true" else []
    element = [mine.recipe, "--output", mine.output, "--memory", str(mine.memory), *update]
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | "Arguments" >> beam.Create([element]) | "Run" >> beam.ParDo(RunAll())
    pipeline.run()
