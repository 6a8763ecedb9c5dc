"""Groups of duplicates as a ledger tells them: each kept document with those that were removed in its favour."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from massivetext import storage
from massivetext.ledger import ledger_files
from massivetext.parquet import open_parquet

__all__ = ["groups", "read_groups", "with_samples"]


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


def read_groups(folder: str) -> pa.Table:
    """The groups of an output folder. In memory are its removed documents, never its whole ledger."""
    columns = ["id", "reason", "partner_id", "partner_jaccard"]
    tables = []
    for path in ledger_files(folder):
        with storage.open_input(path) as stream:
            for batch in open_parquet(stream).iter_batches(1 << 16, columns=columns, use_threads=False):
                tables.append(pa.Table.from_batches([batch]).filter(pc.is_valid(batch.column("partner_id"))))
    return groups(pa.concat_tables(tables))


def with_samples(folder: str, found: pa.Table, samples: int = 2) -> list[dict[str, Any]]:
    """Groups as dicts with `kept`, the document kept, and `samples`, of those removed the least and the most like it
    (by J with the partner in the ledger): id, subset, url, source, outcome, reason, jaccard, text. The text is None
    where curated/ does not hold it; a kept document that is an index's has nothing but its id.
    """
    rows = found.to_pylist()
    wanted = {name for row in rows for name in (row["partner_id"], *row["ids"])}
    ledger = _ledger_rows(folder, wanted)
    chosen: dict[str, list[str]] = {}
    for row in rows:
        by_jaccard = sorted(row["ids"], key=lambda name: (ledger[name]["jaccard"] or 1.0, name))
        picked = [*by_jaccard[: -(-samples // 2)], *by_jaccard[::-1][: samples // 2]]
        row["samples"] = [ledger[name] for name in dict.fromkeys(picked)]
        nothing = dict.fromkeys(("subset", "url", "source", "reason", "jaccard", "part"))
        kept = ledger.get(row["partner_id"], {**nothing, "id": row["partner_id"], "outcome": "kept by an index"})
        row["kept"] = kept
        for document in (kept, *row["samples"]):
            if document["part"]:
                chosen.setdefault(document["part"], []).append(document["id"])
    texts = {name: text for part, names in chosen.items() for name, text in _texts(folder, part, names).items()}
    for row in rows:
        for document in (row["kept"], *row["samples"]):
            document["text"] = texts.get(document["id"])
    for row in rows:
        for document in (row["kept"], *row["samples"]):
            document.pop("part", None)
    return rows


def _ledger_rows(folder: str, wanted: set[str]) -> dict[str, dict[str, Any]]:
    """Rows of the ledger by id, with `part`, the path of the part below curated/ and ledger/."""
    names = pa.array(sorted(wanted), pa.string())
    columns = ["id", "subset", "url", "source", "outcome", "reason", "partner_jaccard"]
    base = len(storage.join(folder, "ledger", ""))
    found = {}
    for path in ledger_files(folder):
        with storage.open_input(path) as stream:
            for batch in open_parquet(stream).iter_batches(1 << 16, columns=columns, use_threads=False):
                for row in batch.filter(pc.is_in(batch.column("id"), value_set=names)).to_pylist():
                    row["jaccard"] = row.pop("partner_jaccard")
                    found[row["id"]] = {**row, "part": path[base:]}
    return found


def _texts(folder: str, part: str, names: list[str]) -> dict[str, str]:
    path = storage.join(folder, "curated", part)
    if not storage.exists(path):
        return {}
    found: dict[str, str] = {}
    with storage.open_input(path) as stream:
        file = open_parquet(stream)
        for number in range(file.num_row_groups):
            ids = file.read_row_group(number, columns=["id"]).column("id")
            rows = pc.is_in(ids, value_set=pa.array(names, pa.string()))
            if pc.any(rows).as_py():
                texts = file.read_row_group(number, columns=["text"]).column("text")
                found.update(zip(ids.filter(rows).to_pylist(), texts.filter(rows).to_pylist()))
    return found
