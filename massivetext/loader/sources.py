"""What a loader reads: the row groups of a mixture's shards, or of curated parts whose ledgers say what is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.errors import OutputError, RecipeError, SourceError
from massivetext.holes import Holes, read_holes
from massivetext.mixture.finished import compare_files, compare_footer, finished_shards
from massivetext.parquet import READ_ERRORS, open_parquet
from massivetext.sealed import read_sealed

__all__ = ["TOKENS", "Source", "curated_source", "mixture_source"]

TOKENS = "n_tokens"
"""The column of which weights are shares."""


@dataclass(frozen=True)
class Source:
    """Row groups of documents, numbered as the files were first written (`massivetext.holes`).

    files: (Parquet, its ledger or None), in order; file, row_group: int32, of each row group its file and number in it;
    rows: int64, of each row group; documents: in all files, the ones that a ledger rejects left out; digest: of what
    the files held when they were first written, hex; columns: of their schema; holes: of files that have some; tokens:
    of all documents, None where no manifest counts them.
    """

    name: str
    files: tuple[tuple[str, str | None], ...]
    file: np.ndarray
    row_group: np.ndarray
    rows: np.ndarray
    documents: int
    digest: str
    columns: tuple[str, ...]
    holes: Mapping[int, Holes] = field(default_factory=dict)
    tokens: int | None = None

    def __len__(self) -> int:
        return len(self.file)

    def read(self, unit: int, columns: Sequence[str]) -> tuple[pa.Table, np.ndarray]:
        """Read a row group. Returns its rows, and int64: the places in it of the documents that are kept, -1 for one
        that was taken out since.

        Raises SourceError where it cannot be read, OutputError for a document that the ledger does not know.
        """
        number = int(self.file[unit])
        path, ledger = self.files[number]
        holes, group = self.holes.get(number), int(self.row_group[unit])
        now = group if holes is None else holes.groups()[group]
        names = list(columns) if ledger is None or "id" in columns else [*columns, "id"]
        table = self._empty(path, names) if now < 0 else _read(path, now, names)
        places = np.arange(table.num_rows) if holes is None else holes.places(group)
        if ledger is not None:
            places = _kept(table, places, holes, group, path, ledger)
        return table.select(list(columns)), places

    def _empty(self, path: str, names: Sequence[str]) -> pa.Table:
        with storage.open_input(path) as stream:
            return open_parquet(stream).schema_arrow.empty_table().select(list(names))

    def empty(self, columns: Sequence[str]) -> pa.RecordBatch:
        """No rows, with these columns."""
        return pa.RecordBatch.from_pylist([], schema=self._empty(self.files[0][0], columns).schema)

    def places(self, unit: int) -> np.ndarray:
        """What `read` returns second, without reading texts."""
        number = int(self.file[unit])
        if self.files[number][1] is not None:
            return self.read(unit, ["id"])[1]
        holes = self.holes.get(number)
        return np.arange(self.rows[unit]) if holes is None else holes.places(int(self.row_group[unit]))

    def n_tokens(self) -> int:
        """Tokens of all documents; without a manifest that counts them, the column is read."""
        if self.tokens is not None:
            return self.tokens
        total = 0
        for unit in range(len(self)):
            table, places = self.read(unit, [TOKENS])
            total += int(np.maximum(table.column(TOKENS).to_numpy()[places[places >= 0]], 1).sum())
        return total


def _read(path: str, group: int, names: Sequence[str]) -> pa.Table:
    try:
        with storage.open_input(path) as stream:
            # One thread decodes; the loader has another one for what comes next.
            return open_parquet(stream).read_row_group(group, columns=list(names), use_threads=False)
    except READ_ERRORS as error:
        raise SourceError(
            f"{path}: row group {group} cannot be read: {error}; `massivetext verify` names what is damaged, and "
            'on_damage="skip" goes on without it'
        ) from error


def _kept(table: pa.Table, places: np.ndarray, holes: Holes | None, group: int, path: str, ledger: str) -> np.ndarray:
    """Those of the places whose documents the ledger keeps, or kept before they were taken out."""
    ids = table.column("id")
    try:
        with storage.open_input(ledger) as stream:
            file = open_parquet(stream)
            rows = file.read(columns=["id", "outcome"], use_threads=False)
            then = read_holes(file.schema_arrow.metadata)
    except READ_ERRORS as error:
        raise SourceError(f"{ledger}: cannot be read: {error}; run `massivetext run` again") from error
    at = pc.index_in(ids, value_set=rows.column("id").combine_chunks())
    if at.null_count:
        first = ids.filter(pc.is_null(at))[0].as_py()
        raise OutputError(f"{path}: its document {first} is not in {ledger}; run `massivetext run` again")
    is_kept = pc.equal(rows.column("outcome").take(at), "kept").to_numpy()
    chosen = np.zeros(len(places), bool)
    chosen[places >= 0] = is_kept[places[places >= 0]]
    if holes is not None and then is not None:
        kept = set(then.kept)
        for row, name, _ in holes.of_group(group):
            chosen[row] = name in kept
    return places[chosen]


def mixture_source(path: str, mixture: str | None, *, name: str) -> Source:
    """path: an output folder, a mixture in it, or a folder or file of Parquet.

    Raises OutputError where there are no shards, or they are not what their manifest says.
    """
    folder, shards, manifest = finished_shards(path, mixture)
    footers = _footers(shards, "write the mixture again")
    digest = hashlib.blake2b(digest_size=16)
    for shard, (groups, schema) in zip(shards, footers):
        file = shard[len(folder) + 1 :]
        if manifest is None:
            digest.update(json.dumps([file, storage.size(shard), groups]).encode())
            continue
        expected = manifest["files"][file]
        compare_footer(shard, sum(groups), schema, expected, manifest)
        holes = read_holes(schema.metadata)
        digest.update(json.dumps([file, expected["blake2b"] if holes is None else holes.of]).encode())
    source = _source(name, [(shard, None) for shard in shards], footers, digest.hexdigest(), documents=None)
    if not any(sum(groups) for groups, _ in footers):
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
    documents = total = 0
    was, gone_by_ledger = _before_removal(path, manifests, subsets)
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
            first = [[file, was.get(f"{kind}/{file}", listed[file]["blake2b"])] for file in names]
            digest.update(json.dumps([kind, first]).encode())
        kept, _, of_subset = (int(n) for n in [*counts[subset].get("kept", [0]), 0, 0][:3])
        total += of_subset
        gone = sum(n for file, n in gone_by_ledger.items() if file.startswith(f"{subset}/"))
        kept += gone
        kept += sum(int(manifests["pieces"]["files"][file]["rows"]) for file in found["pieces"])
        if not kept:
            raise RecipeError(f"subsets: {path} keeps no document of {subset}; `massivetext report` says why")
        files += [
            (storage.join(path, "curated", file), storage.join(path, "ledger", file)) for file in found["curated"]
        ]
        files += [(storage.join(path, "pieces", file), None) for file in found["pieces"]]
        documents += kept
    footers = _footers([file for file, _ in files], "run `massivetext run` again")
    # Pieces have no count of tokens in a manifest; without one of the whole, the column is read when it is needed.
    is_counted = total > 0 and all(ledger is not None for _, ledger in files)
    tokens = total if is_counted else None
    return _source(name, files, footers, digest.hexdigest(), documents=documents, tokens=tokens)


def _before_removal(
    path: str, manifests: Mapping[str, Mapping[str, Any]], subsets: Sequence[str]
) -> tuple[dict[str, str], dict[str, int]]:
    """Of files that rows were taken out of, the digest when they were first written, by kind and name; and of ledgers
    how many kept documents are gone."""
    digests: dict[str, str] = {}
    gone: dict[str, int] = {}
    if not storage.exists(storage.join(path, "removed.json")):
        return digests, gone
    for kind, manifest in manifests.items():
        names = [file for file in sorted(manifest["files"]) if file.split("/")[0] in subsets]
        footers = _footers([storage.join(path, kind, file) for file in names], "run `massivetext run` again")
        for file, (_, schema) in zip(names, footers):
            holes = read_holes(schema.metadata)
            if holes is not None:
                digests[f"{kind}/{file}"] = holes.of
                if kind == "ledger":
                    gone[file] = len(holes.kept)
    return digests, gone


def _manifest(path: str, kind: str) -> dict[str, Any]:
    place = storage.join(path, kind, "manifest.json")
    if not storage.exists(place):
        if kind == "pieces":
            return {"files": {}}
        raise OutputError(f"{place}: is not there; `subsets` and `weights` read the output folder of a finished run")
    return read_sealed(place)


Footer = tuple[list[int], pa.Schema]


def _footers(paths: Sequence[str], remedy: str) -> list[Footer]:
    """(rows of each row group, schema) of each file."""

    def footer(path: str) -> Footer:
        try:
            with storage.open_input(path) as stream:
                file = open_parquet(stream)
                rows = [file.metadata.row_group(i).num_rows for i in range(file.metadata.num_row_groups)]
                return rows, file.schema_arrow
        except READ_ERRORS as error:
            raise OutputError(f"{path}: is no whole Parquet file: {error}; {remedy}") from error

    return storage.each(footer, paths, remote=any(map(storage.is_remote, paths[:1])))


def _source(
    name: str,
    files: Sequence[tuple[str, str | None]],
    footers: Sequence[Footer],
    digest: str,
    *,
    documents: int | None,
    tokens: int | None = None,
) -> Source:
    schema = footers[0][1]
    for (path, _), (_, other) in zip(files, footers):
        if not other.equals(schema):
            raise OutputError(
                f"{path}: has not the columns of {files[0][0]}: {_columns(other)}, there {_columns(schema)}"
            )
    holes = {number: found for number, (_, other) in enumerate(footers) if (found := read_holes(other.metadata))}
    counts = [holes[number].rows if number in holes else rows for number, (rows, _) in enumerate(footers)]
    units = [(file, group, n) for file, rows in enumerate(counts) for group, n in enumerate(rows) if n]
    place = np.array(units, np.int64).reshape(-1, 3)
    return Source(
        name,
        tuple(files),
        place[:, 0].astype(np.int32),
        place[:, 1].astype(np.int32),
        place[:, 2],
        int(place[:, 2].sum()) if documents is None else documents,
        digest,
        tuple(schema.names),
        holes,
        tokens,
    )


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in schema)
