"""Documents to look at: their rows of the ledger, and a beginning of their text from curated/ or rejected/.

A text is anyone's: control characters, and those that turn the direction of writing, are made visible here; escaping
for HTML is the page's, for everything that it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.parquet import open_parquet
from massivetext.terminal_text import visible

__all__ = ["CHARACTERS", "Quote", "matched", "quoted", "texts", "visible"]

CHARACTERS = 700
"""Of a text that is shown."""


@dataclass(frozen=True)
class Quote:
    """A stretch of a text: what stands before, what is marked (or nothing), what follows, and how much is left out."""

    before: str
    marked: str
    after: str
    left_out: int


def quoted(text: str, characters: int = CHARACTERS) -> Quote:
    """The text's beginning."""
    return Quote(visible(text[:characters]), "", "", max(0, len(text) - characters))


def matched(text: str, span: str | None, characters: int = CHARACTERS) -> Quote:
    """The text around the first stretch of a `start:end,...` span, with that stretch marked."""
    try:
        start, end = (int(value) for value in (span or "").split(",")[0].split(":"))
    except ValueError:
        return quoted(text, characters)
    if not 0 <= start < end <= len(text):
        return quoted(text, characters)
    end = min(end, start + characters)
    around = max(60, (characters - (end - start)) // 2)
    first, last = max(0, start - around), min(len(text), end + around)
    left_out = len(text) - (last - first)
    return Quote(visible(text[first:start]), visible(text[start:end]), visible(text[end:last]), left_out)


def texts(folder: str, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Texts by id. rows: of the ledger, with `id`, `subset`, `outcome` and `part`.

    A text that the recipe did not keep, or a part that is gone, is simply missing. Reads one row group's ids at a time,
    and its texts only if one of the ids is there.
    """
    wanted: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        kind = "rejected" if row["outcome"] == "rejected" else "curated"
        wanted.setdefault((kind, row["subset"], row["part"]), set()).add(row["id"])
    found: dict[str, str] = {}
    for (kind, subset, part), ids in sorted(wanted.items()):
        path = storage.join(folder, kind, subset, f"{part}.parquet")
        if storage.exists(path):
            found.update(_read(path, ids))
    return found


def _read(path: str, ids: set[str]) -> dict[str, str]:
    left = set(ids)
    found: dict[str, str] = {}
    with storage.open_input(path) as stream, open_parquet(stream) as file:
        for group in range(file.metadata.num_row_groups):
            if not left:
                break
            here = pc.is_in(file.read_row_group(group, columns=["id"])["id"], value_set=pa.array(sorted(left)))
            if not pc.any(here).as_py():
                continue
            for batch in file.iter_batches(256, row_groups=[group], columns=["id", "text"], use_threads=False):
                for at, name in enumerate(batch["id"].to_pylist()):
                    if name in left:
                        found[name] = batch["text"][at].as_py()
                        left.discard(name)
    return found
