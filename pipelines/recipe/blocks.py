"""Blocks of a recipe that are no stage's: sources, test sets, the mixture, limits for one document."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator

from massivetext import isolation, readers, storage
from massivetext.errors import RecipeError
from massivetext.foreign_code import is_code_refused
from pipelines.stages.stage import Block, Function, Path, Share, Switch

__all__ = ["BucketEpochs", "Isolation", "Mixture", "Source", "TestSet"]


class Source(Block):
    """Files of one format. `path` is a file, a folder or a pattern, local or a URL; `name` goes before each file's
    source name where two patterns of a subset hold files of equal names; `pack`: whether small files share a part."""

    format: Function
    path: Path
    name: str = ""
    fields: dict[str, str] = {}
    pack: bool = True

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if is_code_refused() and value not in readers.FORMATS:
            return value
        try:
            readers.get(value)
        except RecipeError as error:
            raise ValueError(str(error)) from error
        return value

    @field_validator("path")
    @classmethod
    def _local(cls, value: str) -> str:
        return storage.local_path(value)

    @field_validator("fields")
    @classmethod
    def _options(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        format = info.data.get("format")
        if format is None or (is_code_refused() and format not in readers.FORMATS):
            return value
        if sentences := readers.option_faults(format, value):
            raise ValueError("; ".join(sentences))
        return value


class TestSet(Block):
    """Plain files of test items: `text` is a template over a JSON record's fields; `unit` how a text file divides;
    `titles` removes pages of these titles: true for the headings of the set's own files, or a list; from the subsets
    in `titles_in`, by default those of Wikipedia: the one called `wikipedia`, and those read from MediaWiki dumps."""

    name: str
    path: Path
    text: str | list[str] | None = None
    unit: Literal["record", "line", "file"] | None = None
    preset: str | None = None
    titles: Switch = False
    titles_in: list[str] = []


class BucketEpochs(Block):
    """How often each bucket of a subset's score is repeated, in proportion to the others: `epochs`, the worst first."""

    score: str
    epochs: list[Annotated[float, Field(ge=0)]]

    @field_validator("epochs")
    @classmethod
    def _some(cls, value: list[float]) -> list[float]:
        if not any(value):
            raise ValueError("all epochs are 0, so nothing of the subset would be taken")
        return value


class Mixture(Block):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)] = "main"
    weights: dict[str, Share]
    tokens: Annotated[int, Field(ge=1)] | Literal["max"] = "max"
    max_epochs: Annotated[float, Field(gt=0)] = 4
    shard_bytes: Annotated[int, Field(ge=1 << 12)] = 64 << 20
    buckets: dict[str, BucketEpochs] = {}

    @field_validator("weights")
    @classmethod
    def _sum_to_one(cls, value: dict[str, float]) -> dict[str, float]:
        total = math.fsum(value.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"weights must sum to 1, these sum to {total:g}")
        return value


class Isolation(Block):
    """What one step may take for one document: CPU seconds, and a second more a million bytes of it; bytes that the
    process grows by, and 64 more a byte of it."""

    seconds: Annotated[float, Field(gt=0)] = isolation.SECONDS
    memory: Annotated[int, Field(ge=1 << 20)] = isolation.MEMORY
