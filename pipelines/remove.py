"""Taking documents out of a finished run: every file that holds one is written anew without it, one task a file.

The list is written first, with the files that are to change. Each task leaves a marker, and what states digests (the
manifests, the markers of the stages) is written when all are done; so a removal that was cut short is gone on with by
the next call, and until then `run` and `verify` say that it is unfinished.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.dedup.index import write_index
from massivetext.errors import MassiveTextError, OutputError
from massivetext.parquet import file_digest
from massivetext.removed import Removed, held_removed, is_in, read_removed, rewrite
from pipelines.deduplicate import find_documents
from pipelines.execution import Marker, Workers
from pipelines.folder import Folder
from pipelines.mix import note_mixture, put_manifest

__all__ = ["Removal", "refuse_unfinished", "remove"]

_TEXTS = ("curated", "rejected", "pieces", "work/evidence")
_LEDGERS = ("ledger", "work/ledger")


@dataclass
class Removal:
    """What a removal came to. outcomes: documents taken out now, by the outcome that they had. copies: documents that
    had been removed as duplicates of those. stays: (id, partner) of named documents that had been removed as duplicates
    of one that stays. rows: by mixture the rows taken out, over all epochs; files: files written anew; shards: of
    those, by mixture (changed, all). known: named, and taken out before."""

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
    """The task for one file below DIR."""

    folder: Folder
    name: str
    weight: int
    fingerprint: str

    @property
    def marker(self) -> str:
        return self.folder.marker("remove", f"{self.name}")

    def __call__(self) -> None:
        removed = held_removed(self.folder.root)
        path = self.folder.path(self.name)
        kind, _, part = self.name.rpartition("/")[0].rpartition("/")
        rows = None
        if kind == "work/contamination":
            with storage.open_input(self.folder.path("ledger", part, self.name.rpartition("/")[2])) as stream:
                rows = np.flatnonzero(removed.rows(pq.read_table(stream, columns=["id", "url"])))
        summary = rewrite(path, removed, is_ledger=kind in _LEDGERS, rows=rows)
        Marker(self.fingerprint, self.folder.outputs({self.name: summary})).write(self.marker)


def refuse_unfinished(root: str) -> None:
    """Raises OutputError if a removal of documents from DIR was begun and not finished."""
    left = read_removed(root).unfinished
    if left:
        raise OutputError(
            f"{root}: a removal was begun and not finished ({len(left):,} files); "
            f"give `massivetext remove {root}` first"
        )


def remove(
    root: str,
    ids: Iterable[str],
    urls: Iterable[str],
    workers: Workers,
    *,
    on_start: Callable[[Sequence[Any]], Callable[[Any], None]] = lambda tasks: lambda task: None,
) -> Removal:
    """Take the documents of these ids and addresses out of DIR, and go on with a removal that was cut short.

    DIR is a run's output folder, or a folder of shards with the manifest of a mixture. An id may be that of a piece,
    `<id>#<k>`, and stands for its document. Copies of a document, which deduplication removed in its favour, go with
    it.
    """
    folder = Folder(root)
    found = Removal()
    with folder.lock():
        held = read_removed(root)
        has_ledger = bool(_parquet(folder, "ledger"))
        if not has_ledger:
            _check_mixture(root)
        ids, urls = {name.partition("#")[0] for name in ids}, set(urls)
        parts, named, copies = _look_up(folder, ids, urls, has_ledger, found)
        found.missing_ids = sorted(ids - named - {*held.ids, *held.copies})
        # An address holds for what comes later too; an id that is not there is a mistake.
        removed = held.merged(named, urls, copies)
        files = sorted({*held.unfinished, *_files_of(folder, parts, removed, found, has_ledger)})
        removed = replace(removed, unfinished=tuple(files))
        if not files:
            if removed != held:
                removed.write(root)
            return found
        removed.write(root)
        _rewrite(folder, removed, workers, on_start, found)
        _settle(folder, files, has_ledger, found)
        storage.remove_tree(folder.path("work", "done", "remove"))
        replace(removed, unfinished=()).write(root)
    if not has_ledger and not storage.is_remote(root):
        storage.remove_tree(folder.path("work"))
    return found


def _check_mixture(root: str) -> None:
    try:
        kind = json.loads(storage.read_bytes(storage.join(root, "manifest.json")))["kind"]
    except (MassiveTextError, ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{root}: holds neither a ledger nor the manifest of a mixture: {error}") from error
    if kind != "mixture":
        raise OutputError(f"{root}: is the folder of a run's {kind}; give the --output of that run")
    above = root.rstrip("/").rpartition("/")[0].rpartition("/")[0]
    if above and storage.exists(storage.join(above, "ledger")):
        raise OutputError(f"{root}: is a mixture of the run in {above}, whose ledger has to agree; give {above}")


def _look_up(
    folder: Folder, ids: set[str], urls: set[str], has_ledger: bool, found: Removal
) -> tuple[set[str], set[str], set[str]]:
    """Parts that hold what is named, ids of the documents named, ids of copies. Reads a few columns of the ledger, once
    and once more for each step from a document to its copies; they are not held."""
    wanted = Removed(tuple(sorted(ids)), tuple(sorted(urls)))
    parts: set[str] = set()
    named: set[str] = set()
    seen_urls: set[str] = set()
    for part, rows in _rows(folder, wanted.rows):
        parts.add(part)
        for row in rows:
            named.add(row["id"])
            seen_urls.add(row["url"])
            if (row["reason"] or "").startswith("removed."):
                found.known += 1
                continue
            found.outcomes[row["outcome"]] = found.outcomes.get(row["outcome"], 0) + 1
            if row["partner_id"]:
                found.stays.append((row["id"], row["partner_id"]))
    copies: set[str] = set()
    frontier = named
    while frontier:
        partners = pa.array(sorted(frontier), pa.string())
        frontier = set()
        for part, rows in _rows(folder, partial(_has_partner, partners)):
            parts.add(part)
            frontier |= {row["id"] for row in rows}
        frontier -= named | copies
        copies |= frontier
    found.copies = len(copies)
    found.stays = [(name, partner) for name, partner in found.stays if partner not in named | copies]
    if not has_ledger:
        named, seen_urls = _named_in_shards(folder, wanted, ids, urls)
        found.outcomes = {"kept": len(named)} if named else {}
    found.missing_urls = sorted(urls - seen_urls)
    return parts, named, copies


def _has_partner(partners: pa.Array, batch: pa.RecordBatch) -> np.ndarray:
    return is_in(batch.column("partner_id"), partners)


def _rows(folder: Folder, chosen: Callable[[pa.RecordBatch], np.ndarray]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Chosen rows of the ledger by part, of those parts that have any."""
    columns = ["id", "url", "outcome", "reason", "partner_id"]
    for path in _parquet(folder, "ledger"):
        rows: list[dict[str, Any]] = []
        with storage.open_input(path) as stream:
            for batch in pq.ParquetFile(stream).iter_batches(1 << 16, columns=columns, use_threads=False):
                rows += batch.filter(pa.array(chosen(batch))).to_pylist()
        if rows:
            yield path[len(folder.path("ledger")) + 1 :], rows


