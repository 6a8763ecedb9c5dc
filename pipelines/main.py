"""The main job: every stage that DIR does not already hold, in order.

    collect lines   files -> CollectLines -> work/common_lines/, for subsets with the stage common_lines
    curate          files -> ReadDocuments | Extract | RewriteText | CountTokens | IdentifyLanguage | ScoreSafety |
                    MeasureText | ScoreDocuments | FindTestItems | Judge | WriteParts -> curated/, rejected/, work/
    deduplicate     work/evidence -> FindDuplicates -> work/duplicates/
    decontaminate   work/ledger -> MarkDuplicates | JudgeShares | JudgeTestItems | WriteParts -> ledger/, final; pieces/
    mix             ledger/, curated/ -> WriteMixture -> mixture/

Each is a graph of its own, in a file of its own, so that a run goes on from what stands in DIR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import apache_beam as beam

from massivetext import storage
from massivetext.contamination import TestSets
from massivetext.contamination.testsets import INDEX_VERSIONS
from massivetext.dedup.phases import noted_digests
from massivetext.errors import OutputError
from massivetext.finished_run import nothing_done
from massivetext.own_files import own_parts
from massivetext.parquet import file_digest
from massivetext.removed import refuse_unfinished
from massivetext.scratch import sweep_scratch
from massivetext.tokenizers import read_tokenizer
from pipelines.curate import Curate
from pipelines.decontaminate import Decontaminate
from pipelines.deduplicate import deduplicate
from pipelines.engines import check, open_engine
from pipelines.engines.engine import Engine, Execution
from pipelines.input_splits import Part, find_parts, source_warnings
from pipelines.member_index import split_at_members
from pipelines.mix import mix
from pipelines.recipe import Recipe
from pipelines.run_folder.fingerprints import compared_digests, compared_mark, digest_of, line_tasks, part_tasks
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.gone_sources import gone_sources, sweep_parts
from pipelines.run_folder.history import Timed
from pipelines.run_folder.inputs import known_inputs, note_inputs
from pipelines.run_folder.reading_notes import failures_of, reading_notes, sums_of, too_many_failed
from pipelines.run_folder.rerun import redone, why
from pipelines.stages import STAGES, testset_index
from pipelines.stages.stage import canonical
from pipelines.tasks import Marker, PartTask, read_markers
from pipelines.transforms.common_lines import CollectLines, find_common_lines
from pipelines.transforms.compare import COMPARING, compare
from pipelines.transforms.final_ledger import LedgerTask
from pipelines.transforms.part_tests import write_frequent
from pipelines.transforms.run_steps import RunSteps
from pipelines.transforms.shares import write_share_limits
from pipelines.weights import check_weights

__all__ = ["COMMANDS", "Outcome", "Reporter", "run", "run_stages"]

COMMANDS = ("curate", "deduplicate", "decontaminate", "mix")


class Reporter(Protocol):
    """Tells a person how far the run is."""

    def say(self, line: str, *, is_detail: bool = False) -> None: ...

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        """A stage begins; call what this returns with each task that is done."""


@dataclass
class Outcome:
    """What a run came to. counts: by subset, then `outcome reason`: documents, bytes, tokens. failures: sources that
    could not be read, or not to their end, and subsets with more failed records than the recipe bears. notes: sentences
    about the recipe and the sources, which hold as long as these do."""

    counts: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    mixture: str | None = None
    n_done: int = 0

    @property
    def exit_status(self) -> int:
        return 1 if self.failures else 0

    def note(self, sentences: Iterable[str], reporter: Reporter) -> None:
        """Say sentences, and keep them."""
        for sentence in sentences:
            reporter.say(sentence)
            self.notes.append(sentence)


def run(
    recipe: Recipe,
    output: str,
    execution: Execution,
    reporter: Reporter,
    *,
    through: str = "mix",
    update: bool = False,
    check_inputs: bool = False,
    prepare: Callable[[], None] = lambda: None,
    outcome: Outcome | None = None,
) -> Outcome:
    """Run the stages up to and including `through`. What DIR holds already, for the same recipe and input, is kept.

    Args:
        recipe: What is run.
        output: DIR.
        execution: By which engine.
        reporter: Told how far the run is.
        through: The last of COMMANDS that is run.
        update: Whether stages that a changed recipe touches are done again, instead of refusing it.
        check_inputs: Whether sources are compared with those of the last run by digest.
        prepare: Called when nothing can be refused any more, before the engine is opened.
        outcome: What is filled in and returned; after an exception it holds what the run came to until then.
    """
    if not recipe.filled:
        raise OutputError("the recipe has no subset with sources; give at least one under subsets.<name>.sources")
    outcome = Outcome() if outcome is None else outcome
    if recipe.tokenizer is not None:
        # Raises RecipeError, before anything is written, for a name that is no file.
        outcome.note(read_tokenizer(recipe.tokenizer).notes, reporter)
    recipe.check()
    check(recipe, output, execution)
    folder = Folder(output)
    folder.claim()
    parts = find_parts(recipe, folder.root)
    if through == "mix":
        check_weights(recipe, parts)
    outcome.note([f"warning: {sentence}" for sentence in source_warnings(parts)], reporter)
    sweep_scratch()
    with folder.lock():
        refuse_unfinished(output)
        changed = folder.adopt(recipe, update=update)
        if changed and update:
            reporter.say("the recipe has changed; stages are redone where it touches them:")
            for line in redone(changed):
                reporter.say(f"  {line}")
        parts = known_inputs(folder, parts, by_digest=check_inputs, say=reporter.say)
        prepare()
        with (
            Timed(reporter, folder.path("work", "runs.json"), execution) as timed,
            open_engine(execution) as engine,
        ):
            parts = _Job(recipe, folder, engine, timed, outcome).split(parts)
            run_stages(recipe, folder, parts, engine, timed, outcome, through)
            timed.spent(engine.spent)
    if outcome.n_done == 0:
        reporter.say(nothing_done(output))
    return outcome


def run_stages(
    recipe: Recipe,
    folder: Folder,
    parts: Sequence[Part],
    engine: Engine,
    reporter: Reporter,
    outcome: Outcome,
    through: str,
) -> None:
    """Run the stages up to `through` over the parts given, in a folder that nobody else works in."""
    last = COMMANDS.index(through)
    job = _Job(recipe, folder, engine, reporter, outcome)
    _prepare_testsets(recipe, folder, reporter)
    tasks, markers = job.curate(parts)
    if last >= 1 and any(recipe.goes_through(name, "deduplication") for name in recipe.filled):
        noted = {name: summary for marker in markers for name, summary in marker.outputs.items()}
        deduplicate(
            folder,
            recipe,
            engine,
            on_done=reporter.stage("deduplicate", []),
            say=reporter.say,
            say_detail=lambda line: reporter.say(line, is_detail=True),
            noted=noted,
        )
        del noted
    outcome.failures += failures_of(tasks, markers)
    job.settle(tasks, markers, last)
    outcome.failures += too_many_failed(recipe, outcome.counts)
    if last >= 3:
        job.mix(parts)


@dataclass
class _Job:
    """One run of the stages: what they all need."""

    recipe: Recipe
    folder: Folder
    engine: Engine
    reporter: Reporter
    outcome: Outcome
    duplicates: Mapping[str, str] = field(default_factory=dict)

    def split(self, parts: Sequence[Part]) -> list[Part]:
        """Return the parts, of which large compressed files are split at their members."""
        return split_at_members(self.folder, parts, lambda tasks: self._run("split", RunSteps(), tasks))

    def curate(self, parts: Sequence[Part]) -> tuple[list[PartTask], list[Marker]]:
        recipe, folder = self.recipe, self.folder
        self._find_common_lines(parts)
        tasks = part_tasks(folder, recipe, parts)
        for line in gone_sources(folder, tasks):
            self.reporter.say(line)
        markers = self._run("curate", Curate(folder, recipe), tasks)
        note_inputs(folder, parts)
        sweep_parts(folder, tasks)
        self.outcome.note(reading_notes(recipe, sums_of(tasks, markers)), self.reporter)
        for kind in ("curated", "rejected"):
            if kind == "curated" or recipe.rejected != "none":
                folder.write_manifest(kind, recipe, markers, sums_of(tasks, markers))
        return tasks, markers

    def _find_common_lines(self, parts: Sequence[Part]) -> None:
        """Count on how many pages of their hosts lines stand, for those subsets that take common ones out."""
        recipe, folder = self.recipe, self.folder
        tasks = line_tasks(folder, recipe, parts)
        if not tasks:
            return
        by_subset: dict[str, list[tuple[str, Marker]]] = {}
        for task, marker in zip(tasks, self._run("lines", CollectLines(folder, recipe), tasks)):
            by_subset.setdefault(task.part.subset, []).append((task.part.name, marker))
        for subset, lines in by_subset.items():
            read = {name: [summary["blake2b"] for summary in marker.outputs.values()] for name, marker in lines}
            find_common_lines(folder, recipe, subset, lines, digest_of(read), self._perform)

    def settle(self, tasks: Sequence[PartTask], markers: list[Marker], last: int) -> None:
        """Write the final ledger, as far as the stages have come. last: number of the last command. Empties `markers`,
        so that those of two stages are not in memory at once."""
        recipe, folder, outcome = self.recipe, self.folder, self.outcome
        stages = ("deduplication", "contamination")[:last] if last < 2 else ("deduplication", "contamination")
        self.duplicates = noted_digests(folder.path("work", "duplicates")) if last >= 1 else {}
        rare = _frequent(folder, recipe, tasks, markers, self.duplicates) if last >= 2 else {}
        if last >= 1:
            self._compare(tasks, markers)
        limits = self._shares(tasks, markers) if last >= 1 else {}
        block_of = {name: recipe.block(name, "contamination") for name in recipe.filled}
        blocks = {name: block.model_dump(mode="json") for name, block in block_of.items()}
        marks = {name: compared_mark(recipe, name) if stages else [] for name in recipe.filled}
        drops = {name: rare.get(block.max_documents, {}).get("blake2b") for name, block in block_of.items()}
        compared = storage.each(
            lambda task: compared_digests(recipe, folder, task, stages),
            list(tasks),
            remote=storage.is_remote(folder.root),
        )
        fingerprints = []
        for task, marker, values in zip(tasks, markers, compared):
            subset = task.part.subset
            measured = sorted((name, summary["blake2b"]) for name, summary in marker.outputs.items())
            removed = self._duplicates_of(task) if "deduplication" in stages else None
            shares = [limits[subset]] if subset in limits else []
            block, dropped = blocks[subset], drops[subset]
            # All that shapes a part's final ledger: what the pass over the text left, and the later stages.
            fingerprints.append(
                digest_of(task.fingerprint, measured, stages, removed, block, dropped, *shares, *values, *marks[subset])
            )
        settling = [
            LedgerTask(
                folder, task.part.subset, task.part.name, stages, fingerprint, marker.counts.get("records", 0) + 1
            )
            for task, marker, fingerprint in zip(tasks, markers, fingerprints)
        ]
        markers.clear()
        name = "decontaminate" if last >= 2 else "ledger"
        settled = self._run(name, Decontaminate(folder, recipe), settling)
        for one, marker in zip(settling, settled):
            counts = outcome.counts.setdefault(one.subset, {})
            for key, sums in marker.counts.items():
                counts[key] = [a + b for a, b in zip(counts.get(key, [0, 0, 0]), sums)]
        folder.write_manifest("ledger", recipe, settled, outcome.counts, limits=limits)
        _keep_pieces(folder, recipe, settled)

    def _duplicates_of(self, task: PartTask) -> str | None:
        """The digest of a part's file of duplicates; None if deduplication has left none."""
        return self.duplicates.get(f"{task.part.subset}/{task.part.name}.parquet")

    def _documents_mark(self, task: PartTask, marker: Marker) -> list[Any]:
        """What tells whether the documents of a part that rules and deduplication keep are those of another time.

        Files' digests are no part of it: documents that are taken out later do not change the limits and values of
        others.
        """
        is_deduplicated = self.recipe.goes_through(task.part.subset, "deduplication")
        duplicates = self._duplicates_of(task) if is_deduplicated else None
        return [task.fingerprint, marker.counts, len(marker.failures), duplicates]

    def _compare(self, tasks: Sequence[PartTask], markers: Sequence[Marker]) -> None:
        """Measure what depends on the other documents of a subset, in the texts that rules and deduplication keep."""
        recipe, folder = self.recipe, self.folder
        for subset in recipe.filled:
            if not any(recipe.goes_through(subset, kind.stage) for kind in COMPARING):
                continue
            read: dict[str, Any] = {}
            for task, marker in zip(tasks, markers):
                if task.part.subset == subset:
                    read[task.part.name] = self._documents_mark(task, marker)
            compare(folder, recipe, subset, list(read), digest_of(read), self._perform)

    def _perform(self, tasks: Sequence[Any]) -> None:
        """Run those tasks of a step between two stages that are not done."""
        todo = [task for task, marker in zip(tasks, self.folder.held(tasks)) if marker is None]
        self.outcome.n_done += len(todo)
        if todo:
            self.engine.run(RunSteps(), todo)

    def _shares(self, tasks: Sequence[PartTask], markers: Sequence[Marker]) -> dict[str, dict[str, Any]]:
        """The limits of shares, by subset and signal, from all that rules and deduplication keep."""
        recipe, folder = self.recipe, self.folder
        parts: dict[str, list[str]] = {subset: [] for subset in recipe.filled if recipe.shares(subset)}
        read: dict[str, list[Any]] = {subset: [] for subset in parts}
        for task, marker in zip(tasks, markers):
            subset, name = task.part.subset, task.part.name
            if subset in parts:
                parts[subset].append(name)
                read[subset].append([name, self._documents_mark(task, marker)])
        compared = {subset: compared_mark(recipe, subset) for subset in read}
        fingerprints = {subset: digest_of(rows, *compared[subset]) for subset, rows in read.items()}
        limits = write_share_limits(folder, recipe, parts, fingerprints, self._perform)
        for subset, own in limits.items():
            for signal, limit in own.items():
                if limit["keep"] is not None:
                    share = recipe.shares(subset)[signal]
                    best = f"the best {100 * share.keep:.6g} % of {share.by}"
                    self.reporter.say(f"{subset}: {signal}: {best} have {limit['keep']:.6g} or more")
        return limits

    def mix(self, parts: Sequence[Part]) -> None:
        names = {subset: [part.name for part in parts if part.subset == subset] for subset in self.recipe.filled}

        def on_start(todo: Sequence[Any]) -> Callable[[Any], None]:
            self.outcome.n_done += len(todo)
            return self.reporter.stage("mix", todo)

        mix(self.folder, self.recipe, self.engine, parts=names, say=self.reporter.say, on_start=on_start)
        self.outcome.mixture = self.folder.path("mixture", self.recipe.mixture.name)

    def _run(self, name: str, work: beam.PTransform, tasks: Sequence[Any]) -> list[Marker]:
        """Run those of a stage's tasks that are not done, and return the markers of all."""
        known = self.folder.held(tasks)
        todo = [task for task, marker in zip(tasks, known) if marker is None]
        self.outcome.n_done += len(todo)
        reason = why(name, tasks, todo)
        if reason:
            self.reporter.say(reason)
        if todo:
            self.engine.run(work, todo, on_done=self.reporter.stage(name, todo))
        markers = []
        written = iter(read_markers([task.marker for task in todo]))
        for task, before in zip(tasks, known):
            marker = next(written) if before is None else before
            if marker is None or marker.fingerprint != task.fingerprint:
                raise OutputError(f"{task.marker}: the task left no marker; run the command again")
            markers.append(marker)
        return markers


