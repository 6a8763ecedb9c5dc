"""The recipe: one YAML file that says what is curated, by which limits, and what the mixture is.

Reading resolves `extends`, `--set` and `${NAME}` placeholders and checks every key before anything is written. What is
wrong is reported with its place in the file, its value and what was expected.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from importlib import resources
from typing import Annotated, Any, Literal

import numpy as np
import pyarrow as pa
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from filters import c4, fineweb, quality, repetition
from filters.limits import Limit
from massivetext import isolation, storage
from massivetext.dedup.index import index_manifest
from massivetext.errors import RecipeError
from massivetext.extraction import ENGINES
from massivetext.readers import FORMATS
from pipelines.ledger import TAKEN

__all__ = ["PACKAGED", "STAGES", "Recipe", "Subset", "TestSet", "read", "with_settings"]

PACKAGED = ("gopher", "chinchilla", "fineweb")
"""Recipes that ship with the package."""

RULE_FAMILIES = {
    "quality": quality.Limits,
    "repetition": repetition.Limits,
    "c4": c4.Limits,
    "fineweb": fineweb.Limits,
}
"""Stages whose block in a recipe is `signal: {min, max}`, and the limits that name their signals."""

STAGES = (
    "licence",
    "language",
    "safe_search",
    "extraction",
    "quality",
    "repetition",
    "c4",
    "fineweb",
    "pii",
    "rules",
    "deduplication",
    "contamination",
)
"""Every stage, in the order of verdicts: the first that removes a document is the ledger's `reason`."""

Share = Annotated[float, Field(ge=0, le=1)]


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LimitBlock(_Block):
    """`min` and `max` of one signal, both inclusive."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _possible(self) -> LimitBlock:
        for value in (self.min, self.max):
            if value is not None and math.isnan(value):
                raise ValueError("a limit must be a number, not NaN")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"impossible limit: min {self.min:g} is greater than max {self.max:g}")
        return self

    def limit(self) -> Limit:
        return Limit(self.min, self.max)


Limits = dict[str, LimitBlock | None]


class Source(_Block):
    """Files of one format. `path` is a file, a folder or a pattern, local or a URL; `name` goes before each file's
    source name where two patterns of a subset hold files of equal names."""

    format: str
    path: str
    name: str = ""
    fields: dict[str, str] = {}

    @field_validator("format")
    @classmethod
    def _known(cls, value: str) -> str:
        if ":" in value:
            load_function(value)
        elif value not in FORMATS:
            raise ValueError(f"unknown format; expected one of {', '.join(FORMATS)}, or package.module:function")
        return value


class Extraction(_Block):
    """`engine`: salient, trafilatura, or `package.module:function` of one's own; `fast`: trafilatura's fast mode."""

    engine: str = "salient"
    fast: bool = False

    @field_validator("engine")
    @classmethod
    def _known(cls, value: str) -> str:
        if ":" in value:
            load_function(value)
        elif value not in ENGINES:
            raise ValueError(f"unknown engine; expected one of {', '.join(ENGINES)}, or package.module:function")
        return value


class Language(_Block):
    keep: dict[str, Share]
    model: str | None = None


class SafeSearch(_Block):
    """`terms` is a file of `weight<TAB>term` lines, `model` a classifier's file; true for the packaged one, false for
    none."""

    safe_search_score: LimitBlock | None = None
    block_lists: list[str] = []
    terms: bool | str = True
    model: bool | str = True


class Deduplication(_Block):
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.8
    recall: Annotated[float, Field(gt=0, lt=1)] = 0.99
    keep: Literal["random", "longest", "newest", "first"] = "random"
    across: list[str] = []
    against: list[str] = []
    newest_capture: bool = False
    only_against: bool = False

    @model_validator(mode="after")
    def _possible(self) -> Deduplication:
        if self.only_against and not self.against:
            raise ValueError("only_against is set, but against names no index to compare with")
        return self


class Contamination(_Block):
    """`remove: span` cuts the matches out and keeps the pieces; `max_documents` leaves shingles out of containment that
    stand in more training documents; `limits` are values of further signals from which a document is removed."""

    contamination: Literal["jaccard", "containment", "both"] = "both"
    jaccard: Share = 0.8
    containment: Share = 0.8
    remove: Literal["document", "span", "mark"] = "document"
    max_documents: Annotated[int, Field(ge=1)] | None = None
    limits: dict[Literal["contamination_alignment", "contamination_passage", "test_items_hit"], Share] = {}


class TestSet(_Block):
    """Plain files of test items: `text` is a template over a JSON record's fields; `unit` how a text file divides;
    `titles` removes Wikipedia's pages of these titles: true for the headings of the set's own files, or a list."""

    name: str
    path: str
    text: str | None = None
    unit: Literal["record", "line", "file"] | None = None
    preset: str | None = None
    titles: bool | str = False


class Rule(_Block):
    """A rule of the user's own: an importable function of an Arrow text column that returns a column, and a limit."""

    function: str
    min: float | None = None
    max: float | None = None

    @field_validator("function")
    @classmethod
    def _importable(cls, value: str) -> str:
        load_function(value)
        return value