def _named_in_shards(folder: Folder, wanted: Removed, ids: set[str], urls: set[str]) -> tuple[set[str], set[str]]:
    named: set[str] = set()
    seen: set[str] = set()
    for path in _parquet(folder, ""):
        with storage.open_input(path) as stream:
            table = pq.read_table(stream, columns=["id", "url"])
        for row in table.filter(pa.array(wanted.rows(table))).to_pylist():
            name = row["id"].partition("#")[0]
            if name in ids or row["url"] in urls:
                named.add(name)
                seen.add(row["url"])
    return named, seen


def _files_of(folder: Folder, parts: set[str], removed: Removed, found: Removal, has_ledger: bool) -> list[str]:
    """Files below DIR that hold what is removed, ledgers that do not say so yet, and evidence that goes with them."""
    files = []
    for part in sorted(parts):
        changed = [f"ledger/{part}"] if _is_open(folder.path("ledger", part), removed) else []
        if changed and storage.exists(folder.path("work/ledger", part)):
            changed.append(f"work/ledger/{part}")
        for kind in _TEXTS:
            if storage.exists(folder.path(kind, part)) and _count(folder.path(kind, part), removed):
                changed.append(f"{kind}/{part}")
        if changed and storage.exists(folder.path("work/contamination", part)):
            changed.append(f"work/contamination/{part}")
        files += changed
    base = "mixture" if has_ledger else ""
    for path in _parquet(folder, base):
        name = path[len(folder.root.rstrip("/")) + 1 :]
        mixture = name.split("/")[1] if has_ledger else "."
        n = _count(path, removed)
        changed_shards, all_shards = found.shards.get(mixture, (0, 0))
        found.shards[mixture] = (changed_shards + bool(n), all_shards + 1)
        found.rows[mixture] = found.rows.get(mixture, 0) + n
        if n:
            files.append(name)
    return files


