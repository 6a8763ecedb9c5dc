"""Any runner of Beam's by its own name and options: one graph a stage, whatever the number of subsets."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from massivetext import storage
from massivetext.dedup.phases import finish, is_finished, prepare
from massivetext.dedup.scope import Scope
from massivetext.errors import MassiveTextError, OutputError
from massivetext.terminal_text import visible
from pipelines.deduplicate import Phases
from pipelines.engines.dataflow import dataflow_options
from pipelines.engines.engine import ATTEMPTS, DATAFLOW, Engine, OnDone, forget, said_by_engine
from pipelines.engines.task_files import read_tasks, write_tasks
from pipelines.tasks import Task, TaskError

__all__ = ["BeamEngine", "deduplication_graph", "graph_of", "options_of"]

PAUSE = 1.0
"""Seconds before a job that failed is tried once more."""

_FINAL = ("OutputError", "RecipeError", "LimitError", "DependencyError")
"""Our own errors, which another attempt would not mend."""


def options_of(runner: str, given: Sequence[str], memory: int) -> PipelineOptions:
    """Return the options of a job.

    memory: bytes of a machine, a hint for the whole job: a transform with its own hints would have its own processes.
    """
    options = [f"--runner={runner}", f"--resource_hint=min_ram={memory}B", *given]
    return PipelineOptions(options + (dataflow_options(given) if runner == DATAFLOW else []))


def graph_of(work: beam.PTransform, files: Sequence[str], options: PipelineOptions) -> beam.Pipeline:
    """Return the job of a transform over the tasks in some files: spread over all workers, then chained."""
    pipeline = beam.Pipeline(options=options)
    tasks = pipeline | "Files" >> beam.Create(files) | "Tasks" >> beam.FlatMap(read_tasks).with_output_types(Any)
    _ = tasks | "Spread" >> beam.Reshuffle() | work
    return pipeline


def deduplication_graph(scopes: Sequence[str], options: PipelineOptions) -> beam.Pipeline:
    """Return the job of all phases of deduplication, over the folders of some scopes."""
    pipeline = beam.Pipeline(options=options)
    _ = pipeline | "Scopes" >> beam.Create(scopes) | Phases()
    return pipeline


class BeamEngine(Engine):
    """A runner of Beam's. What a job has done is known by the markers that its tasks leave."""

    def run(self, work: beam.PTransform, tasks: Sequence[Task], *, on_done: OnDone = lambda task: None) -> None:
        if not tasks:
            return
        is_remote = storage.is_remote(tasks[0].marker)
        storage.each(forget, tasks, remote=is_remote)
        pending = list(tasks)

        def job() -> None:
            files = write_tasks(pending)
            try:
                self._run(graph_of(work, files, self._options()))
            finally:
                storage.each(storage.remove, files, remote=is_remote)

        def is_done() -> bool:
            there = storage.each(lambda task: storage.exists(task.marker), pending, remote=is_remote)
            for task, is_there in zip(list(pending), there):
                if is_there:
                    on_done(task)
                    pending.remove(task)
            return not pending

        self._attempt(job, is_done, lambda: f"{len(pending)} of {len(tasks)} tasks are not done")

    def deduplicate_all(self, scopes: Sequence[Scope], *, on_done: OnDone) -> None:
        """Run all phases of all scopes as one graph."""
        pending = list(scopes)
        if not pending:
            return

        def job() -> None:
            for scope in pending:
                prepare(scope)
            self._run(deduplication_graph([scope.folder for scope in pending], self._options()))
            for scope in pending:
                finish(scope)

        self._attempt(
            job,
            lambda: all(is_finished(scope) is not None for scope in pending),
            lambda: f"deduplication of {', '.join('+'.join(scope.subsets) for scope in pending)} is not done",
        )

    def _options(self) -> PipelineOptions:
        return options_of(self.execution.runner, self.execution.beam_options, self.execution.memory)

    @staticmethod
    def _run(pipeline: beam.Pipeline) -> None:
        pipeline.run().wait_until_finish()

    def _attempt(self, job: Callable[[], None], is_done: Callable[[], bool], what: Callable[[], str]) -> None:
        """Run a job up to three times. What fails is the engine's trouble, whatever class the exception has; no
        document is to blame for it.

        Raises:
            TaskError: with the engine's own words.
        """
        runner, words = self.execution.runner, ""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                job()
            except Exception as error:
                kind, words = said_by_engine(error)
                if kind == "OutputError":
                    raise OutputError(words) from error
                if kind in _FINAL or (isinstance(error, MassiveTextError)):
                    raise
                logging.getLogger(__name__).warning("attempt %d on %s failed: %s", attempt, runner, visible(words))
            if is_done():
                return
            words = words or "its log has the reason"
            if attempt < ATTEMPTS:
                time.sleep(PAUSE)
        raise TaskError(f"{what()} after {ATTEMPTS} jobs on {runner}; it said: {words}; what is done stays done")