class Pii(_Block):
    """What is replaced in the text that is kept; nothing is removed for it."""

    emails: bool = True
    ip_addresses: bool = True


class Mixture(_Block):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)] = "main"
    weights: dict[str, Share]
    tokens: Annotated[int, Field(ge=1)] | Literal["max"] = "max"
    max_epochs: Annotated[float, Field(gt=0)] = 4
    shard_bytes: Annotated[int, Field(ge=1 << 12)] = 64 << 20

    @field_validator("weights")
    @classmethod
    def _sum_to_one(cls, value: dict[str, float]) -> dict[str, float]:
        total = math.fsum(value.values())
        if abs(total - 1) > 1e-6:
            raise ValueError(f"weights must sum to 1, these sum to {total:g}")
        return value


class Isolation(_Block):
    """What one step may take for one document: CPU seconds, and a second more a million bytes of it; bytes that the
    process grows by, and 64 more a byte of it."""

    seconds: Annotated[float, Field(gt=0)] = isolation.SECONDS
    memory: Annotated[int, Field(ge=1 << 20)] = isolation.MEMORY


class Subset(_Block):
    """One subset: where it comes from and which stages it goes through. A block here overrides the recipe's."""

    sources: list[Source] = []
    stages: list[str] = []
    extraction: Extraction | None = None
    language: Language | None = None
    safe_search: SafeSearch | None = None
    quality: Limits | None = None
    repetition: Limits | None = None
    c4: Limits | None = None
    fineweb: Limits | None = None
    pii: Pii | None = None
    licence: list[str] | None = None
    deduplication: Deduplication | None = None
    contamination: Contamination | None = None

    @field_validator("stages")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for stage in value:
            if stage not in STAGES:
                raise ValueError(f"unknown stage {stage!r}; expected some of {', '.join(STAGES)}")
        if len(set(value)) != len(value):
            raise ValueError("a stage is listed twice")
        return value


