"""What a document is: one record of a source, its identity, and the schemas of the files that hold documents.

A *record* is what a reader yields; a *document* is a record with text. Every record that could be a document has one
row in the ledger, whatever became of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import pyarrow as pa

__all__ = ["DOCUMENT_SCHEMA", "FUNNEL", "OUTCOMES", "PROVENANCE", "SUBSETS", "Record", "document_id", "rank"]

SUBSETS = ("massiveweb", "books", "c4", "news", "github", "wikipedia")
"""The six subsets of MassiveText (paper, table 2)."""

OUTCOMES = ("kept", "rejected", "duplicate", "outranked", "contaminated", "skipped", "failed")
"""What can become of a record. `skipped`: not a document of this subset (not HTML, a redirect, another namespace).
`outranked`: removed for what the other documents of its subset are. It is below the best share by a score, or too much
of it stands elsewhere (`spans`, `host_lines`)."""

FUNNEL = ("skipped", "failed", "rejected", "duplicate", "outranked", "contaminated", "kept")
"""The same in the order in which records are lost."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a source, as its reader found it.

    offset: where the record starts, in the reader's own unit (bytes of the file as stored for WARC, bytes of the
        decompressed stream for line formats, row number for Parquet, ordinal for members and pages).
    text: the text, cleaned by spec rules (`massivetext.text.clean`); None where there is a page or no text.
    page: the bytes of a web page before extraction; None where there is text.
    content_type: the Content-Type header that came with the page.
    outcome, reason: set only if the record is no document: ("skipped", "skipped.redirect"), ("failed", "failed.json").
    n_replaced: undecodable bytes that became U+FFFD.
    """

    offset: int
    text: str | None = None
    page: bytes | None = None
    url: str | None = None
    timestamp: str | None = None
    content_type: str | None = None
    outcome: str | None = None
    reason: str | None = None
    n_replaced: int = 0
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


PROVENANCE = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("offset", pa.int64(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("timestamp", pa.string()),
    ]
)
"""Where a row comes from: the columns that each row of a ledger starts with."""

DOCUMENT_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("subset", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("source", pa.string(), nullable=False),
        pa.field("timestamp", pa.string()),
        pa.field("language", pa.string()),
        pa.field("n_bytes", pa.int64(), nullable=False),
        pa.field("n_tokens", pa.int64(), nullable=False),
        # Pairs, not an Arrow map: Hugging Face datasets reads no file that has a map among its columns.
        pa.field("metadata", pa.list_(pa.struct([("key", pa.string()), ("value", pa.string())]))),
    ],
    metadata={"massivetext.schema": "document-1"},
)
"""Rows of curated/, rejected/ and mixture/. `n_bytes` is the length of `text` in UTF-8."""


def document_id(subset: str, source: str, offset: int) -> str:
    """BLAKE2b-128 (hex) of subset, source and offset joined by NUL."""
    key = "\0".join((subset, source, str(offset)))
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def rank(document_id: str, seed: int) -> int:
    """The random rank of a document: smallest first is kept. Keyed BLAKE2b-128 of the id, big-endian."""
    return int.from_bytes(
        hashlib.blake2b(document_id.encode(), digest_size=16, key=seed.to_bytes(8, "little")).digest(), "big"
    )
