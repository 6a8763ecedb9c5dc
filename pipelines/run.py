"""The main job: every stage that DIR does not already hold, in order.

curate         per part: read, extract, measure, judge          -> curated/, rejected/, work/
deduplicate    per subset: exact and near-duplicates            -> work/duplicates/
decontaminate  per part: what the test sets' evidence says      -> ledger/, final; pieces/
mix            per shard                                        -> mixture/
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from massivetext import storage
from massivetext.contamination import TestSets
from massivetext.dedup import plan
from massivetext.errors import OutputError
from massivetext.parquet import file_digest
from pipelines import engine
from pipelines.contamination import is_tested, write_frequent
from pipelines.curate import CuratePart
from pipelines.deduplicate import deduplicate
from pipelines.execution import ATTEMPTS, Execution, Marker, Workers, read_markers
from pipelines.folder import Folder
from pipelines.measures import ledger_schema, testset_index
from pipelines.mix import mix
from pipelines.parts import Part, find_parts
from pipelines.recipe import RULE_FAMILIES, Recipe, content_digest
from pipelines.remove import refuse_unfinished
from pipelines.settle import SettlePart
from pipelines.timings import Timed
from pipelines.update import redone, why

__all__ = ["COMMANDS", "Outcome", "Reporter", "run", "run_stages"]

COMMANDS = ("curate", "deduplicate", "decontaminate", "mix")

_LATER = ("deduplication", "contamination")
"""Stages after the pass over the text."""


class Reporter(Protocol):
    """Tells a person how far the run is."""

    def say(self, line: str) -> None: ...

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
) -> Outcome:
    """Run the stages up to and including `through`. What DIR holds already, for the same recipe and input, is kept."""
    if not recipe.filled:
        raise OutputError("the recipe has no subset with sources; give at least one under subsets.<name>.sources")
    engine.check(recipe, output, execution.runner, execution.beam_options)
    folder = Folder(output)
    parts = find_parts(recipe)
    outcome = Outcome()
    with folder.lock():
        refuse_unfinished(output)
        changed = folder.adopt(recipe, update=update)
        if changed and update:
            reporter.say("the recipe has changed; stages are redone where it touches them:")
            for line in redone(changed):
                reporter.say(f"  {line}")
        with (
            Timed(reporter, folder.path("work", "runs.json"), execution) as timed,
            Workers(execution, folder.path("work", "engine")) as workers,
        ):
            run_stages(recipe, folder, parts, workers, timed, outcome, through)
            timed.spent(workers.spent)
    if outcome.n_done == 0:
        reporter.say(f"{output} holds all of this already; nothing was done")
    return outcome


def run_stages(
    recipe: Recipe,
    folder: Folder,
    parts: Sequence[Part],
    workers: Workers,
    reporter: Reporter,
    outcome: Outcome,
    through: str,
) -> None:
    """The stages up to `through` over the parts given, in a folder that nobody else works in."""
    last = COMMANDS.index(through)
    _prepare_testsets(recipe, folder)
    canonical = recipe.canonical()
    tasks = [CuratePart(folder, recipe, part, _curate_fingerprint(recipe, canonical, part)) for part in parts]
    markers = _run("curate", tasks, folder, workers, reporter, outcome, _give_up)
    _sweep(folder, tasks)
    for kind in ("curated", "rejected"):
        if kind == "curated" or recipe.rejected != "none":
            folder.write_manifest(kind, recipe, markers, _sums(tasks, markers))
    stages: tuple[str, ...] = ()
    if last >= 1:
        if any(recipe.goes_through(name, "deduplication") for name in recipe.filled):
            reporter.stage("deduplicate", [])
            deduplicate(folder, recipe, workers, say=reporter.say)
        stages = ("deduplication", "contamination") if last >= 2 else ("deduplication",)
    rare = _frequent(folder, recipe, tasks, markers) if last >= 2 else {}
    fingerprints = storage.each(
        lambda found: _settle_fingerprint(recipe, folder, *found, stages, rare),
        list(zip(tasks, markers)),
        remote=storage.is_remote(folder.root),
    )
    settling = [
        SettlePart(
            folder,
            recipe,
            task.part.subset,
            task.part.name,
            stages,
            fingerprint,
            marker.counts.get("records", 0) + 1,
        )
        for task, marker, fingerprint in zip(tasks, markers, fingerprints)
    ]
    settled = _run("decontaminate" if last >= 2 else "ledger", settling, folder, workers, reporter, outcome, None)
    for task, marker in zip(settling, settled):
        held = outcome.counts.setdefault(task.subset, {})
        for name, sums in marker.counts.items():
            held[name] = [a + b for a, b in zip(held.get(name, [0, 0, 0]), sums)]
    folder.write_manifest("ledger", recipe, settled, outcome.counts)
    _keep_pieces(folder, recipe, settled)
    _judge_failures(recipe, tasks, markers, outcome)
    if last >= 3:
        names = {subset: [part.name for part in parts if part.subset == subset] for subset in recipe.filled}

        def on_start(left: Sequence[Any]) -> Callable[[Any], None]:
            outcome.n_done += len(left)
            return reporter.stage("mix", left)

        mix(folder, recipe, workers, parts=names, say=reporter.say, on_start=on_start)
        outcome.mixture = folder.path("mixture", recipe.mixture.name)


def _run(
    name: str,
    tasks: Sequence[Any],
    folder: Folder,
    workers: Workers,
    reporter: Reporter,
    outcome: Outcome,
    give_up: Callable[[Any, str], None] | None,
) -> list[Marker]:
    """Run those of a stage's tasks that are not done, and return the markers of all."""
    held = folder.held(tasks)
    left = [task for task, found in zip(tasks, held) if found is None]
    outcome.n_done += len(left)
    reason = why(name, tasks, left)
    if reason:
        reporter.say(reason)
    if left:
        workers.run(left, on_done=reporter.stage(name, left), give_up=give_up)
    markers = []
    for task, marker in zip(tasks, read_markers([task.marker for task in tasks]) if left else held):
        if marker is None or marker.fingerprint != task.fingerprint:
            raise OutputError(f"{task.marker}: the task left no marker; run the command again")
        markers.append(marker)
    return markers