class Recipe(_Block):
    """A whole recipe, resolved. See docs/recipe.md; `gopher` is the paper."""

    seed: Annotated[int, Field(ge=0, lt=2**64)] = 0
    subsets: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Subset]
    extraction: Extraction = Extraction()
    language: Language
    safe_search: SafeSearch
    quality: Limits
    repetition: Limits
    count_duplicates: Literal["all", "repeats"] = "all"
    c4: Limits = {}
    fineweb: Limits = {}
    pii: Pii = Pii()
    rules: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Rule] = {}
    licence: list[str] = []
    deduplication: Deduplication = Deduplication()
    contamination: Contamination = Contamination()
    testsets: list[TestSet] = []
    tokenizer: str | None = None
    rejected: Literal["all", "none"] | Share = "all"
    max_failed: Share = 0.001
    isolation: Isolation | None = None
    mixture: Mixture

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        for name, subset in self.subsets.items():
            if subset.sources and not subset.stages:
                raise ValueError(f"subsets.{name}.stages: has sources but no stages; list at least one")
        for block, owner in ((self, ""), *((subset, f"subsets.{name}.") for name, subset in self.subsets.items())):
            for family, limits in RULE_FAMILIES.items():
                known = {field.name for field in fields(limits)}
                for signal in getattr(block, family) or {}:
                    if signal not in known:
                        raise ValueError(f"{owner}{family}.{signal}: unknown signal; expected some of {sorted(known)}")
        signals = {field.name for limits in RULE_FAMILIES.values() for field in fields(limits)}
        for name in self.rules:
            if name in TAKEN | signals:
                raise ValueError(f"rules.{name}: a column of ledgers or documents has this name; give the rule another")
        for name in self.mixture.weights:
            if name not in self.subsets:
                raise ValueError(f"mixture.weights.{name}: no such subset; the recipe has {sorted(self.subsets)}")
        names = [testset.name for testset in self.testsets]
        if len(set(names)) != len(names):
            raise ValueError(f"testsets: names must differ, these do not: {names}")
        return self

    @property
    def filled(self) -> dict[str, Subset]:
        """The subsets that have sources, in the order of their names."""
        return {name: subset for name, subset in sorted(self.subsets.items()) if subset.sources}

    def block(self, subset: str, stage: str) -> Any:
        """The block of a stage as it holds for a subset: the subset's own over the recipe's, limit by limit."""
        own, common = getattr(self.subsets[subset], stage, None), getattr(self, stage)
        if own is None:
            return common
        if isinstance(own, dict):
            return {**common, **own}
        if isinstance(own, list):
            return own
        return common.model_copy(update=own.model_dump(exclude_unset=True))

    def limits(self, subset: str, stage: str) -> dict[str, Limit]:
        """The limits of a rule family for a subset, in the family's order; a rule set to null has none."""
        block: Limits = self.block(subset, stage)
        order = [field.name for field in fields(RULE_FAMILIES[stage])]
        found = {name: block.get(name) for name in order}
        return {name: limit.limit() for name, limit in found.items() if limit is not None}

    def goes_through(self, subset: str, stage: str) -> bool:
        return stage in self.subsets[subset].stages

    # What `massivetext.looking.RecipeView` asks beyond this, answered by the modules that know single stages.

    @property
    def stage_names(self) -> tuple[str, ...]:
        return STAGES

    @property
    def rule_families(self) -> tuple[str, ...]:
        return tuple(RULE_FAMILIES)

    @property
    def judging_stages(self) -> tuple[str, ...]:
        from pipelines.judgement import JUDGED

        return JUDGED

    @property
    def later_stages(self) -> tuple[str, ...]:
        return ("deduplication", "contamination")

    def signals(self, stage: str) -> list[str]:
        if stage in RULE_FAMILIES:
            return [field.name for field in fields(RULE_FAMILIES[stage])]
        return list(self.rules) if stage == "rules" else []

    def judged_columns(self, subset: str) -> list[str]:
        from pipelines.judgement import judged_columns

        return judged_columns(self, subset)

    def broken_rules(self, columns: pa.RecordBatch, subset: str) -> dict[str, np.ndarray]:
        from pipelines.judgement import broken_rules

        return broken_rules(columns, self, subset)

    def deciding_reasons(self, columns: pa.RecordBatch, subset: str) -> pa.DictionaryArray:
        from pipelines.judgement import first_broken

        return first_broken(self.broken_rules(columns, subset), columns.num_rows)

    def limit_in_words(self, subset: str, reason: str) -> str:
        from pipelines.signals import limit_of

        return limit_of(self, subset, reason)

    def value_of(self, row: Mapping[str, Any], reason: str) -> Any:
        from pipelines.signals import value_of

        return value_of(row, reason)

    def settings_in_words(self, subset: str, stage: str) -> list[tuple[str, str]]:
        from pipelines.signals import settings_of

        return list(settings_of(self, subset, stage))

    def answerable_changes(self, other: Recipe) -> list[str]:
        from pipelines.changes import answerable

        return answerable(self, other)

    def resolved(self) -> dict[str, Any]:
        """The recipe as plain data, as it is written to DIR."""
        return self.model_dump(mode="json", exclude_none=True)

    def canonical(self) -> dict[str, Any]:
        """What shapes the output: sources sorted, paths without mount point or bucket, files of rules by content."""
        data = self.resolved()
        data["subsets"] = {name: data["subsets"][name] for name in self.filled}
        for subset in data["subsets"].values():
            subset["stages"] = [stage for stage in STAGES if stage in subset["stages"]]
            for source in subset["sources"]:
                source["path"] = source["path"][len(storage.fixed_prefix(source["path"])) :]
            subset["sources"].sort(key=lambda source: json.dumps(source, sort_keys=True))
        for testset in data["testsets"]:
            testset["path"] = [content_digest(path) for path in storage.find(testset["path"])]
            if isinstance(testset.get("titles"), str):
                testset["titles"] = [content_digest(path) for path in storage.find(testset["titles"])]
        if data.get("tokenizer"):
            data["tokenizer"] = content_digest(data["tokenizer"])
        for block in (data, *data["subsets"].values()):
            duplicates = block.get("deduplication") or {}
            if duplicates.get("against"):
                duplicates["against"] = [content_digest(index_manifest(path)) for path in duplicates["against"]]
            safe = block.get("safe_search") or {}
            for name in ("terms", "model"):
                if isinstance(safe.get(name), str):
                    safe[name] = content_digest(safe[name])
            if safe.get("block_lists"):
                safe["block_lists"] = [
                    content_digest(file) for path in safe["block_lists"] for file in storage.find(path)
                ]
            if (block.get("language") or {}).get("model"):
                block["language"]["model"] = content_digest(block["language"]["model"])
        return data

    def digest(self) -> str:
        """BLAKE2b-128 (hex) of the canonical form as JSON with sorted keys."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def content_digest(path: str) -> str:
    """BLAKE2b-128 (hex) of a file's bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with storage.open_input(path) as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_function(path: str) -> Any:
    """The function that `package.module:function` names. Raises ValueError if there is none."""
    module, _, name = path.partition(":")
    if not module or not name:
        raise ValueError(f"{path!r} is not of the form package.module:function")
    try:
        function = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path!r} cannot be imported: {error}") from error
    if not callable(function):
        raise ValueError(f"{path!r} is not a function")
    return function


