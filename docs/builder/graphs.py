"""The graphs of the four pipelines as text, made from the transforms themselves: `python docs/builder/graphs.py`."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.pipeline import AppliedPTransform, PipelineVisitor

from pipelines.curate import Curate
from pipelines.decontaminate import Decontaminate
from pipelines.deduplicate import Phases
from pipelines.mix import WriteShards
from pipelines.recipe import read
from pipelines.run_folder.folder import Folder

__all__ = ["graphs"]

_DEEP = {"curate": 2, "deduplicate": 2, "decontaminate": 2, "mix": 2}
_PLUMBING = ("Impulse", "Create", "Map(decode)", "FlatMap", "AddRandomKeys", "ReshufflePerKey", "RemoveRandomKeys")


class _Names(PipelineVisitor):  # type: ignore[misc]
    """Collects the names of transforms, by depth, without Beam's own plumbing."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.lines: list[str] = []

    def enter_composite_transform(self, node: AppliedPTransform) -> None:
        self._add(node)

    def visit_transform(self, node: AppliedPTransform) -> None:
        self._add(node)

    def _add(self, node: AppliedPTransform) -> None:
        names = node.full_label.split("/") if node.full_label else []
        if not names or names[0] == "Tasks" or len(names) > self.depth or names[-1].startswith(_PLUMBING):
            return
        self.lines.append("    " * (len(names) - 1) + names[-1])


def graphs() -> dict[str, str]:
    """Return by pipeline the names of its transforms, indented by composite, in the order of the chain."""
    recipe, folder = read("gopher"), Folder("DIR")
    works = {
        "curate": Curate(folder, recipe, ["massiveweb"]),
        "deduplicate": Phases(),
        "decontaminate": Decontaminate(folder, recipe),
        "mix": WriteShards(),
    }
    drawn = {}
    for name, work in works.items():
        pipeline = beam.Pipeline(runner="FnApiRunner")
        _ = pipeline | "Tasks" >> beam.Create(["DIR"]) | work
        visitor = _Names(_DEEP[name])
        pipeline.visit(visitor)
        drawn[name] = "\n".join(visitor.lines)
    return drawn


if __name__ == "__main__":
    for name, text in graphs().items():
        print(f"{name}\n\n{text}\n")