def _give_up(task: CuratePart, said: str) -> None:
    task.give_up(f"given up after {ATTEMPTS} attempts ({said}); the next run tries it again")


def _digest(*values: Any) -> str:
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()


def _curate_fingerprint(recipe: Recipe, canonical: Mapping[str, Any], part: Part) -> str:
    """All that shapes a part's curated rows and measures, and no more: its bytes, the blocks of the stages that its
    subset goes through, and the columns that every ledger of the run has."""
    name = part.subset
    own = canonical["subsets"][name]
    stages = [stage for stage in own["stages"] if stage not in _LATER]
    blocks: dict[str, Any] = {key: canonical.get(key) for key in ("tokenizer", "rejected", "isolation")}
    if not isinstance(recipe.rejected, str):
        blocks["seed"] = recipe.seed  # of the sample
    if "repetition" in stages:
        blocks["count_duplicates"] = recipe.count_duplicates
    if part.format in ("warc", "wet") or ":" in part.format or "page" in part.fields:
        blocks["extraction"] = recipe.block(name, "extraction").model_dump(mode="json")
    for stage in stages:
        if stage in RULE_FAMILIES:
            limits = recipe.limits(name, stage)
            blocks[stage] = {signal: [limit.min, limit.max] for signal, limit in limits.items()}
        elif stage != "extraction":
            blocks[stage] = [canonical.get(stage), own.get(stage)]
    if recipe.goes_through(name, "deduplication"):
        duplicates = recipe.block(name, "deduplication")
        banding = plan(duplicates.threshold, duplicates.recall)
        blocks["evidence"] = [banding.bands, banding.rows]
    if is_tested(recipe, name):
        blocks["testsets"] = ["contamination-evidence-1", canonical["testsets"]]
    return _digest(
        blocks,
        stages,
        ledger_schema(recipe).names,
        [part.source, part.format, part.start, part.stop, part.n_bytes, part.stamp, dict(part.fields)],
    )


