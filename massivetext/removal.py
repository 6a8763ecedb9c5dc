"""Remove documents from a finished run: rewrite every file that contains one, one task a file.

The list is written first, with the files that are to change. Each task leaves a marker, and what states digests (the
manifests, the markers of the stages) is written when all are done. So the next call resumes a removal that was cut
short, and until then `run` and `verify` report that it is unfinished.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.dedup.index import write_index
from massivetext.errors import MassiveTextError, OutputError
from massivetext.own_files import is_part, is_shard, own_parts
from massivetext.parquet import file_digest, open_parquet, read_parquet
from massivetext.removed import Removed, held_removed, is_in, read_removed, rewrite
from massivetext.removed_texts import note_texts
from massivetext.sealed import read_sealed, unsealed, write_sealed
from massivetext.url_credentials import without_credentials
from massivetext.urls import removal_key

__all__ = ["Removal", "Rewrite", "Run", "remove"]

_TEXTS = ("curated", "rejected", "pieces", "work/evidence")
_LEDGERS = ("ledger", "work/ledger")
_SOURCES = ("curated/", "rejected/")
"""Where texts are read that are about to go. No later run reads the list of a mixture that stands alone."""


OnStart = Callable[[Sequence[Any]], Callable[[Any], None]]
"""Called with the tasks that are to run; returns what is called with each one that is done."""


class Run(Protocol):
    """The folder that documents are removed from, and what only the program that runs stages can do for it."""

    @property
    def root(self) -> str:
        """DIR: a run's output folder, or a folder of shards with the manifest of a mixture."""

    def lock(self) -> AbstractContextManager[None]:
        """Return a context in which no other process works in DIR."""

    def perform(self, tasks: Sequence[Any], on_done: Callable[[Any], None]) -> None:
        """Call every task, in processes of whatever kind. A task has `marker` and `weight` (bytes) and pickles."""

    def put_mixture_manifest(self, name: str, manifest: dict[str, Any]) -> None:
        """Write a mixture's data card and its manifest, which states the card's digest."""

    def note_mixture(self) -> None:
        """Note that the recipe's mixture is finished for the documents as they are now."""

    def indexed_documents(self) -> list[Any]:
        """Return the parts of documents that DIR's index is made of, as `massivetext.dedup.index.write_index` takes
        them."""


@dataclass
class Removal:
    """The result of a removal.

    Attributes:
        outcomes: Documents removed now, by the outcome that they had.
        copies: Documents that had been removed as duplicates of those.
        stays: (id, partner) of named documents that had been removed as duplicates of one that stays.
        rows: Rows removed by mixture, over all epochs.
        files: Files rewritten.
        shards: Of those, by mixture: (changed, all).
        known: Documents that are named and were removed before.
        missing_ids: Ids that no document has.
        missing_urls: Addresses that no document has.
        notes: Lines on what else changed.
    """

    outcomes: dict[str, int] = field(default_factory=dict)
    copies: int = 0
    stays: list[tuple[str, str]] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    files: int = 0
    shards: dict[str, tuple[int, int]] = field(default_factory=dict)
    known: int = 0
    missing_ids: list[str] = field(default_factory=list)
    missing_urls: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Rewrite:
    """The task for one file below DIR: rewrite it without the documents that DIR/removed.json lists."""

    root: str
    name: str
    weight: int
    fingerprint: str

    @property
    def marker(self) -> str:
        return _marker_path(self.root, "remove", self.name)

    def __call__(self) -> None:
        removed = held_removed(self.root)
        path = storage.join(self.root, self.name)
        kind, _, part = self.name.rpartition("/")[0].rpartition("/")
        rows = None
        if kind == "work/contamination":
            ledger = storage.join(self.root, "ledger", part, self.name.rpartition("/")[2])
            with storage.open_input(ledger) as stream:
                rows = np.flatnonzero(removed.rows(read_parquet(stream, columns=["id", "url"])))
        summary = rewrite(path, removed, is_ledger=kind in _LEDGERS, rows=rows)
        outputs = {self.name: {**summary, **_times(path)}}
        write_sealed(self.marker, {"fingerprint": self.fingerprint, "outputs": outputs, "counts": {}, "failures": []})

    def is_done(self) -> bool:
        """Return whether the file was rewritten for this list, and has not changed since."""
        marker = _read_marker(self.marker)
        if marker is None or marker["fingerprint"] != self.fingerprint:
            return False
        path, summary = storage.join(self.root, self.name), marker["outputs"][self.name]
        return storage.size(path) == summary["bytes"] and file_digest(path) == summary["blake2b"]


