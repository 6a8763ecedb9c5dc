"""What a loader reads: the row groups of a mixture's shards, or of curated parts whose ledgers say what is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.errors import OutputError, RecipeError, SourceError
from massivetext.mixture.finished import compare_files, finished_shards

__all__ = ["TOKENS", "Source", "curated_source", "mixture_source"]

TOKENS = "n_tokens"
"""The column of which weights are shares."""


@dataclass(frozen=True)
class Source:
    """Row groups of documents. files: (Parquet, its ledger or None), in order; file, row_group: int32, of each row
    group its file and number in it; documents: in all files, the ones that a ledger rejects left out; digest: of what
    the files hold, hex; columns: of their schema."""

    name: str
    files: tuple[tuple[str, str | None], ...]
    file: np.ndarray
    row_group: np.ndarray
    documents: int
    digest: str
    columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.file)

    def read(self, unit: int, columns: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
        """A row group, and the rows of it that are kept. Raises SourceError where it cannot be read, OutputError for a
        document that the ledger does not know."""
        path, ledger = self.files[self.file[unit]]
        group = int(self.row_group[unit])
        names = list(columns) if ledger is None or "id" in columns else [*columns, "id"]
        try:
            with storage.open_input(path) as stream:
                # One thread decodes; the loader has another one for what comes next.
                table = pq.ParquetFile(stream).read_row_group(group, columns=names, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise SourceError(
                f"{path}: row group {group} cannot be read: {error}; `massivetext verify` names what is damaged"
            ) from error
        rows = np.arange(table.num_rows)
        if ledger is not None:
            rows = np.flatnonzero(_kept(table.column("id"), path, ledger))
        return table.select(list(columns)), rows


def _kept(ids: pa.ChunkedArray, path: str, ledger: str) -> np.ndarray:
    try:
        with storage.open_input(ledger) as stream:
            rows = pq.ParquetFile(stream).read(columns=["id", "outcome"], use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{ledger}: cannot be read: {error}; run `massivetext run` again") from error
    at = pc.index_in(ids, value_set=rows.column("id").combine_chunks())
    if at.null_count:
        first = ids.filter(pc.is_null(at))[0].as_py()
        raise OutputError(f"{path}: its document {first} is not in {ledger}; run `massivetext run` again")
    return pc.equal(rows.column("outcome").take(at), "kept").to_numpy()


def mixture_source(path: str, mixture: str | None, *, name: str) -> Source:
    """path: an output folder, a mixture in it, or a folder or file of Parquet.

    Raises OutputError where there are no shards, or they are not what their manifest says.
    """
    folder, shards, manifest = finished_shards(path, mixture)
    footers = _footers(shards, "write the mixture again")
    digest = hashlib.blake2b(digest_size=16)
    for shard, (groups, _) in zip(shards, footers):
        file = shard[len(folder) + 1 :]
        if manifest is None:
            digest.update(json.dumps([file, storage.size(shard), groups]).encode())
            continue
        expected = manifest["files"][file]
        digest.update(json.dumps([file, expected["blake2b"]]).encode())
    source = _source(name, [(shard, None) for shard in shards], footers, digest.hexdigest(), documents=None)
    if not source.documents:
        raise OutputError(f"{path}: its {len(shards)} shards hold no documents")
    return source


def curated_source(path: str, subsets: Sequence[str], *, name: str) -> Source:
    """The kept documents of subsets of an output folder: those of curated/ that the ledger keeps, and all of pieces/.

    Raises OutputError where there is no finished ledger or files are not what their manifests say, RecipeError for a
    subset without documents.
    """
    manifests = {kind: _manifest(path, kind) for kind in ("curated", "pieces", "ledger")}
    counts = manifests["ledger"]["counts"]
    digest = hashlib.blake2b(digest_size=16)
    files: list[tuple[str, str | None]] = []
    documents = 0
    for subset in subsets:
        if subset not in counts:
            raise RecipeError(f"subsets: there is no {subset!r} in {path}, only {', '.join(sorted(counts)) or 'none'}")
        found = {
            kind: [file for file in sorted(manifest["files"]) if file.startswith(f"{subset}/")]
            for kind, manifest in manifests.items()
        }
        for kind, names in found.items():
            folder, listed = storage.join(path, kind), manifests[kind]["files"]
            if names:
                compare_files(folder, listed, names, remedy="run `massivetext run` again")
            digest.update(json.dumps([kind, [[file, listed[file]["blake2b"]] for file in names]]).encode())
        kept = int(counts[subset].get("kept", [0])[0])
        kept += sum(int(manifests["pieces"]["files"][file]["rows"]) for file in found["pieces"])
        if not kept:
            raise RecipeError(f"subsets: {path} keeps no document of {subset}; `massivetext report` says why")
        files += [
            (storage.join(path, "curated", file), storage.join(path, "ledger", file)) for file in found["curated"]
        ]
        files += [(storage.join(path, "pieces", file), None) for file in found["pieces"]]
        documents += kept
    footers = _footers([file for file, _ in files], "run `massivetext run` again")
    return _source(name, files, footers, digest.hexdigest(), documents=documents)


def _manifest(path: str, kind: str) -> dict[str, Any]:
    place = storage.join(path, kind, "manifest.json")
    if not storage.exists(place):
        if kind == "pieces":
            return {"files": {}}
        raise OutputError(f"{place}: is not there; `subsets` and `weights` read the output folder of a finished run")
    return json.loads(storage.read_bytes(place))


Footer = tuple[list[int], pa.Schema]


def _footers(paths: Sequence[str], remedy: str) -> list[Footer]:
    """(rows of each row group, schema) of each file."""

    def footer(path: str) -> Footer:
        try:
            with storage.open_input(path) as stream:
                file = pq.ParquetFile(stream)
                rows = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
                return rows, file.schema_arrow
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{path}: is no whole Parquet file: {error}; {remedy}") from error

    return storage.each(footer, paths, remote=any(map(storage.is_remote, paths[:1])))


def _source(
    name: str,
    files: Sequence[tuple[str, str | None]],
    footers: Sequence[Footer],
    digest: str,
    *,
    documents: int | None,
) -> Source:
    schema = footers[0][1]
    for (path, _), (_, other) in zip(files, footers):
        if not other.equals(schema):
            raise OutputError(
                f"{path}: has not the columns of {files[0][0]}: {_columns(other)}, there {_columns(schema)}"
            )
    units = [(file, group) for file, (rows, _) in enumerate(footers) for group, n in enumerate(rows) if n]
    place = np.array(units, np.int32).reshape(-1, 2)
    rows = sum(sum(rows) for rows, _ in footers)
    return Source(
        name,
        tuple(files),
        place[:, 0],
        place[:, 1],
        rows if documents is None else documents,
        digest,
        tuple(schema.names),
    )


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