def _settle_fingerprint(
    recipe: Recipe,
    folder: Folder,
    task: CuratePart,
    curated: Marker,
    stages: tuple[str, ...],
    rare: Mapping[int, Mapping[str, Any]],
) -> str:
    """All that shapes a part's final ledger: what the pass over the text left, by its digests, and the later stages."""
    measured = sorted((name, summary["blake2b"]) for name, summary in curated.outputs.items())
    duplicates = folder.part("work/duplicates", task.part.subset, task.part.name)
    held = content_digest(duplicates) if "deduplication" in stages and storage.exists(duplicates) else None
    block = recipe.block(task.part.subset, "contamination")
    dropped = rare.get(block.max_documents, {}).get("blake2b")
    return _digest(task.fingerprint, measured, stages, held, block.model_dump(mode="json"), dropped)


def _frequent(
    folder: Folder, recipe: Recipe, tasks: Sequence[CuratePart], markers: Sequence[Marker]
) -> dict[int, dict[str, Any]]:
    """Files of shingles that are everywhere, for each max_documents of the recipe."""
    parts = [(task.part.subset, task.part.name) for task in tasks]
    read: list[Any] = [recipe.canonical()["testsets"]]
    for (subset, name), marker in zip(parts, markers):
        evidence = marker.outputs.get(f"work/contamination/{subset}/{name}.parquet", {})
        duplicates = folder.part("work/duplicates", subset, name)
        held = content_digest(duplicates) if storage.exists(duplicates) else None
        read.append([subset, name, evidence.get("blake2b"), held, recipe.goes_through(subset, "deduplication")])
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
        for path in storage.list_files(folder.path("pieces")):
            storage.remove(path)


def _prepare_testsets(recipe: Recipe, folder: Folder) -> None:
    """The index of the test sets, written once for all workers. Made again if the sets or their files changed."""
    path = testset_index(folder)
    if not recipe.testsets:
        return
    fingerprint = _digest(recipe.canonical()["testsets"])
    marker = folder.marker("testsets", "index")
    if not folder.is_done(marker, fingerprint):
        TestSets.read([testset.model_dump() for testset in recipe.testsets]).save(path)
        summary = {"bytes": storage.size(path), "blake2b": file_digest(path)}
        Marker(fingerprint, folder.outputs({"work/testsets.index": summary})).write(marker)


def _sweep(folder: Folder, tasks: Sequence[CuratePart]) -> None:
    """Remove evidence, duplicates and ledgers of parts that the sources no longer have."""
    known = {(task.part.subset, task.part.name) for task in tasks}
    for kind in ("work/evidence", "work/contamination", "work/ledger", "work/duplicates"):
        base = folder.path(kind)
        for path in storage.list_files(base):
            subset, _, name = path[len(base) + 1 :].partition("/")
            if path.endswith(".parquet") and (subset, name.removesuffix(".parquet")) not in known:
                storage.remove(path)


def _sums(tasks: Sequence[CuratePart], markers: Sequence[Marker]) -> dict[str, dict[str, int]]:
    """What was counted while reading, by subset: records, and what is counted and not listed."""
    found: dict[str, dict[str, int]] = {}
    for task, marker in zip(tasks, markers):
        held = found.setdefault(task.part.subset, {})
        for name, n in marker.counts.items():
            held[name] = held.get(name, 0) + n
    return found


def _judge_failures(recipe: Recipe, tasks: Sequence[CuratePart], markers: Sequence[Marker], outcome: Outcome) -> None:
    for task, marker in zip(tasks, markers):
        outcome.failures += [
            f"{task.part.path}: {line.removeprefix(task.part.path + ': ')}" for line in marker.failures
        ]
    for subset, counts in outcome.counts.items():
        n = sum(sums[0] for sums in counts.values())
        failed = sum(sums[0] for name, sums in counts.items() if name.startswith("failed"))
        if failed > recipe.max_failed * n:
            outcome.failures.append(
                f"{subset}: {failed:,} of {n:,} records failed, more than max_failed = {recipe.max_failed:g}; "
                "the ledger has the reasons"
            )
