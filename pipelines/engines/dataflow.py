"""What Dataflow needs that other runners do not: workers that install this package, and files that they can reach."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Sequence
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.runners import create_runner
from pydantic import BaseModel

from massivetext import storage
from massivetext.errors import RecipeError
from pipelines.engines import worker_package
from pipelines.engines.checks import parse_options, within
from pipelines.engines.engine import DATAFLOW, names_option
from pipelines.recipe import Recipe
from pipelines.stages.stage import FunctionMark, path_mark

__all__ = ["check_dataflow", "dataflow_options", "unreachable"]

_SECONDS = 5.0
"""Seconds that Google Cloud has to answer before a run begins; Beam's client by itself asks for two minutes."""


def dataflow_options(given: Sequence[str]) -> list[str]:
    """Return the options that a job on Dataflow gets beside those given.

    A process does one task at a time, for the memory of a task is counted as a process's. Workers get this package and
    its dependencies, each in the version found here, unless their image has them (`--sdk_container_image`).
    """
    options = []
    if not names_option("number_of_worker_harness_threads", given):
        options.append("--number_of_worker_harness_threads=1")
    if not names_option("sdk_container_image", given):
        options.append(f"--extra_package={worker_package.wheel()}")
        if not names_option("requirements_file", given):
            options.append(f"--requirements_file={worker_package.requirements()}")
    return options


def check_dataflow(recipe: Recipe, output: str, given: Sequence[str]) -> None:
    """Raises RecipeError for what workers on Dataflow could not reach or start with."""
    for option in ("template_location", "dataflow_job_file"):
        if names_option(option, given):
            raise RecipeError(
                f"--{option}: the main job is four jobs, each planned from what the one before has written; "
                "the Flex Template of docs/dataflow.md launches them"
            )
    options = parse_options(DATAFLOW, given)
    if not has_client():
        raise RecipeError(f"--runner {DATAFLOW}: needs Beam's client; pip install 'massivetext[dataflow]'")
    fault = unreachable(recipe, output, has_image=names_option("sdk_container_image", given))
    if fault:
        raise RecipeError(fault)
    missing = [name for name in ("project", "temp_location") if not options[name]]
    faults = [f"Missing required option: {name}" for name in missing]
    if not faults and not options["no_auth"]:
        _check_credentials()
    if not faults:
        validator = PipelineOptionsValidator(PipelineOptions([f"--runner={DATAFLOW}", *given]), create_runner(DATAFLOW))
        error = within(lambda: faults.extend(validator.validate()), _SECONDS)  # it asks for the bucket
        faults += [f"Google Cloud Storage, {options['temp_location']}: {error}"] * (error is not None)
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise RecipeError(f"--runner {DATAFLOW}: options after -- are missing or wrong\n{lines}")


def _check_credentials() -> None:
    """Raises RecipeError where Google's client finds no credentials, in files, variables or of the machine."""
    import google.auth

    error = within(lambda: google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"]))
    if error is not None:
        raise RecipeError(
            f"--runner {DATAFLOW}: no credentials of Google Cloud ({str(error).strip()}); "
            "`gcloud auth application-default login` makes some, or set GOOGLE_APPLICATION_CREDENTIALS to a key's file"
        )


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
        for key, path, may_be_in_image in _paths_of(subset):
            if not key.startswith("sources"):
                yield f"subsets.{name}.{key}", path, may_be_in_image
    for key, path, may_be_in_image in _paths_of(recipe):
        if not key.startswith("subsets"):
            yield key, path, may_be_in_image


def _paths_of(block: BaseModel) -> Iterator[tuple[str, str, bool]]:
    """The paths in a block and the blocks below it, by the types of its fields."""
    for name, field in type(block).model_fields.items():
        value = getattr(block, name)
        mark = path_mark(field)
        if mark is not None and not isinstance(mark, FunctionMark):
            paths = value if isinstance(value, list) else [value]
            for number, path in enumerate(paths):
                if isinstance(path, str):
                    key = f"{name}.{number}" if isinstance(value, list) else name
                    yield key, path, name != "against"
            continue
        for key, one in _blocks_in(name, value):
            for below, path, may_be_in_image in _paths_of(one):
                yield f"{key}.{below}", path, may_be_in_image


def _blocks_in(name: str, value: object) -> Iterator[tuple[str, BaseModel]]:
    """The blocks that a field holds, each with its key."""
    if isinstance(value, BaseModel):
        yield name, value
        return
    items: Any = enumerate(value) if isinstance(value, list) else value.items() if isinstance(value, dict) else ()
    for key, one in items:
        if isinstance(one, BaseModel):
            yield f"{name}.{key}", one
