"""What a selection of documents is saved as: ids, JSON lines with texts, or a change to the recipe."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pyarrow as pa
import yaml

from massivetext import storage
from massivetext.browse.query import Query
from massivetext.browse.store import Store

__all__ = ["as_ids", "as_jsonl", "as_recipe"]

_TEXTS_AT_ONCE = 512


def as_ids(store: Store, query: Query, hits: pa.Table | None) -> Iterator[str]:
    """Yield the ids of a selection, one a line: what `massivetext remove DIR --ids FILE` takes."""
    for names in store.ids(query, hits):
        yield "".join(f"{name}\n" for name in names)


def as_jsonl(store: Store, query: Query, hits: pa.Table | None) -> Iterator[str]:
    """Yield the rows of a selection as JSON lines, each with its text, null where the run did not keep it."""
    for names in store.ids(query, hits, _TEXTS_AT_ONCE):
        rows = store.documents(names)
        texts = store.texts(rows)
        for name in names:
            if name in rows:
                row = {key: value for key, value in rows[name].items() if key != "part"}
                yield json.dumps({**row, "text": texts.get(name)}, ensure_ascii=False, default=str) + "\n"


def as_recipe(store: Store, query: Query) -> str:
    """Return the ranges of a selection as limits of a recipe, in YAML.

    A recipe has limits on signals alone: filters of another kind are named in comments, as are ranges of columns that
    no stage of the chosen subsets limits.
    """
    subsets = query.subset or tuple(store.recipe.filled)
    change: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    notes = []
    for column, least, most in query.ranges:
        ends = {name: value for name, value in (("min", least), ("max", most)) if value is not None}
        homes = {
            subset: stage
            for subset in subsets
            if subset in store.recipe.filled
            for stage in store.recipe.judging_stages
            if store.recipe.goes_through(subset, stage)
            and (column in store.recipe.signals(stage) or column in store.recipe.limited_signals(subset).get(stage, {}))
        }
        if not homes:
            notes.append(f"{column} between {least} and {most}: no stage of these subsets limits it")
        for subset, stage in homes.items():
            # A limit of a subset's own takes the place of the recipe's as a whole: the other end stays what it was.
            limit = store.recipe.limited_signals(subset).get(stage, {}).get(column)
            own = {name: getattr(limit, name, None) for name in ("min", "max")}
            whole = {name: float(value) for name, value in own.items() if value is not None} | ends
            change.setdefault(subset, {}).setdefault(stage, {})[column] = whole
    for name in ("outcome", "reason", "broken", "language", "host", "url", "id", "text"):
        value = getattr(query, name)
        if value:
            shown = value if isinstance(value, str) else ", ".join(value)
            notes.append(f"{name} {shown!r}: a recipe has no limit for it; save the ids instead")
    base = storage.join(store.folder, "recipe.yaml")
    base = base if storage.is_remote(base) else os.path.abspath(base)
    lines = [
        "# Keep only documents within the ranges of a selection. Lay this over the run's recipe:",
        "# save it to a file, then `massivetext run FILE --output DIR --update`.",
        *("# Left out: " + note.replace("\n", " ") for note in notes),
        yaml.safe_dump({"extends": base}, sort_keys=False).rstrip("\n"),
    ]
    if change:
        lines.append(yaml.safe_dump({"subsets": change}, sort_keys=True).rstrip("\n"))
    return "\n".join(lines) + "\n"
