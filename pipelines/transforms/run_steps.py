"""Tasks that are functions over files as a transform, such as the steps of deduplication: each safe to run twice."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from massivetext.dedup.phases import Step
from pipelines.tasks import task_begins, task_ends
from pipelines.transforms.base import Counters, PlainDoFn

__all__ = ["RunSteps", "perform_step", "run_step"]


class RunSteps(beam.PTransform):  # type: ignore[misc]
    """Call tasks that leave a marker each. Returns the markers."""

    def expand(self, steps: beam.PCollection[Any]) -> beam.PCollection[str]:
        return steps | "Run" >> beam.ParDo(_RunStep()).with_output_types(str)


class _RunStep(PlainDoFn):
    def setup(self) -> None:
        self.counters = Counters("RunSteps")

    def process(self, step: Any) -> Iterator[str]:
        started = time.process_time()
        perform_step(step)
        self.counters.time(started)
        self.counters.add(**{getattr(step, "phase", "tasks").partition("-")[0]: 1})
        yield step.marker


def perform_step(step: Any) -> None:
    """Run one step, and tell the supervisor of this process when it begins and when it is done."""
    task_begins(step.marker)
    step()
    task_ends(step.marker)


def run_step(step: Step) -> str:
    """Run one step, and return its marker."""
    step()
    return step.marker
