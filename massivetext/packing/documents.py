"""The documents of a mixture by subset, each epoch in an order of its own, found again by their position.

What is held is a few numbers for each row group; text is read a row group at a time.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.errors import OutputError, RecipeError, SourceError
from massivetext.holes import Holes, read_holes
from massivetext.mixture.allotment import generator
from massivetext.mixture.finished import compare_footer, finished_shards
from massivetext.parquet import READ_ERRORS, open_parquet
from massivetext.tokenizers import BYTES_A_TOKEN

__all__ = ["Mixture", "SubsetReader", "open_mixture"]

_ROW_GROUPS_HELD = 2


class _Texts(dict[str, pa.LargeStringArray]):
    """Texts of a row group by subset, each taken out when it is asked for; null where a document was taken out."""

    def __init__(self, table: pa.Table, holes: Holes | None, group: int) -> None:
        # Cast first: what is null becomes an empty text of the same type.
        texts = pa.concat_arrays(pc.fill_null(table.column("text").cast(pa.large_string()), "").chunks)
        subsets = table.column("subset").combine_chunks() if "subset" in table.column_names else None
        if holes is not None:
            places = holes.places(group)
            at = pa.array(places, mask=places < 0)
            texts, subsets = texts.take(at), None if subsets is None else subsets.take(at)
            if subsets is not None:
                names = np.array(subsets.to_pylist(), object)
                for row, _, subset in holes.of_group(group):
                    names[row] = subset
                subsets = pa.array(names.tolist(), pa.string())
        self._texts, self._subsets = texts, subsets

    def __missing__(self, subset: str) -> pa.LargeStringArray:
        is_all = self._subsets is None
        self[subset] = self._texts if is_all else self._texts.filter(pc.equal(self._subsets, subset))
        return self[subset]


@dataclass(frozen=True)
class Mixture:
    """Shards and what they held when they were first written (`massivetext.holes`: of shards that rows were taken out
    of). path, row_group: of each row group, paths indexing `paths`; documents: of each subset
    its number in each row group; tokens: of each subset all, as the shards count them; weights sum to 1; digest: of
    what the shards hold, hex. scratch: a local folder in which texts are left by subset once they are read, and mapped
    from there: a row group of six subsets is else decoded six times an epoch, and books whole for crops of a tenth."""

    folder: str
    paths: tuple[str, ...]
    path: np.ndarray
    row_group: np.ndarray
    documents: Mapping[str, np.ndarray]
    tokens: Mapping[str, int]
    weights: Mapping[str, float]
    digest: str
    scratch: str | None = None
    holes: Mapping[int, Holes] = field(default_factory=dict)
    _cache: OrderedDict[int, Mapping[str, pa.LargeStringArray]] = field(
        default_factory=OrderedDict, compare=False, repr=False
    )

    def n_documents(self, subset: str) -> int:
        return int(self.documents[subset].sum())

    def texts(self, subset: str, unit: int) -> pa.LargeStringArray:
        """Texts of a subset in one row group, in the file's order."""
        held = self._cache.get(unit)
        if held is None:
            held = self._read(unit) if self.scratch is None else self._mapped(unit, self.scratch)
            while len(self._cache) >= _ROW_GROUPS_HELD:
                self._cache.popitem(last=False)
            self._cache[unit] = held
        return held[subset]

    def _read(self, unit: int) -> Mapping[str, pa.LargeStringArray]:
        number, group = int(self.path[unit]), int(self.row_group[unit])
        path, holes = self.paths[number], self.holes.get(number)
        now = group if holes is None else holes.groups()[group]
        try:
            with storage.open_input(path) as stream:
                file = open_parquet(stream)
                names = [name for name in ("subset", "text") if name in file.schema_arrow.names]
                if now < 0:
                    return _Texts(pa.table(file.schema_arrow.empty_table().select(names)), holes, group)
                return _Texts(file.read_row_group(now, columns=names), holes, group)
        except READ_ERRORS as error:
            raise SourceError(
                f"{path}: row group {now} cannot be read: {error}; `massivetext verify` names what is damaged"
            ) from error

    def _mapped(self, unit: int, scratch: str) -> dict[str, pa.LargeStringArray]:
        """The same from a file in scratch, which is made first where it is missing: a batch for each subset."""
        shard, group = int(self.path[unit]), int(self.row_group[unit])
        path = storage.join(scratch, f"texts-{self.digest}", f"{shard:05d}", f"{group:05d}.arrow")
        if not storage.exists(path):
            found = self._read(unit)
            names = [name for name, counts in self.documents.items() if counts[unit]]
            schema = pa.schema([("text", pa.large_string())], {"subsets": json.dumps(names)})
            with storage.open_output(path) as stream, pa.ipc.new_file(stream, schema) as writer:
                for name in names:
                    writer.write_batch(pa.record_batch([found[name]], schema=schema))
        file = pa.ipc.open_file(pa.memory_map(path))
        names = json.loads(file.schema.metadata[b"subsets"])
        return {name: file.get_batch(i).column(0) for i, name in enumerate(names)}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_cache": OrderedDict()}


