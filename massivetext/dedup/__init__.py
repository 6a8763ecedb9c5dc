"""Exact and near-duplicates: shingles, signatures, candidates, and the verified rule of removal."""

from __future__ import annotations

from massivetext.dedup.banding import Banding, plan
from massivetext.dedup.evidence import EVIDENCE_SCHEMA, evidence, evidence_schema
from massivetext.dedup.groups import groups
from massivetext.dedup.index import read_index, write_index
from massivetext.dedup.near import near_duplicates
from massivetext.dedup.scope import Options, Part, Scope, make_scope
from massivetext.dedup.shingles import shingles
from massivetext.dedup.signatures import signatures

__all__ = [
    "EVIDENCE_SCHEMA",
    "Banding",
    "Options",
    "Part",
    "Scope",
    "evidence",
    "evidence_schema",
    "groups",
    "make_scope",
    "near_duplicates",
    "plan",
    "read_index",
    "shingles",
    "signatures",
    "write_index",
]
