"""Mixtures: how many tokens of each subset, in which shard, in which order; planned first, then written."""

from __future__ import annotations

from massivetext.mixture.allotment import Allotment, ShardRows, allot
from massivetext.mixture.documents import Documents, kept_documents
from massivetext.mixture.plan import Available, Plan, Share, plan
from massivetext.mixture.shards import write_shard
from massivetext.mixture.verify import verify_mixture

__all__ = [
    "Allotment",
    "Available",
    "Documents",
    "Plan",
    "ShardRows",
    "Share",
    "allot",
    "kept_documents",
    "plan",
    "verify_mixture",
    "write_shard",
]
