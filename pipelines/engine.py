"""What a run on an engine needs that a run on this machine does not: options, tasks in files, storage that all reach.

Options given after `--` go before those that are set here.
"""

from __future__ import annotations

import importlib.util
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners import create_runner

from massivetext import storage
from massivetext.errors import RecipeError
from pipelines import staging
from pipelines.recipe import Recipe, Subset

__all__ = ["DATAFLOW", "check", "options_of", "read_tasks", "unreachable", "write_tasks"]

DATAFLOW = "DataflowRunner"

TASKS = 256
"""Tasks in one file: they share one recipe there, which is most of a task's bytes."""


def options_of(runner: str, given: Sequence[str], memory: int) -> PipelineOptions:
    """The options of a job.

    memory: bytes of a machine, a hint for the whole job: a transform with its own hints would have its own processes.
    On Dataflow a process does one task at a time, for the memory of a task is counted as a process's, and there is a
    process for each core. Workers get this package and its dependencies, each in the version found here, unless their
    image has them (`--sdk_container_image`).
    """
    options = [f"--runner={runner}", f"--resource_hint=min_ram={memory}B", *given]
    if runner == DATAFLOW:
        if not _names("number_of_worker_harness_threads", given):
            options.append("--number_of_worker_harness_threads=1")
        if not _names("sdk_container_image", given):
            options.append(f"--extra_package={staging.wheel()}")
            if not _names("requirements_file", given):
                options.append(f"--requirements_file={staging.requirements()}")
    return PipelineOptions(options)


def _names(option: str, given: Sequence[str]) -> bool:
    return any(value == f"--{option}" or value.startswith(f"--{option}=") for value in given)


def check(recipe: Recipe, output: str, runner: str, given: Sequence[str]) -> None:
    """Raises RecipeError for what workers on Dataflow could not reach or start with. Other engines may share a folder
    with this machine, which cannot be seen from here."""
    if runner != DATAFLOW:
        return
    for option in ("template_location", "dataflow_job_file"):
        if _names(option, given):
            raise RecipeError(
                f"--{option}: the main job is several jobs, each planned from what the one before has written; "
                "the Flex Template of docs/dataflow.md runs all of it as one"
            )
    if not has_client():
        raise RecipeError(f"--runner {DATAFLOW}: needs Beam's client; pip install 'massivetext[dataflow]'")
    fault = unreachable(recipe, output, has_image=_names("sdk_container_image", given))
    if fault:
        raise RecipeError(fault)
    options = PipelineOptions([f"--runner={runner}", *given])
    faults = PipelineOptionsValidator(options, create_runner(runner)).validate()
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise RecipeError(f"--runner {runner}: options after -- are missing or wrong\n{lines}")


def has_client() -> bool:
    """Whether Beam's client of Dataflow is installed."""
    try:
        return importlib.util.find_spec("google.cloud.dataflow_v1beta3") is not None
    except ModuleNotFoundError:
        return False


def unreachable(recipe: Recipe, output: str, *, has_image: bool) -> str | None:
    """What workers on other machines could not write or read, with the remedy; None if there is nothing. has_image:
    whether they have an image of the user's, which may hold models and test sets."""
    if not storage.is_remote(output):
        return f"--output {output}: is on this machine, where workers of {DATAFLOW} cannot write; give a gs:// URL"
    for place, path, may_be_in_image in _paths(recipe):
        if not storage.is_remote(path) and not (may_be_in_image and has_image):
            remedy = ", or an image that holds it" if may_be_in_image else ""
            return (
                f"{place}: {path} is on this machine, where workers of {DATAFLOW} cannot read; copy it to a bucket and "
                f"give its gs:// URL{remedy}"
            )
    return None


def _paths(recipe: Recipe) -> Iterator[tuple[str, str, bool]]:
    """Key, path, and whether a worker's image may hold it: every file that a recipe makes workers read."""
    for name, subset in recipe.filled.items():
        for number, source in enumerate(subset.sources):
            yield f"subsets.{name}.sources.{number}.path", source.path, False
    for number, testset in enumerate(recipe.testsets):
        yield f"testsets.{number}.path", testset.path, True
        if isinstance(testset.titles, str):
            yield f"testsets.{number}.titles", testset.titles, True
    if recipe.tokenizer:
        yield "tokenizer", recipe.tokenizer, True
    owners: list[tuple[str, Recipe | Subset]] = [("", recipe)]
    owners += [(f"subsets.{name}.", subset) for name, subset in recipe.filled.items()]
    for owner, block in owners:
        if block.language and block.language.model:
            yield f"{owner}language.model", block.language.model, True
        if block.safe_search:
            found: list[tuple[str, Any]] = [
                *(("block_lists", path) for path in block.safe_search.block_lists),
                ("terms", block.safe_search.terms),
                ("model", block.safe_search.model),
            ]
            for key, path in found:
                if isinstance(path, str):
                    yield f"{owner}safe_search.{key}", path, True
        if block.deduplication:
            for number, path in enumerate(block.deduplication.against):
                yield f"{owner}deduplication.against.{number}", path, False


def write_tasks(tasks: Sequence[Any]) -> list[str]:
    """Tasks in files beside the first one's marker, TASKS in each; returns their paths.

    A job's description may have 10 MB on Dataflow, and each task holds the whole recipe.
    """
    starts = range(0, len(tasks), TASKS)
    paths = [f"{tasks[0].marker}.tasks-{start // TASKS:05d}" for start in starts]
    chunks = [(path, start) for path, start in zip(paths, starts)]

    def write(chunk: tuple[str, int]) -> None:
        path, start = chunk
        storage.write_bytes(path, pickle.dumps(list(enumerate(tasks[start : start + TASKS], start))))

    storage.each(write, chunks, remote=storage.is_remote(paths[0]))
    return paths


def read_tasks(path: str) -> Iterator[tuple[int, Any]]:
    """The tasks of one file, each with its number."""
    yield from pickle.loads(storage.read_bytes(path))
