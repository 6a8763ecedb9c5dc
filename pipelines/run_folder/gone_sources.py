"""Sources that DIR has rows of and the recipe no longer finds: they are named, and what is left of their parts goes."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.compute as pc

from massivetext import storage
from massivetext.own_files import is_part, own_parts
from massivetext.parquet import FILE_ERRORS, read_parquet
from massivetext.terminal_text import counted, visible_name
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.part_files import FILES, gone_files
from pipelines.tasks import PartTask
from pipelines.transforms.common_lines import LINES, CommonLineTask
from pipelines.transforms.compare import COMPARING

__all__ = ["gone_sources", "sweep_parts"]

_LISTED = 10
"""Sources that are named; the others are counted."""


def gone_sources(folder: Folder, tasks: Sequence[PartTask]) -> list[str]:
    """Return lines that name sources which DIR has rows of and the recipe's patterns no longer find."""
    known = {f"{task.part.subset}/{task.part.name}.parquet" for task in tasks}
    sources = {(task.part.subset, file.source) for task in tasks for file in task.part.members}
    base = folder.path("ledger")
    lines = [
        f"warning: {part.subset}: source {visible_name(source)} is gone; its rows leave the output"
        for part, source in gone_files(folder.root, [task.part for task in tasks])
        if (part.subset, source) not in sources
    ]
    for path in own_parts(base):
        if path[len(base) + 1 :] in known:
            continue
        subset = path[len(base) + 1 :].partition("/")[0]
        try:
            with storage.open_input(path) as stream:
                counts = pc.value_counts(read_parquet(stream, columns=["source"]).column("source")).to_pylist()
        except FILE_ERRORS:
            continue  # it is damaged, and goes
        for row in counts:
            if (subset, row["values"]) not in sources:
                rows = counted(row["counts"], "row")
                lines.append(
                    f"warning: {subset}: source {visible_name(row['values'])} is gone; its {rows} leave the output"
                )
    more = [f"warning: and {len(lines) - _LISTED:,} more sources that are gone"] if len(lines) > _LISTED else []
    return [*lines[:_LISTED], *more]


def sweep_parts(folder: Folder, tasks: Sequence[PartTask]) -> None:
    """Remove evidence, duplicates, values and ledgers of parts that the sources no longer have."""
    known = {(task.part.subset, task.part.name) for task in tasks}
    gone: list[str] = []
    for kind in ("work/evidence", "work/contamination", "work/ledger", "work/duplicates", LINES, FILES):
        base = folder.path(kind)
        for path in storage.list_files(base):
            subset, _, name = path[len(base) + 1 :].partition("/")
            name, _, suffix = name.rpartition(".")
            is_own = suffix in ("parquet", "json") and is_part(f"{name}.parquet")
            if is_own and (subset, name) not in known:
                gone.append(path)
    for stage in (*(kind.stage for kind in COMPARING), CommonLineTask.stage):
        base = folder.path("work", stage)
        for path in storage.list_files(base):
            subset, _, name = path[len(base) + 1 :].removesuffix(".parquet").partition("/values/")
            if is_part(f"{name}.parquet") and (subset, name) not in known:
                gone.append(path)
    storage.remove_all(gone)
