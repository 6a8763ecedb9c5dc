"""Mixtures: how many tokens of each subset, in which shard, in which order; planned first, then written."""

from __future__ import annotations

from massivetext.mixture.allotment import Allotment, ShardRows, allot
from massivetext.mixture.buckets import bucket_key, bucket_weights, weights_with_sources
from massivetext.mixture.documents import Documents, kept_by_bucket, kept_documents
from massivetext.mixture.front_matter import front_matter
from massivetext.mixture.plan import Available, Plan, Share, plan
from massivetext.mixture.schema import MIXTURE_SCHEMA, SCHEMA_NAME
from massivetext.mixture.shards import write_shard
from massivetext.mixture.verify import verify_mixture

__all__ = [
    "MIXTURE_SCHEMA",
    "SCHEMA_NAME",
    "Allotment",
    "Available",
    "Documents",
    "Plan",
    "ShardRows",
    "Share",
    "allot",
    "bucket_key",
    "bucket_weights",
    "front_matter",
    "kept_by_bucket",
    "kept_documents",
    "plan",
    "verify_mixture",
    "weights_with_sources",
    "write_shard",
]
