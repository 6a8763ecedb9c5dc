"""The stages of a recipe: one class each, and the registry that everything else loops over.

A stage of a package of its own is an entry point of the group `massivetext.stages` whose name is the stage's and whose
value is a subclass of `Stage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from massivetext.plug_ins import plug_ins
from pipelines.stages.common_lines import CommonLines
from pipelines.stages.compared import HostLines, Spans
from pipelines.stages.contamination import Contamination, testset_index
from pipelines.stages.deduplication import Deduplication
from pipelines.stages.extraction import Extraction
from pipelines.stages.families import C4, FineWeb, Quality, Repetition
from pipelines.stages.language import Language
from pipelines.stages.licence import Licence
from pipelines.stages.pii import Pii
from pipelines.stages.rule_family import RuleFamily
from pipelines.stages.safe_search import SafeSearch
from pipelines.stages.scores import Scores
from pipelines.stages.stage import Context, NamedSignals, Stage
from pipelines.stages.user_rules import UserRules

__all__ = [
    "STAGES",
    "Context",
    "NamedSignals",
    "RuleFamily",
    "Stage",
    "kernel_jobs",
    "named_signals",
    "rule_families",
    "testset_index",
]


def _registry() -> dict[str, type[Stage]]:
    """Every stage by name, in the order of verdicts: the first that removes a document is the ledger's `reason`."""
    own: list[type[Stage]] = [
        Licence,
        Language,
        SafeSearch,
        Extraction,
        CommonLines,
        Quality,
        Repetition,
        C4,
        FineWeb,
        Pii,
        UserRules,
        Scores,
    ]
    others = [point.load() for point in sorted(plug_ins("massivetext.stages"), key=lambda point: point.name)]
    return {stage.name: stage for stage in [*own, *others, Deduplication, HostLines, Spans, Contamination]}


STAGES = _registry()


def kernel_jobs(formats: Mapping[str, Iterable[str]]) -> dict[tuple[str, ...], list[type[Stage]]]:
    """Return what compiles the kernels of stages (`Stage.compiled_by`), and the stages whose kernels those are.

    formats: the stages, by name, with the formats of the sources that go through them.
    """
    jobs: dict[tuple[str, ...], list[type[Stage]]] = {}
    for name, own in formats.items():
        if STAGES[name].needs_kernels(own):
            jobs.setdefault(STAGES[name].compiled_by, []).append(STAGES[name])
    return jobs


def rule_families() -> dict[str, type[RuleFamily]]:
    """Return the stages whose block is `signal: {min, max}`, by name."""
    return {name: stage for name, stage in STAGES.items() if issubclass(stage, RuleFamily)}


def named_signals() -> dict[str, type[NamedSignals]]:
    """Return the stages whose block maps names of the user's to settings with limits, by name."""
    return {name: stage for name, stage in STAGES.items() if issubclass(stage, NamedSignals)}
