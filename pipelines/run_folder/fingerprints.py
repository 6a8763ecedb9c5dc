"""All that shapes what a part has in DIR, as a digest: a part is done again where it changes, and nowhere else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from massivetext import storage
from massivetext.tokenizers import tokens_mark
from pipelines.input_splits import Part
from pipelines.recipe import Isolation, Recipe, measures_schema
from pipelines.run_folder.folder import Folder
from pipelines.stages import STAGES
from pipelines.stages.common_lines import CommonLines, lines_file
from pipelines.stages.stage import canonical, content_digest
from pipelines.tasks import PartTask
from pipelines.transforms.compare import COMPARING
from pipelines.transforms.hash_tasks import values_path
from pipelines.transforms.refuse_removed import removal_mark

__all__ = ["CurateFingerprints", "compared_digests", "compared_mark", "digest_of", "line_tasks", "part_tasks"]


def part_tasks(folder: Folder, recipe: Recipe, parts: Sequence[Part]) -> list[PartTask]:
    """Return the pass over the text of some parts as tasks."""
    fingerprints = CurateFingerprints(recipe)
    limits = recipe.isolation or Isolation()

    def digest(part: Part) -> str:
        own = fingerprints.of(part)
        if not recipe.goes_through(part.subset, CommonLines.name):
            return own
        path = lines_file(folder.root, part.subset, part.name)
        return digest_of(own, content_digest(path) if storage.exists(path) else None)

    digests = storage.each(digest, list(parts), remote=storage.is_remote(folder.root))
    return [_task(folder, "curate", part, own, limits) for part, own in zip(parts, digests)]


def line_tasks(folder: Folder, recipe: Recipe, parts: Sequence[Part]) -> list[PartTask]:
    """Return the pass that collects lines, over those parts whose subset takes common lines out."""
    limits = recipe.isolation or Isolation()
    common = [CommonLines.version, canonical(recipe.isolation), recipe.url_credentials]
    chosen = [part for part in parts if recipe.goes_through(part.subset, CommonLines.name)]
    pages = {part.subset: recipe.stage(part.subset, "extraction").fingerprint() for part in chosen}
    digests = [digest_of(common, pages[part.subset], _marks(part)) for part in chosen]
    return [_task(folder, "page_lines", part, own, limits) for part, own in zip(chosen, digests)]


def _task(folder: Folder, stage: str, part: Part, fingerprint: str, limits: Isolation) -> PartTask:
    marker = folder.marker(stage, part.subset, part.name)
    return PartTask(part, folder.root, marker, fingerprint, limits.seconds, limits.memory)


def digest_of(*values: Any) -> str:
    """Return a digest of values that JSON can hold."""
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


class CurateFingerprints:
    """All that shapes a part's curated rows and measures, and no more: its bytes, the stages that its subset goes
    through, each with the version of its definition and the contents of its files, and the columns of every ledger."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.columns = measures_schema(recipe).names
        self.stages = {subset: self._stages(subset) for subset in recipe.filled}
        self.common = {
            "tokenizer": recipe.tokenizer and tokens_mark(recipe.tokenizer),
            "rejected": recipe.rejected,
            "isolation": canonical(recipe.isolation),
            # Of the sample of rejected documents.
            "seed": None if isinstance(recipe.rejected, str) else recipe.seed,
        }
        if recipe.url_credentials != "remove":
            self.common["url_credentials"] = recipe.url_credentials
        if mark := removal_mark(recipe):
            self.common["removed"] = mark
        self._begun: dict[tuple[str, int], Any] = {}

    def _stages(self, subset: str) -> dict[str, Any]:
        names = [name for name, stage in STAGES.items() if stage.in_pass and self.recipe.goes_through(subset, name)]
        return {name: self.recipe.stage(subset, name).fingerprint() for name in names}

    def of(self, part: Part) -> str:
        stages = self.stages[part.subset]
        if "extraction" not in stages and (
            part.format in ("warc", "wet") or ":" in part.format or "page" in part.fields
        ):
            stages = {**stages, "extraction": self.recipe.stage(part.subset, "extraction").fingerprint()}
        key = (part.subset, len(stages))
        if key not in self._begun:
            # The digest of the JSON of [common, stages, columns, marks]: only the marks differ from part to part.
            begun = json.dumps([self.common, stages, self.columns], sort_keys=True)
            self._begun[key] = hashlib.blake2b(f"{begun[:-1]}, ".encode(), digest_size=16)
        digest = self._begun[key].copy()
        digest.update(f"{json.dumps(_marks(part), sort_keys=True)}]".encode())
        return digest.hexdigest()


def _marks(part: Part) -> list[Any]:
    """What tells a part from another one, or from itself before a file of it was written anew."""
    if part.files:
        return [part.format, dict(part.fields), [file[1:] for file in part.files]]
    marks = [part.source, part.format, part.start, part.stop, part.n_bytes, part.stamp, dict(part.fields)]
    return marks if part.member_range is None else [*marks, *part.member_range]


def compared_digests(recipe: Recipe, folder: Folder, task: PartTask, stages: tuple[str, ...]) -> list[str]:
    """Return digests of the values of a part that depend on the other documents of its subset."""
    subset, name = task.part.subset, task.part.name
    kinds = [kind.stage for kind in COMPARING if stages and recipe.goes_through(subset, kind.stage)]
    return [content_digest(values_path(folder, stage, subset, name)) for stage in kinds]


def compared_mark(recipe: Recipe, subset: str) -> list[Any]:
    """Return what shapes the removal of documents by comparison with others; empty where there is no limit for it."""
    return [
        [stage, recipe.stage(subset, stage).fingerprint(), signal, limit.min, limit.max]
        for stage, signal, limit in recipe.compared_limits(subset)
    ]
