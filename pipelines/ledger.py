"""Columns that every ledger has, whatever its recipe declares. Between the two lists stand the signals."""

from __future__ import annotations

import pyarrow as pa

from filters import language
from massivetext.documents import DOCUMENT_SCHEMA, PROVENANCE

__all__ = ["EVIDENCE", "JUDGEMENT", "SHINGLES", "TAKEN"]

JUDGEMENT = [
    *PROVENANCE,
    pa.field("n_bytes", pa.int64()),
    pa.field("n_tokens", pa.int64()),
    pa.field("outcome", pa.string(), nullable=False),
    pa.field("reason", pa.string()),
    pa.field("reasons", pa.list_(pa.string()), nullable=False),
]

EVIDENCE = [
    pa.field("licence", pa.string()),
    pa.field("language", pa.string()),
    pa.field("language_score", pa.float64()),
    pa.field("languages", language.LANGUAGES),
    pa.field("safe_search_score", pa.float64()),
    pa.field("safe_search_evidence", pa.string()),
    pa.field("partner_id", pa.string()),
    pa.field("partner_jaccard", pa.float64()),
    pa.field("contamination_jaccard", pa.float64()),
    pa.field("contamination_containment", pa.float64()),
    pa.field("test_set", pa.string()),
    pa.field("test_item", pa.int64()),
    pa.field("test_items_hit", pa.int64()),
    pa.field("test_span", pa.string()),
    pa.field("contamination_jaccard_set", pa.string()),
    pa.field("contamination_jaccard_item", pa.int64()),
    pa.field("contamination_alignment", pa.float64()),
    pa.field("contamination_alignment_set", pa.string()),
    pa.field("contamination_alignment_item", pa.int64()),
    pa.field("contamination_alignment_span", pa.string()),
    pa.field("contamination_passage", pa.float64()),
    pa.field("contamination_passage_set", pa.string()),
    pa.field("contamination_passage_item", pa.int64()),
    pa.field("contamination_passage_span", pa.string()),
    pa.field("contamination_containment_rare", pa.float64()),
    pa.field("contamination_containment_rare_set", pa.string()),
    pa.field("contamination_containment_rare_item", pa.int64()),
    pa.field("test_title", pa.string()),
    pa.field("pieces", pa.int64()),
]

SHINGLES = pa.field("contamination_shingles", pa.list_(pa.uint64()))
"""The shingles of items that stand in a document: no column of a ledger, but evidence over all parts."""

TAKEN = frozenset(field.name for field in (*JUDGEMENT, *EVIDENCE, SHINGLES, *DOCUMENT_SCHEMA))
"""Names that no rule of a user's own can have: columns of ledgers, and of the documents that they are joined with."""
