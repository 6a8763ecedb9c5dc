"""What a stage is: everything that the program knows of one stage of a recipe, in one class."""

from __future__ import annotations

import functools
import hashlib
import math
from abc import ABC
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import pyarrow as pa
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticKnownError, core_schema

from filters.limits import Limit, violations
from massivetext import storage
from massivetext.batches import with_measures
from massivetext.errors import MassiveTextError

__all__ = [
    "Block",
    "Context",
    "Function",
    "LimitBlock",
    "NamedSignals",
    "OptionalLimit",
    "Path",
    "Share",
    "SignalName",
    "Stage",
    "Switch",
    "canonical",
    "columns_of",
    "content_digest",
    "faults_of",
    "limit_in_words",
    "missing_files",
    "path_mark",
    "possible_limit",
    "range_in_words",
]

Share = Annotated[float, Field(ge=0, le=1)]


class PathMark:
    """Marks a string of a recipe as a path: relative to the recipe's folder, its content shapes the output."""


def _supported(value: str) -> str:
    """Return a path. Raises ValueError for a URL that nothing can be read from."""
    try:
        storage.check_scheme(value)
    except MassiveTextError as error:
        raise ValueError(str(error)) from error
    return value


Path = Annotated[str, PathMark(), AfterValidator(_supported)]


class FunctionMark(PathMark):
    """Marks a word that may name a function: `package.module:function`, or with a path, `./mine.py:function`."""


Function = Annotated[str, FunctionMark()]

SignalName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that the user gives to a column of the ledger."""


def _switch(value: Any) -> Any:
    """YAML 1.1's words for booleans, which elsewhere in a recipe are words (`no` is Norwegian)."""
    return (
        {"yes": True, "on": True, "no": False, "off": False}.get(value.lower(), value)
        if isinstance(value, str)
        else value
    )


Switch = Annotated[bool | Path, BeforeValidator(_switch)]
"""A file of one's own, true for the packaged one, false for none."""


def _no_boolean(kind: Literal["int_type", "float_type"]) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if isinstance(value, bool):
            raise PydanticKnownError(kind)
        return value

    return checked


_CHECKS = {"int": _no_boolean("int_type"), "float": _no_boolean("float_type")}


