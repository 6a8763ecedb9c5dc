"""What a removal of documents (`massivetext.removal`) needs of the program that runs stages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from pipelines.deduplicate import find_documents
from pipelines.engines import Engine
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.mixtures import note_mixture, put_manifest
from pipelines.transforms.run_steps import RunSteps

__all__ = ["FinishedRun"]


@dataclass(frozen=True)
class FinishedRun:
    """An output folder and an engine, as `massivetext.removal.remove` takes them."""

    root: str
    engine: Engine

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Folder(self.root).root)

    def lock(self) -> AbstractContextManager[None]:
        return Folder(self.root).lock()

    def perform(self, tasks: Sequence[Any], on_done: Callable[[Any], None]) -> None:
        self.engine.run(RunSteps(), tasks, on_done=on_done)

    def put_mixture_manifest(self, name: str, manifest: dict[str, Any]) -> None:
        put_manifest(Folder(self.root), name, manifest)

    def note_mixture(self) -> None:
        folder = Folder(self.root)
        note_mixture(folder, folder.recipe())

    def indexed_documents(self) -> list[Any]:
        folder = Folder(self.root)
        recipe = folder.recipe()
        subsets = [name for name in recipe.filled if recipe.goes_through(name, "deduplication")]
        return [part for subset in subsets for part in find_documents(folder, subset)]