def open_mixture(
    path: str | os.PathLike[str],
    *,
    mixture: str | None = None,
    weights: Mapping[str, float] | None = None,
    scratch: str | os.PathLike[str] | None = None,
) -> Mixture:
    """path: an output folder, a mixture in it, or any folder or file of Parquet with the column `text` (and `subset`;
    without it all is the subset `all`). mixture: its name, where an output folder has several. weights: by default
    those of the manifest, without one the shares of tokens. scratch: see `Mixture`.

    Raises OutputError where there are no shards or they are not those of the manifest, RecipeError for weights that
    do not sum to 1 or name a subset without documents.
    """
    path, scratch = os.fspath(path), None if scratch is None else os.fspath(scratch)
    if scratch is not None and storage.is_remote(scratch):
        raise RecipeError(
            f"scratch: {scratch} is on an object store, from which no file is mapped; name a local folder"
        )
    folder, shards, manifest = finished_shards(path, mixture)
    found = [_counted(number, shard, folder, manifest) for number, shard in enumerate(shards)]
    counts = [of_group for shard in found for of_group in shard.documents]
    subsets = sorted({name for of_group in counts for name, n in of_group.items() if n})
    if not subsets:
        raise OutputError(f"{path}: its {len(shards)} shards hold no documents")
    documents = {name: np.array([of_group.get(name, 0) for of_group in counts], np.int64) for name in subsets}
    if manifest is not None:
        tokens = {name: int(n) for name, n in manifest["counts"]["tokens"].items()}
    else:
        tokens = {name: sum(shard.tokens.get(name, 0) for shard in found) for name in subsets}
    if weights is None:
        weights = manifest["weights"] if manifest is not None else _shares(tokens)
    digest = hashlib.blake2b(digest_size=16)
    for shard_path, shard in zip(shards, found):
        digest.update(json.dumps([shard_path.rsplit("/", 1)[-1], shard.known], sort_keys=True).encode())
    rows = [(number, group) for number, shard in enumerate(found) for group in range(len(shard.documents))]
    place = np.array(rows, np.int32).reshape(-1, 2)
    return Mixture(
        folder,
        tuple(shards),
        place[:, 0],
        place[:, 1],
        documents,
        {name: tokens.get(name, 0) for name in subsets},
        _checked(weights, subsets),
        digest.hexdigest(),
        scratch,
        {number: shard.holes for number, shard in enumerate(found) if shard.holes is not None},
    )


@dataclass(frozen=True)
class _Counted:
    """A shard: documents of each subset in each of its row groups, as first written; tokens of each subset, where
    there is no manifest; what identifies its first bytes; its holes."""

    documents: list[dict[str, int]]
    tokens: dict[str, int]
    known: Any
    holes: Holes | None


def _counted(number: int, shard: str, folder: str, manifest: Mapping[str, Any] | None) -> _Counted:
    """Count one shard. Raises OutputError where it is no whole Parquet file with texts, or not as its manifest says."""
    documents: list[dict[str, int]] = []
    tokens: dict[str, int] = {}
    try:
        with storage.open_input(shard) as stream:
            file = open_parquet(stream)
            schema = file.schema_arrow
            names = schema.names
            if "text" not in names:
                raise OutputError(f"{shard}: has no column `text`, only {', '.join(names)}")
            if manifest is not None:
                listed = manifest["files"][shard[len(folder) + 1 :]]
                compare_footer(shard, file.metadata.num_rows, schema, listed, manifest)
            holes = read_holes(schema.metadata)
            size = "n_tokens" if "n_tokens" in names else "text"
            columns = ["subset"] * ("subset" in names) + [size] * (manifest is None)
            groups = range(file.metadata.num_row_groups) if holes is None else holes.groups()
            for then, now in enumerate(groups):
                counts = _count(file, now, columns, size) if now >= 0 else {}
                of_group = {name: n for name, (n, _) in counts.items()}
                for _, _, subset in () if holes is None else holes.of_group(then):
                    name = subset if "subset" in names else "all"
                    of_group[name] = of_group.get(name, 0) + 1
                documents.append(of_group)
                for name, (_, n) in counts.items():
                    tokens[name] = tokens.get(name, 0) + n
    except READ_ERRORS as error:
        raise OutputError(f"{shard}: is no whole Parquet file: {error}; write the mixture again") from error
    known: Any
    if manifest is None:
        known = [storage.size(shard), documents]
    else:
        known = listed["blake2b"] if holes is None else holes.of
    return _Counted(documents, tokens, known, holes)


