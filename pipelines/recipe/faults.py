"""Faults of a recipe in plain words: the line, the key, what was expected, the value, and what may have been meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from pipelines.recipe.model import Recipe, Subset

__all__ = ["describe", "line_of", "model_of"]

_MOST = 80
"""Characters of a value that are shown."""

_KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "string": "a text",
    "list": "a list",
    "tuple": "a list",
    "set": "a list",
    "dict": "a block with keys",
    "model": "a block with keys",
    "dataclass": "a block with keys",
}
"""What a value should have been, by the beginning of the validator's name of the fault."""

_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def describe(
    error: ValidationError, data: Mapping[str, Any], texts: Sequence[tuple[str, str]], settings: Sequence[str] = ()
) -> Iterator[str]:
    """Yield a line for each value of a recipe that is wrong.

    Args:
        error: What the validation of the recipe raised.
        data: The recipe's data, with all that it extends and every setting laid in.
        texts: Names and YAML of the files that the data comes from: the recipe, then what it extends.
        settings: `key.sub=value` that are laid over them.
    """
    set_keys = [tuple(setting.partition("=")[0].split(".")) for setting in settings]
    faults: dict[tuple[str, ...], list[Any]] = {}
    for fault in error.errors():
        faults.setdefault(_keys(fault, data), []).append(fault)
    for keys, alternatives in faults.items():
        value = repr(alternatives[0]["input"])
        value = value if len(value) <= _MOST else value[: _MOST - 3] + "..."
        is_missing = alternatives[0]["type"] == "missing"
        suffix = f" (value: {value})" if keys and not is_missing else ""
        place = ".".join(keys) or "recipe"
        is_set = any(keys[: len(names)] == names for names in set_keys)
        at = "--set " if is_set else _where(keys[:-1] if is_missing else keys, texts)
        yield f"  {at}{place}: {_in_words(keys, alternatives)}{suffix}"


def _keys(fault: Any, data: Any) -> tuple[str, ...]:
    """Return the keys of a fault's place. The validator's names of a type's alternatives are among them and left out:
    they are no keys of the data."""
    keys = []
    for key in fault["loc"]:
        is_item = isinstance(data, (list, tuple)) and isinstance(key, int) and key < len(data)
        if is_item or (isinstance(data, Mapping) and key in data):
            data = data[key]
        elif not (fault["type"] == "missing" and key == fault["loc"][-1]):
            continue
        keys.append(str(key))
    return tuple(keys)


def _in_words(keys: Sequence[str], faults: Sequence[Any]) -> str:
    """Return what is wrong with one value: one fault, or what each type that is possible there has against it."""
    kind = faults[0]["type"]
    if kind == "extra_forbidden":
        return "unknown key" + _did_you_mean(keys)
    if kind == "missing":
        return "is missing; it has no default"
    expected: list[str] = []
    for fault in faults:
        words = _expected(fault)
        if words is None:
            return str(fault["msg"]).removeprefix("Value error, ")
        expected.append(words)
    choices = [
        choice.strip("'") for fault in faults for choice in str(fault.get("ctx", {}).get("expected", "")).split("'")
    ]
    value = faults[0]["input"]
    close = difflib.get_close_matches(value, choices, 1) if isinstance(value, str) else []
    return f"expected {' or '.join(dict.fromkeys(expected))}" + (f"; did you mean {close[0]!r}?" if close else "")


def _expected(fault: Any) -> str | None:
    """Return what a fault's value should have been, or None where the message itself says it best."""
    kind, context = fault["type"], fault.get("ctx", {})
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{words} {context[key]:,g}" if isinstance(context[key], (int, float)) else f"{words} {context[key]}"
    if kind == "literal_error":
        return str(context["expected"])
    if kind == "too_short":
        return f"at least {context['min_length']} of them"
    if kind.endswith(("_type", "_parsing", "_from_float")):
        return _KINDS.get(kind.partition("_")[0])
    return None


def _did_you_mean(keys: Sequence[str]) -> str:
    """What a key that is not known may have been meant for: a key of the block that it stands in."""
    model: Any = Recipe
    for key in keys[:-1]:
        if model is None or key.isdigit():
            continue
        fields = model.model_fields
        model = (
            Subset
            if key not in fields and keys[0] == "subsets"
            else model_of(fields[key].annotation)
            if key in fields
            else None
        )
        if key == "subsets":
            model = Subset
    known = list(model.model_fields) if model is not None else []
    close = difflib.get_close_matches(keys[-1], known, 1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(known)}" if known else ""


def model_of(annotation: Any) -> Any:
    """Return the first type of blocks in an annotation, or None."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    models = (model_of(one) for one in getattr(annotation, "__args__", ()))
    return next((model for model in models if model is not None), None)


def _where(keys: Sequence[str], texts: Sequence[tuple[str, str]]) -> str:
    """Return `line 7: ` for a key of the recipe, `base.yaml, line 7: ` for one of a file that it extends, or nothing
    for one that no file has, such as a setting of the command line."""
    for number, (name, text) in enumerate(texts):
        line = line_of(text, keys)
        if line is not None:
            return f"{f'{name}, ' if number else ''}line {line}: "
    return ""


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """Return the line of a key in a text of YAML, from 1; None if it is not there.

    Args:
        text: The YAML.
        keys: From the outermost; a number for an item of a list.
    """
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError, ValueError):
        return None
    line = None
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pairs = [(name, value) for name, value in node.value if getattr(name, "value", None) == key]
            if not pairs:
                return None
            name, node = pairs[0]
            line = name.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
            node = node.value[int(key)]
            line = node.start_mark.line + 1
        else:
            return None
    return line