def read(path: str, settings: Iterable[str] = ()) -> Recipe:
    """The recipe of a file, or the packaged one of that name, with `key.sub=value` settings laid over it.

    Paths in a file are relative to the file's folder. A run's DIR/recipe.yaml is a recipe too. Raises RecipeError with
    every fault found.
    """
    return _resolved(_load(path, ()), settings, path)


def with_settings(recipe: Recipe, settings: Iterable[str], path: str) -> Recipe:
    """A recipe that has been read, with `key.sub=value` settings laid over it. `path`: what its faults are named by."""
    return _resolved(recipe.resolved(), settings, path)


def _resolved(data: dict[str, Any], settings: Iterable[str], path: str) -> Recipe:
    for setting in settings:
        _set(data, setting)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(f"{path}: this recipe cannot be run\n" + "\n".join(_describe(error))) from None


def _describe(error: ValidationError) -> Iterable[str]:
    for fault in error.errors():
        place = ".".join(
            str(key) for key in fault["loc"] if not str(key).startswith(("function-", "dict[", "literal["))
        )
        message = fault["msg"].removeprefix("Value error, ")
        if fault["type"] == "extra_forbidden":
            message = "unknown key"
        value = repr(fault["input"])
        value = f" (value: {value if len(value) <= 80 else value[:77] + '...'})" if place else ""
        yield f"  {place or 'recipe'}: {message}{value}"


_MAX_VALUES, _MAX_LEVELS = 1_000_000, 50


class _Loader(yaml.SafeLoader):
    """YAML without code, without repeated keys, and with 1e9 and 1_000_000 as the numbers that they look like."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key if isinstance(key, str) else str(key))
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _parse(text: str, place: str) -> Any:
    """The value of a text of YAML. A SafeLoader: no object of ours or Python's is ever built."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError as error:
        raise RecipeError(f"{place}: nested too deeply for a recipe") from error
    # Its constructors pass on what a date of month 99, a number of 5,000 digits or a mapping as a key raise.
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError, LookupError) as error:
        raise RecipeError(f"{place}: not YAML: {error}") from error