def remove(
    run: Run, ids: Iterable[str], urls: Iterable[str], *, on_start: OnStart = lambda tasks: lambda task: None
) -> Removal:
    """Remove documents from DIR, and finish a removal that was cut short.

    Args:
        run: The folder, and what runs tasks and describes mixtures.
        ids: Ids of documents. That of a piece, `<id>#<k>`, stands for its document.
        urls: Addresses of documents, as the ledger has them. They are also refused when they come later.
        on_start: For progress.

    Returns:
        What was removed. Copies of a document, which deduplication removed in its favour, go with it.

    Raises:
        OutputError: If DIR holds neither a ledger nor the manifest of a mixture.
    """
    root = run.root
    has_ledger = bool(_parquet(root, "ledger"))
    if not has_ledger:
        _check_mixture(root)
    with run.lock():
        try:
            addresses = set(map(without_credentials, urls))  # the list of what is removed stays in DIR
            return _remove(run, {name.partition("#")[0] for name in ids}, addresses, has_ledger, on_start)
        finally:
            # A mixture that stands alone has no work/. It goes while the lock is held, for then it is nobody else's.
            if not has_ledger and not storage.is_remote(root):
                storage.remove(storage.join(root, "work", "lock"))
                for name in ("work/done/remove", "work/done", "work"):
                    with contextlib.suppress(OSError):
                        os.rmdir(storage.join(root, name))


def _remove(run: Run, ids: set[str], urls: set[str], has_ledger: bool, on_start: OnStart) -> Removal:
    """Do what `remove` does, in a folder that is locked."""
    root = run.root
    result = Removal()
    before = read_removed(root)
    parts, named, copies = _look_up(root, ids, urls, has_ledger, result)
    result.missing_ids = sorted(ids - named - {*before.ids, *before.copies})
    # An address holds for what comes later too; an id that no document has is a mistake.
    removed = before.merged(named, urls, copies)
    files = sorted({*before.unfinished, *_files_of(root, parts, removed, result, has_ledger)})
    removed = replace(removed, unfinished=tuple(files))
    # Before the texts go, and before the list states that they are to: a removal that is cut short has them too.
    digest = note_texts(root, [name for name in files if name.startswith(_SOURCES)], {*named, *copies})
    removed = replace(removed, texts=(digest,)) if digest else removed
    if not files:
        if removed != before:
            removed.write(root)
        return result
    removed.write(root)
    _rewrite(run, removed, on_start, result)
    _settle(run, files, has_ledger, result)
    for name in files:
        storage.remove(_marker_path(root, "remove", name))
    storage.remove_empty_folders(storage.join(root, "work", "done", "remove"))
    replace(removed, unfinished=()).write(root)
    return result


def _check_mixture(root: str) -> None:
    try:
        kind = read_sealed(storage.join(root, "manifest.json"))["kind"]
    except (MassiveTextError, KeyError) as error:
        raise OutputError(f"{root}: holds neither a ledger nor the manifest of a mixture: {error}") from error
    if kind != "mixture":
        raise OutputError(f"{root}: is the folder of a run's {kind}; give the --output of that run")
    above = root.rstrip("/").rpartition("/")[0].rpartition("/")[0]
    if above and storage.exists(storage.join(above, "ledger")):
        raise OutputError(f"{root}: is a mixture of the run in {above}, whose ledger has to agree; give {above}")


