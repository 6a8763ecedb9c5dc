"""The main job: every stage that DIR does not already hold, in order.

    curate          files -> ReadDocuments | Extract | RewriteText | CountTokens | IdentifyLanguage | ScoreSafety |
                    MeasureText | ScoreDocuments | FindTestItems | Judge | WriteParts -> curated/, rejected/, work/
    deduplicate     work/evidence -> FindDuplicates -> work/duplicates/
    decontaminate   work/ledger -> MarkDuplicates | JudgeShares | JudgeTestItems | WriteParts -> ledger/, final; pieces/
    mix             ledger/, curated/ -> WriteMixture -> mixture/

Each is a graph of its own, in a file of its own, so that a run goes on from what stands in DIR.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import apache_beam as beam
import pyarrow.compute as pc

from massivetext import storage
from massivetext.contamination import TestSets
from massivetext.dedup.phases import noted_digests
from massivetext.errors import OutputError
from massivetext.own_files import is_part, own_parts
from massivetext.parquet import FILE_ERRORS, file_digest, read_parquet
from massivetext.removed import refuse_unfinished
from massivetext.scratch import sweep_scratch
from massivetext.terminal_text import counted, visible_name
from massivetext.text.hashing import HASH_VERSION
from massivetext.tokenizers import read_tokenizer, tokens_mark
from pipelines.curate import Curate
from pipelines.decontaminate import Decontaminate
from pipelines.deduplicate import deduplicate
from pipelines.engines import check, open_engine
from pipelines.engines.engine import Engine, Execution
from pipelines.input_splits import Part, find_parts, source_warnings
from pipelines.member_index import split_at_members
from pipelines.mix import check_weights, mix
from pipelines.recipe import Isolation, Recipe, measures_schema
from pipelines.run_folder.folder import Folder
from pipelines.run_folder.history import Timed
from pipelines.run_folder.inputs import known_inputs, note_inputs
from pipelines.run_folder.part_files import FILES, gone_files
from pipelines.run_folder.rerun import redone, why
from pipelines.stages import STAGES, testset_index
from pipelines.stages.stage import canonical, content_digest
from pipelines.tasks import Marker, PartTask, read_markers
from pipelines.transforms.compare import COMPARING, compare
from pipelines.transforms.final_ledger import LedgerTask
from pipelines.transforms.hash_tasks import values_path
from pipelines.transforms.part_tests import write_frequent
from pipelines.transforms.refuse_removed import removal_mark
from pipelines.transforms.run_steps import RunSteps
from pipelines.transforms.shares import write_share_limits

__all__ = ["COMMANDS", "Outcome", "Reporter", "part_tasks", "run", "run_stages"]

COMMANDS = ("curate", "deduplicate", "decontaminate", "mix")


class Reporter(Protocol):
    """Tells a person how far the run is."""

    def say(self, line: str, *, is_detail: bool = False) -> None: ...

    def stage(self, name: str, tasks: Sequence[Any]) -> Callable[[Any], None]:
        """A stage begins; call what this returns with each task that is done."""


@dataclass
class Outcome:
    """What a run came to. counts: by subset, then `outcome reason`: documents, bytes, tokens. failures: sources that
    could not be read, or not to their end, and subsets with more failed records than the recipe bears."""

    counts: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    mixture: str | None = None
    n_done: int = 0

    @property
    def exit_status(self) -> int:
        return 1 if self.failures else 0


def run(
    recipe: Recipe,
    output: str,
    execution: Execution,
    reporter: Reporter,
    *,
    through: str = "mix",
    update: bool = False,
    check_inputs: bool = False,
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
    """
    if not recipe.filled:
        raise OutputError("the recipe has no subset with sources; give at least one under subsets.<name>.sources")
    if recipe.tokenizer is not None:
        # Raises RecipeError, before anything is written, for a name that is no file.
        for note in read_tokenizer(recipe.tokenizer).notes:
            reporter.say(note)
    recipe.check()
    check(recipe, output, execution)
    folder = Folder(output)
    folder.claim()
    parts = find_parts(recipe)
    if through == "mix":
        check_weights(recipe, parts)
    outcome = Outcome()
    for sentence in source_warnings(parts):
        reporter.say(f"warning: {sentence}")
    sweep_scratch()
    with folder.lock():
        refuse_unfinished(output)
        changed = folder.adopt(recipe, update=update)
        if changed and update:
            reporter.say("the recipe has changed; stages are redone where it touches them:")
            for line in redone(changed):
                reporter.say(f"  {line}")
        parts = known_inputs(folder, parts, by_digest=check_inputs, say=reporter.say)
        with (
            Timed(reporter, folder.path("work", "runs.json"), execution) as timed,
            open_engine(execution) as engine,
        ):
            parts = _Job(recipe, folder, engine, timed, outcome).split(parts)
            run_stages(recipe, folder, parts, engine, timed, outcome, through)
            timed.spent(engine.spent)
    if outcome.n_done == 0:
        reporter.say(f"{output} holds all of this already; nothing was done")
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
    outcome.failures += _failures(tasks, markers)
    job.settle(tasks, markers, last)
    _judge_failures(recipe, outcome)
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
        tasks = part_tasks(folder, recipe, parts)
        for line in _gone(folder, tasks):
            self.reporter.say(line)
        markers = self._run("curate", Curate(folder, recipe), tasks)
        note_inputs(folder, parts)
        _sweep(folder, tasks)
        for sentence in reading_notes(recipe, _sums(tasks, markers)):
            self.reporter.say(sentence)
        for kind in ("curated", "rejected"):
            if kind == "curated" or recipe.rejected != "none":
                folder.write_manifest(kind, recipe, markers, _sums(tasks, markers))
        return tasks, markers

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
        marks = {name: _compared_mark(recipe, name) if stages else [] for name in recipe.filled}
        drops = {name: rare.get(block.max_documents, {}).get("blake2b") for name, block in block_of.items()}
        compared = storage.each(
            lambda task: _compared_digests(recipe, folder, task, stages),
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
                _digest(task.fingerprint, measured, stages, removed, block, dropped, *shares, *values, *marks[subset])
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
            compare(folder, recipe, subset, list(read), _digest(read), self._perform)

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
        compared = {subset: _compared_mark(recipe, subset) for subset in read}
        fingerprints = {subset: _digest(rows, *compared[subset]) for subset, rows in read.items()}
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


def part_tasks(folder: Folder, recipe: Recipe, parts: Sequence[Part]) -> list[PartTask]:
    """Return the pass over the text of some parts as tasks."""
    fingerprints = CurateFingerprints(recipe)
    limits = recipe.isolation or Isolation()
    return [
        PartTask(
            part,
            folder.root,
            folder.marker("curate", part.subset, part.name),
            fingerprints.of(part),
            limits.seconds,
            limits.memory,
        )
        for part in parts
    ]


def _digest(*values: Any) -> str:
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


def _compared_digests(recipe: Recipe, folder: Folder, task: PartTask, stages: tuple[str, ...]) -> list[str]:
    """Digests of the values of a part that depend on the other documents of its subset."""
    subset, name = task.part.subset, task.part.name
    kinds = [kind.stage for kind in COMPARING if stages and recipe.goes_through(subset, kind.stage)]
    return [content_digest(values_path(folder, stage, subset, name)) for stage in kinds]


def _compared_mark(recipe: Recipe, subset: str) -> list[Any]:
    """What shapes the removal of documents by comparison with others; empty where there is no limit for it."""
    return [
        [stage, recipe.stage(subset, stage).fingerprint(), signal, limit.min, limit.max]
        for stage, signal, limit in recipe.compared_limits(subset)
    ]


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
    return write_frequent(folder, recipe, parts, _digest(*read))


def _keep_pieces(folder: Folder, recipe: Recipe, settled: list[Marker]) -> None:
    """The manifest of pieces/, or nothing where no subset removes spans now."""
    counts: dict[str, dict[str, int]] = {}
    for marker in settled:
        for name, summary in marker.outputs.items():
            if name.startswith("pieces/"):
                held = counts.setdefault(name.split("/")[1], {"pieces": 0})
                held["pieces"] += summary["rows"]
    if counts:
        folder.write_manifest("pieces", recipe, settled, counts)
    else:
        for path in own_parts(folder.path("pieces")):
            storage.remove(path)
        storage.remove(folder.path("pieces", "manifest.json"))


def _prepare_testsets(recipe: Recipe, folder: Folder, reporter: Reporter) -> None:
    """The index of the test sets, written once for all workers. Made again if the sets or their files changed."""
    path = testset_index(folder.root)
    if not recipe.testsets:
        return
    fingerprint = _digest(STAGES["contamination"].version, HASH_VERSION, canonical(recipe.testsets))
    marker = folder.marker("testsets", "index")
    if not folder.is_done(marker, fingerprint):
        testsets = TestSets.read([testset.model_dump() for testset in recipe.testsets])
        for members in testsets.members:
            if (warning := members.warning()) is not None:
                reporter.say(f"warning: {warning}")
        testsets.save(path)
        summary = {"bytes": storage.size(path), "blake2b": file_digest(path)}
        Marker(fingerprint, folder.outputs({"work/testsets.index": summary})).write(marker)


def _sweep(folder: Folder, tasks: Sequence[PartTask]) -> None:
    """Remove evidence, duplicates, values and ledgers of parts that the sources no longer have."""
    known = {(task.part.subset, task.part.name) for task in tasks}
    for kind in ("work/evidence", "work/contamination", "work/ledger", "work/duplicates", FILES):
        base = folder.path(kind)
        for path in storage.list_files(base):
            subset, _, name = path[len(base) + 1 :].partition("/")
            name, _, suffix = name.rpartition(".")
            is_own = suffix in ("parquet", "json") and is_part(f"{name}.parquet")
            if is_own and (subset, name) not in known:
                storage.remove(path)
    for compared in COMPARING:
        base = folder.path("work", compared.stage)
        for path in storage.list_files(base):
            subset, _, name = path[len(base) + 1 :].removesuffix(".parquet").partition("/values/")
            if is_part(f"{name}.parquet") and (subset, name) not in known:
                storage.remove(path)


_LISTED = 10
"""Sources that are named; the others are counted."""


def _gone(folder: Folder, tasks: Sequence[PartTask]) -> list[str]:
    """Return lines that name sources which DIR has rows of and the recipe's patterns no longer find."""
    known = {f"{task.part.subset}/{task.part.name}.parquet" for task in tasks}
    sources = {(task.part.subset, file.source) for task in tasks for file in task.part.members}
    base = folder.path("ledger")
    packs = [task.part for task in tasks if task.part.files]
    gone = storage.each(lambda part: gone_files(folder.root, part), packs, remote=storage.is_remote(folder.root))
    lines = [
        f"warning: {part.subset}: source {visible_name(source)} is gone; its rows leave the output"
        for part, names in zip(packs, gone)
        for source in names
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


def _sums(tasks: Sequence[PartTask], markers: Sequence[Marker]) -> dict[str, dict[str, int]]:
    """What was counted while reading, by subset: records, and what is counted and not listed."""
    found: dict[str, dict[str, int]] = {}
    for task, marker in zip(tasks, markers):
        held = found.setdefault(task.part.subset, {})
        for name, n in marker.counts.items():
            held[name] = held.get(name, 0) + n
    return found


def reading_notes(recipe: Recipe, sums: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return what was missing in the sources and cost no record, in sentences.

    Args:
        recipe: the recipe that was run.
        sums: what was counted while reading, by subset; as in the manifest of curated/.
    """
    notes = []
    for subset, counts in sorted(sums.items()):
        unreadable, chapters, members = (
            counts.get(name, 0) for name in ("timestamps_unreadable", "chapters_unreadable", "members_left_out")
        )
        if unreadable and recipe.block(subset, "deduplication").keep == "newest":
            notes.append(
                f"{subset}: the timestamps of {unreadable:,} documents cannot be read; "
                "for `keep: newest` they have none"
            )
        if chapters:
            notes.append(
                f"{subset}: {chapters:,} chapters of EPUB books cannot be read and are missing from their books; "
                "chapters_unreadable in a book's metadata"
            )
        if members:
            notes.append(f"{subset}: {members:,} members of archives were left out: by their names they are no data")
    return notes


def _failures(tasks: Sequence[PartTask], markers: Sequence[Marker]) -> list[str]:
    """Sources that could not be read, or not to their end."""
    failures = []
    for task, marker in zip(tasks, markers):
        # A part of several files has failures that each name a file.
        path = "" if task.part.files else f"{task.part.path}: "
        failures += [f"{path}{line.removeprefix(path)}" for line in marker.failures]
    return failures


def _judge_failures(recipe: Recipe, outcome: Outcome) -> None:
    """Note subsets with more failed records than the recipe bears."""
    for subset, counts in outcome.counts.items():
        n = sum(sums[0] for sums in counts.values())
        failed = sum(sums[0] for name, sums in counts.items() if name.startswith("failed"))
        if failed > recipe.max_failed * n:
            outcome.failures.append(
                f"{subset}: {failed:,} of {n:,} records failed, more than max_failed = {recipe.max_failed:g}; "
                "the ledger has the reasons"
            )
