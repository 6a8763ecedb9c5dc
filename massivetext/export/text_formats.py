"""Shards of documents as text: JSONL, MDS, WebDataset.

JSONL       dolma's layout: documents/*.jsonl.zst, each line {"id", "text", "source": the subset, "created": the
            timestamp, "metadata": all other columns}
MDS         MosaicML streaming, version 2: u32 samples n; u32 places of the samples, n + 1; the configuration as JSON;
            then of each sample a u32 size of each column of variable size, and the columns in the order of their names
WebDataset  tar: of each document <shard>-<row>.txt and <shard>-<row>.json
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from massivetext.errors import LimitError
from massivetext.export.described import beside
from massivetext.export.escape import escaped
from massivetext.export.rows import contents, digested, joined, row_groups, summary, texts_of
from massivetext.tokenizers import library

__all__ = ["MDS_COLUMNS", "TEXT_FORMATS", "mds_index"]

COMPRESSION_LEVEL = 1
"""Of zstd in JSONL: level 3 takes twice the time for 6 % less."""

Summaries = dict[str, dict[str, Any]]


def write_jsonl(path: str, base: str, name: str) -> Summaries:
    """One shard as documents/<name>.jsonl.zst."""
    zstandard = library("zstandard", "write .jsonl.zst")
    file, rows = f"documents/{name}.jsonl.zst", 0
    with digested(f"{base}/{file}") as stream:
        compressor = zstandard.ZstdCompressor(level=COMPRESSION_LEVEL, write_checksum=True)
        with compressor.stream_writer(stream, closefd=False) as target:
            for table in row_groups(path):
                rest = beside(table)
                lines = joined(
                    b'{"id": "',
                    escaped(texts_of(table, "id")),
                    b'", "text": "',
                    escaped(texts_of(table)),
                    b'", "source": "',
                    escaped(texts_of(table, "subset", "all")),
                    b'"',
                    rest.created,
                    b', "metadata": {',
                    rest.members,
                    b"}}\n",
                )
                target.write(contents(lines))
                rows += table.num_rows
    return {file: summary(stream, rows)}


MDS_COLUMNS = {"id": "str", "metadata": "json", "n_tokens": "int", "subset": "str", "text": "str"}
"""Columns of an MDS sample and their encodings, in the order of their names. `metadata` has all other columns."""


def _mds_config() -> dict[str, Any]:
    return {
        "column_encodings": list(MDS_COLUMNS.values()),
        "column_names": list(MDS_COLUMNS),
        "column_sizes": [8 if kind == "int" else None for kind in MDS_COLUMNS.values()],
        "compression": None,
        "format": "mds",
        "hashes": [],
        "size_limit": 1 << 32,
        "version": 2,
    }


def write_mds(path: str, base: str, name: str) -> Summaries:
    """One shard as <name>.mds. Memory: the shard's texts twice."""
    pieces: list[pa.LargeBinaryArray] = []
    for table in row_groups(path):
        n = table.num_rows
        rest = beside(table, without=("n_tokens",))
        tokens = np.ascontiguousarray(rest.n_tokens, "<i8")
        columns = {
            "id": texts_of(table, "id"),
            "metadata": joined(b"{", rest.members, b"}"),
            "n_tokens": pa.FixedSizeBinaryArray.from_buffers(pa.binary(8), n, [None, pa.py_buffer(tokens)]),
            "subset": texts_of(table, "subset", "all"),
            "text": texts_of(table),
        }
        variable = [columns[key].cast(pa.large_binary()) for key, kind in MDS_COLUMNS.items() if kind != "int"]
        sizes = np.stack([np.diff(_offsets(one)) for one in variable], axis=1).astype("<u4")
        head = pa.FixedSizeBinaryArray.from_buffers(
            pa.binary(4 * len(variable)), n, [None, pa.py_buffer(np.ascontiguousarray(sizes))]
        )
        pieces.append(joined(head, *columns.values()))
    n = sum(map(len, pieces))
    config = json.dumps(_mds_config(), sort_keys=True).encode()
    ends = np.cumsum(np.concatenate([[0], *(np.diff(_offsets(piece)) for piece in pieces)]))
    places = ends + 4 + 4 * (n + 1) + len(config)
    if places[-1] >= 1 << 32:
        raise LimitError(f"{path}: has {int(places[-1]):,} bytes as MDS, which holds 4 GB a shard; mix smaller shards")
    with digested(f"{base}/{name}.mds") as stream:
        stream.write(np.uint32(n).tobytes() + places.astype("<u4").tobytes() + config)
        for piece in pieces:
            stream.write(contents(piece))
    return {f"{name}.mds": summary(stream, n)}