def _count(file: pq.ParquetFile, group: int, columns: Sequence[str], size: str) -> dict[str, tuple[int, int]]:
    """(documents, tokens) of each subset in a row group; tokens are 0 where no column for them is asked for."""
    if not columns:
        return {"all": (file.metadata.row_group(group).num_rows, 0)}
    table = file.read_row_group(group, columns=list(columns))
    if "subset" not in columns:
        table = table.append_column("subset", pa.repeat(pa.scalar("all"), table.num_rows))
    if size not in columns:
        n = pa.repeat(pa.scalar(0), table.num_rows)
    elif size == "text":
        n = pc.divide(
            pc.add(pc.cast(pc.binary_length(table.column("text")), pa.int64()), BYTES_A_TOKEN - 1), BYTES_A_TOKEN
        )
    else:
        n = table.column(size)
    table = pa.table({"subset": table.column("subset"), "n": n})
    sums = table.group_by("subset").aggregate([("n", "count"), ("n", "sum")])
    return {row["subset"]: (row["n_count"], row["n_sum"] or 0) for row in sums.to_pylist()}


def _shares(tokens: Mapping[str, int]) -> dict[str, float]:
    total = max(1, sum(tokens.values()))
    return {name: n / total for name, n in tokens.items()}


def _checked(weights: Mapping[str, float], subsets: Sequence[str]) -> dict[str, float]:
    total = sum(weights.values())
    if abs(total - 1) > 1e-6 or min(weights.values()) < 0:
        raise RecipeError(f"weights: {dict(weights)!r} sum to {total:g}; expected shares that sum to 1")
    empty = sorted(name for name, weight in weights.items() if weight > 0 and name not in subsets)
    if empty:
        raise RecipeError(f"weights: there are no documents of {', '.join(empty)}, only of {', '.join(subsets)}")
    return {name: weight for name, weight in sorted(weights.items()) if weight > 0}


class SubsetReader:
    """Documents of one subset by position: epoch e has the positions e D to (e + 1) D - 1, D being its documents.

    Row groups are permuted, then the rows of each, both anew in each epoch, so that neighbours share row groups.
    """

    def __init__(self, mixture: Mixture, subset: str, *, seed: object) -> None:
        self.mixture, self.subset, self.seed = mixture, subset, seed
        self.n_documents = mixture.n_documents(subset)
        self._units = np.flatnonzero(mixture.documents[subset])
        self._order = lru_cache(maxsize=2)(self._permuted)
        self._last: tuple[int, pa.LargeStringArray] | None = None

    def _permuted(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Row groups in the order of an epoch, and the position in the epoch behind each."""
        units = generator("units", self.seed, self.subset, epoch).permutation(self._units)
        return units, np.cumsum(self.mixture.documents[self.subset][units])

    def pieces(self, first: int, last: int) -> Iterator[tuple[pa.LargeStringArray, np.ndarray]]:
        """The texts at the positions first to last - 1: of one row group after another those of the subset, and the
        rows among them that are meant, in order."""
        while first < last:
            epoch, at = divmod(first, self.n_documents)
            units, ends = self._order(epoch)
            number = bisect.bisect_right(ends, at)
            unit = int(units[number])
            n = int(self.mixture.documents[self.subset][unit])
            begin = at - (int(ends[number]) - n)
            stop = min(n, begin + last - first)
            yield self._unit(unit), generator("rows", self.seed, self.subset, epoch, unit).permutation(n)[begin:stop]
            first += stop - begin

    def texts(self, first: int, last: int) -> pa.LargeStringArray:
        """Texts at the positions first to last - 1."""
        return pa.concat_arrays([texts.take(pa.array(rows)) for texts, rows in self.pieces(first, last)])

    def _unit(self, unit: int) -> pa.LargeStringArray:
        if self._last is None or self._last[0] != unit:
            self._last = (unit, self.mixture.texts(self.subset, unit))
        return self._last[1]
