"""Evidence: what the pass over the text leaves of each document for the phases that find duplicates.

Rows are in document order, one file a part. Nothing in it depends on seed, threshold or policy but the number of bands,
so that these can change without reading the text again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from massivetext.dedup.banding import Banding, band_hashes
from massivetext.dedup.digests import exact_digests
from massivetext.dedup.shingles import signed_sets
from massivetext.text import Texts
from massivetext.text.hashing import HASH_VERSION
from massivetext.timestamps import parse as parse_timestamp
from massivetext.urls import canonical_url

__all__ = ["EVIDENCE_SCHEMA", "SIGNATURE_SEED", "canonical_url", "evidence", "evidence_schema", "pack_ids"]

SIGNATURE_SEED = 1
"""Of the signatures' hash functions. Not the recipe's seed, so that an index of one run serves any other."""

EVIDENCE_SCHEMA = pa.schema(
    [
        pa.field("id", pa.binary(16), nullable=False),
        pa.field("exact", pa.binary(16), nullable=False),
        pa.field("shingles", pa.binary(16), nullable=False),
        pa.field("n_shingles", pa.uint32(), nullable=False),
        pa.field("bands", pa.binary(), nullable=False),
        pa.field("length", pa.int64(), nullable=False),
        pa.field("timestamp", pa.int64()),
        pa.field("capture", pa.binary(16)),
        pa.field("source", pa.string(), nullable=False),
    ],
    metadata={"massivetext.schema": "evidence-1"},
)
"""id: raw bytes of the id. exact: digest of the text up to whitespace and NFC. shingles: digest of its shingles; of
`exact` where it has none. n_shingles: with repeats. bands: 8 bytes each, little-endian. length: code points. timestamp:
microseconds since 1970, UTC, null if there is none or it cannot be read. capture: digest of the canonical URL. source:
as in the ledger."""


def evidence_schema(banding: Banding) -> pa.Schema:
    """EVIDENCE_SCHEMA for a file: its metadata says which bands, so that others are never compared with them."""
    name = f"{banding.bands}x{banding.rows}, hashes {HASH_VERSION}"
    return EVIDENCE_SCHEMA.with_metadata({**EVIDENCE_SCHEMA.metadata, b"massivetext.banding": name.encode()})


def evidence(
    texts: Texts,
    ids: Sequence[str] | pa.Array,
    *,
    source: str | pa.Array,
    banding: Banding,
    timestamps: Sequence[str | None] | pa.Array | None = None,
    urls: Sequence[str | None] | pa.Array | None = None,
    signed: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None,
) -> pa.RecordBatch:
    """EVIDENCE_SCHEMA, one row per text. `ids` are 32 hexadecimal digits each; `source` is that of all, or of each.

    `signed`: signatures uint32[n, num_hashes] of SIGNATURE_SEED, shingle digests uint64[n, 2] and numbers of shingles
    int64[n], where another kernel has made them in its own pass; num_hashes may exceed the banding's.
    """
    signatures, digests, sizes = signed or signed_sets(texts, banding.num_hashes, SIGNATURE_SEED)
    exact, lengths = exact_digests(texts)
    digests = np.where((sizes == 0)[:, None], exact ^ np.uint64(1), digests)
    bands = band_hashes(signatures, banding).astype("<u8", copy=False)
    n, width = len(exact), 8 * banding.bands
    offsets = pa.py_buffer((np.arange(n + 1) * width).astype(np.int32))
    columns = [
        pack_ids(ids),
        _binary16(exact),
        _binary16(digests),
        pa.array(sizes.astype(np.uint32)),
        pa.Array.from_buffers(pa.binary(), n, [None, offsets, pa.py_buffer(np.ascontiguousarray(bands))]),
        pa.array(lengths),
        _microseconds(_list(timestamps, n)),
        pa.array([_capture(url) if url and url.strip() else None for url in _list(urls, n)], pa.binary(16)),
        pa.repeat(pa.scalar(source, pa.string()), n) if isinstance(source, str) else source,
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVIDENCE_SCHEMA)


def pack_ids(ids: Sequence[str] | pa.Array) -> pa.Array:
    """Ids of 32 hexadecimal digits as 16 raw bytes each."""
    names = ids.to_pylist() if isinstance(ids, (pa.Array, pa.ChunkedArray)) else ids
    data = bytes.fromhex("".join(names))
    if len(data) != 16 * len(names):
        raise ValueError("ids must have 32 hexadecimal digits each")
    return pa.Array.from_buffers(pa.binary(16), len(names), [None, pa.py_buffer(data)])


def _binary16(words: np.ndarray) -> pa.Array:
    data = np.ascontiguousarray(words).astype("<u8", copy=False)
    return pa.Array.from_buffers(pa.binary(16), len(data), [None, pa.py_buffer(data)])


def _list(values: Any, n: int) -> list[Any]:
    if values is None:
        return [None] * n
    return values.to_pylist() if isinstance(values, (pa.Array, pa.ChunkedArray)) else list(values)


def _microseconds(stamps: list[str | None]) -> pa.Array:
    return pa.array([None if stamp is None else parse_timestamp(stamp) for stamp in stamps], pa.int64())


def _capture(url: str) -> bytes:
    return hashlib.blake2b(canonical_url(url).encode("utf-8", "surrogatepass"), digest_size=16).digest()