def _look_up(
    root: str, ids: set[str], urls: set[str], has_ledger: bool, result: Removal
) -> tuple[set[str], set[str], set[str]]:
    """Return the parts that contain what is named, ids of the documents named, and ids of copies.

    Reads a few columns of the ledger, once and once more for each step from a document to its copies.
    """
    wanted = Removed(tuple(sorted(ids)), tuple(sorted(urls)))
    parts: set[str] = set()
    named: set[str] = set()
    seen_urls: set[str] = set()
    for part, rows in _rows(root, wanted.rows):
        parts.add(part)
        for row in rows:
            named.add(row["id"])
            seen_urls.add(row["url"])
            if (row["reason"] or "").startswith("removed."):
                result.known += 1
                continue
            result.outcomes[row["outcome"]] = result.outcomes.get(row["outcome"], 0) + 1
            if row["partner_id"]:
                result.stays.append((row["id"], row["partner_id"]))
    copies: set[str] = set()
    frontier = named
    while frontier:
        partners = pa.array(sorted(frontier), pa.string())
        frontier = set()
        for part, rows in _rows(root, partial(_has_partner, partners)):
            parts.add(part)
            frontier |= {row["id"] for row in rows}
        frontier -= named | copies
        copies |= frontier
    result.copies = len(copies)
    result.stays = [(name, partner) for name, partner in result.stays if partner not in named | copies]
    if not has_ledger:
        named, seen_urls = _named_in_shards(root, wanted, ids, urls)
        result.outcomes = {"kept": len(named)} if named else {}
    keys = {removal_key(url) for url in seen_urls if url is not None}
    result.missing_urls = sorted(url for url in urls if removal_key(url) not in keys)
    return parts, named, copies


def _has_partner(partners: pa.Array, batch: pa.RecordBatch) -> np.ndarray:
    return is_in(batch.column("partner_id"), partners)


