"""Pages made from the code: the recipe's keys from its models, the commands from their help, functions by docstring."""

from __future__ import annotations

import os
import types
import typing
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources
from typing import Any

import annotated_types
import click
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from massivetext.cli import commands
from massivetext.documents import DOCUMENT_SCHEMA
from pipelines.recipe import PACKAGED, Recipe, Source, Subset, ledger_schema
from pipelines.stages import STAGES, rule_families

__all__ = ["meanings", "pages", "tables"]

API = {
    "Measures": [
        "filters.quality.measure",
        "filters.repetition.measure",
        "filters.language.measure",
        "filters.safe_search.measure",
    ],
    "Extraction": ["massivetext.extraction.extract"],
    "Duplicates": [
        "massivetext.dedup.shingles",
        "massivetext.dedup.signatures",
        "massivetext.dedup.near_duplicates",
        "massivetext.dedup.groups",
        "massivetext.dedup.plan",
        "massivetext.dedup.Banding",
    ],
    "Test sets": ["massivetext.contamination.TestSets", "massivetext.contamination.verdict"],
    "Training": ["massivetext.loader.load", "massivetext.loader.Loader", "massivetext.packing.sequences"],
    "Documents": ["massivetext.documents"],
    "Errors": ["massivetext.errors"],
}


def pages() -> dict[str, str]:
    """Markdown of each page, by its path in the site."""
    return {"recipe.md": recipe_page(), "commands.md": commands_page(), "api.md": api_page()}


def tables() -> dict[str, str]:
    """Tables of columns, by name: of documents, and of the ledger of a recipe with every stage."""
    recipe = Recipe.model_validate(yaml.safe_load(_packaged("gopher")))
    subset = Subset(sources=[Source(format="lines", path="x")], stages=list(STAGES))
    recipe = recipe.model_copy(update={"subsets": {"books": subset}})
    schemas = {"documents": DOCUMENT_SCHEMA, "ledger": ledger_schema(recipe)}
    return {
        name: "\n".join(
            ["| column | type | null |", "|---|---|---|"]
            + [f"| `{field.name}` | {field.type} | {'yes' if field.nullable else 'never'} |" for field in schema]
        )
        for name, schema in schemas.items()
    }


def recipe_page() -> str:
    """Every key of a recipe with its type, its default and what the model says of it, and the packaged recipes."""
    lines = [
        "# Recipe",
        "",
        "Made from the models in `pipelines/recipe/model.py` and `pipelines/stages/`.",
        "A recipe without `extends` extends `gopher`; a key that is",
        "not listed here is refused. `--set key.sub=value` lays one value over the file's.",
        "",
        f"Stages, in the order of verdicts: {', '.join(f'`{stage}`' for stage in STAGES)}.",
    ]
    gopher = yaml.safe_load(_packaged("gopher"))
    done: set[type[BaseModel]] = set()
    queue: list[tuple[str, type[BaseModel]]] = [("recipe", Recipe)]
    while queue:
        name, model = queue.pop(0)
        if model in done:
            continue
        done.add(model)
        lines += ["", f"## {name}: {model.__name__}", *_doc(model), ""]
        lines += ["| key | meaning | type | default | example |", "|---|---|---|---|---|"]
        for key, field in model.model_fields.items():
            default = "as in `gopher`, below" if model is Recipe and key in gopher else _default(field)
            *meaning, example = meaning_of(model, key)
            shown = yaml.safe_dump(example, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
            shown = shown.removesuffix("\n").removesuffix("...").strip().replace("|", "\\|")
            said = ", ".join(meaning).replace("|", "\\|")
            lines.append(f"| `{key}` | {said} | {_type(field)} | {default} | `{shown}` |")
            queue += [(key, inner) for inner in _models(field.annotation) if inner not in done]
    for packaged in PACKAGED:
        lines += ["", f"## The packaged recipe `{packaged}`", "", "```yaml", _packaged(packaged).rstrip(), "```"]
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1)
def meanings() -> dict[str, dict[str, list[Any]]]:
    """By model and key: what it means, in one or more strings, and last an example of its value."""
    path = os.path.join(os.path.dirname(__file__), "recipe_keys.yaml")
    with open(path, encoding="utf-8") as stream:
        found: dict[str, dict[str, list[Any]]] = yaml.safe_load(stream)
    return found


def meaning_of(model: type[BaseModel], key: str) -> list[Any]:
    """What a key means, and last an example. The signals of a rule family have one meaning, that of a limit."""
    known = meanings().get(model.__name__, {})
    if key not in known and any(
        family.block is model and key in family.signals() for family in rule_families().values()
    ):
        return ["limits of this signal, as docs/rules.md defines it; null takes them off", {"max": 0.5}]
    return known[key]


def _packaged(name: str) -> str:
    return resources.files("pipelines").joinpath(f"recipe/packaged/{name}.yaml").read_text("utf-8")


def commands_page() -> str:
    """`--help` of every command."""
    lines = ["# Commands", "", "What `massivetext COMMAND --help` prints."]
    context = click.Context(commands, info_name="massivetext", max_content_width=100)
    for name, command in _commands(commands, context):
        inner = click.Context(command, info_name=name, max_content_width=100, terminal_width=100)
        lines += ["", f"## {name}", "", "```text", command.get_help(inner).rstrip(), "```"]
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Directives for the docstrings of what a program imports."""
    lines = ["# Python", "", "Signatures and docstrings, read from the sources."]
    for title, names in API.items():
        lines += ["", f"# {title}", ""]
        for name in names:
            lines += [f"::: {name}", ""]
    return "\n".join(lines) + "\n"


def _commands(group: click.Group, context: click.Context, prefix: str = "massivetext") -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{prefix} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(command, context, f"{prefix} {name}")


def _doc(model: type[BaseModel]) -> list[str]:
    own = model.__dict__.get("__doc__")
    return ["", " ".join(own.split())] if own else []


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in typing.get_args(annotation):
        yield from _models(inner)


def _type(field: FieldInfo) -> str:
    return _plain(field.annotation) + _bounds(field.metadata)


def _plain(annotation: Any) -> str:
    """A type as a writer of YAML thinks of it."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _plain(inner[0]) + _bounds(inner[1:])
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in inner)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_plain(one) for one in inner if one is not type(None))
    if origin is list:
        return f"list of {_plain(inner[0])}"
    if origin is dict:
        return f"mapping of names to {_plain(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"block {annotation.__name__}"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(annotation, str(annotation))


def _bounds(metadata: Any) -> str:
    found = []
    for one in metadata:
        if isinstance(one, FieldInfo):
            return _bounds(one.metadata)
        for kind, sign in (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<")):
            if isinstance(one, getattr(annotated_types, kind.capitalize())):
                found.append(f"{sign} {_number(getattr(one, kind))}")
        if getattr(one, "pattern", None):
            found.append(f"like `{one.pattern}`")
    return f" ({', '.join(found)})" if found else ""


def _number(value: float) -> str:
    return "2^64" if value == 2**64 else f"{value:g}"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else None
    if isinstance(value, BaseModel):
        return "its own defaults"
    if value is None:
        return "none"
    return f"`{yaml.safe_dump(value, default_flow_style=True).removesuffix(chr(10)).removesuffix('...').strip()}`"