def _frequent(
    folder: Folder,
    recipe: Recipe,
    tasks: Sequence[PartTask],
    markers: Sequence[Marker],
    duplicates: Mapping[str, str],
) -> dict[int, dict[str, Any]]:
    """Files of shingles that are everywhere, for each max_documents of the recipe; of none, no part is looked at."""
    tested = [name for name in recipe.filled if recipe.is_tested(name)]
    if all(recipe.block(name, "contamination").max_documents is None for name in tested):
        return {}
    parts = [(task.part.subset, task.part.name) for task in tasks]
    read: list[Any] = [canonical(recipe.testsets)]
    for (subset, name), marker in zip(parts, markers):
        digest = duplicates.get(f"{subset}/{name}.parquet")
        evidence = marker.outputs.get(f"work/contamination/{subset}/{name}.parquet", {})
        read.append([subset, name, evidence.get("blake2b"), digest, recipe.goes_through(subset, "deduplication")])
    return write_frequent(folder, recipe, parts, digest_of(*read))


def _keep_pieces(folder: Folder, recipe: Recipe, settled: list[Marker]) -> None:
    """The manifest of pieces/, or nothing where no subset removes spans now."""
    counts: dict[str, dict[str, int]] = {}
    for marker in settled:
        for name, summary in marker.outputs.items():
            if name.startswith("pieces/"):
                of_subset = counts.setdefault(name.split("/")[1], {"pieces": 0})
                of_subset["pieces"] += summary["rows"]
    if counts:
        folder.write_manifest("pieces", recipe, settled, counts)
    else:
        storage.remove_all([*own_parts(folder.path("pieces")), folder.path("pieces", "manifest.json")])


def _prepare_testsets(recipe: Recipe, folder: Folder, reporter: Reporter) -> None:
    """The index of the test sets, written once for all workers. Made again if the sets or their files changed."""
    path = testset_index(folder.root)
    if not recipe.testsets:
        return
    fingerprint = digest_of(STAGES["contamination"].version, INDEX_VERSIONS, canonical(recipe.testsets))
    marker = folder.marker("testsets", "index")
    if not folder.is_done(marker, fingerprint):
        testsets = TestSets.read([testset.model_dump() for testset in recipe.testsets])
        for members in testsets.members:
            if (warning := members.warning()) is not None:
                reporter.say(f"warning: {warning}")
        testsets.save(path)
        summary = {"bytes": storage.size(path), "blake2b": file_digest(path)}
        Marker(fingerprint, folder.outputs({"work/testsets.index": summary})).write(marker)
