"""The documents of a mixture by subset, each epoch in an order of its own, found again by their position.

What is held is a few numbers for each row group; text is read a row group at a time.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from massivetext import storage
from massivetext.errors import OutputError, RecipeError, SourceError
from massivetext.mixture.allotment import generator
from massivetext.mixture.finished import finished_shards
from massivetext.tokenizers import BYTES_A_TOKEN

__all__ = ["Mixture", "SubsetReader", "open_mixture"]

_ROW_GROUPS_HELD = 2


class _Texts(dict[str, pa.LargeStringArray]):
    """Texts of a row group by subset, each taken out when it is asked for."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __missing__(self, subset: str) -> pa.LargeStringArray:
        texts = self._table.column("text")
        if "subset" in self._table.column_names:
            texts = texts.filter(pc.equal(self._table.column("subset"), subset))
        # Cast first: what is null becomes an empty text of the same type.
        self[subset] = pa.concat_arrays(pc.fill_null(texts.cast(pa.large_string()), "").chunks)
        return self[subset]


@dataclass(frozen=True)
class Mixture:
    """Shards and what they hold. path, row_group: of each row group, paths indexing `paths`; documents: of each subset
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
        path = self.paths[self.path[unit]]
        try:
            with storage.open_input(path) as stream:
                file = pq.ParquetFile(stream)
                names = [name for name in ("subset", "text") if name in file.schema_arrow.names]
                return _Texts(file.read_row_group(int(self.row_group[unit]), columns=names))
        except (pa.ArrowInvalid, OSError) as error:
            raise SourceError(f"{path}: row group {self.row_group[unit]} cannot be read: {error}") from error

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
    path: str,
    *,
    mixture: str | None = None,
    weights: Mapping[str, float] | None = None,
    scratch: str | None = None,
) -> Mixture:
    """path: an output folder, a mixture in it, or any folder or file of Parquet with the column `text` (and `subset`;
    without it all is the subset `all`). mixture: its name, where an output folder has several. weights: by default
    those of the manifest, without one the shares of tokens. scratch: see `Mixture`.

    Raises OutputError where there are no shards or they are not those of the manifest, RecipeError for weights that
    do not sum to 1 or name a subset without documents.
    """
    if scratch is not None and storage.is_remote(scratch):
        raise RecipeError(
            f"scratch: {scratch} is on an object store, from which no file is mapped; name a local folder"
        )
    folder, shards, manifest = finished_shards(path, mixture)
    rows: list[tuple[int, int]] = []
    counts: list[dict[str, int]] = []
    tokens: dict[str, int] = {}
    for number, shard in enumerate(shards):
        try:
            with storage.open_input(shard) as stream:
                file = pq.ParquetFile(stream)
                names = file.schema_arrow.names
                if "text" not in names:
                    raise OutputError(f"{shard}: has no column `text`, only {', '.join(names)}")
                size = "n_tokens" if "n_tokens" in names else "text"
                for group in range(file.metadata.num_row_groups):
                    columns = ["subset"] * ("subset" in names) + [size] * (manifest is None)
                    found = _count(file, group, columns, size)
                    rows.append((number, group))
                    counts.append({name: n for name, (n, _) in found.items()})
                    for name, (_, n) in found.items():
                        tokens[name] = tokens.get(name, 0) + n
        except (pa.ArrowInvalid, OSError) as error:
            raise OutputError(f"{shard}: is no whole Parquet file: {error}; write the mixture again") from error
    subsets = sorted({name for found in counts for name, n in found.items() if n})
    if not subsets:
        raise OutputError(f"{path}: its {len(shards)} shards hold no documents")
    documents = {name: np.array([found.get(name, 0) for found in counts], np.int64) for name in subsets}
    if manifest is not None:
        tokens = {name: int(n) for name, n in manifest["counts"]["tokens"].items()}
    if weights is None:
        weights = manifest["weights"] if manifest is not None else _shares(tokens)
    digest = hashlib.blake2b(digest_size=16)
    files = {} if manifest is None else manifest["files"]
    for number, shard in enumerate(shards):
        name = shard.rsplit("/", 1)[-1]
        known = (
            files[name]["blake2b"]
            if files
            else [storage.size(shard), [counts[i] for i, r in enumerate(rows) if r[0] == number]]
        )
        digest.update(json.dumps([name, known], sort_keys=True).encode())
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
    )


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

    def __init__(self, mixture: Mixture, subset: str, *, seed: int) -> None:
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