def _load(path: str, seen: tuple[str, ...]) -> dict[str, Any]:
    """The file's data with what it extends laid under it, and its paths made absolute."""
    if path in seen:
        raise RecipeError(f"{path}: `extends` goes round in a circle: {' -> '.join([*seen, path])}")
    if path in PACKAGED and not os.path.exists(path):
        text, folder = resources.files("pipelines").joinpath(f"recipes/{path}.yaml").read_text("utf-8"), None
    else:
        if not storage.exists(path) or os.path.isdir(path):
            raise RecipeError(f"{path}: no such recipe file; packaged recipes are {', '.join(PACKAGED)}")
        try:
            text = storage.read_bytes(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise RecipeError(f"{path}: a recipe is UTF-8 text: {error}") from error
        folder = path.rpartition("/")[0] if storage.is_remote(path) else os.path.dirname(os.path.abspath(path))
    data = _parse(text, path)
    if not isinstance(data, dict):
        raise RecipeError(f"{path}: expected a mapping with keys such as `subsets`, found {type(data).__name__}")
    if {"digest", "canonical", "recipe"} <= set(data) and isinstance(data["recipe"], dict):
        data = {"extends": None, **data["recipe"]}  # what a run has written: resolved, and extending nothing
    _check_size(data, path)
    data = _fill(data, path)
    _absolute(data, folder)
    base = data.pop("extends", None if path in PACKAGED else "gopher")
    if base is None:
        return data
    if not isinstance(base, str):
        raise RecipeError(f"{path}: extends: expected a recipe's name or file, found {base!r}")
    if folder is not None and base not in PACKAGED and not os.path.isabs(base) and not storage.is_remote(base):
        base = storage.join(folder, base)
    return _merge(_load(base, (*seen, path)), data)


def _merge(base: Any, over: Any) -> Any:
    """Mappings merged key by key, everything else replaced. Weights and kept languages are replaced whole."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    merged = dict(base)
    for key, value in over.items():
        whole = key in ("weights", "keep")
        merged[key] = value if whole or key not in base else _merge(base[key], value)
    return merged


def _check_size(data: Any, path: str) -> None:
    """Refuse what a few lines of YAML make endless: an alias inside its own anchor, aliases of aliases of aliases."""
    left = _MAX_VALUES
    pending = [(data, 0)]
    while pending:
        value, depth = pending.pop()
        left -= 1
        if left < 0 or depth > _MAX_LEVELS:
            raise RecipeError(
                f"{path}: more than {_MAX_VALUES:,} values or {_MAX_LEVELS} levels, with every alias (*name) written "
                "out; list files by a pattern, and take aliases out that hold themselves"
            )
        below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        pending += [(item, depth + 1) for item in below]


def _fill(value: Any, path: str) -> Any:
    """`${NAME}` replaced by the environment's value in every string."""
    if isinstance(value, dict):
        return {key: _fill(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_fill(item, path) for item in value]
    if not isinstance(value, str):
        return value

    def known(match: re.Match[str]) -> str:
        found = os.environ.get(match[1])
        if found is None:
            raise RecipeError(f"{path}: {match[0]} in {value!r}: set the environment variable {match[1]}")
        return found

    return re.sub(r"\$\{(\w+)\}", known, value)


_PATHS = ("path", "titles", "tokenizer", "model", "terms", "block_lists", "against")


def _absolute(data: Any, folder: str | None) -> None:
    """Paths made absolute in place, relative to the recipe's folder."""

    def absolute(value: Any) -> Any:
        if isinstance(value, list):
            return [absolute(item) for item in value]
        if not isinstance(value, str) or folder is None or storage.is_remote(value) or os.path.isabs(value):
            return value
        return storage.join(folder, value)

    items: Iterable[Any] = data.values() if isinstance(data, Mapping) else data if isinstance(data, list) else ()
    if isinstance(data, dict):
        for key in _PATHS:
            if key in data and isinstance(data[key], (str, list)):
                data[key] = absolute(data[key])
    for item in items:
        _absolute(item, folder)


def _set(data: dict[str, Any], setting: str) -> None:
    """Lay `quality.word_count.min=30` over the data. The value is read as YAML."""
    key, equals, value = setting.partition("=")
    if not equals or not key:
        raise RecipeError(f"--set {setting}: expected key=value, such as quality.word_count.min=30")
    *path, last = key.split(".")
    place = data
    for step in path:
        if place.get(step) is None:
            place[step] = {}
        place = place[step]
        if not isinstance(place, dict):
            raise RecipeError(f"--set {setting}: {step} is not a block with keys")
    place[last] = _parse(value, f"--set {setting}")
    _check_size(place[last], f"--set {setting}")