def _without_booleans(schema: Any) -> Any:
    """Return a validator's schema in which numbers are checked not to be booleans, which pydantic takes for 0 and 1."""
    if isinstance(schema, list):
        return [_without_booleans(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind in _CHECKS:
        return core_schema.no_info_before_validator_function(_CHECKS[kind], schema)
    if kind == "function-before" and schema["function"]["function"] in _CHECKS.values():
        return schema  # of a block within
    return {key: value if key == "default" else _without_booleans(value) for key, value in schema.items()}


class Block(BaseModel):
    """A block of a recipe: without unknown keys, and with no boolean for a number."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return _without_booleans(handler(source))


def possible_limit(block: Any) -> Any:
    """Return a block with `min` and `max`. Raises ValueError where they are no limit that a value can keep."""
    for value in (block.min, block.max):
        if value is not None and math.isnan(value):
            raise ValueError("a limit must be a number, not NaN")
    if block.min is not None and block.max is not None and block.min > block.max:
        raise ValueError(f"impossible limit: min {block.min:g} is greater than max {block.max:g}")
    return block


class LimitBlock(Block):
    """`min` and `max` of one signal, both inclusive."""

    min: float | None = None
    max: float | None = None

    _possible = model_validator(mode="after")(possible_limit)

    def limit(self) -> Limit:
        return Limit(self.min, self.max)


def _no_limit(value: Any) -> Any:
    """A null switches a rule off, and must still say so where a recipe is written out: as a limit without ends."""
    return {} if value is None else value


OptionalLimit = Annotated[LimitBlock | None, BeforeValidator(_no_limit)]


@dataclass(frozen=True)
class Context:
    """What a stage may know beside its own block.

    Attributes:
        subset: the subset that it is bound to.
        options: pairs of the recipe's keys that are no stage's block, such as `count_duplicates` and `testsets`, and
            their values.
        folder: the output folder, for what a run prepares there; empty outside a run.
    """

    subset: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    folder: str = ""

    def option(self, name: str, default: Any = None) -> Any:
        return dict(self.options).get(name, default)


class Stage(ABC):
    """One stage of a recipe, bound to its block for one subset. Subclasses say what differs.

    Class attributes:
        name: the stage in `stages` of a recipe, and the first half of its reasons.
        version: of the definition of what it measures. A higher one is measured anew in every folder.
        block: type of its block in a recipe (`name: ...`), with its default; None for a stage without settings.
        is_required: whether a recipe must have its block.
        is_subset_block: whether a subset may have a block of its own.
        is_later: whether it comes after the pass over the text.
        in_pass: whether the pass over the text does something for it.
        judges: whether it judges a document by itself, from columns of the ledger.
        rewrites_text: whether it changes the text, and so comes before all that measures.
        in_every_ledger: whether a ledger has its columns where no subset goes through it too.
        kernels: modules by their names: once the stage has run here, one of them at least has compiled kernels.
        compiled_by: what compiles these kernels ahead of a run, side by side: `package.module:function`, each with
            kernels of its own.
        needs_texts: why another setting of its block, but for limits, is beyond what a ledger can answer.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    block: ClassVar[Any] = None
    default: ClassVar[Any] = None
    is_required: ClassVar[bool] = False
    is_subset_block: ClassVar[bool] = True
    is_later: ClassVar[bool] = False
    in_pass: ClassVar[bool] = True
    rewrites_text: ClassVar[bool] = False
    judges: ClassVar[bool] = False
    in_every_ledger: ClassVar[bool] = True
    kernels: ClassVar[tuple[str, ...]] = ()
    compiled_by: ClassVar[tuple[str, ...]] = ()
    needs_texts: ClassVar[str] = "it would have to be measured again"

    def __init__(self, settings: Any = None, context: Context = Context()) -> None:
        self.settings = self.default if settings is None else settings
        self.context = context

    @property
    def runs_user_code(self) -> bool:
        """Whether it calls functions of a user's own, which a document can hold up, blow up or kill."""
        return False

    # What it does.

    @classmethod
    def needs_kernels(cls, formats: Iterable[str]) -> bool:
        """Return whether a run over sources of these formats calls its kernels."""
        return bool(cls.compiled_by)

    def load(self) -> None:  # noqa: B027  most stages have nothing to load
        """Load models and compile kernels: once a process, and in no document's time."""

    def has_work(self, batch: pa.RecordBatch) -> bool:
        """Return whether the stage does anything with a batch. It is not loaded before one with which it does."""
        return True

    def measure(self, batch: pa.RecordBatch) -> Mapping[str, pa.Array]:
        """Return the columns that the stage adds, one row each of the batch's. Needs `text`."""
        return {}

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch with what the stage adds or changes."""
        return with_measures(batch, self.measure)

    def judged_columns(self) -> list[str]:
        """Return the columns that `verdict` reads."""
        return []

    def verdict(self, columns: pa.RecordBatch) -> dict[str, np.ndarray]:
        """Return for each of the stage's rules (the second half of a reason) bool[n]: who breaks it."""
        return {}

    # What it says of itself.

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        """Return the columns that the stage has in a ledger."""
        return []

    @classmethod
    def later_columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        """Return the columns that the stage has in the final ledger only, made after the pass over the text."""
        return []

    def shares(self) -> Mapping[str, Any]:
        """Return by signal what depends on the values of all documents of the subset: settings with `keep` (the share
        that stays, or None), `by` (`tokens`, `documents`) and `buckets` (shares from the lowest value)."""
        return {}

    def limit_in_words(self, signal: str) -> str:
        """Return the limit of a rule in words; `no limit` where there is none."""
        return "no limit"

    @classmethod
    def value_in_words(cls, row: Mapping[str, Any], signal: str) -> Any:
        """Return what a row of the ledger holds of a rule's signal."""
        return row.get(signal)

    def settings_in_words(self) -> list[tuple[str, str]]:
        """Return what the stage keeps, for the data card: (rule or key, its limit or setting in words)."""
        return []

    @classmethod
    def signals(cls) -> list[str]:
        """Return the columns that the stage limits by `min` and `max`, in its order; none if it judges otherwise."""
        return []

    def limited_signals(self) -> dict[str, Limit]:
        """Return the numeric columns that a report shows of the stage, each with its limit (without ends: none)."""
        return {}

    def limits_by_language(self) -> dict[str, dict[str, Limit]]:
        """Return by signal the languages whose documents have another limit than `limited_signals` says, each with its
        limit (without ends: none)."""
        return {}

    def evidence_in_words(self, row: Mapping[str, Any], signal: str, text: Callable[[], str | None]) -> list[str]:
        """Return what weighs most in a row's value of a signal, as lines for `explain`.

        Args:
            row: of the ledger.
            signal: one of the stage's.
            text: returns the document's text, or None where the run did not keep it.
        """
        return []

    def for_language(self, language: str | None) -> Stage:
        """Return the stage with the settings that hold for documents of a language."""
        return self

    def faults(self) -> list[str]:
        """Return what makes the stage impossible in its subset, as sentences that begin with the key."""
        return []

    # How it is told apart from another.

    def fingerprint(self) -> Any:
        """Return what shapes the stage's columns and verdict, as JSON: version, settings, contents of files."""
        return [self.version, canonical(self.settings)]

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        """Return whether a key of the block is a limit, which is applied to columns that are already there."""
        return False


def canonical(value: Any, *, is_override: bool = False) -> Any:
    """Return settings as JSON, with the contents of the files that they name in place of paths.

    A key with its default value is left out: it is no part of a recipe's identity, so that a program that learns new
    keys knows its older folders. is_override: the settings lie over others, so every key that is set counts.
    """
    if isinstance(value, BaseModel):
        fields = {}
        for name, field in type(value).model_fields.items():
            own = getattr(value, name)
            is_set = is_override and name in value.model_fields_set
            if is_set or own != field.get_default(call_default_factory=True):
                fields[name] = canonical_field(field, own, is_override=is_override)
        return fields
    if isinstance(value, Mapping):
        return {str(key): canonical(item, is_override=is_override) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [canonical(item, is_override=is_override) for item in value]
    return value


def canonical_field(field: Any, value: Any, *, is_override: bool) -> Any:
    """Return the value of a pydantic field as JSON, files and functions by their contents."""
    mark = path_mark(field)
    if mark is None:
        return canonical(value, is_override=is_override)
    if isinstance(mark, FunctionMark):
        from pipelines.stages.functions import function_fingerprint

        return [value.rpartition(":")[2], function_fingerprint(value)] if ":" in value else value
    return canonical_path(value)


def path_mark(field: Any) -> PathMark | None:
    """Return what marks a pydantic field as one of paths, or functions, or lists of them; None for another field."""
    return _mark(field.annotation, field.metadata)


def _mark(annotation: Any, metadata: Any = ()) -> PathMark | None:
    for mark in (*metadata, *getattr(annotation, "__metadata__", ())):
        if isinstance(mark, PathMark):
            return mark
    marks = (_mark(one) for one in getattr(annotation, "__args__", ()))
    return next((mark for mark in marks if mark is not None), None)


def canonical_path(value: Any) -> Any:
    """Return the digests of the files of a path, a pattern or a list of them; other values as they are."""
    if isinstance(value, str):
        return [content_digest(path) for path in storage.find(value)] or content_digest(value)
    return [canonical_path(item) for item in value] if isinstance(value, (list, tuple)) else value


def missing_files(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield key and fault of each path in settings at which there is no file and no folder.

    Args:
        value: Settings: a block, or a mapping or a list with blocks in it.
        key: Where they stand in the recipe.
    """
    if isinstance(value, BaseModel):
        for name, field in type(value).model_fields.items():
            own, place = getattr(value, name), f"{key}.{name}".lstrip(".")
            mark = path_mark(field)
            if mark is None:
                yield from missing_files(own, place)
            elif not isinstance(mark, FunctionMark):
                is_list = isinstance(own, (list, tuple))
                for number, path in enumerate(own if is_list else [own]):
                    if isinstance(path, str) and not storage.exists(path) and not storage.find(path):
                        yield (f"{place}.{number}" if is_list else place), f"no file at {path!r}; correct the path"
    elif isinstance(value, (Mapping, list, tuple)):
        items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, Mapping) else enumerate(value)
        for step, item in items:
            yield from missing_files(item, f"{key}.{step}")


def content_digest(path: str) -> str:
    """Return BLAKE2b-128 (hex) of a file's bytes."""
    return _content_digest(path, storage.modified(path), storage.size(path))


@functools.lru_cache(maxsize=4096)
def _content_digest(path: str, modified: int, size: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with storage.open_input(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def limit_in_words(limit: Any) -> str:
    """Return `50 to 100,000` for anything with `min` and `max`; None is no limit."""
    low, high = (None, None) if limit is None else (limit.min, limit.max)
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}"
    if low is not None:
        return f"{low:,g} or more"
    return "no limit" if high is None else f"{high:,g} or less"


def range_in_words(limit: Any) -> str:
    """Return `50 to 100,000`, `>= 50` or `<= 0.3` for anything with `min` and `max`."""
    low, high = limit.min, limit.max
    if low is not None and high is not None:
        return f"{low:g} to {high:,g}"
    return f">= {low:g}" if low is not None else f"<= {high:g}" if high is not None else "anything"


def faults_of(load: Callable[[], object]) -> list[str]:
    """Return the fault for which something of a recipe cannot be loaded, as a list; an empty one where it can."""
    try:
        load()
    except MassiveTextError as error:
        return [str(error)]
    return []


class NamedSignals(Stage):
    """A stage whose block maps names of the user's to settings with `min` and `max`: each is a column of the ledger."""

    judges = True
    is_subset_block = False

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        return with_measures(batch, self.measure, skip_empty=True)

    def _limits(self) -> dict[str, Limit]:
        return {name: Limit(one.min, one.max) for name, one in self.settings.items()}

    def judged_columns(self) -> list[str]:
        return list(self.settings)

    def verdict(self, columns: pa.RecordBatch) -> dict[str, np.ndarray]:
        return violations(columns, self._limits())

    @classmethod
    def columns(cls, options: Mapping[str, Any]) -> list[pa.Field]:
        return [pa.field(name, pa.float64()) for name in options.get(cls.name, {})]

    def limit_in_words(self, signal: str) -> str:
        return limit_in_words(self._limits().get(signal))

    def limited_signals(self) -> dict[str, Limit]:
        return self._limits()

    @classmethod
    def is_limit(cls, names: list[str]) -> bool:
        return names[1:] in (["min"], ["max"])


def columns_of(batch: pa.RecordBatch) -> dict[str, pa.Array]:
    """Return the columns of a batch by name."""
    return dict(zip(batch.schema.names, batch.columns))