def _offsets(array: pa.LargeBinaryArray) -> np.ndarray:
    return np.frombuffer(array.buffers()[1], np.int64, len(array) + 1, array.offset * 8)


def mds_index(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    """index.json of a folder of MDS shards."""
    shards = [
        {
            **_mds_config(),
            "raw_data": {"basename": name, "bytes": one["bytes"], "hashes": {}},
            "samples": one["rows"],
            "zip_data": None,
        }
        for name, one in sorted(files.items())
    ]
    return json.dumps({"shards": shards, "version": 2}, sort_keys=True).encode()


_BLOCK = 512
_EMPTY = pa.scalar(b"", pa.large_binary())


def _headers(names: list[str], sizes: np.ndarray) -> np.ndarray:
    """uint8[n, 512]: ustar headers of files of nobody and of 1970, so that equal rows give equal bytes."""
    fields = np.zeros((len(names), _BLOCK), np.uint8)
    fields[:, :100] = np.array(names, "S100").view(np.uint8).reshape(-1, 100)
    for at, text in ((100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"), (136, b"00000000000\0")):
        fields[:, at : at + len(text)] = np.frombuffer(text, np.uint8)
    fields[:, 124:136] = np.array([f"{size:011o}\0" for size in sizes.tolist()], "S12").view(np.uint8).reshape(-1, 12)
    fields[:, 148:156] = ord(" ")
    fields[:, 156] = ord("0")
    fields[:, 257:265] = np.frombuffer(b"ustar\00000", np.uint8)
    sums = fields.sum(axis=1, dtype=np.int64)
    checks = np.array([f"{value:06o}\0 " for value in sums.tolist()], "S8")
    fields[:, 148:156] = checks.view(np.uint8).reshape(-1, 8)
    return fields


def write_webdataset(path: str, base: str, name: str) -> Summaries:
    """One shard as <name>.tar."""
    rows = 0
    with digested(f"{base}/{name}.tar") as stream:
        for table in row_groups(path):
            n = table.num_rows
            keys = [f"{name}-{rows + i:08d}" for i in range(n)]
            rest = beside(table).members
            apart = pc.if_else(pc.equal(rest, _EMPTY), _EMPTY, pa.scalar(b", ", pa.large_binary()))
            described = joined(
                b'{"id": "',
                escaped(texts_of(table, "id")),
                b'", "subset": "',
                escaped(texts_of(table, "subset", "all")),
                b'"',
                apart,
                rest,
                b"}",
            )
            pairs = []
            for column, kind in ((texts_of(table), "txt"), (described, "json")):
                data = column.cast(pa.large_binary())
                sizes = np.diff(_offsets(data))
                if len(sizes) and sizes.max() >= 8**11:
                    raise LimitError(f"{path}: a text has {int(sizes.max()):,} bytes, and tar holds 8 GB a file")
                head = _headers([f"{key}.{kind}" for key in keys], sizes)
                padding = pa.array([bytes(k) for k in (-sizes % _BLOCK).tolist()], pa.large_binary())
                flat = pa.FixedSizeBinaryArray.from_buffers(pa.binary(_BLOCK), n, [None, pa.py_buffer(head)])
                pairs += [flat, data, padding]
            stream.write(contents(joined(*pairs)))
            rows += n
        stream.write(bytes(2 * _BLOCK))
    return {f"{name}.tar": summary(stream, rows)}


TEXT_FORMATS: dict[str, Callable[[str, str, str], Summaries]] = {
    "jsonl": write_jsonl,
    "mds": write_mds,
    "webdataset": write_webdataset,
}