def _count(path: str, removed: Removed) -> int:
    """Rows of a file that are named. Only ids and addresses are read."""
    with storage.open_input(path) as stream:
        file = pq.ParquetFile(stream)
        columns = [name for name in ("id", "url") if name in file.schema_arrow.names]
        return sum(int(removed.rows(file.read_row_group(k, columns=columns)).sum()) for k in range(file.num_row_groups))


def _is_open(path: str, removed: Removed) -> bool:
    """Whether a ledger holds what is named and does not say yet that it is removed."""
    with storage.open_input(path) as stream:
        table = pq.read_table(stream, columns=["id", "url", "reason"])
    table = table.filter(pa.array(removed.rows(table)))
    said = pc.fill_null(pc.starts_with(table.column("reason"), "removed."), False)
    return bool(table.num_rows) and not pc.all(said).as_py()


def _rewrite(
    folder: Folder,
    removed: Removed,
    workers: Workers,
    on_start: Callable[[Sequence[Any]], Callable[[Any], None]],
    found: Removal,
) -> None:
    fingerprint = hashlib.blake2b(repr((removed.ids, removed.urls, removed.copies)).encode(), digest_size=16)
    tasks = [
        Rewrite(folder, name, storage.size(folder.path(name)), fingerprint.hexdigest()) for name in removed.unfinished
    ]
    left = [task for task in tasks if not folder.is_done(task.marker, task.fingerprint)]
    workers.run(left, on_done=on_start(left))
    found.files = len(tasks)


def _settle(folder: Folder, files: Sequence[str], has_ledger: bool, found: Removal) -> None:
    """Bring what states digests and counts up to date with the files."""
    written: dict[str, dict[str, Any]] = {}
    for name in files:
        marker = Marker.read(folder.marker("remove", name))
        if marker is None:
            raise OutputError(f"{folder.marker('remove', name)}: is not there; give the same command again")
        written |= marker.outputs
    if not has_ledger:
        _amend_card(folder)
        _manifest(folder, "", written)
        return
    for kind in ("curated", "rejected", "pieces", "ledger"):
        if any(name.startswith(f"{kind}/") for name in written):
            _manifest(folder, kind, written)
    for mixture in sorted(path.split("/")[0] for path in _below(folder, "mixture") if path.endswith("/manifest.json")):
        _manifest(folder, f"mixture/{mixture}", written)
    _stage_markers(folder, written)
    recipe = folder.recipe()
    note_mixture(folder, recipe)
    page = folder.path("report", "index.html")
    if storage.exists(page):
        storage.remove(page)
        found.notes.append(f"{page} is removed, for it shows texts; `massivetext report {folder.root}` makes it again")
    if storage.exists(folder.path("index", "manifest.json")):
        subsets = [name for name in recipe.filled if recipe.goes_through(name, "deduplication")]
        try:
            write_index(folder.root, [part for subset in subsets for part in find_documents(folder, subset)])
            found.notes.append(f"{folder.path('index')} is made again without them")
        except OutputError as error:
            storage.remove_tree(folder.path("index"))
            found.notes.append(f"{folder.path('index')} is removed, for it cannot be made again without them: {error}")


