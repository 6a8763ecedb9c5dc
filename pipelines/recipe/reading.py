"""Reading a recipe: `extends`, `${NAME}`, `--set`, paths, and every fault with its place before anything is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, get_origin

import yaml
from pydantic import ValidationError

from massivetext import storage
from massivetext.errors import RecipeError
from massivetext.yaml_text import FastLoader
from pipelines.recipe.faults import describe, model_of
from pipelines.recipe.model import Recipe, Subset
from pipelines.stages.stage import FunctionMark, path_mark

__all__ = ["PACKAGED", "origins", "read", "with_settings"]

PACKAGED = tuple(
    sorted(
        entry.name.removesuffix(".yaml") for entry in resources.files("pipelines").joinpath("recipe/packaged").iterdir()
    )
)
"""Recipes that ship with the package."""


def read(path: str | os.PathLike[str], settings: Iterable[str] = ()) -> Recipe:
    """The recipe of a file, or the packaged one of that name, with `key.sub=value` settings laid over it.

    Paths in a file are relative to the file's folder. A run's DIR/recipe.yaml is a recipe too. Raises RecipeError with
    every fault found.
    """
    path = os.fspath(path)
    texts: list[tuple[str, str]] = []
    return _resolved(_load(path, (), texts), settings, path, texts)


def origins(path: str) -> tuple[list[str], list[str]]:
    """Return the files and the packaged recipes that a recipe is made of, and the variables that are put into it."""
    texts: list[tuple[str, str]] = []
    _load(path, (), texts)
    names = {name for _, text in texts for name in _VARIABLE.findall(text)}
    return [file for file, _ in texts], sorted(names)


def with_settings(recipe: Recipe, settings: Iterable[str], path: str) -> Recipe:
    """A recipe that has been read, with `key.sub=value` settings laid over it. `path`: what its faults are named by."""
    return _resolved(recipe.resolved(), settings, path)


def _resolved(
    data: dict[str, Any], settings: Iterable[str], path: str, texts: Sequence[tuple[str, str]] = ()
) -> Recipe:
    """Return the recipe of some data. texts: names and YAML of the files that it comes from, to name lines by."""
    settings = list(settings)
    for setting in settings:
        _set(data, setting)
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        faults = "\n".join(describe(error, data, texts, settings))
        raise RecipeError(f"{path}: this recipe cannot be run\n{faults}") from None


_VARIABLE = re.compile(r"\$\{(\w+)\}")

_MAX_VALUES, _MAX_LEVELS = 1_000_000, 50


class _Strict(yaml.constructor.SafeConstructor):
    """YAML without code, without repeated keys, and with 1e9 and 1_000_000 as the numbers that they look like."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} stands twice", key_node.start_mark)
            seen.add(key if isinstance(key, str) else str(key))
        return super().construct_mapping(node, deep=deep)


class _Loader(_Strict, yaml.SafeLoader):
    pass


class _FastLoader(_Strict, FastLoader):  # type: ignore[misc]
    pass


for _loader in (_Loader, _FastLoader):
    _loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    # As YAML 1.2 has it: `no` is a language.
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
    )
    _loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
    )


def _parse(text: str, place: str, loader: Any = _Loader) -> Any:
    """The value of a text of YAML. A SafeLoader: no object of ours or Python's is ever built."""
    try:
        return yaml.load(text, loader)
    except RecursionError as error:
        raise RecipeError(f"{place}: nested too deeply for a recipe") from error
    # Its constructors pass on what a date of month 99, a number of 5,000 digits or a mapping as a key raise.
    except (yaml.YAMLError, ValueError, TypeError, OverflowError, AttributeError, LookupError) as error:
        raise RecipeError(f"{place}: not YAML: {error}") from error


def _load(path: str, seen: tuple[str, ...], texts: list[tuple[str, str]]) -> dict[str, Any]:
    """The file's data with what it extends laid under it, and its paths made absolute. The name and the YAML of each
    file are added to `texts`."""
    if path in seen:
        raise RecipeError(f"{path}: `extends` goes round in a circle: {' -> '.join([*seen, path])}")
    if path in PACKAGED and not os.path.exists(path):
        text, folder = resources.files("pipelines").joinpath(f"recipe/packaged/{path}.yaml").read_text("utf-8"), None
    else:
        if not storage.exists(path) or os.path.isdir(path):
            raise RecipeError(f"{path}: no such recipe file; packaged recipes are {', '.join(PACKAGED)}")
        try:
            text = storage.read_bytes(path).decode("utf-8")
        except UnicodeDecodeError as error:
            raise RecipeError(f"{path}: a recipe is UTF-8 text: {error}") from error
        folder = path.rpartition("/")[0] if storage.is_remote(path) else os.path.dirname(os.path.abspath(path))
    data = _parse(text, path, _FastLoader if folder is None else _Loader)
    texts.append((path, text))
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
    if folder is not None and base not in PACKAGED and not os.path.isabs(base) and "://" not in base:
        base = storage.join(folder, base)
    return _merge(_load(base, (*seen, path), texts), data)


def _merge(base: Any, over: Any) -> Any:
    """Mappings merged key by key, everything else replaced. Weights and kept languages are replaced whole, and so are
    `limits` by an empty mapping, which takes them all away."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    merged = dict(base)
    for key, value in over.items():
        whole = key in ("weights", "keep") or (key == "limits" and not value)
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

    return _VARIABLE.sub(known, value)


def _absolute(data: Any, folder: str | None, model: Any = Recipe) -> None:
    """Make paths absolute in place, relative to the recipe's folder. The types of blocks say which keys are paths."""
    if folder is None or not isinstance(data, Mapping):
        return
    for key, value in data.items():
        if key == "subsets" and isinstance(value, Mapping):
            for subset in value.values():
                _absolute(subset, folder, Subset)
            continue
        field = model.model_fields.get(key)
        if field is None:
            continue
        mark = path_mark(field)
        inner = model_of(field.annotation)
        if inner is not None:
            blocks: Any = value if isinstance(value, list) else [value]
            if isinstance(value, Mapping) and get_origin(field.annotation) is dict:
                blocks = list(value.values())
            for block in blocks:
                _absolute(block, folder, inner)
        elif mark is not None and isinstance(data, dict):
            data[key] = (
                [_joined(folder, one, mark) for one in value]
                if isinstance(value, list)
                else _joined(folder, value, mark)
            )


def _joined(folder: str, value: Any, mark: Any) -> Any:
    if not isinstance(value, str) or "://" in value or os.path.isabs(value):
        return value
    if isinstance(mark, FunctionMark) and not value.rpartition(":")[0].endswith(".py"):
        return value
    if value.lower() in ("true", "false", "yes", "no", "on", "off"):
        return value
    return storage.join(folder, value)


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
