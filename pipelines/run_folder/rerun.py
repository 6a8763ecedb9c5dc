"""What a run of a folder that holds something already does again, and why: said before it is done."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipelines.run_folder.part_files import changed_files
from pipelines.stages import STAGES
from pipelines.stages.scores import SHARE_KEYS
from pipelines.tasks import PartTask, read_markers

__all__ = ["first_stage", "redone", "why"]

_BANDING = ("threshold", "recall")


def first_stage(key: str) -> tuple[str | None, str | None]:
    """Return the first stage that a key of the recipe shapes (None: only what the run says of itself), and the subset
    that it is limited to, if it is. key: alone, or with its values, `key: old -> new`."""
    names = key.partition(":")[0].split(".")
    subset = None
    if names[0] == "subsets" and len(names) > 1:
        subset, names = names[1], names[2:] or ["sources"]
    block, rest = names[0], names[1:]
    if block == "max_failed":
        return None, subset
    if block == "mixture":
        return "mix", subset
    if block == "seed":
        return "deduplicate", subset
    if block in ("contamination", "host_lines", "spans"):
        return "decontaminate", subset
    changed = _stages_changed(key) if block == "stages" else set()
    if changed and all(not STAGES[name].in_pass for name in changed):
        return "decontaminate", subset
    if block == "scores" and rest[1:] and rest[1] in SHARE_KEYS:
        return "decontaminate", subset
    if block == "deduplication" and rest and rest[0] not in _BANDING:
        return "deduplicate", subset
    return "curate", subset


def _stages_changed(change: str) -> set[str]:
    """Return the stages that a subset gains or loses by a change of its `stages`; all of them without values."""
    old, _, new = change.partition(": ")[2].partition(" -> ")
    try:
        return set(ast.literal_eval(old) or ()) ^ set(ast.literal_eval(new) or ())
    except (ValueError, SyntaxError, TypeError):
        return set(STAGES)


def redone(changed: Sequence[str]) -> list[str]:
    """Lines that say, for each stage, which changes of the recipe (`key: old -> new`) make it be done again.

    The stages after one that is done again follow where what they read has changed, and not elsewhere.
    """
    lines: dict[str, list[str]] = {}
    for change in changed:
        stage, subset = first_stage(change)
        place = "no stage" if stage is None else f"{stage} of {subset}" if subset and stage != "mix" else stage
        lines.setdefault(place, []).append(change)
    return [f"{place}, for {change}" for place, changes in sorted(lines.items()) for change in changes]


def why(stage: str, tasks: Sequence[Any], todo: Sequence[Any]) -> str | None:
    """`curate: 3 of 10 parts: 2 new, 1 changed`, or None where nothing was there before, or all of it stands."""
    n_by_reason: Counter[str] = Counter()
    n_files: Counter[str] = Counter()
    for task, marker in zip(todo, read_markers([task.marker for task in todo])):
        if marker is None:
            n_by_reason["new"] += 1
        elif marker.fingerprint != task.fingerprint:
            n_by_reason["changed, or read by other rules"] += 1
            if isinstance(task, PartTask):
                n_files += changed_files(task.root, task.part)
        elif marker.failures:
            n_by_reason["failed before"] += 1
        else:
            n_by_reason["with output lost or damaged"] += 1
    if not todo or n_by_reason["new"] == len(tasks):
        return None
    reasons = ", ".join(f"{n:,} {name}" for name, n in n_by_reason.items())
    of_files = ", ".join(f"{n_files[name]:,} {name}" for name in ("new", "changed", "gone") if n_files[name])
    of_files = f" (files in them: {of_files})" if of_files else ""
    return f"{stage}: {len(todo):,} of {len(tasks):,} parts: {reasons}{of_files}; the others stand"