def _amend_card(folder: Folder) -> None:
    """Say in the card of a mixture that stands alone that it is older: without a ledger it cannot be made again."""
    path = folder.path("README.md")
    said = (
        "\n## Taken out since\n\nDocuments were taken out after this card was made: `removed.json` lists them, "
        "`manifest.json` has counts and digests as they are.\n"
    )
    if storage.exists(path):
        text = storage.read_bytes(path).decode()
        storage.write_bytes(path, (text.replace(said, "") + said).encode())


def _manifest(folder: Folder, kind: str, written: dict[str, dict[str, Any]]) -> None:
    """State the files as they are now, and count again what the files hold."""
    path = folder.path(kind, "manifest.json") if kind else folder.path("manifest.json")
    manifest = json.loads(storage.read_bytes(path))
    subsets = set()
    for name, summary in written.items():
        if not kind or name.startswith(f"{kind}/"):
            below = name[len(kind) + 1 :] if kind else name
            keys = manifest["files"].get(below, summary)
            manifest["files"][below] = {key: summary[key] for key in keys}
            subsets.add(below.split("/")[0])
    if manifest["kind"] == "mixture":
        tokens: dict[str, int] = {}
        for summary in manifest["files"].values():
            for name, n in summary["tokens"].items():
                tokens[name] = tokens.get(name, 0) + n
        rows = sum(summary["rows"] for summary in manifest["files"].values())
        manifest["counts"] = {"rows": rows, "tokens": dict(sorted(tokens.items()))}
    elif kind == "pieces":
        for subset in subsets:
            names = [name for name in manifest["files"] if name.startswith(f"{subset}/")]
            manifest["counts"][subset] = {"pieces": sum(manifest["files"][name]["rows"] for name in names)}
    elif kind == "ledger":
        for subset in subsets:
            names = [name for name in manifest["files"] if name.startswith(f"{subset}/")]
            manifest["counts"][subset] = _outcomes([folder.path("ledger", name) for name in names])
    if not kind and "card" in manifest:
        name = folder.path(manifest["card"]["name"])
        manifest["card"] |= {"bytes": storage.size(name), "blake2b": file_digest(name)}
    if kind.startswith("mixture/"):
        put_manifest(folder, kind.removeprefix("mixture/"), manifest)
        return
    storage.write_bytes(path, (json.dumps(manifest, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode())


def _outcomes(paths: Sequence[str]) -> dict[str, list[int]]:
    """Documents, bytes and tokens by outcome and reason, as a ledger's manifest has them."""
    counts: dict[str, list[int]] = {}
    for path in paths:
        with storage.open_input(path) as stream:
            table = pq.read_table(stream, columns=["outcome", "reason", "n_bytes", "n_tokens"])
        sums = table.group_by(["outcome", "reason"]).aggregate(
            [([], "count_all"), ("n_bytes", "sum"), ("n_tokens", "sum")]
        )
        for row in sums.to_pylist():
            name = row["outcome"] if row["reason"] is None else f"{row['outcome']} {row['reason']}"
            found = (row["count_all"], row["n_bytes_sum"] or 0, row["n_tokens_sum"] or 0)
            counts[name] = [a + b for a, b in zip(counts.get(name, [0, 0, 0]), found)]
    return counts


def _stage_markers(folder: Folder, written: dict[str, dict[str, Any]]) -> None:
    """A later run finds what the stages wrote as it is now, and does not read the sources of these parts again."""
    for name in sorted(name for name in written if not name.startswith("mixture/")):
        subset, part = name.removesuffix(".parquet").split("/")[-2:]
        for stage in ("curate", "settle"):
            path = folder.marker(stage, subset, part)
            marker = Marker.read(path)
            if marker is not None and name in marker.outputs:
                keys = {*marker.outputs[name], "rows", "bytes", "blake2b", "mtime_ns", "ctime_ns"} & set(written[name])
                outputs = {**marker.outputs, name: {key: written[name][key] for key in keys}}
                replace(marker, outputs=outputs).write(path)


def _parquet(folder: Folder, kind: str) -> list[str]:
    base = folder.path(kind) if kind else folder.root.rstrip("/")
    return [path for path in storage.list_files(base) if path.endswith(".parquet")]


def _below(folder: Folder, kind: str) -> list[str]:
    base = folder.path(kind)
    return [path[len(base) + 1 :] for path in storage.list_files(base)]
