"""Mixtures: how many tokens of each subset, in which shard, in which order; planned first, then written."""

from __future__ import annotations

from massivetext.mixture.allotment import Allotment, ShardRows, allot
from massivetext.mixture.buckets import bucket_key, bucket_weights, weights_with_sources
from massivetext.mixture.deal import Deal, deal, read_deal, write_deal
from massivetext.mixture.documents import Documents, kept_by_bucket, kept_documents
from massivetext.mixture.front_matter import front_matter
from massivetext.mixture.plan import Available, Plan, Share, plan
from massivetext.mixture.schema import MIXTURE_SCHEMA, SCHEMA_NAME
from massivetext.mixture.shards import write_shard
from massivetext.mixture.units import Units, read_units, units_in_memory, write_units
from massivetext.mixture.verify import verify_mixture

__all__ = [
    "MIXTURE_SCHEMA",
    "SCHEMA_NAME",
    "Allotment",
    "Available",
    "Deal",
    "Documents",
    "Plan",
    "ShardRows",
    "Share",
    "Units",
    "allot",
    "bucket_key",
    "bucket_weights",
    "deal",
    "front_matter",
    "kept_by_bucket",
    "kept_documents",
    "plan",
    "read_deal",
    "read_units",
    "units_in_memory",
    "verify_mixture",
    "weights_with_sources",
    "write_deal",
    "write_shard",
    "write_units",
]
