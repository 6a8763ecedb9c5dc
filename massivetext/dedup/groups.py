"""Groups of duplicates as a ledger tells them: each kept document with those that were removed in its favour."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["groups"]


def groups(ledger: pa.Table) -> pa.Table:
    """Columns: partner_id, the document kept; size, documents of the group with it; exact and near, how many were
    removed by either rule; jaccard_min, the least J among them; ids, those removed, ordered. Largest groups first, ties
    by partner_id.

    ledger: rows with `id`, `reason` and `partner_id`, `partner_jaccard`; those without a partner are passed over. A
    partner that was itself removed, as an older capture's may be, is followed to the document that was kept.
    """
    table = ledger.select(["id", "reason", "partner_id", "partner_jaccard"])
    table = table.filter(pc.and_(pc.is_valid(table["partner_id"]), pc.starts_with(table["reason"], "duplicate.")))
    partners = _followed(table["id"].combine_chunks(), table["partner_id"].combine_chunks())
    reasons = table["reason"]
    table = pa.table(
        {
            "partner_id": partners,
            "id": table["id"],
            "exact": pc.equal(reasons, "duplicate.exact").cast(pa.int64()),
            "near": pc.equal(reasons, "duplicate.near").cast(pa.int64()),
            "jaccard": table["partner_jaccard"].cast(pa.float64()),
        }
    ).sort_by("id")
    found = table.group_by("partner_id", use_threads=False).aggregate(
        [("id", "count"), ("exact", "sum"), ("near", "sum"), ("jaccard", "min"), ("id", "list")]
    )
    found = pa.table(
        {
            "partner_id": found["partner_id"],
            "size": pc.add(found["id_count"], 1),
            "exact": found["exact_sum"],
            "near": found["near_sum"],
            "jaccard_min": found["jaccard_min"],
            "ids": found["id_list"],
        }
    )
    return found.sort_by([("size", "descending"), ("partner_id", "ascending")])


def _followed(ids: pa.Array, partners: pa.Array) -> pa.Array:
    """Each partner's own partner instead, where it has one, to the end. Chains are at most three long."""
    for _ in range(3):
        at = pc.index_in(partners, value_set=ids)
        if at.null_count == len(at):
            break
        partners = pc.coalesce(partners.take(at), partners)
    return partners