def _rows(root: str, chosen: Callable[[pa.RecordBatch], np.ndarray]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield chosen rows of the ledger by part, of those parts that have any."""
    columns = ["id", "url", "outcome", "reason", "partner_id"]
    for path in _parquet(root, "ledger"):
        rows: list[dict[str, Any]] = []
        with storage.open_input(path) as stream:
            for batch in open_parquet(stream).iter_batches(1 << 16, columns=columns, use_threads=False):
                rows += batch.filter(pa.array(chosen(batch))).to_pylist()
        if rows:
            yield path[len(storage.join(root, "ledger")) + 1 :], rows


def _named_in_shards(root: str, wanted: Removed, ids: set[str], urls: set[str]) -> tuple[set[str], set[str]]:
    named: set[str] = set()
    seen: set[str] = set()
    for path in _parquet(root, ""):
        with storage.open_input(path) as stream:
            table = read_parquet(stream, columns=["id", "url"])
        for row in table.filter(pa.array(wanted.rows(table))).to_pylist():
            name = row["id"].partition("#")[0]
            if name in ids or wanted.names(row["url"]):
                named.add(name)
                seen.add(row["url"])
    return named, seen


def _files_of(root: str, parts: set[str], removed: Removed, result: Removal, has_ledger: bool) -> list[str]:
    """Return the files below DIR that contain what is removed, ledgers that do not record it yet, and the evidence that
    goes with them."""
    files = []
    for part in sorted(parts):
        changed = [f"ledger/{part}"] if _is_open(storage.join(root, "ledger", part), removed) else []
        if changed and storage.exists(storage.join(root, "work/ledger", part)):
            changed.append(f"work/ledger/{part}")
        for kind in _TEXTS:
            if storage.exists(storage.join(root, kind, part)) and _count(storage.join(root, kind, part), removed):
                changed.append(f"{kind}/{part}")
        if changed and storage.exists(storage.join(root, "work/contamination", part)):
            changed.append(f"work/contamination/{part}")
        files += changed
    base = "mixture" if has_ledger else ""
    for path in _parquet(root, base):
        name = path[len(root.rstrip("/")) + 1 :]
        mixture = name.split("/")[1] if has_ledger else "."
        n = _count(path, removed)
        changed_shards, all_shards = result.shards.get(mixture, (0, 0))
        result.shards[mixture] = (changed_shards + bool(n), all_shards + 1)
        result.rows[mixture] = result.rows.get(mixture, 0) + n
        if n:
            files.append(name)
    return files


def _count(path: str, removed: Removed) -> int:
    """Return the number of rows of a file that are named. Only ids and addresses are read."""
    with storage.open_input(path) as stream:
        file = open_parquet(stream)
        columns = [name for name in ("id", "url") if name in file.schema_arrow.names]
        return sum(int(removed.rows(file.read_row_group(k, columns=columns)).sum()) for k in range(file.num_row_groups))


def _is_open(path: str, removed: Removed) -> bool:
    """Return whether a ledger contains what is named and does not record yet that it is removed."""
    with storage.open_input(path) as stream:
        table = read_parquet(stream, columns=["id", "url", "reason"])
    table = table.filter(pa.array(removed.rows(table)))
    is_recorded = pc.fill_null(pc.starts_with(table.column("reason"), "removed."), False)
    return bool(table.num_rows) and not pc.all(is_recorded).as_py()


def _rewrite(run: Run, removed: Removed, on_start: OnStart, result: Removal) -> None:
    digest = hashlib.blake2b(repr((removed.ids, removed.urls, removed.copies)).encode(), digest_size=16).hexdigest()
    tasks = [Rewrite(run.root, name, storage.size(storage.join(run.root, name)), digest) for name in removed.unfinished]
    open_tasks = [task for task in tasks if not task.is_done()]
    run.perform(open_tasks, on_start(open_tasks))
    result.files = len(tasks)


def _settle(run: Run, files: Sequence[str], has_ledger: bool, result: Removal) -> None:
    """Bring what states digests and counts up to date with the files."""
    root = run.root
    outputs: dict[str, dict[str, Any]] = {}
    for name in files:
        marker = _read_marker(_marker_path(root, "remove", name))
        if marker is None:
            raise OutputError(f"{_marker_path(root, 'remove', name)}: does not exist; give the same command again")
        outputs |= marker["outputs"]
    if not has_ledger:
        _amend_card(root)
        write_sealed(storage.join(root, "manifest.json"), _amended_manifest(root, "", outputs))
        return
    for kind in ("curated", "rejected", "pieces", "ledger"):
        if any(name.startswith(f"{kind}/") for name in outputs):
            write_sealed(storage.join(root, kind, "manifest.json"), _amended_manifest(root, kind, outputs))
    base = storage.join(root, "mixture")
    below = [path[len(base) + 1 :] for path in storage.list_files(base)]
    for mixture in sorted(path.split("/")[0] for path in below if path.endswith("/manifest.json")):
        run.put_mixture_manifest(mixture, _amended_manifest(root, f"mixture/{mixture}", outputs))
    _stage_markers(root, outputs)
    run.note_mixture()
    page = storage.join(root, "report", "index.html")
    if storage.exists(page):
        storage.remove(page)
        result.notes.append(f"{page} is removed, because it shows texts; `massivetext report {root}` makes it again")
    index = storage.join(root, "index")
    if storage.exists(storage.join(index, "manifest.json")):
        try:
            write_index(root, run.indexed_documents())
            result.notes.append(f"{index} is made again without them")
        except OutputError as error:
            for path in [*own_parts(index), storage.join(index, "manifest.json")]:
                storage.remove(path)
            result.notes.append(f"{index} is removed, because it cannot be made again without them: {error}")


def _amend_card(root: str) -> None:
    """Add to the card of a mixture that stands alone that it is older: without a ledger it cannot be made again."""
    path = storage.join(root, "README.md")
    note = (
        "\n## Taken out since\n\nDocuments were taken out after this card was made: `removed.json` lists them, "
        "`manifest.json` has counts and digests as they are.\n"
    )
    if storage.exists(path):
        text = storage.read_bytes(path).decode()
        storage.write_bytes(path, (text.replace(note, "") + note).encode())


def _amended_manifest(root: str, kind: str, outputs: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return a manifest that states the files as they are now, and counts again what they contain.

    Args:
        root: DIR.
        kind: The folder below DIR that the manifest is of, `curated` or `mixture/main`; empty for DIR itself.
        outputs: Summaries of the files that were rewritten, by their path below DIR.
    """
    base = storage.join(root, kind) if kind else root
    manifest = read_sealed(storage.join(base, "manifest.json"))
    changed_subsets = set()
    for name, summary in outputs.items():
        if not kind or name.startswith(f"{kind}/"):
            below = name[len(kind) + 1 :] if kind else name
            keys = manifest["files"].get(below, summary)
            manifest["files"][below] = {key: summary[key] for key in keys}
            changed_subsets.add(below.split("/")[0])
    if manifest["kind"] == "mixture":
        tokens: dict[str, int] = {}
        for summary in manifest["files"].values():
            for name, n in summary["tokens"].items():
                tokens[name] = tokens.get(name, 0) + n
        rows = sum(summary["rows"] for summary in manifest["files"].values())
        manifest["counts"] = {"rows": rows, "tokens": dict(sorted(tokens.items()))}
    elif kind in ("pieces", "ledger"):
        for subset in changed_subsets:
            names = [name for name in manifest["files"] if name.startswith(f"{subset}/")]
            if kind == "pieces":
                manifest["counts"][subset] = {"pieces": sum(manifest["files"][name]["rows"] for name in names)}
            else:
                manifest["counts"][subset] = _outcomes([storage.join(base, name) for name in names])
    if not kind and "card" in manifest:
        card = storage.join(base, manifest["card"]["name"])
        manifest["card"] |= {"bytes": storage.size(card), "blake2b": file_digest(card)}
    return manifest


def _outcomes(paths: Sequence[str]) -> dict[str, list[int]]:
    """Return documents, bytes and tokens by outcome and reason, as a ledger's manifest has them."""
    counts: dict[str, list[int]] = {}
    for path in paths:
        with storage.open_input(path) as stream:
            table = read_parquet(stream, columns=["outcome", "reason", "n_bytes", "n_tokens"])
        sums = table.group_by(["outcome", "reason"]).aggregate(
            [([], "count_all"), ("n_bytes", "sum"), ("n_tokens", "sum")]
        )
        for row in sums.to_pylist():
            name = row["outcome"] if row["reason"] is None else f"{row['outcome']} {row['reason']}"
            added = (row["count_all"], row["n_bytes_sum"] or 0, row["n_tokens_sum"] or 0)
            counts[name] = [a + b for a, b in zip(counts.get(name, [0, 0, 0]), added)]
    return counts


def _stage_markers(root: str, outputs: dict[str, dict[str, Any]]) -> None:
    """Put the new digests into the stages' markers, so that a later run does not read the sources of these parts again.

    A stage's marker of a part is work/done/STAGE/SUBSET/PART.json; those that name a rewritten file are amended.
    """
    base = storage.join(root, "work", "done")
    by_part: dict[str, list[str]] = {}
    for name in sorted(outputs):
        if not name.startswith("mixture/"):
            by_part.setdefault("/".join(name.removesuffix(".parquet").split("/")[-2:]), []).append(name)
    stages = {path[len(base) + 1 :].split("/")[0] for path in storage.list_files(base)} - {"remove"}
    for stage in sorted(stages):
        for part, names in by_part.items():
            path = _marker_path(root, stage, part)
            marker = _read_marker(path)
            changed = [] if marker is None else [name for name in names if name in marker["outputs"]]
            if marker is not None and changed:
                for name in changed:
                    summary = outputs[name]
                    keys = {*marker["outputs"][name], "rows", "bytes", "blake2b", *_TIMES} & set(summary)
                    marker["outputs"][name] = {key: summary[key] for key in keys}
                write_sealed(path, marker)


_TIMES = ("mtime_ns", "ctime_ns")


def _times(path: str) -> dict[str, int]:
    """Return the times by which a later run knows that a local file has not been touched."""
    if storage.is_remote(path):
        return {}
    status = os.stat(path)
    return {name: getattr(status, f"st_{name}") for name in _TIMES}


def _marker_path(root: str, stage: str, name: str) -> str:
    return storage.join(root, "work", "done", stage, f"{name}.json")


def _read_marker(path: str) -> dict[str, Any] | None:
    """Return a task's marker (fingerprint, outputs, counts, failures), or None if there is none that can be read."""
    if not storage.exists(path):
        return None
    try:
        marker = unsealed(storage.read_bytes(path))
    except ValueError:
        return None
    return marker if {"fingerprint", "outputs"} <= set(marker) else None


def _parquet(root: str, kind: str) -> list[str]:
    """Return the files of parts, or of shards, below a folder of DIR; what else may lie there is not ours."""
    base = storage.join(root, kind) if kind else root.rstrip("/")
    return [path for path in storage.list_files(base) if is_part(path) or is_shard(path)]
